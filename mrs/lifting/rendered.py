"""Rendered clips: the embedded body, dressed in flat colours, drawn before a background and seen by the real detector."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.motion import Motion
from mrs.report import paint
from mrs.tracks import Track
from mrs.world import level_camera

SIZE_PX = (640, 480)
SHOES, HANDS, HEAD, LEGS, ARMS = (7, 8, 10, 11), (20, 21, 22, 23), (12, 15), (1, 2, 4, 5), (18, 19)


@dataclass(frozen=True)
class Frame:
    """A picture (H, W, 3) uint8 and its time, as a detector wants them."""

    rgb: np.ndarray
    time_s: float


def camera_about(motion: Motion, rng: np.random.Generator, size_px=SIZE_PX, fov_deg=(40.0, 75.0), tilt_deg=(-10.0, 25.0)) -> Camera:
    """Return a random camera without roll, from any side, that sees all of a world motion."""
    level = level_camera(size_px, rng.uniform(*fov_deg), rng.uniform(*tilt_deg))
    turn = rotations.axis_angle_to_matrix(np.array([0, rng.uniform(0, 2 * np.pi), 0]))
    R = level.R @ turn.T
    middle = (motion.joints_m.min((0, 1)) + motion.joints_m.max((0, 1))) / 2
    ahead = R[2]
    for distance in np.linspace(2.0, 30, 57):
        camera = replace(level, R=R, t=-R @ (middle - distance * ahead))
        px = camera.project(motion.joints_m)
        if np.isfinite(px).all() and (px > 25).all() and (px < np.array(size_px) - 25).all():
            break
    return camera


def clothed(rng: np.random.Generator) -> np.ndarray:
    """Colours (F, 3) of the body's faces: shirt, trousers, skin, hair, shoes, each at random."""
    body = load_body()
    part = body.weights[body.faces].sum(1).argmax(1)
    tones = [np.array([236, 196, 170]), np.array([198, 146, 110]), np.array([120, 80, 58])]
    skin = tones[rng.integers(3)] * rng.uniform(0.9, 1.05)
    shirt, trousers, shoes = rng.uniform(20, 235, (3, 3))
    colours = np.tile(shirt, (len(part), 1))
    colours[np.isin(part, LEGS)], colours[np.isin(part, SHOES)] = trousers, shoes
    bare = HANDS + HEAD + (ARMS if rng.random() < 0.6 else ())
    colours[np.isin(part, bare)] = skin
    middle = body.template_m[body.faces].mean(1)
    crown = (part == 15) & ((middle[:, 1] > np.quantile(middle[part == 15, 1], 0.72)) | (middle[:, 2] < np.quantile(middle[part == 15, 2], 0.4)))
    colours[crown] = rng.uniform(15, 90, 3)
    return colours


def background(rng: np.random.Generator, size_px=SIZE_PX) -> np.ndarray:
    """A wall and a floor with soft blotches (H, W, 3) uint8."""
    import cv2

    width, height = size_px
    picture = np.empty((height, width, 3), np.float32)
    edge = int(height * rng.uniform(0.45, 0.75))
    picture[:edge], picture[edge:] = rng.uniform(60, 220, 3), rng.uniform(50, 180, 3)
    for size, strength in ((6, 18), (24, 10)):
        blotches = rng.normal(size=(size, size, 3)).astype(np.float32)
        picture += strength * cv2.resize(blotches, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.uint8)


def frames(motion: Motion, seed: int):
    """Yield the frames of a world motion that has a camera."""
    rng = np.random.default_rng(seed)
    body, colours, empty = load_body(), clothed(rng), background(rng, motion.camera.size_px)
    for first in range(0, len(motion), 32):
        points = motion.camera.to_camera(body.vertices(motion, slice(first, first + 32)))
        for row, shape in enumerate(points):
            rgb = empty.copy()
            paint.paint_mesh(rgb, shape, body.faces, motion.camera.K, colours, 1.0)
            noisy = rgb + rng.normal(0, 3, rgb.shape).astype(np.float32)
            yield Frame(np.clip(noisy, 0, 255).astype(np.uint8), float(motion.times_s[first + row]))


class Film:
    """A rendered clip in place of a video."""

    def __init__(self, motion: Motion, seed: int):
        self.motion, self.seed, self.camera = motion, seed, motion.camera
        self.times_s, self.frame_ids = motion.times_s, np.arange(len(motion))
        self.size_px, self.fps = motion.camera.size_px, motion.fps


def detected(motion: Motion, seed: int, model: str = "full", registry=None) -> Track | None:
    """The track of a world motion with a camera, rendered and seen by the real detector; None where nobody is found.

    The track is the longest, as `--person longest` would take it, over the motion's own frames.
    """
    from mrs import plugins
    from mrs.tracks import Detections

    registry = registry or plugins.load()
    detector = registry.make("detector", "blazepose", {"model": model, "threads": 1})
    people = [seen for _, seen in detector.detect_frames(frames(motion, seed))]
    film = Film(motion, seed)
    found = Detections(paint_set(), film.frame_ids, film.times_s, people)
    tracks = registry.make("tracker", "oks").link(film, found)
    return max(tracks.people, key=lambda t: int(t.seen.sum()), default=None)


def paint_set():
    """The keypoint set of the detector."""
    from mrs.skeletons import BLAZEPOSE_33

    return BLAZEPOSE_33
