"""AMASS npz out: SMPL-H and SMPL-X forms, Z up, with both spellings of the frame rate's key.

`trans` is the pelvis less the model's own rest pelvis, which is not turned with the body (SMPL rotates about it): that is what
AMASS's loaders and GMR's (`utils/smpl.py`, commit 0df3d88: gender, betas, root_orient, pose_body, trans, mocap_frame_rate) add again.
Bodies are SMPL's mean, betas 0, or betas whose first says the stature as GMR reads it: 1.66 m + 0.1 m a unit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.formats.carry import TO_Z_UP
from mrs.formats.smpl_skeleton import REST_PELVIS_M, SmplMotion
from mrs.motion import Motion

BODY_JOINTS = 22
MEAN_STATURE_M, STATURE_PER_BETA_M = 1.66, 0.1
MOST_BETA = 5.0


def arrays(smpl: SmplMotion, fps: float, *, form: str = "smplx", betas: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Arrays of a file. `form` is "smplh" (poses of 156 numbers) or "smplx" (poses of 165, and the same in parts)."""
    frames = len(smpl.times_s)
    turned = smpl.local_quat_wxyz.copy()
    turned[:, 0] = rotations.matrix_to_quat(TO_Z_UP @ smpl.world[:, 0])
    vectors = rotations.quat_to_axis_angle(turned[:, :BODY_JOINTS]).reshape(frames, -1)
    rest = REST_PELVIS_M["smplx" if form == "smplx" else "smpl"]
    both = {"trans": smpl.root_pos_m @ TO_Z_UP.T - rest, "betas": np.zeros(16) if betas is None else betas,
            "gender": np.array("neutral"), "mocap_framerate": np.array(float(fps)), "mocap_frame_rate": np.array(float(fps)),
            "fps": np.array(float(fps)), "rest_pelvis_m": rest}
    hands = np.zeros((frames, 90))
    if form == "smplh":
        return {"poses": np.concatenate([vectors, hands], 1), "dmpls": np.zeros((frames, 8)), **both}
    face, eyes = np.zeros((frames, 3)), np.zeros((frames, 6))
    return {"poses": np.concatenate([vectors, face, eyes, hands], 1), "root_orient": vectors[:, :3], "pose_body": vectors[:, 3:],
            "pose_hand": hands, "pose_jaw": face, "pose_eye": eyes, "surface_model_type": np.array("smplx"), **both}


def stature_betas(motion: Motion) -> np.ndarray:
    """Betas (16,) whose first says how tall the person is."""
    betas = np.zeros(16)
    betas[0] = np.clip((load_body(motion.body).stature_m(motion.betas) - MEAN_STATURE_M) / STATURE_PER_BETA_M, -MOST_BETA, MOST_BETA)
    return betas


def save(path: Path | str, values: dict[str, np.ndarray]) -> None:
    """Write arrays of numbers and text; nothing that needs a pickle."""
    with open(path, "wb") as file:
        np.savez_compressed(file, **values)
