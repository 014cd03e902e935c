"""A run without a video: only its size, its frame rate and how many frames there are."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from mrs.cameras import Camera
from mrs.errors import InputError, UsageError


@dataclass(eq=False)
class NoVideo:
    """Stands in for :class:`mrs.video.Video` where 2D poses come from a file and the video is not at hand.

    It has the same attributes, times that are row / fps, and no frames: asking for one is refused in one line.
    """

    path: Path
    sha256: str
    size_px: tuple[int, int]
    times_s: np.ndarray = field(repr=False)
    frame_ids: np.ndarray = field(repr=False)
    frames_in_file: int
    camera: Camera | None = None
    warnings: list[str] = field(default_factory=list)
    rotation_deg: int = 0
    pictures: bool = False

    @classmethod
    def of(cls, source: Path, source_sha256: str, count: int, size: str, fps: str, start_s: float | None = None,
           end_s: float | None = None) -> NoVideo:
        """Make the times of `count` frames; those with start_s <= time < end_s are used."""
        size_px, rate = read_size(size), read_rate(fps)
        times_s = np.arange(count) * float(1 / rate)
        use = (times_s >= (-np.inf if start_s is None else start_s)) & (times_s < (np.inf if end_s is None else end_s))
        if not use.any():
            last_s = times_s[-1] if count else 0
            raise InputError(f"Expected frames of {source} from --start to --end, but it has {count}, from 0 s to {last_s:.3f} s.")
        digest = hashlib.sha256(f"{source_sha256} {size_px} {rate}".encode()).hexdigest()
        return cls(Path(source), digest, size_px, times_s[use], np.flatnonzero(use), count)

    def __len__(self) -> int:
        return len(self.times_s)

    def with_camera(self, camera: Camera) -> NoVideo:
        """Return the same with a camera."""
        other = copy.copy(self)
        other.camera = camera
        return other

    def frames(self, first_row: int = 0) -> Iterator:
        """Refuse: there are no pictures."""
        raise InputError("Expected a video, since this stage looks at pictures, but this run has none. "
                         "Type: mrs run VIDEO, with the same flags except --size and --fps")


def read_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*[x×,]\s*(\d{1,6})\s*", str(text))
    if not found or min(int(v) for v in found.groups()) < 1:
        raise UsageError(f"Expected --size WIDTHxHEIGHT, such as 1920x1080, but got '{text}'.")
    return int(found[1]), int(found[2])


def read_rate(text: str) -> Fraction:
    """Read a frame rate, never rounded: 29.97, or a fraction such as 30000/1001."""
    try:
        rate = Fraction(str(text).strip())
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not Fraction(1, 1000) <= rate <= 100000:
        raise UsageError(f"Expected --fps to be frames a second, such as 29.97 or 30000/1001, but got '{text}'.")
    return rate
