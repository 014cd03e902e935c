"""The pose prior: an invertible map that commutes with the mirror, and an energy that tells poses from nonsense."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from mrs import rotations
from mrs.refine import prior as module
from mrs.refine.prior import load_prior, mirror_basis, mirror_signs
from mrs.skeletons import SMPL_24
from tests.walker import walker


@pytest.fixture(scope="module")
def prior():
    """The shipped prior in double precision."""
    return load_prior(torch.float64)


@pytest.fixture(scope="module")
def walking():
    """Local quaternions (40, 23, 4) of somebody who walks."""
    return walker(np.arange(40) / 30)[0].local_quat_wxyz[:, 1:]


def matrices(quats):
    """Quaternions as a tensor of matrices."""
    return torch.as_tensor(rotations.quat_to_matrix(quats))


def turned(quats, joint, degrees):
    """The poses with one joint turned, about its parent's axes, by a rotation vector in degrees."""
    out = quats.copy()
    turn = rotations.axis_angle_to_quat(np.radians(np.array(degrees, float)))
    out[:, joint - 1] = rotations.quat_multiply(np.broadcast_to(turn, out[:, joint - 1].shape), out[:, joint - 1])
    return out


def noisy(quats, degrees, seed=0):
    """The poses with every joint turned about a random axis."""
    turn = np.random.default_rng(seed).normal(size=(*quats.shape[:-1], 3)) * np.radians(degrees) / 3**0.5
    return rotations.quat_multiply(quats, rotations.axis_angle_to_quat(turn))


def mirrored(quats):
    """Left and right exchanged."""
    return quats[:, SMPL_24.flip[1:] - 1] * [1, 1, -1, -1]


def test_decoding_a_code_gives_the_pose_back(prior, walking):
    """decode(encode(pose)) is the pose within a tenth of a degree, for plain and for shaken poses."""
    for quats in (walking, noisy(walking, 25)):
        local = matrices(quats)
        again = prior.decode(prior.encode(local))
        angle = rotations.geodesic_angle(quats, rotations.matrix_to_quat(again.numpy()))
        assert np.degrees(angle).max() < 0.1


def test_every_code_is_a_pose_and_comes_back(prior):
    """Codes drawn within 0.8 standard deviations decode to rotations whose code they are."""
    code = 0.8 * torch.randn(50, prior.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    local = prior.decode(code)
    torch.testing.assert_close(local @ local.mT, torch.eye(3, dtype=torch.float64).expand_as(local), atol=1e-5, rtol=0)
    assert float((prior.encode(local) - code).abs().mean()) < 0.01


def test_the_mirror_turns_signs_of_the_code_and_leaves_the_energy(prior, walking):
    """Exactly: even numbers stay, odd ones change sign, no energy changes."""
    quats = noisy(walking, 15)
    one, other = matrices(quats), matrices(mirrored(quats))
    torch.testing.assert_close(prior.encode(other), prior.encode(one) * torch.as_tensor(mirror_signs()), atol=1e-9, rtol=0)
    torch.testing.assert_close(prior.energy(other), prior.energy(one), atol=1e-9, rtol=0)
    basis = mirror_basis()
    np.testing.assert_allclose(basis.T @ basis, np.eye(69), atol=1e-12)


def test_energy_is_low_for_plain_poses_and_grows_with_the_mistake(prior, walking):
    """A walk costs a few nats; joint noise costs more the larger it is; nothing is negative."""
    plain = prior.energy(matrices(walking))
    levels = [float(prior.energy(matrices(noisy(walking, degrees))).mean()) for degrees in (0, 6, 12, 25, 50)]
    assert plain.min() >= 0 and float(plain.median()) < 8
    assert all(a < b for a, b in pairwise(levels)) and levels[2] > levels[0] + 10


@pytest.mark.parametrize(("joint", "degrees"), [(4, (0, 0, 35)), (5, (-60, 0, 0)), (18, (0, 80, 0)), (12, (0, 120, 0))],
                         ids=["knee sideways", "knee backwards", "elbow backwards", "head behind"])
def test_impossible_joints_cost_more_than_the_pose_without(prior, walking, joint, degrees):
    """In nine frames of ten."""
    assert (prior.energy(matrices(turned(walking, joint, degrees))) > prior.energy(matrices(walking)) + 1).double().mean() > 0.9


def test_the_gradient_by_hand_is_the_gradient(prior, walking):
    """Against autograd through the flow, and against finite differences of the energy."""
    local = matrices(noisy(walking[:5], 10)).requires_grad_()
    by_hand = torch.autograd.grad(prior.nats(local).sum(), local)[0]
    code, log_scale = prior.flow(prior.numbers(local))
    torch.testing.assert_close(by_hand, torch.autograd.grad((0.5 * (code**2).sum(-1) - log_scale).sum(), local)[0])
    assert torch.autograd.gradcheck(prior.energy, local[:2].detach().requires_grad_(), atol=1e-4)


def test_gradients_are_finite_everywhere(walking):
    """At the T-pose, at half turns and at random rotations, in single precision."""
    prior = load_prior()
    half = rotations.axis_angle_to_quat(np.tile([np.pi, 0, 0], (1, 23, 1)))
    still = np.tile([1.0, 0, 0, 0], (1, 23, 1))
    wild = rotations.normalise(np.random.default_rng(0).normal(size=(20, 23, 4)))
    for quats in (half, still, wild):
        local = matrices(quats).float().requires_grad_()
        energy = prior.energy(local)
        (slope,) = torch.autograd.grad(energy.sum(), local)
        assert torch.isfinite(energy).all() and torch.isfinite(slope).all() and (energy < 5000).all()


def test_energy_descends_to_plain_poses(prior, walking):
    """Going down energy plus distance brings poses shaken by 12 degrees nearer to the truth."""
    truth, start = matrices(walking), matrices(noisy(walking, 12))
    turn = torch.zeros(40, 23, 3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([turn], lr=0.02)
    for _ in range(60):
        loss = prior.energy(start @ module.from_mrp(turn)).sum() + (turn**2).sum() / (2 * np.radians(12) ** 2 / 3)
        adam.zero_grad()
        loss.backward()
        adam.step()
    before, after = (float(((x - truth) ** 2).sum((-1, -2)).sqrt().mean()) for x in (start, start @ module.from_mrp(turn.detach())))
    assert after < 0.75 * before


def test_code_energy_counts_from_the_middle(prior):
    """Low at the origin of the codes, growing outwards."""
    along = torch.linspace(0, 6, 20, dtype=torch.float64)[:, None] * torch.ones(prior.dim, dtype=torch.float64)
    energy = prior.code_energy(along)
    assert float(energy[0]) < 1 and bool((energy.diff() > 0).all())


def test_batches_of_any_shape(prior, walking):
    """(), (T,) and (A, B) leading axes give the same numbers."""
    local = matrices(walking[:6])
    energy, code = prior.energy(local), prior.encode(local)
    torch.testing.assert_close(prior.energy(local[0]), energy[0])
    torch.testing.assert_close(prior.energy(local.unflatten(0, (2, 3))).flatten(), energy)
    torch.testing.assert_close(prior.encode(local.unflatten(0, (2, 3))).flatten(0, 1), code)
