"""Put a wrong start right: several hypotheses a frame, chosen over time, and turns through what was not seen.

Regressors turn people front to back, mirror their depth, exchange legs and set inverted bodies upright (SFV trained its
networks on turned pictures for that). Every frame has HYPOTHESES; Viterbi's path through them weighs how well each meets
the 2D evidence and its joint limits against how far bodies turn from frame to frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.refine.clip import frame_steps
from mrs.skeletons import SMPL_24, Keypoints
from mrs.world.resection import resect

HYPOTHESES = ("as lifted", "front to back", "depth mirrored", "legs exchanged", "upside down")
ODDS = np.array([0.0, 1.5, 2.5, 2.0, 2.0])
ERROR_SCALE = 0.04
EVIDENCE = 3.0
TURN_RAD = 0.45
TURN_RAD_S = 6.0
MOST_TURN = 6.0
STEADY = SMPL_24.indices("pelvis", "spine2", "left_hip", "right_hip", "left_knee", "right_knee")
LEFT_LEG = SMPL_24.indices("left_hip", "left_knee", "left_ankle", "left_foot")
RIGHT_LEG = SMPL_24.indices("right_hip", "right_knee", "right_ankle", "right_foot")
FEET = SMPL_24.indices("left_ankle", "right_ankle", "left_foot", "right_foot")


@dataclass(frozen=True)
class Chosen:
    """Global rotations (T, 24, 3, 3) in the camera's axes, which hypothesis each frame got (T,), and its median 2D error (T,) in heights."""

    turned: np.ndarray
    hypothesis: np.ndarray
    error: np.ndarray

    def report(self) -> dict[str, int]:
        """How many frames were put right, by hypothesis."""
        return {name: int((self.hypothesis == row).sum()) for row, name in enumerate(HYPOTHESES) if row}


