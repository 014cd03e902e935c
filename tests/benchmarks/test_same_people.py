"""The comparison of detectors by people: what agrees, what does not, and what can't be asked on this machine."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import _common, same_people
from mrs.skeletons import BLAZEPOSE_33, COCO_17
from tests import marker_people
from tests.command import ROOT
from tests.formats.pose2d.samples import tracks

ARRAYS = ("frame_ids", "times_s", "keypoints_px", "boxes_px")


def verdicts(found, truth):
    """Whether IDF1, ids and the number of people are as wanted."""
    report = _common.Report("")
    same_people.add_verdicts(report, "other", same_people.lasting(found), same_people.lasting(truth))
    return [v.met for v in report.verdicts]


@pytest.fixture(scope="module")
def truth():
    """Two people beside each other."""
    given = tracks(COCO_17, frames=60)
    left, right = given.people
    return replace(given, people=(left, replace(right, keypoints_px=right.keypoints_px + np.float32([700, 0, 0]))))


def exchanged(given, row):
    """The two people's ids exchanged from a frame on."""
    one, other = given.people
    first = one.frame_ids[row]
    halves = []
    for track, rest in ((one, other), (other, one)):
        keep, take = track.frame_ids < first, rest.frame_ids >= first
        halves.append(replace(track, **{name: np.concatenate([getattr(track, name)[keep], getattr(rest, name)[take]])
                                        for name in ARRAYS}))
    return replace(given, people=tuple(halves))


def test_what_is_the_same_and_what_is_not(truth):
    """Other ids and another keypoint set are the same people; exchanged ids, a person less, and nobody are not."""
    renamed = replace(truth, people=tuple(replace(t, person=t.person + 20) for t in truth.people))
    assert verdicts(renamed, truth) == [True, True, True]
    other_set = replace(truth, people=tuple(replace(t, keypoints=BLAZEPOSE_33, keypoints_px=COCO_17.convert(t.keypoints_px, BLAZEPOSE_33))
                                            for t in truth.people))
    assert verdicts(other_set, truth) == [True, True, True]
    assert verdicts(exchanged(truth, 30), truth) == [False, False, True]
    assert verdicts(replace(truth, people=truth.people[:1]), truth) == [False, True, False]
    assert verdicts(replace(truth, people=()), truth) == [False, True, False]


def test_who_is_seen_for_a_moment_is_not_counted(truth):
    """Half a second is 15 frames of 30."""
    for frames, people in ((14, 2), (15, 3)):
        third = replace(truth.people[0], person=9, **{name: getattr(truth.people[0], name)[:frames] for name in ARRAYS})
        assert len(same_people.lasting(replace(truth, people=(*truth.people, third))).people) == people


def test_the_command_compares_and_says_what_it_left_out(tmp_path, monkeypatch):
    """A network in RTMPose's layout sees whom BlazePose sees; rtmpose without weights is not run, and the command to type is told."""
    monkeypatch.setenv("MRS_CACHE_DIR", str(tmp_path / "cache"))
    marker_people.film(tmp_path / "markers.mp4", 18)
    network = marker_people.write_onnx(tmp_path / "markers.onnx")
    done = subprocess.run([sys.executable, "-m", "benchmarks.same_people", str(tmp_path / "markers.mp4"), "--json", "--check",
                           "--against", f"rtmpose,model={network},threads=1", "--against", "rtmpose"],
                          cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row[1] for row in found["tables"][0]["rows"]] == [1, 1] and all(v["met"] for v in found["verdicts"])
    (note,) = found["notes"]
    assert note.startswith("NOT RUN: rtmpose.") and "mrs models get rtmpose-m" in note
