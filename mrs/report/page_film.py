"""The overlay as a report embeds it: as it is where it is small, else smaller, and left outside where it is long."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

BYTES_A_S, LEAST_BYTES, MOST_BYTES = 500_000, 2_000_000, 24_000_000
LONGEST_S, LONGEST_ANEW_S = 120.0, 60.0
X264_CRF = 20
SIDES_PX = ((960, 26), (720, 28), (480, 30), (360, 33))


def allowed_bytes(duration_s: float) -> int:
    """How large the embedded film may be: 5 MB for 10 s."""
    return int(min(max(BYTES_A_S * duration_s, LEAST_BYTES), MOST_BYTES))


def embedded(path: Path, duration_s: float) -> bytes | None:
    """Return the film's bytes, encoded anew where they are too many; None for one so long that it stays a file of its own.

    Encoding begins with the first size that can be expected to fit: bytes go with the area, and halve with 6 steps of crf.
    """
    if duration_s > LONGEST_S:
        return None
    allowed = allowed_bytes(duration_s)
    if path.stat().st_size <= allowed:
        return path.read_bytes()
    if duration_s > LONGEST_ANEW_S:
        return None
    from mrs.video import Video

    longer = max(Video.open(path).size_px)
    expected = [path.stat().st_size * min(side / longer, 1) ** 2 / 2 ** ((crf - X264_CRF) / 6) for side, crf in SIDES_PX]
    first = next((n for n, size in enumerate(expected) if size <= allowed), len(SIDES_PX) - 1)
    with tempfile.TemporaryDirectory(prefix="mrs-report-") as folder:
        smaller = Path(folder) / "film.mp4"
        for side_px, crf in SIDES_PX[first:]:
            _encode(path, smaller, side_px, crf)
            if smaller.stat().st_size <= allowed:
                return smaller.read_bytes()
    return None


def _encode(path: Path, target: Path, side_px: int, crf: int) -> None:
    """Write the film with its longer side at most `side_px` and at x264's quality `crf`; times stay."""
    import cv2

    from mrs.video import Video
    from mrs.video_write import write_video

    video = Video.open(path)
    scale = min(side_px / max(video.size_px), 1.0)
    size = tuple(max(2 * round(value * scale / 2), 2) for value in video.size_px)
    pictures = (np.ascontiguousarray(cv2.resize(f.rgb, size, interpolation=cv2.INTER_AREA)) for f in video.frames())
    write_video(target, pictures, video.times_s, size, crf=crf)
