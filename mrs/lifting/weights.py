"""Weights of the encoder in one safetensors file: float16, with the sizes of the network and where they come from beside them."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from mrs.errors import InputError
from mrs.lifting.encoder import Encoder

EMBEDDED = "models/hmr.safetensors"
KIND = "mrs-lifter-1"


def save(path: Path, net: Encoder, told: dict) -> None:
    """Write a network; `told` goes into the file's header."""
    from safetensors.torch import save_file

    tensors = {name: value.detach().cpu().half().contiguous() for name, value in net.state_dict().items()}
    save_file(tensors, str(path), {"kind": KIND, "size": json.dumps(net.facts()), "told": json.dumps(told)})


def load(path: Path | str, device="cpu") -> tuple[Encoder, dict]:
    """Return the network of a file that :func:`save` wrote, ready to use, and what it says of itself."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"Expected weights of mrs train hmr at {path}, but there is none.") from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"Expected weights of mrs train hmr at {path}, but they can't be read: {' '.join(str(error).split())}.") from None
    if header.get("kind") != KIND:
        raise InputError(f"Expected weights of mrs train hmr at {path}, but the file is of kind '{header.get('kind')}'.")
    try:
        net = Encoder.of(json.loads(header["size"]))
        net.load_state_dict(tensors)
        told = json.loads(header.get("told", "{}"))
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"Expected whole weights in {path}, but: {' '.join(str(error).split())[:200]}.") from None
    return net.to(device).eval().requires_grad_(False), told


def of_checkpoint(path: Path) -> tuple[Encoder, dict]:
    """Return the network of a training's weights.pt, and what was measured."""
    from mrs.lifting.train import load as load_checkpoint

    state = load_checkpoint(path)
    net = Encoder.of(state["size"])
    net.load_state_dict({name: value.float() for name, value in state["net"].items()})
    return net.eval().requires_grad_(False), {"recipe": state["recipe"], **state["told"]}


def as_tensor(values, device="cpu") -> torch.Tensor:
    """Float32 on a device."""
    return torch.as_tensor(values, dtype=torch.float32, device=device)
