"""The curvature of a window's objective, frame by frame, and variables in which it is the same in every direction.

Close to the start every term is a weighted square of something linear in small turns of the bones and moves of the root:
the objective's Gauss-Newton curvature H, with robust losses at their slope (iteratively reweighted least squares). Terms couple at
most four neighbouring frames, so H is a band (75 variables a frame, 4 frames wide) and its Cholesky factor H = L L^T costs about as much as
a few evaluations of the objective. In x = L^-T u the objective is near round: L-BFGS gets in tens of steps where hundreds are needed
otherwise, and its path does not hang on the frame rate, on the side, or on the direction of time.

A frame's variables are a turn w_a (3,) of every bone a in the world's axes (R_a becomes exp(w_a) R_a) and a move of the root. Every point of the
body is root + sum_a R_a c_a with c_a fixed by its shape, so it moves by sum_a w_a x (R_a c_a).
"""

from __future__ import annotations

import numpy as np
import torch

from mrs.body.torch_body import TorchBody
from mrs.errors import InputError
from mrs.refine import terms
from mrs.refine.flight import GRAVITY_M_S2

SIZE = 75
"""Variables of a frame: a turn (3,) of each of 24 bones, then the root's three."""
REACH = 4
"""Frames that one term couples at most: those of a jerk."""
BAND = REACH * SIZE
FLOOR = 4.0
"""Curvature of a variable, per rad^2 or m^2 and 1/30 s, where nothing holds it."""
DOUBLE = torch.float64


class Points:
    """Points (P) of the body as root + sum_a R_a c_a: `arms` (P, 24, 3), or (T, P, 24, 3) where shapes differ from frame to frame."""

    def __init__(self, arms: torch.Tensor):
        self.arms = arms

    @classmethod
    def joints(cls, body: TorchBody, betas: torch.Tensor) -> Points:
        """The 24 joints."""
        carried = torch.nn.functional.one_hot(body.parents, 24).to(body.ancestors)
        return cls(torch.einsum("pb,ba,...bc->...pac", body.ancestors, carried, body.shaped_bones(betas)))

    @classmethod
    def marks(cls, body: TorchBody, betas: torch.Tensor) -> Points:
        """The landmarks that the body was made with."""
        return cls(torch.einsum("kp,...pac->...kac", body.share, cls.joints(body, betas).arms) + body.shaped_moments(betas))

    def slopes(self, turned: torch.Tensor) -> torch.Tensor:
        """How points move (T, P, 3, 75) by the variables, with the root's in the world's axes."""
        arms = self.arms if self.arms.ndim == 4 else self.arms.expand(len(turned), *self.arms.shape)
        swung = torch.einsum("tacd,tpad->tpac", turned, arms)
        out = turned.new_zeros(*swung.shape[:2], 3, SIZE)
        turns = out[..., :72].unflatten(-1, (24, 3))
        x, y, z = swung.unbind(-1)
        # w x r for unit w along x, y, z: (0, -z, y), (z, 0, -x), (-y, x, 0)
        turns[..., 1, :, 0], turns[..., 2, :, 0] = -z, y
        turns[..., 0, :, 1], turns[..., 2, :, 1] = z, -x
        turns[..., 0, :, 2], turns[..., 1, :, 2] = -y, x
        out[..., 72:] = torch.eye(3).to(turned)
        return out


def couplings(coefficients: torch.Tensor, weights: torch.Tensor, frames: int) -> torch.Tensor:
    """Weights (REACH, T, P) of x_t . x_t+m, m = 0.. in sum_n w_n |sum_k c_nk x_n+k|^2: coefficients (N, S), weights (N, P)."""
    out = weights.new_zeros(REACH, frames, weights.shape[1])
    count, width = coefficients.shape
    for k in range(width):
        for m in range(width - k):
            out[m, k : k + count] += (coefficients[:, k] * coefficients[:, k + m])[:, None] * weights
    return out


def jerk_coefficients(inverse_dt2: torch.Tensor, middle_s: torch.Tensor) -> torch.Tensor:
    """Coefficients (T-3, 4) of differences of neighbouring second differences over the time between them."""
    before = torch.nn.functional.pad(inverse_dt2[:-1], (0, 1))
    after = torch.nn.functional.pad(inverse_dt2[1:], (1, 0))
    return (after - before) / middle_s[:, None]


