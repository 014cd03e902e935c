"""Checkpoints in the layouts of SPIN and of a PyTorch port of HMR, small, random or with an answer that is known."""

import numpy as np
import torch

from mrs.lifting import head, resnet

WIDTH, BLOCKS, HIDDEN = 4, (2, 1, 1, 1), 16


def encoder_state(seed=0, width=WIDTH, blocks=BLOCKS):
    """Parameters with torchvision's names, none of them trivial, batch norm's means and variances included."""
    rng = torch.Generator().manual_seed(seed)
    state = resnet.ResNet(blocks, width).state_dict()
    for name, value in state.items():
        if value.is_floating_point():
            noise = torch.randn(value.shape, generator=rng)
            scale = value[0].numel() ** -0.5 if value.ndim > 1 else 0.1
            state[name] = (0.5 + noise.abs()) if name.endswith("running_var") else noise * scale + (value.ndim == 1) * value
    return state


def head_state(pose=144, code=32 * WIDTH, seed=1, hidden=HIDDEN, theta=None):
    """A head's parameters with SPIN's names; with `theta` (3 + pose + 10) it says exactly that of everything."""
    torch.manual_seed(seed)
    made = head.IterativeHead(code, pose, hidden, relu=pose == 72, mean=theta)
    state = made.state_dict()
    for name, value in state.items():
        if theta is None and not name.startswith("init"):
            state[name] = torch.randn(value.shape) * (0.1 if name.startswith("dec") else value.shape[-1] ** -0.5)
        elif name.startswith("dec"):
            state[name] = torch.zeros_like(value)
    return state


def spin(path, *, zipped=True, prefix="", mean=True, theta=None, pose=144, extra=True):
    """Write a checkpoint as SPIN's trainer does; return its whole state under plain names."""
    state = encoder_state() | head_state(pose, theta=theta)
    kept = {prefix + name: value for name, value in state.items() if mean or not name.startswith("init_")}
    held = {"model": kept, "epoch": 60, "optimizer": {"state": {0: {"step": 1}}}, "dataset_perm": np.arange(5)} if extra else kept
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    return state


def port(path):
    """Write a checkpoint as a PyTorch port of HMR: three layers that say 85 numbers; return weights, biases, mean and the encoder."""
    rng = np.random.default_rng(3)
    code, sizes = 32 * WIDTH, [(32 * WIDTH + 85, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 85)]
    weights = [rng.normal(size=s).astype(np.float32) / np.sqrt(s[0]) for s in sizes]
    biases = [rng.normal(size=s[1]).astype(np.float32) / 10 for s in sizes]
    mean, encoder = rng.normal(size=85).astype(np.float32), encoder_state()
    state = {f"module.encoder.{name}": value for name, value in encoder.items()}
    for layer in range(3):
        state[f"module.regressor.fc_blocks.regressor_fc_{layer}.weight"] = torch.from_numpy(weights[layer].T.copy())
        state[f"module.regressor.fc_blocks.regressor_fc_{layer}.bias"] = torch.from_numpy(biases[layer])
    state["module.regressor.mean_theta"] = torch.from_numpy(mean)[None]
    torch.save(state, path)
    assert code == sizes[0][0] - 85
    return weights, biases, mean, encoder


def standing(camera=(0.8, 0.0, 0.22), turn=None):
    """The 157 numbers of somebody who stands in T-pose before the camera, or is turned by (3, 3) in its frame; 6D of SPIN."""
    turned = np.tile(np.eye(3), (24, 1, 1))
    turned[0] = (np.eye(3) if turn is None else turn) @ np.diag([1.0, -1.0, -1.0])
    return np.concatenate([camera, head.to_spin_sixd(turned).ravel(), np.zeros(10)])
