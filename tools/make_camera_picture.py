"""Make the picture of the page about cameras: a film of known turns, and what was measured of them.

    python tools/make_camera_picture.py

A window with a lens of its own turns over the sample clip, as a camera in its place would have; `mrs run --camera rotating` follows it.
Writes docs/images/camera.jpg: the frames laid out by the measured turns, and pan and tilt, measured and true. Prints the largest error.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import mrs
from mrs import rotations
from mrs.cameras import Camera
from mrs.report import paint
from mrs.video import Video, write_video
from mrs.world.camera_motion import pan_tilt_roll_deg

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.pans import turns

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "docs" / "images" / "camera.jpg"
FOV_DEG, WINDOW_PX = 30.0, (960, 540)
MOMENTS, SHEET_PX, PLOT_PX = 4, (1100, 520), (1100, 230)
PAPER, INK, GRID = (247, 248, 250), (60, 60, 60), (222, 225, 230)
COLOURS = ((214, 90, 20), (31, 127, 214))


def main() -> None:
    """Film, follow, draw."""
    video = Video.open(ROOT / "examples" / "walk_and_jump.mp4")
    with tempfile.TemporaryDirectory(prefix="mrs-camera-") as folder:
        truth = _film(video, Path(folder) / "turning.mp4")
        run = mrs.run(Path(folder) / "turning.mp4", Path(folder) / "run", camera="rotating", fov=FOV_DEG, overlay=False, report=False)
        with np.load(Path(folder) / "run" / "camera.npz") as held:
            found = held["R"]
        sheet = _laid_out(Video.open(Path(folder) / "turning.mp4"), run, found)
    away = np.linalg.norm(rotations.matrix_to_axis_angle(np.einsum("tab,tcb->tac", _since(found), _since(truth))), axis=-1)
    print(f"largest error of a turn: {np.degrees(away).max():.2f} degrees")
    picture = np.concatenate([sheet, _plot(video.times_s, _since(found), _since(truth))], 0)
    cv2.imwrite(str(PLACE), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])
    print(f"{PLACE.name}: {picture.shape[1]}x{picture.shape[0]}, {PLACE.stat().st_size / 1e3:.0f} kB")


def _film(video: Video, path: Path) -> np.ndarray:
    """Film the clip by a camera that turns; return its rotations (T, 3, 3)."""
    whole, window = Camera.from_fov(video.size_px), Camera.from_fov(WINDOW_PX, FOV_DEG)
    t = np.linspace(0, 1, len(video))
    R = turns(8.0 * np.sin(2 * np.pi * t - 0.9), 1.5 + 2.0 * np.sin(3 * np.pi * t), 1.5 * np.sin(4 * np.pi * t))
    seen = (cv2.warpPerspective(f.rgb, window.K @ R[f.row] @ np.linalg.inv(whole.K), WINDOW_PX) for f in video.frames())
    write_video(path, seen, video.times_s, WINDOW_PX)
    return R


def _since(R: np.ndarray) -> np.ndarray:
    """Turns (T, 3, 3) from the first frame."""
    return R @ R[0].T


def _laid_out(video: Video, run, R: np.ndarray) -> np.ndarray:
    """All frames in the first one's axes, people at a few moments only, and those frames' outlines."""
    window = Camera.from_fov(WINDOW_PX, FOV_DEG)
    corners = np.array([[0, 0], [WINDOW_PX[0], 0], [WINDOW_PX[0], WINDOW_PX[1]], [0, WINDOW_PX[1]]], float)
    places = [cv2.perspectiveTransform(corners[None], window.K @ _since(R)[row].T @ np.linalg.inv(window.K))[0] for row in range(len(R))]
    low, high = np.min(places, (0, 1)), np.max(places, (0, 1))
    scale = min((SHEET_PX[0] - 40) / (high - low)[0], (SHEET_PX[1] - 40) / (high - low)[1])
    to_sheet = np.array([[scale, 0, SHEET_PX[0] / 2 - scale * (low + high)[0] / 2], [0, scale, SHEET_PX[1] / 2 - scale * (low + high)[1] / 2], [0, 0, 1]])
    moments = np.linspace(0.1, 0.8, MOMENTS) * (len(video) - 1)
    moments = moments.round().astype(int).tolist()
    layers, people = [], []
    for frame in video.frames():
        if frame.row % 8 and frame.row not in moments:
            continue
        H = to_sheet @ window.K @ _since(R)[frame.row].T @ np.linalg.inv(window.K)
        layer = cv2.warpPerspective(frame.rgb, H, SHEET_PX, flags=cv2.INTER_AREA).astype(np.float32)
        known = cv2.warpPerspective(np.ones(WINDOW_PX[::-1], np.uint8), H, SHEET_PX) > 0
        layer = np.where(known[..., None], layer, np.nan)
        layers.append(layer)
        if frame.row in moments:
            people.append((frame.row, H, layer, _boxes(run, H, video.times_s[frame.row])))
    stack = np.ma.masked_invalid(layers)
    sheet = np.ma.median(stack, 0).filled(PAPER[0]).astype(np.uint8)
    for _, _, layer, boxes in people:
        for x0, y0, x1, y1 in boxes:
            there = layer[y0:y1, x0:x1]
            sheet[y0:y1, x0:x1] = np.where(np.isfinite(there), there, sheet[y0:y1, x0:x1])
    for row, H, *_ in people:
        outline = np.round(cv2.perspectiveTransform(corners[None], H)[0]).astype(int)
        cv2.polylines(sheet, [outline], True, (255, 255, 255), 3, cv2.LINE_AA)
        cv2.polylines(sheet, [outline], True, COLOURS[1], 1, cv2.LINE_AA)
        paint.paint_text(sheet, f"{video.times_s[row]:.1f} s", tuple(outline[0] + [8, 24]), 16)
    return sheet


def _boxes(run, H: np.ndarray, time_s: float) -> list[list[int]]:
    """Where people are on the sheet at a time, as x0, y0, x1, y1."""
    boxes = []
    for track in run.tracks.people:
        at = int(np.abs(track.times_s - time_s).argmin())
        if abs(track.times_s[at] - time_s) < 0.02:
            x0, y0, x1, y1 = track.boxes_px[at]
            points = cv2.perspectiveTransform(np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], float), H)[0]
            rim = 0.1 * np.ptp(points, 0).max()
            (left, top), (right, bottom) = np.clip([points.min(0) - rim, points.max(0) + rim], 0, SHEET_PX).astype(int)
            boxes.append([left, top, right, bottom])
    return boxes


def _plot(times_s: np.ndarray, found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Pan and tilt over time: measured as lines, true as dots."""
    rgb = np.full((PLOT_PX[1], PLOT_PX[0], 3), PAPER, np.uint8)
    measured, known = pan_tilt_roll_deg(found), pan_tilt_roll_deg(truth)
    low, high = known[:, :2].min() - 2, known[:, :2].max() + 2
    x = 70 + (PLOT_PX[0] - 90) * times_s / times_s[-1]
    y = lambda deg: PLOT_PX[1] - 34 - (PLOT_PX[1] - 50) * (deg - low) / (high - low)
    for deg in range(int(np.ceil(low / 5)) * 5, int(high) + 1, 5):
        cv2.line(rgb, (70, round(y(deg))), (PLOT_PX[0] - 20, round(y(deg))), GRID, 1)
        cv2.putText(rgb, f"{deg}", (36, round(y(deg)) + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    for second in range(int(times_s[-1]) + 1):
        cv2.putText(rgb, f"{second} s", (round(float(np.interp(second, times_s, x))) - 8, PLOT_PX[1] - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    for axis, (name, colour) in enumerate(zip(("pan, degrees", "tilt"), COLOURS, strict=True)):
        for at, deg in zip(x[::6], known[::6, axis], strict=True):
            cv2.circle(rgb, (round(float(at)), round(float(y(deg)))), 5, INK, 1, cv2.LINE_AA)
        line = np.round(np.stack([x, y(measured[:, axis])], 1)).astype(int)
        cv2.polylines(rgb, [line], False, colour, 2, cv2.LINE_AA)
        cv2.putText(rgb, name, tuple(line[45] - [0, 16]), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return rgb


if __name__ == "__main__":
    main()
