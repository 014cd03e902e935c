"""One window's problem: its variables, its basis in time, its gradient and its minimum."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrs.body import load_body
from mrs.body.torch_body import TorchBody
from mrs.refine.sfv import frame_steps
from mrs.refine.solver import Problem, Scales, Window, _from_ray, _to_ray, difference_weights
from mrs.skeletons import BLAZEPOSE_33
from mrs.world.ground import SOLES, sole_points
from tests.walker import filmed, walker

BODY = load_body()
NAMES = ("left_shoulder", "right_wrist", "left_hip", "right_hip", "right_knee", "left_ankle", "nose")
DOUBLE = {"dtype": torch.float64}


def double(values):
    """A float64 tensor."""
    return torch.as_tensor(np.asarray(values, float))


def window(times_s, *, noise=0.0, contacts=True, held=None):
    """A walker's exact state as a window in double precision, its keypoints with noise; and the truth."""
    track, truth = filmed(walker(times_s, speed_m_s=0.6)[0], noise=noise)
    rows = BLAZEPOSE_33.indices(*NAMES)
    camera = truth.camera
    turned = double(BODY.global_rotations(truth.local_quat_wxyz))
    ground = float(sole_points(truth)[..., 1].min())
    return Window(
        times=double(times_s), step=double(frame_steps(times_s)), observed=double(track.keypoints_px[:, rows, :2]),
        weights=double(track.keypoints_px[:, rows, 2]), height=double(track.heights_px()), turned=turned,
        root=double(truth.root_pos_m), pull=double(truth.confidence), initial=turned, K=double(camera.K), R=double(camera.R),
        t=double(camera.t), seen_acceleration=double(np.full((len(times_s), 24), 3.0)),
        contacts=double(truth.contacts) if contacts else None, ground=double(ground) if contacts else None, held=held), truth


def problem(at, betas=None):
    """The problem of a window with the shipped scales."""
    return Problem(at, TorchBody(BODY, NAMES, **DOUBLE), TorchBody(BODY, SOLES.names, **DOUBLE),
                   double(np.zeros(10) if betas is None else betas), Scales())


def zeros(at):
    """The variables at the start."""
    return torch.zeros(len(at.times), 144, **DOUBLE), torch.zeros(len(at.times), 3, **DOUBLE)


@pytest.mark.parametrize("distance", [0.5, 4.0, 60.0])
def test_ray_coordinates_undo_each_other(distance):
    """Camera points to picture place and log distance, and back."""
    points = double(np.random.default_rng(0).uniform([-1, -1, 0.4], [1, 1, 2], (20, 3)) * distance)
    depth = points[:, 2].mean()
    torch.testing.assert_close(_from_ray(_to_ray(points, depth), depth), points)


def test_zero_is_the_start():
    """Variables of zero give the start's rotations and root."""
    at, _ = window(np.arange(8) / 30)
    turned, root = problem(at).state(*zeros(at))
    torch.testing.assert_close(turned, at.turned)
    torch.testing.assert_close(root, at.root)


@pytest.mark.parametrize("fps", [12, 30, 240])
def test_basis_is_the_root_of_the_inverse_curvature(fps):
    """S S^T (d step + l D2^T step D2) is the identity, also where frames are many a second."""
    at, _ = window(np.arange(40) / fps)
    one = problem(at)
    data, smooth = 150.0, 12 * (0.3 / one.scales.acceleration_m_s2) ** 2
    basis = one._basis(data, smooth)
    inverse, _ = difference_weights(at.times[1:] - at.times[:-1])
    d2 = torch.zeros(38, 40, **DOUBLE)
    for column in range(3):
        d2[torch.arange(38), torch.arange(38) + column] = inverse[:, column]
    curvature = torch.diag(data * at.step) + smooth * d2.T @ (at.step[1:-1, None] * d2)
    torch.testing.assert_close(curvature @ basis @ basis.T, torch.eye(40, **DOUBLE), atol=1e-2, rtol=0)


