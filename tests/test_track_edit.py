"""Edits of tracks and the choice of people, on tracks written down by hand."""

import numpy as np
import pytest

from mrs.errors import NoPersonError, UsageError
from mrs.skeletons import BLAZEPOSE_33, COCO_17
from mrs.track_edit import choose, drop, merge, seen_s, split, summary, swap
from mrs.track_fill import fill
from mrs.tracks import Tracks

FPS = 10.0


def person(number, rows, *, frames=40, x=100.0, height=100.0, confidence=0.8, keypoints=COCO_17, with_3d=True):
    """A track whose every point at row r is x + r, with the sightings in `rows`."""
    rows = np.asarray(rows)
    count = len(keypoints)
    points = np.full((len(rows), count, 3), confidence)
    points[..., 0], points[..., 1] = x + rows[:, None], 50.0
    boxes = np.stack([x + rows - 0.3 * height, np.full(len(rows), 50.0), x + rows + 0.3 * height,
                      np.full(len(rows), 50 + 0.8 * height)], -1)
    sightings = {"keypoints_px": points, "boxes_px": boxes,
                 "keypoints3d_m": np.tile(rows[:, None, None], (1, count, 3)) / 10 if with_3d else None,
                 "masks": np.full((len(rows), 512), number, np.uint8), "mask_to_px": np.zeros((len(rows), 2, 3))}
    return fill(number, keypoints, np.arange(frames), np.arange(frames) / FPS, rows, sightings)


def tracks_of(*people, frames=40):
    return Tracks(people, (640, 480), np.arange(frames), np.arange(frames) / FPS, ({"stage": "tracker"},))


def xs(track):
    return dict(zip(track.frame_ids[track.seen].tolist(), track.keypoints_px[track.seen, 0, 0].tolist(), strict=True))


def test_merging_joins_two_parts_and_fills_between():
    """1 and 3 become 1, seen where either was, with confidence zero in between; 2 is untouched."""
    before = tracks_of(person(1, range(10)), person(2, range(40), x=400.0), person(3, range(20, 30), x=200.0))
    after = merge(before, [1, 3])
    assert [t.person for t in after.people] == [1, 2]
    joined = after.person(1)
    np.testing.assert_array_equal(joined.frame_ids, np.arange(30))
    assert xs(joined) == {r: 100.0 + r for r in range(10)} | {r: 200.0 + r for r in range(20, 30)}
    assert (joined.keypoints_px[10:20, :, 2] == 0).all()
    step = (220.0 - 109.0) / 11
    np.testing.assert_allclose(joined.keypoints_px[9:21, 0, 0], 109.0 + step * np.arange(12))
    assert joined.masks[[0, 15, 25], 0].tolist() == [1, 0, 3]
    assert after.person(2) is before.person(2)
    assert after.history == ({"stage": "tracker"}, {"stage": "tracks", "plugin": "edit", "operation": "merge",
                                                    "persons": [1, 3], "overlap": "refuse"})


def test_the_first_id_named_stays():
    """Merging 3 with 1 gives 3."""
    after = merge(tracks_of(person(1, range(5)), person(3, range(10, 15))), [3, 1])
    assert [t.person for t in after.people] == [3]


def test_merging_people_seen_at_once_is_refused_or_the_better_sighting_wins():
    """Two sightings in one frame are refused with the times; with overlap=best the higher confidence wins."""
    before = tracks_of(person(1, range(12), confidence=0.5), person(2, range(10, 20), x=300.0, confidence=0.9))
    with pytest.raises(UsageError, match=r"2 frames from 1\.000 to 1\.100 s.*--overlap best"):
        merge(before, [1, 2])
    joined = merge(before, [1, 2], overlap="best").person(1)
    assert xs(joined) == {r: 100.0 + r for r in range(10)} | {r: 300.0 + r for r in range(10, 20)}
    joined = merge(before, [2, 1], overlap="best").person(2)
    assert xs(joined)[10] == 310.0


def test_parts_that_interleave_without_a_common_frame_merge():
    """A person whose frames were dealt to two ids in turn becomes one again, with nothing left to fill."""
    before = tracks_of(person(1, range(0, 20, 2)), person(2, range(1, 20, 2)))
    joined = merge(before, [1, 2]).person(1)
    assert joined.seen.all() and xs(joined) == {r: 100.0 + r for r in range(20)}


