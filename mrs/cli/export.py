"""`mrs export`: write what a run found in the files of other programs."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import click


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "name", required=True, metavar="FORMAT", help="A motion exporter (bvh, ...) or an exporter of 2D tracks "
              "(openpose, coco, alphapose, mot, ...); mrs plugins lists them.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write, or folder. [default: beside what is exported]")
@click.option("--person", default="all", show_default=True, help="Whom: largest, longest, center, all, or ids such as 1,3.")
@click.option("--set", "sets", multiple=True, metavar="OPTION=VALUE", help="Option of the exporter (repeatable).")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
def command(run: Path, name: str, out: Path | None, person: str, sets: tuple[str, ...], overwrite: bool,
            extra: tuple[str, ...]):
    """Write motions or 2D tracks in the files of other programs.

    RUN is a run folder, a tracks.npz or a motion file.

    Motions become one file a person; 2D tracks become one file, or one folder, for all of them. Prints what was written.
    """
    from mrs import options, plugins
    from mrs.errors import UsageError

    registry = plugins.load(extra)
    stage = next((s for s in ("exporter", "track_exporter") if (s, name) in registry.entries), None)
    if stage is None:
        known = [*registry.names("exporter"), *registry.names("track_exporter")]
        raise UsageError(options.unknown(f"exporter '{name}'", name, known))
    exporter = registry.make(stage, name, _values(sets, stage, name))
    written = (_motions if stage == "exporter" else _tracks)(run, exporter, out, person, overwrite, registry)
    for path, notes in written:
        for note in notes if isinstance(notes, tuple | list) else ():
            click.echo(f"Note: {path}: {note}", err=True)
        click.echo(path)


def _values(sets: tuple[str, ...], stage: str, name: str) -> dict[str, str]:
    """Split OPTION=VALUE; exporter.OPTION, as `mrs run` has it, is taken too."""
    from mrs.errors import UsageError

    values = {}
    for text in sets:
        key, equals, value = text.partition("=")
        key = key.strip().removeprefix(f"{stage}.").removeprefix("exporter.")
        if not equals or not key:
            raise UsageError(f"Expected --set OPTION=VALUE, but got '{text}'. Type: mrs plugins show {name}")
        values[key] = value
    return values


def _tracks(run: Path, exporter, out: Path | None, person: str, overwrite: bool, registry):
    """Write all chosen people together."""
    from mrs.errors import InputError
    from mrs.track_edit import choose
    from mrs.tracks import Tracks

    path = run / "tracks.npz" if run.is_dir() else run
    if not path.is_file():
        raise InputError(f"Expected a run folder or a tracks.npz, but there is no {path}. Type: mrs run VIDEO")
    tracks = choose(Tracks.load(path), person)
    suffix = getattr(exporter, "suffix", f".{exporter.name}")
    out = out or path.with_name(f"{path.stem}_{exporter.name}{suffix}")
    with replacing(out, overwrite, folder=not suffix) as temporary:
        notes = exporter.write_tracks(tracks, temporary)
    return [(out, notes)]


def _motions(run: Path, exporter, out: Path | None, person: str, overwrite: bool, registry):
    """Write one file a person; `out` names the file of one person, or the folder for several."""
    from mrs.reading import read_motion

    suffix = getattr(exporter, "suffix", f".{exporter.name}")
    files = _motion_files(run, person)
    targets = []
    for number, path in files:
        base = f"motion{suffix}" if number is None else f"{number:02d}{suffix}"
        if out is None:
            targets.append(path.with_name(f"{path.stem}{suffix}" if path.suffix != suffix else f"{path.stem}_{exporter.name}{suffix}"))
        else:
            targets.append(out if len(files) == 1 and not out.is_dir() else out / base)
    for target in targets:
        refuse_existing(target, overwrite)
    written = []
    for (_, path), target in zip(files, targets, strict=True):
        motion = read_motion(path, registry)
        with replacing(target, overwrite, folder=not suffix) as temporary:
            written.append((target, exporter.write(motion, temporary)))
    return written


def _motion_files(run: Path, person: str) -> list[tuple[int | None, Path]]:
    """Return (person's number, file): of a run folder the chosen people's, else the file itself."""
    from mrs.errors import InputError
    from mrs.track_edit import choose
    from mrs.tracks import Tracks

    if not run.is_dir() or (run / "motion.npz").is_file():
        return [(None, run / "motion.npz" if run.is_dir() else run)]
    found = {int(p.parent.name): p for p in sorted(run.glob("persons/*/motion.npz")) if p.parent.name.isdigit()}
    if not found:
        raise InputError(f"Expected persons/*/motion.npz in {run}, but there is none. Type: mrs run VIDEO")
    if person.strip() == "all":
        return list(found.items())
    wanted = [t.person for t in choose(Tracks.load(run / "tracks.npz"), person).people]
    absent = [str(n) for n in wanted if n not in found]
    if absent:
        raise InputError(f"Expected a motion of person {', '.join(absent)} in {run}, but there is none. "
                         "Type: mrs run VIDEO --person all")
    return [(n, found[n]) for n in wanted]


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Refuse to write over what is there."""
    from mrs.errors import UsageError

    if path.exists() and not overwrite:
        raise UsageError(f"Expected to write {path}, but it is there already. Type --overwrite to replace it, or choose "
                         "another with -o.")


@contextmanager
def replacing(path: Path, overwrite: bool, *, folder: bool):
    """Yield a temporary path beside `path` that takes its place when all went well."""
    from mrs.errors import InputError, MrsError
    from mrs.npz import atomic_path
    from mrs.runfolder import write_refusal

    refuse_existing(path, overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not folder:
            if path.is_dir():
                raise InputError(f"Expected a file to write, but {path} is a folder. Choose another with -o.")
            with atomic_path(path) as temporary:
                yield temporary
            return
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            temporary.chmod(0o777 & ~_umask())
            yield temporary
            _take_place(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise MrsError(write_refusal(path, error)) from error


def _take_place(temporary: Path, path: Path) -> None:
    """Move a finished folder to its place; a folder that is there is moved away first and then removed."""
    from mrs.errors import InputError

    if not path.exists():
        os.replace(temporary, path)
        return
    if not path.is_dir() or any(not p.name.endswith(".json") for p in path.iterdir()):
        raise InputError(f"Expected {path} to be a folder that an export made, but it holds other things. Remove it, or choose "
                         "another with -o.")
    away = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    os.replace(path, away / "old")
    os.replace(temporary, path)
    shutil.rmtree(away, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
