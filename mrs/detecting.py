"""Run a detector over a video: streamed, with progress, and saved every few seconds so that it can go on."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mrs import npz
from mrs.errors import InputError, MrsError, PluginError
from mrs.runfolder import write_refusal
from mrs.skeletons import Keypoints, keypoint_set
from mrs.tracks import Detections, People, Tracks

CHECKPOINT_S = 10.0
_ALWAYS = ("keypoints_px", "boxes_px", "scores")
_MAYBE = ("keypoints3d_m", "masks", "mask_to_px", "lanes")


@dataclass
class Seen:
    """What a detector has seen so far: frame ids, times and people, in order."""

    frame_ids: list[int] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    people: list[People] = field(default_factory=list)
    complete: bool = False
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.people)


class Parts:
    """Detections on disk in parts, each with the detector's state after its last frame.

    A part is written once, under the row it starts at. Parts made from something else (another `key`) are removed.
    """

    def __init__(self, folder: Path, key: str):
        self.folder, self.key = folder, key
        folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> tuple[Seen, dict[str, np.ndarray]]:
        """Return what was seen, gapless from row 0, and the detector's state after it."""
        seen, state = Seen(), {}
        for path in sorted(self.folder.glob("*.npz")):
            part = self._read_part(path, len(seen))
            if part is None:
                path.unlink()
                continue
            arrays, meta = part
            seen.frame_ids += arrays["frame_ids"].tolist()
            seen.times_s += arrays["times_s"].tolist()
            seen.people += _unpack(arrays)
            seen.complete, seen.seconds, seen.warnings = meta["complete"], meta["seconds"], meta["warnings"]
            state = {name[6:]: value for name, value in arrays.items() if name.startswith("state/")}
        return seen, state

    def write(self, seen: Seen, first_row: int, state: dict[str, np.ndarray], keypoints: str) -> None:
        """Write the rows from `first_row` on."""
        arrays = {"frame_ids": np.array(seen.frame_ids[first_row:], np.int64),
                  "times_s": np.array(seen.times_s[first_row:], float), **_pack(seen.people[first_row:]),
                  **{f"state/{name}": np.asarray(value) for name, value in state.items()}}
        meta = {"key": self.key, "first_row": first_row, "complete": seen.complete, "seconds": seen.seconds,
                "warnings": seen.warnings, "keypoints": keypoints}
        path = self.folder / f"{first_row:09d}{'e' if seen.complete else ''}.npz"
        try:
            npz.save(path, "detections-part", arrays, meta)
        except OSError as error:
            raise MrsError(write_refusal(path, error)) from error

    def _read_part(self, path: Path, row: int):
        try:
            arrays, meta = npz.load(path, "detections-part")
        except InputError:
            return None
        return (arrays, meta) if meta["key"] == self.key and meta["first_row"] == row else None


def saved_rows(folder: Path) -> int:
    """Count the frames that parts in `folder` hold."""
    last = max(folder.glob("*.npz"), default=None)
    if last is None:
        return 0
    try:
        arrays, meta = npz.load(last, "detections-part")
    except InputError:
        return 0
    return meta["first_row"] + len(arrays["frame_ids"])


def detect(video, detector, parts: Parts, update, every_s: float | None = None) -> tuple[Detections | Tracks, float]:
    """Return what the detector sees, and the seconds it took over all attempts.

    A detector that yields frame by frame and offers get_state and set_state goes on from the last part; any other one
    starts again, unless it had finished. Ctrl-C ends between two frames, after these are saved.
    """
    resumable = hasattr(detector, "get_state") and hasattr(detector, "set_state")
    seen, state = parts.read()
    if seen.complete or (len(seen) and resumable):
        keypoints = keypoint_set(detector.keypoints)
    elif len(seen):
        seen, state = Seen(), {}
    if not seen.complete:
        if len(seen):
            detector.set_state(state)
        start = time.monotonic()
        found = detector.detect(video, first_row=len(seen)) if len(seen) else detector.detect(video)
        if isinstance(found, Detections | Tracks):
            return found, time.monotonic() - start
        if not hasattr(found, "__next__"):
            raise PluginError(f"Expected detector '{detector.name}' to return Detections or Tracks, or to yield "
                              f"(frame, people), but it returned {type(found).__name__}.")
        keypoints = _declared_keypoints(detector)
        with closing(found) if hasattr(found, "close") else _nothing():
            _stream(video, detector, found, seen, parts, resumable, update, CHECKPOINT_S if every_s is None else every_s)
    video.warnings += [w for w in seen.warnings if w not in video.warnings]
    return Detections(keypoints, np.array(seen.frame_ids, np.int64), np.array(seen.times_s, float), seen.people), seen.seconds


