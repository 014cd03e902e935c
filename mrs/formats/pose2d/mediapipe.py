"""MediaPipe's 33 landmarks in a simple JSON or CSV, which docs/poses2d.md describes (MediaPipe has no file of its own)."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError
from mrs.formats.pose2d import NO_ID, Poses, converted, make, numbers, parse_json, person_id, plain_numbers, shown
from mrs.formats.pose2d.frames import natural_key
from mrs.skeletons import BLAZEPOSE_33

POINTS = len(BLAZEPOSE_33)
PART_OF_PICTURE = 4.0
"""Landmarks may lie outside the picture; with half of all seen ones beyond this many widths they are pixels."""
FRAME = ("frame", "frame_id", "frame_number", "frame_index", "frameindex")
_CAMEL = {"landmarks": "pose_landmarks", "poseLandmarks": "pose_landmarks", "worldLandmarks": "pose_world_landmarks",
          "world_landmarks": "pose_world_landmarks", "poseWorldLandmarks": "pose_world_landmarks", "frame_id": "frame",
          "frame_number": "frame", "frame_index": "frame", "frameIndex": "frame"}


def read(data: bytes, where: str) -> Poses:
    """Read JSON or CSV, told apart by the first character."""
    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return _json(data, where) if head in (b"[", b"{") else _csv(data, where)


def _json(data: bytes, where: str) -> Poses:
    content = parse_json(data.removeprefix(b"\xef\xbb\xbf"), where)
    unit = content.get("unit") if isinstance(content, dict) else None
    frames = _listed(content)
    if not isinstance(frames, list):
        raise InputError(f"Expected frames with pose_landmarks in {where}, but got {shown(content)}. See docs/poses2d.md.")
    labels, rows, points, world, ids = [], [], [], [], []
    for entry in frames:
        entry = entry if isinstance(entry, dict) and "landmark" not in entry else {"pose_landmarks": entry}
        entry = {_CAMEL.get(key, key): value for key, value in entry.items()}
        labels.append(str(entry.get("frame", len(labels))))
        people = _people(entry.get("pose_landmarks"), where)
        deep = _people(entry.get("pose_world_landmarks"), where)
        if deep and len(deep) != len(people):
            raise InputError(f"Expected world landmarks of as many people as landmarks in {where}, but frame "
                             f"{labels[-1][:20]} has {len(deep)} and {len(people)}.")
        who = entry.get("ids") if isinstance(entry.get("ids"), list) else []
        rows += [len(labels) - 1] * len(people)
        points += people
        world += deep or [None] * len(people)
        ids += [person_id(who[i], where) if i < len(who) else NO_ID for i in range(len(people))]
    if len(set(labels)) != len(labels):
        raise InputError(f"Expected each frame in {where} once, but some come twice.")
    return _poses(labels, rows, points, world, ids, unit, where)


def _listed(content: Any) -> Any:
    """Return the list of frames: as it is, under `frames`, or of a dict of frames by number."""
    if not isinstance(content, dict):
        return content
    if "frames" in content:
        content = content["frames"]
    if not isinstance(content, dict):
        return content
    if not content or not all(str(key).isdecimal() for key in content):
        return None
    return [{**(value if isinstance(value, dict) and "landmark" not in value else {"pose_landmarks": value}), "frame": key}
            for key, value in content.items()]


def _people(value: Any, where: str) -> list[np.ndarray]:
    """Read landmarks (33, 4) x, y, z, visibility of the people of a frame: one list of landmarks, or a list of such lists.

    A list may stand under `landmark`, as MessageToDict writes MediaPipe's own messages.
    """
    if isinstance(value, dict):
        value = value.get("landmark", value)
    if isinstance(value, list):
        value = [part["landmark"] if isinstance(part, dict) and "landmark" in part else part for part in value]
    if not value:
        return []
    if not isinstance(value, list):
        raise InputError(f"Expected a list of landmarks in {where}, but got {shown(value)}.")
    several = isinstance(value[0], list) and value[0] and isinstance(value[0][0], list | dict)
    return [_landmarks(person, where) for person in (value if several else [value])]


def _landmarks(person: Any, where: str) -> np.ndarray:
    if not isinstance(person, list) or len(person) != POINTS:
        count = len(person) if isinstance(person, list) else shown(person)
        raise InputError(f"Expected {POINTS} landmarks of each person in {where}, but got {count}.")
    if all(isinstance(p, dict) for p in person):
        person = [[p.get("x"), p.get("y"), p.get("z", 0.0), p.get("visibility", 1.0)] for p in person]
    found = numbers(person, where, "landmarks")
    if found.ndim != 2 or found.shape[1] not in (2, 3, 4):
        raise InputError(f"Expected x, y, z, visibility of each landmark in {where}, but got an array of "
                         f"{'x'.join(map(str, found.shape))}.")
    if found.shape[1] < 4:
        rest = [[0.0, 1.0], [1.0]][found.shape[1] - 2]
        found = np.concatenate([found, np.tile(np.float32(rest), (POINTS, 1))], 1)
    return found


def _poses(labels, rows, points, world, ids, unit, where: str) -> Poses:
    if unit not in (None, "normalised", "normalized", "px", "pixels"):
        raise InputError(f"Expected unit in {where} to be normalised or px, but got {shown(unit)}.")
    stacked = np.stack(points)[..., [0, 1, 3]] if points else np.zeros((0, POINTS, 3), np.float32)
    deep = None
    if world and all(w is not None for w in world):
        deep = np.nan_to_num(np.stack(world)[..., :3], nan=0.0, posinf=0.0, neginf=0.0).clip(-100, 100)
    xy = stacked[..., :2][np.isfinite(stacked).all(-1) & (stacked[..., 2] > 0)]
    parts = unit.startswith("norm") if unit else not len(xy) or bool(np.median(np.abs(xy).max(-1)) <= PART_OF_PICTURE)
    order = sorted(range(len(labels)), key=lambda i: natural_key(labels[i]))
    place = {old: new for new, old in enumerate(order)}
    return make(BLAZEPOSE_33, [labels[i] for i in order], [place[r] for r in rows], stacked, ids=ids, points3d_m=deep,
                every_frame=True, normalised=parts)


def _csv(data: bytes, where: str) -> Poses:
    """Read a row a person and frame (a row a frame, where it has no number): NAME_x, _y, _visibility, optional _world_x, _y, _z."""
    try:
        table = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Expected a CSV of landmarks in {where}, but it can't be read: {error}.") from None
    header = [c.strip().lower() for c in table[0]] if table else []
    columns = {name: i for i, name in reversed(list(enumerate(_from_zero(header))))}
    picks = _columns(columns, ("x", "y", "visibility"))
    if picks is None:
        raise InputError(f"Expected columns frame, nose_x, nose_y, nose_visibility, ... (or x0, y0, v0, ...) in {where}, but "
                         f"got {shown(', '.join(header[:4]))[1:-1] or 'nothing'}. See docs/poses2d.md.")
    deep, frame = _columns(columns, ("world_x", "world_y", "world_z")), next((columns[n] for n in FRAME if n in columns), None)
    labels: dict[str, int] = {}
    rows, points, world, ids = [], [], [], []
    for line in filter(None, table[1:]):
        if len(line) != len(header):
            raise InputError(f"Expected {len(header)} values in each row of {where}, but got {len(line)}.")
        row = labels.setdefault(line[frame].strip() if frame is not None else str(len(labels)), len(labels))
        here = _cells(line, picks, where)
        if not np.isfinite(here[:, :2]).any():
            continue
        rows.append(row)
        points.append(np.insert(here, 2, 0.0, axis=1))
        world.append(None if deep is None else _cells(line, deep, where))
        ids.append(person_id(line[columns["person"]], where) if "person" in columns else NO_ID)
    return _poses(list(labels), rows, points, world, ids, None, where)


def _cells(line: list[str], picks: np.ndarray, where: str) -> np.ndarray:
    """Read the numbers of some cells of a row; NaN for an empty one."""
    return numbers([line[i].strip() or "nan" for i in picks.ravel()], where, "landmarks").reshape(picks.shape)


def _from_zero(header: list[str]) -> list[str]:
    """Return names of columns with landmarks counted from 0, where they are counted from 1 (x1 to x33)."""
    numbered = [re.fullmatch(r"([a-z_]+?)_?([0-9]{1,3})", name) for name in header]
    if not any(m and int(m[2]) == POINTS for m in numbered) or any(m and int(m[2]) == 0 for m in numbered):
        return header
    return [f"{m[1]}{int(m[2]) - 1}" if m else name for m, name in zip(numbered, header, strict=True)]


def _columns(columns: dict[str, int], parts: tuple[str, ...]) -> np.ndarray | None:
    """Return the columns (33, 3) of some parts of every landmark, by its name or its number; None where any is missing."""
    short = {"visibility": "v"}
    table = []
    for row, name in enumerate(BLAZEPOSE_33.names):
        found = [next((columns[c] for c in (f"{name}_{p}", f"{short.get(p, p)}{row}", f"{row}_{p}", f"{p}{row}") if c in columns), None)
                 for p in parts]
        if None in found:
            return None
        table.append(found)
    return np.array(table)


def write(path: Path | str, tracks) -> None:
    """Write JSON in pixels: of every frame its number, the people's ids and landmarks, and world landmarks where all have them."""
    deep = bool(tracks.people) and all(t.keypoints3d_m is not None and t.keypoints is BLAZEPOSE_33 for t in tracks.people)
    frames: dict[int, dict] = {int(i): {"frame": int(i), "ids": [], "pose_landmarks": []} for i in tracks.frame_ids}
    for track in tracks.people:
        points = converted(track.keypoints_px, track.keypoints, BLAZEPOSE_33)
        for row in np.flatnonzero(track.seen):
            entry = frames[int(track.frame_ids[row])]
            entry["ids"].append(track.person)
            flat = np.insert(points[row], 2, 0, axis=1)
            entry["pose_landmarks"].append(_dicts(flat))
            if deep:
                world = np.concatenate([track.keypoints3d_m[row], points[row, :, 2:]], 1)
                entry.setdefault("pose_world_landmarks", []).append(_dicts(world))
    content = {"unit": "px", "frames": list(frames.values())}
    Path(path).write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def _dicts(rows: np.ndarray) -> list[dict]:
    """Return landmarks (33, 4) as MediaPipe names them."""
    return [dict(zip(("x", "y", "z", "visibility"), row, strict=True)) for row in plain_numbers(np.float32(rows))]
