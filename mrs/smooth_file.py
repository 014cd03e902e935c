"""Smooth a motion from anywhere, without a video: what has no evidence drops out of the smoother's objective."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrs import evidence, world
from mrs.config import Settings
from mrs.errors import PluginError, UsageError
from mrs.motion import Motion
from mrs.npz import atomic_path
from mrs.pipeline import check_motion
from mrs.plan import Plan, Step, seed_everything
from mrs.plugins import Registry
from mrs.progress import Silent
from mrs.reading import read_motion, suffixes
from mrs.runfolder import sha256_of

NPZ = ".npz"


@dataclass(frozen=True)
class Output:
    """One file to write: by an exporter, or motion.npz itself where `step` is None."""

    path: Path
    step: Step | None


def is_motion(path: Path, registry: Registry) -> bool:
    """Tell whether a path names a motion rather than a video, by its ending; a folder is not a video either."""
    return path.suffix.lower() in suffixes(registry) or path.is_dir()


def smooth_file(settings: Settings, registry: Registry, shown: Silent | None = None) -> dict[str, Any]:
    """Smooth the motion at ``settings.video`` and write it; return the report.

    ``settings.out`` is the file to write, or None for NAME_smooth.npz and NAME_smooth.bvh (and what --export names) here.
    """
    source = Path(settings.video)
    plan = Plan.of_smoother(settings, registry)
    outputs = _outputs(source, settings, plan)
    _refuse_existing(source, outputs, settings.overwrite)
    given = read_motion(source, registry)
    standing = given if given.frame == "world" else world.to_world(given)
    smooth = _smoothed(plan.steps["smoother"], standing, settings.values.seed, shown or Silent())
    if given.frame != "world":
        smooth = world.settle([smooth])[0]
    notes = [note for output in outputs for note in _write(output, smooth)]
    told = [step for step in smooth.history[len(given.history):] if step.get("stage") not in ("smoother", "world")]
    return {"kind": "smooth", "status": "done", "input": _facts(source, given), "smoother": plan.steps["smoother"].facts,
            "device": plan.device, "seed": settings.values.seed, "report": told, "quality": _quality(standing, smooth),
            "outputs": [str(output.path) for output in outputs], "warnings": [*evidence.doubts(None, smooth), *evidence.told_by(smooth), *notes]}


def _smoothed(step: Step, motion: Motion, seed: int, shown: Silent) -> Motion:
    seed_everything(step, seed)
    with shown.step("smoother", len(motion), "steps") as update:
        step.plugin.progress = update
        smooth = step.plugin.smooth(None, None, motion)
    if not isinstance(smooth, Motion):
        raise PluginError(f"Expected {step.label} to return Motion, but it returned {type(smooth).__name__}.")
    check_motion(smooth, motion, step)
    return smooth.with_history(stage="smoother", **step.facts, seed=seed)


def _outputs(source: Path, settings: Settings, plan: Plan) -> list[Output]:
    """Say which files are to be written, and by whom."""
    endings = {getattr(step.plugin, "suffix", f".{step.facts['name']}"): step for step in plan.exporters}
    if settings.out is None:
        base = f"{source.resolve().stem}_smooth"
        return [Output(Path(base + NPZ), None), *(Output(Path(base + ending), step) for ending, step in endings.items())]
    out = Path(settings.out)
    if out.suffix.lower() == NPZ:
        return [Output(out, None)]
    if out.suffix.lower() in endings:
        return [Output(out, endings[out.suffix.lower()])]
    raise UsageError(f"Expected -o to end in {', '.join(sorted({NPZ, *endings}))}, but got {out}.")


def _refuse_existing(source: Path, outputs: list[Output], overwrite: bool) -> None:
    for output in outputs:
        if output.path.exists() and source.exists() and output.path.resolve() == source.resolve():
            raise UsageError(f"Expected an output path other than the input, but got {source} for both. Type another -o.")
        if output.path.exists() and not overwrite:
            raise UsageError(f"{output.path} is there already. Choose another file with -o, or type --overwrite to replace it.")
        if not output.path.parent.is_dir():
            raise UsageError(f"Expected a folder to write to, but {output.path.parent} is none. Choose another -o.")


def _write(output: Output, motion: Motion) -> list[str]:
    if output.step is None:
        motion.save(output.path)
        return []
    with atomic_path(output.path) as temporary:
        notes = output.step.plugin.write(motion, temporary)
    return [f"{output.path}: {note}" for note in notes] if isinstance(notes, (tuple, list)) else []


def _facts(path: Path, motion: Motion) -> dict[str, Any]:
    return {"path": str(path.resolve()), "sha256": sha256_of(path) if path.is_file() else None, "frames": len(motion),
            "fps": motion.fps, "frame": motion.frame}


def _quality(before: Motion, after: Motion) -> dict[str, dict[str, float]]:
    """Measure before and after, feet by the contacts after."""
    from mrs.metrics import own_quality

    return {"given": own_quality(before, after.contacts), "smoothed": own_quality(after, after.contacts)}
