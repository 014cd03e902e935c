"""Tracks survive their file, and refuse what is not one."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import npz
from mrs.errors import InputError
from mrs.skeletons import BLAZEPOSE_33, COCO_17
from mrs.tracks import MASK_SIDE, Track, Tracks

TIMES_S = np.cumsum([0.1, 0.03, 0.05, 0.02, 0.04, 0.04])


def track(person, keypoints, rows, full):
    """A track of random numbers over some rows of the video; a `full` one has 3D landmarks and masks."""
    rng, frames, points = np.random.default_rng(person), len(rows), len(keypoints)
    extra = {}
    if full:
        extra = {"keypoints3d_m": rng.normal(size=(frames, points, 3)),
                 "masks": rng.integers(0, 256, (frames, MASK_SIDE**2 // 8)).astype(np.uint8),
                 "mask_to_px": rng.normal(size=(frames, 2, 3))}
    return Track(person=person, keypoints=keypoints, frame_ids=10 + np.asarray(rows), times_s=TIMES_S[rows],
                 keypoints_px=rng.random((frames, points, 3)), boxes_px=100 * rng.random((frames, 4)), **extra)


@pytest.fixture
def tracks():
    """Two people: one with everything, one with 2D keypoints of another set only."""
    people = (track(1, BLAZEPOSE_33, range(6), True), track(12, COCO_17, range(2, 5), False))
    return Tracks(people, (1280, 720), np.arange(10, 16), TIMES_S, ({"stage": "detector", "plugin": "made up"},))


def test_file_brings_back_every_array(tracks, tmp_path):
    """Save and load give the same people, arrays, size, times and history."""
    tracks.save(tmp_path / "tracks.npz")
    back = Tracks.load(tmp_path / "tracks.npz")
    assert (back.size_px, back.history, len(back)) == ((1280, 720), tracks.history, 2)
    np.testing.assert_array_equal(back.frame_ids, tracks.frame_ids)
    np.testing.assert_array_equal(back.times_s, tracks.times_s)
    for found, given in zip(back.people, tracks.people, strict=True):
        assert (found.person, found.keypoints) == (given.person, given.keypoints)
        for name in ("frame_ids", "times_s", "keypoints_px", "boxes_px", "keypoints3d_m", "masks", "mask_to_px"):
            np.testing.assert_array_equal(getattr(found, name), getattr(given, name))


def test_what_a_track_lacks_stays_absent(tracks, tmp_path):
    """No 3D landmarks and masks go in, none come out."""
    tracks.save(tmp_path / "tracks.npz")
    second = Tracks.load(tmp_path / "tracks.npz").person(12)
    assert second.keypoints3d_m is None and second.masks is None and second.mask_to_px is None


def test_a_file_of_nobody_is_a_file(tmp_path):
    """Zero people are kept as such."""
    Tracks((), (64, 48), np.arange(6), TIMES_S).save(tmp_path / "tracks.npz")
    assert len(Tracks.load(tmp_path / "tracks.npz")) == 0


@pytest.mark.parametrize(("changes", "message"), [
    ({"keypoints_px": np.zeros((3, 17, 2))}, r"keypoints_px of person 12 .* \(3, 17, 3\), but got \(3, 17, 2\)"),
    ({"boxes_px": np.zeros((2, 4))}, "boxes_px of person 12"),
    ({"keypoints3d_m": np.zeros((3, 16, 3))}, "keypoints3d_m of person 12"),
    ({"boxes_px": np.full((3, 4), np.nan)}, "finite boxes_px of person 12"),
    ({"times_s": np.array([0.1, 0.3, 0.3])}, "growing times for person 12"),
    ({"frame_ids": np.array([3, 2, 1])}, "growing times for person 12"),
])
def test_a_damaged_person_is_refused_by_number(tracks, tmp_path, changes, message):
    """The message names the array and the person."""
    damaged = replace(tracks, people=(tracks.people[0], replace(tracks.people[1], **changes)))
    damaged.save(tmp_path / "tracks.npz")
    with pytest.raises(InputError, match=message):
        Tracks.load(tmp_path / "tracks.npz")


def test_a_file_that_lacks_a_person_s_array_is_refused(tmp_path):
    """The message names what is missing."""
    meta = {"people": [{"person": 1, "keypoints": "coco-17"}], "size_px": [4, 4], "history": []}
    npz.save(tmp_path / "t.npz", "tracks", {"frame_ids": np.arange(1), "times_s": np.zeros(1)}, meta)
    with pytest.raises(InputError, match="t.npz to hold '01/frame_ids'"):
        Tracks.load(tmp_path / "t.npz")


def test_a_motion_file_is_not_a_tracks_file(tmp_path):
    """The kind of the file is checked."""
    npz.save(tmp_path / "t.npz", "motion", {"frame_ids": np.arange(1)}, {})
    with pytest.raises(InputError, match="Expected a tracks file"):
        Tracks.load(tmp_path / "t.npz")


def test_an_unknown_person_is_refused_with_those_there_are(tracks):
    """person(3) says 1, 12 and the command that lists them."""
    with pytest.raises(InputError, match="out of 1, 12, but got 3.*mrs tracks show"):
        tracks.person(3)


def test_rows_of_a_track_keep_their_arrays_together(tracks):
    """at() picks the same rows of everything, by slice, mask or index, and leaves what is absent absent."""
    full, sparse = tracks.people
    for rows in (slice(1, 4), np.array([True, False, True, False, False, True]), np.array([5, 0])):
        part = full.at(rows)
        for name in ("frame_ids", "times_s", "keypoints_px", "boxes_px", "keypoints3d_m", "masks", "mask_to_px"):
            np.testing.assert_array_equal(getattr(part, name), getattr(full, name)[rows])
    assert sparse.at(slice(0, 1)).keypoints3d_m is None


def test_seen_is_where_any_keypoint_has_confidence(tracks):
    """A frame filled in with confidence 0 was not seen."""
    points = tracks.people[0].keypoints_px.copy()
    points[2, :, 2] = 0
    points[3, 1:, 2] = 0
    assert replace(tracks.people[0], keypoints_px=points).seen.tolist() == [True, True, False, True, True, True]


def test_heights_are_diagonals_and_at_least_a_pixel(tracks):
    """A 30 x 40 box is 50 px whichever way it lies; an empty one counts one pixel."""
    boxes = np.array([[0, 0, 30, 40], [5, 5, 45, 35], [9, 9, 9, 9.0]])
    np.testing.assert_allclose(replace(tracks.people[1], boxes_px=boxes).heights_px(), [50, 50, 1])
