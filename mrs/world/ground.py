"""The ground plane and what touches it."""

from __future__ import annotations

import numpy as np

from mrs.body import load_body
from mrs.motion import Motion
from mrs.skeletons import Keypoints

SOLES = Keypoints("soles", ("left_heel_sole", "left_toe_sole", "right_heel_sole", "right_toe_sole"))
BAND_M = 0.15
BELOW_M = 0.3
TOUCHING = 0.5


def sole_points(motion: Motion) -> np.ndarray:
    """Undersides (T, 4, 3) of left heel, left toe, right heel, right toe."""
    return load_body(motion.body).keypoints(motion, SOLES)


def ground_height(motions: list[Motion]) -> float:
    """Height in metres of the lowest level that feet stand on, over all people.

    Contacts on higher surfaces (a roof, a step) do not lift it: it is the mean of the contact heights that lie within
    BAND_M of their 10th percentile. Where nobody was seen to touch what feet come down to, more than BELOW_M under all
    contacts (a landing too quick to tell), and without any contact, it is the 2nd percentile of all sole heights.
    """
    heights = np.concatenate([sole_points(m)[..., 1].ravel() for m in motions])
    weights = np.concatenate([m.contacts.ravel() for m in motions])
    lowest = float(np.percentile(heights, 2))
    touching = weights > TOUCHING
    if touching.sum() < 3:
        return lowest
    heights, weights = heights[touching], weights[touching]
    low = np.percentile(heights, 10, method="lower")
    if low - lowest > BELOW_M:
        return lowest
    near = np.abs(heights - low) < BAND_M
    return float(np.average(heights[near], weights=weights[near]))
