"""Video in (and, through :mod:`mrs.video_write`, out): RGB frames with the container's own times, streamed.

Times are the container's presentation times in seconds; a frame rate is never used to make them up, except for a raw
stream that has no times at all. PyAV does not turn pictures: the display matrix (or the old ``rotate`` tag) is
applied here, and pixels that are not square are stretched to square ones.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import os
import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.threads import asked
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


@dataclass(frozen=True)
class _Turn:
    """How a stored picture becomes the shown one: transpose first, then mirror along x and y."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_degrees(cls, clockwise: int) -> _Turn:
        return {0: cls(), 90: cls(True, True, False), 180: cls(False, True, True),
                270: cls(True, False, True)}[clockwise % 360]

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> _Turn:
        """Read an FFmpeg display matrix (3, 3): shown (x, y) = stored (x, y) times its upper left 2x2."""
        (a, b), (c, d) = matrix[:2, :2].astype(float)
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    @property
    def degrees(self) -> int:
        """Clockwise turn: 0, 90, 180 or 270 (of a mirrored picture, the turn before it is mirrored along x)."""
        mirrored = self.transpose ^ self.flip_x ^ self.flip_y
        flip_x = self.flip_x ^ mirrored
        return (90 if flip_x else 270) if self.transpose else (180 if flip_x else 0)

    def size(self, size_px: tuple[int, int]) -> tuple[int, int]:
        return size_px[::-1] if self.transpose else size_px

    def apply(self, rgb: np.ndarray) -> np.ndarray:
        import cv2

        if self.transpose:
            rgb = cv2.transpose(rgb)
        if self.flip_x or self.flip_y:
            rgb = cv2.flip(rgb, -1 if self.flip_x and self.flip_y else 1 if self.flip_x else 0)
        return np.ascontiguousarray(rgb)


@dataclass(frozen=True)
class _Index:
    """Where the selected rows lie in the file.

    pts (F,) of the selected rows, or None where the container's times can't be trusted and frames are counted instead;
    keys (N, 2) pts and seek position of every keyframe; stored_px the size of the first picture, square pixels.
    """

    pts: np.ndarray | None
    keys: np.ndarray
    stored_px: tuple[int, int]
    turn: _Turn


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
    _index: _Index = field(repr=False)
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
        stored_px, turn = _probe(path, warnings)
        times_s, pts, keys = _read_times(path, warnings)
        grows = np.concatenate([[True], np.diff(np.maximum.accumulate(times_s)) > 0])
        if not grows.all():
            warnings.append(f"{(~grows).sum()} frames share the time of the frame before and are left out.")
        ids = np.flatnonzero(grows & _within(times_s, start_s, end_s))
        if not len(ids):
            until = "its end" if end_s is None else f"{end_s:g} s"
            raise InputError(
                f"Expected frames of {path} from {start_s or 0:g} s to {until}, "
                f"but it runs from {times_s[0]:.3f} s to {times_s[-1]:.3f} s. Change --start or --end.")
        index = _Index(None if pts is None else pts[ids], keys, stored_px, turn)
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
            yield from _in_background(self._convert(first_row), QUEUE_DEPTH)

    def _convert(self, first_row: int) -> Generator[Frame, None, None]:
        """Yield frames from `first_row`, filling gaps with the picture before (or, at the start, the one after)."""
        to_rgb = _Converter(self._index.stored_px, self._index.turn)
        row, filled, last = first_row, 0, None
        with closing(_decode_rows(self.path, self._index, self.frame_ids, first_row)) as pictures:
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


@contextmanager
def _opened(path: Path):
    """Open the file's picture stream; yield (container, stream), or raise one clear line."""
    import av

    try:
        container = av.open(f"file:{path}")
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(_why_not_a_video(path, error)) from None
    with container:
        streams = [s for s in container.streams.video if not s.disposition & _COVER_ART]
        if container.format.name == "tty":
            raise InputError(f"Expected a video, but {path} is a text file. Check the path.")
        if not streams:
            what = "holds only audio" if container.streams.audio else "holds no pictures, or is cut off"
            raise InputError(f"Expected a video, but {path} {what}. Name a whole file with a video stream.")
        if streams[0].codec_context is None:
            raise InputError(f"Expected a codec that can be decoded, but {path} has another. "
                             f"Type: ffmpeg -i '{path}' -c:v libx264 out.mp4")
        yield container, streams[0]


_COVER_ART = 0x400
_MP4_BOXES = (b"ftyp", b"mdat", b"free", b"wide", b"skip", b"pnot")


