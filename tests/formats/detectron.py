"""Dumps as detectron2's `apply_net dump` writes them, by classes of the same names that are gone when they are read."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import torch


class DensePoseChartResult:
    """As densepose.structures has it."""


class DensePoseEmbeddingPredictorOutput:
    """As densepose.structures has it."""


@contextmanager
def detectron():
    """Let pickle find the classes in densepose.structures."""
    outer, module = ModuleType("densepose"), ModuleType("densepose.structures")
    for cls in (DensePoseChartResult, DensePoseEmbeddingPredictorOutput):
        module.__dict__[cls.__name__], cls.__module__ = cls, "densepose.structures"
    outer.structures = module
    sys.modules |= {"densepose": outer, "densepose.structures": module}
    try:
        yield
    finally:
        for name in ("densepose", "densepose.structures"):
            sys.modules.pop(name)


def made(cls, **attributes):
    """An instance with attributes."""
    out = cls()
    out.__dict__.update(attributes)
    return out


def write_dump(path, frames) -> None:
    """Write frames, lists of (box, parts (h, w), uv (2, h, w)), as frame0001.jpg and so on."""
    entries = []
    for number, people in enumerate(frames, 1):
        charts = [made(DensePoseChartResult, labels=torch.as_tensor(parts.astype(np.int32)), uv=torch.as_tensor(uv.astype(np.float32)))
                  for _, parts, uv in people]
        entries.append({"file_name": f"in/frame{number:04d}.jpg", "scores": torch.ones(len(people)),
                        "pred_boxes_XYXY": torch.tensor(np.array([box for box, *_ in people], np.float32).reshape(-1, 4)),
                        "pred_densepose": charts})
    with detectron():
        torch.save(entries, path)
