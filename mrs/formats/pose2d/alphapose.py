"""AlphaPose's results file, and PoseFlow's, which is a dict of frames instead of a list of people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError
from mrs.formats.pose2d import (
    NO_ID,
    Poses,
    converted,
    keys,
    make,
    number,
    numbers,
    one_set,
    openpose,
    parse_json,
    person_id,
    plain_numbers,
    triplets,
)
from mrs.formats.pose2d.frames import natural_key
from mrs.skeletons import COCO_17, COCO_WHOLEBODY_133, HALPE_26, HALPE_136, Keypoints

SETS = {17: COCO_17, 26: HALPE_26, 133: COCO_WHOLEBODY_133, 136: HALPE_136}
FACELESS, BODY, FACE = 68, 26, 68
"""AlphaPose's models of body and hands alone: Halpe's 136 points without the 68 of the face, which follow the 26 of the body."""


def read(data: bytes, where: str) -> Poses:
    """Read any layout: the list, PoseFlow's dict of frames, and the dicts of `--format open` and `cmu`."""
    content = parse_json(data, where)
    if isinstance(content, list):
        return _from_list(content, where)
    if isinstance(content, dict) and content and all(isinstance(v, list) for v in content.values()):
        people = [{**person, "image_id": name} for name, here in content.items() for person in _objects(here, where)]
        return _from_list(people, where, tuple(content), every_frame=not all(content.values()))
    if isinstance(content, dict) and content and all(isinstance(v, dict) for v in content.values()):
        return _from_frames(content, where)
    raise InputError(f"Expected AlphaPose's list of people, or a dict of frames, in {where}, but got {_kind(content)}. "
                     "Name alphapose-results.json.")


def _kind(content: Any) -> str:
    if isinstance(content, dict):
        return f"a dict of {keys(content)}"
    return type(content).__name__


def _objects(people: list, where: str) -> list[dict]:
    for person in people:
        if not isinstance(person, dict):
            raise InputError(f"Expected each of the people in {where} to be an object, but got {type(person).__name__}.")
    return people


def _from_list(people: list, where: str, labels: tuple[str, ...] = (), every_frame: bool = False) -> Poses:
    """Read people with image_id, keypoints, score, box x, y, w, h and idx; `labels` of frames that are known without people.

    PoseFlow's own dict leaves frames without people out: only one that has such a frame has every frame.
    """
    keypoints, points, names = None, [], []
    for person in _objects(people, where):
        if "image_id" not in person or "keypoints" not in person:
            raise InputError(f"Expected image_id and keypoints of each person in {where}, but got "
                             f"{keys(person)}. Name alphapose-results.json.")
        found, one = triplets(_with_face(person["keypoints"]), where, SETS)
        keypoints = one_set(keypoints, found, where)
        points.append(one)
        names.append(str(person["image_id"]))
    keypoints = keypoints or COCO_17
    ordered = sorted(set(labels) | set(names), key=natural_key)
    rows = {name: row for row, name in enumerate(ordered)}
    return make(keypoints, ordered, [rows[n] for n in names], points or np.zeros((0, len(keypoints), 3)),
                boxes=[_box(p, where) for p in people], scores=_scores(people, where), ids=_ids(people, names, where),
                every_frame=every_frame)


def _with_face(values: Any) -> Any:
    """Put an unseen face into the points of body and hands alone."""
    if not isinstance(values, list) or len(values) != 3 * FACELESS:
        return values
    return values[: 3 * BODY] + [0.0] * (3 * FACE) + values[3 * BODY :]


def _ids(people: list[dict], names: list[str], where: str) -> list[int]:
    """Return the ids; none where AlphaPose did not track.

    Without its tracker it writes 0 for everybody, each in a list ([0.0]). Where it merged several boxes into one person, the
    list has the ids of all, and the lowest counts, as where AlphaPose draws them.
    """
    ids = [_lowest(p.get("idx"), where) for p in people]
    if set(ids) == {0}:
        twice = len(set(names)) < len(names)
        if twice or any(isinstance(p.get("idx"), list) for p in people):
            return [NO_ID] * len(ids)
    return ids


def _lowest(value: Any, where: str) -> int:
    if not isinstance(value, list):
        return person_id(value, where)
    known = [found for found in (_lowest(part, where) for part in value) if found != NO_ID]
    return min(known, default=NO_ID)


