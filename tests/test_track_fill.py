"""Gaps of a track: filled in time, at confidence zero, without touching what was seen."""

import numpy as np
import pytest

from mrs.skeletons import COCO_17
from mrs.track_fill import fill


def sightings(values, dtype=np.float64):
    """Sightings whose every number is the value given."""
    values = np.asarray(values, dtype)
    points = np.ones((len(values), 17, 3), dtype) * values[:, None, None]
    points[..., 2] = 0.7
    return {"keypoints_px": points, "boxes_px": np.ones((len(values), 4), dtype) * values[:, None],
            "keypoints3d_m": np.ones((len(values), 17, 3), dtype) * values[:, None, None], "masks": None,
            "mask_to_px": None}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_filled_frames_are_linear_in_time_and_not_in_frames(dtype):
    """Between 0 at 0 s and 10 at 1 s, the frame at 0.9 s has 9, whichever its number."""
    times = np.array([0.0, 0.1, 0.9, 1.0])
    track = fill(1, COCO_17, np.array([5, 6, 8, 9]), times, np.array([0, 3]), sightings([0.0, 10.0], dtype))
    for values in (track.keypoints_px[:, 0, 0], track.boxes_px[:, 0], track.keypoints3d_m[:, 3, 2]):
        np.testing.assert_allclose(values, [0, 1, 9, 10], rtol=1e-6)
        assert values.dtype == dtype
    np.testing.assert_allclose(track.keypoints_px[:, 0, 2], np.array([0.7, 0, 0, 0.7], dtype))
    assert track.frame_ids.tolist() == [5, 6, 8, 9]


def test_one_sighting_is_a_track_of_one_frame():
    """Nothing to fill."""
    track = fill(2, COCO_17, np.arange(5), np.arange(5) / 30, np.array([3]), sightings([4.0]))
    assert track.frame_ids.tolist() == [3] and track.seen.all()


def test_sightings_are_copied_to_the_bit():
    """What was seen comes out equal, and in memory of its own."""
    given = sightings(np.random.default_rng(0).normal(size=6))
    rows = np.array([0, 1, 4, 5, 8, 9])
    track = fill(1, COCO_17, np.arange(10), np.arange(10) / 7, rows, given)
    np.testing.assert_array_equal(track.keypoints_px[rows], given["keypoints_px"])
    assert not np.shares_memory(track.keypoints_px, given["keypoints_px"])
    assert track.seen.tolist() == [r in rows for r in range(10)]
