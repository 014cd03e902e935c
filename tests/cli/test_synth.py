"""Behaviour transfer through the command line, with a model trained for seconds on puppets."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mrs.body import load_body
from mrs.motion import Motion
from tests.command import FAKE_FLAGS, here, real
from tests.synth import puppets
from tests.videos import make_video

STEPS = {"iterations": 40, "batch": 8, "latent": 6, "seen": 8, "width": 16, "cell": 16, "flow_iterations": 10, "flow_blocks": 2,
         "flow_hidden": 16, "flow_batch": 16, "classifier_iterations": 5, "check_every": 20, "lr": 5e-3}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A folder with a corpus, a trained run, and motions of puppets as npz and BVH."""
    folder = tmp_path_factory.mktemp("house")
    from mrs import plugins

    exporter = plugins.load().make("exporter", "bvh")
    for label in puppets.LABELS:
        for number in range(3):
            path = folder / "motions" / label / f"{label}_{number}.bvh"
            path.parent.mkdir(parents=True, exist_ok=True)
            exporter.write(puppets.puppet(label, 5.0, phase=number), path)
    puppets.puppet("march", 3.0).save(folder / "march.npz")
    puppets.puppet("wave", 7.0, betas=np.r_[2.0, np.zeros(9)]).save(folder / "wave.npz")
    (folder / "recipe.yaml").write_text("\n".join(f"{name}: {value}" for name, value in STEPS.items()))
    made = real("data", "bvh", folder / "motions", "-o", folder / "corpus", "--json")
    assert made.code == 0, made.err
    rows = json.loads(made.out)
    assert [r["label"] for r in rows] == sorted(puppets.LABELS) and all(r["test_s"] > 0 for r in rows)
    trained = real("train", "bds", "--data", folder / "corpus", "--config", folder / "recipe.yaml", "--out", folder / "run", "--quiet")
    assert trained.code == 0, trained.err
    assert trained.out.strip().endswith("weights.npz")
    return folder


def test_transfer_writes_npz_bvh_and_video(house, tmp_path, capsys):
    """SOURCE's times, TARGET's body and bones, TARGET's place; the video can be read."""
    ended = here(capsys, "transfer", house / "march.npz", house / "wave.npz", "-o", tmp_path, "--weights", house / "run",
                 "--at", 1.0, "--video")
    assert ended.code == 0, ended.err
    assert ended.out.split() == [str(tmp_path / n) for n in ("transfer.npz", "transfer.bvh", "side_by_side.mp4")]
    found, target = Motion.load(tmp_path / "transfer.npz"), Motion.load(house / "wave.npz")
    np.testing.assert_allclose(found.betas, target.betas)
    np.testing.assert_allclose(found.times_s, Motion.load(house / "march.npz").times_s, atol=1e-6)
    bones = [np.linalg.norm(m.joints_m[:, 4] - m.joints_m[:, 1], axis=-1) for m in (found, target)]
    assert np.ptp(np.concatenate(bones)) < 1e-5
    np.testing.assert_allclose(found.root_pos_m[0, [0, 2]], target.root_pos_m[30, [0, 2]], atol=1e-3)
    assert found.history[-1]["source"].endswith("march.npz")
    from mrs.video import Video

    assert len(Video.open(tmp_path / "side_by_side.mp4")) == len(found)


def test_transfer_of_long_sources_has_no_seams(house, tmp_path, capsys):
    """Seven seconds by windows of 1.2 s: no step in the middle sticks out of its neighbours."""
    here(capsys, "transfer", house / "wave.npz", "standing", "-o", tmp_path, "--weights", house / "run", "--no-feet")
    found = Motion.load(tmp_path / "transfer.npz")
    steps = np.linalg.norm(np.diff(found.joints_m, axis=0), axis=-1).sum(-1)[15:]
    assert len(found) == 211
    assert steps.max() < 4 * np.median(steps)


@pytest.mark.parametrize("name", ["displacement-copy", "inertialised-copy"])
def test_copies_need_no_weights(house, tmp_path, capsys, name):
    """The copies begin at the target's posture and follow the source."""
    ended = here(capsys, "transfer", house / "wave.npz", house / "march.npz", "-o", tmp_path, "--synth", name)
    assert ended.code == 0, ended.err
    assert len(Motion.load(tmp_path / "transfer.npz")) == 211


