"""How a camera on a tripod, or in a hand, turned during a film: a rotation a frame, from the background.

Every frame is measured against a keyframe, not against the frame before, so that errors do not add up while the camera
looks at one thing. Where too little of a keyframe is still in the picture the nearest of the earlier ones takes over, or
the frame becomes one itself; for FADE_S both are measured, which ties keyframes together (and closes loops: a camera
that comes back meets its first keyframe). At the end all keyframes are laid out together by averaging rotations.
A stretch that can't be joined to what was before it starts anew: a cut.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from mrs import rotations
from mrs.cameras import Camera
from mrs.world.background import LEAST, Lens, Turn, View, focal_of, found_anew, turned

LEAST_SEEN = 0.6
MOST_ZOOM, NO_ZOOM = 0.12, 0.03
FOCAL_TURN_RAD, FOCAL_PAIRS, FOCAL_CHANGE = 0.1, 6, 0.03
FADE_S = 0.3
KEPT_KEYS = 60
TRIED_KEYS = 6
SHORTEST_SHOT_S = 0.3
ZOOMS = 1.05
OFF_OF_WIDTH = 0.0015
EXPLAINED = 0.6


@dataclass
class _Key:
    """A keyframe: its picture (None where it was let go), its shot, and its rough pose within it."""

    view: View | None
    shot: int
    R: np.ndarray
    zoom: float


@dataclass(frozen=True)
class _Seen:
    """One frame measured against one keyframe."""

    row: int
    key: int
    turn: Turn
    weight: float


@dataclass(frozen=True)
class CameraMotion:
    """What the background says of F frames.

    R (F, 3, 3) takes directions in the first frame's camera to each frame's, zoom (F,) is each frame's magnification
    against the first, 1 where the lens does not zoom. known (F,) tells which frames were measured; the others are
    interpolated. off_px (F,) is the median distance of the background from where the rotation puts it and share (F,) the
    share of it that is explained. cuts_s are the times at which something else comes into view. K (3, 3) is the first
    frame's lens; `focal` says whether it was "given", "measured" from the background, or is a "guess".
    """

    R: np.ndarray
    zoom: np.ndarray
    known: np.ndarray
    off_px: np.ndarray
    share: np.ndarray
    cuts_s: tuple[float, ...]
    keyframes: int
    size_px: tuple[int, int]
    K: np.ndarray
    focal: str

    @property
    def zooms(self) -> bool:
        """Whether the lens zooms."""
        return bool((self.zoom != 1).any())

    def applied(self, first: Camera) -> Camera:
        """The camera of every frame, where the first frame's is `first`."""
        R = self.R @ first.R
        t = np.broadcast_to(first.t, (len(R), 3)) if not np.any(first.t) else -(R @ first.centre_m)
        K = self.K
        if self.zooms:
            K = np.repeat(self.K[None], len(R), 0)
            K[:, [0, 1], [0, 1]] *= self.zoom[:, None]
        return replace(first, K=K, R=R, t=np.array(t))

    def facts(self) -> dict:
        """What run.json tells: how far the camera turned, and how well a rotation explains the background."""
        angles = np.degrees(np.linalg.norm(rotations.matrix_to_axis_angle(self.R), axis=-1))
        pan, tilt, roll = pan_tilt_roll_deg(self.R).T
        known = self.known if self.known.any() else np.ones(len(self.R), bool)
        return {
            "largest_turn_deg": _round(angles.max()), "pan_deg": [_round(pan.min()), _round(pan.max())],
            "tilt_deg": [_round(tilt.min()), _round(tilt.max())], "roll_deg": [_round(roll.min()), _round(roll.max())],
            "fov_deg": _round(np.degrees(2 * np.arctan(self.size_px[0] / 2 / self.K[0, 0]))), "focal": self.focal,
            "frames": len(self.R), "frames_measured": int(self.known.sum()), "keyframes": self.keyframes,
            "background_off_px": {"median": _round(np.median(self.off_px[known])),
                                  "p95": _round(np.percentile(self.off_px[known], 95))},
            "background_explained": _round(np.median(self.share[known])),
            "cuts_s": [_round(t) for t in self.cuts_s], "zoom": [_round(self.zoom.min()), _round(self.zoom.max())],
        }

    def warnings(self) -> list[str]:
        """Say in words what a rotation does not explain."""
        facts, told = self.facts(), []
        off = facts["background_off_px"]["p95"]
        if not self.known.any():
            return ["The camera's motion could not be measured: too little background is seen. It is treated as still."]
        if self.cuts_s:
            more = f" and {len(self.cuts_s) - 5} more" if len(self.cuts_s) > 5 else ""
            told.append(f"The view is cut at {', '.join(f'{t:.2f} s' for t in self.cuts_s[:5])}{more}: where the camera looks "
                        "after that is not known, and it is taken to be level again. Choose one shot with --start and --end.")
        if off > OFF_OF_WIDTH * self.size_px[0] or facts["background_explained"] < EXPLAINED:
            told.append(f"The camera's rotation explains {100 * facts['background_explained']:.0f} % of the background, to "
                        f"{off:.1f} px: the camera moves from its place as well, which is treated as not moving "
                        "(translation zero), so paths of people contain it. Give a trajectory with --camera FILE.")
        if self.focal == "guess" and facts["largest_turn_deg"] > 5:
            told.append(f"The camera's turn is measured with a guessed field of view of {facts['fov_deg']:.0f} degrees, since the background "
                        "does not tell. Give it with --fov where it is known.")
        if self.zooms:
            told.append(f"The lens zooms, from {self.zoom.min():.2f} to {self.zoom.max():.2f} times its first focal length; "
                        "that is taken into account. A camera that moves forward looks much the same.")
        lost = len(self.R) - facts["frames_measured"]
        if lost:
            told.append(f"The camera's rotation is interpolated in {lost} of {len(self.R)} frames, where too little of the "
                        "background is seen.")
        return told


