"""The oks tracker on people whose every position is known."""

from dataclasses import replace

import numpy as np
import pytest
from mrs_plugins.trackers.oks import OksTracker

from mrs import options
from mrs.skeletons import COCO_17
from mrs.tracks import Detections, People, Tracks
from tests.stick_people import Clip, boxes_of, detect, walk


def tracker(**values) -> OksTracker:
    plugin = OksTracker()
    plugin.options = options.build(OksTracker, values, "tracker")
    return plugin


def link(detections, **values) -> Tracks:
    return tracker(**values).link(Clip(), detections)


def clock(seconds, fps):
    return np.arange(round(seconds * fps)) / fps


def crossing(times_s, **kw):
    """Two people who walk past each other and meet in the middle of the clip."""
    middle, speed = times_s.mean(), 180.0
    right = walk(times_s, 640 + speed * (times_s - middle), facing_rad=np.pi / 2, seed=1, **kw)
    left = walk(times_s, 640 - speed * (times_s - middle), facing_rad=-np.pi / 2, phase=1.0, ground_px=608.0,
                height_px=310.0, seed=2, **kw)
    return right, left


def same_points(track, points, rows=slice(None)):
    np.testing.assert_allclose(track.keypoints_px[track.seen][rows], points, atol=1e-9)


# The nine defects of the original (spec 2.6)


def test_defect_1_duplicates_are_found_wherever_the_box_starts():
    """Two sightings of one person are one, also where the box starts at very different x and y."""
    times = clock(1.0, 30)
    person = walk(times, 1100.0, ground_px=350.0)
    double = (person[0] + np.array([4.0, 3.0, 0.0]), person[1])
    tracks = link(detect(times, [person, double], scores=[np.full(30, 0.9), np.full(30, 0.7)]))
    assert len(tracks) == 1
    same_points(tracks.people[0], person[0])


def test_defect_2_boxes_apart_on_both_axes_are_not_linked():
    """A person gone and another one who shows up diagonally beside him are two people."""
    times = clock(2.0, 30)
    first = walk(times, 300.0, height_px=200.0, ground_px=250.0)
    second = walk(times, 300.0 + 230.0, height_px=200.0, ground_px=250.0 + 230.0)
    early = times < 1
    tracks = link(detect(times, [first, second], seen=[early, ~early]))
    assert [len(t) for t in tracks.people] == [30, 30]


def test_defect_3_overlap_does_not_depend_on_the_unit_of_length():
    """The same scene at a hundredth of the size gives the same people, as no +1 pixel is added anywhere."""
    times = clock(3.0, 30)
    people = crossing(times)
    large = link(detect(times, people))
    scale = np.array([0.04, 0.04, 1.0])
    small = link(detect(times, [(p * scale, q) for p, q in people]))
    assert len(large) == len(small) == 2
    for a, b in zip(large.people, small.people, strict=True):
        np.testing.assert_allclose(a.keypoints_px * scale, b.keypoints_px, atol=1e-9)


def test_defect_4_a_person_keeps_the_second_choice_when_the_best_is_taken():
    """Where the box at 638 px is the best of both, the one who expects 600 px takes the box at 560 px instead."""
    times = clock(5 / 30, 30)
    left, right = walk(times, 600.0), walk(times, 640.0)
    moved = [p.copy() for p, _ in (left, right)]
    moved[0][3:, :, 0] -= 40
    moved[1][3:, :, 0] -= 2
    detections = detect(times, [(moved[0], left[1]), (moved[1], right[1])])
    tracks = link(detections, min_seen_s=0.0)
    assert [len(t) for t in tracks.people] == [5, 5]
    firsts = sorted(tracks.people, key=lambda t: t.boxes_px[0, 0])
    same_points(firsts[0], moved[0])
    same_points(firsts[1], moved[1])


@pytest.mark.parametrize("missing", [[15], [29], list(range(10, 20)), [28]])
def test_defect_5_gaps_keep_every_frame_at_its_time(missing):
    """One missing frame, or ten, or those next to the last: each real frame stays at its own time, the last too."""
    times = clock(1.0, 30)
    person = walk(times, 200 + 100 * times)
    seen = ~np.isin(np.arange(30), missing)
    track = link(detect(times, [person], seen=[seen])).people[0]
    last = np.flatnonzero(seen)[-1]
    np.testing.assert_array_equal(track.frame_ids, np.arange(last + 1))
    np.testing.assert_array_equal(track.times_s, times[:last + 1])
    np.testing.assert_array_equal(track.seen, seen[:last + 1])
    same_points(track, person[0][seen])


