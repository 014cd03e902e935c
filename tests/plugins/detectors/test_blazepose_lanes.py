"""Lanes, with networks whose answers are known: people are points that move as told."""

import math
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from mrs_plugins.detectors._blazepose_crops import MARGIN, Crop
from mrs_plugins.detectors._blazepose_lanes import KEEP_LOST_S, Allowance, Lanes, similarity
from mrs_plugins.detectors._blazepose_models import Find, Sight, View

from mrs.skeletons import BLAZEPOSE_33, COCO_17

HALF = 50.0
SPREAD = np.random.default_rng(3).uniform(-0.8, 0.8, (33, 2)) * HALF
PICTURE = np.zeros((600, 800, 3), np.uint8)


class World:
    """People at known places: `at` maps a name to (x, y, angle); a crop sees the one it nearly covers and faces."""

    def __init__(self, **at):
        self.at, self.views = at, []

    def see(self, rgb, crop: Crop) -> Sight:
        near = [p for p in self.at.values() if math.hypot(p[0] - crop.x_px, p[1] - crop.y_px) < HALF
                and abs(math.remainder(p[2] - crop.angle_rad, 2 * math.pi)) < 0.8]
        flag = 0.99 if near else 0.02
        nobody = (crop.x_px, crop.y_px, crop.angle_rad)
        x, y, angle = min(near, default=nobody, key=lambda p: math.hypot(p[0] - crop.x_px, p[1] - crop.y_px))
        return Sight(_points(x, y, angle, flag), np.zeros((33, 3)), flag, np.zeros(512, np.uint8), crop,
                     Crop(x, y, 2 * MARGIN * HALF, angle))

    def find(self, rgb, score_threshold, views) -> list[Find]:
        self.views.append(list(views))
        return [Find(_coco(x, y, a), 0.9, view.turn) for view in views for name, (x, y, a) in self.at.items()
                if abs(math.remainder(a - view.turn * math.pi / 2, 2 * math.pi)) < 0.8
                and (view.enlarged > 1 or not name.startswith("small"))]


def _points(x, y, angle, confidence) -> np.ndarray:
    c, s = math.cos(angle), math.sin(angle)
    turned = SPREAD @ np.array([[c, -s], [s, c]]).T + (x, y)
    return np.column_stack([turned, np.full(33, confidence)]).astype(np.float32)


def _coco(x, y, angle) -> np.ndarray:
    points = _points(x, y, angle, 0.9)[BLAZEPOSE_33.indices(*COCO_17.names)].astype(float)
    up = HALF * np.array([math.sin(angle), -math.cos(angle)])
    points[[11, 12], :2], points[[5, 6], :2] = (x, y), np.array([x, y]) + 0.6 * up
    return points


def lanes_of(world: World, **changes) -> Lanes:
    """Make lanes that look at a world."""
    options = SimpleNamespace(**{"max_people": 6, "score_threshold": 0.2, "find_every_s": 0.3, "rotated_look": "auto",
                                 "model": "full", **changes})
    return Lanes(options, world, world, lambda: world, ThreadPoolExecutor(1))


def seen_numbers(lanes: Lanes, time_s: float) -> list[int]:
    """Step and return who is seen."""
    return [number for number, _ in lanes.step(PICTURE, time_s)]


def test_each_person_has_a_lane():
    """Two people give two lanes, which keep their numbers while both move, and a third joins at the next find."""
    world = World(a=(200, 300, 0), b=(500, 300, 0))
    lanes = lanes_of(world)
    for frame in range(8):
        world.at["a"], world.at["b"] = (200 + 10 * frame, 300, 0), (500 - 3 * frame, 300, 0)
        if frame == 2:
            world.at["c"] = (650, 100, 0)
        sights = dict(lanes.step(PICTURE, frame / 10))
        assert sights[0].next_crop.x_px == 200 + 10 * frame and sights[1].next_crop.x_px == 500 - 3 * frame
        assert len(sights) == (2 if frame < 3 else 3)


def test_most_people_is_a_bound():
    """No more than max_people are followed, and MoveNet rests while all of them are in sight."""
    world = World(a=(200, 300, 0), b=(500, 300, 0), c=(650, 100, 0))
    lanes = lanes_of(world, max_people=2)
    assert all(len(seen_numbers(lanes, frame / 10)) == 2 for frame in range(12))
    assert len(world.views) == 1


def test_lost_person_is_looked_for_at_once():
    """A person who jumps out of the crop is found in the same frame; away from the old place the lane is a new one."""
    world = World(a=(200, 300, 0))
    lanes = lanes_of(world)
    assert seen_numbers(lanes, 0.0) == [0]
    world.at["a"] = (600, 300, 0)
    assert seen_numbers(lanes, 0.04) == [1]


def test_lost_lane_comes_back_and_then_ends():
    """Someone hidden for a moment keeps the number; after KEEP_LOST_S the lane is over, and nobody is no error."""
    world = World(a=(200, 300, 0))
    lanes = lanes_of(world)
    seen_numbers(lanes, 0.0)
    world.at.clear()
    assert seen_numbers(lanes, 0.1) == [] and len(lanes.lanes) == 1
    world.at["a"] = (210, 300, 0)
    assert seen_numbers(lanes, 0.2) == [0]
    world.at.clear()
    assert seen_numbers(lanes, 0.3) == [] and seen_numbers(lanes, 0.3 + KEEP_LOST_S) == []
    assert lanes.lanes == []


