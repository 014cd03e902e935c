"""Distances that need foreign weights: LPIPS and FID where their files are given; a named stand-in for FID where not."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from mrs.errors import InputError

# AlexNet's convolutions in torchvision: row, filters, channels, side, stride, padding, and whether a pooling comes before.
_ALEX = ((0, 64, 3, 11, 4, 2, False), (3, 192, 64, 5, 1, 2, True), (6, 384, 192, 3, 1, 1, True), (8, 256, 384, 3, 1, 1, False),
         (10, 256, 256, 3, 1, 1, False))
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Lpips:
    """LPIPS 0.1 with AlexNet (Zhang et al., 2018): sum over layers of the mean of w . (a - b)^2 of unit features.

    `alexnet` is torchvision's alexnet-owt-7be5be79.pth, `linear` the file alex.pth of the package lpips; both are read without running
    anything in them.
    """

    def __init__(self, alexnet: Path, linear: Path, device: str = "cpu"):
        from mrs.formats import restricted

        found = restricted.read(alexnet, "torchvision's AlexNet")
        heads = restricted.read(linear, "the linear layers of LPIPS")
        self.layers, self.heads = [], []
        for at, (row, filters, channels, side, *_) in enumerate(_ALEX):
            self.layers.append(tuple(_array(found, f"features.{row}.{kind}", shape, alexnet, device)
                                     for kind, shape in (("weight", (filters, channels, side, side)), ("bias", (filters,)))))
            self.heads.append(_array(heads, f"lin{at}.model.1.weight", (1, filters, 1, 1), linear, device))
        self.shift, self.scale = (torch.tensor(v, device=device)[:, None, None] for v in (_SHIFT, _SCALE))

    @torch.no_grad()
    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Distance (B,) of pictures (B, 3, S, S) in -1..1."""
        total = torch.zeros(len(x), device=x.device)
        pair = torch.cat([x, y])
        pair = (pair - self.shift) / self.scale
        for (_, _, _, _, stride, padding, pooled), (weight, bias), head in zip(_ALEX, self.layers, self.heads, strict=True):
            pair = functional.max_pool2d(pair, 3, 2) if pooled else pair
            pair = functional.relu(functional.conv2d(pair, weight, bias, stride, padding))
            unit = pair / (pair.square().sum(1, keepdim=True).sqrt() + 1e-10)
            a, b = unit.chunk(2)
            total = total + functional.conv2d((a - b).square(), head).mean((1, 2, 3))
        return total


def _array(found, name: str, shape: tuple, path: Path, device) -> torch.Tensor:
    value = np.asarray(found.get(name)) if isinstance(found, dict) else np.zeros(0)
    if value.shape != shape:
        raise InputError(f"Expected {name} of {shape} in {path}, but got {value.shape if value.dtype != object else 'nothing'}.")
    return torch.as_tensor(np.array(value, np.float32), device=device)


class Inception:
    """The 2048 features of FID by clean-fid's convention (Parmar et al., 2022), from its TorchScript file inception-2015-12-05.pt.

    Pictures are rounded to bytes, as files are, and enlarged to 299 bicubically with a = -0.5 and without clipping, as Pillow does;
    the network's layers are asked without the resizing that is within the file.
    """

    name = "fid"

    def __init__(self, path: Path, device: str = "cpu"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self.layers = torch.jit.load(str(path), map_location=device).eval().layers
        except (RuntimeError, ValueError, OSError, AttributeError) as error:
            raise InputError(f"Expected the TorchScript file inception-2015-12-05.pt at {path}, but it can't be read: "
                             f"{str(error).splitlines()[0]}. Type: mrs models get inception-fid") from None

    @torch.no_grad()
    def __call__(self, x: torch.Tensor) -> np.ndarray:
        """Features (B, 2048) of pictures (B, 3, S, S) in -1..1."""
        found = self.layers(enlarged(x) / 128 - 1)
        return found.reshape(len(x), -1).double().cpu().numpy()


def enlarged(x: torch.Tensor, side_px: int = 299) -> torch.Tensor:
    """Pictures (B, 3, S, S) in -1..1 as (B, 3, side, side) in about 0..255; antialias is what makes torch's kernel Pillow's."""
    whole = ((x.clamp(-1, 1) + 1) * 127.5).round()
    return functional.interpolate(whole, (side_px, side_px), mode="bicubic", antialias=True)


class StandIn:
    """What stands in for FID without its weights, and must not be compared with it: means and spreads of edges and colours.

    On 4 x 4 cells of three scales, 96 numbers a picture: brightness, saturation and strength of edges by scale.
    """

    name = "frechet_standin"

    @torch.no_grad()
    def __call__(self, x: torch.Tensor) -> np.ndarray:
        """Features (B, 96) of pictures (B, 3, S, S) in -1..1."""
        rows = []
        for _ in range(3):
            grey = x.mean(1, keepdim=True)
            edges = functional.pad((grey[..., 1:] - grey[..., :-1]).abs(), (0, 1)) + functional.pad((grey[..., 1:, :] - grey[..., :-1, :]).abs(), (0, 0, 0, 1))
            rows.append(functional.adaptive_avg_pool2d(edges, 4).flatten(1))
            x = functional.avg_pool2d(x, 2)
        grey, spread = x.mean(1, keepdim=True), x.amax(1, keepdim=True) - x.amin(1, keepdim=True)
        rows += [functional.adaptive_avg_pool2d(v, 4).flatten(1) for v in (grey, spread, grey.square())]
        return torch.cat(rows, 1).double().cpu().numpy()


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two sets of features (N, D)."""
    mean = a.mean(0) - b.mean(0)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    crossed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(mean @ mean + np.trace(first) + np.trace(second) - 2 * crossed)
