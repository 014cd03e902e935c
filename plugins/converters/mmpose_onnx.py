"""From a model of mmpose to an ONNX file that the rtmpose detector runs without mmpose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mrs_plugins.detectors._mmpose_mend import INSTALL, NAMES

import mrs
from mrs.errors import InputError, MrsError, UsageError


class MMPoseOnnx:
    """CONFIG CHECKPOINT to OUT.onnx: a top-down model of mmpose for `--detector rtmpose`."""

    name = "mmpose-onnx"
    needs = (*NAMES, "onnx")
    install = INSTALL
    device = "cpu"

    class Options:
        """Options of the mmpose-onnx converter."""

        opset: int = mrs.option(17, "Version of ONNX's operators.", min=13, max=20)

    def convert(self, inputs, out: Path) -> list[str]:
        """Write OUT.onnx with metadata on input, decoder and keypoints; return notes."""
        from mrs_plugins.detectors import _mmpose_model

        if len(inputs) != 2 or Path(out).suffix.lower() != ".onnx":
            raise UsageError("Expected a config, a checkpoint and a file that ends in .onnx. "
                             "Type: mrs convert mmpose-onnx CONFIG CHECKPOINT OUT.onnx")
        with _own_words():
            choice = _mmpose_model.choose(str(inputs[0]))
            checkpoint = _mmpose_model.checkpoint_of(choice, str(inputs[1]))
            model = _mmpose_model.MMPoseModel(choice, checkpoint, "cpu", flip_test=False)
        facts = describe(model)
        _export(model, facts, Path(out), self.options.opset)
        return []


_PLACES = {"config": "mrs convert mmpose-onnx {} CHECKPOINT OUT.onnx", "checkpoint": "mrs convert mmpose-onnx CONFIG {} OUT.onnx"}


@contextmanager
def _own_words() -> Iterator[None]:
    """Let errors about the config and the checkpoint say what to type here, where they are no options of a detector."""
    try:
        yield
    except MrsError as error:
        told = re.sub(r"--set detector\.(config|checkpoint)=([^\s,]+)", lambda m: _PLACES[m[1]].format(m[2]), str(error))
        raise type(error)(told) from error


def describe(model) -> dict[str, str]:
    """Return what the rtmpose detector has to know of a model, as text by name."""
    from mrs.runfolder import sha256_of

    config = model.config
    head, steps = model.model.head, list(config.test_dataloader.dataset.pipeline)
    affine = next(step for step in steps if step["type"] == "TopdownAffine")
    padding = next((step.get("padding", 1.25) for step in steps if step["type"] == "GetBBoxCenterScale"), 1.25)
    preprocessor = config.model.get("data_preprocessor") or {}
    names = model.names
    chosen = (config.model.get("test_cfg") or {}).get("output_keypoint_indices")
    return {
        **_decoder(head.decoder), "mrs.padding": repr(float(padding)), "mrs.unbiased": str(int(affine.get("use_udp", False))),
        "mrs.input_size": "x".join(str(int(v)) for v in affine["input_size"]),
        "mrs.keypoint_names": ",".join(names if chosen is None else [names[i] for i in chosen]),
        "mrs.mean": ",".join(map(repr, map(float, preprocessor.get("mean") or (0, 0, 0)))),
        "mrs.std": ",".join(map(repr, map(float, preprocessor.get("std") or (1, 1, 1)))),
        "mrs.colors": "rgb" if preprocessor.get("bgr_to_rgb") else "bgr",
        "mrs.config": Path(model.choice.config).name, "mrs.checkpoint_sha256": sha256_of(model.checkpoint),
        "mrs.version": mrs.__version__,
    }


def _decoder(codec) -> dict[str, str]:
    """Name the decoder of a codec of mmpose."""
    kind = type(codec).__name__
    if kind == "SimCCLabel" and not codec.use_dark:
        return {"mrs.decoder": "simcc", "mrs.simcc_ratio": repr(float(codec.simcc_split_ratio))}
    if kind == "MSRAHeatmap":
        return {"mrs.decoder": "dark" if codec.unbiased else "quarter", "mrs.kernel": str(int(codec.blur_kernel_size))}
    if kind == "UDPHeatmap" and codec.heatmap_type == "gaussian":
        return {"mrs.decoder": "udp", "mrs.kernel": str(int(codec.blur_kernel_size))}
    raise UsageError(f"Expected a model decoded by SimCC (without DARK), MSRAHeatmap or UDPHeatmap, but it has {kind}. "
                     "Use --detector mmpose with it.")


def _export(model, facts: dict[str, str], out: Path, opset: int) -> None:
    """Trace the network for any batch, and write it with its metadata in one step."""
    import onnx
    import torch
    from mrs_plugins.detectors._mmpose_mend import quiet

    from mrs.npz import atomic_path

    width, height = (int(v) for v in facts["mrs.input_size"].split("x"))
    network = _tensors_only(model)
    with quiet(), torch.no_grad():
        first = network(torch.zeros(1, 3, height, width))
        names = ["simcc_x", "simcc_y"] if isinstance(first, (tuple, list)) else ["heatmap"]
        batch = {name: {0: "batch"} for name in ["input", *names]}
        with atomic_path(out) as temporary:
            torch.onnx.export(network, (torch.zeros(1, 3, height, width),), str(temporary), input_names=["input"],
                              output_names=names, dynamic_axes=batch, opset_version=opset, dynamo=False)
            made = onnx.load(str(temporary))
            onnx.helper.set_model_props(made, facts)
            onnx.checker.check_model(made)
            onnx.save(made, str(temporary))


def _tensors_only(model):
    """Wrap a model of mmpose so that it maps pictures to its raw outputs, in the order of its published keypoints."""
    import torch

    chosen = (model.config.model.get("test_cfg") or {}).get("output_keypoint_indices")

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model.model

        def forward(self, pictures):
            found = self.inner(pictures, None, mode="tensor")
            if isinstance(found, (tuple, list)) and len(found) != 2:
                raise InputError(f"Expected one output or two, but the model gives {len(found)}.")
            if chosen is None:
                return found
            return tuple(part[:, chosen] for part in found) if isinstance(found, (tuple, list)) else found[:, chosen]

    return Network().eval()


@mrs.hookimpl
def register_converters(register):
    """Register the converter."""
    register(MMPoseOnnx)
