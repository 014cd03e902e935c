"""The three embedded networks behind ONNX Runtime: MoveNet finds people, BlazePose sees one person in a crop."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from mrs_plugins.detectors._blazepose_crops import SIDE, Crop, cut, halve

from mrs.data import asset_path

POINTS = 33
HEAT_SIDE = 64
MASK_SIDE = 64
_WINDOW = np.arange(-3, 4)
_MIN_PEAK = 0.5


@dataclass(frozen=True)
class Sight:
    """One person seen in one crop.

    keypoints_px (33, 3) x, y, confidence; keypoints3d_m (33, 3) in camera axes about the mid-hip;
    flag 0..1 (is there a person); mask (512,) packed bits; crop is where it was seen, next_crop where to look next.
    """

    keypoints_px: np.ndarray
    keypoints3d_m: np.ndarray
    flag: float
    mask: np.ndarray
    crop: Crop
    next_crop: Crop

    @property
    def quality(self) -> float:
        """Mean confidence of the keypoints, which holds the flag."""
        return float(self.keypoints_px[:, 2].mean())


def session(name: str, threads: int, device: str):
    """Open an embedded network, on the GPU where it is wanted and ONNX Runtime offers it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # A spinning thread would take its core from the decoder and from the other people's crops.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    if device == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, "CUDAExecutionProvider")
    return onnxruntime.InferenceSession(str(asset_path(f"models/{name}")), options, providers=providers)


class PoseNet:
    """BlazePose GHUM: 33 keypoints, metric 3D and a mask of the person in a crop."""

    def __init__(self, model: str, threads: int, device: str):
        self._session = session(f"pose_landmark_{model}.fp16w.onnx", threads, device)
        self._input = self._session.get_inputs()[0].name

    def see(self, rgb: np.ndarray, crop: Crop) -> Sight:
        """Look at a crop of a picture (H, W, 3) uint8. Safe to call from several threads."""
        pixels = np.empty((SIDE, SIDE, 3), np.uint8)
        cut(rgb, crop, pixels)
        image = np.multiply(pixels[None], np.float32(1 / 255), dtype=np.float32)
        landmarks, flag, mask, heat, world = self._session.run(None, {self._input: image})
        sight = _read(landmarks.reshape(39, 5), float(flag[0, 0]), mask[0, :, :, 0], heat[0],
                      world.reshape(39, 3)[:POINTS], crop)
        sight.keypoints_px[:, 2] *= _inside(sight.keypoints_px, rgb.shape[1], rgb.shape[0], crop.side_px)
        return sight


def _inside(keypoints_px: np.ndarray, width: int, height: int, side_px: float) -> np.ndarray:
    """Return (33,) factors that fade a guess beyond the picture's border: to 1/e at 3 % of the crop's side."""
    beyond = np.maximum(-keypoints_px[:, :2], keypoints_px[:, :2] - (width, height)).max(1)
    return np.exp(-np.maximum(beyond, 0) / (0.03 * side_px))


def _read(landmarks: np.ndarray, flag: float, mask: np.ndarray, heat: np.ndarray, world: np.ndarray,
          crop: Crop) -> Sight:
    import cv2

    points = _refine(landmarks[:, :2], heat)
    to_px = crop.to_px()
    xy = points @ to_px[:, :2].T + to_px[:, 2]
    keypoints = np.empty((POINTS, 3), np.float32)
    keypoints[:, :2] = xy[:POINTS]
    seen = _sigmoid(landmarks[:POINTS, 3:].astype(np.float64))
    keypoints[:, 2] = seen[:, 0] * seen[:, 1] * flag
    world = world.copy()
    world[:, :2] = world[:, :2] @ crop.rotation().T
    bits = np.packbits(cv2.resize(mask, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA).ravel() > 0)
    return Sight(keypoints, world, flag, bits, crop, Crop.about(xy[33], xy[34]))


