"""One optimisation over a window of frames: L-BFGS in a basis that knows about time.

Neighbouring frames are coupled stiffly by the smoothness terms, so plain gradient steps crawl. The variables are
therefore x = x0 + S u with S S^T = (d I + l D2^T D2)^-1, the inverse of the objective's typical curvature along time:
a step in u moves a smooth stretch of frames at once. Over plain variables Adam at its best rate needs 6 times as many
evaluations of the objective before contacts and twice as many with them, and L-BFGS over 13 and 7 times as many, as
benchmarks/refine_speed.py prints.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from mrs.body.torch_body import TorchBody, sixd_to_matrix
from mrs.refine import terms


@dataclass(frozen=True)
class Scales:
    """Scales and weights of the objective, in physical units; 0 switches a term off where it is a weight."""

    reprojection: float = 0.02
    reprojection_rho: float | None = 20.0
    pose_deg: float = 15.0
    pose_weight: float = 1.0
    acceleration_m_s2: float = 25.0
    jerk_m_s3: float = 800.0
    seen_share: float = 1.0
    seen_most_m_s2: float = 50.0
    spin_rad_s2: float = 60.0
    limit: float = 0.1
    betas: float = 0.5
    contact_m_s: float = 0.03
    contact_weight: float = 4.0
    ground_m: float = 0.02
    ground_rho: float = 8.0
    ground_weight: float = 4.0
    penetration_m: float = 0.02
    hold: float = 1e4


@dataclass
class Window:
    """What is known of T frames, as tensors on one device.

    times (T,) in double precision, step (T,) time a frame stands for over 1/30 s, observed (T, K, 2) px, weights (T, K), height (T,) px,
    turned (T, 24, 3, 3) and root (T, 3) the start in the world, pull (T, 24) reliability of the start,
    K (3, 3), R (3, 3), t (3,) the camera; contacts (T, 4) and ground () or None; held: how many leading frames
    are the end of the previous window and stay.
    """

    times: torch.Tensor
    step: torch.Tensor
    observed: torch.Tensor
    weights: torch.Tensor
    height: torch.Tensor
    turned: torch.Tensor
    root: torch.Tensor
    pull: torch.Tensor
    initial: torch.Tensor
    K: torch.Tensor
    R: torch.Tensor
    t: torch.Tensor
    seen_acceleration: torch.Tensor | None = None
    contacts: torch.Tensor | None = None
    ground: torch.Tensor | None = None
    held: int = 0

    def at(self, rows) -> Window:
        """The same for some rows."""
        one_per_frame = {"times", "step", "observed", "weights", "height", "turned", "root", "pull", "initial", "contacts",
                         "seen_acceleration"}
        values = {}
        for f in fields(self):
            value = getattr(self, f.name)
            values[f.name] = value[rows] if f.name in one_per_frame and value is not None else value
        return Window(**values)


class Problem:
    """The objective of one window over preconditioned variables."""

    def __init__(self, window: Window, body: TorchBody, soles: TorchBody, betas: torch.Tensor, scales: Scales):
        self.window, self.body, self.soles, self.scales = window, body, soles, scales
        self.betas0 = betas
        frames = len(window.times)
        self.between = (window.times[1:] - window.times[:-1]).clamp_min(1e-6).to(window.root)
        self.inverse_dt2, self.middle_s = difference_weights(self.between)
        self.sixd0 = torch.cat([window.turned[..., 0], window.turned[..., 1]], -1).reshape(frames, -1)
        camera = window.root @ window.R.T + window.t
        self.distance0 = camera[:, 2].clamp_min(0.2)
        self.depth = self.distance0.mean()
        self.ray0 = _to_ray(camera, self.depth)
        self.allowed = self._allowed_acceleration()
        self.turn_basis = self._basis(150.0, 12 * (0.3 / scales.acceleration_m_s2) ** 2)
        smooth = 24 / scales.acceleration_m_s2**2
        points = float(window.weights.sum(1).mean().clamp_min(1.0))
        across = points / (1.7 * scales.reprojection) ** 2
        self.across_basis = self._basis(across, smooth)
        self.depth_basis = self._basis(across * float(0.4 / self.depth) ** 2, smooth)

    def _basis(self, data: float, smooth: float) -> torch.Tensor:
        """S (T, T) with S S^T the inverse of the typical curvature along time.

        In double precision: at 240 frames a second the two parts differ by more digits than a float has.
        """
        like, step = self.window.step, self.window.step.double()
        curvature = torch.diag(data * step)
        if len(step) > 2:
            rows = torch.arange(len(step) - 2, device=step.device)
            d2 = torch.zeros(len(step) - 2, len(step), dtype=step.dtype, device=step.device)
            for column in range(3):
                d2[rows, rows + column] = self.inverse_dt2[:, column].double()
            curvature = curvature + smooth * d2.T @ (step[1:-1, None] * d2)
        if self.window.held:
            held = torch.arange(self.window.held)
            curvature[held, held] += self.scales.hold
        factor = torch.linalg.cholesky(curvature)
        eye = torch.eye(len(step), dtype=step.dtype, device=step.device)
        basis = torch.linalg.solve_triangular(factor, eye, upper=False).T.to(like)
        return torch.where(basis.abs() > 1e-6 * basis.abs().max(), basis, torch.zeros_like(basis)).contiguous()

    def _allowed_acceleration(self):
        """sqrt(scale^2 + (share a_seen)^2) (T, 24): smoothness that follows the evidence."""
        seen = self.window.seen_acceleration
        base = self.scales.acceleration_m_s2
        if seen is None:
            return torch.full_like(self.window.pull, base)
        return (base**2 + (self.scales.seen_share * seen).clamp_max(self.scales.seen_most_m_s2) ** 2).sqrt()

    def state(self, u_turn, u_root):
        """Variables to global rotations (T, 24, 3, 3) and root (T, 3) in the world."""
        turned = sixd_to_matrix((self.sixd0 + self.turn_basis @ u_turn).unflatten(-1, (24, 6)))
        moved = torch.cat([self.across_basis @ u_root[:, :2], self.depth_basis @ u_root[:, 2:]], -1)
        camera = _from_ray(self.ray0 + moved, self.depth)
        return turned, (camera - self.window.t) @ self.window.R

    def terms(self, u_turn, u_root, betas, turned0, root0) -> dict[str, torch.Tensor]:
        """Every term by name; their sum is the objective."""
        w, s = self.window, self.scales
        turned, root = self.state(u_turn, u_root)
        carriers = turned.index_select(1, self.body.parents)
        joints = self.body.joints(root, turned, betas, carriers)
        marks = self.body.keypoints(joints, turned, betas) @ w.R.T + w.t
        projected = marks[..., :2] / marks[..., 2:].clamp_min(0.05) * torch.stack([w.K[0, 0], w.K[1, 1]]) + w.K[:2, 2]
        out = {
            "reprojection": terms.reprojection(projected, w.observed, w.weights, w.height, w.step,
                                               scale=s.reprojection, rho=s.reprojection_rho),
            "pose": s.pose_weight * terms.pose_pull(turned, w.initial, w.pull, w.step,
                                                    scale_rad=s.pose_deg * torch.pi / 180),
            "limits": terms.limits(turned, carriers, w.step, scale=s.limit),
            "shape": terms.shape_prior(betas, self.betas0, scale=s.betas),
        }
        if len(w.times) > 2:
            felt = terms.second_difference(joints, self.inverse_dt2) * self._per_distance(root)
            out["acceleration"] = terms.acceleration(felt, w.step, scale_m_s2=self.allowed[1:-1])
            out["spin"] = terms.spin(turned, self.inverse_dt2, w.step, scale_rad_s2=s.spin_rad_s2)
        if len(w.times) > 3:
            out["jerk"] = terms.jerk(felt, self.middle_s, w.step, scale_m_s3=s.jerk_m_s3 / s.acceleration_m_s2 * self.allowed[1:-2])
        if w.contacts is not None:
            out |= self._ground_terms(joints, turned, betas)
        if w.held:
            gap = ((root - root0)[: w.held] ** 2).sum() + ((turned - turned0)[: w.held] ** 2).sum()
            out["held"] = s.hold * gap
        return out

    def _per_distance(self, root) -> torch.Tensor:
        """Distance at the start over distance now, (T-2, 1, 1).

        Smoothness in metres alone would draw everybody towards the camera, where the same picture moves less.
        """
        return (self.distance0 / (root @ self.window.R.T + self.window.t)[:, 2].clamp_min(0.2))[1:-1, None, None]

    def _ground_terms(self, joints, turned, betas) -> dict[str, torch.Tensor]:
        w, s = self.window, self.scales
        soles = self.soles.keypoints(joints, turned, betas)
        out = {"contact": s.contact_weight * terms.contact_velocity(soles, w.contacts, self.between, w.step,
                                                                    scale_m_s=s.contact_m_s)}
        if w.ground is not None:
            out["ground"] = s.ground_weight * terms.contact_height(soles, w.contacts, w.ground, w.step,
                                                                   scale_m=s.ground_m, rho=s.ground_rho)
            out["penetration"] = terms.penetration(soles, w.ground, w.step, scale_m=s.penetration_m)
        return out

    def solve(self, iterations: int, *, free_betas: bool = False):
        """Minimise; return rotations, root, betas and the terms at the end as floats.

        SciPy's L-BFGS-B drives: torch.optim.LBFGS costs seconds of imports before its first step.
        """
        window = self.window
        shapes = [self.sixd0.shape, window.root.shape] + ([self.betas0.shape] if free_betas else [])
        sizes = [shape.numel() for shape in shapes]

        def unpack(flat):
            parts = torch.as_tensor(flat).to(window.root).split(sizes)
            state = [p.reshape(shape).clone().requires_grad_() for p, shape in zip(parts, shapes, strict=True)]
            return state if free_betas else [*state, self.betas0]

        def cost(flat):
            free = unpack(flat)
            total = sum(self.terms(*free, window.turned, window.root).values())
            gradients = torch.autograd.grad(total, free[: len(shapes)])
            return float(total.detach()), torch.cat([g.flatten() for g in gradients]).double().cpu().numpy()

        start = np.concatenate([np.zeros(sum(sizes[:2])), *([self.betas0.double().cpu().numpy()] if free_betas else [])])
        found = minimize(cost, start, jac=True, method="L-BFGS-B",
                         options={"maxiter": iterations, "maxcor": 10, "ftol": 1e-5, "gtol": 1e-6})
        with torch.no_grad():
            free = unpack(found.x)
            turned, root = self.state(*free[:2])
            last = self.terms(*free, window.turned, window.root)
        return turned, root, free[2].detach(), {name: float(value) for name, value in last.items()}


@contextmanager
def one_quick_thread():
    """Run on one thread, and count denormals, which are slow, as zero.

    The tensors are small: a second thread gains little on a quiet machine and mostly waits at its barriers on a
    busy one.
    """
    threads = torch.get_num_threads()
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


def difference_weights(between: torch.Tensor):
    """Weights (T-2, 3) of second divided differences, and the times (T-3,) between their middles."""
    before, after = between[:-1], between[1:]
    total = before + after
    weights = torch.stack([2 / (before * total), -2 / (before * after), 2 / (after * total)], -1)
    middle = (before[:-1] + after[:-1] + after[1:]) / 3 if len(between) > 2 else between[:0]
    return weights, middle


def _to_ray(camera: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """Camera points to (x / z, y / z, log z) in units of the mean depth: picture place and distance apart."""
    z = camera[:, 2:].clamp_min(0.2)
    return depth * torch.cat([camera[:, :2] / z, torch.log(z / depth)], -1)


def _from_ray(ray: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    z = depth * torch.exp((ray[:, 2:] / depth).clamp(-4, 4))
    return torch.cat([ray[:, :2] / depth * z, z], -1)
