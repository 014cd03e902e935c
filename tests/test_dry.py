"""What a run would do, told without doing it."""

import json

import pytest

from tests.command import FAKE_FLAGS, here
from tests.videos import make_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_video(path, count=24)
    return path


def dry(capsys, video, out, *arguments) -> dict[str, str]:
    rows = json.loads(here(capsys, "run", video, "-o", out, *FAKE_FLAGS, *arguments, "--dry-run", "--json").out)
    return {row["result"]: row["would"] for row in rows}


def test_before_a_run_everything_would_be_made_and_nothing_is(video, tmp_path, capsys):
    """People are unknown before they are detected; no folder appears."""
    told = dry(capsys, video, tmp_path / "o")
    assert told == dict.fromkeys(["tracks.npz", "persons/*/lifted.npz", "persons/*/motion.npz", "persons/*/motion.bvh"], "make")
    assert not (tmp_path / "o").exists()


def test_after_a_run_everything_would_be_kept(video, tmp_path, capsys):
    """What is told is what is there, and what a second run reuses."""
    out = tmp_path / "o"
    here(capsys, "run", video, "-o", out, *FAKE_FLAGS)
    told = dry(capsys, video, out)
    assert set(told.values()) == {"keep"}
    report = json.loads(here(capsys, "run", video, "-o", out, *FAKE_FLAGS, "--json").out)
    assert set(told) <= set(report["outputs"])
    assert set(report["reused"]) >= set(told)


@pytest.mark.parametrize("arguments, made", [
    (["--set", "smoother.strength=1"], {"motion.npz", "motion.bvh"}),
    (["--set", "lifter.depth_m=7"], {"lifted.npz", "motion.npz", "motion.bvh"}),
    (["--export", "count"], {"motion_count.npz"}),
])
def test_another_option_makes_anew_what_depends_on_it(video, tmp_path, capsys, arguments, made):
    """What is to be kept the real run reuses; it may find more unchanged when it gets there."""
    out = tmp_path / "o"
    here(capsys, "run", video, "-o", out, *FAKE_FLAGS)
    before = (out / "run.json").read_bytes()
    told = dry(capsys, video, out, *arguments)
    assert (out / "run.json").read_bytes() == before
    report = json.loads(here(capsys, "run", video, "-o", out, *FAKE_FLAGS, *arguments, "--json").out)
    kept = {name for name, would in told.items() if would == "keep"}
    assert kept <= set(report["reused"])
    sure = {name.rpartition("/")[2] for name, would in told.items() if would == "make"}
    assert made <= sure


def test_an_overlay_and_overwrite(video, tmp_path, capsys):
    """--overwrite keeps nothing; the overlay is listed where it would be drawn."""
    out = tmp_path / "o"
    here(capsys, "run", video, "-o", out, *FAKE_FLAGS)
    assert dry(capsys, video, out, "--overlay")["overlay.mp4"] == "make"
    assert dry(capsys, video, out, "--report")["report.html"] == "make"
    assert set(dry(capsys, video, out, "--overwrite").values()) == {"make"}
    assert (out / "run.json").is_file()


def test_a_run_that_would_be_refused_is_refused(video, tmp_path, capsys):
    """Another video's folder, a missing video, a wrong option."""
    out = tmp_path / "o"
    here(capsys, "run", video, "-o", out, *FAKE_FLAGS)
    make_video(tmp_path / "other.mp4", count=9)
    assert here(capsys, "run", tmp_path / "other.mp4", "-o", out, *FAKE_FLAGS, "--dry-run").code == 2
    assert here(capsys, "run", tmp_path / "none.mp4", "-o", out, *FAKE_FLAGS, "--dry-run").code == 3
    assert here(capsys, "run", video, "-o", out, *FAKE_FLAGS, "--dry-run", "--set", "lifter.deep=1").code == 2
