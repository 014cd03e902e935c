"""DeepMimic, MimicKit and ASE out: numbers known by hand, read by loaders written from the consumers' conventions."""

import json

import numpy as np
import pytest

from mrs import plugins, rotations
from mrs.body import load_body
from mrs.errors import InputError, UsageError
from mrs.formats import bvh, deepmimic, humanoid
from mrs.skeletons import SMPL_24
from tests.formats import consumers
from tests.formats.known_pose import FPS, FRAMES, LIMBS, ROOT_M, SIM_WXYZ, bone, known_pose, wandering
from tests.formats.test_deepmimic import CORPUS, needs_corpus

HALF = np.sqrt(0.5)
BODY = load_body()
REST = BODY.rest_joints(np.zeros(10))
SCALE = 0.831416 / (np.linalg.norm(REST[4] - REST[1]) + np.linalg.norm(REST[7] - REST[4]))


def write(motion, path, name, **options):
    """Write through the plugin, as the command does; return notes."""
    return plugins.load().make("exporter", name, options).write(motion, path)


class TestKnownPose:
    """Golden numbers, by the rotations' algebra of the specification (5.7)."""

    def test_deepmimic(self, tmp_path):
        """w x y z, Y up, +X ahead: root, shoulders and the bent knee by hand; every other ball identity, every other hinge 0."""
        write(known_pose(), tmp_path / "a.txt", "deepmimic", limbs="rotations", ground="no")
        loop, durations, joints, frames = consumers.deepmimic(tmp_path / "a.txt")
        assert loop == "none" and len(frames) == FRAMES
        np.testing.assert_allclose(durations, [1 / FPS] * (FRAMES - 1) + [0], atol=1e-8)
        f = frames[0]
        np.testing.assert_allclose(f[1:4], np.array([ROOT_M[2], ROOT_M[1], -ROOT_M[0]]) * SCALE, atol=1e-6)
        np.testing.assert_allclose(f[4:8], [0.90767, 0.24321, 0.33037, -0.08852], atol=2e-5)
        np.testing.assert_allclose(np.abs(f[39:43]), [0, 1, 0, 0], atol=1e-6)
        np.testing.assert_allclose(f[25:29], [HALF, -HALF, 0, 0], atol=1e-6)
        assert f[20] == pytest.approx(-np.pi / 2, abs=1e-6)
        np.testing.assert_allclose(f[[34, 29, 43]], 0, atol=1e-6)
        for start in (8, 12, 16, 21, 30, 35):
            np.testing.assert_allclose(f[start : start + 4], [1, 0, 0, 0], atol=1e-6)
        steps = np.diff(joints["root"], axis=0) * FPS
        np.testing.assert_allclose(steps, np.tile(np.array([1.2, 0, -0.3]) * SCALE, (FRAMES - 1, 1)), atol=1e-5)

    def test_mimickit(self, tmp_path):
        """Z up, rotation vectors: knees and the right elbow positive when bent, a raised left arm +90 about ahead."""
        write(known_pose(), tmp_path / "a.pkl", "mimickit", limbs="rotations", ground="no")
        loop, fps, _, frames = consumers.mimickit(tmp_path / "a.pkl")
        assert (loop, fps, frames.shape) == (0, 30.0, (FRAMES, 34))
        f = frames[0]
        np.testing.assert_allclose(f[:3], np.array([ROOT_M[2], ROOT_M[0], ROOT_M[1]]) * SCALE, atol=1e-6)
        np.testing.assert_allclose(f[3:6], [0.50197, 0.18270, 0.68187], atol=1e-4)
        expected = np.zeros(28)
        expected[10:13] = [np.pi / 2, 0, 0]
        expected[17] = np.pi / 2
        np.testing.assert_allclose(f[6:], expected, atol=1e-5)

    def test_ase(self, tmp_path):
        """x y z w, 15 bodies, hanging arms; the knee turns about +y, a hanging arm is raised by half a turn."""
        write(known_pose(), tmp_path / "a.npy", "ase", limbs="rotations", ground="no")
        data, names, placed, _ = consumers.skeleton_motion(tmp_path / "a.npy")
        assert names == ["pelvis", "torso", "head", "right_upper_arm", "right_lower_arm", "right_hand", "left_upper_arm",
                         "left_lower_arm", "left_hand", "right_thigh", "right_shin", "right_foot", "left_thigh", "left_shin", "left_foot"]
        local = data["rotation"]["arr"][0]
        assert data["fps"] == 30 and data["rotation"]["arr"].shape == (FRAMES, 15, 4)
        np.testing.assert_allclose(local[0], [*SIM_WXYZ[1:], SIM_WXYZ[0]], atol=2e-5)
        np.testing.assert_allclose(local[names.index("right_shin")], [0, HALF, 0, HALF], atol=1e-6)
        np.testing.assert_allclose(np.abs(local[names.index("left_upper_arm")]), [1, 0, 0, 0], atol=1e-6)
        np.testing.assert_allclose(local[names.index("right_upper_arm")], [-HALF, 0, 0, HALF], atol=1e-6)
        offsets = data["skeleton_tree"]["local_translation"]["arr"]
        np.testing.assert_allclose(offsets[names.index("right_lower_arm")], [0, 0, -0.274788], atol=1e-6)
        np.testing.assert_allclose(offsets[names.index("left_upper_arm")], [-0.02405, 0.18311, 0.24350], atol=1e-6)
        np.testing.assert_allclose(data["global_velocity"]["arr"][3, 0], np.array([1.2, 0.3, 0]) * SCALE, atol=1e-4)
        np.testing.assert_allclose(data["global_angular_velocity"]["arr"][3, 0], [0, 0, np.radians(60)], atol=1e-3)
        np.testing.assert_allclose(placed[0, 0], np.array([ROOT_M[2], ROOT_M[0], ROOT_M[1]]) * SCALE, atol=1e-6)


