"""One person in a place: light, the shadow on the ground, what is behind, and the pictures one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mrs.body import load_body
from mrs.cameras import Camera
from mrs.motion import Motion
from mrs.render.appearance import Appearance
from mrs.render.backdrop import Backdrop
from mrs.render.raster import crop_of, project

AT_ONCE = 32
TO_LIGHT_CAMERA = np.array([-0.45, -0.8, -0.55])
SHADOW_STEP = 4
SHADOW_SOFT_M = 0.02
TOUCHES = 0.5


@dataclass(frozen=True)
class Look:
    """How a scene is drawn: strength of shading, the clip's own light included, and darkness of the shadow, 0..1."""

    shading: float = 0.35
    shadow: float = 0.45


class Scene:
    """A motion in the world, seen by a camera with a pose for all of its frames or for each.

    `rasteriser` is a :class:`mrs.render.raster.Painter` or :class:`mrs.render.gl.GlRasteriser`.
    """

    def __init__(self, motion: Motion, appearance: Appearance, camera: Camera, size_px: tuple[int, int], look: Look):
        self.motion, self.camera, self.size_px, self.look = motion, camera, tuple(size_px), look
        self.body = load_body(motion.body)
        self._first, self._points = -1, None
        self.backdrop = Backdrop(appearance, camera, size_px)
        self.colours = appearance.colours_rgb.astype(np.float32)
        self.to_light = _to_light(camera)
        self.light = self._light(appearance.light)
        self.ground_m = ground_levels(motion)

    def vertices(self, row: int) -> np.ndarray:
        """Vertices (V, 3) in the world; skinned some frames at a time."""
        first = row - row % AT_ONCE
        if first != self._first:
            self._first, self._points = first, self.body.vertices(self.motion, slice(first, first + AT_ONCE))
        return self._points[row - first]

    def picture(self, row: int, rasteriser) -> np.ndarray:
        """The picture (h, w, 3) uint8 of one frame."""
        points, camera = self.vertices(row), self.camera.at(row)
        rgb = self.backdrop.at(row)
        if self.look.shadow:
            self._cast(rgb, points, camera, self.ground_m[row])
        layer = rasteriser.layer(camera.to_camera(points), self.shaded(points), camera.K, self.size_px)
        if layer is not None:
            layer.put_on(rgb)
        return rgb

    def pictures(self, rasteriser) -> Iterator[np.ndarray]:
        """Yield the picture of every frame."""
        for row in range(len(self.motion)):
            yield self.picture(row, rasteriser)

    def shaded(self, points: np.ndarray) -> np.ndarray:
        """Colours (V, 3) in the light: brighter where the surface looks at it, darker where away, the same on the whole."""
        if not self.look.shading:
            return self.colours
        lit = 1 + vertex_normals(points, self.body.faces) @ self.light[:3] - self.light[3]
        return self.colours * np.clip(lit, 0.3, 2.5)[:, None].astype(np.float32)

    def _light(self, own: np.ndarray) -> np.ndarray:
        """Light (4,): brightness is 1 + its first three times the normal - the last.

        It is what the clip was filmed in and, where that is weaker than `shading`, a light over the camera's shoulder that leaves
        what the first frame shows as bright as it was.
        """
        strength = max(self.look.shading - np.linalg.norm(own), 0.0)
        points, camera = self.vertices(0), self.camera.at(0)
        away = camera.centre_m - points
        normals = vertex_normals(points, self.body.faces)
        faces = np.maximum((normals * away).sum(1) / np.linalg.norm(away, axis=1), 0)
        mean = (faces * (normals @ self.to_light)).sum() / max(faces.sum(), 1e-6)
        return np.append(own + strength * self.to_light, strength * mean)

    def _cast(self, rgb: np.ndarray, points: np.ndarray, camera: Camera, ground_m: float) -> None:
        """Darken the ground where the body keeps the light off: the surface's points moved along the light, and blurred."""
        import cv2

        spread = np.concatenate([points, sum(points[self.body.faces[:, corner]] for corner in range(3)) / 3])
        above = spread[spread[:, 1] > ground_m - 0.1]
        fallen = above - (above[:, 1:2] - ground_m) * (self.to_light / self.to_light[1])
        pixels, depth = project(camera.to_camera(fallen), camera.K)
        pixels = pixels[np.isfinite(pixels[:, 0])]
        soft_px = SHADOW_SOFT_M * camera.K[0, 0] / max(np.median(depth), 0.5) + 1
        crop = crop_of(np.clip(pixels, -4000, 8000), self.size_px, int(3 * soft_px) + 4)
        if crop is None:
            return
        x0, y0, x1, y1 = crop
        mask = np.zeros((-(-(y1 - y0) // SHADOW_STEP), -(-(x1 - x0) // SHADOW_STEP)), np.uint8)
        x, y = np.floor((pixels - [x0, y0]) / SHADOW_STEP).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
        mask[y[inside], x[inside]] = 255
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        mask = cv2.GaussianBlur(mask, (0, 0), max(soft_px / SHADOW_STEP, 0.8))
        kept = cv2.resize(255 - (mask * np.float32(self.look.shadow)).astype(np.uint8), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        below = rgb[y0:y1, x0:x1]
        cv2.multiply(below, cv2.cvtColor(kept, cv2.COLOR_GRAY2RGB), dst=below, scale=1 / 255)


def vertex_normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (V, 3), outward, the mean of a vertex's faces by their areas."""
    a, b, c = (points[faces[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    corners = faces.ravel()
    summed = np.stack([np.bincount(corners, np.repeat(normal[:, axis], 3), len(points)) for axis in range(3)], 1)
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def _to_light(camera: Camera) -> np.ndarray:
    """Unit vector (3,) to the light, in the world: over the left shoulder of the first frame's camera, and from above."""
    way = camera.at(0).R.T @ TO_LIGHT_CAMERA
    way[1] = max(way[1], 0.75 * np.hypot(way[0], way[2]))
    return way / np.linalg.norm(way)


def ground_levels(motion: Motion) -> np.ndarray:
    """Height (T,) in metres of what the person stands on, or lands on next: where feet touch, the lowest sole that does.

    After the last contact, and without any, it is the lowest that a sole still comes.
    """
    from mrs.world.ground import sole_points

    soles = sole_points(motion)[..., 1]
    touching = motion.contacts > TOUCHES
    lowest = soles.min(1)
    levels = np.minimum.accumulate(lowest[::-1])[::-1]
    rows = np.flatnonzero(touching.any(1))
    if len(rows):
        stands = np.where(touching, soles, np.inf)[rows].min(1)
        following = np.searchsorted(rows, np.arange(len(motion)))
        levels = np.where(following < len(rows), stands[np.minimum(following, len(rows) - 1)], levels)
    return np.minimum(levels, lowest + 0.02)
