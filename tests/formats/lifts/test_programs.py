"""Each program's file says the motion it was made of: axes, pelvis against trans, order of joints, cameras, frames and ids."""

import pickle

import numpy as np
import pytest
import torch

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats import restricted
from mrs.formats.lifts import programs
from mrs.world import level_camera
from tests.body.poses import random_quats
from tests.formats.lifts import files

SIZE = (1280, 720)
COUNT = 12


def truth(shift=(0.0, 0.0, 0.0)):
    """Anybody at all, before a camera that looks down and stands aside."""
    camera = level_camera(SIZE, 60, 20)
    camera = type(camera)(camera.K, camera.R, np.array([0.3, 1.0, 4.0]), camera.size_px)
    root = np.stack([np.linspace(-1, 1, COUNT), np.full(COUNT, 0.9), np.linspace(0.5, -0.5, COUNT)], -1) + shift
    body = load_body()
    motion = body.motion(np.arange(COUNT) / 30, root, random_quats(COUNT, 4), np.zeros(10), camera=camera)
    motion.local_quat_wxyz[:, 22:] = rotations.axis_angle_to_quat(np.tile([[0.1, 0.2, 0.3], [-0.3, 0.1, 0.2]], (COUNT, 1, 1)))
    return motion


def read(name, tmp_path, motion, **how):
    path = tmp_path / name
    getattr(files, name)(path, motion, SIZE, **how)
    return getattr(programs, f"read_{name}")(path, SIZE)


PLACED = ("vibe", "wham", "gvhmr", "phalp", "tram")


@pytest.mark.parametrize("name", ("hmmr", *PLACED))
def test_rotations_are_smpls_before_the_camera(tmp_path, name):
    """Every joint in its place, the root in x right, y down, z forward; GVHMR's hands follow their wrists."""
    motion = truth()
    (one,) = read(name, tmp_path, motion)
    local, _ = files.in_camera(motion)
    rows = slice(0, COUNT - 1) if name == "phalp" else slice(None)
    joints = 22 if name == "gvhmr" else 24
    np.testing.assert_allclose(one.turned[:, :joints], local[rows, :joints], atol=1e-5)
    np.testing.assert_allclose(one.turned[:, joints:], np.broadcast_to(np.eye(3), one.turned[:, joints:].shape), atol=1e-6)
    np.testing.assert_allclose(one.betas, np.tile(files.BETAS, (len(one), 1)), atol=1e-6)
    assert one.family == ("SMPL-X" if name == "gvhmr" else "SMPL")
    np.testing.assert_array_equal(one.frames, np.arange(COUNT)[rows])


@pytest.mark.parametrize("name", PLACED)
def test_the_pelvis_shows_where_it_did_and_as_large(tmp_path, name):
    """Whatever the file's camera: its pixel, and the pixels that a metre has there; trans is the model's origin, not the pelvis."""
    motion = truth()
    (one,) = read(name, tmp_path, motion)
    _, pelvis = files.in_camera(motion)
    pixel, per_metre = one.pelvis_px()
    np.testing.assert_allclose(pixel, motion.camera.project(motion.root_pos_m)[: len(one)], atol=0.02)
    np.testing.assert_allclose(per_metre, (motion.camera.focal_px / pelvis[:, 2])[: len(one)], rtol=2e-4)
    wrong, _ = one.pelvis_px(np.zeros(3))
    assert np.abs(wrong - pixel)[:, 1].min() > 10


def test_hmmr_does_not_say_where_or_since_when(tmp_path):
    (one,) = read("hmmr", tmp_path, truth())
    assert not one.is_placed and one.floating


@pytest.mark.parametrize("name", ["vibe", "wham", "tram"])
def test_frames_are_those_of_the_video(tmp_path, name):
    (one,) = read(name, tmp_path, truth(), first=5)
    np.testing.assert_array_equal(one.frames, 5 + np.arange(COUNT))


@pytest.mark.parametrize("name", ["wham", "gvhmr"])
@pytest.mark.parametrize("tilt", [-10.0, 0.0, 25.0])
def test_the_worlds_y_axis_tells_the_cameras_tilt(tmp_path, name, tilt):
    (one,) = read(name, tmp_path, truth(), tilt_deg=tilt)
    np.testing.assert_allclose(one.tilt_deg(), (tilt, 0), atol=1e-3)


