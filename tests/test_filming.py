"""A run finds its camera: still and checked, followed, or given; and the world is right only with it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mrs.body import load_body
from mrs.cameras import Camera
from mrs.formats import camera_files
from mrs.metrics import error_2d_percent
from mrs.motion import Motion
from mrs.refine import sfv2018
from mrs.video import write_video
from mrs.world import level_camera, settle
from mrs.world.camera_motion import estimate
from tests.command import FAKE_FLAGS, here, real
from tests.pans import FOV_DEG, error_deg, film, turns
from tests.refine.clips import lift, refined
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
    command = ("run", clips / "panned.mp4", "-o", tmp_path / "o", *FAKE_FLAGS, "--camera", "static")
    done = here(capsys, *command)
    assert done.code == 0 and "The camera moves" in done.err and "--camera rotating" in done.err
    report = report_of(tmp_path / "o")
    assert report["camera"]["mode"] == "static" and report["camera"]["taken_for"] == "still"
    assert report["camera"]["check"]["moved"] is True
    assert report["camera"]["check"]["largest_turn_deg"] == pytest.approx(8, abs=5)
    assert any("The camera moves" in w for w in report["warnings"])
    assert "The camera moves" in here(capsys, *command).err


@pytest.mark.parametrize("mode", ["static", "auto"])
def test_a_still_camera_is_still(clips, tmp_path, capsys, mode):
    """No warning, one pose for all."""
    done = here(capsys, "run", clips / "still.mp4", "-o", tmp_path / "o", *FAKE_FLAGS, "--camera", mode)
    report = report_of(tmp_path / "o")
    assert done.code == 0 and report["camera"]["check"]["moved"] is False and report["warnings"] == []
    assert Motion.load(tmp_path / "o/persons/01/motion.npz").camera.is_still


@pytest.mark.parametrize("flags", [("--camera", "rotating"), ()])
def test_a_followed_camera_reaches_every_result(clips, tmp_path, capsys, flags):
    """camera.npz, run.json, lifted.npz and motion.npz have a pose a frame, asked for or not; the second run makes nothing anew."""
    out = tmp_path / "o"
    command = ("run", clips / "panned.mp4", "-o", out, *FAKE_FLAGS, *flags, "--fov", 60)
    assert here(capsys, *command).code == 0
    report = report_of(out)
    assert report["camera"]["taken_for"] == "turning"
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


def test_pictures_that_cannot_be_compared_are_no_proof_of_a_turn(tmp_path, capsys):
    """Every picture is of one grey: the camera is taken for still, and that is said."""
    grey = (np.full((120, 160, 3), 90, np.uint8) for _ in range(FRAMES))
    write_video(tmp_path / "grey.mp4", grey, np.arange(FRAMES) / 30, (160, 120), crf=18)
    done = here(capsys, "run", tmp_path / "grey.mp4", "-o", tmp_path / "o", *FAKE_FLAGS)
    assert done.code == 0 and "can't be told" in done.err
    assert report_of(tmp_path / "o")["camera"]["taken_for"] == "still"
    assert Motion.load(tmp_path / "o/persons/01/motion.npz").camera.is_still and not (tmp_path / "o/camera.npz").exists()


def test_a_pan_too_quick_to_be_compared_is_followed(tmp_path, capsys):
    """Half a second apart nothing is the same any more, from frame to frame most is: the check can't tell, following can."""
    R = turns(np.linspace(0, 330, 90))
    frames, _, camera = film(R, person=False)
    write_video(tmp_path / "quick.mp4", (f.rgb for f in frames), np.arange(90) / 30, camera.size_px, crf=18)
    command = ("run", tmp_path / "quick.mp4", "-o", tmp_path / "o", *FAKE_FLAGS, "--fov", FOV_DEG)
    assert here(capsys, *command).code == 0
    report = report_of(tmp_path / "o")
    assert report["camera"]["check"]["moved"] is None and report["camera"]["taken_for"] == "turning"
    found, _ = camera_files.load(tmp_path / "o/camera.npz")
    assert error_deg(found.R @ found.R[0].T, R).max() < 1
    assert here(capsys, *command).code == 0 and "camera.npz" in report_of(tmp_path / "o")["reused"]


