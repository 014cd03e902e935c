"""Pin feet that stand: two-bone inverse kinematics after the optimisation.

A sole point in contact is moved to the mean place of its contact interval, on the ground where the ground is near. The
ankle follows, the knee stays in its plane, the foot keeps its turn, and corrections fade over BLEND_S outside contact.
"""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.world.ground import SOLES, TOUCHING

BLEND_S = 0.15
NEAR_GROUND_M = 0.10
MAY_TOUCH = 0.2
STRETCH = 0.9995
LEGS = ((1, 4, 7, (0, 1)), (2, 5, 8, (2, 3)))


def lock_feet(motion: Motion, ground_m: float | None, mode: str = "auto") -> tuple[Motion, dict]:
    """Return the motion with its contacts pinned, and how far ankles were moved in mm.

    `ground_m` is the height of the ground, None where there is none to stand on. `mode` is "auto" (pin what touches),
    "always" (also what may touch), "ground" (set down on the ground, but let it slide) or "never".
    """
    if mode == "never":
        return motion, {"mode": mode, "mean_mm": 0.0, "largest_mm": 0.0}
    body = load_body(motion.body)
    touching = motion.contacts > (MAY_TOUCH if mode == "always" else TOUCHING)
    turned = body.global_rotations(motion.local_quat_wxyz)
    soles = body.keypoints(motion, SOLES)
    joints = motion.joints_m
    shifts, rolls = np.zeros((len(motion), 2, 3)), []
    for leg, (hip, knee, ankle, points) in enumerate(LEGS):
        asked, shares = _asked(soles[:, points], touching[:, points], motion.times_s, ground_m)
        if mode == "ground":
            asked = asked * [0, 1, 0]
        roll, shifts[:, leg] = _foot(soles[:, points] - joints[:, ankle, None], asked, shares)
        rolls.append(roll)
    sunk = _reach_for(joints, joints[:, [7, 8]] + shifts, motion.times_s)
    for leg, (hip, knee, ankle, _) in enumerate(LEGS):
        _bend(turned, joints + sunk[:, None], hip, knee, joints[:, ankle] + shifts[:, leg])
        turned[:, [ankle, ankle + 3]] = rolls[leg][:, None] @ turned[:, [ankle, ankle + 3]]
    quats = body.local_quats(turned)
    moved = 1000 * np.linalg.norm(shifts, axis=-1)
    report = {"mode": mode, "mean_mm": float(moved.mean()), "largest_mm": float(moved.max())}
    return body.motion(motion.times_s, motion.root_pos_m + sunk, quats, motion.betas, contacts=motion.contacts,
                       confidence=motion.confidence, frame=motion.frame, camera=motion.camera,
                       history=motion.history), report


def intervals(touching: np.ndarray) -> list[tuple[int, int]]:
    """Runs of True in (T,) as (first, past the last)."""
    edges = np.flatnonzero(np.diff(np.r_[0, touching.astype(int), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _asked(points: np.ndarray, touching: np.ndarray, times_s: np.ndarray, ground_m: float | None):
    """Shifts (T, 2, 3) that heel and toe (T, 2, 3) need to stand where they touch, and with what share (T, 2).

    The share is 1 inside an interval and fades outside; where two intervals ask, they are averaged by share.
    """
    total, weights, shares = np.zeros(points.shape), np.zeros(touching.shape), np.zeros(touching.shape)
    for point in range(2):
        for first, past in intervals(touching[:, point]):
            place = points[first:past, point].mean(0)
            if ground_m is not None and abs(place[1] - ground_m) < NEAR_GROUND_M:
                place[1] = ground_m
            rows = np.clip(np.arange(len(times_s)), first, past - 1)
            away = np.maximum(times_s[first] - times_s, times_s - times_s[past - 1])
            share = np.clip(1 - away / BLEND_S, 0, 1)
            share = np.where(touching[:, point] & (away > 0), 0.0, share * share * (3 - 2 * share))
            total[:, point] += share[:, None] * (place - points[rows, point])
            weights[:, point] += share
            shares[:, point] = np.maximum(shares[:, point], share)
    return total / np.maximum(weights, 1e-9)[..., None], shares


def _foot(offsets: np.ndarray, asked: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roll of the foot (T, 3, 3) and shift of the ankle (T, 3) that meet what heel and toe ask for.

    offsets (T, 2, 3) run from the ankle to heel and toe. The foot rolls only where both touch.
    """
    both = shares.min(1)[:, None]
    sole = offsets[:, 1] - offsets[:, 0]
    roll = rotations.quat_to_matrix(rotations.between(sole, sole + both * (asked[:, 1] - asked[:, 0])))
    rolled = np.einsum("tab,tpb->tpa", roll, offsets)
    wanted = (shares[..., None] * (offsets + asked - rolled)).sum(1) / np.maximum(shares.sum(1), 1e-9)[:, None]
    return roll, shares.max(1)[:, None] * wanted


def _reach_for(joints: np.ndarray, targets: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Shift of the whole body (T, 3) that brings ankle targets (T, 2, 3) within reach of the legs, smooth over time."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d

    missing = np.zeros((len(targets), 3))
    for leg, (hip, knee, ankle, _) in enumerate(LEGS):
        longest = STRETCH * (np.linalg.norm(joints[0, knee] - joints[0, hip]) + np.linalg.norm(joints[0, ankle] - joints[0, knee]))
        line = targets[:, leg] - joints[:, hip]
        length = np.linalg.norm(line, axis=-1, keepdims=True)
        missing += np.maximum(length - longest, 0) * line / np.maximum(length, 1e-9)
    if not missing.any():
        return missing
    rate_hz = (len(times_s) - 1) / (times_s[-1] - times_s[0])
    reach = 2 * round(BLEND_S / 2 * rate_hz) + 1
    peaks = maximum_filter1d(np.maximum(missing, 0), reach, axis=0) - maximum_filter1d(np.maximum(-missing, 0), reach, axis=0)
    return gaussian_filter1d(peaks, BLEND_S / 3 * rate_hz, axis=0, mode="nearest")


def _bend(turned, joints, hip: int, knee: int, target: np.ndarray) -> None:
    """Turn thigh and shin, in place, so that the ankle reaches its target; the knee stays in its plane."""
    ankle = knee + 3
    thigh, shin = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
    a, b = np.linalg.norm(thigh[0]), np.linalg.norm(shin[0])
    line = target - joints[:, hip]
    reach = np.clip(np.linalg.norm(line, axis=-1), abs(a - b) + 1e-4, STRETCH * (a + b))
    along = rotations.normalise(line, [0, -1, 0])
    ahead = thigh - (thigh * along).sum(-1, keepdims=True) * along
    ahead = rotations.normalise(ahead + 1e-6 * turned[:, hip, :, 2])
    lean = np.arccos(np.clip((a**2 + reach**2 - b**2) / (2 * a * reach), -1, 1))[:, None]
    new_knee = a * (np.cos(lean) * along + np.sin(lean) * ahead)
    for joint, before, after in ((hip, thigh, new_knee), (knee, shin, reach[:, None] * along - new_knee)):
        turned[:, joint] = rotations.quat_to_matrix(rotations.between(before, after)) @ turned[:, joint]
