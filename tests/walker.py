"""A synthetic walker whose every number is known: path, contacts, camera, keypoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.body.landmark_ik import frame
from mrs.motion import Motion
from mrs.skeletons import BLAZEPOSE_33
from mrs.tracks import Track
from mrs.world import level_camera

STRIDE_S = 1.1
STANCE = 0.62


def walker(times_s, *, speed_m_s=0.9, betas=None, heading_deg=0.0, start_m=(0.0, 0.0)) -> tuple[Motion, np.ndarray]:
    """Walk over flat ground along a straight line; return the world motion and contacts (T, 4), true or false.

    Feet stand exactly still and flat in stance; the legs are solved in closed form from hip to ankle. The path is a
    function of time, so the same walk can be sampled at any times. Raises ValueError for strides the legs can't reach.
    """
    times_s = np.asarray(times_s, float)
    body = load_body()
    betas = np.zeros(10) if betas is None else betas
    rest = body.rest_joints(betas)
    local = np.zeros((len(times_s), 24, 3))
    swing = 0.35 * np.sin(2 * np.pi * times_s / STRIDE_S)
    local[:, 16], local[:, 17] = _arm_down(1, swing), _arm_down(-1, -swing)
    local[:, 18, 1], local[:, 19, 1] = -0.35, 0.35
    matrices = rotations.axis_angle_to_matrix(local)
    ankle_height = -(body.template_m[:, 1] + body.shape_m[:, 1] @ betas).min() + rest[7, 1]
    hips_high = 0.955 * (rest[1, 1] - rest[7, 1]) + ankle_height - rest[1, 1]
    bob = 0.01 * np.cos(4 * np.pi * times_s / STRIDE_S)
    root = np.stack([np.zeros_like(times_s), hips_high - 0.03 + bob, speed_m_s * times_s], -1)
    contacts = np.zeros((len(times_s), 4), bool)
    for column, (hip, knee, ankle, phase) in enumerate(((1, 4, 7, 0.0), (2, 5, 8, 0.5))):
        ankles, standing = _ankle_path(times_s, phase, speed_m_s, rest[ankle, 0], ankle_height)
        contacts[:, 2 * column] = contacts[:, 2 * column + 1] = standing
        matrices[:, hip], matrices[:, knee] = _leg(root + rest[hip], ankles, rest[knee] - rest[hip], rest[ankle] - rest[knee])
        matrices[:, ankle] = np.swapaxes(matrices[:, hip] @ matrices[:, knee], -1, -2)
    turn = rotations.axis_angle_to_matrix(np.array([0, np.radians(heading_deg), 0]))
    matrices[:, 0] = turn
    root = root @ turn.T + np.array([start_m[0], 0, start_m[1]])
    quats = rotations.align_hemispheres(rotations.matrix_to_quat(matrices))
    return body.motion(times_s, root, quats, betas, contacts=contacts.astype(float)), contacts


def _arm_down(side: int, swing: np.ndarray) -> np.ndarray:
    """Hang the arm at the side and swing it forward by `swing` radians."""
    down = rotations.axis_angle_to_quat(np.array([0, 0, -side * np.radians(75)]))
    forward = rotations.axis_angle_to_quat(np.stack([-swing, 0 * swing, 0 * swing], -1))
    return rotations.quat_to_axis_angle(rotations.quat_multiply(forward, np.broadcast_to(down, forward.shape)))


def _ankle_path(times_s, phase, speed, side_m, height):
    """Ankle positions (T, 3) and whether the foot stands: constant in stance, a smooth arc in swing."""
    cycle = times_s / STRIDE_S + phase
    count, part = np.floor(cycle), cycle % 1
    standing = part < STANCE
    stride = speed * STRIDE_S
    foothold = (count - phase + STANCE / 2) * stride
    share = np.clip((part - STANCE) / (1 - STANCE), 0, 1)
    ease = share * share * (3 - 2 * share)
    lift = 0.09 * np.sin(np.pi * share) ** 2
    return np.stack([np.full_like(times_s, side_m), height + lift, foothold + ease * stride], -1), standing


def _leg(hips, ankles, thigh, shin):
    """Local hip and knee rotations that put the ankle in place, the knee ahead, in the vertical plane of the leg."""
    a, b = np.linalg.norm(thigh), np.linalg.norm(shin)
    line = ankles - hips
    reach = np.linalg.norm(line, axis=-1)
    if reach.max() >= a + b:
        raise ValueError(f"Expected strides within {a + b:.3f} m of the hips, but got {reach.max():.3f} m. Walk slower.")
    down = rotations.normalise(line)
    side = np.array([1.0, 0, 0]) - down * down[..., :1]
    ahead = np.cross(down, rotations.normalise(side))
    lean = np.arccos(np.clip((a**2 + reach**2 - b**2) / (2 * a * reach), -1, 1))[:, None]
    knees = hips + a * (np.cos(lean) * down + np.sin(lean) * ahead)
    thigh_to, shin_to = knees - hips, rotations.normalise(ankles - knees)

    def turned(rest, towards):
        rest_ahead = np.array([0, 0, 1.0])
        return frame(towards, ahead) @ frame(rest, rest_ahead).T

    hip = turned(thigh, thigh_to)
    return hip, np.swapaxes(hip, -1, -2) @ turned(shin, shin_to)


def filmed(motion: Motion, *, distance_m=6.0, size_px=(1280, 720), fov_deg=50.0, height_m=1.2, noise=0.0,
           noise3d_m=0.0, dropout=0.0, seed=0, keypoints=BLAZEPOSE_33, moving=lambda camera: camera) -> tuple[Track, Motion]:
    """Film a world motion by a level camera that stands `distance_m` to the +X side of its middle and looks along -X.

    Returns the Track that a detector would give and the world motion with its camera. `noise` is the standard deviation
    of keypoints in heights of the person (box diagonals), `noise3d_m` that of 3D landmarks in metres, `dropout` the share
    of keypoints with confidence 0; the others have 0.95. `moving` turns the still camera into one that moves.
    """
    rng = np.random.default_rng(seed)
    level = level_camera(size_px, fov_deg)
    middle = motion.root_pos_m.mean(0)
    centre = np.array([middle[0] + distance_m, height_m, middle[2]])
    aside = rotations.axis_angle_to_matrix(np.array([0, np.pi / 2, 0]))
    R = level.R @ aside.T
    camera = moving(replace(level, R=R, t=-R @ centre))
    motion = replace(motion, camera=camera)
    marks = load_body().keypoints(motion, keypoints)
    px = camera.project(marks)
    boxes = np.concatenate([px.min(1), px.max(1)], -1)
    high = np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=1)
    confidence = np.where(rng.random(px.shape[:2]) < dropout, 0.0, 0.95)
    px = px + noise * high[:, None, None] * rng.normal(size=px.shape)
    marks_camera = camera.to_camera(marks)
    hips = marks_camera[:, keypoints.indices("left_hip", "right_hip")].mean(1, keepdims=True)
    marks_camera = marks_camera - hips + noise3d_m * rng.normal(size=marks.shape)
    frames = np.arange(len(motion))
    track = Track(person=1, keypoints=keypoints, frame_ids=frames, times_s=motion.times_s,
                  keypoints_px=np.concatenate([px, confidence[..., None]], -1), boxes_px=boxes,
                  keypoints3d_m=marks_camera)
    return track, motion
