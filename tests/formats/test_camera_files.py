"""Cameras in files: what is read, what it means for a video, and what is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from mrs import rotations
from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.formats import camera_files
from mrs.world import level_camera

TIMES_S = np.arange(6) / 30
VIDEO = SimpleNamespace(size_px=(1280, 720), times_s=TIMES_S, frame_ids=np.arange(10, 16))
LEVEL = level_camera(VIDEO.size_px, 50, 8)


class Clip(SimpleNamespace):
    """What a camera file needs of a video."""

    def __len__(self):
        return len(self.times_s)


CLIP = Clip(**vars(VIDEO))


def moving(count=6):
    """A camera that turns and walks, level in its first frame, standing aside."""
    turn = rotations.axis_angle_to_matrix(np.linspace([0, 0, 0], [0.1, 0.6, -0.05], count))
    R = turn @ LEVEL.R
    centre = np.linspace([1.0, 1.5, 4], [2.0, 1.4, 4.2], count)
    return Camera(LEVEL.K, R, -(R @ centre[..., None])[..., 0], VIDEO.size_px)


def read(path):
    """The file's camera for the clip."""
    return camera_files.read(path).camera_of(CLIP, LEVEL)


def same(found, wanted, atol=1e-9):
    """Whether two cameras see a cloud of points alike."""
    cloud = np.random.default_rng(0).normal(size=(6, 20, 3)) + [0, 1, -5]
    np.testing.assert_allclose(found.to_camera(cloud), wanted.to_camera(cloud), atol=atol)
    np.testing.assert_allclose(np.broadcast_to(found.K, (6, 3, 3)), np.broadcast_to(wanted.K, (6, 3, 3)), atol=atol)


def as_json(path, camera, **more):
    """Write JSON by hand."""
    path.write_text(json.dumps({"K": camera.K.tolist(), "R": camera.R.tolist(), "t": camera.t.tolist(), **more}))
    return path


def as_tum(path, camera, times_s):
    """Write a TUM trajectory by hand: camera to world, x y z w."""
    quats = rotations.matrix_to_quat(np.swapaxes(camera.R, -1, -2))
    lines = ["# time tx ty tz qx qy qz qw"]
    lines += [" ".join(f"{v:.9f}" for v in (time, *centre, x, y, z, w))
              for time, centre, (w, x, y, z) in zip(times_s, camera.centre_m, quats, strict=True)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_mrs_writes_it_reads(tmp_path):
    """camera.npz of one run is the --camera of another, bit for bit; load gives the facts too."""
    camera_files.save(tmp_path / "camera.npz", moving(), TIMES_S, VIDEO.frame_ids, {"motion": {"a": 1}})
    same(read(tmp_path / "camera.npz"), moving(), 0)
    back, facts = camera_files.load(tmp_path / "camera.npz")
    same(back, moving(), 0)
    assert facts["motion"] == {"a": 1}


@pytest.mark.parametrize("what", ["times_s", "frame_ids", "nothing", "other times", "other frames"])
def test_poses_are_matched_with_frames(tmp_path, what):
    """By time, by frame id, or one a frame; poses at other times are interpolated."""
    camera, extra = moving(), {}
    if what == "times_s":
        extra = {"times_s": TIMES_S.tolist()}
    elif what == "frame_ids":
        extra = {"frame_ids": VIDEO.frame_ids.tolist()}
    elif what == "other times":
        camera, extra = moving(11), {"times_s": np.linspace(0, TIMES_S[-1], 11).tolist()}
    elif what == "other frames":
        camera, extra = moving(11).at(slice(None, None, 2)), {"frame_ids": VIDEO.frame_ids.tolist()}
    same(read(as_json(tmp_path / "c.json", camera, **extra)), moving(), 1e-3)


def test_a_still_camera_in_a_file_is_still(tmp_path):
    """R (3,3) and t (3,) are a calibrated tripod, and without K the video's own lens is taken."""
    camera = moving().at(2)
    np.savez(tmp_path / "c.npz", R=camera.R, t=camera.t)
    found = read(tmp_path / "c.npz")
    assert found.is_still
    same(found, Camera(LEVEL.K, camera.R, camera.t, VIDEO.size_px))


def test_k_is_scaled_to_the_video(tmp_path):
    """K of a picture of half the size is doubled; another shape is refused."""
    camera = moving()
    half = Camera(camera.K * np.array([0.5, 0.5, 1])[:, None], camera.R, camera.t, (640, 360))
    same(read(as_json(tmp_path / "c.json", half, size_px=[640, 360], times_s=TIMES_S.tolist())), camera)
    with pytest.raises(InputError, match="640x480"):
        read(as_json(tmp_path / "c.json", half, size_px=[640, 480], times_s=TIMES_S.tolist()))


def test_a_world_with_z_up_is_turned(tmp_path):
    """Points (x, y, z) with z up are (x, z, -y) here."""
    camera = moving()
    to_z = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    z_up = Camera(camera.K, camera.R @ to_z.T, camera.t, camera.size_px)
    same(read(as_json(tmp_path / "c.json", z_up, times_s=TIMES_S.tolist(), up="z")), camera)


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.3, -2.0, 1.0)])
def test_a_trajectory_is_taken_from_its_first_pose(tmp_path, turn):
    """A TUM text in any world: the first camera is the level one at the origin, the others keep their way from it."""
    camera, turn = moving(), rotations.axis_angle_to_matrix(np.array(turn))
    elsewhere = Camera(camera.K, camera.R @ turn.T, camera.t + (camera.R @ turn.T) @ [3.0, -2, 1], camera.size_px)
    found = read(as_tum(tmp_path / "traj.txt", elsewhere, TIMES_S))
    np.testing.assert_allclose(found.R[0], LEVEL.R, atol=1e-6)
    np.testing.assert_allclose(found.centre_m[0], 0, atol=1e-6)
    for row in range(6):
        np.testing.assert_allclose(found.R[row] @ found.R[0].T, camera.R[row] @ camera.R[0].T, atol=1e-6)
    first = camera.R[0] @ (camera.centre_m - camera.centre_m[0]).T
    np.testing.assert_allclose(found.R[0] @ found.centre_m.T, first, atol=1e-6)


