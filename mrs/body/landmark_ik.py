"""From 3D landmarks to SMPL rotations and betas, in closed form.

Each body part gets a frame from two directions seen in the landmarks; the rotation is the one that carries the
same frame of the rest pose there. The first direction is met exactly (a limb points where the landmarks say), the
second as far as it can. What landmarks can't see, such as the twist of a straight arm, comes from the parent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.body.model import Body

# Bone lengths that landmarks measure well: (a, b, how far off one is, in metres).
LENGTHS = (
    ("left_shoulder", "left_elbow", 0.02), ("right_shoulder", "right_elbow", 0.02),
    ("left_elbow", "left_wrist", 0.02), ("right_elbow", "right_wrist", 0.02),
    ("left_hip", "left_knee", 0.02), ("right_hip", "right_knee", 0.02),
    ("left_knee", "left_ankle", 0.02), ("right_knee", "right_ankle", 0.02),
    ("mid_hip", "neck", 0.03), ("left_shoulder", "right_shoulder", 0.04), ("left_hip", "right_hip", 0.06),
)
STATURE_M = (1.72, 0.06)


@dataclass(frozen=True)
class Points:
    """Landmarks by name: positions (T, 3) each, with the middle points that IK wants."""

    table: dict[str, np.ndarray]

    @classmethod
    def of(cls, names: tuple[str, ...], positions: np.ndarray) -> Points:
        """Index positions (..., K, 3) by landmark name and add middle points."""
        table = {n: positions[..., i, :] for i, n in enumerate(names)}
        table["neck"] = (table["left_shoulder"] + table["right_shoulder"]) / 2
        table["mid_hip"] = (table["left_hip"] + table["right_hip"]) / 2
        table["mid_ear"] = (table["left_ear"] + table["right_ear"]) / 2
        for side in ("left", "right"):
            table[f"{side}_palm"] = (table[f"{side}_index"] + table[f"{side}_pinky"]) / 2
        return cls(table)

    def __call__(self, start: str, end: str) -> np.ndarray:
        """Direction from one landmark to another, not normalised."""
        return self.table[end] - self.table[start]


def frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Orthonormal frames (..., 3, 3) whose first column is `first`; `second` lies in the plane of the first two."""
    x = rotations.normalise(first, [1, 0, 0])
    z = rotations.normalise(np.cross(x, second), [0, 0, 1])
    return np.stack([x, np.cross(z, x), z], -1)


def rotations_from_landmarks(body: Body, names: tuple[str, ...], positions: np.ndarray, betas: np.ndarray,
                             rounds: int = 3) -> np.ndarray:
    """Global rotations (T, 24, 3, 3) of the body that points where the landmarks (T, K, 3) do.

    Skin landmarks shift as the joints beneath them turn, so the directions are corrected by what the posed body's own
    landmarks miss, `rounds` - 1 times.
    """
    share, moments = body.landmark_moments(names, betas)
    rest = Points.of(names, share @ body.rest_joints(betas) + moments.sum(1))
    aimed = positions
    for left in reversed(range(rounds)):
        turned = _pose(Points.of(names, aimed), rest)
        if left:
            joints = body.place(np.zeros((len(positions), 3)), turned, betas)
            reached = np.einsum("kj,tjc->tkc", share, joints) + np.einsum("tjab,kjb->tka", turned, moments)
            aimed = aimed + _centred(positions, names) - _centred(reached, names)
    return turned


