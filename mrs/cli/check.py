"""`mrs check`: what a trainer would reject, before training."""

from __future__ import annotations

import json
from pathlib import Path

import click

REJECTED = 6


@click.command("check")
@click.argument("motion", type=click.Path(path_type=Path))
@click.option("--loop", is_flag=True, help="The motion is to be repeated: check the seam too.")
@click.option("--mass", "mass_kg", type=click.FloatRange(min=1), metavar="KG", help="Mass of the person. [default: the body's volume]")
@click.option("--no-physics", is_flag=True, help="Leave the inverse dynamics out.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw every check over time (.png, .svg, .pdf).")
@click.option("--overwrite", "--force", "overwrite", is_flag=True, help="Replace the plot that is there.")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
def command(motion: Path, loop: bool, mass_kg: float | None, no_physics: bool, as_json: bool, plot: Path | None, overwrite: bool,
            extra: tuple[str, ...]) -> int:
    """Tell whether a simulated character could train on MOTION, and where not.

    MOTION is a motion file or a run folder (all its people are checked). The verdict is ok, doubtful or reject, for the clip and for
    every second. Exit code 0 where nobody is rejected, 6 where somebody is.
    """
    from mrs import plugins
    from mrs.physics.check import check
    from mrs.reading import read_motion

    registry = plugins.load(extra)
    files = people(motion)
    targets = _targets(plot, files, overwrite)
    reports = []
    for path, target in zip(files, targets, strict=True):
        report = check(read_motion(path, registry), loop=loop, mass_kg=mass_kg, physics=not no_physics)
        if target is not None:
            from mrs.physics.plot import write

            write(target, report, str(path))
        reports.append((path, report))
    if as_json:
        click.echo(json.dumps([{"motion": str(path), **report.to_json()} for path, report in reports], indent=1))
    else:
        for path, report in reports:
            tell(path, report)
    return REJECTED if any(report.verdict == "reject" for _, report in reports) else 0


def people(path: Path) -> list[Path]:
    """The motions of a run folder, one a person; a file as it is."""
    found = sorted(path.glob("persons/*/motion.npz")) if path.is_dir() and not (path / "motion.npz").is_file() else []
    return found or [path]


def _targets(plot: Path | None, files: list[Path], overwrite: bool) -> list[Path | None]:
    """A plot for each motion: the name as given, with the person's number where there are several."""
    from mrs.cli.export import refuse_existing
    from mrs.errors import UsageError
    from mrs.physics.extra import needed

    if plot is None:
        return [None] * len(files)
    needed("matplotlib", "plot", "matplotlib")
    if plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"Expected a plot that ends in .png, .svg or .pdf, but got {plot}.")
    found: list[Path | None] = [plot if len(files) == 1 else plot.with_name(f"{plot.stem}_{path.parent.name}{plot.suffix}") for path in files]
    for target in filter(None, found):
        refuse_existing(target, overwrite)
    return found


def tell(path: Path, report) -> None:
    """Print one motion's checks for people to read."""
    facts = report.to_json()
    click.echo(f"{path}: {facts['verdict']} ({facts['frames']} frames, {facts['seconds']:.2f} s; "
               f"{facts['stature_m']:.2f} m, {facts['mass_kg']:.1f} kg)")
    for row in sorted(facts["checks"], key=lambda r: ("reject", "doubtful", "ok").index(r["level"])):
        worst = "-" if row["worst"] is None else f"{row['worst']:.3g}"
        line = f"  {row['level']:<9} {row['name']:<18} {worst:>8} {row['unit']:<18} reject above {row['reject_above']:g}"
        if row["for_at_least_s"]:
            line += f" for {row['for_at_least_s']:g} s"
        if row["level"] != "ok":
            line += f"; {row['share_percent']:g}% of the frames, first at {row['first_s']:.2f} s: {row['what']}"
        click.echo(line)
    for second in facts["by_second"]:
        if second["verdict"] != "ok":
            names = [*second["failed"], *(f"({name})" for name in second["doubtful"])]
            click.echo(f"  second {second['second']}: {second['verdict']}: {', '.join(names)}")
    for line in report.missing:
        click.echo(f"Note: {line}", err=True)
