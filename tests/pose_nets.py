"""Tiny pose networks in ONNX whose answers are known by construction."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import pytest

SIZE = (48, 64)
"""Width and height of their input."""
STANDING = [(0.5, 0.17), (0.52, 0.167), (0.48, 0.167), (0.55, 0.18), (0.45, 0.18), (0.6, 0.28), (0.4, 0.28), (0.62, 0.4),
            (0.38, 0.4), (0.63, 0.5), (0.37, 0.5), (0.56, 0.52), (0.44, 0.52), (0.56, 0.68), (0.44, 0.68), (0.56, 0.833),
            (0.44, 0.833)]
"""A standing person's COCO-17 keypoints as parts of a crop; two thirds of its height, as a crop about a person is."""


def write(path: Path, kind: str, count: int = 17, batch: bool = True, facts: dict[str, str] | None = None) -> Path:
    """Export a network: every keypoint is where the first colour is strongest ("simcc", "heatmap"), or a constant ("rtmo",
    "standing": a standing person in the middle of every crop).

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

    class Standing(torch.nn.Module):
        def forward(self, x):
            width, height = SIZE
            places = torch.tensor(STANDING) * torch.tensor([width, height]) * 2
            lines = [torch.exp(-(torch.arange(2 * side) - places[:, axis:axis + 1]) ** 2 / 8)[None].expand(len(x), -1, -1)
                     for axis, side in ((0, width), (1, height))]
            zero = x.amax((1, 2, 3), keepdim=True)[..., 0] * 0
            return tuple(line + zero for line in lines)

    class RTMO(torch.nn.Module):
        def forward(self, x):
            zero = x.sum() * 0
            boxes = torch.tensor([[[0.0, 0, 20, 40, 0.9], [30, 0, 50, 40, 0.8], [1, 0, 21, 40, 0.7], [50, 50, 60, 60, 0.1]]])
            middles = torch.tensor([10.0, 40, 11, 55])[None, :, None].expand(1, 4, count)
            return boxes + zero, torch.stack([middles, middles / 2, torch.full_like(middles, 0.6)], -1) + zero

    size = (1, 3, 64, 64) if kind == "rtmo" else (1, 3, SIZE[1], SIZE[0])
    names = {"simcc": ["simcc_x", "simcc_y"], "standing": ["simcc_x", "simcc_y"], "heatmap": ["heatmap"], "rtmo": ["dets", "keypoints"]}[kind]
    axes = {name: {0: "batch"} for name in ("input", *names)} if batch and kind != "rtmo" else None
    net = {"simcc": SimCC, "heatmap": Heatmap, "rtmo": RTMO, "standing": Standing}[kind]()
    with without_onnx():
        torch.onnx.export(net, (torch.zeros(size),), str(path), input_names=["input"], output_names=names,
                          dynamic_axes=axes, opset_version=17, dynamo=False)
    with open(path, "ab") as out:
        out.writelines(_field(14, _field(1, key.encode()) + _field(2, value.encode())) for key, value in (facts or {}).items())
    return path


def _field(number: int, content: bytes) -> bytes:
    """Encode a field of protobuf; number 14 of an ONNX model is one pair of its metadata."""
    length, size = len(content), b""
    while length > 127:
        size += bytes([length % 128 + 128])
        length //= 128
    return bytes([number * 8 + 2]) + size + bytes([length]) + content


def without_onnx():
    """Let torch export without the package onnx, which it only asks about functions that these networks lack."""
    if importlib.util.find_spec("onnx"):
        return nullcontext()
    try:
        utils = importlib.import_module("torch.onnx._internal.torchscript_exporter.onnx_proto_utils")
        return mock.patch.object(utils, "_add_onnxscript_fn", lambda model_bytes, custom_opsets: model_bytes)
    except (ImportError, AttributeError):
        pytest.skip("this torch exports only with the package onnx")
