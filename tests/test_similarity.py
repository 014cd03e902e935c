"""Keypoint similarity and box overlap against values worked out by hand."""

import numpy as np
import pytest

from mrs.similarity import distinct, heights, iou, oks, sigmas
from mrs.skeletons import BLAZEPOSE_33, COCO_17, KEYPOINT_SETS
from tests.stick_people import boxes_of, walk


def box(x, y, width, height):
    return np.array([x, y, x + width, y + height], float)


def test_overlap_of_known_boxes():
    """Half, none, all, and a quarter inside: intersection over union as areas say."""
    one = box(0, 0, 100, 100)
    assert iou(one, box(50, 0, 100, 100)) == pytest.approx(1 / 3)
    assert iou(one, one) == 1
    assert iou(one, box(25, 25, 50, 50)) == pytest.approx(1 / 4)


@pytest.mark.parametrize("x, y", [(150, 150), (150, 0), (0, 150), (-150, -150), (100, 0), (100, 100)])
def test_boxes_apart_overlap_by_nothing(x, y):
    """Two squares of 100 px apart on both axes (defect 2: once 0.14), on one, or touching, have overlap 0."""
    assert iou(box(0, 0, 100, 100), box(x, y, 100, 100)) == 0


def test_overlap_is_the_same_wherever_and_however_large():
    """Shifting and scaling both boxes changes nothing (defects 1 and 3: once it did)."""
    a, b = box(0, 0, 40, 90), box(10, 20, 50, 80)
    expected = iou(a, b)
    for scale in (0.01, 1, 37):
        shift = np.array([700.0, 3.0, 700.0, 3.0])
        assert iou(scale * a + shift, scale * b + shift) == pytest.approx(expected)


def test_an_empty_box_overlaps_nothing():
    """A box without area gives 0 and not NaN."""
    assert iou(box(5, 5, 0, 0), box(5, 5, 0, 0)) == 0


def test_axes_broadcast():
    """(3, 1, 4) with (2, 4) gives (3, 2)."""
    boxes = np.array([box(i, 0, 10, 10) for i in range(3)])
    assert iou(boxes[:, None], boxes[:2]).shape == (3, 2)


def test_similarity_of_one_keypoint_is_the_formula():
    """A nose one of its standard deviations away counts exp(-1/2)."""
    sigma = sigmas(COCO_17)[:1]
    away = 2 * sigma[0] * np.sqrt(0.2) * 300
    a, b = np.array([[10.0, 20.0, 1.0]]), np.array([[10.0 + away, 20.0, 1.0]])
    assert oks(a, b, 300.0, sigma) == pytest.approx(np.exp(-0.5))
    assert oks(a, a, 300.0, sigma) == 1


def test_slack_forgives_distance():
    """With a slack of d heights the same distance counts more, and zero distance the same."""
    points, _ = walk([0.0], 300.0)
    moved = points + np.array([30.0, 0, 0])
    sigma = sigmas(COCO_17)
    tight, loose = (oks(points[0], moved[0], 300.0, sigma, s) for s in (0.0, 0.5))
    assert tight < 0.5
    assert 0.9 < loose < 1


def test_points_not_seen_in_both_do_not_count():
    """A wrong point without confidence changes nothing; people without a common point have similarity 0."""
    points, _ = walk([0.0], 300.0)
    a, b = points[0].copy(), points[0].copy()
    b[5] = (9999, 9999, 0.0)
    assert oks(a, b, 300.0, sigmas(COCO_17)) == pytest.approx(1)
    a[:, 2], b[:, 2] = 0, 1
    assert oks(a, b, 300.0, sigmas(COCO_17)) == 0


@pytest.mark.parametrize("keypoints", KEYPOINT_SETS.values(), ids=lambda k: k.name)
def test_every_set_has_sigmas_by_name(keypoints):
    """Left and right are alike, and a knee is a knee in every set."""
    values = sigmas(keypoints)
    assert (values > 0.02).all() and (values < 0.12).all()
    np.testing.assert_array_equal(values, values[keypoints.flip])
    if "left_knee" in keypoints.names:
        assert values[keypoints.index("left_knee")] == 0.087


def test_heights_are_diagonals_and_never_zero():
    """3-4-5, and one pixel for a point."""
    np.testing.assert_array_equal(heights(np.array([box(7, 9, 3, 4), box(1, 1, 0, 0)])), [5, 1])


def sightings(*xs):
    points = np.concatenate([walk([0.0], x)[0] for x in xs])
    return points, boxes_of(points), sigmas(COCO_17), COCO_17.flip


def test_second_sightings_go_and_neighbours_stay():
    """Of three, two on one body: the better scored one stays, and the neighbour too, in the order given."""
    points, boxes, sigma, flip = sightings(300.0, 303.0, 400.0)
    np.testing.assert_array_equal(distinct(points, boxes, np.array([0.6, 0.9, 0.5]), sigma, flip, 0.75), [1, 2])
    np.testing.assert_array_equal(distinct(points, boxes, np.array([0.9, 0.6, 0.5]), sigma, flip, 0.75), [0, 2])


def test_a_second_sighting_with_the_sides_exchanged_goes_too():
    """The same body with left and right exchanged is the same body."""
    points, _ = walk([0.4], 300.0, facing_rad=0.0)
    both = np.concatenate([points, points[:, COCO_17.flip]])
    boxes = boxes_of(both)
    np.testing.assert_array_equal(
        distinct(both, boxes, np.array([0.9, 0.8]), sigmas(COCO_17), COCO_17.flip, 0.75), [0])


def test_people_who_pass_each_other_stay_two():
    """Boxes nearly on top of each other with other poses are two people."""
    a, _ = walk([0.3], 300.0, facing_rad=np.pi / 2)
    b, _ = walk([0.3], 312.0, facing_rad=-np.pi / 2, phase=1.5, ground_px=606.0)
    both = np.concatenate([a, b])
    kept = distinct(both, boxes_of(both), np.array([0.9, 0.8]), sigmas(COCO_17), COCO_17.flip, 0.75)
    np.testing.assert_array_equal(kept, [0, 1])


def test_blazepose_hands_are_known():
    """Points COCO lacks have a tolerance of their own."""
    values = sigmas(BLAZEPOSE_33)
    assert values[BLAZEPOSE_33.index("left_heel")] == 0.09
    assert values[BLAZEPOSE_33.index("left_eye_inner")] == 0.025
