"""From the keypoint names of a model to a keypoint set of mrs, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrs.errors import InputError
from mrs.skeletons import COCO_17, COCO_WHOLEBODY_133, HALPE_26, KEYPOINT_SETS, Keypoints

BY_COUNT = {17: COCO_17, 26: HALPE_26, 133: COCO_WHOLEBODY_133}
"""The sets that a model with so many keypoints has, where nothing says otherwise."""

_ALIASES = {"head": "head_top", "hip": "mid_hip", "pelvis": "mid_hip", "root": "mid_hip", "top_head": "head_top",
            "bottom_head": "neck", "upper_neck": "neck"}
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
_PREFERRED = ("coco-wholebody-133", "halpe-26", "coco-17")


def our_name(name: str) -> str:
    """Return what mrs calls a keypoint that mmpose's datasets call `name`."""
    name = name.strip().lower().replace(" ", "_")
    if name.startswith("face-"):
        return COCO_WHOLEBODY_133.names[23 + int(name[5:])]
    side, _, part = name.partition("_")
    if side in ("left", "right"):
        if part == "hand_root":
            return f"{side}_hand_0"
        finger, number = part.rstrip("1234"), part[-1:]
        if finger in _FINGERS and number.isdigit():
            return f"{side}_hand_{1 + 4 * _FINGERS.index(finger) + int(number) - 1}"
    return _ALIASES.get(name, name)


def match(names: Sequence[str], where: str) -> tuple[Keypoints, np.ndarray]:
    """Return the keypoint set that a model's names make up, and the model's row of each of its points.

    Where no set has exactly these names, the largest of the usual sets that they hold is taken.
    """
    ours = [our_name(name) for name in names]
    for known in KEYPOINT_SETS.values():
        if sorted(known.names) == sorted(ours):
            return known, np.array([ours.index(name) for name in known.names])
    for name in _PREFERRED:
        known = KEYPOINT_SETS[name]
        if set(known.names) <= set(ours):
            return known, np.array([ours.index(point) for point in known.names])
    raise InputError(f"Expected {where} to have the keypoints of {', '.join(_PREFERRED)} or another set of mrs, but its "
                     f"{len(names)} are {', '.join(list(names)[:6])}… Choose a model trained on one of these sets.")
