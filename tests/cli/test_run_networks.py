"""`mrs run --detector rtmpose` and `mmpose` from a film with a known answer to bodies and BVH, through the command."""

import json
from functools import partial

import numpy as np
import pytest

from mrs.body import load_body
from mrs.formats import bvh, bvh_import
from mrs.motion import Motion
from mrs.skeletons import COCO_17
from mrs.tracks import Tracks
from tests import marker_people, mmpose_models
from tests.command import here, real

FRAMES = 38
HIPS = slice(11, 13)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    """The film of a walking body with markers, what a perfect detector sees, and the true motion."""
    path = tmp_path_factory.mktemp("film") / "markers.mp4"
    return path, *marker_people.film(path, FRAMES)


def run(command, film, out, *arguments):
    """Run and return the report."""
    ended = command("run", film, "-o", out, *arguments, "--fov", marker_people.FOV_DEG, "--no-overlay", "--quiet", "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def about_hips(motion) -> np.ndarray:
    """COCO-17 points (T, 17, 3) before the camera, from the middle of the hips, in metres."""
    points = motion.camera.to_camera(load_body().keypoints(motion, COCO_17))
    return points - points[:, HIPS].mean(1, keepdims=True)


def check(out, report, filmed, largest_median: float):
    """One person in all frames: markers seen to a part of the height, limbs within 4 cm, at the right place, and so in BVH."""
    _, truth_track, truth = filmed
    (track,) = Tracks.load(out / "tracks.npz").people
    assert track.keypoints is COCO_17 and track.frame_ids.tolist() == list(range(FRAMES))
    away = np.linalg.norm(track.keypoints_px[..., :2] - truth_track.keypoints_px[..., :2], axis=-1)
    height = np.linalg.norm(truth_track.boxes_px[:, 2:] - truth_track.boxes_px[:, :2], axis=1).mean()
    assert np.median(away) < largest_median * height
    assert report["stages"]["lifter"]["name"] == "hmr"
    motion = Motion.load(out / "persons/01/motion.npz")
    assert 1000 * np.linalg.norm(about_hips(motion) - about_hips(truth), axis=-1).mean() < 40
    roots = [m.camera.to_camera(m.root_pos_m[:, None])[:, 0] for m in (motion, truth)]
    assert np.abs(roots[0] - roots[1]).max() < 0.35  # of some 4 m: one camera can't tell the walker's stature
    back = bvh_import.from_bvh(bvh.read(out / "persons/01/motion.bvh"))
    assert len(back) == FRAMES
    np.testing.assert_allclose(back.root_pos_m - back.root_pos_m[0], motion.root_pos_m - motion.root_pos_m[0], atol=0.02)


def test_rtmpose_from_video_to_bvh(filmed, tmp_path):
    """An ONNX file in RTMPose's layout that sees the markers: MoveNet finds the body, hmr lifts it, sfv refines it."""
    network = marker_people.write_onnx(tmp_path / "markers.onnx")
    report = run(real, filmed[0], tmp_path / "out", "--detector", "rtmpose", "--set", f"detector.model={network}",
                 "--set", "detector.threads=1")
    check(tmp_path / "out", report, filmed, 0.005)


@mmpose_models.wanted
def test_mmpose_from_video_to_bvh(filmed, tmp_path, capsys):
    """The same by a config of the user's own and its checkpoint, whose heatmaps have cells of 4 pixels, and re-enacted by bds."""
    config, checkpoint = marker_people.write_mmpose(tmp_path)
    report = run(partial(here, capsys), filmed[0], tmp_path / "out", "--detector", "mmpose", "--set", f"detector.config={config}",
                 "--set", f"detector.checkpoint={checkpoint}", "--synth", "bds")
    check(tmp_path / "out", report, filmed, 0.01)
    again = bvh_import.from_bvh(bvh.read(tmp_path / "out/persons/01/synth/bds.bvh"))
    assert len(again) == FRAMES and np.isfinite(again.joints_m).all()


def refused(tmp_path, film, *flags):
    """Run the real command with a file that is no network; nothing it made is left, in a new folder and in one that was there."""
    (tmp_path / "there").mkdir(parents=True)
    (tmp_path / "there/mine.txt").write_text("mine")
    for out in ("new/run", "there"):
        ended = real("run", film, "-o", tmp_path / out, *flags, "--quiet")
        assert ended.code == 3 and ended.err.startswith("Error: Expected") and len(ended.err.splitlines()) == 1, ended.err
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["there", "there/mine.txt"]


def test_a_refused_onnx_file_leaves_nothing(filmed, tmp_path):
    """`rtmpose` with text for a network."""
    wrong = tmp_path.parent / "wrong.onnx"
    wrong.write_text("no network")
    refused(tmp_path / "x", filmed[0], "--detector", "rtmpose", "--set", f"detector.model={wrong}")


@mmpose_models.wanted
def test_a_refused_checkpoint_leaves_nothing(filmed, tmp_path):
    """`mmpose` with text for a checkpoint."""
    wrong = tmp_path.parent / "wrong.pth"
    wrong.write_text("no checkpoint")
    refused(tmp_path / "x", filmed[0], "--detector", "mmpose", "--set", "detector.config=rtmpose-m_8xb256-420e_coco-256x192",
            "--set", f"detector.checkpoint={wrong}")
