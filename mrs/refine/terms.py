"""The terms of the `sfv` objective, one function each.

Every term is a sum over frames weighted by `step` (F,), the time a frame stands for in units of 1/30 s, so that the
objective does not depend on the frame rate. Residuals are divided by a scale with a physical unit, so that each term
is a negative log-likelihood up to a constant and weights are 1 unless stated.
"""

from __future__ import annotations

from typing import Protocol

import torch

from mrs.refine.flight import GRAVITY_M_S2
from mrs.skeletons import SMPL_24

KNEE = 1.5
HAND_M = 0.04
"""Height of a hand joint over the ground that its palm touches."""
TERMS = ("reprojection", "pose", "limits", "shape", "prior", "acceleration", "spin", "jerk", "contact", "ground",
         "hands", "penetration", "ballistic", "root")
"""Names of all terms, for --set smoother.off; "held" between windows can't be left out."""
FED = ("dense", "silhouette")
"""Terms that are there with --dense alone."""


class Extra(Protocol):
    """A term that another plugin feeds, such as a dense or a silhouette term.

    `name` is what the report calls it. The objective of a window calls it with joints (T, 24, 3) and global rotations
    (T, 24, 3, 3) in the world, betas (10,) and the window, whose `seen` gives the camera's axes; it returns a scalar.
    """

    name: str

    def at(self, rows) -> Extra:
        """Return the term for some rows of the clip."""

    def __call__(self, *, joints, turned, betas, window) -> torch.Tensor:
        """Return the cost."""


def geman_mcclure(square: torch.Tensor, rho: float) -> torch.Tensor:
    """rho^2 r^2 / (r^2 + rho^2), from r^2: quadratic near zero, at most rho^2."""
    return rho**2 * square / (square + rho**2)


def cauchy(square: torch.Tensor) -> torch.Tensor:
    """log(1 + r^2), from r^2."""
    return torch.log1p(square)


def huber(square: torch.Tensor, knee: float = 1.0) -> torch.Tensor:
    """r^2 below the knee, 2 knee |r| - knee^2 above it, from r^2."""
    big = square > knee**2
    root = torch.sqrt(torch.where(big, square, torch.ones_like(square)))
    return torch.where(big, 2 * knee * root - knee**2, square)


def reprojection(projected_px, observed_px, weights, height_px, step, *, scale: float, rho: float | None):
    """sum_tk step_t w_tk rho(|pi(X_tk) - x_tk| / (scale h_t)): perspective, in units of person height.

    rho is Geman-McClure, which lets gross errors go, or with `rho` None Huber with its knee at KNEE, which never lets
    a body leave its evidence. projected_px, observed_px (T, K, 2); weights (T, K); height_px (T,).
    """
    square = ((projected_px - observed_px) ** 2).sum(-1) / (scale * height_px[:, None]) ** 2
    loss = huber(square, KNEE) if rho is None else geman_mcclure(square, rho)
    return (step[:, None] * weights * loss).sum()


def pose_pull(turned, initial, weights, step, *, scale_rad: float):
    """sum_tj step_t w_tj log(1 + theta_tj^2 / scale^2), theta the geodesic angle to the initial pose.

    theta^2 is taken as |R - R0|_F^2 / 2 = 4 sin^2(theta / 2), smooth everywhere. turned, initial (T, J, 3, 3).
    """
    square = ((turned - initial) ** 2).sum((-1, -2)) / (2 * scale_rad**2)
    return (step[:, None] * weights * cauchy(square)).sum()


def acceleration(accelerations, step, *, scale_m_s2: float):
    """sum_tp step_t Huber(|a_tp| / scale): accelerations (T-2, P, 3) of world points, in m/s^2."""
    return (step[1:-1, None] * huber((accelerations**2).sum(-1) / scale_m_s2**2)).sum()


def jerk(accelerations, between_s, step, *, scale_m_s3: float):
    """sum_tp step_t Huber(|j_tp| / scale): differences of accelerations over the time between their middles, m/s^3."""
    j = (accelerations[1:] - accelerations[:-1]) / between_s[:, None, None]
    return (step[1:-2, None] * huber((j**2).sum(-1) / scale_m_s3**2)).sum()


def spin(turned, inverse_dt2, step, *, scale_rad_s2: float):
    """sum_tj step_t Huber(|R''_tj| / (sqrt 2 scale)): angular acceleration, which joint positions can't see about a bone."""
    a = second_difference(turned.flatten(-2), inverse_dt2)
    return (step[1:-1, None] * huber((a**2).sum(-1) / (2 * scale_rad_s2**2))).sum()


class _SecondDifference(torch.autograd.Function):
    """Second divided differences with one gradient buffer instead of three padded ones."""

    @staticmethod
    def forward(ctx, values, inverse_dt2):
        ctx.save_for_backward(inverse_dt2)
        before, at, after = (inverse_dt2[:, i, None, None] for i in range(3))
        return (before * values[:-2]).addcmul_(at, values[1:-1]).addcmul_(after, values[2:])

    @staticmethod
    def backward(ctx, gradient):
        (inverse_dt2,) = ctx.saved_tensors
        out = gradient.new_zeros(len(gradient) + 2, *gradient.shape[1:])
        for i in range(3):
            out[i : len(gradient) + i].addcmul_(inverse_dt2[:, i, None, None], gradient)
        return out, None


def second_difference(values, inverse_dt2):
    """Second divided differences (T-2, N, C) of values (T, N, C); inverse_dt2 (T-2, 3) weighs each triple of frames."""
    return _SecondDifference.apply(values, inverse_dt2)


