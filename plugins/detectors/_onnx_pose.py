"""Any RTMPose, RTMO, HRNet or ViTPose file in ONNX: what it is, read from its shapes and metadata, and how to run it.

`mrs convert mmpose-onnx` writes the metadata; a file without it is judged by its shapes, and by options.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mrs_plugins.detectors import _pose_decode as decode
from mrs_plugins.detectors import _topdown
from mrs_plugins.detectors._pose_sets import BY_COUNT, match

from mrs.errors import InputError, UsageError
from mrs.skeletons import Keypoints, keypoint_set

DECODERS = ("auto", "simcc", "quarter", "dark", "udp", "rtmo")
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
GREY = 114
BATCH = 16


@dataclass(frozen=True)
class Spec:
    """How to feed a network and read it.

    size (width, height) of its input; mean and std of its colours in 0..255, in the order that `bgr` says; `ratio` of
    SimCC; `rows` puts the model's keypoints into the order of `keypoints`; `padding` is how much larger than a person's box
    the crop is, and an `unbiased` crop maps border pixels onto each other.
    """

    decoder: str
    size: tuple[int, int]
    keypoints: Keypoints
    rows: np.ndarray
    mean: tuple[float, ...]
    std: tuple[float, ...]
    bgr: bool
    ratio: float = 2.0
    kernel: int = 11
    batched: bool = True
    padding: float = 1.25
    unbiased: bool = False


class OnnxPose:
    """A pose network behind ONNX Runtime."""

    def __init__(self, path: Path, options, device: str = "cpu", threads: int = 0):
        self.path = Path(path)
        self._session = _open(self.path, threads, device)
        self._input = self._session.get_inputs()[0]
        self.spec = _specify(self, options)

    def see(self, rgb: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """Return keypoints (N, K, 3) in the picture (H, W, 3) uint8 of the people in boxes (N, 4), in one batch."""
        spec = self.spec
        pixels, center, extent = _topdown.crops(rgb, boxes_px, spec.size, spec.padding, spec.unbiased)
        points = np.concatenate([self._decoded(self.run(part)) for part in self._parts(self.prepare(pixels))])
        points = points[:, spec.rows]
        points[..., :2] = _topdown.to_picture(points[..., :2].astype(np.float64), center, extent, spec.size)
        return points

    def prepare(self, pixels: np.ndarray) -> np.ndarray:
        """Turn RGB crops (N, h, w, 3) uint8 into the network's input (N, 3, h, w) float32."""
        spec = self.spec
        if spec.bgr:
            pixels = pixels[..., ::-1]
        out = np.empty((len(pixels), 3, *pixels.shape[1:3]), np.float32)
        for channel, (mean, std) in enumerate(zip(spec.mean, spec.std, strict=True)):
            np.multiply(pixels[..., channel], np.float32(1 / std), out=out[:, channel], dtype=np.float32)
            out[:, channel] -= np.float32(mean / std)
        return out

    def run(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run the network on a prepared batch."""
        return self._session.run(None, {self._input.name: batch})

    def people(self, rgb: np.ndarray, score_threshold: float, max_people: int):
        """Return keypoints (N, K, 3), boxes (N, 4) and scores (N,) of everyone in a picture, by a one-stage network."""
        import cv2

        width, height = self.spec.size
        scale = min(height / rgb.shape[0], width / rgb.shape[1])
        small = cv2.resize(rgb, (int(rgb.shape[1] * scale), int(rgb.shape[0] * scale)), interpolation=cv2.INTER_LINEAR)
        padded = np.full((1, height, width, 3), GREY, np.uint8)
        padded[0, :small.shape[0], :small.shape[1]] = small
        boxes, points = (output[0] for output in _box_output_first(self.run(self.prepare(padded))))
        kept = decode.one_stage(boxes, points, score_threshold, 0.65)[:max_people]
        points = points[kept][:, self.spec.rows].astype(np.float32)
        points[..., :2] /= scale
        return points, boxes[kept, :4] / scale, boxes[kept, 4]

    def _parts(self, batch: np.ndarray):
        size = BATCH if self.spec.batched else 1
        return [batch[i:i + size] for i in range(0, len(batch), size)]

    def _decoded(self, outputs: list[np.ndarray]) -> np.ndarray:
        spec = self.spec
        if spec.decoder == "simcc":
            return decode.simcc(outputs[0], outputs[1], spec.ratio)
        return decode.heatmap(outputs[0], spec.size, spec.decoder, spec.kernel)


def _open(path: Path, threads: int, device: str):
    """Open a file; a broken one is refused with one line."""
    import onnxruntime

    if not path.is_file():
        raise InputError(f"Expected an ONNX file at {path}, but there is none. Type: --set detector.model=FILE.onnx, or "
                         "mrs models list")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # As for BlazePose: a spinning thread would take its core from the decoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    providers = ["CPUExecutionProvider"]
    if device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, "CUDAExecutionProvider")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # noqa: BLE001 (ONNX Runtime has a class of its own for each way a file is broken)
        raise InputError(f"Expected an ONNX network in {path}, but it can't be read: {str(error).splitlines()[0]}") from None


def _specify(net: OnnxPose, options) -> Spec:
    """Find out what a network is; options overrule its metadata, and that its shapes."""
    facts = dict(net._session.get_modelmeta().custom_metadata_map)
    size = _input_size(net, options, facts)
    shape = net._input.shape
    batched = not isinstance(shape[0], int)
    outputs = _probe(net, size, 2 if batched else shape[0])
    decoder = _decoder(net.path, options, facts, outputs)
    count = _count(net.path, outputs, decoder)
    keypoints, rows = _keypoints(net.path, options, facts, count)
    plain = decoder == "rtmo"
    ratio = float(facts.get("mrs.simcc_ratio", 0)) or (outputs[0].shape[2] / size[0] if decoder == "simcc" else 2.0)
    return Spec(decoder, size, keypoints, rows,
                _three(options.mean, facts.get("mrs.mean"), (0.0,) * 3 if plain else IMAGENET_MEAN, "mean"),
                _three(options.std, facts.get("mrs.std"), (1.0,) * 3 if plain else IMAGENET_STD, "std"),
                _bgr(options, facts, plain), ratio, int(facts.get("mrs.kernel", 11)), batched,
                float(facts.get("mrs.padding", 1.25)), bool(int(facts.get("mrs.unbiased", decoder == "udp"))))


def _input_size(net: OnnxPose, options, facts: dict) -> tuple[int, int]:
    shape = net._input.shape
    if len(shape) != 4 or shape[1] not in (3, None) and isinstance(shape[1], int):
        raise InputError(f"Expected {net.path} to take pictures (N, 3, height, width), but it takes {shape}.")
    fixed = (shape[3], shape[2]) if all(isinstance(v, int) and v > 0 for v in shape[2:]) else None
    told = options.input_size or facts.get("mrs.input_size", "")
    if told:
        try:
            width, height = (int(part) for part in told.lower().split("x"))
        except ValueError:
            raise UsageError(f"Expected detector.input_size to be WIDTHxHEIGHT, but got '{told}'. "
                             "Type, for example: --set detector.input_size=192x256") from None
        if fixed and fixed != (width, height):
            raise UsageError(f"Expected detector.input_size={fixed[0]}x{fixed[1]}, as {net.path} has it, but got '{told}'.")
        return width, height
    if fixed:
        return fixed
    if options.decoder == "rtmo" or facts.get("mrs.decoder") == "rtmo" or "rtmo" in net.path.name.lower():
        return 640, 640
    raise UsageError(f"Expected the input size of {net.path}, which takes any. Type: --set detector.input_size=192x256 "
                     "(width x height)")


def _probe(net: OnnxPose, size: tuple[int, int], count: int) -> list[np.ndarray]:
    """Run the network once on black pictures, to see the shapes of what comes out."""
    if net._input.type != "tensor(float)":
        raise InputError(f"Expected {net.path} to take float pictures, but it takes {net._input.type}.")
    try:
        return net._session.run(None, {net._input.name: np.zeros((count, 3, size[1], size[0]), np.float32)})
    except Exception as error:  # noqa: BLE001 (ONNX Runtime's own classes)
        raise InputError(f"Expected {net.path} to take pictures of {size[0]}x{size[1]}, but it says: "
                         f"{str(error).splitlines()[0]} Type: --set detector.input_size=WIDTHxHEIGHT") from None


def _decoder(path: Path, options, facts: dict, outputs: list[np.ndarray]) -> str:
    """Tell the decoder by option, metadata, the output's shapes, and ViTPose by the file's name."""
    told = options.decoder if options.decoder != "auto" else facts.get("mrs.decoder")
    shapes = [o.shape for o in outputs]
    if len(shapes) >= 2 and {len(shapes[0]), len(shapes[1])} == {3, 4}:
        fits = ("rtmo",)
    elif len(shapes) >= 2 and len(shapes[0]) == len(shapes[1]) == 3 and shapes[0][:2] == shapes[1][:2]:
        fits = ("simcc",)
    elif len(shapes[0]) == 4:
        fits = ("udp", "quarter", "dark") if "vitpose" in path.name.lower() else ("quarter", "dark", "udp")
    else:
        raise InputError(f"Expected {path} to give SimCC (2 x (N, K, L)), heatmaps (N, K, H, W) or RTMO's boxes and points, "
                         f"but it gives {', '.join(map(str, shapes))}.")
    if told and told not in fits:
        raise UsageError(f"Expected detector.decoder to be {' or '.join(fits)} for {path}, whose output is "
                         f"{', '.join(map(str, shapes))}, but got '{told}'.")
    return told or fits[0]


def _box_output_first(outputs: list[np.ndarray]) -> list[np.ndarray]:
    """Order RTMO's two outputs: boxes (1, M, 5), then points (1, M, K, 3)."""
    return sorted(outputs[:2], key=lambda output: output.ndim)


def _count(path: Path, outputs: list[np.ndarray], decoder: str) -> int:
    if decoder != "rtmo":
        return outputs[0].shape[1]
    boxes, points = _box_output_first(outputs)
    if boxes.shape[-1] != 5 or points.shape[-1] != 3:
        raise InputError(f"Expected {path} to give boxes (1, M, 5) and points (1, M, K, 3), but it gives {boxes.shape} and "
                         f"{points.shape}.")
    return points.shape[2]


def _keypoints(path: Path, options, facts: dict, count: int) -> tuple[Keypoints, np.ndarray]:
    """Name the keypoints: by option, by the names in the metadata, or by their number."""
    if not options.keypoints and facts.get("mrs.keypoint_names"):
        return match(facts["mrs.keypoint_names"].split(","), str(path))
    known = keypoint_set(options.keypoints) if options.keypoints else BY_COUNT.get(count)
    if known is None:
        usual = ", ".join(f"{k.name} ({n})" for n, k in BY_COUNT.items())
        raise InputError(f"Expected {path} to have the keypoints of {usual}, but it has {count}. "
                         "Type: --set detector.keypoints=SET (in that set's order)")
    if len(known) != count:
        raise UsageError(f"Expected a keypoint set of {count} for {path}, but {known.name} has {len(known)}.")
    return known, np.arange(count)


def _three(option: str, fact: str | None, default: tuple[float, ...], name: str) -> tuple[float, ...]:
    """Read three numbers with commas between."""
    told = option or fact
    if not told:
        return default
    try:
        values = tuple(float(part) for part in told.split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or not np.isfinite(values).all() or (name == "std" and min(values) <= 0):
        raise UsageError(f"Expected detector.{name} to be three numbers such as 123.675,116.28,103.53, but got '{told}'.")
    return values


def _bgr(options, facts: dict, plain: bool) -> bool:
    order = options.colors if options.colors != "auto" else facts.get("mrs.colors", "bgr" if plain else "rgb")
    return order == "bgr"
