"""PHC's motion files: a pickle {name: {...}} that joblib reads, Z up, quaternions x y z w, 24 bodies in the MJCF's order.

As `phc/utils/motion_lib_smpl.py` reads it (commit 013b89f): root_trans_offset is a torch tensor (it is cloned), pose_quat_global an
array in the order of the MJCF's bodies, "upright": right-multiplied by the inverse of [.5, .5, .5, .5]; pose_aa in SMPL's order and
axes; fps. trans_orig and root_trans_offset differ by the pelvis at rest, as `scripts/data_process/convert_amass_data.py` has it.
"""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.formats.carry import TO_SIM
from mrs.formats.smpl_skeleton import REST_PELVIS_M, SmplMotion, bodies_in_sim, local_in_sim


def document(smpl: SmplMotion, fps: float, name: str) -> dict:
    """What the pickle holds for one motion."""
    import torch

    _, turned = bodies_in_sim(smpl)
    vectors = smpl.local_quat_wxyz.copy()
    vectors[:, 0] = rotations.matrix_to_quat(TO_SIM @ smpl.world[:, 0])
    root = smpl.root_pos_m @ TO_SIM.T
    pose_aa = rotations.quat_to_axis_angle(vectors).reshape(len(root), 72)
    pose_aa[:, 66:] = 0
    return {name: {
        "pose_quat_global": xyzw(rotations.align_hemispheres(rotations.matrix_to_quat(turned))), "pose_quat": xyzw(local_in_sim(turned)),
        "trans_orig": root - REST_PELVIS_M["smpl"], "root_trans_offset": torch.from_numpy(np.ascontiguousarray(root)),
        "beta": np.zeros(16), "gender": "neutral", "pose_aa": pose_aa, "fps": fps if fps != round(fps) else round(fps)}}


def xyzw(quat_wxyz: np.ndarray) -> np.ndarray:
    """Put the scalar last."""
    return np.ascontiguousarray(np.roll(quat_wxyz, -1, axis=-1))
