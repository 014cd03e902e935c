"""Whether a camera that is taken for still stands still: a few pictures of the background, compared with each other."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from mrs.cameras import Camera
from mrs.world.background import Lens, View, found_anew, turned

ANCHORS = 7
LATER_S = 0.5
MOVED_DEG = 0.2
MOVED_OF_WIDTH = 0.004


@dataclass(frozen=True)
class Pair:
    """Two moments and how the background differs between them; None where neither a match nor a difference is clear."""

    from_s: float
    to_s: float
    angle_deg: float | None
    shift_px: float | None


@dataclass(frozen=True)
class Verdict:
    """What the pairs say: moved is None where they can't tell."""

    moved: bool | None
    pairs: tuple[Pair, ...]

    @property
    def largest(self) -> Pair | None:
        """The pair with the largest turn."""
        told = [pair for pair in self.pairs if pair.angle_deg is not None]
        return max(told, key=lambda pair: pair.angle_deg, default=None)

    def facts(self) -> dict:
        """What run.json tells."""
        facts = {"moved": self.moved, "pairs": len(self.pairs), "pairs_matched": sum(p.angle_deg is not None for p in self.pairs)}
        if self.largest:
            p = self.largest
            facts |= {"largest_turn_deg": round(p.angle_deg, 3), "largest_shift_px": round(p.shift_px, 2),
                      "between_s": [round(p.from_s, 3), round(p.to_s, 3)]}
        return facts

    def warnings(self) -> list[str]:
        """Say in words what speaks against a still camera, and what to type."""
        if self.moved is False:
            return []
        if self.moved:
            p = self.largest
            return [(f"The camera moves: between {p.from_s:.2f} s and {p.to_s:.2f} s the background turns by {p.angle_deg:.1f} degrees "
                     f"({p.shift_px:.0f} px), but the camera is treated as still, so people's paths are wrong. "
                     "Type: --camera rotating")]
        lost = [p for p in self.pairs if p.angle_deg is None]
        if len(lost) < len(self.pairs):
            return [(f"The background differs between {lost[0].from_s:.2f} s and {lost[0].to_s:.2f} s (a cut, or a camera that moves); "
                     "the camera is treated as still. Choose one shot with --start and --end, or type --camera rotating.")]
        return ["Whether the camera stands still can't be told, as too little background is seen; it is treated as still."]


def check(video, boxes_of, camera: Camera) -> Verdict:
    """Compare ANCHORS moments with the next one, and each with a picture LATER_S after it; `boxes_of(row)` are people."""
    first, later = _rows(video)
    lens = Lens.of(camera.K, camera.size_px)
    views = {frame.row: View(frame.rgb, boxes_of(frame.row), lens) for frame in _frames(video, sorted({*first, *later}))}
    pairs = [*zip(first, later, strict=True), *itertools.pairwise(first)]
    return verdict([_pair(video, views, a, b) for a, b in pairs if a != b and a in views and b in views], camera.size_px[0])


def verdict(pairs: list[Pair], width_px: int) -> Verdict:
    """Judge the pairs: one clear move is enough; for standing still all of them have to match."""
    moved = any(p.angle_deg is not None and (p.angle_deg > MOVED_DEG or p.shift_px > MOVED_OF_WIDTH * width_px) for p in pairs)
    still = all(p.angle_deg is not None for p in pairs)
    return Verdict(True if moved else False if still else None, tuple(pairs))


def _pair(video, views: dict[int, View], a: int, b: int) -> Pair:
    times = float(video.times_s[a]), float(video.times_s[b])
    for measure in (turned, found_anew):
        turn = measure(views[a], views[b])
        if turn is not None and turn.holds:
            return Pair(*times, turn.angle_deg, turn.shift_px)
    return Pair(*times, None, None)


def _rows(video) -> tuple[list[int], list[int]]:
    """Rows of the anchors, at keyframes where there are any near, and of the pictures after them."""
    times, keys = video.times_s, video.key_rows
    wanted = np.linspace(times[0], max(times[-1] - LATER_S, times[0]), ANCHORS)
    rows = np.searchsorted(times, wanted - 1e-6)
    if len(keys):
        near = keys[np.argmin(np.abs(times[keys] - wanted[:, None]), axis=1)]
        rows = np.where(np.abs(times[near] - wanted) < (times[-1] - times[0]) / (3 * ANCHORS), near, rows)
    rows = np.unique(rows)
    later = np.minimum(np.searchsorted(times, times[rows] + LATER_S - 1e-6), len(times) - 1)
    return rows.tolist(), later.tolist()


def _frames(video, rows: list[int]):
    """Yield the frames of growing `rows`; what lies between is decoded only where no keyframe is nearer."""
    keys = video.key_rows
    while rows:
        with closing(video.frames(rows[0])) as frames:
            for frame in frames:
                if frame.row == rows[0]:
                    yield frame
                    rows = rows[1:]
                if not rows or ((keys > frame.row) & (keys <= rows[0])).any():
                    break
            else:
                return
