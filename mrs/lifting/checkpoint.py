"""Checkpoints of HMR's kind that a user has: SPIN's, and those of PyTorch ports of HMR with torchvision's ResNet.

They are read by :mod:`mrs.formats.restricted`, which runs nothing that a file names. Two layouts are known, by the names of the head's layers:

- SPIN: fc1, fc2, decpose ..., 144 numbers of pose in 6D, no ReLU in the head, pictures normalised as ImageNet's;
- HMR: regressor_fc_0, _1, _2, or the layers' names of SPIN with 72 numbers of pose in axis-angle, a ReLU, pictures in [-1, 1].
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mrs.errors import InputError, MissingError
from mrs.formats import restricted
from mrs.lifting import head, resnet

SPIN_URL = "http://visiondata.cis.upenn.edu/spin/model_checkpoint.pt"
MEAN_FILE = "smpl_mean_params.npz"
NESTED = ("model", "state_dict", "gen_state_dict", "net", "network")
PREFIXES = ("module.", "model.", "backbone.", "encoder.", "resnet.", "head.", "regressor.", "fc_blocks.")
STARTS = {"init_pose": "pose", "init_shape": "shape", "init_cam": "cam"}
PIXELS = {"imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), "unit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))}
"""Mean and deviation that colours of 0 to 1 are normalised by."""


@dataclass
class Regressor:
    """A network from crops (N, 3, 224, 224), normalised by `pixels`, to codes, and the head from codes to bodies."""

    encoder: resnet.ResNet
    head: head.IterativeHead
    pixels: str

    def normalised(self, crops: np.ndarray, device: str) -> torch.Tensor:
        """RGB crops (N, 224, 224, 3) uint8 as the network wants them."""
        mean, deviation = (torch.tensor(v, device=device)[:, None, None] for v in PIXELS[self.pixels])
        return (torch.from_numpy(np.ascontiguousarray(crops)).to(device).permute(0, 3, 1, 2).float() / 255 - mean) / deviation


def default_path() -> Path:
    """Where a checkpoint lies that no option names."""
    from mrs.model_cache import cache_dir

    return cache_dir() / "models" / "spin" / "model_checkpoint.pt"


def located(path: str | None) -> Path:
    """Return the checkpoint's file. Raises MissingError, which says in a line what to get, its licence and where to put it."""
    found = Path(path).expanduser() if path else default_path()
    if not found.is_file():
        raise MissingError(f"Expected a checkpoint of HMR's kind at {found}, but there is none. Get SPIN's model_checkpoint.pt from {SPIN_URL} "
                           "(code BSD-3-Clause; trained on data for research only, such as Human3.6M), and put it there, or type: "
                           "--set lifter.checkpoint=FILE")
    return found


def load(path: Path, mean: str | None = None, device: str = "cpu") -> Regressor:
    """Load a checkpoint; `mean` names an npz of pose, shape and cam for one that has no mean. Raises InputError."""
    state = _renamed(_state(restricted.read(path, "a checkpoint"), path))
    if "regressor_fc_0.weight" in state:
        state |= _of_port(state, path)
    missing = [n for n in (*head.KEYS, "conv1.weight", "layer4.0.conv1.weight") if n not in state and n not in STARTS]
    if missing:
        raise InputError(f"Expected a ResNet with a head of SPIN's or HMR's in {path}, but {', '.join(missing[:4])} is missing "
                         f"({len(missing)} in all).")
    _add_mean(state, path, mean)
    try:
        return _built(state, path, device)
    except (RuntimeError, ValueError, IndexError) as error:
        raise InputError(f"Expected a ResNet with a head of SPIN's or HMR's in {path}, but its layers do not fit: "
                         f"{' '.join(str(error).split())[:200]}.") from None


def _built(state: dict[str, np.ndarray], path: Path, device: str) -> Regressor:
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in state.items()}
    code, pose, hidden = head.sizes_of(tensors)
    if pose not in (head.AXIS_ANGLE, head.SIXD):
        raise ValueError(f"a pose of {pose} numbers is neither 72 nor 144")
    spin = pose == head.SIXD
    regressor = Regressor(resnet.ResNet(*resnet.shape_of(tensors)), head.IterativeHead(code, pose, hidden, relu=not spin),
                          "imagenet" if spin else "unit")
    if regressor.encoder.code_size != code:
        raise ValueError(f"the network says {regressor.encoder.code_size} numbers and the head reads {code}")
    for module in (regressor.encoder, regressor.head):
        own = {name: value for name, value in module.state_dict().items() if name in tensors or name.endswith("num_batches_tracked")}
        module.load_state_dict({name: tensors.get(name, value).reshape(value.shape) for name, value in own.items()})
        module.to(device).eval().requires_grad_(False)
    return regressor


def _state(held: Any, path: Path) -> dict[str, np.ndarray]:
    """The parameters in what a file holds, wherever they lie."""
    for name in NESTED:
        if isinstance(held, dict) and isinstance(held.get(name), dict):
            held = held[name]
    if not isinstance(held, dict):
        raise InputError(f"Expected the parameters of a network in {path}, but it holds {type(held).__name__}.")
    state = {str(name): value for name, value in held.items() if isinstance(value, np.ndarray) and value.dtype.kind in "fiub"}
    if not all(np.isfinite(value).all() for value in state.values() if value.dtype.kind == "f"):
        raise InputError(f"Expected finite numbers in {path}, but got NaN or infinity.")
    return {name: value.astype(np.float32) if value.dtype.kind == "f" else value for name, value in state.items()}


def _renamed(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same without the prefixes that wrappers put before names."""
    out = {}
    for name, value in state.items():
        while (prefix := next((p for p in PREFIXES if name.startswith(p)), None)) is not None:
            name = name.removeprefix(prefix)
        out[name] = value
    return out


def _of_port(state: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """The head of a port of HMR whose three layers say 85 numbers, under SPIN's names."""
    layers = [f"regressor_fc_{layer}" for layer in range(3)]
    wanted = [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
    missing = [name for name in (*wanted, "mean_theta") if name not in state]
    if missing:
        raise InputError(f"Expected HMR's three layers and mean_theta in {path}, but {', '.join(missing)} is missing.")
    made = head.state_of_hmr([state[f"{n}.weight"].T for n in layers], [state[f"{n}.bias"] for n in layers], state["mean_theta"])
    return {name: value.numpy() for name, value in made.items()}


def _add_mean(state: dict[str, np.ndarray], path: Path, mean: str | None) -> None:
    """Take the mean of a file that is named, or of the one beside a checkpoint that has none."""
    if mean is None and all(name in state for name in STARTS):
        return
    place = Path(mean).expanduser() if mean else path.with_name(MEAN_FILE)
    if not place.is_file():
        raise MissingError(f"Expected the mean parameters that {path} lacks at {place}, but there is no such file. Get {MEAN_FILE} from "
                           "http://visiondata.cis.upenn.edu/spin/data.tar.gz (its terms are SMPL's), and type: --set lifter.mean=FILE")
    if not zipfile.is_zipfile(place):
        raise InputError(f"Expected pose, shape and cam in {place}, but it is no npz, or a part of one.")
    try:
        with np.load(place, allow_pickle=False) as file:
            state |= {name: np.asarray(file[part], np.float32).reshape(1, -1) for name, part in STARTS.items()}
    except Exception as error:  # noqa: BLE001 (NumPy and zip raise whatever they meet in broken files)
        raise InputError(f"Expected pose, shape and cam in {place}, but it can't be read: {' '.join(str(error).split())}.") from None
