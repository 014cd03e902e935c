"""Training films: what is said to be true is true."""

import numpy as np
import pytest
import torch

from mrs import rotations
from mrs.body import load_body
from mrs.lifting.dice import Dice
from mrs.lifting.films import Shots, Studio
from mrs.lifting.noise import Errors, lasting
from mrs.lifting.points import POINTS
from mrs.lifting.poses import FLIP, PLAIN, Mix, limits
from mrs.skeletons import SMPL_24
from tests.lifting.films import clips

CLEAN = Errors(least=1e-9, most=1e-8, outliers=0, drops=0, lost=0, limbs=0, swaps=0, swapped=0, wrong_limbs=0, white_m=0, slow_m=0, askew_deg=0)


@pytest.fixture(scope="module")
def studio():
    """A studio without any error."""
    shots = Shots(focal_error=0, bones=0, skin_m=0, rolled=0, fov_deg=(60, 60), away_m=(4, 6), fps=(29.9, 30.1), usual=0, deep=1)
    made = Studio(clips().part(False), shots=shots, errors=CLEAN)
    made.often = torch.ones_like(made.often)
    return made


def test_clean_films_show_the_truth(studio):
    """Without errors the points in the view are the true ones, and the true joints are the body's own at that pose."""
    films = studio.shoot(Dice("cpu", 3), 6, PLAIN)
    seen, truth = films.seen, films.truth
    known = seen.rays[..., 2] > 0.5
    flat = films.view.place(torch.cat([seen.rays[..., :2], torch.ones_like(seen.rays[..., 2:])], -1))
    assert known.float().mean() > 0.6
    assert (flat - truth.flat)[known].norm(dim=-1).max() < 1e-3
    body = load_body()
    for row in range(3):
        joints = body.place(np.zeros((48, 3)), truth.turned[row].double().numpy(), truth.betas[row].double().numpy())
        np.testing.assert_allclose(truth.joints_m[row].numpy(), joints, atol=2e-5)


def test_a_plain_film_is_the_clip_itself(studio):
    """Nothing is exchanged: the pose's local rotations are rows of the clip."""
    found = studio.poses.draw(Dice("cpu", 5), 4, torch.arange(48)[None].expand(4, 48) / 30.0, PLAIN, torch.tensor([0, 1, 2, 0]))
    own = clips()
    first = rotations.quat_to_matrix(own.quat[: own.frames[0]].astype(float))
    away = np.abs(found.local[0].numpy()[:, None] - first[None]).max((2, 3, 4)).min(1)
    assert away.max() < 0.06 and found.whole.all()


def test_mixed_films_are_rotations_and_differ(studio):
    """Whatever is done, rotations stay rotations, and no two windows are alike."""
    found = studio.poses.draw(Dice("cpu", 6), 32, torch.arange(48)[None].expand(32, 48) / 30.0, Mix())
    product = found.local @ found.local.transpose(-1, -2)
    assert (product - torch.eye(3)).abs().max() < 1e-4
    assert not found.whole.all() and found.whole.any()
    flat = found.local[:, 0].flatten(1)
    assert torch.cdist(flat, flat)[~torch.eye(32, dtype=bool)].min() > 0.05


def test_contacts_are_seen_in_whole_films_only(studio):
    """A puppet that waves in place stands on all of its soles in the middle of the film."""
    films = studio.shoot(Dice("cpu", 7), 3, PLAIN, clips=torch.tensor([0, 0, 0]))
    assert films.truth.contacts[:, 5:-5].mean() > 0.8 and (films.truth.feet == 1).all()


def test_the_same_seed_shoots_the_same_films(studio):
    """Films depend on the seed alone."""
    one, same, other = (studio.shoot(Dice("cpu", seed), 3, Mix()) for seed in (1, 1, 2))
    for a, b in zip(one.tensors(), same.tensors(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.seen.rays, other.seen.rays)


def test_default_films_are_finite_and_mostly_seen():
    """With all errors every tensor is finite; most frames show somebody, and half of the windows have 3D landmarks."""
    films = Studio(clips().part(False)).shoot(Dice("cpu", 0), 64, Mix())
    assert all(torch.isfinite(t).all() for t in films.tensors())
    assert (films.seen.rays[..., 2].amax(2) > 0).float().mean() > 0.7
    assert 0.3 < films.seen.deep.amax(1).mean() < 0.7
    assert 12 <= 1 / (films.seen.times_s[:, 1] - films.seen.times_s[:, 0]).min() <= 120
    assert films.truth.flat.shape[2] == len(POINTS)


def test_errors_last():
    """The lasting part of the noise has unit variance and forgets as it says."""
    dice, times = Dice("cpu", 1), torch.arange(48)[None].expand(200, 48) / 30.0
    noise = lasting(dice, times, (8,), 0.2)
    assert abs(float(noise.var()) - 1) < 0.1
    near = (noise[:, 20:30] * noise[:, 21:31]).mean()
    assert 0.75 < near < 0.95


def test_limits_of_the_right_side_mirror_the_left():
    """A right joint's box is the left one's in a mirror."""
    low, high = limits()
    turn = np.array([1, -1, -1])
    np.testing.assert_allclose(np.minimum(low * turn, high * turn), low[FLIP])
    assert (low <= high).all() and (high[SMPL_24.index("pelvis")] == 0).all()
