"""`mrs completion`: the script that lets a shell complete commands, flags and names of plugins."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")
WHERE = {"bash": 'eval "$(mrs completion bash)" in ~/.bashrc', "zsh": 'eval "$(mrs completion zsh)" in ~/.zshrc',
         "fish": "mrs completion fish > ~/.config/fish/completions/mrs.fish"}


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
