"""Draw a contact sheet of a run: `python tools/appearance_sheet.py RUN PERSON OUT.jpg`.

Columns are moments in which the person was seen. Rows: what was filmed, the person drawn in the same motion by the clip's camera (both cut
to the person), the same from the side the camera did not see, and by the camera that follows.
"""

import sys

import cv2
import numpy as np

from mrs import plugins
from mrs.render import film as films
from mrs.render.clip import Clip

MOMENTS, CUT_PX, TALL = 6, (260, 340), 1.25


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
    cv2.imwrite(out, sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])


if __name__ == "__main__":
    main(*sys.argv[1:4])
