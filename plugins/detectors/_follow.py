"""Follow people with a top-down pose network: found by MoveNet or mmdet, then each by the box of the last keypoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mrs import similarity
from mrs.skeletons import COCO_17, Keypoints

KEEP_LOST_S = 0.5
VELOCITY_S = 0.05
FAR = 0.35
GROWN = 0.1
TRUSTED = 0.2
SAME = 0.5
NEAR_IOU = 0.2
SPARE_EVERY = 4
ENLARGED = 1.5
SEARCH_EVERY_S = 1.0


@dataclass(frozen=True)
class Found:
    """A person as the finder gives it: box_px (4,), score, and COCO-17 points_px (17, 3) where it has them."""

    box_px: np.ndarray
    score: float
    points_px: np.ndarray | None = None


class MoveNetFinder:
    """The embedded finder; in the same views as the blazepose detector, so that both start from the same people."""

    def __init__(self, side_px: int, device: str):
        from mrs_plugins.detectors._blazepose_models import PersonFinder

        self._net = PersonFinder(side_px, 1, device)

    def find(self, rgb: np.ndarray, score_threshold: float, count: int, turned: bool) -> list[Found]:
        """Find people: each fourth time in a larger picture as well, and in turned ones where someone is missing."""
        from mrs_plugins.detectors._blazepose_models import View

        views = [View()] + ([View(0, ENLARGED)] if count % SPARE_EVERY == 0 else [])
        views += [View(turn) for turn in (1, 2, 3)] if turned else []
        finds = self._net.find(rgb, score_threshold, views)
        return [Found(box_of(f.points_px, COCO_17), f.score, f.points_px) for f in finds]


def box_of(points_px: np.ndarray, keypoints: Keypoints) -> np.ndarray:
    """Return the box (4,) about a person's keypoints (K, 3), a tenth of the longer side larger on each side.

    Keypoints end at the eyes and ankles; the boxes that networks are trained on hold crown and toes.
    """
    trusted = points_px[points_px[:, 2] > TRUSTED, :2]
    if len(trusted) < 2:
        trusted = points_px[:, :2]
    low, high = trusted.min(0), trusted.max(0)
    grow = GROWN * float((high - low).max())
    return np.concatenate([low - grow, high + grow]).astype(np.float64)


@dataclass
class Person:
    """Someone being followed: the box to look in as of seen_s, its centre's velocity (px/s), and the last keypoints."""

    number: int
    box_px: np.ndarray
    points_px: np.ndarray
    seen_s: float
    born_s: float
    lost_s: float = math.nan
    velocity: tuple[float, float] = (0.0, 0.0)

    @property
    def lost(self) -> bool:
        """True while the person is not seen."""
        return not math.isnan(self.lost_s)

    def box_at(self, time_s: float) -> np.ndarray:
        """Return where to look at a time."""
        side = float((self.box_px[2:] - self.box_px[:2]).max())
        step = np.array(self.velocity) * (time_s - self.seen_s)
        length = float(np.hypot(*step))
        step *= min(length, FAR * side) / max(length, 1e-9)
        return self.box_px + np.tile(step, 2)

    def found(self, points_px: np.ndarray, box_px: np.ndarray, time_s: float) -> None:
        """Go on from new keypoints; the velocity is averaged over about VELOCITY_S."""
        dt = time_s - self.seen_s
        if dt > 0:
            keep = math.exp(-dt / VELOCITY_S)
            moved = (box_px[:2] + box_px[2:] - self.box_px[:2] - self.box_px[2:]) / 2
            self.velocity = tuple(keep * v + (1 - keep) * float(m) / dt for v, m in zip(self.velocity, moved, strict=True))
        self.points_px, self.box_px, self.seen_s, self.lost_s = points_px, box_px, time_s, math.nan


