"""Motions to film, made of motion capture in batches: limbs mixed between clips, mirrored, reversed, bent, turned, spun."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mrs.body.torch_body import axis_angle_to_matrix
from mrs.lifting.corpus import ACROBATIC, RATE_HZ, Clips
from mrs.lifting.dice import Dice
from mrs.skeletons import SMPL_24

JOINTS = SMPL_24.names
FLIP = SMPL_24.flip
PARTS = {"root": (0,), "spine": (3, 6, 9, 12, 15), "left arm": (13, 16, 18, 20, 22), "right arm": (14, 17, 19, 21, 23),
         "left leg": (1, 4, 7, 10), "right leg": (2, 5, 8, 11)}
PART_OF = np.array([next(i for i, joints in enumerate(PARTS.values()) if j in joints) for j in range(24)])
KEYS = 16

# Rotation vectors of the left side between which random poses lie; a right joint has the mirror image.
_LIMITS = {
    "left_hip": ((-2.2, 0.6), (-0.7, 0.7), (-0.5, 0.9)), "left_knee": ((0.0, 2.5), (-0.1, 0.1), (-0.05, 0.05)),
    "left_ankle": ((-0.5, 0.7), (-0.3, 0.3), (-0.3, 0.3)), "left_foot": ((-0.3, 0.3), (0, 0), (0, 0)),
    "spine1": ((-0.2, 0.5), (-0.35, 0.35), (-0.3, 0.3)), "spine2": ((-0.2, 0.4), (-0.3, 0.3), (-0.25, 0.25)),
    "spine3": ((-0.2, 0.4), (-0.25, 0.25), (-0.2, 0.2)), "neck": ((-0.4, 0.5), (-0.5, 0.5), (-0.35, 0.35)),
    "head": ((-0.4, 0.4), (-0.4, 0.4), (-0.3, 0.3)), "left_collar": ((-0.15, 0.15), (-0.3, 0.25), (-0.15, 0.35)),
    "left_shoulder": ((-1.1, 1.1), (-1.7, 0.6), (-1.4, 1.2)), "left_elbow": ((-0.8, 0.8), (-2.4, 0.0), (-0.15, 0.15)),
    "left_wrist": ((-0.4, 0.4), (-0.4, 0.4), (-0.7, 0.7)), "left_hand": ((-0.2, 0.2), (-0.1, 0.1), (-0.3, 0.3)),
}


def limits() -> np.ndarray:
    """Least and largest rotation vectors (2, 24, 3) of random poses; zeros for the root."""
    out = np.zeros((2, 24, 3))
    for name, ranges in _LIMITS.items():
        out[:, JOINTS.index(name)] = np.array(ranges).T
        if name.startswith("left_"):
            low, high = np.array(ranges).T
            out[:, JOINTS.index("right_" + name[5:])] = [low[0], -high[1], -high[2]], [high[0], -low[1], -low[2]]
    return out


@dataclass(frozen=True)
class Mix:
    """How often what is done to a motion; all zero films clips as they are. `calm` ones keep their legs, so that feet can stand."""

    spine: float = 0.3
    arm: float = 0.45
    leg: float = 0.12
    keyed_all: float = 0.1
    keyed: float = 0.12
    bent: float = 0.1
    noise_deg: float = 7.0
    calm: float = 0.5
    turned: float = 0.25
    spun: float = 0.15
    mirrored: float = 0.5
    reversed: float = 0.3
    speed: tuple[float, float] = (0.7, 1.5)


PLAIN = Mix(spine=0, arm=0, leg=0, keyed_all=0, keyed=0, bent=0, noise_deg=0, turned=0, spun=0, mirrored=0, reversed=0, speed=(1, 1))


@dataclass
class Motions:
    """local (B, T, 24, 3, 3), root_m (B, T, 3) of bodies whose legs are 1 m long, times_s (B, T), whole (B): nothing was exchanged."""

    local: torch.Tensor
    root_m: torch.Tensor
    times_s: torch.Tensor
    whole: torch.Tensor


class Poses:
    """The clips on one device, and draws from them."""

    def __init__(self, clips: Clips, leg_m: np.ndarray, device):
        """`leg_m` (C,) is the length of each clip's legs."""
        quat, root, self.first, self.frames = _joined(clips, leg_m)
        mirrored = quat[:, FLIP] * np.array([1, 1, -1, -1], np.float32)
        self.count = len(quat)

        def put(values, dtype=torch.float32):
            return torch.as_tensor(np.asarray(values), dtype=dtype, device=device)

        self.quat = put(np.concatenate([quat, mirrored]))
        self.root = put(np.concatenate([root, root * np.array([-1, 1, 1], np.float32)]))
        self.first, self.frames = put(self.first, torch.long), put(self.frames)
        self.cumulative = put(np.cumsum(_weights(clips)))
        self.stands = put(np.isin(PART_OF, (0, 4, 5)), torch.bool)
        self.limits, self.part_of = put(limits()), put(PART_OF, torch.long)

    def draw(self, dice: Dice, windows: int, times_s: torch.Tensor, mix: Mix, clips: torch.Tensor | None = None) -> Motions:
        """Draw motions at times (B, T) from 0 on; `clips` (B,) says which, else they are drawn with equal say for every action."""
        frames = times_s.shape[1]
        part = torch.tensor([0, mix.spine, mix.arm, mix.arm, mix.leg, mix.leg], device=dice.device)
        other = dice.uniform(windows, 6) < part
        a, b, share, root = self._stretches(dice, times_s, mix, other, clips)
        keyed = (dice.uniform(windows, 6) < mix.keyed) | dice.chance(mix.keyed_all, windows, 1)
        keyed[:, 0] = False
        ka, kb, kshare = self._keys(dice, times_s)
        mask = keyed[:, None]
        a, b, share = torch.where(mask, ka, a), torch.where(mask, kb, b), torch.where(mask, kshare, share)
        joints = torch.arange(24, device=dice.device)
        a, b, share = (x[..., self.part_of] for x in (a, b, share))
        local = quat_to_matrix(_nlerp(self.quat[a, joints], self.quat[b, joints], share[..., None]))
        bent = dice.chance(mix.bent, windows, 6)
        if mix.bent:
            local = self._bent(dice, local, times_s, bent)
        calm = dice.chance(mix.calm, windows) if mix.noise_deg else torch.ones(windows, dtype=torch.bool, device=dice.device)
        if mix.noise_deg:
            size = torch.deg2rad(dice.uniform(windows, 1, 1, 1, high=2 * mix.noise_deg)) * ~(calm[:, None] & self.stands)[:, None, :, None]
            local = local @ axis_angle_to_matrix(wander(dice, times_s, 24 * 3, 0.15, 1.5).reshape(windows, frames, 24, 3) * size)
        local, free = _oriented(dice, local, times_s, mix)
        whole = calm & ~(other[:, 4:].any(1) | keyed[:, 4:].any(1) | bent[:, 4:].any(1) | free)
        return Motions(local, root, times_s, whole)

    def _stretches(self, dice: Dice, times_s, mix: Mix, other, clips):
        """Rows before and after (B, T, 6), the share of the latter, and the root's path (B, T, 3)."""
        windows = len(times_s)
        chosen = dice.rows(self.cumulative, windows, 6)
        if clips is not None:
            chosen[:, 0] = clips
        flipped = dice.chance(mix.mirrored, windows, 6)
        length = self.frames[chosen] - 1
        start = dice.uniform(windows, 6) * length
        pick = lambda x: torch.where(other, x, x[:, :1])
        chosen, flipped, start = pick(chosen), pick(flipped), pick(start)
        length = self.frames[chosen] - 1
        ahead = torch.where(dice.chance(mix.reversed, windows, 1), -1.0, 1.0)
        speed = ahead * dice.uniform(windows, 1, low=mix.speed[0], high=mix.speed[1]) * RATE_HZ
        at = start[:, None] + speed[..., None] * times_s[..., None]
        at = _folded(at, length[:, None])
        before = at.floor().minimum(length[:, None] - 1).clamp_min(0)
        base = self.first[chosen] + flipped * self.count
        rows = base[:, None] + before.long()
        share = at - before
        root = torch.lerp(self.root[rows[..., 0]], self.root[rows[..., 0] + 1], share[..., :1])
        return rows, rows + 1, share, root

    def _keys(self, dice: Dice, times_s):
        """The same between poses drawn at random, KEYS of them for each part, eased in and out."""
        windows = len(times_s)
        chosen = dice.rows(self.cumulative, windows, KEYS, 6)
        rows = self.first[chosen] + dice.below(self.frames[chosen]) + dice.chance(0.5, windows, KEYS, 6) * self.count
        number, share = _eased(dice, times_s)
        take = lambda n: torch.gather(rows, 1, n.expand(-1, -1, 6))
        return take(number), take(number + 1), share.expand(-1, -1, 6)

    def _bent(self, dice: Dice, local, times_s, parts):
        """Replace parts (B, 6) by random poses within the joints' limits; never the root."""
        windows = len(times_s)
        keys = dice.uniform(windows, KEYS, 24, 3) * (self.limits[1] - self.limits[0]) + self.limits[0]
        number, share = _eased(dice, times_s)
        take = lambda n: torch.gather(keys, 1, n[..., None].expand(-1, -1, 24, 3))
        made = axis_angle_to_matrix(torch.lerp(take(number), take(number + 1), share[..., None]))
        parts[:, 0] = False
        return torch.where(parts[:, self.part_of][:, None, :, None, None], made, local)


