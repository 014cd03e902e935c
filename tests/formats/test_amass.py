"""AMASS files on the embedded body: axes, the pelvis, joint order and rates, in the layouts of SMPL-H and SMPL-X."""

import numpy as np
import pytest

from mrs import plugins, rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats import amass
from mrs.reading import read_motion
from mrs.skeletons import SMPL_24
from mrs.world.ground import sole_points
from tests.walker import walker

UPRIGHT = np.array([np.pi / 2, 0, 0])
STAND = np.array([1.0, 2, 0.95])


def smplh(path, pose, trans, /, **more):
    """Write the SMPL-H layout from pose vectors (T, 66); fingers are curled, which must not matter."""
    fingers = np.full((len(pose), 90), 0.4)
    arrays = {"poses": np.concatenate([pose, fingers], 1), "trans": trans, "betas": np.arange(16.0), "gender": np.array("female"),
              "mocap_framerate": np.array(120.0), "dmpls": np.zeros((len(pose), 8))}
    np.savez(path, **(arrays | more))
    return path


def smplx(path, pose, trans, /, **more):
    """Write the SMPL-X layout."""
    arrays = {"root_orient": pose[:, :3], "pose_body": pose[:, 3:], "trans": trans, "betas": np.zeros(16), "gender": np.array("neutral"),
              "surface_model_type": np.array("smplx"), "mocap_frame_rate": np.array(120.0), "poses": np.zeros((len(pose), 165)),
              "pose_hand": np.full((len(pose), 90), 0.4)}
    np.savez(path, **(arrays | more))
    return path


LAYOUTS = pytest.mark.parametrize("write", [smplh, smplx])


def standing(frames=4):
    """Pose vectors (T, 66) and trans of somebody who stands upright in a world with Z up, facing -Y."""
    pose = np.zeros((frames, 66))
    pose[:, :3] = UPRIGHT
    return pose, np.tile(STAND, (frames, 1))


@LAYOUTS
def test_z_up_becomes_y_up(tmp_path, write):
    """Who stands upright and faces -Y stands upright and faces +Z; x stays, z goes up, y goes back."""
    motion = amass.read(write(tmp_path / "a.npz", *standing()), floor="file")
    assert np.allclose(np.abs(motion.local_quat_wxyz[:, 0]), [1, 0, 0, 0], atol=1e-12)
    head, pelvis = motion.joints_m[0, SMPL_24.index("head")], motion.joints_m[0, 0]
    assert head[1] - pelvis[1] > 0.5 and abs(head[0] - pelvis[0]) < 0.01
    shift = motion.root_pos_m[0] - [1, 0.95, -2]
    assert np.allclose(shift, load_body().rest_m[0] @ amass.Z_UP_TO_Y_UP.T, atol=1e-12)


@LAYOUTS
def test_trans_is_not_turned_with_the_body(tmp_path, write):
    """J0 is added in the file's axes: a body that turns and moves has its pelvis's path equal to trans, but for one shift."""
    pose, trans = standing(40)
    angles = np.linspace(0, 3, 40)
    turn = rotations.axis_angle_to_quat(np.stack([0 * angles, 0 * angles, angles], -1))
    pose[:, :3] = rotations.quat_to_axis_angle(rotations.quat_multiply(turn, rotations.axis_angle_to_quat(UPRIGHT)[None]))
    trans = trans + np.stack([np.sin(angles), angles, 0.1 * angles], -1)
    motion = amass.read(write(tmp_path / "a.npz", pose, trans))
    moved = motion.root_pos_m - trans @ amass.Z_UP_TO_Y_UP.T
    assert np.allclose(moved, moved[0], atol=1e-9)
    about_y = rotations.axis_angle_to_quat(np.stack([0 * angles, angles, 0 * angles], -1))
    assert rotations.geodesic_angle(motion.local_quat_wxyz[:, 0], about_y).max() < 1e-9


@LAYOUTS
def test_the_22_body_joints_keep_their_places_and_hands_stay_flat(tmp_path, write):
    """Joint j's axis-angle stands at 3 j; nothing of the fingers reaches joints 22 and 23."""
    rng = np.random.default_rng(0)
    pose, trans = standing(3)
    pose[:, 3:] = rng.normal(size=(3, 63)) * 0.4
    motion = amass.read(write(tmp_path / "a.npz", pose, trans))
    wanted = rotations.axis_angle_to_quat(pose[:, 3:].reshape(3, 21, 3))
    assert rotations.geodesic_angle(motion.local_quat_wxyz[:, 1:22], wanted).max() < 1e-7
    assert np.allclose(np.abs(motion.local_quat_wxyz[:, 22:]), [1, 0, 0, 0])


