"""Video in (and, through :mod:`mrs.video_write`, out): RGB frames with the container's own times, streamed.

Times are the container's presentation times in seconds; a frame rate is never used to make them up, except for a raw
stream that has no times at all. PyAV does not turn pictures: the display matrix (or the old ``rotate`` tag) is
applied here, and pixels that are not square are stretched to square ones.
"""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.video_read import Converter, Index, decode_rows, in_background, probe, read_times
from mrs.video_write import write_video

__all__ = ["Frame", "Video", "write_video"]

QUEUE_DEPTH = 4


@dataclass(frozen=True)
class Frame:
    """One picture: its row in the selection, its index in the file, its time and ``rgb (h, w, 3)`` uint8."""

    row: int
    id: int
    time_s: float
    rgb: np.ndarray


@dataclass(eq=False)
class Video:
    """A video file, or a part of it.

    size_px        (w, h) as shown: after the rotation tag, square pixels
    rotation_deg   clockwise turn that was applied: 0, 90, 180 or 270
    times_s        (F,) presentation times of the selected frames, as the container has them
    frame_ids      (F,) their index in the file
    camera         the camera that took it, or None; one that moves has a pose for each selected frame
    warnings       what was wrong with the file; grows while frames are read
    frames_in_file how many frames the file has, selected or not
    """

    path: Path
    size_px: tuple[int, int]
    rotation_deg: int
    times_s: np.ndarray = field(repr=False)
    frame_ids: np.ndarray = field(repr=False)
    _index: Index = field(repr=False)
    camera: Camera | None = None
    warnings: list[str] = field(default_factory=list)
    frames_in_file: int = 0

    def __len__(self) -> int:
        return len(self.times_s)

    @classmethod
    def open(cls, path: Path | str, start_s: float | None = None, end_s: float | None = None) -> Video:
        """Open the frames with start_s <= time < end_s. Reads the packets' times; decodes one picture only.

        Raises InputError, in one line, for whatever is not a readable video with such frames.
        """
        path = Path(path)
        _refuse_unreadable(path)
        _refuse_empty_span(start_s, end_s)
        warnings: list[str] = []
        stored_px, turn = probe(path, warnings)
        times_s, pts, keys = read_times(path, warnings)
        grows = np.concatenate([[True], np.diff(np.maximum.accumulate(times_s)) > 0])
        if not grows.all():
            warnings.append(f"{(~grows).sum()} frames share the time of the frame before and are left out.")
        ids = np.flatnonzero(grows & _within(times_s, start_s, end_s))
        if not len(ids):
            until = "its end" if end_s is None else f"{end_s:g} s"
            raise InputError(
                f"Expected frames of {path} from {start_s or 0:g} s to {until}, "
                f"but it runs from {times_s[0]:.3f} s to {times_s[-1]:.3f} s. Change --start or --end.")
        index = Index(None if pts is None else pts[ids], keys, stored_px, turn)
        return cls(path, turn.size(stored_px), turn.degrees, times_s[ids], ids, index, warnings=warnings,
                   frames_in_file=len(times_s))

    def with_camera(self, camera: Camera) -> Video:
        """Return the same video with a camera."""
        other = copy.copy(self)
        other.camera = camera
        return other

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file, read on first use."""
        digest = hashlib.sha256()
        with open(self.path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    @property
    def key_rows(self) -> np.ndarray:
        """Rows (N,) at which reading can begin without decoding earlier frames; none where the file does not tell."""
        if self._index.pts is None:
            return np.zeros(0, int)
        return np.flatnonzero(np.isin(self._index.pts, self._index.keys[:, 0]))

    def frames(self, first_row: int = 0) -> Iterator[Frame]:
        """Yield the selected frames in order from `first_row`, decoded and converted in a thread of their own.

        Every row comes exactly once. A frame that can't be decoded is stood in for by the picture before it; where the
        end of the file can't be decoded the iterator ends early. Both leave a line in ``warnings``.
        """
        if first_row < len(self):
            yield from in_background(self._convert(first_row), QUEUE_DEPTH)

    def _convert(self, first_row: int) -> Generator[Frame, None, None]:
        """Yield frames from `first_row`, filling gaps with the picture before (or, at the start, the one after)."""
        to_rgb = Converter(self._index.stored_px, self._index.turn)
        row, filled, last = first_row, 0, None
        with closing(decode_rows(self.path, self._index, self.frame_ids, first_row)) as pictures:
            for found, picture in pictures:
                rgb = to_rgb(picture)
                filled += found - row
                while row < found:
                    yield self._frame(row, rgb if last is None else last)
                    row += 1
                yield self._frame(row, rgb)
                row, last = row + 1, rgb
        if to_rgb.resized:
            self._warn(f"The picture's size changes in mid-stream; frames are scaled to the first size, "
                       f"{self.size_px[0]}x{self.size_px[1]}.")
        if filled:
            self._warn(f"{filled} frames can't be decoded; the picture before stands in for them.")
        if row < len(self):
            self._warn(f"The last {len(self) - row} of {len(self)} frames can't be decoded: the file is damaged or "
                       f"cut off at {self.times_s[row]:.3f} s.")

    def _frame(self, row: int, rgb: np.ndarray) -> Frame:
        return Frame(row, int(self.frame_ids[row]), float(self.times_s[row]), rgb)

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


def _refuse_unreadable(path: Path) -> None:
    if os.path.isdir(path):
        raise InputError(f"Expected a video file, but {path} is a directory. Name one file in it.")
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"Expected a video file, but {path} is a pipe or a device, and videos are read more than once. "
                         "Save it to a file first.")
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise InputError(f"Expected a video at {path}, but there is no such file. Check the path.") from None
    except PermissionError:
        raise InputError(f"Expected a readable video, but {path} may not be read. Type: chmod +r '{path}'") from None
    except OSError as error:
        raise InputError(f"Expected a readable video, but {path} can't be read: {error.strerror}.") from None
    if empty:
        raise InputError(f"Expected a video, but {path} is empty (0 bytes). Copy or download it again.")


def _refuse_empty_span(start_s: float | None, end_s: float | None) -> None:
    if start_s is not None and end_s is not None and not start_s < end_s:
        raise InputError(f"Expected --start before --end, but got {start_s:g} s and {end_s:g} s.")


def _within(times_s: np.ndarray, start_s: float | None, end_s: float | None) -> np.ndarray:
    return ((times_s >= (-np.inf if start_s is None else start_s)) &
            (times_s < (np.inf if end_s is None else end_s)))