BAD = {
    "no R": ('{"t": [0, 0, 0]}', "R is missing"),
    "not JSON": ("R = 3", "can't be read"),
    "a list": ("[1, 2]", "list"),
    "words": ('{"R": "east", "t": [0, 0, 0]}', "numbers"),
    "up": ('{"R": [[1,0,0],[0,1,0],[0,0,1]], "t": [0,0,0], "up": "west"}', "y, z, first"),
    "no rotation": ('{"R": [[2,0,0],[0,1,0],[0,0,1]], "t": [0,0,0]}', "rotations"),
    "shapes": ('{"R": [[1,0,0],[0,1,0],[0,0,1]], "t": [0,0]}', "camera_t"),
    "size": ('{"R": [[1,0,0],[0,1,0],[0,0,1]], "t": [0,0,0], "size_px": [3]}', "width and height"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_camera_is_refused_in_one_line(tmp_path, name):
    """The message names the file and what is wrong."""
    text, message = BAD[name]
    path = tmp_path / "camera.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as told:
        read(path)
    assert str(path) in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(("text", "message"), [
    ("", "has none"), ("0 1 2 3\n", "line 1"), ("# x\n0 0 0 0 0 0 0 one\n", "line 2"), ("0 0 0 0 1 1 1 1\n", "unit quaternions"),
    ("0 0 0 0 0 0 0 1\n0 0 0 0 0 0 0 1\n", "growing"), ("5 0 0 0 0 0 0 1\n6 0 0 0 0 0 0 1\n", "has them from 5 to 6"),
])
def test_bad_trajectories_are_refused(tmp_path, text, message):
    """Empty, short, wordy, not unit, not growing, of another time."""
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "t.txt")


def test_poses_for_another_number_of_frames_are_refused(tmp_path):
    """Without times there has to be one a frame."""
    with pytest.raises(InputError, match="each of the 6 frames, but it has 4"):
        read(as_json(tmp_path / "c.json", moving(4)))


@pytest.mark.parametrize("name", ["none.npz", "c.yaml"])
def test_files_that_are_not_there_or_of_another_kind(tmp_path, name):
    """Missing files and unknown endings."""
    (tmp_path / "c.yaml").write_text("R: 1")
    with pytest.raises(InputError, match="camera file"):
        camera_files.read(tmp_path / name)


def test_pickles_are_not_loaded(tmp_path):
    """An npz of objects is refused."""
    np.savez(tmp_path / "c.npz", R=np.array([{"a": 1}], dtype=object), t=np.zeros(3))
    with pytest.raises(InputError, match="plain arrays"):
        camera_files.read(tmp_path / "c.npz")
