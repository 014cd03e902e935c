"""A run finds its camera: still and checked, followed, or given; and the world is right only with it."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from mrs_plugins.lifters.blazepose3d import BlazePose3D

from mrs import options, rotations
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.formats import camera_files
from mrs.motion import Motion
from mrs.video import write_video
from mrs.world import level_camera, settle, to_world
from tests.command import FAKE_FLAGS, here, real
from tests.pans import error_deg, film, turns
from tests.walker import filmed, walker

FRAMES = 24
TURNS = {"still": turns(np.zeros(FRAMES)), "panned": turns(np.linspace(0, 12, FRAMES), np.linspace(0, -2, FRAMES))}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A painted film by a still camera and by one that pans by 12 degrees, as files."""
    folder = tmp_path_factory.mktemp("clips")
    for name, R in TURNS.items():
        frames, _, camera = film(R, person=False)
        write_video(folder / f"{name}.mp4", (f.rgb for f in frames), np.arange(FRAMES) / 30, camera.size_px, crf=18)
    return folder


def report_of(folder):
    return json.loads((folder / "run.json").read_text())


def test_a_moving_camera_taken_for_still_is_said(clips, tmp_path, capsys):
    """On stderr and in run.json: what was seen, and what to type."""
    done = here(capsys, "run", clips / "panned.mp4", "-o", tmp_path / "o", *FAKE_FLAGS)
    assert done.code == 0 and "The camera moves" in done.err and "--camera rotating" in done.err
    report = report_of(tmp_path / "o")
    assert report["camera"]["mode"] == "static" and report["camera"]["check"]["moved"] is True
    assert report["camera"]["check"]["largest_turn_deg"] == pytest.approx(8, abs=5)
    assert any("The camera moves" in w for w in report["warnings"])
    again = here(capsys, "run", clips / "panned.mp4", "-o", tmp_path / "o", *FAKE_FLAGS)
    assert "The camera moves" in again.err


@pytest.mark.parametrize("mode", ["static", "auto"])
def test_a_still_camera_is_still(clips, tmp_path, capsys, mode):
    """No warning, one pose for all."""
    done = here(capsys, "run", clips / "still.mp4", "-o", tmp_path / "o", *FAKE_FLAGS, "--camera", mode)
    report = report_of(tmp_path / "o")
    assert done.code == 0 and report["camera"]["check"]["moved"] is False and report["warnings"] == []
    assert Motion.load(tmp_path / "o/persons/01/motion.npz").camera.is_still


@pytest.mark.parametrize("mode", ["rotating", "auto"])
def test_a_followed_camera_reaches_every_result(clips, tmp_path, capsys, mode):
    """camera.npz, run.json, lifted.npz and motion.npz have a pose a frame; the second run makes nothing anew."""
    out = tmp_path / "o"
    command = ("run", clips / "panned.mp4", "-o", out, *FAKE_FLAGS, "--camera", mode, "--fov", 60)
    assert here(capsys, *command).code == 0
    report = report_of(out)
    assert report["camera"]["motion"]["pan_deg"] == pytest.approx([0, 12], abs=0.1) and report["warnings"] == []
    assert "camera.npz" in report["outputs"] and report["timings"]["camera"]["seconds"] > 0
    camera, _ = camera_files.load(out / "camera.npz")
    assert error_deg(camera.R @ camera.R[0].T, TURNS["panned"]).max() < 0.05
    lifted, motion = Motion.load(out / "persons/01/lifted.npz"), Motion.load(out / "persons/01/motion.npz")
    np.testing.assert_array_equal(lifted.camera.R, camera.R)
    turned = motion.camera.R @ motion.camera.R[0].T
    np.testing.assert_allclose(turned, camera.R @ camera.R[0].T, atol=1e-9)
    assert motion.camera.t.shape == (FRAMES, 3)
    written = (out / "camera.npz").stat().st_mtime_ns
    assert here(capsys, *command).code == 0
    assert (out / "camera.npz").stat().st_mtime_ns == written
    assert {"camera.npz", "persons/01/lifted.npz", "persons/01/motion.npz"} <= set(report_of(out)["reused"])


def test_another_camera_makes_the_bodies_anew(clips, tmp_path, capsys):
    """From static to rotating, tracks are kept and lifting is done again."""
    out = tmp_path / "o"
    here(capsys, "run", clips / "panned.mp4", "-o", out, *FAKE_FLAGS)
    here(capsys, "run", clips / "panned.mp4", "-o", out, *FAKE_FLAGS, "--camera", "rotating")
    reused = report_of(out)["reused"]
    assert "tracks.npz" in reused and "persons/01/lifted.npz" not in reused


