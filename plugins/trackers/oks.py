"""The default tracker: who is who from frame to frame, by movement, keypoints and boxes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

import numpy as np

import mrs
from mrs import similarity

MIN_FRAMES = 4
"""Fewer sightings than this are no track at any frame rate: three points in time have but one acceleration."""

_NOISE = np.array([0.05, 0.05, 0.1])
_SLACK = np.array([0.15, 0.15, 0.3])
_ACCELERATION_PER_S2 = np.array([6.0, 6.0, 4.0])
_START_SPEED_PER_S = np.array([2.0, 2.0, 0.5])
_SPEED_KEPT_S = np.array([2.0, 2.0, 0.3])
_GATE = 16.0
_POSE_NOISE, _POSE_CHANGE_PER_S = 0.04, 0.5
_LOST_DISCOUNT_PER_S = 2.0
_FLIPPED_WORTH = 0.8
_LOW_WITHIN_S = 0.3


class OksTracker:
    """Join people by constant velocity, keypoint similarity and box overlap, in the two passes of ByteTrack."""

    name = "oks"
    needs = ("scipy",)
    seed = 0
    device = "cpu"
    progress = None

    class Options:
        """Options of the oks tracker."""

        high_score: float = mrs.option(0.4, "Detections scored at least this are joined first and start people.",
                                       min=0, max=1)
        low_score: float = mrs.option(0.1, "Detections scored below this are ignored.", min=0, max=1)
        min_similarity: float = mrs.option(0.15, "Least mean of keypoint similarity and box overlap to join.",
                                           min=0, max=1)
        lane_bonus: float = mrs.option(0.2, "Added to it where the detector followed the same person itself.",
                                       min=0, max=1)
        duplicate_oks: float = mrs.option(0.75, "Of two people in a frame more alike than this, keep one.",
                                          min=0, max=1)
        max_lost_s: float = mrs.option(1.0, "Who is back within this time is the same person.", min=0)
        rejoin_heights: float = mrs.option(1.0, "Who is back in time and no further away than this many body heights is "
                                           "the same person in whatever pose; 0: never.", min=0)
        pose_share: float = mrs.option(0.5, "Share of keypoint similarity in it; the rest is box overlap.", min=0, max=1)
        predict: bool = mrs.option(True, "Expect people to go on at the speed they had.")
        min_seen_s: float = mrs.option(0.4, "Leave out people seen for less time in all (in short clips: half the clip).", min=0)
        min_score: float = mrs.option(0.3, "Leave out people whose median score is lower.", min=0, max=1)
        undo_swaps: bool = mrs.option(True, "Put left and right back where the detector exchanged them.")

    def link(self, video, detections):
        """Join detections into people; every track is contiguous from first to last sight."""
        from mrs.tracks import Tracks

        shown_s = _durations(detections.times_s)
        threads = _Linker(self.options, detections.keypoints, self.progress).run(detections)
        threads = _join_ends(threads, detections, self.options.max_lost_s, self.options.rejoin_heights)
        kept = [t for t in threads if self._worth(t, shown_s)]
        left_out = [t for t in threads if not self._worth(t, shown_s)]
        made = sorted((self._track(t, detections) for t in kept), key=lambda pair: _precedence(pair[0]))
        step = {
            "stage": "tracker", "plugin": self.name, "version": mrs.__version__, "options": asdict(self.options),
            "left_out": len(left_out),
            "longest_left_out_s": max((float(shown_s[t.rows].sum()) for t in left_out), default=0.0),
            "most_frames_left_out": max((len(t.rows) for t in left_out), default=0), "least_frames": MIN_FRAMES,
            "swapped_frames": {str(number): swapped for number, (_, swapped) in enumerate(made, 1)},
        }
        people = tuple(replace(track, person=number) for number, (track, _) in enumerate(made, 1))
        return Tracks(people, tuple(int(v) for v in video.size_px), np.array(detections.frame_ids),
                      np.array(detections.times_s, float), (step,))

    def _worth(self, thread: _Thread, shown_s: np.ndarray) -> bool:
        """Say whether a person was seen for long enough, in a short clip for half of it, and well enough; a still picture shows nobody longer."""
        least_s = min(self.options.min_seen_s, shown_s.sum() / 2)
        return (len(thread.rows) >= (MIN_FRAMES if len(shown_s) > 1 else 1) and shown_s[thread.rows].sum() >= least_s
                and np.median(thread.scores) >= self.options.min_score)

    def _track(self, thread: _Thread, detections):
        """Return the thread's track and in how many frames left and right were put back."""
        from mrs.track_fill import fill
        from mrs.track_swaps import find_swaps, undo_swaps

        keypoints, rows = detections.keypoints, np.array(thread.rows)
        seen = _gather(thread, detections.people)
        states = np.zeros(len(rows), int)
        if self.options.undo_swaps:
            states = find_swaps(keypoints, seen["keypoints_px"], similarity.heights(seen["boxes_px"]), detections.times_s[rows])
            for name in ("keypoints_px", "keypoints3d_m"):
                seen[name] = None if seen[name] is None else undo_swaps(keypoints, seen[name], states)
        track = fill(0, keypoints, np.asarray(detections.frame_ids), np.asarray(detections.times_s, float), rows, seen)
        return track, int((states > 0).sum())


