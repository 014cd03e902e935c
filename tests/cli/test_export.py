"""`mrs export`: motions and 2D tracks in the files of other programs, through the real command."""

import json

import numpy as np
import pytest

from mrs.formats.pose2d import coco, openpose
from mrs.tracks import Tracks
from tests.command import FAKE_FLAGS, here, real
from tests.videos import make_video

FORMATS = ("openpose", "alphapose", "poseflow", "coco", "mmpose", "mediapipe", "mot")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of fakes."""
    folder = tmp_path_factory.mktemp("export")
    make_video(folder / "clip.mp4", count=12)
    ended = real("run", folder / "clip.mp4", "-o", folder / "run", *FAKE_FLAGS)
    assert ended.code == 0, ended.err
    return folder / "run"


def test_the_real_command_writes_openpose(run, tmp_path):
    """A folder with a file for every frame; the path is on stdout."""
    ended = real("export", run, "--to", "openpose", "-o", tmp_path / "poses")
    assert (ended.code, ended.out.strip()) == (0, str(tmp_path / "poses"))
    tracks, poses = Tracks.load(run / "tracks.npz"), openpose.read(tmp_path / "poses")
    assert len(poses.labels) == len(tracks.frame_ids)
    assert len(poses) == sum(int(t.seen.sum()) for t in tracks.people)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_written_and_said(run, tmp_path, capsys, name):
    """One file or folder, on stdout; a second time it is refused, and written with --overwrite."""
    arguments = ("export", run, "--to", name, "-o", tmp_path / "out")
    assert here(capsys, *arguments).out.split() == [str(tmp_path / "out")]
    assert (tmp_path / "out").is_dir() == (name == "openpose")
    again = here(capsys, *arguments)
    assert again.code == 2 and "--overwrite" in again.err
    assert here(capsys, *arguments, "--overwrite").code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_without_a_path_it_is_written_beside_the_tracks(run, capsys):
    """tracks_coco.json in the run folder."""
    assert here(capsys, "export", run, "--to", "coco", "--person", "2", "--overwrite").out.split() == [str(run / "tracks_coco.json")]
    poses = coco.read((run / "tracks_coco.json").read_bytes(), "x")
    assert set(poses.ids.tolist()) == {2}


def test_motions_are_exported_too(run, tmp_path, capsys):
    """One file a person, with the exporter's options."""
    ended = here(capsys, "export", run, "--to", "bvh", "-o", tmp_path / "out", "--set", "names=mixamo")
    assert ended.code == 0, ended.err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["01.bvh", "02.bvh"]
    assert "mixamorig" in (tmp_path / "out/01.bvh").read_text()
    one = here(capsys, "export", run / "persons/01/motion.npz", "--to", "bvh", "-o", tmp_path / "one.bvh")
    assert one.code == 0 and (tmp_path / "one.bvh").is_file()


def test_a_folder_that_holds_other_things_is_not_replaced(run, tmp_path, capsys):
    """--overwrite never removes what no export wrote."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/diary.txt").write_text("dear diary")
    ended = here(capsys, "export", run, "--to", "openpose", "-o", tmp_path / "notes", "--overwrite")
    assert ended.code == 3
    assert (tmp_path / "notes/diary.txt").read_text() == "dear diary"


@pytest.mark.parametrize("arguments, code, words", [
    (("--to", "openpos"), 2, "Did you mean 'openpose'"),
    (("--to", "coco", "--set", "keypoint=coco-17"), 2, "Did you mean"),
    (("--to", "coco", "--set", "keypoints"), 2, "OPTION=VALUE"),
    (("--to", "coco", "--person", "9"), 2, "9"),
])
def test_wrong_requests_are_refused_in_a_line(run, capsys, tmp_path, arguments, code, words):
    """What was expected and what to type."""
    ended = here(capsys, "export", run, "-o", tmp_path / "x", *arguments)
    assert ended.code in (code, 3) and words in ended.err, ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_nothing_to_export(tmp_path, capsys):
    """A folder that is no run."""
    assert "no " in here(capsys, "export", tmp_path, "--to", "coco").err
    assert here(capsys, "export", tmp_path, "--to", "bvh").code == 3


def test_eval_tracks_of_a_run_and_its_mot_text(run, tmp_path, capsys):
    """A run's own boxes as MOT text are who they are: 100 % and no switch."""
    here(capsys, "export", run, "--to", "mot", "-o", tmp_path / "gt.txt")
    found = json.loads(here(capsys, "eval", "tracks", run, tmp_path / "gt.txt", "--json").out)
    assert (found["mota_percent"], found["idf1_percent"], found["switches"]) == (100, 100, 0)
    swapped = np.loadtxt(tmp_path / "gt.txt", delimiter=",")
    late = swapped[:, 0] > 6
    swapped[late, 1] = 3 - swapped[late, 1]
    np.savetxt(tmp_path / "swapped.txt", swapped, delimiter=",", fmt="%g")
    told = here(capsys, "eval", "tracks", tmp_path / "swapped.txt", run)
    assert "switches" in told.out and told.code == 0
    assert json.loads(here(capsys, "eval", "tracks", tmp_path / "swapped.txt", run, "--json").out)["switches"] == 2
