"""AMASS, GMR, PHC, ProtoMotions and MimicKit's SMPL character out: numbers known by hand, read by the consumers' conventions."""

import pickle

import numpy as np
import pytest

from mrs import plugins, rotations
from mrs.body import load_body
from mrs.formats import amass, smpl_skeleton
from mrs.formats.carry import leg_m
from mrs.skeletons import SMPL_24, SMPL_PARENTS
from tests.formats import consumers
from tests.formats.known_pose import FRAMES, LIMBS, ROOT_M, SIM_WXYZ, bone, known_pose, wandering

HALF = np.sqrt(0.5)
BODY = load_body()
ROOT_XYZW = np.array([*SIM_WXYZ[1:], SIM_WXYZ[0]])
SIM_ROOT_M = ROOT_M[[2, 0, 1]]
OFFSETS, OFFSETS_X = (np.concatenate([np.zeros((1, 3)), rest[1:] - rest[SMPL_PARENTS[1:]]])
                      for rest in (smpl_skeleton.rest_joints("smpl"), smpl_skeleton.rest_joints("smplx")))
NAMES = ["Pelvis", "L_Hip", "L_Knee", "L_Ankle", "L_Toe", "R_Hip", "R_Knee", "R_Ankle", "R_Toe", "Torso", "Spine", "Chest", "Neck",
         "Head", "L_Thorax", "L_Shoulder", "L_Elbow", "L_Wrist", "L_Hand", "R_Thorax", "R_Shoulder", "R_Elbow", "R_Wrist", "R_Hand"]


def write(motion, path, name, **options):
    """Write through the plugin; return notes."""
    return plugins.load().make("exporter", name, options).write(motion, path)


def compose(*quats):
    """Product of x y z w quaternions."""
    out = consumers.xyzw(quats[0])
    for q in quats[1:]:
        out = out @ consumers.xyzw(q)
    return out


