"""`mrs transfer`, `sample`, `interpolate` and `nearest`: behaviour taken from one motion and carried on by another body."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mrs.cli.completion import plugin_names

PATH = click.Path(path_type=Path)


def _shared(command):
    """Options that all four share."""
    for flag in (
        click.option("--plugin", "plugins", multiple=True, metavar="FILE_OR_MODULE", help="Load this plugin too (repeatable)."),
        click.option("--weights", type=PATH, help="Folder of a training, or weights.npz. [default: what ships with mrs]"),
    ):
        command = flag(command)
    return command


def _results(command):
    """Options of those that write motions."""
    for flag in (
        click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON."),
        click.option("--feet/--no-feet", default=True, show_default=True, help="Pin feet that stand."),
        click.option("--moving/--still", default=True, show_default=True, help="Begin with the start's own velocity, or from a stand."),
        click.option("--at", "at_s", type=float, help="Begin with the start's posture at this second of it. [default: its first]"),
        click.option("--video", is_flag=True, help="Write a side-by-side video too."),
    ):
        command = flag(command)
    return command


def _registry(plugins):
    from mrs import plugins as manager

    return manager.load(plugins)


def _start(target: str, registry, at_s: float | None, moving: bool):
    """Start from the word ``standing``, which is one posture, or from a motion's."""
    from mrs.errors import UsageError
    from mrs.reading import read_motion
    from mrs.synth import transfer

    if target == "standing":
        if at_s is not None:
            raise UsageError(f"Expected a motion to begin from with --at {at_s:g}, but got standing, which is one posture. Leave --at away.")
        return transfer.start_of(transfer.standing(), where="standing")
    return transfer.start_of(read_motion(target, registry), at_s, moving, target)


