"""Make docs/images/walk_and_jump.webp from a run of the sample clip: the overlay beside the motions in their world.

    mrs run examples/walk_and_jump.mp4 -o RUN && python tools/make_readme_animation.py RUN

Needs Pillow. The right half is drawn from motion.npz alone, by a camera that goes slowly around.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from mrs.api import Run
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.report import beside, paint
from mrs.video import Video

TARGET = Path(__file__).parent.parent / "docs" / "images" / "walk_and_jump.webp"
RATE_HZ = 15.0
OVERLAY_PX, WORLD_PX = (560, 315), (340, 315)
NOISE = 16
"""Pixels of the film that change by less keep their colour; the eye does not see it, and the file shrinks."""
LOOK_M, AWAY_M, ABOVE_M = np.array([-1.3, 1.15, 2.7]), 8.2, 1.6
FROM_DEG, TO_DEG = 70.0, 20.0
QUALITY = 62


def main(run: str) -> None:
    """Write the animation and say how large it is."""
    frames = [np.concatenate(pair, 1) for pair in zip(*pictures(Run.open(run)), strict=True)]
    save(frames, TARGET)
    print(f"{TARGET}: {len(frames)} frames, {TARGET.stat().st_size / 1e6:.2f} MB")


def pictures(run: Run) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the overlay's pictures and those of the world at RATE_HZ."""
    import cv2

    video = Video.open(run.folder / "overlay.mp4")
    times = np.arange(video.times_s[0], video.times_s[-1], 1 / RATE_HZ)
    wanted = np.abs(video.times_s - times[:, None]).argmin(1)
    left = {f.row: cv2.resize(f.rgb, OVERLAY_PX, interpolation=cv2.INTER_AREA) for f in video.frames() if f.row in set(wanted)}
    motions = run.motions
    turns = np.radians(np.linspace(FROM_DEG, TO_DEG, len(times)))
    return still([left[row] for row in wanted]), [world(motions, t, turn) for t, turn in zip(times, turns, strict=True)]


def still(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Keep what hardly changes from one picture to the next."""
    kept = [frames[0]]
    for frame in frames[1:]:
        changed = np.abs(frame.astype(int) - kept[-1]).max(-1, keepdims=True) > NOISE
        kept.append(np.where(changed, frame, kept[-1]))
    return kept


def world(motions: dict, time_s: float, turn: float) -> np.ndarray:
    """Draw everybody who is there at a time, seen from `turn` radians around the vertical."""
    import cv2

    rgb = np.full((WORLD_PX[1], WORLD_PX[0], 3), (246, 247, 249), np.uint8)
    eye = LOOK_M + [AWAY_M * np.sin(turn), ABOVE_M, AWAY_M * np.cos(turn)]
    ahead = (LOOK_M - eye) / np.linalg.norm(LOOK_M - eye)
    right = np.cross(ahead, [0, 1.0, 0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(ahead, right), ahead])
    camera = Camera(Camera.from_fov(WORLD_PX, 46.0).K, R, -R @ eye, WORLD_PX)
    beside._ground(rgb, camera, LOOK_M[[0, 2]])
    people = [(n, m, int(np.abs(m.times_s - time_s).argmin())) for n, m in motions.items()
              if m.times_s[0] - 0.05 <= time_s <= m.times_s[-1] + 0.05]
    for number, motion, row in sorted(people, key=lambda p: -camera.to_camera(p[1].root_pos_m[p[2]])[2]):
        body = load_body(motion.body)
        points = body.vertices(motion, slice(row, row + 1))[0]
        shadow = paint.to_pixels(camera.to_camera(points * [1, 0, 1]), camera.K)
        cv2.fillConvexPoly(rgb, cv2.convexHull(np.round(shadow * 8).astype(np.int32)), (204, 207, 213), cv2.LINE_AA, 3)
        paint.paint_mesh(rgb, camera.to_camera(points), body.faces, camera.K, paint.person_colour(number), 1.0)
    return rgb


def save(frames: list[np.ndarray], path: Path) -> None:
    """Write an animated WebP that loops; a GIF of the same takes three times the space and has bands in its sky."""
    from PIL import Image

    first, *rest = [Image.fromarray(f) for f in frames]
    first.save(path, save_all=True, append_images=rest, duration=round(1000 / RATE_HZ), loop=0, quality=QUALITY, method=6)


if __name__ == "__main__":
    main(sys.argv[1])
