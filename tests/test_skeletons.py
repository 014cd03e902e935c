"""Keypoint sets: their orders, mirror images and the maps between them."""

import numpy as np
import pytest

from mrs.errors import UsageError
from mrs.skeletons import (
    BLAZEPOSE_33,
    BODY_25,
    COCO_17,
    COCO_18,
    COCOPLUS_19,
    H36M_17,
    HALPE_26,
    KEYPOINT_SETS,
    SMPL_24,
    SMPL_PARENTS,
    keypoint_set,
    mirrored,
)

SETS = list(KEYPOINT_SETS.values())


def numbered(keypoints):
    """Points (K, 3) whose x is their own index, y ten times that, confidence 0.5 and a little more each."""
    index = np.arange(len(keypoints), dtype=float)
    return np.stack([index, 10 * index, 0.5 + index / 100], -1)


@pytest.mark.parametrize("keypoints", SETS, ids=lambda k: k.name)
class TestEverySet:
    """What holds for each set."""

    def test_size_is_the_number_in_its_name(self, keypoints):
        """coco-17 has 17 points, body-25 has 25, and so on."""
        assert len(keypoints) == int(keypoints.name.split("-")[1])

    def test_names_are_unique(self, keypoints):
        """No landmark appears twice."""
        assert len(set(keypoints.names)) == len(keypoints)

    def test_flip_exchanges_left_and_right_and_undoes_itself(self, keypoints):
        """The flip is an involution that moves exactly the sided points to their mirror images."""
        assert (keypoints.flip[keypoints.flip] == np.arange(len(keypoints))).all()
        for row, name in enumerate(keypoints.names):
            assert keypoints.names[keypoints.flip[row]] == mirrored(name)
            assert (keypoints.flip[row] == row) == (not name.startswith(("left_", "right_")))

    def test_bones_join_points_of_the_set(self, keypoints):
        """Each bone's ends exist; bones are mirror images of each other."""
        for (a, b), (i, j) in zip(keypoints.bones, keypoints.bone_indices, strict=True):
            assert (keypoints.names[i], keypoints.names[j]) == (a, b)
        bones = {frozenset(b) for b in keypoints.bones}
        assert bones == {frozenset(map(mirrored, b)) for b in keypoints.bones}
        assert len(bones) == len(keypoints.bones)

    def test_converting_to_itself_changes_nothing(self, keypoints):
        """A set maps onto itself, over any batch shape."""
        points = np.random.default_rng(0).random((2, 3, len(keypoints), 3))
        np.testing.assert_array_equal(keypoints.convert(points, keypoints), points)

    def test_it_is_found_by_its_name(self, keypoints):
        """keypoint_set returns it."""
        assert keypoint_set(keypoints.name) is keypoints


COCOPLUS_SOURCE = {
    COCO_18: "10 9 8 11 12 13 4 3 2 5 6 7 1 - 0 15 14 17 16",
    BODY_25: "11 10 9 12 13 14 4 3 2 5 6 7 1 - 0 16 15 18 17",
    COCO_17: "16 14 12 11 13 15 10 8 6 5 7 9 * - 0 1 2 3 4",
}


@pytest.mark.parametrize("source", COCOPLUS_SOURCE, ids=lambda k: k.name)
def test_cocoplus_slots_come_from_the_published_indices(source):
    """Each of HMR's 19 slots takes the published source index; '-' has none, '*' is the mean of the shoulders."""
    points = numbered(source)
    found = source.convert(points, COCOPLUS_19)
    for slot, index in enumerate(COCOPLUS_SOURCE[source].split()):
        if index == "-":
            expected = np.zeros(3)
        elif index == "*":
            expected = np.array([5.5, 55, 0.55])
        else:
            expected = points[int(index)]
        np.testing.assert_allclose(found[slot], expected, err_msg=f"slot {slot}")


def test_cocoplus_flip_is_the_published_permutation():
    """The flip of HMR's 19 points."""
    assert COCOPLUS_19.flip.tolist() == [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 16, 15, 18, 17]


def test_orders_are_the_published_ones():
    """Rows that every user of these formats knows by number."""
    assert COCO_17.indices("nose", "left_eye", "left_shoulder", "right_wrist", "left_hip", "right_ankle") == [
        0, 1, 5, 10, 11, 16]
    assert BODY_25.indices("neck", "mid_hip", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
                           "right_small_toe", "right_heel") == [1, 8, 19, 20, 21, 22, 23, 24]
    assert HALPE_26.indices("head_top", "neck", "mid_hip", "left_big_toe", "right_heel") == [17, 18, 19, 20, 25]
    assert BLAZEPOSE_33.indices("nose", "left_mouth", "left_shoulder", "right_pinky", "left_hip", "right_ankle",
                                "left_heel", "right_foot_index") == [0, 9, 11, 18, 23, 28, 29, 32]
    assert H36M_17.indices("mid_hip", "right_hip", "left_ankle", "head_top", "right_wrist") == [0, 1, 6, 10, 16]
    assert SMPL_24.indices("pelvis", "left_hip", "right_ankle", "head", "left_shoulder", "right_hand") == [
        0, 1, 8, 15, 16, 23]


def test_smpl_tree_has_one_root_and_parents_first():
    """SMPL's parents: the pelvis has none, every other joint's parent comes before it and on its own side."""
    assert SMPL_PARENTS[0] == -1
    assert (SMPL_PARENTS[1:] < np.arange(1, 24)).all() and (SMPL_PARENTS[1:] >= 0).all()
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        assert SMPL_PARENTS[SMPL_24.flip[joint]] == SMPL_24.flip[parent]


def test_means_take_the_lower_confidence():
    """A neck made of two shoulders is halfway between them, as sure as the less sure one."""
    points = np.zeros((17, 3))
    points[5], points[6] = [10, 20, 0.9], [30, 60, 0.2]
    neck = COCO_17.convert(points, COCO_18)[1]
    np.testing.assert_allclose(neck, [20, 40, 0.2])


def test_points_that_a_set_lacks_have_confidence_zero():
    """COCO-17 has no heels: they come out as zeros."""
    found = COCO_17.convert(np.ones((4, 17, 3)), BODY_25)
    assert (found[:, BODY_25.indices("left_heel", "left_big_toe")] == 0).all()
    assert (found[:, BODY_25.indices("nose", "mid_hip", "neck"), 2] == 1).all()


def test_toes_of_blazepose_and_body_25_are_the_same_point():
    """A foot index is a big toe and the other way round."""
    there = BLAZEPOSE_33.convert(numbered(BLAZEPOSE_33), BODY_25)
    np.testing.assert_array_equal(there[BODY_25.index("left_big_toe")], numbered(BLAZEPOSE_33)[31])
    back = BODY_25.convert(numbered(BODY_25), BLAZEPOSE_33)
    np.testing.assert_array_equal(back[32], numbered(BODY_25)[22])


def test_an_unknown_set_is_refused_by_name():
    """The message names the sets that exist."""
    with pytest.raises(UsageError, match="coco-17.*but got 'coco17'"):
        keypoint_set("coco17")