class _Sum:
    """The blocks (T - m, 75, 75) of frame t by frame t + m, m = 0..3, under construction."""

    def __init__(self, frames: int):
        self.blocks = [torch.zeros(frames - m, SIZE, SIZE, dtype=DOUBLE) for m in range(min(REACH, frames))]

    def squares(self, slopes: torch.Tensor, pairs: torch.Tensor) -> None:
        """Add squares of points' moves over neighbouring frames: slopes (T, P, 3, 75), pairs (4, T, P) as of :func:`couplings`."""
        flat = slopes.flatten(1, 2).to(DOUBLE)
        for m, block in enumerate(self.blocks):
            share = pairs[m, : len(block)]
            if bool((share != 0).any()):
                block.baddbmm_((flat[: len(block)] * share.repeat_interleave(3, 1)[..., None]).transpose(1, 2), flat[m:])

    def numbers(self, slopes: torch.Tensor, weights: torch.Tensor) -> None:
        """Add weighted squares of numbers of one frame: slopes (T, N, 75), weights (T, N) not below zero."""
        rooted = slopes.to(weights.dtype) * weights.sqrt()[..., None]
        self.blocks[0] += rooted.transpose(1, 2) @ rooted

    def turns(self, pairs: torch.Tensor) -> None:
        """Add squares of the bones' turns: pairs (M, T, 24)."""
        for block, share in zip(self.blocks, pairs, strict=False):
            block[:, :72, :72].diagonal(dim1=1, dim2=2).add_(share[: len(block)].repeat_interleave(3, 1))

    def against(self, parents: torch.Tensor, weights: torch.Tensor) -> None:
        """Add squares of the turns of joints 1..23 against their parents': weights (T, 23)."""
        joints = torch.arange(1, 24)
        square = weights.new_zeros(len(weights), 24 * 24)
        for one, other, sign in ((joints, joints, 1), (parents, parents, 1), (joints, parents, -1), (parents, joints, -1)):
            square.index_add_(1, 24 * one + other, sign * weights)
        turns = self.blocks[0][:, :72, :72].unflatten(1, (24, 3)).unflatten(3, (24, 3))
        for axis in range(3):
            turns[:, :, axis, :, axis] += square.view(-1, 24, 24)

    def root(self, weights: torch.Tensor) -> None:
        """Add squares of the root's moves: weights (T,)."""
        self.blocks[0][:, 72:, 72:].diagonal(dim1=1, dim2=2).add_(weights.to(DOUBLE)[:, None])


def blocks(problem, turned: torch.Tensor, root: torch.Tensor, betas: torch.Tensor, lead: torch.Tensor) -> list[torch.Tensor]:
    """Blocks (T - m, 75, 75), m = 0..3, frame t by t + m, of the Gauss-Newton curvature of a problem's objective.

    At rotations (T, 24, 3, 3), a root (T, 3) and betas (10,), or (T, 10) of several people. lead (T, 3, 3) is how the root moves in the
    world by its variables. Dense terms and joint limits are left to the solver.
    """
    w, s = problem.window, problem.scales
    joints = problem.body.joints(root, turned, betas)
    slopes = Points.joints(problem.body, betas).slopes(turned)
    total = _Sum(len(w.times))
    if len(w.times) > 2:
        _smoothness(total, problem, joints, turned, root, slopes)
    if w.contacts is not None:
        _ground(total, problem, joints, turned, betas, slopes)
    if w.has_camera and "reprojection" not in s.off:
        _reprojection(total, problem, joints, turned, betas)
    _pose(total, problem, turned)
    floor = FLOOR * w.step
    held = torch.zeros_like(w.step)
    if w.held is not None:
        held[w.held] = s.hold
    total.turns((floor + 2 * held).to(DOUBLE)[None, :, None].expand(1, -1, 24))
    total.root(floor + held)
    if w.root_pull is not None:
        total.root(w.step * w.root_pull / s.root_m**2)
    lead = lead.to(DOUBLE)
    for m, block in enumerate(total.blocks):
        block[:, 72:] = lead[: len(block)].transpose(-1, -2) @ block[:, 72:]
        block[:, :, 72:] = block[:, :, 72:] @ lead[m:]
        block *= 2
    return total.blocks


