"""`mrs train shape-pose`, `mrs data deepfashion|market|poses` and `mrs eval shape-pose`."""

import json

import numpy as np
import pytest

from mrs.appearance import archives
from tests.appearance.small import TINY, write_archive, write_run
from tests.command import here, real

SMALL = [f"--set={name}={','.join(map(str, value)) if isinstance(value, tuple) else value}" for name, value in TINY.items() if name != "iterations"]


@pytest.mark.parametrize("kind", ["deepfashion", "market"])
def test_an_archive_is_indexed_trained_on_and_measured(capsys, tmp_path, kind):
    folder = write_archive(tmp_path / "a", archives.ORDERS[kind])
    done = here(capsys, "data", kind, folder, "-o", tmp_path / "index", "--json")
    assert done.code == 0
    assert json.loads(done.out)["without torso"] == 1
    done = here(capsys, "train", "shape-pose", "--data", f"{kind}:{tmp_path / 'index'}", "--out", tmp_path / "run", *SMALL, "--iterations", 2, "--quiet")
    assert done.code == 0, done.err
    assert done.out.strip() == str(tmp_path / "run" / "weights.safetensors")
    told = json.loads((tmp_path / "run" / "recipe.json").read_text())["recipe"]
    assert (told["alpha"], told["flip"]) == (False, 0.5)
    done = here(capsys, "eval", "shape-pose", "--data", f"{kind}:{tmp_path / 'index'}", "--weights", tmp_path / "run", "--count", 16, "--probe", 32, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["table"]["copy-the-source"]["ssim"] == pytest.approx(1, abs=1e-4)
    assert set(found["posture_probe"]) == {"code_r2", "shuffled_r2", "input_r2"}


def test_a_training_goes_on(capsys, tmp_path):
    begun = here(capsys, "train", "shape-pose", "--data", "people:", "--out", tmp_path / "run", *SMALL, "--iterations", 2, "--quiet")
    assert begun.code == 0, begun.err
    assert here(capsys, "train", "shape-pose", "--out", tmp_path / "run", "--resume", "--quiet").code == 0
    again = here(capsys, "train", "shape-pose", "--data", "people:", "--out", tmp_path / "run", *SMALL)
    assert again.code == 2
    assert "--resume" in again.err
    assert here(capsys, "train", "shape-pose", "--resume", "--out", tmp_path / "run", "--iterations", 5).code == 2
    done = here(capsys, "eval", "shape-pose", "--data", "people:", "--weights", tmp_path / "run", "--count", 4, "--probe", 0)
    assert done.code == 0, done.err
    assert "part_colour" in done.out


def test_a_person_of_a_run_is_learnt_and_measured(capsys, tmp_path):
    run = write_run(tmp_path / "clip")
    done = here(capsys, "train", "shape-pose", "--data", f"video:{run}", "--start", "none", "--out", tmp_path / "run", *SMALL, "--iterations", 3, "--quiet")
    assert done.code == 0, done.err
    done = here(capsys, "eval", "shape-pose", "--data", f"video:{run}", "--weights", tmp_path / "run", "--personalise", "0.1s", "--rivals", "none")
    assert done.code == 0, done.err
    assert "nearest-frame" in done.out
    (run / "clip.mp4").unlink()
    done = here(capsys, "eval", "shape-pose", "--data", f"video:{run}", "--weights", tmp_path / "run")
    assert done.code == 3
    assert len(done.err.strip().splitlines()) == 1


def test_poses_of_a_corpus_are_packed(capsys, tmp_path):
    from mrs.appearance.people import People
    from mrs.synth import corpus
    from tests.walker import walker

    for name in ("a", "b"):
        walker(np.arange(90) / 30)[0].save(tmp_path / f"{name}.npz")
    corpus.build(corpus.sources([tmp_path], (".npz",), {"a": "walk", "b": "walk"}), tmp_path / "corpus", lambda p: walker(np.arange(90) / 30)[0], print)
    done = here(capsys, "data", "poses", tmp_path / "corpus", "-o", tmp_path / "poses.npz", "--step", 3)
    assert done.code == 0, done.err
    assert int(done.out.split()[0]) > 20
    assert len(People(tmp_path / "poses.npz", 32, points=1000).quats) > 10


@pytest.mark.parametrize(("arguments", "code", "match"), [
    (["train", "shape-pose", "--data", "faces:x"], 2, "deepfashion"), (["train", "shape-pose"], 2, "KIND:PATH"),
    (["train", "shape-pose", "--data", "market:none", "--set", "alpha"], 2, "NAME=VALUE"), (["train", "shape-pose", "--data", "market:none"], 3, "index.p"),
    (["data", "deepfashion", "none"], 3, "index.p"), (["eval", "shape-pose", "--data", "people:", "--weights", "none"], 3, "none"),
    (["eval", "shape-pose", "--data", "video:none", "--personalise", "soon"], 2, "120s"),
    (["train", "shape-pose", "--data", "people:", "--config", "paper"], 3, "deepfashion-2021"),
    (["eval", "shape-pose", "--data", "people:", "--lpips-alexnet", "a.pth"], 2, "--lpips-linear")])
def test_what_does_not_fit_is_one_line(capsys, tmp_path, monkeypatch, arguments, code, match):
    monkeypatch.chdir(tmp_path)
    done = here(capsys, *arguments)
    assert done.code == code, done.err
    assert match in done.err
    assert "Traceback" not in done.err


def test_the_real_command_says_what_it_does():
    done = real("train", "shape-pose", "--help")
    assert done.code == 0
    assert "deepfashion:DIR" in done.out