def _centred(positions: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    hips = [names.index("left_hip"), names.index("right_hip")]
    return positions - positions[:, hips].mean(1, keepdims=True)


def _pose(seen: Points, rest: Points) -> np.ndarray:
    turned = np.zeros((len(seen.table["neck"]), 24, 3, 3))
    _torso(turned, seen, rest)
    for side in ("left", "right"):
        _arm(turned, seen, rest, side)
        _leg(turned, seen, rest, side)
    return turned


def fit_betas(body: Body, names: tuple[str, ...], positions: np.ndarray, weights: np.ndarray,
              stature_m: tuple[float, float] | None = None) -> np.ndarray:
    """Betas (10,) whose bone lengths meet the weighted median lengths of the landmarks (T, K, 3), weights (T, K).

    Ridge-regularised least squares; `stature_m` (mean, deviation) is an adult's unless given, since one camera can't
    tell size from distance.
    """
    from scipy.optimize import least_squares

    seen, sure = Points.of(names, positions), Points.of(names, weights[..., None])
    lengths = np.array([
        weighted_median(np.linalg.norm(seen(a, b), axis=-1), np.minimum(sure.table[a], sure.table[b])[..., 0])
        for a, b, _ in LENGTHS])
    sigma = np.array([s for _, _, s in LENGTHS])
    expected, spread = stature_m or STATURE_M

    def residual(betas):
        share, moments = body.landmark_moments(names, betas)
        rest = Points.of(names, share @ body.rest_joints(betas) + moments.sum(1))
        mine = np.array([np.linalg.norm(rest(a, b)) for a, b, _ in LENGTHS])
        stature = (body.stature_m(betas) - expected) / spread
        return np.concatenate([(mine - lengths) / sigma, betas[1:], [0.3 * betas[0], stature]])

    return least_squares(residual, np.zeros(10), max_nfev=30).x


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Median of values (T,) under weights (T,); the plain median where no weight is positive."""
    if weights.sum() <= 0:
        return float(np.median(values))
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _turn(seen_frame: np.ndarray, rest_frame: np.ndarray) -> np.ndarray:
    return seen_frame @ rest_frame.T


def _halfway(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    quats = rotations.slerp(rotations.matrix_to_quat(a), rotations.matrix_to_quat(b), np.full(len(a), share))
    return rotations.quat_to_matrix(quats)


def _torso(turned: np.ndarray, seen: Points, rest: Points) -> None:
    hips, up, shoulders = ("right_hip", "left_hip"), ("mid_hip", "neck"), ("right_shoulder", "left_shoulder")
    pelvis = _turn(frame(seen(*hips), seen(*up)), frame(rest(*hips), rest(*up)))
    chest = _turn(frame(seen(*up), seen(*shoulders)), frame(rest(*up), rest(*shoulders)))
    girdle = _turn(frame(seen(*shoulders), seen(*up)), frame(rest(*shoulders), rest(*up)))
    ears, gaze = ("right_ear", "left_ear"), ("mid_ear", "nose")
    head = _turn(frame(seen(*ears), seen(*gaze)), frame(rest(*ears), rest(*gaze)))
    turned[:, 0], turned[:, 9], turned[:, 15] = pelvis, chest, head
    turned[:, 3], turned[:, 6] = _halfway(pelvis, chest, 1 / 3), _halfway(pelvis, chest, 2 / 3)
    turned[:, 12] = _halfway(chest, head, 0.4)
    turned[:, 13] = turned[:, 14] = girdle


def _bend_blend(upper: np.ndarray, lower: np.ndarray, bent: np.ndarray, straight: np.ndarray) -> np.ndarray:
    """Second direction of a limb: the plane it bends in, or `straight` as the bend falls from 35 to 10 degrees."""
    upper, lower = rotations.normalise(upper), rotations.normalise(lower)
    sine = np.linalg.norm(np.cross(upper, lower), axis=-1, keepdims=True)
    share = np.clip((sine - np.sin(np.radians(10))) / (np.sin(np.radians(35)) - np.sin(np.radians(10))), 0, 1)
    return share * rotations.normalise(bent) + (1 - share) * rotations.normalise(straight)


def _arm(turned: np.ndarray, seen: Points, rest: Points, side: str) -> None:
    """Elbows flex towards +Z of the rest pose, where thumbs point too."""
    collar, shoulder, elbow, wrist, hand = (13, 16, 18, 20, 22) if side == "left" else (14, 17, 19, 21, 23)
    upper, lower = (f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")
    palm, thumb = (f"{side}_wrist", f"{side}_palm"), (f"{side}_pinky", f"{side}_index")
    ahead = np.array([0.0, 0, 1])
    carried = rotations.quat_to_matrix(rotations.between(turned[:, collar] @ rest(*upper), seen(*upper)))
    straight = (carried @ turned[:, collar])[..., 2]
    second = _bend_blend(seen(*upper), seen(*lower), seen(*lower), straight)
    turned[:, shoulder] = _turn(frame(seen(*upper), second), frame(rest(*upper), ahead))
    hinge = np.cross(seen(*upper), second)
    bent = np.cross(hinge, seen(*lower))
    twist = rotations.normalise(seen(*thumb)) + 0.5 * rotations.normalise(bent)
    turned[:, elbow] = _turn(frame(seen(*lower), twist), frame(rest(*lower), ahead))
    turned[:, wrist] = turned[:, hand] = _turn(frame(seen(*palm), seen(*thumb)), frame(rest(*palm), rest(*thumb)))


def _leg(turned: np.ndarray, seen: Points, rest: Points, side: str) -> None:
    """Knees flex backwards: the knee points ahead of the line from hip to ankle."""
    hip, knee, ankle, foot = (1, 4, 7, 10) if side == "left" else (2, 5, 8, 11)
    thigh, shin = (f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")
    toes = (f"{side}_heel", f"{side}_foot_index")
    ahead = np.array([0.0, 0, 1])
    straight = rotations.normalise(turned[:, 0, :, 2]) + rotations.normalise(seen(*toes))
    second = _bend_blend(seen(*thigh), seen(*shin), -seen(*shin), straight)
    turned[:, hip] = _turn(frame(seen(*thigh), second), frame(rest(*thigh), ahead))
    side_axis = np.cross(seen(*thigh), second)
    turned[:, knee] = _turn(frame(seen(*shin), np.cross(side_axis, seen(*shin))), frame(rest(*shin), ahead))
    up = (f"{side}_ankle", f"{side}_knee")
    turned[:, ankle] = turned[:, foot] = _turn(frame(seen(*toes), seen(*up)), frame(rest(*toes), rest(*up)))
