"""What is behind the person: the clip's own background where the clip's camera looks, else plain ground under a plain sky."""

from __future__ import annotations

import numpy as np

from mrs.cameras import Camera
from mrs.render.appearance import Appearance

SKY_RGB, HORIZON_RGB, NEAR_RGB, LINE_RGB = (226, 232, 240), (212, 217, 224), (188, 193, 201), (170, 175, 184)
STEP, FADE_M, LINE_M, FAR_PX = 8, 14.0, 10.0, 20000


class Backdrop:
    """Pictures (h, w, 3) uint8 without the person, one for each frame of the camera; each call returns one to draw on."""

    def __init__(self, appearance: Appearance, camera: Camera, size_px: tuple[int, int]):
        self.camera, self.size_px, self._behind = camera, tuple(size_px), appearance.behind
        self.is_own = shows_place(appearance, camera, size_px)
        self._still = fitted(appearance.background_rgb, size_px) if self.is_own else studio(camera, size_px) if camera.is_still else None

    def at(self, row: int) -> np.ndarray:
        """The picture behind one frame."""
        if self._behind is not None:
            return self._behind(row)
        return self._still.copy() if self._still is not None else studio(self.camera.at(row), self.size_px)


def shows_place(appearance: Appearance, camera: Camera, size_px: tuple[int, int]) -> bool:
    """Tell whether the clip's background is what this camera sees: it stands still where the clip's camera stood."""
    from mrs.render.clip import scaled_to

    if appearance.background_rgb is None or appearance.camera is None or not camera.is_still:
        return False
    own = scaled_to(appearance.camera, size_px)
    return (np.allclose(own.R, camera.R, atol=1e-4) and np.allclose(own.t, camera.t, atol=1e-3)
            and np.allclose(own.K, scaled_to(camera, size_px).K, rtol=1e-3, atol=0.5))


def fitted(rgb: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """A picture at another size: the same height, its sides cut off or mirrored on."""
    import cv2

    width, height = size_px
    scale = height / rgb.shape[0]
    shown = cv2.resize(rgb, (max(round(rgb.shape[1] * scale), 1), height),
                       interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    missing = width - shown.shape[1]
    if missing > 0:
        return cv2.copyMakeBorder(shown, 0, 0, missing // 2, missing - missing // 2, cv2.BORDER_REFLECT)
    return np.ascontiguousarray(shown[:, -missing // 2 : -missing // 2 + width])


def studio(camera: Camera, size_px: tuple[int, int]) -> np.ndarray:
    """Ground with a line a metre, fading into a plain sky; `camera` has one pose."""
    import cv2

    width, height = size_px
    x, y = np.meshgrid(np.arange(STEP / 2, width + STEP, STEP), np.arange(STEP / 2, height + STEP, STEP))
    rays = np.stack([(x - camera.K[0, 2]) / camera.K[0, 0], (y - camera.K[1, 2]) / camera.K[1, 1], np.ones_like(x)], -1)
    down = -(rays @ camera.R[:, 1])
    above = max(float(camera.centre_m[1]), 0.3)
    away = np.where(down > 1e-6, above / np.maximum(down, 1e-6) * np.linalg.norm(rays, axis=-1), np.inf)
    near = np.exp(-away / FADE_M)[..., None]
    ground = np.array(HORIZON_RGB) * (1 - near) + np.array(NEAR_RGB) * near
    share = np.clip(down * camera.K[1, 1] / STEP + 0.5, 0, 1)[..., None]
    rgb = (ground * share + np.array(SKY_RGB) * (1 - share)).astype(np.uint8)
    rgb = cv2.resize(rgb, (rgb.shape[1] * STEP, rgb.shape[0] * STEP), interpolation=cv2.INTER_LINEAR)[:height, :width]
    rgb = np.ascontiguousarray(rgb)
    _lines(rgb, camera)
    return rgb


def _lines(rgb: np.ndarray, camera: Camera) -> None:
    """Draw the lines of whole metres near to where the camera looks down."""
    import cv2

    from mrs.render.raster import project

    ahead, eye = camera.R[2], camera.centre_m
    middle = np.round(eye[[0, 2]] + ahead[[0, 2]] * min(max(-eye[1] / min(ahead[1], -0.12), 2.0), 8.0))
    grid = _GRID + np.insert(middle, 1, 0.0)
    pixels, _ = project(camera.to_camera(grid.reshape(-1, 3)), camera.K)
    pixels = pixels.reshape(-1, grid.shape[1], 2)
    whole = np.isfinite(pixels).all((1, 2)) & (np.abs(np.nan_to_num(pixels)) < FAR_PX).all((1, 2))
    lines = list(np.round(pixels[whole] * 8).astype(np.int32))
    for line in pixels[~whole]:
        inside = np.isfinite(line[:, 0]) & (np.abs(np.nan_to_num(line)) < FAR_PX).all(1)
        lines += [np.round(part * 8).astype(np.int32) for part in np.split(line, np.flatnonzero(np.diff(inside)) + 1)
                  if len(part) > 1 and np.isfinite(part).all() and (np.abs(part) < FAR_PX).all()]
    cv2.polylines(rgb, lines, False, LINE_RGB, 1, cv2.LINE_AA, 3)


def _grid() -> np.ndarray:
    """Points (N, P, 3) along lines a metre apart, both ways, about the origin."""
    steps, along = np.arange(-LINE_M, LINE_M + 1), np.linspace(-LINE_M, LINE_M, 21)
    first, second = np.meshgrid(steps, along, indexing="ij")
    flat = np.zeros_like(first)
    return np.concatenate([np.stack([first, flat, second], -1), np.stack([second, flat, first], -1)])


_GRID = _grid()
