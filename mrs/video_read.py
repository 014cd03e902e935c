"""A container's times and pictures, by PyAV: what :class:`mrs.video.Video` reads a file with."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError
from mrs.threads import asked


@dataclass(frozen=True)
class Turn:
    """How a stored picture becomes the shown one: transpose first, then mirror along x and y."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_degrees(cls, clockwise: int) -> Turn:
        """Make a turn of 0, 90, 180 or 270 degrees."""
        return {0: cls(), 90: cls(True, True, False), 180: cls(False, True, True),
                270: cls(True, False, True)}[clockwise % 360]

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> Turn:
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
        """Return the shown (w, h) of a stored (w, h)."""
        return size_px[::-1] if self.transpose else size_px

    def apply(self, rgb: np.ndarray) -> np.ndarray:
        """Turn a picture (h, w, 3)."""
        import cv2

        if self.transpose:
            rgb = cv2.transpose(rgb)
        if self.flip_x or self.flip_y:
            rgb = cv2.flip(rgb, -1 if self.flip_x and self.flip_y else 1 if self.flip_x else 0)
        return np.ascontiguousarray(rgb)


@dataclass(frozen=True)
class Index:
    """Where the selected rows lie in the file.

    pts (F,) of the selected rows, or None where the container's times can't be trusted and frames are counted instead;
    keys (N, 2) pts and seek position of every keyframe; stored_px the size of the first picture, square pixels.
    """

    pts: np.ndarray | None
    keys: np.ndarray
    stored_px: tuple[int, int]
    turn: Turn


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


def probe(path: Path, warnings: list[str]) -> tuple[tuple[int, int], Turn]:
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


def _read_turn(stream, picture) -> Turn:
    """Return the turn that the display matrix asks for, or else the old ``rotate`` tag (degrees clockwise)."""
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is not None:
        return Turn.from_matrix(np.frombuffer(bytes(matrix), np.int32, 9).reshape(3, 3))
    tag = {k.lower(): v for k, v in stream.metadata.items()}.get("rotate", "0")
    try:
        return Turn.from_degrees(90 * round(float(tag) / 90))
    except ValueError:
        return Turn()


def _packets(container, stream) -> Iterator:
    """Demux until the end, or until the file can't be read any further."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def read_times(path: Path, warnings: list[str]) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
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


def decode_rows(path: Path, index: Index, frame_ids: np.ndarray, first_row: int) -> Generator[Any, None, None]:
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


def _match(pictures: Iterator, index: Index, frame_ids: np.ndarray, first_row: int) -> Iterator:
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


def _seek(container, stream, index: Index, target: int) -> Iterator | None:
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


class Converter:
    """Turn decoded pictures into RGB arrays of one size."""

    def __init__(self, stored_px: tuple[int, int], turn: Turn):
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


def in_background(items: Generator[Any, None, None], depth: int) -> Generator[Any, None, None]:
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