class TestKnownPose:
    """Golden numbers, turns as they are (limbs=rotations)."""

    @pytest.mark.parametrize(("form", "numbers", "rest"), [("smplx", 165, (0.0031, -0.3514, 0.0120)), ("smplh", 156, (-0.0018, -0.2233, 0.0282))])
    def test_amass(self, tmp_path, form, numbers, rest):
        """Z up: a raised left arm is +90 about z, a bent right knee +90 about x, trans the pelvis less the rest pelvis, both rates' keys."""
        write(known_pose(), tmp_path / "a.npz", "amass", form=form, limbs="rotations", ground="no")
        data, _ = consumers.amass(tmp_path / "a.npz", OFFSETS, SMPL_PARENTS, np.array(rest))
        assert data["poses"].shape == (FRAMES, numbers) and data["betas"].shape == (16,) and str(data["gender"]) == "neutral"
        assert data["mocap_framerate"] == data["mocap_frame_rate"] == data["fps"] == 30
        pose = data["poses"][0, :66].reshape(22, 3)
        np.testing.assert_allclose(pose[SMPL_24.index("left_shoulder")], [0, 0, np.pi / 2], atol=1e-9)
        np.testing.assert_allclose(pose[SMPL_24.index("right_knee")], [np.pi / 2, 0, 0], atol=1e-9)
        assert np.abs(np.delete(pose, [0, 5, 16], 0)).max() < 1e-9 and np.abs(data["poses"][:, 66:]).max() == 0
        world = consumers.vector([np.pi / 2, 0, 0]) @ consumers.hinge([0, 1, 0], np.radians(40)) @ consumers.hinge([0, 0, 1], np.radians(30))
        np.testing.assert_allclose(consumers.vector(pose[0]), world, atol=1e-9)
        np.testing.assert_allclose(data["trans"][0], np.array([0.3, 0.2, 1.1]) - rest, atol=1e-9)
        if form == "smplx":
            np.testing.assert_allclose(data["root_orient"], data["poses"][:, :3])
            assert data["pose_body"].shape == (FRAMES, 63)

    def test_phc(self, tmp_path):
        """x y z w in the MJCF's order, upright: the root's turn for all but what is moved; a tensor that can be cloned."""
        write(known_pose(), tmp_path / "walk.pkl", "phc", limbs="rotations", ground="no", key="clip")
        with open(tmp_path / "walk.pkl", "rb") as file:
            data = pickle.load(file)
        assert list(data) == ["clip"]
        clip = data["clip"]
        turned = clip["pose_quat_global"]
        assert turned.shape == (FRAMES, 24, 4) and clip["fps"] == 30 and isinstance(clip["fps"], int)
        knee, arm = [0, HALF, 0, HALF], [HALF, 0, 0, HALF]
        moved = {"R_Knee": knee, "R_Ankle": knee, "R_Toe": knee, "L_Shoulder": arm, "L_Elbow": arm, "L_Wrist": arm, "L_Hand": arm}
        for row, name in enumerate(NAMES):
            np.testing.assert_allclose(consumers.xyzw(turned[0, row]), compose(ROOT_XYZW, *([moved[name]] if name in moved else [])),
                                       atol=5e-5, err_msg=name)
        np.testing.assert_allclose(np.abs(clip["pose_quat"][0, NAMES.index("R_Knee")]), np.abs(knee), atol=1e-6)
        np.testing.assert_allclose(clip["root_trans_offset"].clone().numpy()[0], SIM_ROOT_M, atol=1e-9)
        np.testing.assert_allclose(clip["trans_orig"][0], SIM_ROOT_M - [-0.0018, -0.2233, 0.0282], atol=1e-9)
        assert clip["pose_aa"].shape == (FRAMES, 72) and clip["beta"].shape == (16,)
        np.testing.assert_allclose(clip["pose_aa"][0, 15:18], [np.pi / 2, 0, 0], atol=1e-9)
        upright = consumers.xyzw(turned[0, 0]) @ consumers.xyzw([0.5, 0.5, 0.5, 0.5])
        np.testing.assert_allclose(consumers.vector(clip["pose_aa"][0, :3]), upright, atol=1e-4)

    def test_protomotions(self, tmp_path):
        """Tensors: dof as rotation vectors in the MJCF's order, x y z w, velocities by differences, contacts where slow and low."""
        torch = pytest.importorskip("torch")
        write(known_pose(), tmp_path / "a.motion", "protomotions", limbs="rotations", ground="no")
        data = torch.load(tmp_path / "a.motion", weights_only=True)
        shapes = {"dof_pos": (69,), "dof_vel": (69,), "rigid_body_pos": (24, 3), "rigid_body_rot": (24, 4), "rigid_body_vel": (24, 3),
                  "rigid_body_ang_vel": (24, 3), "local_rigid_body_rot": (24, 4), "rigid_body_contacts": (24,)}
        assert {name: tuple(data[name].shape) for name in shapes} == {name: (FRAMES, *shape) for name, shape in shapes.items()}
        assert data["fps"] == 30 and data["rigid_body_contacts"].dtype == torch.bool
        dof = data["dof_pos"].numpy()[0].reshape(23, 3)
        np.testing.assert_allclose(dof[NAMES.index("R_Knee") - 1], [0, np.pi / 2, 0], atol=1e-6)
        np.testing.assert_allclose(dof[NAMES.index("L_Shoulder") - 1], [np.pi / 2, 0, 0], atol=1e-6)
        np.testing.assert_allclose(data["rigid_body_rot"].numpy()[0, 0], ROOT_XYZW, atol=2e-5)
        np.testing.assert_allclose(data["rigid_body_vel"].numpy()[2, 0], [1.2, 0.3, 0], atol=1e-4)
        np.testing.assert_allclose(data["rigid_body_ang_vel"].numpy()[2, 11], [0, 0, np.radians(60)], atol=1e-4)
        np.testing.assert_allclose(data["rigid_body_pos"].numpy()[0, 0], SIM_ROOT_M, atol=1e-6)

    def test_mimickits_smpl_character(self, tmp_path):
        """6 + 69 numbers: root position, rotation vector, 23 balls depth first."""
        write(known_pose(), tmp_path / "a.pkl", "mimickit", character="smpl", limbs="rotations", ground="no")
        with open(tmp_path / "a.pkl", "rb") as file:
            data = pickle.load(file)
        frames = np.array(data["frames"])
        assert frames.shape == (FRAMES, 75) and data["fps"] == 30
        np.testing.assert_allclose(frames[0, :3], SIM_ROOT_M, atol=1e-9)
        np.testing.assert_allclose(frames[0, 3:6], [0.50197, 0.18270, 0.68187], atol=1e-4)
        expected = np.zeros((23, 3))
        expected[NAMES.index("R_Knee") - 1], expected[NAMES.index("L_Shoulder") - 1] = [0, np.pi / 2, 0], [np.pi / 2, 0, 0]
        np.testing.assert_allclose(frames[0, 6:].reshape(23, 3), expected, atol=1e-9)