def test_rates_are_never_rounded(tmp_path):
    """Both spellings of the rate are read as they are."""
    assert amass.read(smplh(tmp_path / "a.npz", *standing(), mocap_framerate=np.array(59.94))).fps == pytest.approx(59.94, abs=1e-9)
    assert amass.read(smplx(tmp_path / "b.npz", *standing(), mocap_frame_rate=np.array(100))).fps == pytest.approx(100, abs=1e-9)


def test_smpl_betas_do_not_shape_our_body(tmp_path):
    """The body has mean shape whatever the betas, or the height that is asked for."""
    motion = amass.read(smplh(tmp_path / "a.npz", *standing()))
    assert (motion.betas == 0).all()
    tall = amass.read(tmp_path / "a.npz", stature_m=1.95)
    assert load_body().stature_m(tall.betas) == pytest.approx(1.95, abs=1e-6)


def test_feet_come_down_on_the_ground_or_where_the_file_says(tmp_path):
    """With floor=feet the lowest soles lie at y = 0; with floor=file the height is the file's."""
    path = smplh(tmp_path / "a.npz", *standing())
    assert abs(sole_points(amass.read(path))[..., 1].min()) < 1e-6
    assert amass.read(path, floor="file").root_pos_m[0, 1] == pytest.approx(0.95, abs=0.01)


def test_a_file_with_y_up_stays_as_it_is(tmp_path):
    """up=y takes root orientation and trans as they are."""
    motion = amass.read(smplh(tmp_path / "a.npz", *standing()), up="y", floor="file")
    assert rotations.geodesic_angle(motion.local_quat_wxyz[:, 0], rotations.axis_angle_to_quat(UPRIGHT)).max() < 1e-9
    assert np.allclose(motion.root_pos_m[0], STAND + load_body().rest_m[0])


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(tmp_path):
    """An object array that is not needed is left alone; one that is needed is refused in one line."""
    bomb = np.array([Bomb(tmp_path / "exploded")], object)
    motion = amass.read(smplh(tmp_path / "a.npz", *standing(), gender=bomb))
    assert len(motion) == 4
    with pytest.raises(InputError, match="can't be read") as error:
        amass.read(smplh(tmp_path / "b.npz", *standing(), trans=bomb))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("change, words", [
    ({"mocap_framerate": np.array(0.0)}, "one positive number"),
    ({"mocap_framerate": np.array("fast")}, "one positive number"),
    ({"trans": np.zeros((4, 2))}, "trans"),
    ({"trans": np.full((4, 3), np.nan)}, "finite"),
    ({"poses": np.zeros((4, 60))}, "poses"),
    ({"poses": np.zeros(4)}, "poses"),
    ({"trans": np.zeros((0, 3)), "poses": np.zeros((0, 156))}, "at least one frame"),
])
def test_broken_files_are_refused_in_one_line(tmp_path, change, words):
    """Wrong shapes, rates and values are named."""
    with pytest.raises(InputError, match=words) as error:
        amass.read(smplh(tmp_path / "a.npz", *standing(), **change))
    assert "\n" not in str(error.value)


def test_a_missing_rate_and_a_missing_file_are_told(tmp_path):
    """The messages say what was looked for."""
    np.savez(tmp_path / "a.npz", poses=np.zeros((4, 156)), trans=np.zeros((4, 3)))
    with pytest.raises(InputError, match="mocap_framerate"):
        amass.read(tmp_path / "a.npz")
    with pytest.raises(InputError, match="there is none"):
        amass.read(tmp_path / "b.npz")


def test_npz_files_are_told_apart_by_what_they_hold(tmp_path):
    """motion.npz of mrs, AMASS, and neither."""
    registry = plugins.load()
    ours, _ = walker(np.arange(6) / 30)
    ours.save(tmp_path / "motion.npz")
    assert np.array_equal(read_motion(tmp_path / "motion.npz", registry).joints_m, ours.joints_m)
    theirs = read_motion(smplx(tmp_path / "b.npz", *standing()), registry)
    assert theirs.history[-1]["plugin"] == "amass" and "betas" in theirs.history[-1]["left_out"]
    np.savez(tmp_path / "c.npz", x=np.zeros(3))
    (tmp_path / "d.npz").write_text("no npz")
    for name in ("c.npz", "d.npz"):
        with pytest.raises(InputError, match="written by mrs"):
            read_motion(tmp_path / name, registry)


def test_a_pickle_is_not_recommended(tmp_path):
    """What is no npz is refused without NumPy's advice to load it unsafely."""
    import pickle

    (tmp_path / "a.npz").write_bytes(pickle.dumps({"poses": 1}))
    with pytest.raises(InputError, match="no npz") as told:
        amass.read(tmp_path / "a.npz")
    assert "unsafe" not in str(told.value) and "allow_pickle" not in str(told.value)