def test_the_three_files_put_the_joints_at_the_same_places(tmp_path):
    """DeepMimic's Y-up quaternions, MimicKit's Z-up rotation vectors and ASE's local x y z w are one motion, to a tenth of a millimetre."""
    motion = wandering()
    write(motion, tmp_path / "a.txt", "deepmimic")
    write(motion, tmp_path / "a.pkl", "mimickit")
    write(motion, tmp_path / "a.npy", "ase")
    *_, joints, _ = consumers.deepmimic(tmp_path / "a.txt")
    *_, others, _ = consumers.mimickit(tmp_path / "a.pkl")
    _, names, placed, _ = consumers.skeleton_motion(tmp_path / "a.npy")
    for name, where in others.items():
        np.testing.assert_allclose(where, joints[name] @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-4)
    for node, joint in (("right_hand", "right_wrist"), ("left_foot", "left_ankle"), ("head", "neck"), ("left_lower_arm", "left_elbow")):
        np.testing.assert_allclose(placed[:, names.index(node)], joints[joint] @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_limbs_point_as_the_persons_do(tmp_path, seed):
    """By directions, each limb of DeepMimic's own skeleton points within 4 degrees of the person's, mostly within a tenth."""
    motion = wandering(seed=seed)
    write(motion, tmp_path / "a.txt", "deepmimic")
    *_, joints, _ = consumers.deepmimic(tmp_path / "a.txt")
    errors = []
    for row in range(0, len(motion), 5):
        for a, b in LIMBS:
            there = rotations.normalise(joints[b][row] - joints[a][row])
            here = bone(motion, a, b, row)[[2, 1, 0]] * [1, 1, -1]
            errors.append(np.degrees(np.arccos(np.clip(there @ here, -1, 1))))
    assert max(errors) < 4 and np.median(errors) < 0.1


def test_knees_bend_back_and_elbows_ahead_whatever_the_twist():
    """Hinges keep their sign: a knee never above 8 degrees forward, an elbow never as much backward, while poses differ."""
    frames, _ = deepmimic.frames_of(wandering(80, seed=5))
    assert frames[:, [20, 34]].max() < np.radians(8) and frames[:, [29, 43]].min() > -np.radians(8)
    assert frames[:, [20, 34]].min() < -1 and frames[:, [29, 43]].max() > 1


def test_quaternions_do_not_flip():
    """Neighbouring frames lie in one hemisphere for every ball."""
    frames, _ = deepmimic.frames_of(wandering(60, seed=2))
    for start in (4, 8, 12, 16, 21, 25, 30, 35, 39):
        assert (frames[1:, start : start + 4] * frames[:-1, start : start + 4]).sum(1).min() > 0


def test_no_link_is_below_the_floor(tmp_path):
    """Someone who sinks half a metre is raised; frames that stood above stay where they were."""
    motion = wandering(60)
    sunk = motion.root_pos_m - np.array([0, 1, 0]) * np.clip(np.arange(60) - 40, 0, 10)[:, None] * 0.09
    low = BODY.motion(motion.times_s, sunk, motion.local_quat_wxyz, motion.betas)
    notes = write(low, tmp_path / "a.txt", "deepmimic")
    free, _ = deepmimic.frames_of(low, ground=False)
    kept, _ = deepmimic.frames_of(low)
    assert humanoid.lowest_m(free[:, 1:]).min() < -0.2 < -1e-6 < humanoid.lowest_m(kept[:, 1:]).min()
    np.testing.assert_allclose(kept[:30], free[:30])
    assert "Raised by up to" in notes[0]
    assert np.abs(np.diff(kept[:, 2])).max() < 0.13


@needs_corpus
@pytest.mark.parametrize("name", ["humanoid3d_sideflip", "humanoid3d_roll", "humanoid3d_run", "humanoid3d_crawl", "humanoid3d_jump",
                                  "humanoid3d_dance_a", "humanoid3d_spin", "sie_humanoid3d_run_left00"])
def test_corpus_clips_come_back(tmp_path, name):
    """DeepMimic -> Motion -> DeepMimic: every joint within 0.1 mm (5 mm is asked for), times and frames as they were."""
    path = CORPUS / f"{name}.txt"
    write(deepmimic.read(path), tmp_path / "a.txt", "deepmimic")
    _, durations, joints, frames = consumers.deepmimic(tmp_path / "a.txt")
    _, there, wanted, original = consumers.deepmimic(path)
    assert frames.shape == original.shape
    np.testing.assert_allclose(durations[:-1], there[:-1], atol=1e-7)
    for joint, where in wanted.items():
        np.testing.assert_allclose(joints[joint], where, atol=1e-4)


@needs_corpus
def test_the_corpus_through_npz_and_mimickit(tmp_path):
    """Saved as motion.npz and read again, and written for MimicKit at an even rate, the joints still are where DeepMimic had them."""
    path = CORPUS / "humanoid3d_walk.txt" if (CORPUS / "humanoid3d_walk.txt").exists() else CORPUS / "humanoid3d_jog.txt"
    motion = deepmimic.read(path)
    motion.save(tmp_path / "a.npz")
    write(type(motion).load(tmp_path / "a.npz"), tmp_path / "a.pkl", "mimickit")
    _, fps, joints, _ = consumers.mimickit(tmp_path / "a.pkl")
    _, durations, wanted, _ = consumers.deepmimic(path)
    assert fps == pytest.approx(1 / durations[0], rel=1e-3)
    turn = np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])  # our +Z to +X, which a file of DeepMimic's own has not been through
    for name, where in joints.items():
        np.testing.assert_allclose(where, wanted[name] @ turn.T @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-4)