def test_the_files_agree_on_where_joints_are(tmp_path):
    """AMASS by SMPL's own forward kinematics, PHC by global rotations and ProtoMotions' positions are one motion, to 0.1 mm."""
    torch = pytest.importorskip("torch")
    motion = wandering(20)
    for name, path, options in (("amass", "a.npz", {"form": "smplh"}), ("phc", "a.pkl", {}), ("protomotions", "a.motion", {})):
        write(motion, tmp_path / path, name, **options)
    _, joints = consumers.amass(tmp_path / "a.npz", OFFSETS, SMPL_PARENTS, np.array([-0.0018, -0.2233, 0.0282]))
    proto = torch.load(tmp_path / "a.motion", weights_only=True)["rigid_body_pos"].numpy()
    with open(tmp_path / "a.pkl", "rb") as file:
        clip = next(iter(pickle.load(file).values()))
    order = [SMPL_24.index(n) for n in ["pelvis", "left_hip", "left_knee", "left_ankle", "left_foot", "right_hip", "right_knee", "right_ankle", "right_foot", "spine1", "spine2", "spine3", "neck", "head", "left_collar", "left_shoulder", "left_elbow", "left_wrist"]]
    world = joints[:, order] @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(proto[:, :18], world, atol=1e-4)
    turned, placed = [consumers.xyzw(q) for q in clip["pose_quat_global"][7]], [clip["root_trans_offset"].numpy()[7]]
    for body, parent in enumerate(smpl_skeleton.PARENTS[1:], start=1):
        placed.append(placed[parent] + turned[parent] @ smpl_skeleton.OFFSETS_M[body])
    np.testing.assert_allclose(placed, proto[7], atol=1e-4)


def test_the_two_mean_skeletons():
    """SMPL-X's pelvis stands 2.5 cm higher over the soles than SMPL's, its legs being as long; known joints of both at rest."""
    smpl, smplx = (smpl_skeleton.rest_joints(family) for family in ("smpl", "smplx"))
    assert leg_m(smpl) == pytest.approx(0.781, abs=0.001) and leg_m(smplx) == pytest.approx(0.783, abs=0.001)
    hip, head = SMPL_24.indices("left_hip", "head")
    np.testing.assert_allclose(smplx[hip] + [0.0031, -0.3514, 0.0120], [0.0613, -0.4442, -0.0140], atol=1e-4)
    np.testing.assert_allclose(smpl[hip] + [-0.0018, -0.2233, 0.0282], [0.0677, -0.3147, 0.0214], atol=1e-4)
    assert smplx[head, 1] > smpl[head, 1] + 0.04
    still = np.tile(np.eye(3), (1, 24, 1, 1))
    below = [-smpl_skeleton.lowest_m(np.zeros((1, 3)), still, feet=True, family=family)[0] for family in ("smpl", "smplx")]
    assert below[0] == pytest.approx(0.924, abs=0.002) and below[1] == pytest.approx(0.950, abs=0.002)


@pytest.mark.parametrize(("exporter", "form", "offsets", "rest", "family"), [
    ("amass", {"form": "smplh"}, OFFSETS, (-0.0018, -0.2233, 0.0282), "smpl"), ("amass", {}, OFFSETS_X, (0.0031, -0.3514, 0.0120), "smplx"),
    ("gmr", {}, OFFSETS_X, (0.0031, -0.3514, 0.0120), "smplx")])
