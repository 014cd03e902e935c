"""Motions side by side as video: one panel each, a camera that follows, a ground that shows the way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mrs.body import load_body
from mrs.cameras import Camera
from mrs.motion import Motion
from mrs.report import paint

PANEL_PX = (360, 480)
INK = (40, 40, 40)
FOV_DEG = 34.0
AWAY_M, ABOVE_M, LOOK_M = 4.6, 1.5, 0.85
TURN_DEG = 35.0
SMOOTH_S = 0.35
AT_ONCE = 32
_SKY, _GROUND, _GRID = (246, 247, 249), (229, 231, 235), (196, 200, 207)


def render(panels: list[tuple[str, Motion]], times_s: np.ndarray, columns: int | None = None) -> Iterator[np.ndarray]:
    """Yield RGB frames of the panels at `times_s` from each motion's own begin.

    A motion of one frame, or one that has ended, stands still. Panels are set in rows of `columns`.
    """
    columns = columns or len(panels)
    drawn = [_Panel(title, motion, number) for number, (title, motion) in enumerate(panels, 1)]
    blank = np.full((PANEL_PX[1], PANEL_PX[0], 3), _SKY, np.uint8)
    for time_s in times_s:
        pictures = [panel.at(time_s) for panel in drawn]
        pictures += [blank] * (-len(pictures) % columns)
        yield np.concatenate([np.concatenate(pictures[at : at + columns], 1) for at in range(0, len(pictures), columns)], 0)


def write(path, panels: list[tuple[str, Motion]], columns: int | None = None, rate_hz: float = 30.0) -> None:
    """Write the panels as an MP4 that lasts as long as the longest."""
    from mrs.video_write import write_video

    columns = columns or len(panels)
    last = max(m.times_s[-1] - m.times_s[0] for _, m in panels)
    times = np.arange(int(last * rate_hz) + 1) / rate_hz
    size = PANEL_PX[0] * columns, PANEL_PX[1] * (-(-len(panels) // columns))
    write_video(path, render(panels, times, columns), times, size)


class _Panel:
    """One motion with its camera path."""

    def __init__(self, title: str, motion: Motion, number: int):
        self.title, self.motion, self.colour = title, motion, paint.person_colour(number)
        self.body, self._first, self._points = load_body(motion.body), -1, None
        self.own_s = motion.times_s - motion.times_s[0]
        self.centre = _smooth(motion.root_pos_m[:, [0, 2]], self.own_s)
        from mrs.world import heading_rad

        self.turn = heading_rad(motion) + np.radians(TURN_DEG)

    def at(self, time_s: float) -> np.ndarray:
        """Picture at a time from the motion's begin."""
        row = int(np.argmin(np.abs(self.own_s - min(time_s, self.own_s[-1]))))
        camera = self._camera(row)
        rgb = np.full((PANEL_PX[1], PANEL_PX[0], 3), _SKY, np.uint8)
        _ground(rgb, camera, self.centre[row])
        paint.paint_mesh(rgb, camera.to_camera(self._vertices(row)), self.body.faces, camera.K, self.colour, 1.0)
        paint.paint_text(rgb, self.title, (PANEL_PX[0] / 2, 28), 17, INK, centred=True)
        paint.paint_text(rgb, f"{time_s:.2f} s", (8, PANEL_PX[1] - 10), 13, INK)
        return rgb

    def _vertices(self, row: int) -> np.ndarray:
        first = row - row % AT_ONCE
        if first != self._first:
            self._first, self._points = first, self.body.vertices(self.motion, slice(first, first + AT_ONCE))
        return self._points[row - first]

    def _camera(self, row: int) -> Camera:
        x, z = self.centre[row]
        look = np.array([x, LOOK_M, z])
        eye = look + [AWAY_M * np.sin(self.turn), ABOVE_M - LOOK_M + 0.4, AWAY_M * np.cos(self.turn)]
        ahead = (look - eye) / np.linalg.norm(look - eye)
        right = np.cross(ahead, [0, 1.0, 0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(ahead, right), ahead])
        camera = Camera.from_fov(PANEL_PX, FOV_DEG)
        return Camera(camera.K, R, -R @ eye, PANEL_PX)


def _smooth(path: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    if len(path) < 3:
        return path
    from scipy.ndimage import gaussian_filter1d

    rate = (len(times_s) - 1) / max(times_s[-1], 1e-6)
    return gaussian_filter1d(path, SMOOTH_S * rate, axis=0, mode="nearest")


def _ground(rgb: np.ndarray, camera: Camera, centre: np.ndarray) -> None:
    """Paint the ground with a line a half metre around the centre."""
    import cv2

    down = -camera.R[2, 1] / np.sqrt(max(1 - camera.R[2, 1] ** 2, 1e-6))
    horizon = int(np.clip(camera.K[1, 2] - camera.K[1, 1] * down, 0, rgb.shape[0]))
    rgb[horizon:] = _GROUND
    reach, step = 3.0, 0.5
    for axis in (0, 1):
        for at in np.arange(np.ceil((centre[axis] - reach) / step), np.floor((centre[axis] + reach) / step) + 1) * step:
            ends = np.zeros((2, 3))
            ends[:, [0, 2][axis]] = at
            ends[:, [0, 2][1 - axis]] = centre[1 - axis] + [-reach, reach]
            seen = camera.to_camera(np.linspace(ends[0], ends[1], 24))
            pixels = paint.to_pixels(seen, camera.K)
            pixels = pixels[np.isfinite(pixels).all(1)]
            if len(pixels) > 1:
                cv2.polylines(rgb, [np.round(pixels * 8).astype(np.int32)], False, _GRID, 1, cv2.LINE_AA, 3)
