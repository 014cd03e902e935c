"""SMPL's and SMPL-X's mean skeletons as simulators have them, and our motions on them: AMASS, PHC, ProtoMotions, MimicKit's SMPL character.

Joint positions are those of the humanoids' MJCF (neutral, betas 0, four decimals): SMPL's of PHC's and MimicKit's smpl.xml, SMPL-X's of
ProtoMotions' `data/assets/mjcf/smplx_humanoid.xml` (commit 1faa3be, hands at the middle finger's first joint). Nothing of the meshes is
here. Bodies are in SMPL's MJCF's order, depth first, in axes x forward, y left, z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.formats.carry import TO_SIM, floor_lift, leg_m, loop_of, point_limbs
from mrs.motion import Motion
from mrs.skeletons import SMPL_24, SMPL_PARENTS
from mrs.world.ground import sole_points

FLOOR_PERCENTILE = 2.0
# Body of the MJCF, joint of SMPL, place in the parent in metres.
_TABLE = (
    ("Pelvis", "pelvis", (0, 0, 0)),
    ("L_Hip", "left_hip", (-0.0068, 0.0695, -0.0914)), ("L_Knee", "left_knee", (-0.0045, 0.0343, -0.3752)),
    ("L_Ankle", "left_ankle", (-0.0437, -0.0136, -0.3980)), ("L_Toe", "left_foot", (0.1193, 0.0124, -0.0258)),
    ("R_Hip", "right_hip", (-0.0043, -0.0677, -0.0905)), ("R_Knee", "right_knee", (-0.0089, -0.0383, -0.3826)),
    ("R_Ankle", "right_ankle", (-0.0423, 0.0158, -0.3984)), ("R_Toe", "right_foot", (0.1193, -0.0124, -0.0258)),
    ("Torso", "spine1", (-0.0267, -0.0025, 0.1090)), ("Spine", "spine2", (0.0011, 0.0055, 0.1352)),
    ("Chest", "spine3", (0.0254, 0.0015, 0.0529)), ("Neck", "neck", (-0.0429, -0.0028, 0.2139)),
    ("Head", "head", (0.0513, 0.0052, 0.0650)), ("L_Thorax", "left_collar", (-0.0341, 0.0788, 0.1217)),
    ("L_Shoulder", "left_shoulder", (-0.0089, 0.0910, 0.0305)), ("L_Elbow", "left_elbow", (-0.0275, 0.2596, -0.0128)),
    ("L_Wrist", "left_wrist", (-0.0012, 0.2492, 0.0090)), ("L_Hand", "left_hand", (-0.0149, 0.0840, -0.0082)),
    ("R_Thorax", "right_collar", (-0.0386, -0.0818, 0.1188)), ("R_Shoulder", "right_shoulder", (-0.0091, -0.0960, 0.0326)),
    ("R_Elbow", "right_elbow", (-0.0214, -0.2537, -0.0133)), ("R_Wrist", "right_wrist", (-0.0056, -0.2553, 0.0078)),
    ("R_Hand", "right_hand", (-0.0103, -0.0846, -0.0061)))
BODIES = tuple(name for name, _, _ in _TABLE)
FROM_SMPL = np.array([SMPL_24.index(joint) for _, joint, _ in _TABLE])
"""Row of SMPL's order for each body of the MJCF."""
OFFSETS_M = np.array([place for _, _, place in _TABLE], float)
"""SMPL's places (24, 3) of bodies in their parents."""
PARENTS = np.array([-1 if SMPL_PARENTS[row] < 0 else int(np.flatnonzero(FROM_SMPL == SMPL_PARENTS[row])[0]) for row in FROM_SMPL])
# SMPL-X's places, in the same order.
_SMPLX_M = (
    (0, 0, 0), (-0.026, 0.0582, -0.0928), (-0.0094, 0.0547, -0.3788), (-0.0319, -0.0435, -0.4031), (0.1182, 0.0473, -0.058),
    (-0.0213, -0.0633, -0.1039), (-0.0168, -0.0442, -0.3624), (-0.0202, 0.0154, -0.4107), (0.119, -0.0388, -0.0583),
    (-0.0276, -0.0028, 0.1099), (-0.0059, 0.0094, 0.1319), (0.0284, -0.0113, 0.0522), (-0.0316, -0.0122, 0.1652), (0.0207, 0.0248, 0.1605),
    (-0.0072, 0.0464, 0.0849), (-0.0155, 0.1192, 0.0577), (-0.0425, 0.2541, -0.0722), (-0.0025, 0.252, 0.0232), (-0.004, 0.1094, -0.0063),
    (-0.0134, -0.0477, 0.0843), (-0.0127, -0.1026, 0.0535), (-0.0265, -0.2711, -0.0365), (-0.0153, -0.2493, -0.0045),
    (-0.0037, -0.1074, -0.0094))
# The pelvis at rest in the model's own axes (left, up, forward): AMASS's `trans` is the pelvis less this, whatever the pose. Both stand
# in the MJCFs' first lines, PHC's smpl_humanoid.xml and ProtoMotions' smplx_humanoid.xml.
REST_PELVIS_M = {"smpl": np.array([-0.0018, -0.2233, 0.0282]), "smplx": np.array([0.0031, -0.3514, 0.0120])}
# Boxes (centre, half sizes) of feet and toes in their bodies, and radii about the other bodies' origins: the least that may not go
# underground.
_BOXES = {"smpl": {"L_Ankle": ((0.0346, 0.0024, -0.0279), (0.08, 0.045, 0.025)), "L_Toe": ((0.0252, -0.01, -0.008), (0.025, 0.045, 0.018)),
                   "R_Ankle": ((0.0346, -0.0024, -0.0279), (0.08, 0.045, 0.025)), "R_Toe": ((0.0252, 0.01, -0.008), (0.025, 0.045, 0.018))},
          "smplx": {"L_Ankle": ((0.0232, 0.0407, -0.0287), (0.0857, 0.0498, 0.0463)), "L_Toe": ((0.0256, -0.0065, 0.0034), (0.0495, 0.0478, 0.0205)),
                    "R_Ankle": ((0.0142, -0.0243, -0.0263), (0.0857, 0.0498, 0.0464)), "R_Toe": ((0.0158, 0.0145, 0.0062), (0.0495, 0.0478, 0.0205))}}
