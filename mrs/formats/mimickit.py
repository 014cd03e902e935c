"""MimicKit motion files: a pickle {loop_mode, fps, frames}, Z up, root and balls as rotation vectors, hinges in radians.

As MimicKit's `anim/motion.py` and `anim/kin_char_model.py` read them (commit 166a062): loop_mode 0 clamps and 1 wraps; a frame is
root position (3), root rotation vector (3), then the joints of the character's XML depth first, 3 numbers a ball and 1 a hinge. The
zero pose is a T-pose that faces +X, left at +Y. The pickle holds numbers and lists alone.
"""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.errors import InputError
from mrs.formats.humanoid import BY_NAME, COLUMNS, RAISE, WIDTH, Z_UP, local_rotations
from mrs.formats.smpl_skeleton import SmplMotion, bodies_in_sim, local_in_sim

HUMANOID_ORDER = ("chest", "neck", "right_shoulder", "right_elbow", "left_shoulder", "left_elbow", "right_hip", "right_knee",
                  "right_ankle", "left_hip", "left_knee", "left_ankle")
HUMANOID_NUMBERS, SMPL_NUMBERS = 34, 75
LOOP_MODES = {"clamp": 0, "wrap": 1}


def humanoid_frames(poses: np.ndarray) -> np.ndarray:
    """Frames (T, 34) of MimicKit's humanoid from poses (T, 43) of :mod:`mrs.formats.humanoid`.

    Hanging arms become a T-pose's, and y up becomes z up, of the body and of the world. The hinge about z of a hanging arm is one
    about z of a T-pose arm, the same way round for the right and the other way for the left; the knee's is about +y, so flexion,
    negative in DeepMimic, is positive.
    """
    if poses.shape[1] != WIDTH:
        raise InputError(f"Expected poses of {WIDTH} numbers, but got {poses.shape[1]}.")
    local = local_rotations(poses)
    columns = [poses[:, :3] @ Z_UP.T, _vector(local["root"])]
    for name in HUMANOID_ORDER:
        if BY_NAME[name].joint == "hinge":
            columns.append(poses[:, COLUMNS[name]] * (1 if name == "right_elbow" else -1))
        else:
            side, _, part = name.partition("_")
            columns.append(_vector(local[name] @ RAISE[side] if part == "shoulder" else local[name]))
    return np.concatenate(columns, 1)


def _vector(matrices: np.ndarray) -> np.ndarray:
    """Rotation vectors (T, 3) in z-up axes."""
    return rotations.matrix_to_axis_angle(Z_UP @ matrices @ Z_UP.T)


def document(frames: np.ndarray, fps: float, loop: str) -> dict:
    """What the pickle holds."""
    if not np.isfinite(frames).all():
        raise InputError("Expected finite numbers to write for MimicKit, but got NaN or infinity.")
    return {"loop_mode": LOOP_MODES[loop], "fps": float(fps), "frames": frames.tolist()}


def smpl_frames(smpl: SmplMotion) -> np.ndarray:
    """Frames (T, 75) of MimicKit's SMPL character: root position and rotation vector, 23 balls in the order of its XML."""
    placed, turned = bodies_in_sim(smpl)
    vectors = rotations.quat_to_axis_angle(local_in_sim(turned))
    return np.concatenate([placed[:, 0], vectors.reshape(len(placed), -1)], 1)
