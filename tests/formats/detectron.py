"""Dumps as detectron2's `apply_net dump` writes them, by classes of the same names that are gone when they are read."""

from __future__ import annotations

import base64
import io
import pickle
import sys
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import torch


class DensePoseChartResult:
    """As densepose.structures has it."""


class DensePoseChartResultWithConfidences:
    """As densepose.structures has it."""


class DensePoseChartResultQuantized:
    """As densepose.structures has it."""


class DensePoseChartResultCompressed:
    """As densepose.structures has it."""


class DensePoseResult:
    """As densepose.structures had it until 2020-10."""


class DensePoseEmbeddingPredictorOutput:
    """As densepose.structures has it."""


CLASSES = (DensePoseChartResult, DensePoseChartResultWithConfidences, DensePoseChartResultQuantized, DensePoseChartResultCompressed,
           DensePoseResult, DensePoseEmbeddingPredictorOutput)


@contextmanager
def detectron():
    """Let pickle find the classes in densepose.structures."""
    outer, module = ModuleType("densepose"), ModuleType("densepose.structures")
    for cls in CLASSES:
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
    """Write frames, lists of (box, parts (h, w), uv (2, h, w)) and, where a model tells it, confidences (h, w) by name."""
    _save(path, frames, lambda people: [_chart(*rest) for _, *rest in people])


def write_quantized_dump(path, frames) -> None:
    """The same with part, u and v as one array of bytes."""
    _save(path, frames, lambda people: [made(DensePoseChartResultQuantized, labels_uv_uint8=torch.as_tensor(_bytes(*rest)))
                                        for _, *rest in people])


def write_compressed_dump(path, frames) -> None:
    """The same with these bytes as a PNG in base64."""
    _save(path, frames, lambda people: [made(DensePoseChartResultCompressed, shape_chw=_bytes(*rest).shape, labels_uv_str=_png(*rest))
                                        for _, *rest in people])


def write_dump_of_2020(path, frames) -> None:
    """What `apply_net dump` wrote before 2020-10: a plain pickle, with a PNG in base64 of each person in one object a frame."""
    def output(people):
        boxes = [[float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])] for b, *_ in people]
        return made(DensePoseResult, boxes_xywh=boxes, results=[(_bytes(*rest).shape, _png(*rest)) for _, *rest in people])

    with detectron():
        path.write_bytes(pickle.dumps(_entries(frames, output)))


def _bytes(parts, uv) -> np.ndarray:
    return np.concatenate([parts[None], np.clip(uv * 255, 0, 255)]).astype(np.uint8)


def _png(parts, uv) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.moveaxis(_bytes(parts, uv), 0, -1))).save(stream, format="png", optimize=True)
    return base64.encodebytes(stream.getvalue()).decode()


def write_cse_dump(path, frames) -> None:
    """Write frames, lists of (box, person (S, S) bool, embedding (D, S, S))."""

    def output(people):
        masks, embeddings = ([p[i] for p in people] for i in (1, 2))
        scores = np.array([[~mask, mask] for mask in masks], np.float32)
        return made(DensePoseEmbeddingPredictorOutput, embedding=torch.as_tensor(np.array(embeddings, np.float32)),
                    coarse_segm=torch.as_tensor(scores))

    _save(path, frames, output)


def _chart(parts, uv, confidences=None):
    shown = {"labels": torch.as_tensor(parts.astype(np.int32)), "uv": torch.as_tensor(uv.astype(np.float32))}
    if confidences is None:
        return made(DensePoseChartResult, **shown)
    names = ("sigma_1", "sigma_2", "kappa_u", "kappa_v", "fine_segm_confidence", "coarse_segm_confidence")
    told = {name: torch.as_tensor(confidences[name].astype(np.float32)) if name in confidences else None for name in names}
    return made(DensePoseChartResultWithConfidences, **shown, **told)


def _save(path, frames, output) -> None:
    """Write frame0001.jpg and so on."""
    with detectron(), open(path, "wb") as file:
        torch.save(_entries(frames, output), file)


def _entries(frames, output) -> list[dict]:
    return [{"file_name": f"in/frame{number:04d}.jpg", "scores": torch.ones(len(people)),
             "pred_boxes_XYXY": torch.tensor(np.array([box for box, *_ in people], np.float32).reshape(-1, 4)),
             "pred_densepose": output(people)} for number, people in enumerate(frames, 1)]
