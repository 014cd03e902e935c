"""`mrs check`: the report, the real command, its exit codes, and what it says without MuJoCo."""

import json

import numpy as np
import pytest

from mrs.errors import InputError
from mrs.physics import check, extra
from tests.command import here, real
from tests.physics import poses
from tests.walker import walker


@pytest.fixture
def walk(tmp_path):
    """A clean walk as a file."""
    path = tmp_path / "walk.npz"
    walker(np.arange(66) / 30)[0].save(path)
    return path


@pytest.fixture
def sunk(tmp_path):
    """A person who stands 10 cm deep in the floor, as a file."""
    path = tmp_path / "sunk.npz"
    poses.moved(poses.standing(), np.array([0, -0.1, 0])).save(path)
    return path


def test_a_clean_walk_passes_all(walk, capsys):
    """Exit code 0, the word ok, no second mentioned; physics are among the checks where MuJoCo is there."""
    ended = here(capsys, "check", walk)
    assert ended.code == 0
    assert f"{walk}: ok (66 frames" in ended.out
    assert "second" not in ended.out
    assert ("residual_force" in ended.out) == extra.has("mujoco")


def test_a_sunk_person_is_rejected_with_exit_code_6(sunk):
    """The real command names the check and the seconds."""
    ended = real("check", sunk)
    assert ended.code == 6
    assert f"{sunk}: reject" in ended.out
    assert "second 0: reject: penetration" in ended.out
    assert "Traceback" not in ended.err


def test_json_says_everything(sunk, capsys):
    """Numbers, bounds, verdicts a second; plain JSON without NaN."""
    ended = here(capsys, "check", sunk, "--json", "--loop")
    found = json.loads(ended.out, parse_constant=lambda text: pytest.fail(text))[0]
    assert found["verdict"] == "reject" and found["frames"] == 60
    rows = {row["name"]: row for row in found["checks"]}
    assert rows["penetration"]["worst"] == pytest.approx(10, abs=0.6)
    assert rows["loop_gap"]["level"] == "ok"
    assert [row["verdict"] for row in found["by_second"]] == ["reject", "reject"]


def test_without_mujoco_the_rest_is_checked(walk, capsys, monkeypatch):
    """What is missing is said with the command that brings it; the exit code is the kinematic checks'."""
    monkeypatch.setattr(extra, "has", lambda name: False)
    ended = here(capsys, "check", walk)
    assert ended.code == 0
    assert "residual_force" not in ended.out and "foot_skate" in ended.out
    assert "pip install 'mrs[physics]'" in ended.err


def test_no_physics_leaves_them_out(walk, capsys):
    """--no-physics says so."""
    ended = here(capsys, "check", walk, "--no-physics", "--json")
    assert json.loads(ended.out)[0]["missing"] == ["Inverse dynamics were left out, as asked."]


def test_all_people_of_a_run_are_checked(walk, sunk, tmp_path, capsys):
    """A run folder with two people gives two reports, and the worse exit code."""
    for number, path in (("01", walk), ("02", sunk)):
        folder = tmp_path / "run" / "persons" / number
        folder.mkdir(parents=True)
        path.rename(folder / "motion.npz")
    ended = here(capsys, "check", tmp_path / "run", "--json")
    assert [row["verdict"] for row in json.loads(ended.out)] == ["ok", "reject"]
    assert ended.code == 6


def test_plot(walk, tmp_path, capsys):
    """A picture of some size; what is there is not replaced unasked; another ending is refused."""
    pytest.importorskip("matplotlib")
    target = tmp_path / "plots" / "walk.png"
    assert here(capsys, "check", walk, "--plot", target).code == 0
    assert target.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and target.stat().st_size > 20_000
    assert here(capsys, "check", walk, "--plot", target).code == 2
    assert here(capsys, "check", walk, "--plot", tmp_path / "walk.txt").code == 2
    assert [p.name for p in target.parent.iterdir()] == ["walk.png"]


@pytest.mark.parametrize("frames", [1, 2])
def test_two_frames(frames, tmp_path, capsys):
    """So short a motion is checked as far as can be."""
    path = tmp_path / "short.npz"
    poses.standing(np.arange(frames) / 30).save(path)
    ended = here(capsys, "check", path)
    assert ended.code == 0
    if extra.has("mujoco"):
        assert f"there are {frames} frames" in ended.err


def test_bad_files_are_one_line(tmp_path, capsys):
    """A file that is missing, one that is no motion, one with NaN: exit code 3, one line."""
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"no zip")
    motion = poses.standing()
    motion.root_pos_m[5] = np.nan
    nan = tmp_path / "nan.npz"
    motion.save(nan)
    for path in (tmp_path / "none.npz", broken, nan):
        ended = here(capsys, "check", path)
        assert (ended.code, ended.err.count("\n")) == (3, 1), ended.err


def test_a_person_lying_down_is_ok():
    """Lying on the back is carried by the floor: nothing floats or flies."""
    motion = poses.posed({"left_shoulder": [0, 0, -80], "right_shoulder": [0, 0, 80]}, root_deg=(-90, 0, 0))
    report = check.check(poses.moved(motion, np.zeros(3), np.zeros((60, 4))))
    assert report.verdict != "reject", [s.summary(report.times_s) for s in report.series if s.levels(report.times_s).max() > 0]


def test_a_motion_of_the_camera_is_refused():
    """Without a floor there is nothing to check against."""
    from dataclasses import replace

    with pytest.raises(InputError, match="in the world"):
        check.check(replace(poses.standing(), frame="camera"))


@pytest.mark.heavy
def test_ten_minutes():
    """Eighteen thousand frames are checked within two minutes."""
    import time

    begun = time.monotonic()
    report = check.check(walker(np.arange(18_000) / 30)[0])
    assert len(report.to_json()["by_second"]) == 600
    assert time.monotonic() - begun < 120
