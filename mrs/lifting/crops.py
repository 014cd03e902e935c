"""Square crops about a person, turned so that the person stands upright in them, and the exact way back.

Places are pixel indices: the middle of the first pixel is at 0, that of a crop of 224 pixels at 111.5. Angles turn the picture clockwise,
as a rotation about the camera's z axis does where x points right and y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs.lifting.placing import lines
from mrs.tracks import Track

SIDE_PX = 224
MIDDLE = (SIDE_PX - 1) / 2
VISIBLE = 0.2
PADDED = 1.2
STEADY_S = 0.1
LEANING_DEG = (20.0, 45.0)
"""A body that leans less stands as it is, as the regressors learnt it; one that leans more is turned upright, with a smooth change between."""
SMALLEST_PX = 8.0


@dataclass(frozen=True)
class Crops:
    """Crops of T frames: centres (T, 2) and sides (T,) in the picture's pixels, and the angle (T,) in radians of the person there."""

    center_px: np.ndarray
    side_px: np.ndarray
    angle_rad: np.ndarray

    def to_crop(self, turned_rad: float = 0.0) -> np.ndarray:
        """Affine maps (T, 2, 3) from the picture to the crop that is turned back by the person's angle and `turned_rad` more."""
        angle = self.angle_rad + turned_rad
        scale = SIDE_PX / self.side_px
        cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
        linear = np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], -2)
        shift = MIDDLE - np.einsum("tab,tb->ta", linear, self.center_px)
        return np.concatenate([linear, shift[..., None]], -1)


def inverse(to_crop: np.ndarray) -> np.ndarray:
    """The affine maps (..., 2, 3) back from the crop to the picture."""
    linear = np.linalg.inv(to_crop[..., :2])
    return np.concatenate([linear, -(linear @ to_crop[..., 2:])], -1)


def mapped(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., K, 2) through affine maps (..., 2, 3)."""
    return points @ np.swapaxes(affine[..., :2], -1, -2) + affine[..., None, :, 2]


def about(track: Track, upright: bool = True) -> Crops:
    """Crops about the visible keypoints of every frame, steadied over STEADY_S; straight lines over frames without."""
    points, sure = track.keypoints_px[..., :2].astype(float), track.keypoints_px[..., 2] > VISIBLE
    known = sure.sum(1) >= 3
    angle = _angles(track, known) if upright else np.zeros(len(track))
    center, side = np.empty((len(track), 2)), np.empty(len(track))
    for row in range(len(track)):
        if known[row]:
            center[row], side[row] = _box(points[row][sure[row]], angle[row])
        else:
            x0, y0, x1, y1 = track.boxes_px[row]
            center[row], side[row] = ((x0 + x1) / 2, (y0 + y1) / 2), max(x1 - x0, y1 - y0)
    use = known if known.any() else np.ones(len(track), bool)
    values = lines(track.times_s[use], np.c_[center, np.log(np.maximum(PADDED * side, SMALLEST_PX))][use], track.times_s)
    values = _steady(values, track.times_s, STEADY_S)
    return Crops(values[:, :2], np.exp(values[:, 2]), angle)


def _box(points: np.ndarray, angle: float) -> tuple[np.ndarray, float]:
    """Centre and side of the square about points (K, 2) whose edges are turned by an angle."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    own = points @ turn
    low, high = own.min(0), own.max(0)
    return turn @ ((low + high) / 2), float((high - low).max())


def _angles(track: Track, known: np.ndarray) -> np.ndarray:
    """Angles (T,) in radians, unwrapped, by which the trunk is turned clockwise from upright; 0 where it leans little.

    The direction from hips to shoulders is averaged over time as a vector, so that a trunk that points at the camera counts for little.
    """
    names = track.keypoints.names
    ends = [[names.index(n) for n in (f"left_{part}", f"right_{part}") if n in names] for part in ("hip", "shoulder")]
    if not all(ends):
        return np.zeros(len(track))
    sure = known & (track.keypoints_px[:, [*ends[0], *ends[1]], 2] > VISIBLE).all(1)
    if not sure.any():
        return np.zeros(len(track))
    hips, shoulders = (track.keypoints_px[:, rows, :2].astype(float).mean(1) for rows in ends)
    trunk = (shoulders - hips) / track.heights_px()[:, None]
    trunk = _steady(lines(track.times_s[sure], trunk[sure], track.times_s), track.times_s, STEADY_S)
    angle = np.unwrap(np.arctan2(trunk[:, 0], -trunk[:, 1]))
    wrapped = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
    low, high = np.radians(LEANING_DEG)
    share = np.clip((wrapped - low) / (high - low), 0, 1)
    whole = 2 * np.pi * np.round(angle / (2 * np.pi))
    return whole + (angle - whole) * share**2 * (3 - 2 * share)


def _steady(values: np.ndarray, times_s: np.ndarray, sigma_s: float) -> np.ndarray:
    """Values (T, D) under a Gaussian of `sigma_s` seconds along time."""
    from scipy.ndimage import gaussian_filter1d

    if len(times_s) < 3:
        return values
    rate_hz = (len(times_s) - 1) / (times_s[-1] - times_s[0])
    return gaussian_filter1d(values, sigma_s * rate_hz, axis=0, mode="nearest")


def cut(rgb: np.ndarray, to_crop: np.ndarray) -> np.ndarray:
    """Sample a crop (224, 224, 3) uint8 of a picture by an affine map (2, 3); black outside of it.

    A picture more than twice as fine is first averaged over whole pixels, so that nothing flickers.
    """
    import cv2

    rows = max(int(np.sqrt(1 / abs(np.linalg.det(to_crop[:, :2])))), 1)
    if rows > 1:
        rgb, to_crop = _coarser(rgb, to_crop, rows)
    return cv2.warpAffine(rgb, to_crop, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR)


def _coarser(rgb: np.ndarray, to_crop: np.ndarray, by: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of a picture that a crop shows, `by` times as coarse, and the map from it to the crop."""
    import cv2

    ends = mapped(inverse(to_crop), np.array([[x, y] for x in (0, SIDE_PX - 1) for y in (0, SIDE_PX - 1)], float))
    low = np.clip(np.floor(ends.min(0) / by - 2).astype(int) * by, 0, None)
    high = np.minimum(np.ceil(ends.max(0) / by + 2).astype(int) * by, np.array(rgb.shape[1::-1]) // by * by)
    if (high - low < by).any():
        return rgb, to_crop
    part = cv2.resize(np.ascontiguousarray(rgb[low[1] : high[1], low[0] : high[0]]), tuple((high - low) // by), interpolation=cv2.INTER_AREA)
    shift = low + (by - 1) / 2
    return part, np.c_[to_crop[:, :2] * by, to_crop[:, 2] + to_crop[:, :2] @ shift]
