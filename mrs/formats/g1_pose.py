"""Motion to Unitree G1's joint angles: damped least squares on directions of limbs and on the turn of torso, feet and hands.

A quick retargeting that needs no model file, for exports. Directions carry over between unlike bodies where positions do not; joint
limits hold exactly. `mrs retarget` solves for positions in a model that is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.formats import g1
from mrs.formats.carry import TO_SIM, floor_lift, leg_m, loop_of
from mrs.motion import Motion
from mrs.skeletons import SMPL_24
from mrs.world.ground import sole_points

ITERATIONS, AGAIN, ENOUGH_RAD = 20, 6, 2e-3
DAMPING, TOWARDS_ZERO, TOWARDS_SMOOTH = 1e-3, 3e-3, 3e-2
STEADY_S = 0.08
CHUNK = 1000
FLOOR_PERCENTILE = 2.0
# Human bone, robot links that it becomes, weight.
_BONES = tuple((f"{s}_{a}", f"{s}_{b}", f"{s}_{c}_link", f"{s}_{d}_link", w) for s in ("left", "right") for a, b, c, d, w in (
    ("hip", "knee", "hip_roll", "knee", 1.5), ("knee", "ankle", "knee", "ankle_pitch", 1.5),
    ("shoulder", "elbow", "shoulder_roll", "elbow", 1.0), ("elbow", "wrist", "elbow", "wrist_yaw", 1.0)))
# Human joint, robot link, weight, axes of the link (in the body's upright frame) that should point as the joint's do.
_TURNS = (("spine3", "torso_link", 1.0, (0, 2)), ("left_ankle", "left_ankle_roll_link", 0.7, (0, 2)),
          ("right_ankle", "right_ankle_roll_link", 0.7, (0, 2)))


@dataclass(frozen=True)
class RobotMotion:
    """G1 over T frames: times_s, root_pos_m (T, 3), root_quat_wxyz (T, 4), angles (T, 29), contacts (T, 2: left, right), Z up."""

    times_s: np.ndarray
    root_pos_m: np.ndarray
    root_quat_wxyz: np.ndarray
    angles: np.ndarray
    contacts: np.ndarray
    mean_error_deg: float

    def links(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions (T, 30, 3) and quaternions w x y z (T, 30, 4) of the links."""
        placed, turned = g1.forward_kinematics(self.root_pos_m, rotations.quat_to_matrix(self.root_quat_wxyz), self.angles)
        return placed, rotations.align_hemispheres(rotations.matrix_to_quat(turned))


def to_g1(motion: Motion, *, ground: bool = True) -> RobotMotion:
    """Turn a world motion into G1's; our +Z is its +X. The way is scaled by the ratio of leg lengths; soles come down as the body's."""
    body = load_body(motion.body)
    world = TO_SIM @ body.global_rotations(motion.local_quat_wxyz) @ TO_SIM.T
    bones, turns = _targets(motion, world)
    angles = _solve(world[:, 0], bones, turns, motion.times_s)
    scale = _robot_leg_m() / leg_m(body.rest_joints(motion.betas))
    hips = motion.joints_m[:, SMPL_24.indices("left_hip", "right_hip")].mean(1) @ TO_SIM.T * scale
    placed, turned = g1.forward_kinematics(np.zeros_like(hips), world[:, 0], angles)
    sides = [g1.LINKS.index(f"{side}_hip_pitch_link") for side in ("left", "right")]
    root = hips - placed[:, sides].mean(1)
    lowest = root[:, 2] + _soles(placed, turned)
    soles = sole_points(motion)[..., 1].min(1)
    root[:, 2] += np.percentile(soles, FLOOR_PERCENTILE) * scale - np.percentile(lowest, FLOOR_PERCENTILE)
    if ground:
        root[:, 2] += floor_lift(root[:, 2] + np.minimum(_soles(placed, turned), placed[..., 2].min(1) - 0.03), motion.times_s,
                                  cyclic=loop_of(motion) == "wrap")
    feet = np.stack([motion.contacts[:, :2].max(1), motion.contacts[:, 2:].max(1)], -1)
    return RobotMotion(motion.times_s, root, rotations.align_hemispheres(rotations.matrix_to_quat(world[:, 0])), angles, feet,
                       _error_deg(placed, bones))


def _robot_leg_m() -> float:
    placed, _ = g1.forward_kinematics(np.zeros((1, 3)), np.eye(3)[None], np.zeros((1, len(g1.JOINTS))))
    hip, knee, ankle = (placed[0, g1.LINKS.index(f"left_{name}_link")] for name in ("hip_roll", "knee", "ankle_pitch"))
    return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))


