"""`mrs run`, and `mrs detect`, `lift` and `smooth`, which stop earlier."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from mrs import config, options
from mrs.cli.completion import plugin_names

TYPES = {"whole number": int, "number": float}
STAGE_OF = {name: config.ALIASES.get(name, name) for name in ("detector", "tracker", "lifter", "smoother", "synth", "export")}


def _flags(command):
    """Add a flag for each value of config.Run, so that flags and the config file can't drift apart."""
    for info in reversed(options.describe(config.Run)):
        if isinstance(info.default, bool):
            flag = click.option(f"--{info.name}/--no-{info.name}", default=None, help=f"{info.help.rstrip('.')} (default: yes).")
        else:
            kind = click.Choice(info.choices) if info.choices else TYPES.get(info.type.split(" or ")[0], str)
            default = "" if info.default is None else f" [default: {info.default}]"
            flag = click.option(f"--{info.name.replace('_', '-')}", type=kind, default=None, help=info.help + default,
                                shell_complete=plugin_names(STAGE_OF[info.name]) if info.name in STAGE_OF else None)
        command = flag(command)
    return command


def _command(until: str, text: str, what: str = "VIDEO", instead=None):
    """Make one command that runs the pipeline until a stage.

    `instead` gets everything first, and returns True where it has done the work because it was no video.
    """

    @click.command(name={"export": "run"}.get(until, until), help=text)
    @click.argument("video", type=click.Path(path_type=Path), required=False, metavar=what)
    @click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder to write to. [default: VIDEO's name + _mrs]")
    @_flags
    @click.option("--set", "sets", multiple=True, metavar="STAGE.OPTION=VALUE", help="Option of a plugin (repeatable).")
    @click.option("--config", "config_path", type=click.Path(path_type=Path), help="YAML file with the same names.")
    @click.option("--plugin", "plugins", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
    @click.option("--overwrite", is_flag=True, help="Make everything anew, whatever OUT holds.")
    @click.option("--dry-run", is_flag=True, help="Say what would be made and what is there already, and do nothing.")
    @click.option("--json", "as_json", is_flag=True, help="Print run.json on stdout.")
    @click.option("--log-json", is_flag=True, help="Progress, notes and errors on stderr as JSON lines (also MRS_LOG_JSON=1).")
    @click.option("--quiet", is_flag=True, help="Show no progress.")
    @click.option("-v", "--verbose", count=True, help="Log more; twice for everything.")
    def command(video, out, sets, config_path, plugins, overwrite, dry_run, as_json, log_json, quiet, verbose, **flags):
        if not dry_run and instead is not None and video is not None and instead(video, out, flags, sets=sets, config_path=config_path, plugins=plugins,
                                           overwrite=overwrite, as_json=as_json, quiet=quiet, verbose=verbose):
            return
        settings = config.settings(video, flags, out=out, config=config_path, sets=sets, plugins=plugins,
                                   overwrite=overwrite, until=until)
        if dry_run:
            tell_dry(settings, as_json)
            return
        execute(settings, as_json=as_json, quiet=quiet, verbose=verbose, log_json=log_json)

    return command


def execute(settings: config.Settings, *, as_json: bool = False, quiet: bool = False, verbose: int = 0, log_json: bool = False) -> None:
    """Load plugins, run the pipeline, and print what was written."""
    from mrs import pipeline

    shown, registry = begin(settings.plugins, quiet, verbose, log_json)
    with shown:
        report = pipeline.run(settings, registry, shown, ("mrs", *sys.argv[1:]))
    tell(report, settings.out, as_json, quiet, shown)


def tell_dry(settings: config.Settings, as_json: bool) -> None:
    """Print what a run would make, and what it would find there already."""
    from mrs import dry
    from mrs.plugins import load

    rows = dry.plan(settings, load(settings.plugins))
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(f"{row['would']}  {settings.out / row['result']}" + (f"  ({row['by']})" if row["by"] else ""))


def begin(plugins: tuple[str, ...], quiet: bool, verbose: int, log_json: bool = False):
    """Return what shows progress, and the plugins; tell which of them did not load."""
    from mrs import progress
    from mrs.plugins import load

    shown = progress.choose(quiet, log_json=log_json)
    _log_to(shown if not quiet else progress.Plain(), verbose)
    registry = load(plugins)
    for origin, error in registry.broken.items():
        logging.getLogger("mrs").warning("Plugin %s did not load: %s", origin, error)
    return shown, registry


def tell(report: dict[str, Any], out: Path, as_json: bool, quiet: bool, shown=None) -> None:
    """Print the written files (or run.json) on stdout, warnings on stderr."""
    if as_json:
        click.echo(json.dumps(report, indent=1, default=str))
        return
    if not quiet:
        for warning in report["warnings"]:
            if shown is None or not shown.event("warning", message=warning):
                click.echo(f"Note: {warning}", err=True)
    for name in report["outputs"]:
        click.echo(out / name)


class _Handler(logging.Handler):
    """Send log lines through whatever shows progress, so that bars stay whole."""

    def __init__(self, shown):
        super().__init__()
        self._shown = shown

    def emit(self, record: logging.LogRecord) -> None:
        if not self._shown.event("log", level=record.levelname.lower(), logger=record.name, message=record.getMessage()):
            self._shown.line(self.format(record))


def _log_to(shown, verbose: int) -> None:
    """Log mrs to stderr: warnings, with -v what happens, with -vv everything. MRS_LOG_LEVEL sets the same."""
    named = logging.getLevelName(os.environ.get("MRS_LOG_LEVEL", "").upper())
    level = named if isinstance(named, int) and not verbose else [logging.WARNING, logging.INFO, logging.DEBUG][min(verbose, 2)]
    handler = _Handler(shown)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("mrs")
    logger.handlers = [h for h in logger.handlers if not isinstance(h, _Handler)] + [handler]
    logger.setLevel(level)


run = _command("export", "Turn a video into refined BVH, an overlay video and a report.\n\nWrites a run folder: report.html, run.json, tracks.npz, "
               "and for each person lifted.npz, motion.npz and motion.bvh. Type the same command again to go on after an "
               "interruption: what is finished is not done twice.")
detect = _command("detect", "Find and track the people of a video: tracks.npz.")
lift = _command("lift", "Go on to bodies in 3D: lifted.npz of each person.")


def _smooth_alone(*arguments, **named) -> bool:
    """Smooth a run folder or a motion file; False for a video."""
    from mrs.cli import smooth as alone

    return alone.smooth(*arguments, **named)


smooth = _command("smooth", "Refine the motion of a video, of a run, or of a motion file.\n\nA VIDEO is run until motion.npz of each "
                  "person. The folder of a RUN is refined again with the options given, everybody or --person, from what "
                  "its lifter said; the video may be gone. A MOTION (npz of mrs or AMASS, BVH, DeepMimic) is refined by what "
                  "needs no video, and written to -o, an npz or bvh. [default: NAME_smooth.npz and .bvh]",
                  what="VIDEO|RUN|MOTION", instead=_smooth_alone)
