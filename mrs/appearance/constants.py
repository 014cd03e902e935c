"""Small constant tensors, put on a device once: making them within a step would wait for the device each time."""

from __future__ import annotations

from functools import lru_cache

import torch


@lru_cache(maxsize=256)
def on(values: tuple, device) -> torch.Tensor:
    """A (nested) tuple of numbers as a tensor; whole numbers become indices."""
    return torch.tensor(values, device=device)
