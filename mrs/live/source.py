"""Pictures as they come: a webcam, a stream, or a file played at its own speed; and the place that holds the newest alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError, MrsError, reason
from mrs.video import Frame

LATE_S, SLIP_S = 0.1, 1.0


@dataclass(frozen=True)
class Shot:
    """One picture (h, w, 3) uint8 and when it came, by time.monotonic()."""

    rgb: np.ndarray
    came_s: float


def open_source(text: str) -> Iterator[Shot]:
    """Yield the pictures of a webcam (a number), a stream (an address) or a file (played at its own speed) as they come.

    Raises InputError where there is no such thing.
    """
    if text.isdigit():
        return _webcam(int(text))
    if "://" in text:
        return _stream(text)
    return _played(Path(text))


def _webcam(number: int) -> Iterator[Shot]:
    import cv2

    camera = cv2.VideoCapture(number)
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    try:
        if not camera.isOpened():
            raise InputError(f"Expected a webcam with the number {number}, but there is none that can be opened. Type: mrs live --source FILE, or "
                             "another number")
        while True:
            good, bgr = camera.read()
            if not good:
                return
            yield Shot(np.ascontiguousarray(bgr[..., ::-1]), time.monotonic())
    finally:
        camera.release()


def _stream(address: str) -> Iterator[Shot]:
    """Yield a stream's frames as they come; those of a file that is served (its length is known) when they are due.

    FFmpeg's "nobuffer" is not asked for: it throws away what was read to know the stream, and with it the first keyframe.
    """
    import av

    try:
        container = av.open(address, options={"flags": "low_delay", "rtsp_transport": "tcp"}, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(f"Expected a stream at {address}, but it can't be opened: {reason(error)}.") from None
    with container:
        if not container.streams.video:
            raise InputError(f"Expected pictures at {address}, but there is sound at most.")
        try:
            pictures = container.decode(video=0)
            timed = ((picture.time, picture.to_ndarray(format="rgb24")) for picture in pictures)
            yield from _when_due(timed) if container.duration else (Shot(rgb, time.monotonic()) for _, rgb in timed)
        except OSError as error:
            raise MrsError(f"The stream {address} broke off: {reason(error)}. Type the same command again.") from None


def _played(path: Path) -> Iterator[Shot]:
    """Yield a file's frames when they are due; those that decoding brings too late are passed over."""
    from mrs.video import Video

    frames = Video.open(path).frames()
    with closing(frames):
        yield from _when_due((frame.time_s, frame.rgb) for frame in frames)


def _when_due(pictures: Iterable[tuple[float | None, np.ndarray]]) -> Iterator[Shot]:
    """Yield pictures with their times in seconds, the first at once, each other one as much later as its time says.

    A source that is behind by more than SLIP_S can't keep up: its clock is set back, so that some of its pictures are in time.
    """
    offset_s = None
    for time_s, rgb in pictures:
        now = time.monotonic()
        if time_s is None:
            yield Shot(rgb, now)
            continue
        if offset_s is None or now - time_s - offset_s > SLIP_S:
            offset_s = now - time_s
        if offset_s + time_s > now:
            time.sleep(offset_s + time_s - now)
        yield Shot(rgb, offset_s + time_s)


class Newest:
    """Holds the newest picture of a source that a thread reads; what nobody took in time is dropped and counted.

    A file's pictures that come later than LATE_S are dropped as well, so that a slow disk adds no delay. Reading begins when the
    first picture is asked for, after the networks have been read.
    """

    def __init__(self, shots: Iterator[Shot]):
        self.read = self.dropped = 0
        self.begin_s = 0.0
        self._shots, self._held = shots, None
        self._changed, self._over, self._stopped = threading.Condition(), False, False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mrs-live", daemon=True)

    def take(self) -> Shot | None:
        """Wait for a picture that was not taken yet; None when the source has ended. Raises what the source raised."""
        if self._thread.ident is None:
            self._thread.start()
        with self._changed:
            while self._held is None and not self._over:
                self._changed.wait(0.5)
            if self._held is None:
                if self._error is not None:
                    raise self._error
                return None
            shot, self._held = self._held, None
            return shot

    def stop(self) -> None:
        """Stop reading."""
        with self._changed:
            self._stopped = self._over = True
            self._held = None
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            for shot in self._shots:
                with self._changed:
                    if self._stopped:
                        return
                    self.begin_s = self.begin_s or shot.came_s
                    self.read += 1
                    if time.monotonic() - shot.came_s > LATE_S:
                        self.dropped += 1
                        continue
                    self.dropped += self._held is not None
                    self._held = shot
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 (it is raised again where pictures are taken)
            self._error = error
        finally:
            close = getattr(self._shots, "close", None)
            if close is not None:
                close()
            with self._changed:
                self._over = True
                self._changed.notify_all()


class LiveVideo:
    """What a detector gets for a video: its frames are the newest ones, its times when they came, from 0 on."""

    def __init__(self, newest: Newest, name: str):
        self.newest, self.path = newest, Path(name)
        self.warnings: list[str] = []
        self.size_px: tuple[int, int] = (0, 0)
        self.came_s = 0.0

    def frames(self, first_row: int = 0) -> Iterator[Any]:
        """Yield the newest picture each time one is asked for, until the source ends."""
        row, last_s = 0, -1.0
        while True:
            shot = self.newest.take()
            if shot is None:
                return
            self.size_px = (shot.rgb.shape[1], shot.rgb.shape[0])
            self.came_s = shot.came_s
            last_s = max(shot.came_s - self.newest.begin_s, last_s + 1e-4)
            yield Frame(row, row, last_s, shot.rgb)
            row += 1
