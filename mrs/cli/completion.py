"""`mrs completion`: the script that lets a shell complete commands, flags and names of plugins."""

from __future__ import annotations

from collections.abc import Callable

import click

SHELLS = ("bash", "zsh", "fish")
WHERE = {"bash": 'eval "$(mrs completion bash)" in ~/.bashrc', "zsh": 'eval "$(mrs completion zsh)" in ~/.zshrc',
         "fish": "mrs completion fish > ~/.config/fish/completions/mrs.fish"}


def plugin_names(*stages: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return what completes the name of a plugin of some stages in a shell, in a list with commas the last one."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from mrs.plugins import load

        registry = load()
        before, comma, begun = incomplete.rpartition(",")
        return [before + comma + name for stage in stages for name in registry.names(stage) if name.startswith(begun)]

    return complete


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str):
    """Print the script that completes mrs in a shell.

    \b
    bash: eval "$(mrs completion bash)" in ~/.bashrc (4.4 or newer)
    zsh:  eval "$(mrs completion zsh)" in ~/.zshrc
    fish: mrs completion fish > ~/.config/fish/completions/mrs.fish
    """
    from click.shell_completion import get_completion_class

    from mrs.cli import cli

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"Expected {', '.join(SHELLS)}, but got '{shell}'.")
    made = found(cli, {}, "mrs", "_MRS_COMPLETE")
    click.echo(made.source_template % made.source_vars())
