"""Files of other programs, checkpoints and body models of the user, through the real command."""

import json

import numpy as np
import pytest
import torch

from mrs import plugins, rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.skeletons import BODY_25
from mrs.tracks import Tracks
from tests import pose_nets
from tests.body import model_files
from tests.command import here, real
from tests.formats.lifts import files
from tests.lifting import checkpoints
from tests.mmpose_models import SAMPLE
from tests.videos import make_video
from tests.walker import filmed, walker

SIZE, FPS, COUNT = (640, 360), 30, 20
FLAGS = ("--size", "640x360", "--fps", "30", "--fov", "50", "--quiet")
QUICK = ("--set", "smoother.iterations=15", "--set", "smoother.contact_iterations=8")
STATURE = ("--set", f"lifter.stature_m={load_body().stature_m(np.zeros(10)):.4f}")


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """A walker's keypoints as a folder of OpenPose, and the truth."""
    folder = tmp_path_factory.mktemp("poses") / "walk"
    times = np.arange(COUNT) / FPS
    track, truth = filmed(walker(times)[0], keypoints=BODY_25, size_px=SIZE, noise=0.002)
    plugins.load().make("track_exporter", "openpose").write_tracks(Tracks((track,), SIZE, np.arange(COUNT), times), folder)
    return folder, truth


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    make_video(path, count=COUNT, size_px=SIZE)
    return path


def pose_mm(motion, truth):
    """Mean distance of joints in the camera's axes, pelvis on pelvis."""
    a, b = (m.camera.to_camera(m.joints_m) for m in (motion, truth))
    return 1000 * np.linalg.norm((a - a[:, :1]) - (b - b[:, :1]), axis=-1).mean()


@pytest.mark.parametrize("name", ["hmmr", "vibe", "wham", "gvhmr", "phalp", "tram"])
def test_a_result_of_another_program_is_refined_in_one_command(walk, tmp_path, capsys, name):
    """mrs run --lifter NAME:FILE: the motion comes back within 15 mm, and run.json has the file's hash."""
    folder, truth = walk
    getattr(files, name)(tmp_path / "result", truth, SIZE)
    ended = here(capsys, "run", "--detector", f"openpose:{folder}", *FLAGS, *QUICK, *STATURE, "--json", "-o", tmp_path / "o",
                 "--lifter", f"{name}:{tmp_path / 'result'}")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["stages"]["lifter"]["name"] == f"{name}:" and report["stages"]["lifter"]["source_sha256"]
    motion = Motion.load(tmp_path / "o/persons/01/motion.npz")
    assert pose_mm(motion, truth) < 15
    told = [line for line in report["warnings"] if str(tmp_path / "result") in line]
    assert bool(told) == (name in ("hmmr", "phalp"))


def test_amass_before_the_camera(walk, tmp_path, capsys):
    folder, truth = walk
    files.amass(tmp_path / "a.npz", truth, FPS, 70.0)
    ended = here(capsys, "run", "--detector", f"openpose:{folder}", *FLAGS, *QUICK, *STATURE, "-o", tmp_path / "o",
                 "--lifter", f"amass:{tmp_path / 'a.npz'}")
    assert ended.code == 0, ended.err
    assert pose_mm(Motion.load(tmp_path / "o/persons/01/motion.npz"), truth) < 15


def test_a_note_of_the_lifter_stays_when_its_result_is_used_again(walk, tmp_path, capsys):
    folder, truth = walk
    files.hmmr(tmp_path / "h.pkl", truth, SIZE)
    command = ("run", "--detector", f"openpose:{folder}", *FLAGS, *QUICK, "--json", "-o", tmp_path / "o", "--lifter", f"hmmr:{tmp_path / 'h.pkl'}")
    first, again = (json.loads(here(capsys, *command).out) for _ in range(2))
    assert "persons/01/lifted.npz" in again["reused"]
    assert [w for w in again["warnings"] if "lifter.first_frame" in w] == [w for w in first["warnings"] if "lifter.first_frame" in w] != []


@pytest.mark.parametrize("made", ["no file", "another pickle", "a hostile pickle"])
def test_a_bad_file_is_one_line(walk, tmp_path, capsys, monkeypatch, made):
    """Exit code 3, one line on stderr, nothing run."""
    if made != "no file":
        (tmp_path / "g.pt").write_bytes(b"cposix\nsystem\n(X\x09\x00\x00\x00touch rantR." if made.startswith("a hostile") else b"\x80\x02]q.")
    monkeypatch.chdir(tmp_path)
    ended = here(capsys, "run", "--detector", f"openpose:{walk[0]}", *FLAGS, "-o", tmp_path / "o", "--lifter", f"gvhmr:{tmp_path / 'g.pt'}")
    assert ended.code == 3 and len(ended.err.strip().splitlines()) == 1, ended.err
    assert ended.err.startswith("Error: Expected") and not (tmp_path / "ran").exists()


