"""Windows as joints: what is measured, whether it came from rotations or from sums of positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mrs.body import load_body
from mrs.motion import Motion
from mrs.skeletons import SMPL_PARENTS
from mrs.synth.features import CONTACT, RATE_HZ, SPEED
from mrs.synth.kinematics import Skeleton
from mrs.world.ground import sole_points

LOW_M = 0.05


@dataclass(frozen=True)
class Played:
    """n windows of T frames: joints (n, T, 24, 3) and soles (n, T, 4, 3) in metres below which the body stands, in the heading
    of each frame; speed (n, T, 3) of the root as in features; contacts (n, T, 4)."""

    joints: np.ndarray
    soles: np.ndarray
    speed: np.ndarray
    contacts: np.ndarray

    @classmethod
    def of(cls, windows: np.ndarray) -> Played:
        """Features (n, T, SIZE) to joints on the mean body."""
        skeleton, joints, soles = Skeleton(), [], []
        with torch.no_grad():
            for at in range(0, len(windows), 256):
                both = skeleton.joints(torch.tensor(windows[at : at + 256], dtype=torch.float32), soles=True)
                joints.append(both[0].numpy())
                soles.append(both[1].numpy())
        return cls(np.concatenate(joints), np.concatenate(soles), windows[..., SPEED], windows[..., CONTACT])

    @classmethod
    def of_joints(cls, world_m: np.ndarray) -> Played:
        """Joints (n, T, 24, 3) in the world to what is measured; soles are put below ankles and toes as on a standing body.

        The heading is that of hips and shoulders. There are no contacts.
        """
        across = world_m[..., [1, 16], :] - world_m[..., [2, 17], :]
        across = across.sum(-2)
        yaw = np.unwrap(np.arctan2(-across[..., 2], across[..., 0]), axis=1)
        root = world_m[..., 0, :] * [1, 0, 1]
        joints = _turned(world_m - root[..., None, :], np.cos(yaw), -np.sin(yaw))
        steps = _turned(np.diff(root, axis=1)[:, :, None], np.cos(yaw[:, :-1]), -np.sin(yaw[:, :-1]))[..., 0, :]
        speed = np.concatenate([steps[..., [0, 2]], np.diff(yaw, axis=1)[..., None]], -1) * RATE_HZ
        speed = np.concatenate([speed[:, :1], speed], 1)
        standing, feet = Motion.standing(np.zeros(1)), [7, 10, 8, 11]
        soles = joints[..., feet, :] + (sole_points(standing)[0] - standing.joints_m[0, feet])
        return cls(joints.astype(np.float32), soles.astype(np.float32), speed.astype(np.float32), np.zeros((*yaw.shape, 4), np.float32))

    def later(self, first: int) -> Played:
        """The windows without their first frames."""
        return Played(self.joints[:, first:], self.soles[:, first:], self.speed[:, first:], self.contacts[:, first:])

    @property
    def posed_m(self) -> np.ndarray:
        """Joints (n, T, 24, 3) about the pelvis, in the heading of each frame."""
        return self.joints - self.joints[..., :1, :]

    def bones_m(self) -> np.ndarray:
        """Lengths (n, T, 23) of bones."""
        return np.linalg.norm(self.joints[..., 1:, :] - self.joints[..., SMPL_PARENTS[1:], :], axis=-1)

    def velocities(self) -> np.ndarray:
        """The classifier's input (n, T - 1, 75), as :func:`mrs.synth.kinematics.velocities`."""
        values = np.concatenate([self.joints[..., :1, :], self.posed_m[..., 1:, :]], -2)
        moves = np.diff(values, axis=1).reshape(*self.joints.shape[:1], -1, 72) * RATE_HZ
        return np.concatenate([moves, self.speed[:, 1:]], -1).astype(np.float32)

    def world(self) -> tuple[np.ndarray, np.ndarray]:
        """Joints and soles in the world, all windows from one place and heading."""
        yaw = np.concatenate([np.zeros((len(self.speed), 1)), np.cumsum(self.speed[:, 1:, 2], 1) / RATE_HZ], 1)
        cosine, sine = np.cos(yaw), np.sin(yaw)
        left, ahead = self.speed[:, 1:, 0] / RATE_HZ, self.speed[:, 1:, 1] / RATE_HZ
        c, s = cosine[:, :-1], sine[:, :-1]
        place = np.zeros((*yaw.shape, 3))
        place[:, 1:, 0] = np.cumsum(c * left + s * ahead, 1)
        place[:, 1:, 2] = np.cumsum(c * ahead - s * left, 1)
        return tuple(_turned(points, cosine, sine) + place[:, :, None] for points in (self.joints, self.soles))

    def oriented_m(self) -> np.ndarray:
        """Joints (n, T, 23, 3) about the pelvis in the world's axes, as protocols of prediction have them."""
        joints, _ = self.world()
        return (joints - joints[..., :1, :])[..., 1:, :]


