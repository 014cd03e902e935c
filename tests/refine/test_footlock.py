"""Pinning feet: what touches stands still, what does not is left alone."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import metrics
from mrs.body import load_body
from mrs.motion import Motion
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
    again = load_body().joints(locked.root_pos_m, locked.local_quat_wxyz, locked.betas)
    np.testing.assert_allclose(locked.joints_m, again, atol=1e-9)


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


def shifted(motion, shift):
    """The motion with its whole body moved by (T, 3) or (3,)."""
    return replace(motion, root_pos_m=motion.root_pos_m + shift, joints_m=motion.joints_m + np.atleast_2d(shift)[:, None])


def standing(seconds=2.0, glide_m_s=0.0, height_m=0.0):
    """Someone in T-pose with all soles in contact on y = 0, gliding along X."""
    times = np.arange(0, seconds, 1 / 30)
    motion = replace(Motion.standing(times), contacts=np.ones((len(times), 4)))
    ground = sole_points(motion)[..., 1].mean()
    return shifted(motion, times[:, None] * [glide_m_s, 0, 0] + [0, height_m - ground, 0])


def test_auto_lets_feet_glide_that_glide_and_always_locks_them():
    """Feet in contact that travel 40 cm are no standing feet: auto keeps them on the ground only, always pins them."""
    motion = standing(glide_m_s=0.2, height_m=0.03)
    free, report = lock_feet(motion, 0.0, "auto")
    assert report["left"]["locked"] == 0 and metrics.foot_skate(free, motion.contacts) == pytest.approx(20, abs=1)
    assert np.abs(sole_points(free)[..., 1]).max() < 0.012
    locked, report = lock_feet(motion, 0.0, "always")
    assert report["left"]["locked"] == 1 and report["left"]["locked_s"] == pytest.approx(59 / 30)
    assert metrics.foot_skate(locked, motion.contacts) < 1 and report["left"]["slide_cm_s"] < 1


def test_feet_that_sink_in_are_set_on_the_ground():
    """Without any contact feet stay out of the ground, in all modes but never."""
    motion = replace(standing(height_m=-0.04), contacts=np.zeros((60, 4)))
    for mode in ("auto", "always", "ground"):
        assert sole_points(lock_feet(motion, 0.0, mode)[0])[..., 1].min() > -0.004
    assert lock_feet(motion, 0.0, "never")[0] is motion
    assert lock_feet(motion, None, "auto")[1]["largest_mm"] < 1e-6


def test_always_bridges_short_gaps_of_a_foot_that_stays():
    """A gap of 0.2 s in which the foot stays where it is counts as one lock for always, as two for auto."""
    motion = standing()
    motion.contacts[28:33] = 0
    assert lock_feet(motion, 0.0, "auto")[1]["right"]["locked"] == 2
    assert lock_feet(motion, 0.0, "always")[1]["right"]["locked"] == 1


def test_ground_sets_feet_down_that_float_near_it_and_leaves_swinging_ones(sliding):
    """Without contacts, soles 2 cm up go down, those of a swing at 9 cm stay."""
    low = replace(standing(height_m=0.02), contacts=np.zeros((60, 4)))
    assert np.abs(sole_points(lock_feet(low, 0.0, "ground")[0])[..., 1]).max() < 0.01
    truth, _, _ = sliding
    soles = sole_points(truth)[..., 1]
    moved = np.abs(sole_points(lock_feet(truth, 0.0, "ground")[0])[..., 1] - soles)
    assert moved[soles > 0.085].max() < 0.005


def test_the_report_says_what_was_moved(sliding):
    """Largest and mean shifts, locks and their time are those of the motions themselves."""
    _, moved, contacts = sliding
    locked, report = lock_feet(moved, 0.005)
    shift = 1000 * np.linalg.norm(locked.joints_m[:, 7] - moved.joints_m[:, 7], axis=-1)
    assert report["left"]["largest_mm"] == pytest.approx(shift.max()) and report["left"]["mean_mm"] == pytest.approx(shift.mean())
    runs = intervals(contacts[:, 0])
    assert report["left"]["locked"] == len(runs)
    assert report["left"]["locked_s"] == pytest.approx(sum(past - first - 1 for first, past in runs) / 30)
    assert report["largest_mm"] >= report["right"]["largest_mm"] and 0 < report["sunk_mm"] < 30


def test_locking_makes_no_jumps(sliding):
    """Between neighbouring frames the ankles' corrections change by at most 3 cm."""
    _, moved, _ = sliding
    for mode in ("auto", "always", "ground"):
        correction = (lock_feet(moved, 0.005, mode)[0].joints_m - moved.joints_m)[:, [7, 8]]
        assert np.linalg.norm(np.diff(correction, axis=0), axis=-1).max() < 0.03


def test_reversed_motion_gets_the_reversed_locks(sliding):
    """Time has no direction: the reversed motion locked is the locked motion reversed."""
    _, moved, _ = sliding
    back = replace(moved, root_pos_m=moved.root_pos_m[::-1], local_quat_wxyz=moved.local_quat_wxyz[::-1],
                   joints_m=moved.joints_m[::-1], contacts=moved.contacts[::-1], times_s=moved.times_s[-1] - moved.times_s[::-1])
    np.testing.assert_allclose(lock_feet(back, 0.005)[0].joints_m[::-1], lock_feet(moved, 0.005)[0].joints_m, atol=1e-6)


@pytest.mark.parametrize("mode", ["auto", "always", "ground", "never"])
def test_one_frame_is_no_error(mode):
    """A single frame comes back finite."""
    one = replace(Motion.standing(np.zeros(1)), contacts=np.ones((1, 4)))
    lock_feet(one, -0.02, mode)[0].validate()
