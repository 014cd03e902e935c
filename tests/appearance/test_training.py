"""Recipes, training with exact resume, and weights on disk."""

import numpy as np
import pytest
import torch

from mrs.appearance import recipe, session, train, weights
from mrs.appearance.people import Batch, People
from mrs.errors import InputError, UsageError
from tests.appearance.small import TINY, standing_joints, tiny


class OnePicture:
    """A source of one picture: a red square on a white plate."""

    def __init__(self, count=2):
        picture = torch.ones(1, 3, 32, 32)
        picture[..., 8:24, 8:24] = torch.tensor([0.8, -0.6, -0.6])[:, None, None]
        mask = torch.zeros(1, 1, 32, 32)
        mask[..., 8:24, 8:24] = 1
        joints = torch.as_tensor(standing_joints(), dtype=torch.float32)
        self.one = Batch(*(v.repeat(count, *[1] * (v.ndim - 1)) for v in (picture, joints, picture, joints, torch.ones_like(picture), mask)))

    def batch(self, count):
        return self.one

    def state(self):
        return {}

    def restore(self, state):
        pass


def test_a_picture_is_learnt():
    trainer = train.Trainer(tiny(lr=8e-3, iterations=80, average=0.9), OnePicture())
    before = train.check(trainer, trainer.source, None, 2)
    for _ in range(80):
        trainer.step()
    after = train.check(trainer, trainer.source, None, 2)
    assert after["held_l1"] < 0.4 * before["held_l1"]
    assert after["held_ssim"] > before["held_ssim"]


@pytest.mark.parametrize("behaviour", ["mrs", "2021"])
def test_a_resumed_training_ends_in_the_same_numbers(tmp_path, behaviour):
    made = tiny(behaviour=behaviour, dropout=0.1, cap_nats=5.0)

    def ended(folder, *stops):
        for number, stop in enumerate(stops):
            session.session(("people:",), folder, None if number else made, stop_at=stop)
        return weights.load_state(folder / train.CHECKPOINT)

    whole, halves = ended(tmp_path / "a", 4), ended(tmp_path / "b", 2, 4)
    assert halves["iteration"] == 4
    for name, value in whole["networks"]["net"].items():
        assert torch.equal(value, halves["networks"]["net"][name]), name
    assert torch.equal(whole["gamma"], halves["gamma"])


def test_a_session_writes_weights_log_and_sheet_and_refuses_to_begin_twice(tmp_path):
    path = session.session(("people:",), tmp_path, tiny())
    found = weights.load(tmp_path)
    assert path == tmp_path / weights.FILE
    assert found.facts["iterations"] == 4
    assert found.net.shape == tiny().shape()
    assert (tmp_path / train.SHEET).is_file()
    assert (tmp_path / train.LOG).read_text().count("held_ssim") == 1
    with pytest.raises(UsageError, match="--resume"):
        session.session(("people:",), tmp_path, tiny())
    with pytest.raises(InputError, match="without --resume"):
        session.session((), tmp_path / "none", None)
    with pytest.raises(InputError, match="no such file"):
        session.session((f"deepfashion:{tmp_path}",), tmp_path / "failed", tiny(alpha=False))
    assert not (tmp_path / "failed").exists()


def test_training_by_the_clock_stops_by_itself(tmp_path):
    session.session(("people:",), tmp_path, tiny(iterations=10**6), minutes=0.01)
    assert 0 < weights.load(tmp_path).facts["iterations"] < 10**6


def test_weights_come_back_in_half_precision(tmp_path):
    trainer = train.Trainer(tiny(), People(None, 32, points=2000))
    weights.save(tmp_path / "w.safetensors", trainer.net, {"recipe": {}})
    found = weights.load(tmp_path / "w.safetensors")
    for (name, a), b in zip(trainer.net.state_dict().items(), found.net.state_dict().values(), strict=True):
        assert np.allclose(a, b, atol=1e-3), name


@pytest.mark.parametrize("break_it", [lambda data: data[:40], lambda data: b"x" * 20, lambda data: data.replace(b"mrs-shape-pose-1", b"mrs-shape-pose-9")])
def test_broken_and_foreign_weights_are_refused_in_one_line(tmp_path, break_it):
    trainer = train.Trainer(tiny(), People(None, 32, points=2000))
    path = tmp_path / "w.safetensors"
    weights.save(path, trainer.net, {})
    path.write_bytes(break_it(path.read_bytes()))
    with pytest.raises(InputError, match="w.safetensors"):
        weights.load(path)


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    torch.save({"format": "other"}, tmp_path / "c.pt")
    with pytest.raises(InputError, match="other"):
        weights.load_state(tmp_path / "c.pt")
    (tmp_path / "c.pt").write_bytes(b"no")
    with pytest.raises(InputError, match="can't be read"):
        weights.load_state(tmp_path / "c.pt")


@pytest.mark.parametrize("name", ["people", "video", "deepfashion", "market", "h36m", "deepfashion-2021", "market-2021", "h36m-2021"])
def test_packaged_recipes_are_read_and_have_the_sizes_of_the_paper(name):
    made = recipe.read(name)
    shape = made.shape()
    kind = name.removesuffix("-2021")
    if kind in ("deepfashion", "market", "h36m"):
        assert len(shape.channels) == 7
        assert (shape.size_px, shape.looks, shape.parts_px) == {"deepfashion": (256, 30, 64), "market": (128, 30, 64), "h36m": (256, 3, 256)}[kind]
        assert not made.alpha
    assert made.published == name.endswith("-2021")
    assert name in recipe.names()


@pytest.mark.parametrize(("given", "match"), [({"lrr": 1}, "Did you mean 'lr'"), ({"lr": "fast"}, "lr"), ({"iterations": 2.5}, "whole number"),
                                              ({"looks": "face"}, "parts or picture"), ({"size_px": 30}, "size_px"), ({"parts_px": 20}, "parts_px"),
                                              ({"alpha": "perhaps"}, "true or false"), ({"channels": [4]}, "size_px"), ({"batch": -1}, "batch")])
def test_recipes_that_do_not_fit_are_refused(given, match):
    with pytest.raises(UsageError, match=match):
        recipe.make({**TINY, **given})


def test_weights_of_other_sizes_are_no_start(tmp_path):
    session.session(("people:",), tmp_path / "a", tiny(iterations=1))
    with pytest.raises(UsageError, match="sizes differ: blocks 1 and 2"):
        session.session(("people:",), tmp_path / "b", tiny(blocks=2), start=tmp_path / "a")