def _write(motions: dict[str, Any], out: Path, registry, history: dict) -> list[str]:
    """Write each motion as npz and bvh into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    exporter, written = registry.make("exporter", "bvh"), []
    from mrs.npz import atomic_path

    for name, motion in motions.items():
        motion = motion.with_history(stage="synthesizer", **history)
        motion.save(out / f"{name}.npz")
        with atomic_path(out / f"{name}.bvh") as temporary:
            exporter.write(motion, temporary)
        written += [str(out / f"{name}.npz"), str(out / f"{name}.bvh")]
    return written


def _film(out: Path, panels, columns: int | None = None) -> str:
    from mrs.report import beside

    path = out / "side_by_side.mp4"
    beside.write(path, panels, columns)
    return str(path)


def _still(start):
    """The start as a motion of one frame, to show."""
    import numpy as np

    from mrs.synth import transfer

    return transfer.finished(np.array([start.frame]), start, feet=False)


def _told(written: list[str], as_json: bool) -> None:
    click.echo(json.dumps({"outputs": written}, indent=1) if as_json else "\n".join(written))


@click.command("transfer")
@click.argument("source", type=PATH)
@click.argument("target", type=str)
@click.option("-o", "--out", type=PATH, required=True, help="Folder to write to.")
@click.option("--synth", default="bds", show_default=True, help="Synthesizer plugin: bds, or a copy to compare with.",
              shell_complete=plugin_names("synthesizer"))
@_results
@_shared
def transfer(source, target, out, synth, video, at_s, moving, feet, as_json, weights, plugins):
    """Re-enact SOURCE's behaviour from TARGET's posture, with TARGET's body.

    Both are motions of any kind (run folder, npz, BVH, DeepMimic); TARGET may be the word standing. Writes transfer.npz
    and transfer.bvh into OUT at SOURCE's times.
    """
    from mrs.reading import read_motion
    from mrs.synth import transfer as carry
    from mrs.synth import weights as stored

    registry = _registry(plugins)
    motion, start = read_motion(source, registry), _start(target, registry, at_s, moving)
    entry = registry.get("synthesizer", synth)
    if synth == "bds":
        result = carry.transfer(stored.load(weights).model, motion, start, feet)
    elif synth == "displacement-copy":
        result = carry.copy_displacement(motion, start)
    elif synth == "inertialised-copy":
        result = carry.copy_inertialised(motion, start, feet=feet)
    else:
        result = registry.make("synthesizer", entry.name).transfer(motion, _still(start))
    history = {"plugin": synth, "source": str(source), "target": target, "at_s": at_s, "weights": str(weights or "shipped")}
    written = _write({"transfer": result}, out, registry, history)
    if video:
        written.append(_film(out, [("source", motion_on_ground(motion)), ("target start", _still(start)), (synth, result)]))
    _told(written, as_json)


def motion_on_ground(motion):
    """The motion as it is re-enacted: in the world, on its ground."""
    from mrs.synth.features import prepared

    return prepared(motion)


@click.command("sample")
@click.argument("start", type=str)
@click.option("-o", "--out", type=PATH, required=True, help="Folder to write to.")
@click.option("-n", "--count", default=50, show_default=True, type=click.IntRange(1, 10000), help="How many futures.")
@click.option("--seconds", default=2.0, show_default=True, type=click.FloatRange(0.1, 60), help="How long each lasts.")
@click.option("--seed", default=0, show_default=True, type=int, help="Seed of the draws.")
@_results
@_shared
def sample(start, out, count, seconds, seed, video, at_s, moving, feet, as_json, weights, plugins):
    """Draw futures of START from the flow: sample_001.npz, .bvh and so on.

    START is a motion (its posture and velocity at --at SECONDS), or the word standing.
    """
    from mrs.synth import sample as futures
    from mrs.synth import weights as stored

    registry = _registry(plugins)
    loaded, begin = stored.load(weights), _start(start, registry, at_s, moving)
    motions = futures.sample(loaded, begin, count, seconds, seed, feet)
    history = {"plugin": "bds", "start": start, "at_s": at_s, "seed": seed, "weights": str(weights or "shipped")}
    written = _write({f"sample_{n:03d}": m for n, m in enumerate(motions, 1)}, out, registry, history)
    if video:
        shown = motions[:7]
        written.append(_film(out, [("start", _still(begin)), *((f"future {n}", m) for n, m in enumerate(shown, 1))],
                             min(4, len(shown) + 1)))
    _told(written, as_json)


@click.command("interpolate")
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@click.option("-o", "--out", type=PATH, required=True, help="Folder to write to.")
@click.option("--steps", default=6, show_default=True, type=click.IntRange(2, 100), help="Behaviours, both ends included.")
@click.option("--target", default=None, help="Motion that begins, or the word standing. [default: A]")
@_results
@_shared
def interpolate(a, b, out, steps, target, video, at_s, moving, feet, as_json, weights, plugins):
    """Go from A's behaviour to B's in even steps of the code: step_1.npz, .bvh and so on."""
    from mrs.reading import read_motion
    from mrs.synth import sample as mixed
    from mrs.synth import weights as stored

    registry = _registry(plugins)
    motions = [read_motion(path, registry) for path in (a, b)]
    start = _start(target or str(a), registry, at_s, moving)
    found = mixed.interpolate(stored.load(weights).model, *motions, start, steps, feet)
    history = {"plugin": "bds", "a": str(a), "b": str(b), "weights": str(weights or "shipped")}
    written = _write({f"step_{n}": m for n, m in enumerate(found, 1)}, out, registry, history)
    if video:
        written.append(_film(out, [(f"{100 * n // (steps - 1)} % B", m) for n, m in enumerate(found)], min(steps, 6)))
    _told(written, as_json)


@click.command("nearest")
@click.argument("motion", type=PATH)
@click.argument("library", type=PATH)
@click.option("-k", "--count", default=5, show_default=True, type=click.IntRange(1), help="How many of each.")
@click.option("--at", "at_s", type=float, help="Window of MOTION that begins at this second. [default: its middle]")
@click.option("-o", "--out", type=PATH, help="Folder for nearest.json, and what --video shows. [default: print only]")
@click.option("--video", is_flag=True, help="Write a side-by-side video of the two nearest (with -o).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_shared
def nearest(motion, library, count, at_s, out, video, as_json, weights, plugins):
    """Find what is near to MOTION in LIBRARY by behaviour, and by posture.

    LIBRARY is a corpus (mrs data) or a folder of motions.
    """
    from mrs.errors import UsageError
    from mrs.reading import read_motion
    from mrs.synth import sample as search
    from mrs.synth import weights as stored

    if video and out is None:
        raise UsageError("Expected -o FOLDER with --video, but there is none.")
    registry = _registry(plugins)
    model, asked = stored.load(weights).model, read_motion(motion, registry)
    named = search.motions_of(library, lambda path: read_motion(path, registry))
    found = search.nearest(model, asked, search.library(model, named), count, at_s)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "nearest.json").write_text(json.dumps(found, indent=1))
    if video:
        by_name = dict(named)
        best = [(f"nearest {kind}", motion_on_ground(by_name[rows[0]["file"]])) for kind, rows in found.items()]
        _film(out, [("asked", motion_on_ground(asked)), *best])
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        for kind, rows in found.items():
            click.echo(f"nearest in {kind}")
            for row in rows:
                click.echo(f"  {row['distance']:.3f}  {row['file']} at {row['at_s']:.2f} s")
