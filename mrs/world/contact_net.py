"""Contact probability of heels and toes from a small network that looks at half a second of motion and picture.

    contacts = foot_contacts(motion, track)     # (T, 4): left heel, left toe, right heel, right toe

The motion is read on an even grid of about 30 Hz, so that the answer does not depend on the frame rate. One network
answers for one foot, given "this foot" and "the other" in the pelvis's own axes: for the right foot it sees the mirror
image. It is asked twice, the second time with time reversed, and the two answers are averaged. A mirrored motion
therefore gets the mirrored contacts, a reversed one the reversed contacts, exactly. Weights: tools/train_contacts.py.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mrs import rotations
from mrs.motion import Motion
from mrs.tracks import Track
from mrs.world.contact import long_enough

WEIGHTS = "models/foot_contacts.npz"
GRID_HZ = 30.0
TAPS = (-8, -5, -3, -2, -1, 0, 1, 2, 3, 5, 8)
NEAR_S, WIDE_S = 0.25, 1.0
SHORTEST_S = 0.06
FEET = (("heel", ("heel", "ankle")), ("toe", ("foot_index", "big_toe", "ankle")))


def foot_contacts(motion: Motion, track: Track | None = None) -> np.ndarray:
    """Contact probability (T, 4) of left heel, left toe, right heel, right toe of a world motion.

    `track` adds how fast the feet move across the picture and how well they are seen; without one, and for a camera
    that turns, the network answers from the motion alone. Fewer than three frames show no contact.
    """
    times = motion.times_s
    if len(times) < 3:
        return np.zeros((len(times), 4))
    at = grid(times)
    sides = features(motion, track, at)
    known = np.concatenate([logits(network(), side) for side in sides], -1)
    likely = 1 / (1 + np.exp(-np.clip(known, -30, 30)))
    likely = np.stack([np.interp(times, at, column) for column in likely.T], -1)
    return without_short(likely, times)


def without_short(likely: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Probabilities (T, F), at most a half in intervals shorter than SHORTEST_S; doubts stay as they are."""
    touching = likely > 0.5
    return np.where(touching & ~long_enough(touching, times_s, SHORTEST_S), 0.5, likely)


def grid(times_s: np.ndarray) -> np.ndarray:
    """Even times of about GRID_HZ from the first to the last: the same ones when time is reversed."""
    steps = max(round((times_s[-1] - times_s[0]) * GRID_HZ), 2)
    return np.linspace(times_s[0], times_s[-1], steps + 1)


