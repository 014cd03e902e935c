"""The sfv smoother as a plugin: options, history, progress."""

import numpy as np
import pytest

from mrs import options, plugins
from mrs.errors import UsageError
from tests.refine.clips import lift, noisy, refined


def smoother(**values):
    """The plugin as the pipeline makes it."""
    made = plugins.load().make("smoother", "sfv", values)
    made.progress = lambda done, total: None
    return made


@pytest.fixture(scope="module")
def clip():
    """Track and lifted motion of a second's walk."""
    track, truth = noisy(np.arange(24) / 30)
    return track, lift(track, truth.camera)


def test_defaults_are_those_of_the_refiner(clip):
    """Without options the plugin does what refine() does with the shipped scales, to the last bit."""
    track, lifted = clip
    o = options.build(plugins.load().get("smoother", "sfv").cls, {}, "smoother")
    same = refined(track, lifted, iterations=o.iterations, contact_iterations=o.contact_iterations)
    np.testing.assert_array_equal(smoother().smooth(None, track, lifted).joints_m, same.joints_m)


def test_history_tells_the_terms(clip):
    """The result's last history entry has the terms of both passes as finite numbers, and the ground."""
    track, lifted = clip
    step = smoother(iterations=3, contact_iterations=3).smooth(None, track, lifted).history[-1]
    assert step["stage"] == "refine" and np.isfinite(step["ground_m"])
    for name in ("reprojection", "pose", "acceleration"):
        assert np.isfinite(step["terms"][name]) and np.isfinite(step["terms_before_contact"][name])


def test_progress_is_told(clip):
    """The progress that the pipeline sets is called up to its end."""
    track, lifted = clip
    calls, made = [], smoother(iterations=2, contact_iterations=2)
    made.progress = lambda done, total: calls.append((done, total))
    made.smooth(None, track, lifted)
    assert calls and calls[-1][0] == calls[-1][1]


def test_smoothness_option_smooths(clip):
    """A tenth of the allowed acceleration gives less of it."""
    track, lifted = clip

    def felt(**values):
        joints = smoother(**values).smooth(None, track, lifted).joints_m
        return np.abs(np.diff(joints, n=2, axis=0)).mean()

    assert felt(acceleration_m_s2=1.5) < felt(acceleration_m_s2=60)


@pytest.mark.parametrize(("name", "value"), [("iterations", 0), ("window_frames", 10), ("pose_weight", -1), ("foot_lock", "x")])
def test_values_out_of_range_are_refused(name, value):
    """With the option's full name."""
    with pytest.raises(UsageError, match=f"smoother.{name}"):
        smoother(**{name: value})