def test_whole_objective_has_the_right_gradient():
    """The sum of all terms, by rotations, root and betas, against finite differences."""
    at, _ = window(np.cumsum([0.1, 0.03, 0.04, 0.02, 0.05]), noise=0.01)
    one = problem(at)
    rng = np.random.default_rng(0)
    u_turn, u_root = (double(0.3 * rng.normal(size=v.shape)).requires_grad_() for v in zeros(at))
    betas = double(0.2 * rng.normal(size=10)).requires_grad_()

    def total(u_turn, u_root, betas):
        return sum(one.terms(u_turn, u_root, betas, at.turned, at.root).values())

    found = torch.autograd.grad(total(u_turn, u_root, betas), (u_turn, u_root, betas))
    for value, gradient in zip((u_turn, u_root, betas), found, strict=True):
        direction = double(rng.normal(size=value.shape))
        step, moved = 1e-6, []
        for sign in (1, -1):
            inputs = [v + sign * step * direction if v is value else v for v in (u_turn, u_root, betas)]
            moved.append(float(total(*inputs).detach()))
        assert (moved[0] - moved[1]) / (2 * step) == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


def test_exact_evidence_at_the_truth_costs_next_to_nothing():
    """Reprojection, pose, shape, contact and penetration are zero at the truth; limits nearly."""
    at, _ = window(np.arange(12) / 30)
    found = problem(at).terms(*zeros(at), torch.zeros(10, **DOUBLE), at.turned, at.root)
    for name in ("reprojection", "pose", "shape", "contact", "penetration"):
        assert float(found[name]) < 1e-6, name
    assert float(found["limits"]) < 0.5


@pytest.mark.parametrize("contacts", [False, True])
def test_solving_lowers_the_objective(contacts):
    """From a start 14 cm aside the sum falls to less than a fifth."""
    at, _ = window(np.arange(20) / 30, contacts=contacts)
    off = replace(at, root=at.root + double([0.0, 0.1, 0.1]))
    one = problem(off)
    before = sum(float(v) for v in one.terms(*zeros(off), one.betas0, off.turned, off.root).values())
    assert sum(one.solve(40).terms.values()) < 0.2 * before


def test_solving_finds_the_place():
    """From a start 14 cm aside exact keypoints bring the root back within 1 cm, its distance included."""
    at, truth = window(np.arange(20) / 30, contacts=False)
    found = problem(replace(at, root=at.root + double([0.0, 0.1, 0.1]))).solve(40)
    np.testing.assert_allclose(found.root, truth.root_pos_m, atol=0.01)


def test_held_frames_are_held_back():
    """Evidence shifted by 5 px moves the held frames less than half as far as the free ones, and without a jump."""
    at, _ = window(np.arange(20) / 30, contacts=False, held=torch.arange(6))
    found = problem(replace(at, observed=at.observed + 5)).solve(30)
    away = (found.root - at.root).norm(dim=-1)
    assert away[:6].max() < 0.5 * away[10:].min() and found.terms["held"] > 0
    assert (away[1:] - away[:-1]).abs().max() < 0.2 * away.max()


def test_free_betas_are_found():
    """With betas free, a person who is taller than thought is made taller by exact keypoints at a known place."""
    at, _ = window(np.arange(10) / 30, contacts=False)
    wrong = np.zeros(10)
    wrong[0] = -1.0
    one = problem(at, wrong)
    found = one.solve(60, free_betas=True)
    before = sum(float(v) for v in one.terms(*zeros(at), one.betas0, at.turned, at.root).values())
    assert sum(found.terms.values()) < before
    assert abs(BODY.stature_m(found.betas.numpy()) - BODY.stature_m(np.zeros(10))) < abs(
        BODY.stature_m(wrong) - BODY.stature_m(np.zeros(10)))
