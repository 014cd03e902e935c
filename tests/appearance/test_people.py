"""Synthetic people."""

import numpy as np
import pytest
import torch

from mrs import npz
from mrs.appearance import measures, people
from mrs.appearance.clothes import BODY_PARTS
from mrs.errors import InputError
from mrs.skeletons import COCO_18


@pytest.fixture(scope="module")
def poses(tmp_path_factory):
    """Forty poses with bent arms and knees, ten held out."""
    rng = np.random.default_rng(0)
    quats = np.zeros((40, 24, 4))
    quats[..., 0] = 1
    quats[:, [4, 5, 18, 19], 1:] = rng.uniform(-0.3, 0.3, (40, 4, 3))
    quats[:, [16, 17], 3] = [-0.5, 0.5]
    quats /= np.linalg.norm(quats, axis=-1, keepdims=True)
    path = tmp_path_factory.mktemp("poses") / "poses.npz"
    npz.save(path, people.POSES, {"local_quat_wxyz": np.round(quats * 32767).astype(np.int16), "test": np.arange(40) >= 30}, {})
    return path


@pytest.fixture(scope="module")
def batch(poses):
    return people.People(poses, 64, points=20000, pair_share=1.0).batch(12)


def test_a_batch_has_pictures_masks_and_parts_that_agree(batch):
    assert batch.picture.shape == (12, 3, 64, 64)
    assert batch.mask.shape == (12, 1, 64, 64)
    covered = batch.mask[:, 0] > 0.9
    assert bool((batch.parts[covered] >= 0).all())
    assert 0.05 < float(batch.mask.mean()) < 0.5
    outside = batch.mask.expand_as(batch.picture) == 0
    assert float((batch.picture - batch.plate)[outside].abs().mean()) < 0.05


def test_the_joints_lie_on_the_body(batch):
    where = (batch.joints[..., :2] * 64).long().clamp(0, 63)
    grown = torch.nn.functional.max_pool2d(batch.mask, 5, 1, 2)[:, 0]
    hips = COCO_18.indices("left_hip", "right_hip", "neck", "left_knee", "right_knee")
    hit = torch.stack([grown[n, where[n, hips, 1], where[n, hips, 0]] for n in range(12)])
    inside = ((batch.joints[:, hips, :2] > 0) & (batch.joints[:, hips, :2] < 1)).all(-1)
    assert float(hit[inside].mean()) > 0.9


def test_both_pictures_of_a_pair_wear_the_same(batch):
    """Colours of the upper legs, which light changes little, are nearer within a pair than across pairs."""
    number = BODY_PARTS.index("right_upper_leg")
    area = (batch.parts == number).float()[:, None]
    mean = (batch.picture * area).flatten(2).sum(2) / area.flatten(2).sum(2).clamp_min(1)
    shown = area.flatten(1).sum(1) > 15
    away = torch.cdist(mean, mean)
    pairs = [n for n in range(6) if shown[n] and shown[n + 6]]
    others = [float(away[n, m + 6]) for n in pairs for m in pairs if m != n]
    assert np.mean([float(away[n, n + 6]) for n in pairs]) < 0.5 * np.mean(others)
    assert torch.equal(batch.looks[0], batch.picture[6])


def test_the_same_seed_draws_the_same_and_a_state_goes_on(poses):
    first, again = (people.People(poses, 32, points=4000, seed=3) for _ in range(2))
    assert torch.equal(first.batch(2).picture, again.batch(2).picture)
    state = first.state()
    wanted = first.batch(2).picture
    again.restore(state)
    assert torch.equal(again.batch(2).picture, wanted)


def test_held_out_poses_are_others(poses):
    parts = [people.People(poses, 32, points=2000, split=split) for split in ("train", "test")]
    assert [len(p.quats) for p in parts] == [30, 10]
    assert not torch.equal(parts[0].batch(2).picture, parts[1].batch(2).picture)


def test_the_nearest_point_is_seen():
    xy = torch.tensor([[[2.5, 2.5], [2.5, 2.5], [6.5, 1.5]]])
    depth, shown = torch.tensor([[2.0, 1.0, 1.0]]), torch.tensor([[True, True, False]])
    found = people._splat(xy, depth, shown, 8).view(8, 8)
    assert found[2, 2] == 1
    assert found[3, 3] == 1
    assert (found >= 0).sum() == 4


def test_points_are_spread_by_area():
    from mrs.body import load_body

    body = load_body()
    face, share = people._spread(body, 30000)
    assert share.sum(1) == pytest.approx(np.ones(30000))
    assert (share >= 0).all()
    corners = body.template_m[body.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert np.bincount(face, minlength=len(area)) == pytest.approx(area / area.sum() * 30000, abs=1.01)


def test_a_file_without_poses_of_a_split_is_refused(tmp_path):
    npz.save(tmp_path / "p.npz", people.POSES, {"local_quat_wxyz": np.zeros((2, 24, 4), np.int16), "test": np.zeros(2, bool)}, {})
    with pytest.raises(InputError, match="split test"):
        people.People(tmp_path / "p.npz", 32, split="test")


def test_part_colours_are_measured_exactly(batch):
    brighter = (batch.picture + 10 / 127.5).clamp(-1, 1)
    error = measures.part_colour_error(brighter, batch.picture, batch.parts)["all"]
    assert 8 < error <= 10.01
    assert measures.part_colour_error(batch.picture, batch.picture, batch.parts)["all"] == 0
