"""Training films, made in batches on any device: motion capture, put on bodies, seen by cameras, spoilt by detectors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from mrs.body.torch_body import axis_angle_to_matrix
from mrs.lifting.corpus import Clips
from mrs.lifting.dice import Dice
from mrs.lifting.figure import Figure, leg_m
from mrs.lifting.noise import Bank, Errors, Spoiler
from mrs.lifting.points import DEEP, HIPS, POINTS, SHOULDERS, known_in
from mrs.lifting.poses import Mix, Poses
from mrs.lifting.view import Seen, View, view_of

FRAMES = 48
SETS = {"blazepose-33": 0.55, "body-25": 0.15, "coco-17": 0.12, "halpe-26": 0.08, "coco-18": 0.03, "h36m-17": 0.03,
        "mpi-15": 0.02, "cocoplus-19": 0.02}
SLOW_M_S, LOW_M = 0.4, 0.06


@dataclass
class Truth:
    """turned (B, T, 24, 3, 3) in the view's axes; joints_m (B, T, 24, 3) about the pelvis, there too; flat (B, T, P, 2) points in the
    view; betas (B, 10); contacts (B, T, 4); feet (B): how much those count."""

    turned: torch.Tensor
    joints_m: torch.Tensor
    flat: torch.Tensor
    betas: torch.Tensor
    contacts: torch.Tensor
    feet: torch.Tensor


@dataclass
class Films:
    """A batch: what is seen, from which view, and what is true."""

    seen: Seen
    view: View
    truth: Truth

    def part(self, rows) -> Films:
        """Return some windows."""
        return Films(self.seen.part(rows), View(self.view.turn[rows], self.view.size[rows]),
                     Truth(*(value[rows] for value in vars(self.truth).values())))

    def with_more(self, other: Films) -> Films:
        """Return these windows and others."""
        return Films(*(type(mine)(*(torch.cat(pair) for pair in zip(vars(mine).values(), vars(more).values(), strict=True)))
                       for mine, more in zip(vars(self).values(), vars(other).values(), strict=True)))

    def tensors(self) -> list[torch.Tensor]:
        """Return every tensor, in order."""
        return [value for part in vars(self).values() for value in vars(part).values()]


@dataclass(frozen=True)
class Shots:
    """How films are shot: ranges of the camera, the body and the frame rate."""

    fps: tuple[float, float] = (12.0, 120.0)
    fov_deg: tuple[float, float] = (25.0, 100.0)
    away_m: tuple[float, float] = (1.5, 15.0)
    tilt_deg: tuple[float, float] = (-30.0, 60.0)
    rolled: float = 0.12
    focal_error: float = 0.12
    first_beta: float = 0.8
    betas: float = 0.4
    bones: float = 0.04
    skin_m: float = 0.012
    deep: float = 0.9
    usual: float = 0.5


class Studio:
    """Shoots films of some clips."""

    def __init__(self, clips: Clips, device="cpu", *, shots: Shots | None = None, errors: Errors | None = None, bank: Bank | None = None):
        self.device, self.shots = torch.device(device), shots or Shots()
        self.poses = Poses(clips, leg_m(clips.betas), device)
        self.figure = Figure(device)
        self.spoiler = Spoiler(device, errors or Errors(), bank)
        put = lambda values: torch.as_tensor(np.asarray(values), dtype=torch.float32, device=device)
        self.sets, self.often = put([known_in(name) for name in SETS]), put(np.cumsum([*SETS.values()]))
        self.usual = put([24, 25, 30, 30, 50, 60])
        self.blaze = list(SETS).index("blazepose-33")

    def shoot(self, dice: Dice, windows: int, mix: Mix, frames: int = FRAMES, *, clips: torch.Tensor | None = None,
              deep: float | None = None) -> Films:
        """Shoot films (windows, frames); `clips` (windows,) says of which clips, `deep` how many have 3D landmarks."""
        s = self.shots
        fps = dice.log_uniform(windows, 1, low=s.fps[0], high=s.fps[1])
        usual = self.usual[dice.below(torch.full((windows, 1), float(len(self.usual)), device=self.device))]
        fps = torch.where(dice.chance(s.usual, windows, 1), usual, fps)
        times = torch.arange(frames, device=self.device) / fps
        motion = self.poses.draw(dice, windows, times, mix, clips)
        turned = self.figure.chain(motion.local)
        betas = dice.normal(windows, 10) * s.betas
        betas[:, 0] *= s.first_beta / s.betas
        bones = self.figure.bones_of(betas) * (1 + s.bones * dice.normal(windows, 23, 1))
        leg = bones[:, [3, 4, 6, 7]].norm(dim=-1).sum(-1) / 2
        joints = self.figure.hang(turned, bones)
        marks = self.figure.landmarks(joints, turned, betas, s.skin_m * dice.normal(windows, len(POINTS) + 4, 3))
        root = motion.root_m * leg[:, None, None]
        contacts = _contacts(marks[:, :, -4:] + root[:, :, None], times)
        return self._seen(dice, times, turned, joints, marks[:, :, :-4], root, betas, contacts, motion.whole.float(), deep)

    def _seen(self, dice: Dice, times, turned, joints, marks, root, betas, contacts, feet, deep_share) -> Films:
        """Look at bodies through cameras and detectors."""
        s, windows = self.shots, len(times)
        R = self._aim(dice, windows)
        reach = torch.deg2rad(dice.uniform(windows, low=s.fov_deg[0] / 2, high=s.fov_deg[1] / 2)).tan()
        tall = dice.uniform(windows, low=0.5, high=1.4) * reach
        place, marks = self._placed(dice, R, root, marks, reach, tall)
        points = marks + place[:, :, None]
        flat = points[..., :2] / points[..., 2:]
        inside = ((flat[..., 0].abs() < reach[:, None, None]) & (flat[..., 1].abs() < tall[:, None, None])).float()
        roll = self._roll(flat)
        deep = marks[:, :, : len(DEEP)] - marks[:, :, HIPS].mean(2, keepdim=True)
        size = (flat.amax(2) - flat.amin(2)).norm(dim=-1).mean(1)
        rays, deep = self.spoiler.spoil(dice, flat, deep, size, times, roll)
        rays, has_deep = self.as_detected(dice, rays, inside, deep_share)
        return self.finished(dice, rays, deep, has_deep, times, R, turned, joints, points, betas, contacts, feet)

    def finished(self, dice: Dice, rays, deep, has_deep, times, R, turned, joints, points, betas, contacts, feet) -> Films:
        """Choose the view, and say the truth in it.

        For some the focal length is not the camera's. What they see in their own view is then true in the view of the right one.
        """
        windows, s = len(times), self.shots
        known = has_deep * rays[..., 2].amax(2).gt(0).float()
        right = Seen(rays, deep, known, times, self._up(dice, R, times.shape[1]), (~dice.chance(0.2, windows)).float())
        clean = view_of(right)
        wrong = (1 + s.focal_error * dice.normal(windows, 1, 1, 1) * dice.chance(0.5, windows, 1, 1, 1)).clamp(0.6, 1.6)
        seen = replace(right, rays=torch.cat([rays[..., :2] * wrong, rays[..., 2:]], -1))
        turn = clean.turn @ R[:, None]
        truth = Truth(turn[:, :, None] @ turned, joints @ turn.transpose(-1, -2), clean.place(points), betas, contacts, feet)
        view = view_of(seen)
        return Films(seen, view, truth)

    def _aim(self, dice: Dice, windows: int):
        """Rotations (B, 3, 3) from the world to cameras that look from anywhere, down or up, some of them rolled."""
        s = self.shots
        zero = torch.zeros(windows, device=self.device)
        about = lambda angle, axis: axis_angle_to_matrix(torch.stack([angle if i == axis else zero for i in range(3)], -1))
        yaw = about(dice.uniform(windows, high=2 * np.pi), 1)
        tilt = about(torch.deg2rad(dice.uniform(windows, low=s.tilt_deg[0], high=s.tilt_deg[1])) * dice.uniform(windows), 0)
        small, any_ = 0.08 * dice.normal(windows), dice.uniform(windows, high=2 * np.pi)
        roll = about(torch.where(dice.chance(s.rolled, windows), any_, small), 2)
        down = torch.diag(torch.tensor([1.0, -1, -1], device=self.device))
        return roll @ tilt @ down @ yaw

    def _placed(self, dice: Dice, R, root, marks, reach, tall):
        """Pelvis (B, T, 3) in the camera, in the picture for most of the time; points about it, in the camera's axes."""
        s, windows = self.shots, len(root)
        path = (root - root.mean(1, keepdim=True)) @ R.transpose(-1, -2)
        marks = marks @ R[:, None].transpose(-1, -2)
        out = path[..., :2].norm(dim=-1).amax(1)
        away = torch.maximum(dice.log_uniform(windows, low=s.away_m[0], high=s.away_m[1]), 0.7 * out / reach.minimum(tall))
        nearest = (path[..., 2:] + marks[..., 2]).amin((1, 2))
        away = away + torch.relu(0.7 - (away + nearest))
        aside = torch.stack([dice.uniform(windows, low=-0.75, high=0.75) * reach, dice.uniform(windows, low=-0.5, high=0.5) * tall,
                             torch.ones(windows, device=self.device)], -1)
        return path + (aside * away[:, None])[:, None], marks

    @staticmethod
    def _roll(flat):
        """Return turns (B, T, 2, 2) from the upright person's axes in the picture to the picture's own."""
        down = flat[:, :, HIPS].mean(2) - flat[:, :, SHOULDERS].mean(2)
        down = torch.nn.functional.normalize(down, dim=-1, eps=1e-9)
        return torch.stack([torch.stack([down[..., 1], -down[..., 0]], -1), down], -1)

    def as_detected(self, dice: Dice, rays, inside, deep_share):
        """Leave out what the keypoint set lacks and what is outside the picture; say which windows (B, 1) have 3D landmarks."""
        windows = len(rays)
        kind = dice.rows(self.often, windows)
        guessed = (dice.chance(0.4, windows, 1, 1) & (kind == self.blaze)[:, None, None]).float()
        sure = rays[..., 2] * self.sets[kind][:, None] * (inside + (1 - inside) * guessed * 0.3)
        share = self.shots.deep if deep_share is None else deep_share
        has = (kind == self.blaze) & dice.chance(share, windows)
        return torch.cat([rays[..., :2], sure[..., None]], -1), has[:, None].float()

    def _up(self, dice: Dice, R, frames: int):
        """The world's up (B, T, 3) in the camera, as far as it is known: off by some degrees, or not at all."""
        off = axis_angle_to_matrix(torch.deg2rad(8 * dice.normal(len(R), 3)))
        up = (off @ R)[..., 1] * (~dice.chance(0.3, len(R), 1)).float()
        return up[:, None].expand(-1, frames, -1)


def _contacts(soles, times):
    """Probability (B, T, 4) that each sole point touches: slow, and low against the lowest of the window."""
    step = (times[:, 1] - times[:, 0])[:, None, None]
    speed = (soles[:, 1:] - soles[:, :-1]).norm(dim=-1) / step
    speed = torch.cat([speed[:, :1], torch.minimum(speed[:, 1:], speed[:, :-1]), speed[:, -1:]], 1)
    low = soles[..., 1]
    near = torch.nn.functional.max_pool1d(-low.amin(-1)[:, None], 25, 1, 12)[:, 0]
    return torch.sigmoid((SLOW_M_S - speed) / 0.08) * torch.sigmoid((LOW_M - (low + near[..., None])) / 0.012)
