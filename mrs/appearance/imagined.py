"""The person of a clip in poses and from sides that the clip never showed: their own body in the colours gathered from it.

A network that learns one walk forgets how to draw a raised arm. Some pictures of the mesh in plausible poses keep that alive.
"""

from __future__ import annotations

import numpy as np

from mrs.appearance import crops
from mrs.appearance.clips import ClipPictures, facing_of
from mrs.appearance.pictures import Picture
from mrs.body import load_body
from mrs.cameras import Camera

COUNT, AWAY_M, SEEN_M, SHADING = 96, 4.5, 2.7, 0.25
TEMPER, TILT_RAD = 0.85, 0.15


def imagined(looks, size_px: int, count: int | None = None, seed: int = 0) -> ClipPictures:
    """Draw `count` (COUNT) pictures of `size_px` from an appearance (:class:`mrs.render.appearance.Appearance`), before pieces of its background."""
    from mrs.render.raster import Painter
    from mrs.render.scene import vertex_normals

    rng, count = np.random.default_rng(seed), COUNT if count is None else count
    motion, canvas = _poses(looks.betas, count, rng), 2 * size_px
    camera = _camera(canvas)
    joints, facing, body = crops.joints_px(motion, camera), facing_of(motion, camera), load_body(motion.body)
    squares, painter, pictures = crops.squares(joints, 0.0), Painter(body.faces), []
    for row in range(count):
        points = body.vertices(motion, slice(row, row + 1))[0]
        light = rng.normal(size=3)
        lit = 1 + SHADING * vertex_normals(points, body.faces) @ (light / np.linalg.norm(light))
        layer = painter.layer(camera.to_camera(points), looks.colours_rgb * lit[:, None], camera.K, (canvas, canvas))
        pictures.append(_picture(layer, _behind(looks.background_rgb, canvas, rng), joints[row], squares[row], size_px))
    return ClipPictures(np.arange(count), pictures, facing, squares)


def _poses(betas: np.ndarray, count: int, rng: np.random.Generator):
    """A motion whose frames are samples of the pose prior, any way round and a little tilted."""
    import torch

    from mrs import rotations
    from mrs.refine.prior import load_prior

    prior = load_prior()
    code = torch.as_tensor(TEMPER * rng.normal(size=(count, prior.dim)), dtype=torch.float32)
    with torch.no_grad():
        local = prior.decode(code).double().numpy()
    yaw, tilt = rng.uniform(-np.pi, np.pi, count), TILT_RAD * rng.normal(size=(count, 3))
    root = rotations.axis_angle_to_matrix(np.stack([0 * yaw, yaw, 0 * yaw], 1)) @ rotations.axis_angle_to_matrix(tilt)
    quats = rotations.matrix_to_quat(np.concatenate([root[:, None], local], 1))
    return load_body().motion(np.arange(count) / 30, np.zeros((count, 3)), quats, betas)


def _camera(canvas: int) -> Camera:
    """A level camera before the body, a little above its middle."""
    focal = canvas * AWAY_M / SEEN_M
    K = np.array([[focal, 0, canvas / 2], [0, focal, canvas / 2], [0, 0, 1.0]])
    return Camera(K, np.diag([1.0, -1, -1]), np.array([0, -0.1, AWAY_M]), (canvas, canvas))


def _behind(background: np.ndarray | None, canvas: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of the background; grey without one."""
    if background is None:
        return np.full((canvas, canvas, 3), rng.integers(40, 220), np.uint8)
    side = rng.uniform(0.35, 0.95) * min(background.shape[:2])
    place = [rng.uniform(side / 2, length - side / 2) for length in background.shape[1::-1]]
    return crops.cut(background, np.array([*place, side]), canvas)


def _picture(layer, plate: np.ndarray, joints: np.ndarray, square: np.ndarray, size_px: int) -> Picture:
    whole, mask = plate.copy(), np.zeros(plate.shape[:2], np.uint8)
    if layer is not None:
        height, width = layer.rgba.shape[:2]
        layer.put_on(whole)
        mask[layer.y0 : layer.y0 + height, layer.x0 : layer.x0 + width] = layer.rgba[..., 3]
    cut = [crops.cut(image, square, size_px) for image in (whole, plate, mask)]
    return Picture(cut[0], crops.within(joints, square), cut[1], cut[2])