@pytest.mark.parametrize("name", ["vibe", "phalp"])
def test_everybody_is_read(tmp_path, name):
    a, b = truth(), truth((0.8, 0, 0))
    people = {3: (a, 0), 5: (b, 0)} if name == "vibe" else {3: a, 5: b}
    found = read(name, tmp_path, a, people=people)
    assert [one.label for one in found] == ["3", "5"]
    assert found[1].pelvis_px()[0][0, 0] > found[0].pelvis_px()[0][0, 0]


def test_files_of_joblib_as_vibe_wham_and_phalp_write_them(tmp_path):
    joblib = pytest.importorskip("joblib")
    motion = truth()
    for name, compress in (("vibe", 0), ("wham", 0), ("phalp", 3)):
        import pickle

        (one,) = read(name, tmp_path, motion)
        joblib.dump(pickle.loads((tmp_path / name).read_bytes()), tmp_path / "again.pkl", compress=compress)
        (again,) = getattr(programs, f"read_{name}")(tmp_path / "again.pkl", SIZE)
        np.testing.assert_array_equal(again.turned, one.turned)
        np.testing.assert_array_equal(again.pelvis_px()[0], one.pelvis_px()[0])


def test_a_track_of_tram_alone_has_no_camera(tmp_path):
    read("tram", tmp_path, truth())
    (tmp_path / "tram" / "camera.npy").unlink()
    (one,) = programs.read_tram(tmp_path / "tram" / "hps" / "hps_track_0.npy", SIZE)
    assert not one.is_placed and one.trans_m is not None


def test_a_camera_of_gvhmr_for_all_frames_and_files_of_other_betas(tmp_path):
    read("gvhmr", tmp_path, truth())
    held = torch.load(tmp_path / "gvhmr", weights_only=False)
    held["K_fullimg"], held["smpl_params_incam"]["betas"] = held["K_fullimg"][0], held["smpl_params_incam"]["betas"][0]
    torch.save(held, tmp_path / "again.pt")
    (one,) = programs.read_gvhmr(tmp_path / "again.pt", SIZE)
    assert one.K.shape == (COUNT, 3, 3) and one.betas.shape == (COUNT, 10)


BROKEN = {"nan": lambda h: h["smpl_params_incam"]["transl"].fill_(float("nan")), "no pose": lambda h: h["smpl_params_incam"].pop("body_pose"),
          "short": lambda h: h["smpl_params_incam"].update(transl=torch.zeros(3, 3)), "nothing": lambda h: h.clear(),
          "69 numbers": lambda h: h["smpl_params_incam"].update(body_pose=torch.zeros(COUNT, 69)),
          "words": lambda h: h["smpl_params_incam"].update(transl="here")}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_is_no_result_is_refused_in_a_line(tmp_path, change):
    read("gvhmr", tmp_path, truth())
    held = torch.load(tmp_path / "gvhmr", weights_only=False)
    change(held)
    torch.save(held, tmp_path / "broken.pt")
    with pytest.raises(InputError, match="Expected") as refused:
        programs.read_gvhmr(tmp_path / "broken.pt", SIZE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ("hmmr", *PLACED))
@pytest.mark.parametrize("held", [[], {}, {"a": 1}, {"0": {"pose": 3}}, 5])
def test_other_pickles_are_refused_in_a_line(tmp_path, name, held):
    import pickle

    (tmp_path / "x.pkl").write_bytes(pickle.dumps(held))
    with pytest.raises(InputError, match="Expected") as refused:
        getattr(programs, f"read_{name}")(tmp_path / "x.pkl", SIZE)
    assert "\n" not in str(refused.value)


def test_what_does_not_fit_is_said_in_words(tmp_path):
    """NaN is called NaN; two arrays of other lengths are named with both."""
    path = tmp_path / "w.pkl"
    for name, change, words in (("trans", lambda v: v * np.nan, "got NaN or infinity"), ("pose", lambda v: v[:5], "for each of 5 poses, but got")):
        files.wham(path, truth(), SIZE)
        held = restricted.read(path, "a result")
        person = next(iter(held.values()))
        person[name] = change(person[name])
        path.write_bytes(pickle.dumps(held))
        with pytest.raises(InputError, match=words):
            programs.read_wham(path, SIZE)