def test_defect_6_filling_a_gap_leaves_the_real_sightings_alone():
    """Filled frames have confidence zero; the frame before keeps its own, and the detections are not written to."""
    times = clock(1.0, 30)
    person = walk(times, 200 + 100 * times)
    seen = ~np.isin(np.arange(30), [10, 11, 12])
    detections = detect(times, [person], seen=[seen])
    before = [p.keypoints_px.copy() for p in detections.people]
    track = link(detections).people[0]
    assert (track.keypoints_px[10:13, :, 2] == 0).all() and (track.masks[10:13] == 0).all()
    assert (track.keypoints_px[[9, 13], :, 2] == 0.9).all() and (track.masks[[9, 13]] == 255).all()
    middle = (person[0][9] + person[0][13])[:, :2] / 2
    np.testing.assert_allclose(track.keypoints_px[11, :, :2], middle)
    np.testing.assert_allclose(track.keypoints3d_m[11], (person[1][9] + person[1][13]) / 2)
    np.testing.assert_allclose(track.boxes_px[11], (boxes_of(person[0][9]) + boxes_of(person[0][13])) / 2)
    track.keypoints_px[:] = -1
    for people, kept in zip(detections.people, before, strict=True):
        np.testing.assert_array_equal(people.keypoints_px, kept)


def test_defect_7_the_ends_of_a_track_are_not_pulled_towards_zero():
    """First and last boxes are the detector's, and five frames are enough for a track of full size."""
    times = clock(5 / 30, 30)
    person = walk(times, 640.0)
    track = link(detect(times, [person]), min_seen_s=0.1).people[0]
    np.testing.assert_allclose(track.boxes_px, boxes_of(person[0]))
    assert track.heights_px().min() > 200


def test_defect_8_every_id_holds_one_person_and_absent_frames_raise_nothing():
    """Two people and a stretch with nobody: each id has that person's points only."""
    times = clock(4.0, 30)
    people = [walk(times, 300.0), walk(times, 900.0, height_px=250.0)]
    seen = [times < 1.5, (times > 0.5) & (times < 1.5)]
    tracks = link(detect(times, people, seen=seen))
    assert [t.person for t in tracks.people] == [1, 2]
    for track, (points, _), rows in zip(tracks.people, people, seen, strict=True):
        same_points(track, points[rows])


def test_defect_9_nobody_gives_empty_tracks_that_say_so():
    """Frames without people end in Tracks of nobody with all frames listed, not in None."""
    tracks = link(detect(clock(1.0, 30), []))
    assert len(tracks) == 0 and len(tracks.frame_ids) == 30
    assert tracks.history[0]["left_out"] == 0


# Who is who


@pytest.mark.parametrize("fps", [12, 30, 59.94, 120])
@pytest.mark.parametrize("lanes", [False, True])
def test_two_people_who_cross_keep_their_ids(fps, lanes):
    """Two noisy people cross, one hidden for 0.4 s: no id switch at any frame rate, with or without lane hints."""
    times = clock(4.0, fps)
    people = crossing(times, noise=0.008)
    hidden = abs(times - times.mean()) < 0.2
    numbers = [np.full(len(times), 4), np.full(len(times), 9)] if lanes else None
    tracks = link(detect(times, people, seen=[np.ones(len(times), bool), ~hidden], lanes=numbers), undo_swaps=False)
    assert len(tracks) == 2
    behind, front = sorted(tracks.people, key=lambda t: t.seen.sum())
    same_points(front, people[0][0])
    same_points(behind, people[1][0][~hidden])


def test_a_wrong_lane_does_not_bind():
    """Where the detector's lanes change owner at the crossing, the ids do not follow them."""
    times = clock(4.0, 30)
    people = crossing(times)
    late = times > 2.2
    lanes = [np.where(late, 1, 0), np.where(late, 0, 1)]
    tracks = link(detect(times, people, lanes=lanes), undo_swaps=False)
    assert len(tracks) == 2
    for track in tracks.people:
        owner = min(people, key=lambda p: abs(p[0][0, 0, 0] - track.keypoints_px[0, 0, 0]))
        same_points(track, owner[0][np.isin(times, track.times_s[track.seen])])


def test_who_was_lost_takes_nothing_from_who_was_never_lost():
    """A person who steps halfway to where a neighbour vanished is still that person."""
    times = clock(2.0, 30)
    gone, stays = walk(times, 640.0), walk(times, 640 + np.where(times < 1.6, 60.0, 30.0))
    tracks = link(detect(times, [gone, stays], seen=[times < 1, times >= 0]), undo_swaps=False)
    same_points(max(tracks.people, key=len), stays[0])


