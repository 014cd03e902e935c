"""Alignments against transforms that are known."""

import numpy as np

from mrs import rotations
from mrs.metrics import align

RNG = np.random.default_rng(0)


def _turns(*shape):
    return rotations.quat_to_matrix(rotations.normalise(RNG.normal(size=(*shape, 4))))


def test_similarity_finds_the_transform_that_was_applied():
    """Scale, rotation and translation of a batch come back to 1e-9."""
    points, turn = RNG.normal(size=(5, 24, 3)), _turns(5)
    scale, shift = RNG.uniform(0.3, 3, 5), RNG.normal(size=(5, 3))
    target = align.moved(points, (scale, turn, shift))
    s, R, t = align.similarity(points, target)
    assert np.allclose(s, scale) and np.allclose(R, turn) and np.allclose(t, shift)


def test_rigid_fit_keeps_the_scale():
    """Without scale a body twice as large stays as large, about its centre."""
    points = RNG.normal(size=(24, 3))
    s, R, t = align.similarity(points, 2 * points, scaled=False)
    assert s == 1 and np.allclose(R, np.eye(3)) and np.allclose(t, points.mean(0))


def test_a_mirrored_body_is_not_reflected_back():
    """The fit is a rotation (determinant 1) even where a reflection would fit exactly."""
    points = RNG.normal(size=(24, 3))
    fit = align.similarity(points, points * [-1, 1, 1])
    assert np.isclose(np.linalg.det(fit[1]), 1)
    assert np.linalg.norm(align.moved(points, fit) - points * [-1, 1, 1], axis=-1).mean() > 0.1


def test_no_similarity_is_better_than_the_one_found():
    """Small changes of scale, turn and shift do not lower the squared error."""
    points, target = RNG.normal(size=(24, 3)), RNG.normal(size=(24, 3))
    s, R, t = align.similarity(points, target)
    best = ((align.moved(points, (s, R, t)) - target) ** 2).sum()
    for _ in range(20):
        turn = rotations.axis_angle_to_matrix(0.01 * RNG.normal(size=3))
        other = s * (1 + 0.01 * RNG.normal()), turn @ R, t + 0.01 * RNG.normal(size=3)
        assert ((align.moved(points, other) - target) ** 2).sum() >= best


def test_points_on_a_line_or_in_one_place_give_a_rotation():
    """Degenerate points give a proper rotation and no NaN."""
    line = np.linspace(0, 1, 7)[:, None] * [1.0, 2, 3]
    for points in (line, np.ones((7, 3))):
        s, R, t = align.similarity(points, points + 1)
        assert np.allclose(align.moved(points, (s, R, t)), points + 1)
        assert np.isclose(np.linalg.det(R), 1) and np.isfinite(s)


def test_heading_finds_the_turn_about_the_vertical():
    """A turn of 130 degrees about +Y comes back; heights play no part."""
    turn = rotations.axis_angle_to_matrix(np.array([0, np.radians(130), 0]))
    vectors = RNG.normal(size=(4, 24, 3))
    assert np.allclose(align.heading(vectors, vectors @ turn.T), turn)
    assert np.allclose(align.heading(vectors, vectors @ turn.T + [0, 5, 0]), turn)
