"""Every export of the shipped clip, through the real command, taken by the reader it is for."""

import json
import pickle

import numpy as np
import pytest

from mrs import plugins
from mrs.motion import Motion
from tests.command import real
from tests.formats import consumers
from tests.formats.test_robot_export import mjcf

PERSON = "01"


@pytest.fixture(scope="module")
def exported(part, tmp_path_factory):
    """The woman's motion, and the folder of all exports that this machine can write."""
    registry = plugins.load()
    names = [n for n in registry.names("exporter") if not plugins.stages.missing_needs(registry.get("exporter", n).cls)]
    folder, out = part[0], tmp_path_factory.mktemp("exports")
    ended = real("export", folder, "--to", ",".join(names), "-o", out, "--person", "1,2")
    assert ended.code == 0, ended.err
    assert len(list(out.iterdir())) == 2 * len(names)
    return Motion.load(folder / "persons" / PERSON / "motion.npz"), out


def file_of(exported, name):
    """The woman's file of a format."""
    return next(exported[1].glob(f"{PERSON}_{name}.*"))


def test_bvh_readers(exported):
    """bvhio takes our dialects: frames, and a head above the hips."""
    bvhio = pytest.importorskip("bvhio")
    for name, head in (("bvh", "head"), ("gmr-lafan1", "Head")):
        root = bvhio.readAsHierarchy(str(file_of(exported, name)))
        root.loadPose(0)
        joints = {joint.Name: joint.PositionWorld for joint, _, _ in root.layout()}
        assert 120 < joints[head].y < 200 and bvhio.readAsBvh(str(file_of(exported, name))).FrameCount > 40


def test_character_files(exported):
    """DeepMimic, MimicKit and ASE agree on a person who walks upright: as many frames, wrists and ankles where they belong."""
    motion, _ = exported
    _, durations, joints, _ = consumers.deepmimic(file_of(exported, "deepmimic"))
    mode, fps, others, frames = consumers.mimickit(file_of(exported, "mimickit"))
    data, _, placed, _ = consumers.skeleton_motion(file_of(exported, "ase"))
    assert len(frames) == len(durations) == len(placed) == len(motion) and mode == 0
    assert fps == pytest.approx(motion.fps, rel=1e-3) and data["fps"] == pytest.approx(fps)
    assert (joints["neck"][:, 1] - joints["root"][:, 1] > 0.4).all() and joints["left_ankle"][:, 1].min() > 0.03
    np.testing.assert_allclose(others["left_wrist"][:, 2], joints["left_wrist"][:, 1], atol=1e-4)


def test_smpl_files(exported):
    """AMASS, GMR, PHC and ProtoMotions: lengths agree, the pelvis is a metre up, quaternions are unit."""
    torch = pytest.importorskip("torch")
    frames = len(exported[0])
    for name in ("amass", "gmr"):
        with np.load(file_of(exported, name), allow_pickle=False) as file:
            assert file["poses"].shape == (frames, 165) and file["trans"].shape == (frames, 3) and np.isfinite(file["poses"]).all()
            assert 0.7 < np.median(file["trans"][:, 2]) < 1.1
    with open(file_of(exported, "phc"), "rb") as file:
        clip = next(iter(pickle.load(file).values()))
    np.testing.assert_allclose(np.linalg.norm(clip["pose_quat_global"], axis=-1), 1, atol=1e-6)
    proto = torch.load(file_of(exported, "protomotions"), weights_only=True)
    assert proto["rigid_body_pos"].shape[0] == frames and proto["rigid_body_pos"][..., 2].min() > 0.01
    assert proto["rigid_body_contacts"][:, [3, 4, 7, 8]].any() and not proto["rigid_body_contacts"][:, 13].any()


def test_joblib_reads_phcs_pickle(exported):
    """PHC loads it by joblib."""
    joblib = pytest.importorskip("joblib")
    clip = next(iter(joblib.load(file_of(exported, "phc")).values()))
    assert clip["root_trans_offset"].clone().shape == (len(exported[0]), 3)


def test_robot_files(exported):
    """MuJoCo takes qpos and qvel; the CSV has its 36 columns; no joint beyond its range; no link in the floor."""
    mujoco = pytest.importorskip("mujoco")
    model = mujoco.MjModel.from_xml_string(mjcf())
    data = mujoco.MjData(model)
    with np.load(file_of(exported, "loco-mujoco"), allow_pickle=False) as file:
        qpos, qvel = file["qpos"], file["qvel"]
    assert qpos.shape == (len(exported[0]), model.nq) and qvel.shape == (len(qpos), model.nv)
    for row in qpos[::10]:
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        assert data.xpos[1:, 2].min() > 0.02
    low, high = model.jnt_range[1:].T
    assert (qpos[:, 7:] >= low - 1e-6).all() and (qpos[:, 7:] <= high + 1e-6).all()
    assert np.loadtxt(file_of(exported, "mjlab-csv"), delimiter=",").shape[1] == 36
    with np.load(file_of(exported, "mjlab")) as file:
        assert file["body_quat_w"].shape[1:] == (30, 4) and file["fps"].tolist() == [50]


def test_scene_files(exported):
    """glTF by trimesh and pygltflib, C3D by ezc3d, TRC and CSV as text."""
    trimesh = pytest.importorskip("trimesh")
    scene = trimesh.load(str(file_of(exported, "gltf")))
    assert len(next(iter(scene.geometry.values())).vertices) > 2000
    assert pytest.importorskip("pygltflib").GLTF2().load(str(file_of(exported, "gltf"))).animations
    c3d = pytest.importorskip("ezc3d").c3d(str(file_of(exported, "c3d")))
    assert c3d["data"]["points"].shape == (4, 24, len(exported[0]))
    assert file_of(exported, "trc").read_text().startswith("PathFileType\t4")
    assert file_of(exported, "csv").read_text().count("\n") == len(exported[0]) + 1
    assert json.loads(file_of(exported, "deepmimic").read_text())["Loop"] == "none"
