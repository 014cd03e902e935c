"""What the refiner turns: global rotations in 6D, the code of a regressor or pose prior, or both.

A space maps variables `u` (T, size) to global rotations (T, 24, 3, 3) in the world; u = 0 is the start. Variables pass
through a basis in time (see :mod:`mrs.refine.solver`), so that a step moves a smooth stretch of frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from mrs.body.torch_body import TorchBody, sixd_to_matrix


class Decoder(Protocol):
    """Turns codes (T, D) into local joint rotations: (T, 23, 3, 3) without the root, or (T, 24, 3, 3) with it in camera axes."""

    def encode(self, local: torch.Tensor) -> torch.Tensor:
        """Return codes (T, D) of local rotations (T, 23, 3, 3)."""

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return local rotations of codes (T, D)."""


@dataclass
class Pose6d:
    """Global rotations, moved in 6D (Zhou et al., CVPR 2019): the space that can hold any pose."""

    sixd: torch.Tensor

    size = 144

    @classmethod
    def at(cls, turned: torch.Tensor) -> Pose6d:
        """Start at rotations (T, 24, 3, 3)."""
        return cls(to_sixd(turned).flatten(1))

    def turned(self, moved: torch.Tensor) -> torch.Tensor:
        """Rotations at variables (T, 144)."""
        return sixd_to_matrix((self.sixd + moved).unflatten(-1, (24, 6)))

    def code(self, moved: torch.Tensor) -> None:
        """There is no code."""


@dataclass
class Coded:
    """Codes of a frozen decoder, and the root's orientation in 6D where the decoder leaves it out.

    SFV's own space (Peng et al. 2018): only what the decoder can say can come out. With `free`, the hybrid: 6D
    departures from what it says are variables too.
    """

    decoder: Decoder
    body: TorchBody
    codes: torch.Tensor
    root: torch.Tensor | None
    to_world: torch.Tensor | None
    free: bool = False

    @property
    def size(self) -> int:
        """Variables of a frame."""
        return self.codes.shape[1] + (0 if self.root is None else 6) + (144 if self.free else 0)

    def turned(self, moved: torch.Tensor) -> torch.Tensor:
        """Rotations at variables (T, size)."""
        local = self.decoder.decode(self.code(moved))
        at = self.codes.shape[1]
        if self.root is None:
            local = torch.cat([self.to_world @ local[:, :1], local[:, 1:]], 1)
        else:
            local = torch.cat([sixd_to_matrix(self.root + moved[:, at : at + 6])[:, None], local], 1)
            at += 6
        turned = self.body.chain(local)
        if not self.free:
            return turned
        return sixd_to_matrix(to_sixd(turned) + moved[:, at:].unflatten(-1, (24, 6)))

    def code(self, moved: torch.Tensor) -> torch.Tensor:
        """Codes (T, D) at variables (T, size)."""
        return self.codes + moved[:, : self.codes.shape[1]]


def to_sixd(turned: torch.Tensor) -> torch.Tensor:
    """First two columns (..., 6) of rotations (..., 3, 3)."""
    return torch.cat([turned[..., 0], turned[..., 1]], -1)


def local_rotations(turned: torch.Tensor, parents: torch.Tensor) -> torch.Tensor:
    """Local rotations (T, 23, 3, 3) of joints 1..23 from global ones (T, 24, 3, 3)."""
    return turned.index_select(1, parents).transpose(-1, -2) @ turned[:, 1:]