def test_pictures_and_a_checkpoint_with_the_refiner_in_its_latent_space(walk, clip, tmp_path, capsys):
    """mrs run VIDEO --set lifter.checkpoint=FILE: codes are kept, sfv turns them, and their decoder's pose comes out."""
    checkpoints.spin(tmp_path / "m.pt", zipped=False)
    ended = here(capsys, "run", clip, "--detector", f"openpose:{walk[0]}", "--fov", "50", "--quiet", "--no-overlay", "-o", tmp_path / "o",
                 "--set", f"lifter.checkpoint={tmp_path / 'm.pt'}", *QUICK, "--set", "smoother.space=latent",
                 "--foot-lock", "never", "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["stages"]["lifter"]["name"] == "hmr-image" and report["stages"]["lifter"]["made_from"]["checkpoint"]
    lifted, motion = (Motion.load(tmp_path / f"o/persons/01/{n}.npz") for n in ("lifted", "motion"))
    assert lifted.code.shape == (COUNT, 32 * checkpoints.WIDTH)
    from mrs.lifting import checkpoint

    head = checkpoint.load(tmp_path / "m.pt").head
    said = head.rotations(head(torch.as_tensor(lifted.code, dtype=torch.float32))[1])[:, 1:].numpy()
    moved = np.degrees(rotations.geodesic_angle(rotations.matrix_to_quat(said), motion.local_quat_wxyz[:, 1:]))
    assert 0.01 < moved.mean() < 60
    ended = here(capsys, "smooth", tmp_path / "o", "--quiet", "--set", "smoother.iterations=5")
    assert ended.code == 0, ended.err
    ended = here(capsys, "smooth", tmp_path / "o", "--quiet", "--set", "smoother.space=pose")
    assert ended.code == 0, ended.err


def test_without_a_checkpoint_or_pictures_one_line_says_what_to_do(walk, clip, tmp_path, capsys):
    ended = real("run", clip, "--detector", f"openpose:{walk[0]}", "--quiet", "-o", tmp_path / "o", "--lifter", "hmr-image")
    assert ended.code == 4 and len(ended.err.strip().splitlines()) == 1
    assert "model_checkpoint.pt" in ended.err and "--set lifter.checkpoint=FILE" in ended.err
    checkpoints.spin(tmp_path / "m.pt")
    ended = here(capsys, "run", "--detector", f"openpose:{walk[0]}", *FLAGS, "-o", tmp_path / "p", "--lifter", "hmr-image",
                 "--set", f"lifter.checkpoint={tmp_path / 'm.pt'}")
    assert ended.code == 2 and "looks at pictures. Type: --lifter smplify" in ended.err


@pytest.mark.parametrize("kind", [{"name": "SMPL_NEUTRAL.pkl"}, {"name": "SMPLX_NEUTRAL.npz", "joints": 55, "shapes": 20}])
def test_every_stage_works_with_a_body_of_the_user(walk, tmp_path, capsys, kind):
    """Lifted, refined, exported, re-enacted, smoothed again and measured; the motion names its body, run.json the file's hash."""
    folder, truth = walk
    path = model_files.write(tmp_path / kind.pop("name"), **kind, bend=0.001)
    out = tmp_path / "o"
    ended = here(capsys, "run", "--detector", f"openpose:{folder}", *FLAGS, *QUICK, "-o", out, "--lifter", "smplify", "--body", f"smplx:{path}",
                 "--synth", "displacement-copy", "--json")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["stages"]["lifter"]["body"]["name"] == f"smplx:{path}" and report["stages"]["lifter"]["body"]["sha256"]
    motion = Motion.load(out / "persons/01/motion.npz")
    assert motion.body == f"smplx:{path}" and (out / "persons/01/synth/displacement-copy.bvh").is_file()
    assert pose_mm(motion, truth) < 120
    for smoother in ("sfv-2018", "one-euro"):
        ended = here(capsys, "smooth", out, "--smoother", smoother, "--quiet")
        assert ended.code == 0, ended.err
    again = Motion.load(out / "persons/01/motion.npz")
    assert again.body == motion.body
    ended = here(capsys, "smooth", out, "--body", "smplx:elsewhere.npz")
    assert ended.code == 2 and "--body belongs to the stages before it" in ended.err


def test_a_body_that_is_not_there_is_one_line(walk, tmp_path, capsys):
    ended = here(capsys, "run", "--detector", f"openpose:{walk[0]}", *FLAGS, "-o", tmp_path / "o", "--body", "smplx:nowhere.npz")
    assert ended.code == 4 and len(ended.err.strip().splitlines()) == 1 and "MRS_SMPL_DIR" in ended.err


def test_auto_takes_smplify_for_2d_alone(walk, tmp_path, capsys):
    """A detector without 3D landmarks and no lifter named: smplify end to end, and a note that says so."""
    folder, truth = walk
    ended = here(capsys, "run", "--detector", f"openpose:{folder}", *FLAGS, *QUICK, "-o", tmp_path / "o", "--json")
    report = json.loads(ended.out)
    assert ended.code == 0 and report["stages"]["lifter"]["name"] == "smplify"
    assert any("makes bodies from 2D alone" in line for line in report["warnings"])
    assert pose_mm(Motion.load(tmp_path / "o/persons/01/motion.npz"), truth) < 120


def test_auto_takes_smplify_for_rtmpose(tmp_path, capsys):
    """A network that sees 17 points in 2D, on pictures: from the clip to BVH without a lifter named."""
    net = pose_nets.write(tmp_path / "net.onnx", "standing")
    ended = here(capsys, "run", SAMPLE, "-o", tmp_path / "o", "--detector", "rtmpose", "--set", f"detector.model={net}", "--end", "0.35", *QUICK,
                 "--person", "largest", "--no-overlay", "--quiet", "--json", "--set", "tracker.min_seen_s=0.2")
    assert ended.code == 0, ended.err
    report = json.loads(ended.out)
    assert report["stages"]["lifter"]["name"] == "smplify" and (tmp_path / "o/persons" / "01" / "motion.bvh").is_file()
    upright = rotations.quat_to_matrix(Motion.load(tmp_path / "o/persons/01/motion.npz").local_quat_wxyz[:, 0])[:, 1, 1]
    assert upright.min() > 0.8
