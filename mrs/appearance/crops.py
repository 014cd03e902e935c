"""Squares around a person: where the network's pictures are taken from a frame, and put back."""

from __future__ import annotations

import numpy as np

from mrs.body import load_body
from mrs.cameras import Camera
from mrs.motion import Motion
from mrs.skeletons import COCO_18

SIDE_OF_EXTENT, SMOOTH_S, LEAST_PX = 1.32, 0.4, 16.0


def joints_px(motion: Motion, camera: Camera) -> np.ndarray:
    """The 18 joints of a motion in the picture: (T, 18, 3) of x, y and 1, or 0 where a joint is behind the camera."""
    points = load_body(motion.body).keypoints(motion, COCO_18)
    pixels = camera.project(points)
    known = np.isfinite(pixels).all(-1)
    return np.concatenate([np.where(known[..., None], pixels, 0.0), known[..., None]], -1)


def squares(joints: np.ndarray, rate_hz: float) -> np.ndarray:
    """Centre and side (T, 3) in pixels of a square around the person of each frame, calm over time, never cutting the joints.

    A frame without joints keeps its neighbours' square.
    """
    known = joints[..., 2] > 0
    rows = np.flatnonzero(known.any(1))
    if not len(rows):
        return np.tile([0.0, 0.0, LEAST_PX], (len(joints), 1))
    inside = np.where(known[..., None], joints[..., :2], np.nan)[rows]
    low, high = np.nanmin(inside, 1), np.nanmax(inside, 1)
    at = np.arange(len(joints))
    low, high = (np.stack([np.interp(at, rows, v) for v in ends.T], -1) for ends in (low, high))
    centre = _calm((low + high) / 2, rate_hz)
    reach = 2 * np.maximum(high - centre, centre - low).max(-1)
    side = np.maximum(SIDE_OF_EXTENT * _calm(_widest(reach, rate_hz), rate_hz), 1.05 * reach)
    return np.concatenate([centre, np.maximum(side, LEAST_PX)[:, None]], 1)


def _calm(values: np.ndarray, rate_hz: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(values, SMOOTH_S * rate_hz / 2, axis=0, mode="nearest") if len(values) > 2 and rate_hz > 0 else values


def _widest(values: np.ndarray, rate_hz: float) -> np.ndarray:
    from scipy.ndimage import percentile_filter

    return percentile_filter(values, 70, max(round(2 * SMOOTH_S * rate_hz), 1), mode="nearest") if rate_hz > 0 else values


def to_square(square: np.ndarray, size_px: int) -> np.ndarray:
    """The affine map (2, 3) from a frame to its square at `size_px`, as OpenCV wants it: whole numbers are pixels' centres."""
    scale = size_px / square[2]
    shift = size_px / 2 - scale * square[:2] + 0.5 * scale - 0.5
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def cut(rgb: np.ndarray, square: np.ndarray, size_px: int) -> np.ndarray:
    """The square of a frame as (size, size, ...), its edge repeated where it reaches outside."""
    import cv2

    scale = size_px / square[2]
    affine = to_square(square, size_px)
    if scale >= 0.75:
        return cv2.warpAffine(rgb, affine, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    finer = int(np.ceil(1 / scale))
    large = cv2.warpAffine(rgb, to_square(square, size_px * finer), (size_px * finer, size_px * finer), flags=cv2.INTER_LINEAR,
                           borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(large, (size_px, size_px), interpolation=cv2.INTER_AREA)


def within(joints: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Joints (18, 3) in pixels as shares of the square."""
    xy = (joints[:, :2] - square[:2]) / square[2] + 0.5
    return np.concatenate([xy, joints[:, 2:]], 1)


def put(rgb: np.ndarray, drawn: np.ndarray, share: np.ndarray, square: np.ndarray) -> None:
    """Blend a drawn square (S, S, 3) uint8 by its share (S, S) in 0..1 into a frame, in place."""
    import cv2

    low = np.maximum(np.floor(square[:2] - square[2] / 2), 0).astype(int)
    high = np.minimum(np.ceil(square[:2] + square[2] / 2), rgb.shape[1::-1]).astype(int)
    if (high <= low).any():
        return
    (x0, y0), (x1, y1) = low, high
    affine = to_square(square, len(drawn)) @ np.array([[1.0, 0, x0], [0, 1.0, y0], [0, 0, 1]])
    flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (int(x1 - x0), int(y1 - y0))
    colour = cv2.warpAffine(drawn, affine, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(share.astype(np.float32), affine, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)
    below = rgb[y0:y1, x0:x1]
    below[:] = cv2.blendLinear(colour, np.ascontiguousarray(below), weight, 1 - weight)
