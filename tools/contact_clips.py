"""Clean motions to film for the contact classifier, and the contacts of their soles.

Beside the clips themselves: clips with a ballistic flight put in (some with a somersault), rolls on the ground and
crawling, made of the same poses, since the clips for training hold none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.ndimage import minimum_filter1d

from mrs import rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.world.ground import sole_points

GRAVITY_M_S2 = 9.81
SLOW_M_S, SLID_M_S = 0.35, 0.60
LOW_M, LIFTED_M = 0.045, 0.07
FLOOR_S, FLOOR_RISE_M = 0.5, 0.08
SHORTEST_S = 0.06


def contacts(motion: Motion, flat: bool = False) -> np.ndarray:
    """Whether each sole (T, 4) of a clean motion touches: slow and low, with hysteresis in both.

    Height counts over the lowest sole within FLOOR_S, at most FLOOR_RISE_M over the clip's own floor, or over y = 0
    where it is known to be `flat`: retargeted clips rise and sink by a few centimetres, and feet that stand slide by
    some 15 cm/s.
    """
    soles, times = sole_points(motion), motion.times_s
    rate = (len(times) - 1) / (times[-1] - times[0])
    speed = np.linalg.norm(np.gradient(soles, times, axis=0), axis=-1)
    height = heights(motion, flat)
    sure = (speed < SLOW_M_S) & (height < LOW_M)
    may = (speed < SLID_M_S) & (height < LIFTED_M)
    return np.stack([_hysteresis(sure[:, k], may[:, k], max(round(SHORTEST_S * rate), 1)) for k in range(4)], -1)


def heights(motion: Motion, flat: bool = False) -> np.ndarray:
    """Heights (T, 4) of the soles over the floor."""
    rise = sole_points(motion)[..., 1]
    lowest = rise.min(1)
    rate = (len(rise) - 1) / (motion.times_s[-1] - motion.times_s[0])
    floor = minimum_filter1d(lowest, 2 * round(FLOOR_S * rate) + 1, mode="nearest")
    floor = np.zeros_like(lowest) if flat else np.minimum(floor, np.percentile(lowest, 5) + FLOOR_RISE_M)
    return rise - floor[:, None]


def _hysteresis(sure: np.ndarray, may: np.ndarray, shortest: int) -> np.ndarray:
    """Runs of `may` that hold something `sure` and last at least `shortest` frames."""
    out = np.zeros_like(may)
    edges = np.flatnonzero(np.diff(np.r_[0, may.astype(int), 0]))
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        out[start:end] = sure[start:end].any() and end - start >= shortest
    return out


def with_flight(motion: Motion, rng) -> Motion:
    """Throw the body up at some moment, for 0.35 to 0.9 s; half of the time it somersaults."""
    lasts = rng.uniform(0.35, 0.9)
    start = rng.uniform(0.3, max(motion.times_s[-1] - lasts - 0.3, 0.31))
    air = np.clip(motion.times_s - start, 0, lasts)
    root = motion.root_pos_m + (0.5 * GRAVITY_M_S2 * air * (lasts - air))[:, None] * [0, 1, 0]
    share = air / lasts
    turn = rng.choice([0, 0, 1, -1]) * 2 * np.pi * share * share * (3 - 2 * share)
    axis = rotations.axis_angle_to_quat(turn[:, None] * np.array([1.0, 0, 0]))
    quats = motion.local_quat_wxyz.copy()
    quats[:, 0] = rotations.quat_multiply(quats[:, 0], axis)
    return load_body().motion(motion.times_s, root, rotations.align_hemispheres(quats), motion.betas)


def rolling(motion: Motion, rng) -> Motion:
    """Tuck the poses and roll them over the ground, forwards or backwards, once in 1 to 2 s."""
    lasts = rng.uniform(1.0, 2.0)
    start = rng.uniform(0.2, max(motion.times_s[-1] - lasts - 0.2, 0.21))
    share = np.clip((motion.times_s - start) / lasts, 0, 1)
    share = share * share * (3 - 2 * share)
    tucked = np.sin(np.pi * share) ** 0.5
    quats = _towards(motion.local_quat_wxyz, TUCK, tucked)
    turn = rng.choice([1, -1]) * 2 * np.pi * share
    upright = _upright(motion)
    quats[:, 0] = rotations.quat_multiply(upright, rotations.axis_angle_to_quat(turn[:, None] * np.array([1.0, 0, 0])))
    ahead = rotations.quat_rotate(upright, np.array([0, 0, 1.0]))
    way = np.cumsum(np.r_[0, np.diff(turn)][:, None] * 0.3 * ahead, 0)
    return grounded(motion, motion.root_pos_m * [0.2, 0, 0.2] + way, quats)


def crawling(motion: Motion, rng) -> Motion:
    """Put the poses on hands and knees, legs and arms swinging, creeping on."""
    times = motion.times_s
    phase = 2 * np.pi * times / rng.uniform(0.9, 1.8)
    pose = np.tile(CRAWL, (len(times), 1, 1))
    for joint, sign in ((1, 1), (2, -1), (16, -1), (17, 1)):
        swing = rotations.axis_angle_to_quat(rng.uniform(0.15, 0.4) * sign * np.sin(phase)[:, None] * np.array([1.0, 0, 0]))
        pose[:, joint] = rotations.quat_multiply(swing, pose[:, joint])
    quats = rotations.slerp(motion.local_quat_wxyz, pose, np.full((len(times), 24), rng.uniform(0.6, 0.95)))
    upright = _upright(motion)
    pitch = np.array([rng.uniform(1.1, 1.5), 0, 0]) * np.ones((len(times), 1))
    quats[:, 0] = rotations.quat_multiply(upright, rotations.axis_angle_to_quat(pitch))
    ahead = rotations.quat_rotate(upright, np.array([0, 0, 1.0]))
    way = np.cumsum(ahead * np.gradient(times)[:, None] * rng.uniform(0.1, 0.5), 0)
    return grounded(motion, way, quats)


def grounded(motion: Motion, root_pos_m: np.ndarray, quats: np.ndarray) -> Motion:
    """A motion whose lowest vertex lies at y = 0 in every frame, smoothed a little."""
    from scipy.ndimage import gaussian_filter1d

    body = load_body()
    placed = body.motion(motion.times_s, root_pos_m * [1, 0, 1], rotations.align_hemispheres(quats), motion.betas)
    low = np.concatenate([body.vertices(placed, slice(k, k + 16))[..., 1].min(1) for k in range(0, len(placed), 16)])
    low = gaussian_filter1d(low, 1.5, mode="nearest")
    return replace(placed, root_pos_m=placed.root_pos_m - low[:, None] * [0, 1, 0],
                   joints_m=placed.joints_m - low[:, None, None] * [0, 1, 0])


def _upright(motion: Motion) -> np.ndarray:
    """Headings (T, 4) of the pelvis as turns about Y, smoothed over time."""
    facing = rotations.quat_rotate(motion.local_quat_wxyz[:, 0], np.array([0, 0, 1.0]))
    angle = np.unwrap(np.arctan2(facing[:, 0], facing[:, 2]))
    return rotations.axis_angle_to_quat(angle[:, None] * np.array([0, 1.0, 0]))


def _towards(quats: np.ndarray, pose: np.ndarray, share: np.ndarray) -> np.ndarray:
    target = np.broadcast_to(pose, quats.shape)
    return rotations.slerp(quats, target, np.repeat(share[:, None], 24, 1))


def _pose(**turns) -> np.ndarray:
    from mrs.skeletons import SMPL_24

    out = np.zeros((24, 3))
    for name, turn in turns.items():
        out[SMPL_24.index(name)] = np.radians(turn)
    return rotations.axis_angle_to_quat(out)


TUCK = _pose(left_hip=(-115, 0, 0), right_hip=(-115, 0, 0), left_knee=(120, 0, 0), right_knee=(120, 0, 0),
             spine1=(25, 0, 0), spine2=(25, 0, 0), spine3=(20, 0, 0), neck=(30, 0, 0), left_shoulder=(0, -60, -50),
             right_shoulder=(0, 60, 50), left_elbow=(0, -80, 0), right_elbow=(0, 80, 0))
CRAWL = _pose(left_hip=(-85, 0, 0), right_hip=(-85, 0, 0), left_knee=(85, 0, 0), right_knee=(85, 0, 0),
              left_ankle=(40, 0, 0), right_ankle=(40, 0, 0), neck=(-20, 0, 0), left_shoulder=(0, -80, 0),
              right_shoulder=(0, 80, 0))
