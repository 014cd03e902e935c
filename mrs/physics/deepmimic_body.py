"""DeepMimic's humanoid of 45 kg as segments: its bone lengths, masses and feet, in our axes and in T-pose."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mrs.physics.segments import Segments, Shape
from mrs.skeletons import SMPL_24, SMPL_PARENTS

# Offsets (left, up, forward) in metres from the joint above; the left side, mirrored for the right. The spine is one joint.
_OFFSETS = {"spine1": (0, 0.236151, 0), "neck": (0, 0.223894, 0), "hip": (0.084887, 0, 0), "knee": (0, -0.421546, 0),
            "ankle": (0, -0.409870, 0), "foot": (0, -0.0225, 0.1335), "shoulder": (0.18311, 0.24350, -0.02405), "elbow": (0.274788, 0, 0),
            "wrist": (0.258947, 0, 0), "head": (0, 0.1, 0), "hand": (0.05, 0, 0)}
_MASS_KG = {"pelvis": 6.0, "spine1": 14.0, "neck": 2.0, "hip": 4.5, "knee": 3.0, "ankle": 1.0, "shoulder": 1.5, "elbow": 1.0, "wrist": 0.5}
_LEAST_KG = 1e-3
_RADIUS_M = {"pelvis": 0.09, "spine1": 0.11, "hip": 0.055, "knee": 0.05, "shoulder": 0.045, "elbow": 0.04, "wrist": 0.04, "neck": 0.1025}
STATURE_M = 1.62


@lru_cache(maxsize=1)
def segments() -> Segments:
    """Return the humanoid; parts that DeepMimic lacks (toes, collars, two of the spine) are specks of a gram where they belong."""
    rest = np.zeros((len(SMPL_24), 3))
    for joint in range(1, len(SMPL_24)):
        name = SMPL_24.names[joint].split("_")[-1]
        side = np.array([-1.0 if SMPL_24.names[joint].startswith("right") else 1.0, 1, 1])
        offset = np.array(_OFFSETS.get(name, (0, 0, 0)), float) * side
        rest[joint] = rest[SMPL_PARENTS[joint]] + offset
    mass = np.array([_MASS_KG.get(name.split("_")[-1], _LEAST_KG) for name in SMPL_24.names])
    return Segments(rest, tuple(_shape(joint, rest) for joint in range(len(SMPL_24))), mass, STATURE_M)


def _shape(joint: int, rest: np.ndarray) -> Shape:
    name = SMPL_24.names[joint].split("_")[-1]
    radius = _RADIUS_M.get(name, 0.01)
    if name == "ankle":
        return Shape(np.array([-0.045, -0.05, -0.0435]), np.array([0.045, 0.005, 0.1335]), 0.0)
    if name == "spine1":
        return Shape(np.array([-0.01, 0.12, 0]), np.array([0.01, 0.12, 0]), radius)
    if name == "neck":
        return Shape(np.array([0, 0.175, 0]), np.array([0, 0.176, 0]), radius)
    if name in ("hip", "knee", "shoulder", "elbow"):
        bone = rest[joint + 3 if name in ("hip", "knee") else joint + 2] - rest[joint]
        return Shape(0.12 * bone, 0.88 * bone, radius)
    return Shape(np.array([-0.001, 0, 0]), np.array([0.001, 0, 0]), radius)
