"""Velocities of points and rotations from frames at an even rate, as simulators take them."""

from __future__ import annotations

import numpy as np

from mrs import rotations


def forward_differences(values: np.ndarray, fps: float) -> np.ndarray:
    """(v[t+1] - v[t]) fps along the first axis; the last one is repeated."""
    steps = np.diff(values, axis=0) * fps
    return np.concatenate([steps, steps[-1:]])


def central_differences(values: np.ndarray, fps: float) -> np.ndarray:
    """Second-order differences along the first axis."""
    return np.gradient(values, 1 / fps, axis=0)


def angular_velocity(quat_wxyz: np.ndarray, fps: float) -> np.ndarray:
    """Turning (T, ..., 3) in the frame that the rotations are given in, rad/s: R[t+1] R[t]^T by the frame; the last is repeated."""
    step = rotations.quat_multiply(quat_wxyz[1:], rotations.quat_conjugate(quat_wxyz[:-1]))
    rates = rotations.quat_to_axis_angle(step) * fps
    return np.concatenate([rates, rates[-1:]])


def central_angular_velocity(quat_wxyz: np.ndarray, fps: float) -> np.ndarray:
    """The same over two frames, R[t+1] R[t-1]^T; the ends take one frame."""
    if len(quat_wxyz) < 3:
        return angular_velocity(quat_wxyz, fps)
    step = rotations.quat_multiply(quat_wxyz[2:], rotations.quat_conjugate(quat_wxyz[:-2]))
    middle = rotations.quat_to_axis_angle(step) * fps / 2
    ends = angular_velocity(quat_wxyz, fps)
    return np.concatenate([ends[:1], middle, ends[-1:]])