def test_exchanged_sides_do_not_break_a_track():
    """Left and right exchanged in every other frame still look like the same person."""
    times = clock(1.0, 30)
    points, metric = walk(times, 640.0, facing_rad=0.0)
    points[::2] = points[::2][:, COCO_17.flip]
    assert [len(t) for t in link(detect(times, [(points, metric)]), min_similarity=0.8).people] == [30]


def test_a_quarter_turn_of_the_detections_turns_the_tracks():
    """Detections turned by 90 degrees give the same tracks, turned."""
    times = clock(3.0, 30)
    people = crossing(times, noise=0.005)
    hidden = abs(times - 1.5) < 0.15

    def turned(points):
        return np.stack([720 - points[..., 1], points[..., 0], points[..., 2]], -1)

    seen = [np.ones(90, bool), ~hidden]
    upright = link(detect(times, people, seen=seen))
    aside = link(detect(times, [(turned(p), q) for p, q in people], seen=seen))
    assert len(upright) == len(aside) == 2
    for a, b in zip(upright.people, aside.people, strict=True):
        np.testing.assert_array_equal(a.frame_ids, b.frame_ids)
        np.testing.assert_allclose(turned(a.keypoints_px), b.keypoints_px, atol=1e-6)


@pytest.mark.parametrize("fps", [30, 120])
@pytest.mark.parametrize("away_s, persons", [(0.8, 1), (1.3, 2)])
def test_who_comes_back_in_time_is_the_same_person_at_every_frame_rate(fps, away_s, persons):
    """The time allowed is in seconds: 0.8 s away is one track, 1.3 s are two, at 30 and at 120 fps."""
    times = clock(4.0, fps)
    seen = (times < 1) | (times >= 1 + away_s)
    assert len(link(detect(times, [walk(times, 640.0)], seen=[seen]))) == persons


def test_uneven_frame_times_are_used_as_they_are():
    """A runner filmed at a rate that jumps between 15 and 60 fps stays one person, gaps filled along the real times."""
    times = np.cumsum(np.tile([1 / 60, 1 / 60, 1 / 15, 1 / 30], 20))
    person = walk(times, 50 + 500 * times)
    seen = ~np.isin(np.arange(80), [30, 31, 32])
    track = link(detect(times, [person], seen=[seen])).people[0]
    assert len(track) == 80
    share = (times[31] - times[29]) / (times[33] - times[29])
    expected = person[0][29] * (1 - share) + person[0][33] * share
    np.testing.assert_allclose(track.keypoints_px[31, :, :2], expected[:, :2])


@pytest.mark.parametrize("fps", [5, 12, 30])
def test_a_person_of_three_frames_is_left_out_and_named_in_the_history(fps):
    """Three frames are nobody, at any frame rate; the history says how long the longest of them was seen."""
    times = clock(2.0, fps)
    tracks = link(detect(times, [walk(times, 640.0)], seen=[np.arange(len(times)) < 3]))
    assert len(tracks) == 0
    assert tracks.history[-1]["left_out"] == 1
    assert tracks.history[-1]["longest_left_out_s"] == pytest.approx(3 / fps)
    assert (tracks.history[-1]["most_frames_left_out"], tracks.history[-1]["least_frames"]) == (3, 4)


def test_weak_people_are_left_out_and_low_scores_bridge_gaps():
    """A median score below the least leaves a person out; low scores in between only continue one."""
    times = clock(2.0, 30)
    person = walk(times, 640.0)
    dip = np.where((times > 0.8) & (times < 1.2), 0.2, 0.9)
    assert link(detect(times, [person], scores=[dip])).people[0].seen.all()
    assert len(link(detect(times, [person], scores=[np.full(60, 0.2)]))) == 0
    assert len(link(detect(times, [person], scores=[np.full(60, 0.45)]), min_score=0.5)) == 0


def test_half_a_person_stays_the_same_person():
    """Someone whose legs go out of the picture keeps the id although the box shrinks to half at once."""
    times = clock(2.0, 30)
    points, metric = walk(times, 640.0, height_px=500.0)
    low = [i for i in range(17) if i >= 11]
    points[30:, low, 2] = 0.02
    detections = detect(times, [(points, metric)])
    cut = [replace(p, boxes_px=boxes_of(p.keypoints_px[:, :11])) if row >= 30 else p
           for row, p in enumerate(detections.people)]
    tracks = link(Detections(detections.keypoints, detections.frame_ids, detections.times_s, cut))
    assert [len(t) for t in tracks.people] == [60]


def test_people_are_numbered_by_first_sight_then_size():
    """Of those in the first frame the largest is person 1; who comes later has a later number."""
    times = clock(2.0, 30)
    people = [walk(times, 200.0, height_px=200.0), walk(times, 600.0, height_px=280.0), walk(times, 1000.0, height_px=400.0)]
    always = np.ones(60, bool)
    tracks = link(detect(times, people, seen=[always, always, times > 0.5]))
    assert [round(t.boxes_px[0, 0] / 100) for t in tracks.people] == [6, 2, 10]


