"""The pinhole camera. Camera axes: x right, y down, z forward. World axes: Y up, metres."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: ``K (3,3)``, world-to-camera ``R (3,3)`` and ``t (3,)``, picture size in pixels (w, h)."""

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
        """Focal length in pixels."""
        return float(self.K[0, 0])

    def to_camera(self, points_world: np.ndarray) -> np.ndarray:
        """Move points (..., 3) from the world to the camera frame."""
        return points_world @ self.R.T + self.t

    def to_world(self, points_camera: np.ndarray) -> np.ndarray:
        """Move points (..., 3) from the camera to the world frame."""
        return (points_camera - self.t) @ self.R

    def project(self, points_world: np.ndarray) -> np.ndarray:
        """Project points (..., 3) to pixels (..., 2). Points behind the camera give NaN."""
        p = self.to_camera(points_world) @ self.K.T
        depth = np.where(p[..., 2:] > 1e-6, p[..., 2:], np.nan)
        return p[..., :2] / depth
