"""The terms of the appearance model's loss, one function a term. Nothing here waits for the device."""

from __future__ import annotations

import torch
from torch.nn import functional


def kl_nats(posterior) -> torch.Tensor:
    """Mean over latents of KL(q || N(0, I)) = sum (mu^2 + sigma^2 - 1) / 2 - log sigma, mean over the batch."""
    rows = [((mean.square() + (2 * deviation).exp() - 1) / 2 - deviation).flatten(1).sum(1).mean()
            for mean, deviation in posterior]
    return torch.stack(rows).mean()


def raised(gamma: torch.Tensor, kl: torch.Tensor, cap_nats: float, rate: float, published: bool = False) -> torch.Tensor:
    """One step of dual ascent on KL <= cap: multiplicative, or as published max(0, gamma - rate (cap - KL))."""
    if published:
        return (gamma - rate * (cap_nats - kl)).clamp_min(0)
    return (gamma * torch.exp(rate * (kl / cap_nats - 1).clamp(-1, 1))).clamp(1e-8, 1.0)


def mask_error(share: torch.Tensor, mask: torch.Tensor, known: torch.Tensor | None = None) -> torch.Tensor:
    """Cross entropy of the drawn share (logits) against the person's mask in 0..1, over pictures whose mask is known."""
    rows = functional.binary_cross_entropy_with_logits(share, mask, reduction="none").flatten(1).mean(1)
    return rows.mean() if known is None else (rows * known).sum() / known.sum().clamp_min(1)


def posture_error(guess: torch.Tensor, joints: torch.Tensor, mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Error of guessed joints (B, J, 2), where saying the mean posture would be about 1; joints (B, J, 3) with what is known."""
    wanted = (joints[..., :2] - mean) / spread
    known = joints[..., 2:]
    return ((guess - wanted).square() * known).sum() / (2 * known.sum()).clamp_min(1)
