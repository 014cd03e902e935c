"""COCO's results list, and its annotation files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mrs.errors import InputError
from mrs.formats.pose2d import (
    Poses,
    converted,
    make,
    number,
    numbers,
    one_set,
    parse_json,
    person_id,
    plain_numbers,
    shown,
    triplets,
)
from mrs.formats.pose2d.frames import natural_key
from mrs.skeletons import (
    BLAZEPOSE_33,
    BODY_25,
    COCO_17,
    COCO_18,
    COCO_WHOLEBODY_133,
    HALPE_26,
    HALPE_136,
    Keypoints,
)

SETS = {17: COCO_17, 18: COCO_18, 25: BODY_25, 26: HALPE_26, 33: BLAZEPOSE_33, 133: COCO_WHOLEBODY_133, 136: HALPE_136}
_OCCLUDED, _VISIBLE = 0.5, 1.0


def read(data: bytes, where: str) -> Poses:
    """Read a results list (image_id, keypoints, score, bbox x, y, w, h, track_id), or annotations with their images."""
    content = parse_json(data, where)
    people, names, annotated = content, {}, False
    if isinstance(content, dict):
        people, names, annotated = content.get("annotations"), _names(content, where), True
    if not isinstance(people, list):
        raise InputError(f"Expected COCO's list of results in {where}, or annotations, but got {shown(content)}.")
    keypoints, points, labels = None, [], []
    for person in people:
        if not isinstance(person, dict) or "image_id" not in person or "keypoints" not in person:
            raise InputError(f"Expected image_id and keypoints of each result in {where}, but got {shown(person)}.")
        found, one = triplets(person["keypoints"], where, SETS)
        keypoints = one_set(keypoints, found, where)
        points.append(_visible(one) if annotated else one)
        labels.append(names.get(str(person["image_id"]), str(person["image_id"])))
    keypoints = keypoints or COCO_17
    ordered = sorted({*labels, *names.values()}, key=natural_key)
    rows = {name: row for row, name in enumerate(ordered)}
    return make(keypoints, ordered, [rows[n] for n in labels], points or np.zeros((0, len(keypoints), 3)),
                boxes=[_box(p, where) for p in people], scores=[_score(p, where) for p in people],
                ids=[person_id(p.get("track_id"), where) for p in people], every_frame=bool(names))


def _names(content: dict, where: str) -> dict[str, str]:
    """Return file names by image id."""
    images = content.get("images")
    if not isinstance(images, list) or not all(isinstance(i, dict) and "id" in i for i in images):
        raise InputError(f"Expected images with ids beside the annotations in {where}, but there are none.")
    return {str(i["id"]): str(i.get("file_name", i["id"])) for i in images}


def _visible(points: np.ndarray) -> np.ndarray:
    """Turn COCO's v (0 not labelled, 1 hidden, 2 visible) into confidences."""
    points[:, 2] = np.select([points[:, 2] >= 2, points[:, 2] >= 1], [_VISIBLE, _OCCLUDED], 0)
    return points


def _box(person: dict, where: str) -> list[float]:
    if person.get("bbox") is None:
        return [np.nan] * 4
    box = numbers(person["bbox"], where, "bbox")
    if box.shape != (4,):
        raise InputError(f"Expected x, y, w, h of bbox in {where}, but got {box.size} numbers.")
    return [box[0], box[1], box[0] + box[2], box[1] + box[3]]


def _score(person: dict, where: str) -> float:
    return np.nan if person.get("score") is None else number(person["score"], where, "score")


def write(path: Path | str, tracks, keypoints: Keypoints | None = None) -> None:
    """Write a results list: image_id is the frame's number from 0, track_id the person's."""
    rows = []
    for track in tracks.people:
        target = keypoints or output_set(track.keypoints)
        points = converted(track.keypoints_px, track.keypoints, target)
        for row in np.flatnonzero(track.seen):
            box = track.boxes_px[row].astype(np.float32)
            rows.append((int(track.frame_ids[row]), track.person, {
                "image_id": int(track.frame_ids[row]), "category_id": 1,
                "keypoints": plain_numbers(points[row].reshape(-1)),
                "score": plain_numbers(np.float32([points[row, :, 2].mean()]))[0],
                "bbox": plain_numbers(np.concatenate([box[:2], box[2:] - box[:2]])), "track_id": track.person}))
    rows.sort(key=lambda entry: entry[:2])
    Path(path).write_text(json.dumps([entry for *_, entry in rows], separators=(",", ":")) + "\n", encoding="utf-8")


def output_set(source: Keypoints) -> Keypoints:
    """Return the set to write: the source's own where its size tells it apart, else COCO-17."""
    return source if source in SETS.values() and source not in (BLAZEPOSE_33, COCO_18, BODY_25) else COCO_17