def _turned(points, cosine, sine):
    c, s = cosine[..., None], sine[..., None]
    return np.stack([c * points[..., 0] + s * points[..., 2], points[..., 1], c * points[..., 2] - s * points[..., 0]], -1)


def displaced(source: Played, target: Played) -> Played:
    """Displacement copy: joints of the target's frame 0 plus what changes in the source; bones do not keep their length."""
    return Played(target.joints[:, :1] + source.joints - source.joints[:, :1],
                  target.soles[:, :1] + source.soles - source.soles[:, :1], source.speed, source.contacts)


def held(target: Played, frames: int) -> Played:
    """Zero velocity: the target's frame 0 for all frames."""
    def still(values):
        return np.repeat(values[:, :1], frames, 1)

    return Played(still(target.joints), still(target.soles), np.zeros_like(still(target.speed)), still(target.contacts))


def steps_m(played: Played) -> np.ndarray:
    """Moves of joints (n, T - 1, 24, 3) in the world, metres a frame."""
    return np.diff(played.world()[0], axis=1)


def step_sizes(played: Played) -> np.ndarray:
    """Length (n, T - 1) of the step of all joints together, root included."""
    steps = steps_m(played)
    return np.linalg.norm(steps.reshape(*steps.shape[:2], -1), axis=-1)


def mean_speed(played: Played, after_s: float = 0.0) -> np.ndarray:
    """Mean speed (n,) of joints in the world in m/s, from a time on."""
    first = round(after_s * RATE_HZ)
    return np.linalg.norm(steps_m(played), axis=-1)[:, first:].mean((1, 2)) * RATE_HZ


def jerk(played: Played) -> np.ndarray:
    """Mean size (n,) of the third derivative of joints in the world, in 10 m/s^3."""
    return np.linalg.norm(np.diff(played.world()[0], 3, axis=1), axis=-1).mean((1, 2)) * RATE_HZ**3 / 10


def sliding_cm_s(played: Played) -> float:
    """Mean horizontal speed of soles between frames in both of which they are lower than LOW_M above the ground, cm/s.

    Height alone says which; the motion's own contacts, which are chosen for being slow, do not enter.
    """
    _, soles = played.world()
    low = (soles[:, 1:, :, 1] < LOW_M) & (soles[:, :-1, :, 1] < LOW_M)
    speed = np.linalg.norm(np.diff(soles, axis=1)[..., [0, 2]], axis=-1) * RATE_HZ
    return float(100 * speed[low].mean()) if low.any() else 0.0


def bone_error_percent(played: Played) -> float:
    """Mean difference of bones' lengths from the body's, in percent."""
    rest = load_body().rest_joints(np.zeros(10))
    own = np.linalg.norm(rest[1:] - rest[SMPL_PARENTS[1:]], axis=-1)
    return float(100 * (np.abs(played.bones_m() - own) / own).mean())


def histogram_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Area between the distributions of two sets of speeds (Wasserstein 1), in m/s."""
    shares = np.linspace(0, 1, 201)
    return float(np.abs(np.quantile(a, shares) - np.quantile(b, shares)).mean())


def continuity(played: Played, target: Played) -> dict[str, np.ndarray]:
    """How the first step follows on the start, in metres over all joints, root included.

    target holds the frame before the start and the start as its frames 0 and 1. `first` (n,) is the first step; `jump`
    (n,) is the difference of the first step from the start's own last one, in the start's heading.
    """
    first, own = steps_m(played)[:, 0], steps_m(target)[:, 0]
    angle = -target.speed[:, 1, 2] / RATE_HZ
    own = _turned(own, np.cos(angle), np.sin(angle))
    return {"first": np.linalg.norm(first.reshape(len(first), -1), axis=-1),
            "jump": np.linalg.norm((first - own).reshape(len(first), -1), axis=-1)}