def test_sample_draws_as_many_as_asked(house, tmp_path, capsys):
    """Futures begin alike, but for what pinning feet moves, and differ later; the same seed draws the same."""
    for out in ("a", "b"):
        assert here(capsys, "sample", house / "march.npz", "-n", 3, "--seconds", 1.5, "-o", tmp_path / out, "--weights",
                    house / "run", "--at", 0.5).code == 0
    a = [Motion.load(tmp_path / "a" / f"sample_{n:03d}.npz") for n in (1, 2, 3)]
    b = Motion.load(tmp_path / "b" / "sample_001.npz")
    assert all(len(m) == 46 for m in a) and (tmp_path / "a" / "sample_003.bvh").is_file()
    np.testing.assert_array_equal(a[0].local_quat_wxyz, b.local_quat_wxyz)
    np.testing.assert_allclose(a[0].joints_m[0], a[1].joints_m[0], atol=1e-2)
    assert np.abs(a[0].joints_m[-1] - a[1].joints_m[-1]).max() > 1e-3


def test_interpolate_ends_on_both(house, tmp_path, capsys):
    """The first step is A's behaviour and the last is B's, re-enacted by themselves, for as long as the shorter lasts."""
    Motion.load(house / "march.npz").part(0, 55).save(tmp_path / "march.npz")
    ended = here(capsys, "interpolate", tmp_path / "march.npz", house / "wave.npz", "--steps", 3, "-o", tmp_path, "--weights",
                 house / "run", "--target", "standing")
    assert ended.code == 0, ended.err
    one, two, three = (Motion.load(tmp_path / f"step_{n}.npz").joints_m for n in (1, 2, 3))
    assert len(one) == len(three) == 55
    assert np.abs(one - three).mean() > np.abs(one - two).mean() > 0


def test_nearest_finds_the_same_behaviour(house, capsys):
    """A marcher's nearest clip by behaviour marches, and its own file is nearest of all."""
    ended = here(capsys, "nearest", house / "motions" / "march" / "march_1.bvh", house / "motions", "--weights", house / "run",
                 "--json", "-k", 2)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["behaviour"][0]["file"].endswith("march_1.bvh") and found["behaviour"][0]["distance"] < 0.2
    assert set(found) == {"behaviour", "posture"}


def test_training_stops_and_goes_on(house, tmp_path, capsys):
    """A finished folder is not overwritten; --resume and --flow find it; unknown names are refused."""
    train = ("train", "bds", "--data", house / "corpus", "--out", house / "run", "--quiet")
    assert "--resume" in here(capsys, *train).err
    assert here(capsys, *train, "--resume").code == 0
    assert here(capsys, *train, "--flow").code == 0
    (tmp_path / "bad.yaml").write_text("iterashuns: 3")
    ended = here(capsys, "train", "bds", "--data", house / "corpus", "--out", tmp_path, "--config", tmp_path / "bad.yaml")
    assert ended.code == 2 and "'iterations'" in ended.err


