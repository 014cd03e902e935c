"""The behaviour model on disk: one npz with float16 arrays and a header; no pickle."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mrs import npz
from mrs.errors import InputError
from mrs.synth import networks
from mrs.synth.flow import Flow

KIND, FORMAT = "bds-weights", "mrs-bds-2"
ASSET = "models/bds.npz"


@dataclass(frozen=True)
class Weights:
    """A model ready to use, its flow where it has one, and what the header says."""

    model: networks.BehaviourNet
    flow: Flow | None
    facts: dict[str, Any]


def save(path: Path, model: networks.BehaviourNet, flow: Flow | None, facts: dict[str, Any]) -> None:
    """Write weights in half precision; the statistics stay as they are."""
    arrays = {}
    for part, net in (("model", model), ("flow", flow)):
        for name, value in (net.state_dict() if net is not None else {}).items():
            array = value.cpu().numpy()
            exact = name in ("mean", "std", "step") or array.dtype != np.float32 or array.ndim < 2
            arrays[f"{part}.{name}"] = array if exact else array.astype(np.float16)
    header = {"format": FORMAT, "shape": dataclasses.asdict(model.shape), "flow": flow.sizes if flow is not None else None}
    npz.save(path, KIND, arrays, {**header, **facts})


def load(path: Path | str | None = None) -> Weights:
    """Read weights; those that ship with mrs without a path. A run's folder means its weights.npz."""
    from mrs.data import asset_path

    path = asset_path(ASSET) if path is None else Path(path)
    path = path / "weights.npz" if path.is_dir() else path
    arrays, meta = npz.load(path, KIND)
    if meta.get("format") != FORMAT:
        raise InputError(f"Expected weights of format {FORMAT} at {path}, but they are of '{meta.get('format')}', written by "
                         "another version of mrs. Train anew: mrs train bds")
    try:
        shape = networks.Shape(**meta["shape"])
        zero = {name: arrays[f"model.{name}"] for name in ("mean", "std", "step")}
        model = networks.BehaviourNet(shape, zero)
        flow = Flow(**meta["flow"]) if meta["flow"] else None
        for part, net in (("model", model), ("flow", flow)):
            if net is not None:
                net.load_state_dict({name.removeprefix(f"{part}."): torch.as_tensor(value).to(_kind(value))
                                     for name, value in arrays.items() if name.startswith(f"{part}.")})
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"Expected weights that fit the behaviour model at {path}, but they do not: "
                         f"{str(error).splitlines()[0]}") from None
    return Weights(model.eval(), flow.eval() if flow else None, meta)


def _kind(value: np.ndarray):
    return torch.float32 if value.dtype.kind == "f" else torch.int64
