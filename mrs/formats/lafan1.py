"""BVH on LAFAN1's skeleton: 22 joints whose frames lie along their bones, centimetres, Y up, rotations Z Y X.

LAFAN1's offsets run along local +X, so that its zero pose is no T-pose. Where each frame points when a person stands upright follows
from the rotations by which GMR turns them into a robot's upright links (`ik_configs/bvh_lafan1_to_*.json`, commit 7886592), which
reads these files (`utils/lafan1.py`: centimetres, LeftToe and RightToe by name, one file rate of 30 Hz):

    hips, spine, neck, head   x up the spine, y forward, z left
    legs                      x down the bone, y forward, z right; toes x forward, y up, z right
    arms and hands            x along the bone towards the fingers, y back
"""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.formats import bvh
from mrs.formats.bvh_motion import end_sites
from mrs.formats.bvh_names import PRESETS
from mrs.formats.carry import TO_SIM
from mrs.motion import Motion
from mrs.skeletons import SMPL_24, SMPL_PARENTS

FPS = 30.0
_HALF = np.sqrt(0.5)
# GMR's offsets (w, x, y, z): frame in the file @ offset = upright link (x forward, y left, z up), arms hanging, forearms level.
_OFFSETS = {"trunk": (0.5, 0.5, 0.5, 0.5), "leg": (-0.5, 0.5, 0.5, -0.5), "toe": (-_HALF, _HALF, 0, 0),
            "arm": (0.5, 0.5, -0.5, -0.5)}
_LEGS, _ARMS = ("hip", "knee", "ankle"), ("collar", "shoulder", "elbow", "wrist")
_BONES = {"hip": "knee", "knee": "ankle", "ankle": "foot", "collar": "shoulder", "shoulder": "elbow", "elbow": "wrist"}
LEFT_OUT = ("left_hand", "right_hand")


def frames_at_rest(rest_m: np.ndarray) -> np.ndarray:
    """Each joint's frame (24, 3, 3) in the T-pose, columns in SMPL's axes; limbs' x lies along the bone of rest joints (24, 3)."""
    frames = np.empty((len(SMPL_24), 3, 3))
    for row, name in enumerate(SMPL_24.names):
        side, _, part = name.rpartition("_")
        kind = "leg" if part in _LEGS else "toe" if part == "foot" else "arm" if part in (*_ARMS, "hand") else "trunk"
        frame = rotations.quat_to_matrix(np.array(_OFFSETS[kind], float)).T
        if kind == "arm":
            frame = rotations.axis_angle_to_matrix(np.array([np.pi / 2 if side == "left" else -np.pi / 2, 0, 0])) @ frame
        frame = TO_SIM.T @ frame
        if part in _BONES:
            bone = rest_m[SMPL_24.index(f"{side}_{_BONES[part]}")] - rest_m[row]
            frame = rotations.quat_to_matrix(rotations.between(frame[:, 0], bone)) @ frame
        frames[row] = frame
    return frames


def to_bvh(motion: Motion, frame_time_s: float) -> bvh.Bvh:
    """Turn a world motion at an even rate into a document on LAFAN1's joints with the person's own lengths."""
    body = load_body(motion.body)
    rest_m = body.rest_joints(motion.betas)
    frames = frames_at_rest(rest_m)
    world = body.global_rotations(motion.local_quat_wxyz) @ frames
    keep = [row for row, name in enumerate(SMPL_24.names) if name not in LEFT_OUT]
    local, offsets = np.empty((len(motion), len(keep), 3, 3)), np.zeros((len(keep), 3))
    for place, row in enumerate(keep):
        parent = SMPL_PARENTS[row]
        local[:, place] = world[:, row] if parent < 0 else np.swapaxes(world[:, parent], -1, -2) @ world[:, row]
        if parent >= 0:
            offsets[place] = frames[parent].T @ (rest_m[row] - rest_m[parent])
    ends = {SMPL_24.index(f"{side}_wrist"): rest_m[SMPL_24.index(f"{side}_hand")] - rest_m[SMPL_24.index(f"{side}_wrist")]
            for side in ("left", "right")}
    ends |= {joint: end for joint, end in end_sites(body, motion.betas).items() if joint in keep}
    names = PRESETS["lafan1"]
    return bvh.build([names[row] for row in keep], [keep.index(SMPL_PARENTS[row]) if SMPL_PARENTS[row] >= 0 else -1 for row in keep],
                     offsets * 100, local, motion.root_pos_m * 100, frame_time_s, order="ZYX",
                     ends={keep.index(joint): frames[joint].T @ end * 100 for joint, end in ends.items()})