def _why_not_a_video(path: Path, error: Exception) -> str:
    with open(path, "rb") as file:
        head = file.read(8)
    if head[4:] in _MP4_BOXES:
        return (f"Expected a whole video, but {path} is cut off: its index (moov) is missing or broken. "
                "Copy or record it again.")
    reason = getattr(error, "strerror", None) or str(error)
    return f"Expected a video, but {path} is not one ({reason}). Check the file, or convert it to H.264 in .mp4."


def _probe(path: Path, warnings: list[str]) -> tuple[tuple[int, int], _Turn]:
    """Decode the first picture: its size with square pixels, and how it is turned."""
    import av

    with _opened(path) as (container, stream):
        picture, packets = None, 0
        for packet in _packets(container, stream):
            packets += packet.size > 0
            try:
                picture = next(iter(packet.decode()), None)
            except av.error.FFmpegError:
                continue
            if picture is not None:
                break
        if picture is None:
            what = "has no frames" if not packets else f"has no frame that can be decoded ({stream.codec_context.name})"
            raise InputError(f"Expected a video with frames, but {path} {what}. Record or convert it again.")
        width, height = picture.width, picture.height
        shape = stream.sample_aspect_ratio or Fraction(1)
        if shape > 0 and abs(shape - 1) > 0.01:
            width = round(width * shape)
            warnings.append(f"The file's pixels are not square ({shape}); frames are stretched to {width}x{height}.")
        return (width, height), _read_turn(stream, picture)


def _read_turn(stream, picture) -> _Turn:
    """Return the turn that the display matrix asks for, or else the old ``rotate`` tag (degrees clockwise)."""
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is not None:
        return _Turn.from_matrix(np.frombuffer(bytes(matrix), np.int32, 9).reshape(3, 3))
    tag = {k.lower(): v for k, v in stream.metadata.items()}.get("rotate", "0")
    try:
        return _Turn.from_degrees(90 * round(float(tag) / 90))
    except ValueError:
        return _Turn()


def _packets(container, stream) -> Iterator:
    """Demux until the end, or until the file can't be read any further."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def _read_times(path: Path, warnings: list[str]) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Return times_s (N,) and pts (N,) of every frame in the order of showing, and the keyframes (M, 2).

    Read from the packets without decoding. Where those don't say when a frame is shown (raw streams, B-frames in AVI)
    pts is None: the frames are then decoded once to count them.
    """
    with _opened(path) as (container, stream):
        packets = [(p.pts, p.dts, p.is_keyframe, p.is_discard or p.is_corrupt or not _is_shown(stream, p))
                   for p in _packets(container, stream) if p.size > 0]
        tick_s = float(stream.time_base)
        _warn_if_short(container, stream, packets, warnings)
        shown = [(pts, dts) for pts, dts, _, skip in packets if not skip]
        trusted = all(pts is not None for pts, _ in shown) and not (
            container.format.name == "avi" and stream.codec_context.has_b_frames)
        keys = [(pts, pts if dts is None else dts) for pts, dts, key, _ in packets if key and pts is not None]
    if trusted and shown:
        pts = np.array(sorted(pts for pts, _ in shown), np.int64)
        return pts * tick_s, pts, np.array(sorted(keys), np.int64).reshape(-1, 2)
    return _count_times(path, sorted(d for _, d in shown if d is not None), warnings), None, np.zeros((0, 2), np.int64)


def _is_shown(stream, packet) -> bool:
    """VP8 hides reference frames in packets of their own: bit 4 of the first byte says whether one is shown."""
    return stream.codec_context.name not in ("vp8", "libvpx") or bool(bytes(packet)[0] & 0x10)


def _warn_if_short(container, stream, packets: list, warnings: list[str]) -> None:
    """Compare what can be read with what the file's header promises."""
    read, promised = len(packets), len(getattr(stream, "index_entries", ()))
    if "mp4" in container.format.name and read < promised:
        warnings.append(f"The file is cut off: {read} of its {promised} frames can be read.")
        return
    ends = [pts for pts, *_ in packets if pts is not None]
    if container.duration and ends and len(container.streams) == 1 and "mp4" not in container.format.name:
        end_s = float((max(ends) - (stream.start_time or 0)) * stream.time_base)
        if end_s < container.duration / 1e6 - 0.5:
            warnings.append(f"The file is cut off: {end_s:.1f} of its {container.duration / 1e6:.1f} s can be read.")


