"""The shape-and-posture network."""

import pytest
import torch

from mrs.appearance import losses, network, train
from mrs.appearance.people import People
from tests.appearance.small import tiny


@pytest.mark.parametrize("given", [{}, {"behaviour": "2021", "alpha": False}, {"looks": "picture", "blocks": 2, "encoder_blocks": 2}])
def test_it_draws_a_picture_of_its_size_from_looks_and_a_stick_figure(given):
    recipe = tiny(**given)
    net = network.ShapePoseNet(recipe.shape()).eval()
    shape = recipe.shape()
    posterior = net.encode(torch.zeros(3, shape.looks, shape.parts_px, shape.parts_px))
    picture, share = net.draw(torch.zeros(3, 3, 32, 32), network.means(posterior))
    assert picture.shape == (3, 3, 32, 32)
    assert (share is None) != recipe.alpha
    assert [tuple(mean.shape) for mean, _ in posterior] == [(3, 8, 8, 8), (3, 8, 4, 4)]
    assert network.PostureRegressor(shape)(network.means(posterior)).shape == (3, 18, 2)


def test_the_published_posterior_is_never_narrower_than_one():
    recipe = tiny(behaviour="2021")
    net = network.ShapePoseNet(recipe.shape())
    deviations = [deviation for _, deviation in net.encode(torch.randn(2, 30, 16, 16))]
    assert all((d.exp() >= 1).all() and (d.exp() <= 2.72).all() for d in deviations)


def test_the_person_covers_the_plate_where_the_share_says_so():
    picture, plate = torch.ones(1, 3, 2, 2), -torch.ones(1, 3, 2, 2)
    share = torch.tensor([[[[20.0, -20], [0, 0]]]])
    merged = network.merged(picture, share, plate)
    assert merged[0, 0, 0].tolist() == pytest.approx([1, -1], abs=1e-5)
    assert merged[0, 0, 1].tolist() == pytest.approx([0, 0])
    assert network.merged(picture, share, None) is picture


@pytest.mark.parametrize(("behaviour", "reaches"), [("mrs", True), ("2021", False)])
def test_the_opponent_s_gradient_reaches_the_encoder_but_as_published_does_not(behaviour, reaches):
    recipe = tiny(behaviour=behaviour, regressor_weight=1.0, regressor_clamp=1e6)
    trainer = train.Trainer(recipe, People(None, 32, points=2000), "cpu")
    batch = trainer.source.batch(2)
    posterior = trainer.net.encode(train.looks_of(recipe, batch.looks, batch.looks_joints))
    latents = network.sample(posterior)
    picture, share = trainer.net.draw(torch.zeros(2, 3, 32, 32), latents)
    terms, _ = trainer._terms(batch, posterior, latents, picture, share)
    assert terms["hide"].requires_grad == reaches
    if reaches:
        terms["hide"].backward()
        assert float(trainer.net.looks.enter.weight.grad.abs().sum()) > 0
        assert all(p.grad is None for p in trainer.regressor.parameters())


def test_dropout_is_applied_in_training_alone():
    block = network.Block(4)
    x = torch.randn(1, 4, 8, 8)
    assert not torch.equal(block(x, dropout=0.5), block(x, dropout=0.5))
    block.eval()
    assert torch.equal(block(x, dropout=0.5), block(x, dropout=0.5))


def test_kl_is_zero_for_the_prior_and_known_for_a_shifted_one():
    zero = torch.zeros(2, 3, 4, 4)
    assert float(losses.kl_nats([(zero, zero), (zero, zero)])) == 0
    assert float(losses.kl_nats([(zero + 2, zero)])) == pytest.approx(48 * 2)


def test_the_cap_s_weight_rises_above_the_cap_and_falls_below():
    gamma = torch.tensor(1e-3)
    assert losses.raised(gamma, torch.tensor(1500.0), 1000, 0.01) > gamma > losses.raised(gamma, torch.tensor(500.0), 1000, 0.01)
    assert float(losses.raised(gamma, torch.tensor(1100.0), 1000, 1e-5, published=True)) == pytest.approx(2e-3)
    assert float(losses.raised(gamma, torch.tensor(0.0), 1000, 1e-5, published=True)) == 0


def test_saying_the_mean_posture_costs_its_variance_and_unknown_joints_nothing():
    joints = torch.rand(4, 18, 3)
    joints[..., 2] = 1
    mean, spread = joints[..., :2].flatten(0, 1).mean(0), joints[..., :2].flatten(0, 1).std(0)
    assert float(losses.posture_error(torch.zeros(4, 18, 2), joints, mean, spread)) == pytest.approx(1, abs=0.02)
    joints[:, 1:, 2] = 0
    guess = ((joints[..., :2] - mean) / spread).clone()
    guess[:, 1:] = 99
    assert float(losses.posture_error(guess, joints, mean, spread)) == 0
