"""Bake mrs/data/body/landmarks.npz: every keypoint the detectors use, as a function of the 24 joint transforms.

A landmark is a fixed mean of mesh vertices. Under linear blend skinning without pose blend shapes such a mean equals
sum_j G_j m_j(betas) + a_j p_j exactly, with a_j = sum_v r_v w_vj and m_j = sum_v r_v w_vj (v(betas) - J_j(betas)),
so that keypoints need no skinning. Run it from the repository root after a change of the body or of the table below.
"""

import re

import numpy as np

from mrs.body.landmark_fit import baked
from mrs.skeletons import KEYPOINT_SETS

BODY = "mrs/data/body/ANNY_SMPL24_NEUTRAL.npz"

# Points of hands and faces that the body does not have.
FINE = re.compile(r"face_\d|hand_\d|pupil")

# Rest-pose targets in metres for landmarks the asset's own regressor lacks; the left side, mirrored for the right.
# Each becomes the mean of the mesh vertices within RADIUS_M of the nearest one.
RADIUS_M = 0.012
SURFACE = {
    "left_eye_inner": (0.016, 0.727, 0.120),
    "left_eye_outer": (0.047, 0.727, 0.108),
    "left_mouth": (0.026, 0.652, 0.122),
    "left_index": (0.825, 0.478, 0.035),
    "left_pinky": (0.812, 0.470, -0.038),
    "left_thumb": (0.795, 0.462, 0.062),
    "left_heel_sole": (0.202, -0.981, -0.045),
    "left_toe_sole": (0.195, -0.981, 0.160),
}


def main() -> None:
    """Write the file and print what each landmark is made of."""
    full = np.load(BODY)
    rest, weights = full["v_template"].astype(float), full["weights"].astype(float)
    shape = full["shapedirs"].astype(float)
    joints = full["J_regressor"].astype(float)
    rows = regressors(full, rest)
    names = sorted(rows)
    a, m0, mb = baked(np.array([rows[name] for name in names]), weights, rest, shape, joints @ rest,
                      np.einsum("jv,vck->jck", joints, shape, optimize=True))
    np.savez_compressed("mrs/data/body/landmarks.npz", names=np.array(names), joint_share=np.array(a, np.float32),
                        moment=np.array(m0, np.float32), moment_betas=np.array(mb, np.float32))
    for name in names:
        print(f"{name:18s} {np.round(rows[name] @ rest, 3)}")
    wanted = {n for k in KEYPOINT_SETS.values() if k.name != "smpl-24" for n in k.names if not FINE.search(n)}
    assert wanted <= set(names), wanted - set(names)


def regressors(full, rest: np.ndarray) -> dict[str, np.ndarray]:
    """Return {landmark: (V,) weights that sum to one}."""
    rows = {str(n): r.astype(float) for n, r in zip(full["coco_labels"], full["coco_regressor"], strict=True)}
    for name, target in SURFACE.items():
        rows[name] = patch(rest, np.array(target))
        rows[name.replace("left", "right")] = patch(rest, np.array(target) * [-1, 1, 1])
    head = full["weights"][:, 15] > 0.5
    rows["head_top"] = np.where(head & (rest[:, 1] > rest[head, 1].max() - 0.01), 1.0, 0.0)
    rows["head_top"] /= rows["head_top"].sum()
    rows["mid_hip"] = (rows["left_hip"] + rows["right_hip"]) / 2
    rows["neck"] = (rows["left_shoulder"] + rows["right_shoulder"]) / 2
    rows["head"] = (rows["left_ear"] + rows["right_ear"]) / 2
    rows["spine"] = (rows["mid_hip"] + rows["neck"]) / 2
    for side in ("left", "right"):
        rows[f"{side}_foot_index"] = rows[f"{side}_big_toe"]
    return rows


def patch(rest: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean of the vertices around the one nearest to the target."""
    nearest = rest[np.argmin(np.linalg.norm(rest - target, axis=1))]
    close = np.linalg.norm(rest - nearest, axis=1) < RADIUS_M
    return close / close.sum()


if __name__ == "__main__":
    main()