def test_loop_is_declared(tmp_path):
    """A motion that was closed to a cycle says so in both files."""
    motion = known_pose().with_history(stage="export", loop="wrap")
    write(motion, tmp_path / "a.txt", "deepmimic")
    write(motion, tmp_path / "a.pkl", "mimickit")
    assert json.loads((tmp_path / "a.txt").read_text())["Loop"] == "wrap"
    assert consumers.mimickit(tmp_path / "a.pkl")[0] == 1


def test_bvh_of_deepmimics_skeleton(tmp_path):
    """names=deepmimic: its joints, lengths in centimetres, and the places that the motion file has; a T-pose first where asked."""
    motion = wandering()
    write(motion, tmp_path / "a.bvh", "bvh", names="deepmimic")
    write(motion, tmp_path / "a.txt", "deepmimic")
    document = bvh.read(tmp_path / "a.bvh")
    *_, joints, _ = consumers.deepmimic(tmp_path / "a.txt")
    _, placed = document.pose()
    assert document.names[:3] == ("root", "chest", "neck")
    for name in ("left_ankle", "right_elbow", "neck"):
        np.testing.assert_allclose(placed[:, document.names.index(name)] / 100, joints[name], atol=1e-4)
    write(motion, tmp_path / "t.bvh", "bvh", names="deepmimic", tpose_first="yes")
    first = bvh.read(tmp_path / "t.bvh")
    arms = first.pose()[1][0, [first.names.index("left_elbow"), first.names.index("left_shoulder")]]
    assert len(first) == len(document) + 1 and arms[0, 2] - arms[1, 2] == pytest.approx(-27.4788, abs=1e-3)
    with pytest.raises(UsageError, match="up=y"):
        write(motion, tmp_path / "z.bvh", "bvh", names="deepmimic", up="z")


