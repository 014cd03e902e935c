"""The command line. A command's module is imported when the command is called, so that `mrs --help` is quick.

Exit codes: 0 ok, 1 anything not listed here (a full disk, a folder in use), 2 usage, 3 bad input (also an output folder
that cannot be written), 4 a missing model, licence file or extra, 5 no person found,
6 a motion that `mrs check` rejects, 130 interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import os
import shlex
import shutil
import sys

import click

import mrs
from mrs.errors import EXIT_INTERRUPTED, MrsError, told

COMMANDS = {
    "run": ("mrs.cli.run:run", "Turn a video into refined BVH, an overlay video and a report."),
    "batch": ("mrs.cli.batch:command", "Run many clips, each into a folder DIR/NAME."),
    "detect": ("mrs.cli.run:detect", "Find and track the people of a video: tracks.npz."),
    "lift": ("mrs.cli.run:lift", "Go on to bodies in 3D: lifted.npz of each person."),
    "smooth": ("mrs.cli.run:smooth", "Refine the motion of a video, of a run, or of a motion file."),
    "transfer": ("mrs.cli.synth:transfer", "Re-enact SOURCE's behaviour from TARGET's posture, with TARGET's body."),
    "sample": ("mrs.cli.synth:sample", "Draw futures of START from the flow: sample_001.npz, .bvh and so on."),
    "interpolate": ("mrs.cli.synth:interpolate", "Go from A's behaviour to B's in even steps of the code: step_1.npz, .bvh and so on."),
    "nearest": ("mrs.cli.synth:nearest", "Find what is near to MOTION in LIBRARY by behaviour, and by posture."),
    "render": ("mrs.cli.render:command", "Draw a person, as they look in a clip, in MOTION."),
    "data": ("mrs.cli.data:command", "Make a corpus from files of motion, with labels and splits."),
    "train": ("mrs.cli.train:command", "Train a model."),
    "export": ("mrs.cli.export:command", "Write motions or 2D tracks in the files of other programs."),
    "check": ("mrs.cli.check:command", "Tell whether a simulated character could train on MOTION, and where not."),
    "retarget": ("mrs.cli.retarget:command", "Let another skeleton do MOTION: BVH, or a humanoid or robot in MJCF."),
    "report": ("mrs.cli.report:command", "Write report.html of a run again, and open it."),
    "view": ("mrs.cli.view:command", "Look at motions in the browser, from all sides."),
    "live": ("mrs.cli.live:command", "Follow the people before a camera as they move."),
    "tracks": ("mrs.cli.tracks:command", "Show or edit who is who in tracks.npz."),
    "eval": ("mrs.cli.eval:command", "Measure motions, or who is who, against the ground truth, and models of behaviour on held-out data."),
    "models": ("mrs.cli.models:command", "List and verify networks and bodies, and fetch others."),
    "convert": ("mrs.cli.convert:command", "Turn a file of another program into one that mrs reads."),
    "doctor": ("mrs.cli.doctor:command", "Say of everything that mrs stands on whether it works, or what to type."),
    "plugins": ("mrs.cli.plugins:plugins", "List plugins, their options, and what they still need."),
    "config": ("mrs.cli.config:command", "Show settings, and where they come from."),
    "completion": ("mrs.cli.completion:command", "Print the script that completes mrs in a shell."),
}

SECTIONS = {
    "From video to motion": ("run", "batch", "live", "detect", "lift", "smooth", "tracks"),
    "Behaviour": ("transfer", "sample", "interpolate", "nearest"),
    "See and export": ("report", "view", "render", "export", "convert"),
    "Characters and physics": ("check", "physics", "retarget", "rl"),
    "Learn and measure": ("data", "train", "eval"),
    "This installation": ("plugins", "models", "doctor", "config", "completion"),
}
"""Where the help lists commands; those in no section come last."""
NARROW = 60


class LazyGroup(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return names in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        target, attribute = COMMANDS[name][0].split(":")
        return _with_debug(getattr(importlib.import_module(target), attribute))

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """Refuse unknown commands with the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise click.UsageError(f"Unknown command '{args[0]}'.{hint} Known: {', '.join(COMMANDS)}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List each command with its one line, by what it is for."""
        listed = {name for names in SECTIONS.values() for name in names}
        rest = tuple(name for name in COMMANDS if name not in listed)
        for title, names in {**SECTIONS, "More": rest}.items():
            rows = [(name, COMMANDS[name][1]) for name in names if name in COMMANDS]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=12)

    def shell_complete(self, ctx: click.Context, incomplete: str):
        """Complete names without importing the commands."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return names or super().shell_complete(ctx, incomplete)


class _Formatter(click.HelpFormatter):
    """Help that stays readable in a narrow terminal: what does not fit beside a name stands below it."""

    def write_dl(self, rows, col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl(rows, 2 if self.width < NARROW else col_max, col_spacing)


class _Context(click.Context):
    """A context whose help is as narrow as the terminal; click's own is never below 50 columns."""

    def make_formatter(self) -> click.HelpFormatter:
        columns = shutil.get_terminal_size().columns
        return _Formatter(width=max(20, min(columns, self.max_content_width or 80) - 2))


