"""Which frame a name means."""

import pytest

from mrs.formats.pose2d.frames import first_number, frame_numbers, natural_key


def test_natural_order():
    """Numbers in names are compared as numbers."""
    assert sorted(["f10", "f9", "f1b", "f1"], key=natural_key) == ["f1", "f1b", "f9", "f10"]


@pytest.mark.parametrize("labels, expected", [
    (["clip7_000000000003_keypoints.json", "clip7_000000000012_keypoints.json"], [3, 12]),
    (["0.jpg", "10.jpg"], [0, 10]),
    (["a/frame_0005.png", "a/frame_0006.png"], [5, 6]),
    (["shot1_v2.jpg", "shot3_v2.jpg"], [1, 3]),
    (["12", "4"], [12, 4]),
    (["left.jpg", "right.jpg"], None),
    (["x1.jpg", "1y.jpg"], None),
])
def test_the_last_number_that_tells_frames_apart(labels, expected):
    """Version numbers that are the same in all names do not count."""
    assert frame_numbers(labels) == expected


@pytest.mark.parametrize("labels, numbers, frames, every, expected", [
    (["a_000"], [0], 10, True, 0),
    (["a_001"], [1], 10, True, 1),
    (["a_100", "a_101"], [100, 101], 2, True, 100),
    (["a_100", "a_101"], [100, 101], 300, True, 0),
    (["5.jpg", "10.jpg"], [5, 10], 10, False, 1),
    (["1.jpg", "9.jpg"], [1, 9], 10, False, 0),
    (["0001.jpg", "0009.jpg"], [1, 9], 10, False, 1),
    (["0001.jpg", "0000.jpg"], [1, 0], None, False, 0),
])
def test_what_the_first_frame_is_called(labels, numbers, frames, every, expected):
    """The rule of docs/files.md, case by case."""
    assert first_number(labels, numbers, frames, every) == expected
