"""Files of 2D poses that other programs write: one module a format, one type for what they hold.

A reader takes bytes and the name to use in messages, and returns :class:`Poses` or raises InputError; nothing in a file is
ever run. A writer takes Tracks. What a file lacks (boxes, scores, ids) is made or marked here, in one place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError
from mrs.skeletons import KEYPOINT_SETS, Keypoints

NO_ID = -1
LARGEST_ID = 10**9
FULLY_SEEN = 5
"""Keypoints that make a sighting whole: with fewer its score sinks in proportion."""


@dataclass(frozen=True)
class Poses:
    """What a file says: N sightings of people in named frames.

    keypoints      the keypoint set, None for boxes alone
    labels         (F,) the frames' names or numbers as the file has them, in order, also of frames without people
    frame          (N,) row of `labels` that each sighting belongs to
    points         (N, K, 3) float32 x, y, confidence; in pixels, or parts of the picture where `normalised`
    boxes          (N, 4) float32 x0, y0, x1, y1
    scores         (N,) 0..1
    ids            (N,) who it is, NO_ID where the file does not say
    points3d_m     (N, K, 3) metres about the mid-hip in camera axes, or None
    first          number of the first frame where the format fixes it, else None
    every_frame    whether frames without people are in the file too
    """

    keypoints: Keypoints | None
    labels: tuple[str, ...]
    frame: np.ndarray
    points: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    ids: np.ndarray
    points3d_m: np.ndarray | None = None
    first: int | None = None
    every_frame: bool = False
    normalised: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids_given(self) -> bool:
        """Whether the file says of everybody who it is."""
        return len(self) > 0 and bool((self.ids != NO_ID).all())

    def in_pixels(self, size_px: tuple[int, int]) -> Poses:
        """Return the same with parts of the picture turned into pixels."""
        if not self.normalised:
            return self
        points = self.points.copy()
        points[..., :2] *= np.where(points[..., 2:] > 0, np.array(size_px, np.float32), 0)
        return replace(self, points=points, boxes=boxes_around(points), normalised=False)


def make(keypoints: Keypoints, labels, frame, points, *, boxes=None, scores=None, ids=None, points3d_m=None, first=None,
         every_frame: bool = False, normalised: bool = False, notes: tuple[str, ...] = ()) -> Poses:
    """Put sightings together; fill in boxes, scores and ids that are not given (a NaN in a row of boxes, too)."""
    count = len(frame)
    points = seen_only(np.asarray(points, np.float32).reshape(count, len(keypoints), 3))
    around = boxes_around(points)
    if boxes is not None:
        boxes = np.asarray(boxes, np.float32).reshape(count, 4)
        good = np.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        around = np.where(good[:, None], boxes, around)
    made = confidence_scores(points)
    if scores is not None:
        scores = np.asarray(scores, np.float32).reshape(count)
        made = np.where(np.isfinite(scores), np.clip(scores, 0, 1), made) if not (scores > 1).any() else made
    ids = np.full(count, NO_ID) if ids is None else np.asarray(ids, np.int64).reshape(count)
    if points3d_m is not None:
        points3d_m = np.asarray(points3d_m, np.float32).reshape(count, len(keypoints), 3)
    return Poses(keypoints, tuple(map(str, labels)), np.asarray(frame, np.int64).reshape(count), points, around, made, ids,
                 points3d_m, first, every_frame, normalised, notes)


def seen_only(points: np.ndarray) -> np.ndarray:
    """Clip confidences to 0..1; a point that is not a number, or has no confidence, becomes 0, 0, 0."""
    with np.errstate(invalid="ignore"):
        points[..., 2] = np.clip(points[..., 2], 0, 1)
    points[~(np.isfinite(points).all(-1) & (points[..., 2] > 0) & (np.abs(points[..., :2]) < 1e7).all(-1))] = 0
    return points


def boxes_around(points: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) around the seen points (N, K, 3); zeros where none is seen."""
    seen = points[..., 2:] > 0
    low = np.where(seen, points[..., :2], np.inf).min(1, initial=np.inf)
    high = np.where(seen, points[..., :2], -np.inf).max(1, initial=-np.inf)
    boxes = np.concatenate([low, high], 1)
    boxes[~np.isfinite(boxes).all(1)] = 0
    return boxes.astype(np.float32)


def confidence_scores(points: np.ndarray) -> np.ndarray:
    """Scores (N,) of points (N, K, 3): mean confidence of the seen ones, less where fewer than FULLY_SEEN are seen."""
    seen = (points[..., 2] > 0).sum(1)
    return (points[..., 2].sum(1) / np.maximum(seen, 1) * np.minimum(1, seen / FULLY_SEEN)).astype(np.float32)


