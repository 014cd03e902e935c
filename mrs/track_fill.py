"""A track from sightings: contiguous in time, with the frames between them filled at confidence zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrs.skeletons import Keypoints
from mrs.tracks import Track


def fill(
    person: int, keypoints: Keypoints, frame_ids: np.ndarray, times_s: np.ndarray, rows: np.ndarray,
    sightings: dict[str, np.ndarray | None],
) -> Track:
    """Make a track that holds every frame from the first to the last sighting.

    frame_ids and times_s (F,) list every frame of the video; `rows` (S,), growing, are those the person was seen in;
    `sightings` holds a Track's arrays by name, (S, ...) each, and None for what the detector does not give.
    Between sightings keypoints (2D and 3D), boxes and mask maps are linear in time, confidences and masks are zero.
    The sightings are copied, so that nothing done to a filled frame reaches a real one.
    """
    span = np.arange(rows[0], rows[-1] + 1)
    after = np.searchsorted(rows, span)
    before = np.where(rows[after] == span, after, after - 1)
    weight = _weights(times_s[rows], times_s[span], before, after)
    real = before == after
    arrays: dict[str, Any] = {name: None if value is None else _between(value, before, after, weight, real, name)
              for name, value in sightings.items()}
    return Track(person, keypoints, frame_ids[span].copy(), times_s[span].copy(), **arrays)


def refill(track: Track, seen: np.ndarray, frame_ids: np.ndarray, times_s: np.ndarray, person: int) -> Track:
    """Make the track anew from its rows that are true in `seen` (T,), under another id."""
    return fill(person, track.keypoints, frame_ids, times_s, np.searchsorted(frame_ids, track.frame_ids[seen]),
                {name: None if value is None else value[seen] for name, value in arrays_of(track).items()})


def arrays_of(track: Track) -> dict[str, np.ndarray | None]:
    """Return what a track says of each frame, by name."""
    return {name: getattr(track, name) for name in ("keypoints_px", "boxes_px", "keypoints3d_m", "masks", "mask_to_px")}


def _weights(seen_s: np.ndarray, span_s: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return how far (0..1) each frame lies on the way from the sighting before it to the one after it."""
    length = seen_s[after] - seen_s[before]
    return np.divide(span_s - seen_s[before], length, out=np.zeros(len(span_s)), where=length > 0)


def _between(value, before, after, weight, real, name) -> np.ndarray:
    if name == "masks":
        filled = value[before]
        filled[~real] = 0
        return filled
    share = weight.reshape(-1, *[1] * (value.ndim - 1))
    filled = ((1 - share) * value[before] + share * value[after]).astype(value.dtype)
    filled[real] = value[before[real]]
    if name == "keypoints_px":
        filled[~real, :, 2] = 0
    return filled
