"""Make docs/images/overlay.jpg from the overlay of a run of the sample clip: python tools/make_readme_picture.py RUN."""

import sys
from pathlib import Path

import cv2
import numpy as np

from mrs.video import Video

MOMENTS_S = (0.7, 2.3, 3.9, 4.57, 4.8, 5.2)


def main(run: str) -> None:
    """Write the picture: six moments, three a row."""
    video = Video.open(Path(run) / "overlay.mp4")
    rows = {int(np.argmin(abs(video.times_s - t))) for t in MOMENTS_S}
    shots = [cv2.resize(f.rgb, (480, 270), interpolation=cv2.INTER_AREA) for f in video.frames() if f.row in rows]
    sheet = np.vstack([np.hstack(shots[:3]), np.hstack(shots[3:])])
    target = Path(__file__).parent.parent / "docs" / "images" / "overlay.jpg"
    target.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(target), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main(sys.argv[1])
