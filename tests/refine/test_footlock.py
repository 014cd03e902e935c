"""Pinning feet: what touches stands still, what does not is left alone."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import metrics
from mrs.refine.footlock import intervals, lock_feet
from mrs.world.ground import sole_points
from tests.walker import walker


@pytest.fixture(scope="module")
def sliding():
    """A walker whose whole body drifts forwards by 10 cm/s, which drags the standing feet along."""
    motion, contacts = walker(np.arange(90) / 30)
    drift = np.stack([0 * motion.times_s, 0 * motion.times_s, 0.1 * motion.times_s], -1)
    moved = replace(motion, root_pos_m=motion.root_pos_m + drift, joints_m=motion.joints_m + drift[:, None])
    return motion, moved, contacts


def test_sliding_feet_stand_still(sliding):
    """Feet that slide at 10 cm/s stand within 1 cm/s after locking."""
    truth, moved, _contacts = sliding
    locked, report = lock_feet(moved, 0.005)
    assert metrics.foot_skate(moved, truth.contacts) == pytest.approx(10, abs=1)
    assert metrics.foot_skate(locked, truth.contacts) < 1
    assert 5 < report["largest_mm"] < 60


def test_bones_keep_their_length_and_times_stay(sliding):
    """Locking turns joints; it stretches nothing and moves no time."""
    _, moved, _ = sliding
    locked, _ = lock_feet(moved, 0.005)
    assert metrics.bone_change(locked) < 1e-6
    np.testing.assert_array_equal(locked.times_s, moved.times_s)


def test_feet_that_stand_already_are_left_alone(sliding):
    """The true walker, whose feet stand exactly, moves by less than a centimetre, all of it in height."""
    truth, _, _ = sliding
    locked, report = lock_feet(truth, float(sole_points(truth)[truth.contacts > 0.5][:, 1].mean()))
    assert report["largest_mm"] < 10
    assert np.abs(locked.joints_m - truth.joints_m).max() < 0.01


def test_never_changes_nothing_and_ground_changes_height_only(sliding):
    """Mode never returns the motion itself; mode ground lets feet slide but sets them down."""
    truth, moved, _ = sliding
    assert lock_feet(moved, 0.0, "never")[0] is moved
    raised = replace(moved, root_pos_m=moved.root_pos_m + [0, 0.03, 0], joints_m=moved.joints_m + [0, 0.03, 0])
    settled, _ = lock_feet(raised, 0.005, "ground")
    touching = truth.contacts > 0.5
    assert np.abs(sole_points(settled)[touching][:, 1] - 0.005).max() < 0.01
    assert metrics.foot_skate(settled, truth.contacts) > 8


def test_always_pins_what_may_touch(sliding):
    """Contacts of 0.3 are pinned by always and not by auto."""
    truth, moved, _ = sliding
    unsure = replace(moved, contacts=0.3 * truth.contacts)
    assert metrics.foot_skate(lock_feet(unsure, 0.005, "auto")[0], truth.contacts) > 8
    assert metrics.foot_skate(lock_feet(unsure, 0.005, "always")[0], truth.contacts) < 1


def test_intervals_are_first_and_past_the_last():
    """Runs of True are found at both ends and in the middle."""
    assert intervals(np.array([1, 1, 0, 1, 0, 0, 1], bool)) == [(0, 2), (3, 4), (6, 7)]