class Follower:
    """Follow several people through a video's frames.

    `see(rgb, boxes_px (N, 4))` returns keypoints (N, K, 3) of all boxes in one batch.
    """

    def __init__(self, options, keypoints: Keypoints, see: Callable[[np.ndarray, np.ndarray], np.ndarray], finder):
        self.options, self.keypoints, self.see, self.finder = options, keypoints, see, finder
        self.people: list[Person] = []
        self.next_number, self.finds = 0, 0
        self.next_find_s, self.next_search_s = -math.inf, -math.inf
        self._sigma = similarity.sigmas(keypoints)
        body = [keypoints.names.index(n) for n in COCO_17.names[5:] if n in keypoints.names]
        self._body = np.array(body or range(len(keypoints)))

    def step(self, rgb: np.ndarray, time_s: float) -> list[tuple[int, np.ndarray, float]]:
        """Follow everyone into the next frame; return (number, keypoints (K, 3), score) of those who are seen."""
        seen = self._follow(rgb, time_s)
        full = len(seen) >= self.options.max_people
        due = time_s >= self.next_find_s and not (full and not any(p.lost for p in self.people))
        if due or any(p.lost_s == time_s for p in self.people):
            self._admit(rgb, time_s, seen)
        self._end_doubles(seen)
        self.people = [p for p in self.people if not p.lost or time_s - p.lost_s < KEEP_LOST_S]
        return [(number, points, self._score(points)) for number, points in sorted(seen.items())]

    def _follow(self, rgb: np.ndarray, time_s: float) -> dict[int, np.ndarray]:
        if not self.people:
            return {}
        seen = {}
        looked = self.see(rgb, np.stack([p.box_at(time_s) for p in self.people]))
        for person, points in zip(self.people, looked, strict=True):
            if self._usable(points, rgb):
                person.found(points, box_of(points, self.keypoints), time_s)
                seen[person.number] = points
            elif not person.lost:
                person.lost_s = time_s
        return seen

    def _admit(self, rgb: np.ndarray, time_s: float, seen: dict[int, np.ndarray]) -> None:
        """Let the finder look, and start following whom nobody follows yet."""
        missing = not seen or any(p.lost for p in self.people)
        turned = missing and time_s >= self.next_search_s
        if turned:
            self.next_search_s = time_s + SEARCH_EVERY_S
        found = self.finder.find(rgb, self.options.score_threshold, self.finds, turned)
        self.finds += 1
        new = [f for f in found if not self._followed(f, seen)][:max(self.options.max_people - len(seen), 0)]
        if new:
            for points in self.see(rgb, np.stack([f.box_px for f in new])):
                if self._usable(points, rgb) and not any(self._alike(points, other) > SAME for other in seen.values()):
                    self._start(points, time_s, seen)
        hurry = 1 / 3 if any(p.lost for p in self.people) else 1.0
        self.next_find_s = time_s + self.options.find_every_s * hurry - 1e-6

    def _start(self, points: np.ndarray, time_s: float, seen: dict[int, np.ndarray]) -> None:
        """Give a new person the number of someone lost nearby, or a new one."""
        box = box_of(points, self.keypoints)
        near = [p for p in self.people if p.lost and similarity.iou(p.box_at(time_s), box) > NEAR_IOU]
        if near:
            person = max(near, key=lambda p: float(similarity.iou(p.box_at(time_s), box)))
            person.velocity = (0.0, 0.0)
            person.points_px, person.box_px, person.seen_s, person.lost_s = points, box, time_s, math.nan
        else:
            person = Person(self.next_number, box, points, time_s, time_s)
            self.next_number += 1
            self.people.append(person)
        seen[person.number] = points

    def _followed(self, found: Found, seen: dict[int, np.ndarray]) -> bool:
        """Say whether someone who was found is followed already, by keypoints where the finder has them, else by box."""
        for points in seen.values():
            if found.points_px is not None:
                if self._alike(COCO_17.convert(found.points_px, self.keypoints), points) > SAME:
                    return True
            elif similarity.iou(found.box_px, box_of(points, self.keypoints)) > SAME:
                return True
        return False

    def _end_doubles(self, seen: dict[int, np.ndarray]) -> None:
        """Where two have come onto one person, the older goes on."""
        for person in sorted(self.people, key=lambda p: (p.born_s, p.number)):
            if person.number not in seen:
                continue
            twins = [p for p in self.people if p.number in seen and (p.born_s, p.number) > (person.born_s, person.number)
                     and self._alike(seen[p.number], seen[person.number]) > SAME]
            for twin in twins:
                del seen[twin.number]
                self.people.remove(twin)
                self.next_find_s = -math.inf

    def _alike(self, a: np.ndarray, b: np.ndarray) -> float:
        """Return the keypoint similarity of two people (K, 3), in either assignment of left and right."""
        a, b = a.copy(), b.copy()
        a[:, 2], b[:, 2] = np.clip(a[:, 2], 0, 1), np.clip(b[:, 2], 0, 1)
        height = similarity.heights(box_of(b, self.keypoints))
        flip = self.keypoints.flip
        return float(max(similarity.oks(a, b, height, self._sigma), similarity.oks(a, b[flip], height, self._sigma)))

    def _score(self, points: np.ndarray) -> float:
        """Mean confidence of the body's points, at most 1."""
        return float(np.clip(points[self._body, 2], 0, 1).mean())

    def _usable(self, points: np.ndarray, rgb: np.ndarray) -> bool:
        """Say whether there is a person, of a sane size and near the picture."""
        box = box_of(points, self.keypoints)
        if not np.isfinite(points).all() or self._score(points) < self.options.min_score:
            return False
        height, width = rgb.shape[:2]
        side = float((box[2:] - box[:2]).max())
        x, y = (box[:2] + box[2:]) / 2
        near = -side / 4 <= x <= width + side / 4 and -side / 4 <= y <= height + side / 4
        return near and 8 <= side <= 8 * max(width, height)

    def get_state(self) -> dict[str, np.ndarray]:
        """Return everything that the next frame depends on."""
        rows = [[p.number, *p.box_px, p.seen_s, p.born_s, p.lost_s, *p.velocity] for p in self.people]
        points = [p.points_px for p in self.people]
        return {"people": np.array(rows, np.float64).reshape(len(rows), 10),
                "points_px": np.array(points, np.float32).reshape(len(rows), len(self.keypoints), 3),
                "clock": np.array([self.next_number, self.finds, self.next_find_s, self.next_search_s])}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from what :meth:`get_state` returned."""
        self.people = [Person(int(row[0]), row[1:5].copy(), points, *row[5:8].tolist(), tuple(row[8:].tolist()))
                       for row, points in zip(state["people"], state["points_px"], strict=True)]
        number, finds, self.next_find_s, self.next_search_s = state["clock"].tolist()
        self.next_number, self.finds = int(number), int(finds)


def follow(detector, follower_of: Callable[[], Follower], frames: Iterable):
    """Yield (frame, People) for frames, keeping the follower as `detector._follower` for its state."""
    detector._follower = follower_of()
    if detector._state:
        detector._follower.set_state(detector._state)
    for frame in frames:
        seen = detector._follower.step(np.ascontiguousarray(frame.rgb), float(frame.time_s))
        yield frame, people_of(seen, detector._follower.keypoints)


def people_of(seen: list[tuple[int, np.ndarray, float]], keypoints: Keypoints):
    """Pack those who are seen in one frame (possibly nobody); confidences are clipped to 0..1, boxes hold trusted points."""
    from mrs.tracks import People

    points = np.array([p for _, p, _ in seen], np.float32).reshape(len(seen), len(keypoints), 3)
    points[..., 2] = np.clip(points[..., 2], 0, 1)
    boxes = np.empty((len(seen), 4), np.float32)
    for row, one in enumerate(points):
        trusted = one[one[:, 2] > TRUSTED, :2]
        trusted = trusted if len(trusted) > 2 else one[:, :2]
        boxes[row] = *trusted.min(0), *trusted.max(0)
    return People(points, boxes, np.array([s for _, _, s in seen], np.float32),
                  lanes=np.array([n for n, _, _ in seen], np.int64))
