"""`mrs run` on files of 2D poses, with a video and without one, through the real command."""

import json

import numpy as np
import pytest

from mrs import plugins
from mrs.motion import Motion
from mrs.skeletons import BODY_25
from mrs.tracks import Tracks
from tests.command import here, real
from tests.formats.pose2d import samples
from tests.videos import make_video
from tests.walker import filmed, walker

SIZE, FPS, COUNT = (1280, 720), 29.97, 24
FREE = ("--size", "1280x720", "--fps", str(FPS))


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A walker's BODY_25 keypoints as a folder of OpenPose, and the truth."""
    folder = tmp_path_factory.mktemp("poses") / "walk"
    times = np.arange(COUNT) / FPS
    track, truth = filmed(walker(times)[0], keypoints=BODY_25, noise=0.003)
    tracks = Tracks((track,), SIZE, np.arange(COUNT), times)
    plugins.load().make("track_exporter", "openpose").write_tracks(tracks, folder)
    return folder, truth


@pytest.fixture(scope="module")
def done(walk, tmp_path_factory):
    """The real command on that folder, without a video."""
    out = tmp_path_factory.mktemp("out") / "run"
    ended = real("run", "--detector", f"openpose:{walk[0]}", *FREE, "--fov", "50", "-o", out)
    assert ended.code == 0, ended.err
    return out, ended


def test_it_goes_from_poses_to_bvh_without_a_video(walk, done):
    """Motion at exact times, of the person that was filmed; no overlay, and a line that says so."""
    out, ended = done
    motion = Motion.load(out / "persons/01/motion.npz")
    np.testing.assert_allclose(motion.times_s, np.arange(COUNT) / FPS, atol=1e-9)
    assert (out / "persons/01/motion.bvh").is_file()
    assert not (out / "overlay.mp4").exists()
    assert "no overlay, since there is no video" in ended.err
    assert "'hmr' makes bodies from 2D alone" in ended.err
    assert "The camera is taken for still" in ended.err
    truth = walk[1]
    told, true = motion.root_pos_m[-1] - motion.root_pos_m[0], truth.root_pos_m[-1] - truth.root_pos_m[0]
    assert np.linalg.norm(told) == pytest.approx(np.linalg.norm(true), rel=0.15)


def test_run_json_tells_what_was_read_and_chosen(walk, done):
    """The folder's hash, the lifter and tracker that auto took, size and rate."""
    report = json.loads((done[0] / "run.json").read_text())
    assert report["stages"]["detector"]["source_sha256"]
    assert (report["stages"]["lifter"]["name"], report["stages"]["tracker"]["name"]) == ("hmr", "file")
    assert report["video"]["size_px"] == list(SIZE)
    assert report["video"]["mean_fps"] == pytest.approx(FPS)
    assert report["camera"]["taken_for"] == "still"


def test_again_nothing_is_made_anew_until_a_file_changes(walk, done, capsys):
    """The folder's content decides, not its name."""
    out, folder = done[0], walk[0]
    arguments = ("run", "--detector", f"openpose:{folder}", *FREE, "--fov", "50", "-o", out, "--json", "--quiet")
    report = json.loads(here(capsys, *arguments).out)
    assert set(report["outputs"]) - set(report["reused"]) == {"run.json"}
    path = folder / f"frame_{COUNT - 1:012d}_keypoints.json"
    before = path.read_text()
    try:
        path.write_text('{"version": 1.3, "people": []}')
        ended = here(capsys, *arguments[:-2], "--quiet")
        assert ended.code == 2 and "--overwrite" in ended.err
    finally:
        path.write_text(before)


def test_a_list_with_its_video_and_an_overlay(tmp_path, walk):
    """`--detector alphapose:FILE` beside a video of the same frames."""
    make_video(tmp_path / "clip.mp4", count=COUNT, size_px=SIZE)
    times = np.arange(COUNT) / 30
    track, _ = filmed(walker(times)[0], keypoints=BODY_25, noise=0.003)
    tracks = Tracks((track,), SIZE, np.arange(COUNT), times)
    plugins.load().make("track_exporter", "alphapose", {"keypoints": "halpe-26"}).write_tracks(tracks, tmp_path / "a.json")
    ended = real("run", "clip.mp4", "--detector", "alphapose:a.json", "--smoother", "savgol", "--camera", "static", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert (tmp_path / "clip_mrs/overlay.mp4").stat().st_size > 1000
    assert len(Motion.load(tmp_path / "clip_mrs/persons/01/motion.npz")) == COUNT


def test_fingers_and_faces_are_left_out_of_the_body(tmp_path, capsys):
    """133 points of COCO-WholeBody go through; tracks.npz keeps all of them."""
    (tmp_path / "p.json").write_bytes(samples.mmpose_video(133))
    people = json.loads((tmp_path / "p.json").read_text())
    frame = people["instance_info"][0]["instances"]
    people["instance_info"] = [{"frame_id": i, "instances": frame[:1]} for i in range(8)]
    (tmp_path / "p.json").write_text(json.dumps(people))
    ended = here(capsys, "lift", "--detector", f"mmpose:{tmp_path / 'p.json'}", *FREE, "-o", tmp_path / "o")
    assert ended.code == 0, ended.err
    assert len(Tracks.load(tmp_path / "o/tracks.npz").people[0].keypoints) == 133


@pytest.mark.parametrize("arguments, code, words", [
    (("--size", "1280x720"), 2, "--fps"),
    ((), 2, "Expected a VIDEO"),
    (("--detector", "blazepose", *FREE), 2, "looks at pictures"),
    (("--detector", "openpose", *FREE), 2, "openpose:DIR"),
    (("--detector", "openpose:nowhere", *FREE), 3, "nowhere"),
    (("--detector", "openpos:WALK", *FREE), 2, "openpose"),
    (("--detector", "alphapose:WALK", *FREE), 3, "folder"),
    (("--detector", "openpose:WALK", "--size", "1280", "--fps", "30"), 2, "WIDTHxHEIGHT"),
    (("--detector", "openpose:WALK", "--size", "1280x720", "--fps", "0"), 2, "--fps"),
    (("--detector", "openpose:WALK", *FREE, "--camera", "rotating"), 2, "--camera static"),
    (("--detector", "openpose:WALK", *FREE, "--lifter", "blazepose3d"), 3, "3D landmarks"),
    (("--detector", "openpose:WALK", *FREE, "--start", "60"), 3, "--start"),
    (("clip.mp4", "--detector", "openpose:WALK", *FREE), 2, "only without a VIDEO"),
])
def test_wrong_requests_are_refused_in_a_line(walk, tmp_path, capsys, monkeypatch, arguments, code, words):
    """What was expected, what came, what to type; never a traceback."""
    monkeypatch.chdir(tmp_path)
    ended = here(capsys, "run", *(str(a).replace("WALK", str(walk[0])) for a in arguments), "-o", tmp_path / "o", "--quiet")
    assert ended.code == code, ended.err
    assert words in ended.err and len(ended.err.strip().splitlines()) == 1, ended.err


def test_smooth_and_detect_without_anything(capsys):
    """The sisters say the same."""
    for name in ("detect", "lift", "smooth"):
        ended = here(capsys, name)
        assert ended.code == 2 and "Expected a VIDEO" in ended.err


def test_a_run_from_files_is_smoothed_again(done, capsys):
    """`mrs smooth RUN` needs neither video nor poses."""
    ended = here(capsys, "smooth", done[0], "--smoother", "savgol", "--json", "--quiet")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["stages"]["smoother"]["name"] == "savgol"
