"""Clips of a body in known colours, drawn by a path of their own: one triangle after the other into a depth buffer.

Nothing of mrs/render draws here, so that what is gathered and drawn there can be held against it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.body.atlas import REGIONS, vertex_regions
from mrs.cameras import Camera
from mrs.motion import Motion
from mrs.render.clip import Clip
from mrs.skeletons import COCO_17
from mrs.tracks import Track, Tracks
from mrs.video import Video, write_video
from mrs.world import level_camera

CLOTHES = {"torso": (180, 60, 50), "head": (214, 168, 140), "left_hand": (208, 160, 132), "right_hand": (208, 160, 132),
           "left_foot": (60, 60, 66), "right_foot": (60, 60, 66), "left_thigh": (58, 84, 150), "right_thigh": (58, 84, 150),
           "left_shin": (74, 96, 160), "right_shin": (74, 96, 160), "left_upper_arm": (196, 80, 66), "right_upper_arm": (196, 80, 66),
           "left_forearm": (212, 165, 136), "right_forearm": (212, 165, 136)}
TO_LIGHT = np.array([0.3, 0.8, 0.52])
AMBIENT, DIRECT = 0.7, 0.42


@dataclass(frozen=True)
class Filmed:
    """A rendered clip: its Clip, the true colours (V, 3), and for each frame which part (h, w) every pixel shows, 0 for none."""

    clip: Clip
    colours: np.ndarray
    parts: list[np.ndarray]
    frames: list[np.ndarray]


def clothes() -> np.ndarray:
    """The true colours (V, 3) of the body's vertices, one for each part."""
    region = vertex_regions(load_body())
    return np.array([CLOTHES[name] for name in REGIONS], float)[region - 1]


