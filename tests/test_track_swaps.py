"""Exchanged left and right are found; real turns are not."""

import numpy as np
import pytest

from mrs import similarity
from mrs.skeletons import BLAZEPOSE_33, COCO_17, H36M_17, SMPL_24, Keypoints
from mrs.track_swaps import ARMS_ONLY, LEGS_ONLY, WHOLE, find_swaps, group_pairs, permutation, undo_swaps
from tests.stick_people import boxes_of, walk


def states_of(points, times, keypoints=COCO_17):
    return find_swaps(keypoints, points, similarity.heights(boxes_of(points)), times)


def clock(seconds, fps):
    return np.arange(round(seconds * fps)) / fps


def exchange(points, rows, state):
    bad = points.copy()
    bad[rows] = points[rows][:, permutation(COCO_17, state)]
    return bad


@pytest.mark.parametrize("fps", [12, 25, 30, 60, 120])
@pytest.mark.parametrize("turn_s", [0.5, 1.0, 3.0])
def test_a_person_who_turns_round_is_left_alone(fps, turn_s):
    """Half a turn in half a second, a second or three seconds, with noise, is a turn and not an exchange."""
    times = clock(5.0, fps)
    share = np.clip((times - 2.5) / turn_s + 0.5, 0, 1)
    facing = 0.3 + np.pi * (share - np.sin(2 * np.pi * share) / (2 * np.pi))
    points, _ = walk(times, 640.0, facing_rad=facing, noise=0.01, seed=int(fps))
    assert not states_of(points, times).any()


@pytest.mark.parametrize("fps", [25, 60])
def test_a_spinning_dancer_is_left_alone(fps):
    """A pirouette of one and a half turns a second stays as detected."""
    times = clock(4.0, fps)
    points, _ = walk(times, 640.0, facing_rad=3 * np.pi * times, noise=0.005)
    assert not states_of(points, times).any()


@pytest.mark.parametrize("facing", [np.pi / 2, np.pi / 3, 0.0])
def test_a_walker_is_left_alone(facing):
    """Legs that pass each other in the picture, seen from the side or in front, keep their sides."""
    times = clock(10.0, 30)
    points, _ = walk(times, 100 + 80 * times, facing_rad=facing, noise=0.01)
    assert not states_of(points, times).any()


@pytest.mark.parametrize("fps", [12, 30, 120])
@pytest.mark.parametrize("state", [ARMS_ONLY, LEGS_ONLY, WHOLE])
def test_bursts_are_found_at_every_frame_rate(fps, state):
    """Exchanges of one frame, of a third of a second and of a whole second are found to the frame."""
    times = clock(6.0, fps)
    points, _ = walk(times, 640.0, facing_rad=0.5, noise=0.004)
    wrong = (times >= 1) & (times < 1.35) | (times >= 3) & (times < 4) | (np.arange(len(times)) == int(5.3 * fps))
    states = states_of(exchange(points, wrong, state), times)
    np.testing.assert_array_equal(states, np.where(wrong, state, 0))


def test_an_exchange_at_the_start_or_the_end_is_found():
    """The longer part of the clip is taken to be right."""
    times = clock(4.0, 30)
    points, _ = walk(times, 640.0, facing_rad=0.5)
    for wrong in (times < 0.5, times > 3.5):
        np.testing.assert_array_equal(states_of(exchange(points, wrong, WHOLE), times), np.where(wrong, WHOLE, 0))


def test_an_exchange_in_a_turn_is_put_back_and_the_turn_is_kept():
    """Twelve exchanged frames just before a turn are put back; the turn itself stays."""
    times = clock(4.0, 30)
    facing = 0.3 + np.pi * np.clip(times - 1.5, 0, 1)
    points, _ = walk(times, 640.0, facing_rad=facing)
    wrong = (times >= 1.0) & (times < 1.4)
    np.testing.assert_array_equal(states_of(exchange(points, wrong, WHOLE), times), np.where(wrong, WHOLE, 0))


def test_a_shaking_camera_exchanges_nobody():
    """A picture that jumps by a sixth of the person's height in one frame moves both sides alike."""
    times = clock(4.0, 30)
    points, _ = walk(times, 640.0, facing_rad=0.5)
    points[:, :, 0] += np.where(np.arange(120) % 17 > 8, 50.0, 0.0)[:, None]
    assert not states_of(points, times).any()


def test_points_without_confidence_do_not_count():
    """A detector that reports missing points at (0, 0) with confidence 0 does not cause an exchange."""
    times = clock(4.0, 30)
    points, _ = walk(times, 640.0, facing_rad=0.5)
    points[np.random.default_rng(0).random(points.shape[:2]) < 0.3] = 0
    heights = np.full(120, 300.0)
    assert not find_swaps(COCO_17, points, heights, times).any()


def test_who_was_away_may_come_back_turned():
    """After half a second out of sight the other side may lead: there is nothing to compare with."""
    times = np.concatenate([clock(2.0, 30), 2.5 + clock(2.0, 30)])
    points, _ = walk(times, 640.0, facing_rad=np.where(times < 2.2, 0.3, 0.3 + np.pi))
    assert not states_of(points, times).any()


def test_undoing_is_its_own_inverse_and_moves_3d_alike():
    """Exchanging twice gives the points back, for 2D and for 3D arrays."""
    rng = np.random.default_rng(3)
    states = rng.integers(0, 4, 50)
    for points in (rng.normal(size=(50, 33, 3)), rng.normal(size=(50, 33, 3)).astype(np.float32)):
        once = undo_swaps(BLAZEPOSE_33, points, states)
        assert once.dtype == points.dtype and (once[states > 0] != points[states > 0]).any()
        np.testing.assert_array_equal(undo_swaps(BLAZEPOSE_33, once, states), points)


@pytest.mark.parametrize("keypoints", [COCO_17, BLAZEPOSE_33, H36M_17, SMPL_24])
def test_every_sided_keypoint_is_in_one_group(keypoints: Keypoints):
    """The whole-body exchange is the set's flip, and arms and legs are disjoint parts of it."""
    np.testing.assert_array_equal(permutation(keypoints, WHOLE), keypoints.flip)
    moved = [permutation(keypoints, s) != np.arange(len(keypoints)) for s in (ARMS_ONLY, LEGS_ONLY)]
    assert moved[0].any() and moved[1].any() and not (moved[0] & moved[1]).any()


def test_a_set_without_sides_has_nothing_to_exchange():
    """Points without left and right have no groups, and no exchanges."""
    middle = Keypoints("middle", ("head", "pelvis"))
    assert group_pairs(middle) == {}
    assert not find_swaps(middle, np.random.default_rng(0).random((20, 2, 3)), np.ones(20), np.arange(20) / 30).any()
