"""BVH of DeepMimic's skeleton: its joint names, lengths and hanging arms; x forward, y up, z to the right."""

from __future__ import annotations

import numpy as np

from mrs.formats import bvh, humanoid
from mrs.formats.humanoid import BY_NAME, LINKS

_NAMES = tuple(link.name for link in LINKS if link.joint != "fixed")
# Where End Sites hang: the top of the head, and the toes of the foot's box.
_ENDS = {"neck": (0, 0.27, 0), "right_ankle": (0.1335, -0.05, 0), "left_ankle": (0.1335, -0.05, 0)}


def to_bvh(poses: np.ndarray, frame_time_s: float, *, order: str = "ZXY", channels: int = 3, units_per_m: float = 100.0,
           tpose_first: bool = False) -> bvh.Bvh:
    """Turn poses (T, 43) of :mod:`mrs.formats.humanoid` into a document."""
    if tpose_first:
        poses = np.concatenate([_tpose(poses[0, :3]), poses])
    local = humanoid.local_rotations(poses)
    ends = _ENDS | {name.replace("wrist", "elbow"): BY_NAME[name].offset_m for name in ("right_wrist", "left_wrist")}
    parents = [-1 if BY_NAME[name].parent is None else _NAMES.index(BY_NAME[name].parent) for name in _NAMES]
    offsets = np.array([BY_NAME[name].offset_m for name in _NAMES])
    return bvh.build(_NAMES, parents, offsets * units_per_m, np.stack([local[name] for name in _NAMES], 1), poses[:, :3] * units_per_m,
                     frame_time_s, order=order.upper(), channels=channels,
                     ends={_NAMES.index(name): np.array(end) * units_per_m for name, end in ends.items()})


def _tpose(place: np.ndarray) -> np.ndarray:
    """One pose (1, 43): upright, arms out."""
    pose = np.zeros((1, humanoid.WIDTH))
    pose[0, :3] = place
    for columns in humanoid.COLUMNS.values():
        pose[0, columns.start] = 1 if columns.stop - columns.start == 4 else 0
    for side, sine in (("left", 1), ("right", -1)):
        columns = humanoid.COLUMNS[f"{side}_shoulder"]
        pose[0, columns] = np.array([1, sine, 0, 0]) * np.sqrt(0.5)
    return pose
