"""Motion to poses of DeepMimic's humanoid: exact algebra of rotations, hinges that keep the plane of the limb, feet on the ground.

Two ways to carry limbs over. "rotations" turns the humanoid's limbs as far from its rest pose as the body's are from its own: the
algebra R_dm = B R B^T of the specification (5.7), and the exact inverse of :func:`mrs.formats.deepmimic.read`. "directions" points
them where the body's point. The rest poses differ (our body's legs stand five degrees apart at rest), so a person who stands with
legs together would stand with crossed feet by "rotations".
"""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.formats import humanoid, legs
from mrs.formats.carry import floor_lift, leg_m, point_limbs
from mrs.formats.humanoid import BY_NAME, COLUMNS, FROM_SMPL, LEG_M, LOWER_LEG_M, RAISE, UPPER_LEG_M
from mrs.motion import Motion
from mrs.skeletons import SMPL_24
from mrs.world.ground import sole_points

SINE_FREE, SINE_KNOWN = np.sin(np.radians(8.0)), np.sin(np.radians(16.0))
FLOOR_PERCENTILE = 2.0
_STRAIGHT = {"knee": ("hip", (0.0, -1, 0)), "ankle": ("knee", (0.0, -1, 0)), "elbow": ("shoulder", (1.0, 0, 0)), "wrist": ("elbow", (1.0, 0, 0))}


def to_poses(motion: Motion, *, limbs: str = "directions") -> np.ndarray:
    """Poses (T, 43) of the humanoid from a world motion; lengths are scaled by the ratio of leg lengths.

    With "directions" the root is put in the middle of the hips, where the humanoid has it, and the whole path is moved up or down so
    that its soles come as low as the body's do; with "rotations" the root is the pelvis joint and nothing is moved.
    """
    body = load_body(motion.body)
    world, rest_m = body.global_rotations(motion.local_quat_wxyz), body.rest_joints(motion.betas)
    scale = LEG_M / leg_m(rest_m)
    if limbs != "directions":
        poses = _angles(world)
        poses[:, :3] = motion.root_pos_m * scale
        return poses
    poses = _angles(point_limbs(world, rest_m, _straight_limbs()))
    poses[:, :3] = motion.joints_m[:, SMPL_24.indices("left_hip", "right_hip")].mean(1) * scale
    soles = np.percentile(sole_points(motion)[..., 1].min(1), FLOOR_PERCENTILE) * scale
    poses[:, 1] += soles - np.percentile(humanoid.lowest_m(poses, ("left_ankle", "right_ankle")), FLOOR_PERCENTILE)
    return poses


def pointed(motion: Motion, poses: np.ndarray, scale: float) -> Motion:
    """The inverse of :func:`to_poses` by "directions": a motion with the poses' turns, its limbs where the humanoid's point.

    Hips are put where `scale` times the humanoid's are, and the whole path up or down so that the soles come as low.
    """
    body = load_body(motion.body)
    rest_m = body.rest_joints(motion.betas)
    world = point_limbs(body.global_rotations(motion.local_quat_wxyz), _straight_limbs(), rest_m)
    hips = SMPL_24.indices("left_hip", "right_hip")
    root = scale * poses[:, :3] - world[:, 0] @ rest_m[hips].mean(0)
    quats = rotations.align_hemispheres(body.local_quats(world))
    placed = body.motion(motion.times_s, root, quats, motion.betas)
    theirs = scale * np.percentile(humanoid.lowest_m(poses, ("left_ankle", "right_ankle")), FLOOR_PERCENTILE)
    ours = np.percentile(sole_points(placed)[..., 1].min(1), FLOOR_PERCENTILE)
    return body.motion(motion.times_s, root + [0, theirs - ours, 0], quats, motion.betas)


def legs_of(motion: Motion, poses: np.ndarray, scale: float) -> legs.Legs:
    """The humanoid's legs at the size of the motion's body, for a motion that :func:`pointed` made of `poses`."""
    hips = [np.array(BY_NAME[f"{side}_hip"].offset_m) @ FROM_SMPL for side in ("left", "right")]
    lengths = [np.full(2, scale * length) for length in (UPPER_LEG_M, LOWER_LEG_M)]
    foot = BY_NAME["left_ankle"].shapes[0]
    middle = motion.joints_m[:, SMPL_24.indices("left_hip", "right_hip"), 1].mean(1)
    return legs.Legs(scale * np.array(hips), *lengths, scale * -foot.corners()[:, 1].min(), float((middle - scale * poses[:, 1]).mean()))


