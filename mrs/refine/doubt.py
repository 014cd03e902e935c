"""How far the picture is to be followed, before anything is fitted to it: less where the lifter is unsure, and hardly where it is elsewhere.

Detectors are sure of limbs that are not there when people lie, roll or turn over. A lifter that looks at a second of evidence at once
(`hmr`) is not taken in by a limb that jumps, and knows when it guesses. Two things are read off it:

- where the start, steadied over time, is far from a keypoint, the keypoint weighs less. What is far is told by the start itself:
  so many times its median distance from all keypoints of the clip; a crude start doubts nothing;
- where the lifter is less sure of a joint than the detector is, keypoints weigh less and accelerations that the start shows are not believed.
"""

from __future__ import annotations

import numpy as np

from mrs.lifting.placing import joint_confidence
from mrs.motion import Motion
from mrs.refine.clip import frame_steps, sums_about
from mrs.tracks import Track

SURE = 0.68
"""Confidence from which a lifter is taken at its word: `hmr` has it where it errs by less than 8 cm."""
AROUND_S = 0.1
FAR = 5.0
LEAST_HEIGHTS, GOOD_HEIGHTS, CRUDE_HEIGHTS = 0.02, 0.025, 0.035
WEIGHT_POWER, LIVELY_POWER = 2, 4


def agreement(projected_px: np.ndarray, keypoints_px: np.ndarray, weights: np.ndarray, heights_px: np.ndarray) -> np.ndarray:
    """Share (T, K) of each keypoint's weight that is left, (1 + (r / (FAR m))^2)^-g: r its distance from the start in heights, m the median r.

    g falls from 1 to 0 as m grows to CRUDE_HEIGHTS: a start that is crude tells nothing of the picture. projected_px (T, K, 2) is where
    the start has them, keypoints_px (T, K, 3) where they were seen; weights (T, K), zero for those unseen.
    """
    away = _distances(projected_px, keypoints_px, heights_px)
    usual = max(usual_distance(projected_px, keypoints_px, weights, heights_px), LEAST_HEIGHTS)
    good = np.clip((CRUDE_HEIGHTS - usual) / (CRUDE_HEIGHTS - GOOD_HEIGHTS), 0, 1)
    return (1 + (away / (FAR * usual)) ** 2) ** -good


def usual_distance(projected_px: np.ndarray, keypoints_px: np.ndarray, weights: np.ndarray, heights_px: np.ndarray) -> float:
    """Median distance of keypoints from the start, in heights; infinite where nothing was seen."""
    counted = weights > 0
    if not counted.any():
        return float("inf")
    return _weighted_median(_distances(projected_px, keypoints_px, heights_px)[counted], weights[counted])


def _distances(projected_px: np.ndarray, keypoints_px: np.ndarray, heights_px: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.linalg.norm(projected_px - keypoints_px[..., :2], axis=-1), nan=1e6) / heights_px[:, None]


def sureness(motion: Motion, track: Track) -> np.ndarray:
    """How sure (T, 24) the lifter is, at most 1: its confidence over SURE or over the detector's at that joint, whichever is less.

    The geometric mean of the joint's own and the whole body's, over about AROUND_S; frames without evidence say nothing.
    """
    known = frame_steps(motion.times_s)[:, None] * (motion.confidence > 0)
    both = np.stack([motion.confidence, joint_confidence(track)], -1) * known[..., None]
    around = sums_about(motion.times_s, np.concatenate([both, known[..., None]], -1), AROUND_S)
    joint, body = around, around.sum(1, keepdims=True)
    return np.sqrt(_surer(joint) * _surer(body))


def keypoint_sureness(body, track: Track, betas: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """Sureness (T, K) of keypoints: that of the joints (T, 24) they hang on."""
    share = np.abs(body.landmark_moments(track.keypoints.names, betas)[0])
    return sure @ (share / share.sum(1, keepdims=True)).T


def _surer(sums: np.ndarray) -> np.ndarray:
    """Sureness (T, J) from sums (T, J, 3) of the lifter's confidence, the detector's and the weight of both; 1 where there is none."""
    lifter, detector, weight = np.moveaxis(sums, -1, 0)
    some = weight > 1e-9
    weight = np.where(some, weight, 1.0)
    wanted = np.minimum(SURE, detector / weight)
    return np.where(some, np.clip(lifter / weight / np.maximum(wanted, 1e-6), 0, 1), 1.0)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
