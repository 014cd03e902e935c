"""Procedural clothes: skin, hair, tops, trousers and shoes as colours on points of the body in its T-pose."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mrs.appearance.constants import on

SKIN = ((0.96, 0.83, 0.74), (0.86, 0.66, 0.52), (0.66, 0.46, 0.33), (0.42, 0.28, 0.19), (0.30, 0.19, 0.13))
HAIR = ((0.09, 0.07, 0.06), (0.25, 0.15, 0.08), (0.45, 0.28, 0.14), (0.78, 0.62, 0.36), (0.55, 0.54, 0.53), (0.50, 0.18, 0.08))
MARKS_M = ((0.031, 0.727, 0.121), (-0.031, 0.727, 0.121), (0.012, 0.651, 0.135), (-0.012, 0.651, 0.135))
GROUPS = {"head": (12, 15), "torso": (0, 3, 6, 9, 13, 14), "left_upper_arm": (16,), "left_lower_arm": (18, 20, 22),
          "right_upper_arm": (17,), "right_lower_arm": (19, 21, 23), "left_upper_leg": (1,), "left_lower_leg": (4, 7, 10),
          "right_upper_leg": (2,), "right_lower_leg": (5, 8, 11)}
BODY_PARTS = tuple(GROUPS)


@dataclass(frozen=True)
class Surface:
    """Points of the T-pose: place_m (P, 3), and the share (P, 10) that each of BODY_PARTS has of a point's weights."""

    place_m: torch.Tensor
    shares: torch.Tensor

    @classmethod
    def of(cls, place_m: torch.Tensor, weights: torch.Tensor) -> Surface:
        """From places and skinning weights (P, 24)."""
        return cls(place_m, torch.stack([weights[:, list(joints)].sum(1) for joints in GROUPS.values()], 1))

    @property
    def arm(self) -> torch.Tensor:
        """Share (P,) of both arms."""
        return self.shares[:, 2:6].sum(1)

    @property
    def leg(self) -> torch.Tensor:
        """Share (P,) of both legs."""
        return self.shares[:, 6:].sum(1)


