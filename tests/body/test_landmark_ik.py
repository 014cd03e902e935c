"""Landmarks of a known pose and person give the pose and the person back."""

import numpy as np
import pytest

from mrs import rotations
from mrs.body import landmark_ik as ik
from mrs.body import load_body
from mrs.skeletons import BLAZEPOSE_33, SMPL_24, SMPL_PARENTS
from tests.body.poses import random_quats
from tests.walker import walker

BODY = load_body()
NAMES = BLAZEPOSE_33.names
TIMES_S = np.arange(0, 1.1, 1 / 30)
LIMBS = [("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("left_hip", "left_knee"),
         ("left_knee", "left_ankle"), ("left_ankle", "left_foot"), ("left_wrist", "left_hand")]
LIMBS += [(a.replace("left", "right"), b.replace("left", "right")) for a, b in LIMBS]


def person(seed):
    """Betas of somebody."""
    return 0.7 * np.random.default_rng(seed).normal(size=10)


def random_motion(seed, straight_back=True, frames=150):
    """Random poses within reach, of somebody; the spine bends only without `straight_back`."""
    quats = random_quats(frames, seed)
    if straight_back:
        quats[:, [3, 6, 9]] = [1, 0, 0, 0]
    return BODY.motion(np.arange(frames) / 30, np.random.default_rng(seed).normal(size=(frames, 3)), quats, person(seed))


def recovered(motion):
    """Landmarks of a motion, centred on the hips, to global rotations; and the joints (T, 24, 3) they give."""
    marks = BODY.keypoints(motion, BLAZEPOSE_33)
    hips = marks[:, BLAZEPOSE_33.indices("left_hip", "right_hip")].mean(1, keepdims=True)
    turned = ik.rotations_from_landmarks(BODY, NAMES, marks - hips, motion.betas)
    return turned, BODY.place(motion.root_pos_m, turned, motion.betas)


def degrees_off(turned, motion):
    """Angles (T, 24) between global rotations and the motion's own."""
    truth = rotations.matrix_to_quat(BODY.global_rotations(motion.local_quat_wxyz))
    return np.degrees(rotations.geodesic_angle(rotations.matrix_to_quat(turned), truth))


@pytest.mark.parametrize("heading_deg", [0, 130])
@pytest.mark.parametrize("seed", [None, 0])
def test_a_walker_s_joints_come_back(heading_deg, seed):
    """Every joint of the walker within 8 mm, 2.5 mm on average, whatever the heading and the person."""
    betas = np.zeros(10) if seed is None else person(seed)
    motion = walker(TIMES_S, heading_deg=heading_deg, betas=betas)[0]
    away = np.linalg.norm(recovered(motion)[1] - motion.joints_m, axis=-1)
    assert away.max() < 0.008 and away.mean() < 0.0025


@pytest.mark.parametrize("seed", range(3))
class TestRandomPoses:
    """Poses in every orientation, limbs within a person's reach."""

    def test_limb_joints_come_back(self, seed):
        """With a straight back each limb joint is within 6 mm on average and 25 mm at worst."""
        motion = random_motion(seed)
        away = np.linalg.norm(recovered(motion)[1] - motion.joints_m, axis=-1)
        limbs = [SMPL_24.index(b) for _, b in LIMBS]
        assert away[:, limbs].mean(0).max() < 0.006 and away[:, limbs].max() < 0.025

    def test_limbs_point_where_they_do(self, seed):
        """Each limb's end is where it should be from its start, within 5 mm on average, however the back bends."""
        motion = random_motion(seed, straight_back=False)
        joints = recovered(motion)[1]
        for a, b in (SMPL_24.indices(*limb) for limb in LIMBS):
            away = np.linalg.norm((joints[:, b] - joints[:, a]) - (motion.joints_m[:, b] - motion.joints_m[:, a]), axis=-1)
            assert away.mean() < 0.005, SMPL_24.names[b]

    def test_head_hands_and_feet_are_turned_right(self, seed):
        """What landmarks see whole comes back turned right: the head exactly, hands and feet within 3 degrees."""
        motion = random_motion(seed, straight_back=False)
        off = degrees_off(recovered(motion)[0], motion).mean(0)
        assert off[SMPL_24.index("head")] < 0.1
        assert off[SMPL_24.indices("left_wrist", "right_wrist", "left_ankle", "right_ankle")].max() < 3

    def test_straight_trunk_is_turned_right(self, seed):
        """Pelvis and chest within 4 degrees where the back is straight."""
        motion = random_motion(seed)
        off = degrees_off(recovered(motion)[0], motion)
        assert off[:, SMPL_24.indices("pelvis", "spine3")].max() < 4


def test_turned_landmarks_give_turned_rotations():
    """Turning all landmarks turns all rotations: nothing depends on the frame of reference."""
    motion = walker(TIMES_S[:10])[0]
    marks = BODY.keypoints(motion, BLAZEPOSE_33)
    turn = rotations.axis_angle_to_matrix(np.array([0.7, -1.2, 2.1]))
    straight = ik.rotations_from_landmarks(BODY, NAMES, marks, motion.betas)
    turned = ik.rotations_from_landmarks(BODY, NAMES, marks @ turn.T, motion.betas)
    np.testing.assert_allclose(turned, turn @ straight, atol=1e-6)


def test_rotations_are_rotations_even_of_collapsed_landmarks():
    """All landmarks in one point, or on one line, give finite orthonormal matrices."""
    for marks in (np.zeros((2, 33, 3)), np.arange(66.0).reshape(2, 33, 1) * [0.01, 0.02, 0.03]):
        turned = ik.rotations_from_landmarks(BODY, NAMES, marks, np.zeros(10))
        np.testing.assert_allclose(np.swapaxes(turned, -1, -2) @ turned, np.broadcast_to(np.eye(3), turned.shape), atol=1e-6)


def lengths(betas):
    """Bone lengths (23,) of the rest pose in metres."""
    rest = BODY.rest_joints(betas)
    return np.linalg.norm(rest[1:] - rest[SMPL_PARENTS[1:]], axis=-1)


class TestFitBetas:
    """The person behind the landmarks."""

    def fit(self, betas, noise_m=0.0, weights=None, **kw):
        marks = BODY.keypoints(walker(TIMES_S, betas=betas, speed_m_s=0.6)[0], BLAZEPOSE_33)
        marks = marks + noise_m * np.random.default_rng(0).normal(size=marks.shape)
        return ik.fit_betas(BODY, NAMES, marks, np.ones(marks.shape[:2]) if weights is None else weights, **kw)

    @pytest.mark.parametrize("seed", range(3))
    def test_stature_is_recovered_when_given(self, seed):
        """A known stature is met within 5 mm and every bone's length within 1 cm."""
        truth = person(seed)
        found = self.fit(truth, stature_m=(BODY.stature_m(truth), 0.005))
        assert BODY.stature_m(found) == pytest.approx(BODY.stature_m(truth), abs=0.005)
        np.testing.assert_allclose(lengths(found), lengths(truth), atol=0.01)

    @pytest.mark.parametrize("seed", range(3))
    def test_bones_decide_without_a_stature(self, seed):
        """Without it landmarks and the prior share: every bone is within 2.5 cm."""
        truth = person(seed)
        found = self.fit(truth)
        assert np.abs(lengths(found) - lengths(truth)).max() < 0.025

    def test_a_taller_person_is_taller(self):
        """Stature grows with the landmarks' size."""
        small, big = np.zeros(10), np.zeros(10)
        tall = np.sign(BODY.stature_m(np.eye(10)[0]) - BODY.stature_m(small))
        small[0], big[0] = -tall, tall
        assert BODY.stature_m(self.fit(small)) + 0.05 < BODY.stature_m(self.fit(big))

    def test_frames_without_weight_do_not_count(self):
        """Landmarks with weight zero may be anywhere."""
        marks = BODY.keypoints(walker(TIMES_S)[0], BLAZEPOSE_33)
        weights = np.ones(marks.shape[:2])
        weights[::3] = 0
        wrong = marks.copy()
        wrong[::3] *= 3
        np.testing.assert_allclose(ik.fit_betas(BODY, NAMES, wrong, weights),
                                   ik.fit_betas(BODY, NAMES, marks[weights[:, 0] > 0], weights[weights[:, 0] > 0]), atol=1e-6)

    def test_a_few_wild_frames_do_not_count(self):
        """Medians: one frame in eight of gross errors moves no bone by more than 5 mm."""
        marks = BODY.keypoints(walker(TIMES_S)[0], BLAZEPOSE_33)
        wild = marks.copy()
        wild[::8] += np.random.default_rng(0).normal(size=wild[::8].shape)
        ones = np.ones(marks.shape[:2])
        np.testing.assert_allclose(lengths(ik.fit_betas(BODY, NAMES, wild, ones)),
                                   lengths(ik.fit_betas(BODY, NAMES, marks, ones)), atol=0.005)


@pytest.mark.parametrize(("values", "weights", "expected"), [
    ([3, 1, 2], [1, 1, 1], 2), ([3, 1, 2], [5, 1, 1], 3), ([3, 1, 2], [0, 1, 0], 1), ([1, 2, 3, 4], [0, 0, 0, 0], 2.5),
    ([7], [0.1], 7), ([10, 20, 30], [0.2, 0.2, 0.7], 30),
])
def test_weighted_median(values, weights, expected):
    """Half of the weight lies at or below the answer; without weights it is the plain median."""
    assert ik.weighted_median(np.array(values, float), np.array(weights, float)) == expected


def test_frame_meets_the_first_direction_exactly():
    """The first column is the first direction, the second lies in the plane of both, the third is across."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 8, 3))
    found = ik.frame(first, second)
    np.testing.assert_allclose(found[..., 0], rotations.normalise(first), atol=1e-12)
    np.testing.assert_allclose(np.einsum("ta,ta->t", found[..., 2], second), 0, atol=1e-12)
    assert (np.einsum("ta,ta->t", found[..., 1], second) > 0).all()
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-12)
