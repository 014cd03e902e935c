"""How far the picture is followed: known confidences and known distances give known shares."""

from types import SimpleNamespace

import numpy as np
import pytest

from mrs.refine import doubt
from mrs.skeletons import BLAZEPOSE_33
from mrs.tracks import Track


def _sides(confidence: np.ndarray, seen: float, fps: float = 30.0):
    """A motion's times and confidence, and a track seen everywhere with one confidence."""
    frames = len(confidence)
    times = np.arange(frames) / fps
    track = Track(person=1, keypoints=BLAZEPOSE_33, frame_ids=np.arange(frames), times_s=times,
                  keypoints_px=np.full((frames, 33, 3), seen), boxes_px=np.tile([0.0, 0, 9, 9], (frames, 1)))
    return SimpleNamespace(times_s=times, confidence=confidence), track


def _away(distance: float, everywhere: float):
    """20 frames of 33 keypoints off by `everywhere` heights, and one keypoint of one frame by `distance`."""
    seen = np.zeros((20, 33, 3))
    seen[..., 0], seen[..., 2] = 100 * everywhere, 1
    seen[4, 7, 0] = 100 * distance
    return np.zeros((20, 33, 2)), seen, np.ones((20, 33)), np.full(20, 100.0)


def test_a_keypoint_at_five_times_the_usual_distance_keeps_half_its_weight():
    """r = FAR m leaves 1 / 2; the others, at a fifth of that, 25 / 26."""
    share = doubt.agreement(*_away(0.1, 0.02))
    assert share[4, 7] == pytest.approx(0.5)
    assert share[0, 0] == pytest.approx(25 / 26)


def test_a_crude_start_doubts_nothing():
    """A start that is off by CRUDE_HEIGHTS nearly everywhere leaves the picture as it is."""
    assert np.array_equal(doubt.agreement(*_away(0.9, 0.05)), np.ones((20, 33)))


def test_nothing_seen_leaves_nothing_to_doubt():
    """Without a seen keypoint every share is 1."""
    projected, seen, weights, heights = _away(0.5, 0.01)
    assert np.array_equal(doubt.agreement(projected, seen, 0 * weights, heights), np.ones((20, 33)))


def test_the_detectors_own_word_is_no_doubt():
    """A lifter that only repeats a low confidence of the detector is as sure as can be."""
    assert np.allclose(doubt.sureness(*_sides(np.full((30, 24), 0.4), 0.4)), 1)


def test_a_lifter_less_sure_than_the_detector_is_doubted():
    """0.34 where 0.68 is wanted is half as sure."""
    assert np.allclose(doubt.sureness(*_sides(np.full((30, 24), doubt.SURE / 2), 0.95)), 0.5)


@pytest.mark.parametrize("reverse", [False, True])
def test_frames_without_evidence_say_nothing(reverse):
    """Confidence 0 marks frames that were filled in: their neighbours speak for them, forwards and backwards in time."""
    confidence = np.full((30, 24), 0.9)
    confidence[10:13] = 0
    assert np.allclose(doubt.sureness(*_sides(confidence[::-1] if reverse else confidence, 0.95)), 1)


def test_sureness_is_the_same_at_twice_the_frame_rate():
    """The mean is over a time, not over frames."""
    slow, fast = (0.5 + 0.3 * np.sin(np.arange(n) / rate * 3)[:, None].repeat(24, 1) for n, rate in ((60, 30), (119, 60)))
    found = doubt.sureness(*_sides(slow, 0.95)), doubt.sureness(*_sides(fast, 0.95, 60.0))[::2]
    assert np.abs(found[0] - found[1])[5:-5].max() < 0.01
