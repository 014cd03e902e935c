"""`mrs live` with a file played as a stream: dropped frames are counted, the delay does not grow."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.command import ROOT, here, real
from tests.videos import make_video

PLUGIN = str(ROOT / "tests/live/walking_detector.py")
FLAGS = ("--plugin", PLUGIN, "--detector", "walking", "--no-view", "--fov", "50")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "clip.mp4"
    make_video(path, count=75, size_px=(320, 180))
    return path


def lines(ended):
    *frames, last = [json.loads(line) for line in ended.out.splitlines()]
    return frames, last["delays"]


def test_a_slow_detector_drops_frames_and_keeps_its_delay(clip, capsys):
    """A detector of 0.12 s on 30 frames a second: frames are dropped and counted, and the last delay is like the first."""
    frames, told = lines(here(capsys, "live", "--source", clip, *FLAGS, "--json", "--set", "detector.takes_s=0.12"))
    delays = np.array([frame["delay_s"] for frame in frames])
    assert told["shown"] == len(frames) < 30 and told["read"] == 75 and told["shown"] + told["dropped"] == 75
    assert delays.min() > 0.12 and np.median(delays[-5:]) < np.median(delays[:5]) + 0.15
    assert told["delay_median_s"] < 1 and told["seconds"] < 2.5 + 3


def test_lines_hold_the_walker(clip, capsys):
    """Each line has the time, the delay and the joints; a quick detector shows most frames; times are the stream's."""
    frames, told = lines(here(capsys, "live", "--source", clip, *FLAGS, "--json"))
    assert told["shown"] > 20 and told["with_people"] == told["shown"] and told["filter_lag_at_rest_s"] == pytest.approx(0.1061, abs=1e-3)
    assert all(len(frame["people"][0]["joints_m"]) == 24 for frame in frames)
    times = np.array([frame["time_s"] for frame in frames])
    assert (np.diff(times) > 0).all() and 2 < times[-1] < 3.5
    way = np.linalg.norm(np.subtract(frames[-1]["people"][0]["root_pos_m"], frames[0]["people"][0]["root_pos_m"])[[0, 2]])
    assert way == pytest.approx(0.9 * (times[-1] - times[0]), rel=0.25)


def test_words_and_an_end_after_seconds(clip, capsys):
    """Without --json the delay is told in a sentence; --seconds ends early."""
    ended = here(capsys, "live", "--source", clip, *FLAGS, "--seconds", "0.5")
    assert ended.code == 0 and "Delay from a frame's coming to its body" in ended.out and "dropped" in ended.out
    assert int(ended.out.split()[0]) < 60


def test_ctrl_c_ends_it_with_the_delays(tmp_path):
    """A first Ctrl-C ends the real command in peace: exit 0, and what was measured."""
    make_video(tmp_path / "long.mp4", count=900, size_px=(96, 64))
    running = subprocess.Popen([sys.executable, "-m", "mrs.cli", "live", "--source", str(tmp_path / "long.mp4"), *FLAGS, "--json"], cwd=ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = running.stdout.readline()
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert json.loads(first)["people"] and json.loads(out.splitlines()[-1])["delays"]["shown"] > 1


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["--source", "97"], 3, "webcam"), (["--source", "nothing.mp4"], 3, "nothing.mp4"), (["--detector", "whole"], 2, "--detector blazepose"),
    (["--set", "smoother.x=1"], 2, "--set detector.x"), (["--set", "detector.deep=false"], 2, "--detector blazepose"),
    (["--detector", "wolking"], 2, "Did you mean 'walking'?"),
])
def test_refusals_are_one_line(clip, capsys, arguments, code, words):
    """What is not there, does not fit or is misspelt ends in its code with what to type."""
    ended = here(capsys, "live", "--source", clip, *FLAGS, *arguments)
    assert ended.code == code and words in ended.err and ended.err.strip().count("\n") == 0, ended.err


@pytest.mark.heavy
def test_the_sample_clip_is_followed_with_a_delay_that_stays():
    """The shipped detector on the sample clip at its own speed: people in most frames, and no delay that grows."""
    ended = real("live", "--source", ROOT / "examples/walk_and_jump.mp4", "--no-view", "--json")
    frames, told = lines(ended)
    delays = np.array([frame["delay_s"] for frame in frames])
    assert told["with_people"] > 0.8 * told["shown"] and told["read"] == told["shown"] + told["dropped"] == 161
    assert np.median(delays[-5:]) < 3 * np.median(delays) and np.median(delays) < 2


def test_without_viser_it_says_what_to_install(clip, tmp_path):
    """The real command without the extra: exit 4 and the command."""
    (tmp_path / "viser.py").write_text("raise ImportError('not here')")
    ended = real("live", "--source", clip, "--plugin", PLUGIN, "--detector", "walking", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert ended.code == 4 and "pip install 'mrs[view]'" in ended.err
