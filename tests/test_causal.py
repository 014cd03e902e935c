"""Filters that know the past alone."""

import numpy as np
import pytest

from mrs.causal import OneEuroFilter


def test_uneven_steps_give_the_same_as_even_ones():
    """A slow ramp is filtered alike whatever times it is given at."""
    def last(times):
        causal = OneEuroFilter(1.5, 0.0)
        return [causal.step(np.array([t]), t) for t in times][-1][0]

    even, uneven = np.arange(0, 4, 0.01), np.cumsum(np.random.default_rng(0).uniform(0.005, 0.015, 400))
    assert even[-1] - last(even) == pytest.approx(uneven[-1] - last(uneven), rel=0.05)


def test_the_lag_is_what_is_told():
    """A ramp trails behind by lag_s of its speed, with beta and without."""
    for beta, speed in ((0.0, 1.0), (0.5, 2.0)):
        causal = OneEuroFilter(1.5, beta)
        times = np.arange(0, 6, 1 / 500)
        out = [causal.step(np.array([speed * t]), t) for t in times]
        assert (speed * times[-1] - out[-1][0]) / speed == pytest.approx(causal.lag_s(speed), rel=0.02)


def test_a_time_that_does_not_grow_changes_nothing():
    """The same time again gives the same value."""
    causal = OneEuroFilter()
    causal.step(np.zeros(2), 0.0)
    first = causal.step(np.ones(2), 0.1)
    assert np.array_equal(causal.step(np.full(2, 9.0), 0.1), first)
