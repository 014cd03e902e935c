"""Which keypoints the encoder looks at, and what each keypoint set has of them."""

from __future__ import annotations

import numpy as np

from mrs.skeletons import KEYPOINT_SETS, Keypoints, mirrored

_PAIRED = ("eye", "ear", "mouth", "shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "big_toe")
DEEP = ("nose", *(f"{side}_{part}" for part in _PAIRED for side in ("left", "right")))
"""The points of which BlazePose says where they are in 3D."""
POINTS = (*DEEP, "left_small_toe", "right_small_toe", "head_top")
FLIP = np.array([POINTS.index(mirrored(name)) for name in POINTS])
SOLES = ("left_heel_sole", "left_toe_sole", "right_heel_sole", "right_toe_sole")
SHOULDERS = [POINTS.index("left_shoulder"), POINTS.index("right_shoulder")]
HIPS = [POINTS.index("left_hip"), POINTS.index("right_hip")]
OTHER_NAME = {"left_big_toe": "left_foot_index", "right_big_toe": "right_foot_index"}
ENDS = ("wrist", "ankle", "pinky", "index", "thumb", "heel", "toe")
GROUPS = {
    "left arm": ("left_elbow", "left_wrist", "left_pinky", "left_index", "left_thumb"),
    "left leg": ("left_knee", "left_ankle", "left_heel", "left_big_toe", "left_small_toe"),
    "face": ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_mouth", "right_mouth", "head_top"),
    "feet": ("left_heel", "left_big_toe", "left_small_toe", "right_heel", "right_big_toe", "right_small_toe"),
    "legs": ("left_knee", "left_ankle", "left_heel", "left_big_toe", "left_small_toe", "right_knee", "right_ankle", "right_heel",
             "right_big_toe", "right_small_toe"),
}
GROUPS["right arm"] = tuple(mirrored(n) for n in GROUPS["left arm"])
GROUPS["right leg"] = tuple(mirrored(n) for n in GROUPS["left leg"])


def members(names) -> np.ndarray:
    """Whether (P,) each point is one of these."""
    return np.array([name in names for name in POINTS])


def columns(keypoints: Keypoints) -> np.ndarray:
    """Row (P,) of each point in a keypoint set, -1 where the set has none."""
    names = keypoints.names
    return np.array([names.index(n) if n in names else names.index(OTHER_NAME.get(n, n)) if OTHER_NAME.get(n) in names else -1
                     for n in POINTS])


def chosen(keypoints: Keypoints, values: np.ndarray) -> np.ndarray:
    """Take values (..., K, C) of a keypoint set to the encoder's points (..., P, C); zeros where the set has none."""
    rows = columns(keypoints)
    return values[..., rows, :] * (rows >= 0)[:, None]


def known_in(name: str) -> np.ndarray:
    """Whether (P,) a keypoint set, by name, has each point."""
    return columns(KEYPOINT_SETS[name]) >= 0
