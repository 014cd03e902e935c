"""Lanes: one BlazePose crop that follows one person from frame to frame, and when it must be found again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from mrs_plugins.detectors._blazepose_crops import Crop, crop_from_coco
from mrs_plugins.detectors._blazepose_models import Find, PersonFinder, PoseNet, Sight

from mrs.skeletons import BLAZEPOSE_33, COCO_17

MIN_FLAG = 0.5
MIN_QUALITY = 0.25
KEEP_LOST_S = 0.5
DOUBTFUL_FLAG = 0.8
DOUBTFUL_QUALITY = 0.35
DOUBTFUL_FIND = 0.35
TURNED_RAD = math.radians(60)
BETTER = 1.15
SAME_PERSON = 0.5
SPARE_EVERY = 4
LOOK_AGAIN_S = 0.05
LOOK_SELDOM_S = 1.6
HARD_S = 0.3
VELOCITY_S = 0.05
NEAR = 0.4
_QUARTERS = (math.pi / 2, math.pi, -math.pi / 2)
_TO_COCO = BLAZEPOSE_33.indices(*COCO_17.names)
_BODY = COCO_17.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_knee", "right_knee",
                        "left_ankle", "right_ankle", "left_elbow", "right_elbow", "left_wrist", "right_wrist")


@dataclass
class Allowance:
    """A bound on what is done seldom: `most` at once, and `rate_hz` on average."""

    most: float
    rate_hz: float
    left: float = math.inf
    time_s: float = -math.inf

    def take(self, time_s: float) -> bool:
        """Use one up and say true, or say false where none is left."""
        grown = self.left + self.rate_hz * max(time_s - self.time_s, 0) if math.isfinite(self.time_s) else math.inf
        self.left, self.time_s = min(grown, self.most), time_s
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass
class Lane:
    """One followed person.

    crop is where to look, as of the moment seen_s; it moves on with the velocity (x px/s, y px/s, rad/s).
    lost_s is NaN while the person is seen. Until hard_s the better network looks. Before look_s nobody looks
    around: each look in vain doubles wait_s.
    """

    number: int
    crop: Crop
    seen_s: float
    lost_s: float = math.nan
    hard_s: float = -math.inf
    look_s: float = -math.inf
    wait_s: float = LOOK_AGAIN_S
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def lost(self) -> bool:
        """True while the person is not seen."""
        return not math.isnan(self.lost_s)

    def crop_at(self, time_s: float) -> Crop:
        """Return where to look at a time."""
        return self.crop.moved(self.velocity, time_s - self.seen_s)

    def found(self, sight: Sight, time_s: float) -> None:
        """Go on from a sight of the person; the velocity is averaged over about VELOCITY_S."""
        new, old, dt = sight.next_crop, self.crop, time_s - self.seen_s
        if dt > 0:
            steps = (new.x_px - old.x_px, new.y_px - old.y_px,
                     math.remainder(new.angle_rad - old.angle_rad, 2 * math.pi))
            keep = math.exp(-dt / VELOCITY_S)
            self.velocity = tuple(keep * v + (1 - keep) * s / dt for v, s in zip(self.velocity, steps, strict=True))
        self.crop, self.seen_s, self.lost_s = new, time_s, math.nan


class Lanes:
    """Follow several people through the frames of a video.

    `expert` makes the PoseNet for second looks, when the first of them is due.
    """

    def __init__(self, options, pose: PoseNet, finder: PersonFinder, expert: Callable[[], PoseNet], pool):
        self.options, self.pose, self.finder, self.expert, self.pool = options, pose, finder, expert, pool
        self.lanes: list[Lane] = []
        self.next_number = 0
        self.next_find_s = -math.inf
        self.home_turn = 0
        self.finds = 0
        self.looks = Allowance(most=24, rate_hz=2)
        self.searches = Allowance(most=4, rate_hz=1)
        self.runs = {"pose": 0, "look": 0, "find": 0}

    def step(self, rgb: np.ndarray, time_s: float) -> list[tuple[int, Sight]]:
        """Follow everyone into the next frame; return (lane number, sight) of those who are seen."""
        full = len(self.lanes) >= self.options.max_people and not any(lane.lost for lane in self.lanes)
        due = time_s >= self.next_find_s and not full
        turns = self._turns() if due else []
        finding = self.pool.submit(self._find, rgb, turns) if due else None
        seen = self._follow(rgb, time_s)
        if not due and any(lane.lost_s == time_s for lane in self.lanes):
            turns = self._turns()
            finding = self.pool.submit(self._find, rgb, turns)
        if finding is not None:
            self._admit(rgb, time_s, turns, finding.result(), seen)
        seen = self._without_doubles(seen)
        self.lanes = [lane for lane in self.lanes if not lane.lost or time_s - lane.lost_s < KEEP_LOST_S]
        return sorted(seen.items())

    # Following

    def _follow(self, rgb: np.ndarray, time_s: float) -> dict[int, Sight]:
        hard = [time_s < lane.hard_s for lane in self.lanes]
        sights = self._see(rgb, [lane.crop_at(time_s) for lane in self.lanes], hard)
        seen = {}
        for lane, sight in zip(self.lanes, sights, strict=True):
            if self._doubtful(lane, sight, time_s):
                sight = self._look_again(rgb, sight, lane, time_s)
            if _usable(sight, rgb):
                seen[lane.number] = sight
                lane.found(sight, time_s)
            elif not lane.lost:
                lane.lost_s = time_s
        return seen

    def _see(self, rgb: np.ndarray, crops: list[Crop], hard: list[bool]) -> list[Sight]:
        """Look at some crops, the hard ones with the better network."""
        self.runs["look"] += sum(hard)
        self.runs["pose"] += len(crops) - sum(hard)
        nets = [self.expert() if h else self.pose for h in hard]
        if len(crops) == 1:
            return [nets[0].see(rgb, crops[0])]
        return list(self.pool.map(lambda net, crop: net.see(rgb, crop), nets, crops))

    def _doubtful(self, lane: Lane, sight: Sight, time_s: float) -> bool:
        """Say whether a lane deserves a look at the other quarter turns now."""
        mode = self.options.rotated_look
        if mode == "never" or time_s < lane.look_s:
            return False
        turn = math.remainder(sight.next_crop.angle_rad - sight.crop.angle_rad, 2 * math.pi)
        if mode == "always" or _poor(sight) or abs(turn) > TURNED_RAD:
            return self.looks.take(time_s)
        lane.wait_s = LOOK_AGAIN_S
        return False

    def _look_again(self, rgb: np.ndarray, sight: Sight, lane: Lane, time_s: float) -> Sight:
        """Look around for a lane. One that gains by it is hard for a while; one that does not waits ever longer."""
        best = self._look_around(rgb, sight)
        if best is not sight:
            lane.hard_s, lane.wait_s = time_s + HARD_S, LOOK_AGAIN_S
        else:
            lane.look_s, lane.wait_s = time_s + lane.wait_s, min(2 * lane.wait_s, LOOK_SELDOM_S)
        return best

    def _look_around(self, rgb: np.ndarray, sight: Sight) -> Sight:
        """Look at the same square at all quarter turns with the better network; keep what is clearly best.

        Of two turns that look alike the one nearer to the expected angle is taken.
        """
        crops = [sight.crop, *(sight.crop.turned(angle) for angle in _QUARTERS)]

        def merit(s: Sight) -> float:
            return s.quality * (1 + 0.15 * math.cos(s.next_crop.angle_rad - sight.crop.angle_rad))

        best = max(self._see(rgb, crops, [True] * len(crops)), key=merit)
        return best if _usable(best, rgb) and merit(best) > BETTER * merit(sight) else sight

    # Finding

    def _turns(self) -> list[int]:
        """Return the quarter turns at which to show MoveNet this picture: mostly the one that people stood at last."""
        mode = self.options.rotated_look
        if mode == "never":
            return [0]
        turns = [(self.home_turn + k) % 4 for k in range(4)]
        if mode == "always":
            return turns
        self.finds += 1
        spare, which = divmod(self.finds, SPARE_EVERY)
        return turns[:1] if which else [turns[0], turns[1 + spare % 3]]

    def _find(self, rgb: np.ndarray, turns: list[int]) -> list[Find]:
        self.runs["find"] += len(turns)
        return self.finder.find(rgb, self.options.score_threshold, turns)

    def _admit(self, rgb: np.ndarray, time_s: float, looked: list[int], finds: list[Find],
               seen: dict[int, Sight]) -> None:
        """Start lanes for the people found whom no lane follows yet; look at more turns where someone is missing."""
        started = self._start_lanes(rgb, time_s, finds, seen)
        missing = not seen or any(lane.lost for lane in self.lanes)
        if missing and not started and self.options.rotated_look == "auto" and self.searches.take(time_s):
            more = self._find(rgb, [turn for turn in range(4) if turn not in looked])
            self._start_lanes(rgb, time_s, more, seen)
            finds, looked = sorted([*finds, *more], key=lambda find: -find.score), [0, 1, 2, 3]
        if finds and len(looked) > 1:
            self.home_turn = finds[0].turn
        hurry = 1 / 3 if any(lane.lost for lane in self.lanes) else 1.0
        self.next_find_s = time_s + self.options.find_every_s * hurry - 1e-6

    def _start_lanes(self, rgb: np.ndarray, time_s: float, finds: list[Find], seen: dict[int, Sight]) -> int:
        started = 0
        for find in finds:
            if len(seen) >= self.options.max_people or self._followed(find.points_px, seen):
                continue
            crop = crop_from_coco(find.points_px)
            if crop is None or not crop.usable(rgb.shape[1], rgb.shape[0]):
                continue
            sight = self._first_sight(rgb, time_s, crop, find)
            if _usable(sight, rgb) and not self._followed(_as_coco(sight), seen):
                self._start(sight, time_s, seen)
                started += 1
        return started

    def _first_sight(self, rgb: np.ndarray, time_s: float, crop: Crop, find: Find) -> Sight:
        """See a newly found person twice, the second time in the crop that the first look asks for."""
        sight = self._see(rgb, [crop], [False])[0]
        doubt = self.options.rotated_look != "never" and (find.score < DOUBTFUL_FIND or _poor(sight))
        if doubt and self.searches.take(time_s):
            sight = self._look_around(rgb, sight)
        if not _usable(sight, rgb):
            return sight
        again = self._see(rgb, [sight.next_crop], [False])[0]
        return again if again.quality > sight.quality / BETTER else sight

    def _start(self, sight: Sight, time_s: float, seen: dict[int, Sight]) -> None:
        """Give a new person the number of a lane lost nearby, or a new one."""
        lost = [lane for lane in self.lanes if lane.lost and _gap(lane.crop_at(time_s), sight.crop) < NEAR]
        if lost:
            lane = min(lost, key=lambda lane: _gap(lane.crop_at(time_s), sight.crop))
            lane.found(sight, time_s)
        else:
            lane = Lane(self.next_number, sight.next_crop, time_s)
            self.next_number += 1
            self.lanes.append(lane)
        seen[lane.number] = sight
        if len(seen) >= self.options.max_people:
            self.lanes = [lane for lane in self.lanes if not lane.lost]

    @staticmethod
    def _followed(points_px: np.ndarray, seen: dict[int, Sight]) -> bool:
        return any(similarity(points_px, _as_coco(s), s.crop.side_px) > SAME_PERSON for s in seen.values())

    # Ending

    def _without_doubles(self, seen: dict[int, Sight]) -> dict[int, Sight]:
        """Where two lanes have come onto one person, keep the one whose crop had to move less."""
        kept: dict[int, Sight] = {}
        for number, sight in sorted(seen.items(), key=lambda item: (_gap(item[1].crop, item[1].next_crop), item[0])):
            points = _as_coco(sight)
            if any(similarity(points, _as_coco(s), s.crop.side_px) > SAME_PERSON for s in kept.values()):
                self.lanes = [lane for lane in self.lanes if lane.number != number]
                self.next_find_s = -math.inf
            else:
                kept[number] = sight
        return kept

    # Resuming

    def get_state(self) -> dict[str, np.ndarray]:
        """Return everything that the next frame depends on."""
        rows = [[lane.number, lane.seen_s, lane.lost_s, lane.hard_s, lane.look_s, lane.wait_s, *lane.velocity,
                 *(getattr(lane.crop, f.name) for f in fields(Crop))] for lane in self.lanes]
        return {"lanes": np.array(rows, np.float64).reshape(len(rows), 13),
                "clock": np.array([self.next_number, self.home_turn, self.finds, self.next_find_s,
                                   self.looks.left, self.looks.time_s, self.searches.left, self.searches.time_s])}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what :meth:`get_state` returned."""
        self.lanes = [Lane(int(n), Crop(*rest[3:]), seen, lost, hard, look, wait, tuple(rest[:3]))
                      for n, seen, lost, hard, look, wait, *rest in state["lanes"].tolist()]
        *counts, self.next_find_s, looks, looked_s, searches, searched_s = state["clock"].tolist()
        self.next_number, self.home_turn, self.finds = (int(count) for count in counts)
        self.looks.left, self.looks.time_s = looks, looked_s
        self.searches.left, self.searches.time_s = searches, searched_s


