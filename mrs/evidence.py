"""What a person's evidence can't tell: bad numbers taken out, and doubts in words for the report."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mrs.motion import Motion
from mrs.tracks import Detections, People, Track, Tracks

SEEN = 0.1
NEAR_M = 1.5
UNSEEN = "No keypoint was seen: the lifted motion is smoothed without evidence."
FEET = ("ankle", "heel", "toe", "foot_index")
APART_S = 1e-4
USUAL_S = 1 / 30


@dataclass(frozen=True)
class Usable:
    """Evidence and motion that an optimiser stands: finite, times that grow; `told` says what was done instead, in words."""

    track: Track | None
    motion: Motion
    told: tuple[str, ...]


def usable(track: Track | None, motion: Motion) -> Usable:
    """Take out what is no number, spread frames that share a time, and leave out a track that saw nothing."""
    told = []
    if track is not None:
        track, bad = cleaned_track(track)
        told += [_told(f"Person {track.person}", bad)] if bad else []
        if not (track.keypoints_px[..., 2] > 0).any():
            track, told = None, [*told, UNSEEN]
    times, moved = grown_times(motion.times_s)
    if moved:
        told.append(f"{moved} frames have no time of their own and are taken as spread evenly between their neighbours.")
        motion = replace(motion, times_s=times)
        track = None if track is None else replace(track, times_s=times)
    return Usable(track, motion, tuple(told))


def grown_times(times_s: np.ndarray) -> tuple[np.ndarray, int]:
    """Times (T,) that grow by APART_S at least, and how many frames were moved; frames 1/30 s apart where nothing tells."""
    times = np.asarray(times_s, float)
    latest = np.maximum.accumulate(times)
    own = np.r_[True, times[1:] > latest[:-1] + APART_S][: len(times)]
    if own.all():
        return times_s, 0
    rows, kept = np.arange(len(times)), np.flatnonzero(own)
    step = np.median(np.diff(times[kept]) / np.diff(kept)) if len(kept) > 1 else USUAL_S
    out = np.interp(rows, kept, times[kept])
    out[kept[-1] :] = times[kept[-1]] + step * (rows[kept[-1] :] - kept[-1])
    return out, int((~own).sum())


def cleaned_track(track: Track) -> tuple[Track, int]:
    """Take keypoints that are not numbers for unseen, and lead boxes over from their neighbours; return also how many."""
    points, bad = _finite_points(track.keypoints_px)
    boxes = track.boxes_px
    broken = ~np.isfinite(boxes).all(-1)
    if broken.any():
        boxes = _boxes_from_neighbours(boxes, broken, points)
    depths = track.keypoints3d_m
    if depths is not None and not np.isfinite(depths).all():
        lost = ~np.isfinite(depths).all(-1)
        depths = np.where(lost[..., None], 0.0, depths)
        points = np.where(lost[..., None] & [False, False, True], 0.0, points)
        bad += int(lost.sum())
    if bad + broken.sum() == 0:
        return track, 0
    return replace(track, keypoints_px=points, boxes_px=boxes, keypoints3d_m=depths), bad + int(broken.sum())


def cleaned_tracks(tracks: Tracks) -> tuple[Tracks, list[str]]:
    """Clean everybody; return also what was found, in words."""
    people, told = [], []
    for track in tracks.people:
        track, bad = cleaned_track(track)
        people.append(track)
        if bad:
            told.append(_told(f"Person {track.person}", bad))
    return (replace(tracks, people=tuple(people)), told) if told else (tracks, [])


def cleaned_detections(found: Detections) -> tuple[Detections, list[str]]:
    """Clean the people of every frame; those without a box are left out."""
    total, people = 0, []
    for seen in found.people:
        points, bad = _finite_points(seen.keypoints_px)
        whole = np.isfinite(seen.boxes_px).all(-1) & np.isfinite(seen.scores)
        total += bad + int((~whole).sum())
        people.append(_pick(replace(seen, keypoints_px=points), whole) if not whole.all() else replace(seen, keypoints_px=points))
    return (replace(found, people=people), [_told("The detector", total)]) if total else (found, [])


def doubts(track: Track | None, motion: Motion) -> list[str]:
    """Say what nobody can know about a motion, and what is done instead."""
    told = []
    if len(motion) == 1:
        told.append("There is one frame: nothing can be smoothed over time.")
    if track is None:
        return told
    confidence = track.keypoints_px[..., 2]
    if not (confidence > SEEN).any():
        return [*told, UNSEEN]
    feet = [row for row, name in enumerate(track.keypoints.names) if name.endswith(FEET)]
    if not feet or not (confidence[:, feet] > SEEN).any():
        told.append("Feet were never seen: where they touch, and how high the ground is, are guesses from the body's pose.")
    if motion.camera is not None and motion.frame == "world":
        nearest = float(motion.camera.to_camera(motion.root_pos_m[:, None])[..., 2].min())
        if nearest < NEAR_M:
            told.append(f"The person comes as near as {max(nearest, 0):.2f} m to the camera, where the picture fixes pose and "
                        "place badly.")
    return told


def told_by(motion: Motion) -> list[str]:
    """List the `warnings` (a list) and the `fallback` (a line) that the last two steps left in the motion's history."""
    out: list[str] = []
    for step in motion.history[-2:]:
        out += [str(line) for line in step.get("warnings", ())] + [str(line) for line in [step.get("fallback")] if line]
    return list(dict.fromkeys(out))


def _finite_points(points: np.ndarray) -> tuple[np.ndarray, int]:
    """Keypoints (..., 3) with zeros for those that are not numbers, and how many."""
    bad = ~np.isfinite(points).all(-1)
    return (np.where(bad[..., None], 0, points).astype(points.dtype), int(bad.sum())) if bad.any() else (points, 0)


def _boxes_from_neighbours(boxes: np.ndarray, broken: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Boxes (T, 4) with straight lines over the broken rows; about the keypoints where no box is whole."""
    rows, whole = np.arange(len(boxes)), np.flatnonzero(~broken)
    if len(whole):
        return np.stack([np.interp(rows, whole, column[whole]) for column in boxes.T], -1).astype(boxes.dtype)
    seen = points[..., 2] > 0
    shown = points[seen][:, :2] if seen.any() else np.zeros((1, 2))
    return np.tile(np.r_[shown.min(0), shown.max(0)], (len(boxes), 1)).astype(boxes.dtype)


def _pick(people: People, rows: np.ndarray) -> People:
    pick = lambda a: None if a is None else a[rows]
    chosen: dict[str, Any] = {f.name: pick(getattr(people, f.name)) for f in fields(people)}
    return People(**chosen)


def _told(who: str, count: int) -> str:
    return f"{who}: {count} keypoints or boxes were not numbers and are taken for unseen."