def _smoothness(total: _Sum, problem, joints, turned, root, slopes) -> None:
    """Acceleration, jerk, spin and the ballistic centre of mass."""
    w, s, frames = problem.window, problem.scales, len(joints)
    inverse, lively = problem.inverse_dt2.to(DOUBLE), problem.lively
    accelerations = terms.second_difference(joints, problem.inverse_dt2)
    near = problem.per_distance(root)[..., 0] if w.has_camera else torch.ones_like(accelerations[:, :1, 0])
    felt = accelerations * near[..., None]
    pairs = torch.zeros(REACH, frames, 24, dtype=DOUBLE)
    if "acceleration" not in s.off:
        weights = _weights(terms.huber, felt, s.acceleration_m_s2 * lively[1:-1]) * near**2
        pairs += couplings(inverse, problem.step2[1:-1, None] * weights, frames)
    if frames > 3 and "jerk" not in s.off:
        j = (felt[1:] - felt[:-1]) / problem.middle_s[:, None, None]
        weights = _weights(terms.huber, j, s.jerk_m_s3 * problem.livelier) * near[1:] ** 2
        pairs += couplings(jerk_coefficients(inverse, problem.middle_s.to(DOUBLE)), problem.step3[1:-2, None] * weights, frames)
    total.squares(slopes, pairs)
    if "spin" not in s.off:
        spun = terms.second_difference(turned.flatten(-2), problem.inverse_dt2)
        weights = 2 * _weights(terms.huber, spun, 2**0.5 * s.spin_rad_s2 * lively[1:-1])
        total.turns(couplings(inverse, problem.step2[1:-1, None] * weights, frames))
    if w.flight is not None and "ballistic" not in s.off:
        off = torch.einsum("j,tjc->tc", problem.mass_shares, accelerations) + GRAVITY_M_S2 * w.up
        weights = _weights(_huber, off, s.ballistic_m_s2) * s.ballistic_weight * problem.step2[1:-1] * w.flight[1:-1]
        centre = torch.einsum("j,tjcv->tcv", problem.mass_shares, slopes)[:, None]
        total.squares(centre, couplings(inverse, weights[:, None], frames))


def _ground(total: _Sum, problem, joints, turned, betas, slopes) -> None:
    """Contacts of soles and hands, their heights, and what lies under the ground."""
    w, s = problem.window, problem.scales
    soles = problem.soles.keypoints(joints, turned, betas)
    sole_slopes = Points.marks(problem.soles, betas).slopes(turned)
    touching = []
    if "contact" not in s.off:
        _stillness(total, problem, sole_slopes, s.contact_weight * w.still[:-1, :4], s.contact_m_s)
    if w.ground is None:
        return
    if "ground" not in s.off:
        touching.append((soles, sole_slopes, s.ground_weight * w.contacts, w.ground, s.ground_m))
    if w.hands is not None and "hands" not in s.off:
        _stillness(total, problem, slopes[:, 22:], s.hands_weight * w.still[:-1, 4:], 2 * s.contact_m_s)
        touching.append((joints[:, 22:], slopes[:, 22:], s.hands_weight * w.hands, w.ground + terms.HAND_M, 2 * s.ground_m))
    for points, moves, share, height, scale_m in touching:
        weights = share * _weights(lambda square: terms.geman_mcclure(square, s.ground_rho), (points[..., 1] - height)[..., None], scale_m)
        total.numbers(moves[:, :, 1], w.step[:, None] * weights)
    if "penetration" not in s.off:
        fleshy = terms.FLESHY
        for points, moves, radius in ((soles, sole_slopes, 0.0), (joints[:, fleshy], slopes[:, fleshy], terms.RADII_M.to(joints))):
            total.numbers(moves[:, :, 1], w.step[:, None] * (points[..., 1] < w.ground + radius) / s.penetration_m**2)


def _stillness(total: _Sum, problem, slopes, still, scale_m_s: float) -> None:
    per_s = 1 / problem.between.to(DOUBLE)
    total.squares(slopes, couplings(torch.stack([-per_s, per_s], 1), problem.step1[1:, None] * still / scale_m_s**2, len(slopes)))


def _reprojection(total: _Sum, problem, joints, turned, betas) -> None:
    w, s = problem.window, problem.scales
    slopes = Points.marks(problem.body, betas).slopes(turned)
    marks = w.seen(problem.body.keypoints(joints, turned, betas))
    depth = marks[..., 2:].clamp_min(0.05)
    focal = torch.stack([w.K[..., 0, 0], w.K[..., 1, 1]], -1)[..., None, :]
    away = marks[..., :2] / depth * focal + w.K[..., None, :2, 2] - w.observed
    loss = _huber if s.reprojection_rho is None else (lambda square: terms.geman_mcclure(square, s.reprojection_rho))
    weights = w.step[:, None] * w.weights * _weights(loss, away, s.reprojection * w.height[:, None])
    R = w.R if w.R.ndim == 3 else w.R.expand(len(marks), 3, 3)
    across = (R[:, None, :2] - (marks[..., :2] / depth)[..., None] * R[:, None, 2:]) * (focal / depth)[..., None]
    total.numbers((across @ slopes).flatten(1, 2), weights.repeat_interleave(2, 1))