def test_soles_stand_on_the_floor_of_each_body(tmp_path, exporter, form, offsets, rest, family):
    """Read by each body's own kinematics, who stands stands: limbs point as the person's, soles within a centimetre of the floor."""
    motion = BODY.motion(np.arange(9) / 30, np.zeros((9, 3)), np.tile([1.0, 0, 0, 0], (9, 24, 1)), np.eye(10)[0], grounded=True)
    write(motion, tmp_path / "a.npz", exporter, **form)
    data, joints = consumers.amass(tmp_path / "a.npz", offsets, SMPL_PARENTS, np.array(rest))
    assert np.abs(data["betas"]).max() == 0
    to_z_up = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])
    for a, b in LIMBS:
        there = rotations.normalise(joints[0, SMPL_24.index(b)] - joints[0, SMPL_24.index(a)])
        np.testing.assert_allclose(there, to_z_up @ bone(motion, a, b), atol=1e-3, err_msg=f"{a} {b}")
    pelvis = (joints[0, 0] @ to_z_up)[None]
    turned = BODY.global_rotations(np.concatenate([rotations.axis_angle_to_quat(data["poses"][:1, :66].reshape(1, 22, 3)), np.tile([1.0, 0, 0, 0], (1, 2, 1))], 1))
    turned[:, :] = to_z_up.T @ turned
    assert abs(smpl_skeleton.lowest_m(pelvis, turned, feet=True, family=family)[0]) < 0.01


def test_limbs_point_as_the_persons_do_and_feet_stand(tmp_path):
    """On SMPL's skeleton, whose shins lie eight degrees from ours at rest, limbs point exactly as the person's; soles come as low."""
    motion = BODY.motion(np.arange(9) / 30, np.tile([0.0, 0, 0], (9, 1)), known_pose(9, moving=False).local_quat_wxyz, np.zeros(10), grounded=True)
    smpl = smpl_skeleton.to_smpl(motion)
    local = rotations.quat_to_matrix(smpl.local_quat_wxyz[0])
    placed, _ = consumers.smpl_forward(smpl.root_pos_m[0], smpl.world[0, 0], local, OFFSETS, SMPL_PARENTS)
    for a, b in LIMBS:
        there = rotations.normalise(placed[SMPL_24.index(b)] - placed[SMPL_24.index(a)])
        np.testing.assert_allclose(there, bone(motion, a, b), atol=1e-3, err_msg=f"{a} {b}")
    assert abs(smpl_skeleton.lowest_m(smpl.root_pos_m, smpl.world, feet=True)[0]) < 0.02


def test_amass_comes_back(tmp_path):
    """AMASS -> Motion -> AMASS is the same file's pose and place; the other way, a motion's turns and way are kept."""
    write(known_pose(), tmp_path / "a.npz", "amass", limbs="rotations", ground="no")
    registry = plugins.load()
    motion = registry.make("importer", "amass", {"floor": "file"}).read(tmp_path / "a.npz")
    np.testing.assert_allclose(motion.root_pos_m, known_pose().root_pos_m, atol=1e-6)
    np.testing.assert_allclose(np.abs((motion.local_quat_wxyz * known_pose().local_quat_wxyz).sum(-1)), 1, atol=1e-9)
    write(motion, tmp_path / "b.npz", "amass")
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        np.testing.assert_allclose(a["poses"], b["poses"], atol=1e-9)
        np.testing.assert_allclose(a["trans"], b["trans"], atol=1e-9)
    assert amass.holds(tmp_path / "a.npz")


def test_what_gmr_reads_is_there(tmp_path):
    """Every key; the mean body, on which the motion was put, or by betas=stature the person's height as GMR computes it."""
    for choice, height_m in (("zero", 1.66), ("stature", BODY.stature_m(np.zeros(10)))):
        write(known_pose(), tmp_path / f"{choice}.npz", "gmr", betas=choice)
        with np.load(tmp_path / f"{choice}.npz", allow_pickle=True) as data:
            assert {"gender", "betas", "root_orient", "pose_body", "trans", "mocap_frame_rate"} <= set(data.files)
            assert 1.66 + 0.1 * data["betas"][0] == pytest.approx(height_m, abs=1e-6) and data["betas"].shape == (16,)
            assert data["mocap_frame_rate"].item() == 30


@pytest.mark.parametrize(("fps", "written"), [(25, 30), (12.5, 30), (29.97, 29.97), (30, 30), (60, 60)])
def test_gmr_is_given_30_hz_or_more(tmp_path, fps, written):
    """GMR plays a file of fewer frames a second at 30, too fast: such a motion is resampled, and that is said."""
    notes = write(known_pose(frames=24, fps=fps), tmp_path / "a.npz", "gmr")
    with np.load(tmp_path / "a.npz") as data:
        assert data["mocap_frame_rate"].item() == pytest.approx(written, abs=1e-6)
        assert len(data["trans"]) == int(23 / fps * written + 1e-6) + 1
    assert bool(notes) == (fps < 29)


