"""A contact sheet of world motions, to be looked at: from the side and from above, with the ground and the contacts."""

from __future__ import annotations

import numpy as np

from mrs.report import paint
from mrs.skeletons import SMPL_24

MARGIN_PX = 46
FEET = (("left_ankle", "left_foot"), ("right_ankle", "right_foot"))
_PAPER, _INK, _GRID, _CONTACT = (250, 250, 250), (60, 60, 60), (214, 214, 214), (210, 30, 30)


def side_view(motions: dict, moments: int = 10, size_px: tuple[int, int] = (1400, 900), times_s=None) -> np.ndarray:
    """Draw skeletons at `moments` even times (or at `times_s`): an RGB picture (h, w, 3) uint8 of at most `size_px`.

    Above: seen along the horizontal axis of the shorter way, height over the way, the ground at y = 0 as a line, red
    rings where a heel (ankle joint) or toe touches at a probability above one half. Below: the same from above. One
    scale, a grid of 1 m, right limbs dark. The pelvis' whole path is a line, unless people stay so near
    their place that the moments are set side by side. `motions` maps ids to motions in the world frame.
    """
    if times_s is None:
        times_s = np.linspace(min(m.times_s[0] for m in motions.values()), max(m.times_s[-1] for m in motions.values()),
                              moments)
    along, across = _axes(motions)
    joints = np.concatenate([m.joints_m.reshape(-1, 3) for m in motions.values()])
    low, high = joints.min(0) - 0.3, joints.max(0) + 0.3
    low[1], high[1] = min(low[1], -0.2), max(high[1], 0.5) + 0.1
    step_m = _spread(motions, along, len(times_s), high[along] - low[along])
    high[along] += step_m * (len(times_s) - 1)
    spans = high - low
    width, height = size_px
    scale = min((width - 2 * MARGIN_PX) / spans[along], (height - 3 * MARGIN_PX) / (spans[1] + spans[across]))
    used = (3 * MARGIN_PX + scale * (spans[1] + spans[across]), max(2 * MARGIN_PX + scale * spans[along], 420))
    picture = np.full((int(used[0]), int(min(used[1], width)), 3), _PAPER, np.uint8)
    split = MARGIN_PX + scale * spans[1]
    side = _Panel(picture, (along, 1), low, high, scale, MARGIN_PX)
    top = _Panel(picture, (along, across), low, high, scale, split + MARGIN_PX)
    for panel, label in ((side, "side"), (top, "top")):
        panel.grid(labels=step_m == 0)
        apart = f", moments {step_m:.1f} m apart" if step_m else ""
        panel.title(f"{label}: {'xyz'[along]} to the right, {'xyz'[panel.axes[1]]} {panel.towards}, 1 m grid{apart}")
    side.ground()
    offsets = np.zeros((len(times_s), 3))
    offsets[:, along] = step_m * np.arange(len(times_s))
    for number, motion in sorted(motions.items()):
        _draw_person(side, top, number, motion, np.asarray(times_s, float), offsets)
    return picture


def _spread(motions: dict, along: int, moments: int, span_m: float) -> float:
    """Metres between moments of people who hardly leave their place; 0 where they walk on their own."""
    way_m = max(np.ptp(m.root_pos_m[:, along]) for m in motions.values())
    return 0.0 if way_m > 0.35 * moments else min(span_m, 1.4) * 0.8


def _axes(motions: dict) -> tuple[int, int]:
    """Return the horizontal axis of the longer way, and the other."""
    pelvis = np.concatenate([m.root_pos_m for m in motions.values()])
    return (0, 2) if np.ptp(pelvis[:, 0]) > np.ptp(pelvis[:, 2]) else (2, 0)


