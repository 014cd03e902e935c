"""When a body flies, and what gravity then says of its size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs.skeletons import SMPL_24

GRAVITY_M_S2 = 9.81
GRID_HZ = 60.0
TOUCHING = 0.3
SHORTEST_S = (0.2, 0.24)
"""Here and below: from where on it is no flight at all, and from where on one for sure."""
SEEN = (0.4, 0.6)
SCALE_S = 0.35
"""Shorter flights, as of a run, look slower than they are once smoothed, and say nothing of size."""
LEFT_OUT_S = 0.06
RISE_S = 1 / 30
CLEAR_M = (0.03, 0.05)
STRAY_M = (0.02, 0.01)
HELD_UP_M_S2 = -6.5
LEAST_FALL, MOST_FALL = (0.5, 0.6), (1.7, 1.5)

# segment: (share of the mass, upper joint, lower joint, place of its centre from upper to lower): de Leva 1996, both sexes' mean.
SEGMENTS = (
    (0.068, "head", "head", 0.0), (0.430, "pelvis", "neck", 0.52),
    *((share, f"{side}_{a}", f"{side}_{b}", place) for side in ("left", "right") for share, a, b, place in (
        (0.027, "shoulder", "elbow", 0.57), (0.015, "elbow", "wrist", 0.46), (0.006, "hand", "hand", 0.0),
        (0.145, "hip", "knee", 0.39), (0.045, "knee", "ankle", 0.44), (0.013, "ankle", "foot", 0.5))),
)


def _mass_shares() -> np.ndarray:
    shares = np.zeros(len(SMPL_24))
    for share, upper, lower, place in SEGMENTS:
        shares[SMPL_24.index(upper)] += share * (1 - place)
        shares[SMPL_24.index(lower)] += share * place
    return shares / shares.sum()


MASS_SHARES = _mass_shares()
"""Weights (24,) whose mean of the joints is the centre of mass."""


def centre_of_mass(joints_m: np.ndarray) -> np.ndarray:
    """Centre of mass (T, 3) of joints (T, 24, 3)."""
    return np.einsum("j,tjc->tc", MASS_SHARES, joints_m)


def held_up(joints_m: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Probability (T,) that something holds the body up: whoever falls at two thirds of gravity or more stands on nothing."""
    if len(times_s) < 5:
        return np.ones(len(times_s))
    from scipy.ndimage import gaussian_filter1d

    rate = (len(times_s) - 1) / max(times_s[-1] - times_s[0], 1e-6)
    height = gaussian_filter1d(centre_of_mass(joints_m)[:, 1], 0.04 * rate, mode="nearest")
    upward = np.gradient(np.gradient(height, times_s), times_s)
    return 1 / (1 + np.exp(np.clip((HELD_UP_M_S2 - upward) / 0.4, -40, 40)))


@dataclass(frozen=True)
class Fall:
    """One stretch of free flight: when it begins and ends, its mean acceleration (3,) in m/s^2 with its standard error, and how sure it is."""

    start_s: float
    end_s: float
    acceleration_m_s2: np.ndarray
    error_m_s2: float
    sure: float = 1.0

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end_s - self.start_s


