"""What DensePose says of people's surfaces: which part of a body each pixel shows, and where on that part.

Read are folders with a picture a frame, as DensePose wrote them (`NAME_IUV.png` with `NAME_INDS.png` where there is one) or
as npz (`iuv`, and `inds`), and dumps of detectron2's `apply_net dump` (.pkl, .pt), without detectron2: charts, plain, with the
confidences that some models give, in bytes, or as the PNG in text of before 2020-10, and CSE's embeddings.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs.errors import InputError, reason
from mrs.formats import restricted, torch_file
from mrs.formats.pose2d.frames import first_number, frame_numbers, natural_key

PARTS = 24
PERSON = 25
"""Label of a pixel that shows the person, of which no part is known."""
SUFFIXES = (".png", ".npz")
DUMPS = (".pkl", ".pt", ".pth")
LARGEST_SIDE = 20000
LARGEST_SCORES = 1 << 28
LEAST_VARIANCE = 0.01
"""What detectron2 adds to the variance of u and v that its models tell (UV_CONFIDENCE.EPSILON)."""


@dataclass(frozen=True)
class Sighting:
    """One person in one picture.

    `corner_px` (x, y) is the picture's pixel of the first label; parts (h, w) uint8: 0 nobody, 1..24, PERSON;
    uv (2, h, w) float32, 0..1. `lone`: False where the labels may be those of several people. `trust` (h, w) float32, 0..1:
    what a pixel's u and v are worth. `embedding` (D, S, S) float32 of CSE, over the labels' whole extent, instead of uv.
    """

    corner_px: tuple[int, int]
    parts: np.ndarray
    uv: np.ndarray
    lone: bool = True
    trust: np.ndarray | None = None
    embedding: np.ndarray | None = None

    def values(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What places (K,) of the labels say of the surface: u and v (K, 2), or CSE's embedding (K, D), read between its cells."""
        if self.embedding is None:
            return self.uv[:, y, x].T
        (x0, x1, across), (y0, y1, down) = (_between(v, of, n) for v, of, n in
                                            zip((x, y), self.parts.shape[::-1], self.embedding.shape[:0:-1], strict=True))
        upper, lower = (self.embedding[:, r, x0] * (1 - across) + self.embedding[:, r, x1] * across for r in (y0, y1))
        return (upper * (1 - down) + lower * down).T

    def box_px(self) -> np.ndarray:
        """x0, y0, x1, y1 of the labelled pixels; zeros where there are none."""
        rows, columns = np.flatnonzero(self.parts.any(1)), np.flatnonzero(self.parts.any(0))
        if not len(rows):
            return np.zeros(4)
        return np.array([columns[0], rows[0], columns[-1], rows[-1]], float) + np.tile(self.corner_px, 2)


