"""The pinhole camera, still or moving. Camera axes: x right, y down, z forward. World axes: Y up, metres."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mrs import rotations
from mrs.errors import InputError


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: ``K (3,3)``, world-to-camera ``R (3,3)`` and ``t (3,)``, picture size in pixels (w, h).

    A camera that moves has one of them a frame: R (T,3,3), t (T,3), and K (T,3,3) where it zooms. Points it is given
    then have that time axis first, (T, ..., 3); a lone point (3,) is seen by every frame.
    """

    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    size_px: tuple[int, int]

    @classmethod
    def from_fov(cls, size_px: tuple[int, int], fov_deg: float | None = None) -> Camera:
        """Make a camera at the origin from its horizontal field of view.

        Without one the focal length is the picture's diagonal in pixels, as CLIFF, HMR 2.0 and WHAM assume.
        """
        width, height = size_px
        focal = math.hypot(width, height) if fov_deg is None else width / (2 * math.tan(math.radians(fov_deg) / 2))
        K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
        return cls(K, np.eye(3), np.zeros(3), (int(width), int(height)))

    @property
    def focal_px(self) -> float:
        """Focal length in pixels; the mean of a camera that zooms."""
        return float(np.mean(self.K[..., 0, 0]))

    @property
    def frames(self) -> int | None:
        """How many frames the camera has poses for; None for one that is the same in every frame."""
        for value, axes in ((self.R, 2), (self.t, 1), (self.K, 2)):
            if np.ndim(value) > axes:
                return len(value)
        return None

    @property
    def is_still(self) -> bool:
        """Whether one pose and one lens hold for every frame."""
        return self.frames is None

    @property
    def centre_m(self) -> np.ndarray:
        """Where the camera stands in the world: (3,), or (T, 3) of a moving one."""
        return self.to_world(np.zeros(3))

    def at(self, rows) -> Camera:
        """The camera of some frames (a slice, a mask or numbers), or of one (an int); a still one is itself."""
        def pick(value: np.ndarray, axes: int) -> np.ndarray:
            return value[rows] if np.ndim(value) > axes else value

        return self if self.is_still else replace(self, K=pick(self.K, 2), R=pick(self.R, 2), t=pick(self.t, 1))

    def per_frame(self, frames: int) -> Camera:
        """The same with K (T,3,3), R (T,3,3) and t (T,3) for T frames, whatever moves."""
        return replace(self, K=np.broadcast_to(self.K, (frames, 3, 3)), R=np.broadcast_to(self.R, (frames, 3, 3)),
                       t=np.broadcast_to(self.t, (frames, 3)))

    def resampled(self, times_s: np.ndarray, at_s: np.ndarray) -> Camera:
        """Take a camera given at times (T,) to other times: slerp for its rotation, straight lines for its place and lens.

        Times that are there come out exactly; before the first and after the last the camera stands still.
        """
        if self.is_still or (len(times_s) == len(at_s) and np.array_equal(times_s, at_s)):
            return self
        rows = np.clip(np.searchsorted(times_s, np.asarray(at_s) - 1e-6), 0, len(times_s) - 1)
        if (np.abs(times_s[rows] - at_s) <= 1e-6).all():
            return self.at(rows)
        each = self.per_frame(len(times_s))
        R = rotations.quat_to_matrix(rotations.resample(rotations.matrix_to_quat(each.R), times_s, at_s))
        return replace(self, R=R, t=-_turned(R, _lines(self.centre_m, times_s, at_s)),
                       K=_lines(self.K, times_s, at_s) if np.ndim(self.K) > 2 else self.K)

    def to_camera(self, points_world: np.ndarray) -> np.ndarray:
        """Move points (..., 3) from the world to the camera frame."""
        return _moved(_turned(self.R, points_world), self.t)

    def to_world(self, points_camera: np.ndarray) -> np.ndarray:
        """Move points (..., 3) from the camera to the world frame."""
        return _turned(np.swapaxes(self.R, -1, -2), _moved(points_camera, -self.t))

    def project(self, points_world: np.ndarray) -> np.ndarray:
        """Project points (..., 3) to pixels (..., 2). Points behind the camera give NaN."""
        p = _turned(self.K, self.to_camera(points_world))
        depth = np.where(p[..., 2:] > 1e-6, p[..., 2:], np.nan)
        return p[..., :2] / depth

    def validate(self, where: str, frames: int | None = None) -> Camera:
        """Refuse arrays of wrong shape, NaN, and rotations that are none. A moving camera has `frames` rows, if given."""
        rows = self.frames if frames is None else frames
        for name, shape in (("K", (3, 3)), ("R", (3, 3)), ("t", (3,))):
            value = np.asarray(getattr(self, name))
            if value.shape not in (shape, (rows, *shape)):
                wanted = f"{shape}" if rows is None else f"{shape} or {(rows, *shape)}"
                raise InputError(f"Expected camera_{name} in {where} to be {wanted}, but got {value.shape}.")
            if not np.isfinite(value).all():
                raise InputError(f"Expected finite camera_{name} in {where}, but got NaN or infinity.")
        away = np.abs(self.R @ np.swapaxes(self.R, -1, -2) - np.eye(3)).max() if np.size(self.R) else 0.0
        if away > 1e-3 or (np.linalg.det(self.R) < 0).any():
            raise InputError(f"Expected camera_R in {where} to hold rotations, but R R^T is off the identity by {away:.3g} "
                             "or mirrors.")
        return self


def _turned(turn: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Multiply points (..., 3) from the left by (3, 3), or points (T, ..., 3) by one matrix a frame (T, 3, 3)."""
    points = np.asarray(points)
    if np.ndim(turn) == 2:
        return points @ turn.T
    if points.ndim == 1:
        return turn @ points
    return (points.reshape(len(points), -1, 3) @ np.swapaxes(turn, -1, -2)).reshape(-1, *points.shape[1:])


def _moved(points: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Add a shift (3,), or one a frame (T, 3), to points (..., 3)."""
    points = np.asarray(points)
    if np.ndim(shift) == 1 or points.ndim == 1:
        return points + shift
    return points + shift.reshape(len(shift), *([1] * (points.ndim - 2)), 3)


def _lines(values: np.ndarray, times_s: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """Interpolate values (T, ...) linearly; the ends are held."""
    columns = np.broadcast_to(values, (len(times_s), *values.shape[-1:])) if values.ndim == 1 else values
    flat = columns.reshape(len(times_s), -1)
    return np.stack([np.interp(at_s, times_s, c) for c in flat.T], -1).reshape(len(at_s), *columns.shape[1:])
