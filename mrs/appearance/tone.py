"""What the drawn parts of a body lack of a person's colours, measured where the truth is known and added everywhere.

A network that was not trained on a person draws their postures better than their colours. On the pictures that lend the looks both the drawn
and the true colours are known; the mean difference of each of 19 pieces of the body is what every further drawing is short of.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from mrs.appearance import inputs
from mrs.appearance.constants import on
from mrs.skeletons import COCO_18

# First and last joint of a limb, its radius as a share of the torso's length, how far it goes on past the last joint.
_LIMBS = (("shoulder", "elbow", 0.11, 0.0), ("elbow", "wrist", 0.10, 0.25), ("hip", "knee", 0.16, 0.0), ("knee", "ankle", 0.13, 0.25))
PIECES = ("head", *(f"torso_{n}" for n in (0, 1)), *(f"{side}_{first}_{n}" for side in ("right", "left") for first, *_ in _LIMBS for n in (0, 1)))
_SWAP = {"right": "left", "left": "right"}
MIRRORED = tuple(PIECES.index("_".join([_SWAP.get(word, word) for word in name.split("_")])) for name in PIECES)
_HEAD, _TORSO, _BREADTH, _LEAST_LENGTH = 0.22, 0.22, 0.42, 0.25
SHARP, STEP, ENOUGH_PX = 3.0, 2, 20.0


def pieces(joints: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ends (B, 19, 2, 2), radii (B, 19) and whether they are known (B, 19) of the pieces, from joints (B, 18, 3) in 0..1."""
    at = lambda name: joints[:, COCO_18.index(name), :2]
    has = lambda *names: (joints[:, [COCO_18.index(name) for name in names], 2] > 0.5).all(1)
    top, hips = (at("right_shoulder") + at("left_shoulder")) / 2, (at("right_hip") + at("left_hip")) / 2
    known = joints[..., 2:] > 0.5
    reach = torch.where(known, joints[..., :2], -1.0).amax(1) - torch.where(known, joints[..., :2], 2.0).amin(1)
    length = torch.maximum((top - hips).norm(dim=-1), _LEAST_LENGTH * reach.clamp_min(0).norm(dim=-1))
    across = (at("right_shoulder") - at("left_shoulder")).norm(dim=-1)
    ends, radii = [_between(top, at("nose"), 0.4, 1.5)], [_HEAD * length]
    found = [has("right_shoulder", "left_shoulder", "nose")]
    for half in (0.0, 0.5):
        ends.append(_between(top, hips, half, half + 0.5))
        radii.append(torch.maximum(_BREADTH * across, _TORSO * length))
        found.append(has("right_shoulder", "left_shoulder", "right_hip", "left_hip"))
    for side in ("right", "left"):
        for first, last, radius, further in _LIMBS:
            names = f"{side}_{first}", f"{side}_{last}"
            ends += [_between(at(names[0]), at(names[1]), 0.0, 0.5), _between(at(names[0]), at(names[1]), 0.5, 1.0 + further)]
            radii += [radius * length] * 2
            found += [has(*names)] * 2
    return torch.stack(ends, 1), torch.stack(radii, 1).clamp_min(1e-3), torch.stack(found, 1)


def _between(a: torch.Tensor, b: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return torch.stack([a + low * (b - a), a + high * (b - a)], 1)


def shares(joints: torch.Tensor, side_px: int) -> torch.Tensor:
    """Which piece each pixel is nearest to: (B, 19, side, side), adding up to one wherever any piece is known."""
    ends, radii, known = pieces(joints)
    at = (torch.arange(side_px, device=joints.device) + 0.5) / side_px
    start, along = ends[:, :, 0], ends[:, :, 1] - ends[:, :, 0]
    ax, ay, dx, dy = (v[..., None, None] for v in (start[..., 0], start[..., 1], along[..., 0], along[..., 1]))
    x, y = at[None, :] - ax, at[:, None] - ay
    share = ((x * dx + y * dy) / (dx**2 + dy**2).clamp_min(1e-6)).clamp(0, 1)
    away = ((x - share * dx) ** 2 + (y - share * dy) ** 2) / (radii**2)[..., None, None]
    away = torch.where(known[..., None, None], away, torch.full_like(away, 1e4))
    return torch.softmax(-SHARP * away, 1) * known.any(1)[:, None, None, None]


@dataclass(frozen=True)
class Lacks:
    """What each piece lacks in K drawings: sums (K, 19, 3) of differences in -2..2, and of how many pixels (K, 19)."""

    sums: torch.Tensor
    pixels: torch.Tensor

    def mean(self, weights: torch.Tensor) -> torch.Tensor:
        """Colours (T, 19, 3) to add, from weights (T, K) of the drawings.

        A piece that few pixels showed is given its other side's colours, and where that is hidden too, nothing.
        """
        pixels = weights @ self.pixels
        own = torch.einsum("tk,kpc->tpc", weights, self.sums) / pixels.clamp_min(1e-6)[..., None]
        sure = (pixels / (pixels + ENOUGH_PX))[..., None]
        other = on(MIRRORED, own.device)
        return sure * own + (1 - sure) * sure[:, other] * own[:, other]


def lacks(drawn: torch.Tensor, picture: torch.Tensor, joints: torch.Tensor, person: torch.Tensor) -> Lacks:
    """Compare drawings with pictures (K, 3, S, S) of the same posture, where the person is (K, 1, S, S)."""
    scale = drawn.shape[-1] // STEP
    away, area = (functional.adaptive_avg_pool2d(v, scale) for v in ((picture - drawn) * person, person))
    share = shares(joints, scale)
    per_cell = (drawn.shape[-1] / scale) ** 2
    return Lacks(per_cell * torch.einsum("kpyx,kcyx->kpc", share, away), per_cell * torch.einsum("kpyx,kyx->kp", share, area[:, 0]))


def field(colours: torch.Tensor, joints: torch.Tensor, size_px: int) -> torch.Tensor:
    """What is added to pictures (T, 3, S, S) of postures (T, 18, 3): colours (T, 19, 3) spread over the pieces."""
    small = torch.einsum("tpyx,tpc->tcyx", shares(joints, size_px // STEP), colours)
    return functional.interpolate(small, (size_px, size_px), mode="bilinear", align_corners=False)


def person_of(share: torch.Tensor | None, joints: torch.Tensor, size_px: int, mask: torch.Tensor | None, mask_known) -> torch.Tensor:
    """Where the person is (K, 1, S, S) in 0..1: what the network says, or near to the bones where it doesn't, and within known masks."""
    inside = torch.sigmoid(share) if share is not None else (inputs.stick_figure(joints, size_px, 0.06 * size_px).amax(1, keepdim=True) > 0).float()
    if mask is None:
        return inside
    known = torch.ones(len(mask), device=mask.device) if mask_known is None else mask_known
    return inside * torch.where(known[:, None, None, None] > 0, mask, torch.ones_like(mask))
