"""ASE's and AMP's SkeletonMotion: an `.npy` of a dict, Z up, quaternions x y z w, local rotations of 15 bodies whose arms hang.

As poselib's `Serializable.from_file` and `SkeletonMotion.from_dict` read it (nv-tlabs/ASE, commit 28952a3): rotation, root_translation,
global_velocity, global_angular_velocity and the tree's arrays are {arr, context: {dtype}}; `is_local`, `fps`, and `__name__`
"SkeletonMotion". The tree is amp_humanoid.xml's: the bodies of :mod:`mrs.formats.humanoid` with the arms down; the elbow turns about y.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from mrs import rotations
from mrs.formats import humanoid
from mrs.formats.humanoid import BY_NAME, Z_UP
from mrs.formats.phc import xyzw
from mrs.formats.speeds import angular_velocity, central_differences

SMOOTHING_FRAMES = 2.0
_PARTS = {"shoulder": "upper_arm", "elbow": "lower_arm", "wrist": "hand", "hip": "thigh", "knee": "shin", "ankle": "foot"}
LINKS = ("root", "chest", "neck", *(f"{side}_{joint}" for joints in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))
                                    for side in ("right", "left") for joint in joints))
NODES = ("pelvis", "torso", "head", *(f"{name.split('_')[0]}_{_PARTS[name.split('_')[1]]}" for name in LINKS[3:]))


def document(poses: np.ndarray, fps: float) -> OrderedDict:
    """What the file holds, from poses (T, 43) of :mod:`mrs.formats.humanoid`."""
    from scipy.ndimage import gaussian_filter1d

    local = humanoid.local_rotations(poses)
    places, turns = humanoid.forward_kinematics(poses)
    still = np.broadcast_to(np.eye(3), (len(poses), 3, 3))
    quats = np.stack([_quat(local.get(name, still)) for name in LINKS], 1)
    world = np.stack([_quat(turns[name]) for name in LINKS], 1)
    placed = np.stack([places[name] @ Z_UP.T for name in LINKS], 1)
    smooth = {"sigma": SMOOTHING_FRAMES, "axis": 0, "mode": "nearest"}
    velocity = gaussian_filter1d(central_differences(placed, fps), **smooth)
    turning = gaussian_filter1d(angular_velocity(world, fps), **smooth)
    parents = [-1 if BY_NAME[name].parent is None else LINKS.index(BY_NAME[name].parent) for name in LINKS]
    offsets = np.array([BY_NAME[name].offset_m for name in LINKS]) @ Z_UP.T
    tree = OrderedDict(node_names=list(NODES), parent_indices=_tensor(np.array(parents, np.int64)), local_translation=_tensor(offsets))
    return OrderedDict(rotation=_tensor(xyzw(quats)), root_translation=_tensor(placed[:, 0]), global_velocity=_tensor(velocity),
                       global_angular_velocity=_tensor(turning), skeleton_tree=tree, is_local=True,
                       fps=int(fps) if fps == int(fps) else float(fps), __name__="SkeletonMotion")


def _quat(matrices: np.ndarray) -> np.ndarray:
    return rotations.align_hemispheres(rotations.matrix_to_quat(Z_UP @ matrices @ Z_UP.T))


def _tensor(values: np.ndarray) -> dict:
    values = np.ascontiguousarray(values if values.dtype.kind == "i" else values.astype(np.float32))
    return {"arr": values, "context": {"dtype": values.dtype.name}}
