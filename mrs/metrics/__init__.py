"""What can be measured of a motion, with units in the names."""

from __future__ import annotations

import numpy as np

from mrs.body import load_body
from mrs.motion import Motion
from mrs.skeletons import SMPL_PARENTS
from mrs.tracks import Track
from mrs.world.ground import TOUCHING, sole_points


def quality(track: Track, motion: Motion, contacts: np.ndarray | None = None) -> dict[str, float]:
    """Measure a world motion against its own evidence.

    `contacts` (T, 4) says when feet stand still; without it the motion's own are used. Give the refined motion's
    contacts to compare it with the lifted one on equal terms.
    """
    contacts = motion.contacts if contacts is None else contacts
    return {"error_2d_percent": round(float(error_2d_percent(track, motion)), 4), **own_quality(motion, contacts)}


def own_quality(motion: Motion, contacts: np.ndarray) -> dict[str, float]:
    """Measure what needs no evidence; `contacts` (T, 4) says when feet stand still."""
    numbers = {
        "jitter_10m_s3": jitter(motion),
        "foot_skate_cm_s": foot_skate(motion, contacts),
        "penetration_cm": penetration(motion),
        "bone_change_mm": bone_change(motion),
        "largest_jump_m": largest_jump(motion),
    }
    return {name: round(float(value), 4) for name, value in numbers.items()}


def error_2d_percent(track: Track, motion: Motion) -> float:
    """Mean distance of reprojected keypoints from detected ones, in percent of the person's height in the picture.

    Weighted by confidence, over frames in which the person was seen; NaN-free: keypoints behind the camera count 100 %.
    """
    if motion.camera is None:
        return 0.0
    share, seen = _errors_2d(track, motion)
    return float(100 * (share * seen).sum() / max(seen.sum(), 1e-9))


def _errors_2d(track: Track, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Distances (T, K) of reprojected from detected keypoints in heights of the person, and the confidences (T, K)."""
    marks = load_body(motion.body).keypoints(motion, track.keypoints)
    away = np.linalg.norm(motion.camera.project(marks) - track.keypoints_px[..., :2], axis=-1)
    return np.nan_to_num(away / track.heights_px()[:, None], nan=1.0), track.keypoints_px[..., 2]


def over_time(track: Track, motion: Motion, contacts: np.ndarray) -> dict[str, np.ndarray]:
    """The measures of :func:`quality` that change over time, each (T,); NaN where there is nothing to measure.

    A slide is the fastest of the heels and toes that `contacts` (T, 4) says stand still in this frame and the one before.
    """
    frames = len(motion)
    out = {name: np.full(frames, np.nan) for name in ("error_2d_percent", "jitter_10m_s3", "foot_skate_cm_s")}
    if motion.camera is not None:
        share, seen = _errors_2d(track, motion)
        total = seen.sum(1)
        out["error_2d_percent"] = np.where(total > 0, 100 * (share * seen).sum(1) / np.maximum(total, 1e-9), np.nan)
    if frames > 3:
        size = np.linalg.norm(derivative(motion.joints_m, motion.times_s, 3), axis=-1).mean(1) / 10
        out["jitter_10m_s3"][2:-1] = size
    if frames > 1:
        speed = 100 * np.linalg.norm(np.diff(sole_points(motion), axis=0), axis=-1) / np.diff(motion.times_s)[:, None]
        still = (contacts[1:] > TOUCHING) & (contacts[:-1] > TOUCHING)
        out["foot_skate_cm_s"][1:] = np.where(still.any(1), np.where(still, speed, -1).max(1), np.nan)
    return out


def jitter(motion: Motion) -> float:
    """Mean size of the third time derivative of the world joints, in units of 10 m/s^3 as WHAM and GVHMR print it."""
    if len(motion) < 4:
        return 0.0
    return float(np.linalg.norm(derivative(motion.joints_m, motion.times_s, 3), axis=-1).mean() / 10)


def derivative(values: np.ndarray, times_s: np.ndarray, order: int) -> np.ndarray:
    """Finite differences (T - order, ...) of any order on uneven times (divided differences)."""
    times = np.asarray(times_s, float)
    for step in range(1, order + 1):
        span = (times[step:] - times[:-step]) / step
        values = np.diff(values, axis=0) / span.reshape(-1, *([1] * (values.ndim - 1)))
    return values


def foot_skate(motion: Motion, contacts: np.ndarray) -> float:
    """Median speed of heels and toes, in cm/s, between frames in which they are both in contact."""
    if len(motion) < 2:
        return 0.0
    soles = sole_points(motion)
    speed = np.linalg.norm(np.diff(soles, axis=0), axis=-1) / np.diff(motion.times_s)[:, None]
    touching = (contacts[1:] > TOUCHING) & (contacts[:-1] > TOUCHING)
    return float(100 * np.median(speed[touching])) if touching.any() else 0.0


def penetration(motion: Motion) -> float:
    """Mean depth of the lowest sole below y = 0, in cm."""
    lowest = sole_points(motion)[..., 1].min(1)
    return float(100 * np.maximum(-lowest, 0).mean())


def bone_change(motion: Motion) -> float:
    """Largest change of any bone's length over the clip, in mm."""
    bones = np.linalg.norm(motion.joints_m[:, 1:] - motion.joints_m[:, SMPL_PARENTS[1:]], axis=-1)
    return float(1000 * (bones.max(0) - bones.min(0)).max())


def largest_jump(motion: Motion) -> float:
    """Largest move of any joint from one frame to the next, in metres."""
    if len(motion) < 2:
        return 0.0
    return float(np.linalg.norm(np.diff(motion.joints_m, axis=0), axis=-1).max())
