"""Half precision where it is quick: on GPUs, and on CPUs that multiply bfloat16 themselves (twice as fast there)."""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache

import torch


@lru_cache(maxsize=1)
def cpu_has_bfloat16() -> bool:
    """Whether this CPU has instructions for bfloat16, as far as torch says."""
    return any(getattr(torch.cpu, name, lambda: False)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))


def half(device: str):
    """A context in which networks run in bfloat16 where that is quicker on the device."""
    if device.startswith("cuda"):
        return torch.autocast("cuda", torch.bfloat16)
    return torch.autocast("cpu", torch.bfloat16) if device == "cpu" and cpu_has_bfloat16() else nullcontext()
