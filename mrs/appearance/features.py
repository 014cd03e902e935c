"""What pictures are compared by: statistics of patches at several scales, or the features of VGG19 where its weights are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

VGG_LAYERS = ((0, 64), (2, 64), (5, 128), (7, 128), (10, 256), (12, 256), (14, 256), (16, 256), (19, 512), (21, 512),
              (23, 512), (25, 512), (28, 512), (30, 512))
_POOLED = {4, 9, 18, 27}
_USED = (2, 7, 12, 21, 30)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PatchStatistics:
    """A perceptual distance without a download: at `scales` scales, how far apart pixels, gradients and patches are.

    Per scale: mean |x - y|, mean |grad x - grad y|, and 1 - (2 cov + c) / (var x + var y + c) over windows of 5 pixels, the
    structure term of SSIM (Wang et al., 2004). Each scale is half the last, none below 8 pixels. Pictures are in -1..1.
    """

    def __init__(self, scales: int = 4, gradient: float = 1.0, structure: float = 0.25):
        self.scales, self.gradient, self.structure = scales, gradient, structure

    def __call__(self, drawn: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """Mean over the batch (B, 3, S, S); a scalar."""
        total = drawn.new_zeros(())
        for scale in range(self.scales):
            total = total + (drawn - truth).abs().mean() + self.gradient * self._edges(drawn, truth)
            total = total + self.structure * _unlike(drawn, truth)
            if drawn.shape[-1] < 16:
                break
            if scale < self.scales - 1:
                drawn, truth = functional.avg_pool2d(drawn, 2), functional.avg_pool2d(truth, 2)
        return total

    @staticmethod
    def _edges(x, y):
        across = (x[..., 1:] - x[..., :-1] - y[..., 1:] + y[..., :-1]).abs().mean()
        return across + (x[..., 1:, :] - x[..., :-1, :] - y[..., 1:, :] + y[..., :-1, :]).abs().mean()


def _unlike(x, y, side: int = 5, floor: float = 0.0036):
    pool = lambda v: functional.avg_pool2d(v, side, 1)
    mx, my = pool(x), pool(y)
    vx, vy, cov = pool(x * x) - mx * mx, pool(y * y) - my * my, pool(x * y) - mx * my
    return (1 - (2 * cov + floor) / (vx.clamp_min(0) + vy.clamp_min(0) + floor)).mean()


class Vgg19:
    """BDS's perceptual loss: the sum of mean |difference| of the normalised picture and of relu 1_2, 2_2, 3_2, 4_2, 5_2.

    `path` is torchvision's file of VGG19 (vgg19-dcbb9e9d.pth), read without running anything in it.
    """

    def __init__(self, path: Path | str, device: str = "cpu"):
        self.weights = {n: tuple(torch.as_tensor(a).to(device) for a in pair) for n, pair in _vgg_arrays(Path(path)).items()}
        self.mean, self.std = (torch.tensor(v, device=device)[:, None, None] for v in (_MEAN, _STD))

    def features(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """The normalised picture and five layers of it, from (B, 3, S, S) in -1..1."""
        x = ((picture + 1) / 2 - self.mean) / self.std
        found = [x]
        for at in range(_USED[-1] + 1):
            if at in _POOLED:
                x = functional.max_pool2d(x, 2)
            elif at in self.weights:
                x = functional.relu(functional.conv2d(x, *self.weights[at], padding=1))
                if at in _USED:
                    found.append(x)
        return found

    def __call__(self, drawn: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """The distance; the truth's features have no gradient."""
        with torch.no_grad():
            wanted = self.features(truth)
        return sum((a - b).abs().mean() for a, b in zip(self.features(drawn), wanted, strict=True))


def _vgg_arrays(path: Path) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    from mrs.errors import InputError
    from mrs.formats import restricted

    found, arrays, inside = restricted.read(path, "torchvision's VGG19"), {}, 3
    for at, outside in VGG_LAYERS:
        pair = tuple(np.asarray(found.get(f"features.{at}.{kind}")) if isinstance(found, dict) else np.zeros(0)
                     for kind in ("weight", "bias"))
        if pair[0].shape != (outside, inside, 3, 3) or pair[1].shape != (outside,):
            raise InputError(f"Expected torchvision's VGG19 in {path}, but features.{at} is not {outside} filters of {inside} "
                             "channels. Fetch vgg19-dcbb9e9d.pth from download.pytorch.org/models/")
        arrays[at] = tuple(np.array(a, np.float32) for a in pair)
        inside = outside
    return arrays


def choose(vgg: Path | str | None, device: str = "cpu"):
    """VGG19's features where its file is given, else the statistics of patches."""
    return Vgg19(vgg, device) if vgg else PatchStatistics()