def _between(place: np.ndarray, of: int, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells before and after places (K,) of `of` pixels that `cells` cells are stretched over, and the share of the latter."""
    at = np.clip((place + 0.5) * cells / of - 0.5, 0, cells - 1)
    before = np.floor(at).astype(int)
    return before, np.minimum(before + 1, cells - 1), at - before


class Source:
    """The frames of a folder or a dump: `frames` maps a frame of the video to what :meth:`at` reads."""

    def __init__(self, path, frames_in_video: int | None = None):
        self.path = Path(path)
        self._dump = None
        labels, self._entries = self._listed()
        numbers = frame_numbers(labels)
        if numbers is None:
            numbers = range(len(labels))
        else:
            whole = max(numbers) - min(numbers) + 1 == len(numbers)
            first = first_number(labels, numbers, frames_in_video, whole)
            numbers = [number - first for number in numbers]
        self.frames = dict(zip(numbers, self._entries, strict=True))

    def at(self, frame: int) -> tuple[list[Sighting], tuple[int, int] | None]:
        """Return the people of a frame, and the picture's (width, height) where the file tells; nobody where there is no file."""
        entry = self.frames.get(frame)
        if entry is None:
            return [], None
        if isinstance(entry, Path):
            iuv, inds = _picture(entry)
            return _people(iuv, inds, entry), iuv.shape[1::-1]
        return _dumped(entry, self.path), None

    def _listed(self) -> tuple[list[str], list]:
        if self.path.is_dir():
            return self._folder()
        if not self.path.exists():
            raise InputError(f"Expected a folder or a dump of DensePose at {self.path}, but there is none. Check --dense densepose:DIR.")
        return self._dump_entries(self.path)

    def _folder(self):
        files = sorted((f for f in self.path.iterdir() if f.is_file() and not f.name.startswith(".")), key=lambda f: natural_key(f.name))
        pictures = [f for f in files if f.name.endswith("_IUV.png") or f.suffix == ".npz"]
        if pictures:
            return [f.stem.removesuffix("_IUV") for f in pictures], pictures
        dumps = [f for f in files if f.suffix in DUMPS]
        if len(dumps) != 1:
            raise InputError(f"Expected NAME_IUV.png or NAME.npz for each frame, or one dump (.pkl), in {self.path}, but there "
                             f"{'are several dumps' if dumps else 'are none'}. Check --dense densepose:DIR.")
        return self._dump_entries(dumps[0])

    def _dump_entries(self, path: Path):
        self.path, modules = path, ("detectron2", "densepose")
        what = "a dump of apply_net"
        found = torch_file.read(path, modules) if _zipped(path) else restricted.read(path, what, (*modules, "torch"))
        listed = isinstance(found, list)
        whole = listed and len(found) > 0 and all(isinstance(e, dict) and "file_name" in e for e in found)
        if not whole:
            raise InputError(f"Expected a list of pictures with file_name in {path}, as apply_net dump writes it, but it holds "
                             f"{'none' if listed and not found else 'something else'}.")
        found = sorted(found, key=lambda e: natural_key(str(e["file_name"])))
        return [str(e["file_name"]) for e in found], found


def _zipped(path: Path) -> bool:
    """Say whether a file begins as those of torch.save do since PyTorch 1.6; one that can't be opened is told where it is read."""
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return True


def _picture(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Read iuv (H, W, 3) uint8 and inds (H, W) or None."""
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                iuv, inds = file["iuv"], file["inds"] if "inds" in file.files else None
        else:
            beside = path.with_name(path.name.replace("_IUV.png", "_INDS.png"))
            iuv, inds = _png(path), _png(beside)[..., 0] if beside.is_file() else None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (NumPy and zip raise whatever they meet in broken files)
        raise InputError(f"Expected an array iuv (H, W, 3) in {path}, but it can't be read: {reason(error)}.") from None
    if iuv.ndim != 3 or iuv.shape[2] != 3 or iuv.dtype != np.uint8 or 0 in iuv.shape or max(iuv.shape) > LARGEST_SIDE:
        raise InputError(f"Expected iuv (H, W, 3) of uint8 in {path}, but it is {iuv.dtype} {iuv.shape}.")
    if inds is not None and inds.shape != iuv.shape[:2]:
        raise InputError(f"Expected the persons' picture of {path} to have its size, but it has {inds.shape}.")
    if iuv[..., 0].max() > PARTS >= iuv[..., 2].max():
        iuv = iuv[..., ::-1]
    if iuv[..., 0].max() > PARTS:
        raise InputError(f"Expected parts 0 to {PARTS} in the first channel of {path}, but got {iuv[..., 0].max()}: it is no IUV picture.")
    return iuv, inds


def _png(path: Path) -> np.ndarray:
    import cv2

    picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"Expected a PNG in {path}, but it can't be read.")
    return picture


def _people(iuv: np.ndarray, inds: np.ndarray | None, path: Path) -> list[Sighting]:
    """Cut the people of a picture out of it; all in one where nothing tells them apart.

    DensePose counts people from 0, so that the only one has the number of the background.
    """
    uv = np.moveaxis(iuv[..., 1:], -1, 0)
    labelled = iuv[..., 0] > 0
    numbers = [None] if inds is None else list(np.unique(inds[labelled]))
    out = []
    for number in numbers:
        parts = iuv[..., 0] if number is None else np.where(inds == number, iuv[..., 0], 0)
        rows, columns = np.flatnonzero(parts.any(1)), np.flatnonzero(parts.any(0))
        if len(rows):
            cut = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            out.append(Sighting((int(columns[0]), int(rows[0])), parts[cut], uv[:, *cut].astype(np.float32) / 255, number is not None))
    return out


def _dumped(entry: dict, path: Path) -> list[Sighting]:
    """Make the people of one picture of a dump."""
    try:
        boxes = np.asarray(entry.get("pred_boxes_XYXY", np.zeros((0, 4))), float).reshape(-1, 4)
        found = entry.get("pred_densepose", [])
        if hasattr(found, "coarse_segm"):
            each = np.asarray(found.coarse_segm), np.asarray(found.embedding, np.float32), boxes
            return [_embedded(*one) for one in zip(*each, strict=True)]
        found = getattr(found, "results", found)
        return [_charted(result, box) for result, box in zip(found, boxes, strict=True)]
    except Exception as error:  # noqa: BLE001 (a dump may hold anything under these names)
        raise InputError(f"Expected labels and uv of each box of {str(entry['file_name'])[:100]} in {path}, but they can't be used: {reason(error)}.") from None


def _charted(result, box: np.ndarray) -> Sighting:
    labels, uv = _labels_and_uv(result)
    if labels.ndim != 2 or uv.shape != (2, *labels.shape) or not np.isfinite(box).all():
        raise ValueError(f"labels are {labels.shape}, uv {uv.shape}")
    if labels.size and not 0 <= labels.min() <= labels.max() <= PARTS:
        raise ValueError(f"parts go from {labels.min()} to {labels.max()}")
    return Sighting((int(box[0]), int(box[1])), labels.astype(np.uint8), np.clip(np.nan_to_num(uv), 0, 1),
                    trust=_trust(result, labels.shape))


def _labels_and_uv(result) -> tuple[np.ndarray, np.ndarray]:
    """The parts (h, w) and uv (2, h, w) of one person: as they are, as bytes, or as a PNG in base64 with its shape."""
    if hasattr(result, "labels"):
        return np.asarray(result.labels), np.asarray(result.uv, np.float32)
    if hasattr(result, "labels_uv_uint8"):
        bytes_chw = np.asarray(result.labels_uv_uint8)
    else:
        shape, text = (result.shape_chw, result.labels_uv_str) if hasattr(result, "labels_uv_str") else result
        bytes_chw = _decoded(tuple(map(int, shape)), str(text))
    if bytes_chw.ndim != 3 or len(bytes_chw) != 3 or bytes_chw.dtype != np.uint8:
        raise ValueError(f"labels with uv are {bytes_chw.dtype} {bytes_chw.shape}")
    return bytes_chw[0], bytes_chw[1:].astype(np.float32) / 255


def _decoded(shape: tuple[int, ...], text: str) -> np.ndarray:
    """The array (3, h, w) of a PNG in base64 whose colours, red first, are part, u and v."""
    import cv2

    data = np.frombuffer(base64.b64decode(text), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None or (3, *picture.shape[:2]) != shape:
        raise ValueError(f"a PNG of {shape} is {'none' if picture is None else picture.shape}")
    return np.moveaxis(picture[..., ::-1], -1, 0)


def _trust(result, shape: tuple[int, int]) -> np.ndarray | None:
    """What pixels (h, w) are worth, 0..1, by a model that tells how sure it is; None of one that does not.

    `sigma_2` is the variance of u and v before a softplus; `fine_segm_confidence` is 1 where the label is as sure as it seems.
    """
    told = {name: getattr(result, name, None) for name in ("sigma_2", "fine_segm_confidence")}
    told = {name: np.nan_to_num(np.asarray(value, float)) for name, value in told.items() if value is not None}
    if any(value.shape != shape for value in told.values()):
        raise ValueError(f"labels are {shape}, " + ", ".join(f"{name} {value.shape}" for name, value in told.items()))
    if not told:
        return None
    out = np.ones(shape)
    if "sigma_2" in told:
        out *= LEAST_VARIANCE / (LEAST_VARIANCE + np.logaddexp(0, told["sigma_2"]))
    return (out * np.clip(told.get("fine_segm_confidence", 1.0), 0, 1)).astype(np.float32)


def _embedded(scores: np.ndarray, embedding: np.ndarray, box: np.ndarray) -> Sighting:
    """A CSE result: scores (C, S, S) of background and parts, and the embedding (D, S, S), stretched over the box."""
    width, height = (max(int(v), 1) for v in box[2:] - box[:2])
    if scores.ndim != 3 or max(width, height) > LARGEST_SIDE or 0 in scores.shape:
        raise ValueError(f"coarse_segm is {scores.shape}")
    if embedding.ndim != 3 or 0 in embedding.shape:
        raise ValueError(f"embedding is {embedding.shape}")
    if len(scores) * width * height > LARGEST_SCORES:
        raise ValueError(f"coarse_segm is {scores.shape} for a box of {width}x{height}")
    parts = np.where(_stretched(scores.astype(np.float32), width, height).argmax(0) > 0, PERSON, 0).astype(np.uint8)
    return Sighting((int(box[0]), int(box[1])), parts, np.zeros((2, *parts.shape), np.float32),
                    embedding=np.nan_to_num(embedding, posinf=0, neginf=0))


def _stretched(maps: np.ndarray, width: int, height: int) -> np.ndarray:
    """Maps (C, h, w) read between their cells at the pixels of a box, (C, height, width), as detectron2 stretches them."""
    (x0, x1, across), (y0, y1, down) = (_between(np.arange(of), of, n) for of, n in zip((width, height), maps.shape[:0:-1], strict=True))
    rows = maps[:, y0] * np.float32(1 - down)[:, None] + maps[:, y1] * np.float32(down)[:, None]
    return rows[..., x0] * np.float32(1 - across) + rows[..., x1] * np.float32(across)