def falls(joints_m: np.ndarray, contacts: np.ndarray, lowest_m: np.ndarray, times_s: np.ndarray, seen: np.ndarray) -> list[Fall]:
    """Find free flights: nothing touches for SHORTEST_S, the lowest point (T,) clears what it left, and what is seen falls.

    `contacts` (T, C) of feet and hands, `seen` (T,) whether there is evidence. The acceleration is that of the parabola
    fitted to the centre of mass; a stretch that falls by less than LEAST_FALL or more than MOST_FALL times gravity is not a flight,
    nor one that strays from its parabola by STRAY_M, as on hands. Each test is passed by degrees, times are between frames, and what
    is fitted is read off between them: the same at every frame rate.
    """
    from scipy.interpolate import CubicSpline

    if len(times_s) < 4:
        return []
    path = CubicSpline(times_s, centre_of_mass(joints_m))
    touching = contacts.max(1)
    found = []
    for first, past in _runs(touching < TOUCHING):
        start, end = _crossing(touching, times_s, first - 1), _crossing(touching, times_s, past - 1)
        ends = [lowest_m[max(first - 1, 0)], lowest_m[min(past, len(times_s) - 1)]]
        sure = (_passed(end - start, SHORTEST_S) * _passed(seen[first:past].mean(), SEEN)
                * _passed(lowest_m[first:past].max() - min(ends), CLEAR_M))
        if sure == 0 or past - first < 4:
            continue
        acceleration, error, stray = _parabola(*_between(path, start + LEFT_OUT_S, end - LEFT_OUT_S))
        falls_by = -acceleration[1] / GRAVITY_M_S2
        sure *= _passed(stray, STRAY_M) * _passed(falls_by, LEAST_FALL) * _passed(falls_by, MOST_FALL)
        if sure > 0:
            found.append(Fall(start, end, acceleration, error, sure))
    return found


def _passed(value: float, bounds: tuple[float, float]) -> float:
    """0 at the first bound and beyond, 1 at the second and beyond, a straight line between."""
    return float(np.clip((value - bounds[0]) / (bounds[1] - bounds[0]), 0, 1))


def probability(flights: list[Fall], times_s: np.ndarray) -> np.ndarray:
    """Flight (T,): how sure each stretch is, but for LEFT_OUT_S at its ends, where a foot may still push; it rises and falls within RISE_S."""
    out = np.zeros(len(times_s))
    for fall in flights:
        inside = np.minimum(times_s - fall.start_s, fall.end_s - times_s) - LEFT_OUT_S
        out = np.maximum(out, fall.sure * np.clip(inside / RISE_S + 0.5, 0, 1))
    return out


def _crossing(touching: np.ndarray, times_s: np.ndarray, row: int) -> float:
    """When contact (T,) passes TOUCHING between a row and the next, by a straight line; the first or last time at the ends."""
    if row < 0 or row + 1 >= len(times_s):
        return float(times_s[max(row, 0)])
    before, after = touching[row] - TOUCHING, touching[row + 1] - TOUCHING
    return float(times_s[row] + before / (before - after) * (times_s[row + 1] - times_s[row]))


def _between(path, start_s: float, end_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) of a path, a function of time, at GRID_HZ within a time, and their times (N,)."""
    at = np.linspace(start_s, end_s, max(round((end_s - start_s) * GRID_HZ), 4) + 1)
    return path(at), at


def _parabola(points: np.ndarray, times_s: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Acceleration (3,) of the least-squares parabola through points (T, 3), its standard error and the RMS distance, vertical."""
    t = times_s - times_s.mean()
    design = np.stack([np.ones_like(t), t, 0.5 * t**2], -1)
    fit, *_ = np.linalg.lstsq(design, points, rcond=None)
    away = ((points - design @ fit)[:, 1] ** 2).sum()
    spread = np.linalg.inv(design.T @ design)[2, 2]
    # Errors within about 0.13 s go together: count eight points of the grid as one.
    return fit[2], float(np.sqrt(8 * spread * away / max(len(t) - 3, 1))), float(np.sqrt(away / len(t)))


def scale_from_gravity(flights: list[Fall], prior: float = 0.06) -> tuple[float, float]:
    """Factor by which lengths must grow for flights to fall with gravity, and its standard deviation in log.

    A normal prior of `prior` about 1 (statures), each flight with its own error and 8 % for what a parabola misses.
    """
    weight, total = 1 / prior**2, 0.0
    for fall in flights:
        ratio = GRAVITY_M_S2 / max(-fall.acceleration_m_s2[1], 1e-6)
        spread = (fall.error_m_s2 / GRAVITY_M_S2 * ratio) ** 2 + 0.08**2
        weight += 1 / spread
        total += np.log(ratio) / spread
    return float(np.exp(total / weight)), float(weight**-0.5)


def _runs(true: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.r_[0, true.astype(int), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