def estimate(film, boxes_of, camera: Camera, times_s: np.ndarray, *, focal_known: bool = False,
             update=lambda done: None) -> CameraMotion:
    """Follow the camera through the frames (mrs.video.Frame) that ``film()`` yields anew each time it is called.

    `boxes_of(row)` gives the boxes (P, 4) in pixels of the people in a frame, who are left out. `camera` is the first
    frame's, of which only K counts. Unless its focal length is known, turns that are wide enough tell it; the film is
    then followed again from the start with what they told.
    """
    K, focal = np.array(camera.K, float), "given" if focal_known else "guess"
    for attempt in range(3):
        follower = Follower(Lens.of(K, camera.size_px))
        ratio = _follow(follower, film(), boxes_of, update, until_focal=not focal_known and attempt < 2)
        if ratio is None:
            break
        K[[0, 1], [0, 1]] *= ratio
        focal = "measured"
    if focal == "guess" and follower.wide and focal_of(follower.wide[-FOCAL_PAIRS:], follower.lens) is not None:
        focal = "measured"
    return follower.motion(times_s, camera.size_px, K, focal)


def _follow(follower: Follower, frames, boxes_of, update, *, until_focal: bool) -> float | None:
    """Follow to the end; with `until_focal` only until the background tells another focal length, over the present one."""
    told = 0
    with closing(frames):
        for frame in frames:
            follower.add(frame.row, frame.time_s, View(frame.rgb, boxes_of(frame.row), follower.lens))
            update(frame.row + 1)
            if until_focal and len(follower.wide) >= max(3 * told, 1):
                told = len(follower.wide)
                ratio = focal_of(follower.wide[-FOCAL_PAIRS:], follower.lens)
                if ratio is not None and abs(np.log(ratio)) > FOCAL_CHANGE:
                    return ratio
    return None


