"""`mrs tracks`: look at the people of a run and correct them by hand."""

from __future__ import annotations

import json
from pathlib import Path

import click

_COLUMNS = (
    ("person", "person", "{:d}"), ("first_s", "first s", "{:.3f}"), ("last_s", "last s", "{:.3f}"),
    ("frames", "frames", "{:d}"), ("seen_percent", "seen %", "{:.1f}"), ("mean_confidence", "confidence", "{:.2f}"),
    ("median_height_px", "height px", "{:.0f}"),
)

_run = click.argument("run", type=click.Path(path_type=Path))
_output = click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
                       help="Write here and leave the run's own file as it is.")


@click.group("tracks")
def command():
    """Show the people of a run, and merge, split, swap or drop them.

    RUN is a run folder or a tracks.npz. Edits replace the file unless -o names another; `mrs run` goes on from the
    edited file.
    """


@command.command("show")
@_run
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def show(run: Path, as_json: bool):
    """List who is in RUN: when, for how long, how well seen, how large."""
    from mrs.track_edit import summary

    path, tracks = _load(run)
    people = summary(tracks)
    if as_json:
        click.echo(json.dumps({"path": str(path), "size_px": list(map(int, tracks.size_px)), "people": people,
                               "history": list(tracks.history)}, indent=2))
    else:
        click.echo(_table(people) if people else "nobody")


@command.command("merge")
@_run
@click.argument("persons", nargs=-1, required=True, type=int, metavar="ID ID...")
@click.option("--overlap", type=click.Choice(["refuse", "best"]), default="refuse", show_default=True,
              help="Frames with two of them in sight: refuse, or keep the sighting with the higher confidence.")
@_output
def merge(run: Path, persons: tuple[int, ...], overlap: str, output: Path | None):
    """Join people into the first ID, for one person who was taken for several."""
    from mrs.track_edit import merge as edit

    _apply(run, output, lambda tracks: edit(tracks, persons, overlap))


@command.command("split")
@_run
@click.argument("person", type=int, metavar="ID")
@click.option("--at", "at_s", type=float, required=True, metavar="SECONDS", help="First moment of the new person.")
@_output
def split(run: Path, person: int, at_s: float, output: Path | None):
    """Cut a person in two at a time; the later part gets the next free ID."""
    from mrs.track_edit import split as edit

    _apply(run, output, lambda tracks: edit(tracks, person, at_s))


@command.command("swap")
@_run
@click.argument("a", type=int, metavar="ID")
@click.argument("b", type=int, metavar="ID")
@click.option("--from", "from_s", type=float, metavar="SECONDS", help="First moment. [default: the start]")
@click.option("--to", "to_s", type=float, metavar="SECONDS", help="Last moment. [default: the end]")
@_output
def swap(run: Path, a: int, b: int, from_s: float | None, to_s: float | None, output: Path | None):
    """Exchange two people for a time, where the tracker took one for the other."""
    from mrs.track_edit import swap as edit

    _apply(run, output, lambda tracks: edit(tracks, a, b, from_s, to_s))


@command.command("drop")
@_run
@click.argument("persons", nargs=-1, required=True, type=int, metavar="ID...")
@_output
def drop(run: Path, persons: tuple[int, ...], output: Path | None):
    """Leave people out, such as passers-by and pictures on a wall."""
    from mrs.track_edit import drop as edit

    _apply(run, output, lambda tracks: edit(tracks, persons))


def _load(run: Path):
    """Return the tracks file that RUN means, and what it holds."""
    from mrs.errors import InputError
    from mrs.tracks import Tracks

    path = run / "tracks.npz" if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"Expected a run folder or a tracks.npz, but there is no {path}. Type: mrs run VIDEO")
    return path, Tracks.load(path)


def _apply(run: Path, output: Path | None, edit) -> None:
    """Load, edit, write, and show the outcome; the file is replaced in one step or not at all."""
    from mrs.errors import MrsError
    from mrs.track_edit import summary

    path, tracks = _load(run)
    edited = edit(tracks)
    target = output or path
    try:
        edited.save(target)
    except OSError as error:
        raise MrsError(f"Can't write {target}: {error.strerror or error}. Choose another place with -o FILE.") from None
    click.echo(f"wrote {target}", err=True)
    click.echo(_table(summary(edited)))


def _table(people: list[dict]) -> str:
    """Lay out people as right-aligned columns under their titles."""
    rows = [[title for _, title, _ in _COLUMNS]]
    rows += [[form.format(person[key]) for key, _, form in _COLUMNS] for person in people]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
