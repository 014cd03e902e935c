"""People of a video over time: what detectors see, and the tracks it is joined into."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs import npz
from mrs.errors import InputError
from mrs.skeletons import KEYPOINT_SETS, Keypoints, keypoint_set

MASK_SIDE = 64


@dataclass(frozen=True)
class People:
    """The N people a detector saw in one frame.

    keypoints_px    (N, K, 3) x, y in source pixels, confidence 0..1
    boxes_px        (N, 4) x0, y0, x1, y1
    scores          (N,) 0..1
    keypoints3d_m   (N, K, 3) or None: metres about the mid-hip, camera axes (x right, y down, z forward)
    masks           (N, MASK_SIDE * MASK_SIDE / 8) uint8 packed bits or None: the person in a square crop
    mask_to_px      (N, 2, 3) or None: affine map from mask pixel (column, row, 1) to source pixels
    lanes           (N,) int or None: the detector's own guess who continues whom; -1 where it has none
    """

    keypoints_px: np.ndarray
    boxes_px: np.ndarray
    scores: np.ndarray
    keypoints3d_m: np.ndarray | None = None
    masks: np.ndarray | None = None
    mask_to_px: np.ndarray | None = None
    lanes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.keypoints_px)


@dataclass(frozen=True)
class Detections:
    """People frame by frame, before tracking.

    times_s (F,) of every frame that was looked at, frame_ids (F,) their index in the video, people (F) one entry each.
    ids_given: the people's lanes are who they are, as a file says, and not a detector's guess.
    """

    keypoints: Keypoints
    frame_ids: np.ndarray
    times_s: np.ndarray
    people: list[People]
    ids_given: bool = False


@dataclass(frozen=True)
class Track:
    """One person over the T consecutive frames from first to last sight.

    frame_ids (T,), times_s (T,), keypoints_px (T, K, 3) x, y, confidence, boxes_px (T, 4),
    keypoints3d_m (T, K, 3) or None, masks and mask_to_px as in :class:`People` or None.
    Frames in which the person was not seen are filled in with confidence 0.
    """

    person: int
    keypoints: Keypoints
    frame_ids: np.ndarray
    times_s: np.ndarray
    keypoints_px: np.ndarray
    boxes_px: np.ndarray
    keypoints3d_m: np.ndarray | None = None
    masks: np.ndarray | None = None
    mask_to_px: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frame_ids)

    @property
    def seen(self) -> np.ndarray:
        """(T,) true where the person was detected."""
        return self.keypoints_px[..., 2].max(-1) > 0

    def at(self, rows) -> Track:
        """Return the track at some rows (a slice, mask or index array)."""
        pick = lambda a: None if a is None else a[rows]
        return replace(
            self, frame_ids=self.frame_ids[rows], times_s=self.times_s[rows], keypoints_px=self.keypoints_px[rows],
            boxes_px=self.boxes_px[rows], keypoints3d_m=pick(self.keypoints3d_m), masks=pick(self.masks),
            mask_to_px=pick(self.mask_to_px),
        )

    def limited_to(self, names) -> Track:
        """Return the track with only the keypoints whose names are among `names`."""
        keypoints, rows = self.keypoints.subset(names)
        if keypoints is self.keypoints:
            return self
        deep = None if self.keypoints3d_m is None else self.keypoints3d_m[:, rows]
        return replace(self, keypoints=keypoints, keypoints_px=self.keypoints_px[:, rows], keypoints3d_m=deep)

    def heights_px(self) -> np.ndarray:
        """(T,) person heights: diagonals of the boxes, so that they do not depend on in-plane turns."""
        size = self.boxes_px[:, 2:] - self.boxes_px[:, :2]
        return np.maximum(np.linalg.norm(size, axis=1), 1.0)


@dataclass(frozen=True)
class Tracks:
    """The people of one video, in a file that a person can edit.

    size_px is (width, height); frame_ids and times_s list every frame of the video that was looked at.
    """

    people: tuple[Track, ...]
    size_px: tuple[int, int]
    frame_ids: np.ndarray
    times_s: np.ndarray
    history: tuple[dict[str, Any], ...] = field(default_factory=tuple)

    def __len__(self) -> int:
        return len(self.people)

    def person(self, number: int) -> Track:
        """Return one person's track by id."""
        for track in self.people:
            if track.person == number:
                return track
        known = ", ".join(str(t.person) for t in self.people) or "none"
        raise InputError(f"Expected a person out of {known}, but got {number}. Type: mrs tracks show RUN")

    def save(self, path: Path | str) -> None:
        """Write ``tracks.npz``."""
        arrays = {"frame_ids": self.frame_ids, "times_s": self.times_s}
        for track in self.people:
            for name in _TRACK_ARRAYS:
                value = getattr(track, name)
                if value is not None:
                    arrays[f"{track.person:02d}/{name}"] = value
        meta = {
            "people": [{"person": t.person, "keypoints": t.keypoints.name, **_own_names(t.keypoints)} for t in self.people],
            "size_px": [int(v) for v in self.size_px],
            "history": list(self.history),
        }
        npz.save(path, "tracks", arrays, meta)

    @classmethod
    def load(cls, path: Path | str) -> Tracks:
        """Read and validate ``tracks.npz``."""
        arrays, meta = npz.load(path, "tracks")
        try:
            people = tuple(_read_track(arrays, entry) for entry in meta["people"])
            tracks = cls(people, tuple(meta["size_px"]), arrays["frame_ids"], arrays["times_s"], tuple(meta["history"]))
        except KeyError as error:
            raise InputError(f"Expected {path} to hold {error}, but it is missing.") from None
        for track in tracks.people:
            _validate(track, str(path))
        return tracks


_TRACK_ARRAYS = ("frame_ids", "times_s", "keypoints_px", "boxes_px", "keypoints3d_m", "masks", "mask_to_px")


def _read_track(arrays: dict[str, np.ndarray], entry: dict) -> Track:
    prefix = f"{entry['person']:02d}/"
    required, optional = _TRACK_ARRAYS[:4], _TRACK_ARRAYS[4:]
    values: dict[str, Any] = {n: arrays[prefix + n] for n in required} | {n: arrays.get(prefix + n) for n in optional}
    return Track(person=int(entry["person"]), keypoints=keypoint_set(entry["keypoints"], entry.get("keypoint_names")), **values)


def _own_names(keypoints: Keypoints) -> dict[str, list[str]]:
    """What a file says beside the name of a set that a plugin brought: its points, in order."""
    return {} if KEYPOINT_SETS.get(keypoints.name) == keypoints else {"keypoint_names": list(keypoints.names)}


def _validate(track: Track, where: str) -> None:
    frames, points = len(track.frame_ids), len(track.keypoints)
    expected = {"times_s": (frames,), "keypoints_px": (frames, points, 3), "boxes_px": (frames, 4),
                "keypoints3d_m": (frames, points, 3)}
    for name, shape in expected.items():
        value = getattr(track, name)
        if value is not None and value.shape != shape:
            raise InputError(f"Expected {name} of person {track.person} in {where} to be {shape}, but got {value.shape}.")
        if value is not None and not np.isfinite(value).all():
            raise InputError(f"Expected finite {name} of person {track.person} in {where}, but got NaN or infinity.")
    if frames == 0 or (np.diff(track.times_s) <= 0).any() or (np.diff(track.frame_ids) <= 0).any():
        raise InputError(f"Expected growing times for person {track.person} in {where}, but got others.")
