"""One window's problem: its gradient and its minimum."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrs.body import load_body
from mrs.body.torch_body import TorchBody
from mrs.refine.clip import frame_steps, least_about
from mrs.refine.solver import Problem, Scales, Window
from mrs.skeletons import BLAZEPOSE_33, SMPL_PARENTS
from mrs.world.ground import SOLES, sole_points
from tests.walker import filmed, walker

BODY = load_body()
NAMES = ("left_shoulder", "right_wrist", "left_hip", "right_hip", "right_knee", "left_ankle", "nose")
DOUBLE = {"dtype": torch.float64}


def double(values):
    """A float64 tensor."""
    return torch.as_tensor(np.asarray(values, float))


def window(times_s, *, noise=0.0, contacts=True, held=None, names=NAMES):
    """A walker's exact state as a window in double precision, its keypoints with noise; and the truth."""
    track, truth = filmed(walker(times_s, speed_m_s=0.6)[0], noise=noise)
    rows = BLAZEPOSE_33.indices(*names)
    camera = truth.camera
    turned = double(BODY.global_rotations(truth.local_quat_wxyz))
    ground = float(sole_points(truth)[..., 1].min())
    still = least_about(np.concatenate([truth.contacts, np.zeros((len(times_s), 2))], 1), times_s)
    return Window(
        times=double(times_s), step=double(frame_steps(times_s)), observed=double(track.keypoints_px[:, rows, :2]),
        weights=double(track.keypoints_px[:, rows, 2]), height=double(track.heights_px()), turned=turned,
        root=double(truth.root_pos_m), pull=double(truth.confidence), initial=turned, K=double(camera.K), R=double(camera.R),
        t=double(camera.t), seen_acceleration=double(np.full((len(times_s), 24), 3.0)),
        contacts=double(truth.contacts) if contacts else None, still=double(still) if contacts else None, ground=double(ground) if contacts else None, held=held), truth


def problem(at, betas=None, names=NAMES):
    """The problem of a window with the shipped scales."""
    return Problem(at, TorchBody(BODY, names, **DOUBLE), TorchBody(BODY, SOLES.names, **DOUBLE),
                   double(np.zeros(10) if betas is None else betas), Scales())


def start_terms(one):
    """Every term of a problem at its start."""
    at = one.window
    return {name: float(value) for name, value in one.costs(at.turned, at.root, one.betas0, at.turned, at.root).items()}


def test_whole_objective_has_the_right_gradient():
    """The sum of all terms, by root and betas, against finite differences; by rotations in test_variables."""
    at, _ = window(np.cumsum([0.1, 0.03, 0.04, 0.02, 0.05]), noise=0.01)
    one = problem(at)
    rng = np.random.default_rng(0)
    root = (at.root + double(0.05 * rng.normal(size=at.root.shape))).requires_grad_()
    betas = double(0.2 * rng.normal(size=10)).requires_grad_()

    def total(root, betas):
        return sum(one.costs(at.turned, root, betas, at.turned, at.root).values())

    found = torch.autograd.grad(total(root, betas), (root, betas))
    for value, gradient in zip((root, betas), found, strict=True):
        direction = double(rng.normal(size=value.shape))
        step, moved = 1e-6, []
        for sign in (1, -1):
            inputs = [v + sign * step * direction if v is value else v for v in (root, betas)]
            moved.append(float(total(*inputs).detach()))
        assert (moved[0] - moved[1]) / (2 * step) == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


def test_exact_evidence_at_the_truth_costs_next_to_nothing():
    """Reprojection, pose, shape, contact and penetration are zero at the truth; limits nearly."""
    at, _ = window(np.arange(12) / 30)
    found = start_terms(problem(at))
    for name in ("reprojection", "pose", "shape", "contact", "penetration"):
        assert found[name] < 1e-6, name
    assert found["limits"] < 0.5


@pytest.mark.parametrize("contacts", [False, True])
def test_solving_lowers_the_objective(contacts):
    """From a start 14 cm aside the sum falls to less than a fifth."""
    at, _ = window(np.arange(20) / 30, contacts=contacts)
    off = replace(at, root=at.root + double([0.0, 0.1, 0.1]))
    one = problem(off)
    before = sum(start_terms(one).values())
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


def test_free_betas_find_proportions_and_keep_the_height():
    """Exact keypoints mend wrong bones' lengths by a third, and the height, which no picture tells, stays within 5 mm."""
    names = tuple(name for name in BLAZEPOSE_33.names if name in BODY.landmark_names)
    at, _ = window(np.arange(30) / 30, contacts=False, names=names)
    taller = TorchBody(BODY, **DOUBLE).taller_m().numpy()
    wrong = np.random.default_rng(1).normal(size=10)
    wrong -= taller * (wrong @ taller) / (taller @ taller)
    one = problem(at, wrong, names)
    found = one.solve(60, free_betas=True)
    assert sum(found.terms.values()) < sum(start_terms(one).values())

    def bones_m(betas):
        rest = BODY.rest_joints(betas)
        return np.linalg.norm(rest[1:] - rest[SMPL_PARENTS[1:]], axis=-1)[[0, 1, 3, 4, 15, 16, 17, 18]]

    away = [np.abs(bones_m(betas) / bones_m(np.zeros(10)) - 1).mean() for betas in (wrong, found.betas.numpy())]
    assert away[1] < 0.67 * away[0]
    assert BODY.stature_m(found.betas.numpy()) == pytest.approx(BODY.stature_m(wrong), abs=0.005)


def test_betas_add_height():
    """What each of the betas adds to the standing height is what the body says."""
    betas = np.array([0.3, -0.2, 0.1, 0.2, 0, 0, 0.1, 0, -0.1, 0])
    taller = TorchBody(BODY, **DOUBLE).taller_m().numpy() @ betas
    assert taller == pytest.approx(BODY.stature_m(betas) - BODY.stature_m(np.zeros(10)), abs=2e-3)