def hypotheses(turned: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """All hypotheses (H, T, 24, 3, 3) of bodies (T, 24, 3, 3) in camera axes, seen along unit rays (T, 3)."""
    up = turned[:, 0, :, 1]
    about_up = rotations.axis_angle_to_matrix(np.pi * up)[:, None]
    about_ray = rotations.axis_angle_to_matrix(np.pi * rays)[:, None]
    legs = turned.copy()
    legs[:, LEFT_LEG], legs[:, RIGHT_LEG] = turned[:, RIGHT_LEG], turned[:, LEFT_LEG]
    return np.stack([turned, about_up @ turned, _mirrored(turned, rays), legs, about_ray @ turned])


def _mirrored(turned: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Bodies mirrored along the line of sight: G' = M G diag(1, 1, -1) keeps bones, which lie in the rest pose's plane.

    Feet point out of that plane and keep their turn against the shin.
    """
    mirror = np.eye(3) - 2 * rays[:, :, None] * rays[:, None, :]
    out = mirror[:, None] @ turned @ np.diag([1.0, 1, -1])
    for foot in FEET:
        shin = foot - 3 if foot < 10 else foot - 6
        out[:, foot] = out[:, shin] @ np.swapaxes(turned[:, shin], -1, -2) @ turned[:, foot]
    return out


def choose(body, keypoints: Keypoints, keypoints_px: np.ndarray, weights: np.ndarray, heights_px: np.ndarray,
           turned: np.ndarray, betas: np.ndarray, K: np.ndarray, times_s: np.ndarray, rays: np.ndarray) -> Chosen:
    """Choose one hypothesis a frame. turned (T, 24, 3, 3) in camera axes; weights (T, K) of the keypoints."""
    every = hypotheses(turned, rays)
    medians, unary = [], []
    for guess, odds in zip(every, ODDS, strict=True):
        error, median = _errors_2d(body, keypoints, keypoints_px, weights, heights_px, guess, betas, K)
        medians.append(median)
        unary.append(odds + EVIDENCE * np.nan_to_num((error / ERROR_SCALE) ** 2 / (1 + (error / (3 * ERROR_SCALE)) ** 2)) + _limits(guess))
    unary = np.stack(unary)
    seen = (weights > 0).sum(1) >= 4
    unary[:, ~seen] = ODDS[:, None]
    path = _viterbi(unary * frame_steps(times_s), every, times_s)
    rows = np.arange(len(times_s))
    return Chosen(every[path, rows], path, np.stack(medians)[path, rows])


def _errors_2d(body, keypoints, keypoints_px, weights, heights_px, turned, betas, K) -> tuple[np.ndarray, np.ndarray]:
    """2D errors in heights of bodies placed as well as they can be: root of the weighted mean of capped squares (T,), and weighted median (T,)."""
    share, moments = body.landmark_moments(keypoints.names, betas)
    joints = body.place(np.zeros((len(turned), 3)), turned, betas)
    marks = share @ joints + _carried(turned, moments)
    root, _ = resect(marks, keypoints_px[..., :2], weights, K, rounds=4, robust_px=0.1 * heights_px)
    placed = marks + root[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        px = placed[..., :2] / placed[..., 2:] * K[..., None, [0, 1], [0, 1]] + K[..., None, :2, 2]
        square = ((px - keypoints_px[..., :2]) ** 2).sum(-1) / heights_px[:, None] ** 2
    square = np.minimum(np.nan_to_num(square, nan=0.04), 0.04)
    total = weights.sum(1)
    order = np.argsort(square, 1)
    below = np.cumsum(np.take_along_axis(weights, order, 1), 1)
    middle = (below >= 0.5 * total[:, None]).argmax(1)[:, None]
    median = np.take_along_axis(np.take_along_axis(square, order, 1), middle, 1)[:, 0]
    return np.sqrt((weights * square).sum(1) / np.maximum(total, 1e-9)), np.sqrt(median)


def _carried(turned: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """sum_j G_tj m_kj (T, K, 3), as one matrix product: einsum would loop."""
    flat = np.swapaxes(turned, 1, 2).reshape(len(turned), 3, -1)
    return np.swapaxes(flat @ moments.reshape(len(moments), -1).T, 1, 2)


def _limits(turned: np.ndarray) -> np.ndarray:
    """Cost (T,) of knees and elbows bent the wrong way."""
    cost = np.zeros(len(turned))
    for joint, axis, sign, limit in ((4, 1, -1.0, 1), (5, 1, -1.0, 1), (18, 0, 1.0, -1), (19, 0, -1.0, -1)):
        parent = joint - 3 if joint < 6 else joint - 2
        bone = sign * np.einsum("tba,tb->ta", turned[:, parent], turned[:, joint, :, axis])
        cost += np.maximum(limit * bone[:, 2] - 0.1, 0) ** 2
    return 4 * cost


def _viterbi(unary: np.ndarray, every: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Path (T,) of least cost: unary (H, T), and between frames how far the steady joints turn beyond what people can."""
    count, frames = unary.shape
    best, back = unary[:, 0], np.zeros((frames, count), int)
    for row, between in enumerate(_turning(every, times_s), 1):
        total = best[:, None] + between
        back[row] = total.argmin(0)
        best = total.min(0) + unary[:, row]
    path = np.empty(frames, int)
    path[-1] = best.argmin()
    for row in range(frames - 1, 0, -1):
        path[row - 1] = back[row, path[row]]
    return path


def _turning(every: np.ndarray, times_s: np.ndarray):
    """Cost (H, H) of turning from each hypothesis of a frame to each of the next, frame after frame."""
    steady = every[:, :, STEADY]
    for low in range(0, len(times_s) - 1, 512):
        rows = slice(low, min(low + 512, len(times_s) - 1))
        after = steady[:, low + 1 : rows.stop + 1]
        cosine = (np.einsum("htjab,gtjab->thgj", steady[:, rows], after, optimize=True) - 1) / 2
        allowed = TURN_RAD + TURN_RAD_S * np.diff(times_s[low : rows.stop + 1])
        angle = np.arccos(np.clip(cosine, -1, 1)) / allowed[:, None, None, None]
        yield from np.minimum(angle**2, MOST_TURN).mean(-1)


def turn_through_gaps(turned: np.ndarray, seen: np.ndarray, times_s: np.ndarray, *, shortest_s: float = 0.06,
                      look_s: float = 0.12) -> tuple[np.ndarray, list[dict]]:
    """Fill unseen stretches: limbs by the shortest way, the whole body by the turn that its spin on both sides foretells.

    turned (T, 24, 3, 3) in world axes. A body that somersaults into a gap comes out having turned on: among the turns
    that join both sides (the short way and whole turns more or less) the one nearest to spin x time is taken, the short
    way where spin does not call for more. Returns the rotations and what was turned the long way.
    """
    out, told = turned.copy(), []
    for first, past in _gaps(seen):
        if first == 0 or past == len(seen) or times_s[past] - times_s[first - 1] < shortest_s:
            continue
        a, b = first - 1, past
        span = times_s[b] - times_s[a]
        spin = [_spin(turned[:, 0], times_s, a, -look_s, seen), _spin(turned[:, 0], times_s, b, look_s, seen)]
        spin = [s for s in spin if s is not None]
        short = rotations.matrix_to_axis_angle(turned[b, 0] @ turned[a, 0].T)
        way = _way(short, np.mean(spin, 0) * span if spin else short)
        share = (times_s[first:past] - times_s[a]) / span
        whole = rotations.axis_angle_to_matrix(share[:, None] * way)
        local = [np.swapaxes(turned[r, :1], -1, -2) @ turned[r] for r in (a, b)]
        quats = rotations.slerp(*(rotations.matrix_to_quat(m)[None] for m in local), share[:, None])
        out[first:past] = whole[:, None] @ turned[a, 0] @ rotations.quat_to_matrix(quats)
        if np.linalg.norm(way - short) > 1e-6:
            told.append({"from_s": float(times_s[a]), "to_s": float(times_s[b]), "turn_deg": float(np.degrees(np.linalg.norm(way)))})
    return out, told


def _way(short: np.ndarray, foretold: np.ndarray) -> np.ndarray:
    """The rotation vector that joins both sides and is nearest to what the spin foretells."""
    angle = np.linalg.norm(short)
    if np.linalg.norm(foretold) < np.radians(100):
        return short
    axis = short / angle if angle > 1e-3 else foretold / np.linalg.norm(foretold)
    ways = [short] + [(angle + 2 * np.pi * turns) * axis for turns in (-2, -1, 1)]
    return min(ways, key=lambda way: np.linalg.norm(way - foretold))


def _spin(root: np.ndarray, times_s: np.ndarray, row: int, look_s: float, seen: np.ndarray) -> np.ndarray | None:
    """Mean angular velocity (3,) in rad/s over the seen frames between `row` and `look_s` further; None without any."""
    low, high = sorted((times_s[row], times_s[row] + look_s))
    rows = np.flatnonzero(seen & (times_s >= low - 1e-6) & (times_s <= high + 1e-6))
    if len(rows) < 2 or times_s[rows[-1]] - times_s[rows[0]] < 0.02:
        return None
    steps = rotations.matrix_to_axis_angle(root[rows[1:]] @ np.swapaxes(root[rows[:-1]], -1, -2))
    return steps.sum(0) / (times_s[rows[-1]] - times_s[rows[0]])


def _gaps(seen: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, (~seen).astype(int), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def unswapped(projected_px: np.ndarray, keypoints_px: np.ndarray, keypoints: Keypoints, heights_px: np.ndarray) -> tuple[np.ndarray, int]:
    """Put left and right of arms and legs back where the other side's place is where they are seen.

    projected_px (T, K, 2) is where a smooth body has them, keypoints_px (T, K, 3) what was seen. A pair of limbs is
    exchanged where that takes its mean error from above 0.06 heights to less than half. Returns the keypoints and how
    many limbs were exchanged.
    """
    out, count = keypoints_px.copy(), 0
    for parts in (("shoulder", "elbow", "wrist", "pinky", "index", "thumb"), ("hip", "knee", "ankle", "heel", "foot_index", "big_toe", "small_toe")):
        left = [i for i, n in enumerate(keypoints.names) if n.startswith("left_") and n[5:] in parts]
        right = [keypoints.flip[i] for i in left]
        both = left + right
        if not left:
            continue
        other = keypoints_px[:, right + left]
        now = _mean_error(projected_px[:, both], keypoints_px[:, both])
        then = _mean_error(projected_px[:, both], other)
        swap = (now > 0.06 * heights_px) & (then < 0.5 * now)
        out[np.ix_(swap, both)] = other[swap]
        count += int(swap.sum())
    return out, count


def _mean_error(projected: np.ndarray, seen: np.ndarray) -> np.ndarray:
    weight = seen[..., 2]
    away = np.nan_to_num(np.linalg.norm(projected - seen[..., :2], axis=-1), nan=1e6)
    return (weight * away).sum(1) / np.maximum(weight.sum(1), 1e-9)
