"""Rotations in NumPy: quaternions (w, x, y, z), matrices, axis-angle and 6D, batched over leading axes.

Quaternions are unit length with the scalar first. 6D is the first two columns of the matrix, stacked
(Zhou et al., "On the Continuity of Rotation Representations", CVPR 2019).
"""

from __future__ import annotations

import numpy as np


def normalise(vectors: np.ndarray, fallback=None) -> np.ndarray:
    """Scale vectors (..., n) to length 1; those shorter than 1e-9 become `fallback` (zeros without one)."""
    vectors = np.asarray(vectors, float)
    length = np.sqrt((vectors * vectors).sum(-1, keepdims=True))
    if (length > 1e-9).all():
        return vectors / length
    unit = vectors / np.maximum(length, 1e-12)
    other = np.zeros(vectors.shape[-1]) if fallback is None else np.asarray(fallback, float)
    return np.where(length > 1e-9, unit, other)


def quat_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product a b: turns by b first, then by a."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    w = aw * bw - (av * bv).sum(-1, keepdims=True)
    return np.concatenate([w, aw * bv + bw * av + np.cross(av, bv)], -1)


def quat_conjugate(quat: np.ndarray) -> np.ndarray:
    """Inverse of a unit quaternion."""
    return quat * np.array([1.0, -1.0, -1.0, -1.0])


def quat_rotate(quat: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Turn vectors (..., 3)."""
    w, v = quat[..., :1], quat[..., 1:]
    twice = 2 * np.cross(v, vectors)
    return vectors + w * twice + np.cross(v, twice)


def quat_to_matrix(quat: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) to matrices (..., 3, 3)."""
    w, x, y, z = np.moveaxis(normalise(quat, [1, 0, 0, 0]), -1, 0)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
    return np.stack(rows, -1).reshape(*w.shape, 3, 3)


def matrix_to_quat(matrix: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) to quaternions with w >= 0, accurate at every angle (Shepperd 1978)."""
    m = np.asarray(matrix, float)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    four = np.stack([1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22], -1)
    a, b, c = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    d, e, f = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    candidates = np.stack([
        np.stack([four[..., 0], a, b, c], -1), np.stack([a, four[..., 1], d, e], -1),
        np.stack([b, d, four[..., 2], f], -1), np.stack([c, e, f, four[..., 3]], -1)], -2)
    best = np.argmax(four, -1)
    quat = normalise(np.take_along_axis(candidates, best[..., None, None], -2)[..., 0, :], [1, 0, 0, 0])
    return np.where(quat[..., :1] < 0, -quat, quat)


def axis_angle_to_quat(axis_angle: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3), radians, to quaternions."""
    axis_angle = np.asarray(axis_angle, float)
    angle = np.linalg.norm(axis_angle, axis=-1, keepdims=True)
    return np.concatenate([np.cos(angle / 2), 0.5 * np.sinc(angle / (2 * np.pi)) * axis_angle], -1)


def quat_to_axis_angle(quat: np.ndarray) -> np.ndarray:
    """Quaternions to rotation vectors (..., 3) with an angle in [0, pi]."""
    quat = np.where(quat[..., :1] < 0, -quat, quat)
    sine = np.linalg.norm(quat[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, quat[..., :1])
    return np.where(sine > 1e-9, angle / np.maximum(sine, 1e-12), 2.0) * quat[..., 1:]


def axis_angle_to_matrix(axis_angle: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) to matrices."""
    return quat_to_matrix(axis_angle_to_quat(axis_angle))


def matrix_to_axis_angle(matrix: np.ndarray) -> np.ndarray:
    """Matrices to rotation vectors (..., 3)."""
    return quat_to_axis_angle(matrix_to_quat(matrix))


def matrix_to_sixd(matrix: np.ndarray) -> np.ndarray:
    """Matrices to 6D (..., 6): first column, then second."""
    return np.concatenate([matrix[..., :, 0], matrix[..., :, 1]], -1)


def sixd_to_matrix(sixd: np.ndarray) -> np.ndarray:
    """6D (..., 6) to matrices by Gram-Schmidt; parallel or zero columns give some rotation that keeps the first."""
    x = normalise(sixd[..., :3], [1, 0, 0])
    y = normalise(sixd[..., 3:] - (sixd[..., 3:] * x).sum(-1, keepdims=True) * x)
    y = np.where((y == 0).all(-1, keepdims=True), _across(x), y)
    return np.stack([x, y, np.cross(x, y)], -1)


def _across(unit: np.ndarray) -> np.ndarray:
    """Some unit vector at a right angle to each of the unit vectors (..., 3); +Y for +X."""
    helper = np.where(np.abs(unit[..., :1]) < 0.9, [1.0, 0, 0], [0, 0, -1.0])
    return normalise(np.cross(unit, helper))


def geodesic_angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle in radians between two quaternions, in [0, pi]."""
    relative = quat_multiply(quat_conjugate(a), b)
    return 2 * np.arctan2(np.linalg.norm(relative[..., 1:], axis=-1), np.abs(relative[..., 0]))


def align_hemispheres(quat: np.ndarray) -> np.ndarray:
    """Flip signs along the first axis (time) so that neighbours lie in one hemisphere."""
    dots = (quat[1:] * quat[:-1]).sum(-1)
    signs = np.concatenate([np.ones((1, *dots.shape[1:])), np.where(dots < 0, -1.0, 1.0)])
    return quat * np.cumprod(signs, 0)[..., None]


def slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate on the shorter arc; `share` (...) runs from 0 at a to 1 at b."""
    step = quat_to_axis_angle(quat_multiply(quat_conjugate(a), b))
    return normalise(quat_multiply(a, axis_angle_to_quat(step * np.asarray(share)[..., None])), [1, 0, 0, 0])


def resample(quat: np.ndarray, times_s: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Resample rotations (T, ..., 4) given at `times_s` to the times `at_s` by slerp; ends are held."""
    if len(times_s) == 1:
        return np.repeat(quat, len(at_s), 0)
    right = np.clip(np.searchsorted(times_s, at_s), 1, len(times_s) - 1)
    share = np.clip((at_s - times_s[right - 1]) / (times_s[right] - times_s[right - 1]), 0, 1)
    return slerp(quat[right - 1], quat[right], share.reshape(-1, *([1] * (quat.ndim - 2))))


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Smallest rotation (quaternion) that turns the directions a (..., 3) into b."""
    a, b = normalise(a), normalise(b)
    dot = (a * b).sum(-1, keepdims=True)
    quat = np.concatenate([((a + b) ** 2).sum(-1, keepdims=True) / 2, np.cross(a, b)], -1)
    opposite = (dot < 0) & (np.linalg.norm(quat, axis=-1, keepdims=True) < 1e-8)
    half_turn = np.concatenate([np.zeros_like(dot), _across(a)], -1)
    return np.where(opposite, half_turn, normalise(quat, [1, 0, 0, 0]))
