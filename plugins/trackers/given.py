"""Trackers that take somebody else's word for who is who: the ids of the detections' file, or boxes of MOT text."""

from __future__ import annotations

import numpy as np

import mrs

_UNDO = "Put left and right back where the detector exchanged them."


class FileTracker:
    """Keep the ids that the detections' file gives."""

    name = "file"
    progress = None

    class Options:
        min_frames: int = mrs.option(4, "Leave out people seen in fewer frames.", min=1)
        undo_swaps: bool = mrs.option(True, _UNDO)

    @staticmethod
    def suits(detections) -> bool:
        """Say whether the file gives everybody an id."""
        return detections.ids_given

    def link(self, video, detections):
        """Return one track an id; of two people with one id in a frame the better scored stays."""
        from mrs.errors import UsageError

        if not detections.ids_given and any(len(p) for p in detections.people):
            raise UsageError("Expected a file that says of everybody who it is, but this one does not. Type: --tracker oks")
        found: dict[int, list[tuple[int, int]]] = {}
        for row, people in enumerate(detections.people):
            for pick in _best_of_each(people):
                found.setdefault(int(people.lanes[pick]), []).append((row, pick))
        return _tracks(self, video, detections, found)


class MotTracker:
    """Take ids from boxes of MOT text, by overlap with the people of whatever detector."""

    name = "mot:"
    takes = "FILE"
    needs = ("scipy",)
    progress = None

    class Options:
        source: str | None = mrs.option(None, "The file; --tracker mot:PATH sets it.")
        min_iou: float = mrs.option(0.3, "Least overlap of a person's box with one of the file.", min=0, max=1)
        min_frames: int = mrs.option(4, "Leave out people seen in fewer frames.", min=1)
        undo_swaps: bool = mrs.option(True, _UNDO)

    def link(self, video, detections):
        """Return one track an id of the file; people without a box there are left out."""
        from mrs import similarity
        from mrs.formats.pose2d import mot, read_bytes

        poses = mot.read(read_bytes(self.options.source, "MOT text"), self.options.source)
        for note in poses.notes:
            video.warnings.append(f"{self.options.source}: {note}")
        by_frame: dict[int, list[int]] = {}
        for sighting, label in enumerate(poses.frame):
            by_frame.setdefault(int(poses.labels[label]) - poses.first, []).append(sighting)
        found: dict[int, list[tuple[int, int]]] = {}
        for row, (frame, people) in enumerate(zip(detections.frame_ids, detections.people, strict=True)):
            rows = np.array([r for r in by_frame.get(int(frame), ()) if poses.ids[r] >= 0], int)
            if not len(rows) or not len(people):
                continue
            overlap = similarity.iou(people.boxes_px[:, None], poses.boxes[rows][None])
            for pick, box in _matched(overlap, self.options.min_iou):
                found.setdefault(int(poses.ids[rows[box]]), []).append((row, pick))
        return _tracks(self, video, detections, {n: _first_a_frame(s) for n, s in found.items()})


def _best_of_each(people) -> list[int]:
    """Return one person (N) of each id, the better scored one, in order."""
    best: dict[int, int] = {}
    for pick in np.argsort(-np.asarray(people.scores), kind="stable"):
        best.setdefault(int(people.lanes[pick]), int(pick))
    return sorted(best.values())


def _matched(overlap: np.ndarray, least: float) -> list[tuple[int, int]]:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if overlap[a, b] > least]


def _first_a_frame(sightings: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep the first of several sightings in one frame (an id that the file has twice there)."""
    return [s for i, s in enumerate(sightings) if i == 0 or s[0] != sightings[i - 1][0]]


def _tracks(tracker, video, detections, found: dict[int, list[tuple[int, int]]]):
    """Make the tracks of {id: (row, pick) of each sighting}, with the ids as they are."""
    from dataclasses import asdict

    from mrs.tracks import Tracks

    least = tracker.options.min_frames
    kept = {n: s for n, s in sorted(found.items()) if len(s) >= least and _any_point(s, detections)}
    made = {n: _track(n, s, detections, tracker.options.undo_swaps) for n, s in kept.items()}
    left_out = [s for n, s in found.items() if n not in kept]
    step = {"stage": "tracker", "plugin": tracker.name, "version": mrs.__version__, "options": asdict(tracker.options),
            "left_out": len(left_out), "longest_left_out_s": 0.0, "least_frames": least,
            "most_frames_left_out": max(map(len, left_out), default=0),
            "swapped_frames": {str(n): swapped for n, (_, swapped) in made.items()}}
    return Tracks(tuple(track for track, _ in made.values()), tuple(int(v) for v in video.size_px),
                  np.array(detections.frame_ids), np.array(detections.times_s, float), (step,))


def _any_point(sightings, detections) -> bool:
    return any((detections.people[row].keypoints_px[pick, :, 2] > 0).any() for row, pick in sightings)


def _track(number: int, sightings, detections, undo: bool):
    from mrs import similarity
    from mrs.track_fill import fill
    from mrs.track_swaps import find_swaps, undo_swaps

    keypoints, rows = detections.keypoints, np.array([row for row, _ in sightings])
    seen = {}
    for name in ("keypoints_px", "boxes_px", "keypoints3d_m", "masks", "mask_to_px"):
        values = [getattr(detections.people[row], name) for row in rows]
        whole = all(v is not None for v in values)
        seen[name] = np.stack([v[pick] for v, (_, pick) in zip(values, sightings, strict=True)]) if whole else None
    states = np.zeros(len(rows), int)
    if undo:
        heights = similarity.heights(seen["boxes_px"])
        states = find_swaps(keypoints, seen["keypoints_px"], heights, detections.times_s[rows])
        for name in ("keypoints_px", "keypoints3d_m"):
            seen[name] = None if seen[name] is None else undo_swaps(keypoints, seen[name], states)
    track = fill(number, keypoints, np.asarray(detections.frame_ids), np.asarray(detections.times_s, float), rows, seen)
    return track, int((states > 0).sum())


@mrs.hookimpl
def register_trackers(register):
    """Register both."""
    register(FileTracker)
    register(MotTracker)