def test_mujoco_puts_mimickits_character_where_deepmimic_has_it(tmp_path):
    """MuJoCo's kinematics of a ball-jointed humanoid in MimicKit's axes, fed with the file, gives DeepMimic's joints."""
    mujoco = pytest.importorskip("mujoco")
    motion = wandering(12)
    write(motion, tmp_path / "a.pkl", "mimickit")
    write(motion, tmp_path / "a.txt", "deepmimic")
    *_, frames = consumers.mimickit(tmp_path / "a.pkl")
    *_, joints, _ = consumers.deepmimic(tmp_path / "a.txt")

    def body(name, pos, joint, inside=""):
        kind = f'<joint type="hinge" axis="{joint}"/>' if joint.strip("0123456789- ") == "" and joint else f'<joint type="{joint}"/>'
        return f'<body name="{name}" pos="{pos}">{kind}<geom type="sphere" size=".01" mass="1"/>{inside}</body>'

    def limbs(side, s):
        hand = f'<site name="{side}_wrist" pos="0 {s * 0.258947} 0"/>'
        arm = body(f"{side}_shoulder", f"-0.02405 {s * 0.18311} 0.2435", "ball", body(f"{side}_elbow", f"0 {s * 0.274788} 0", "0 0 1", hand))
        leg = body(f"{side}_hip", f"0 {s * 0.084887} 0", "ball", body(f"{side}_knee", "0 0 -0.421546", "0 1 0", body(
            f"{side}_ankle", "0 0 -0.40987", "ball")))
        return arm, leg

    (right_arm, right_leg), (left_arm, left_leg) = limbs("right", -1), limbs("left", 1)
    chest = body("chest", "0 0 0.236151", "ball", body("neck", "0 0 0.223894", "ball") + right_arm + left_arm)
    xml = f'<mujoco><worldbody>{body("root", "0 0 0", "free", chest + right_leg + left_leg)}</worldbody></mujoco>'
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    for row, f in enumerate(frames):
        qpos, at = [*f[:3], *rotations.axis_angle_to_quat(f[3:6])], 6
        for kind in model.jnt_type[1:]:
            size = 3 if kind == mujoco.mjtJoint.mjJNT_BALL else 1
            qpos += [*rotations.axis_angle_to_quat(f[at : at + 3])] if size == 3 else [f[at]]
            at += size
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        for name in ("neck", "right_knee", "right_ankle", "left_elbow", "left_ankle"):
            np.testing.assert_allclose(data.body(name).xpos, joints[name][row] @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-5)
        np.testing.assert_allclose(data.site("left_wrist").xpos, joints["left_wrist"][row] @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-5)


def test_bullets_humanoid_takes_the_file(tmp_path):
    """DeepMimic's humanoid as Bullet ships it, posed by the file's numbers, has its links where our loader has them."""
    pybullet = pytest.importorskip("pybullet")
    data = pytest.importorskip("pybullet_data")
    write(wandering(12), tmp_path / "a.txt", "deepmimic")
    _, _, joints, frames = consumers.deepmimic(tmp_path / "a.txt")
    client = pybullet.connect(pybullet.DIRECT)
    try:
        body = pybullet.loadURDF(f"{data.getDataPath()}/humanoid/humanoid.urdf", globalScaling=0.25, physicsClientId=client)
        rows = {pybullet.getJointInfo(body, j)[12].decode(): j for j in range(pybullet.getNumJoints(body))}
        for row, f in enumerate(frames):
            pybullet.resetBasePositionAndOrientation(body, f[1:4], [*f[5:8], f[4]])
            for name, columns in humanoid.COLUMNS.items():
                values = f[1:][columns]
                if len(values) == 1:
                    pybullet.resetJointStateMultiDof(body, rows[name], values)
                elif name != "root":
                    pybullet.resetJointStateMultiDof(body, rows[name], [*values[1:], values[0]])
            for name in ("neck", "left_ankle", "right_knee", "right_wrist", "left_wrist"):
                place = pybullet.getLinkState(body, rows[name], computeForwardKinematics=True)[4]
                np.testing.assert_allclose(place, joints[name][row], atol=2e-4)
    finally:
        pybullet.disconnect(client)


@pytest.mark.parametrize("name", ["mimickit", "ase", "deepmimic"])
def test_one_frame_and_numbers_that_are_none_are_refused(tmp_path, name):
    """One line, and no file."""
    with pytest.raises(InputError, match="at least 2 frames"):
        write(known_pose(frames=1), tmp_path / "a", name)
    broken = known_pose()
    broken.root_pos_m[2, 1] = np.nan
    with pytest.raises(InputError, match="finite root_pos_m"):
        write(broken, tmp_path / "a", name)
    assert not list(tmp_path.iterdir())


def test_the_descriptions_agree_with_the_specification():
    """Masses sum to 45 kg, right joints are 3-8 of the order, and a hanging zero pose stands on its feet 0.88 m below the root."""
    assert sum(link.mass_kg for link in humanoid.LINKS) == pytest.approx(45)
    assert humanoid.JOINTS == ("chest", "neck", "right_hip", "right_knee", "right_ankle", "right_shoulder", "right_elbow", "left_hip",
                               "left_knee", "left_ankle", "left_shoulder", "left_elbow")
    assert [humanoid.COLUMNS[n].start + 1 for n in ("right_knee", "right_shoulder", "left_hip", "left_elbow")] == [20, 25, 30, 43]
    pose = np.zeros((1, 43))
    for columns in humanoid.COLUMNS.values():
        pose[0, columns.start] = columns.stop - columns.start == 4
    assert humanoid.lowest_m(pose)[0] == pytest.approx(-0.421546 - 0.409870 - 0.05)
    assert set(SMPL_24.names) > {"left_hip"}