def picture(points: np.ndarray, camera: Camera, colours: np.ndarray, behind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw the body at points (V, 3) over a picture; return it and the part (h, w) each pixel shows."""
    body, region = load_body(), vertex_regions(load_body())
    seen, (height, width) = camera.to_camera(points), behind.shape[:2]
    pixels = seen[:, :2] / seen[:, 2:] * [camera.K[0, 0], camera.K[1, 1]] + camera.K[:2, 2]
    out, parts, nearest = behind.copy(), np.zeros((height, width), np.uint8), np.full((height, width), np.inf)
    a, b, c = (points[body.faces[:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    lights = AMBIENT + DIRECT * np.maximum(normals @ TO_LIGHT / np.maximum(np.linalg.norm(normals, axis=1), 1e-12), 0)
    front = (normals * (camera.centre_m - a)).sum(1) > 0
    for face, light in zip(body.faces[front], lights[front], strict=True):
        (ax, ay), (bx, by), (cx, cy) = (pixels[face] - 0.5).tolist()
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        x0, x1 = max(int(np.ceil(min(ax, bx, cx))), 0), min(int(max(ax, bx, cx)), width - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy))), 0), min(int(max(ay, by, cy)), height - 1)
        if area == 0 or x1 < x0 or y1 < y0 or (seen[face, 2] < 0.1).any():
            continue
        x, y = np.arange(x0, x1 + 1)[None], np.arange(y0, y1 + 1)[:, None]
        second = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
        third = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
        shares = np.stack([1 - second - third, second, third], -1)
        depth = shares @ seen[face, 2]
        patch = np.s_[y0 : y1 + 1, x0 : x1 + 1]
        wins = (shares >= -1e-9).all(-1) & (depth < nearest[patch])
        if wins.any():
            nearest[patch][wins] = depth[wins]
            out[patch][wins] = np.clip(shares[wins] @ colours[face] * light, 0, 255).astype(np.uint8)
            parts[patch][wins] = region[face[0]]
    return out, parts


def place(size_px: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A background of soft blotches over a floor."""
    import cv2

    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (9, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, size_px, interpolation=cv2.INTER_CUBIC)


def turning(seconds: float = 4.0, fps: float = 12.0, turns: float = 1.0) -> Motion:
    """Somebody who marches on the spot with lifted arms and turns about."""
    times = np.arange(round(seconds * fps)) / fps
    swing, angles = np.sin(5 * times), np.zeros((len(times), 24, 3))
    angles[:, 0, 1] = np.linspace(0, 2 * np.pi * turns, len(times))
    angles[:, 16, 2], angles[:, 17, 2] = -0.9, 0.9
    angles[:, 1, 0], angles[:, 2, 0], angles[:, 4, 0] = 0.4 * swing - 0.1, -0.4 * swing - 0.1, 0.3
    root = np.stack([0.35 * np.sin(2 * np.pi * times / times[-1]), np.full(len(times), 0.95), 0.2 * np.cos(3 * times)], -1)
    return load_body().motion(times, root, rotations.axis_angle_to_quat(angles), np.zeros(10))


def film(motion: Motion, folder: Path, size_px: tuple[int, int] = (640, 480), *, away_m: float = 3.2, behind=None, colours=None,
         write=None, others: tuple[Motion, ...] = (), up_m: float = 1.0) -> Filmed:
    """Film a motion with a still level camera into folder/clip.mp4. `write` takes (path, frames, times_s, size_px)."""
    camera = level_camera(size_px)
    camera = replace(camera, t=-camera.R @ np.array([0, up_m, away_m]))
    motion = replace(motion, camera=camera)
    colours = clothes() if colours is None else colours
    ground = place(size_px) if behind is None else behind
    vertices, parts, frames = load_body().vertices(motion), [], []
    for row, points in enumerate(vertices):
        rgb, shown = picture(points, camera, colours, ground(row) if callable(ground) else ground)
        for other in others:
            rgb, hidden = picture(load_body().vertices(other, slice(row, row + 1))[0], camera, np.full_like(colours, 90), rgb)
            shown = np.where(hidden > 0, 0, shown)
        frames.append(rgb)
        parts.append(shown)
    path = Path(folder) / "clip.mp4"
    (write or write_video)(path, frames, motion.times_s, size_px)
    return Filmed(clip_of(path, motion, others), colours, parts, frames)


def clip_of(path: Path, motion: Motion, others: tuple[Motion, ...] = (), masks=None) -> Clip:
    """The Clip of a rendered film, with the true motion; masks are (bits (T, B), mask_to_px (T, 2, 3))."""
    video = Video.open(path)
    pixels = motion.camera.project(load_body().vertices(motion))
    boxes = np.concatenate([np.nan_to_num(pixels).min(1), np.nan_to_num(pixels).max(1)], -1).astype(np.float32)
    points = np.ones((len(motion), 17, 3), np.float32)
    track = Track(1, COCO_17, video.frame_ids[: len(motion)], motion.times_s, points, boxes, None, *(masks or (None, None)))
    tracks = Tracks((track,), video.size_px, video.frame_ids, video.times_s)
    return Clip(video, motion, tracks, 1, others, tuple(range(2, 2 + len(others))), Path(path).parent, {"video": {"sha256": video.sha256}})


def jittered(motion: Motion, seed: int = 0, degrees: float = 4.0, metres: float = 0.015) -> Motion:
    """The motion with slow errors of joints and place, as a refined motion of a real clip has."""
    from scipy.ndimage import gaussian_filter1d

    rng = np.random.default_rng(seed)

    def slow(*shape):
        noise = gaussian_filter1d(rng.normal(size=(len(motion), *shape)), 3, axis=0)
        return noise / max(noise.std(), 1e-9)

    turn = rotations.axis_angle_to_quat(np.radians(degrees) / np.sqrt(3) * slow(24, 3))
    quats = rotations.quat_multiply(motion.local_quat_wxyz, turn)
    return load_body().motion(motion.times_s, motion.root_pos_m + metres * slow(3), quats, motion.betas, camera=motion.camera)


def part_errors(found: np.ndarray, true: np.ndarray, part: np.ndarray, least: int = 30) -> dict[str, float]:
    """Mean error of the mean colour of each part: found and true (N, 3), part (N,) numbered as in REGIONS."""
    errors = {}
    for number, name in enumerate(REGIONS, 1):
        own = part == number
        if own.sum() >= least:
            errors[name] = float(np.abs(found[own].astype(float).mean(0) - true[own].astype(float).mean(0)).mean())
    return errors
