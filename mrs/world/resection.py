"""Where a body of known pose stands: camera-space translation from its 2D keypoints."""

from __future__ import annotations

import numpy as np


def resect(points_m: np.ndarray, keypoints_px: np.ndarray, weights: np.ndarray, K: np.ndarray,
           *, rounds: int = 6, robust_px: np.ndarray | float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """Translations (T, 3) that put points (T, K, 3) onto keypoints (T, K, 2), full perspective; K (3, 3) or (T, 3, 3).

    Each keypoint gives two equations linear in the translation, f (X + tx) = (u - cx) (Z + tz) and likewise for v
    (the direct linear form of CLIFF's and HMR's weak-to-full conversion). Solved `rounds` times by least squares,
    reweighted by Geman-McClure on the pixel residual. Its scale halves from round to round down to `robust_px` (T,) or
    a number, so that gross errors do not decide where the search starts (graduated non-convexity, Blake and Zisserman).
    Returns the translations and the mean residual in pixels (T,). Frames with too little weight give NaN.
    """
    focal = K[..., None, [0, 1], [0, 1]]
    ray = (keypoints_px - K[..., None, :2, 2]) / focal
    robust = np.broadcast_to(np.asarray(robust_px, float), points_m.shape[:1])[:, None]
    use, weights = weights > 0, weights.astype(float)
    enough = use.sum(1) >= 3
    current = weights.copy()
    shift = np.full((len(points_m), 3), np.nan)
    error = np.full(points_m.shape[:2], np.nan)
    for wide in 2.0 ** np.maximum(np.arange(rounds)[::-1] - 1, 0):
        shift[enough] = _solve(points_m[enough], ray[enough], current[enough])
        placed = points_m + shift[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.linalg.norm((placed[..., :2] / placed[..., 2:] - ray) * focal[..., :1], axis=-1)
            current = np.nan_to_num(weights / (1 + (error / (wide * robust)) ** 2) ** 2)
        enough &= (current > 0).sum(1) >= 3
    total = weights.sum(1)
    mean = np.where(total > 0, np.nansum(np.where(use, error, 0) * weights, 1) / np.maximum(total, 1e-9), np.nan)
    behind = ~(shift[:, 2] + points_m[..., 2].min(1) > 0.1)
    shift[behind | ~enough] = np.nan
    return shift, mean


def _solve(points: np.ndarray, ray: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted normal equations of the direct linear form, batched over frames."""
    ones, zero = np.ones(ray.shape[:2]), np.zeros(ray.shape[:2])
    rows = np.concatenate([np.stack([ones, zero, -ray[..., 0]], -1), np.stack([zero, ones, -ray[..., 1]], -1)], 1)
    right = np.concatenate([ray[..., 0] * points[..., 2] - points[..., 0],
                            ray[..., 1] * points[..., 2] - points[..., 1]], 1)
    doubled = np.concatenate([weights, weights], 1)[..., None]
    weighted = np.swapaxes(rows * doubled, -1, -2)
    return np.linalg.solve(weighted @ rows + 1e-9 * np.eye(3), weighted @ right[..., None])[..., 0]