@lru_cache(maxsize=1)
def network() -> dict[str, np.ndarray]:
    """Load the embedded weights. Raises MissingError where their file is absent."""
    from mrs.data import asset_path

    with np.load(asset_path(WEIGHTS), allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def logits(net: dict[str, np.ndarray], side: np.ndarray) -> np.ndarray:
    """Log odds (T, 2) of heel and toe from one side's features (T, F): the mean over both directions of time."""
    rows = np.clip(np.arange(len(side))[:, None] + np.array(TAPS), 0, len(side) - 1)
    seen = ((side - net["mean"]) / net["size"]).astype(np.float32)[rows].reshape(len(side), -1)
    first = net["w0"].reshape(len(TAPS), -1, net["w0"].shape[-1])
    back = (first[::-1] * odd_signs()[:, None]).reshape(net["w0"].shape)
    out = 0.0
    for w0 in (net["w0"], back):
        hidden = np.maximum(seen @ w0 + net["b0"], 0)
        hidden = np.maximum(hidden @ net["w1"] + net["b1"], 0)
        out = out + 0.5 * (hidden @ net["w2"] + net["b2"])
    return out


# What one side's features are, in order: (numbers, whether reversing time turns their sign).
LAYOUT = (
    ("heights of this heel, toe, the other heel, toe over the lowest sole within NEAR_S", 4, False),
    ("the same over the lowest sole within WIDE_S", 4, False),
    ("their speeds across the line of sight", 4, False),
    ("their sizes of acceleration across the line of sight", 4, False),
    ("their vertical velocities", 4, True),
    ("this knee, ankle, the other knee, ankle from the pelvis, in its axes", 12, False),
    ("up in the pelvis's axes", 3, False),
    ("height of the pelvis over the lowest sole within WIDE_S", 1, False),
    ("speed of the pelvis across the line of sight", 1, False),
    ("vertical acceleration of the mean of all joints", 1, False),
    ("vertical velocity of the mean of all joints", 1, True),
    ("speeds of this heel, toe, the other heel, toe across the picture", 4, False),
    ("how well these are seen", 4, False),
)
SIZE = sum(count for _, count, _ in LAYOUT)
PICTURE = slice(SIZE - 8, SIZE)


def odd_signs() -> np.ndarray:
    """Signs (F,) that reversing time gives to the features."""
    return np.concatenate([np.full(count, -1.0 if odd else 1.0, np.float32) for _, count, odd in LAYOUT])


def features(motion: Motion, track: Track | None, at_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, F) at times (N,) for the left and for the right foot, after LAYOUT, each within about -1..1."""
    from mrs.world.ground import sole_points

    points = np.concatenate([sole_points(motion), motion.joints_m], 1)
    points = _at(motion.times_s, points, at_s)
    soles, joints = points[:, :4], points[:, 4:]
    eye = None if motion.camera is None else np.asarray(motion.camera.to_world(np.zeros(3)))
    still = eye is None or eye.ndim == 1
    eye = eye if still else _at(motion.times_s, eye, at_s)[:, None]
    turned = rotations.quat_to_matrix(rotations.resample(motion.local_quat_wxyz[:, 0], motion.times_s, at_s))
    rate = 1 / (at_s[1] - at_s[0])
    lowest = soles[..., 1].min(1)
    near, wide = (_running_least(lowest, round(reach * rate)) for reach in (NEAR_S, WIDE_S))
    velocity, acceleration = _across(soles, eye, rate)
    mean = joints.mean(1)[:, 1]
    fall = np.gradient(mean) * rate
    root = _across(joints[:, :1], eye, rate)[0]
    own = np.einsum("tba,tpb->tpa", turned, joints[:, [4, 7, 5, 8]] - joints[:, :1])
    whole = np.stack([_bounded(joints[:, 0, 1] - wide, 1.0), _bounded(root[:, 0], 1.0),
                      _bounded(np.gradient(fall) * rate, 10.0), _bounded(fall, 1.0)], -1)
    speeds, seen = picture(track if still else None, motion.times_s, at_s)
    sides = []
    for order, sign in (((0, 1, 2, 3), 1.0), ((2, 3, 0, 1), -1.0)):
        order, flip = list(order), np.array([sign, 1, 1])
        parts = [_bounded(soles[:, order, 1] - near[:, None], 0.1), _bounded(soles[:, order, 1] - wide[:, None], 0.1),
                 _bounded(velocity[:, order], 0.5), _bounded(acceleration[:, order], 10.0),
                 _bounded(np.gradient(soles[:, order, 1], axis=0) * rate, 0.5),
                 (own[:, order] * flip).reshape(len(at_s), -1), turned[:, 1] * flip, whole,
                 _bounded(speeds[:, order], 0.3), seen[:, order]]
        sides.append(np.concatenate(parts, -1))
    return sides[0], sides[1]


def _bounded(values: np.ndarray, scale: float) -> np.ndarray:
    """Squash values into -1..1: half at `scale`, its sign kept."""
    return values / (np.abs(values) + scale)


def _at(times_s: np.ndarray, values: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Interpolate (T, ...) linearly to other times."""
    right = np.clip(np.searchsorted(times_s, at_s), 1, len(times_s) - 1)
    share = np.clip((at_s - times_s[right - 1]) / (times_s[right] - times_s[right - 1]), 0, 1)
    share = share.reshape(-1, *([1] * (values.ndim - 1)))
    return values[right - 1] * (1 - share) + values[right] * share


def _running_least(values: np.ndarray, reach: int) -> np.ndarray:
    from scipy.ndimage import minimum_filter1d

    return minimum_filter1d(values, 2 * reach + 1, mode="nearest")


def _across(points: np.ndarray, eye: np.ndarray | None, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Sizes (N, P) of velocity and acceleration of points (N, P, 3), across the line of sight from `eye` where it is known."""
    velocity = np.gradient(points, axis=0) * rate
    acceleration = np.gradient(velocity, axis=0) * rate
    if eye is not None:
        ray = rotations.normalise(points - eye)
        velocity, acceleration = (v - (v * ray).sum(-1, keepdims=True) * ray for v in (velocity, acceleration))
    return np.linalg.norm(velocity, axis=-1), np.linalg.norm(acceleration, axis=-1)


def picture(track: Track | None, times_s: np.ndarray, at_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Speeds (N, 4) of heels and toes across the picture over 2/15 s, in person heights a second, and confidence (N, 4).

    Both are 0 without a track; a speed is 0 where the point is not seen at both ends.
    """
    if track is None or not track.seen.any():
        return np.zeros((len(at_s), 4)), np.zeros((len(at_s), 4))
    names, columns = track.keypoints.names, []
    for side in ("left", "right"):
        for _, options in FEET:
            known = [names.index(f"{side}_{o}") for o in options if f"{side}_{o}" in names]
            columns.append(known[0] if known else -1)
    px = track.keypoints_px[:, columns] * (np.array(columns) >= 0)[:, None]
    high = np.interp(at_s, times_s[track.seen], track.heights_px()[track.seen])
    sure = _at(times_s, px[..., 2], at_s)
    place = np.stack([_interpolated(times_s, px[:, k], at_s) for k in range(4)], 1)
    rows = np.arange(len(at_s))
    before, after = np.maximum(rows - 2, 0), np.minimum(rows + 2, len(rows) - 1)
    moved = np.linalg.norm(place[after] - place[before], axis=-1) / (at_s[after] - at_s[before])[:, None]
    sure = np.minimum(sure, np.minimum(sure[before], sure[after]))
    return np.where(sure > 0.2, moved / np.maximum(high, 1.0)[:, None], 0.0), sure


def _interpolated(times_s: np.ndarray, px: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Places (N, 2) of one keypoint (T, 3), over the frames where it was seen."""
    use = px[:, 2] > 0.2
    if not use.any():
        return np.zeros((len(at_s), 2))
    return np.stack([np.interp(at_s, times_s[use], px[use, axis]) for axis in range(2)], -1)
