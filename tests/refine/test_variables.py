"""The variables of a window's problem: where they start, what they undo, and their basis in time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrs.refine.solver import difference_weights
from mrs.refine.variables import InTime, Whitened, cayley, from_ray, ray_slopes, to_ray, upright
from tests.refine.test_solver import DOUBLE, double, problem, window


def both_kinds(one):
    """The two kinds of variables of a problem in pose space."""
    w = one.window
    return InTime(one, one.space), Whitened(one, w.turned, w.root, one.betas0)


@pytest.mark.parametrize("distance", [0.5, 4.0, 60.0])
def test_ray_coordinates_undo_each_other(distance):
    """Camera points to picture place and log distance, and back."""
    points = double(np.random.default_rng(0).uniform([-1, -1, 0.4], [1, 1, 2], (20, 3)) * distance)
    depth = points[:, 2].mean()
    torch.testing.assert_close(from_ray(to_ray(points, depth), depth), points)


def test_ray_slopes_are_the_derivative_of_points():
    """A small step of the ray coordinates moves the point as its slopes say."""
    points = double([[0.3, -0.2, 3.0], [1.0, 0.5, 5.0]])
    depth = double([4.0])
    ray = to_ray(points, depth)
    step = double([[1e-6, -2e-6, 3e-6], [2e-6, 1e-6, -1e-6]])
    moved = from_ray(ray + step, depth) - points
    torch.testing.assert_close(moved, (ray_slopes(ray, depth) @ step[..., None])[..., 0], rtol=1e-4, atol=1e-12)


def test_cayley_turns_by_small_vectors_and_never_bends():
    """Orthogonal for any turn; about z by 0.01 rad it is the plain rotation."""
    turns = double(np.random.default_rng(1).normal(size=(50, 3)) * 3)
    turned = cayley(turns)
    torch.testing.assert_close(turned @ turned.transpose(-1, -2), torch.eye(3, **DOUBLE).expand(50, 3, 3))
    assert float((torch.linalg.det(turned) - 1).abs().max()) < 1e-12
    small = cayley(double([[0, 0, 0.01]]))[0]
    torch.testing.assert_close(small[0], double([np.cos(0.01), -np.sin(0.01), 0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(upright(turned), turned)


def test_zero_is_the_start():
    """Variables of zero give the start's rotations and root."""
    at, _ = window(np.arange(8) / 30)
    for kind in both_kinds(problem(at)):
        turned, root = kind.state(torch.zeros(8 * kind.size, **DOUBLE))
        torch.testing.assert_close(turned, at.turned)
        torch.testing.assert_close(root, at.root)


@pytest.mark.parametrize("fps", [12, 30, 240])
def test_basis_is_the_root_of_the_inverse_curvature(fps):
    """S S^T (d step + l D2^T step D2) is the identity, also where frames are many a second."""
    at, _ = window(np.arange(40) / fps)
    one = problem(at)
    data, smooth = 150.0, 12 * (0.3 / one.scales.acceleration_m_s2) ** 2
    basis = InTime(one, one.space).basis(data, smooth)
    inverse, _ = difference_weights(at.times[1:] - at.times[:-1])
    d2 = torch.zeros(38, 40, **DOUBLE)
    for column in range(3):
        d2[torch.arange(38), torch.arange(38) + column] = inverse[:, column]
    curvature = torch.diag(data * at.step) + smooth * d2.T @ (at.step[1:-1, None] * d2)
    torch.testing.assert_close(curvature @ basis @ basis.T, torch.eye(40, **DOUBLE), atol=1e-2, rtol=0)


@pytest.mark.parametrize("fps", [12, 30, 240])
def test_the_objective_is_round_in_whitened_variables(fps):
    """Near exact evidence a step along any direction costs its length squared, whatever the frame rate."""
    at, _ = window(np.arange(12) / fps, contacts=False)
    one = problem(at)
    one.scales = replace(one.scales, off=frozenset({"limits"}))
    kind = Whitened(one, at.turned, at.root, one.betas0)

    def cost(u):
        return sum(float(v) for v in one.costs(*kind.state(u), one.betas0, at.turned, at.root).values())

    rng, zero = np.random.default_rng(2), torch.zeros(12 * 75, **DOUBLE)
    for _ in range(5):
        direction = double(rng.normal(size=12 * 75))
        step = 1e-3 * direction / direction.norm()
        second = cost(step) - 2 * cost(zero) + cost(-step)
        assert 0.3 < second / (2 * 1e-6 / 2) < 1.5


def test_gradients_pass_through_both_kinds():
    """By finite differences along a random direction."""
    at, _ = window(np.cumsum([0.1, 0.03, 0.04, 0.02, 0.05]), noise=0.01)
    one, rng = problem(at), np.random.default_rng(0)
    for kind in both_kinds(one):
        u = double(0.05 * rng.normal(size=5 * kind.size)).requires_grad_()
        direction = double(rng.normal(size=len(u)))

        def total(u, kind=kind):
            return sum(one.costs(*kind.state(u), one.betas0, at.turned, at.root).values())

        (gradient,) = torch.autograd.grad(total(u), u)
        ends = [float(total(u.detach() + sign * 1e-6 * direction)) for sign in (1, -1)]
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(float(gradient @ direction), rel=1e-4)
