"""Keypoint sets: their orders, mirror images and the maps between them."""

import re

import numpy as np
import pytest

from mrs.errors import UsageError
from mrs.skeletons import (
    BLAZEPOSE_33,
    BODY_25,
    BODY_25B,
    BODY_135,
    COCO_17,
    COCO_18,
    COCO_WHOLEBODY_133,
    COCOPLUS_19,
    H36M_17,
    HALPE_26,
    HALPE_136,
    KEYPOINT_SETS,
    MPI_15,
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
        assert len(keypoints) == int(re.search(r"(\d+)b?$", keypoints.name).group(1))

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
    assert MPI_15.indices("head_top", "neck", "right_wrist", "left_shoulder", "right_hip", "spine") == [0, 1, 4, 5, 8, 14]
    assert BODY_25B.indices("nose", "left_eye", "neck", "head_top", "left_heel", "right_heel") == [0, 1, 17, 18, 21, 24]
    assert BODY_135.indices("right_heel", "left_hand_1", "right_hand_1", "right_hand_20", "right_face_0", "face_8",
                            "right_pupil", "left_pupil") == [24, 25, 45, 64, 65, 73, 133, 134]
    assert HALPE_136.indices("right_heel", "right_face_0", "left_hand_0", "right_hand_0", "right_hand_20") == [
        25, 26, 94, 115, 135]
    assert COCO_WHOLEBODY_133.indices("left_big_toe", "right_heel", "right_face_0", "left_hand_0", "right_hand_20") == [
        17, 22, 23, 91, 132]
    assert H36M_17.indices("mid_hip", "right_hip", "left_ankle", "head_top", "right_wrist") == [0, 1, 6, 10, 16]
    assert SMPL_24.indices("pelvis", "left_hip", "right_ankle", "head", "left_shoulder", "right_hand") == [
        0, 1, 8, 15, 16, 23]


def test_face_pairs_are_the_published_mirror_images():
    """Corners of jaw, brows, eyes and mouth of the 300-W face change places; chin, nose and lips' middles stay."""
    flip, first = COCO_WHOLEBODY_133.flip, 23
    for right, left in ((0, 16), (7, 9), (17, 26), (21, 22), (31, 35), (36, 45), (39, 42), (41, 46), (48, 54), (55, 59),
                        (60, 64), (65, 67)):
        assert flip[first + right] == first + left
    for middle in (8, 27, 30, 33, 51, 57, 62, 66):
        assert flip[first + middle] == first + middle
    assert COCO_WHOLEBODY_133.names[first + 36].startswith("right_")


def test_the_part_a_body_knows_is_a_named_set_where_there_is_one():
    """Halpe-136 without hands and face is Halpe-26; a whole set stays itself."""
    part, rows = HALPE_136.subset(HALPE_26.names)
    assert part is HALPE_26
    assert rows.tolist() == list(range(26))
    assert COCO_17.subset(set(COCO_17.names) | {"tail"})[0] is COCO_17
    part, rows = COCO_WHOLEBODY_133.subset(HALPE_26.names)
    assert len(part) == 23
    assert part.names == COCO_WHOLEBODY_133.names[:23]


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