def above_floor(poses: np.ndarray, times_s: np.ndarray, *, cyclic: bool = False) -> tuple[np.ndarray, float]:
    """Raise frames in which a link is below y = 0, smoothly over time; return poses and the most that one was raised by, metres."""
    lift = floor_lift(humanoid.lowest_m(poses), times_s, cyclic=cyclic)
    raised = poses.copy()
    raised[:, 1] += lift
    return raised, float(lift.max(initial=0))


def turned(poses: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Turn the world of poses from the left by a matrix (3, 3)."""
    poses = poses.copy()
    poses[:, :3] = poses[:, :3] @ turn.T
    root = COLUMNS["root"]
    poses[:, root] = rotations.align_hemispheres(rotations.matrix_to_quat(turn @ rotations.quat_to_matrix(poses[:, root])))
    return poses


def _straight_limbs() -> np.ndarray:
    """Joints (24, 3) in SMPL's axes whose limbs lie as the humanoid's do in a T-pose; lengths mean nothing."""
    joints = np.zeros((len(SMPL_24), 3))
    for side, sign in (("left", 1), ("right", -1)):
        for joint, (parent, axis) in _STRAIGHT.items():
            joints[SMPL_24.index(f"{side}_{joint}")] = joints[SMPL_24.index(f"{side}_{parent}")] + np.array(axis) * [sign, 1, 1]
    return joints


def _angles(world: np.ndarray) -> np.ndarray:
    """Poses (T, 43) without positions from the body's global matrices (T, 24, 3, 3)."""
    renamed = FROM_SMPL @ world @ FROM_SMPL.T
    poses = np.zeros((len(world), humanoid.WIDTH))

    def of(name):
        return renamed[:, SMPL_24.index(name)]

    # Of the root only the body's own axes are renamed, not the world's.
    _set(poses, "root", world[:, 0] @ FROM_SMPL.T)
    _set(poses, "chest", _t(of("pelvis")) @ of("spine3"))
    _set(poses, "neck", _t(of("spine3")) @ of("head"))
    for side in ("left", "right"):
        thigh, shin = _in_plane(of(f"{side}_hip"), of(f"{side}_knee"), poses, f"{side}_knee")
        _set(poses, f"{side}_hip", _t(of("pelvis")) @ thigh)
        _set(poses, f"{side}_ankle", _t(shin) @ of(f"{side}_ankle"))
        hang = RAISE[side].T
        upper, _ = _in_plane(of(f"{side}_shoulder") @ hang, of(f"{side}_elbow") @ hang, poses, f"{side}_elbow")
        _set(poses, f"{side}_shoulder", _t(of("spine3")) @ upper)
    return poses


def _t(matrices: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrices, -1, -2)


def _set(poses: np.ndarray, name: str, matrices: np.ndarray) -> None:
    poses[:, COLUMNS[name]] = rotations.align_hemispheres(rotations.matrix_to_quat(matrices))


def _in_plane(upper: np.ndarray, lower: np.ndarray, poses: np.ndarray, hinge: str) -> tuple[np.ndarray, np.ndarray]:
    """Set a hinge and return global matrices of both bones such that both point where they did.

    Bones lie along -y. The upper one is twisted about itself by the angle that brings the lower one into the hinge's plane; where
    the limb is nearly straight, that angle says nothing, and the original twist is kept, blended over 8 to 16 degrees.
    """
    bend = (_t(upper) @ (lower @ np.array([0.0, -1, 0]))[..., None])[..., 0]
    sign = 1.0 if BY_NAME[hinge].limits_rad[1] > 0 else -1.0
    sine = np.hypot(bend[:, 0], bend[:, 2])
    full = np.arctan2(-sign * bend[:, 2], sign * bend[:, 0])
    # Of the two twists that bring the bone into the plane the smaller one serves while the limb is nearly straight: a knee that is
    # bent back by a degree must not turn the thigh around.
    near = np.arctan2(-bend[:, 2] * np.where(bend[:, 0] < 0, -1, 1), np.abs(bend[:, 0])) * np.clip(sine / SINE_FREE, 0, 1)
    share = np.clip((sine - SINE_FREE) / (SINE_KNOWN - SINE_FREE), 0, 1)
    share = share * share * (3 - 2 * share)
    angle = near + share * (np.remainder(full - near + np.pi, 2 * np.pi) - np.pi)
    twist = rotations.axis_angle_to_matrix(angle[:, None] * np.array([0.0, 1, 0]))
    bend = (_t(twist) @ bend[..., None])[..., 0]
    flexion = np.arctan2(bend[:, 0], -bend[:, 1])
    poses[:, COLUMNS[hinge].start] = flexion
    upper = upper @ twist
    return upper, upper @ rotations.axis_angle_to_matrix(flexion[:, None] * np.array([0.0, 0, 1]))
