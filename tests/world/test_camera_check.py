"""A camera that is taken for still: told from one that moves, on real and on painted films."""

from types import SimpleNamespace

import numpy as np
import pytest

from mrs.video import Video
from mrs.world import level_camera
from mrs.world.camera_check import LATER_S, Pair, check, verdict
from tests.command import ROOT
from tests.pans import film, turns

SAMPLE = ROOT / "examples" / "walk_and_jump.mp4"


class Painted(SimpleNamespace):
    """What the check needs of a video: a painted film in memory."""

    def frames(self, first_row=0):
        self.read = getattr(self, "read", 0)
        for frame in self.pictures[first_row:]:
            self.read += 1
            yield frame

    def checked(self):
        return check(self, lambda row: self.boxes[row], self.camera)


def painted(pans, key_rows=(0,), **kw):
    """A painted film with keyframes at some rows, three frames a second."""
    frames, boxes, camera = film(pans, fps=3.0, **kw)
    times = np.array([f.time_s for f in frames])
    return Painted(pictures=frames, boxes=boxes, camera=camera, times_s=times, key_rows=np.array(key_rows))


def test_the_sample_clip_stands_still():
    """A real tripod: every pair matches, and the largest turn is a twentieth of what counts as moving."""
    video = Video.open(SAMPLE)
    found = check(video, lambda row: np.zeros((0, 4)), level_camera(video.size_px))
    facts = found.facts()
    assert facts["moved"] is False and found.warnings() == [] and facts["pairs_matched"] == facts["pairs"] > 10
    assert facts["largest_turn_deg"] < 0.02 and facts["largest_shift_px"] < 0.5


def test_a_still_painted_film_with_a_walking_person_is_still():
    """The person is left out."""
    found = painted(turns(np.zeros(12))).checked()
    assert found.moved is False and found.largest.angle_deg < 0.02


@pytest.mark.parametrize("R", [
    turns(np.linspace(0, 3, 12)), turns(np.linspace(0, 60, 12)), turns(*(0.4 * np.random.default_rng(0).normal(size=(3, 12)))),
    turns(np.r_[np.zeros(9), np.full(3, 30.0)]),
], ids=["slow pan", "quick pan", "hand", "swung aside near the end"])
def test_a_camera_that_moves_is_told_and_what_to_type(R):
    """One line says when, how far in degrees and pixels, and names the option."""
    found = painted(R).checked()
    assert found.moved is True
    (line,) = found.warnings()
    assert "degrees" in line and "px" in line and "--camera rotating" in line


def test_a_cut_is_no_clear_move():
    """Where the background is another, neither still nor moving can be told; the line says when."""
    found = painted(turns(np.r_[np.zeros(6), np.full(6, 160.0)])).checked()
    assert found.moved is None and "a cut, or a camera that moves" in found.warnings()[0]


def test_nothing_to_see_is_said():
    """A grey wall does not tell."""
    found = painted(turns(np.zeros(6)), picture=np.full((64, 128, 3), 100, np.uint8), person=False).checked()
    assert found.moved is None and "can't be told" in found.warnings()[0] and found.largest is None


def test_one_picture_stands_still():
    """There is nothing to compare, and nothing to warn of."""
    assert painted(turns(np.zeros(1))).checked().warnings() == []


def test_only_what_is_needed_is_decoded():
    """With keyframes to jump to, a long film costs some tens of pictures."""
    video = painted(turns(np.zeros(12)))
    frames = [SimpleNamespace(**{**vars(video.pictures[row % 12]), "row": row, "time_s": row / 30}) for row in range(3000)]
    long = Painted(pictures=frames, boxes=[np.zeros((0, 4))] * 3000, camera=video.camera, times_s=np.arange(3000) / 30,
                   key_rows=np.arange(0, 3000, 250))
    found = long.checked()
    assert len(found.pairs) == 13 and long.read < 7 * (30 * LATER_S + 2)


def test_verdicts():
    """One clear move is enough; a match that is missing leaves it open; shifts count as well as turns."""
    still, moved, lost = Pair(0, 1, 0.01, 0.1), Pair(1, 2, 4.0, 90.0), Pair(2, 3, None, None)
    assert verdict([still, still], 1280).moved is False
    assert verdict([still, lost], 1280).moved is None
    assert verdict([still, moved, lost], 1280).moved is True and verdict([still, moved], 1280).largest is moved
    assert verdict([Pair(0, 1, 0.05, 12.0)], 1280).moved is True
