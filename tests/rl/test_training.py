"""Training: a folder that can be gone on with, and an example that does it."""

import json

import numpy as np
import pytest

from mrs.errors import InputError, UsageError
from tests.command import ROOT
from tests.walker import walker

pytest.importorskip("mujoco")
pytest.importorskip("stable_baselines3")

from mrs.rl import training

TINY = training.Recipe(envs=4, rollout=16, batch=32, epochs=1, hidden=(8,))


@pytest.fixture(scope="module")
def walk():
    """A short walk."""
    return walker(np.arange(60) / 30)[0]


def test_a_training_goes_on_where_it_was(walk, tmp_path):
    """Steps and curve go on, parameters are the checkpoint's, learned starts too; without --resume the folder is refused."""
    out = tmp_path / "run"
    settings = {"loop": True, "starts": "adaptive"}
    training.train(walk, out, TINY, settings, steps=128, tell=lambda line: None)
    with np.load(out / training.STATE, allow_pickle=False) as kept:
        assert kept["steps"] == 128 and "starts_logits" in kept.files
    with pytest.raises(UsageError, match="--resume"):
        training.train(walk, out, TINY, settings, steps=256, tell=lambda line: None)
    model, env, _ = training.build(walk, TINY, settings)
    training.restore(out, model, env)
    kept = model.get_parameters()["policy"]["log_std"].clone()
    with (out / training.CURVE).open("a") as file:
        file.write('{"steps": 192, "lost": "by a crash after the checkpoint"}\n')
    training.train(walk, out, TINY, {}, steps=256, resume=True, tell=lambda line: None)
    lines = [json.loads(line) for line in (out / training.CURVE).read_text().splitlines()]
    assert [line["steps"] for line in lines] == [64, 128, 192, 256] and "lost" not in lines[2]
    training.restore(out, model, env)
    assert not (model.get_parameters()["policy"]["log_std"] == kept).all()


def test_nothing_to_go_on_with_is_said(walk, tmp_path):
    """--resume in an empty folder."""
    with pytest.raises(InputError, match="without --resume"):
        training.train(walk, tmp_path / "none", TINY, {}, steps=64, resume=True)


def test_the_example_trains_and_shows(walk, tmp_path):
    """The script of the docs: trains for a few steps, tells how long the policy lasts, writes a video."""
    import importlib.util

    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("example_train", ROOT / "examples" / "rl" / "train.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    source = tmp_path / "walk.npz"
    walk.save(source)
    arguments = [str(source), "--loop", "--out", str(tmp_path / "run")]
    small = ["--steps", "64", "--envs", "4", "--rollout", "16", "--batch", "32", "--hidden", "8"]
    assert example.main([*arguments, *small, "--video", str(tmp_path / "walk.mp4"), "--plot", str(tmp_path / "walk.png")]) == 0
    assert (tmp_path / "walk.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "walk.mp4").stat().st_size > 1000
    assert example.main([*arguments, *small]) == 2
    assert example.main([str(source), "--out", str(tmp_path / "none")]) == 1
