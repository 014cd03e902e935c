"""Carry a motion over to the skeleton of a BVH file: rotations against the rest poses, the size's ratio, feet locked by IK.

Limbs keep their directions exactly, torso, head, hands and feet their turns from the rest pose, as the reader of BVH has it the
other way round. The legs are then bent (two-bone inverse kinematics) so that ankles go where the scaled person's go, and heels and
toes stay in one place while they touch. A BVH file has no soles: they are taken to lie below the joints of the toes as the person's do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats import bvh_import, euler, legs
from mrs.formats.bvh import AXES, Bvh
from mrs.formats.bvh_names import match
from mrs.formats.bvh_parser import POSITIONS, ROTATIONS
from mrs.motion import Motion
from mrs.physics import locking
from mrs.skeletons import SMPL_24

STRETCH = 0.9995
FLOOR = (0, 2)


@dataclass(frozen=True)
class RetargetedBvh:
    """A document of the target's own skeleton and channels; by joint the distance from its target in mm."""

    document: Bvh
    error_mm: dict[str, np.ndarray]
    scale: float
    slide_cm_s: float
    feet: str
    notes: tuple[str, ...] = ()


def retarget(motion: Motion, target: Bvh, where: str, feet: str = "auto") -> RetargetedBvh:
    """Let the skeleton of `target` do a world motion, at the motion's own rate. The target's rest pose has to stand.

    `feet` is one of locking.FEET.
    """
    if motion.frame != "world":
        raise InputError("Expected a motion in the world, but this one is as the camera sees it. Type: mrs run VIDEO")
    skeleton = _Skeleton(target, where)
    times, motion = _evenly(motion)
    body = load_body(motion.body)
    world = body.global_rotations(motion.local_quat_wxyz)
    rest = body.rest_joints(motion.betas)
    scale = bvh_import._leg_m(skeleton.source.rest_m) / bvh_import._leg_m(rest)
    turned = skeleton.turned(world, rest)
    source = legs.of(motion)
    lift_m = np.array([0, skeleton.sole_m(scale, body, motion.betas) - scale * source.sole_m, 0])
    hips, ankles = scale * source.hips_middle_m(motion) + lift_m, scale * source.ankles_m(motion) + lift_m
    touches, soles = locking.touching(motion, source.ankles_m(motion)), scale * locking.sole_offsets_m(motion)
    feet = locking.settled(feet, source.alike(skeleton.source.rest_m, scale))
    wanted = ankles if feet == "follow" else np.stack(
        [locking.locked(ankles[:, side], soles[:, side], touches[:, side], times, FLOOR) for side in (0, 1)], 1)
    placed = skeleton.placed(turned, hips)
    joint_goals = _goals(placed, skeleton, motion, wanted)
    for side, (hip, knee, ankle) in enumerate(((1, 4, 7), (2, 5, 8))):
        skeleton.bend(turned, placed, (hip, knee, ankle), wanted[:, side])
    placed = skeleton.placed(turned, hips)
    errors = {SMPL_24.names[j]: 1000 * np.linalg.norm(placed[:, skeleton.rows[j]] - goal, axis=1) for j, goal in joint_goals.items()}
    slide = locking.slide_cm_s(placed[:, [skeleton.rows[joint] for joint in locking.ANKLES]], soles, touches, times, FLOOR)
    notes = (f"The rest pose of {where} does not stand; its first frame serves instead, as if torso and feet were straight in it.",)
    return RetargetedBvh(skeleton.document(turned, placed, times), errors, scale, slide, feet, notes if skeleton.first_frame_serves else ())


def _evenly(motion: Motion) -> tuple[np.ndarray, Motion]:
    """The motion at a constant rate, as BVH has it."""
    if len(motion) < 3 or np.ptp(np.diff(motion.times_s)) < 1e-3 / max(motion.fps, 1):
        return motion.times_s - motion.times_s[0], motion
    times = np.linspace(motion.times_s[0], motion.times_s[-1], len(motion))
    place = np.stack([np.interp(times, motion.times_s, motion.root_pos_m[:, k]) for k in range(3)], -1)
    quats = rotations.resample(motion.local_quat_wxyz, motion.times_s, times)
    near = np.round(np.interp(times, motion.times_s, np.arange(len(motion)))).astype(int)
    body = load_body(motion.body)
    return times - times[0], body.motion(times, place, quats, motion.betas, contacts=motion.contacts[near], frame=motion.frame,
                                           history=motion.history)


