"""The shape-and-posture network on disk: safetensors in half precision with a header; checkpoints of its training."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path

import numpy as np
import torch

from mrs.appearance.network import Shape, ShapePoseNet
from mrs.errors import InputError
from mrs.formats import safetensors
from mrs.npz import atomic_path

FORMAT = "mrs-shape-pose-1"
ASSET = "models/shape_pose.safetensors"
FILE = "weights.safetensors"


@dataclasses.dataclass(frozen=True)
class Weights:
    """A network ready to use and what its header says: recipe, data, licence, iterations."""

    net: ShapePoseNet
    facts: dict


def save(path: Path, net: ShapePoseNet, facts: dict) -> None:
    """Write weights: kernels as float16, gains and biases as float32."""
    arrays = {}
    for name, value in net.state_dict().items():
        array = value.detach().float().cpu().numpy()
        arrays[name] = array.astype(np.float16) if array.ndim > 1 else array
    header = {"format": FORMAT, "shape": dataclasses.asdict(net.shape), **facts}
    safetensors.save(path, arrays, {name: json.dumps(value) for name, value in header.items()})


def load(path: Path | str | None = None) -> Weights:
    """Read weights; those that ship with mrs without a path. A training's folder means its weights.safetensors."""
    from mrs.data import asset_path

    path = asset_path(ASSET) if path is None else Path(path)
    path = path / FILE if path.is_dir() else path
    arrays, texts = safetensors.load(path)
    try:
        facts = {name: json.loads(text) for name, text in texts.items()}
        if facts.get("format") != FORMAT:
            raise InputError(f"Expected weights of format {FORMAT} at {path}, but they are of '{facts.get('format')}'. "
                             "Train anew: mrs train shape-pose")
        shape = {name: tuple(value) if isinstance(value, list) else value for name, value in facts["shape"].items()}
        net = ShapePoseNet(Shape(**shape))
        net.load_state_dict({name: torch.as_tensor(np.array(value, np.float32)) for name, value in arrays.items()})
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise InputError(f"Expected weights that fit the shape-and-posture network at {path}, but they do not: "
                         f"{str(error).splitlines()[0]}") from None
    return Weights(net.eval(), facts)


def save_state(path: Path, state: dict) -> None:
    """Write a checkpoint atomically."""
    with atomic_path(path) as temporary:
        torch.save({"format": FORMAT, **state}, temporary)


def load_state(path: Path) -> dict:
    """Read a checkpoint; tensors and plain values only, never a foreign object."""
    if not path.is_file():
        raise InputError(f"Expected a checkpoint at {path}, but there is none. Train without --resume first.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["format"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"Expected a checkpoint of mrs at {path}, but it can't be read: {str(error).splitlines()[0]}.") from None
    if found != FORMAT:
        raise InputError(f"Expected a checkpoint of format {FORMAT} at {path}, but it has '{found}'. Train anew without --resume.")
    return state
