"""Unitree G1 files: MuJoCo agrees on where links are and how they move; known poses give known angles; limits hold."""

import numpy as np
import pytest

from mrs import plugins, rotations
from mrs.errors import InputError
from mrs.formats import g1, g1_pose
from mrs.skeletons import SMPL_24
from tests.formats.known_pose import FPS, FRAMES, ROOT_M, SIM_WXYZ, bone, known_pose, wandering


def write(motion, path, name, **options):
    """Write through the plugin; return notes."""
    return plugins.load().make("exporter", name, options).write(motion, path)


def mjcf():
    """The table as a model: what `g1_29dof.xml` is without meshes."""
    def body(name):
        inside = "".join(body(link.name) for link in g1.HINGED if link.parent == name)
        link = next((link for link in g1.HINGED if link.name == name), None)
        where = "" if link is None else f'pos="{" ".join(map(str, link.place_m))}" quat="{" ".join(map(str, link.quat_wxyz))}"'
        joint = '<freejoint name="root"/>' if link is None else (
            f'<joint name="{link.joint}" axis="{" ".join(str(float(i == link.axis)) for i in range(3))}" '
            f'range="{link.range_rad[0]} {link.range_rad[1]}"/>')
        return f'<body name="{name}" {where}>{joint}<geom size=".01" mass="1"/>{inside}</body>'

    return f'<mujoco><compiler angle="radian"/><worldbody>{body("pelvis")}</worldbody></mujoco>'


@pytest.fixture(scope="module")
def model():
    """MuJoCo's model of the table."""
    return pytest.importorskip("mujoco").MjModel.from_xml_string(mjcf())


def test_joints_stand_in_the_models_order(model):
    """29 joints and 30 links, depth first, by the names that mjlab lists; the waist between legs and arms."""
    mujoco = pytest.importorskip("mujoco")
    assert [model.joint(j).name for j in range(1, model.njnt)] == list(g1.JOINTS) and model.nq == 36
    assert [model.body(b).name for b in range(1, model.nbody)] == list(g1.LINKS)
    assert g1.JOINTS[:6] == tuple(f"left_{n}_joint" for n in ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll"))
    assert g1.JOINTS[12:16] == ("waist_yaw_joint", "waist_roll_joint", "waist_pitch_joint", "left_shoulder_pitch_joint")
    assert mujoco is not None


def test_mujoco_has_the_links_where_the_npz_has_them(tmp_path, model):
    """mjlab's npz: positions and w x y z turns of all links are MuJoCo's kinematics of the joint angles; loco-mujoco's qpos is the same."""
    mujoco = pytest.importorskip("mujoco")
    motion = wandering(20, fps=50)
    notes = write(motion, tmp_path / "a.npz", "mjlab")
    write(motion, tmp_path / "b.npz", "loco-mujoco")
    data = mujoco.MjData(model)
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        assert a["fps"].tolist() == [50] and a["joint_pos"].shape == (20, 29) and a["body_pos_w"].shape == (20, 30, 3)
        for row in range(0, 20, 4):
            data.qpos[:] = [*a["body_pos_w"][row, 0], *a["body_quat_w"][row, 0], *a["joint_pos"][row]]
            mujoco.mj_kinematics(model, data)
            np.testing.assert_allclose(data.xpos[1:], a["body_pos_w"][row], atol=1e-5)
            np.testing.assert_allclose(np.abs((data.xquat[1:] * a["body_quat_w"][row]).sum(1)), 1, atol=1e-6)
            np.testing.assert_allclose(b["qpos"][row], data.qpos, atol=1e-5)
    assert "degrees away" in notes[0]


def test_velocities_are_mujocos(tmp_path, model):
    """Stepping loco-mujoco's qpos by its qvel, as MuJoCo integrates them (turning in the body's own frame), lands on the next frames."""
    mujoco = pytest.importorskip("mujoco")
    write(known_pose(9), tmp_path / "b.npz", "loco-mujoco")
    with np.load(tmp_path / "b.npz") as file:
        data = {name: file[name] for name in file.files}
    for row in range(1, 7):
        qpos = data["qpos"][row].copy()
        mujoco.mj_integratePos(model, qpos, data["qvel"][row], 1 / FPS)
        np.testing.assert_allclose(qpos[:3], data["qpos"][row + 1, :3], atol=1e-4)
        assert abs((qpos[3:7] * data["qpos"][row + 1, 3:7]).sum()) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(data["qvel"][3, 3:6]), np.radians(60), atol=1e-3)


