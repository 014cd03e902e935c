"""Cut examples/walk_and_jump.mp4 out of the Sports2D demo video.

Type: pip download --no-deps sports2d==0.8.34 && unzip sports2d-*.whl Sports2D/Demo/demo.mp4
      python examples/make_sample.py Sports2D/Demo/demo.mp4
"""

import sys
from pathlib import Path

import cv2

from mrs.video import Video, write_video

SOURCE_SHA256 = "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039"
FIRST, LAST = 45, 205
SIZE_PX = (1280, 720)


def main(source: str) -> None:
    """Scale the frames FIRST..LAST of `source` to 1280x720 and write them beside this script."""
    video = Video.open(source)
    if video.sha256 != SOURCE_SHA256:
        sys.exit(f"Expected the demo video of sports2d 0.8.34, but {source} is another file.")
    video = Video.open(source, video.times_s[FIRST], video.times_s[LAST + 1])
    pictures = (cv2.resize(frame.rgb, SIZE_PX, interpolation=cv2.INTER_AREA) for frame in video.frames())
    target = Path(__file__).parent / "walk_and_jump.mp4"
    write_video(target, pictures, video.times_s, SIZE_PX, crf=23, preset="slow")
    print(f"{target}: {len(video)} frames, {target.stat().st_size / 1e6:.2f} MB, sha256 {Video.open(target).sha256}")


if __name__ == "__main__":
    main(sys.argv[1])
