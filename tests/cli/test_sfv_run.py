"""The smoother sfv through the real command: what it turns, and how feet are locked."""

import json

import numpy as np
import pytest

from mrs.motion import Motion
from tests.command import FAKES, here
from tests.videos import make_video

FLAGS = ("--plugin", FAKES, "--detector", "fake", "--tracker", "fake", "--lifter", "fake", "--no-overlay", "--quiet", "--json",
         "--set", "smoother.iterations=5", "--set", "smoother.contact_iterations=3")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_video(path, count=20)
    return path


def refined_by(motion):
    """What the smoother reported."""
    return next(step for step in motion.history if step["stage"] == "refine")


@pytest.mark.parametrize("space", ["pose", "prior", "hybrid"])
def test_every_space_runs(video, tmp_path, capsys, space):
    """motion.npz has finite numbers, contact probabilities of heels and toes, and a history that names the space."""
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FLAGS, "--set", f"smoother.space={space}")
    assert ended.code == 0, ended.err
    motion = Motion.load(tmp_path / "o/persons/01/motion.npz")
    assert refined_by(motion)["space"] == space
    assert motion.contacts.shape == (20, 4) and ((motion.contacts >= 0) & (motion.contacts <= 1)).all()
    assert np.isfinite(motion.joints_m).all()


@pytest.mark.parametrize("mode", ["auto", "always", "never", "ground"])
def test_foot_lock_is_a_flag_and_reports_what_it_moved(video, tmp_path, capsys, mode):
    """run.json shows the smoother's option; the report names the mode and how far ankles went, not at all with never."""
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FLAGS, "--foot-lock", mode)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["stages"]["smoother"]["options"]["foot_lock"] == mode
    told = refined_by(Motion.load(tmp_path / "o/persons/01/motion.npz"))["foot_lock"]
    assert told["mode"] == mode and told["largest_mm"] >= told["mean_mm"] >= 0
    assert mode != "never" or told["largest_mm"] == 0


def test_foot_lock_again_without_the_video(video, tmp_path, capsys):
    """`mrs smooth RUN --foot-lock` changes the mode of a run; without the flag the mode stays."""
    out = tmp_path / "o"
    assert here(capsys, "run", video, "-o", out, *FLAGS, "--foot-lock", "never").code == 0
    for flags, mode in (((), "never"), (("--foot-lock", "always"), "always"), ((), "always")):
        ended = here(capsys, "smooth", out, "--plugin", FAKES, "--json", *flags)
        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["persons"]["01"]["foot_lock"]["mode"] == mode


def test_set_wins_over_the_flag_and_other_smoothers_refuse_it(video, tmp_path, capsys):
    """--set is the more exact of the two; a smoother that locks no feet says so in one line."""
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FLAGS, "--foot-lock", "always", "--set", "smoother.foot_lock=never")
    assert json.loads(ended.out)["stages"]["smoother"]["options"]["foot_lock"] == "never"
    ended = here(capsys, "run", video, "-o", tmp_path / "p", "--plugin", FAKES, "--detector", "fake", "--tracker", "fake",
                 "--lifter", "fake", "--smoother", "savgol", "--foot-lock", "always")
    assert ended.code == 2 and "smoother.foot_lock" in ended.err