def test_another_camera_makes_the_bodies_anew(clips, tmp_path, capsys):
    """From static to rotating, tracks are kept and lifting is done again."""
    out = tmp_path / "o"
    here(capsys, "run", clips / "panned.mp4", "-o", out, *FAKE_FLAGS, "--camera", "static")
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


def panning(camera: Camera, zoom=1.0) -> Camera:
    """A still camera made to pan by 24 degrees in 60 frames, and to zoom."""
    R = turns(np.linspace(-12, 12, 60)) @ camera.R
    K = np.repeat(camera.K[None], 60, 0)
    K[:, [0, 1], [0, 1]] *= np.broadcast_to(zoom, 60)[:, None]
    return replace(camera, K=camera.K if np.ndim(zoom) == 0 else K, R=R, t=-(R @ camera.centre_m))


def lifted_by(track, truth, camera):
    """The walker in the world of a camera, as tall as he is."""
    return lift(track, camera, stature_m=load_body().stature_m(truth.betas))


def path_error_m(found, truth):
    """Mean distance (T) of the settled pelvis from the truth, both starting at the origin with the same heading."""
    return np.linalg.norm(settle([found])[0].root_pos_m - settle([truth])[0].root_pos_m, axis=1).mean()


class TestTheWorld:
    """A walker filmed by a camera that pans after him."""

    @pytest.fixture(scope="class")
    @staticmethod
    def case():
        """The track with exact keypoints, and the truth with its camera."""
        return filmed(walker(np.arange(60) / 30)[0], moving=panning, fov_deg=FOV_DEG)

    def test_is_right_with_the_camera_of_every_frame(self, case):
        """The lifted path is within three centimetres; taken for still, it is off by more than ten times that."""
        track, truth = case
        own = path_error_m(lifted_by(track, truth, truth.camera), truth)
        still = path_error_m(lifted_by(track, truth, truth.camera.at(0)), truth)
        assert own < 0.03 and still > 10 * own

    def test_is_refined_with_the_camera_that_the_background_tells(self):
        """From noisy keypoints and a followed background the refined path is within 12 cm; taken for still it is 8 times as far off."""
        track, truth = filmed(walker(np.arange(60) / 30)[0], moving=panning, fov_deg=FOV_DEG, noise=0.01, noise3d_m=0.03)
        frames, boxes, first = film(turns(np.linspace(-12, 12, 60)), person=False)
        told = estimate(lambda: iter_closing(frames), boxes.__getitem__, first, truth.times_s, focal_known=True)
        start = truth.camera.at(0)
        camera = replace(told.applied(start), K=start.K)
        done, still = (refined(track, lifted_by(track, truth, c)) for c in (camera, start))
        assert path_error_m(done, truth) < 0.12 and path_error_m(still, truth) > 8 * path_error_m(done, truth)
        assert error_2d_percent(track, done) < 2 and done.camera.frames == 60

    def test_is_refined_with_the_lens_of_every_frame(self):
        """A zoom by 1.4 while panning: path and pixels fit as without."""
        track, truth = filmed(walker(np.arange(60) / 30)[0], fov_deg=FOV_DEG,
                              moving=lambda camera: panning(camera, zoom=np.linspace(1, 1.4, 60)))
        done = refined(track, lifted_by(track, truth, truth.camera))
        assert path_error_m(done, truth) < 0.05 and error_2d_percent(track, done) < 1
        assert done.camera.K.shape == (60, 3, 3)

    def test_long_clips_take_each_window_its_own_poses(self, case):
        """With windows of 30 frames the path is as right as with one."""
        track, truth = case
        done = refined(track, lifted_by(track, truth, truth.camera), window_frames=30)
        assert path_error_m(done, truth) < 0.05 and error_2d_percent(track, done) < 1

    def test_the_published_smoother_takes_it_too(self, case):
        """sfv-2018 works in the camera's axes of each frame: its path is within four centimetres."""
        track, truth = case
        done, _ = sfv2018.refine(track, lifted_by(track, truth, truth.camera), iterations=20)
        assert path_error_m(done, truth) < 0.04 and done.camera.frames == 60


def iter_closing(frames):
    """A generator of frames, which a follower may close."""
    yield from frames