def _joined(clips: Clips, leg_m: np.ndarray):
    """Poses and root paths, in lengths of the legs, of the clips alone, and where each begins."""
    quat = np.concatenate([clips.quat[f : f + n] for f, n in zip(clips.first, clips.frames, strict=True)])
    root = np.concatenate([clips.root_m[f : f + n] / leg for f, n, leg in zip(clips.first, clips.frames, leg_m, strict=True)])
    return quat.astype(np.float32), root.astype(np.float32), np.cumsum([0, *clips.frames[:-1]]), clips.frames


def _weights(clips: Clips) -> np.ndarray:
    """Weights (C,): an action counts with the fourth root of its time, acrobatic ones three times."""
    time = {label: sum(n for l, n in zip(clips.labels, clips.frames, strict=True) if l == label) for label in set(clips.labels)}
    weight = np.array([n / time[l] * time[l] ** 0.25 * (3 if l in ACROBATIC else 1)
                       for l, n in zip(clips.labels, clips.frames, strict=True)])
    return weight / weight.sum()


def _folded(at, length):
    """Places on a line that goes back and forth between 0 and `length`."""
    length = length.clamp_min(1e-3)
    return length - (torch.remainder(at, 2 * length) - length).abs()


def _eased(dice: Dice, times_s):
    """Numbers (B, T, 1) of keys that lie 0.3 to 1.2 s apart, and how far (B, T, 1) the way to the next is."""
    windows = len(times_s)
    span = (times_s[:, -1:] / (KEYS - 2)).clamp_min(1e-3)
    every = torch.maximum(dice.uniform(windows, 1, low=0.3, high=1.2), span)
    at = times_s / every + dice.uniform(windows, 1)
    number = at.floor().clamp(0, KEYS - 2)
    share = at - number
    return number.long()[..., None], (share * share * (3 - 2 * share))[..., None]


