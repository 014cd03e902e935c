"""Euler angles: exact in every order, continuous in time, safe at gimbal lock."""

import numpy as np
import pytest

from mrs import rotations
from mrs.formats.euler import ORDERS, axis_matrix, euler_to_matrix, matrix_to_euler


def smooth_rotations(rng, frames=400, joints=5, step=0.05):
    """Matrices (frames, joints, 3, 3) that wander through all rotations in small steps."""
    path = np.cumsum(rng.normal(size=(frames, joints, 3)) * step, 0)
    return rotations.axis_angle_to_matrix(path * 3)


def largest_angle_deg(a, b):
    """Largest angle between two sets of matrices, accurate near zero."""
    relative = rotations.matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b)
    return float(np.degrees(np.linalg.norm(relative, axis=-1).max()))


@pytest.mark.parametrize("axis, turned", [(0, (0, 0, 1)), (1, (-1, 0, 0)), (2, (0, 1, 0))])
def test_quarter_turns_are_right_handed(axis, turned):
    """A quarter turn about x takes y to z, about y takes -z to -x, about z takes x to y."""
    start = {0: (0, 1, 0), 1: (0, 0, -1), 2: (1, 0, 0)}[axis]
    np.testing.assert_allclose(axis_matrix(axis, np.pi / 2) @ start, turned, atol=1e-15)


def test_order_multiplies_left_to_right():
    """ZYX means Rz Ry Rx."""
    a, b, c = 0.3, -0.8, 1.7
    expected = axis_matrix(2, a) @ axis_matrix(1, b) @ axis_matrix(0, c)
    np.testing.assert_allclose(euler_to_matrix(np.array([a, b, c]), "ZYX"), expected, atol=1e-15)


@pytest.mark.parametrize("order", ORDERS)
def test_random_rotations_come_back(order):
    """Any rotation comes back in any order."""
    quats = rotations.normalise(np.random.default_rng(0).normal(size=(300, 7, 4)))
    matrix = rotations.quat_to_matrix(quats)
    assert largest_angle_deg(euler_to_matrix(matrix_to_euler(matrix, order), order), matrix) < 1e-9


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("offset", [0.0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-6, 1e-4])
def test_rotations_at_and_near_gimbal_lock_come_back(order, side, offset):
    """The middle angle at 90 degrees, or a hair off, costs no accuracy."""
    rng = np.random.default_rng(1)
    angles = rng.uniform(-np.pi, np.pi, (100, 3))
    angles[:, 1] = side * (np.pi / 2 - offset)
    matrix = euler_to_matrix(angles, order)
    assert largest_angle_deg(euler_to_matrix(matrix_to_euler(matrix, order), order), matrix) < 1e-5


@pytest.mark.parametrize("order", ORDERS)
def test_each_row_is_the_nearest_of_all_equivalent_triples(order):
    """No equivalent triple, with any multiples of a full turn, lies nearer to the row before."""
    matrix = smooth_rotations(np.random.default_rng(2))
    angles = matrix_to_euler(matrix, order)
    before, here = angles[:-1], angles[1:]
    chosen = np.square(here - before).sum(-1)
    for triple in (here, np.stack([here[..., 0] + np.pi, np.pi - here[..., 1], here[..., 2] + np.pi], -1)):
        nearest = triple - 2 * np.pi * np.round((triple - before) / (2 * np.pi))
        assert (np.square(nearest - before).sum(-1) >= chosen - 1e-6).all()


def test_a_steady_turn_grows_beyond_360_degrees():
    """Three full turns about one axis are one straight line of angles, through the lock of the middle axis too."""
    steady = np.linspace(0, 6 * np.pi, 400)
    for axis in "XYZ":
        matrix = euler_to_matrix(steady[:, None], axis)
        angles = matrix_to_euler(matrix, "ZXY")
        expected = np.zeros((400, 3))
        expected[:, "ZXY".index(axis)] = steady
        np.testing.assert_allclose(angles, expected, atol=1e-6)


def test_the_first_angle_is_held_at_gimbal_lock():
    """While the middle angle stays at 90 degrees, only the third angle moves."""
    turn = np.linspace(0, 2, 50)
    angles = np.stack([np.full(50, 0.4), np.full(50, np.pi / 2), turn], -1)
    angles[0, 1] = 1.0
    out = matrix_to_euler(euler_to_matrix(angles, "ZXY"), "ZXY")
    np.testing.assert_allclose(out[:, 0], 0.4, atol=1e-9)
    np.testing.assert_allclose(out[:, 2], turn, atol=1e-6)


def test_a_single_frame_is_nearest_to_zero():
    """Of the two forms of one lone rotation the smaller one is taken."""
    angles = np.radians([[10.0, 100.0, 20.0]])
    out = np.degrees(matrix_to_euler(euler_to_matrix(angles, "XYZ"), "XYZ"))
    np.testing.assert_allclose(out, [[10, 100, 20]], atol=1e-9)