class ByteTracker(OksTracker):
    """The oks tracker set up like ByteTrack (Zhang et al., ECCV 2022): boxes alone, in two passes."""

    name = "bytetrack"

    class Options(OksTracker.Options):
        """Options of the oks tracker with ByteTrack's choices."""

        high_score: float = mrs.option(0.5, "Detections scored at least this are joined first and start people.", min=0, max=1)
        min_similarity: float = mrs.option(0.2, "Least box overlap to join.", min=0, max=1)
        lane_bonus: float = mrs.option(0.0, "Added to it where the detector followed the same person itself.", min=0, max=1)
        rejoin_heights: float = mrs.option(0.0, "As in oks; ByteTrack has no such step.", min=0)
        pose_share: float = mrs.option(0.0, "Share of keypoint similarity in it; the rest is box overlap.", min=0, max=1)


class PoseFlowTracker(OksTracker):
    """The oks tracker set up like PoseFlow (Xiu et al., BMVC 2018): pose and box similarity, no motion, one pass."""

    name = "poseflow"

    class Options(OksTracker.Options):
        """Options of the oks tracker with PoseFlow's choices."""

        low_score: float = mrs.option(0.4, "Detections scored below this are ignored.", min=0, max=1)
        min_similarity: float = mrs.option(0.2, "Least mean of keypoint similarity and box overlap to join.", min=0, max=1)
        lane_bonus: float = mrs.option(0.0, "Added to it where the detector followed the same person itself.", min=0, max=1)
        max_lost_s: float = mrs.option(3.3, "Who is back within this time is the same person (100 frames at 30 a second).",
                                       min=0)
        rejoin_heights: float = mrs.option(0.0, "As in oks; PoseFlow has no such step.", min=0)
        predict: bool = mrs.option(False, "Expect people to go on at the speed they had.")


def _gather(thread: _Thread, people) -> dict:
    """Copy the thread's sightings out of the frames; None for what any of them lacks."""
    found = {}
    for name in ("keypoints_px", "boxes_px", "keypoints3d_m", "masks", "mask_to_px"):
        values = [getattr(people[row], name) for row in thread.rows]
        complete = all(value is not None for value in values)
        found[name] = np.stack([v[i] for v, i in zip(values, thread.picks, strict=True)]) if complete else None
    return found


def _durations(times_s: np.ndarray) -> np.ndarray:
    """Return how long each frame is shown (F,); the last one for the median of the others, and none over a second."""
    if len(times_s) < 2:
        return np.zeros(len(times_s))
    steps = np.diff(times_s)
    return np.minimum(np.append(steps, np.median(steps)), 1.0)


def _precedence(track) -> tuple:
    """Order people by first sight, then size, then from left to right."""
    return int(track.frame_ids[0]), -float(np.median(track.heights_px()[track.seen])), float(track.boxes_px[0, 0])