def limits(turned, carriers, step, *, scale: float):
    """Joint limits: one-sided squares on hinges' wrong sides and on the cosine of each joint's swing range.

    turned (T, 24, 3, 3) and their parents' carriers (T, 23, 3, 3), global. Knees flex towards -Z of the rest pose and
    elbows towards +Z; a bent hinge does not move sideways. Every other joint may turn by RANGE_DEG at most.
    """
    relu = torch.nn.functional.relu
    slack = 0.1
    knees = [_bone_seen_from_parent(turned, carriers, joint, axis=1, sign=-1.0) for joint in (4, 5)]
    elbows = [_bone_seen_from_parent(turned, carriers, joint, axis=0, sign=sign) for joint, sign in ((18, 1.0), (19, -1.0))]
    out = sum((step * (relu(k[:, 2] - slack) ** 2 + relu(k[:, 0].abs() - 0.25) ** 2)).sum() for k in knees)
    out = out + sum((step * (relu(-e[:, 2] - slack) ** 2 + relu(e[:, 1].abs() - 0.35) ** 2)).sum() for e in elbows)
    cosine = ((turned[:, 1:] * carriers).sum((-1, -2)) - 1) / 2
    beyond = relu(_RANGE_COS.to(turned)[1:] - cosine) ** 2
    return (out + (step[:, None] * beyond).sum()) / scale**2


def _bone_seen_from_parent(turned, carriers, joint: int, axis: int, sign: float):
    """Direction (T, 3) of the bone along one axis of the rest pose, in the axes of the joint's parent."""
    return sign * (carriers[:, joint - 1] * turned[:, joint, :, axis, None]).sum(1)


RANGE_DEG = {
    "pelvis": 180, "left_hip": 140, "right_hip": 140, "spine1": 40, "left_knee": 160, "right_knee": 160, "spine2": 40,
    "left_ankle": 70, "right_ankle": 70, "spine3": 40, "left_foot": 45, "right_foot": 45, "neck": 50,
    "left_collar": 45, "right_collar": 45, "head": 50, "left_shoulder": 150, "right_shoulder": 150,
    "left_elbow": 165, "right_elbow": 165, "left_wrist": 80, "right_wrist": 80, "left_hand": 60, "right_hand": 60,
}
_RANGE_COS = torch.cos(torch.deg2rad(torch.tensor([float(v) for v in RANGE_DEG.values()])))


def root_pull(root, initial, weights, step, *, scale_m: float):
    """sum_t step_t w_t Huber(|root_t - root0_t| / scale): keeps the path where no picture does."""
    square = ((root - initial) ** 2).sum(-1) / scale_m**2
    return (step * weights * huber(square, KNEE)).sum()


def ballistic(accelerations, flight, up, step, *, scale_m_s2: float):
    """sum_t step_t f_t Huber(|a_t - g| / scale), g = -9.81 up: nothing but gravity moves the centre of mass in flight.

    accelerations (T-2, 3) of the centre of mass in m/s^2, flight (T,) probabilities, up (3,).
    """
    square = ((accelerations + GRAVITY_M_S2 * up) ** 2).sum(-1) / scale_m_s2**2
    return (step[1:-1] * flight[1:-1] * huber(square, KNEE)).sum()


def shape_prior(betas, initial, taller_m, *, scale: float, stature_m: float):
    """|betas - betas0|^2 / scale^2 + (how much taller / stature_m)^2: a picture tells proportions, and no size.

    betas (..., 10), taller_m (10,) how much taller each makes a person.
    """
    away = betas - initial
    return (away**2).sum() / scale**2 + ((away @ taller_m) ** 2).sum() / stature_m**2


def contact_velocity(soles, still, between_s, step, *, scale_m_s: float):
    """sum_tf step_t s_tf |v_tf|^2 / scale^2: soles (T, F, 3) that are held to stand do not move.

    still (T - 1, F) says how far each sole is held to stand from a frame to the next (:meth:`mrs.refine.clip.Clip.with_ground`).
    """
    speed2 = (((soles[1:] - soles[:-1]) / between_s[:, None, None]) ** 2).sum(-1)
    return (step[1:, None] * still * speed2).sum() / scale_m_s**2


def contact_height(soles, contacts, ground_m, step, *, scale_m: float, rho: float):
    """sum_tf step_t c_tf GM((y_tf - ground) / scale, rho): contacts near the ground lie on it, far ones (a roof) do not."""
    square = ((soles[..., 1] - ground_m) / scale_m) ** 2
    return (step[:, None] * contacts * geman_mcclure(square, rho)).sum()


FLESH_M = {"pelvis": 0.09, "left_knee": 0.05, "right_knee": 0.05, "head": 0.09, "left_shoulder": 0.06, "right_shoulder": 0.06,
           "left_elbow": 0.035, "right_elbow": 0.035, "left_wrist": 0.025, "right_wrist": 0.025, "spine2": 0.09}
"""How thick the body is about joints that people lie, kneel and roll on."""
RADII_M = torch.tensor(list(FLESH_M.values()))
FLESHY = [SMPL_24.index(name) for name in FLESH_M]


def penetration(soles, ground_m, step, *, scale_m: float, joints=None):
    """sum_tp step_t max(0, ground + r_p - y_tp)^2 / scale^2: soles (T, 4, 3), and joints (T, 24, 3) with the flesh r_p around them."""
    below = torch.nn.functional.relu((ground_m - soles[..., 1]) / scale_m)
    out = (step[:, None] * below**2).sum()
    if joints is None:
        return out
    lowest = ground_m + RADII_M.to(joints)
    return out + (step[:, None] * torch.nn.functional.relu((lowest - joints[:, FLESHY, 1]) / scale_m) ** 2).sum()
