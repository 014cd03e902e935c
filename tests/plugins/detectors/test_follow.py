"""Following people with a top-down network: a finder and a network that know where everybody is."""

from dataclasses import dataclass

import numpy as np
from mrs_plugins.detectors import _follow

from mrs.skeletons import COCO_17

RGB = np.zeros((240, 640, 3), np.uint8)
SHAPE = np.random.default_rng(0).uniform((-20, -60), (20, 60), (17, 2))


@dataclass
class Options:
    max_people: int = 6
    score_threshold: float = 0.2
    min_score: float = 0.3
    find_every_s: float = 0.3


class World:
    """People whose middles (x, y) move in time; the network sees whoever is nearest to the middle of its box."""

    def __init__(self, *paths, hidden=lambda person, time_s: False):
        self.paths, self.hidden, self.time_s, self.finds = paths, hidden, 0.0, 0

    def points(self):
        return [np.column_stack([SHAPE + path(self.time_s), np.full(17, 0.9)]).astype(np.float32)
                for person, path in enumerate(self.paths) if not self.hidden(person, self.time_s)]

    def find(self, rgb, score_threshold, count, turned):
        self.finds += 1
        return [_follow.Found(_follow.box_of(p, COCO_17), 0.8, p) for p in self.points()]

    def see(self, rgb, boxes_px):
        out = []
        for box in boxes_px:
            middle = (box[:2] + box[2:]) / 2
            near = [p for p in self.points() if np.linalg.norm(p[:, :2].mean(0) - middle) < 60]
            nothing = np.zeros((17, 3), np.float32)
            out.append(min(near, key=lambda p: np.linalg.norm(p[:, :2].mean(0) - middle)) if near else nothing)
        return np.stack(out)


def walk(world, times, follower=None):
    follower = follower or _follow.Follower(Options(), COCO_17, world.see, world)
    seen = []
    for world.time_s in times:
        seen.append({number: points[:, 0].mean() for number, points, _ in follower.step(RGB, world.time_s)})
    return seen, follower


def left_to_right(time_s):
    return np.array([100 + 80 * time_s, 120])


def standing(time_s):
    return np.array([500.0, 120])


TIMES = np.arange(50) / 25


def test_two_people_keep_their_lanes():
    """Each is seen in every frame under one number, where he is, and the finder looks every 0.3 s."""
    world = World(left_to_right, standing)
    seen, _ = walk(world, TIMES)
    assert all(set(frame) == {0, 1} for frame in seen)
    mean = SHAPE[:, 0].mean()
    assert np.allclose([frame[0] for frame in seen], [left_to_right(t)[0] + mean for t in TIMES], atol=1e-3)
    assert 6 <= world.finds <= 8


def test_someone_hidden_for_a_moment_keeps_his_number():
    """Hidden for 0.2 s: the same lane. Hidden for 0.8 s: a new one."""
    for long_s, numbers in ((0.2, {0}), (0.8, {0, 1})):
        seen, _ = walk(World(standing, hidden=lambda _, t, n=long_s: 0.5 <= t < 0.5 + n), TIMES)
        assert {number for frame in seen for number in frame} == numbers
        assert not seen[14]


def test_newcomers_are_found_and_the_number_of_people_is_bounded():
    """Who comes in at 1 s is followed within 0.3 s; not beyond max_people."""
    late = World(left_to_right, standing, hidden=lambda person, t: person == 1 and t < 1)
    seen, _ = walk(late, TIMES)
    first = next(t for t, frame in zip(TIMES, seen, strict=True) if len(frame) == 2)
    assert 1 <= first <= 1.32
    world = World(left_to_right, standing)
    seen, _ = walk(world, TIMES, _follow.Follower(Options(max_people=1), COCO_17, world.see, world))
    assert all(len(frame) == 1 for frame in seen)


def test_a_saved_state_goes_on_as_if_nothing_had_happened():
    """The same numbers and places from the saved state on."""
    whole, _ = walk(World(left_to_right, standing), TIMES)
    world = World(left_to_right, standing)
    _, follower = walk(world, TIMES[:20])
    other = _follow.Follower(Options(), COCO_17, world.see, world)
    other.set_state({name: value.copy() for name, value in follower.get_state().items()})
    assert walk(world, TIMES[20:], other)[0] == whole[20:]