class _Movers:
    """One Kalman filter a person, on the centre in pixels and the log of the height, each with a slowly fading speed.

    The three are independent of each other: mean and speed (N, 3), their variances and their covariance (N, 3). The
    noise of the centre is a share of the height, so that the filter behaves alike for near and far people.
    """

    def __init__(self):
        self.mean, self.speed, self.var, self.cov, self.speed_var = np.zeros((5, 0, 3))

    def _units(self, rows=slice(None)) -> np.ndarray:
        """Return what one height is in each of the three (N, 3): pixels, pixels, and one."""
        units = np.ones_like(self.mean[rows])
        units[:, :2] = np.exp(self.mean[rows, 2:])
        return units

    def add(self, measured: np.ndarray) -> None:
        """Start filters at measured centres and log heights (M, 3)."""
        count = len(self.mean)
        self.mean = np.concatenate([self.mean, measured])
        self.speed = np.concatenate([self.speed, np.zeros_like(measured)])
        units = self._units(slice(count, None))
        self.var = np.concatenate([self.var, (_NOISE * units) ** 2])
        self.cov = np.concatenate([self.cov, np.zeros_like(measured)])
        self.speed_var = np.concatenate([self.speed_var, (_START_SPEED_PER_S * units) ** 2])

    def keep(self, rows: np.ndarray) -> None:
        """Forget all but some."""
        for name in ("mean", "speed", "var", "cov", "speed_var"):
            setattr(self, name, getattr(self, name)[rows])

    def rest(self) -> None:
        """Forget all speeds, so that everybody is expected to stay."""
        self.speed, self.cov = np.zeros_like(self.speed), np.zeros_like(self.cov)

    def advance(self, step_s: float) -> None:
        """Predict some time ahead."""
        kept = np.exp(-step_s / _SPEED_KEPT_S)
        reach = _SPEED_KEPT_S * (1 - kept)
        push = (_ACCELERATION_PER_S2 * self._units()) ** 2 * step_s
        self.mean = self.mean + reach * self.speed
        self.var = self.var + reach * (2 * self.cov + reach * self.speed_var) + push * step_s**2 / 3
        self.cov = kept * (self.cov + reach * self.speed_var) + push * step_s / 2
        self.speed = kept * self.speed
        self.speed_var = kept**2 * self.speed_var + push

    def update(self, rows: np.ndarray, measured: np.ndarray) -> None:
        """Take measurements (M, 3) of some of the people into account."""
        var, cov = self.var[rows], self.cov[rows]
        total = var + (_NOISE * self._units(rows)) ** 2
        gain, speed_gain = var / total, cov / total
        away = measured - self.mean[rows]
        self.mean[rows] += gain * away
        self.speed[rows] += speed_gain * away
        self.speed_var[rows] -= speed_gain * cov
        self.var[rows], self.cov[rows] = (1 - gain) * var, (1 - gain) * cov

    def distances(self, measured: np.ndarray) -> np.ndarray:
        """Return squared Mahalanobis distances (N, M) of measurements (M, 3), with slack for half hidden people."""
        spread = self.var + (_SLACK * self._units()) ** 2
        return ((measured[None] - self.mean[:, None]) ** 2 / spread[:, None]).sum(-1)


@dataclass(eq=False)
class _Thread:
    """One person being followed: in which frames, which of its people, and how the person looked last."""

    rows: list[int] = field(default_factory=list)
    picks: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    points_px: np.ndarray | None = None
    box_px: np.ndarray | None = None
    origin: np.ndarray | None = None
    lane: int = -1
    seen_s: float = 0.0
    missed: bool = False

    def extend(self, row: int, time_s: float, seen: _Sightings, i: int, origin: np.ndarray) -> None:
        """Go on with sighting i; `origin` (3,) is the filter's mean then."""
        self.rows.append(row)
        self.picks.append(int(seen.picks[i]))
        self.scores.append(float(seen.scores[i]))
        self.points_px, self.box_px, self.origin = seen.points_px[i], seen.boxes_px[i], origin.copy()
        self.lane, self.seen_s, self.missed = int(seen.lanes[i]), time_s, False


@dataclass(frozen=True)
class _Sightings:
    """The usable people of one frame, as arrays over N.

    `picks` are their places in the frame's People, `measured` (N, 3) their centres and log heights.
    """

    points_px: np.ndarray
    boxes_px: np.ndarray
    scores: np.ndarray
    lanes: np.ndarray
    picks: np.ndarray
    measured: np.ndarray


