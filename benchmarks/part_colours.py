"""Measure how true the colours of body parts are that are gathered from a clip and drawn again.

    python -m benchmarks.part_colours [--json] [--check]

A body in known clothes, lit from one side, is drawn by a renderer that shares nothing with mrs/render, over a textured
background, and encoded. Its appearance is gathered with the true motion and with a motion that errs as refined ones do, and drawn
in the true motion. Compared are the mean colours of each part: gathered with painted ones (without light, and up to
one factor for all, since no film tells bright clothes from bright light), and drawn with
filmed ones, pixel by pixel where the film shows the part.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace

import numpy as np

from benchmarks import _common, dressed

BOUND = 12.0
OFF = (("true motion", 0, 0), ("motion off by 4 degrees, 15 mm", 4, 0.015), ("motion off by 8 degrees, 30 mm", 8, 0.03))


def main() -> None:
    """Print the errors of each way."""
    parser = _common.parser(__doc__, cores=None)
    parser.add_argument("--size", default="960x720", help="size of the clip (default: 960x720)")
    args = parser.parse_args()
    report = _common.begin("Colours of body parts, of 255", args, ("numpy", "opencv-python-headless"))
    size_px = tuple(int(v) for v in args.size.split("x"))
    rows, worst = [], {}
    with tempfile.TemporaryDirectory() as folder:
        filmed = dressed.film(dressed.turning(), folder, size_px)
        for name, degrees, metres in OFF:
            painted, drawn = measure(filmed, degrees, metres)
            rows.append((name, mean(painted), max(painted.values()), mean(drawn), max(drawn.values())))
            worst[name] = mean(drawn)
    report.table(("gathered with", "painted: mean", "worst part", "drawn: mean", "worst part"), rows)
    for name, *_ in OFF[:2]:
        report.at_most(f"drawn, {name}", worst[name], BOUND, "of 255")
    report.finish(args)


def mean(errors: dict[str, float]) -> float:
    """Mean over parts."""
    return float(np.mean(list(errors.values())))


def measure(filmed: dressed.Filmed, degrees: float, metres: float) -> tuple[dict[str, float], dict[str, float]]:
    """Errors by part of the gathered colours and of the drawn pictures."""
    from mrs.body import load_body
    from mrs.body.atlas import vertex_regions
    from mrs.render.film import Film
    from mrs.render.gather import gather
    from mrs.render.raster import Painter
    from mrs.render.scene import Look, Scene

    true, size_px = filmed.clip.motion, filmed.clip.size_px
    clip = filmed.clip if not degrees else replace(filmed.clip, motion=dressed.jittered(true, 0, degrees, metres))
    looks = gather(clip)
    gain = (looks.colours_rgb * filmed.colours).sum() / (looks.colours_rgb.astype(float) ** 2).sum()
    painted = dressed.part_errors(looks.colours_rgb * gain, filmed.colours, vertex_regions(load_body()))
    film = Film(true, looks, "clip", size_px)
    scene, painter, rows = Scene(film.motion, looks, film.camera, size_px, Look()), Painter(load_body().faces), range(0, len(true), 5)
    drawn = np.concatenate([scene.picture(row, painter).reshape(-1, 3) for row in rows])
    shown = np.concatenate([filmed.frames[row].reshape(-1, 3) for row in rows])
    parts = np.concatenate([filmed.parts[row].ravel() for row in rows])
    return painted, dressed.part_errors(drawn, shown, parts)


if __name__ == "__main__":
    main()
