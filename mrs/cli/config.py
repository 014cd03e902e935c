"""`mrs config`: what a run would use, and where each value comes from."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import click

from mrs import config
from mrs.cli import fitting
from mrs.cli.run import _flags

ENVIRONMENT = {
    "MRS_CACHE_DIR": "folder of fetched models", "MRS_CONFIG": "the user's settings file", "MRS_DEVICE": "where networks run",
    "MRS_LOAD_PLUGINS": "installed plugins to load", "MRS_LOG_JSON": "1: log in JSON lines", "MRS_LOG_LEVEL": "what is logged",
    "MRS_OFFLINE": "1: no network", "MRS_SMPL_DIR": "folder of your SMPL files", "MRS_THREADS": "CPU threads", "NO_COLOR": "1: no colours",
}


@click.group("config")
def command():
    """Show settings, and where they come from."""


@command.command("show")
@_flags
@click.option("--set", "sets", multiple=True, metavar="STAGE.OPTION=VALUE", help="Option of a plugin (repeatable).")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="YAML file with the same names.")
@click.option("--plugin", "plugins", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
@click.option("--all", "everything", is_flag=True, help="Show all options of the chosen plugins too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(sets, config_path, plugins, everything, as_json, **flags):
    """Print every setting with its origin: default, file, environment or flag.

    Takes the flags of `mrs run`, so that a command can be asked what it would use.
    """
    rows = _rows(config.merged(flags, config_path, sets, plugins), everything)
    if as_json:
        click.echo(json.dumps({"settings": rows, "environment": _environment(), "user_file": str(config.user_file() or config.user_place())},
                              indent=1, default=str))
        return
    width = max(len(row["name"]) for row in rows)
    values = max(len(_plain(row["value"])) for row in rows)
    for row in rows:
        fitting.echo(f"{row['name']:<{width}}  {_plain(row['value']):<{min(values, 24)}}  {row['origin']}")
    fitting.echo("environment")
    for name, facts in _environment().items():
        told = "not set" if facts["value"] is None else facts["value"]
        fitting.echo(f"  {name:<16}  {told}  ({facts['about']})")


@command.command("path")
def path():
    """Print where the user's settings file is, or would be."""
    named = os.environ.get("MRS_CONFIG")
    click.echo(named or config.user_place())


def _rows(found: config.Merged, everything: bool) -> list[dict[str, Any]]:
    values = dataclasses.asdict(config.options.build(config.Run, found.values, "run"))
    rows = [{"name": name, "value": value, "origin": found.origins.get(name, "default")} for name, value in values.items()]
    given = {f"{stage}.{option}": value for stage, options in found.stage_options.items() for option, value in options.items()}
    known = _defaults(values, found.plugins) if everything else {}
    for name, value in (known | given).items():
        rows.append({"name": name, "value": value, "origin": found.origins.get(name, "default")})
    return rows


def _defaults(values: dict[str, Any], plugins: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of the chosen plugins at their defaults, by `stage.option`."""
    from mrs import options
    from mrs.plan import AUTO, CANDIDATES
    from mrs.plugins import load

    registry, found = load(plugins), {}
    for stage in ("detector", "tracker", "lifter", "smoother", "synthesizer"):
        chosen = values[config.NAMED_AS.get(stage, stage)]
        for name in CANDIDATES[stage] if chosen == AUTO and stage in CANDIDATES else [chosen] if chosen else []:
            name, _ = registry.resolve(stage, name, "?")
            found |= {f"{stage}.{info.name}": info.default for info in options.describe(registry.get(stage, name).cls)}
    return found


def _environment() -> dict[str, dict[str, str | None]]:
    return {name: {"value": os.environ.get(name), "about": about} for name, about in ENVIRONMENT.items()}


def _plain(value: Any) -> str:
    return {True: "true", False: "false", None: "none"}[value] if isinstance(value, bool | None) else str(value)
