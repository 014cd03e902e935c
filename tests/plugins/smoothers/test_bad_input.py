"""Bad evidence, for every smoother: a stated fallback and a warning, and never a NaN in what comes out."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mrs import evidence, plugins
from mrs.motion import Motion
from mrs.tracks import Tracks
from tests.command import FAKES, here
from tests.videos import make_video
from tests.walker import filmed, walker

FRAMES = 20
SMOOTHERS = ("gaussian", "savgol", "one-euro", "butterworth", "sfv-2018", "sfv")
QUICK = {"sfv": {"iterations": 8, "contact_iterations": 6}, "sfv-2018": {"iterations": 8}}


@pytest.fixture(scope="module")
def seen():
    return filmed(walker(np.arange(FRAMES) / 30)[0], noise=0.005)


def with_points(track, change):
    points = track.keypoints_px.copy()
    change(points, [i for i, name in enumerate(track.keypoints.names) if name.endswith(evidence.FEET)])
    return replace(track, keypoints_px=points)


def nan_places(p, feet):
    p[5:9, 10:20, :2] = np.nan


def nan_confidence(p, feet):
    p[5:9, 10:20, 2] = np.nan


def nan_everywhere(p, feet):
    p[:] = np.nan


def no_confidence(p, feet):
    p[..., 2] = 0


def no_feet(p, feet):
    p[:, feet, 2] = 0


def frames_of(motion, rows):
    names = ("times_s", "root_pos_m", "local_quat_wxyz", "joints_m", "contacts", "confidence")
    return replace(motion, **{name: getattr(motion, name)[rows] for name in names})


def one_frame(track, motion):
    return track.at(slice(0, 1)), frames_of(motion, slice(0, 1))


def two_frames(track, motion):
    return track.at(slice(0, 2)), frames_of(motion, slice(0, 2))


def same_times(track, motion):
    times = np.full(len(motion), 1.0)
    return replace(track, times_s=times), replace(motion, times_s=times)


def pairs_of_times(track, motion):
    times = np.arange(len(motion)) // 2 / 15
    return replace(track, times_s=times), replace(motion, times_s=times)


def at_one_metre(track, motion):
    return filmed(walker(np.arange(FRAMES) / 30, speed_m_s=0.3)[0], distance_m=1.0, fov_deg=90, noise=0.005)


def no_boxes(track, motion):
    return replace(track, boxes_px=np.full_like(track.boxes_px, np.nan)), motion


POINTS = (nan_places, nan_confidence, nan_everywhere, no_confidence, no_feet)
CASES = (*POINTS, one_frame, two_frames, same_times, pairs_of_times, at_one_metre, no_boxes)


def smooth(name, track, motion):
    plugin = plugins.load().make("smoother", name, QUICK.get(name, {}))
    plugin.progress = lambda done, total: None
    return plugin.smooth(None, track, motion)


@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", SMOOTHERS)
def test_nothing_but_numbers_comes_out(seen, name, case):
    """Each smoother, called as the pipeline calls it, gives a finite motion of the same length, near what was lifted."""
    track, motion = (with_points(seen[0], case), seen[1]) if case in POINTS else case(*seen)
    out = smooth(name, track, motion)
    assert len(out) == len(motion)
    for value in (out.root_pos_m, out.local_quat_wxyz, out.joints_m, out.contacts, out.betas):
        assert np.isfinite(value).all()
    assert np.linalg.norm(out.joints_m - motion.joints_m, axis=-1).mean() < 0.6


@pytest.mark.parametrize("name", SMOOTHERS)
def test_a_known_motion_without_evidence_stays_where_it_is(name):
    """With no keypoint seen, the walker, whose lifted motion is sure and exact, is not carried away."""
    track, motion = filmed(walker(np.arange(40) / 30)[0])
    out = smooth(name, with_points(track, no_confidence), motion)
    assert np.linalg.norm(out.joints_m - motion.joints_m, axis=-1).mean() < 0.1


def test_frames_without_a_time_of_their_own_are_spread():
    """Times that stand still or go back lie between their neighbours; good times are left alone."""
    times, moved = evidence.grown_times(np.array([0, 0.1, 0.1, 0.1, 0.4, 0.3, 0.6]))
    assert moved == 3 and times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    times, moved = evidence.grown_times(np.full(4, 2.0))
    assert moved == 3 and np.diff(times) == pytest.approx(1 / 30)
    times, moved = evidence.grown_times(np.arange(5) / 240)
    assert moved == 0 and np.array_equal(times, np.arange(5) / 240)
    assert evidence.grown_times(np.zeros(1))[1] == 0


@pytest.mark.parametrize("case, words", [(same_times, "no time of their own"), (nan_everywhere, "No keypoint was seen"),
                                         (nan_places, "not numbers")], ids=lambda c: getattr(c, "__name__", ""))
def test_sfv_says_what_it_did_instead(seen, case, words):
    """Its step in the motion's history has the warning, which run.json repeats; times stay as they were."""
    track, motion = (with_points(seen[0], case), seen[1]) if case in POINTS else case(*seen)
    out = smooth("sfv", track, motion)
    assert any(words in line for line in evidence.told_by(out))
    assert np.array_equal(out.times_s, motion.times_s)


def test_doubts_are_told_in_words(seen):
    """One frame, no keypoint, no foot, and a person near the camera each have their line; good evidence has none."""
    track, motion = seen
    assert evidence.doubts(track, motion) == []
    assert "one frame" in evidence.doubts(*one_frame(track, motion))[0]
    assert "No keypoint" in evidence.doubts(with_points(track, no_confidence), motion)[0]
    assert "Feet" in evidence.doubts(with_points(track, no_feet), motion)[0]
    assert "m to the camera" in evidence.doubts(*at_one_metre(track, motion))[0]
    assert evidence.doubts(None, motion) == []