def test_loco_mujocos_loader_knows_every_key(tmp_path):
    """Only fields of TrajectoryInfo, TrajectoryModel and TrajectoryData; names match types; nothing is pickled."""
    info, model, data = {"joint_names", "frequency"}, {"njnt", "jnt_type"}, {"qpos", "qvel", "split_points"}
    write(known_pose(), tmp_path / "b.npz", "loco-mujoco", root_joint="pelvis")
    with np.load(tmp_path / "b.npz", allow_pickle=False) as file:
        assert set(file.files) == info | model | data
        assert file["joint_names"].tolist()[:2] == ["pelvis", "left_hip_pitch_joint"] and file["frequency"].tolist() == 30
        assert file["njnt"] == len(file["jnt_type"]) == 30 and file["jnt_type"].tolist() == [0] + [3] * 29
        assert file["qpos"].shape == (FRAMES, 36) and file["qvel"].shape == (FRAMES, 35) and file["split_points"].tolist() == [0, FRAMES]


def test_known_pose_as_csv(tmp_path):
    """Root x y z, quaternion x y z w, 29 joints, no header: the raised left arm, the bent right knee, what is straight straight."""
    write(known_pose(), tmp_path / "a.csv", "mjlab-csv")
    rows = np.loadtxt(tmp_path / "a.csv", delimiter=",")
    assert rows.shape == (FRAMES, 36)
    np.testing.assert_allclose(np.abs(rows[0, 3:7]), np.abs([*SIM_WXYZ[1:], SIM_WXYZ[0]]), atol=2e-5)
    angles = dict(zip(g1.JOINTS, rows[0, 7:]))
    assert angles["right_knee_joint"] == pytest.approx(np.pi / 2 + np.radians(8), abs=0.12)
    assert angles["left_knee_joint"] == pytest.approx(np.radians(8), abs=0.12)
    assert angles["right_shoulder_roll_joint"] < -1.2
    assert abs(angles["waist_yaw_joint"]) < 0.1 and abs(angles["waist_pitch_joint"]) < 0.1
    steps = np.diff(rows[:, :3], axis=0) * FPS
    scale = steps[0, 0] / 1.2
    assert 0.6 < scale < 0.8
    np.testing.assert_allclose(steps[:, :2], np.tile([1.2 * scale, 0.3 * scale], (FRAMES - 1, 1)), atol=0.03)


@pytest.mark.parametrize("seed", range(3))
def test_limbs_follow_within_the_limits(seed):
    """Angles stay in their ranges, change steadily, and limbs point within a few degrees of the person's where the robot can."""
    motion = wandering(30, seed=seed)
    robot = g1_pose.to_g1(motion)
    assert (robot.angles >= g1.RANGES_RAD[:, 0] - 1e-9).all() and (robot.angles <= g1.RANGES_RAD[:, 1] + 1e-9).all()
    assert robot.mean_error_deg < 8
    placed, _ = robot.links()
    for row in (0, 15, 29):
        for side in ("left", "right"):
            there = rotations.normalise(placed[row, g1.LINKS.index(f"{side}_ankle_pitch_link")] - placed[row, g1.LINKS.index(f"{side}_knee_link")])
            here = bone(motion, f"{side}_knee", f"{side}_ankle", row)[[2, 0, 1]]
            assert np.degrees(np.arccos(np.clip(there @ here, -1, 1))) < 15
    assert placed[..., 2].min() > 0.02


def test_the_robot_stands_where_the_person_stands(tmp_path):
    """Soles on the floor for a standing person, facing +X, feet as contacts have them."""
    import mrs

    h5py = pytest.importorskip("h5py")
    still = mrs.Motion.standing(np.arange(6) / 30)
    robot = g1_pose.to_g1(still)
    placed, _ = robot.links()
    soles = placed[:, g1.LINKS.index("left_ankle_roll_link"), 2] - 0.035
    assert np.abs(soles).max() < 0.01 and robot.root_pos_m[0, 2] == pytest.approx(0.79, abs=0.02)
    write(known_pose(), tmp_path / "a.h5", "videomimic")
    with h5py.File(tmp_path / "a.h5") as file:
        assert list(file.attrs["joint_names"]) == list(g1.JOINTS) and list(file.attrs["link_names"]) == list(g1.LINKS) and file.attrs["fps"] == 30
        assert file["joints"].shape == (FRAMES, 29) and file["link_quat"].shape == (FRAMES, 30, 4)
        np.testing.assert_allclose(np.abs(file["root_quat"][0]), np.abs([*SIM_WXYZ[1:], SIM_WXYZ[0]]), atol=2e-5)
        np.testing.assert_allclose(file["link_quat"][:, 0], file["root_quat"][:], atol=1e-6)
        np.testing.assert_allclose(file["link_pos"][:, 0], file["root_pos"][:], atol=1e-6)
        assert file["contacts/left_foot"][:].all() and not file["contacts/right_foot"][:].any()
        np.testing.assert_allclose(file["persons/1/joints"][:], file["joints"][:])
        assert list(file["persons/1"].attrs["joint_names"]) == list(g1.JOINTS)
    assert ROOT_M[1] > 1 and SMPL_24.names[0] == "pelvis"


def test_one_frame_is_refused(tmp_path):
    """One line."""
    with pytest.raises(InputError, match="at least 2 frames"):
        write(known_pose(frames=1), tmp_path / "a.npz", "mjlab")
