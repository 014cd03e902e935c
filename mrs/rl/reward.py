"""DeepMimic's imitation reward (Peng et al. 2018, with the weights and scales of its published code), one function a term.

Every function takes N simulated states and the N rows of the reference they are compared with, and returns (N,) in [0, 1].
"""

from __future__ import annotations

import numpy as np

WEIGHTS = {"pose": 0.5, "velocity": 0.05, "end_effectors": 0.15, "root": 0.2, "com": 0.1}
# Shares of the joints in pose and velocity, as DeepMimic's humanoid has them, by the last word of the joint's name.
JOINT_WEIGHTS = {"spine1": 0.5, "spine2": 0.5, "spine3": 0.5, "neck": 0.3, "head": 0.3, "hip": 0.5, "knee": 0.3, "ankle": 0.2,
                 "foot": 0.1, "collar": 0.2, "shoulder": 0.3, "elbow": 0.2, "wrist": 0.0, "hand": 0.0}


def pose(balls: np.ndarray, wanted: np.ndarray, root: np.ndarray, wanted_root: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """exp(-2 sum_j w_j angle_j^2) over balls (N, n, 4) and the root (N, 4); weights (n + 1,) sum to 1, the root's first."""
    error = weights[0] * _angle(root, wanted_root) ** 2 + (_angle(balls, wanted) ** 2) @ weights[1:]
    return np.exp(-2 * error)


def velocity(qvel: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """exp(-0.1 sum_j w_j |difference of angular velocity|^2) over qvel (N, 6 + 3 n)."""
    apart = ((qvel[:, 3:] - wanted[:, 3:]) ** 2).reshape(len(qvel), -1, 3).sum(-1)
    return np.exp(-0.1 * apart @ weights)


def end_effectors(points: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """exp(-40 mean |distance|^2) over hands and feet (N, 4, 3), seen from the root along its heading."""
    return np.exp(-40 * ((points - wanted) ** 2).sum(-1).mean(-1))


def root(place: np.ndarray, wanted_place: np.ndarray, quat: np.ndarray, wanted_quat: np.ndarray, qvel: np.ndarray,
         wanted_qvel: np.ndarray) -> np.ndarray:
    """exp(-5 (|position|^2 + 0.1 angle^2 + 0.01 |velocity|^2 + 0.001 |angular velocity|^2)) of the root."""
    error = ((place - wanted_place) ** 2).sum(-1) + 0.1 * _angle(quat, wanted_quat) ** 2
    apart = (qvel[:, :6] - wanted_qvel[:, :6]) ** 2
    return np.exp(-5 * (error + 0.01 * apart[:, :3].sum(-1) + 0.001 * apart[:, 3:].sum(-1)))


def com(velocity_m_s: np.ndarray, wanted_m_s: np.ndarray) -> np.ndarray:
    """exp(-10 * 0.1 |difference of the centre of mass' velocity|^2)."""
    return np.exp(-10 * 0.1 * ((velocity_m_s - wanted_m_s) ** 2).sum(-1))


def total(terms: dict[str, np.ndarray], weights: dict[str, float] = WEIGHTS) -> np.ndarray:
    """Weighted sum of the terms (N,); at most 1."""
    return np.sum([weights[name] * value for name, value in terms.items()], axis=0)


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between unit quaternions from their scalar product: quicker than, and as good as, the geodesic for rewards."""
    return 2 * np.arccos(np.clip(np.abs((a * b).sum(-1)), 0, 1))


def joint_weights(names: list[str]) -> np.ndarray:
    """Shares (n + 1,) of the root and of the joints named; they sum to 1."""
    shares = np.array([1.0, *(JOINT_WEIGHTS[name.split("_")[-1]] for name in names)])
    return shares / shares.sum()