def test_small_newcomer_is_found():
    """Someone too small for MoveNet's usual picture is found by the larger one: at once at first, later in seconds."""
    world = World(small=(200, 300, 0))
    lanes = lanes_of(world)
    assert seen_numbers(lanes, 0.0) == [0] and world.views[0][1] == View(0, 1.5)
    world.at["small newcomer"] = (500, 300, 0)
    assert [len(seen_numbers(lanes, frame / 10)) for frame in range(1, 45)][-1] == 2


def test_exchanged_sides_are_asked_about():
    """Where left and right change places from one frame to the next, the better network has the last word."""
    class Mistaken(World):
        mistaken = False

        def see(self, rgb, crop):
            sight = super().see(rgb, crop)
            if self.mistaken:
                sight.keypoints_px[:] = sight.keypoints_px[BLAZEPOSE_33.flip]
            return sight

    net, expert = Mistaken(a=(200, 300, 0)), World(a=(200, 300, 0))
    for model, asked in (("full", 1), ("heavy", 0)):
        lanes = Lanes(lanes_of(net, model=model).options, net, net, lambda: expert, ThreadPoolExecutor(1))
        net.mistaken = False
        right = lanes.step(PICTURE, 0.0)[0][1].keypoints_px
        before = lanes.runs["look"]
        net.mistaken = True
        now = lanes.step(PICTURE, 0.04)[0][1].keypoints_px
        assert lanes.runs["look"] - before == asked
        assert np.allclose(now, right) == bool(asked)


@pytest.mark.parametrize("turn", [math.pi / 2, math.pi, -math.pi / 2])
def test_turned_person_is_seen_again(turn):
    """A body that is suddenly at another quarter turn is seen in that frame by the second look, and not without it."""
    for mode, expected in (("auto", [0]), ("always", [0]), ("never", [])):
        world = World(a=(200, 300, 0.0))
        lanes = lanes_of(world, rotated_look=mode)
        seen_numbers(lanes, 0.0)
        world.at["a"] = (200, 300, turn)
        assert seen_numbers(lanes, 0.04) == expected


def test_upside_down_person_is_found():
    """Where nobody is upright MoveNet is shown the turned picture, and from then on that turn first."""
    world = World(a=(200, 300, math.pi))
    lanes = lanes_of(world)
    assert seen_numbers(lanes, 0.0) == [0]
    seen_numbers(lanes, 0.5)
    assert [[view.turn for view in views if view.enlarged == 1] for views in world.views] == [[0], [1, 2, 3], [2]]
    assert seen_numbers(lanes_of(World(a=(200, 300, math.pi)), rotated_look="never"), 0.0) == []


def test_upside_down_newcomer_is_found_beside_others():
    """Someone who comes in turned is found within a few seconds although another person is in sight."""
    world = World(a=(200, 300, 0), b=(500, 300, math.pi))
    lanes = lanes_of(world)
    numbers = [len(seen_numbers(lanes, frame / 10)) for frame in range(45)]
    assert numbers[0] == 1 and numbers[-1] == 2


def test_lanes_on_one_person_become_one():
    """When two lanes end on one person the one that moved less stays, and the other person is found again."""
    world = World(a=(200, 300, 0), b=(300, 300, 0))
    lanes = lanes_of(world)
    assert seen_numbers(lanes, 0.0) == [0, 1]
    for time_s, x in ((0.6, 275), (0.7, 262), (0.8, 252), (0.9, 247), (1.0, 245), (1.1, 245), (1.2, 245)):
        world.at["b"] = (x, 300, 0)
        assert seen_numbers(lanes, time_s) == [0, 1]
    del world.at["b"]
    assert seen_numbers(lanes, 1.24) == [0]
    world.at["b"] = (400, 300, 0)
    assert seen_numbers(lanes, 1.28) == [0, 2]


def test_second_looks_are_bounded():
    """An allowance gives its most at once and its rate on average, whatever is asked."""
    allowance = Allowance(most=5, rate_hz=2)
    assert sum(allowance.take(0.0) for _ in range(50)) == 5
    assert sum(allowance.take(0.01 * k) for k in range(1, 1001)) == pytest.approx(20, abs=1)


def test_looks_in_vain_grow_rare():
    """A lane that stays lost costs few second looks, not one a frame."""
    world = World(a=(200, 300, 0))
    lanes = lanes_of(world)
    seen_numbers(lanes, 0.0)
    world.at.clear()
    for frame in range(1, 60):
        seen_numbers(lanes, frame / 100)
    assert 4 <= lanes.runs["look"] <= 20


def test_state_is_complete():
    """Lanes that take over another's state go on exactly alike."""
    def places(frame):
        return {"a": (200 + 4 * frame, 300, 0.1 * frame), "b": (500, 300, 0)} if frame != 7 else {"b": (500, 300, 0)}

    world = World()
    first = lanes_of(world)
    states, results = [], []
    for frame in range(16):
        world.at = places(frame)
        results.append([(n, s.next_crop) for n, s in first.step(PICTURE, frame / 10)])
        states.append(first.get_state())
    for start in (3, 7, 8):
        second = lanes_of(world)
        second.set_state(states[start])
        for frame in range(start + 1, 16):
            world.at = places(frame)
            assert [(n, s.next_crop) for n, s in second.step(PICTURE, frame / 10)] == results[frame]


def test_similarity_ignores_exchanged_sides():
    """A pose is alike to itself and to itself with left and right exchanged, and not to one half a body away."""
    pose = _coco(100, 100, 0.0)
    assert similarity(pose, pose, 125) == pytest.approx(1)
    assert similarity(pose, pose[COCO_17.flip], 125) == pytest.approx(1)
    assert similarity(pose, pose + (HALF, 0, 0), 125) < 0.01