class Wardrobe:
    """The looks of N people: every draw a tensor of N rows on the device, by its own generator."""

    def __init__(self, count: int, generator: torch.Generator, device):
        self.count, self.generator, self.device = count, generator, device
        self.sleeve, self.hem = self.between(0.22, 0.74), self.between(-0.12, 0.14)
        self.trousers = torch.where(self.chance(0.25), self.between(-0.45, -0.25), self.between(-0.93, -0.8))
        self.neckline, self.shoe = self.between(0.5, 0.56), self.between(-0.92, -0.84)
        self.hair_end = torch.where(self.chance(0.4), self.between(0.42, 0.62), self.between(0.66, 0.74))
        self.fringe = self.between(0.745, 0.79)
        self.bald = self.chance(0.07)
        self.puff = {"top": self.between(0.0, 0.025), "trousers": self.between(0.0, 0.03), "hair": self.between(0.004, 0.03)}

    def between(self, low: float, high: float, *more: int) -> torch.Tensor:
        """Uniform numbers (N, 1, ...)."""
        draw = torch.rand(self.count, 1, *more, generator=self.generator, device=self.device)
        return low + (high - low) * draw

    def chance(self, share: float) -> torch.Tensor:
        """True (N, 1) with that probability."""
        return self.between(0, 1) < share

    def pick(self, colours) -> torch.Tensor:
        """A mixture (N, 1, 3) of two neighbours of a list of colours."""
        table = on(colours, self.device)
        at = self.between(0, len(colours) - 1.001)[:, 0]
        low = at.long()
        share = (at - low)[:, None]
        return (table[low] * (1 - share) + table[low + 1] * share)[:, None]

    def cloth(self) -> torch.Tensor:
        """A colour (N, 1, 3): a third grey, the others of any hue and some saturation."""
        hue, value = self.between(0, 1), self.between(0.06, 0.95)
        saturation = torch.where(self.chance(0.35), self.between(0, 0.08), self.between(0.15, 0.95))
        turn = (hue + on((0.0, 2 / 3, 1 / 3), self.device)) % 1
        wheel = ((turn * 6 - 3).abs() - 1).clamp(0, 1)
        return (value * (1 - saturation + saturation * wheel))[:, None]

    def patterned(self, surface: Surface) -> torch.Tensor:
        """Cloth (N, P, 3) of one colour, or with stripes, checks or spots of a second one."""
        place = surface.place_m
        a, b = self.cloth(), self.cloth()
        stripe = [torch.sin(place[:, axis] * self.between(25, 130) + self.between(0, 6.3)) for axis in range(3)]
        wave = sum(torch.sin((place[None] * self.between(-60, 60, 3)).sum(-1) + self.between(0, 6.3)) for _ in range(3))
        kind = self.between(0, 1)
        mask = torch.where(kind < 0.5, torch.zeros_like(wave), torch.where(
            kind < 0.65, stripe[1], torch.where(kind < 0.75, stripe[0], torch.where(
                kind < 0.85, stripe[0] * stripe[1] * 2, wave - 0.5))))
        share = (mask * 3).clamp(0, 1) * self.between(0.3, 1.0)
        return a + (b - a) * share[..., None]

    def colours(self, surface: Surface) -> torch.Tensor:
        """Albedo (N, P, 3) in 0..1 of every point."""
        x, y, z = surface.place_m.unbind(1)
        skin, hair = self.pick(SKIN), self.pick(HAIR)
        found = self._face(surface, skin, hair)
        top, legs = self.patterned(surface), self.patterned(surface)
        arm, leg = surface.arm > 0.5, surface.leg > 0.5
        lower = ~arm & (y < self.hem) & (y > self.trousers)
        found = torch.where(lower[..., None], legs, found)
        upper = ((arm & (x.abs() < self.sleeve)) | (~arm & (y >= self.hem))) & (y < self.neckline + 0.03 * (z < 0)) & ~(leg & (y < -0.2))
        found = torch.where(upper[..., None], self._front(surface, top), found)
        feet = leg & (y < self.shoe)
        found = torch.where((feet & self.chance(0.93))[..., None], self.cloth(), found)
        return self._creased(surface, found).clamp(0, 1)

    def _front(self, surface: Surface, top: torch.Tensor) -> torch.Tensor:
        """A badge on the chest or the back, or an open jacket, now and then."""
        x, y, z = surface.place_m.unbind(1)
        side = 2.0 * self.chance(0.7) - 1
        badge = (x.abs() < self.between(0.03, 0.12)) & ((y - self.between(0.2, 0.4)).abs() < self.between(0.03, 0.1)) & (z * side > 0.02)
        jacket = (x.abs() < self.between(0.02, 0.09)) & (z > 0.0)
        top = torch.where((badge & self.chance(0.3))[..., None], self.cloth(), top)
        return torch.where((jacket & self.chance(0.25))[..., None], self.cloth(), top)

    def _face(self, surface: Surface, skin, hair) -> torch.Tensor:
        """Skin everywhere, with hair, eyes, mouth and sometimes a beard on the head."""
        place = surface.place_m
        x, y, z = place.unbind(1)
        found = skin.expand(-1, len(place), 3)
        behind = z < 0.045 + 0.35 * (y - 0.7).clamp(-0.1, 0.1)
        covered = (x.abs() < 0.2) & (surface.arm < 0.5) & (((y > self.hair_end) & behind & (z < 0.08)) | (y > self.fringe)) & ~self.bald
        covered = covered & ((y > 0.55) | (z < -0.02))
        marks = on(MARKS_M, place.device)
        near = (torch.cdist(place, marks) < 0.016) & (z > 0.05)[:, None]
        found = torch.where(near[:, :2].any(1)[:, None], 0.25 * skin, found)
        found = torch.where(near[:, 2:].any(1)[:, None], skin * on((0.8, 0.5, 0.5), place.device), found)
        beard = (y > 0.58) & (y < 0.665) & (z > 0.05) & (surface.shares[:, 0] > 0.5) & self.chance(0.15)
        found = torch.where(beard[..., None], 0.5 * skin + 0.5 * hair, found)
        return torch.where(covered[..., None], hair, found)

    def _creased(self, surface: Surface, colours: torch.Tensor) -> torch.Tensor:
        wave = torch.zeros((), device=self.device)
        for _ in range(2):
            wave = wave + torch.sin((surface.place_m[None] * self.between(-50, 50, 3)).sum(-1) + self.between(0, 6.3))
        return colours * (1 + self.between(0.0, 0.06) * wave)[..., None]

    def offsets_m(self, surface: Surface) -> torch.Tensor:
        """How far (N, V) cloth and hair stand off the body along its normals."""
        x, y, z = surface.place_m.unbind(1)
        cloth = torch.where((surface.leg > 0.5) & (y > self.trousers), self.puff["trousers"], torch.zeros_like(self.hem))
        worn = (surface.leg <= 0.5) & (y < self.neckline) & ((surface.arm < 0.5) | (x.abs() < self.sleeve))
        cloth = torch.where(worn, self.puff["top"], cloth)
        hair = (surface.shares[:, 0] > 0.5) & ((y > self.fringe) | ((y > self.hair_end) & (z < 0.06))) & ~self.bald
        return torch.where(hair, self.puff["hair"], cloth)
