"""The height of the ground under people who stand, walk, jump or sit on a roof."""

from dataclasses import replace

import numpy as np
import pytest

from mrs.world.ground import SOLES, ground_height, sole_points
from tests.walker import walker

TIMES_S = np.arange(0, 2.2, 1 / 30)


def at_height(height_m, **kw):
    """A walker on a plane at some height."""
    motion = walker(TIMES_S, **kw)[0]
    shift = np.array([0, height_m, 0])
    return replace(motion, root_pos_m=motion.root_pos_m + shift, joints_m=motion.joints_m + shift)


@pytest.mark.parametrize("height_m", [0.0, -1.4, 250.0])
def test_it_is_where_feet_stand(height_m):
    """The walker's plane within 8 mm: soles are where the mesh touches it."""
    assert ground_height([at_height(height_m)]) == pytest.approx(height_m, abs=0.008)


def test_somebody_on_a_roof_does_not_lift_it():
    """One walks below, one on a roof 3 m up: the ground is below."""
    alone = ground_height([at_height(0.0)])
    assert ground_height([at_height(3.0), at_height(0.0)]) == pytest.approx(alone, abs=1e-6)


def test_one_person_who_jumps_down_does_not_lift_it():
    """Standing on a roof for most of the clip, then on the ground: the ground is below."""
    motion = at_height(0.0)
    up = np.where(TIMES_S < 0.7 * TIMES_S[-1], 2.5, 0.0)[:, None] * [0, 1, 0]
    jumper = replace(motion, root_pos_m=motion.root_pos_m + up, joints_m=motion.joints_m + up[:, None])
    assert ground_height([jumper]) == pytest.approx(0, abs=0.01)


def test_without_contact_it_is_near_the_lowest_sole():
    """In flight the low percentile of all soles serves."""
    motion = replace(at_height(1.0), contacts=np.zeros((len(TIMES_S), 4)))
    assert ground_height([motion]) == pytest.approx(1.0, abs=0.02)


def test_a_foot_that_sinks_for_a_moment_does_not_lower_it():
    """Two frames of a foot 10 cm too deep move the ground by less than 1 cm."""
    motion = at_height(0.0)
    shift = np.zeros((len(TIMES_S), 3))
    shift[[10, 30], 1] = -0.1
    sunk = replace(motion, root_pos_m=motion.root_pos_m + shift, joints_m=motion.joints_m + shift[:, None])
    assert abs(ground_height([sunk]) - ground_height([motion])) < 0.01


def test_soles_are_heel_and_toe_of_left_and_right():
    """Order of contacts: left heel, left toe, right heel, right toe; toes ahead, left at +X of a walker to +Z."""
    assert [n.replace("_sole", "") for n in SOLES.names] == ["left_heel", "left_toe", "right_heel", "right_toe"]
    motion, standing = walker(TIMES_S)
    soles = sole_points(motion)
    assert (soles[:, 0, 0] > soles[:, 2, 0]).all()
    left, right = standing[:, 0], standing[:, 2]
    assert (soles[left, 1, 2] > soles[left, 0, 2] + 0.1).all() and (soles[right, 3, 2] > soles[right, 2, 2] + 0.1).all()


def test_a_landing_too_quick_for_contacts_still_lowers_the_ground():
    """Somebody who touches only a roof and then comes down 2 m lower stands on the lower ground."""
    motion, _ = walker(np.arange(90) / 30)
    drop = np.zeros((90, 3))
    drop[60:, 1] = -2.0
    contacts = motion.contacts.copy()
    contacts[60:] = 0
    fallen = replace(motion, root_pos_m=motion.root_pos_m + drop, joints_m=motion.joints_m + drop[:, None],
                     contacts=contacts)
    assert ground_height([fallen]) == pytest.approx(-2.0, abs=0.05)
