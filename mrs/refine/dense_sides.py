"""Left and right of DensePose against those of the keypoints: what says the other side is let go.

Networks take a limb for its mirror image now and then, and nothing in a pixel tells which of the two is right. So where
the pixels of a pair of limbs lie on the keypoints of the opposite ones, they pull nowhere.
"""

from __future__ import annotations

import numpy as np

from mrs.body.atlas import REGIONS
from mrs.tracks import Track

ENDS = {"thigh": ("hip", "knee"), "shin": ("knee", "ankle"), "upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"),
        "hand": ("wrist", "wrist"), "foot": ("ankle", "ankle")}
"""Keypoints between which a limb lies, without their sides."""
CONFIDENT = 0.3
BETTER = 0.02
"""By how much, in heights of the person, pixels have to lie nearer the other side's limbs in the mean."""
_NUMBERS = {name: number for number, name in enumerate(REGIONS, 1)}


def exchanged(track: Track, row: int, places: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Say which pixels (K,) at places (K, 2), of limbs (K,) numbered as in REGIONS, are of the side that is the other by the keypoints.

    All limbs are judged together, then each pair alone.
    """
    points = track.keypoints_px[row]
    own, other = np.full(len(places), np.nan), np.full(len(places), np.nan)
    pair = np.zeros(len(places), int)
    for number, (limb, ends) in enumerate(ENDS.items(), 1):
        found = [_limb(track, points, side, ends) for side in ("left", "right")]
        if any(f is None for f in found):
            continue
        for side, (mine, its) in {"left": found, "right": found[::-1]}.items():
            chosen = region == _NUMBERS[f"{side}_{limb}"]
            own[chosen], other[chosen] = _away(places[chosen], *mine), _away(places[chosen], *its)
            pair[chosen] = number
    sided = pair > 0
    gain = np.where(sided, own - other, 0.0)
    height = max(float(np.ptp(track.boxes_px[row].reshape(2, 2), axis=0).max()), 1.0)
    if sided.any() and gain[sided].mean() > BETTER * height:
        return sided
    out = np.zeros(len(places), bool)
    for number in np.unique(pair[sided]):
        out |= (pair == number) & (gain[pair == number].mean() > BETTER * height)
    return out


def _limb(track: Track, points: np.ndarray, side: str, ends: tuple[str, str]) -> tuple[np.ndarray, np.ndarray] | None:
    """The two ends of a limb in pixels; None where they are not seen, or not among the keypoints."""
    names = [f"{side}_{end}" for end in ends]
    if not all(name in track.keypoints.names for name in names):
        return None
    rows = points[[track.keypoints.names.index(name) for name in names]]
    return (rows[0, :2], rows[1, :2]) if (rows[:, 2] >= CONFIDENT).all() and np.isfinite(rows).all() else None


def _away(places: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance of places (K, 2) from a line between two points."""
    line = end - start
    share = np.clip((places - start) @ line / max(float(line @ line), 1e-9), 0, 1)
    return np.linalg.norm(places - start - share[:, None] * line, axis=-1)
