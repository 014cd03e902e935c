"""Alignments of one set of points to another, in closed form, batched over leading axes."""

from __future__ import annotations

import numpy as np


def similarity(source: np.ndarray, target: np.ndarray, *, scaled: bool = True):
    """Fit s R x + t that brings points `source` (..., N, 3) onto `target` in least squares (Umeyama, PAMI 1991).

    Returns s (...), R (..., 3, 3) and t (..., 3); s is 1 where not `scaled` or where all source points coincide.
    """
    source, target = np.asarray(source, float), np.asarray(target, float)
    from_mean, to_mean = source.mean(-2), target.mean(-2)
    a, b = source - from_mean[..., None, :], target - to_mean[..., None, :]
    u, d, vt = np.linalg.svd(np.swapaxes(b, -1, -2) @ a)
    sign = np.ones(d.shape)
    sign[..., 2] = np.where(np.linalg.det(u) * np.linalg.det(vt) < 0, -1.0, 1.0)
    R = (u * sign[..., None, :]) @ vt
    spread = (a**2).sum((-1, -2))
    s = np.where(spread > 1e-12, (d * sign).sum(-1) / np.maximum(spread, 1e-12), 1.0) if scaled else np.ones(spread.shape)
    return s, R, to_mean - s[..., None] * (R @ from_mean[..., None])[..., 0]


def moved(points: np.ndarray, fit) -> np.ndarray:
    """Apply a fit of :func:`similarity` to points (..., N, 3)."""
    s, R, t = fit
    return s[..., None, None] * (points @ np.swapaxes(R, -1, -2)) + t[..., None, :]


def heading(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Fit the one turn (3, 3) about +Y that brings vectors `source` (..., 3) onto `target` in least squares."""
    x, _, z = np.moveaxis(np.asarray(source, float).reshape(-1, 3), -1, 0)
    tx, _, tz = np.moveaxis(np.asarray(target, float).reshape(-1, 3), -1, 0)
    angle = np.arctan2((z * tx - x * tz).sum(), (x * tx + z * tz).sum())
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
