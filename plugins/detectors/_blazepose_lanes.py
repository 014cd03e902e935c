"""Lanes: one BlazePose crop that follows one person from frame to frame, and when it must be found again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from mrs_plugins.detectors._blazepose_crops import Crop, crop_from_coco
from mrs_plugins.detectors._blazepose_models import Find, PersonFinder, PoseNet, Sight, View

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
ENLARGED = 1.5
LOOK_AGAIN_S = 0.05
LOOK_SELDOM_S = 1.6
HARD_S = 0.3
VELOCITY_S = 0.05
NEAR = 0.4
_QUARTERS = (math.pi / 2, math.pi, -math.pi / 2)
_TO_COCO = BLAZEPOSE_33.indices(*COCO_17.names)
_BODY = COCO_17.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_knee", "right_knee",
                        "left_ankle", "right_ankle", "left_elbow", "right_elbow", "left_wrist", "right_wrist")
_LIMBS = np.array([BLAZEPOSE_33.indices(*(f"{side}_{joint}" for joint in joints for side in ("left", "right")))
                   for joints in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))])
_OTHER_SIDE = [1, 0, 3, 2, 5, 4]


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
    born_s: float = -math.inf
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    limbs_px: np.ndarray | None = None

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
        self.crop, self.seen_s, self.lost_s, self.limbs_px = new, time_s, math.nan, _limbs(sight)


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
        self.questions = Allowance(most=6, rate_hz=2)
        self.runs = {"pose": 0, "look": 0, "find": 0, "find_large": 0}

    def step(self, rgb: np.ndarray, time_s: float) -> list[tuple[int, Sight]]:
        """Follow everyone into the next frame; return (lane number, sight) of those who are seen."""
        full = len(self.lanes) >= self.options.max_people and not any(lane.lost for lane in self.lanes)
        due = time_s >= self.next_find_s and not full
        views = self._views() if due else []
        finding = self.pool.submit(self._find, rgb, views) if due else None
        seen = self._follow(rgb, time_s)
        if not due and any(lane.lost_s == time_s for lane in self.lanes):
            views = self._views()
            finding = self.pool.submit(self._find, rgb, views)
        if finding is not None:
            self._admit(rgb, time_s, views, finding.result(), seen)
        seen = self._without_doubles(seen, time_s)
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
            elif self._exchanged(lane, sight, time_s):
                sight = self._ask(rgb, sight, lane, time_s)
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

    def _exchanged(self, lane: Lane, sight: Sight, time_s: float) -> bool:
        """Say whether left and right seem to have changed places since the last sight, by arms or by legs.

        Where that is over 0.15 s ago it says nothing: limbs may have crossed.
        """
        if time_s < lane.hard_s or self.options.model == "heavy" or time_s - lane.seen_s > 0.15:
            return False
        points = _limbs(sight)
        own = np.linalg.norm(points - lane.limbs_px, axis=2).mean(1)
        other = np.linalg.norm(points[:, _OTHER_SIDE] - lane.limbs_px, axis=2).mean(1)
        return bool(((other < 0.6 * own) & (own > 0.02 * sight.crop.side_px)).any()) and self.questions.take(time_s)

    def _ask(self, rgb: np.ndarray, sight: Sight, lane: Lane, time_s: float) -> Sight:
        """Let the better network say how the person stands, and go on for a while."""
        better = self._see(rgb, [sight.crop], [True])[0]
        if not _usable(better, rgb):
            return sight
        lane.hard_s = time_s + HARD_S
        return better

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

    def _views(self) -> list[View]:
        """Return how to show MoveNet this picture: as people stood at last, now and then larger or turned as well."""
        mode = self.options.rotated_look
        views = [View(self.home_turn)]
        if mode == "always":
            views += self._other_turns()
        self.finds += 1
        spare, which = divmod(self.finds - 1, SPARE_EVERY)
        if which == 0 and (spare % 2 == 0 or mode != "auto"):
            views.append(View(self.home_turn, ENLARGED))
        elif which == 0:
            views.append(self._other_turns()[spare // 2 % 3])
        return views

    def _other_turns(self) -> list[View]:
        return [View((self.home_turn + k) % 4) for k in (1, 2, 3)]

    def _find(self, rgb: np.ndarray, views: list[View]) -> list[Find]:
        large = sum(view.enlarged > 1 for view in views)
        self.runs["find_large"] += large
        self.runs["find"] += len(views) - large
        return self.finder.find(rgb, self.options.score_threshold, views)

    def _admit(self, rgb: np.ndarray, time_s: float, views: list[View], finds: list[Find],
               seen: dict[int, Sight]) -> None:
        """Start lanes for the people found whom no lane follows yet; look at more turns where someone is missing."""
        started = self._start_lanes(rgb, time_s, finds, seen)
        missing = not seen or any(lane.lost for lane in self.lanes)
        if missing and not started and self.options.rotated_look == "auto" and self.searches.take(time_s):
            more = [view for view in self._other_turns() if view not in views]
            found = self._find(rgb, more)
            self._start_lanes(rgb, time_s, found, seen)
            finds, views = sorted([*finds, *found], key=lambda find: -find.score), [*views, *more]
        if finds and len({view.turn for view in views}) > 1:
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
        """See a newly found person twice: with the better network in the crop that the first look asks for.

        So a lane seldom begins with left and right exchanged.
        """
        sight = self._see(rgb, [crop], [False])[0]
        doubt = self.options.rotated_look != "never" and (find.score < DOUBTFUL_FIND or _poor(sight))
        if doubt and self.searches.take(time_s):
            sight = self._look_around(rgb, sight)
        if not _usable(sight, rgb):
            return sight
        again = self._see(rgb, [sight.next_crop], [True])[0]
        return again if again.quality > sight.quality / BETTER else sight

    def _start(self, sight: Sight, time_s: float, seen: dict[int, Sight]) -> None:
        """Give a new person the number of a lane nearby that is lost or hardly sees anyone, or a new one."""
        near = [lane for lane in self.lanes if _gap(lane.crop_at(time_s), sight.crop) < NEAR
                and (lane.number not in seen or _poor(seen[lane.number]))]
        if near:
            lane = min(near, key=lambda lane: _gap(lane.crop_at(time_s), sight.crop))
            lane.found(sight, time_s)
        else:
            lane = Lane(self.next_number, sight.next_crop, time_s, born_s=time_s, limbs_px=_limbs(sight))
            self.next_number += 1
            self.lanes.append(lane)
        seen[lane.number] = sight
        if len(seen) >= self.options.max_people:
            self.lanes = [lane for lane in self.lanes if not lane.lost]

    @staticmethod
    def _followed(points_px: np.ndarray, seen: dict[int, Sight]) -> bool:
        return any(similarity(points_px, _as_coco(s), s.crop.side_px) > SAME_PERSON for s in seen.values())

    # Ending

    def _without_doubles(self, seen: dict[int, Sight], time_s: float) -> dict[int, Sight]:
        """Where two lanes have come onto one person, keep the one whose crop had to move less.

        Where one of them has only just begun it was the same person all the time: the older keeps the better sight.
        """
        kept: dict[int, Sight] = {}
        born = {lane.number: lane.born_s for lane in self.lanes}
        for number, sight in sorted(seen.items(), key=lambda item: (_gap(item[1].crop, item[1].next_crop), item[0])):
            points = _as_coco(sight)
            twin = next((n for n, s in kept.items()
                         if similarity(points, _as_coco(s), s.crop.side_px) > SAME_PERSON), None)
            if twin is None:
                kept[number] = sight
                continue
            stays, goes = twin, number
            if time_s - max(born[twin], born[number]) < KEEP_LOST_S:
                stays, goes = min(twin, number), max(twin, number)
                kept.pop(twin)
                kept[stays] = max(seen[twin], sight, key=lambda s: s.quality)
            self._merge(stays, goes, kept[stays])
        return kept

    def _merge(self, stays: int, goes: int, sight: Sight) -> None:
        """End one lane, let the other go on from a sight, and look for the person who may have been left."""
        self.lanes = [lane for lane in self.lanes if lane.number != goes]
        lane = next(lane for lane in self.lanes if lane.number == stays)
        lane.crop, lane.limbs_px = sight.next_crop, _limbs(sight)
        self.next_find_s = -math.inf

    # Resuming

    def get_state(self) -> dict[str, np.ndarray]:
        """Return everything that the next frame depends on."""
        rows = [[lane.number, lane.seen_s, lane.lost_s, lane.hard_s, lane.look_s, lane.wait_s, lane.born_s,
                 *lane.velocity, *(getattr(lane.crop, f.name) for f in fields(Crop))] for lane in self.lanes]
        limbs = [lane.limbs_px for lane in self.lanes]
        bounds = [value for a in self._allowances() for value in (a.left, a.time_s)]
        return {"lanes": np.array(rows, np.float64).reshape(len(rows), 14),
                "limbs_px": np.array(limbs, np.float32).reshape(len(rows), 2, 6, 2),
                "clock": np.array([self.next_number, self.home_turn, self.finds, self.next_find_s, *bounds])}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what :meth:`get_state` returned."""
        self.lanes = [Lane(int(n), Crop(*rest[3:]), seen, lost, hard, look, wait, born, tuple(rest[:3]), limbs)
                      for (n, seen, lost, hard, look, wait, born, *rest), limbs
                      in zip(state["lanes"].tolist(), state["limbs_px"], strict=True)]
        *counts, self.next_find_s = state["clock"][:4].tolist()
        self.next_number, self.home_turn, self.finds = (int(count) for count in counts)
        bounds = state["clock"][4:].reshape(-1, 2).tolist()
        for allowance, (left, time_s) in zip(self._allowances(), bounds, strict=True):
            allowance.left, allowance.time_s = left, time_s

    def _allowances(self) -> tuple[Allowance, ...]:
        return self.looks, self.searches, self.questions


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


def _limbs(sight: Sight) -> np.ndarray:
    """Return legs and arms (2, 6, 2) in pixels: hips, knees, ankles; shoulders, elbows, wrists."""
    return sight.keypoints_px[_LIMBS, :2]


def _as_coco(sight: Sight) -> np.ndarray:
    return sight.keypoints_px[_TO_COCO]


def _gap(a: Crop, b: Crop) -> float:
    """Distance between two crops' centres, as a share of the second's side."""
    return math.hypot(a.x_px - b.x_px, a.y_px - b.y_px) / b.side_px