def _refine(points: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Move points (39, 2) of the crop to the centre of mass of their heatmap (64, 64, 39 logits) in a 7x7 window.

    As in MediaPipe, a point whose window has no peak above 0.5 stays. Heatmap cell i is at 4 i: mirrored crops
    agree best so (0.2 px off, against 1.8 px for 4 i + 2).
    """
    scale = SIDE // HEAT_SIDE
    cells = np.floor(points / scale)
    cells = np.where(np.isfinite(cells), np.clip(cells, -8, HEAT_SIDE + 8), -8).astype(np.intp)
    columns, rows = cells[:, :1] + _WINDOW, cells[:, 1:] + _WINDOW
    inside = ((rows >= 0) & (rows < HEAT_SIDE))[:, :, None] & ((columns >= 0) & (columns < HEAT_SIDE))[:, None, :]
    window = heat[np.clip(rows, 0, HEAT_SIDE - 1)[:, :, None], np.clip(columns, 0, HEAT_SIDE - 1)[:, None, :],
                  np.arange(len(points))[:, None, None]]
    weights = np.where(inside, _sigmoid(window.astype(np.float64)), 0.0)
    total = weights.sum((1, 2))
    safe = np.maximum(total, 1e-9)
    mass = np.stack([(weights.sum(1) * columns).sum(1) / safe, (weights.sum(2) * rows).sum(1) / safe], 1) * scale
    return np.where((weights.max((1, 2)) >= _MIN_PEAK)[:, None], mass, points)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


class PersonFinder:
    """MoveNet MultiPose: up to six people of a whole picture as COCO-17 keypoints."""

    def __init__(self, side_px: int, threads: int, device: str):
        self._session = session("movenet-multipose.fp16w.onnx", threads, device)
        self._input = self._session.get_inputs()[0].name
        self._side_px = side_px

    def find(self, rgb: np.ndarray, score_threshold: float, views: Iterable[View]) -> list[Find]:
        """Find people in a picture (H, W, 3) uint8 from some views of it, best first."""
        found = []
        for view in views:
            small, scale = self._shrink(rgb, round(self._side_px * view.enlarged))
            found += self._find_turned(small, scale, view.turn, score_threshold)
        return sorted(found, key=lambda f: -f.score)

    @staticmethod
    def _shrink(rgb: np.ndarray, side_px: int) -> tuple[np.ndarray, np.ndarray]:
        """Bring the picture's long side to `side_px`; return it and the factors (x, y) back."""
        import cv2

        height, width = rgb.shape[:2]
        factor = side_px / max(height, width)
        size = (max(round(width * factor), 1), max(round(height * factor), 1))
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        small = cv2.resize(halve(rgb, max(int(-math.log2(factor)), 0)), size, interpolation=method)
        return small, np.array([width / size[0], height / size[1]])

    def _find_turned(self, small: np.ndarray, scale: np.ndarray, turn: int, score_threshold: float) -> list[Find]:
        turned = np.rot90(small, turn)
        height, width = turned.shape[:2]
        image = np.zeros((1, -(-height // 32) * 32, -(-width // 32) * 32, 3), np.int32)
        image[0, :height, :width] = turned
        people = self._session.run(None, {self._input: image})[0][0]
        people = people[people[:, 55] >= score_threshold]
        points = people[:, :51].reshape(-1, 17, 3)[:, :, [1, 0, 2]].astype(np.float64)
        points[:, :, :2] *= (image.shape[2], image.shape[1])
        points[:, :, :2] = _turn_back(points[:, :, :2], turn, width, height) * scale
        return [Find(p, float(s), turn) for p, s in zip(points, people[:, 55], strict=True)]


@dataclass(frozen=True)
class View:
    """How a picture is shown to MoveNet: turned by quarter turns, and larger than usual."""

    turn: int = 0
    enlarged: float = 1.0


@dataclass(frozen=True)
class Find:
    """A person found by MoveNet: COCO-17 points_px (17, 3) x, y, score; score; the quarter turn it was found at."""

    points_px: np.ndarray
    score: float
    turn: int


def _turn_back(xy: np.ndarray, turn: int, width: int, height: int) -> np.ndarray:
    """Undo `turn` quarter turns of np.rot90 (counter-clockwise) on points of a turned picture of some size."""
    for _ in range(turn % 4):
        xy = np.stack([height - xy[..., 1], xy[..., 0]], -1)
        width, height = height, width
    return xy
