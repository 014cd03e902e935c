"""A corpus of files: labels, takes, splits, and what is mended."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.synth import corpus, features, windows
from tests.synth.puppets import puppet, turned


def built(tmp_path, motions, labels=None, told=None):
    """Save motions by name and build a corpus of them."""
    folder = tmp_path / "motions"
    for name, motion in motions.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        motion.save(folder / f"{name}.npz")
    files = corpus.sources([folder], (".npz",), labels)
    from mrs.motion import Motion

    return corpus.build(files, tmp_path / "corpus", Motion.load, (told if told is not None else []).append)


def splits(found):
    return {c.name: c.split for c in found.clips}


def test_labels_come_from_folders_names_and_indices(tmp_path):
    """The folder below, else the name without its number; index.json and --labels win."""
    found = built(tmp_path, {"wave/a": puppet("wave"), "march_1": puppet("march"), "squat-2": puppet("squat"), "x": puppet("wave", phase=2)},
                  {"x": "waving"})
    assert {c.name: c.label for c in found.clips if ":" not in c.name} | {} == {"a": "wave", "march_1": "march", "squat-2": "squat", "x": "waving"}
    (tmp_path / "motions" / "index.json").write_text(json.dumps([{"file": "x.npz", "action": "greet", "split": "test", "person": "p1"}]))
    listed = {s.path.stem: s for s in corpus.sources([tmp_path / "motions"], (".npz",))}
    assert (listed["x"].label, listed["x"].split, listed["x"].person) == ("greet", "test", "p1")


def test_deepmimic_names_are_known():
    """Prefixes, sides and numbers go; walk and walking are one label."""
    from pathlib import Path

    for name, label in (("humanoid3d_walk", "walking"), ("sie_humanoid3d_run_left03", "running"), ("humanoid3d_spinkick", "spinkick")):
        assert corpus._label(Path(f"{name}.txt"), Path(".")) == label


def test_takes_that_are_copies_share_their_split(tmp_path):
    """A copy and a mirrored copy are one take; the last take is held out; no take is on both sides."""
    one, two = puppet("march"), puppet("march", phase=1.5)
    turns = rotations.quat_to_axis_angle(one.local_quat_wxyz) * [1, -1, -1]
    from mrs.skeletons import SMPL_24

    mirrored = load_body().motion(one.times_s, one.root_pos_m * [-1, 1, 1], rotations.axis_angle_to_quat(turns[:, SMPL_24.flip]), np.zeros(10))
    found = built(tmp_path, {"march_1": one, "march_2": turned(one, 1.0), "march_3": mirrored, "march_4": two})
    group = {c.name: c.group for c in found.clips}
    assert group["march_1"] == group["march_2"] == group["march_3"] != group["march_4"]
    assert splits(found) == {"march_1": "train", "march_2": "train", "march_3": "train", "march_4": "test"}


def test_one_take_is_cut_in_time(tmp_path):
    """Its first 60 % are trained on and the rest is held out, where both are long enough; it is told."""
    told = []
    found = built(tmp_path, {"wave/a": puppet("wave", 5.0), "march/b": puppet("march", 2.0)}, told=told)
    assert splits(found) == {"a:a": "train", "a:b": "test", "b": "train"}
    assert any("'wave' has one take only" in line for line in told)


def test_validation_is_neither_trained_on_nor_tested_on(tmp_path):
    """The end of a label's longest training clip has no variants, and no frame in common with training."""
    found = built(tmp_path, {f"wave/{n}": puppet("wave", 5.0, phase=n) for n in range(3)})
    data = windows.build([found], tmp_path / "cache")
    held = data.of("val")
    assert held and all(p.variant == 0 for p in held)
    plain = [p for p in data.of("train", plain=True) if p.clip == held[0].clip]
    assert plain[0].frames + held[0].frames == len(puppet("wave", 5.0))


def test_spikes_are_bridged():
    """A joint that flips for two frames is slerped over; the rest stays."""
    march = puppet("march")
    quats = march.local_quat_wxyz.copy()
    quats[40:42, 18] = rotations.axis_angle_to_quat(np.array([0, 0, 2.5]))
    broken = load_body().motion(march.times_s, march.root_pos_m, quats, march.betas)
    found = features.mended(broken)
    assert rotations.geodesic_angle(found.local_quat_wxyz, march.local_quat_wxyz).max() < 0.01


def test_unreadable_files_are_told_and_left_out(tmp_path):
    """One bad file does not end the work; only bad files do."""
    folder = tmp_path / "motions"
    folder.mkdir()
    (folder / "bad.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="none of 1 files"):
        built(tmp_path, {})
    told = []
    assert len(built(tmp_path, {"wave_1": puppet("wave")}, told=told).clips) >= 1
    assert any("bad.npz was left out" in line for line in told)


def test_corpus_keeps_bodies(tmp_path):
    """Betas of each clip come back with its motion."""
    small = replace(puppet("wave", betas=np.r_[-1.5, np.zeros(9)]))
    found = built(tmp_path, {"wave_1": small})
    np.testing.assert_allclose(found.motion(0).betas, small.betas)
