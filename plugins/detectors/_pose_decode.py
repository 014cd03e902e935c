"""From the output of a pose network to keypoints: SimCC, heatmaps in three kinds, and RTMO's own boxes and points.

Points come out as (N, K, 3): x, y in the network's input (0..width, 0..height) and the confidence.
"""

from __future__ import annotations

import numpy as np

_QUARTER = 0.25


def simcc(x: np.ndarray, y: np.ndarray, ratio: float = 2.0) -> np.ndarray:
    """Decode SimCC (Li et al. 2022): (N, K, w * ratio) and (N, K, h * ratio), one classification an axis.

    The confidence is the lower of both maxima; where it is not above 0 the point is at (-1, -1) / ratio, as in mmpose.
    """
    where = np.stack([x.argmax(-1), y.argmax(-1)], -1).astype(np.float32)
    value = np.minimum(x.max(-1), y.max(-1))
    where[value <= 0] = -1
    return np.concatenate([where / ratio, value[..., None]], -1).astype(np.float32)


def heatmap(maps: np.ndarray, size: tuple[int, int], kind: str, kernel: int = 11) -> np.ndarray:
    """Decode heatmaps (N, K, H, W) for an input of `size` (w, h).

    kind "quarter": the maximum, moved a quarter of a cell towards the higher neighbour (Newell et al. 2016);
    "dark": a Newton step on the log of the blurred map (Zhang et al. 2020), stride two;
    "udp": the same with stride one, cells spread from border to border (Huang et al. 2020).
    """
    height, width = maps.shape[2:]
    points = _maxima(maps)
    if kind == "quarter":
        points[..., :2] += _quarters(maps, points)
    elif kind == "dark":
        points[..., :2] += _newton(np.log(np.maximum(_blurred(maps, kernel), 1e-10)), points, 2)
    else:
        points[..., :2] += _newton(np.log(np.clip(_blurred(maps, kernel), 1e-3, 50)), points, 1)
    cells = np.array([width, height], float) - (kind == "udp")
    points[..., :2] = points[..., :2] / cells * np.array(size, float)
    return points.astype(np.float32)


def _maxima(maps: np.ndarray) -> np.ndarray:
    """Return (N, K, 3): column, row and value of each map's maximum; -1, -1 where it is not above 0."""
    flat = maps.reshape(*maps.shape[:2], -1)
    best, value = flat.argmax(-1), flat.max(-1)
    where = np.stack([best % maps.shape[3], best // maps.shape[3]], -1).astype(np.float64)
    where[value <= 0] = -1
    return np.concatenate([where, value[..., None]], -1)


def _quarters(maps: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return (N, K, 2) steps of a quarter of a cell; none in the outermost cells, where a neighbour is missing."""
    height, width = maps.shape[2:]
    x, y = points[..., 0].astype(int), points[..., 1].astype(int)
    n, k = np.indices(x.shape)

    def at(dx, dy):
        return maps[n, k, np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)]

    inside = (x > 0) & (x < width) & (y > 0) & (y < height)
    across = inside & (x > 1) & (x < width - 1)
    along = inside & (y > 1) & (y < height - 1)
    return np.stack([np.where(across, np.sign(at(1, 0) - at(-1, 0)), 0),
                     np.where(along, np.sign(at(0, 1) - at(0, -1)), 0)], -1) * _QUARTER


def _blurred(maps: np.ndarray, kernel: int) -> np.ndarray:
    """Blur each map with zeros beyond the border, and give it its old maximum back."""
    import cv2

    out = np.empty(maps.shape, np.float32)
    for row in np.ndindex(maps.shape[:2]):
        plain = np.ascontiguousarray(maps[row], np.float32)
        soft = cv2.GaussianBlur(plain, (kernel, kernel), 0, borderType=cv2.BORDER_CONSTANT)
        top = soft.max()
        out[row] = soft * (plain.max() / top) if top > 0 else soft
    return out


def _newton(logs: np.ndarray, points: np.ndarray, stride: int) -> np.ndarray:
    """Return (N, K, 2): the Newton step to the maximum of a parabola through the cells about each point.

    Derivatives are central differences; with stride 2 the second ones span two cells, and points within two cells of
    the border stay; with stride 1 the border is repeated.
    """
    height, width = logs.shape[2:]
    x, y = points[..., 0].astype(int), points[..., 1].astype(int)
    n, k = np.indices(x.shape)

    def at(dx, dy):
        return logs[n, k, np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)].astype(np.float64)

    dx, dy = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    if stride == 2:
        dxx = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4
        dyy = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
        dxy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
        held = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
        floor = 0.0
    else:
        dxx = at(1, 0) - 2 * at(0, 0) + at(-1, 0)
        dyy = at(0, 1) - 2 * at(0, 0) + at(0, -1)
        dxy = (at(1, 1) - at(1, 0) - at(0, 1) + 2 * at(0, 0) - at(-1, 0) - at(0, -1) + at(-1, -1)) / 2
        held, floor = np.ones(x.shape, bool), np.finfo(np.float32).eps
    dxx, dyy = dxx + floor, dyy + floor
    area = dxx * dyy - dxy**2
    safe = np.where(area == 0, 1, area)
    step = -np.stack([dyy * dx - dxy * dy, dxx * dy - dxy * dx], -1) / safe[..., None]
    return np.where((held & (area != 0))[..., None], step, 0.0)


def one_stage(boxes: np.ndarray, points: np.ndarray, score_threshold: float, max_iou: float) -> list[int]:
    """Choose the people out of RTMO's (M, 5) boxes with scores and (M, K, 3) points: good ones, each body once."""
    from mrs.similarity import iou

    kept: list[int] = []
    for row in np.argsort(-boxes[:, 4], kind="stable"):
        if boxes[row, 4] < score_threshold:
            break
        if not kept or iou(boxes[row, :4][None], boxes[kept, :4]).max() <= max_iou:
            kept.append(int(row))
    return kept
