"""`mrs smooth` of a run folder and of motion files, through the real command; of a video see test_run.py."""

import json

import numpy as np
import pytest

from mrs.formats import bvh
from mrs.formats.bvh_motion import to_bvh
from mrs.motion import Motion
from mrs.tracks import Tracks
from tests.command import FAKE_FLAGS, FAKES, here
from tests.formats.test_amass import smplh, standing
from tests.videos import make_video
from tests.walker import walker

FAKE = ("--plugin", FAKES)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """A finished run of fakes whose video is gone."""
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "clip.mp4", count=12)
    assert here(capsys, "run", "clip.mp4", "-o", "run", *FAKE_FLAGS, "--set", "lifter.depth_m=5").code == 0
    (tmp_path / "clip.mp4").rename(tmp_path / "elsewhere.mp4")
    return tmp_path / "run"


def positions(path):
    return Motion.load(path).root_pos_m


def test_a_run_is_refined_again_without_its_video(run, capsys):
    """Another option of the smoother makes other motions and BVH of everybody, and run.json tells of it."""
    before = {n: (run / f"persons/{n}/motion.bvh").read_text() for n in ("01", "02")}
    ended = here(capsys, "smooth", run, "--smoother", "gaussian", "--set", "smoother.sigma_s=0.2", "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["stages"]["smoother"]["options"] == {"sigma_s": 0.2}
    assert report["stages"]["lifter"]["options"] == {"depth_m": 5.0}
    assert report["status"] == "done" and set(report["persons"]) == {"01", "02"}
    assert all((run / f"persons/{n}/motion.bvh").read_text() != text for n, text in before.items())
    assert json.loads((run / "run.json").read_text())["video"]["path"].endswith("clip.mp4")


def test_the_same_options_again_change_nothing(run, capsys):
    """What is current is reused; --overwrite makes it anew."""
    stamp = (run / ".partial/refined/01.npz").stat().st_mtime_ns
    report = json.loads(here(capsys, "smooth", run, *FAKE, "--json").out)
    assert "persons/01/motion.bvh" in report["reused"]
    assert (run / ".partial/refined/01.npz").stat().st_mtime_ns == stamp
    assert here(capsys, "smooth", run, *FAKE, "--overwrite").code == 0
    assert (run / ".partial/refined/01.npz").stat().st_mtime_ns != stamp


def test_a_later_run_of_the_video_reuses_what_was_smoothed_alone(run, capsys):
    """The keys are those of the pipeline: mrs run with the same options has nothing to do."""
    assert here(capsys, "smooth", run, *FAKE, "--set", "smoother.strength=0.1").code == 0
    (run.parent / "elsewhere.mp4").rename(run.parent / "clip.mp4")  # to encode it again may give other bytes
    ended = here(capsys, "run", "clip.mp4", "-o", run, *FAKE_FLAGS, "--set", "lifter.depth_m=5",
                 "--set", "smoother.strength=0.1", "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert {"persons/01/motion.npz", "persons/02/motion.bvh"} <= set(report["reused"])


def test_one_person_can_be_refined_alone(run, capsys):
    """--person refines that one; the other keeps the refined motion and the common world."""
    refined = run / ".partial/refined"
    before = {n: positions(refined / f"{n}.npz") for n in ("01", "02")}
    assert here(capsys, "smooth", run, "--person", "2", "--smoother", "gaussian").code == 0
    assert np.array_equal(positions(refined / "01.npz"), before["01"])
    assert not np.array_equal(positions(refined / "02.npz"), before["02"])
    assert (run / "persons/01/motion.bvh").exists()


def test_another_smoother_takes_the_lifted_motion(run, capsys):
    """--smoother names another plugin; its options are its own defaults."""
    report = json.loads(here(capsys, "smooth", run, "--smoother", "gaussian", "--json").out)
    assert report["stages"]["smoother"] == report["stages"]["smoother"] | {"name": "gaussian", "options": {"sigma_s": 0.1}}
    assert Motion.load(run / "persons/01/motion.npz").history[1]["name"] == "gaussian"


@pytest.mark.parametrize("flags, words", [
    (("--fov", "60"), "--fov"), (("--lifter", "blazepose3d"), "--lifter"), (("-o", "elsewhere"), "no -o"),
    (("--set", "detector.step_px=2"), "detector"), (("--set", "smoother.strenth=2"), "smoother.strength"),
])
def test_what_belongs_to_earlier_stages_is_refused(run, capsys, flags, words):
    """Detection and lifting are not done again here; the message says what to type."""
    ended = here(capsys, "smooth", run, *FAKE, *flags)
    assert ended.code == 2 and words in ended.err and len(ended.err.strip().split("\n")) == 1


def test_tracks_edited_after_lifting_are_refused(run, capsys):
    """The lifted motion would not belong to them."""
    assert here(capsys, "tracks", "swap", run, "1", "2").code == 0
    ended = here(capsys, "smooth", run, *FAKE)
    assert ended.code == 2 and "mrs run" in ended.err
    assert len(Tracks.load(run / "tracks.npz")) == 2


def shaken(frames=40):
    """A walker with white noise on the root."""
    motion, _ = walker(np.arange(frames) / 30)
    root = motion.root_pos_m + np.random.default_rng(0).normal(size=(frames, 3)) * 0.03
    from mrs.body import load_body

    return load_body().motion(motion.times_s, root, motion.local_quat_wxyz, motion.betas)


@pytest.mark.parametrize("name", ["motion.npz", "walk.bvh", "amass.npz"])
@pytest.mark.parametrize("smoother", ["sfv", "butterworth"])
def test_a_motion_from_anywhere_is_smoothed_without_a_video(tmp_path, capsys, monkeypatch, name, smoother):
    """npz of mrs, BVH and AMASS: two files appear, calmer than what was given, with finite numbers and a history."""
    monkeypatch.chdir(tmp_path)
    motion = shaken()
    if name == "motion.npz":
        motion.save(name)
    elif name == "walk.bvh":
        bvh.write(tmp_path / name, to_bvh(motion)[0])
    else:
        pose, trans = standing(40)
        smplh(tmp_path / name, pose, trans + np.random.default_rng(0).normal(size=trans.shape) * 0.03)
    ended = here(capsys, "smooth", name, "--smoother", smoother, "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    base = name.partition(".")[0] + "_smooth"
    assert report["outputs"] == [f"{base}.npz", f"{base}.bvh"]
    smooth = Motion.load(tmp_path / f"{base}.npz")
    assert len(smooth) == 40 and smooth.history[-1]["name"] == smoother
    assert report["quality"]["smoothed"]["jitter_10m_s3"] < 0.5 * report["quality"]["given"]["jitter_10m_s3"]
    assert bvh.read(tmp_path / f"{base}.bvh")


def test_outputs_are_never_replaced_unasked(tmp_path, capsys, monkeypatch):
    """An existing file is refused without --overwrite, the input always, an unknown ending as well."""
    monkeypatch.chdir(tmp_path)
    shaken(12).save("a.npz")
    assert here(capsys, "smooth", "a.npz", "--smoother", "savgol", "-o", "b.bvh").code == 0
    first = (tmp_path / "b.bvh").read_bytes()
    again = here(capsys, "smooth", "a.npz", "--smoother", "savgol", "-o", "b.bvh")
    assert again.code == 2 and "--overwrite" in again.err and (tmp_path / "b.bvh").read_bytes() == first
    assert here(capsys, "smooth", "a.npz", "--smoother", "gaussian", "-o", "b.bvh", "--overwrite").code == 0
    assert (tmp_path / "b.bvh").read_bytes() != first
    own = here(capsys, "smooth", "a.npz", "-o", "a.npz", "--overwrite")
    assert own.code == 2 and "other than the input" in own.err
    assert here(capsys, "smooth", "a.npz", "-o", "c.mp3").code == 2


def test_a_smoother_that_needs_the_picture_says_so(tmp_path, capsys, monkeypatch):
    """sfv-2018 has no meaning without keypoints; flags of a video have none either."""
    monkeypatch.chdir(tmp_path)
    shaken(12).save("a.npz")
    ended = here(capsys, "smooth", "a.npz", "--smoother", "sfv-2018")
    assert ended.code == 3 and "keypoints" in ended.err and len(ended.err.strip().split("\n")) == 1
    assert here(capsys, "smooth", "a.npz", "--fov", "60").code == 2
    assert not (tmp_path / "a_smooth.npz").exists()


def test_what_is_no_motion_is_refused_in_one_line(tmp_path, capsys, monkeypatch):
    """A missing file, a folder without a motion, and an npz of something else."""
    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", x=np.zeros(3))
    (tmp_path / "empty").mkdir()
    for name in ("x.npz", "gone.npz", "gone.bvh", "empty"):
        ended = here(capsys, "smooth", name)
        assert ended.code == 3 and len(ended.err.strip().split("\n")) == 1, ended.err
