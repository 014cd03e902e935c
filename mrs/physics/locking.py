"""Keep what stands in one place: the ankle goes where the sole that touches stays, so that a foot may roll from heel to toes."""

from __future__ import annotations

import numpy as np

from mrs.motion import Motion
from mrs.physics.kinematics import contacts_of
from mrs.physics.series import runs
from mrs.skeletons import SMPL_24
from mrs.world.contact import contact_probabilities
from mrs.world.ground import TOUCHING, sole_points

BLEND_S = 0.15
LOWER_M = 0.005
ANKLES = SMPL_24.indices("left_ankle", "right_ankle")
# What to do with feet that touch: "hold" them where they stand, "follow" wherever the source's go; "auto" follows on the source's own legs.
FEET = ("auto", "hold", "follow")


def touching(motion: Motion, ankles_m: np.ndarray | None = None) -> np.ndarray:
    """Which soles touch (T, 2, 2): left and right, heel and toes; as the motion says, else read off soles below `ankles_m` (T, 2, 3)."""
    if ankles_m is None or motion.contacts.any() or len(motion) < 3:
        return contacts_of(motion).reshape(-1, 2, 2) > TOUCHING
    soles = ankles_m[:, :, None] + sole_offsets_m(motion)
    return contact_probabilities(soles.reshape(-1, 4, 3), motion.times_s, None).reshape(-1, 2, 2) > TOUCHING


def settled(feet: str, same_legs: bool) -> str:
    """Settle "auto": legs of the source's own proportions do what the source does, since there is nothing to make up for."""
    return ("follow" if same_legs else "hold") if feet == "auto" else feet


def sole_offsets_m(motion: Motion) -> np.ndarray:
    """From each ankle to its heel and toes on the sole (T, 2, 2, 3), in the motion's world."""
    return sole_points(motion).reshape(-1, 2, 2, 3) - motion.joints_m[:, ANKLES, None]


def locked(place: np.ndarray, offsets: np.ndarray, touches: np.ndarray, times_s: np.ndarray, floor_axes: tuple[int, int]) -> np.ndarray:
    """Move a point (T, 3) over the floor so that what it carries at `offsets` (T, P, 3) stays where it touches (T, P).

    Of each contact, however it passes from point to point, the median correction is none; corrections fade over BLEND_S.
    """
    axes = list(floor_axes)
    steps = _steps(place[:, None] + offsets, touches, 3 - sum(axes))[:, axes]
    shift, nearest = np.zeros_like(place), np.full(len(place), np.inf)
    for first, past in runs(touches.any(1)):
        held = -np.concatenate([np.zeros((1, 2)), np.cumsum(steps[first : past - 1], axis=0)])
        held -= np.median(held, axis=0)
        away = np.maximum(np.maximum(times_s[first] - times_s, times_s - times_s[past - 1]), 0)
        rows = np.flatnonzero((away < BLEND_S) & (away < nearest))
        nearest[rows] = away[rows]
        fade = 0.5 + 0.5 * np.cos(np.pi * away[rows] / BLEND_S)
        shift[np.ix_(rows, np.array(axes))] = fade[:, None] * held[np.clip(rows, first, past - 1) - first]
    return place + shift


def slide_cm_s(place: np.ndarray, offsets: np.ndarray, touches: np.ndarray, times_s: np.ndarray, floor_axes: tuple[int, int]) -> float:
    """Mean speed over the floor (cm/s) of standing feet, each by the slower of its points that touch in two frames on end.

    `place` (T, F, 3), `offsets` (T, F, P, 3), `touches` (T, F, P): a foot that rolls over its toes lifts the heel and doesn't slide.
    """
    moved = np.linalg.norm(np.diff(place[..., None, :] + offsets, axis=0)[..., list(floor_axes)], axis=-1)
    speed = np.where(touches[1:] & touches[:-1], moved / np.diff(times_s)[:, None, None], np.inf).min(-1)
    return float(100 * speed[np.isfinite(speed)].mean()) if np.isfinite(speed).any() else 0.0


def _steps(points: np.ndarray, touches: np.ndarray, up: int) -> np.ndarray:
    """How far (T - 1, 3) the touching points move from each frame to the next: those that touch in both, else in either; the lower leads."""
    both, either = touches[1:] & touches[:-1], touches[1:] | touches[:-1]
    height = 0.5 * (points[1:, :, up] + points[:-1, :, up])
    weight = np.where(both.any(1, keepdims=True), both, either) * np.exp((height.min(1, keepdims=True) - height) / LOWER_M)
    return (weight[..., None] * np.diff(points, axis=0)).sum(1) / np.maximum(weight.sum(1), 1e-9)[:, None]
