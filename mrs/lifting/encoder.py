"""The encoder over keypoint sequences, and its decoder: a code phi per frame, from which HMR's head says body and camera.

Rotations are global ones in the view's axes (:mod:`mrs.lifting.view`), as 6D; the head (:mod:`mrs.lifting.head`) reaches them in three
steps from a mean. Beside the code the trunk says contacts and how sure each joint is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn

from mrs.body.torch_body import sixd_to_matrix
from mrs.lifting.head import SIXD, IterativeHead, usual_mean
from mrs.lifting.view import INPUTS
from mrs.skeletons import SMPL_24

FEET = 128
FLIP = tuple(int(i) for i in SMPL_24.flip)


@dataclass(frozen=True)
class Size:
    """Widths of the network; `relu` is HMR's head, without it SPIN's."""

    width: int = 320
    first: int = 512
    code: int = 256
    hidden: int = 896
    dilations: tuple[int, ...] = (1, 3, 9, 1, 3, 9)
    relu: bool = True


@dataclass
class Said:
    """phi (B, T, D), camera (B, T, 3) s, tx, ty; turned (B, T, 24, 3, 3) in the view; betas (B, 10); log odds of contacts
    (B, T, 4) and of joints being right (B, T, 24)."""

    phi: torch.Tensor
    camera: torch.Tensor
    turned: torch.Tensor
    betas: torch.Tensor
    contacts: torch.Tensor
    sure: torch.Tensor


class Block(nn.Module):
    """A residual convolution over time: three frames, `dilation` apart."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.over_time = nn.Linear(3 * width, width)
        self.out = nn.Linear(width, width)
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            self.out.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what the neighbours in time say to x (B, T, width)."""
        d, frames = self.dilation, x.shape[1]
        padded = nn.functional.pad(self.norm(x), (0, 0, d, d))
        near = torch.cat([padded[:, i * d : i * d + frames] for i in range(3)], -1)
        return x + self.out(nn.functional.gelu(self.over_time(near)))


class Encoder(nn.Module):
    """From a window of the view's numbers to codes; `head` decodes these."""

    def __init__(self, size: Size | None = None):
        super().__init__()
        self.size = size = size or Size()
        self.enter = nn.Sequential(nn.Linear(INPUTS, size.first), nn.GELU(), nn.Linear(size.first, size.width))
        self.blocks = nn.ModuleList(Block(size.width, d) for d in size.dilations)
        self.norm = nn.LayerNorm(size.width)
        self.phi = nn.Linear(size.width, size.code)
        self.contacts = nn.Sequential(nn.Linear(size.width, FEET), nn.GELU(), nn.Linear(FEET, 4))
        self.sure = nn.Linear(size.width, 24)
        self.head = IterativeHead(size.code, SIXD, size.hidden, mean=usual_mean(SIXD), dropout=0.0, relu=size.relu)
        for last in (self.head.decpose, self.head.decshape, self.head.deccam):
            nn.init.xavier_uniform_(last.weight, gain=0.3)

    def features(self, numbers: torch.Tensor) -> torch.Tensor:
        """What code, contacts and doubts are read from: (B, T, width)."""
        x = self.enter(numbers)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def trunk(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Codes (B, T, D), log odds of contacts (B, T, 4) and of joints being right (B, T, 24) from numbers (B, T, INPUTS)."""
        x = self.features(numbers)
        return self.phi(x), self.contacts(x), self.sure(x)

    def forward(self, numbers: torch.Tensor) -> Said:
        """Say everything of windows; one shape a window."""
        phi, contacts, sure = self.trunk(numbers)
        camera, pose, betas = self.head(phi)
        return Said(phi.float(), camera.float(), self.head.rotations(pose.float()), betas.float().mean(1), contacts.float(),
                    sure.float())

    def facts(self) -> dict:
        """What it takes to make the network again."""
        return asdict(self.size)

    @classmethod
    def of(cls, facts: dict) -> Encoder:
        """Make a network of facts."""
        return cls(Size(**{**facts, "dilations": tuple(facts["dilations"])}))


def mirrored(turned: torch.Tensor) -> torch.Tensor:
    """Global rotations (..., 24, 3, 3) of the mirror image."""
    sign = torch.tensor([1.0, -1, -1], device=turned.device, dtype=turned.dtype)
    return turned[..., FLIP, :, :] * (sign[:, None] * sign)


class LatentDecoder:
    """Codes to local rotations, frozen: :class:`mrs.refine.spaces.Decoder`.

    A code holds phi of the person, phi of the mirror image, and 6 numbers of the view: the first two rows of its turn.
    """

    def __init__(self, net: Encoder, device="cpu"):
        self.net = net.to(device).eval().requires_grad_(False)
        self.parents = torch.as_tensor([max(int(p), 0) for p in _parents()], device=device)

    def encode(self, local: torch.Tensor) -> torch.Tensor:
        """Refuse: codes come from the encoder."""
        raise NotImplementedError("codes of this decoder come from its encoder")

    def turned(self, code: torch.Tensor) -> torch.Tensor:
        """Global rotations (T, 24, 3, 3) in the camera's axes of codes (T, 2 D + 6)."""
        size = self.net.size.code
        both = torch.stack([code[:, :size], code[:, size : 2 * size]])
        said = self.net.head.rotations(self.net.head(both)[1])
        mean = said[0] + mirrored(said[1])
        turned = sixd_to_matrix(torch.cat([mean[..., 0], mean[..., 1]], -1))
        view = sixd_to_matrix(code[:, 2 * size :])
        return view[:, None] @ turned

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Local rotations (T, 24, 3, 3) of codes, the first in the camera's axes."""
        turned = self.turned(code)
        return torch.cat([turned[:, :1], turned[:, self.parents[1:]].transpose(-1, -2) @ turned[:, 1:]], 1)


def _parents():
    from mrs.skeletons import SMPL_PARENTS

    return SMPL_PARENTS
