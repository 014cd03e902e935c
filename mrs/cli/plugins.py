"""`mrs plugins`: what there is for each stage, with options, and what is missing or broken."""

from __future__ import annotations

import json
from typing import Any

import click

from mrs import options, stages
from mrs import plugins as manager
from mrs.cli import fitting
from mrs.errors import UsageError


@click.command()
@click.argument("action", type=click.Choice(["list", "show"]), default="list")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
def plugins(action: str, name: str | None, as_json: bool, extra: tuple[str, ...]) -> None:
    """List plugins, their options, and what they still need.

    `mrs plugins` lists all; `mrs plugins show NAME` shows one with its options (in every stage that has the name).
    """
    if action == "list" and name:
        raise UsageError(f"Expected no name with list, but got '{name}'. Type: mrs plugins show {name}")
    if action == "show" and not name:
        raise UsageError("Expected a name. Type: mrs plugins show NAME, or mrs plugins for the list")
    registry = manager.load(extra)
    entries = list(registry.entries.values())
    if action == "show":
        entries = [entry for entry in entries if entry.name in (name, f"{name}:")]
        if not entries:
            raise UsageError(options.unknown(f"plugin '{name}'", name, {n for _, n in registry.entries})
                             + _broken_hint(registry))
    if as_json:
        click.echo(json.dumps({"plugins": [describe(e) for e in entries], "broken": registry.broken}, indent=1, default=str))
    elif action == "show":
        fitting.echo("\n\n".join(_shown(describe(entry)) for entry in entries))
    else:
        fitting.echo(_listed(registry))


def describe(entry) -> dict[str, Any]:
    """Return everything known of one plugin, JSON-able."""
    missing = stages.missing_needs(entry.cls)
    return {
        "stage": entry.stage, "name": entry.name, "summary": stages.summary(entry.cls), "version": entry.version,
        "origin": entry.origin, "missing": missing, "install": stages.install_command(entry.cls) if missing else None,
        "options": [{"name": o.name, "type": o.type, "default": o.default, "help": o.help,
                     "choices": list(o.choices) if o.choices else None, "min": o.min, "max": o.max}
                    for o in options.describe(entry.cls)],
    }


def _listed(registry) -> str:
    width = max((len(_typed(entry)) for entry in registry.entries.values()), default=0)
    lines = []
    for stage in stages.STAGES:
        names = registry.names(stage)
        if names:
            lines.append(f"{stage}s")
        for name in names:
            facts = describe(registry.entries[stage, name])
            lines.append(f"  {_typed(registry.entries[stage, name]):<{width}}  {facts['summary']}")
            if facts["missing"]:
                lines.append(f"  {'':<{width}}  needs {', '.join(facts['missing'])}. Type: {facts['install']}")
    if registry.broken:
        lines += ["did not load", *(f"  {origin}: {error}" for origin, error in registry.broken.items())]
    lines.append("Options: mrs plugins show NAME")
    return "\n".join(lines)


def _typed(entry) -> str:
    """Return the name as the user types it, with what has to follow a colon."""
    return entry.name + (getattr(entry.cls, "takes", "") if entry.name.endswith(":") else "")


def _shown(facts: dict[str, Any]) -> str:
    lines = [f"{facts['stage']} {facts['name']}", f"  {facts['summary']}",
             f"  version {facts['version']}, from {facts['origin']}"]
    if facts["missing"]:
        lines.append(f"  needs {', '.join(facts['missing'])}. Type: {facts['install']}")
    for o in facts["options"]:
        limits = [f"one of {', '.join(map(str, o['choices']))}"] if o["choices"] else []
        limits += [f"at least {o['min']}"] if o["min"] is not None else []
        limits += [f"at most {o['max']}"] if o["max"] is not None else []
        lines.append(f"  {facts['stage']}.{o['name']} = {_plain(o['default'])}  ({'; '.join([o['type'], *limits])})")
        lines.append(f"      {o['help']}")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return {True: "true", False: "false", None: "none"}[value] if isinstance(value, bool | None) else str(value)


def _broken_hint(registry) -> str:
    return "".join(f" {origin} did not load ({error})." for origin, error in registry.broken.items())
