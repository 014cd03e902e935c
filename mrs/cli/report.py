"""`mrs report`: the page that shows a run."""

from __future__ import annotations

from pathlib import Path

import click

from mrs.cli import opening


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--open", "opened", is_flag=True, help="Show it in the browser.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(run: Path, opened: bool, quiet: bool):
    """Write report.html of a run again, and open it.

    RUN is the folder of a run. The page is written where it is missing or no longer true; its path is printed. `mrs run`
    writes it at its end, unless --no-report.
    """
    from mrs import progress
    from mrs.report import of_run

    shown = progress.choose(quiet)
    with shown:
        path = of_run.of_folder(run, shown)
    click.echo(path)
    if opened:
        opening.show(str(path.resolve()))
