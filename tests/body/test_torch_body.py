"""The body in torch equals the body in NumPy, and its gradients are right."""

import numpy as np
import pytest
import torch

from mrs import rotations
from mrs.body import load_body
from mrs.body.torch_body import TorchBody, axis_angle_to_matrix, sixd_to_matrix
from mrs.skeletons import BLAZEPOSE_33
from tests.body.poses import random_quats

BODY = load_body()
ANGLES = (0.0, 1e-9, 1e-6, 0.9e-4, 1.1e-4, 1e-3, 0.5, 2.0, np.pi - 1e-4, np.pi - 1e-7, np.pi, 5.0)


def double(array):
    """A float64 tensor."""
    return torch.as_tensor(np.asarray(array), dtype=torch.float64)


def unit(shape, seed=0):
    """Random unit vectors (*shape, 3)."""
    return rotations.normalise(np.random.default_rng(seed).normal(size=(*shape, 3)))


@pytest.fixture(scope="module")
def case():
    """Random rotations, root and betas, in NumPy and in float64 torch."""
    rng = np.random.default_rng(0)
    quats, root, betas = random_quats(4, wild=True), rng.normal(size=(4, 3)), rng.normal(size=10)
    turned = BODY.global_rotations(quats)
    return {"motion": BODY.motion(np.arange(4) / 30, root, quats, betas), "turned": double(turned), "root": double(root),
            "betas": double(betas), "local": double(rotations.quat_to_matrix(quats)),
            "body": TorchBody(BODY, BLAZEPOSE_33.names, dtype=torch.float64)}


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
class TestAxisAngle:
    """Rotation vectors to matrices, at every angle."""

    def test_it_equals_numpy(self, shape, angle):
        """The same matrices as mrs.rotations, to 1e-12."""
        vectors = angle * unit(shape)
        np.testing.assert_allclose(axis_angle_to_matrix(double(vectors)).numpy(),
                                   rotations.axis_angle_to_matrix(vectors), atol=1e-12)

    def test_its_gradient_is_right(self, shape, angle):
        """Finite and equal to finite differences."""
        vectors = double(angle * unit(shape)).requires_grad_()
        assert torch.autograd.gradcheck(axis_angle_to_matrix, (vectors,), atol=1e-6)


def test_gradient_of_axis_angle_at_zero_is_the_generators():
    """dR/dv_i at v = 0 is the skew matrix of axis i, finite in float32 too."""
    for dtype in (torch.float32, torch.float64):
        found = torch.autograd.functional.jacobian(axis_angle_to_matrix, torch.zeros(3, dtype=dtype))
        expected = torch.zeros(3, 3, 3, dtype=dtype)
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            expected[k, j, i], expected[j, k, i] = 1, -1
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("angle", ANGLES)
class TestSixD:
    """6D to matrices, at every angle."""

    def test_it_equals_numpy(self, angle):
        """The same matrices as mrs.rotations for columns that are neither unit nor orthogonal."""
        matrix = rotations.axis_angle_to_matrix(angle * unit((6,)))
        sixd = np.concatenate([1.7 * matrix[..., 0], 0.6 * matrix[..., 1] + 0.3 * matrix[..., 0]], -1)
        np.testing.assert_allclose(sixd_to_matrix(double(sixd)).numpy(), rotations.sixd_to_matrix(sixd), atol=1e-12)
        np.testing.assert_allclose(sixd_to_matrix(double(sixd)).numpy(), matrix, atol=1e-12)

    def test_its_gradient_is_right(self, angle):
        """Finite and equal to finite differences."""
        sixd = double(rotations.matrix_to_sixd(rotations.axis_angle_to_matrix(angle * unit((3,))))).requires_grad_()
        assert torch.autograd.gradcheck(sixd_to_matrix, (sixd,), atol=1e-6)


@pytest.mark.parametrize("sixd", [[0.0] * 6, [1, 0, 0, 2, 0, 0], [0, 1, 0, 0, 1, 0]])
def test_degenerate_6d_is_finite(sixd):
    """Zero and parallel columns give finite values and gradients."""
    values = torch.tensor(sixd, dtype=torch.float32, requires_grad=True)
    matrix = sixd_to_matrix(values)
    matrix.sum().backward()
    assert torch.isfinite(matrix).all() and torch.isfinite(values.grad).all()


class TestAgainstNumpy:
    """Every method gives what the NumPy body gives, in float64."""

    def test_chain(self, case):
        """chain() equals global_rotations()."""
        np.testing.assert_allclose(case["body"].chain(case["local"]), case["turned"], atol=1e-12)

    def test_joints(self, case):
        """Joints from global rotations."""
        found = case["body"].joints(case["root"], case["turned"], case["betas"])
        np.testing.assert_allclose(found, case["motion"].joints_m, atol=1e-12)

    def test_keypoints(self, case):
        """Landmarks."""
        joints = double(case["motion"].joints_m)
        found = case["body"].keypoints(joints, case["turned"], case["betas"])
        np.testing.assert_allclose(found, BODY.keypoints(case["motion"], BLAZEPOSE_33), atol=1e-12)

    def test_vertices(self, case):
        """The skinned mesh."""
        found = case["body"].vertices(double(case["motion"].joints_m), case["turned"], case["betas"])
        np.testing.assert_allclose(found, BODY.vertices(case["motion"]), atol=1e-12)

    def test_leading_axes_are_a_batch(self, case):
        """(2, 2, ...) gives the same as (4, ...), for every method."""
        body, betas = case["body"], case["betas"]
        turned, root, local = (case[n].unflatten(0, (2, 2)) for n in ("turned", "root", "local"))
        joints = body.joints(root, turned, betas)
        torch.testing.assert_close(body.chain(local), turned)
        torch.testing.assert_close(joints.flatten(0, 1), double(case["motion"].joints_m))
        for method in (body.keypoints, body.vertices):
            torch.testing.assert_close(method(joints, turned, betas).flatten(0, 1),
                                       method(joints.flatten(0, 1), case["turned"], betas))

    def test_single_precision_is_good_to_micrometres(self, case):
        """float32 is within 5 micrometres of float64."""
        body = TorchBody(BODY, BLAZEPOSE_33.names)
        found = body.joints(case["root"].float(), case["turned"].float(), case["betas"].float())
        np.testing.assert_allclose(found, case["motion"].joints_m, atol=5e-6)


class TestGradients:
    """Derivatives of joints and landmarks against finite differences."""

    def test_of_joints_by_root_rotations_and_betas(self, case):
        """Through the chain of local rotation vectors."""
        body = case["body"]
        vectors = double(np.random.default_rng(1).normal(size=(1, 24, 3)) * 0.5).requires_grad_()

        def joints(root, vectors, betas):
            return body.joints(root, body.chain(axis_angle_to_matrix(vectors)), betas)

        free = (case["root"][:1].clone().requires_grad_(), vectors, case["betas"].clone().requires_grad_())
        assert torch.autograd.gradcheck(joints, free)

    def test_of_keypoints_by_6d_and_betas(self, case):
        """Through 6D global rotations, as the refiner has them."""
        body = TorchBody(BODY, ("left_heel", "right_wrist", "nose"), dtype=torch.float64)
        matrices = case["turned"][:1]
        sixd = torch.cat([matrices[..., 0], matrices[..., 1]], -1).requires_grad_()

        def marks(sixd, betas):
            turned = sixd_to_matrix(sixd)
            return body.keypoints(body.joints(case["root"][:1], turned, betas), turned, betas)

        assert torch.autograd.gradcheck(marks, (sixd, case["betas"].clone().requires_grad_()))
