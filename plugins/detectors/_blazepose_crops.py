"""Square crops about a person, turned so that the torso is upright, and the way back to the picture.

Pixels are continuous: the pixel in column i covers i to i + 1, so the picture's centre is at width / 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

SIDE = 256
MARGIN = 1.25
_HIPS, _SHOULDERS = [11, 12], [5, 6]
_LOW_COCO_SCORE = 0.1
_STILL_SIDE, _FAR_SIDE = 0.02, 0.35
_STILL_RAD = math.radians(4)


@dataclass(frozen=True)
class Crop:
    """A square of the picture: centre and side in pixels, and the angle by which its content is turned clockwise."""

    x_px: float
    y_px: float
    side_px: float
    angle_rad: float

    @classmethod
    def about(cls, center_px: np.ndarray, extent_px: np.ndarray) -> Crop:
        """Make the crop whose up direction runs from the mid-hip to the extent point, with BlazePose's margin."""
        dx, dy = (float(v) for v in extent_px - center_px)
        angle = math.atan2(dx, -dy)
        return cls(float(center_px[0]), float(center_px[1]), 2 * MARGIN * math.hypot(dx, dy), angle)

    def turned(self, angle_rad: float) -> Crop:
        """Return the same square turned further clockwise."""
        angle = math.remainder(self.angle_rad + angle_rad, 2 * math.pi)
        return Crop(self.x_px, self.y_px, self.side_px, angle)

    def moved(self, velocity: tuple[float, float, float], seconds: float) -> Crop:
        """Return the square where a steady motion (x px/s, y px/s, rad/s) takes it.

        The step is shortened by 2 % of the side and 4 degrees, so that noise does not shake the crop (it would
        cost a tenth more jitter), and held to 35 % of the side and 90 degrees.
        """
        dx, dy, turn = (float(v) * seconds for v in velocity)
        distance = math.hypot(dx, dy)
        share = min(max(distance - _STILL_SIDE * self.side_px, 0), _FAR_SIDE * self.side_px) / max(distance, 1e-9)
        turn = math.copysign(min(max(abs(turn) - _STILL_RAD, 0), math.pi / 2), turn)
        return replace(self.turned(turn), x_px=self.x_px + share * dx, y_px=self.y_px + share * dy)

    def rotation(self) -> np.ndarray:
        """Matrix (2, 2) that turns directions of the crop into directions of the picture."""
        c, s = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return np.array([[c, -s], [s, c]])

    def to_px(self, side: int = SIDE) -> np.ndarray:
        """Affine map (2, 3) from crop coordinates 0..side to picture coordinates."""
        linear = self.rotation() * (self.side_px / side)
        offset = np.array([self.x_px, self.y_px]) - linear @ np.full(2, side / 2)
        return np.column_stack([linear, offset])

    def usable(self, width: int, height: int) -> bool:
        """Say whether the square is finite, of a sane size and has its centre near the picture."""
        values = (self.x_px, self.y_px, self.side_px, self.angle_rad)
        if not all(math.isfinite(v) for v in values) or not 8 <= self.side_px <= 8 * max(width, height):
            return False
        reach = self.side_px / 4
        return -reach <= self.x_px <= width + reach and -reach <= self.y_px <= height + reach


def cut(rgb: np.ndarray, crop: Crop, out: np.ndarray) -> None:
    """Sample a crop of a picture (H, W, 3) uint8 into `out` (SIDE, SIDE, 3) uint8; the border repeats outwards.

    A crop at least three times as large as `out` is first halved until it is not, which avoids aliasing (below
    that it measures no better).
    """
    import cv2

    halvings = max(int(math.log2(max(crop.side_px, 1) / SIDE / 1.5)), 0)
    to_px = crop.to_px()
    if halvings:
        rgb, origin = _shrunk(rgb, crop, halvings)
        to_px[:, 2] -= origin
        to_px /= 2 ** halvings
    to_index = to_px.copy()
    to_index[:, 2] += to_px[:, :2] @ np.full(2, 0.5) - 0.5
    cv2.warpAffine(rgb, to_index, (SIDE, SIDE), dst=out, borderMode=cv2.BORDER_REPLICATE,
                   flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def halve(rgb: np.ndarray, times: int) -> np.ndarray:
    """Average a picture down by 2 in both directions, some times over (OpenCV's quick case)."""
    import cv2

    for _ in range(times):
        size = (max(rgb.shape[1] // 2, 1), max(rgb.shape[0] // 2, 1))
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return rgb


def _shrunk(rgb: np.ndarray, crop: Crop, halvings: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut the upright box around a crop and average it down; return it with its origin in pixels."""
    factor = 2 ** halvings
    height, width = rgb.shape[:2]
    reach = crop.side_px / 2 * (abs(math.cos(crop.angle_rad)) + abs(math.sin(crop.angle_rad))) + factor
    x0, x1 = _span(crop.x_px, reach, width, factor)
    y0, y1 = _span(crop.y_px, reach, height, factor)
    return halve(rgb[y0:y1, x0:x1], halvings), np.array([x0, y0], float)


def _span(center: float, reach: float, limit: int, factor: int) -> tuple[int, int]:
    """Clip a span to 0..limit with a length that is a multiple of `factor` (at least one multiple)."""
    low = min(max(int(center - reach), 0), max(limit - factor, 0))
    high = min(max(math.ceil(center + reach), low + factor), limit)
    return low, low + max((high - low) // factor, 1) * factor


def crop_from_coco(points_px: np.ndarray) -> Crop | None:
    """Make a person's first crop from COCO-17 points (17, 3) of x, y, score; None where there is no torso.

    The extent is the farthest point that is not a blind guess, and a tenth more for the crown and the toes.
    """
    center, shoulders = points_px[_HIPS, :2].mean(0), points_px[_SHOULDERS, :2].mean(0)
    up = shoulders - center
    torso = float(np.linalg.norm(up))
    if torso < 1e-3:
        return None
    trusted = points_px[points_px[:, 2] > _LOW_COCO_SCORE, :2]
    reach = float(np.linalg.norm(trusted - center, axis=1).max()) * 1.1 if len(trusted) else 0.0
    return Crop.about(center, center + up / torso * max(reach, 1.6 * torso))