def _goals(placed: np.ndarray, skeleton: _Skeleton, motion: Motion, ankles: np.ndarray) -> dict[int, np.ndarray]:
    """What errors are measured against: ankles as wished; other limb joints along the motion's own directions from their carrier."""
    goals = {7: ankles[:, 0], 8: ankles[:, 1]}
    for carrier, joint in ((1, 4), (2, 5), (16, 18), (17, 19), (18, 20), (19, 21)):
        along = rotations.normalise(motion.joints_m[:, joint] - motion.joints_m[:, carrier])
        a, b = (skeleton.source.rest_m[j] for j in (carrier, joint))
        goals[joint] = placed[:, skeleton.rows[carrier]] + along * np.linalg.norm(b - a)
    return goals


class _Skeleton:
    """The target at its rest, in metres, standing along Y and facing +Z."""

    def __init__(self, target: Bvh, where: str):
        self.file = target
        _, named = match(target.names, where)
        self.rows = {SMPL_24.index(name): row for name, row in named.items()}
        self.zero, rest, first_frame = self._rest(where)
        self.first_frame_serves = first_frame
        self.source = bvh_import._source(self.rows, rest, "auto", where)
        self.offsets = target.offsets.copy()
        if len(target):
            self.offsets = np.where((target.parents >= 0)[:, None], _first_positions(target), target.offsets)
        if not self._stands(self.source.rest_m):
            raise InputError(f"Expected a rest pose or a first frame that stands in {where}, but head and feet don't lie on an upright "
                             "line. Export the skeleton with its T-pose as first frame.")

    def _rest(self, where: str) -> tuple[np.ndarray, np.ndarray, bool]:
        """Turns (J, 3, 3) and places (J, 3) of the pose that counts as rest: a T-pose as first frame, the offsets, or the first frame."""
        target, straight = self.file, np.broadcast_to(np.eye(3), (len(self.file.names), 3, 3))
        offsets = target.rest_joints()
        if len(target):
            turned, placed = _first_frames(target)
            if bvh_import._has_tpose(turned, placed, self.rows, "auto"):
                return turned[0], placed[0], False
        if self._stands(bvh_import._by_smpl(offsets, self.rows)) or not len(target):
            return straight, offsets, False
        turn = _heading(bvh_import._by_smpl(placed[0], self.rows))
        return turn.T @ turned[0], placed[0] @ turn, True

    @staticmethod
    def _stands(rest: np.ndarray) -> bool:
        """Whether head, hips and ankles are one above the other, along one axis, and the hips beside each other across it."""
        head, ankles = rest[SMPL_24.index("head")], rest[[7, 8]].mean(0)
        up, across = rotations.normalise(head - ankles), rotations.normalise(rest[1] - rest[2])
        return bool(np.abs(up).max() > 0.9 and abs(up @ across) < 0.3 and head @ up > 0 > ankles @ up)

    def sole_m(self, scale: float, body, betas: np.ndarray) -> float:
        """Height of the ankles over soles that lie below the joints of the toes as the body's do, at `scale` times its size."""
        below_toes_m = legs.sole_m(body, betas) - bvh_import.drop_m(body.rest_joints(betas))
        return bvh_import.drop_m(self.source.rest_m) + scale * below_toes_m

    def turned(self, world: np.ndarray, rest_m: np.ndarray) -> np.ndarray:
        """Global rotations (T, J, 3, 3) of the file's joints, in our axes, from SMPL's (T, 24, 3, 3)."""
        carried = world.copy()
        for joint, child in bvh_import._LIMBS:
            ours, theirs = rest_m[child] - rest_m[joint], self.source.rest_m[child] - self.source.rest_m[joint]
            carried[:, joint] = world[:, joint] @ rotations.quat_to_matrix(rotations.between(ours, theirs)).T
        by_row = {row: joint for joint, row in self.rows.items()}
        zero = self.source.axes.T @ self.zero @ self.source.axes
        out = np.empty((len(world), len(self.file.names), 3, 3))
        for row, parent in enumerate(self.file.parents):
            if row in by_row:
                out[:, row] = carried[:, by_row[row]] @ zero[row]
            elif parent < 0:
                out[:, row] = zero[row]
            else:
                out[:, row] = out[:, parent] @ (zero[parent].T @ zero[row])
        return out

    def placed(self, turned: np.ndarray, middle_of_hips: np.ndarray) -> np.ndarray:
        """Joint positions (T, J, 3) in metres and our axes, the middle of the hips where it is wished."""
        offsets = self.offsets @ self.source.axes * self.source.m_per_unit
        out = np.zeros((len(turned), len(self.file.names), 3))
        for row, parent in enumerate(self.file.parents):
            if parent >= 0:
                out[:, row] = out[:, parent] + turned[:, parent] @ offsets[row]
        return out + (middle_of_hips - out[:, [self.rows[1], self.rows[2]]].mean(1))[:, None]

    def bend(self, turned: np.ndarray, placed: np.ndarray, leg: tuple[int, int, int], goal: np.ndarray) -> None:
        """Turn hip and knee in place so that the ankle reaches `goal` (T, 3), or as near as the leg is long; feet keep their turn."""
        hip, knee, ankle = (self.rows[joint] for joint in leg)
        a, b, c = placed[:, hip], placed[:, knee], placed[:, ankle]
        upper, lower = np.linalg.norm(b - a, axis=1), np.linalg.norm(c - b, axis=1)
        most = np.maximum(STRETCH * (upper + lower), np.linalg.norm(c - a, axis=1))
        reach = np.clip(np.linalg.norm(goal - a, axis=1), np.abs(upper - lower) + 1e-6, most)
        towards = rotations.normalise(goal - a)
        bent = b - a - ((b - a) * towards).sum(1, keepdims=True) * towards
        straight = np.linalg.norm(bent, axis=1, keepdims=True) < 1e-4
        bent = rotations.normalise(np.where(straight, turned[:, hip] @ self._forward(hip), bent))
        along = (upper**2 + reach**2 - lower**2) / (2 * reach)
        side = np.sqrt(np.maximum(upper**2 - along**2, 0))
        new_b = a + along[:, None] * towards + side[:, None] * bent
        new_c = a + reach[:, None] * towards
        for joint, before, after in ((hip, b - a, new_b - a), (knee, c - b, new_c - new_b)):
            turned[:, joint] = rotations.quat_to_matrix(rotations.between(before, after)) @ turned[:, joint]

    def _forward(self, row: int) -> np.ndarray:
        """+Z of our axes in a joint's own frame at rest."""
        return (self.source.axes.T @ self.zero[row] @ self.source.axes).T @ np.array([0.0, 0, 1])

    def document(self, turned: np.ndarray, placed: np.ndarray, times: np.ndarray) -> Bvh:
        """The target's document with new values: its names, offsets, channels and unit, the motion's rate."""
        file, axes = self.file, self.source.axes
        own = axes @ turned @ axes.T
        places = placed @ axes.T / self.source.m_per_unit
        local, shift = own.copy(), places.copy()
        for row, parent in enumerate(file.parents):
            if parent >= 0:
                local[:, row] = np.swapaxes(own[:, parent], -1, -2) @ own[:, row]
                shift[:, row] = np.einsum("tba,tb->ta", own[:, parent], places[:, row] - places[:, parent])
        values = np.zeros((len(turned), file.values.shape[1] if len(file) else sum(map(len, file.channels))))
        for order, joints, columns in file._groups(ROTATIONS):
            values[:, columns] = np.degrees(euler.matrix_to_euler(local[:, joints], order))
        for order, joints, columns in file._groups(POSITIONS):
            for place, axis in enumerate(order):
                values[:, columns[:, place]] = shift[:, joints, AXES.index(axis)]
        rate = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else file.frame_time_s
        return replace(file, values=values, frame_time_s=float(rate))


def _heading(rest: np.ndarray) -> np.ndarray:
    """The turn (3, 3) about the upright axis by which a pose's hips are off the file's nearest axis."""
    up = bvh_import._nearest_axis(rest[SMPL_24.index("head")] - rest[[7, 8]].mean(0), np.zeros(3))
    left = rest[1] - rest[2]
    left = rotations.normalise(left - (left @ up) * up)
    return rotations.quat_to_matrix(rotations.between(bvh_import._nearest_axis(left, np.abs(up)), left))


def _first_frames(target: Bvh, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return replace(target, values=target.values[:count]).pose()


def _first_positions(target: Bvh) -> np.ndarray:
    return replace(target, values=target.values[:1]).positions()[0]

