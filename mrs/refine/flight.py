"""When a body flies, and what gravity then says of its size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs.skeletons import SMPL_24

GRAVITY_M_S2 = 9.81
SHORTEST_S = 0.2
SCALE_S = 0.35
"""Shorter flights, as of a run, look slower than they are once smoothed, and say nothing of size."""
LEFT_OUT_S = 0.05
CLEAR_M = 0.04
HELD_UP_M_S2 = -6.5
PLAUSIBLE = (0.55, 1.6)

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
    """One stretch of free flight: rows first to past, and its mean acceleration (3,) in m/s^2 with its standard error."""

    first: int
    past: int
    seconds: float
    acceleration_m_s2: np.ndarray
    error_m_s2: float


def falls(joints_m: np.ndarray, contacts: np.ndarray, lowest_m: np.ndarray, times_s: np.ndarray, seen: np.ndarray) -> list[Fall]:
    """Find free flights: nothing touches for SHORTEST_S, the lowest point (T,) clears what it left, and what is seen falls.

    `contacts` (T, C) of feet and hands, `seen` (T,) whether there is evidence. The acceleration is that of the parabola
    fitted to the centre of mass; a stretch whose fall is not within PLAUSIBLE times gravity is not a flight.
    """
    com = centre_of_mass(joints_m)
    found = []
    for first, past in _runs(contacts.max(1) < 0.3):
        if times_s[past - 1] - times_s[first] < SHORTEST_S or past - first < 5 or seen[first:past].mean() < 0.5:
            continue
        ends = [lowest_m[max(first - 1, 0)], lowest_m[min(past, len(times_s) - 1)]]
        if lowest_m[first:past].max() - min(ends) < CLEAR_M:
            continue
        inner = (times_s >= times_s[first] + LEFT_OUT_S) & (times_s <= times_s[past - 1] - LEFT_OUT_S)
        if inner.sum() < 4:
            continue
        acceleration, error = _parabola(com[inner], times_s[inner])
        if PLAUSIBLE[0] < -acceleration[1] / GRAVITY_M_S2 < PLAUSIBLE[1]:
            found.append(Fall(first, past, times_s[past - 1] - times_s[first], acceleration, error))
    return found


def probability(flights: list[Fall], frames: int) -> np.ndarray:
    """Flight (T,): 1 within each stretch but for its first and last frames, where a foot may still push."""
    out = np.zeros(frames)
    for fall in flights:
        out[fall.first + 1 : fall.past - 1] = 1
    return out


def _parabola(points: np.ndarray, times_s: np.ndarray) -> tuple[np.ndarray, float]:
    """Acceleration (3,) of the least-squares parabola through points (T, 3), and its standard error, vertical."""
    t = times_s - times_s.mean()
    design = np.stack([np.ones_like(t), t, 0.5 * t**2], -1)
    fit, *_ = np.linalg.lstsq(design, points, rcond=None)
    left = points - design @ fit
    spread = np.linalg.inv(design.T @ design)[2, 2]
    # Errors of neighbouring frames go together: count four frames as one.
    return fit[2], float(np.sqrt(4 * spread * (left[:, 1] ** 2).sum() / max(len(t) - 3, 1)))


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
