"""How alike two sightings of people are: keypoint similarity and box overlap.

Boxes are x0, y0, x1, y1 in continuous pixels; no `+1` is added anywhere.
"""

from __future__ import annotations

import numpy as np

from mrs.skeletons import Keypoints

VISIBLE = 0.1
"""Confidence above which a keypoint counts as seen."""

AREA_OF_HEIGHT = 0.2
"""Area of a person over the squared diagonal of the box: 0.2 for a standing adult, and the same at every in-plane turn."""

_COCO_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089,
}
_OTHER_SIGMAS = {
    "eye_inner": 0.025, "eye_outer": 0.025, "mouth": 0.03, "pinky": 0.08, "index": 0.08, "thumb": 0.08, "hand": 0.08,
    "heel": 0.09, "big_toe": 0.09, "small_toe": 0.09, "foot_index": 0.09, "foot": 0.09, "mid_hip": 0.107,
    "pelvis": 0.107, "spine": 0.107, "spine1": 0.107, "spine2": 0.107,
}
_DEFAULT_SIGMA = 0.079


def sigmas(keypoints: Keypoints) -> np.ndarray:
    """Return the standard deviation of each keypoint's annotation, (K,), in units of the root of the person's area.

    The nine of COCO (Lin et al. 2014, keypoint evaluation) by name; points COCO lacks take that of a like point.
    """
    table = {**_COCO_SIGMAS, **_OTHER_SIGMAS}
    return np.array([table.get(_without_side(name), _DEFAULT_SIGMA) for name in keypoints.names])


def _without_side(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


def heights(boxes_px: np.ndarray) -> np.ndarray:
    """Return the diagonals (...,) of boxes (..., 4), at least one pixel: heights that in-plane turns leave alone."""
    return np.maximum(np.hypot(boxes_px[..., 2] - boxes_px[..., 0], boxes_px[..., 3] - boxes_px[..., 1]), 1.0)


def oks(a_px: np.ndarray, b_px: np.ndarray, heights_px: np.ndarray, sigma: np.ndarray, slack=0.0) -> np.ndarray:
    """Return the object keypoint similarity (...,) of people (..., K, 3) with people (..., K, 3), axes broadcast.

    The mean over keypoints of exp(-d^2 / (2 s^2 k^2)), k = 2 sigma and s^2 = 0.2 height^2 (COCO), weighted by the
    lower confidence of the two; 0 where no keypoint is seen in both. `heights_px` is (...,), and so may be `slack`,
    in heights, which widens the tolerance for a sighting that was predicted.
    """
    squared = ((a_px[..., :2] - b_px[..., :2]) ** 2).sum(-1)
    tolerance = AREA_OF_HEIGHT * (2 * sigma) ** 2 + np.asarray(slack)[..., None] ** 2
    weight = np.minimum(a_px[..., 2], b_px[..., 2])
    weight = weight * (weight > VISIBLE)
    alike = (weight * np.exp(squared / (-2 * np.asarray(heights_px)[..., None] ** 2 * tolerance))).sum(-1)
    return alike / np.maximum(weight.sum(-1), VISIBLE)


def iou(a_px: np.ndarray, b_px: np.ndarray) -> np.ndarray:
    """Return intersection over union (...,) of boxes (..., 4) and (..., 4), axes broadcast; 0 for boxes apart."""
    width_height = np.minimum(a_px[..., 2:], b_px[..., 2:]) - np.maximum(a_px[..., :2], b_px[..., :2])
    width_height = np.maximum(width_height, 0.0)
    shared = width_height[..., 0] * width_height[..., 1]
    union = _areas(a_px) + _areas(b_px) - shared
    return shared / np.maximum(union, 1e-9)


def _areas(boxes_px: np.ndarray) -> np.ndarray:
    width_height = np.maximum(boxes_px[..., 2:] - boxes_px[..., :2], 0.0)
    return width_height[..., 0] * width_height[..., 1]


def distinct(keypoints_px, boxes_px, scores, sigma, flip, max_oks: float, max_iou: float = 0.8) -> np.ndarray:
    """Return the rows of a frame's people that are not second sightings of a better scored one, in their order.

    Two are the same body where their keypoints agree to `max_oks` in either assignment of left and right (`flip` is
    the set's permutation), or where their boxes overlap by `max_iou` and the keypoints agree to two thirds of
    `max_oks`: boxes alone do not tell two people who pass each other from one.
    """
    if len(scores) < 2 or not _any_touch(boxes_px.tolist()):
        return np.arange(len(scores))
    height = heights(boxes_px)[:, None]
    rows, columns = keypoints_px[:, None], keypoints_px[None]
    alike = np.maximum(oks(rows, columns, height, sigma), oks(rows, columns[:, :, flip], height, sigma))
    alike = np.maximum(alike, alike.T)
    overlap = iou(boxes_px[:, None], boxes_px[None])
    same = (alike > max_oks) | ((overlap > max_iou) & (alike > max_oks * 2 / 3))
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if not same[row, kept].any():
            kept.append(int(row))
    return np.array(sorted(kept))


def _any_touch(boxes: list[list[float]]) -> bool:
    """Say whether any two boxes overlap; plain numbers, as most frames hold two or three people who do not."""
    return any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
               for i, a in enumerate(boxes) for b in boxes[i + 1:])
