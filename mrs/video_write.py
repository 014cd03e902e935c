"""Write H.264 that browsers play, with exact frame times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import numpy as np

from mrs.errors import InputError, MrsError, UsageError
from mrs.npz import atomic_path

TICK_S = Fraction(1, 90_000)
SUFFIXES = (".mp4", ".m4v", ".mov")


def check_suffix(path: Path) -> None:
    """Raise UsageError where a name is not one that MP4 goes under."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"Expected a video to write that ends in {', '.join(SUFFIXES)}, but got {path}. Type: -o {path.with_suffix('.mp4')}")


def write_video(path: Path | str, frames: Iterable[np.ndarray], times_s: np.ndarray, size_px: tuple[int, int], *,
                crf: int = 20, preset: str = "veryfast") -> None:
    """Write RGB frames (h, w, 3) uint8 as H.264: yuv420p, BT.709, index in front. Streams, and is atomic.

    Frames are shown as `times_s` (F,) says, seconds, growing, to 1/90000 s; the first is put at 0, so that a cut from
    the middle of a video starts at once. Fewer frames than times make a shorter video. An odd size is padded by
    repeating its last column or row. There are no B-frames: with them MP4 stores the order of showing as an edit list
    and loses uneven lengths to readers that ignore it. `crf` and `preset` are x264's quality and effort.
    Raises MrsError naming `path` where it can't be written.
    """
    path = Path(path)
    times_s = np.asarray(times_s, float)
    if not len(times_s) or not (np.diff(times_s) > 0).all():
        raise InputError("Expected one or more growing frame times for a video, but got others.")
    ticks = np.round((times_s - times_s[0]) / float(TICK_S)).astype(np.int64)
    last = int(np.median(np.diff(ticks))) if len(ticks) > 1 else int(1 / TICK_S / 25)
    lengths = np.maximum(np.append(np.diff(ticks), last), 1)
    with ExitStack() as stack:
        with _naming(path):
            temporary = stack.enter_context(atomic_path(path))
            encoder = stack.enter_context(closing(_Encoder(temporary, size_px, ticks, lengths, crf, preset)))
        for row, rgb in enumerate(frames):
            _check_frame(row, rgb, size_px, len(ticks))
            with _naming(path):
                encoder.add(row, rgb)
        with _naming(path):
            encoder.finish()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise MrsError(f"Expected to write {path}, but it can't be written: {reason}. "
                       "Free some space, or choose another folder with -o.") from error


def _check_frame(row: int, rgb: np.ndarray, size_px: tuple[int, int], count: int) -> None:
    width, height = size_px
    if row >= count:
        raise InputError(f"Expected {count} frames, one for each time, but got more.")
    if rgb.shape != (height, width, 3) or rgb.dtype != np.uint8:
        raise InputError(f"Expected frame {row} to be uint8 ({height}, {width}, 3), but got {rgb.dtype} {rgb.shape}.")


class _Encoder:
    """One open output file."""

    def __init__(self, path: Path, size_px: tuple[int, int], ticks: np.ndarray, lengths: np.ndarray, crf: int,
                 preset: str):
        import av
        from av.video.reformatter import VideoReformatter

        width, height = size_px
        self._pad = (width % 2, height % 2)
        self._ticks = [int(t) for t in ticks]
        self._length = dict(zip(self._ticks, (int(n) for n in lengths), strict=True))
        self._frame_type, self._reformatter = av.VideoFrame, VideoReformatter()
        self._container = av.open(f"file:{path}", "w", format="mp4", options={"movflags": "+faststart"})
        rate = Fraction(int(1 / TICK_S * max(len(ticks) - 1, 1)), int(max(ticks[-1], self._length[0])))
        self._stream = stream = self._container.add_stream(
            "libx264", rate=rate.limit_denominator(10_000), options={"preset": preset, "crf": str(crf), "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width + self._pad[0], height + self._pad[1], "yuv420p"
        context = stream.codec_context
        context.time_base = TICK_S
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED

    def add(self, row: int, rgb: np.ndarray) -> None:
        right, below = self._pad
        if right or below:
            rgb = np.pad(rgb, ((0, below), (0, right), (0, 0)), mode="edge")
        frame = self._frame_type.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame = self._reformatter.reformat(frame, format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = self._ticks[row], TICK_S
        self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._mux(self._stream.encode(None))
        self._container.close()
        self._container = None

    def _mux(self, packets) -> None:
        for packet in packets:
            packet.duration = self._length[packet.pts]
            self._container.mux(packet)

    def close(self) -> None:
        """Let go of the file after a failure; what stands in it doesn't matter any more."""
        if self._container is not None:
            with suppress(OSError):
                self._container.close()


_BT709 = 1
_LIMITED = 1
