"""Random tensors of one generator on one device."""

from __future__ import annotations

import torch


class Dice:
    """Draws that depend on a seed and on nothing else; its state can be kept and set."""

    def __init__(self, device, seed: int):
        self.device = torch.device(device)
        self.generator = torch.Generator(self.device)
        self.generator.manual_seed(seed)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Uniform numbers between low and high."""
        return torch.rand(shape, generator=self.generator, device=self.device) * (high - low) + low

    def log_uniform(self, *shape: int, low: float, high: float) -> torch.Tensor:
        """Numbers whose logarithm is uniform."""
        return low * (high / low) ** self.uniform(*shape)

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def chance(self, probability: float, *shape: int) -> torch.Tensor:
        """True with a probability."""
        return self.uniform(*shape) < probability

    def below(self, limit: torch.Tensor) -> torch.Tensor:
        """Whole numbers from 0 to before `limit`, each as likely."""
        return (self.uniform(*limit.shape) * limit).long().clamp_max_(10**9).minimum(limit.long() - 1)

    def rows(self, cumulative: torch.Tensor, *shape: int) -> torch.Tensor:
        """Rows drawn with the weights whose running sum, up to 1, is given."""
        return torch.searchsorted(cumulative, self.uniform(*shape)).clamp_max(len(cumulative) - 1)

    def events(self, probability: float, windows: int, kinds: int, frames: int, low: float, high: float) -> torch.Tensor:
        """True (windows, kinds, frames) over one stretch of `low` to `high` frames, with a probability, at a random place."""
        length = self.uniform(windows, kinds, 1, low=low, high=high)
        start = self.uniform(windows, kinds, 1) * (frames + length) - length
        at = torch.arange(frames, device=self.device)
        return self.chance(probability, windows, kinds, 1) & (at >= start) & (at < start + length)