def test_keypoints_without_3d_masks_or_lanes_are_enough():
    """2D keypoints alone make tracks; what the detector does not give is None."""
    times = clock(1.0, 30)
    points, _ = walk(times, 640.0)
    people = [People(p[None], boxes_of(p[None]), np.array([0.9])) for p in points]
    track = link(Detections(detect(times, []).keypoints, np.arange(30), times, people)).people[0]
    assert track.keypoints3d_m is None and track.masks is None and track.mask_to_px is None


def test_broken_numbers_in_a_sighting_leave_that_sighting_out():
    """A frame with NaN keypoints is a frame in which nobody was seen."""
    times = clock(1.0, 30)
    points, metric = walk(times, 640.0)
    points[10, 3, 0] = np.nan
    track = link(detect(times, [(points, metric)])).people[0]
    assert not track.seen[10] and np.isfinite(track.keypoints_px).all()


def test_the_result_survives_the_file(tmp_path):
    """Tracks read back from tracks.npz are those that were written, history and all."""
    times = clock(3.0, 30)
    tracks = link(detect(times, crossing(times)))
    tracks.save(tmp_path / "tracks.npz")
    again = Tracks.load(tmp_path / "tracks.npz")
    assert again.history == tracks.history and tuple(again.size_px) == (1280, 720)
    for a, b in zip(tracks.people, again.people, strict=True):
        np.testing.assert_array_equal(a.keypoints_px, b.keypoints_px)
        np.testing.assert_array_equal(a.masks, b.masks)


# Left and right


def exchanged(pair, detections_keypoints, rows, state):
    from mrs.track_swaps import permutation

    order = permutation(detections_keypoints, state)
    points, metric = pair[0].copy(), pair[1].copy()
    points[rows], metric[rows] = points[rows][:, order], metric[rows][:, order]
    return points, metric


@pytest.mark.parametrize("state", [1, 2, 3])
def test_exchanged_left_and_right_are_put_back_in_2d_and_3d(state):
    """Bursts of exchanged arms, legs or bodies come out as they were filmed; switched off, they stay."""
    times = clock(4.0, 30)
    person = walk(times, 200 + 200 * times, facing_rad=np.pi / 3, noise=0.005)
    detections = detect(times, [person])
    wrong = np.isin(np.arange(120), [20, 21, 22, 50, 80, 81, 82, 83, 84, 85, 86, 87])
    bad = detect(times, [exchanged(person, detections.keypoints, wrong, state)])
    tracks = link(bad)
    same_points(tracks.people[0], person[0])
    np.testing.assert_allclose(tracks.people[0].keypoints3d_m, person[1])
    assert tracks.history[0]["swapped_frames"] == {"1": int(wrong.sum())}
    kept = link(bad, undo_swaps=False).people[0]
    np.testing.assert_allclose(kept.keypoints_px, np.concatenate([p.keypoints_px for p in bad.people]))


# Cost


def test_cost_is_linear_in_frames():
    """Four times the frames of two people take less than eight times as long; quadratic cost would take sixteen."""
    import time

    def seconds(count):
        times = np.arange(count) / 30
        people = [walk(times, 400 + 100 * np.sin(times)), walk(times, 900 + 100 * np.sin(times), height_px=250.0)]
        detections = detect(times, people)
        started = time.process_time()
        assert len(link(detections)) == 2
        return time.process_time() - started

    seconds(50)
    short = min(seconds(500), seconds(500))
    assert seconds(2000) < 8 * short


@pytest.mark.parametrize("step_px, persons", [(60.0, 1), (900.0, 2)])
def test_who_is_back_near_by_upside_down_is_the_same_person(step_px, persons):
    """After 0.3 s out of sight and half a somersault a body near by is the same one; a body far away is another."""
    times = clock(3.0, 30)
    person = walk(times, 300.0)
    points, rest = person[0].copy(), person[1:]
    after = times >= 1.5
    middle = points[after][..., :2].mean(1, keepdims=True)
    points[after, :, :2] = 2 * middle - points[after, :, :2] + [step_px, 0]
    assert len(link(detect(times, [(points, *rest)], seen=[(times < 1.2) | after]))) == persons


def test_in_a_clip_shorter_than_the_least_time_half_the_clip_is_enough():
    """Ten frames at 30 fps, less than min_seen_s, with somebody in all of them: one person."""
    times = clock(1 / 3, 30)
    assert len(link(detect(times, [walk(times, 640.0)]))) == 1
