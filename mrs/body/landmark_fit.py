"""The keypoints of detectors on any mesh with SMPL's joints, found from where they are on the embedded body.

Landmarks on the skin (nose, toes, soles ...) are small patches about a vertex: the published one where the mesh is SMPL's or SMPL-X's own,
else the one nearest to where the embedded body has it. Those within a limb (elbows, hips ...) keep their place against the joints,
scaled by stature.
"""

from __future__ import annotations

import numpy as np

from mrs.body.model import load_body

RADIUS_M = 0.012
SKIN = ("nose", "eye", "ear", "mouth", "toe", "index", "pinky", "thumb", "foot_index")
MIDDLES = {"mid_hip": ("left_hip", "right_hip"), "neck": ("left_shoulder", "right_shoulder"), "head": ("left_ear", "right_ear"),
           "spine": ("mid_hip", "neck")}
_NAMES = ("nose", "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
          "right_small_toe", "right_heel")
PUBLISHED = {6890: dict(zip(_NAMES, (332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787), strict=True)),
             10475: dict(zip(_NAMES, (9120, 9929, 9448, 616, 6, 5770, 5780, 8846, 8463, 8474, 8635), strict=True))}
"""Vertices of the face and the feet by the number of vertices: of SMPL and SMPL-H, and of SMPL-X."""


def landmarks(template: np.ndarray, shape: np.ndarray, weights: np.ndarray, joints: np.ndarray,
              joints_shape: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Return names (L), joint_share (L, 24), moments (L, 24, 3) and their change with the betas (L, 24, 3, 10) on a mesh.

    template (V, 3), shape (V, 3, 10), weights (V, 24), joints (24, 3) and joints_shape (24, 3, 10), all of the T-pose in metres.
    """
    like = load_body()
    scale = np.ptp(template[:, 1]) / like.stature_m(np.zeros(10))
    out = {name: (share, scale * moment, np.zeros((24, 3, 10)))
           for name, share, moment in zip(like.landmark_names, like.joint_share, like.moment_m, strict=True)}
    rows = skin_rows(template, weights, joints)
    for name, *found in zip(rows, *baked(np.stack(list(rows.values())), weights, template, shape, joints, joints_shape), strict=True):
        out[name] = tuple(found)
    for name, (a, b) in MIDDLES.items():
        out[name] = tuple((one + other) / 2 for one, other in zip(out[a], out[b], strict=True))
    return like.landmark_names, *(np.stack([out[name][part] for name in like.landmark_names]) for part in range(3))


def skin_rows(template: np.ndarray, weights: np.ndarray, joints: np.ndarray) -> dict[str, np.ndarray]:
    """Return the landmarks on the skin: rows (V,) that sum to one, by name."""
    like, rows = load_body(), {}
    scale = np.ptp(template[:, 1]) / like.stature_m(np.zeros(10))
    places = like.joint_share @ joints + scale * like.moment_m.sum(1)
    published = PUBLISHED.get(len(template), {})
    for name, place, share in zip(like.landmark_names, places, like.joint_share, strict=True):
        own = weights[:, share > 0.1].sum(1) > 0.5
        if name == "head_top":
            rows[name] = _top(template, weights)
        elif name in published:
            rows[name] = _patch(template, template[published[name]], own)
        elif name.endswith("sole"):
            rows[name] = _patch(template, _below(template, place, own), own)
        elif name.endswith(SKIN) or "eye" in name:
            rows[name] = _patch(template, place, own)
    for side in ("left", "right"):
        rows[f"{side}_foot_index"] = rows[f"{side}_big_toe"]
    return rows


def _top(template: np.ndarray, weights: np.ndarray) -> np.ndarray:
    head = weights[:, 15] > 0.5
    top = head & (template[:, 1] > template[head, 1].max() - 0.01)
    return top / top.sum()


def _below(template: np.ndarray, place: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The lowest vertex within 3 cm of a place, seen from above."""
    near = own & (np.linalg.norm((template - place)[:, [0, 2]], axis=1) < 0.03)
    return template[near][template[near, 1].argmin()] if near.any() else place


def _patch(template: np.ndarray, place: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Mean of the vertices about the one nearest to a place, among its own where there are some."""
    own = own if own.any() else np.ones(len(template), bool)
    away = np.where(own, np.linalg.norm(template - place, axis=1), np.inf)
    close = own & (np.linalg.norm(template - template[away.argmin()], axis=1) < RADIUS_M)
    return close / close.sum()


def baked(rows: np.ndarray, weights: np.ndarray, template: np.ndarray, shape: np.ndarray, joints: np.ndarray,
          joints_shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return joint_share (L, 24), moments (L, 24, 3) and their change with the betas (L, 24, 3, 10); see tools/bake_landmarks.py."""
    share, moment, moment_shape = [], [], []
    for row in rows:
        use = np.flatnonzero(row)
        carried = row[use, None] * weights[use]
        keep = carried.sum(0)
        share.append(keep)
        moment.append(carried.T @ template[use] - keep[:, None] * joints)
        moment_shape.append(np.einsum("vj,vck->jck", carried, shape[use]) - keep[:, None, None] * joints_shape)
    return np.array(share), np.array(moment), np.array(moment_shape)