def _with_debug(command: click.Command) -> click.Command:
    """Give a command, and those below it, the flag --debug (which :func:`main` looks for) and the help of this module.

    In a group's list each has its first sentence as a whole, where click would cut it off.
    """
    command.context_class = _Context
    if not any("--debug" in p.opts for p in command.params):
        command.params.append(click.Option(["--debug"], is_flag=True, expose_value=False,
                                           help="Show the traceback of an error."))
    for below in getattr(command, "commands", {}).values():
        _with_debug(below)
        below.short_help = below.short_help or " ".join((below.help or "").split("\n\n")[0].split())
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mrs.__version__, message="mrs %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """From a video of people to motion that a simulated character can train on."""


cli.context_class = _Context


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code; what goes wrong becomes one line on stderr."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    code = _guarded(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    sys.exit(code)


def _guarded(arguments: list[str]) -> int:
    try:
        result = cli.main(_spread(arguments), prog_name="mrs", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        _say(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
        return _fail(arguments, error, error.format_message(), error.exit_code)
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        return _interrupted(arguments, error)
    except MrsError as error:
        return _fail(arguments, error, str(error), error.exit_code)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _fail(arguments, error, _os_error(error), 1)
    except Exception as error:  # noqa: BLE001 (the last resort: one line for whatever it is)
        first = f"{type(error).__name__}: {error}".split("\n")[0]
        where = f"{told(error, 'where')}: " if told(error, "where") else ""
        return _fail(arguments, error, f"{where}{first}. Use --debug for the traceback.", 1)


def _spread(arguments: list[str]) -> list[str]:
    """Let one --set take several: ``--set a.b=1 c.d=2`` is ``--set a.b=1 --set c.d=2``."""
    import re

    out: list[str] = []
    setting = False
    for at, argument in enumerate(arguments):
        value = at > 0 and arguments[at - 1] == "--set"
        if setting and not value and re.fullmatch(r"[a-z_]\w*\.\w+=.*", argument, re.DOTALL):
            out.append("--set")
        else:
            setting = value
        out.append(argument)
    return out


def _fail(arguments: list[str], error: BaseException, text: str, code: int) -> int:
    if "--debug" in arguments:
        import traceback

        traceback.print_exception(error)
    _say("Error: " + " ".join(text.split()), "--log-json" in arguments)
    return code


def _interrupted(arguments: list[str], error: BaseException) -> int:
    """Say what was kept, and what to type to go on."""
    if "--debug" in arguments:
        import traceback

        traceback.print_exception(error)
    cause = error if isinstance(error, KeyboardInterrupt) else error.__cause__ or error.__context__
    kept = told(cause, "kept") if cause is not None else ""
    again = shlex.join(["mrs", *(a for a in arguments if a != "--overwrite")])
    _say(f"Interrupted. {kept} To go on, type: {again}" if kept else "Interrupted.", "--log-json" in arguments)
    return EXIT_INTERRUPTED


def _os_error(error: OSError) -> str:
    """Word what the system refused."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{reason}: {error.filename}" if error.filename else f"{reason}. Use --debug for the traceback."


def _say(text: str, as_json: bool = False) -> None:
    """Say one line on stderr."""
    from mrs.progress import as_json_line, wants_json

    if as_json or wants_json():
        text = as_json_line("error", message=text.removeprefix("Error: "))
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        return
