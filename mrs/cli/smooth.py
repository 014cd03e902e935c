"""`mrs smooth` of a run folder or of a motion file; of a video it is the pipeline's (see run.py)."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from mrs import config
from mrs.errors import UsageError


def smooth(path: Path, out: Path | None, flags: dict[str, Any], *, sets=(), config_path=None, plugins=(), overwrite=False,
           as_json=False, quiet=False, verbose=0) -> bool:
    """Smooth what is not a video; return False where it is one."""
    from mrs import resmooth, smooth_file
    from mrs.cli.run import begin, tell
    from mrs.plugins import load

    flags = {name: value for name, value in flags.items() if value is not None}
    if resmooth.is_run(path):
        if out is not None and out.resolve() != path.resolve():
            raise UsageError(f"Expected no -o with the folder of a run, which is refined where it lies, but got {out}.")
        settings = replace(resmooth.settings_of(path, flags, config_path=config_path, sets=sets, plugins=plugins),
                           overwrite=overwrite)
        shown, registry = begin(settings.plugins, quiet, verbose)
        settings = resmooth.without_unknown(settings, registry)
        with shown:
            report = resmooth.resmooth(settings, registry, shown, ("mrs", *sys.argv[1:]), flags.get("person"))
        tell(report, settings.out, as_json, quiet)
        return True
    settings = config.settings(path, flags, config=config_path, sets=sets, plugins=plugins, overwrite=overwrite, until="smooth")
    if not (path.suffix or path.is_dir()) or not smooth_file.is_motion(path, load(settings.plugins)):
        return False
    _refuse_video_flags(flags, settings)
    shown, registry = begin(settings.plugins, quiet, verbose)
    with shown:
        report = smooth_file.smooth_file(replace(settings, out=out), registry, shown)
    if as_json:
        click.echo(json.dumps(report, indent=1, default=str))
        return True
    if not quiet:
        for warning in report["warnings"]:
            click.echo(f"Note: {warning}", err=True)
    for name in report["outputs"]:
        click.echo(name)
    return True


def _refuse_video_flags(flags: dict[str, Any], settings: config.Settings) -> None:
    """Refuse what only a video has."""
    from mrs.resmooth import FIXED

    wrong = [f"--{name.replace('_', '-')}" for name in (*FIXED, "person") if name in flags]
    wrong += [f"--set {stage}..." for stage in settings.stage_options if stage not in ("smoother", "exporter")]
    if wrong:
        raise UsageError(f"Expected options of the smoother, but {', '.join(wrong)} only mean something with a video or a run.")