def wander(dice: Dice, times_s: torch.Tensor, channels: int, low_hz: float, high_hz: float, waves: int = 4) -> torch.Tensor:
    """Smooth noise (B, T, channels) of unit variance: a few sines of random frequency and phase."""
    windows = len(times_s)
    rate = dice.log_uniform(windows, 1, waves, low=low_hz, high=high_hz)
    angle = 2 * np.pi * (rate * times_s[..., None] + dice.uniform(windows, 1, waves))
    both = torch.cat([angle.sin(), angle.cos()], -1)
    return both @ dice.normal(windows, 2 * waves, channels) / waves**0.5


def _oriented(dice: Dice, local, times_s, mix: Mix):
    """Turn some bodies anyhow and spin some; return them and which (B,) were."""
    windows = len(times_s)
    turned, spun = dice.chance(mix.turned, windows), dice.chance(mix.spun, windows)
    if not mix.turned and not mix.spun:
        return local, turned | spun
    start = dice.normal(windows, 4)
    start = quat_to_matrix(torch.where(turned[:, None], start, torch.tensor([1.0, 0, 0, 0], device=dice.device)))
    axis = torch.nn.functional.normalize(dice.normal(windows, 3), dim=-1) * dice.uniform(windows, 1, low=1, high=7) * spun[:, None]
    whirl = axis_angle_to_matrix(axis[:, None] * times_s[..., None])
    first = (whirl @ start[:, None]) @ local[:, :, 0]
    return torch.cat([first[:, :, None], local[:, :, 1:]], 2), turned | spun


def _nlerp(a, b, share):
    sign = torch.where((a * b).sum(-1, keepdim=True) < 0, -1.0, 1.0)
    return a + share * (sign * b - a)


def quat_to_matrix(quat: torch.Tensor) -> torch.Tensor:
    """Quaternions w, x, y, z (..., 4) of any length to matrices (..., 3, 3)."""
    w, x, y, z = torch.nn.functional.normalize(quat, dim=-1).unbind(-1)
    return torch.stack([
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), 2 * (x * y + w * z), 1 - 2 * (x * x + z * z),
        2 * (y * z - w * x), 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1).unflatten(-1, (3, 3))
