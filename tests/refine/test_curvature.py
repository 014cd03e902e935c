"""The Gauss-Newton curvature of a window's objective: against automatic differentiation where the objective is a plain square."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrs.errors import InputError
from mrs.refine import curvature, together
from mrs.refine.curvature import BAND, SIZE, Points, couplings, factor, jerk_coefficients
from mrs.refine.solver import Scales, difference_weights
from mrs.refine.variables import cayley
from tests.refine.test_solver import DOUBLE, double, problem, window

rng = np.random.default_rng(0)
TURNED = cayley(double(0.4 * rng.normal(size=(5, 24, 3)))) @ torch.eye(3, **DOUBLE)
ROOT = double(rng.normal(size=(5, 3)))


def dense(blocks):
    """The whole matrix (75 T, 75 T) of blocks, frame t by t + m."""
    frames = len(blocks[0])
    out = torch.zeros(frames, SIZE, frames, SIZE, **DOUBLE)
    for m, values in enumerate(blocks):
        for t, block in enumerate(values):
            out[t, :, t + m] = block
            out[t + m, :, t] = block.T
    return out.reshape(frames * SIZE, frames * SIZE)


def of(one, at):
    """The curvature of a problem at a window's start, with the root's variables along the world's axes."""
    return curvature.blocks(one, at.turned, at.root, one.betas0, torch.eye(3, **DOUBLE).expand(len(at.root), 3, 3))


def hessian(one, at):
    """The second derivative of a problem's objective by turns and root at the start, by automatic differentiation."""
    def cost(x):
        x = x.view(len(at.root), SIZE)
        return sum(one.costs(cayley(x[:, :72].unflatten(1, (24, 3))) @ at.turned, at.root + x[:, 72:], one.betas0, at.turned, at.root).values())

    return torch.autograd.functional.hessian(cost, torch.zeros(len(at.root) * SIZE, **DOUBLE))


@pytest.mark.parametrize("kind", ["joints", "marks"])
def test_points_move_as_their_slopes_say(kind):
    """A small turn of every bone and a move of the root against the body's own forward kinematics."""
    at, _ = window(np.arange(5) / 30)
    one = problem(at)
    move = double(1e-6 * rng.normal(size=(5, SIZE)))
    turned = cayley(move[:, :72].unflatten(1, (24, 3))) @ TURNED

    def places(root, turned):
        joints = one.body.joints(root, turned, one.betas0)
        return joints if kind == "joints" else one.body.keypoints(joints, turned, one.betas0)

    slopes = getattr(Points, kind)(one.body, one.betas0).slopes(TURNED)
    foretold = torch.einsum("tpcv,tv->tpc", slopes, move)
    torch.testing.assert_close(places(ROOT + move[:, 72:], turned) - places(ROOT, TURNED), foretold, atol=1e-10, rtol=1e-4)


def test_couplings_are_the_squares_written_out():
    """sum_n w_n |sum_k c_nk x_n+k|^2 of random weights and coefficients, against its blocks."""
    coefficients, weights, x = (double(rng.normal(size=s)) for s in ((4, 3), (4, 2), (6, 2)))
    pairs = couplings(coefficients, weights, 6)
    direct = sum((weights[n] * (coefficients[n] @ x[n : n + 3]) ** 2).sum() for n in range(4))
    written = sum((1 if m == 0 else 2) * (pairs[m, t] * x[t] * x[t + m]).sum() for m in range(4) for t in range(6 - m))
    torch.testing.assert_close(written, direct)


def test_jerk_coefficients_see_a_cubic():
    """The third derivative of t^3 is 6, at uneven times."""
    times = double(np.cumsum([0, 0.02, 0.05, 0.03, 0.04, 0.02]))
    inverse, middle = difference_weights(times[1:] - times[:-1])
    found = (jerk_coefficients(inverse, middle) * torch.stack([times[k : k + 3] ** 3 for k in range(4)], 1)).sum(1)
    torch.testing.assert_close(found, torch.full((3,), 6.0, **DOUBLE))


@pytest.mark.parametrize(("name", "more"), [
    ("reprojection", {"reprojection_rho": None}), ("acceleration", {"acceleration_m_s2": 1e4}), ("contact", {}), ("ground", {}), ("pose", {})])
def test_each_term_has_the_curvature_of_its_squares(name, more):
    """At a start that meets a term exactly, or where its residuals are nothing beside its scale, Gauss and Newton are Newton."""
    at, _ = window(np.cumsum([0.1, 0.03, 0.04, 0.05, 0.03]))
    scales = Scales(**more, off=frozenset({"reprojection", "acceleration", "contact", "ground", "pose", "jerk", "spin", "limits",
                                           "penetration", "shape"} - {name}))
    if name == "ground":
        at = replace(at, contacts=at.contacts * 0 + 1)
        scales = replace(scales, ground_rho=1e3, ground_m=10.0)
    one = problem(at)
    one.scales = scales
    if name == "acceleration":
        one.distance0 = one.distance0.detach()
        one.per_distance = lambda root: torch.ones(3, 1, 1, **DOUBLE)
    wanted = hessian(one, at)
    floor = 2 * curvature.FLOOR * at.step.repeat_interleave(SIZE)
    found = dense(of(one, at)) - torch.diag(floor)
    apart = (found - wanted).abs().max() / wanted.abs().max()
    assert float(apart) < (0.15 if name in ("acceleration", "ground") else 1e-3)


def test_the_factor_is_that_of_the_whole_matrix():
    """L L^T is the matrix, L in LAPACK's band form."""
    at, _ = window(np.arange(7) / 30, noise=0.01)
    blocks = of(problem(at), at)
    band = factor(blocks)
    size = 7 * SIZE
    lower = torch.zeros(size, size, **DOUBLE)
    for below in range(min(BAND, size)):
        lower.diagonal(-below).copy_(torch.as_tensor(band[below, : size - below].copy()))
    torch.testing.assert_close(lower @ lower.T, dense(blocks), rtol=1e-6, atol=1e-3)


def test_what_nothing_holds_can_be_factored():
    """Without any evidence, and of a single frame."""
    for frames in (1, 2, 9):
        at, _ = window(np.arange(frames) / 30, contacts=False) if frames > 2 else window(np.arange(9) / 30, contacts=False)
        at = at.at(slice(0, frames))
        one = problem(replace(at, weights=at.weights * 0, pull=at.pull * 0))
        assert np.isfinite(factor(of(one, one.window))).all()


def test_what_is_not_a_number_is_said():
    blocks = [torch.full((1, SIZE, SIZE), torch.nan, **DOUBLE)]
    with pytest.raises(InputError, match="not a number"):
        factor(blocks)


def test_people_in_one_batch_are_not_coupled():
    """The curvature of two people one after another is that of each, with nothing between them."""
    ones = [problem(window(np.arange(n) / 30, noise=0.01)[0]) for n in (5, 6)]
    both = together.stacked([one.window for one in ones])
    whole = problem(both, np.zeros((2, 10)))
    together_ = dense(curvature.blocks(whole, both.turned, both.root, whole.each(whole.betas0), torch.eye(3, **DOUBLE).expand(11, 3, 3)))
    cut = 5 * SIZE
    assert float(together_[cut:, :cut].abs().max()) == 0
    for one, part in zip(ones, (together_[:cut, :cut], together_[cut:, cut:]), strict=True):
        torch.testing.assert_close(part, dense(of(one, one.window)), rtol=1e-5, atol=1e-3)
