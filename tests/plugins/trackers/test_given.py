"""Trackers that take somebody else's word for who is who."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import plugins
from mrs.errors import UsageError
from mrs.metrics.mot import Boxes, compare
from tests.stick_people import Clip, detect, walk

REGISTRY = plugins.load()
TIMES = np.arange(30) / 30


def people(ids_given=True):
    """Two people, known to the file as 7 and 4, of whom the second is away in frames 10 to 14."""
    walkers = [walk(TIMES, 300.0), walk(TIMES, 700.0, seed=1)]
    away = np.ones(30, bool)
    away[10:15] = False
    found = detect(TIMES, walkers, seen=[np.ones(30, bool), away], lanes=[np.full(30, 7), np.full(30, 4)])
    return replace(found, ids_given=ids_given), walkers


def test_ids_of_the_file_are_the_people():
    """Numbers stay as they are, and so do gaps."""
    found, walkers = people()
    tracks = REGISTRY.make("tracker", "file").link(Clip(), found)
    assert [t.person for t in tracks.people] == [4, 7]
    assert [int(t.seen.sum()) for t in tracks.people] == [25, 30]
    np.testing.assert_allclose(tracks.people[1].keypoints_px, walkers[0][0])


def test_of_two_people_with_one_id_the_better_scored_stays():
    """A file may have an id twice in a frame."""
    walkers = [walk(TIMES, 300.0), walk(TIMES, 700.0, seed=1)]
    found = detect(TIMES, walkers, lanes=[np.full(30, 1)] * 2, scores=[np.full(30, 0.6), np.full(30, 0.8)])
    tracks = REGISTRY.make("tracker", "file").link(Clip(), replace(found, ids_given=True))
    assert len(tracks) == 1
    np.testing.assert_allclose(tracks.people[0].keypoints_px, walkers[1][0])


def test_a_file_without_ids_is_refused_by_file_and_does_not_suit_auto():
    """auto goes on to our own tracker then."""
    found, _ = people(ids_given=False)
    tracker = REGISTRY.make("tracker", "file")
    assert not tracker.suits(found)
    with pytest.raises(UsageError, match="--tracker oks"):
        tracker.link(Clip(), found)


def test_boxes_of_mot_text_say_who_is_who(tmp_path):
    """Ids come from boxes that overlap; who has no box is left out."""
    found, walkers = people(ids_given=False)
    rows = []
    for row in range(30):
        x0, y0 = walkers[1][0][row, :, :2].min(0) + 5
        x1, y1 = walkers[1][0][row, :, :2].max(0) + 5
        rows.append(f"{row + 1},12,{x0},{y0},{x1 - x0},{y1 - y0},1,-1,-1,-1")
    (tmp_path / "boxes.txt").write_text("\n".join(rows))
    tracks = REGISTRY.make("tracker", "mot:", {"source": str(tmp_path / "boxes.txt")}).link(Clip(), found)
    assert [t.person for t in tracks.people] == [12]
    assert int(tracks.people[0].seen.sum()) == 25


@pytest.mark.parametrize("tracker, switches", [("oks", 0), ("bytetrack", 0), ("poseflow", 0)])
def test_two_people_cross(tracker, switches):
    """All settings of our tracker keep two people apart where they walk past each other."""
    from benchmarks.tracking import scene

    found, truth = scene(2, 0)
    told = compare(Boxes.of(REGISTRY.make("tracker", tracker).link(Clip(), found)), truth)
    assert told["switches"] == switches
    assert told["idf1_percent"] > 90
    assert told["mota_percent"] > 80


def test_five_people_cross():
    """Among five our own settings rarely exchange people."""
    from benchmarks.tracking import scene

    told = [compare(Boxes.of(REGISTRY.make("tracker", "oks").link(Clip(), scene(5, seed)[0])), scene(5, seed)[1]) for seed in (0, 1)]
    assert np.mean([t["idf1_percent"] for t in told]) > 80
    assert min(t["mota_percent"] for t in told) > 95