def _draw_person(side: _Panel, top: _Panel, number: int, motion, times_s: np.ndarray, offsets: np.ndarray) -> None:
    colour = paint.person_colour(number)
    for panel in (side, top):
        if not offsets.any():
            panel.path(motion.root_pos_m, colour)
    for time_s, offset in zip(times_s, offsets, strict=True):
        row = int(np.argmin(np.abs(motion.times_s - time_s)))
        if not motion.times_s[0] - 1e-6 <= time_s <= motion.times_s[-1] + 1e-6:
            continue
        joints = motion.joints_m[row] + offset
        for panel in (side, top):
            panel.skeleton(joints, colour)
            panel.contacts(joints, motion.contacts[row])
        head = joints[SMPL_24.index("head")]
        side.text(f"{motion.times_s[row]:.2f}", head + [0, 0.22, 0], colour)
    top.text(str(number), motion.root_pos_m[0], colour, 18)


class _Panel:
    """One orthographic view: world axes to the right and up (z down over x, as seen from above), metres to pixels."""

    def __init__(self, picture: np.ndarray, axes: tuple[int, int], low, high, scale: float, top_px: float):
        self.picture, self.axes, self.scale = picture, axes, scale
        self.low, self.high, self.top_px = low, high, top_px
        self.towards = "down" if axes == (0, 2) else "up"

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Map world points (..., 3) to pixels (..., 2)."""
        right, up = self.axes
        x = MARGIN_PX + (points[..., right] - self.low[right]) * self.scale
        y = points[..., up] - self.low[up] if self.towards == "down" else self.high[up] - points[..., up]
        return np.stack([x, self.top_px + y * self.scale], -1)

    def grid(self, labels: bool) -> None:
        """Draw a line a metre; `labels` numbers those to the right too (those up always)."""
        right = self.axes[0]
        for axis in self.axes:
            for metre in range(int(np.ceil(self.low[axis])), int(np.floor(self.high[axis])) + 1):
                ends = np.stack([self.low, self.high])
                ends[:, axis] = metre
                self._line(ends, _GRID, 1)
                label = self.pixels(ends).max(0) if axis == right else self.pixels(ends).min(0)
                at = (label[0] - 8, label[1] + 14) if axis == right else (label[0] - 30, label[1] + 5)
                if labels or axis != right:
                    _write(self.picture, str(metre), at)

    def ground(self) -> None:
        ends = np.stack([self.low, self.high])
        ends[:, 1] = 0
        self._line(ends, _INK, 2)

    def title(self, text: str) -> None:
        _write(self.picture, text, (MARGIN_PX, self.top_px - 8), 0.5)

    def path(self, points: np.ndarray, colour) -> None:
        import cv2

        cv2.polylines(self.picture, [_fixed(self.pixels(points))], False, _pale(colour), 2, cv2.LINE_AA, 3)

    def skeleton(self, joints: np.ndarray, colour) -> None:
        paint.paint_skeleton(self.picture, self.pixels(joints), colour, 2.0, _dark(colour))

    def contacts(self, joints: np.ndarray, contacts: np.ndarray) -> None:
        """Mark the touching heels and toes; `contacts` (4,) is left heel, left toe, right heel, right toe."""
        import cv2

        for name, touch in zip((n for foot in FEET for n in foot), contacts, strict=True):
            if touch > 0.5:
                centre = _fixed(self.pixels(joints[SMPL_24.index(name)])).tolist()
                cv2.circle(self.picture, centre, 5 << 3, _CONTACT, 2, cv2.LINE_AA, 3)

    def text(self, text: str, at_m: np.ndarray, colour, height_px: float = 11) -> None:
        x, y = self.pixels(at_m)
        _write(self.picture, text, (x - 4 * len(text), y), height_px / 26, _dark(colour))

    def _line(self, ends: np.ndarray, colour, thick: int) -> None:
        import cv2

        first, last = _fixed(self.pixels(ends)).tolist()
        cv2.line(self.picture, first, last, colour, thick, cv2.LINE_AA, 3)


def _fixed(pixels: np.ndarray) -> np.ndarray:
    return np.round(pixels * 8).astype(np.int32)


def _dark(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    return tuple(int(value * 0.5) for value in colour)


def _pale(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    return tuple(int(170 + value / 3) for value in colour)


def _write(picture: np.ndarray, text: str, at_px, size: float = 0.4, colour=_INK) -> None:
    import cv2

    cv2.putText(picture, text, (int(at_px[0]), int(at_px[1])), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