def _count_times(path: Path, dts: list[int], warnings: list[str]) -> np.ndarray:
    """Times (N,) of a stream that does not say when frames are shown: its storage times in order, or else its rate."""
    with _opened(path) as (container, stream):
        _use_threads(stream)
        frames = sum(1 for _ in _decode_all(container, stream))
        rate, tick = stream.average_rate or stream.guessed_rate or Fraction(25), stream.time_base
    if not frames:
        raise InputError(f"Expected a video with frames, but none of {path} can be decoded. "
                         "Record or convert it again.")
    if len(dts) == frames:
        return np.array(dts) * float(tick)
    warnings.append(f"The file has no frame times; {float(rate):g} frames a second are assumed.")
    return np.arange(frames) / float(rate)


def _use_threads(stream) -> None:
    """Let FFmpeg decode in threads: as many as it likes, or as MRS_THREADS says."""
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = asked() or 0


def _decode_all(container, stream, packets: Iterator | None = None) -> Iterator:
    """Decode packet by packet, going on after damaged ones, and flush the decoder at the end."""
    import av

    for packet in packets if packets is not None else _packets(container, stream):
        if packet.size == 0:
            break
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            continue
    try:
        yield from stream.decode(None)
    except av.error.FFmpegError:
        return


def _decode_rows(path: Path, index: _Index, frame_ids: np.ndarray, first_row: int) -> Generator[Any, None, None]:
    """Yield (row, picture) from `first_row` on, rows growing; rows that can't be decoded are absent."""
    with _opened(path) as (container, stream):
        _use_threads(stream)
        packets = None if index.pts is None else _seek(container, stream, index, int(index.pts[first_row]))
        if index.pts is None or packets is not None:
            yield from _match(_decode_all(container, stream, packets), index, frame_ids, first_row)
            return
    with _opened(path) as (container, stream):
        _use_threads(stream)
        yield from _match(_decode_all(container, stream), index, frame_ids, first_row)


def _match(pictures: Iterator, index: _Index, frame_ids: np.ndarray, first_row: int) -> Iterator:
    """Pair decoded pictures with the selected rows, by pts or else by counting."""
    wanted = frame_ids if index.pts is None else index.pts
    row = first_row
    for number, picture in enumerate(pictures):
        value = number if index.pts is None else picture.pts
        if value is None:
            continue
        found = int(np.searchsorted(wanted, value))
        if found < len(wanted) and wanted[found] == value and found >= row:
            yield found, picture
            row = found + 1
            if row == len(wanted):
                return


def _seek(container, stream, index: _Index, target: int) -> Iterator | None:
    """Return packets from a keyframe shown at or before the pts `target`; None: start from the beginning.

    Where a seek lands differs by container (by dts in MP4, by pts in Matroska, between frames in MPEG-TS), so the
    landing is checked, and earlier keyframes are tried.
    """
    import av

    before = index.keys[index.keys[:, 0] <= target]
    if len(before) < 2:
        return None
    for position in before[:-4:-1].ravel():
        try:
            container.seek(int(position), stream=stream, backward=True)
        except av.error.FFmpegError:
            return None
        packets = _packets(container, stream)
        first = next((p for p in packets if p.is_keyframe or p.size == 0), None)
        if first is not None and first.size and first.pts is not None and first.pts <= target:
            return itertools.chain([first], packets)
    return None


class _Converter:
    """Turn decoded pictures into RGB arrays of one size."""

    def __init__(self, stored_px: tuple[int, int], turn: _Turn):
        from av.video.reformatter import VideoReformatter

        self.resized = False
        self._coded_px: tuple[int, int] | None = None
        self._stored_px, self._turn = stored_px, turn
        self._reformatter = VideoReformatter()

    def __call__(self, picture) -> np.ndarray:
        coded = (picture.width, picture.height)
        self.resized |= self._coded_px not in (None, coded)
        self._coded_px = self._coded_px or coded
        width, height = self._stored_px
        rgb = self._reformatter.reformat(picture, width=width, height=height, format="rgb24").to_ndarray()
        return self._turn.apply(rgb)


def _in_background(items: Generator[Any, None, None], depth: int) -> Generator[Any, None, None]:
    """Run a generator in a thread, at most `depth` items ahead; its errors are raised here.

    The thread ends, and the generator is closed in it, when the consumer stops.
    """
    ready: queue.Queue = queue.Queue(depth)
    stop = threading.Event()

    def put(entry) -> bool:
        while not stop.is_set():
            try:
                ready.put(entry, timeout=0.05)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    if not put((item, None)):
                        return
            put((None, StopIteration()))
        except BaseException as error:  # noqa: BLE001 - it's raised again in the consumer
            put((None, error))

    thread = threading.Thread(target=work, name="mrs-video", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stop.set()
        thread.join()
