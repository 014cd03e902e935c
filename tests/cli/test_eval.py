"""`mrs eval` through the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mrs.cli.eval import labels
from mrs.formats import bvh
from mrs.formats.bvh_motion import to_bvh
from tests.command import here
from tests.walker import walker


@pytest.fixture
def files(tmp_path):
    """A truth, a prediction 5 cm to the side whose head is off, and the truth at 60 frames a second as BVH."""
    truth, _ = walker(np.arange(50) / 30)
    truth.save(tmp_path / "truth.npz")
    joints = truth.joints_m + [0.05, 0, 0]
    joints[:, 15, 1] += 0.048
    replace(truth, joints_m=joints).save(tmp_path / "off.npz")
    bvh.write(tmp_path / "fast.bvh", to_bvh(walker(np.arange(100) / 60)[0])[0])
    return tmp_path


def test_a_table_of_several_predictions(files, capsys):
    """Each prediction is a column, units stand beside the names, resampling is said."""
    ended = here(capsys, "eval", "motion", files / "off.npz", files / "fast.bvh", files / "truth.npz")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    head = next(line for line in lines if "unit" in line)
    assert head.split() == ["unit", "off.npz", "fast.bvh", "truth"]
    row = next(line for line in lines if line.startswith("MPJPE")).split()
    assert row[:3] == ["MPJPE", "mm", "2.000"] and float(row[3]) < 1 and row[4] == "-"
    assert "one turn of the world about the vertical" in ended.out
    assert "compared at 50 frames" in ended.out


def test_json_holds_numbers_units_and_files(files, capsys):
    """--json prints every measure as a number or null with its unit, and nothing else on stdout."""
    ended = here(capsys, "eval", "motion", files / "off.npz", files / "truth.npz", "--json", "--frame", "world")
    facts = json.loads(ended.out)
    assert facts["frame"] == "world" and facts["frames"] == 50
    measures = facts["predictions"][0]["measures"]
    assert np.isclose(measures["mpjpe_mm"], 2) and facts["units"]["mpjpe_mm"] == "mm"
    assert set(measures) == set(facts["units"]) and facts["ground_truth"]["measures"]["mpjpe_mm"] is None
    assert not facts["predictions"][0]["resampled"]


def test_resampling_is_said(files, capsys):
    """A prediction at times of its own is named as resampled, with its rate."""
    motion, _ = walker(np.arange(40) / 25)
    motion.save(files / "slow.npz")
    ended = here(capsys, "eval", "motion", files / "slow.npz", files / "truth.npz")
    line = ended.out.splitlines()[0]
    assert "40 frames, 25 fps" in line and line.endswith("resampled")


def test_deepmimic_files_are_read(files, capsys, tmp_path):
    """A DeepMimic file compares with itself."""
    frame = [1 / 30, 0, 0.8, 0] + [1, 0, 0, 0] * 4 + [0] + [1, 0, 0, 0] * 2 + [0] + [1, 0, 0, 0] * 2 + [0] + [1, 0, 0, 0] + [0]
    for path in ("a.txt", "b.json"):
        (tmp_path / path).write_text(json.dumps({"Loop": "none", "Frames": [frame] * 8}))
    ended = here(capsys, "eval", "motion", tmp_path / "a.txt", tmp_path / "b.json", "--json")
    assert json.loads(ended.out)["predictions"][0]["measures"]["mpjpe_mm"] == 0


def test_a_run_folder_of_one_person_is_its_motion(files, capsys):
    """A folder means its one motion.npz; with two people the message asks for the file."""
    for person in ("01", "02"):
        folder = files / "run" / "persons" / person
        folder.mkdir(parents=True)
        (folder / "motion.npz").write_bytes((files / "off.npz").read_bytes())
        ended = here(capsys, "eval", "motion", files / "run", files / "truth.npz", "--json")
        if person == "01":
            assert ended.code == 0 and json.loads(ended.out)["predictions"][0]["path"].endswith("run")
    assert ended.code == 3 and "persons/02/motion.npz" in ended.err


def test_files_that_start_at_other_times_need_a_flag(files, capsys):
    """A clip cut from the middle is refused with the flag that helps, and compared with it."""
    motion, _ = walker(np.arange(50) / 30)
    replace(motion, times_s=motion.times_s + 20).save(files / "cut.npz")
    arguments = "eval", "motion", files / "cut.npz", files / "truth.npz"
    ended = here(capsys, *arguments)
    assert ended.code == 3 and "--from-start" in ended.err
    ended = here(capsys, *arguments, "--from-start", "--json")
    assert json.loads(ended.out)["predictions"][0]["measures"]["mpjpe_mm"] < 1e-6


@pytest.mark.parametrize(("names", "code", "said"), [
    (["truth.npz"], 2, "PRED... TRUTH"), (["none.npz", "truth.npz"], 3, "no such file"),
    (["notes.md", "truth.npz"], 3, ".bvh"), (["notes.txt", "truth.npz"], 3, "DeepMimic"),
])
def test_bad_files_are_refused_in_one_line(files, capsys, names, code, said):
    """One file, a missing one, one of an unknown kind and a text file end in the right code and one clear line."""
    (files / "notes.md").write_text("x")
    (files / "notes.txt").write_text("x")
    ended = here(capsys, "eval", "motion", *(files / n for n in names))
    assert ended.code == code and said in ended.err and ended.err.count("Error") == 1


def test_explain_says_what_each_measure_is(files, capsys):
    """--explain adds one line for each measure."""
    ended = here(capsys, "eval", "motion", files / "off.npz", files / "truth.npz", "--explain")
    assert "RTE: mean distance of mid-hip paths after one rigid fit" in ended.out


def test_labels_are_the_parts_that_differ():
    """Runs are told apart by their folder, files of one folder by name."""
    assert labels(["a/persons/01/motion.npz", "b/persons/01/motion.npz"]) == ["a", "b"]
    assert labels(["a/lifted.npz", "a/motion.npz"]) == ["lifted.npz", "motion.npz"]
    assert labels(["a/motion.npz"]) == ["motion.npz"]
    assert labels(["motion.npz", "a/motion.npz"]) == ["motion.npz", "a/motion.npz"]