@dataclass
class Follower:
    """Follow the camera frame by frame; :meth:`motion` lays out the result."""

    lens: Lens
    keys: list[_Key] = field(default_factory=list)
    seen: list[_Seen] = field(default_factory=list)

    def __post_init__(self):
        self._key = -1
        self._fading = (-1, 0.0)
        self._last: tuple[View, np.ndarray, float] | None = None
        self._spin = np.eye(3)
        self._shots = 0
        self.wide: list[np.ndarray] = []

    def add(self, row: int, time_s: float, view: View) -> None:
        """Measure one more frame."""
        if not self.keys:
            return self._new_shot(row, view)
        turn = self._against(self._key, view, self._spin @ self._last[1], self._last[2])
        if turn is None:
            turn = self._again(view)
        if turn is None:
            return self._new_shot(row, view)
        key = self.keys[self._key]
        R, zoom = turn.R @ key.R, turn.zoom * key.zoom
        view.zoom = _snapped(zoom)
        self._spin = R @ self._last[1].T
        self._last = (view, R, zoom)
        fade = self._fade(row, time_s, view)
        self._note(row, self._key, turn, 1 - fade)
        if turn.seen < LEAST_SEEN or abs(np.log(turn.zoom)) > MOST_ZOOM:
            self._hand_over(row, time_s, view, turn)
        return None

    def _against(self, number: int, view: View, R: np.ndarray, zoom: float) -> Turn | None:
        """Measure against a keyframe from an expected pose in its shot; None where that fails."""
        key = self.keys[number]
        if key.view is None:
            return None
        turn = turned(key.view, view, R @ key.R.T, zoom / key.zoom)
        return turn if turn is not None and turn.holds else None

    def _again(self, view: View) -> Turn | None:
        """Find a frame that is not where it was expected: near the frame before, else near any keyframe."""
        last, R, zoom = self._last
        turn = self._against(self._key, view, R, zoom)
        if turn is not None:
            return turn
        for measure in (turned, found_anew):
            step = measure(last, view)
            if step is not None and step.holds:
                turn = self._against(self._key, view, step.R @ R, step.zoom * zoom)
                if turn is None and len(last.corners) >= LEAST:
                    self._add_key(last, self.keys[self._key].shot, R, zoom)
                    turn = step
                return turn
        for number in reversed(range(len(self.keys))[-TRIED_KEYS:]):
            key = self.keys[number]
            turn = found_anew(key.view, view) if key.view is not None else None
            if turn is not None and turn.holds:
                self._key, self._fading = number, (-1, 0.0)
                self._last = (view, turn.R @ key.R, turn.zoom * key.zoom)
                return turn
        return None

    def _fade(self, row: int, time_s: float, view: View) -> float:
        """Measure against the keyframe before too, for a while; return its weight."""
        number, until_s = self._fading
        share = (until_s - time_s) / FADE_S
        if number < 0 or share <= 0:
            return 0.0
        turn = self._against(number, view, self._last[1], self._last[2])
        if turn is None:
            self._fading = (-1, 0.0)
            return 0.0
        self._note(row, number, turn, min(share, 1.0))
        return min(share, 1.0)

    def _hand_over(self, row: int, time_s: float, view: View, turn: Turn) -> None:
        """Go on from the nearest earlier keyframe that sees the same, or from this frame."""
        here, (_, R, zoom) = self.keys[self._key], self._last
        angle = _angle(R, here.R)
        if angle > FOCAL_TURN_RAD and abs(np.log(turn.zoom)) < NO_ZOOM:
            self.wide.append(turn.matches)
        near = [(_angle(R, key.R), number) for number, key in enumerate(self.keys)
                if key.shot == here.shot and key.view is not None and abs(np.log(zoom / key.zoom)) < MOST_ZOOM]
        before = self._key
        for other, number in sorted(near)[:2]:
            if number != before and other < 0.7 * angle + 1e-9:
                found = self._against(number, view, R, zoom)
                if found is not None and found.seen > LEAST_SEEN + 0.1:
                    self._key = number
                    self._note(row, number, found, 1e-3)
                    break
        if self._key == before and len(view.corners) >= 2 * LEAST:
            self._add_key(view, here.shot, R, zoom)
            self._note(row, self._key, _none(), 1e-3)
        if self._key != before:
            self._fading = (before, time_s + FADE_S)

    def _note(self, row: int, key: int, turn: Turn, weight: float) -> None:
        self.seen.append(_Seen(row, key, replace(turn, matches=None), weight))

    def _new_shot(self, row: int, view: View) -> None:
        self._add_key(view, self._shots, np.eye(3), 1.0)
        self._shots += 1
        self._last, self._spin, self._fading = (view, np.eye(3), 1.0), np.eye(3), (-1, 0.0)
        if len(view.corners) >= LEAST:
            self._note(row, self._key, _none(), 1.0)

    def _add_key(self, view: View, shot: int, R: np.ndarray, zoom: float) -> None:
        view.zoom = _snapped(zoom)
        self.keys.append(_Key(view, shot, R, view.zoom))
        self._key = len(self.keys) - 1
        if self._key >= KEPT_KEYS:
            self.keys[self._key - KEPT_KEYS + 1].view = None

    def motion(self, times_s: np.ndarray, size_px, K: np.ndarray, focal: str) -> CameraMotion:
        """Lay out all keyframes, then all frames."""
        count = len(times_s)
        shots = self._long_shots(times_s)
        zooms = self._zooms()
        poses = _lay_out(self.keys, self.seen, zooms)
        rows = defaultdict(list)
        for seen in self.seen:
            if self.keys[seen.key].shot in shots:
                rows[seen.row].append(seen)
        R, zoom = np.repeat(np.eye(3)[None], count, 0), np.ones(count)
        known, off, share, shot = np.zeros(count, bool), np.zeros(count), np.ones(count), np.zeros(count, int)
        for row, those in rows.items():
            weights = np.array([s.weight for s in those])
            R[row] = _mean_rotation([_of(s.turn, zooms) @ poses[s.key] for s in those], weights)
            zoom[row] = np.exp(np.average([np.log(s.turn.zoom * self.keys[s.key].zoom) for s in those], weights=weights))
            best = those[int(np.argmax(weights))].turn
            known[row], share[row], shot[row] = True, best.share, self.keys[those[0].key].shot
            off[row] = best.off_zoom_px if zooms else best.off_px
        at = np.flatnonzero(known)
        cuts = at[1:][np.diff(shot[at]) != 0]
        R, zoom = _filled(R, zoom if zooms else np.ones(count), known, times_s, [0, *cuts, count])
        return CameraMotion(R, zoom, known, off, share, tuple(times_s[cuts].tolist()), len(self.keys), tuple(size_px), K, focal)

    def _long_shots(self, times_s: np.ndarray) -> set[int]:
        """Shots of SHORTEST_SHOT_S and more; a single blurred frame is no shot. At least the longest."""
        spans = defaultdict(list)
        for seen in self.seen:
            spans[self.keys[seen.key].shot].append(times_s[seen.row])
        lengths = {shot: max(t) - min(t) for shot, t in spans.items()}
        longest = max(lengths.values(), default=0.0)
        return {s for s, span in lengths.items() if span >= SHORTEST_SHOT_S or span == longest > 0 or len(times_s) == 1}

    def _zooms(self) -> bool:
        """Whether the zoom over the film is more than what errors give."""
        zoom = [s.turn.zoom * self.keys[s.key].zoom for s in self.seen]
        low, high = np.percentile(zoom, [2, 98]) if zoom else (1.0, 1.0)
        return bool(high / low > ZOOMS)


