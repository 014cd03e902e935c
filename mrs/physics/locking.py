"""Keep what stands in one place."""

from __future__ import annotations

import numpy as np

from mrs.physics.series import runs

BLEND_S = 0.15


def locked(place: np.ndarray, touching: np.ndarray, times_s: np.ndarray, floor_axes: tuple[int, int]) -> np.ndarray:
    """Hold a point (T, 3) over the floor while it touches (T,): each contact at its median place; corrections fade over BLEND_S."""
    axes = list(floor_axes)
    shift, nearest = np.zeros_like(place), np.full(len(place), np.inf)
    for first, past in runs(touching):
        centre = np.median(place[first:past][:, axes], axis=0)
        away = np.maximum(np.maximum(times_s[first] - times_s, times_s - times_s[past - 1]), 0)
        rows = np.flatnonzero((away < BLEND_S) & (away < nearest))
        nearest[rows] = away[rows]
        fade = 0.5 + 0.5 * np.cos(np.pi * away[rows] / BLEND_S)
        held = place[np.clip(rows, first, past - 1)][:, axes]
        shift[np.ix_(rows, np.array(axes))] = fade[:, None] * (centre - held)
    return place + shift