def _targets(motion: Motion, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions (T, B, 3) of the human's bones, corrected by how the robot's lie in a T-pose, and axes (T, A, 3) of turns."""
    joints = motion.joints_m @ TO_SIM.T
    bones = np.stack([rotations.normalise(joints[:, SMPL_24.index(b)] - joints[:, SMPL_24.index(a)]) for a, b, *_ in _BONES], 1)
    turns = np.stack([world[:, SMPL_24.index(joint), :, axis] for joint, _, _, axes in _TURNS for axis in axes], 1)
    return bones, turns


def _solve(root_turn: np.ndarray, bones: np.ndarray, turns: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Angles (T, 29): from zero, then again from what that gives smoothed over STEADY_S, so that neighbours agree."""
    from scipy.ndimage import gaussian_filter1d

    parts = [slice(first, first + CHUNK) for first in range(0, len(bones), CHUNK)]
    zero = np.zeros((len(bones), len(g1.JOINTS)))
    angles = np.concatenate([_descend(root_turn[p], bones[p], turns[p], zero[p], zero[p], TOWARDS_ZERO, ITERATIONS) for p in parts])
    if len(angles) < 3:
        return angles
    width = STEADY_S / max(np.median(np.diff(times_s)), 1e-6)
    for _ in range(2):
        smooth = gaussian_filter1d(angles, width, axis=0, mode="nearest")
        angles = np.concatenate([_descend(root_turn[p], bones[p], turns[p], smooth[p], smooth[p], TOWARDS_SMOOTH, AGAIN) for p in parts])
    return angles


def _descend(root_turn, bones, turns, angles, prior, weight: float, iterations: int) -> np.ndarray:
    """Gauss-Newton with damping towards `prior`; angles are kept within their ranges."""
    low, high = g1.RANGES_RAD.T
    for _ in range(iterations):
        residual, jacobian = _linearise(root_turn, bones, turns, angles)
        gradient = np.einsum("tmj,tm->tj", jacobian, residual) + weight * (angles - prior)
        normal = np.swapaxes(jacobian, 1, 2) @ jacobian + (DAMPING + weight) * np.eye(angles.shape[1])
        # What a limit already stops takes no part, so that the rest of the chain makes up for it.
        held = ((angles <= low + 1e-9) & (gradient > 0)) | ((angles >= high - 1e-9) & (gradient < 0))
        normal += held[:, :, None] * np.eye(angles.shape[1]) * 1e6
        step = np.linalg.solve(normal, gradient[..., None])[..., 0]
        before, angles = angles, np.clip(angles - np.clip(step, -0.5, 0.5), low, high)
        if np.abs(angles - before).max() < ENOUGH_RAD:
            break
    return angles


def _linearise(root_turn, bones, turns, angles) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (T, M) and their derivatives (T, M, 29)."""
    placed, turned = g1.forward_kinematics(np.zeros((len(angles), 3)), root_turn, angles)
    axes = np.einsum("tjab,jb->tja", turned[:, 1:], g1.AXES)
    moved, hinges = g1.ancestry(), placed[:, 1:]
    residuals, rows = [], []
    for place, (_, _, start, end, weight) in enumerate(_BONES):
        a, b = g1.LINKS.index(start), g1.LINKS.index(end)
        bone = placed[:, b] - placed[:, a]
        length = np.linalg.norm(bone, axis=-1)[:, None]
        residuals.append(weight * (bone / length - bones[:, place]))
        # A joint that moves both ends turns the bone as a whole; one that moves the far end alone swings that end about itself.
        both, far = np.flatnonzero(moved[a]), np.flatnonzero(moved[b] & ~moved[a])
        rows.append(_columns(angles.shape, weight / length[..., None], {
            tuple(both): np.cross(axes[:, both], bone[:, None]),
            tuple(far): np.cross(axes[:, far], placed[:, b, None] - hinges[:, far])}))
    place = 0
    for _, name, weight, columns in _TURNS:
        link = g1.LINKS.index(name)
        chain = np.flatnonzero(moved[link])
        for column in columns:
            axis = turned[:, link, :, column]
            residuals.append(weight * (axis - turns[:, place]))
            rows.append(_columns(angles.shape, weight, {tuple(chain): np.cross(axes[:, chain], axis[:, None])}))
            place += 1
    return np.concatenate(residuals, 1), np.concatenate(rows, 1)


def _columns(shape: tuple[int, int], weight, parts: dict[tuple[int, ...], np.ndarray]) -> np.ndarray:
    """Rows (T, 3, 29) of the derivative from those of some joints (T, n, 3); zero for the rest."""
    rows = np.zeros((shape[0], 3, shape[1]))
    for joints, change in parts.items():
        rows[:, :, list(joints)] = np.swapaxes(change, 1, 2) * weight
    return rows


def _soles(placed: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """Height (T,) of the lowest underside of the feet."""
    heights = []
    for side in ("left", "right"):
        link = g1.LINKS.index(f"{side}_ankle_roll_link")
        heights.append(placed[:, link, 2] + (turned[:, link, 2] @ g1.SOLE_M.T).min(1) - g1.SOLE_RADIUS_M)
    return np.min(heights, 0)


def _error_deg(placed: np.ndarray, bones: np.ndarray) -> float:
    """Mean angle between the robot's limbs and the human's."""
    errors = []
    for place, (_, _, start, end, _) in enumerate(_BONES):
        bone = rotations.normalise(placed[:, g1.LINKS.index(end)] - placed[:, g1.LINKS.index(start)])
        errors.append(np.degrees(np.arccos(np.clip((bone * bones[:, place]).sum(-1), -1, 1))))
    return float(np.mean(errors))
