"""MOTA, IDF1 and switches of tracks whose errors are counted by hand."""

import numpy as np
import pytest

from mrs.metrics.mot import Boxes, compare


def boxes(*rows):
    """Rows of frame, id, left edge; boxes are 10 wide and 20 high."""
    table = np.array(rows, float).reshape(-1, 3)
    x = table[:, 2]
    return Boxes(table[:, 0].astype(int), table[:, 1].astype(int), np.stack([x, 0 * x, x + 10, 0 * x + 20], -1))


def line(person, x, frames=range(10)):
    return [(f, person, x) for f in frames]


TRUTH = boxes(*line(1, 0), *line(2, 100))


def test_the_truth_is_perfect():
    """Whatever the numbers of people are called."""
    found = compare(boxes(*line(8, 0), *line(3, 100)), TRUTH)
    assert (found["mota_percent"], found["idf1_percent"], found["switches"]) == (100, 100, 0)


def test_an_exchange_in_the_middle_is_two_switches():
    """Two of 20 sightings count against MOTA; half of all are right in the best pairing of people."""
    early, late = range(5), range(5, 10)
    found = compare(boxes(*line(1, 0, early), *line(2, 100, early), *line(2, 0, late), *line(1, 100, late)), TRUTH)
    assert found["switches"] == 2
    assert found["mota_percent"] == pytest.approx(90)
    assert found["idf1_percent"] == pytest.approx(50)


def test_missed_and_false_sightings():
    """Four frames of the second person are missed and one box is nobody's."""
    found = compare(boxes(*line(1, 0), *line(2, 100, range(6)), (0, 9, 500)), TRUTH)
    assert (found["missed"], found["false"], found["switches"]) == (4, 1, 0)
    assert found["mota_percent"] == pytest.approx(75)
    assert found["idf1_percent"] == pytest.approx(100 * 2 * 16 / (20 + 17))


def test_a_broken_track_is_one_switch():
    """The same person goes on under another number."""
    found = compare(boxes(*line(1, 0, range(4)), *line(5, 0, range(4, 10)), *line(2, 100)), TRUTH)
    assert found["switches"] == 1
    assert found["idf1_percent"] == pytest.approx(100 * 16 / 20)


def test_boxes_that_overlap_too_little_are_not_the_person():
    """Half a box aside is an overlap of a third."""
    assert compare(boxes(*line(1, 5)), boxes(*line(1, 0)))["missed"] == 10
    assert compare(boxes(*line(1, 5)), boxes(*line(1, 0)), 0.3)["missed"] == 0


def test_who_was_matched_stays_matched():
    """A new box that overlaps better does not take over while the old one still does."""
    found = compare(boxes(*line(1, 2), (9, 2, 0)), boxes(*line(1, 0)))
    assert (found["switches"], found["false"]) == (0, 1)


def test_nobody():
    """Shares of nothing are None."""
    assert compare(boxes(), boxes())["mota_percent"] is None
    assert compare(boxes(), TRUTH)["mota_percent"] == 0