PLACES_M = {"smpl": OFFSETS_M, "smplx": np.array(_SMPLX_M, float)}
_RADII_M = {"Pelvis": 0.09, "Hip": 0.055, "Knee": 0.05, "Torso": 0.07, "Spine": 0.075, "Chest": 0.11, "Neck": 0.045, "Head": 0.095,
            "Thorax": 0.055, "Shoulder": 0.045, "Elbow": 0.04, "Wrist": 0.032, "Hand": 0.034}


@dataclass(frozen=True)
class SmplMotion:
    """A motion of the mean skeleton of a family ("smpl" or "smplx") in our world (Y up) and SMPL's order.

    root_pos_m (T, 3) pelvis; world (T, 24, 3, 3) global matrices; local_quat_wxyz (T, 24, 4); cyclic where the last frame is the first.
    """

    times_s: np.ndarray
    root_pos_m: np.ndarray
    world: np.ndarray
    local_quat_wxyz: np.ndarray
    cyclic: bool = False
    family: str = "smpl"


def rest_joints(family: str = "smpl") -> np.ndarray:
    """Joints (24, 3) at rest in SMPL's order and axes (left, up, forward), the pelvis at the origin."""
    placed = np.zeros((len(BODIES), 3))
    for body, parent in enumerate(PARENTS):
        placed[body] = PLACES_M[family][body] + (placed[parent] if parent >= 0 else 0)
    joints = np.zeros_like(placed)
    joints[FROM_SMPL] = placed @ TO_SIM
    return joints


def to_smpl(motion: Motion, *, limbs: str = "directions", ground: bool = False, family: str = "smpl") -> SmplMotion:
    """Put a world motion on the mean skeleton of SMPL or SMPL-X.

    "directions": limbs point where the body's point although rest poses differ, lengths are scaled by the ratio of leg lengths, and
    the path is moved up or down so that the soles come as low as the body's. "rotations": every turn and the pelvis stay as they are,
    as for a motion that was read from AMASS. `ground` raises frames in which the skeleton's bodies are below the floor.
    """
    body = load_body(motion.body)
    world, root = body.global_rotations(motion.local_quat_wxyz), motion.root_pos_m
    if limbs == "directions":
        ours, theirs = body.rest_joints(motion.betas), rest_joints(family)
        world = point_limbs(world, ours, theirs)
        scale, hips = leg_m(theirs) / leg_m(ours), SMPL_24.indices("left_hip", "right_hip")
        root = motion.joints_m[:, hips].mean(1) * scale - world[:, 0] @ theirs[hips].mean(0)
        soles = np.percentile(sole_points(motion)[..., 1].min(1), FLOOR_PERCENTILE) * scale
        root = root + [0, soles - np.percentile(lowest_m(root, world, feet=True, family=family), FLOOR_PERCENTILE), 0]
    cyclic = loop_of(motion) == "wrap"
    if ground:
        root = root + floor_lift(lowest_m(root, world, family=family), motion.times_s, cyclic=cyclic)[:, None] * [0, 1, 0]
    return SmplMotion(motion.times_s, root, world, body.local_quats(world), cyclic, family)


def bodies_in_sim(smpl: SmplMotion) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, 24, 3) and global matrices (T, 24, 3, 3) of the MJCF's bodies, Z up, forward +X; the body faces +X at rest."""
    turned = TO_SIM @ smpl.world[:, FROM_SMPL] @ TO_SIM.T
    placed = np.empty((*turned.shape[:2], 3))
    placed[:, 0] = smpl.root_pos_m @ TO_SIM.T
    for body, parent in enumerate(PARENTS[1:], start=1):
        placed[:, body] = placed[:, parent] + turned[:, parent] @ PLACES_M[smpl.family][body]
    return placed, turned


def local_in_sim(turned: np.ndarray) -> np.ndarray:
    """Local quaternions (T, 24, 4), w x y z, of the MJCF's bodies from their global matrices."""
    local = turned.copy()
    local[:, 1:] = np.swapaxes(turned[:, PARENTS[1:]], -1, -2) @ turned[:, 1:]
    return rotations.align_hemispheres(rotations.matrix_to_quat(local))


def lowest_m(root: np.ndarray, world: np.ndarray, *, feet: bool = False, family: str = "smpl") -> np.ndarray:
    """Height (T,) of the lowest part of the skeleton, or of its feet alone."""
    placed, turned = bodies_in_sim(SmplMotion(np.zeros(len(root)), root, world, np.zeros(0), family=family))
    heights = []
    for row, name in enumerate(BODIES):
        if name in _BOXES[family]:
            heights.append(_box(placed[:, row], turned[:, row], *_BOXES[family][name]))
        elif not feet:
            heights.append(placed[:, row, 2] - _RADII_M[name.rpartition("_")[2]])
    return np.min(heights, 0)


def _box(placed: np.ndarray, turned: np.ndarray, centre_m, half_m) -> np.ndarray:
    """Height (T,) of the lowest corner of a box."""
    signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), -1).reshape(-1, 3)
    corners = np.array(centre_m) + signs * np.array(half_m)
    return placed[:, 2] + (turned[:, 2] @ corners.T).min(1)