def _stream(video, detector, found, seen: Seen, parts: Parts, resumable: bool, update, every_s: float) -> None:
    """Collect what the generator yields; save parts where it can go on from them."""
    total, saved, before_s = len(video.times_s), len(seen), seen.seconds
    start = last = time.monotonic()
    update(saved, total, saved)

    def save() -> None:
        state = detector.get_state() if resumable else {}
        seen.seconds, seen.warnings = before_s + time.monotonic() - start, list(video.warnings)
        parts.write(seen, saved, state, keypoint_set(detector.keypoints).name)

    with _between_frames() as interrupted:
        for frame, people in found:
            _check(people, detector)
            seen.frame_ids.append(int(frame.id))
            seen.times_s.append(float(frame.time_s))
            seen.people.append(people)
            update(len(seen), total)
            if resumable and (interrupted.is_set() or time.monotonic() - last >= every_s):
                save()
                saved, last = len(seen), time.monotonic()
            if interrupted.is_set():
                raise KeyboardInterrupt
    seen.complete = True
    save()


@contextmanager
def _between_frames():
    """Turn the first Ctrl-C into an event to be looked at between frames; the second one interrupts at once.

    Where the process ignores Ctrl-C (a shell script's background job does), it still does.
    """
    event = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield event
        return

    def note(number, stack):
        if event.is_set() or not callable(before):
            raise KeyboardInterrupt
        event.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _nothing():
    yield


def _declared_keypoints(detector):
    name = getattr(detector, "keypoints", None)
    if not isinstance(name, (str, Keypoints)):
        raise PluginError(f"Expected detector '{detector.name}', which yields frame by frame, to have a class attribute "
                          f"keypoints = \"coco-17\", another set's name, or Keypoints of its own, but got {name!r}.")
    return keypoint_set(name)


def _check(people: People, detector) -> None:
    """Refuse people of another shape than the detector declares."""
    count, points = len(people), len(keypoint_set(detector.keypoints))
    shapes = (people.keypoints_px.shape, people.boxes_px.shape, people.scores.shape)
    if shapes != ((count, points, 3), (count, 4), (count,)):
        raise PluginError(f"Expected detector '{detector.name}' to yield keypoints_px ({count}, {points}, 3), boxes_px "
                          f"({count}, 4) and scores ({count},), but got {', '.join(map(str, shapes))}.")
    if not np.isfinite(people.keypoints_px).all():
        raise PluginError(f"Expected finite keypoints_px from detector '{detector.name}', but got NaN or infinity.")


def _pack(people: list[People]) -> dict[str, np.ndarray]:
    """Stack the people of many frames; the `has_` arrays tell which frames have the optional parts."""
    arrays = {"counts": np.array([len(p) for p in people], np.int64)}
    for name in (*_ALWAYS, *_MAYBE):
        given = [getattr(p, name) for p in people]
        if name in _MAYBE:
            arrays[f"has_{name}"] = np.array([v is not None for v in given], bool)
        given = [v for v in given if v is not None]
        filled = [v for v in given if len(v)] or given[:1]
        if filled:
            arrays[name] = np.concatenate(filled)
    return arrays


def _unpack(arrays: dict[str, np.ndarray]) -> list[People]:
    """Undo :func:`_pack`."""
    counts = arrays["counts"]
    columns: dict[str, list] = {}
    for name in (*_ALWAYS, *_MAYBE):
        has = arrays[f"has_{name}"] if name in _MAYBE else np.ones(len(counts), bool)
        ends = np.cumsum(np.where(has, counts, 0))
        columns[name] = [arrays[name][end - count:end] if there else None
                         for end, count, there in zip(ends, counts, has, strict=True)]
    return [People(**{name: column[row] for name, column in columns.items()}) for row in range(len(counts))]
