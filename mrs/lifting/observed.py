"""Known motion, filmed by known cameras, with the errors that real detectors make.

The observation model follows what BlazePose shows on real clips: 2D noise partly correlated in time, 3D landmarks that err most in
depth, lost points, bursts of lost frames, exchanged sides and frames whose depth is mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.skeletons import BLAZEPOSE_33
from mrs.tracks import Track
from mrs.world import level_camera


@dataclass(frozen=True)
class Noise:
    """Standard deviations and rates of the observation model."""

    white_2d: float = 0.006
    slow_2d: float = 0.012
    white_3d_m: float = 0.015
    slow_3d_m: float = 0.03
    depth_factor: float = 2.0
    memory_s: float = 0.2
    dropout: float = 0.05
    bursts_per_s: float = 0.1
    burst_s: tuple[float, float] = (0.15, 0.5)
    swapped: float = 0.01
    mirrored: float = 0.02


def film(motion: Motion, seed: int, noise: Noise | None = None, size_px=(1280, 720)) -> tuple[Track, Motion]:
    """Film a world motion by a random level camera that sees all of it; return the track and the motion with its camera."""
    rng, noise = np.random.default_rng(seed), noise or Noise()
    motion = replace(motion, camera=_camera(motion, rng, size_px))
    marks = load_body().keypoints(motion, BLAZEPOSE_33)
    seen_px = motion.camera.project(marks)
    boxes = np.concatenate([seen_px.min(1), seen_px.max(1)], -1)
    high = np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=1)
    times = motion.times_s
    far = np.array([1.5 if n.endswith(("wrist", "ankle", "index", "pinky", "thumb", "heel")) else 1.0
                    for n in BLAZEPOSE_33.names])[:, None]
    error = noise.white_2d * rng.normal(size=seen_px.shape) + noise.slow_2d * _slow(rng, times, seen_px.shape, noise)
    px = seen_px + high[:, None, None] * far * error
    turned = marks @ motion.camera.R.T
    hips = turned[:, BLAZEPOSE_33.indices("left_hip", "right_hip")].mean(1, keepdims=True)
    error = noise.white_3d_m * rng.normal(size=marks.shape) + noise.slow_3d_m * _slow(rng, times, marks.shape, noise)
    points = turned - hips + far * error * [1, 1, noise.depth_factor]
    mirrored = rng.random(len(times)) < noise.mirrored
    points[mirrored, :, 2] *= -1
    swapped = rng.random(len(times)) < noise.swapped
    px[swapped], points[swapped] = px[swapped][:, BLAZEPOSE_33.flip], points[swapped][:, BLAZEPOSE_33.flip]
    confidence = np.where(rng.random(px.shape[:2]) < noise.dropout, 0.05, 0.9)
    confidence[_bursts(rng, times, noise)] = 0
    track = Track(person=1, keypoints=BLAZEPOSE_33, frame_ids=np.arange(len(times)), times_s=times,
                  keypoints_px=np.concatenate([px, confidence[..., None]], -1), boxes_px=boxes, keypoints3d_m=points)
    return track, motion


def _camera(motion: Motion, rng, size_px):
    fov = rng.uniform(40, 75)
    level = level_camera(size_px, fov, rng.uniform(-2, 10))
    heading = rng.uniform(0, 2 * np.pi)
    turn = rotations.axis_angle_to_matrix(np.array([0, heading, 0]))
    R = level.R @ turn.T
    middle = (motion.joints_m.min((0, 1)) + motion.joints_m.max((0, 1))) / 2
    for distance in np.linspace(3.5, 25, 44):
        centre = middle + turn @ np.array([0, 0, distance]) + [0, 0.3, 0]
        camera = replace(level, R=R, t=-R @ centre)
        px = camera.project(motion.joints_m)
        if np.isfinite(px).all() and (px > 30).all() and (px < np.array(size_px) - 30).all():
            break
    return camera


def _slow(rng, times, shape, noise: Noise) -> np.ndarray:
    """Unit-variance noise with memory: a first-order autoregression in seconds."""
    keep = np.exp(-np.diff(times, prepend=times[0] - 1) / noise.memory_s)[:, None, None]
    out, fresh = np.zeros(shape), rng.normal(size=shape)
    for row in range(len(times)):
        out[row] = fresh[row] if row == 0 else keep[row] * out[row - 1] + np.sqrt(1 - keep[row] ** 2) * fresh[row]
    return out


def _bursts(rng, times, noise: Noise) -> np.ndarray:
    lost = np.zeros(len(times), bool)
    for _ in range(rng.poisson(noise.bursts_per_s * (times[-1] - times[0]))):
        start = rng.uniform(times[0] + 0.3, max(times[-1] - 0.8, times[0] + 0.31))
        lost |= (times >= start) & (times < start + rng.uniform(*noise.burst_s))
    return lost