def test_bad_numbers_are_taken_for_unseen(seen):
    """NaN points lose their confidence, the others keep all they have; boxes are led over."""
    track, bad = evidence.cleaned_track(with_points(seen[0], nan_places))
    assert bad == 40 and np.isfinite(track.keypoints_px).all() and (track.keypoints_px[5:9, 10:20, 2] == 0).all()
    kept = np.ones(track.keypoints_px.shape[:2], bool)
    kept[5:9, 10:20] = False
    assert np.array_equal(track.keypoints_px[kept], seen[0].keypoints_px[kept])
    boxes = seen[0].boxes_px.copy()
    boxes[3:6] = np.inf
    track, bad = evidence.cleaned_track(replace(seen[0], boxes_px=boxes))
    assert bad == 3 and np.abs(track.boxes_px[4] - (boxes[2] + boxes[6]) / 2).max() < 1e-9
    assert evidence.cleaned_track(seen[0]) == (seen[0], 0)


BROKEN = '''
"""Detectors with bad evidence."""
import numpy as np
import mrs
from mrs.skeletons import COCO_17
from mrs.tracks import Detections, People, Track, Tracks
from tests.fake_plugins import two_people


class Broken:
    """See one person badly."""

    name = "broken"

    class Options:
        case: str = mrs.option("nan", "What is bad.")
        whole: bool = mrs.option(True, "Give tracks rather than detections.")

    def detect(self, video):
        person = two_people(0.0)
        points = np.tile(person.keypoints_px[:1], (len(video.times_s), 1, 1))
        if self.options.case == "nan":
            points[2:5, :6] = np.nan
        elif self.options.case == "unseen":
            points[..., 2] = 0
        elif self.options.case == "feet":
            points[:, COCO_17.indices("left_ankle", "right_ankle"), 2] = 0
        boxes = np.tile(person.boxes_px[:1], (len(points), 1))
        if self.options.whole:
            track = Track(1, COCO_17, video.frame_ids, video.times_s, points, boxes)
            return Tracks((track,), video.size_px, video.frame_ids, video.times_s)
        people = [People(p[None], b[None], np.ones(1), lanes=np.zeros(1, int)) for p, b in zip(points, boxes)]
        return Detections(COCO_17, video.frame_ids, video.times_s, people)


@mrs.hookimpl
def register_detectors(register):
    register(Broken)
'''


@pytest.mark.parametrize("smoother", ["butterworth", "sfv"])
@pytest.mark.parametrize("case, flags, words", [
    ("nan", (), "not numbers"), ("nan", ("--set", "detector.whole=false", "--tracker", "fake"), "not numbers"),
    ("unseen", (), "No keypoint was seen"), ("feet", (), "Feet were never seen"), ("none", ("--end", "0.02"), "one frame"),
])
def test_run_json_warns_and_no_file_holds_a_nan(tmp_path, capsys, monkeypatch, smoother, case, flags, words):
    """The whole command: exit code 0, the doubt among the warnings (again when all is reused), finite files."""
    monkeypatch.chdir(tmp_path)
    make_video(tmp_path / "clip.mp4", count=12)
    (tmp_path / "broken.py").write_text(BROKEN)
    command = ("run", "clip.mp4", "-o", "o", "--plugin", "broken.py", "--plugin", FAKES, "--detector", "broken", "--lifter", "fake",
               "--smoother", smoother, "--set", f"detector.case={case}", "--no-overlay", "--json", *flags)
    if smoother == "sfv":
        command += ("--set", "smoother.iterations=5", "--set", "smoother.contact_iterations=5")
    for _ in range(2):
        ended = here(capsys, *command)
        assert ended.code == 0, ended.err
        assert any(words in line for line in json.loads(ended.out)["warnings"])
    for name in ("lifted", "motion"):
        Motion.load(tmp_path / f"o/persons/01/{name}.npz")
    assert np.isfinite(Tracks.load(tmp_path / "o/tracks.npz").people[0].keypoints_px).all()
    assert "nan" not in (tmp_path / "o/persons/01/motion.bvh").read_text().lower()


def test_times_that_do_not_grow_in_a_file_are_refused(tmp_path, capsys, monkeypatch):
    """`mrs smooth` of such a motion ends with one line and exit code 3, and writes nothing."""
    monkeypatch.chdir(tmp_path)
    motion = walker(np.arange(8) / 30)[0]
    replace(motion, times_s=np.zeros(8)).save("a.npz")
    ended = here(capsys, "smooth", "a.npz")
    assert ended.code == 3 and "growing times" in ended.err and len(ended.err.strip().split("\n")) == 1
    assert not (tmp_path / "a_smooth.npz").exists()


def test_a_motion_of_one_frame_is_smoothed_with_a_warning(tmp_path, capsys, monkeypatch):
    """There is nothing to smooth; the output is finite and the report says so."""
    monkeypatch.chdir(tmp_path)
    walker(np.zeros(1))[0].save("a.npz")
    for smoother in ("sfv", "savgol"):
        ended = here(capsys, "smooth", "a.npz", "--smoother", smoother, "--json", "--overwrite")
        assert ended.code == 0, ended.err
        assert any("one frame" in line for line in json.loads(ended.out)["warnings"])
        assert len(Motion.load(tmp_path / "a_smooth.npz")) == 1
