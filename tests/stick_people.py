"""Walking stick people whose keypoints are known by construction, and the detections a perfect detector makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs.skeletons import COCO_17, Keypoints, mirrored
from mrs.tracks import Detections, People

SIZE_PX = (1280, 720)
STEP_HZ = 0.9

_REST = {"nose": (0.0, 0.93, 0.07), "left_eye": (0.02, 0.95, 0.06), "left_ear": (0.045, 0.94, 0.0),
         "left_shoulder": (0.11, 0.82, 0.0), "left_elbow": (0.13, 0.64, 0.0), "left_wrist": (0.14, 0.48, 0.0),
         "left_hip": (0.06, 0.52, 0.0), "left_knee": (0.06, 0.28, 0.0), "left_ankle": (0.06, 0.04, 0.0)}
_SWING = {"left_elbow": -0.05, "left_wrist": -0.14, "left_knee": 0.1, "left_ankle": 0.2}


@dataclass(frozen=True)
class Clip:
    """What the tracker needs of a video."""

    size_px: tuple[int, int] = SIZE_PX


def walk(times_s, x_px, *, height_px=300.0, ground_px=600.0, facing_rad=np.pi / 2, phase=0.0, noise=0.0, seed=0,
         keypoints: Keypoints = COCO_17) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints_px (T, K, 3) and keypoints3d_m (T, K, 3) of a person walking on the spot at x_px (T,).

    facing 0 looks into the camera (the left side is on the right of the picture), pi / 2 to the right of the picture.
    `noise` is in heights.
    """
    times_s = np.asarray(times_s, float)
    facing = np.broadcast_to(facing_rad, times_s.shape)
    swing = np.sin(2 * np.pi * STEP_HZ * times_s + phase)
    side, up, ahead = (np.zeros((len(times_s), len(keypoints))) for _ in range(3))
    for column, name in enumerate(keypoints.names):
        sign = -1 if name.startswith("right_") else 1
        known = mirrored(name) if sign < 0 else name
        rest = np.array(_REST[known])
        side[:, column], up[:, column] = sign * rest[0], rest[1]
        ahead[:, column] = rest[2] + sign * _SWING.get(known, 0.0) * swing
    cos, sin = np.cos(facing)[:, None], np.sin(facing)[:, None]
    x, depth = side * cos + ahead * sin, side * sin - ahead * cos
    jitter = noise * np.random.default_rng(seed).normal(size=(*x.shape, 2))
    where = np.broadcast_to(x_px, times_s.shape)[:, None]
    points = np.stack([where + height_px * (x + jitter[..., 0]), ground_px + height_px * (jitter[..., 1] - up),
                       np.full(x.shape, 0.9)], -1)
    return points, 1.75 * np.stack([x, 0.52 - up, depth], -1)


def boxes_of(points_px: np.ndarray) -> np.ndarray:
    """Return boxes (..., 4) around keypoints (..., K, 3)."""
    return np.concatenate([points_px[..., :2].min(-2), points_px[..., :2].max(-2)], -1)


def detect(times_s, people, *, seen=None, scores=None, lanes=None, keypoints: Keypoints = COCO_17) -> Detections:
    """Return the detections of people given as (keypoints_px, keypoints3d_m), each in the frames its `seen` (T,) says.

    `scores` holds one array (T,) a person. The order of the people in a frame is shuffled, from a fixed seed.
    """
    rng = np.random.default_rng(7)
    seen = seen or [np.ones(len(times_s), bool)] * len(people)
    scores = scores or [np.full(len(times_s), 0.9)] * len(people)
    frames = []
    for row in range(len(times_s)):
        here = rng.permutation([i for i in range(len(people)) if seen[i][row]]).astype(int)
        points = np.array([people[i][0][row] for i in here]).reshape(-1, len(keypoints), 3)
        frames.append(People(
            points, boxes_of(points) if len(here) else np.zeros((0, 4)), np.array([scores[i][row] for i in here]),
            keypoints3d_m=np.array([people[i][1][row] for i in here]).reshape(-1, len(keypoints), 3),
            masks=np.full((len(here), 512), 255, np.uint8),
            mask_to_px=np.tile(np.array([[1.0, 0, 5], [0, 1.0, 7]]), (len(here), 1, 1)),
            lanes=None if lanes is None else np.array([lanes[i][row] for i in here]).astype(int)))
    return Detections(keypoints, np.arange(len(times_s)), np.asarray(times_s, float), frames)
