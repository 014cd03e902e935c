"""TRC, C3D and CSV out: units, axes, names and counts, by readers written from the formats."""

import csv

import numpy as np
import pytest

from mrs import plugins
from mrs.body import load_body
from mrs.skeletons import HALPE_26, SMPL_24
from tests.formats.known_pose import FPS, FRAMES, known_pose


def write(motion, path, name, **options):
    """Write through the plugin; return notes."""
    return plugins.load().make("exporter", name, options).write(motion, path)


def read_trc(path):
    """Header fields, marker names, frame numbers, times and positions (T, K, 3) of a TRC file."""
    lines = path.read_text().split("\n")
    header = dict(zip(lines[1].split("\t"), lines[2].split("\t")))
    names = [n for n in lines[3].split("\t")[2:] if n]
    rows = np.array([[float(v) for v in line.split("\t")] for line in lines[6:] if line.strip()])
    assert lines[0].startswith("PathFileType\t4\t(X/Y/Z)\t") and lines[4].split("\t")[2:5] == ["X1", "Y1", "Z1"] and lines[5] == ""
    return header, names, rows[:, 0], rows[:, 1], rows[:, 2:].reshape(len(rows), -1, 3)


def test_trc_of_joints(tmp_path):
    """24 joints in metres, Y up; rates, counts and times are the motion's."""
    motion = known_pose()
    assert write(motion, tmp_path / "walk.trc", "trc") == ()
    header, names, frames, times, placed = read_trc(tmp_path / "walk.trc")
    assert (header["NumFrames"], header["NumMarkers"], header["Units"]) == (str(FRAMES), "24", "m") and float(header["DataRate"]) == FPS
    assert names == list(SMPL_24.names) and frames.tolist() == list(range(1, FRAMES + 1))
    np.testing.assert_allclose(times, np.arange(FRAMES) / FPS, atol=1e-6)
    np.testing.assert_allclose(placed, motion.joints_m, atol=1e-6)


def test_trc_of_landmarks_in_millimetres(tmp_path):
    """Halpe's 26 points on the skin, as Pose2Sim names feet and head."""
    motion = known_pose()
    write(motion, tmp_path / "a.trc", "trc", markers="halpe-26", unit="mm")
    header, names, _, _, placed = read_trc(tmp_path / "a.trc")
    assert header["Units"] == "mm" and {"left_heel", "right_big_toe", "head_top"} <= set(names)
    wanted = load_body().keypoints(motion, HALPE_26)[:, [HALPE_26.index(n) for n in names]]
    np.testing.assert_allclose(placed, wanted * 1000, atol=1e-3)


def test_c3d(tmp_path):
    """Millimetres, Z up, rate and labels; ezc3d reads every point where the motion has it, with (x, y, z) -> (x, -z, y)."""
    ezc3d = pytest.importorskip("ezc3d")
    motion = known_pose()
    write(motion, tmp_path / "a.c3d", "c3d")
    file = ezc3d.c3d(str(tmp_path / "a.c3d"))
    point = file["parameters"]["POINT"]
    assert point["RATE"]["value"][0] == FPS and point["UNITS"]["value"] == ["mm"] and point["LABELS"]["value"] == list(SMPL_24.names)
    found = np.moveaxis(file["data"]["points"][:3], (0, 1, 2), (2, 1, 0))
    assert found.shape == (FRAMES, 24, 3)
    np.testing.assert_allclose(found, motion.joints_m[..., [0, 2, 1]] * [1000, -1000, 1000], atol=0.01)
    assert found[0, SMPL_24.index("head"), 2] > found[0, SMPL_24.index("left_hip"), 2]


def test_csv(tmp_path):
    """A header that names joint, quantity and unit; numbers of the motion; uneven times stay uneven."""
    motion = known_pose()
    motion.times_s[-1] += 0.01
    write(motion, tmp_path / "a.csv", "csv")
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == FRAMES and float(rows[-1]["time_s"]) == pytest.approx(motion.times_s[-1])
    assert [float(rows[2][f"left_knee_{axis}_m"]) for axis in "xyz"] == pytest.approx(motion.joints_m[2, 4].tolist(), abs=1e-8)
    assert [float(rows[0][f"right_knee_local_q{axis}"]) for axis in "wxyz"] == pytest.approx([0.5**0.5, 0.5**0.5, 0, 0], abs=1e-8)
    assert rows[0]["contact_left_heel"] == "1"
    write(motion, tmp_path / "b.csv", "csv", holds="positions")
    assert "qw" not in (tmp_path / "b.csv").read_text().split("\n")[0]


def test_uneven_times_are_resampled_and_said(tmp_path):
    """TRC has one rate."""
    motion = known_pose()
    motion.times_s[3:] += 0.02
    notes = write(motion, tmp_path / "a.trc", "trc")
    assert "one frame rate" in notes[0]
    _, _, _, times, _ = read_trc(tmp_path / "a.trc")
    np.testing.assert_allclose(np.diff(times), np.diff(times).mean(), atol=2e-6)