def test_splitting_gives_the_later_part_the_next_id_and_trims_both():
    """Cut inside a gap: each part starts and ends with a sighting."""
    rows = [*range(10), *range(20, 40)]
    before = tracks_of(person(1, rows), person(4, range(40)))
    after = split(before, 1, 1.5)
    assert [t.person for t in after.people] == [1, 4, 5]
    assert after.person(1).frame_ids.tolist() == list(range(10))
    assert after.person(5).frame_ids.tolist() == list(range(20, 40))
    assert after.history[-1] == {"stage": "tracks", "plugin": "edit", "operation": "split", "person": 1, "at_s": 1.5,
                                 "new_person": 5}


def test_splitting_then_merging_gives_the_track_back():
    """Nothing is lost at the cut."""
    before = tracks_of(person(1, [*range(10), *range(14, 40)]))
    after = merge(split(before, 1, 2.0), [1, 2])
    np.testing.assert_allclose(after.person(1).keypoints_px, before.person(1).keypoints_px)
    np.testing.assert_array_equal(after.person(1).masks, before.person(1).masks)


@pytest.mark.parametrize("at_s", [-1.0, 0.0, 3.95, 99.0])
def test_splitting_outside_a_persons_time_is_refused(at_s):
    """A cut that would leave one side empty is refused, with the times that would do."""
    with pytest.raises(UsageError, match=r"after 0\.000 s and up to 3\.900 s"):
        split(tracks_of(person(1, range(40))), 1, at_s)


def test_swapping_exchanges_a_stretch_and_swapping_again_restores_it():
    """From 1.0 to 1.9 s, both included, each person has the other's sightings."""
    before = tracks_of(person(1, range(40)), person(2, range(5, 35), x=400.0))
    after = swap(before, 1, 2, 1.0, 1.9)
    assert xs(after.person(1)) == {r: (400.0 if 10 <= r < 20 else 100.0) + r for r in range(40)}
    assert xs(after.person(2)) == {r: (100.0 if 10 <= r < 20 else 400.0) + r for r in range(5, 35)}
    again = swap(after, 1, 2, 1.0, 1.9)
    for number in (1, 2):
        np.testing.assert_array_equal(again.person(number).keypoints_px, before.person(number).keypoints_px)


def test_swapping_from_a_time_on_moves_the_ends_too():
    """Without --to the rest of both is exchanged, also where one of them is gone by then."""
    after = swap(tracks_of(person(1, range(40)), person(2, range(20), x=400.0)), 1, 2, from_s=1.0)
    assert after.person(1).frame_ids[-1] == 19 and after.person(2).frame_ids[-1] == 39


def test_swapping_outside_both_or_emptying_one_is_refused():
    """No sighting in the stretch is a wrong time; taking all a person has is a merge."""
    before = tracks_of(person(1, range(10)), person(2, range(10, 20)))
    with pytest.raises(UsageError, match=r"between 0\.000 and 1\.900 s"):
        swap(before, 1, 2, 3.0, 3.5)
    with pytest.raises(UsageError, match="mrs tracks merge RUN 1 2"):
        swap(before, 1, 2, 1.0, 1.9)
    with pytest.raises(UsageError, match="two different people"):
        swap(before, 1, 1)


def test_dropping_leaves_the_others_and_never_nobody():
    """Those named go; all of them can't."""
    before = tracks_of(person(1, range(10)), person(2, range(10)), person(3, range(10)))
    after = drop(before, [1, 3])
    assert [t.person for t in after.people] == [2]
    assert after.history[-1]["persons"] == [1, 3]
    with pytest.raises(UsageError, match="somebody stays"):
        drop(before, [1, 2, 3])


@pytest.mark.parametrize("edit", [
    lambda t: merge(t, [1, 9]), lambda t: split(t, 9, 1.0), lambda t: swap(t, 1, 9), lambda t: drop(t, [9]),
    lambda t: choose(t, "9"), lambda t: choose(t, 9)])
