"""What detectors get wrong: errors in 2D that last, exchanged sides, lost limbs and frames, 3D landmarks flat and askew.

Errors come half from a model and half, where there is a bank, from real detections of rendered clips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mrs.body.torch_body import axis_angle_to_matrix
from mrs.lifting.dice import Dice
from mrs.lifting.points import DEEP, ENDS, FLIP, GROUPS, POINTS, members

ARMS = members([n for n in POINTS if n.endswith(("shoulder", "elbow", "wrist", "pinky", "index", "thumb"))])
LEGS = members([n for n in POINTS if n.endswith(("hip", "knee", "ankle", "heel", "toe"))])
FAR = np.array([1.5 if n.endswith(ENDS) else 1.0 for n in POINTS])


@dataclass(frozen=True)
class Errors:
    """Scales and rates of the errors. Lengths in 2D are in the person's mean size in the picture."""

    least: float = 0.003
    most: float = 0.02
    outliers: float = 0.01
    outlier_size: float = 0.15
    drops: float = 0.12
    lost: float = 0.2
    lost_frames: tuple[float, float] = (2, 20)
    limbs: float = 0.07
    swaps: float = 0.05
    swapped: float = 0.012
    wrong_limbs: float = 0.06
    wrong_size: float = 0.08
    white_m: float = 0.015
    slow_m: float = 0.06
    askew_deg: float = 14.0
    memory_s: float = 0.2


class Bank:
    """Errors of the real detector, film by film: flat (N, D, 2) in sizes, deep (N, D, 3) metres, sure (N, D); axes of the view."""

    def __init__(self, flat, deep, sure, first, frames):
        self.flat, self.deep, self.sure, self.first, self.frames = flat, deep, sure, first, frames

    def draw(self, dice: Dice, times_s: torch.Tensor, rate_hz: float = 30.0):
        """Errors (B, T, D, 2), (B, T, D, 3) and confidence (B, T, D) of random stretches, half of them mirrored."""
        rows = stretches(dice, self.first, self.frames, times_s * rate_hz)
        flat, deep, sure = self.flat[rows], self.deep[rows], self.sure[rows]
        flip = torch.as_tensor(FLIP[: len(DEEP)], device=dice.device)
        mirror = dice.chance(0.5, len(times_s), 1, 1)
        turn = torch.tensor([-1.0, 1, 1], device=dice.device)
        return (torch.where(mirror[..., None], flat[:, :, flip] * turn[:2], flat),
                torch.where(mirror[..., None], deep[:, :, flip] * turn, deep), torch.where(mirror, sure[:, :, flip], sure))


def stretches(dice: Dice, first, frames, ahead, film=None) -> torch.Tensor:
    """Rows (B, T) of films that begin anywhere and go on by `ahead` (B, T) frames, back and forth."""
    if film is None:
        film = dice.below(torch.full((len(ahead),), float(len(first)), device=dice.device))
    length = (frames[film] - 1)[:, None].float()
    at = dice.uniform(len(ahead), 1) * length + ahead
    at = length - (torch.remainder(at, 2 * length) - length).abs()
    return first[film][:, None] + at.round().long()


def lasting(dice: Dice, times_s: torch.Tensor, shape: tuple[int, ...], memory_s: float) -> torch.Tensor:
    """Noise (B, T, *shape) of unit variance that forgets with time."""
    apart = times_s[:, :, None] - times_s[:, None, :]
    weight = torch.where(apart >= 0, torch.exp(-apart.clamp_min(0) / memory_s), 0.0)
    weight = weight / weight.norm(dim=-1, keepdim=True)
    count = int(np.prod(shape))
    return (weight @ dice.normal(*times_s.shape, count)).unflatten(-1, shape)


