"""OpenPose: one JSON file a frame. Also the files that AlphaPose writes with `--format open` and `cmu`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError
from mrs.formats.pose2d import (
    Poses,
    converted,
    keys,
    make,
    one_set,
    parse_json,
    person_id,
    plain_numbers,
    triplets,
)
from mrs.formats.pose2d.frames import natural_key
from mrs.skeletons import BODY_25, BODY_135, COCO_18, MPI_15, Keypoints

SETS = {15: MPI_15, 18: COCO_18, 25: BODY_25, 135: BODY_135}
OUTSIDE = 0.25
"""A part of a picture may lie this far outside it and still be taken for one."""


def read_frame(data: bytes, where: str) -> tuple[Keypoints | None, np.ndarray, list[int]]:
    """Read one frame's file: the keypoint set (None without people), points (N, K, 3) float32 and ids.

    The keys are those of every version: people with pose_keypoints_2d or pose_keypoints, and bodies with joints.
    """
    content = parse_json(data, where)
    people = content.get("people", content.get("bodies")) if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise InputError(f"Expected a frame of OpenPose in {where}, with a list of people, but there is none. "
                         "Type: openpose --write_json DIR")
    found, points, ids = read_people(people, where)
    return found, with_neck_of_shoulders(points, found) if _of_alphapose(content) else points, ids


def _of_alphapose(content: Any) -> bool:
    """Say whether a frame is one of AlphaPose's folder sep-json, which has no files of frames without people."""
    return isinstance(content, dict) and str(content.get("version")).startswith("AlphaPose")


def with_neck_of_shoulders(points: np.ndarray, keypoints: Keypoints | None) -> np.ndarray:
    """Put AlphaPose's neck (N, 18, 3) between the shoulders, where it writes it for COCO's 17 points.

    For models of more points it writes their eighteenth in its place, the top of the head.
    """
    if keypoints is not COCO_18:
        return points
    points = points.copy()
    points[:, COCO_18.index("neck")] = points[:, COCO_18.indices("left_shoulder", "right_shoulder")].mean(1)
    return points


def read_people(people: list, where: str) -> tuple[Keypoints | None, np.ndarray, list[int]]:
    """Read the people of one frame; people without a single pose keypoint (faces alone) are left out."""
    points, ids, keypoints = [], [], None
    for person in people:
        values = _pose(person, where)
        if not values:
            continue
        found, one = triplets(values, where, SETS)
        keypoints = one_set(keypoints, found, where)
        points.append(one)
        ids.append(person_id(person.get("person_id"), where))
    if keypoints is None:
        return None, np.zeros((0, 0, 3), np.float32), []
    return keypoints, np.stack(points), ids


def _pose(person: Any, where: str) -> list:
    if not isinstance(person, dict):
        raise InputError(f"Expected each of the people in {where} to be an object, but got {type(person).__name__}.")
    for name in ("pose_keypoints_2d", "pose_keypoints", "joints"):
        if name in person:
            values = person[name]
            if not isinstance(values, list):
                raise InputError(f"Expected {name} in {where} to be a list, but got {type(values).__name__}.")
            return values
    raise InputError(f"Expected pose_keypoints_2d or pose_keypoints of each person in {where}, but got "
                     f"{keys(person)}.")


def listing(folder: Path | str) -> list[str]:
    """List a folder's frame files in natural order."""
    folder = Path(folder)
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if e.name.endswith(".json") and not e.name.startswith(".")]
    except FileNotFoundError:
        raise InputError(f"Expected a folder of OpenPose's JSON files at {folder}, but there is none.") from None
    except NotADirectoryError:
        raise InputError(f"Expected a folder of OpenPose's JSON files, but {folder} is a file. Name its folder.") from None
    except OSError as error:
        raise InputError(f"Expected a folder of OpenPose's JSON files, but {folder} can't be read: {error.strerror}.") from None
    if not names:
        raise InputError(f"Expected OpenPose's JSON files in {folder}, but there are none. Type: openpose --write_json DIR")
    ordinary = sorted(names)
    if len({len(n) for n in names}) == 1:
        return ordinary
    return sorted(ordinary, key=natural_key)


