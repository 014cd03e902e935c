"""The reward's terms by hand."""

import numpy as np
import pytest

from mrs.rl import reward

ONE = np.array([[1.0, 0, 0, 0]])


def turned(angle):
    """About x."""
    return np.array([[np.cos(angle / 2), np.sin(angle / 2), 0, 0]])


def test_a_perfect_state_has_one_everywhere():
    """No error gives one, and the weights sum to one."""
    place, qvel = np.zeros((1, 3)), np.zeros((1, 9))
    terms = {"pose": reward.pose(ONE[:, None], ONE[:, None], ONE, ONE, np.array([0.5, 0.5])),
             "velocity": reward.velocity(qvel, qvel, np.array([0.5, 0.5])), "end_effectors": reward.end_effectors(place[:, None], place[:, None]),
             "root": reward.root(place, place, ONE, ONE, qvel, qvel), "com": reward.com(place, place)}
    assert reward.total(terms) == pytest.approx([1])


def test_each_term_by_hand():
    """A joint off by 0.4 rad at half the weight; 2 rad/s; 10 cm; root 0.1 m, 0.2 rad, 1 m/s and 2 rad/s; 0.5 m/s."""
    weights = np.array([0.5, 0.5])
    assert reward.pose(turned(0.4)[:, None], ONE[:, None], ONE, ONE, weights) == pytest.approx(np.exp(-2 * 0.5 * 0.16))
    qvel, still = np.zeros((1, 9)), np.zeros((1, 9))
    qvel[0, 6] = 2
    assert reward.velocity(qvel, still, weights) == pytest.approx(np.exp(-0.1 * 0.5 * 4))
    far = np.zeros((1, 4, 3))
    far[0, 0, 1] = 0.1
    assert reward.end_effectors(far, np.zeros((1, 4, 3))) == pytest.approx(np.exp(-40 * 0.01 / 4))
    qvel[0, :6] = [1, 0, 0, 0, 2, 0]
    found = reward.root(np.array([[0.1, 0, 0]]), np.zeros((1, 3)), turned(0.2), ONE, qvel, still)
    assert found == pytest.approx(np.exp(-5 * (0.01 + 0.1 * 0.04 + 0.01 * 1 + 0.001 * 4)))
    assert reward.com(np.array([[0.5, 0, 0]]), np.zeros((1, 3))) == pytest.approx(np.exp(-0.25))


def test_weights_are_deepmimics():
    """0.5, 0.05, 0.15, 0.2, 0.1; joints' shares sum to one."""
    assert list(reward.WEIGHTS.values()) == [0.5, 0.05, 0.15, 0.2, 0.1]
    assert reward.joint_weights(["left_hip", "neck", "right_elbow"]).sum() == pytest.approx(1)