class _Linker:
    """Follow people frame by frame; the cost of a frame does not depend on how many came before."""

    def __init__(self, options, keypoints, progress=None):
        self.options, self.flip, self.progress = options, keypoints.flip, progress
        self.sigma = similarity.sigmas(keypoints)
        self.movers, self.live = _Movers(), []
        self.done: list[_Thread] = []

    def run(self, detections) -> list[_Thread]:
        """Return everyone who was followed, however briefly."""
        count, before_s = len(detections.people), None
        for row, (time_s, people) in enumerate(zip(detections.times_s, detections.people, strict=True)):
            self._forget(float(time_s))
            if self.live:
                if not self.options.predict:
                    self.movers.rest()
                self.movers.advance(float(time_s) - before_s)
            self._step(row, float(time_s), self._usable(people))
            before_s = float(time_s)
            if self.progress is not None and (row % 500 == 499 or row == count - 1):
                self.progress(row + 1, count)
        return self.done + self.live

    def _usable(self, people) -> _Sightings | None:
        """Take the people that have a score and a keypoint and numbers that are numbers, each body once."""
        scores = np.asarray(people.scores, float)
        if not len(scores):
            return None
        points, boxes = np.asarray(people.keypoints_px, float), np.asarray(people.boxes_px, float)
        good = (scores >= self.options.low_score) & (points[..., 2].max(-1) > 0)
        good &= np.isfinite(points.sum((1, 2)) + boxes.sum(1))
        picks = np.flatnonzero(good)
        picks = picks[similarity.distinct(points[picks], boxes[picks], scores[picks], self.sigma, self.flip,
                                          self.options.duplicate_oks)]
        lanes = np.full(len(scores), -1) if people.lanes is None else np.asarray(people.lanes)
        boxes = boxes[picks]
        measured = np.empty((len(picks), 3))
        measured[:, :2] = (boxes[:, :2] + boxes[:, 2:]) / 2
        measured[:, 2] = np.log(similarity.heights(boxes))
        return _Sightings(points[picks], boxes, scores[picks], lanes[picks], picks, measured)

    def _forget(self, time_s: float) -> None:
        """Close those who were missed and are away for too long; between two frames in a row nobody is away."""
        stays = np.array([not t.missed or time_s - t.seen_s <= self.options.max_lost_s for t in self.live], bool)
        if not stays.all():
            self.done += [t for t, stay in zip(self.live, stays, strict=True) if not stay]
            self.live = [t for t, stay in zip(self.live, stays, strict=True) if stay]
            self.movers.keep(stays)

    def _step(self, row: int, time_s: float, seen: _Sightings | None) -> None:
        """Join one frame's people to those followed: first the well scored ones, then the others; start new ones."""
        pairs: list[tuple[int, int]] = []
        if seen is not None:
            fit = self._fit(seen, time_s)
            high = seen.scores >= self.options.high_score
            pairs = _assign(fit * high)
            taken = {a for a, _ in pairs}
            recent = np.array([a not in taken and time_s - t.seen_s <= _LOW_WITHIN_S
                               for a, t in enumerate(self.live)], bool)
            if not high.all():
                pairs += _assign(fit * ~high * recent[:, None])
        for thread in self.live:
            thread.missed = True
        if pairs:
            rows, which = (list(side) for side in zip(*pairs, strict=True))
            self.movers.update(np.array(rows), seen.measured[which])
            for a, i in pairs:
                self.live[a].extend(row, time_s, seen, i, self.movers.mean[a])
        if seen is not None and len(pairs) < len(high):
            self._start(row, time_s, seen, sorted(set(np.flatnonzero(high).tolist()) - {i for _, i in pairs}))

    def _start(self, row: int, time_s: float, seen: _Sightings, which: list[int]) -> None:
        self.movers.add(seen.measured[which])
        for i in which:
            thread = _Thread()
            thread.extend(row, time_s, seen, i, seen.measured[i])
            self.live.append(thread)

    def _fit(self, seen: _Sightings, time_s: float) -> np.ndarray:
        """Return how well people (n) and sightings (m) fit, (n, m); 0 for those that can't be one person.

        A person lost for a while may have changed pose, so the keypoints' tolerance grows with the time, and the
        fit counts less among others, so that it takes no sighting from someone who was never lost.
        """
        fit = np.zeros((len(self.live), len(seen.scores)))
        near = np.nonzero(self.movers.distances(seen.measured) <= _GATE)
        if not len(near[0]):
            return fit
        threads = [self.live[a] for a in near[0]]
        points, boxes = self._predicted(threads, near[0])
        found = seen.points_px[near[1]]
        unseen_s = time_s - np.array([t.seen_s for t in threads])
        height, slack = similarity.heights(boxes), _POSE_NOISE + _POSE_CHANGE_PER_S * unseen_s
        pose = similarity.oks(points, found, height, self.sigma, slack)
        if (pose < _FLIPPED_WORTH).any():
            turned = similarity.oks(points, found[:, self.flip], height, self.sigma, slack)
            pose = np.maximum(pose, _FLIPPED_WORTH * turned)
        lost_s = np.where([t.missed for t in threads], unseen_s, 0.0)
        share = self.options.pose_share
        value = share * pose + (1 - share) * similarity.iou(boxes, seen.boxes_px[near[1]])
        lane = np.array([t.lane for t in threads])
        value += self.options.lane_bonus * ((lane == seen.lanes[near[1]]) & (lane >= 0))
        fit[near] = np.where(value >= self.options.min_similarity, value / (1 + _LOST_DISCOUNT_PER_S * lost_s), 0.0)
        return fit

    def _predicted(self, threads: list[_Thread], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the last keypoints (P, K, 3) and boxes (P, 4), moved and scaled as the filters expect."""
        points, boxes, origins = (np.array([getattr(t, name) for t in threads])
                                  for name in ("points_px", "box_px", "origin"))
        shift = self.movers.mean[rows] - origins
        grown = np.exp(shift[:, 2:])
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        moved = centres + shift[:, :2]
        half = (boxes[:, 2:] - boxes[:, :2]) / 2 * grown
        points[..., :2] = (points[..., :2] - centres[:, None]) * grown[:, None] + moved[:, None]
        return points, np.concatenate([moved - half, moved + half], 1)


def _assign(fit: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs (row, column) of the best joint assignment, those with a fit of 0 left out."""
    possible = fit > 0
    if not possible.any():
        return []
    if (possible.sum(0) <= 1).all() and (possible.sum(1) <= 1).all():
        rows, columns = np.nonzero(possible)
    else:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(fit, maximize=True)
    return [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if possible[a, b]]


def _join_ends(threads: list[_Thread], detections, max_lost_s: float, within_heights: float) -> list[_Thread]:
    """Join a thread that ends to one that begins soon after, near by and of like size, whatever the pose has become.

    A tumble looks like nobody the tracker knew; nearness in place and time still tells who it was.
    """
    if within_heights <= 0:
        return threads
    threads = sorted(threads, key=lambda t: t.rows[0])
    starts_s = detections.times_s[[t.rows[0] for t in threads]] if threads else np.zeros(0)
    pairs = []
    for i, before in enumerate(threads):
        end_s = detections.times_s[before.rows[-1]]
        for j in range(*np.searchsorted(starts_s, [end_s, end_s + max_lost_s], side="right")):
            apart = _ends_apart(before, threads[j], detections.people)
            if apart <= within_heights:
                pairs.append((apart, i, j))
    heads, taken = {}, set()
    for _, i, j in sorted(pairs):
        if i not in taken and j not in heads:
            taken.add(i)
            heads[j] = i
    for j in sorted(heads, reverse=True):
        first, second = threads[heads[j]], threads[j]
        first.rows, first.picks, first.scores = (first.rows + second.rows, first.picks + second.picks,
                                                 first.scores + second.scores)
    return [t for j, t in enumerate(threads) if j not in heads]


def _ends_apart(before: _Thread, after: _Thread, people) -> float:
    """Distance in mean heights from where one thread ends to where the next begins; infinite where sizes differ much."""
    last = people[before.rows[-1]].boxes_px[before.picks[-1]]
    first = people[after.rows[0]].boxes_px[after.picks[0]]
    old, new = similarity.heights(np.stack([last, first]))
    if max(old, new) > 1.8 * min(old, new):
        return np.inf
    between = (last[:2] + last[2:] - first[:2] - first[2:]) / 2
    return float(np.linalg.norm(between) / ((old + new) / 2))


@mrs.hookimpl
def register_trackers(register):
    """Register the oks tracker and its two settings after others."""
    for cls in (OksTracker, ByteTracker, PoseFlowTracker):
        register(cls)
