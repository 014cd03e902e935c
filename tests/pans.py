"""Films of a fixed painted surrounding, seen by a camera whose every turn is known, with a painted person in front."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace

import numpy as np

from mrs import rotations
from mrs.cameras import Camera

SIZE = (480, 270)
FOV_DEG = 60.0


@lru_cache(maxsize=2)
def surrounding(seed: int = 0, height: int = 768) -> np.ndarray:
    """A random picture (h, 2 h, 3) of everything around, longitude to the right, latitude down: blobs of all sizes."""
    import cv2

    rng, size = np.random.default_rng(seed), (2 * height, height)
    picture = np.full((height, 2 * height, 3), 110.0, np.float32)
    for cells, strength in ((12, 50), (40, 45), (130, 40), (260, 25)):
        noise = rng.normal(size=(cells, 2 * cells, 3)).astype(np.float32)
        noise[:, -1] = noise[:, 0]
        picture += strength * cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    for _ in range(250):
        x, y, w, h = (rng.random(4) * [2 * height, height, 60, 60] + [0, 0, 8, 8]).astype(int)
        picture[y:y + h, x:x + w] = rng.uniform(0, 255, 3)
    return picture.clip(0, 255).astype(np.uint8)


def shown(picture: np.ndarray, camera: Camera, R: np.ndarray) -> np.ndarray:
    """The picture (h, w, 3) that a camera turned by R (surrounding to camera) takes."""
    import cv2

    width, height = camera.size_px
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across, down = (x - camera.K[0, 2]) / camera.K[0, 0], (y - camera.K[1, 2]) / camera.K[1, 1]
    right, low, ahead = np.moveaxis(np.stack([across, down, np.ones_like(x)], -1).astype(np.float32) @ R.astype(np.float32), -1, 0)
    u = (np.arctan2(right, ahead) / (2 * np.pi) + 0.5) * picture.shape[1]
    v = (np.arctan2(low, np.hypot(right, ahead)) / np.pi + 0.5) * picture.shape[0]
    return cv2.remap(picture, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


def with_person(rgb: np.ndarray, row: int, noise: float = 2.0):
    """Paint a striped person who walks through the picture into it; return the picture with sensor noise, and the box."""
    import cv2

    height, width = rgb.shape[:2]
    x, top = int(width * (0.25 + 0.5 * abs((row / 60) % 2 - 1))), int(height * 0.25)
    size = int(height * 0.6)
    box = [x - size // 6, top, x + size // 6, top + size]
    cv2.rectangle(rgb, tuple(box[:2]), tuple(box[2:]), (200, 60, 40), -1)
    for line in range(top, top + size, 12):
        cv2.line(rgb, (box[0], line + row % 12), (box[2], line + row % 12), (240, 240, 40), 3)
    rng = np.random.default_rng(row)
    return (rgb + noise * rng.normal(size=rgb.shape)).clip(0, 255).astype(np.uint8), box


def film(turns, *, person=True, zoom=None, fps=30.0, seed=0, size_px=SIZE, picture=None):
    """Film with one turn (F, 3, 3) a frame; return frames, boxes by row, and the first frame's camera (R its own)."""
    camera = Camera.from_fov(size_px, FOV_DEG)
    picture = surrounding(seed) if picture is None else picture
    frames, boxes = [], []
    for row, R in enumerate(turns):
        K = camera.K.copy()
        K[[0, 1], [0, 1]] *= 1.0 if zoom is None else zoom[row]
        rgb, box = shown(picture, Camera(K, R, np.zeros(3), size_px), R), None
        if person:
            rgb, box = with_person(rgb, row)
        frames.append(SimpleNamespace(row=row, id=row, time_s=row / fps, rgb=rgb))
        boxes.append(np.array([box] if box else np.zeros((0, 4)), float).reshape(-1, 4))
    return frames, boxes, camera


def turns(pan_deg, tilt_deg=0.0, roll_deg=0.0) -> np.ndarray:
    """Rotations (F, 3, 3), surrounding to camera: pan to the right, then tilt down, then roll clockwise."""
    pan, tilt, roll = np.broadcast_arrays(*map(np.radians, (pan_deg, tilt_deg, roll_deg)))
    out = np.eye(3)
    for angles, axis in ((pan, [0, -1.0, 0]), (tilt, [1.0, 0, 0]), (roll, [0, 0, -1.0])):
        out = rotations.axis_angle_to_matrix(np.asarray(angles)[..., None] * np.array(axis)) @ out
    return out


def error_deg(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Angles (F,) between turns since the first frame."""
    since = true @ true[0].T
    return np.degrees(rotations.geodesic_angle(rotations.matrix_to_quat(found), rotations.matrix_to_quat(since)))
