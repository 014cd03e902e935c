"""Rotations in NumPy: quaternions (w, x, y, z), matrices, axis-angle and 6D, batched over leading axes.

Quaternions are unit length with the scalar first. 6D is the first two columns of the matrix, stacked
(Zhou et al., "On the Continuity of Rotation Representations", CVPR 2019).
"""

from __future__ import annotations

import numpy as np


def normalise(vectors: np.ndarray, fallback=None) -> np.ndarray:
    """Scale vectors (..., n) to length 1; those shorter than 1e-9 become `fallback` (zeros without one)."""
    vectors = np.asarray(vectors, float)
    length = np.sqrt(_dot(vectors, vectors))[..., None]
    if (length > 1e-9).all():
        return vectors / length
    unit = vectors / np.maximum(length, 1e-12)
    other = np.zeros(vectors.shape[-1]) if fallback is None else np.asarray(fallback, float)
    return np.where(length > 1e-9, unit, other)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Dot products over the last axis; summing so short an axis is slow."""
    return np.einsum("...i,...i->...", a, b)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of vectors (..., 3) of one shape."""
    out = np.empty(a.shape)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        out[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return out


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
    out = np.empty((*w.shape, 3, 3))
    x2, y2, z2 = 2 * x, 2 * y, 2 * z
    xx, yy, zz = x * x2, y * y2, z * z2
    for row, column, a, b in ((0, 1, x * y2, w * z2), (1, 2, y * z2, w * x2), (2, 0, x * z2, w * y2)):
        out[..., row, column], out[..., column, row] = a - b, a + b
    out[..., 0, 0], out[..., 1, 1], out[..., 2, 2] = 1 - (yy + zz), 1 - (xx + zz), 1 - (xx + yy)
    return out


def matrix_to_quat(matrix: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) to quaternions with w >= 0, accurate at every angle (Shepperd 1978)."""
    m = np.asarray(matrix, float)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    four = (1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22)
    minus = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    plus = m[..., 1, 0] + m[..., 0, 1], m[..., 0, 2] + m[..., 2, 0], m[..., 2, 1] + m[..., 1, 2]
    candidates = ((four[0], *minus), (minus[0], four[1], plus[0], plus[1]), (minus[1], plus[0], four[2], plus[2]),
                  (minus[2], plus[1], plus[2], four[3]))
    quat = np.stack(candidates[0], -1)
    most = four[0].copy()
    for size, columns in zip(four[1:], candidates[1:], strict=True):
        larger = size > most
        if larger.any():
            quat[larger] = np.stack([column[larger] for column in columns], -1)
            most = np.maximum(most, size)
    quat = normalise(quat, [1, 0, 0, 0])
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
    y = normalise(sixd[..., 3:] - _dot(sixd[..., 3:], x)[..., None] * x)
    lost = (y[..., 0] == 0) & (y[..., 1] == 0) & (y[..., 2] == 0)
    y = np.where(lost[..., None], _across(x), y) if lost.any() else y
    return np.stack([x, y, _cross(x, y)], -1)


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
    dots = _dot(quat[1:], quat[:-1])
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
    dot, both = _dot(a, b)[..., None], a + b
    quat = np.concatenate([_dot(both, both)[..., None] / 2, np.cross(a, b)], -1)
    opposite = (dot < 0) & (np.sqrt(_dot(quat, quat))[..., None] < 1e-8)
    quat = normalise(quat, [1, 0, 0, 0])
    return np.where(opposite, np.concatenate([np.zeros_like(dot), _across(a)], -1), quat) if opposite.any() else quat
