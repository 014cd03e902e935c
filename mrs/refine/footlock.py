"""Foot locking: two-bone inverse kinematics after the optimisation.

A sole point in contact is moved to the mean place of its contact interval, on the ground where the ground is near. The
ankle follows, the knee stays in its plane, the foot keeps its turn, and corrections fade over BLEND_S outside contact.
Feet that would sink into the ground are set on it. The modes mean what users know from commercial tools:

- auto: feet that stand are locked, feet that glide in contact are not, only kept on the ground;
- always: every contact is locked, gliding ones too, also doubtful ones and short gaps between them;
- ground: nothing is locked, but feet near the ground are set on it, standing or gliding;
- never: the motion stays as it is (in the air, in water).
"""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.metrics import derivative
from mrs.motion import Motion
from mrs.world.ground import SOLES, TOUCHING

BLEND_S = 0.15
CARRY_S = 0.05
NEAR_GROUND_M = 0.10
SET_DOWN_M = (0.02, 0.06)
MAY_TOUCH = 0.2
GLIDES_M = 0.15
GAP_S = 0.30
ROUNDS = 2
STRETCH = 0.9995
LEG_JOINTS = [1, 2, 4, 5, 7, 8, 10, 11]
LEGS = ((1, 4, 7, (0, 1)), (2, 5, 8, (2, 3)))


def lock_feet(motion: Motion, ground_m: float | None, mode: str = "auto") -> tuple[Motion, dict]:
    """Return the motion with its feet locked after `mode`, and a report of what that moved.

    `ground_m` is the height of the ground, None where there is none to stand on. The report holds mean_mm and
    largest_mm over both ankles, sunk_mm (how far the whole body moved at most), and for "left" and "right" mean_mm,
    largest_mm, locked (intervals), locked_s (seconds in them) and slide_cm_s (what locked soles still slide).
    """
    body = load_body(motion.body)
    turned, joints = body.global_rotations(motion.local_quat_wxyz), motion.joints_m
    soles = body.landmarks(joints, turned, SOLES.names, motion.betas)
    locks = _locks(motion, soles, ground_m, mode)
    if mode == "never":
        return motion, _report(motion, motion, soles, locks, mode)
    wishes = [_wishes(motion, soles[:, list(points)], locks, points, ground_m, mode) for _, _, _, points in LEGS]
    goals = [soles[:, list(leg[3])] + wish[0] for leg, wish in zip(LEGS, wishes, strict=True)]
    for _ in range(ROUNDS):
        sunk = _moved(turned, joints, soles, goals, [wish[1] for wish in wishes], motion.times_s)
        joints = body.place(joints[:, 0] + sunk, turned, motion.betas, LEG_JOINTS, joints + sunk[:, None])
        soles = body.landmarks(joints, turned, SOLES.names, motion.betas)
    quats = rotations.align_hemispheres(motion.local_quat_wxyz)
    quats[:, LEG_JOINTS] = body.local_quats(turned, LEG_JOINTS)
    now = body.motion(motion.times_s, joints[:, 0], quats, motion.betas, contacts=motion.contacts, joints_m=joints,
                      confidence=motion.confidence, frame=motion.frame, camera=motion.camera, history=motion.history)
    return now, _report(motion, now, soles, locks, mode)


def _moved(turned: np.ndarray, joints: np.ndarray, soles: np.ndarray, goals: list[np.ndarray], weights: list[np.ndarray],
           times_s: np.ndarray) -> np.ndarray:
    """Bring each leg's heel and toe to its goals (T, 2, 3); where the foot can't, `weights` (T, 2) say which matters.

    Changes global rotations (T, 24, 3, 3) in place, and returns the shift (T, 3) of the whole body. Skin at the ankle follows
    the shin a little, so that one round leaves some millimetres.
    """
    shifts, rolls = np.zeros((len(joints), 2, 3)), []
    for leg, (_, _, ankle, points) in enumerate(LEGS):
        here = soles[:, list(points)]
        roll, shifts[:, leg] = _foot(here - joints[:, ankle, None], goals[leg] - here, weights[leg])
        rolls.append(roll)
    sunk = _reach_for(joints, joints[:, [7, 8]] + shifts, times_s)
    for leg, (hip, knee, ankle, _) in enumerate(LEGS):
        _bend(turned, joints + sunk[:, None], hip, knee, joints[:, ankle] + shifts[:, leg])
        turned[:, [ankle, ankle + 3]] = rolls[leg][:, None] @ turned[:, [ankle, ankle + 3]]
    return sunk