def test_unknown_ids_are_refused_with_who_there_is(edit):
    """The message names the ids and their times."""
    with pytest.raises(UsageError, match=r"got 9\. There is person 1 \(0\.0 to 0\.9 s\), 2 \(2\.0 to 3\.9 s\)"):
        edit(tracks_of(person(1, range(10)), person(2, range(20, 40))))


def test_merging_one_or_the_same_or_unlike_people_is_refused():
    """A merge needs two different ids and one keypoint set."""
    before = tracks_of(person(1, range(10)), person(2, range(20, 30), keypoints=BLAZEPOSE_33))
    for ids in ([1], [1, 1], []):
        with pytest.raises(UsageError, match="two or more different people"):
            merge(before, ids)
    with pytest.raises(UsageError, match="one keypoint set"):
        merge(before, [1, 2])


def test_what_one_part_lacks_the_whole_lacks():
    """Merged with a person without 3D, there is no 3D."""
    joined = merge(tracks_of(person(1, range(5)), person(2, range(10, 15), with_3d=False)), [1, 2]).person(1)
    assert joined.keypoints3d_m is None and joined.masks is not None


def test_edits_leave_the_input_as_it_was_and_survive_the_file(tmp_path):
    """The tracks edited are new ones, and a file of them reads back."""
    before = tracks_of(person(1, range(10)), person(2, range(20, 40)))
    kept = before.person(1).keypoints_px.copy()
    after = split(merge(before, [1, 2]), 1, 2.5)
    after.person(1).keypoints_px[:] = 0
    np.testing.assert_array_equal(before.person(1).keypoints_px, kept)
    after = split(merge(before, [1, 2]), 1, 2.5)
    after.save(tmp_path / "t.npz")
    again = Tracks.load(tmp_path / "t.npz")
    assert again.history == after.history
    assert [len(t) for t in again.people] == [len(t) for t in after.people]


# Choosing


@pytest.fixture
def three():
    """1 is seen longest, 2 is largest, 3 is nearest to the centre."""
    return tracks_of(person(1, range(40), x=50.0, height=90.0), person(2, range(10, 30), x=500.0, height=250.0),
                     person(3, range(10), x=310.0, height=100.0))


@pytest.mark.parametrize("rule, chosen", [
    ("longest", [1]), ("largest", [2]), ("center", [3]), ("all", [1, 2, 3]), ("2", [2]), ("3,1", [1, 3]), (3, [3])])
def test_each_rule_picks_its_person(three, rule, chosen):
    """Largest, longest, center, all, an id or several."""
    assert [t.person for t in choose(three, rule).people] == chosen


def test_filled_frames_do_not_count_for_the_longest():
    """Two sightings three seconds apart are shorter than ten in a row."""
    pair = tracks_of(person(1, [0, 1, 2, 38, 39]), person(2, range(10)))
    assert choose(pair, "longest").people[0].person == 2
    assert seen_s(pair.person(1)) == pytest.approx(0.5)


def test_of_equals_the_lower_id_is_chosen():
    """Two people alike in everything: the first."""
    pair = tracks_of(person(1, range(10)), person(2, range(10)))
    for rule in ("largest", "longest", "center"):
        assert choose(pair, rule).people[0].person == 1


def test_an_unknown_rule_is_refused_with_what_there_is(three):
    """A rule that is none names the rules and the people."""
    with pytest.raises(UsageError, match=r"largest, longest, center, all or ids.*'biggest'.*person 1 "):
        choose(three, "biggest")


def test_nobody_to_choose_from_is_said():
    """No people at all is exit code 5."""
    with pytest.raises(NoPersonError):
        choose(tracks_of(), "largest")


def test_the_summary_counts_sightings_only():
    """Times, frames, share seen, confidence and height of the frames with a sighting."""
    row = summary(tracks_of(person(1, [*range(10, 15), *range(20, 25)], height=100.0)))[0]
    assert row["person"] == 1 and row["frames"] == 15
    assert row["first_s"] == pytest.approx(1.0) and row["last_s"] == pytest.approx(2.4)
    assert row["seen_percent"] == pytest.approx(100 * 10 / 15)
    assert row["mean_confidence"] == pytest.approx(0.8)
    assert row["median_height_px"] == pytest.approx(100.0)
