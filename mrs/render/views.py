"""Where the camera stands: where the clip's stood, around the person, along with them, or at the side of their way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs.body import load_body
from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.render.appearance import Appearance
from mrs.render.clip import scaled_to
from mrs.render.scene import ground_levels

VIEWS = ("clip", "orbit", "follow", "side")
FOV_HIGH_DEG = 34.0
AWAY_OF_HEIGHT, ABOVE_OF_HEIGHT = 2.6, 0.35
TURN_DEG, ROUND_S, SMOOTH_S = 35.0, 9.0, 0.5
MARGIN = 1.25


def camera_of(view: str, motion: Motion, appearance: Appearance, size_px: tuple[int, int]) -> Camera:
    """Return the camera of a view for every frame of a motion in the world, K for `size_px`.

    clip is the motion's own camera or, where it has none, the still one of the appearance.
    """
    if view == "clip":
        camera = motion.camera or appearance.camera
        if camera is None:
            raise InputError("Expected a camera with --camera clip, but neither the motion nor the appearance has one. Type: --camera follow")
        return scaled_to(camera, size_px)
    return _around(view, motion, size_px)


def has_camera(motion: Motion, appearance: Appearance) -> bool:
    """Tell whether there is a camera of a clip to look through."""
    return motion.camera is not None or appearance.camera is not None


def _around(view: str, motion: Motion, size_px: tuple[int, int]) -> Camera:
    from mrs.world import heading_rad

    height = load_body(motion.body).stature_m(motion.betas)
    path = _smooth(motion.root_pos_m, motion.times_s)
    own_s = motion.times_s - motion.times_s[0]
    look = path - [0, 0.06 * height, 0]
    turn = heading_rad(motion) + np.radians(TURN_DEG)
    if view == "side":
        look, away, turn = _beside(motion, height, size_px, turn)
    else:
        away = AWAY_OF_HEIGHT * height * max(1.0, size_px[1] / size_px[0] * 0.8)
    if view == "orbit":
        turn = turn + 2 * np.pi * own_s / ROUND_S
    turn = np.broadcast_to(turn, own_s.shape)
    eye = look + np.stack([away * np.sin(turn), np.full(len(turn), ABOVE_OF_HEIGHT * height), away * np.cos(turn)], -1)
    camera = _looking(eye, look, size_px)
    return camera.at(0) if view == "side" else camera


def _beside(motion: Motion, height: float, size_px: tuple[int, int], turn: float):
    """Point to look at (1, 3), distance and direction of a still camera that has the person's whole way in its picture."""
    low, high = motion.joints_m.min((0, 1)), motion.joints_m.max((0, 1))
    way = motion.root_pos_m[:, [0, 2]] - motion.root_pos_m[:, [0, 2]].mean(0)
    values, vectors = np.linalg.eigh(way.T @ way / len(way))
    if np.sqrt(values[-1]) > 0.35 * height:
        along = vectors[:, -1]
        sides = [np.arctan2(s * along[1], -s * along[0]) for s in (1, -1)]
        turn = sides[int(np.argmax(np.cos(np.array(sides) - turn)))]
    right = np.array([np.cos(turn), 0, -np.sin(turn)])
    across = np.ptp(motion.joints_m @ right) + 0.4 * height
    tall = high[1] - min(low[1], ground_levels(motion).min()) + 0.2 * height
    fov = np.tan(np.radians(FOV_HIGH_DEG / 2))
    depth = np.ptp(motion.joints_m @ np.array([np.sin(turn), 0, np.cos(turn)])) / 2
    away = MARGIN * max(tall, across * size_px[1] / size_px[0]) / 2 / fov + depth
    middle = (low + high) / 2
    middle += right * ((motion.joints_m @ right).min() + (motion.joints_m @ right).max() - 2 * middle @ right) / 2
    return middle[None], away, turn


def _looking(eye: np.ndarray, look: np.ndarray, size_px: tuple[int, int]) -> Camera:
    """A camera at eye (T, 3) that looks at (T, 3) or (1, 3), upright."""
    ahead = look - eye
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    right = np.cross(ahead, [0, 1.0, 0])
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    R = np.stack([right, np.cross(ahead, right), ahead], -2)
    focal = size_px[1] / 2 / np.tan(np.radians(FOV_HIGH_DEG / 2))
    K = np.array([[focal, 0, size_px[0] / 2], [0, focal, size_px[1] / 2], [0, 0, 1.0]])
    return Camera(K, R, -(R @ eye[..., None])[..., 0], (int(size_px[0]), int(size_px[1])))


def _smooth(path: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    if len(path) < 3:
        return path
    from scipy.ndimage import gaussian_filter1d

    rate = (len(times_s) - 1) / max(times_s[-1] - times_s[0], 1e-6)
    return gaussian_filter1d(path, SMOOTH_S * rate, axis=0, mode="nearest")


def by_another_camera(motion: Motion, appearance: Appearance) -> bool:
    """Tell whether a motion was filmed by another camera than the appearance's clip, so that the two worlds have nothing to do with another."""
    if motion.camera is None or appearance.camera is None:
        return False
    clip = appearance.clip
    if clip is None or clip.motion.camera is None:
        own, when = appearance.camera, motion.times_s[:1]
    else:
        when = np.array([max(motion.times_s[0], clip.motion.times_s[0])])
        own = clip.motion.camera.resampled(clip.motion.times_s, when)
    seen = scaled_to(motion.camera.resampled(motion.times_s, when), own.size_px)
    pairs = [(getattr(seen.per_frame(1), name)[0], getattr(own.per_frame(1), name)[0]) for name in ("K", "R", "t")]
    return not all(np.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in pairs)


def placed(motion: Motion, appearance: Appearance) -> Motion:
    """Let a motion that no camera saw start where the clip's person did, on their ground and facing as they did.

    A motion with a camera of its own stays where that camera saw it.
    """
    from mrs import rotations
    from mrs.world import _rigid, heading_rad

    if motion.camera is not None or appearance.camera is None:
        return motion
    x, ground, z, heading = appearance.place
    turn = rotations.axis_angle_to_matrix(np.array([0, heading - heading_rad(motion), 0]))
    start = np.array([motion.root_pos_m[0, 0], ground_levels(motion)[0], motion.root_pos_m[0, 2]])
    return _rigid(motion, turn, np.array([x, ground, z]) - turn @ start)


def worn(motion: Motion, betas: np.ndarray) -> Motion:
    """The motion done by a body of another shape: steps and jumps grow with the height of the hips over the soles."""
    if np.allclose(motion.betas, betas, atol=1e-6):
        return motion
    body = load_body(motion.body)
    ratio = _hips_m(body, betas) / _hips_m(body, motion.betas)
    ground = ground_levels(motion)
    root = motion.root_pos_m[0] + (motion.root_pos_m - motion.root_pos_m[0]) * ratio
    root[:, 1] = ground + (motion.root_pos_m[:, 1] - ground) * ratio
    made = body.motion(motion.times_s, root, motion.local_quat_wxyz, betas, contacts=motion.contacts, confidence=motion.confidence,
                       camera=motion.camera, history=motion.history)
    return replace(made, frame=motion.frame)


def _hips_m(body, betas: np.ndarray) -> float:
    """Height of the pelvis joint over the lowest vertex of the T-pose."""
    lowest = (body.template_m[:, 1] + body.shape_m[:, 1] @ betas).min()
    return float((body.rest_m + body.rest_shape_m @ betas)[0, 1] - lowest)
