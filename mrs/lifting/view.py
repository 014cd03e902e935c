"""The encoder's own view of a person: a virtual camera that looks at the torso and is rolled so that the torso is upright.

A body that hangs upside down, or stands at the edge of a wide picture, thus looks like one that stands in the middle. All of it
is torch and batched over windows (B) of frames (T), so that training films and real tracks go through the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mrs.lifting.points import DEEP, FLIP, HIPS, POINTS, SHOULDERS

AIM_S = 0.08
FAR_S = 0.6
FACTS = 11
INPUTS = 3 * len(POINTS) + 3 * len(DEEP) + FACTS


@dataclass
class Seen:
    """What the encoder is given.

    rays (B, T, P, 3): x / z, y / z in the camera, confidence (0: unseen); deep_m (B, T, D, 3) 3D landmarks about the mid-hip in
    camera axes; deep (B, T): 1 where there are some; times_s (B, T); up (B, T, 3): the world's up in camera axes, zeros where it is
    not known; still (B): 1 where the camera stands still, so that moves across the picture are the person's.
    """

    rays: torch.Tensor
    deep_m: torch.Tensor
    deep: torch.Tensor
    times_s: torch.Tensor
    up: torch.Tensor
    still: torch.Tensor

    def part(self, rows) -> Seen:
        """Return some windows."""
        return Seen(*(value[rows] for value in vars(self).values()))

    def mirrored(self) -> Seen:
        """Return what a mirror beside the camera shows: left and right exchanged, x turned."""
        flip = torch.as_tensor(FLIP, device=self.rays.device)
        turn = torch.tensor([-1.0, 1, 1], device=self.rays.device)
        return Seen(self.rays[..., flip, :] * turn, self.deep_m[..., flip[: len(DEEP)], :] * turn, self.deep, self.times_s,
                    self.up * turn, self.still)


@dataclass
class View:
    """The virtual camera: turn (B, T, 3, 3) takes camera axes to the view's; size (B) is what its points are divided by."""

    turn: torch.Tensor
    size: torch.Tensor

    def place(self, points: torch.Tensor) -> torch.Tensor:
        """Project points (B, T, K, 3) of the camera's axes in the view: (B, T, K, 2)."""
        seen = points @ self.turn.transpose(-1, -2)
        return seen[..., :2] / seen[..., 2:].clamp_min(0.05) / self.size[:, None, None, None]


def kernel(times_s: torch.Tensor) -> torch.Tensor:
    """Weights (B, T, T) of a running mean: a narrow bell, and a little of a wide one for where nothing near is seen."""
    apart = (times_s[:, :, None] - times_s[:, None, :]) ** 2
    return torch.exp(-apart / (2 * AIM_S**2)) + 1e-3 * torch.exp(-apart / (2 * FAR_S**2)) + 1e-7


def view_of(seen: Seen) -> View:
    """Aim at the torso and turn it upright."""
    turn = turn_of(seen)
    return View(turn, size_of(seen, turn))


def turn_of(seen: Seen) -> torch.Tensor:
    """Turns (B, T, 3, 3) that aim at the torso and bring it upright."""
    rays, sure = seen.rays[..., :2], seen.rays[..., 2:]
    near = kernel(seen.times_s)
    middle = _mean(rays, sure, SHOULDERS + HIPS)
    whole = _mean(rays, sure, None)
    aim = _smooth(near, middle[0] + 1e-3 * whole[0], middle[1] + 1e-3 * whole[1])
    high, low = _mean(rays, sure, SHOULDERS), _mean(rays, sure, HIPS)
    both = high[1] * low[1]
    up = _smooth(near, both * (high[0] / high[1].clamp_min(1e-6) - low[0] / low[1].clamp_min(1e-6)), both)
    z = torch.nn.functional.normalize(torch.cat([aim, torch.ones_like(aim[..., :1])], -1), dim=-1)
    y = torch.cat([-up, torch.zeros_like(up[..., :1])], -1)
    y = y + 1e-4 * torch.nn.functional.pad(torch.ones_like(up[..., :1]), (1, 1))
    y = torch.nn.functional.normalize(y - (y * z).sum(-1, keepdim=True) * z, dim=-1, eps=1e-9)
    return torch.stack([torch.linalg.cross(y, z), y, z], -2)


def size_of(seen: Seen, turn: torch.Tensor) -> torch.Tensor:
    """Root mean square (B) of the points' places in the view."""
    rays, sure = seen.rays[..., :2], seen.rays[..., 2:]
    flat = View(turn, torch.ones_like(rays[:, 0, 0, 0])).place(torch.cat([rays, torch.ones_like(sure)], -1))
    total = sure.sum((1, 2, 3)).clamp_min(1e-6)
    return ((flat**2 * sure).sum((1, 2, 3)) / total).sqrt().clamp_min(1e-4)


def _mean(rays, sure, rows):
    """Sum of weighted places (B, T, 2) of some points, and of their weights (B, T, 1)."""
    rays, sure = (rays, sure) if rows is None else (rays[:, :, rows], sure[:, :, rows])
    return (rays * sure).sum(2), sure.sum(2)


def _smooth(near, total, weight):
    return (near @ total) / (near @ weight).clamp_min(1e-9)


def inputs(seen: Seen, view: View) -> torch.Tensor:
    """Return the encoder's numbers (B, T, INPUTS)."""
    rays, sure = seen.rays, seen.rays[..., 2:]
    flat = view.place(torch.cat([rays[..., :2], torch.ones_like(sure)], -1)).clamp(-8, 8)
    known = (sure > 0).to(flat)
    deep = (seen.deep_m @ view.turn.transpose(-1, -2)).clamp(-3, 3) * seen.deep[..., None, None]
    up = (view.turn @ seen.up[..., None])[..., 0]
    step = (seen.times_s[:, 1:] - seen.times_s[:, :-1]).clamp_min(1e-4)
    step = torch.cat([step[:, :1], step], 1)
    moved = view.turn[:, 1:] @ view.turn[:, :-1].transpose(-1, -2)
    moved = torch.cat([torch.zeros_like(up[:, :1]), torch.stack([moved[..., 0, 2], moved[..., 1, 2], moved[..., 0, 1]], -1)], 1)
    rate = (moved / step[..., None]).clamp(-30, 30)
    rate = torch.cat([rate[..., :2] / view.size[:, None, None].clamp_min(0.02) / 10, rate[..., 2:] / 3], -1).clamp(-5, 5)
    facts = torch.cat([
        rate * seen.still[:, None, None], (seen.still[:, None, None] > 0).to(flat).expand(*rate.shape[:2], 1), up,
        seen.deep[..., None], view.size.log()[:, None, None].expand(*rate.shape[:2], 1) + 2, step.log()[..., None] + 3.4,
        known.amax((2, 3))[..., None]], -1)
    return torch.cat([(flat * known).flatten(2), sure.flatten(2), deep.flatten(2), facts], -1)
