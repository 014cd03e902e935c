"""Motion to BVH: names, channel order, unit, up axis, T-pose, and one constant frame time."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.formats import bvh, euler
from mrs.formats.bvh_names import PRESETS
from mrs.motion import Motion, mean_rate
from mrs.skeletons import SMPL_24, SMPL_PARENTS

UNITS_PER_M = {"cm": 100.0, "m": 1.0, "inch": 1 / 0.0254}
UNEVEN = 0.01
ROUNDING_S = 0.001
SINGLE_FRAME_S = 1 / 30
CAMERA_TO_WORLD_WXYZ = np.array([0.0, 1.0, 0.0, 0.0])
Z_UP = euler.axis_matrix(0, np.array(np.pi / 2))
_END_AXES = {"left_foot": (2, 1), "right_foot": (2, 1), "head": (1, 1), "left_hand": (0, 1), "right_hand": (0, -1)}


def to_bvh(motion: Motion, *, names: str = "smpl", order: str = "ZXY", channels: int = 3, unit: str = "cm",
           up: str = "y", tpose_first: bool = False) -> tuple[bvh.Bvh, tuple[str, ...]]:
    """Turn a Motion into a BVH document, and into notes on what had to change for it.

    The rest pose is the T-pose of the body at the person's betas, facing +Z (-Y where `up` is "z"); the root channels
    are the pelvis joint in the world. `names` is one of :data:`mrs.formats.bvh_names.PRESETS`.
    """
    from mrs.body import load_body

    root_pos_m, quats, notes = _in_world(motion)
    times_s, root_pos_m, quats, note = _evenly(motion.times_s, root_pos_m, quats)
    notes += note
    body = load_body(motion.body)
    rest_m = body.rest_joints(motion.betas)
    bones_m = np.concatenate([np.zeros((1, 3)), rest_m[1:] - rest_m[SMPL_PARENTS[1:]]])
    ends_m = end_sites(body, motion.betas)
    local = rotations.quat_to_matrix(quats)
    if tpose_first:
        local = np.concatenate([np.broadcast_to(np.eye(3), (1, *local.shape[1:])), local])
        root_pos_m = np.concatenate([root_pos_m[:1], root_pos_m])
    turn = Z_UP if up == "z" else np.eye(3)
    to_file = UNITS_PER_M[unit] * turn.T
    document = bvh.build(
        PRESETS[names], SMPL_PARENTS, bones_m @ to_file, turn @ local @ turn.T, root_pos_m @ to_file,
        1 / mean_rate(times_s) if len(times_s) > 1 else SINGLE_FRAME_S, order=order.upper(), channels=channels,
        ends={joint: end @ to_file for joint, end in ends_m.items()})
    return document, notes


def end_sites(body, betas: np.ndarray) -> dict[int, np.ndarray]:
    """Measure the End Site offsets (3,) in metres: toe tips, finger tips and the top of the head.

    Each is the reach of the skin along the bone's axis in the T-pose, over the vertices that mostly follow the joint.
    """
    joints = body.rest_m + body.rest_shape_m @ betas
    skin = body.template_m + body.shape_m @ betas
    ends = {}
    for name, (axis, sign) in _END_AXES.items():
        joint = SMPL_24.index(name)
        reach = sign * (skin[body.weights[:, joint] > 0.5, axis] - joints[joint, axis])
        ends[joint] = np.zeros(3)
        ends[joint][axis] = sign * reach.max()
    return ends


def _in_world(motion: Motion) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return root and rotations with Y up. A change of world multiplies the root rotation from the left."""
    if motion.frame == "world":
        return motion.root_pos_m, motion.local_quat_wxyz, ()
    if motion.camera is not None and not motion.camera.is_still:
        return _out_of_a_moving_camera(motion)
    quats = motion.local_quat_wxyz.copy()
    quats[:, 0] = rotations.quat_multiply(CAMERA_TO_WORLD_WXYZ, quats[:, 0])
    root_pos_m = rotations.quat_rotate(CAMERA_TO_WORLD_WXYZ, motion.root_pos_m)
    return root_pos_m, quats, ("The motion was in the camera's frame; it was turned to Y up for a level camera.",)


def _out_of_a_moving_camera(motion: Motion) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    quats = motion.local_quat_wxyz.copy()
    to_world = rotations.quat_conjugate(rotations.matrix_to_quat(motion.camera.per_frame(len(motion)).R))
    quats[:, 0] = rotations.align_hemispheres(rotations.quat_multiply(to_world, quats[:, 0]))
    return motion.camera.to_world(motion.root_pos_m), quats, (
        "The motion was in the frame of a camera that moves; it was put into that camera's world.",)


def _evenly(times_s: np.ndarray, root_pos_m: np.ndarray, quats: np.ndarray):
    """Resample to the mean rate where frame intervals vary by more than 1 %; leave even ones untouched.

    Even are also times that a container has rounded to milliseconds, as Matroska does.
    """
    intervals = np.diff(times_s)
    mean_s = (times_s[-1] - times_s[0]) / max(len(intervals), 1)
    at_s = np.linspace(times_s[0], times_s[-1], len(times_s))
    varies = len(intervals) > 0 and np.abs(intervals - mean_s).max() > UNEVEN * mean_s
    if not varies or np.abs(times_s - at_s).max() <= ROUNDING_S:
        return times_s, root_pos_m, quats, ()
    root = np.stack([np.interp(at_s, times_s, root_pos_m[:, axis]) for axis in range(3)], -1)
    note = (f"Frame intervals vary from {intervals.min() * 1e3:.2f} to {intervals.max() * 1e3:.2f} ms; BVH has one "
            f"frame time, so the motion was resampled to its mean rate of {1 / mean_s:.4f} Hz.")
    return at_s, root, rotations.resample(quats, times_s, at_s), (note,)
