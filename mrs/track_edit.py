"""Edits of tracks by hand, and the choice of people. Every edit returns new Tracks with one more history entry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mrs.errors import NoPersonError, UsageError
from mrs.track_fill import arrays_of, fill, refill
from mrs.tracks import Track, Tracks

RULES = ("largest", "longest", "center", "all")


def merge(tracks: Tracks, persons, overlap: str = "refuse") -> Tracks:
    """Join several people into the first one named.

    Frames in which two of them are seen are refused, or with ``overlap="best"`` the sighting with the higher mean
    confidence wins, frame by frame, and the earlier named person where both are equal.
    """
    if overlap not in ("refuse", "best"):
        raise UsageError(f"Expected overlap to be refuse or best, but got '{overlap}'.")
    persons = [int(p) for p in persons]
    parts = [_person(tracks, p) for p in persons]
    if len(set(persons)) < 2 or len(set(persons)) < len(persons):
        raise UsageError(f"Expected two or more different people to merge, but got {_listed(persons)}.")
    if len({part.keypoints.name for part in parts}) > 1:
        raise UsageError(f"Expected people of one keypoint set, but {_listed(persons)} have different ones.")
    if overlap == "refuse":
        _refuse_overlap(parts)
    rows, owner, at = _winners(tracks, parts)
    joined = _compose(tracks, parts[0].person, parts, rows, owner, at)
    others = [t for t in tracks.people if t.person not in persons]
    return _edited(tracks, [*others, joined], "merge", persons=persons, overlap=overlap)


def split(tracks: Tracks, person: int, at_s: float) -> Tracks:
    """Cut a person in two: frames before `at_s` keep the id, the others get the next free one."""
    track = _person(tracks, person)
    late = track.times_s >= at_s
    if not (track.seen & late).any() or not (track.seen & ~late).any():
        seen_s = track.times_s[track.seen]
        raise UsageError(f"Expected a time after {seen_s[0]:.3f} s and up to {seen_s[-1]:.3f} s, "
                         f"between which person {person} is seen, but got {at_s:.3f}.")
    new = max(t.person for t in tracks.people) + 1
    parts = [refill(track, track.seen & side, tracks.frame_ids, tracks.times_s, number)
             for side, number in ((~late, track.person), (late, new))]
    others = [t for t in tracks.people if t.person != track.person]
    return _edited(tracks, [*others, *parts], "split", person=track.person, at_s=float(at_s), new_person=new)


def swap(tracks: Tracks, a: int, b: int, from_s: float | None = None, to_s: float | None = None) -> Tracks:
    """Exchange what two people do from one time to another, both included; without times, everywhere."""
    pair = [_person(tracks, a), _person(tracks, b)]
    if pair[0] is pair[1]:
        raise UsageError(f"Expected two different people to swap, but got {a} twice.")
    if pair[0].keypoints.name != pair[1].keypoints.name:
        raise UsageError(f"Expected people of one keypoint set, but {a} and {b} have different ones.")
    start = -np.inf if from_s is None else float(from_s)
    end = np.inf if to_s is None else float(to_s)
    inside = [t.seen & (t.times_s >= start) & (t.times_s <= end) for t in pair]
    if not inside[0].any() and not inside[1].any():
        first = min(t.times_s[t.seen][0] for t in pair)
        last = max(t.times_s[t.seen][-1] for t in pair)
        raise UsageError(f"Expected times between {first:.3f} and {last:.3f} s with person {a} or {b} in sight, "
                         f"but got {_time(from_s)} to {_time(to_s)}.")
    swapped = []
    for keeps, takes in ((0, 1), (1, 0)):
        parts = [pair[keeps].at(pair[keeps].seen & ~inside[keeps]), pair[takes].at(inside[takes])]
        if not len(parts[0]) and not len(parts[1]):
            raise UsageError(f"Nothing would be left of person {pair[keeps].person}. "
                             f"Type: mrs tracks merge RUN {pair[takes].person} {pair[keeps].person}")
        rows, owner, at = _winners(tracks, parts)
        swapped.append(_compose(tracks, pair[keeps].person, parts, rows, owner, at))
    others = [t for t in tracks.people if t.person not in (a, b)]
    return _edited(tracks, [*others, *swapped], "swap", persons=[int(a), int(b)], from_s=from_s, to_s=to_s)


def drop(tracks: Tracks, persons) -> Tracks:
    """Leave some people out; somebody has to stay."""
    persons = sorted({_person(tracks, p).person for p in persons})
    left = [t for t in tracks.people if t.person not in persons]
    if not persons or not left:
        raise UsageError(f"Expected people to drop so that somebody stays, but got {_listed(persons)} "
                         f"out of {_listed(t.person for t in tracks.people)}.")
    return _edited(tracks, left, "drop", persons=persons)


def choose(tracks: Tracks, rule: str | int) -> Tracks:
    """Return the people that ``--person`` names; of equals the lower id.

    ``largest`` has the greatest median height over the frames that show it, ``longest`` is seen for the most time,
    ``center`` is on average nearest to the picture's centre, ``all`` takes everybody; otherwise ids, such as ``1,3``.
    """
    if not tracks.people:
        raise NoPersonError("Expected somebody to choose from, but these tracks hold nobody.")
    rule = str(rule).strip()
    if rule == "all":
        return tracks
    if rule in RULES:
        return replace(tracks, people=(_best(tracks, rule),))
    try:
        wanted = {int(part) for part in rule.split(",")}
    except ValueError:
        raise UsageError(f"Expected a person as {', '.join(RULES)} or ids such as 1,3, but got '{rule}'. "
                         f"There is {_known(tracks)}.") from None
    for number in sorted(wanted):
        _person(tracks, number)
    return replace(tracks, people=tuple(t for t in tracks.people if t.person in wanted))


def seen_s(track: Track) -> float:
    """Return for how long a person is seen: each sighting lasts until the next frame."""
    if len(track) < 2:
        return 0.0
    steps = np.diff(track.times_s)
    return float(np.append(steps, np.median(steps))[track.seen].sum())


def summary(tracks: Tracks) -> list[dict]:
    """Describe everybody: what ``mrs tracks show`` prints."""
    return [_describe(track) for track in tracks.people]


def _describe(track: Track) -> dict:
    seen = track.seen
    confidence = track.keypoints_px[seen, :, 2]
    return {
        "person": track.person, "first_s": float(track.times_s[0]), "last_s": float(track.times_s[-1]),
        "frames": len(track), "seen_percent": float(100 * seen.mean()),
        "mean_confidence": float(confidence.mean()) if seen.any() else 0.0,
        "median_height_px": float(np.median(track.heights_px()[seen])) if seen.any() else 0.0,
    }


def _best(tracks: Tracks, rule: str) -> Track:
    if rule == "largest":
        return max(tracks.people, key=lambda t: (_describe(t)["median_height_px"], -t.person))
    if rule == "longest":
        return max(tracks.people, key=lambda t: (seen_s(t), -t.person))
    return min(tracks.people, key=lambda t: (_from_centre(t, tracks.size_px), t.person))


def _from_centre(track: Track, size_px) -> float:
    """Return the mean distance of the box's centre from the picture's, in pixels, over the frames that show it."""
    boxes = track.boxes_px[track.seen]
    if not len(boxes):
        return float("inf")
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return float(np.linalg.norm(centres - np.array(size_px) / 2, axis=1).mean())


def _person(tracks: Tracks, number) -> Track:
    for track in tracks.people:
        if track.person == number:
            return track
    raise UsageError(f"Expected a person's id, but got {number}. There is {_known(tracks)}.")


def _known(tracks: Tracks) -> str:
    """Word who there is, with the times, so that the right id can be picked at once."""
    entries = [f"{t.person} ({t.times_s[0]:.1f} to {t.times_s[-1]:.1f} s)" for t in tracks.people]
    return "person " + ", ".join(entries) if entries else "nobody"


def _listed(persons) -> str:
    return ", ".join(str(p) for p in persons) or "none"


def _time(value: float | None) -> str:
    return "the edge" if value is None else f"{value:.3f}"


def _refuse_overlap(parts: list[Track]) -> None:
    for i, first in enumerate(parts):
        for second in parts[i + 1:]:
            both = np.intersect1d(first.frame_ids[first.seen], second.frame_ids[second.seen])
            if len(both):
                times = first.times_s[np.isin(first.frame_ids, both)]
                raise UsageError(
                    f"Person {first.person} and {second.person} are seen at the same time in {len(both)} frames from "
                    f"{times[0]:.3f} to {times[-1]:.3f} s. To keep the better sighting of each frame, type: "
                    f"mrs tracks merge RUN {first.person} {second.person} --overlap best")


def _winners(tracks: Tracks, parts: list[Track]):
    """Return for each frame with a sighting its row in the video, the part that shows it best, and the row there."""
    best = np.zeros(len(tracks.frame_ids))
    owner = np.full(len(best), -1)
    at = np.zeros(len(best), int)
    for number, part in enumerate(parts):
        here = np.flatnonzero(part.seen)
        rows = np.searchsorted(tracks.frame_ids, part.frame_ids[here])
        score = part.keypoints_px[here, :, 2].mean(-1)
        wins = score > best[rows]
        best[rows[wins]], owner[rows[wins]], at[rows[wins]] = score[wins], number, here[wins]
    rows = np.flatnonzero(owner >= 0)
    return rows, owner[rows], at[rows]


def _compose(tracks: Tracks, person: int, parts: list[Track], rows, owner, at) -> Track:
    """Make a track whose sighting in row `rows[i]` of the video is row `at[i]` of part `owner[i]`."""
    sources: list[dict[str, Any]] = [arrays_of(part) for part in parts]
    sightings: dict[str, Any] = {}
    for name in sources[0]:
        values = [source[name] for source in sources]
        if any(value is None for value in values):
            sightings[name] = None
            continue
        sightings[name] = np.zeros((len(rows), *values[0].shape[1:]), np.result_type(*values))
        for number, value in enumerate(values):
            sightings[name][owner == number] = value[at[owner == number]]
    return fill(person, parts[0].keypoints, tracks.frame_ids, tracks.times_s, rows, sightings)


def _edited(tracks: Tracks, people: list[Track], operation: str, **arguments) -> Tracks:
    step = {"stage": "tracks", "plugin": "edit", "operation": operation, **arguments}
    ordered = tuple(sorted(people, key=lambda t: t.person))
    return replace(tracks, people=ordered, history=(*tracks.history, step))
