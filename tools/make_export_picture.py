"""Make the picture of the page about exports: one moment in files of five kinds, each drawn from what its file holds.

    mrs run examples/walk_and_jump.mp4 -o RUN && python tools/make_export_picture.py RUN

Writes docs/images/export.png.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import mrs
from mrs.api import Run
from mrs.body import load_body
from mrs.formats import bvh, g1
from mrs.motion import Motion
from mrs.report import paint
from mrs.world import heading_rad

PLACE = Path(__file__).parent.parent / "docs" / "images" / "export.png"
MOMENTS = ((1, 1.1), (2, 3.7))
PANEL_PX, FOCAL_PX, AWAY_M, TURN_DEG, DOWN_DEG = (220, 330), 800.0, 6.0, 55.0, 8.0
NEAR_M = 1.3
PAPER, INK, DARK, FLOOR = (247, 248, 250), (40, 40, 40), (60, 66, 74), (226, 229, 233)


def main(folder: str) -> None:
    """Export two moments in every format, read the files, and draw them side by side."""
    run = Run.open(folder)
    rows = []
    with tempfile.TemporaryDirectory(prefix="mrs-export-") as place:
        for person, time_s in MOMENTS:
            panels = _panels(run.motion(person), time_s, Path(place), paint.person_colour(person), titles=not rows)
            rows.append(np.concatenate(panels, 1))
    picture = np.concatenate(rows, 0)
    cv2.imwrite(str(PLACE), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{PLACE.name}: {picture.shape[1]}x{picture.shape[0]}, {PLACE.stat().st_size / 1e3:.0f} kB")


def _panels(motion: Motion, time_s: float, place: Path, colour: tuple[int, int, int], titles: bool) -> list[np.ndarray]:
    """The body itself, then the skeletons that the files hold, all at one moment of the motion."""
    since_s = time_s - motion.times_s[0]
    row = int(np.abs(motion.times_s - time_s).argmin())
    heading = heading_rad(motion, row)
    body = load_body(motion.body)
    vertices = body.vertices(motion, slice(row, row + 1))[0]
    blank = np.full((PANEL_PX[1], PANEL_PX[0], 3), PAPER, np.uint8)
    first = blank.copy()
    _floor(first, motion.joints_m[row, 0], heading)
    paint.paint_mesh(first, _seen(vertices, motion.joints_m[row, 0], heading), body.faces, _lens(), colour, 1.0)
    drawn = [("motion.npz, the body", first)]
    for title, joints, parents in _skeletons(motion, place, since_s):
        panel = blank.copy()
        _floor(panel, joints[0], heading)
        _bones(panel, _seen(joints, joints[0], heading), parents, colour)
        drawn.append((title, panel))
    for title, panel in drawn if titles else ():
        wide = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0]
        cv2.putText(panel, title, ((PANEL_PX[0] - wide) // 2, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return [panel for _, panel in drawn]


def _skeletons(motion: Motion, place: Path, since_s: float):
    """Write the motion, read it again, and yield a title, joints (J, 3) with Y up in metres, and parents (J,) at the moment."""
    for title, exporter, options in (("bvh", "bvh", {}), ("bvh, names=deepmimic", "bvh", {"names": "deepmimic"}),
                                     ("gmr-lafan1", "gmr-lafan1", {})):
        path = place / f"{len(list(place.iterdir()))}.bvh"
        mrs.export(motion, path, exporter, **options)
        document = bvh.read(path)
        turned, placed = document.pose()
        row = int(np.abs(document.times_s - since_s).argmin())
        joints = np.concatenate([placed, document.ends(turned, placed)], 1)[row] / 100
        if "deepmimic" in title:
            joints = joints[:, [2, 1, 0]] * [-1, 1, 1]
        yield title, joints, np.concatenate([document.parents, document.end_joints])
    path = place / f"{len(list(place.iterdir()))}.npz"
    mrs.export(motion, path, "mjlab")
    with np.load(path) as held:
        places, rate_hz = held["body_pos_w"], float(np.ravel(held["fps"])[0])
    joints = places[min(round(since_s * rate_hz), len(places) - 1)] @ np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    yield "mjlab (Unitree G1)", joints, np.concatenate([[-1], g1.PARENTS])


def _seen(points_m: np.ndarray, pelvis_m: np.ndarray, heading: float) -> np.ndarray:
    """Points (..., 3) as a camera sees them that stands obliquely before the person, its axes right, down, ahead."""
    around, down = np.radians(TURN_DEG) - heading, np.radians(DOWN_DEG)
    x, y, z = np.moveaxis(points_m - [pelvis_m[0], pelvis_m[1] - 0.05, pelvis_m[2]], -1, 0)
    across, ahead = np.cos(around) * x - np.sin(around) * z, -(np.sin(around) * x + np.cos(around) * z)
    return np.stack([across, -y * np.cos(down) + ahead * np.sin(-down), AWAY_M + ahead * np.cos(down) - y * np.sin(down)], -1)


def _lens() -> np.ndarray:
    return np.array([[FOCAL_PX, 0, PANEL_PX[0] / 2], [0, FOCAL_PX, PANEL_PX[1] / 2 + 10], [0, 0, 1.0]])


def _floor(panel: np.ndarray, pelvis_m: np.ndarray, heading: float) -> None:
    """Draw the floor of the world as lines half a metre apart, where it is near."""
    if pelvis_m[1] > NEAR_M:
        return
    centre = np.round(pelvis_m[[0, 2]] * 2) / 2
    for step in np.arange(-1.0, 1.01, 0.5):
        for ends in (((step, -1), (step, 1)), ((-1, step), (1, step))):
            points = np.array([(centre[0] + a, 0.0, centre[1] + b) for a, b in ends])
            at = paint.to_pixels(_seen(points, pelvis_m, heading), _lens())
            cv2.line(panel, *(tuple(np.round(p).astype(int).tolist()) for p in at), FLOOR, 1, cv2.LINE_AA)


def _bones(panel: np.ndarray, points: np.ndarray, parents: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Draw bones from the farthest to the nearest, and joints on them."""
    at = np.round(paint.to_pixels(points, _lens())).astype(int)
    for joint in sorted(range(len(points)), key=lambda j: -points[j, 2]):
        if parents[joint] >= 0:
            cv2.line(panel, tuple(at[parents[joint]].tolist()), tuple(at[joint].tolist()), colour, 4, cv2.LINE_AA)
    for x, y in at.tolist():
        cv2.circle(panel, (x, y), 3, DARK, -1, cv2.LINE_AA)


if __name__ == "__main__":
    main(sys.argv[1])
