"""Weights of a clip that must not hang on its frame rate, known by construction."""

import numpy as np
import pytest

from mrs.refine.clip import ABOUT_S, Clip, least_about, mean_about
from tests.walker import filmed, walker


@pytest.mark.parametrize("fps", [30, 60, 240])
def test_soles_touch_for_some_time_before_they_are_held(fps):
    """A contact from 0.5 to 1.0 s holds from ABOUT_S after it begins to ABOUT_S before it ends, whatever the frame rate."""
    times = np.arange(0, 1.5, 1 / fps)
    likely = ((times > 0.5) & (times < 1.0)).astype(float)[:, None]
    held = least_about(likely, times)[:, 0]
    assert held.sum() / fps == pytest.approx(0.5 - 2 * ABOUT_S, abs=2 / fps)
    assert held[(times > 0.6) & (times < 0.9)].min() == 1 and not held[(times < 0.5) | (times > 1.0)].any()
    assert (held[:-1] <= np.minimum(likely[1:], likely[:-1])[:, 0]).all()


def test_means_weigh_frames_by_their_time():
    """The mean of a slope is the slope, with uneven frames as well; constants stay."""
    times = np.sort(np.random.default_rng(0).uniform(0, 3, 200))
    found = mean_about(times, np.stack([times, np.ones_like(times)], 1), 0.05)
    inside = (times > 0.4) & (times < 2.6)
    assert np.abs(found[inside, 0] - times[inside]).max() < 0.02
    np.testing.assert_allclose(found[:, 1], 1)


def test_what_moves_fast_is_let_go():
    """With every contact sure, the standing foot of a walker is held and the swinging one is not."""
    times = np.arange(45) / 30
    track, motion = filmed(walker(times)[0])
    clip = Clip(motion_body(motion), track, motion, "cpu")
    touching = {"contacts": np.ones((45, 4)), "hands": np.zeros((45, 2)), "flight": np.zeros(45)}
    still = clip.with_ground(0.0, 0.5, **touching).all.still.numpy()
    stands = np.minimum(motion.contacts[1:], motion.contacts[:-1]) > 0.5
    speed = np.linalg.norm(np.diff(soles(motion), axis=0), axis=-1) * 30
    assert still[:-1, :4][stands].min() > 0.9 and still[:-1, :4][speed > 1.0].max() < 0.05
    assert not still[:, 4:].any()


def motion_body(motion):
    """The body of a motion."""
    from mrs.body import load_body

    return load_body(motion.body)


def soles(motion):
    """Soles (T, 4, 3) of a motion."""
    from mrs.world.ground import sole_points

    return sole_points(motion)
