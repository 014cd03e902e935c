"""Which feet stand still on something: contact probabilities from motion and the picture."""

from __future__ import annotations

import numpy as np

from mrs.cameras import Camera
from mrs.motion import Motion
from mrs.skeletons import Keypoints

SPEED_M_S, SPEED_WIDTH = 0.40, 0.06
HEIGHT_M, HEIGHT_WIDTH = 0.12, 0.03
REACH_S = 0.25
SHORTEST_S = 0.10
HANDS = Keypoints("hands", ("left_index", "left_pinky", "left_thumb", "right_index", "right_pinky", "right_thumb"))
HAND_HEIGHT_M, HAND_WIDTH = 0.13, 0.025


def contact_probabilities(soles_m: np.ndarray, times_s: np.ndarray, camera: Camera | None,
                          seen: np.ndarray | None = None) -> np.ndarray:
    """Contact probability (T, 4) of soles (T, 4, 3) in the world.

    A sole touches while it is slow and low: slow across the line of sight, since speed along it is mostly noise of
    monocular depth, and low against the lowest sole within REACH_S. `seen` (T, 4) scales down what was not seen.
    Intervals shorter than SHORTEST_S are dropped.
    """
    if len(times_s) < 3:
        return np.zeros(soles_m.shape[:2])
    speed = _speed_across(soles_m, times_s, camera)
    slow = _falling(speed, SPEED_M_S, SPEED_WIDTH)
    low = _falling(soles_m[..., 1] - _local_floor(soles_m[..., 1].min(1), times_s)[:, None], HEIGHT_M, HEIGHT_WIDTH)
    likely = slow * low if seen is None else slow * low * np.clip(seen, 0, 1)
    return likely * long_enough(likely > 0.5, times_s)


def hand_contacts(motion: Motion, ground_m: float) -> np.ndarray:
    """Probability (T, 2) that the left and the right hand rest on the ground, by rule: its lowest knuckle is low and slow.

    For cartwheels, rolls and crawling. Speed counts across the line of sight where a camera is known, as for feet.
    """
    from mrs.body import load_body

    if len(motion) < 3:
        return np.zeros((len(motion), 2))
    knuckles = load_body(motion.body).keypoints(motion, HANDS)
    sides = knuckles.reshape(len(motion), 2, 3, 3)
    low = _falling(sides[..., 1].min(2) - ground_m, HAND_HEIGHT_M, HAND_WIDTH)
    slow = _falling(_speed_across(sides.mean(2), motion.times_s, motion.camera), SPEED_M_S, SPEED_WIDTH)
    return low * slow * long_enough(low * slow > 0.5, motion.times_s)


def _falling(values: np.ndarray, middle: float, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip((values - middle) / width, -40, 40)))


def _speed_across(points: np.ndarray, times_s: np.ndarray, camera: Camera | None) -> np.ndarray:
    """Speeds (T, P) in m/s over about a tenth of a second, across the line of sight where a camera is known."""
    reach = 0.05
    before = np.searchsorted(times_s, times_s - reach - 1e-9)
    after = np.minimum(np.searchsorted(times_s, times_s + reach + 1e-9, side="right") - 1, len(times_s) - 1)
    after = np.maximum(after, np.minimum(before + 1, len(times_s) - 1))
    before = np.minimum(before, after - 1)
    velocity = (points[after] - points[before]) / np.maximum(times_s[after] - times_s[before], 1e-6)[:, None, None]
    if camera is not None:
        ray = points - camera.centre_m[..., None, :]
        ray /= np.maximum(np.linalg.norm(ray, axis=-1, keepdims=True), 1e-9)
        velocity = velocity - (velocity * ray).sum(-1, keepdims=True) * ray
    return np.linalg.norm(velocity, axis=-1)


def _local_floor(lowest: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Lowest value within REACH_S of each frame."""
    left = np.searchsorted(times_s, times_s - REACH_S)
    right = np.searchsorted(times_s, times_s + REACH_S, side="right")
    return np.array([lowest[a:b].min() for a, b in zip(left, right, strict=True)])


def long_enough(touching: np.ndarray, times_s: np.ndarray, shortest_s: float = SHORTEST_S) -> np.ndarray:
    """Keep runs of True in (T, F) that last `shortest_s` or longer."""
    keep = np.zeros_like(touching)
    for foot in range(touching.shape[1]):
        edges = np.flatnonzero(np.diff(np.r_[0, touching[:, foot].astype(int), 0]))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            keep[start:end, foot] = times_s[end - 1] - times_s[start] >= shortest_s - 1e-6
    return keep
