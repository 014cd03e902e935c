"""Small pictures of a video for the viewer's camera, decoded in the background and kept as JPEG."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from mrs.errors import MrsError

WIDTH_PX, MOST = 320, 1200


class Pictures:
    """The video's frames by time, as far as they have been read; at most MOST of them, evenly."""

    def __init__(self, path: Path):
        self.path, self._times, self._coded = path, np.zeros(0), {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="mrs-view-film", daemon=True)
        self._thread.start()

    def at(self, time_s: float) -> tuple[int, np.ndarray] | None:
        """Return the number of the picture that is shown at a time, and the picture (h, w, 3); None while it is not read yet."""
        import cv2

        if not len(self._times):
            return None
        number = int(np.clip(np.searchsorted(self._times, time_s + 1e-6) - 1, 0, len(self._times) - 1))
        coded = self._coded.get(number)
        return None if coded is None else (number, cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])

    def close(self) -> None:
        """Stop reading."""
        self._stopped.set()
        self._thread.join(timeout=5)

    def _read(self) -> None:
        import cv2

        from mrs.video import Video

        try:
            video = Video.open(self.path)
            every = -(-len(video) // MOST)
            self._times = video.times_s[::every]
            for frame in video.frames():
                if self._stopped.is_set():
                    return
                if frame.row % every == 0:
                    height = round(frame.rgb.shape[0] * WIDTH_PX / frame.rgb.shape[1])
                    small = cv2.resize(frame.rgb, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
                    self._coded[frame.row // every] = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        except MrsError:
            return