def _box(person: dict, where: str) -> list[float]:
    """Return x0, y0, x1, y1 from x, y, w, h; NaN where there is none."""
    box = person.get("box", person.get("bbox"))
    if box is None:
        return [np.nan] * 4
    x, y, w, h = _four(box, where)
    return [x, y, x + w, y + h]


def _four(box: Any, where: str) -> np.ndarray:
    found = numbers(box, where, "a box")
    if found.shape != (4,):
        raise InputError(f"Expected x, y, w, h of a box in {where}, but got {found.size} numbers.")
    return found


def _scores(people: list[dict], where: str) -> np.ndarray:
    """Return the scores; NaN, for scores made of the keypoints' own, where one is missing or they go beyond 1.

    AlphaPose adds up several confidences (to 6 in its first versions), which is no probability.
    """
    given = [p.get("score", p.get("scores")) for p in people]
    found = np.array([np.nan if g is None else np.nan if isinstance(g, list) else number(g, where, "a score") for g in given])
    return np.full(len(found), np.nan) if (found > 1).any() else found


def _from_frames(content: dict, where: str) -> Poses:
    """Read {frame name: an OpenPose frame}, as `--format open` and `cmu` write."""
    names = sorted(map(str, content), key=natural_key)
    keypoints, points, frame, ids = None, [], [], []
    for row, name in enumerate(names):
        people = content[name].get("people", content[name].get("bodies"))
        if not isinstance(people, list):
            raise InputError(f"Expected people or bodies of each frame in {where}, but {name[:40]} has "
                             f"{keys(content[name])}. Name alphapose-results.json.")
        found, here, who = openpose.read_people(people, where)
        if found is not None:
            keypoints = one_set(keypoints, found, where)
            points.append(openpose.with_neck_of_shoulders(here, found))
            frame += [row] * len(here)
            ids += who
    keypoints = keypoints or openpose.COCO_18
    stacked = np.concatenate(points) if points else np.zeros((0, len(keypoints), 3))
    return make(keypoints, names, frame, stacked, ids=ids)


def write(path: Path | str, tracks, keypoints: Keypoints | None = None) -> None:
    """Write the list, a row a sighting in the order of frames and people: image_id N.jpg from 0, idx the person's number."""
    rows = []
    for track in tracks.people:
        target = keypoints or output_set(track.keypoints)
        points = converted(track.keypoints_px, track.keypoints, target)
        for row in np.flatnonzero(track.seen):
            box = track.boxes_px[row].astype(np.float32)
            rows.append((int(track.frame_ids[row]), track.person, {
                "image_id": f"{int(track.frame_ids[row])}.jpg", "category_id": 1,
                "keypoints": plain_numbers(points[row].reshape(-1)),
                "score": plain_numbers(np.float32([points[row, :, 2].mean()]))[0],
                "box": plain_numbers(np.concatenate([box[:2], box[2:] - box[:2]])), "idx": track.person}))
    rows.sort(key=lambda entry: entry[:2])
    Path(path).write_text(json.dumps([entry for *_, entry in rows], separators=(",", ":")) + "\n", encoding="utf-8")


def write_poseflow(path: Path | str, tracks, keypoints: Keypoints | None = None) -> None:
    """Write PoseFlow's dict: N.jpg of every frame from 0, with keypoints, scores and idx (the person's number)."""
    frames: dict[int, list[dict]] = {int(i): [] for i in tracks.frame_ids}
    for track in tracks.people:
        points = converted(track.keypoints_px, track.keypoints, keypoints or output_set(track.keypoints))
        for row in np.flatnonzero(track.seen):
            frames[int(track.frame_ids[row])].append({
                "keypoints": plain_numbers(points[row].reshape(-1)),
                "scores": plain_numbers(np.float32([points[row, :, 2].mean()]))[0], "idx": track.person})
    named = {f"{number}.jpg": people for number, people in frames.items()}
    Path(path).write_text(json.dumps(named, separators=(",", ":")) + "\n", encoding="utf-8")


def output_set(source: Keypoints) -> Keypoints:
    """Return the set to write: the source's own where AlphaPose has it, Halpe-26 where it shows heels, else COCO-17."""
    if source in SETS.values():
        return source
    return HALPE_26 if "left_heel" in source.names else COCO_17