def _snapped(zoom: float) -> float:
    """A magnification, 1 where it is no more than errors may give."""
    return zoom if abs(np.log(zoom)) > NO_ZOOM else 1.0


def _none() -> Turn:
    """A keyframe against itself."""
    return Turn(np.eye(3), np.eye(3), 1.0, 1.0, 1.0, 0, 0.0, 0.0, 0.0)


def _of(turn: Turn, zooms: bool) -> np.ndarray:
    return turn.R_zoom if zooms else turn.R


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(rotations.matrix_to_axis_angle(a @ b.T)))


def _mean_rotation(turns: list[np.ndarray], weights) -> np.ndarray:
    """The rotation nearest to all (chordal mean)."""
    if len(turns) == 1:
        return turns[0]
    u, _, vt = np.linalg.svd(np.einsum("n,nij->ij", np.asarray(weights, float), np.stack(turns)))
    return u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt


def _lay_out(keys: list[_Key], seen: list[_Seen], zooms: bool, sweeps: int = 300) -> list[np.ndarray]:
    """Poses of all keyframes in their shots, from frames that were measured against two (rotation averaging).

    Starts from the poses they were given on the way, and turns each to the mean of what its neighbours say, the first
    of a shot held, until nothing moves.
    """
    by_row = defaultdict(list)
    for s in seen:
        by_row[s.row].append(s)
    links = defaultdict(list)
    for those in by_row.values():
        for a in those:
            for b in those:
                if a.key != b.key and keys[a.key].shot == keys[b.key].shot:
                    links[a.key].append((b.key, _of(a.turn, zooms).T @ _of(b.turn, zooms)))
    poses = [key.R for key in keys]
    held = {next(i for i, key in enumerate(keys) if key.shot == shot) for shot in {key.shot for key in keys}}
    for _ in range(sweeps):
        moved = 0.0
        for number, tied in links.items():
            if number not in held:
                new = _mean_rotation([turn @ poses[other] for other, turn in tied], np.ones(len(tied)))
                moved = max(moved, _angle(new, poses[number]))
                poses[number] = new
        if moved < 1e-7:
            break
    return poses


def _filled(R, zoom, known, times_s, bounds: list[int]):
    """Interpolate frames that were not measured, between the bounds of each shot; the ends are held."""
    quats = rotations.matrix_to_quat(R)
    for a, b in itertools.pairwise(bounds):
        at = a + np.flatnonzero(known[a:b])
        if len(at) and len(at) < b - a:
            quats[a:b] = rotations.resample(quats[at], times_s[at], times_s[a:b])
            zoom[a:b] = np.exp(np.interp(times_s[a:b], times_s[at], np.log(zoom[at])))
    return rotations.quat_to_matrix(quats), zoom


def pan_tilt_roll_deg(R: np.ndarray) -> np.ndarray:
    """Angles (F, 3) of turns of the camera (F, 3, 3): pan to the right, tilt down, roll clockwise as the camera sees it.

    Pan and tilt are where the camera looks, as seen from its first frame; roll is what remains about the line of sight.
    """
    forward, right = R[:, 2], R[:, 0]
    pan = np.arctan2(forward[:, 0], forward[:, 2])
    tilt = np.arctan2(forward[:, 1], np.hypot(forward[:, 0], forward[:, 2]))
    level = np.stack([np.cos(pan), np.zeros_like(pan), -np.sin(pan)], -1)
    down = np.cross(forward, level)
    roll = np.arctan2((right * down).sum(-1), (right * level).sum(-1))
    return np.degrees(np.stack([pan, tilt, roll], -1))


def _round(value: float) -> float:
    return round(float(value), 3)