def read_bytes(path: Path | str, what: str) -> bytes:
    """Read a whole file; say in one line why that does not work."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"Expected {what}, but {path} is a folder. Name the file in it.")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"Expected {what} at {path}, but there is no such file. Check the path.") from None
    except OSError as error:
        raise InputError(f"Expected {what}, but {path} can't be read: {error.strerror or error}.") from None


def parse_json(data: bytes, where: str) -> Any:
    """Parse JSON, with orjson where it is installed (it refuses NaN, which Python's own parser lets pass)."""
    try:
        if _orjson is not None:
            try:
                return _orjson.loads(data)
            except ValueError:
                pass
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"Expected JSON in {where}, but it can't be read: {' '.join(str(error).split())[:120]}.") from None


def _find_orjson():
    try:
        import orjson
    except ImportError:
        return None
    return orjson


_orjson = _find_orjson()


def numbers(value: Any, where: str, what: str) -> np.ndarray:
    """Turn a JSON list of numbers, or lists of them, into a float32 array; null becomes NaN."""
    try:
        with np.errstate(over="ignore"):
            return np.array(value, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"Expected {what} in {where} to be numbers, but got {shown(value)}.") from None


def number(value: Any, where: str, what: str) -> float:
    """Turn a JSON value into a number."""
    found = numbers(value, where, what)
    if found.size != 1:
        raise InputError(f"Expected {what} in {where} to be one number, but got {shown(value)}.")
    return float(found.reshape(()))


def person_id(value: Any, where: str) -> int:
    """Turn an id as programs write them (1, 1.0, "1", [1], [[1]], null, -1) into a number; NO_ID for none."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or value == []:
        return NO_ID
    try:
        found = int(float(value))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"Expected a person's id in {where} to be a whole number, but got {shown(value)}.") from None
    if found > LARGEST_ID:
        raise InputError(f"Expected a person's id in {where} up to {LARGEST_ID}, but got {shown(value)}.")
    return max(found, NO_ID)


def triplets(value: Any, where: str, sets: dict[int, Keypoints], what: str = "keypoints") -> tuple[Keypoints, np.ndarray]:
    """Read x, y, confidence of one person: flat, or one list a point. Their number tells the keypoint set."""
    found = numbers(value, where, what)
    if found.ndim == 2 and found.shape[1] == 3:
        found = found.reshape(-1)
    if found.ndim != 1 or found.size % 3 or found.size // 3 not in sets:
        known = ", ".join(str(3 * k) for k in sorted(sets))
        raise InputError(f"Expected {what} in {where} to be x, y, confidence of each point ({known} numbers), "
                         f"but got {found.size}.")
    return sets[found.size // 3], found.reshape(-1, 3)


def one_set(before: Keypoints | None, now: Keypoints, where: str) -> Keypoints:
    """Refuse a file that mixes keypoint sets."""
    if before is not None and now is not before:
        raise InputError(f"Expected one keypoint set in {where}, but got {before.name} and then {now.name}. "
                         "Keep the results of each model in a place of their own.")
    return now


def keypoints_by_names(names: list[str]) -> tuple[Keypoints, np.ndarray]:
    """Return the set that holds most of the named points and, for each of its points, the row of `names` or -1.

    Of sets that hold as many, the smallest. Names are compared in lower case, with - and spaces as _.
    """
    plain = [n.lower().replace("-", "_").replace(" ", "_") for n in names]
    rows = {name: row for row, name in reversed(list(enumerate(plain)))}
    best = max(KEYPOINT_SETS.values(), key=lambda k: (sum(n in rows for n in k.names), -len(k)))
    return best, np.array([rows.get(n, -1) for n in best.names])


def shown(value: Any) -> str:
    """Quote a value briefly."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def keys(entry: dict) -> str:
    """List an object's first keys briefly."""
    return ", ".join(shown(key)[1:-1] for key in list(entry)[:4]) or "nothing"


def plain_numbers(values: np.ndarray) -> list:
    """Return an array as lists of the shortest decimals that read back as the same numbers."""
    if values.dtype == np.float32:
        flat = [float(str(v)) for v in values.ravel()]
        return np.array(flat, float).reshape(values.shape).tolist()
    return values.tolist()


def converted(points: np.ndarray, source: Keypoints, target: Keypoints) -> np.ndarray:
    """Map points to another set, unless it is the same."""
    return points if source is target else source.convert(points, target)
