"""Make the pictures of the pages about the stages from a run of the sample clip.

    mrs run examples/walk_and_jump.mp4 -o RUN && python tools/make_docs_pictures.py RUN

Writes docs/images/detection.jpg, tracks.png, lifted.jpg, world.png and transfer.jpg.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

import mrs
from mrs.api import Run
from mrs.body import load_body
from mrs.report import beside, paint
from mrs.report.side import side_view
from mrs.tracks import Tracks
from mrs.video import Video

IMAGES = Path(__file__).parent.parent / "docs" / "images"
MOMENT_S = 2.3
LIFTED_S, LIFTED_PX = (0.7, 3.9, 4.1, 4.4, 4.6, 5.2), 300
SCALE = 2 / 3


def main(folder: str) -> None:
    """Write all pictures."""
    run = Run.open(folder)
    video = Video.open(run.report["video"]["path"])
    write("detection.jpg", detection(video, run.tracks))
    write("tracks.png", timeline(run.tracks))
    write("lifted.jpg", lifted(run, video))
    write("world.png", side_view(run.motions, moments=9, size_px=(1100, 760)))
    write("transfer.jpg", transfer(run))


def write(name: str, rgb: np.ndarray) -> None:
    """Write one picture and say how large it is."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 86] if name.endswith(".jpg") else []
    cv2.imwrite(str(IMAGES / name), rgb[..., ::-1], quality)
    print(f"{name}: {rgb.shape[1]}x{rgb.shape[0]}, {(IMAGES / name).stat().st_size / 1e3:.0f} kB")


def detection(video: Video, tracks: Tracks) -> np.ndarray:
    """One frame with what the detector saw: boxes, keypoints (the surer the larger), ids."""
    row = int(np.abs(video.times_s - MOMENT_S).argmin())
    rgb = next(iter(video.frames(row))).rgb.copy()
    for track in tracks.people:
        at = int(np.abs(track.times_s - video.times_s[row]).argmin())
        colour = paint.person_colour(track.person)
        x0, y0, x1, y1 = np.round(track.boxes_px[at]).astype(int).tolist()
        cv2.rectangle(rgb, (x0, y0), (x1, y1), colour, 2, cv2.LINE_AA)
        for x, y, confidence in track.keypoints_px[at]:
            if confidence > 0.1:
                cv2.circle(rgb, (round(float(x)), round(float(y))), round(2 + 3 * float(confidence)), (255, 255, 255), -1, cv2.LINE_AA)
                cv2.circle(rgb, (round(float(x)), round(float(y))), round(1 + 3 * float(confidence)), colour, -1, cv2.LINE_AA)
        paint.paint_text(rgb, str(track.person), (x0 + 4, y0 - 8), 26, colour)
    return cv2.resize(rgb, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_AREA)


def lifted(run: Run, video: Video, person: int = 2) -> np.ndarray:
    """Moments of a somersault: the picture, what the lifter said, what the refiner made of it."""
    folder, colour = run.folder / "persons" / f"{person:02d}", paint.person_colour(person)
    before, after = (mrs.load(folder / name) for name in ("lifted.npz", "motion.npz"))
    wanted = [int(np.abs(video.times_s - t).argmin()) for t in LIFTED_S]
    columns = []
    for frame in (f for f in video.frames() if f.row in wanted):
        at = int(np.abs(after.times_s - video.times_s[frame.row]).argmin())
        camera = after.camera.at(at)
        shots = [frame.rgb.copy() for _ in range(3)]
        for rgb, motion, to_camera in zip(shots[1:], (before, after), (lambda p: p, camera.to_camera), strict=True):
            body = load_body(motion.body)
            paint.paint_mesh(rgb, to_camera(body.vertices(motion, slice(at, at + 1))[0]), body.faces, camera.K, colour, 0.75)
        x, y = np.round(paint.to_pixels(camera.to_camera(after.joints_m[at].mean(0)[None]), camera.K)[0]).astype(int)
        low_x, low_y = (int(np.clip(v - LIFTED_PX // 2, 0, size - LIFTED_PX)) for v, size in ((x, video.size_px[0]), (y, video.size_px[1])))
        columns.append(np.concatenate([rgb[low_y : low_y + LIFTED_PX, low_x : low_x + LIFTED_PX] for rgb in shots], 0))
    return np.concatenate(columns, 1)


def timeline(tracks: Tracks, size_px: tuple[int, int] = (900, 150)) -> np.ndarray:
    """When each person was seen: a bar each, its height the mean confidence of the keypoints, over the seconds of the video."""
    width, height = size_px
    rgb = np.full((height, width, 3), 250, np.uint8)
    left, bottom, last = 60, height - 30, float(tracks.times_s[-1])
    lane = (bottom - 8) // max(len(tracks), 1)
    for order, track in enumerate(tracks.people):
        low = 4 + (order + 1) * lane
        paint.paint_text(rgb, str(track.person), (20, low - lane / 3), 20, paint.person_colour(track.person))
        for time_s, confidence in zip(track.times_s, track.keypoints_px[..., 2].mean(1), strict=True):
            x = left + round((width - left - 20) * float(time_s) / last)
            cv2.line(rgb, (x, low), (x, low - round((lane - 10) * float(confidence))), paint.person_colour(track.person), 4)
    for second in range(int(last) + 1):
        x = left + round((width - left - 20) * second / last)
        cv2.line(rgb, (x, bottom), (x, bottom + 4), (90, 90, 90), 1)
        paint.paint_text(rgb, f"{second} s", (x, height - 6), 13, (255, 255, 255), centred=True)
    return rgb


def transfer(run: Run) -> np.ndarray:
    """The walk of person 1, and the same behaviour begun from a stand: four moments of each, one above the other."""
    source = run.motion(1)
    moved = mrs.transfer(source)
    rows = []
    for name, motion in (("source", source), ("transferred", moved)):
        times = np.linspace(0, min(motion.times_s[-1] - motion.times_s[0], 2.4), 4)
        rows.append(np.concatenate(list(beside.render([(name, motion)], times)), 1)[60:440])
    return cv2.resize(np.concatenate(rows, 0), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main(sys.argv[1])
