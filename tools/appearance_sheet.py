"""Draw a contact sheet of a run: `python tools/appearance_sheet.py RUN PERSON OUT.jpg`; of its synth.mp4 with `synth` for PERSON.

Columns are moments in which the person was seen. Rows: what was filmed, the person drawn in the same motion by the clip's camera (both cut
to the person), the same from the side the camera did not see, and by the camera that follows. synth.mp4 is shown at four moments.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from mrs import plugins
from mrs.render import film as films
from mrs.render.clip import Clip
from mrs.video import Video

MOMENTS, CUT_PX, TALL, SHOWN = 6, (260, 340), 1.25, 0.62
SYNTH_PX, SYNTH_ROWS = (640, 180), (0.1, 0.35, 0.6, 0.85)


def cut(rgb, box):
    """Cut a picture to a box widened to the sheet's shape."""
    centre, high = (box[:2] + box[2:]) / 2, TALL * max(box[3] - box[1], (box[2] - box[0]) * CUT_PX[1] / CUT_PX[0])
    scale = CUT_PX[1] / high
    affine = np.array([[scale, 0, CUT_PX[0] / 2 - scale * centre[0]], [0, scale, CUT_PX[1] / 2 - scale * centre[1]]])
    return cv2.warpAffine(rgb, affine, CUT_PX, flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def boxes(film):
    """Boxes (T, 4) of the drawn body."""
    from mrs.body import load_body

    pixels = film.camera.project(load_body().vertices(film.motion))
    return np.concatenate([np.nanmin(pixels, 1), np.nanmax(pixels, 1)], -1)


def main(run, person, out):
    """Write the sheet."""
    clip, renderer = Clip.of_run(run, person), plugins.load().make("renderer", "mesh")
    looks, rows = films.appearance_of(clip), clip.rows(MOMENTS + 2)[1:-1]
    lines = []
    for view in ("clip", "orbit", "follow"):
        film = films.Film(clip.motion, looks, view, clip.size_px if view == "clip" else films.SIZE_PX)
        around, drawn = boxes(film), dict(zip(range(len(clip.motion)), film.pictures(renderer), strict=False))
        if view == "clip":
            lines.append([cut(frame.rgb, around[row]) for row, frame in clip.frames(rows)])
        lines.append([cut(drawn[row], around[row]) for row in rows])
    sheet = np.concatenate([np.concatenate(line, 1) for line in lines], 0)
    write(out, cv2.resize(sheet, None, fx=SHOWN, fy=SHOWN, interpolation=cv2.INTER_AREA))


def synth(run, out):
    """Write four moments of synth.mp4."""
    video = Video.open(Path(run) / "synth.mp4")
    rows = {round(share * (len(video) - 1)) for share in SYNTH_ROWS}
    shots = [cv2.resize(frame.rgb, SYNTH_PX, interpolation=cv2.INTER_AREA) for frame in video.frames() if frame.row in rows]
    write(out, np.vstack([np.hstack(shots[:2]), np.hstack(shots[2:])]))


def write(out, rgb):
    """Write a JPEG."""
    cv2.imwrite(out, rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 84])


if __name__ == "__main__":
    if sys.argv[2] == "synth":
        synth(sys.argv[1], sys.argv[3])
    else:
        main(*sys.argv[1:4])
