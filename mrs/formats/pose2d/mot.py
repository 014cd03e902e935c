"""MOTChallenge text: frame (from 1), id, x, y, w, h, confidence, ...: boxes over time, without keypoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrs.errors import InputError
from mrs.formats.pose2d import LARGEST_ID, NO_ID, Poses

LAST_FRAME = 10**8
TRUTH_COLUMNS, PEDESTRIAN, CLASSES = 9, 1, 14


def read(data: bytes, where: str) -> Poses:
    """Read rows with commas or blanks between; ids below 0 are none, confidences below 0 are 1.

    Frames count from 1, or from 0 where one is 0 (ByteTrack's demo). Of a ground truth since MOT16 those rows are read that
    count: people on foot.
    """
    rows = []
    for count, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        parts = line.replace(",", " ").split()
        if not parts or parts[0].startswith("#"):
            continue
        try:
            values = [float(p) for p in parts[:TRUTH_COLUMNS]]
        except ValueError:
            raise InputError(f"Expected frame,id,x,y,w,h,confidence in {where}, but line {count} is '{line[:40]}'.") from None
        if len(values) < 6:
            raise InputError(f"Expected at least six numbers a line in {where}, but line {count} has {len(values)}.")
        rows.append([*values, *[1.0, np.nan, np.nan][len(values) - 6 :], float(len(parts))])
    table = np.array(rows, float).reshape(-1, TRUTH_COLUMNS + 1)
    counted = _counted(table)
    left_out = int((~counted).sum())
    notes = (f"{left_out} boxes that MOT's ground truth does not count (not of people on foot) are left out.",) if left_out else ()
    return _poses(table[counted, :7], where, notes)


def _counted(table: np.ndarray) -> np.ndarray:
    """Which rows are to be read: of a ground truth those with the flag 1 and the class of pedestrians, else all.

    It has nine columns, of which the last three are flag, class (1 to 13) and visibility (0 to 1).
    """
    flag, kind, visible = table[:, 6], table[:, 7], table[:, 8]
    with np.errstate(invalid="ignore"):
        truth = (table[:, 9] == TRUTH_COLUMNS) & np.isin(flag, (0, 1)) & np.isin(kind, range(1, CLASSES)) & (visible >= 0) & (visible <= 1)
    if not (len(table) and truth.all()):
        return np.ones(len(table), bool)
    return (flag == 1) & (kind == PEDESTRIAN)


def _poses(table: np.ndarray, where: str, notes: tuple[str, ...]) -> Poses:
    frame, ids, box, sure = table[:, 0], table[:, 1], table[:, 2:6], table[:, 6]
    if not (np.isfinite(table).all() and (np.abs(table[:, 2:6]) < 1e7).all()):
        raise InputError(f"Expected numbers of a picture in {where}, but got NaN, infinity or something out of any picture.")
    if ((frame < 0) | (frame > LAST_FRAME) | (frame % 1 != 0)).any():
        raise InputError(f"Expected frames in {where} to be counted from 1 or 0, but got {frame.min():g} to {frame.max():g}.")
    if ((ids % 1 != 0) | (ids > LARGEST_ID)).any():
        raise InputError(f"Expected whole numbers as ids in {where}, but got others.")
    numbers, rows = np.unique(frame.astype(int), return_inverse=True)
    boxes = np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], 1).astype(np.float32)
    count = len(table)
    return Poses(None, tuple(map(str, numbers)), rows.reshape(count), np.zeros((count, 0, 3), np.float32), boxes,
                 np.where(sure < 0, 1, np.minimum(sure, 1)).astype(np.float32), np.maximum(ids, NO_ID).astype(np.int64),
                 first=0 if (frame == 0).any() else 1, notes=notes)


def write(path: Path | str, tracks) -> None:
    """Write a row a sighting: frame from 1, the person's number, box, mean confidence, and -1 for what there is no world of."""
    lines = []
    for track in tracks.people:
        for row in np.flatnonzero(track.seen):
            box = track.boxes_px[row].astype(np.float32)
            sure = float(track.keypoints_px[row, :, 2].mean())
            values = ",".join(str(v) for v in (box[0], box[1], box[2] - box[0], box[3] - box[1]))
            lines.append((int(track.frame_ids[row]), track.person,
                          f"{int(track.frame_ids[row]) + 1},{track.person},{values},{sure:.6g},-1,-1,-1"))
    lines.sort(key=lambda entry: entry[:2])
    Path(path).write_text("".join(f"{text}\n" for *_, text in lines), encoding="utf-8")
