"""Triangles to pictures with NumPy and OpenCV: which face each pixel shows, and a smooth anti-aliased layer of a mesh.

Both this painter and :mod:`mrs.render.gl` draw a mesh as a :class:`Layer`, a cut of the picture with its share of every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR_M = 0.05
REACH = 4
_SUBPIXEL_BITS = 4
SUPERSAMPLE = 2


@dataclass(frozen=True)
class Layer:
    """A cut of the picture from (x0, y0) on: rgba (h, w, 4) uint8, the colours already multiplied by the share."""

    rgba: np.ndarray
    x0: int
    y0: int

    def put_on(self, rgb: np.ndarray) -> None:
        """Blend into a picture (h, w, 3) uint8 in place."""
        import cv2

        height, width = self.rgba.shape[:2]
        below = rgb[self.y0 : self.y0 + height, self.x0 : self.x0 + width]
        left = cv2.cvtColor(255 - self.rgba[..., 3], cv2.COLOR_GRAY2RGB)
        cv2.add(cv2.multiply(below, left, scale=1 / 255), cv2.cvtColor(self.rgba, cv2.COLOR_RGBA2RGB), dst=below)


@dataclass(frozen=True)
class Faces:
    """Which face each pixel of a cut shows: ids (h, w) int32, -1 for none; pixels (V, 2) and depth_m (V,) of the vertices."""

    ids: np.ndarray
    x0: int
    y0: int
    pixels: np.ndarray
    depth_m: np.ndarray


def project(points_camera: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (V, 2) and depth (V,) of points (V, 3) in the camera frame; pixels nearer than NEAR_M are NaN."""
    depth = points_camera[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = points_camera[:, :2] / np.where(depth > NEAR_M, depth, np.nan)[:, None] * [K[0, 0], K[1, 1]] + K[:2, 2]
    return pixels, depth


def front_faces(pixels: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Numbers of the faces that look at the camera and lie wholly before it."""
    a, b, c = pixels[faces[:, 0]], pixels[faces[:, 1]], pixels[faces[:, 2]]
    with np.errstate(invalid="ignore"):
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        return np.flatnonzero(area < 0)


def crop_of(pixels: np.ndarray, size_px: tuple[int, int], rim: int = 1) -> tuple[int, int, int, int] | None:
    """Whole-pixel box x0, y0, x1, y1 within the picture of points (N, 2), NaN left out; None where it is empty."""
    x, y = (column[np.isfinite(column)] for column in pixels.T)
    if not len(x) or not len(y):
        return None
    low = [max(int(np.floor(column.min())) - rim, 0) for column in (x, y)]
    high = [min(int(np.ceil(column.max())) + rim, size) for column, size in zip((x, y), size_px, strict=True)]
    return (*low, *high) if high[0] > low[0] and high[1] > low[1] else None


def find_faces(points_camera: np.ndarray, faces: np.ndarray, K: np.ndarray, size_px: tuple[int, int],
               scale: float = 1.0) -> Faces | None:
    """Draw the numbers of faces, from far to near, at `scale` of the picture's size; None where nothing shows.

    The middle of pixel 0 is at 0.5. Faces are counter-clockwise seen from outside. The mesh's triangles are small, so that the order of their centres is
    the order of what hides what.
    """
    import cv2

    pixels, depth = project(points_camera, K)
    front = front_faces(pixels, faces)
    crop = crop_of(pixels, size_px)
    if crop is None or not len(front):
        return None
    x0, y0, x1, y1 = crop
    ids = np.full((int(np.ceil((y1 - y0) * scale)), int(np.ceil((x1 - x0) * scale))), -1, np.int32)
    order = front[np.argsort(-sum(depth[faces[front, corner]] for corner in range(3)))]
    reach = REACH * max(size_px)
    corners = np.clip((pixels - [x0, y0]) * scale - 0.5, -reach, reach) * (1 << _SUBPIXEL_BITS)
    triangles = np.round(np.nan_to_num(corners)).astype(np.int32)[faces[order]]
    fill, line = cv2.fillConvexPoly, cv2.LINE_8
    for triangle, number in zip(triangles, order.tolist(), strict=True):
        fill(ids, triangle, number, line, _SUBPIXEL_BITS)
    return Faces(ids, x0, y0, pixels, depth)


class Painter:
    """Draw a mesh with one colour a vertex, without a graphics library: twice the size, then averaged."""

    def __init__(self, faces: np.ndarray):
        self.faces = faces

    def layer(self, points_camera: np.ndarray, colours: np.ndarray, K: np.ndarray, size_px: tuple[int, int]) -> Layer | None:
        """The mesh at points (V, 3) with colours (V, 3) float 0..255, as a cut of the picture; None where nothing shows."""
        import cv2

        found = find_faces(points_camera, self.faces, K, size_px, SUPERSAMPLE)
        if found is None:
            return None
        height, width = found.ids.shape
        at = np.flatnonzero(found.ids.ravel() >= 0)
        rgba = np.zeros(height * width, np.uint32)
        rgba[at] = self._shaded(found, at, width, colours)
        small = cv2.resize(rgba.view(np.uint8).reshape(height, width, 4), (width // SUPERSAMPLE, height // SUPERSAMPLE),
                           interpolation=cv2.INTER_AREA)
        return Layer(small, found.x0, found.y0)

    def _shaded(self, found: Faces, at: np.ndarray, width: int, colours: np.ndarray) -> np.ndarray:
        """Colours at some pixels of the cut, linear over each triangle of the picture: bytes r, g, b, 255 as (N,) uint32."""
        corners = (found.pixels - [found.x0, found.y0]) * SUPERSAMPLE - 0.5
        planes = _planes(corners[self.faces], colours[self.faces])
        planes = np.ascontiguousarray(planes.reshape(-1, 9).T, np.float32)
        ids = found.ids.ravel()[at]
        y, x = (value.astype(np.float32) for value in np.divmod(at.astype(np.int32), np.int32(width)))
        out = np.full((len(at), 4), 255, np.uint8)
        for channel in range(3):
            value, down = planes[channel].take(ids), planes[3 + channel].take(ids)
            value *= x
            down *= y
            value += down
            value += planes[6 + channel].take(ids)
            out[:, channel] = np.clip(value, 0, 255, out=value)
        return out.view(np.uint32)[:, 0]


def _planes(corners: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Planes (F, 3, C) over the picture: value = p0 x + p1 y + p2, through values (F, 3, C) at corners (F, 3, 2).

    A triangle seen from its edge has the mean of its corners all over.
    """
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        inverse = np.where(np.abs(area) > 0.5, 1 / area, 0)[:, None]
    up, right = colours[:, 1] - colours[:, 0], colours[:, 2] - colours[:, 0]
    dx = (up * ac[:, 1:2] - right * ab[:, 1:2]) * inverse
    dy = (right * ab[:, :1] - up * ac[:, :1]) * inverse
    base = np.where(inverse != 0, colours[:, 0] - dx * a[:, :1] - dy * a[:, 1:2], colours.mean(1))
    return np.stack([dx, dy, np.nan_to_num(base)], 1)