def test_gmr_reads_lafan1s_skeleton(tmp_path):
    """GMR's rotations turn every bone's frame into an upright robot's link; bones lie along +X; joints are where the motion has them."""
    motion = known_pose(betas=np.eye(10)[0])
    write(motion, tmp_path / "a.bvh", "gmr-lafan1")
    found = consumers.gmr_bvh(tmp_path / "a.bvh")
    to_gmr = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])
    names = dict(zip(["Hips", "LeftUpLeg", "LeftLeg", "LeftFoot", "LeftToe", "RightUpLeg", "RightLeg", "RightFoot", "Spine2", "LeftArm", "LeftForeArm", "LeftHand", "RightArm", "RightForeArm", "RightHand", "Head"], ["pelvis", "left_hip", "left_knee", "left_ankle", "left_foot", "right_hip", "right_knee", "right_ankle", "spine3", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist", "head"]))
    for bone_name, joint in names.items():
        np.testing.assert_allclose(found[bone_name][0], motion.joints_m[:, SMPL_24.index(joint)] @ to_gmr.T, atol=1e-4, err_msg=bone_name)
    world = consumers.hinge([0, 1, 0], np.radians(40)) @ consumers.hinge([0, 0, 1], np.radians(30))
    axes = {"ahead": to_gmr @ world @ [0, 0, 1], "left": to_gmr @ world @ [1, 0, 0], "up": to_gmr @ world @ [0, 1, 0]}
    trunk = consumers.matrix(0.5, 0.5, 0.5, 0.5)
    for name in ("Hips", "Spine2"):
        np.testing.assert_allclose(found[name][1][0] @ trunk, np.stack([axes["ahead"], axes["left"], axes["up"]], 1), atol=1e-4)
    leg = consumers.matrix(-0.5, 0.5, 0.5, -0.5)
    shin = found["RightLeg"][1][0] @ leg
    np.testing.assert_allclose(shin[:, 2], axes["ahead"], atol=0.12)
    np.testing.assert_allclose(shin[:, 1], axes["left"], atol=0.12)
    toe = found["LeftToe"][1][0] @ consumers.matrix(-HALF, HALF, 0, 0)
    np.testing.assert_allclose(toe, np.stack([axes["ahead"], axes["left"], axes["up"]], 1), atol=1e-4)
    arm = found["LeftArm"][1][0] @ consumers.matrix(0.5, 0.5, -0.5, -0.5)
    np.testing.assert_allclose(arm[:, 2], -axes["up"], atol=0.05)
    for start, end in (("LeftUpLeg", "LeftLeg"), ("RightLeg", "RightFoot"), ("LeftArm", "LeftForeArm"), ("RightForeArm", "RightHand")):
        along = rotations.normalise(found[end][0][0] - found[start][0][0])
        np.testing.assert_allclose(found[start][1][0][:, 0], along, atol=1e-4)


def test_lafan1_is_written_at_30_hz(tmp_path):
    """Another rate is resampled, and said."""
    notes = write(known_pose(frames=24, fps=24), tmp_path / "a.bvh", "gmr-lafan1")
    assert "24.0000 to 30 Hz" in notes[0] and "Frames: 29" in (tmp_path / "a.bvh").read_text()


@pytest.mark.parametrize("name", ["phc", "mimickit", "ase"])
def test_pickles_name_nothing_but_numpys_array(tmp_path, name):
    """Every callable in the stream is one of a few public ones, so that any NumPy and a careful reader take it."""
    class Watching(pickle.Unpickler):
        def find_class(self, module, called):
            names.add(f"{module}.{called}")
            return super().find_class(module, called)

    write(known_pose(), tmp_path / "a", name)
    names = set()
    with open(tmp_path / "a", "rb") as file:
        if name == "ase":
            np.lib.format.read_magic(file)
            np.lib.format.read_array_header_1_0(file)
        Watching(file).load()
    assert names <= {"numpy.ndarray", "numpy.full", "builtins.bytearray", "torch.from_numpy", "collections.OrderedDict"}
