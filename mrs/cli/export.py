"""`mrs export`: write what a run found in the files of other programs."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import click

from mrs.cli.completion import plugin_names


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "names", required=True, metavar="FORMAT[,FORMAT]", help="Motion exporters (bvh, deepmimic, gltf, ...) or one "
              "exporter of 2D tracks (openpose, coco, alphapose, mot, ...); mrs plugins lists them.",
              shell_complete=plugin_names("exporter", "track_exporter"))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write (its ending may be left out), or folder. "
              "[default: beside what is exported]")
@click.option("--person", default="all", show_default=True, help="Whom: largest, longest, center, all, or ids such as 1,3.")
@click.option("--fps", type=float, help="Resample motions to this rate: exact times, rotations by slerp.")
@click.option("--loop", type=click.Choice(("wrap", "clamp")), help="wrap: cut to a cycle, close it and check the seam; clamp: play once.")
@click.option("--ground", is_flag=True, help="Raise frames in which the body would be below the floor.")
@click.option("--heading", type=click.Choice(("zero",)), help="zero: begin at x = z = 0, facing +Z (simulators' +X).")
@click.option("--trim", type=click.Choice(("auto",)), help="auto: cut frames without evidence off both ends.")
@click.option("--set", "sets", multiple=True, metavar="[FORMAT.]OPTION=VALUE", help="Option of the exporters (repeatable).")
@click.option("--overwrite", "--force", "overwrite", is_flag=True, help="Replace what is there.")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
def command(run: Path, names: str, out: Path | None, person: str, sets: tuple[str, ...], overwrite: bool, extra: tuple[str, ...],
            **preparation):
    """Write motions or 2D tracks in the files of other programs.

    RUN is a run folder, a tracks.npz or a motion file.

    Motions become one file a person and format; 2D tracks become one file, or one folder, for all of them. Prints what was written.
    """
    from mrs import plugins
    from mrs.errors import UsageError

    registry = plugins.load(extra)
    stage, wanted = _stage_of(names, registry)
    exporters = [registry.make(stage, name, values) for name, values in _values(sets, stage, wanted, registry).items()]
    if stage == "track_exporter":
        asked = [f"--{name}" for name, value in preparation.items() if value]
        if asked:
            raise UsageError(f"Expected {', '.join(asked)} only with exporters of motions, but '{wanted[0]}' writes 2D tracks.")
        written = _tracks(run, exporters[0], out, person, overwrite)
    else:
        written = _motions(run, exporters, out, person, overwrite, registry, preparation)
    for path, notes in written:
        for note in notes if isinstance(notes, tuple | list) else ():
            click.echo(f"Note: {path}: {note}", err=True)
        click.echo(path)


def _stage_of(names: str, registry) -> tuple[str, list[str]]:
    """Split FORMAT[,FORMAT] and say which stage they belong to; refuse what is unknown or mixed."""
    from mrs import options
    from mrs.errors import UsageError

    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip())) or [""]
    stages = []
    for name in wanted:
        stage = next((s for s in ("exporter", "track_exporter") if (s, name) in registry.entries), None)
        if stage is None:
            known = [*registry.names("exporter"), *registry.names("track_exporter")]
            raise UsageError(options.unknown(f"exporter '{name}'", name, known))
        stages.append(stage)
    if "track_exporter" in stages and len(wanted) > 1:
        raise UsageError(f"Expected one format of 2D tracks, or formats of motions, but got '{names}'. Type mrs export once for each.")
    return stages[0], wanted


def _values(sets: tuple[str, ...], stage: str, names: list[str], registry) -> dict[str, dict[str, str]]:
    """Split OPTION=VALUE by exporter. FORMAT.OPTION goes to one; OPTION, or exporter.OPTION as `mrs run` has it, to all that know it."""
    from mrs import options
    from mrs.errors import UsageError

    known = {name: {info.name for info in options.describe(registry.get(stage, name).cls)} for name in names}
    values: dict[str, dict[str, str]] = {name: {} for name in names}
    for text in sets:
        key, equals, value = text.partition("=")
        key = key.strip().removeprefix(f"{stage}.").removeprefix("exporter.")
        if not equals or not key:
            raise UsageError(f"Expected --set OPTION=VALUE, but got '{text}'. Type: mrs plugins show {names[0]}")
        name, dot, option = key.rpartition(".")
        takers = [name] if dot and name in known else [n for n in names if key in known[n]] or names[:1]
        for taker in takers:
            values[taker][option if dot and name in known else key] = value
    return values


def _tracks(run: Path, exporter, out: Path | None, person: str, overwrite: bool):
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


def _motions(run: Path, exporters, out: Path | None, person: str, overwrite: bool, registry, preparation: dict):
    """Write one file a person and format; `out` names the file of one, or the folder for several."""
    from mrs.errors import UsageError
    from mrs.formats.prepare import prepare
    from mrs.reading import read_motion

    files = motion_files(run, person)
    jobs = [(path, exporter, _target(path, number, exporter, out, len(exporters) > 1, len(files) * len(exporters) > 1))
            for number, path in files for exporter in exporters]
    for path, exporter, target in jobs:
        if target.resolve() == path.resolve():
            raise UsageError(f"Expected an output path other than the input, but got {target} for both. Type another -o.")
        if _suffix(exporter) == ".bvh" and target.suffix.lower() != ".bvh":
            raise UsageError(f"Expected -o that ends in .bvh for '{exporter.name}', but got {target}.")
        refuse_existing(target, overwrite)
    written, read = [], {}
    for path, exporter, target in jobs:
        if path not in read:
            read = {path: prepare(read_motion(path, registry), **preparation)}
        motion, notes = read[path]
        read[path] = motion, ()
        with _naming(target, written, len(jobs)), replacing(target, overwrite, folder=not _suffix(exporter)) as temporary:
            more = exporter.write(motion, temporary)
        written.append((target, (*notes, *(more if isinstance(more, tuple | list) else ()))))
    return written


@contextmanager
def _naming(target: Path, written: list[tuple], jobs: int):
    """Say of which of several files an exporter complains, and which were written before."""
    from mrs.errors import InputError

    try:
        yield
    except InputError as error:
        if jobs == 1:
            raise
        before = ", ".join(str(path) for path, _ in written) or "nothing"
        raise InputError(f"{target.name}: {error} Written before it: {before}.") from None


def _suffix(exporter) -> str:
    return getattr(exporter, "suffix", f".{exporter.name}")


def _target(path: Path, number: int | None, exporter, out: Path | None, many_formats: bool, many: bool) -> Path:
    """Where one person's motion in one format goes: 01.bvh, 01_phc.pkl among several formats, or what -o names."""
    suffix = _suffix(exporter)
    mark = f"_{exporter.name}" if many_formats else ""
    if out is None:
        own = path.suffix == suffix and not mark
        return path.with_name(f"{path.stem}{mark}{f'_{exporter.name}' if own else ''}{suffix}")
    if many or out.is_dir():
        return out / (f"{'motion' if number is None else f'{number:02d}'}{mark}{suffix}")
    return out if out.suffix else out.with_name(out.name + suffix)


def motion_files(run: Path, person: str) -> list[tuple[int | None, Path]]:
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
