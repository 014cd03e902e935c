"""Films that the real detector saw: rendered training clips with what it found and what was true (tools/lifter_bank.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mrs.body.torch_body import axis_angle_to_matrix
from mrs.errors import InputError
from mrs.lifting.dice import Dice
from mrs.lifting.films import FRAMES, Films, Studio
from mrs.lifting.noise import Bank, stretches
from mrs.lifting.points import DEEP, FLIP, HIPS, POINTS, SHOULDERS
from mrs.lifting.poses import FLIP as JOINT_FLIP
from mrs.lifting.poses import quat_to_matrix

RATE_HZ = 30.0


class Detected:
    """All films on one device.

    quat (N, 24, 4), pelvis_m (N, 3) in the camera, rays (N, D, 3), deep_m (N, D, 3); R (F, 3, 3), betas (F, 10), first and frames (F,).
    """

    def __init__(self, path: Path | str, studio: Studio):
        arrays = _read(path)

        def put(values, dtype=torch.float32):
            return torch.as_tensor(np.asarray(values), dtype=dtype, device=studio.device)

        self.studio = studio
        self.quat = put(arrays["quat"].astype(np.float32) / 32767)
        self.pelvis, self.rays, self.deep = (put(arrays[n].astype(np.float32)) for n in ("pelvis_m", "rays", "deep_m"))
        self.R, self.betas = put(arrays["R"]), put(arrays["betas"])
        self.first, self.frames = put(arrays["first"], torch.long), put(arrays["frames"], torch.long)
        self.film_of = torch.repeat_interleave(torch.arange(len(self.first), device=studio.device), self.frames)

    def bank(self) -> Bank:
        """The errors alone."""
        film = self.film_of
        marks = self._bodies(self.quat[:, None], self.betas[film])[2]
        R = self.R[film]
        marks = (marks[:, 0, : len(DEEP)] @ R.transpose(-1, -2))
        points = marks + self.pelvis[:, None]
        true = points[..., :2] / points[..., 2:]
        size = torch.zeros(len(self.first), device=R.device).index_add_(0, film, (true.amax(1) - true.amin(1)).norm(dim=-1)) / self.frames
        down = torch.nn.functional.normalize(true[:, HIPS].mean(1) - true[:, SHOULDERS].mean(1), dim=-1)
        back = torch.stack([torch.stack([down[:, 1], -down[:, 0]], -1), down], -1)
        flat = ((self.rays[..., :2] - true) / size[film][:, None, None]).clamp(-0.5, 0.5) @ back
        deep = (self.deep - (marks - marks[:, HIPS].mean(1, keepdim=True))).clamp(-1.5, 1.5)
        deep = torch.cat([deep[..., :2] @ back, deep[..., 2:]], -1)
        return Bank(flat, deep, self.rays[..., 2], self.first, self.frames)

    def _bodies(self, quat, betas):
        """Global rotations, joints and points (B, T, ...) about the pelvis, in the world's axes."""
        figure = self.studio.figure
        turned = figure.chain(quat_to_matrix(quat))
        joints = figure.hang(turned, figure.bones_of(betas))
        return turned, joints, figure.landmarks(joints, turned, betas)[:, :, : len(POINTS)]

    def draw(self, dice: Dice, windows: int, frames: int = FRAMES) -> Films:
        """Draw windows: real sights, mirrored, rolled, of some keypoint sets, with and without 3D landmarks."""
        device, n = dice.device, len(DEEP)
        fps = RATE_HZ / torch.where(dice.chance(0.25, windows, 1), 2.0, 1.0)
        times = torch.arange(frames, device=device) / fps
        film = dice.below(torch.full((windows,), float(len(self.first)), device=device))
        rows = stretches(dice, self.first, self.frames, times * RATE_HZ, film)
        quat, R, betas, pelvis, rays, deep = (self.quat[rows], self.R[film], self.betas[film], self.pelvis[rows], self.rays[rows],
                                              self.deep[rows])
        mirror = dice.chance(0.5, windows, 1, 1, 1)
        turn, flip = torch.tensor([-1.0, 1, 1], device=device), torch.as_tensor(FLIP[:n], device=device)
        quat = torch.where(mirror, quat[:, :, JOINT_FLIP] * torch.tensor([1.0, 1, -1, -1], device=device), quat)
        R = torch.where(mirror[:, 0], turn[:, None] * R * turn, R)
        pelvis = torch.where(mirror[:, 0], pelvis * turn, pelvis)
        rays = torch.where(mirror, rays[:, :, flip] * turn, rays)
        deep = torch.where(mirror, deep[:, :, flip] * turn, deep)
        angle = torch.where(dice.chance(0.3, windows), dice.uniform(windows, high=2 * np.pi), 0.1 * dice.normal(windows))
        roll = axis_angle_to_matrix(torch.stack([torch.zeros_like(angle), torch.zeros_like(angle), angle], -1))
        R, pelvis = roll @ R, pelvis @ roll.transpose(-1, -2)
        rays = torch.cat([rays[..., :2] @ roll[:, None, :2, :2].transpose(-1, -2), rays[..., 2:]], -1)
        deep = deep @ roll[:, None].transpose(-1, -2)
        rays = torch.cat([rays, torch.zeros(windows, frames, len(POINTS) - n, 3, device=device)], 2)
        kept = self.studio.spoiler.kept(dice, windows, frames)
        rays, has = self.studio.as_detected(dice, torch.cat([rays[..., :2], rays[..., 2:] * kept[..., None]], -1),
                                            torch.ones_like(kept), None)
        turned, joints, marks = self._bodies(quat, betas)
        points = marks @ R[:, None].transpose(-1, -2) + pelvis[:, :, None]
        return self.studio.finished(dice, rays, deep, has, times, R, turned, joints, points, betas,
                                    torch.zeros(windows, frames, 4, device=device), torch.zeros(windows, device=device))


def _read(path: Path | str) -> dict[str, np.ndarray]:
    names = ("quat", "pelvis_m", "rays", "deep_m", "R", "betas", "first", "frames")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"Expected detected films at {path}, but they can't be read: {error}. Type: python -m tools.lifter_bank --help") from None