def _locks(motion: Motion, soles: np.ndarray, ground_m: float | None, mode: str) -> list[list[tuple[int, int]]]:
    """Intervals (first, past the last) in which each of the four soles is locked."""
    if mode in ("never", "ground"):
        return [[] for _ in SOLES.names]
    locks = []
    for point in range(len(SOLES)):
        found = intervals(motion.contacts[:, point] > (MAY_TOUCH if mode == "always" else TOUCHING))
        if mode == "always":
            found = _closed(found, soles[:, point], motion.times_s, ground_m)
        else:
            found = [rows for rows, far in zip(found, _spreads(soles[:, point], found), strict=True) if far < GLIDES_M]
        locks.append(found)
    return locks


def _spreads(places: np.ndarray, found: list[tuple[int, int]]) -> np.ndarray:
    """How far places (T, 3) lie from their mean across the ground at most, in metres, in each interval found."""
    if not found:
        return np.zeros(0)
    lengths = np.array([past - first for first, past in found])
    edges = np.r_[0, np.cumsum(lengths)[:-1]]
    across = places[np.concatenate([np.arange(*rows) for rows in found])][:, [0, 2]]
    away = across - np.repeat(np.add.reduceat(across, edges) / lengths[:, None], lengths, 0)
    return np.sqrt(np.maximum.reduceat((away**2).sum(-1), edges))


def _closed(found, places: np.ndarray, times_s: np.ndarray, ground_m: float | None):
    """Join neighbouring intervals over gaps of up to GAP_S in which the sole stays low and gets nowhere."""
    out: list[tuple[int, int]] = []
    for first, past in found:
        if out:
            before = out[-1]
            floor = ground_m if ground_m is not None else min(places[slice(*before), 1].mean(), places[first:past, 1].mean())
            short = times_s[first] - times_s[before[1] - 1] <= GAP_S
            low = (places[before[1] : first, 1] < floor + NEAR_GROUND_M).all()
            near = np.linalg.norm(places[slice(*before)].mean(0) - places[first:past].mean(0)) < GLIDES_M
            if short and low and near:
                first = out.pop()[0]
        out.append((first, past))
    return out


def _report(before: Motion, after: Motion, soles: np.ndarray, locks, mode: str) -> dict:
    """What locking did, overall and for each foot; soles (T, 4, 3) are those after it."""
    moved = 1000 * np.linalg.norm(after.joints_m[:, [7, 8]] - before.joints_m[:, [7, 8]], axis=-1)
    sunk = 1000 * np.linalg.norm(after.root_pos_m - before.root_pos_m, axis=-1).max()
    report = {"mode": mode, "mean_mm": float(moved.mean()), "largest_mm": float(moved.max()), "sunk_mm": float(sunk)}
    for leg, side in enumerate(("left", "right")):
        points = LEGS[leg][3]
        held = [(point, rows) for point in points for rows in locks[point]]
        locked = np.zeros(len(after), bool)
        slides = []
        for point, (first, past) in held:
            locked[first:past] = True
            if past - first > 1:
                speed = derivative(soles[first:past, point], after.times_s[first:past], 1)
                slides.append(np.linalg.norm(speed[:, [0, 2]], axis=-1))
        stays = sum(float(after.times_s[past - 1] - after.times_s[first]) for first, past in intervals(locked))
        report[side] = {"mean_mm": float(moved[:, leg].mean()), "largest_mm": float(moved[:, leg].max()),
                        "locked": len(intervals(locked)), "locked_s": stays,
                        "slide_cm_s": 100 * float(np.concatenate(slides).mean()) if slides else 0.0}
    return report


