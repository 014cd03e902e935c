"""MMPose 1.x: the predictions that its inferencer writes, one file for a video, or one a picture in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError
from mrs.formats.pose2d import (
    Poses,
    converted,
    keypoints_by_names,
    make,
    number,
    numbers,
    parse_json,
    person_id,
    plain_numbers,
    read_bytes,
    shown,
)
from mrs.formats.pose2d.openpose import listing
from mrs.skeletons import COCO_17, COCO_WHOLEBODY_133, H36M_17, HALPE_26, HALPE_136, Keypoints

SETS = {17: COCO_17, 26: HALPE_26, 133: COCO_WHOLEBODY_133, 136: HALPE_136}
FIRST_FRAME = "first_frame_id"
"""What mrs adds to meta_info, so that frames that begin at 1 are not taken for counted from 1."""


def read_path(path: Path | str) -> Poses:
    """Read a video's file, or a folder with one file a picture."""
    path = Path(path)
    if not path.is_dir():
        return read(read_bytes(path, "a file of MMPose's predictions"), str(path))
    names = listing(path)
    frames = [(row, parse_json(read_bytes(path / name, "a file of MMPose's predictions"), str(path / name)))
              for row, name in enumerate(names)]
    return _poses(names, [(row, _instances(people, str(path / names[row]))) for row, people in frames], None, None,
                  str(path), every_frame=True)


def read(data: bytes, where: str) -> Poses:
    """Read {meta_info, instance_info: [{frame_id, instances}]}, the bare list of frames, or the people of one picture.

    The inferencer counts frames from 0 and writes the bare list; MMPose's demos count from 1 and write meta_info too.
    """
    content = parse_json(data, where)
    names, first = None, None
    if isinstance(content, dict):
        names = _point_names(content.get("meta_info"), where)
        first = _first_frame(content.get("meta_info"), where)
        content = content.get("instance_info")
    if not isinstance(content, list):
        raise InputError(f"Expected MMPose's predictions in {where}, a list of frames with instances, but there is none.")
    if content and all(isinstance(entry, dict) and "keypoints" in entry for entry in content):
        return _poses(["0"], [(0, content)], names, 0, where, every_frame=True)
    labels, frames = [], []
    for entry in content:
        if not isinstance(entry, dict) or "instances" not in entry:
            raise InputError(f"Expected frame_id and instances of each frame in {where}, but got {shown(entry)}.")
        label = number(entry.get("frame_id", len(labels)), where, "frame_id")
        if not (0 <= label < 1e9 and label == int(label)):
            raise InputError(f"Expected frame_id in {where} to be a whole number from 0 on, but got {label:g}.")
        labels.append(str(int(label)))
        frames.append((len(labels) - 1, _instances(entry["instances"], where)))
    if len(set(labels)) != len(labels):
        raise InputError(f"Expected each frame_id in {where} once, but some come twice.")
    return _poses(labels, frames, names, first, where, every_frame=True)


def _first_frame(meta: Any, where: str) -> int | None:
    """Return the number of the first frame where the file says it, as one that mrs wrote does."""
    told = meta.get(FIRST_FRAME) if isinstance(meta, dict) else None
    if told is None:
        return None
    first = number(told, where, FIRST_FRAME)
    if not (0 <= first < 1e9):
        raise InputError(f"Expected {FIRST_FRAME} in {where} to be a frame's number from 0 on, but got {shown(told)}.")
    return int(first)


def _point_names(meta: Any, where: str) -> list[str] | None:
    """Return the names of the model's keypoints from its metadata, in order."""
    table = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if table is None:
        return None
    try:
        return [str(table[key]) for key in sorted(table, key=int)]
    except (TypeError, ValueError):
        raise InputError(f"Expected keypoint_id2name in {where} to name points by number, but got {shown(table)}.") from None


def _instances(people: Any, where: str) -> list[dict]:
    if not isinstance(people, list) or not all(isinstance(p, dict) and "keypoints" in p for p in people):
        raise InputError(f"Expected instances with keypoints in {where}, but got {shown(people)}.")
    return people


