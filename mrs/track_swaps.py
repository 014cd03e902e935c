"""Left and right put back where a detector exchanged them.

Every frame is in one of four states: as detected, arms exchanged, legs exchanged, the whole body exchanged. The
sequence of states of least cost is found by dynamic programming over pairs of frames (Viterbi, second order), so
that the cost can compare each keypoint with where the two frames before it send it at constant velocity. A person
who really turns round moves continuously and stays as detected; a burst of exchanged frames has a jump at both ends.

All lengths are in heights of the person and all times in seconds.
"""

from __future__ import annotations

import numpy as np

from mrs.skeletons import Keypoints, mirrored

ARMS, LEGS, HEAD = "arms", "legs", "head"
_GROUP_OF = {
    "shoulder": ARMS, "elbow": ARMS, "wrist": ARMS, "pinky": ARMS, "index": ARMS, "thumb": ARMS, "hand": ARMS,
    "collar": ARMS, "hip": LEGS, "knee": LEGS, "ankle": LEGS, "heel": LEGS, "foot_index": LEGS, "foot": LEGS,
    "big_toe": LEGS, "small_toe": LEGS,
}
_SHARE = {"pinky": 0.25, "index": 0.25, "thumb": 0.25, "hand": 0.25, "heel": 0.5, "foot_index": 0.5, "foot": 0.5,
          "big_toe": 0.25, "small_toe": 0.25}
_FINE_SHARE = 0.02
_IMPORTANCE = {ARMS: 1.0, LEGS: 1.0, HEAD: 0.4}

_ARMS_BIT = np.array([0, 1, 0, 1])
_LEGS_BIT = np.array([0, 0, 1, 1])
_BITS = {ARMS: _ARMS_BIT, LEGS: _LEGS_BIT, HEAD: _ARMS_BIT & _LEGS_BIT}
IDENTITY, ARMS_ONLY, LEGS_ONLY, WHOLE = range(4)

_NOISE = 0.03
_ACCELERATION_PER_S2 = 8.0
_MAX_STEP_S = 0.3
_CHANGE = np.array([[0.0 if a == b else 0.2 for b in range(4)] for a in range(4)])
_HELD_PER_S = np.array([0.0, 0.2, 0.2, 0.25])


