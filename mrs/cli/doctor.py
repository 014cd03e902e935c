"""`mrs doctor`: does everything work here, and if not, what to type."""

from __future__ import annotations

import json

import click

from mrs.cli import fitting

SIGNS = {"ok": "ok ", "off": "-  ", "bad": "BAD"}
COLOURS = {"ok": "green", "off": None, "bad": "red"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool):
    """Say of everything that mrs stands on whether it works, or what to type.

    ok works, - is something optional that is not there, BAD is something that mrs needs. Ends with 0, or with 4 where
    anything is BAD.
    """
    from mrs import doctor

    checks = doctor.examine()
    told = doctor.summary(checks)
    if as_json:
        click.echo(json.dumps(told, indent=1))
    else:
        fitting.echo("\n".join(_lines(checks)))
    raise SystemExit(0 if told["ok"] else 4)


def _lines(checks) -> list[str]:
    """One line a check under its group's name, and one for the command that mends it."""
    lines, group, width = [], None, max(len(check.name) for check in checks)
    for check in checks:
        if check.group != group:
            lines.append(click.style(check.group, bold=True) if _colours() else check.group)
            group = check.group
        sign = click.style(SIGNS[check.state], fg=COLOURS[check.state]) if _colours() else SIGNS[check.state]
        lines.append(f"  {sign} {check.name:<{width}}  {check.told}")
        if check.todo:
            lines.append(f"      {'':<{width}}  Type: {check.todo}")
    bad = sum(check.state == "bad" for check in checks)
    lines.append(f"{bad} to mend." if bad else "Everything that is needed works.")
    return lines


def _colours() -> bool:
    import os

    return not os.environ.get("NO_COLOR")
