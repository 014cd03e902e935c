"""The shape-and-posture network: stick figure and looks in, picture out.

A conditional VAE in the manner of VUNet (Esser et al., CVPR 2018) as BDS trains it (Blattmann et al., CVPR 2021): a U-Net
draws from the stick figure, and latents at its two coarsest scales say what the person looks like. Scales are counted
from the finest; latents are listed from the finer to the coarser.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

LATENTS = 2


@dataclass(frozen=True)
class Shape:
    """What fixes the network's arrays.

    size_px the picture's side, channels one width a scale, parts_px the side of an appearance input of `looks` channels,
    blocks residual blocks a scale of the decoder, encoder_blocks of both encoders, joints the regressor's points;
    alpha: the network also says where the person is; subpixel: enlarge by depth to space, else by repetition; bounded:
    the posterior's logarithmic deviation is a sigmoid, as in BDS, so that it is never below one.
    """

    size_px: int = 128
    channels: tuple[int, ...] = (16, 32, 64, 128, 128, 128)
    parts_px: int = 64
    looks: int = 30
    blocks: int = 2
    encoder_blocks: int = 1
    joints: int = 18
    alpha: bool = True
    subpixel: bool = False
    bounded: bool = False

    @property
    def first(self) -> int:
        """The scale at which the appearance input comes in."""
        return (self.size_px // self.parts_px).bit_length() - 1

    @property
    def coarsest_px(self) -> int:
        """Side of the coarsest scale."""
        return self.size_px >> (len(self.channels) - 1)


class Conv(nn.Module):
    """A convolution of normalised weights, with a learned gain and bias a channel (Salimans and Kingma, 2016)."""

    def __init__(self, inside: int, outside: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside, kernel, kernel) * 0.05)
        self.gain = nn.Parameter(torch.ones(outside))
        self.bias = nn.Parameter(torch.zeros(outside))
        self.stride, self.pad = stride, kernel // 2

    def forward(self, x):
        """(B, inside, h, w) to (B, outside, h / stride, w / stride)."""
        norm = self.weight.flatten(1).norm(dim=1).clamp_min(1e-6)
        return functional.conv2d(x, self.weight * (self.gain / norm)[:, None, None, None], self.bias, self.stride, self.pad)


class Block(nn.Module):
    """x + conv(dropout(elu(x))), or the same of x beside a skip tensor that a 1x1 convolution has read."""

    def __init__(self, width: int, skip: int = 0):
        super().__init__()
        self.read = Conv(skip, width, 1) if skip else None
        self.conv = Conv(2 * width if skip else width, width)
        with torch.no_grad():
            self.conv.gain.fill_(0.5)

    def forward(self, x, skip=None, dropout: float = 0.0):
        """Keep the shape of x (B, width, h, w)."""
        inside = functional.elu(x)
        if skip is not None:
            inside = torch.cat([inside, self.read(functional.elu(skip))], 1)
        return x + self.conv(functional.dropout(inside, dropout, self.training and dropout > 0))


class Up(nn.Module):
    """Twice the side."""

    def __init__(self, inside: int, outside: int, subpixel: bool):
        super().__init__()
        self.subpixel = subpixel
        self.conv = Conv(inside, 4 * outside if subpixel else outside)

    def forward(self, x):
        """(B, inside, h, w) to (B, outside, 2h, 2w)."""
        if self.subpixel:
            return functional.pixel_shuffle(self.conv(x), 2)
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class Encoder(nn.Module):
    """Features of every scale from `first` on, each after its residual blocks."""

    def __init__(self, inside: int, channels: tuple[int, ...], blocks: int):
        super().__init__()
        self.enter = Conv(inside, channels[0])
        self.blocks = nn.ModuleList(nn.ModuleList(Block(width) for _ in range(blocks)) for width in channels)
        self.down = nn.ModuleList(Conv(a, b, stride=2) for a, b in itertools.pairwise(channels))

    def forward(self, x, dropout: float = 0.0) -> list[torch.Tensor]:
        """(B, inside, h, w) to one tensor a scale, from fine to coarse."""
        x, found = self.enter(x), []
        for scale, blocks in enumerate(self.blocks):
            for block in blocks:
                x = block(x, dropout=dropout)
            found.append(x)
            if scale < len(self.down):
                x = self.down[scale](x)
        return found


class Posterior(nn.Module):
    """Mean and logarithmic deviation of a latent from one scale's features."""

    def __init__(self, width: int, bounded: bool):
        super().__init__()
        self.block, self.mean, self.deviation, self.bounded = Block(width), Conv(width, width), Conv(width, width), bounded
        with torch.no_grad():
            self.deviation.gain.fill_(0.1)
            if not bounded:
                self.deviation.bias.fill_(-1.0)

    def forward(self, x, dropout: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Two tensors of x's shape."""
        x = self.block(x, dropout=dropout)
        raw = self.deviation(x).float()
        return self.mean(x).float(), torch.sigmoid(raw) if self.bounded else raw.clamp(-7.0, 1.0)


class ShapePoseNet(nn.Module):
    """Encoders of looks and posture, and the decoder that draws."""

    def __init__(self, shape: Shape, dropout: float = 0.0):
        super().__init__()
        self.shape, self.dropout = shape, dropout
        channels = shape.channels
        self.looks = Encoder(shape.looks, channels[shape.first :], shape.encoder_blocks)
        self.posterior = nn.ModuleList(Posterior(width, shape.bounded) for width in channels[-LATENTS:])
        self.stick = Encoder(3, channels, shape.encoder_blocks)
        self.latent = nn.ModuleList(Block(width, width) for width in channels[-LATENTS:])
        self.blocks = nn.ModuleList(nn.ModuleList(Block(width, width) for _ in range(shape.blocks)) for width in channels)
        self.up = nn.ModuleList(Up(b, a, shape.subpixel) for a, b in itertools.pairwise(channels))
        self.leave = Conv(channels[0], 4 if shape.alpha else 3)

    def encode(self, looks) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Posterior (mean, logarithmic deviation) of each latent from the appearance input (B, looks, p, p)."""
        found = self.looks(looks, self.dropout)[-LATENTS:]
        return [head(x, self.dropout) for head, x in zip(self.posterior, found, strict=True)]

    def draw(self, stick, latents) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Picture (B, 3, S, S) in about -1..1 and the person's share (B, 1, S, S) of it as logits, or None.

        stick (B, 3, S, S) in -1..1; latents one tensor a latent scale.
        """
        skips = self.stick(stick, self.dropout)
        last = len(skips) - 1
        x = skips[-1]
        for scale in range(last, -1, -1):
            if scale > last - LATENTS:
                at = scale - (last - LATENTS) - 1
                x = self.latent[at](x, latents[at], self.dropout)
            for block in self.blocks[scale]:
                x = block(x, skips[scale], self.dropout)
            if scale:
                x = self.up[scale - 1](x)
        with torch.autocast(x.device.type, enabled=False):
            out = self.leave(functional.elu(x.float()))
        return (out[:, :3], out[:, 3:]) if self.shape.alpha else (out, None)


class PostureRegressor(nn.Module):
    """Guess the joints from the latents: the opponent, and what is measured with."""

    def __init__(self, shape: Shape, width: int = 128):
        super().__init__()
        coarse = shape.coarsest_px
        sides = [coarse << (LATENTS - 1 - at) for at in range(LATENTS)]
        self.read = nn.ModuleList(nn.Conv2d(c, width, side)
                                  for c, side in zip(shape.channels[-LATENTS:], sides, strict=True))
        self.guess = nn.Sequential(nn.ELU(), nn.Linear(LATENTS * width, width), nn.ELU(), nn.Linear(width, 2 * shape.joints))

    def forward(self, latents) -> torch.Tensor:
        """(B, joints, 2)."""
        found = torch.cat([read(z).flatten(1) for read, z in zip(self.read, latents, strict=True)], 1)
        return self.guess(found).unflatten(1, (-1, 2))


def sample(posterior, generator: torch.Generator | None = None) -> list[torch.Tensor]:
    """Draw each latent from its posterior."""
    return [mean + deviation.exp() * torch.randn(mean.shape, device=mean.device, generator=generator)
            for mean, deviation in posterior]


def means(posterior) -> list[torch.Tensor]:
    """The middle of each posterior: what a person looks like, without noise."""
    return [mean for mean, _ in posterior]


def merged(picture, share, plate) -> torch.Tensor:
    """The drawn person over the background: picture (B, 3, S, S), share (logits) and plate, or the picture where one is None."""
    if share is None or plate is None:
        return picture
    alpha = torch.sigmoid(share)
    return alpha * picture + (1 - alpha) * plate
