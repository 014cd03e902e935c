"""Codes fitted to what they are to say: a few steps from the encoder's mean to where the plan moves as the window does.

The encoder has to hit the code of a window at one go, also of one unlike any it has learned from. What it misses is mended
here by the planner alone, from how the window moves: its postures are not looked at, nor is the start.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from mrs.synth import losses
from mrs.synth.features import SPEED

STEPS, RATE, AT_ONCE = 10, 0.1, 256
LOYALTY = 5e-4
TURN_M_S, ENERGY = 0.25, 0.5


@lru_cache(maxsize=1)
def _weights() -> torch.Tensor:
    """Weights (STATE_SIZE,) as in training, but that turning counts threefold: it is what the mean keeps worst."""
    weights = losses.reach_weights()
    weights[SPEED][2] = TURN_M_S
    return weights


def codes(model, windows: np.ndarray, fitting: bool = True) -> torch.Tensor:
    """Codes (n, latent) of windows (n, window + 1, SIZE), AT_ONCE at a time: fitted, or the encoder's means."""
    with torch.no_grad():
        parts = [torch.as_tensor(windows[at : at + AT_ONCE], dtype=torch.float32) for at in range(0, len(windows), AT_ONCE)]
        return torch.cat([fitted(model, part) if fitting else model.encode(part)[0] for part in parts])


def fitted(model, windows: torch.Tensor) -> torch.Tensor:
    """Codes (n, latent) of windows (n, window + 1, SIZE).

    STEPS of Adam on the error of changes, velocities and energy of the plan, plus LOYALTY times the square of how far the code has
    gone from the encoder's mean, in the encoder's own deviations.
    """
    with torch.no_grad():
        mean, logstd = model.encode(windows)
    even = torch.ones(windows.shape[1])
    with torch.enable_grad():
        z = mean.clone().requires_grad_()
        optimiser = torch.optim.Adam([z], betas=(0.9, 0.99))
        for step in range(STEPS):
            optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
            error = losses.state_error(model.plan(z, gain=1.0), windows, _weights(), even, ENERGY, 0.0)
            away = LOYALTY * ((z - mean) / logstd.exp()).square().sum()
            z.grad, = torch.autograd.grad(len(windows) * error + away, z)
            optimiser.step()
    return z.detach()
