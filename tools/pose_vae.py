"""A variational autoencoder over the same numbers as the flow, to compare with (tools/train_pose_prior.py --kind vae)."""

from __future__ import annotations

import numpy as np
import torch

from mrs.refine import prior

LATENT = 32
SIGMA = 0.35


class Vae(prior.PosePrior):
    """Encoder and decoder of two hidden layers; energy = reconstruction error / (2 sigma^2) + |z|^2 / 2."""

    def prepare(self) -> None:
        """Nothing to build: the layers are dense already."""

    @staticmethod
    def start(hidden: int, generator) -> dict[str, np.ndarray]:
        """Random weights."""
        sizes = {"e0": (69, 2 * hidden), "e1": (2 * hidden, 2 * hidden), "e2": (2 * hidden, 2 * LATENT),
                 "d0": (LATENT, 2 * hidden), "d1": (2 * hidden, 2 * hidden), "d2": (2 * hidden, 69)}
        out = {}
        for name, (a, b) in sizes.items():
            out[f"w_{name}"] = (torch.randn(a, b, generator=generator) / a**0.5).numpy()
            out[f"b_{name}"] = np.zeros(b, np.float32)
        return out

    def _mlp(self, x, part: str):
        for layer in range(3):
            x = x @ self.p[f"w_{part}{layer}"] + self.p[f"b_{part}{layer}"]
            x = torch.nn.functional.silu(x) if layer < 2 else x
        return x

    def loss(self, numbers, generator):
        """Negative evidence bound."""
        middle, log_size = self._mlp(numbers, "e").split(LATENT, -1)
        log_size = log_size.clamp(-6, 3)
        code = middle + log_size.exp() * torch.randn(middle.shape, generator=generator)
        miss = ((self._mlp(code, "d") - numbers) ** 2).sum(-1) / (2 * SIGMA**2)
        return (miss + 0.5 * (middle**2 + (2 * log_size).exp() - 1 - 2 * log_size).sum(-1)).mean()

    def encode(self, local):
        return self._mlp(self.numbers(local), "e")[..., :LATENT]

    def decode(self, code):
        return self.rotations(self._mlp(code, "d"))

    def energy(self, local):
        numbers = self.numbers(local)
        middle = self._mlp(numbers, "e")[..., :LATENT]
        return ((self._mlp(middle, "d") - numbers) ** 2).sum(-1) / (2 * SIGMA**2) + 0.5 * (middle**2).sum(-1)

    def code_energy(self, code):
        return 0.5 * (code**2).sum(-1)