def intervals(touching: np.ndarray) -> list[tuple[int, int]]:
    """Runs of True in (T,) as (first, past the last)."""
    edges = np.flatnonzero(np.diff(np.r_[0, touching.astype(int), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _wishes(motion: Motion, points: np.ndarray, locks, rows, ground_m: float | None, mode: str):
    """Shifts (T, 2, 3) that heel and toe (T, 2, 3) need, and how much each matters (T, 2).

    Inside a lock a point goes to its place, outside this fades; a point without a wish of its own goes with the other.
    With a ground, what touches it without a lock is set on it, in mode "ground" all that is near, and what would sink
    into it is lifted out.
    """
    asked, shares = np.zeros(points.shape), np.zeros(points.shape[:2])
    for point in range(2):
        asked[:, point], shares[:, point] = _held(points[:, point], locks[rows[point]], motion.times_s, ground_m)
    shifts = _together(asked, shares)
    if ground_m is None:
        return shifts, shares + 1e-3
    pulls = np.zeros_like(shares)
    for point in range(2):
        gliding = (motion.contacts[:, rows[point]] > TOUCHING) & (shares[:, point] < 1)
        height = points[:, point, 1] - ground_m
        pulls[:, point] = (1 - shares[:, point]) * _near(height, gliding, motion.times_s, mode)
    after = points[..., 1] + shifts[..., 1] - ground_m
    shifts[..., 1] += _together(-after[..., None], pulls)[..., 0]
    shifts[..., 1] += np.maximum(ground_m - points[..., 1] - shifts[..., 1], 0)
    return shifts, shares + pulls + 1e-3


def _held(places: np.ndarray, locks, times_s: np.ndarray, ground_m: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Shift (T, 3) of one sole to where it is locked, and with what share (T,); two locks are averaged by share."""
    total, weights, shares = np.zeros(places.shape), np.zeros(len(places)), np.zeros(len(places))
    stands = [places[first:past].mean(0) for first, past in locks]
    for (first, past), place in zip(locks, stands, strict=True):
        if ground_m is not None and abs(place[1] - ground_m) < NEAR_GROUND_M:
            place[1] = ground_m
        near = slice(*np.searchsorted(times_s, [times_s[first] - BLEND_S, times_s[past - 1] + BLEND_S]))
        share = _faded(np.maximum(times_s[first] - times_s[near], times_s[near] - times_s[past - 1]))
        total[near] += share[:, None] * (place - _carried_on(places, first, past, times_s, near))
        weights[near] += share
        shares[near] = np.maximum(shares[near], share)
    for (first, past), place in zip(locks, stands, strict=True):
        total[first:past], weights[first:past] = place - places[first:past], 1
    return total / np.maximum(weights, 1e-9)[:, None], shares


def _carried_on(places: np.ndarray, first: int, past: int, times_s: np.ndarray, near: slice) -> np.ndarray:
    """Places (N, 3) of a sole in an interval, carried on in rows `near` before and after it at the speed it has there, for about CARRY_S.

    So what a lock corrects has no kink where it begins and ends.
    """
    out = places[np.clip(np.arange(near.start, near.stop), first, past - 1)]
    if past - first < 2:
        return out
    for end, inside in ((first, first + 1), (past - 1, past - 2)):
        speed = (places[end] - places[inside]) / abs(times_s[end] - times_s[inside])
        beyond = np.maximum((times_s[near] - times_s[end]) * np.sign(end - inside), 0)
        out = out + (CARRY_S * (1 - np.exp(-beyond / CARRY_S)))[:, None] * speed
    return out


def _faded(away_s: np.ndarray) -> np.ndarray:
    """1 where `away_s` is not positive, fading smoothly to 0 at BLEND_S."""
    return _smoothstep(1 - away_s / BLEND_S)


def _together(asked: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Shifts (T, 2, C) of two points of one foot: each by its share of its own wish, for the rest with the other's."""
    wished = shares[..., None] * asked
    return wished + (1 - shares)[..., None] * wished[:, ::-1]


def _near(height: np.ndarray, gliding: np.ndarray, times_s: np.ndarray, mode: str) -> np.ndarray:
    """Share (T,) with which a sole at `height` (T,) over the ground is set down on it; `gliding` says where it touches."""
    share = np.zeros(len(times_s))
    for first, past in intervals(gliding):
        share = np.maximum(share, _faded(np.maximum(times_s[first] - times_s, times_s - times_s[past - 1])))
    share = share * _smoothstep(2 * (NEAR_GROUND_M - height) / NEAR_GROUND_M)
    low, high = SET_DOWN_M
    return np.maximum(share, _smoothstep((high - height) / (high - low))) if mode == "ground" else share


def _smoothstep(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)


def _foot(offsets: np.ndarray, asked: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Roll of the foot (T, 3, 3) and shift of the ankle (T, 3) that move heel and toe by `asked` (T, 2, 3).

    offsets (T, 2, 3) run from the ankle to heel and toe; their distance can't change, what is left is shared by weight.
    """
    sole = offsets[:, 1] - offsets[:, 0]
    roll = rotations.quat_to_matrix(rotations.between(sole, sole + asked[:, 1] - asked[:, 0]))
    rolled = np.einsum("tab,tpb->tpa", roll, offsets)
    return roll, (weights[..., None] * (offsets + asked - rolled)).sum(1) / weights.sum(1, keepdims=True)


def _reach_for(joints: np.ndarray, targets: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Shift of the whole body (T, 3) that brings ankle targets (T, 2, 3) within reach of the legs, smooth over time."""
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d

    missing = np.zeros((len(targets), 3))
    for leg, (hip, knee, ankle, _) in enumerate(LEGS):
        longest = STRETCH * (np.linalg.norm(joints[0, knee] - joints[0, hip]) + np.linalg.norm(joints[0, ankle] - joints[0, knee]))
        line = targets[:, leg] - joints[:, hip]
        length = np.linalg.norm(line, axis=-1, keepdims=True)
        missing += np.maximum(length - longest, 0) * line / np.maximum(length, 1e-9)
    if not missing.any() or len(times_s) < 2:
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