def frames(folder: Path | str, names: list[str] | None = None) -> Iterator[tuple[str, Keypoints | None, np.ndarray, list[int]]]:
    """Yield (name, keypoint set, points, ids) file by file; memory does not grow with the number of files."""
    folder = os.fspath(folder)
    for name in listing(folder) if names is None else names:
        path = f"{folder}/{name}"
        yield name, *read_frame(_bytes(path), path)


def _bytes(path: str) -> bytes:
    """Read a file with as few calls as will do; there may be a hundred thousand."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            data = os.read(handle, 1 << 18)
            while len(data) and len(data) % (1 << 18) == 0:
                more = os.read(handle, 1 << 18)
                if not more:
                    break
                data += more
            return data
        finally:
            os.close(handle)
    except OSError as error:
        raise InputError(f"Expected {path} to be a file that can be read, but it can't: {error.strerror}.") from None


def read(folder: Path | str, progress=lambda done, total: None) -> Poses:
    """Read a folder."""
    names = listing(folder)
    keypoints, counts, points, ids = None, [], [], []
    for row, (_, found, people, who) in enumerate(frames(folder, names)):
        counts.append(len(people))
        if found is not None:
            keypoints = one_set(keypoints, found, str(folder))
            points.append(people)
            ids += who
        if row % 500 == 499:
            progress(row + 1, len(names))
    keypoints = keypoints or BODY_25
    stacked = np.concatenate(points) if points else np.zeros((0, len(keypoints), 3), np.float32)
    every = not _of_alphapose(parse_json(_bytes(f"{folder}/{names[0]}"), names[0]))
    return make(keypoints, names, np.repeat(np.arange(len(names)), counts), stacked, ids=ids, every_frame=every)


def scale_of(points: np.ndarray) -> int:
    """Tell OpenPose's keypoint_scale from points (N, K, 3): 0 pixels, 3 parts of the picture, 4 from -1 to 1."""
    xy = points[points[..., 2] > 0][:, :2]
    if not len(xy) or np.abs(xy).max() > 1 + OUTSIDE:
        return 0
    return 4 if xy.min() < -OUTSIDE else 3


def to_pixels(points: np.ndarray, scale: int, size_px: tuple[int, int]) -> np.ndarray:
    """Undo keypoint_scale; what was not detected stays 0, 0, 0."""
    if scale == 0:
        return points
    last = np.array(size_px, np.float32) - 1
    seen = points[..., 2:] > 0
    xy = points[..., :2] * last if scale == 3 else (points[..., :2] + 1) / 2 * last
    return np.concatenate([np.where(seen, xy, 0), points[..., 2:]], -1).astype(np.float32)


def write(folder: Path | str, tracks, keypoints: Keypoints | None = None, stem: str = "frame") -> None:
    """Write one file for each frame that was looked at, in the layout of OpenPose 1.7; person_id has the person's number.

    Points a person lacks, or was not seen at, are 0, 0, 0.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    people: dict[int, list[dict]] = {int(i): [] for i in tracks.frame_ids}
    for track in tracks.people:
        target = keypoints or output_set(track.keypoints)
        points = converted(track.keypoints_px, track.keypoints, target)
        points = np.where(points[..., 2:] > 0, points, 0).astype(points.dtype)
        for row in np.flatnonzero(track.seen):
            people[int(track.frame_ids[row])].append(_person(track.person, points[row]))
    for frame, here in people.items():
        text = json.dumps({"version": 1.3, "people": here}, separators=(",", ":"))
        (folder / f"{stem}_{frame:012d}_keypoints.json").write_text(text + "\n", encoding="utf-8")


def output_set(source: Keypoints) -> Keypoints:
    """Return the set to write: the source's own where OpenPose has it, else BODY_25."""
    return source if source in SETS.values() else BODY_25


def _person(number: int, points: np.ndarray) -> dict[str, Any]:
    empty: dict[str, list] = {name: [] for name in (
        "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d", "face_keypoints_3d",
        "hand_left_keypoints_3d", "hand_right_keypoints_3d")}
    return {"person_id": [number], "pose_keypoints_2d": plain_numbers(points.reshape(-1)), **empty}

