"""Each check finds the fault it is for, says ok to a clean walk, and does not depend on the frame rate."""

from dataclasses import replace

import numpy as np
import pytest

from mrs.physics import kinematics, segments
from mrs.physics.series import LEVELS, Series, by_second
from tests.physics import poses
from tests.walker import walker


def levels(motion, loop=False) -> dict[str, str]:
    """The worst level of every check."""
    found = kinematics.measure(motion, segments.of_motion(motion), loop=loop)
    return {s.name: LEVELS[int(s.levels(motion.times_s).max())] for s in found}


@pytest.mark.parametrize("rate", [30, 60, 119.88])
def test_a_clean_walk_is_ok(rate):
    """Nothing is doubtful in the walker, whatever the rate."""
    motion, _ = walker(np.arange(int(2.2 * rate)) / rate)
    assert {name: level for name, level in levels(motion).items() if level != "ok"} == {}


def test_sinking_is_found():
    """Ten centimetres into the floor are too much, five a doubt."""
    motion = poses.standing()
    assert levels(poses.moved(motion, np.array([0, -0.10, 0])))["penetration"] == "reject"
    assert levels(poses.moved(motion, np.array([0, -0.05, 0])))["penetration"] == "doubtful"


def test_floating_is_found_only_after_a_second_and_without_contacts():
    """A body that hangs 0.3 m over where it stood for more than a second floats; on a step, by its contacts, it does not."""
    motion = poses.standing(np.arange(120) / 30)
    path = np.zeros((120, 3))
    path[30:, 1] = 0.3
    air = motion.contacts.copy()
    air[30:] = 0
    assert levels(poses.moved(motion, path, air))["floating"] == "reject"
    assert levels(poses.moved(motion, path))["floating"] == "ok"
    path[50:, 1] = 0
    air[50:] = 1
    assert levels(poses.moved(motion, path, air))["floating"] == "ok"


def test_a_teleport_is_found():
    """One metre between two frames."""
    path = np.zeros((60, 3))
    path[30:, 0] = 1
    found = levels(poses.moved(poses.standing(), path))
    assert found["teleport"] == "reject" and found["speed"] == "reject"


def test_a_joint_that_turns_too_fast_is_found():
    """Half a turn of the head between two frames is 94 rad/s."""
    motion = poses.standing()
    quats = motion.local_quat_wxyz.copy()
    quats[30:, 15] = [0, 0, 1, 0]
    assert levels(replace(motion, local_quat_wxyz=quats))["joint_speed"] == "reject"


@pytest.mark.parametrize("turns", [{"left_knee": [-60, 0, 0]}, {"right_elbow": [0, -70, 0]}, {"neck": [0, 120, 0]},
                                   {"right_knee": [0, 0, 70]}])
def test_impossible_joints_are_found(turns):
    """Knees and elbows bent backwards or sideways, a neck turned by 120 degrees."""
    assert levels(poses.posed(turns))["joint_limits"] == "reject"


@pytest.mark.parametrize("turns", [{"left_knee": [130, 0, 0], "left_hip": [-100, 0, 0]}, {"right_elbow": [0, 130, 0]},
                                   {"left_elbow": [0, -130, 0]}, {"left_shoulder": [0, 0, 80]}])
def test_possible_joints_are_ok(turns):
    """A deep bend of knee and elbow, a raised arm."""
    assert levels(poses.posed(turns))["joint_limits"] == "ok"


def test_missing_evidence_is_found():
    """Half a second in which nothing was seen."""
    motion = poses.standing()
    confidence = motion.confidence.copy()
    confidence[20:35] = 0
    assert levels(replace(motion, confidence=confidence))["missing_evidence"] == "reject"


def test_sliding_feet_are_found():
    """Standing feet that go 1 m/s."""
    path = np.zeros((60, 3))
    path[:, 2] = poses.TIMES_S
    assert levels(poses.moved(poses.standing(), path))["foot_skate"] == "reject"


def test_flight_has_to_fall_with_gravity():
    """A flight with gravity is ok; with a tenth of it, it is not."""
    lying = [poses.falling(share) for share in (1.0, 0.1)]
    grounded = []
    for motion in lying:
        times = np.r_[motion.times_s, motion.times_s[-1] + np.arange(1, 60) / 60]
        path = np.zeros((len(times), 3))
        path[: len(motion), 1] = motion.root_pos_m[:, 1] - poses.standing(times).root_pos_m[0, 1]
        contacts = np.ones((len(times), 4))
        contacts[: len(motion)] = 0
        grounded.append(poses.moved(poses.standing(times), path, contacts))
    assert [levels(motion)["flight"] for motion in grounded] == ["ok", "reject"]


def test_an_arm_in_the_chest_is_found():
    """A forearm turned straight through the trunk."""
    assert levels(poses.posed({"left_shoulder": [0, 0, -85], "left_elbow": [0, 0, -100]}))["self_collision"] != "ok"
    assert levels(poses.standing())["self_collision"] == "ok"


def test_a_loop_needs_like_ends():
    """A walk of one stride loops, one that ends with another posture does not; without loop the ends don't matter."""
    motion, _ = walker(np.arange(34) / 30)
    other = walker(np.arange(17) / 30)[0]
    assert levels(motion, loop=True)["loop_gap"] == "ok"
    assert levels(other, loop=True)["loop_gap"] == "reject"
    assert "loop_gap" not in levels(other)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_shortest_motions_are_measured(frames):
    """One, two and three frames give numbers, not errors."""
    assert set(levels(poses.standing(np.arange(frames) / 30)).values()) == {"ok"}


def test_verdicts_by_second():
    """A fault at 1.5 s is in second 1 alone; a stretch shorter than the least does not count."""
    times = np.arange(90) / 30
    values = np.zeros(90)
    values[45:48] = 5
    series = Series("x", "cm", values, 1, 4, "wrong")
    assert [row["verdict"] for row in by_second([series], times)] == ["ok", "reject", "ok"]
    assert by_second([series], times)[1]["failed"] == ["x"]
    assert series.summary(times)["first_s"] == 1.5
    longer = Series("x", "cm", values, 1, 4, "wrong", shortest_s=0.2)
    assert longer.levels(times).max() == 0
