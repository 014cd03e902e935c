"""mrs from Python."""

import inspect
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest

import mrs
from mrs import options
from mrs.config import Run
from mrs.errors import InputError, PluginError, UsageError
from tests.command import FAKES
from tests.videos import make_video

FAKE = {"detector": "fake", "tracker": "fake", "lifter": "fake", "smoother": "fake", "plugins": [FAKES], "overlay": False, "report": False}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_video(path, count=24)
    return path


@pytest.fixture(scope="module")
def run(video, tmp_path_factory):
    return mrs.run(video, tmp_path_factory.mktemp("run"), **FAKE)


def test_run_returns_what_the_command_writes(run):
    """Persons, motions, quality, warnings and files are those of the folder."""
    assert run.persons == (1, 2)
    assert [path.name for path in run.files][-1] == "run.json" and all(path.is_file() for path in run.files)
    assert len(run.motion(2)) == 24 and run.motions[1].frame == "world" and run.lifted(1).frame == "camera"
    assert set(run.quality[1]) == {"lifted", "refined"}
    assert len(run.tracks) == 2
    assert run.overlay is None
    assert isinstance(run.warnings, list)


def test_a_run_can_be_opened_again(run):
    """Run.open reads the same report; a folder without a run is told."""
    assert mrs.Run.open(run.folder).report == run.report
    with pytest.raises(InputError, match=r"no run\.json"):
        mrs.Run.open(run.folder / "persons")


def test_one_of_several_has_to_be_named(run):
    """Without an id, and with a wrong one, the message lists who there is."""
    with pytest.raises(InputError, match=r"Expected one person in .* 1, 2\. Give the id"):
        run.motion()
    with pytest.raises(InputError, match="Expected a person out of 1, 2"):
        run.motion(7)
    assert len(mrs.load(run.folder, person=2)) == 24


def test_keywords_are_flags_and_options(video, tmp_path):
    """What is given reaches run.json; what is not is the default; an unknown name is refused."""
    made = mrs.run(video, tmp_path / "o", seed=5, fov=61.5, camera_tilt=3, person=1, options={"detector.step_px": 2}, until="lift", **FAKE)
    assert (made.report["settings"]["seed"], made.report["settings"]["fov"], made.report["settings"]["camera_tilt"]) == (5, 61.5, 3)
    assert made.report["stages"]["detector"]["options"]["step_px"] == 2
    assert (made.report["until"], made.persons) == ("lift", ())
    assert "Did you mean" in str(pytest.raises(UsageError, mrs.run, video, tmp_path / "o", detctor="fake").value)


def test_every_named_keyword_is_a_setting():
    """The signature of mrs.run has no name that a run does not know."""
    known = {f.name for f in fields(options.options_class(Run))}
    own = {"video", "out", "options", "plugins", "config", "overwrite", "until", "progress", "more"}
    assert set(inspect.signature(mrs.run).parameters) - own <= known


def test_stages_one_by_one_are_the_run(video, run):
    """Called by hand, the stages give the motions that the pipeline gave."""
    opened = mrs.open_video(video)
    found = mrs.detect(opened, "fake", plugins=[FAKES])
    tracks = mrs.track(opened, found, "fake", plugins=[FAKES])
    lifted = [mrs.lift(opened, track, "fake", plugins=[FAKES]) for track in tracks.people]
    refined = [mrs.smooth(m, opened, t, "fake", plugins=[FAKES]) for m, t in zip(lifted, tracks.people, strict=True)]
    for number, motion in zip(run.persons, mrs.settle(refined), strict=True):
        np.testing.assert_allclose(motion.joints_m, run.motion(number).joints_m, atol=1e-9)
    assert mrs.track(opened, tracks) is tracks
    assert set(mrs.quality(tracks.people[0], run.motion(1))) == set(run.quality[1]["refined"])


def test_auto_takes_the_tracker_and_lifter_that_suit(video):
    """Without names the run's own candidates are asked: 2D evidence goes to smplify."""
    opened = mrs.open_video(video)
    tracks = mrs.track(opened, mrs.detect(opened, "fake", plugins=[FAKES]))
    assert len(tracks) == 2


def test_a_plugin_that_returns_something_else_is_named(video):
    """The stage functions check what comes back."""
    opened = mrs.open_video(video)
    plugin = mrs.stage("detector", "fake", plugins=[FAKES], step_px=3)
    assert plugin.options.step_px == 3
    from mrs import api

    with pytest.raises(PluginError, match="Expected 'fake' to return Motion, but it returned int"):
        api._checked(3, mrs.Motion, plugin)
    assert opened.camera is not None


def test_motions_are_written_and_read(run, tmp_path):
    """to_bvh returns the text it writes; export goes by the ending; load reads all back."""
    motion = run.motion(1)
    text = motion.to_bvh(tmp_path / "a.bvh", unit="m")
    assert (tmp_path / "a.bvh").read_text() == text and text.startswith("HIERARCHY")
    for name in ("b.bvh", "c.npz"):
        mrs.export(motion, tmp_path / name)
        read = mrs.load(tmp_path / name)
        assert len(read) == len(motion)
        np.testing.assert_allclose(np.ptp(read.joints_m, 0), np.ptp(motion.joints_m, 0), atol=2e-3)
    with pytest.raises(UsageError, match="Unknown exporter 'xyz'"):
        mrs.export(motion, tmp_path / "d.xyz")


def test_filters_need_no_video_and_bodies_can_be_exchanged(run):
    """smooth() of a motion alone, and transfer() by the plain copy."""
    motion = run.motion(1)
    assert len(mrs.smooth(motion, smoother="one-euro")) == 24
    assert len(mrs.transfer(motion, synthesizer="displacement-copy")) == 24


def test_importing_mrs_is_quick_and_has_no_heavy_libraries():
    """`import mrs` and `mrs.run` bring neither torch nor cv2 nor onnxruntime nor av."""
    code = ("import sys, mrs; mrs.Motion; mrs.run; mrs.load; "
            "print(sorted({'torch', 'cv2', 'onnxruntime', 'av', 'scipy', 'rich', 'yaml'} & set(sys.modules)))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_every_public_name_is_there_and_documented():
    """What __all__ promises can be got, and says what it does."""
    for name in mrs.__all__:
        assert getattr(mrs, name) is not None
        assert name == "__version__" or getattr(mrs, name).__doc__
    assert not set(mrs._LAZY) - set(mrs.__all__)
    with pytest.raises(AttributeError, match="no attribute 'ruN'"):
        mrs.ruN  # noqa: B018
