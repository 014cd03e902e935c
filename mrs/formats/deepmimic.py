"""DeepMimic motion files: 44 numbers a frame, Y up, quaternions w x y z, a character that faces +X.

A frame is its duration in seconds (0 in the last) and a pose of :mod:`mrs.formats.humanoid`. On loading, DeepMimic subtracts the
first frame's root x and z and takes velocities from differences of frames; with `Loop` "wrap" it goes on at the first frame after
the last, which is the same pose.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats import humanoid_pose
from mrs.formats.carry import loop_of
from mrs.formats.humanoid import FROM_SMPL as BODY_AXES
from mrs.formats.humanoid import LEG_M
from mrs.motion import Motion

NUMBERS = 44


def frames_of(motion: Motion, *, limbs: str = "directions", forward: str = "x", ground: bool = True) -> tuple[np.ndarray, tuple[str, ...]]:
    """Frames (T, 44) of a world motion, and notes.

    `limbs` as in :mod:`mrs.formats.humanoid_pose`; `forward` "x" turns the world so that our +Z is DeepMimic's +X, "same" leaves it;
    `ground` raises frames in which a link would be below the floor.
    """
    poses, notes = humanoid_pose.to_poses(motion, limbs=limbs), ()
    if forward == "x":
        poses = humanoid_pose.turned(poses, BODY_AXES)
    if ground:
        poses, most_m = humanoid_pose.above_floor(poses, motion.times_s, cyclic=loop_of(motion) == "wrap")
        notes = (f"Raised by up to {most_m * 100:.1f} cm where a link was below the floor.",) if most_m > 0.005 else ()
    return np.column_stack([np.r_[np.diff(motion.times_s), 0.0], poses]), notes


def dumps(frames: np.ndarray, loop: str) -> str:
    """Return the text of a file: one frame a line; `loop` is "wrap" or "clamp"."""
    if not np.isfinite(frames).all():
        raise InputError("Expected finite numbers to write for DeepMimic, but got NaN or infinity.")
    lines = ",\n".join("[" + ", ".join(f"{value:.9g}" for value in row) + "]" for row in (np.round(frames, 9) + 0.0).tolist())
    return f'{{\n"Loop": "{"wrap" if loop == "wrap" else "none"}",\n"Frames":\n[\n{lines}\n]\n}}\n'


def read(path: Path | str, *, limbs: str = "rotations") -> Motion:
    """Read a DeepMimic JSON file onto the mean body; size is taken over by the ratio of leg lengths.

    "rotations": every turn from the rest pose is the file's, and the pelvis is where the file's root is. "directions": limbs point
    where the file's humanoid has them although its legs hang straight at rest and the body's stand apart, the middle of the hips is at
    the file's root, and the soles come as low as the humanoid's.
    Durations are per frame, so times may be uneven; a file that wraps is remembered as a cycle. Raises InputError for anything else.
    """
    try:
        document = json.loads(Path(path).read_text())
        frames = np.array(document["Frames"], float)
    except (OSError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise InputError(f"Expected a DeepMimic motion at {path}, but it can't be read: {error}.") from None
    if frames.ndim != 2 or frames.shape[1] != NUMBERS or len(frames) < 1:
        raise InputError(f"Expected frames of {NUMBERS} numbers in {path}, but got shape {frames.shape}.")
    if not np.isfinite(frames).all():
        raise InputError(f"Expected finite numbers in {path}, but got NaN or infinity.")
    durations = np.where(frames[:, 0] > 0, frames[:, 0], 1 / 60)
    times = np.r_[0, np.cumsum(durations[:-1])]
    body = load_body()
    rest = body.rest_joints(np.zeros(10))
    scale = np.linalg.norm(rest[4] - rest[1]) + np.linalg.norm(rest[7] - rest[4])
    quats = rotations.align_hemispheres(rotations.matrix_to_quat(_local(frames)))
    motion = body.motion(times, frames[:, 1:4] * scale / LEG_M, quats, np.zeros(10))
    more = {"loop": "wrap"} if document.get("Loop") == "wrap" else {}
    if limbs == "directions":
        motion = humanoid_pose.pointed(motion, frames[:, 1:], scale / LEG_M)
        more["legs"] = humanoid_pose.legs_of(motion, frames[:, 1:], scale / LEG_M).note()
    return motion.with_history(stage="importer", plugin="deepmimic", path=str(Path(path).resolve()), limbs=limbs, **more)


def _local(frames: np.ndarray) -> np.ndarray:
    """SMPL local rotations (T, 24, 3, 3); the inverse of R_dm = B R B^T with hanging arms at rest."""
    def ball(start):
        return rotations.quat_to_matrix(frames[:, start : start + 4])

    def hinge(column):
        return rotations.axis_angle_to_matrix(frames[:, column, None] * np.array([0.0, 0, 1]))

    def to_smpl(matrix):
        return BODY_AXES.T @ matrix @ BODY_AXES

    local = np.tile(np.eye(3), (len(frames), 24, 1, 1))
    local[:, 0] = ball(4) @ BODY_AXES
    third = rotations.quat_to_axis_angle(rotations.matrix_to_quat(to_smpl(ball(8)))) / 3
    local[:, 3] = local[:, 6] = local[:, 9] = rotations.axis_angle_to_matrix(third)
    local[:, 12] = to_smpl(ball(12))
    local[:, 2], local[:, 5], local[:, 8] = to_smpl(ball(16)), to_smpl(hinge(20)), to_smpl(ball(21))
    local[:, 1], local[:, 4], local[:, 7] = to_smpl(ball(30)), to_smpl(hinge(34)), to_smpl(ball(35))
    for shoulder, elbow, start, column, sign in ((17, 19, 25, 29, 1), (16, 18, 39, 43, -1)):
        raised = rotations.axis_angle_to_matrix(np.array([sign * np.pi / 2, 0, 0]))
        local[:, shoulder] = to_smpl(ball(start) @ raised)
        local[:, elbow] = to_smpl(raised.T @ hinge(column) @ raised)
    return local