def test_eval_prints_every_row(house, tmp_path, capsys):
    """Real motion, the copies, the model and a baseline are rows; every goal is judged."""
    baseline = here(capsys, "train", "bds", "--model", "bds-2021", "--hidden", 16, "--iterations", 4, "--data", house / "corpus",
                    "--out", tmp_path / "bds-2021", "--quiet")
    assert baseline.code == 0, baseline.err
    ended = here(capsys, "eval", "bds", house / "run", "--data", house / "corpus", "--seeds", 1, "--pairs", 6, "--quick",
                 "--beside", tmp_path / "bds-2021", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert set(found["transfer"]) == {"real", "zero velocity", "source copy", "displacement copy", "inertialised copy", "bds", "bds-2021"}
    assert found["transfer"]["source copy"]["source"] == found["transfer"]["real"]["source"]
    assert found["transfer"]["zero velocity"]["speed"][0] == 0
    assert found["transfer"]["bds"]["bone_percent"][0] < 1e-3 < found["transfer"]["displacement copy"]["bone_percent"][0]
    assert {"bds", "bds-2021", "zero velocity"} <= set(found["prediction"]) and len(found["reached"]) == 10


def test_run_re_enacts_a_video(house, tmp_path, capsys):
    """`mrs run --synth bds` writes the person's behaviour on another body, from a stand or from a file's posture."""
    make_video(tmp_path / "clip.mp4", count=60)
    for target in ("standing", "frame:0.5", str(house / "march.npz")):
        ended = here(capsys, "run", tmp_path / "clip.mp4", "-o", tmp_path / "o", *FAKE_FLAGS, "--synth", "bds",
                     "--set", f"synthesizer.weights={house / 'run'}", "--target", target)
        assert ended.code == 0, ended.err
        assert str(tmp_path / "o/persons/01/synth/bds.bvh") in ended.out
    assert here(capsys, "run", tmp_path / "clip.mp4", "-o", tmp_path / "o", *FAKE_FLAGS, "--target", "standing").code == 2


def _refused(capsys, *arguments) -> str:
    """The one line that a refused command ends with."""
    ended = here(capsys, *arguments)
    assert ended.code in (2, 3), ended
    assert "Traceback" not in ended.err
    return ended.err.strip().splitlines()[-1]


def test_bad_motions_are_refused_in_one_line(house, tmp_path, capsys):
    """Three frames, NaN, upside down, another skeleton, nothing there."""
    march = Motion.load(house / "march.npz")
    march.part(0, 3).save(tmp_path / "short.npz")
    turned = puppets.turned(march, np.pi, (0, 0, 1.0), (0, 2.0, 0))
    turned.save(tmp_path / "upside.npz")
    arrays = dict(np.load(house / "march.npz"))
    arrays["local_quat_wxyz"] = arrays["local_quat_wxyz"].copy()
    arrays["local_quat_wxyz"][3, 4] = np.nan
    np.savez(tmp_path / "nan.npz", **arrays)
    arrays = dict(np.load(house / "march.npz"))
    np.savez(tmp_path / "other.npz", **{**arrays, "local_quat_wxyz": arrays["local_quat_wxyz"][:, :17]})
    weights = ("-o", tmp_path / "o", "--weights", house / "run")
    assert "at least 1.20 s" in _refused(capsys, "transfer", tmp_path / "short.npz", "standing", *weights)
    assert "upside down" in _refused(capsys, "transfer", house / "march.npz", tmp_path / "upside.npz", *weights)
    assert "finite" in _refused(capsys, "transfer", tmp_path / "nan.npz", "standing", *weights)
    assert "24" in _refused(capsys, "transfer", tmp_path / "other.npz", "standing", *weights)
    assert "no such file" in _refused(capsys, "transfer", tmp_path / "none.npz", "standing", *weights)
    assert "Leave --at away" in _refused(capsys, "transfer", house / "wave.npz", "standing", "--at", 2, *weights)
    assert not (tmp_path / "o").exists()


def test_bad_corpora_are_refused_in_one_line(house, tmp_path, capsys):
    """No files, unreadable files, an empty corpus, one label only, weights of another version."""
    (tmp_path / "empty").mkdir()
    assert ".bvh" in _refused(capsys, "data", "bvh", tmp_path / "empty", "-o", tmp_path / "c")
    (tmp_path / "empty" / "a.bvh").write_text("HIERARCHY nonsense")
    assert "could be read" in _refused(capsys, "data", "bvh", tmp_path / "empty", "-o", tmp_path / "c")
    assert "mrs data" in _refused(capsys, "train", "bds", "--data", tmp_path / "empty", "--out", tmp_path / "t")
    made = here(capsys, "data", "bvh", house / "motions" / "wave", "-o", tmp_path / "one")
    assert made.code == 0
    assert "two labels" in _refused(capsys, "eval", "bds", house / "run", "--data", tmp_path / "one", "--seeds", 1)
    arrays = dict(np.load(house / "run" / "weights.npz"))
    meta = json.loads(str(arrays.pop("meta")))
    np.savez(tmp_path / "old.npz", meta=json.dumps({**meta, "format": "mrs-bds-0"}), **arrays)
    assert "mrs-bds-0" in _refused(capsys, "sample", "standing", "-o", tmp_path / "o", "--weights", tmp_path / "old.npz")
    (tmp_path / "run").mkdir()
    assert "there is none" in _refused(capsys, "sample", "standing", "-o", tmp_path / "o", "--weights", tmp_path / "run")


def test_label_seen_once_is_told(house, tmp_path, capsys):
    """A label of one take is cut in time, and the command says so."""
    folder = tmp_path / "motions"
    for label in ("wave", "march"):
        (folder / label).mkdir(parents=True)
        (folder / label / "only.bvh").write_bytes((house / "motions" / label / f"{label}_0.bvh").read_bytes())
    ended = here(capsys, "data", "bvh", folder, "-o", tmp_path / "c")
    assert ended.code == 0 and "'wave' has one take only" in ended.err


def test_runs_become_a_corpus(house, tmp_path, capsys):
    """Run folders of mrs are motions too; a folder's name is the label."""
    for label in ("wave", "march"):
        for number in (1, 2):
            path = tmp_path / "runs" / label / f"clip{number}" / "persons" / "01" / "motion.npz"
            path.parent.mkdir(parents=True)
            motion = replace(puppets.puppet(label, 3.0, number), camera=None)
            load_body(motion.body)
            motion.save(path)
    ended = here(capsys, "data", "runs", tmp_path / "runs", "-o", tmp_path / "c", "--json")
    assert [(r["label"], r["clips"]) for r in json.loads(ended.out)] == [("march", 2), ("wave", 2)]
