"""Filters that know the past alone, a value at a time."""

from __future__ import annotations

import math

import numpy as np


class OneEuroFilter:
    """The One-Euro filter (Casiez et al., CHI 2012): smoother when slow; each number of a value on its own.

    The cut-off is min_cutoff_hz + beta * speed. Speed is that of the values, not from the last filtered value as in the
    paper: that one holds the lag divided by the time between frames, so that the same motion would be filtered less at a
    higher frame rate.
    """

    def __init__(self, min_cutoff_hz: float = 1.5, beta: float = 0.5, speed_cutoff_hz: float = 1.0):
        self.min_cutoff_hz, self.beta, self.speed_cutoff_hz = min_cutoff_hz, beta, speed_cutoff_hz
        self._time_s = self._seen = self._out = self._speed = None

    def step(self, value: np.ndarray, time_s: float) -> np.ndarray:
        """Return the filtered value at a later time than the last; the first is itself."""
        value = np.asarray(value, float)
        if self._out is None:
            self._out, self._speed = value.copy(), np.zeros_like(value)
        else:
            between_s = time_s - self._time_s
            if between_s <= 0:
                return self._out
            slope = (value - self._seen) / between_s
            self._speed = self._speed + _share(self.speed_cutoff_hz, between_s) * (slope - self._speed)
            self._out = self._out + _share(self.min_cutoff_hz + self.beta * np.abs(self._speed), between_s) * (value - self._out)
        self._time_s, self._seen = time_s, value
        return self._out

    def lag_s(self, speed: float = 0.0) -> float:
        """How far the output is behind a value that moves evenly at `speed` units a second."""
        return 1 / (2 * math.pi * (self.min_cutoff_hz + self.beta * speed))


def _share(cutoff_hz, between_s: float):
    return 1 / (1 + 1 / (2 * np.pi * cutoff_hz * between_s))
