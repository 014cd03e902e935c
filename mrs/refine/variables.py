"""The variables of a window's problem: how they move a body from where it is, and in which units the solver steps.

Neighbouring frames are coupled stiffly by the smoothness terms, and the joints of a frame by the picture, so that plain gradient steps crawl.
Two kinds of variables mend that; u = 0 is where they start:

- :class:`Whitened`, in pose space on a CPU: turns of the bones and moves of the root, x = L^-T u with L L^T the objective's
  Gauss-Newton curvature (:mod:`mrs.refine.curvature`). The objective is near round in u.
- :class:`InTime`, in every space and on every device: x = S u with S S^T = (d I + l D2^T D2)^-1, the typical curvature along time
  of one variable. A step in u moves a smooth stretch of frames at once.
"""

from __future__ import annotations

import numpy as np
import torch

from mrs.body.torch_body import sixd_to_matrix
from mrs.refine.spaces import to_sixd

TYPICAL_M_S2 = 20.0
"""Acceleration by which the basis in time is built, whatever the terms' own scale: it says how far a step reaches, not what is wanted."""


class InTime:
    """Variables of a space and the root, each in a basis in time."""

    def __init__(self, problem, space):
        w, scales = problem.window, problem.scales
        self.problem, self.space, self.depth = problem, space, problem.depth
        smooth = 24 / TYPICAL_M_S2**2
        self.turn_basis = self.basis(150.0, 12 * (0.3 / TYPICAL_M_S2) ** 2)
        if w.has_camera:
            self.ray = to_ray(w.seen(w.root), self.depth)
            points = problem.of_person(w.weights.sum(1)).clamp_min(1.0)
            across = points / (1.7 * scales.reprojection) ** 2
            self.across_basis = self.basis(across, smooth)
            self.depth_basis = self.basis(across * (0.4 / self.depth[..., 0]) ** 2, smooth)
        else:
            self.across_basis = self.depth_basis = self.basis(1 / scales.root_m**2, smooth)

    @property
    def size(self) -> int:
        """Variables of a frame."""
        return self.space.size + 3

    def basis(self, data, smooth: float) -> torch.Tensor:
        """S (T, T) with S S^T the inverse of the typical curvature along time.

        In double precision: at 240 frames a second the two parts differ by more digits than a float has.
        """
        w = self.problem.window
        like, step = w.step, w.step.double()
        curvature = torch.diag(data * step)
        if len(step) > 2:
            rows = torch.arange(len(step) - 2, device=step.device)
            d2 = torch.zeros(len(step) - 2, len(step), dtype=step.dtype, device=step.device)
            for column in range(3):
                d2[rows, rows + column] = self.problem.inverse_dt2[:, column].double()
            curvature = curvature + smooth * d2.T @ (step[1:-1, None] * d2)
        if w.held is not None:
            curvature[w.held, w.held] += self.problem.scales.hold
        factor = torch.linalg.cholesky(curvature)
        eye = torch.eye(len(step), dtype=step.dtype, device=step.device)
        basis = torch.linalg.solve_triangular(factor, eye, upper=False).T.to(like)
        return torch.where(basis.abs() > 1e-6 * basis.abs().max(), basis, torch.zeros_like(basis)).contiguous()

    def state(self, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Global rotations (T, 24, 3, 3) and root (T, 3) in the world at u (T size,)."""
        w, u = self.problem.window, u.view(-1, self.size)
        turned = self.space.turned(self.turn_basis @ u[:, :-3])
        moved = torch.cat([self.across_basis @ u[:, -3:-1], self.depth_basis @ u[:, -1:]], -1)
        if not w.has_camera:
            return turned, w.root + moved
        return turned, w.unseen(from_ray(self.ray + moved, self.depth))

    def code(self, u: torch.Tensor) -> torch.Tensor | None:
        """Codes (T, D) at u, None in a space without."""
        return self.space.code(self.turn_basis @ u.view(-1, self.size)[:, :-3])


class Whitened:
    """Turns of bones and moves of the root from a state, in units of the objective's curvature there."""

    size = 75

    def __init__(self, problem, turned: torch.Tensor, root: torch.Tensor, betas: torch.Tensor):
        from mrs.refine import curvature

        w = problem.window
        self.window, self.depth, self.turned, self.root = w, problem.depth, turned, root
        lead = torch.eye(3).to(root).expand(len(root), 3, 3)
        if w.has_camera:
            self.ray = to_ray(w.seen(root), self.depth)
            lead = w.R.transpose(-1, -2) @ ray_slopes(self.ray, self.depth)
        with torch.no_grad():
            self.factor = curvature.factor(curvature.blocks(problem, turned, root, betas, lead)).astype(
                np.float64 if root.dtype == torch.float64 else np.float32, order="F")

    def state(self, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Global rotations (T, 24, 3, 3) and root (T, 3) in the world at u (T 75,)."""
        x = _Unwhitened.apply(u, self.factor).view(-1, self.size)
        turned = cayley(x[:, :72].unflatten(1, (24, 3))) @ self.turned
        if self.depth is None:
            return turned, self.root + x[:, 72:]
        return turned, self.window.unseen(from_ray(self.ray + x[:, 72:], self.depth))

    def code(self, u: torch.Tensor) -> None:
        """There is no code."""


class _Unwhitened(torch.autograd.Function):
    """x = L^-T u of a factor in LAPACK's lower band form."""

    @staticmethod
    def forward(ctx, u, factor):
        ctx.factor = factor
        return _solve(factor, u, 1)

    @staticmethod
    def backward(ctx, gradient):
        return _solve(ctx.factor, gradient, 0), None


def _solve(factor: np.ndarray, right: torch.Tensor, transposed: int) -> torch.Tensor:
    from scipy.linalg import get_blas_funcs

    (solve,) = get_blas_funcs(("tbsv",), (factor,))
    return torch.as_tensor(solve(len(factor) - 1, factor, right.detach().numpy(), lower=1, trans=transposed))


def cayley(turns: torch.Tensor) -> torch.Tensor:
    """Rotations (..., 3, 3) by Cayley's map: about turns (..., 3), by their length where that is small, by less than half a turn ever."""
    half = turns / 2
    x, y, z = half.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.eye(3).to(turns) + (2 / (1 + (half**2).sum(-1)))[..., None, None] * (skew + skew @ skew)


def upright(turned: torch.Tensor) -> torch.Tensor:
    """The rotations nearest in their first two columns to matrices (..., 3, 3) that rounding has bent."""
    return sixd_to_matrix(to_sixd(turned))


def to_ray(camera: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """Camera points to (x / z, y / z, log z) in units of the mean depth: picture place and distance apart."""
    z = camera[:, 2:].clamp_min(0.2)
    return depth * torch.cat([camera[:, :2] / z, torch.log(z / depth)], -1)


def from_ray(ray: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """Undo :func:`to_ray`."""
    z = depth * torch.exp((ray[:, 2:] / depth).clamp(-4, 4))
    return torch.cat([ray[:, :2] / depth * z, z], -1)


def ray_slopes(ray: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    """How camera points move (T, 3, 3) by their ray coordinates (T, 3)."""
    slopes = torch.eye(3).to(ray).repeat(len(ray), 1, 1)
    slopes[:, :2, 2] = ray[:, :2] / depth
    return slopes * torch.exp(ray[:, 2:] / depth)[..., None]