def similarity(a_px: np.ndarray, b_px: np.ndarray, side_px: float) -> float:
    """Return how alike two COCO-17 poses (17, 3) are, 0..1, in either assignment of left and right.

    A mean of exp(-d^2 / 2 (0.05 side)^2) over the body's points, as in COCO's OKS with one wide falloff.
    """
    def one(b):
        squared = ((a_px[_BODY, :2] - b[_BODY, :2]) ** 2).sum(1)
        return float(np.exp(-squared / (2 * (0.05 * side_px) ** 2)).mean())

    return max(one(b_px), one(b_px[COCO_17.flip]))


def _usable(sight: Sight, rgb: np.ndarray) -> bool:
    """Say whether there is a person, and a place to look next."""
    return (sight.flag >= MIN_FLAG and sight.quality >= MIN_QUALITY
            and sight.next_crop.usable(rgb.shape[1], rgb.shape[0]))


def _poor(sight: Sight) -> bool:
    """Say whether a sight is worth a second look."""
    return sight.flag < DOUBTFUL_FLAG or sight.quality < DOUBTFUL_QUALITY


def _as_coco(sight: Sight) -> np.ndarray:
    return sight.keypoints_px[_TO_COCO]


def _gap(a: Crop, b: Crop) -> float:
    """Distance between two crops' centres, as a share of the second's side."""
    return math.hypot(a.x_px - b.x_px, a.y_px - b.y_px) / b.side_px
