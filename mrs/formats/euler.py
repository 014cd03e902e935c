"""Euler angles for file formats: any order, continuous in time, safe at gimbal lock.

An order is a text such as ``"ZXY"``: the matrix is the product from left to right, R = Rz Rx Ry (intrinsic turns).
Angles are in radians and stand in the order of the text.
"""

from __future__ import annotations

import numpy as np

ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
LOCKED_COSINE = 1e-7


def axis_matrix(axis: int, angle: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) that turn by `angle` (...) about x (0), y (1) or z (2)."""
    angle = np.asarray(angle, float)
    cosine, sine = np.cos(angle), np.sin(angle)
    one, two = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1
    matrix[..., one, one] = matrix[..., two, two] = cosine
    matrix[..., two, one] = sine
    matrix[..., one, two] = -sine
    return matrix


def euler_to_matrix(angles: np.ndarray, order: str) -> np.ndarray:
    """Angles (..., n) about the n axes of `order` (any n, repeated axes too) to matrices (..., 3, 3)."""
    angles = np.asarray(angles, float)
    matrix = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for column, axis in enumerate(order):
        turn = axis_matrix("XYZ".index(axis), angles[..., column])
        matrix = turn if column == 0 else matrix @ turn
    return matrix


def matrix_to_euler(matrix: np.ndarray, order: str) -> np.ndarray:
    """Matrices (T, ..., 3, 3) over time to angles (T, ..., 3) that change as little as possible from row to row.

    Each row is the one of the two equivalent triples, plus multiples of a full turn, that lies nearest to the row
    before; the first row the one nearest to zero. At gimbal lock the first angle is held and the third takes the rest.
    """
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    sine, cosine = -sign * matrix[..., j, k], matrix[..., k, k]
    first = np.arctan2(sine, cosine)
    first = _hold(first, np.hypot(sine, cosine) < LOCKED_COSINE)
    # What the first angle leaves over, R_i(first)^T R, gives the other two exactly, whatever the first is.
    c, s = np.cos(first), sign * np.sin(first)
    second = np.arctan2(sign * matrix[..., i, k], c * matrix[..., k, k] - s * matrix[..., j, k])
    third = np.arctan2(sign * (c * matrix[..., j, i] + s * matrix[..., k, i]),
                       c * matrix[..., j, j] + s * matrix[..., k, j])
    return _continuous(np.stack([first, second, third], -1))


def _hold(angles: np.ndarray, locked: np.ndarray) -> np.ndarray:
    """Replace locked entries by the last free one before them in time, or 0."""
    rows = np.arange(1, len(angles) + 1).reshape(-1, *([1] * (angles.ndim - 1)))
    last_free = np.maximum.accumulate(np.where(locked, 0, rows), axis=0)
    padded = np.concatenate([np.zeros((1, *angles.shape[1:])), angles])
    return np.take_along_axis(padded, last_free, 0)


def _continuous(angles: np.ndarray) -> np.ndarray:
    """Choose among (a, b, c) and (a + pi, pi - b, c + pi) in each row, then unwrap.

    The distance from row to row depends only on whether both rows use the same of the two forms, so that the greedy
    choice over time is a running exclusive-or.
    """
    padded = np.concatenate([np.zeros((1, *angles.shape[1:])), angles])
    other = np.stack([padded[..., 0] + np.pi, np.pi - padded[..., 1], padded[..., 2] + np.pi], -1)
    stay = _distance(padded[1:] - padded[:-1])
    swap = _distance(other[1:] - padded[:-1])
    swapped = np.cumsum(swap < stay - 1e-9, axis=0) % 2 == 1
    chosen = np.concatenate([padded[:1], np.where(swapped[..., None], other[1:], padded[1:])])
    return np.unwrap(chosen, axis=0)[1:]


def _distance(difference: np.ndarray) -> np.ndarray:
    wrapped = np.abs(np.remainder(difference + np.pi, 2 * np.pi) - np.pi)
    return np.square(wrapped).sum(-1)
