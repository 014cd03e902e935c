"""What an export may ask of a motion before it is written: frame rate, trimming, a loop, heading, nothing below the floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError, UsageError
from mrs.formats.carry import floor_lift, loop_of
from mrs.motion import Motion
from mrs.world import _rigid, heading_rad, to_world

SEEN, SEEN_SHARE = 0.2, 0.5
MOST_FRAMES = 2_000_000
VERTEX_FRAMES = 256
EXACT, PART_OF_A_FRAME = 1e-6, 0.02


def prepare(motion: Motion, *, fps: float | None = None, loop: str | None = None, ground: bool = False, heading: str | None = None,
            trim: str | None = None) -> tuple[Motion, tuple[str, ...]]:
    """Apply what is asked for, in the order trim, frame rate, loop, heading, ground; return the world motion and notes.

    `loop` is "wrap" or "clamp", `heading` "zero", `trim` "auto"; None leaves things alone.
    """
    motion = to_world(motion)
    declared, notes = _declared(motion, fps, loop, trim)
    whole = loop_of(motion) == "wrap" and trim is None
    if trim == "auto":
        motion, note = trimmed(motion)
        notes += note
    if fps is not None:
        motion = resampled(motion, fps, slack=PART_OF_A_FRAME if whole else EXACT)
    if loop == "wrap":
        from mrs.formats.cycle import wrapped

        motion, note = wrapped(motion, whole=whole)
        notes.append(note)
    if heading == "zero":
        motion = facing_forward(motion)
    if ground:
        motion, most_m = above_floor(motion, cyclic="wrap" in (loop, declared))
        if most_m > 0.005:
            notes.append(f"Raised by up to {most_m * 100:.1f} cm where the body was below the floor.")
    asked = {name: value for name, value in (("fps", fps), ("loop", loop or declared), ("ground", ground), ("heading", heading), ("trim", trim)) if value}
    return (motion.with_history(stage="export", **asked) if asked else motion), tuple(notes)


def _declared(motion: Motion, fps: float | None, loop: str | None, trim: str | None) -> tuple[str | None, list[str]]:
    """What a motion that its file calls a cycle is once it is trimmed or at another rate, and a note where it is none any more."""
    if loop is not None or loop_of(motion) != "wrap":
        return None, []
    seconds = motion.times_s[-1] - motion.times_s[0]
    frames = seconds * (fps or 0.0)
    if trim is None and abs(frames - round(frames)) < PART_OF_A_FRAME:
        return "wrap", []
    why = "is trimmed" if trim is not None else f"is no whole number of frames at {fps:g} Hz"
    return "clamp", [f"The file's cycle of {seconds:.2f} s {why}, so that it is declared to play once. --loop wrap closes it anew."]


def resampled(motion: Motion, fps: float, *, slack: float = EXACT) -> Motion:
    """Resample to times first + k / fps within the motion: slerp for rotations, linear for the rest, joints from the body anew.

    A last frame that the motion misses by up to `slack` frames is made of the motion's end.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise UsageError(f"Expected --fps above 0, but got {fps}.")
    times = motion.times_s
    count = int(np.floor((times[-1] - times[0]) * fps + slack)) + 1
    if count > MOST_FRAMES:
        raise UsageError(f"Expected --fps to give at most {MOST_FRAMES} frames, but {fps:g} Hz gives {count}.")
    at = times[0] + np.arange(count) / fps
    held = np.minimum(at, times[-1])
    camera = motion.camera if motion.camera is None or motion.camera.is_still else None
    return load_body(motion.body).motion(
        at, _linear(motion.root_pos_m, times, held), rotations.resample(motion.local_quat_wxyz, times, held), motion.betas,
        contacts=_linear(motion.contacts, times, held), confidence=_linear(motion.confidence, times, held), frame=motion.frame,
        camera=camera, history=motion.history)


def _linear(values: np.ndarray, times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interpolate (T, n) linearly."""
    return np.stack([np.interp(at, times, column) for column in values.T], -1)


def trimmed(motion: Motion) -> tuple[Motion, list[str]]:
    """Cut frames off both ends in which fewer than half of the joints were seen; what is unseen between stays, and is said."""
    seen = (motion.confidence > SEEN).mean(1) >= SEEN_SHARE
    rows = np.flatnonzero(seen)
    if len(rows) < 2:
        raise InputError(f"Expected at least 2 frames with evidence for --trim auto, but there are {len(rows)}. Type it without --trim.")
    cut = motion.part(rows[0], rows[-1] + 1)
    notes = []
    if len(cut) < len(motion):
        notes.append(f"Cut to {cut.times_s[0]:.2f}-{cut.times_s[-1]:.2f} s: {len(motion) - len(cut)} frames without evidence.")
    if not seen[rows[0] : rows[-1] + 1].all():
        notes.append(f"{int((~seen[rows[0] : rows[-1] + 1]).sum())} frames between have no evidence and were filled in.")
    return cut, notes


def facing_forward(motion: Motion) -> Motion:
    """Turn and move the world so that the first frame stands at x = z = 0 and faces +Z."""
    turn = rotations.axis_angle_to_matrix(np.array([0.0, -heading_rad(motion), 0]))
    origin = motion.root_pos_m[0] * [1, 0, 1]
    return _rigid(motion, turn, -turn @ origin)


def lowest_m(motion: Motion) -> np.ndarray:
    """Height (T,) of the lowest vertex of the body."""
    return np.concatenate([part.min(1) for part in _heights(motion)])


def _heights(motion: Motion) -> Iterator[np.ndarray]:
    body = load_body(motion.body)
    for first in range(0, len(motion), VERTEX_FRAMES):
        yield body.vertices(motion, slice(first, first + VERTEX_FRAMES))[..., 1]


def above_floor(motion: Motion, *, cyclic: bool = False) -> tuple[Motion, float]:
    """Raise frames in which the body is below y = 0, smoothly over time; return the most that one was raised by, metres."""
    lift = floor_lift(lowest_m(motion), motion.times_s, cyclic=cyclic)
    shift = np.stack([np.zeros_like(lift), lift, np.zeros_like(lift)], -1)
    raised = replace(motion, root_pos_m=motion.root_pos_m + shift, joints_m=motion.joints_m + shift[:, None])
    return raised, float(lift.max(initial=0))