def find_swaps(keypoints: Keypoints, points_px: np.ndarray, heights_px: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Return the state (T,) of each frame, 0..3 as in the module's constants, from points (T, K, 3) of seen frames."""
    groups = group_pairs(keypoints)
    if len(times_s) < 2 or not groups:
        return np.zeros(len(times_s), int)
    pairs = [pair for members in groups.values() for pair in members]
    share = np.array([_share(keypoints.names[left][5:]) for left, _ in pairs])
    costs = _pair_costs(points_px[:, np.array(pairs)], share, heights_px, times_s)
    table = np.zeros((len(times_s), 4, 4, 4), np.float32)
    start = 0
    for group, members in groups.items():
        mine = slice(start, start + len(members))
        start = mine.stop
        energy = (costs[:, mine] * share[mine, None, None]).sum(1) * _IMPORTANCE[group] / share[mine].sum()
        first, last = np.broadcast_arrays(*_relative(_BITS[group]))
        table[1:] += energy[:, first, last]
    steps = np.diff(times_s, prepend=times_s[0]).clip(0, _MAX_STEP_S)
    table += _CHANGE[None, None] + steps[:, None, None, None] * _HELD_PER_S
    return _cheapest(table)


def _relative(bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the frame two before (4, 4, 1) and this one (1, 4, 4) are exchanged relative to the one before."""
    return bits[:, None, None] ^ bits[None, :, None], bits[None, None, :] ^ bits[None, :, None]


def undo_swaps(keypoints: Keypoints, points: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Return points (T, K, ...) with left and right exchanged as the states (T,) say."""
    fixed = points.copy()
    for state in (ARMS_ONLY, LEGS_ONLY, WHOLE):
        rows = states == state
        fixed[rows] = points[rows][:, permutation(keypoints, state)]
    return fixed


def permutation(keypoints: Keypoints, state: int) -> np.ndarray:
    """Return the order (K,) of keypoints that a state stands for; each is its own inverse."""
    order = np.arange(len(keypoints))
    for group, pairs in group_pairs(keypoints).items():
        if _BITS[group][state]:
            for left, right in pairs:
                order[left], order[right] = right, left
    return order


def group_pairs(keypoints: Keypoints) -> dict[str, list[tuple[int, int]]]:
    """Return the (left, right) rows of the keypoints of the arms, the legs and the head."""
    groups: dict[str, list[tuple[int, int]]] = {ARMS: [], LEGS: [], HEAD: []}
    for row, name in enumerate(keypoints.names):
        if name.startswith("left_") and mirrored(name) in keypoints.names:
            groups[_GROUP_OF.get(_part(name[5:]), HEAD)].append((row, keypoints.index(mirrored(name))))
    return {group: pairs for group, pairs in groups.items() if pairs}


def _part(name: str) -> str:
    """Return the part that one of many points of a hand or face belongs to: hand_12 is of the hand."""
    return name.rstrip("0123456789").rstrip("_") if name[-1].isdigit() else name


def _share(name: str) -> float:
    """Return how much a keypoint counts: hands and faces of many points must not drown wrists and ears."""
    return _FINE_SHARE if name[-1].isdigit() else _SHARE.get(name, 1.0)


def _pair_costs(sides_px, share, heights_px, times_s) -> np.ndarray:
    """Return the cost (T-1, P, 2, 2) of each pair and step, from the places of its sides (T, P, 2, 3).

    First index: the frame two before is exchanged relative to the one before; second: this frame is. The cost is the
    mean over both sides of w d^2 / (d^2 + s^2) (Geman-McClure): d the distance to the place predicted at constant
    velocity, s the noise of detection plus what acceleration may add within the step (so that after a gap nothing is
    told), w the confidence. What moves
    the whole person alike (a shaking camera) is taken out of d first; it is the same for every exchange.
    """
    places, confidence = sides_px[..., :2], np.sqrt(sides_px[..., 2].clip(0, 1).prod(-1))
    steps = np.diff(times_s)
    velocity = _velocities(places, confidence, steps)
    spread = _NOISE + _ACCELERATION_PER_S2 * steps[:, None, None] ** 2
    weight = np.minimum(confidence[1:], confidence[:-1])
    predicted = [places[:-1] + v * steps[:, None, None, None] for v in velocity]
    shared = _shared_shift((places[1:] - predicted[0]).mean(2), weight * share)
    costs = np.zeros((*weight.shape, 2, 2))
    for before in (0, 1):
        for after in (0, 1):
            found = places[1:, :, ::-1] if after else places[1:]
            away = (found - predicted[before] - shared[:, None, None]) / heights_px[1:, None, None, None]
            squared = (away**2).sum(-1)
            costs[..., before, after] = weight * (squared / (squared + spread**2)).mean(-1)
    return costs


def _shared_shift(errors_px: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weighted mean (T, 2) over pairs of how far their middles (T, P, 2) are from where they should be."""
    total = np.maximum(weight.sum(1), 1e-9)[:, None]
    return (errors_px * weight[..., None]).sum(1) / total


def _velocities(places_px, confidence, steps) -> tuple[np.ndarray, np.ndarray]:
    """Return the velocity (T-1, P, 2, 2) with which each frame but the last was reached, in px/s.

    Two of them: with the frame before as it is, and with it exchanged. Zero where that frame tells too little.
    """
    trust = (np.minimum(confidence[1:-1], confidence[:-2]) > 0.1) & (steps[:-1] <= _MAX_STEP_S)[:, None]
    found = []
    for exchanged in (False, True):
        earlier = places_px[:-2, :, ::-1] if exchanged else places_px[:-2]
        moved = (places_px[1:-1] - earlier) / steps[:-1, None, None, None]
        velocity = np.zeros((len(steps), *places_px.shape[1:]))
        velocity[1:] = np.where(trust[..., None, None], moved, 0.0)
        found.append(velocity)
    return found[0], found[1]


def _cheapest(table: np.ndarray) -> np.ndarray:
    """Return the cheapest sequence of states (T,) for costs (T, 4, 4, 4) of the last state but one, the last, this."""
    count = len(table)
    cost = np.where(np.arange(4)[:, None] == np.arange(4)[None], 0.0, np.inf)
    came = np.zeros((count, 4, 4), np.int8)
    for row in range(1, count):
        total = cost[:, :, None] + table[row]
        came[row] = total.argmin(0)
        cost = total.min(0)
    states = np.zeros(count, int)
    before, states[-1] = np.unravel_index(cost.argmin(), cost.shape)
    for row in range(count - 1, 0, -1):
        states[row - 1], before = before, came[row, before, states[row]]
    return states
