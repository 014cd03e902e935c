"""Rotations obey the axioms of SO(3) over every batch shape, near 0 and near 180 degrees."""

import numpy as np
import pytest

from mrs import rotations as rot

SHAPES = [(), (7,), (2, 3)]
SMALL = (0.0, 1e-12, 1e-9, 1e-8, 1e-6, 1e-4)
NEAR_HALF_TURN = (np.pi - 1e-4, np.pi - 1e-7, np.pi)
ANGLES = (*SMALL, 0.1, 1.0, np.pi / 2, 2.0, 3.0, *NEAR_HALF_TURN)


def rotation_vectors(shape, angle, seed=0):
    """Rotation vectors (*shape, 3) about random axes by one angle."""
    axes = np.random.default_rng(seed).normal(size=(*shape, 3))
    return angle * axes / np.linalg.norm(axes, axis=-1, keepdims=True)


def quats(shape, seed=0):
    """Uniformly random unit quaternions (*shape, 4)."""
    values = np.random.default_rng(seed).normal(size=(*shape, 4))
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def skew(v):
    """The matrix (3, 3) of the cross product with v."""
    x, y, z = v
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def same_rotation(a, b, atol):
    """Assert that two arrays of quaternions are equal up to sign."""
    sign = np.where((a * b).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    np.testing.assert_allclose(a, sign * b, atol=atol, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
class TestAxioms:
    """Quaternions, matrices and 6D form one group."""

    def test_products_are_unit_quaternions(self, shape):
        """Closure: the product of unit quaternions has length 1 and the shape of its factors."""
        product = rot.quat_multiply(quats(shape, 1), quats(shape, 2))
        assert product.shape == (*shape, 4)
        np.testing.assert_allclose(np.linalg.norm(product, axis=-1), 1, atol=1e-14)

    def test_conjugate_is_the_inverse(self, shape):
        """q q* is the identity."""
        q = quats(shape)
        np.testing.assert_allclose(rot.quat_multiply(q, rot.quat_conjugate(q)),
                                   np.broadcast_to([1.0, 0, 0, 0], (*shape, 4)), atol=1e-14)

    def test_identity_changes_nothing(self, shape):
        """1 q = q 1 = q."""
        q, one = quats(shape), np.array([1.0, 0, 0, 0])
        np.testing.assert_allclose(rot.quat_multiply(np.broadcast_to(one, q.shape), q), q, atol=1e-15)
        np.testing.assert_allclose(rot.quat_multiply(q, np.broadcast_to(one, q.shape)), q, atol=1e-15)

    def test_product_is_associative(self, shape):
        """(a b) c = a (b c)."""
        a, b, c = (quats(shape, s) for s in range(3))
        np.testing.assert_allclose(rot.quat_multiply(rot.quat_multiply(a, b), c),
                                   rot.quat_multiply(a, rot.quat_multiply(b, c)), atol=1e-14)

    def test_product_of_quaternions_is_the_product_of_matrices(self, shape):
        """M(a b) = M(a) M(b)."""
        a, b = quats(shape, 1), quats(shape, 2)
        np.testing.assert_allclose(rot.quat_to_matrix(rot.quat_multiply(a, b)),
                                   rot.quat_to_matrix(a) @ rot.quat_to_matrix(b), atol=1e-14)

    def test_turning_a_vector_is_the_matrix_product(self, shape):
        """q v q* = M(q) v."""
        q, v = quats(shape), np.random.default_rng(5).normal(size=(*shape, 3))
        np.testing.assert_allclose(rot.quat_rotate(q, v), (rot.quat_to_matrix(q) @ v[..., None])[..., 0], atol=1e-14)

    def test_matrices_are_orthonormal_and_right_handed(self, shape):
        """M^T M = 1 and det M = 1, from quaternions and from any 6D numbers."""
        sixd = np.random.default_rng(3).normal(size=(*shape, 6))
        for matrix in (rot.quat_to_matrix(quats(shape)), rot.sixd_to_matrix(sixd)):
            assert matrix.shape == (*shape, 3, 3)
            np.testing.assert_allclose(np.swapaxes(matrix, -1, -2) @ matrix, np.broadcast_to(np.eye(3), matrix.shape),
                                       atol=1e-12)
            np.testing.assert_allclose(np.linalg.det(matrix), 1, atol=1e-12)

    @pytest.mark.parametrize("angle", ANGLES)
    def test_every_representation_comes_back(self, shape, angle):
        """Axis-angle, quaternion, matrix and 6D convert into each other and back, at every angle."""
        vector = rotation_vectors(shape, angle)
        quat, matrix = rot.axis_angle_to_quat(vector), rot.axis_angle_to_matrix(vector)
        np.testing.assert_allclose(np.linalg.norm(quat, axis=-1), 1, atol=1e-14)
        same_rotation(rot.matrix_to_quat(rot.quat_to_matrix(quat)), quat, 1e-12)
        np.testing.assert_allclose(rot.quat_to_matrix(rot.matrix_to_quat(matrix)), matrix, atol=1e-12)
        np.testing.assert_allclose(rot.sixd_to_matrix(rot.matrix_to_sixd(matrix)), matrix, atol=1e-12)
        for back in (rot.quat_to_axis_angle(quat), rot.matrix_to_axis_angle(matrix)):
            assert back.shape == (*shape, 3)
            either = np.minimum(np.abs(back - vector).max(-1), np.abs(back + vector).max(-1))
            error = either if angle == np.pi else np.abs(back - vector).max(-1)
            assert (error < 1e-8).all()


@pytest.mark.parametrize("angle", ANGLES)
def test_axis_angle_to_matrix_is_rodrigues(angle):
    """exp(skew(v)) = 1 + sin(a) K + (1 - cos(a)) K^2 with K = skew(v / a)."""
    axis = rotation_vectors((), 1.0, seed=4)
    k = skew(axis)
    expected = np.eye(3) + np.sin(angle) * k + 2 * np.sin(angle / 2) ** 2 * k @ k
    np.testing.assert_allclose(rot.axis_angle_to_matrix(angle * axis), expected, atol=1e-15 + 1e-14 * angle)


@pytest.mark.parametrize("angle", [a for a in SMALL if a])
def test_small_angles_keep_their_digits(angle):
    """A tiny rotation vector comes back to eight digits, through quaternions and matrices."""
    vector = rotation_vectors((20,), angle)
    np.testing.assert_allclose(rot.quat_to_axis_angle(rot.axis_angle_to_quat(vector)), vector, rtol=1e-8)
    np.testing.assert_allclose(rot.matrix_to_axis_angle(rot.axis_angle_to_matrix(vector)), vector, rtol=1e-8)


def test_conventions_are_those_of_the_docstrings():
    """A quarter turn about Z carries X to Y; scalars come first; 6D is column one, then column two."""
    quat = rot.axis_angle_to_quat(np.array([0, 0, np.pi / 2]))
    np.testing.assert_allclose(quat, [np.sqrt(0.5), 0, 0, np.sqrt(0.5)], atol=1e-15)
    np.testing.assert_allclose(rot.quat_rotate(quat, np.array([1.0, 0, 0])), [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(rot.matrix_to_sixd(rot.quat_to_matrix(quat)), [0, 1, 0, -1, 0, 0], atol=1e-15)


def test_multiply_turns_by_the_second_first():
    """a b turns by b, then by a: X -> Y by b (about Z), then Y -> Z by a (about X)."""
    a = rot.axis_angle_to_quat(np.array([np.pi / 2, 0, 0]))
    b = rot.axis_angle_to_quat(np.array([0, 0, np.pi / 2]))
    np.testing.assert_allclose(rot.quat_rotate(rot.quat_multiply(a, b), np.array([1.0, 0, 0])), [0, 0, 1], atol=1e-15)


def test_quats_from_matrices_have_w_not_negative():
    """matrix_to_quat answers in the hemisphere w >= 0."""
    assert (rot.matrix_to_quat(rot.quat_to_matrix(quats((500,))))[:, 0] >= 0).all()


def test_exact_half_turns_convert():
    """Half turns about the axes and the diagonals survive matrix -> quaternion -> matrix."""
    axes = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, -1, 1], [-1, 0, 1], [1, 1, 1], [-1, 1, -1.0]])
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    matrices = 2 * axes[:, :, None] * axes[:, None] - np.eye(3)
    found = rot.matrix_to_quat(matrices)
    same_rotation(found, np.concatenate([np.zeros((8, 1)), axes], -1), 1e-15)
    np.testing.assert_allclose(np.linalg.norm(rot.matrix_to_axis_angle(matrices), axis=-1), np.pi, atol=1e-14)


@pytest.mark.parametrize("sixd", [np.zeros(6), [1e-30] * 6, [1, 0, 0, 2, 0, 0], [0, 1, 0, 0, 1, 0],
                                  [0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0]])
def test_degenerate_6d_gives_a_rotation(sixd):
    """Zero and parallel columns give finite orthonormal matrices, never NaN."""
    matrix = rot.sixd_to_matrix(np.array(sixd, float))
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_zero_quaternion_is_read_as_the_identity():
    """A quaternion of length zero gives the identity matrix."""
    np.testing.assert_array_equal(rot.quat_to_matrix(np.zeros((2, 4))), np.tile(np.eye(3), (2, 1, 1)))


def test_normalise_replaces_short_vectors():
    """Vectors shorter than 1e-9 become the fallback, zeros without one."""
    values = np.array([[3.0, 0, 4], [0, 0, 0]])
    np.testing.assert_array_equal(rot.normalise(values), [[0.6, 0, 0.8], [0, 0, 0]])
    np.testing.assert_array_equal(rot.normalise(values, [0, 1, 0]), [[0.6, 0, 0.8], [0, 1, 0]])


@pytest.mark.parametrize("angle", ANGLES)
def test_geodesic_angle_is_the_angle_between(angle):
    """Turning a by an angle is that angle away from a, whatever the signs."""
    a = quats((30,))
    b = rot.quat_multiply(a, rot.axis_angle_to_quat(rotation_vectors((30,), angle)))
    np.testing.assert_allclose(rot.geodesic_angle(a, b), angle, atol=1e-14, rtol=1e-7)
    np.testing.assert_allclose(rot.geodesic_angle(a, -b), angle, atol=1e-14, rtol=1e-7)


class TestSlerp:
    """Interpolation on the shorter arc."""

    def test_ends_are_met(self):
        """Share 0 is a and share 1 is b, up to sign."""
        a, b = quats((40,), 1), quats((40,), 2)
        same_rotation(rot.slerp(a, b, np.zeros(40)), a, 1e-14)
        same_rotation(rot.slerp(a, b, np.ones(40)), b, 1e-14)

    @pytest.mark.parametrize("angle", ANGLES)
    def test_angle_grows_with_the_share(self, angle):
        """At share s the rotation is s times the angle away from a, at every angle."""
        a = quats((11,))
        b = rot.quat_multiply(a, rot.axis_angle_to_quat(rotation_vectors((11,), angle)))
        share = np.linspace(0, 1, 11)
        found = rot.slerp(a, b, share)
        np.testing.assert_allclose(rot.geodesic_angle(a, found), share * angle, atol=1e-14, rtol=1e-7)
        np.testing.assert_allclose(rot.geodesic_angle(found, b), (1 - share) * angle, atol=1e-14, rtol=1e-7)

    def test_signs_do_not_matter(self):
        """The path to -b is the path to b."""
        a, b, share = quats((9,), 1), quats((9,), 2), np.linspace(0, 1, 9)
        same_rotation(rot.slerp(a, b, share), rot.slerp(a, -b, share), 1e-14)


class TestResample:
    """Rotations at other times."""

    times = np.array([0.0, 0.1, 0.25, 0.3, 0.6])

    def turning(self, at, rate=2.0):
        """A body that turns about one axis at a constant rate, with two joints (T, 2, 4)."""
        axes = np.array([[0, 1.0, 0], [0.6, 0, 0.8]])
        return rot.axis_angle_to_quat(rate * np.asarray(at)[:, None, None] * axes)

    def test_constant_spin_is_exact(self):
        """A constant spin at uneven times is met exactly in between."""
        at = np.linspace(0, 0.6, 37)
        same_rotation(rot.resample(self.turning(self.times), self.times, at), self.turning(at), 1e-14)

    def test_own_times_give_the_input(self):
        """Resampling to the same times changes nothing."""
        q = self.turning(self.times)
        same_rotation(rot.resample(q, self.times, self.times), q, 1e-14)

    def test_ends_are_held(self):
        """Before the first and after the last time the ends stay."""
        q = self.turning(self.times)
        found = rot.resample(q, self.times, np.array([-1.0, 7.0]))
        same_rotation(found, q[[0, -1]], 1e-14)

    def test_one_frame_is_repeated(self):
        """A single rotation serves every time."""
        q = self.turning([0.3])
        np.testing.assert_array_equal(rot.resample(q, np.array([0.3]), np.arange(3.0)), np.repeat(q, 3, 0))


def test_align_hemispheres_makes_signs_continuous():
    """Flipped signs come back to the continuous path; every entry still is the same rotation."""
    path = rot.axis_angle_to_quat(np.linspace(0, 7, 60)[:, None, None] * np.array([[0, 1.0, 0], [1.0, 0, 0]]))
    signs = np.where(np.random.default_rng(0).random((60, 2)) < 0.5, -1.0, 1.0)
    signs[0] = 1
    np.testing.assert_allclose(rot.align_hemispheres(signs[..., None] * path), path, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
class TestBetween:
    """The smallest rotation from one direction to another."""

    def test_it_carries_the_first_to_the_second(self, shape):
        """a, of any length, is turned into the direction of b by the angle between them."""
        rng = np.random.default_rng(1)
        a, b = rng.normal(size=(*shape, 3)), rng.normal(size=(*shape, 3))
        quat = rot.between(a, b)
        np.testing.assert_allclose(rot.quat_rotate(quat, rot.normalise(a)), rot.normalise(b), atol=1e-12)
        angle = np.arccos((rot.normalise(a) * rot.normalise(b)).sum(-1))
        np.testing.assert_allclose(np.linalg.norm(rot.quat_to_axis_angle(quat), axis=-1), angle, atol=1e-7)

    def test_same_direction_is_the_identity(self, shape):
        """From a to a nothing turns."""
        a = np.random.default_rng(2).normal(size=(*shape, 3))
        np.testing.assert_allclose(rot.between(a, 3 * a), np.broadcast_to([1.0, 0, 0, 0], (*shape, 4)), atol=1e-12)

    @pytest.mark.parametrize("off", [0.0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3])
    def test_opposite_directions_make_a_half_turn(self, shape, off):
        """Opposite and nearly opposite vectors give unit quaternions that carry a to b."""
        a = rot.normalise(np.random.default_rng(3).normal(size=(*shape, 3)))
        b = rot.normalise(-a + off * np.roll(a, 1, -1))
        quat = rot.between(a, b)
        np.testing.assert_allclose(np.linalg.norm(quat, axis=-1), 1, atol=1e-12)
        np.testing.assert_allclose(rot.quat_rotate(quat, a), b, atol=1e-7)


def test_between_axes_and_their_opposites_is_finite():
    """Each axis to its opposite is a half turn about some perpendicular axis."""
    a = np.concatenate([np.eye(3), -np.eye(3)])
    quat = rot.between(a, -a)
    np.testing.assert_allclose(rot.quat_rotate(quat, a), -a, atol=1e-12)
    np.testing.assert_allclose(quat[:, 0], 0, atol=1e-12)


def test_between_zero_vectors_is_the_identity():
    """A vector of length zero has no direction: nothing turns."""
    for b in (np.array([1.0, 0, 0]), np.zeros(3)):
        np.testing.assert_array_equal(rot.between(np.zeros(3), b), [1, 0, 0, 0])
