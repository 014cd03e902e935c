"""`mrs eval`: measure results against the truth."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from mrs.cli import appearance


@click.group("eval")
def command():
    """Measure motions, or who is who, against the ground truth, and models of behaviour on held-out data."""


@command.command("motion")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PRED... TRUTH")
@click.option("--frame", default="auto", show_default=True, type=click.Choice(["auto", "camera", "heading", "world"]),
              help="Axes for poses, root orientation and acceleration: each motion's camera, worlds after one turn about "
                   "the vertical, or worlds as they are. auto: camera where all have one, else heading.")
@click.option("--from-start", is_flag=True, help="Count each file's time from its own first frame.")
@click.option("--explain", is_flag=True, help="Say what each measure is.")
@click.option("--plugin", "extra", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def motion(files: tuple[Path, ...], frame: str, from_start: bool, explain: bool, extra: tuple[str, ...], as_json: bool):
    """Compare one or more motions with the ground truth, which is the last file.

    Reads motion.npz, lifted.npz, BVH, DeepMimic (.txt, .json), what importer plugins read, or the folder of a run with
    one person. All are measured at the truth's frames within the interval they share; others are resampled.
    """
    from mrs import plugins
    from mrs.errors import UsageError
    from mrs.metrics.compare import compare
    from mrs.reading import read_motion

    if len(files) < 2:
        raise UsageError("Expected one or more predictions and then the ground truth, but got one file. "
                         "Type: mrs eval motion PRED... TRUTH")
    registry = plugins.load(extra)
    motions = [read_motion(path, registry) for path in files]
    if from_start:
        motions = [replace(m, times_s=m.times_s - m.times_s[0]) for m in motions]
    found = compare(motions[:-1], motions[-1], frame)
    click.echo(json.dumps(_facts(files, motions, found), indent=1) if as_json
               else _text(files, motions, found, explain))


@command.command("tracks")
@click.argument("pred", type=click.Path(path_type=Path))
@click.argument("truth", type=click.Path(path_type=Path))
@click.option("--min-iou", type=click.FloatRange(0, 1, min_open=True), default=0.5, show_default=True,
              help="Least overlap of boxes of the same person.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tracks(pred: Path, truth: Path, min_iou: float, as_json: bool):
    """Compare who is who in PRED with the TRUTH: MOTA, IDF1, identity switches.

    Both are run folders, tracks.npz or MOT text (frame from 1, id, x, y, w, h).
    """
    from mrs.metrics import mot

    found = mot.compare(_boxes(pred), _boxes(truth), min_iou)
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for name, (title, unit, text) in mot.MEASURES.items():
        value = "-" if found[name] is None else f"{found[name]:.2f}" if unit else str(found[name])
        click.echo(f"{title:<17}{value:>9} {unit:<2} {text}".rstrip())


def _boxes(path: Path):
    """Read boxes over time from whatever holds them."""
    from mrs.errors import InputError
    from mrs.formats.pose2d import mot as text
    from mrs.formats.pose2d import read_bytes
    from mrs.metrics.mot import Boxes
    from mrs.tracks import Tracks

    path = path / "tracks.npz" if path.is_dir() else path
    if path.suffix == ".npz":
        if not path.is_file():
            raise InputError(f"Expected a run folder, a tracks.npz or MOT text, but there is no {path}.")
        return Boxes.of(Tracks.load(path))
    poses = text.read(read_bytes(path, "MOT text"), str(path))
    for note in poses.notes:
        click.echo(f"{path}: {note}", err=True)
    known = poses.ids >= 0
    numbers = [int(label) - (poses.first or 0) for label in poses.labels]
    return Boxes(_at(numbers, poses.frame)[known], poses.ids[known], poses.boxes[known])


def _at(numbers: list[int], rows):
    import numpy as np

    return np.array(numbers, int)[rows]


def _facts(files, motions, found) -> dict:
    """Return everything as JSON-able values."""
    from mrs.metrics.compare import MEASURES

    return {
        "frame": found.frame, "frames": len(found.times_s),
        "interval_s": [float(found.times_s[0]), float(found.times_s[-1])],
        "units": {name: unit for name, (_, unit, _) in MEASURES.items()},
        "ground_truth": {**_file_facts(files[-1], motions[-1], found), "measures": found.truth},
        "predictions": [{**_file_facts(path, m, found), "measures": measures}
                        for path, m, measures in zip(files, motions, found.predictions, strict=False)],
    }


def _file_facts(path: Path, motion, found) -> dict:
    from mrs.metrics.compare import has_times

    return {"path": str(path), "frames": len(motion), "fps": motion.fps, "frame": motion.frame,
            "first_s": float(motion.times_s[0]), "last_s": float(motion.times_s[-1]),
            "resampled": not has_times(motion, found.times_s)}


def _text(files, motions, found, explain: bool) -> str:
    """Lay out the measures as a table under a few lines on what was compared."""
    from mrs.metrics.compare import MEASURES

    names = [*labels([str(path) for path in files[:-1]]), "truth"]
    lines = [f"{name}: {_described(_file_facts(path, m, found))}" for name, path, m in zip(names, files, motions, strict=True)]
    start_s, end_s = found.times_s[[0, -1]]
    lines += [f"compared at {len(found.times_s)} frames of the truth, {start_s:.3f} to {end_s:.3f} s", _AXES[found.frame], ""]
    columns = [*found.predictions, found.truth]
    rows = [["", "unit", *names]]
    rows += [[title, unit, *(_shown(column[name]) for column in columns)] for name, (title, unit, _) in MEASURES.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    if explain:
        lines += ["", *(f"{title}: {text} ({unit})" for title, unit, text in MEASURES.values())]
    return "\n".join(lines)


_AXES = {"camera": "poses compared in each motion's own camera",
         "heading": "poses compared after one turn of the world about the vertical", "world": "poses compared in the world"}


def _described(facts: dict) -> str:
    rate = f"{facts['fps']:.6g} fps" if facts["frames"] > 1 else "one frame"
    notes = [", resampled"] if facts["resampled"] else []
    notes += [", moved from its camera's frame onto the ground"] if facts["frame"] == "camera" else []
    return f"{facts['path']}, {facts['frames']} frames, {rate}, {facts['first_s']:.3f} to {facts['last_s']:.3f} s{''.join(notes)}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def labels(paths: list[str]) -> list[str]:
    """Shorten paths to the parts in which they differ; a single path to its name."""
    parts = [Path(p).parts for p in paths]
    if len(set(parts)) < 2:
        return [p[-1] for p in parts]
    head = tail = 0
    shortest = min(map(len, parts))
    while head < shortest - 1 and len({p[head] for p in parts}) == 1:
        head += 1
    while tail < shortest - 1 - head and len({p[-1 - tail] for p in parts}) == 1:
        tail += 1
    return ["/".join(p[head: len(p) - tail]) for p in parts]


@command.command("bds")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--data", "corpora", multiple=True, type=click.Path(path_type=Path), metavar="CORPUS", help="Corpus made by mrs data (repeatable).")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1), help="How many seeds, from 0 on.")
@click.option("--pairs", default=40, show_default=True, type=click.IntRange(2), help="Pairs of every held-out label and seed.")
@click.option("--beside", multiple=True, type=click.Path(path_type=Path), metavar="RUN", help="Another training, of any model, to set beside it (repeatable).")
@click.option("--quick", is_flag=True, help="Classifiers, probes and draws of a tenth of the length: to see that it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bds(run: Path | None, corpora: tuple[Path, ...], seeds: int, pairs: int, beside: tuple[Path, ...], quick: bool, as_json: bool):
    """Measure behaviour transfer: RUN's weights, or those that ship with mrs, on the held-out clips of --data.

    Prints tables of transfer, plausibility, leakage, prediction and likelihood, with copies and real motion beside the
    model, and what had to be reached.
    """
    import tempfile

    from mrs.errors import UsageError
    from mrs.synth import corpus, evaluate, tables, weights, windows

    if not corpora:
        raise UsageError("Expected --data CORPUS, but there is none. Make one: mrs data bvh FOLDER -o CORPUS")
    loaded = weights.load(run)
    others = [evaluate.of_file(path) for path in beside]
    with tempfile.TemporaryDirectory() as cache:
        data = windows.build([corpus.load(path) for path in corpora], Path(cache))
        found = evaluate.evaluate(data, loaded, others, seeds=range(seeds), per_label=pairs, quick=quick,
                                  tell=lambda text: click.echo(text, err=True))
    rows = tables.verdicts(found)
    if as_json:
        click.echo(json.dumps({**found, "reached": [{"what": a, "reached": bool(b), "measured": c} for a, b, c in rows]}, indent=1))
        return
    click.echo(tables.text(found))
    click.echo("\n".join(f"- {'reached' if ok else 'MISSED'}: {what} ({numbers})" for what, ok, numbers in rows))


@command.command("lifter")
@click.option("--data", "corpora", multiple=True, type=click.Path(path_type=Path), metavar="CORPUS", help="Corpus made by mrs data (repeatable).")
@click.option("--rendered", is_flag=True, help="Render the clips and look at them with the real detector, instead of making its errors up.")
@click.option("--model", default="full", show_default=True, type=click.Choice(["full", "heavy"]), help="The detector's network, with --rendered.")
@click.option("--each", default=1, show_default=True, type=click.IntRange(1), help="Clips of every action.")
@click.option("--seeds", default=2, show_default=True, type=click.IntRange(1), help="Cameras and errors for each clip.")
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.5), help="Use at most this much of each clip.")
@click.option("--lifter", "names", multiple=True, metavar="NAME", help="Measure this one (repeatable).  [default: all]")
@click.option("--space", "spaces", multiple=True, type=click.Choice(["pose", "latent", "none"]), help="Refine in this space, or not at all (repeatable).  [default: pose, latent]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every clip.")
def lifter(corpora, rendered: bool, model: str, each: int, seeds: int, seconds: float, names, spaces, as_json: bool):
    """Measure lifters on the held-out clips of --data, as lifted and after sfv.

    Held out are clips whose names begin as HELD_OUT of mrs/lifting/corpus.py says; no weights that ship with mrs were trained on them.
    """
    from mrs.errors import UsageError
    from mrs.lifting import evaluate

    if not corpora:
        raise UsageError("Expected --data CORPUS, but there is none. Make one: mrs data any FOLDER -o CORPUS")
    unknown = [name for name in names if name not in evaluate.LIFTERS]
    if unknown:
        raise UsageError(f"Expected lifters out of {'; '.join(evaluate.LIFTERS)}, but got '{unknown[0]}'.")
    chosen = {name: evaluate.LIFTERS[name] for name in names or evaluate.LIFTERS}
    found = evaluate.evaluate(corpora, each=each, seeds=seeds, seconds=seconds, through_detector=rendered, model=model, lifters=chosen,
                              spaces=tuple(s for s in spaces or ("pose", "latent") if s != "none"), tell=lambda line: click.echo(line, err=True))
    click.echo(json.dumps(found, indent=1) if as_json else evaluate.text(found))


command.add_command(appearance.evaluate)
