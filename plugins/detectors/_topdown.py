"""Upright crops about people's boxes as top-down pose networks were trained on, and the way back to the picture.

Places are pixel indices, as in mmpose and in the annotations it trains on: the middle of the first pixel is at 0.
"""

from __future__ import annotations

import numpy as np


def frames_of(boxes_px: np.ndarray, size: tuple[int, int], padding: float) -> tuple[np.ndarray, np.ndarray]:
    """Return centres (N, 2) and sizes (N, 2) in pixels of the padded boxes (N, 4), grown to the shape of `size` (w, h)."""
    boxes = np.asarray(boxes_px, np.float64)
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    w, h = np.split((boxes[:, 2:] - boxes[:, :2]) * padding, 2, 1)
    ratio = size[0] / size[1]
    return center, np.where(w > h * ratio, np.hstack([w, w / ratio]), np.hstack([h * ratio, h]))


def cut(rgb: np.ndarray, center: np.ndarray, extent: np.ndarray, size: tuple[int, int], unbiased: bool) -> np.ndarray:
    """Sample one crop (h, w, 3) uint8 of a picture; black outside it. `unbiased` maps border pixels onto each other (UDP)."""
    import cv2

    scale = (np.array(size, float) - unbiased) / extent
    to_crop = np.array([[scale[0], 0, scale[0] * (extent[0] / 2 - center[0])],
                        [0, scale[1], scale[1] * (extent[1] / 2 - center[1])]])
    return cv2.warpAffine(rgb, to_crop.astype(np.float32), size, flags=cv2.INTER_LINEAR)


def crops(rgb: np.ndarray, boxes_px: np.ndarray, size: tuple[int, int], padding: float,
          unbiased: bool) -> tuple[np.ndarray, ...]:
    """Return the crops (N, h, w, 3) uint8 of some boxes, their centres (N, 2) and sizes (N, 2)."""
    center, extent = frames_of(boxes_px, size, padding)
    cuts = [cut(rgb, c, e, size, unbiased) for c, e in zip(center, extent, strict=True)]
    return np.stack(cuts), center, extent


def to_picture(points: np.ndarray, center: np.ndarray, extent: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Map points (N, K, 2) of crops, 0..size, to pixels."""
    return points / np.array(size, float) * extent[:, None] + (center - extent / 2)[:, None]