def _pose(total: _Sum, problem, turned) -> None:
    """The pull to the start, in the world and against the parent, and the prior."""
    w, s, parents = problem.window, problem.scales, problem.body.parents
    local = turned[:, parents].transpose(-1, -2) @ turned[:, 1:]
    if "pose" not in s.off:
        share = torch.zeros_like(w.pull[0]) if w.local_share is None else w.local_share
        pull, scale = s.pose_weight * w.step[:, None] * w.pull, 2**0.5 * s.pose_deg * torch.pi / 180
        weights = 2 * _weights(terms.cauchy, (turned - w.initial).flatten(-2), scale) * pull * (1 - share)
        total.turns(weights.to(DOUBLE)[None])
        weights = 2 * _weights(terms.cauchy, (local - problem.initial_local).flatten(-2), scale) * (pull * share)[:, 1:]
        total.against(parents, weights)
    if problem.prior is not None and s.prior_weight and "prior" not in s.off:
        whiten = problem.prior.p["whiten"].T.unflatten(1, (23, 3))
        rows = torch.einsum("njc,jdc->njd", whiten, problem.prior.p["mean"]).to(turned)
        felt = 0.5 * s.prior_weight * w.step * problem.prior.felt(local)
        total.numbers(_against_parents(turned, parents, rows), felt[:, None].expand(-1, 69))


def _against_parents(turned, parents, rows: torch.Tensor) -> torch.Tensor:
    """How N numbers move (T, N, 75) that move by rows (N, 23, 3) as joints turn in the axes of their parents."""
    own = (rows.transpose(0, 1) @ turned[:, parents].transpose(-1, -2)).transpose(1, 2)
    out = turned.new_zeros(*own.shape[:2], 25, 3)
    out[:, :, 1:24] = own
    return out.index_add_(2, parents, -own).flatten(2)


def _huber(square: torch.Tensor) -> torch.Tensor:
    return terms.huber(square, terms.KNEE)


def _weights(loss, residuals: torch.Tensor, scale) -> torch.Tensor:
    """Weights (...) of squared residuals (..., C) under a robust loss of |residual|^2 / scale^2: its slope there over scale^2."""
    square = ((residuals**2).sum(-1) / scale**2).detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(loss(square).sum(), square)[0] / scale**2


def factor(blocks: list[torch.Tensor]) -> np.ndarray:
    """Lower Cholesky factor of a symmetric matrix of such blocks, in LAPACK's lower band form (300, 75 T).

    Where rounding has cost it its definiteness, its diagonal is raised until it is definite. Raises InputError where it is not a number.
    """
    from scipy.linalg.lapack import dpbtrf

    raised = 0.0
    while True:
        form = _band(blocks)
        form[0] *= 1 + raised
        found, wrong = dpbtrf(form, lower=1, overwrite_ab=1)
        if not wrong and np.isfinite(found[0]).all():
            return found
        if raised > 1 or not np.isfinite(form[0]).all():
            raise InputError("Expected finite keypoints, times and a finite start to refine, but the curvature of a window is not a number. "
                             "Leave the person out whose numbers are not finite: mrs tracks drop RUN ID")
        raised = 100 * raised + 1e-9


def _band(blocks: list[torch.Tensor]) -> np.ndarray:
    """A symmetric matrix of blocks, frame t by t + m, in LAPACK's lower band form (300, 75 T), in Fortran order.

    Entry (i, j) lies at j BAND + i - j, so a block is a view with strides; what of a block on the diagonal lies above it
    lands on places of blocks three frames apart, which are set later.
    """
    frames = len(blocks[0])
    flat = np.zeros(BAND * (frames + 1) * SIZE)
    step = flat.itemsize
    for apart, values in enumerate(blocks):
        place = np.lib.stride_tricks.as_strided(flat[apart * SIZE :], values.shape, (SIZE * BAND * step, (BAND - 1) * step, step))
        place[...] = np.triu(values.numpy()) if apart == 0 else values.numpy()
    return flat[: BAND * frames * SIZE].reshape(frames * SIZE, BAND).T