def _poses(labels, frames, names, first, where: str, every_frame: bool) -> Poses:
    people = [(row, person) for row, here in frames for person in here]
    size = len(names) if names is not None else None
    points = [_person(person, size, where) for _, person in people]
    size = len(points[0]) if points else size or 17
    keypoints, order = _set(names, size, where)
    if any(len(p) != size for p in points):
        raise InputError(f"Expected {size} keypoints of everybody in {where}, but some have another number.")
    stacked = np.stack(points) if points else np.zeros((0, size, 3), np.float32)
    stacked = np.where((order >= 0)[None, :, None], stacked[:, order], 0)
    return make(keypoints, labels, [row for row, _ in people], stacked,
                boxes=[_box(p, where) for _, p in people], scores=[_score(p, where) for _, p in people],
                ids=[person_id(p.get("track_id", p.get("instance_id")), where) for _, p in people], first=first,
                every_frame=every_frame)


def _set(names: list[str] | None, size: int, where: str) -> tuple[Keypoints, np.ndarray]:
    """Return the keypoint set and, for each of its points, the model's row."""
    if names is not None:
        if names == list(H36M_17.names):
            return H36M_17, np.arange(17)
        known = SETS.get(size)
        named, order = keypoints_by_names(names)
        return (known, np.arange(size)) if known is not None and named is known else (named, order)
    if size not in SETS:
        raise InputError(f"Expected {', '.join(map(str, SETS))} keypoints, or their names in meta_info, in {where}, but got {size}.")
    return SETS[size], np.arange(size)


def _person(person: dict, size: int | None, where: str) -> np.ndarray:
    """Return points (K, 3): keypoints x, y and keypoint_scores."""
    xy = numbers(person["keypoints"], where, "keypoints")
    if xy.ndim != 2 or xy.shape[1] < 2 or (size is not None and len(xy) != size):
        raise InputError(f"Expected keypoints in {where} as x, y of each {f'of {size} points' if size else 'point'}, "
                         f"but got an array of {'x'.join(map(str, xy.shape)) or 'nothing'}.")
    if xy.shape[1] == 3 and "keypoint_scores" in person:
        raise InputError(f"Expected keypoints in {where} in pixels, x and y of each point, but got x, y, z: 3D predictions of MMPose. "
                         "Give those of the 2D model.")
    sure = xy[:, 2] if xy.shape[1] == 3 else np.ones(len(xy), np.float32)
    sure = numbers(person["keypoint_scores"], where, "keypoint_scores").reshape(-1) if "keypoint_scores" in person else sure
    if len(sure) != len(xy):
        raise InputError(f"Expected a score of each keypoint in {where}, but got {len(sure)} for {len(xy)}.")
    return np.concatenate([xy[:, :2], sure[:, None]], 1)


def _box(person: dict, where: str) -> np.ndarray:
    """Return x0, y0, x1, y1; MMPose puts one more list around them."""
    if person.get("bbox") is None:
        return np.full(4, np.nan)
    box = numbers(person["bbox"], where, "bbox").reshape(-1)
    if len(box) < 4:
        raise InputError(f"Expected x0, y0, x1, y1 of bbox in {where}, but got {len(box)} numbers.")
    return box[:4]


def _score(person: dict, where: str) -> float:
    score = person.get("bbox_score")
    return np.nan if score is None else number(score, where, "bbox_score")


def write(path: Path | str, tracks, keypoints: Keypoints | None = None) -> None:
    """Write the predictions of a video: frame_id from 0, track_id the person's number, the points' names in meta_info."""
    target = keypoints or (tracks.people[0].keypoints if tracks.people else COCO_17)
    frames: dict[int, list[dict]] = {int(i): [] for i in tracks.frame_ids}
    for track in tracks.people:
        points = converted(track.keypoints_px, track.keypoints, target)
        for row in np.flatnonzero(track.seen):
            frames[int(track.frame_ids[row])].append({
                "keypoints": plain_numbers(points[row, :, :2]), "keypoint_scores": plain_numbers(points[row, :, 2]),
                "bbox": [plain_numbers(track.boxes_px[row])],
                "bbox_score": plain_numbers(np.float32([points[row, :, 2].mean()]))[0], "track_id": track.person})
    content = {"meta_info": {"dataset_name": target.name, "num_keypoints": len(target), FIRST_FRAME: 0,
                             "keypoint_id2name": {str(i): name for i, name in enumerate(target.names)}},
               "instance_info": [{"frame_id": number, "instances": people} for number, people in frames.items()]}
    Path(path).write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
