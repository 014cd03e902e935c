"""Tiny pose networks in ONNX whose answers are known by construction."""

from __future__ import annotations

from pathlib import Path

import pytest

SIZE = (48, 64)
"""Width and height of their input."""


def write(path: Path, kind: str, count: int = 17, batch: bool = True, facts: dict[str, str] | None = None) -> Path:
    """Export a network: every keypoint is where the first colour is strongest ("simcc", "heatmap"), or a constant ("rtmo").

    RTMO's constants: people at 10 and 40 of 64 pixels, and a double of the first.
    """
    import torch

    class SimCC(torch.nn.Module):
        def forward(self, x):
            lines = [x[:, :1].amax(axis).repeat_interleave(2, -1) for axis in (2, 3)]
            return tuple(line.expand(-1, count, -1) for line in lines)

    class Heatmap(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.max_pool2d(x[:, :1], 4).expand(-1, count, -1, -1)

    class RTMO(torch.nn.Module):
        def forward(self, x):
            zero = x.sum() * 0
            boxes = torch.tensor([[[0.0, 0, 20, 40, 0.9], [30, 0, 50, 40, 0.8], [1, 0, 21, 40, 0.7], [50, 50, 60, 60, 0.1]]])
            middles = torch.tensor([10.0, 40, 11, 55])[None, :, None].expand(1, 4, count)
            return boxes + zero, torch.stack([middles, middles / 2, torch.full_like(middles, 0.6)], -1) + zero

    size = (1, 3, 64, 64) if kind == "rtmo" else (1, 3, SIZE[1], SIZE[0])
    names = {"simcc": ["simcc_x", "simcc_y"], "heatmap": ["heatmap"], "rtmo": ["dets", "keypoints"]}[kind]
    axes = {name: {0: "batch"} for name in ("input", *names)} if batch and kind != "rtmo" else None
    net = {"simcc": SimCC, "heatmap": Heatmap, "rtmo": RTMO}[kind]()
    torch.onnx.export(net, (torch.zeros(size),), str(path), input_names=["input"], output_names=names, dynamic_axes=axes,
                      opset_version=17, dynamo=False)
    if facts:
        onnx = pytest.importorskip("onnx")
        made = onnx.load(str(path))
        onnx.helper.set_model_props(made, facts)
        onnx.save(made, str(path))
    return path
