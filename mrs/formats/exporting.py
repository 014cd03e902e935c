"""What exporters share: a checked motion in the world, and files that are whole or not there."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mrs import npz
from mrs.errors import InputError, MrsError, UsageError
from mrs.formats.bvh_motion import ROUNDING_S, UNEVEN
from mrs.formats.carry import asked_for, came_from
from mrs.formats.prepare import resampled
from mrs.motion import Motion
from mrs.world import to_world


def ready(motion: Motion, path: Path | str, *, frames: int = 1) -> Motion:
    """Check a motion, put it into the world, and refuse one that is too short or was read from `path`."""
    motion.validate()
    if len(motion) < frames:
        raise InputError(f"Expected a motion of at least {frames} frames for this format, but this one has {len(motion)}.")
    for step in motion.history:
        source = step.get("path")
        if source and Path(path).resolve() == Path(source).resolve():
            raise UsageError(f"Expected an output path other than the input, but got {path} for both. Type another -o.")
    return to_world(motion)


def evenly(motion: Motion, what: str) -> tuple[Motion, float, tuple[str, ...]]:
    """Return a motion at one frame rate, the rate in Hz, and a note where uneven times had to be resampled to their mean rate.

    Even are also times that a container has rounded to milliseconds.
    """
    steps, fps = np.diff(motion.times_s), motion.fps
    fps = float(round(fps)) if abs(fps - round(fps)) < 1e-6 else fps
    even = np.linspace(motion.times_s[0], motion.times_s[-1], len(motion))
    if np.abs(steps - steps.mean()).max() <= UNEVEN * steps.mean() or np.abs(motion.times_s - even).max() <= ROUNDING_S:
        return motion, fps, ()
    note = (f"Frame intervals vary from {steps.min() * 1e3:.2f} to {steps.max() * 1e3:.2f} ms; {what} has one frame rate, so the "
            f"motion was resampled to its mean rate of {fps:.4f} Hz.")
    return resampled(motion, fps), fps, (note,)


def resolve(choice: str, motion: Motion, importers: tuple[str, ...], *, same, otherwise):
    """Settle an option that may be "auto": `same` for what one of the importers read, `otherwise` for anything else."""
    return choice if choice != "auto" else same if came_from(motion, *importers) else otherwise


def read_by(motion: Motion, importer: str) -> str:
    """How the limbs of a file were carried over when an importer read it."""
    return next((step.get("limbs", "rotations") for step in motion.history
                 if step.get("stage") == "importer" and step.get("plugin") == importer), "directions")


def settled(options, motion: Motion, importer: str) -> dict:
    """Settle the options limbs, forward and ground of exporters for characters: a file of the same format comes back as it was.

    What `mrs export` was told, --heading zero and --ground, wins over what "auto" would be.
    """
    forward = "x" if asked_for(motion, "heading") else "auto"
    ground = "yes" if asked_for(motion, "ground") else "auto"
    chosen = {"limbs": options.limbs, "forward": getattr(options, "forward", "auto"), "ground": options.ground}
    chosen |= {name: value for name, value in (("forward", forward), ("ground", ground)) if chosen[name] == "auto"}
    return {"limbs": resolve(chosen["limbs"], motion, (importer,), same=read_by(motion, importer), otherwise="directions"),
            "forward": resolve(chosen["forward"], motion, (importer,), same="same", otherwise="x"),
            "ground": resolve(chosen["ground"], motion, (importer,), same="no", otherwise="yes") == "yes"}


@contextmanager
def whole(path: Path | str):
    """Yield a temporary path that takes the place of `path` when all went well; a failure of the system is said in a line."""
    path = Path(path)
    try:
        with npz.atomic_path(path) as temporary:
            yield temporary
    except FileNotFoundError:
        raise UsageError(f"Expected a folder at {path.parent}, but there is none. Type: mkdir -p {path.parent}") from None
    except OSError as error:
        raise MrsError(f"Expected to write {path}, but the system says: {error.strerror}.") from None


def write_text(path: Path | str, text: str) -> None:
    """Write a text file, whole or not at all, with \\n at line ends on every system."""
    with whole(path) as temporary:
        temporary.write_bytes(text.encode())


def stem(path: Path | str, motion: Motion) -> str:
    """A name for what is inside a file: the motion's source, else the file's own name without the marks of a temporary one."""
    for step in reversed(motion.history):
        if step.get("path"):
            return Path(step["path"]).stem
    return Path(path).stem.lstrip(".").split(".")[0] or "motion"