class Spoiler:
    """Spoils what a perfect detector would see."""

    def __init__(self, device, errors: Errors, bank: Bank | None = None):
        self.errors, self.bank = errors, bank
        self.far = torch.as_tensor(FAR, dtype=torch.float32, device=device)
        self.flip = torch.as_tensor(FLIP, device=device)
        self.limbs = torch.as_tensor(np.stack([members(g) for g in GROUPS.values()]), dtype=torch.float32, device=device)
        self.sides = torch.as_tensor(np.stack([ARMS, LEGS, ARMS | ~ARMS]), dtype=torch.float32, device=device)

    def spoil(self, dice: Dice, flat, deep, size, times_s, roll):
        """Return 2D (B, T, P, 3) with confidence, and 3D (B, T, D, 3).

        flat (B, T, P, 2), deep (B, T, D, 3) are true, size (B) the person's in the units of `flat`; roll (B, T, 2, 2) turns
        errors that are in axes of the upright person into the camera's.
        """
        e = self.errors
        windows, frames = times_s.shape
        sd = dice.log_uniform(windows, 1, 1, 1, low=e.least, high=e.most)
        mixed = dice.uniform(windows, 1, 1, 1)
        error = mixed.sqrt() * lasting(dice, times_s, (len(POINTS), 2), e.memory_s) + (1 - mixed).sqrt() * dice.normal(*flat.shape)
        error = error * sd * self.far[:, None]
        deep_error = self._deep(dice, deep, times_s)
        sure = None
        if self.bank is not None:
            error, deep_error, sure = self._real(dice, error, deep_error, times_s, roll)
        error = error + self._wrong_limbs(dice, times_s)
        wild = dice.chance(e.outliers, windows, frames, len(POINTS), 1)
        error = error + wild * dice.normal(*flat.shape) * e.outlier_size
        away = error.norm(dim=-1)
        likely = torch.exp(-away / 0.08) * dice.uniform(windows, frames, len(POINTS), low=0.75) ** dice.uniform(windows, 1, 1, high=2)
        likely = likely.clamp_min(0.06) if sure is None else torch.where(sure[0], sure[1], likely.clamp_min(0.06))
        flat, deep = flat + error * size[:, None, None, None], deep + deep_error
        flat, deep, likely = self._exchanged(dice, flat, deep, likely)
        likely = likely * self.kept(dice, windows, frames)
        return torch.cat([flat, likely[..., None]], -1), deep

    def _wrong_limbs(self, dice: Dice, times_s):
        """Offsets (B, T, P, 2) of limbs that are taken for something else for a while."""
        e, (windows, frames) = self.errors, times_s.shape
        when = dice.events(e.wrong_limbs, windows, len(self.limbs), frames, 2, 20).float()
        where = dice.normal(windows, len(self.limbs), 2) * e.wrong_size
        return torch.einsum("blt,blc,lp->btpc", when, where, self.limbs) * dice.uniform(windows, frames, 1, 1, low=0.5, high=1.2)

    def _deep(self, dice: Dice, deep, times_s):
        """Errors of 3D landmarks: askew as a whole, flat or deep, of a wrong size, and each point by itself."""
        e, (windows, frames) = self.errors, times_s.shape
        lean = dice.normal(windows, 1, 3) + 0.7 * lasting(dice, times_s, (3,), 0.5)
        scale = (1 + 0.06 * dice.normal(windows, 1, 1, 1)).expand(-1, 1, 1, 3).clone()
        scale[..., 2] *= dice.uniform(windows, 1, 1, low=0.7, high=1.1)
        flipped = (dice.events(0.08, windows, 1, frames, 1, 10)[:, 0] | dice.chance(0.015, windows, frames))[..., None, None]
        wrong = deep * torch.where(flipped, torch.tensor([1.0, 1, -1], device=deep.device), 1.0) * scale
        wrong = wrong @ axis_angle_to_matrix(torch.deg2rad(e.askew_deg * dice.uniform(windows, 1, 1, high=1.6) * lean))
        own = e.white_m * dice.normal(*deep.shape) + e.slow_m * lasting(dice, times_s, deep.shape[2:], 0.35)
        own = own * self.far[: len(DEEP), None] * torch.tensor([1.0, 1, 2], device=deep.device)
        return wrong - deep + own * dice.uniform(windows, 1, 1, 1, low=0.4, high=1.5)

    def _real(self, dice: Dice, error, deep_error, times_s, roll):
        """Take the errors of half of the windows from the bank."""
        windows = len(times_s)
        flat, deep, sure = self.bank.draw(dice, times_s)
        real = dice.chance(0.5, windows, 1, 1)
        amount = dice.uniform(windows, 1, 1, 1, low=0.5, high=1.2)
        n = len(DEEP)
        turned = (flat * amount) @ roll.transpose(-1, -2)
        known = torch.where(real[..., None], turned, error[:, :, :n])
        error = torch.cat([known, error[:, :, n:]], 2)
        deep = torch.cat([deep[..., :2] @ roll.transpose(-1, -2), deep[..., 2:]], -1) * amount
        deep_error = torch.where(real[..., None], deep, deep_error)
        extra = sure.mean(-1, keepdim=True).expand(-1, -1, len(POINTS) - n)
        return error, deep_error, (real, torch.cat([sure, extra], -1))

    def _exchanged(self, dice: Dice, flat, deep, likely):
        """Exchange left and right of the arms, the legs or all, for a while."""
        e, (windows, frames) = self.errors, likely.shape[:2]
        when = dice.events(e.swaps, windows, 3, frames, 1, 14)
        when[:, 2] |= dice.chance(e.swapped, windows, frames)
        swap = (when.transpose(1, 2).float() @ self.sides).remainder(2) > 0.5
        n = len(DEEP)
        return (torch.where(swap[..., None], flat[:, :, self.flip], flat),
                torch.where(swap[..., :n, None], deep[:, :, self.flip[:n]], deep), torch.where(swap, likely[:, :, self.flip], likely))

    def kept(self, dice: Dice, windows: int, frames: int):
        """1 (B, T, P) where a point is still seen."""
        e = self.errors
        dropped = dice.uniform(windows, frames, len(POINTS)) < dice.uniform(windows, 1, 1, high=e.drops)
        lost = dice.events(e.lost, windows, 2, frames, *e.lost_frames).any(1)
        limbs = dice.events(e.limbs, windows, len(self.limbs), frames, 4, 1.5 * frames).transpose(1, 2).float() @ self.limbs
        return (~(dropped | lost[..., None] | (limbs > 0))).float()