def test_the_part_of_a_video_has_the_part_of_the_camera(clips, tmp_path, capsys):
    """--start counts: the first selected frame is level."""
    out = tmp_path / "o"
    here(capsys, "lift", clips / "panned.mp4", "-o", out, *FAKE_FLAGS[:-1], "--camera", "rotating", "--start", 0.3, "--fov", 60)
    camera, _ = camera_files.load(out / "camera.npz")
    assert camera.frames == FRAMES - 9
    np.testing.assert_allclose(camera.R[0], level_camera((480, 270)).R, atol=1e-9)


def test_a_camera_from_a_file(clips, tmp_path):
    """The real command with the camera.npz of another run, or a trajectory; and its refusals, in one line, code 3 or 2."""
    R = TURNS["panned"] @ level_camera((480, 270)).R
    np.savez(tmp_path / "cam.npz", R=R, t=np.zeros(3), times_s=np.arange(FRAMES) / 30)
    done = real("lift", clips / "panned.mp4", "-o", tmp_path / "o", *FAKE_FLAGS[:-1], "--camera", tmp_path / "cam.npz")
    assert done.code == 0 and report_of(tmp_path / "o")["camera"]["mode"] == "file"
    np.testing.assert_allclose(Motion.load(tmp_path / "o/persons/01/lifted.npz").camera.R, R, atol=1e-9)
    (tmp_path / "bad.txt").write_text("0 1 2\n")
    bad = real("lift", clips / "panned.mp4", "-o", tmp_path / "p", *FAKE_FLAGS[:-1], "--camera", tmp_path / "bad.txt")
    assert bad.code == 3 and "line 1" in bad.err and "Traceback" not in bad.err
    typo = real("lift", clips / "panned.mp4", "-o", tmp_path / "q", *FAKE_FLAGS[:-1], "--camera", "rotatign")
    assert typo.code == 2 and "Did you mean 'rotating'?" in typo.err


def test_a_config_file_may_name_a_camera_beside_it(clips, tmp_path, capsys):
    """Paths in it are relative to the file."""
    np.savez(tmp_path / "cam.npz", R=level_camera((480, 270)).R, t=np.zeros(3))
    (tmp_path / "settings.yaml").write_text("camera: cam.npz\n")
    done = here(capsys, "lift", clips / "still.mp4", "-o", tmp_path / "o", *FAKE_FLAGS[:-1], "--config", tmp_path / "settings.yaml")
    assert done.code == 0 and report_of(tmp_path / "o")["camera"]["mode"] == "file"


class TestTheWorld:
    """A walker filmed by a camera that pans after him, with exact keypoints."""

    @pytest.fixture(scope="class")
    def case(self):
        """The truth with its camera, and its track."""
        times = np.arange(60) / 30
        truth = walker(times, speed_m_s=1.0)[0]

        def following(camera: Camera) -> Camera:
            turn = rotations.axis_angle_to_matrix(np.linspace(-12, 12, 60)[:, None] * np.radians([0, -1.0, 0]))
            R = turn @ camera.R
            return replace(camera, R=R, t=-(R @ camera.centre_m))

        return filmed(truth, moving=following)

    @staticmethod
    def path_error_m(track, truth, camera):
        """Mean distance (T) of the settled pelvis from the truth, both starting at the origin with the same heading."""
        lifter = BlazePose3D()
        lifter.options = options.build(BlazePose3D, {"stature_m": load_body().stature_m(truth.betas)}, "lifter")
        found = settle([to_world(lifter.lift(SimpleNamespace(camera=camera), track))])[0]
        wanted = settle([truth])[0]
        return np.linalg.norm(found.root_pos_m - wanted.root_pos_m, axis=1).mean()

    def test_is_right_with_the_camera_of_every_frame(self, case):
        """The path is within three centimetres; taken for still, it is off by more than ten times that."""
        track, truth = case
        own = self.path_error_m(track, truth, truth.camera)
        still = self.path_error_m(track, truth, truth.camera.at(0))
        assert own < 0.03 and still > 10 * own

    def test_is_refined_with_the_camera_of_every_frame(self, case):
        """The whole-clip refiner keeps the path and fits the pixels."""
        from mrs.metrics import error_2d_percent
        from tests.refine.clips import lift, refined

        track, truth = case
        done = refined(track, lift(track, truth.camera, stature_m=load_body().stature_m(truth.betas)))
        wanted = settle([truth])[0]
        assert np.linalg.norm(settle([done])[0].root_pos_m - wanted.root_pos_m, axis=1).mean() < 0.05
        assert error_2d_percent(track, done) < 1 and done.camera.frames == 60
