"""The objective of one window of frames, and its minimum by L-BFGS in variables that know of time and body.

:mod:`mrs.refine.variables` has the variables. Plain ones need more than ten times as many evaluations of the objective, as
benchmarks/refine_speed.py prints.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch
from threadpoolctl import threadpool_limits

from mrs.body.torch_body import TorchBody
from mrs.refine import terms
from mrs.refine.flight import MASS_SHARES
from mrs.refine.minimise import minimise
from mrs.refine.spaces import Coded, Pose6d, local_rotations, to_sixd
from mrs.refine.variables import InTime, Whitened, upright


@dataclass(frozen=True)
class Scales:
    """Scales and weights of the objective, in physical units; 0 switches a term off where it is a weight."""

    reprojection: float = 0.0105
    reprojection_rho: float | None = 12.0
    pose_deg: float = 20.0
    pose_weight: float = 10.0
    acceleration_m_s2: float = 25.0
    jerk_m_s3: float = 400.0
    seen_m_s2: float = 5.0
    seen_most: float = 5.0
    spin_rad_s2: float = 60.0
    limit: float = 0.1
    betas: float = 0.15
    stature_m: float = 0.005
    contact_m_s: float = 0.05
    let_go_m_s: float = 0.4
    contact_weight: float = 1.0
    ground_m: float = 0.02
    ground_rho: float = 8.0
    ground_weight: float = 4.0
    penetration_m: float = 0.02
    hands_weight: float = 2.0
    ballistic_m_s2: float = 1.5
    ballistic_weight: float = 1.0
    prior_weight: float = 0.3
    root_m: float = 0.03
    hold: float = 4e4
    off: frozenset[str] = frozenset()


@dataclass
class Window:
    """What is known of T frames, as tensors on one device.

    times (T,) in double precision, step (T,) time a frame stands for over 1/30 s, observed (T, K, 2) px, weights (T, K), height (T,) px,
    turned (T, 24, 3, 3) and root (T, 3) the start in the world, pull (T, 24) reliability of the start and `initial`
    (T, 24, 3, 3) what it pulls to; K, R and t the camera, (3, 3), (3, 3) and (3,) or one a frame; has_camera: whether there
    is one, or nothing was seen at all. contacts (T, 4), hands (T, 2) and flight (T,) are probabilities, still (T, 6) how far
    soles and hands are held to stand until the next frame, ground () a height, each or None; codes (T, D) where a decoder is used; held: rows that are the end of the previous window and stay.
    Windows of several people lie one after another (:func:`mrs.refine.together.stacked`): person (T,) says whose each frame is.
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
    local_share: torch.Tensor | None = None
    seen_acceleration: torch.Tensor | None = None
    contacts: torch.Tensor | None = None
    ground: torch.Tensor | None = None
    hands: torch.Tensor | None = None
    still: torch.Tensor | None = None
    flight: torch.Tensor | None = None
    up: torch.Tensor | None = None
    codes: torch.Tensor | None = None
    root_initial: torch.Tensor | None = None
    root_pull: torch.Tensor | None = None
    person: torch.Tensor | None = None
    has_camera: bool = True
    held: torch.Tensor | None = None

    def at(self, rows) -> Window:
        """The same for some rows."""
        whole, still = {"local_share", "ground", "up", "has_camera", "held"}, {"K": 2, "R": 2, "t": 1}
        values = {}
        for f in fields(self):
            value = getattr(self, f.name)
            per_frame = f.name not in whole and value is not None and value.ndim > still.get(f.name, 0)
            values[f.name] = value[rows] if per_frame else value
        return Window(**values)

    def seen(self, points: torch.Tensor) -> torch.Tensor:
        """World points (T, 3) or (T, N, 3) in the camera's axes."""
        if points.ndim == 2:
            return (self.R @ points[..., None])[..., 0] + self.t
        return points @ self.R.transpose(-1, -2) + (self.t if self.t.ndim == 1 else self.t[:, None])

    def unseen(self, points: torch.Tensor) -> torch.Tensor:
        """Points (T, 3) in the camera's axes back in the world."""
        return (self.R.transpose(-1, -2) @ (points - self.t)[..., None])[..., 0]


@dataclass
class Solved:
    """The end of one window: rotations, root, codes or None, betas, log of the focal length over the start's, terms, and how it ended."""

    turned: torch.Tensor
    root: torch.Tensor
    codes: torch.Tensor | None
    betas: torch.Tensor
    log_focal: torch.Tensor
    terms: dict[str, float]
    iterations: int
    converged: bool


class Problem:
    """The objective of one window.

    `prior` is a pose prior (:mod:`mrs.refine.prior`) or None; `space` one of "pose", "coded" and "hybrid", the latter two
    over the window's codes with `decoder`; `extra` holds dense terms (:class:`mrs.refine.terms.Extra`) cut to the window.
    """

    def __init__(self, window: Window, body: TorchBody, soles: TorchBody, betas: torch.Tensor, scales: Scales, *,
                 prior=None, decoder=None, space: str = "pose", extra=()):
        self.window, self.body, self.soles, self.scales = window, body, soles, scales
        self.prior, self.extra, self.betas0 = prior, extra, betas
        self._couple()
        self.space = self._space(space, decoder)
        self.initial_local = local_rotations(window.initial, body.parents)
        self.taller_m = body.taller_m().to(window.root)
        self.mass_shares = torch.as_tensor(MASS_SHARES).to(window.root)
        self.lively = self._lively()
        self.livelier = (self.lively[1:-2] + self.lively[2:-1]) / 2
        self.depth = None
        if window.has_camera:
            self.distance0 = window.seen(window.root)[:, 2].clamp_min(0.2)
            self.depth = self.of_person(self.distance0)[..., None]

    def _couple(self) -> None:
        """Set what couples neighbouring frames: times between them, and the steps of differences, none from person to person."""
        w = self.window
        between = (w.times[1:] - w.times[:-1]).clamp_min(1e-6)
        self.step1 = self.step2 = self.step3 = w.step
        if w.person is not None:
            whose = w.person
            between = torch.where(whose[1:] == whose[:-1], between, torch.ones_like(between))
            self.step1, self.step2, self.step3 = (_masked(w.step, whose, reach) for reach in (1, 2, 3))
        self.between = between.to(w.root)
        self.inverse_dt2, self.middle_s = difference_weights(self.between)
        if w.person is not None:
            self.inverse_dt2 = self.inverse_dt2 * (w.person[2:] == w.person[:-2])[:, None]

    def of_person(self, values: torch.Tensor) -> torch.Tensor:
        """Mean of values (T,) over the frames of the same person: a number, or one a frame where there are several people."""
        if self.window.person is None:
            return values.mean()
        whose = self.window.person
        total = values.new_zeros(int(whose.max()) + 1).index_add_(0, whose, values)
        return (total / torch.bincount(whose))[whose]

    def _space(self, space: str, decoder):
        w = self.window
        if space == "pose" or w.codes is None:
            return Pose6d.at(w.turned)
        whole = decoder.decode(w.codes[:1]).shape[1] == 24
        root = None if whole else to_sixd(w.turned[:, 0])
        to_world = w.R.transpose(-1, -2).expand(len(w.times), 3, 3)[:, None] if whole else None
        return Coded(decoder, self.body, w.codes, root, to_world, free=space == "hybrid")

    def _lively(self):
        """How much livelier than usual each joint (T, 24) is seen to be: sqrt(1 + (a_seen / seen_m_s2)^2), within bounds."""
        seen = self.window.seen_acceleration
        if seen is None:
            return torch.ones_like(self.window.pull)
        return (1 + (seen / self.scales.seen_m_s2).clamp_max(self.scales.seen_most) ** 2).sqrt()

    def costs(self, turned, root, betas, turned0, root0, log_focal=None) -> dict[str, torch.Tensor]:
        """Every term by name at rotations (T, 24, 3, 3), a root (T, 3) and betas (10,), or (P, 10) of several people."""
        w, s = self.window, self.scales
        shape = terms.shape_prior(betas, self.betas0, self.taller_m, scale=s.betas, stature_m=s.stature_m)
        if w.person is not None:
            betas = betas[w.person]
        carriers = turned.index_select(1, self.body.parents)
        joints = self.body.joints(root, turned, betas, carriers)
        out = {}
        if w.has_camera:
            out["reprojection"] = self._reprojection(joints, turned, betas, log_focal)
        out |= {
            "pose": s.pose_weight * self._pose_pull(turned, carriers),
            "shape": shape,
        }
        if w.root_pull is not None:
            out["root"] = terms.root_pull(root, w.root_initial, w.root_pull, w.step, scale_m=s.root_m)
        out |= self._plausibility(turned, carriers) | self._smooth_terms(joints, turned, root)
        out |= self._ground_terms(joints, turned, betas)
        for term in self.extra:
            out[term.name] = term(joints=joints, turned=turned, betas=betas, window=w)
        out = {name: value for name, value in out.items() if name not in s.off}
        if w.held is not None:
            gap = ((root - root0)[w.held] ** 2).sum() + ((turned - turned0)[w.held] ** 2).sum()
            out["held"] = s.hold * gap
        return out

    def _pose_pull(self, turned, carriers):
        """Pull to the start by each joint's angle in the world and against its parent, by how steady the start is in either."""
        w, s = self.window, self.scales
        scale = s.pose_deg * torch.pi / 180
        if w.local_share is None:
            return terms.pose_pull(turned, w.initial, w.pull, w.step, scale_rad=scale)
        share = w.local_share
        world = terms.pose_pull(turned, w.initial, w.pull * (1 - share), w.step, scale_rad=scale)
        return world + terms.pose_pull(carriers.transpose(-1, -2) @ turned[:, 1:], self.initial_local, (w.pull * share)[:, 1:], w.step,
                                       scale_rad=scale)

    def _reprojection(self, joints, turned, betas, log_focal):
        w, s = self.window, self.scales
        marks = w.seen(self.body.keypoints(joints, turned, betas))
        focal = torch.stack([w.K[..., 0, 0], w.K[..., 1, 1]], -1)[..., None, :]
        focal = focal if log_focal is None else focal * log_focal.exp()
        projected = marks[..., :2] / marks[..., 2:].clamp_min(0.05) * focal + w.K[..., None, :2, 2]
        return terms.reprojection(projected, w.observed, w.weights, w.height, w.step, scale=s.reprojection,
                                  rho=s.reprojection_rho)

    def _plausibility(self, turned, carriers) -> dict[str, torch.Tensor]:
        """The prior's energy of the pose; joint limits where there is no prior, which knows them."""
        w, s = self.window, self.scales
        if self.prior is None or not s.prior_weight or "prior" in s.off:
            return {"limits": terms.limits(turned, carriers, w.step, scale=s.limit)}
        energy = self.prior.energy(carriers.transpose(-1, -2) @ turned[:, 1:])
        return {"prior": s.prior_weight * (w.step * energy).sum()}

    def _smooth_terms(self, joints, turned, root) -> dict[str, torch.Tensor]:
        w, s = self.window, self.scales
        out = {}
        if len(w.times) > 2:
            accelerations = terms.second_difference(joints, self.inverse_dt2)
            felt = accelerations * self.per_distance(root) if w.has_camera else accelerations
            out["acceleration"] = terms.acceleration(felt, self.step2, scale_m_s2=s.acceleration_m_s2 * self.lively[1:-1])
            out["spin"] = terms.spin(turned, self.inverse_dt2, self.step2, scale_rad_s2=s.spin_rad_s2 * self.lively[1:-1])
            if w.flight is not None:
                fall = torch.einsum("j,tjc->tc", self.mass_shares, accelerations)
                out["ballistic"] = s.ballistic_weight * terms.ballistic(fall, w.flight, w.up, self.step2,
                                                                        scale_m_s2=s.ballistic_m_s2)
        if len(w.times) > 3:
            out["jerk"] = terms.jerk(felt, self.middle_s, self.step3, scale_m_s3=s.jerk_m_s3 * self.livelier)
        return out

    def per_distance(self, root) -> torch.Tensor:
        """Distance at the start over distance now, (T-2, 1, 1).

        Smoothness in metres alone would draw everybody towards the camera, where the same picture moves less.
        """
        return (self.distance0 / self.window.seen(root)[:, 2].clamp_min(0.2))[1:-1, None, None]

    def _ground_terms(self, joints, turned, betas) -> dict[str, torch.Tensor]:
        w, s = self.window, self.scales
        if w.contacts is None:
            return {}
        soles = self.soles.keypoints(joints, turned, betas)
        out = {"contact": s.contact_weight * terms.contact_velocity(soles, w.still[:-1, :4], self.between, self.step1,
                                                                    scale_m_s=s.contact_m_s)}
        if w.ground is not None:
            out["ground"] = s.ground_weight * terms.contact_height(soles, w.contacts, w.ground, w.step,
                                                                   scale_m=s.ground_m, rho=s.ground_rho)
            out["penetration"] = terms.penetration(soles, w.ground, w.step, scale_m=s.penetration_m, joints=joints)
            if w.hands is not None:
                hands = joints[:, 22:]
                still = terms.contact_velocity(hands, w.still[:-1, 4:], self.between, self.step1, scale_m_s=2 * s.contact_m_s)
                out["hands"] = s.hands_weight * (still + terms.contact_height(
                    hands, w.hands, w.ground + terms.HAND_M, w.step, scale_m=2 * s.ground_m, rho=s.ground_rho))
        return out

    def variables(self) -> InTime | Whitened:
        """The variables that the solver steps in."""
        w = self.window
        if isinstance(self.space, Pose6d) and w.root.device.type == "cpu":
            return Whitened(self, w.turned, w.root, self.each(self.betas0))
        return InTime(self, self.space)

    def each(self, betas: torch.Tensor) -> torch.Tensor:
        """Betas (10,) of one person, or (T, 10) of several, one a frame."""
        return betas if self.window.person is None else betas[self.window.person]

    def solve(self, iterations: int, *, free_betas: bool = False, free_focal: bool = False) -> Solved:
        """Minimise; say where and how it ended."""
        w, variables = self.window, self.variables()
        sizes = [len(w.times) * variables.size, self.betas0.numel() * free_betas, int(free_focal)]

        def unpack(flat):
            u, betas, log_focal = flat.split(sizes)
            return u, betas.view_as(self.betas0) if free_betas else self.betas0, log_focal if free_focal else None

        def costs(flat):
            u, betas, log_focal = unpack(flat)
            return self.costs(*variables.state(u), betas, w.turned, w.root, log_focal)

        start = torch.cat([w.root.new_zeros(sizes[0]), self.betas0.flatten()[: sizes[1]], w.root.new_zeros(sizes[2])])
        found, count, converged = minimise(lambda flat: sum(costs(flat).values()), start, iterations)
        with torch.no_grad():
            u, betas, log_focal = unpack(found)
            turned, root = variables.state(u)
            last = {name: float(value) for name, value in costs(found).items()}
        log_focal = w.root.new_zeros(1) if log_focal is None else log_focal.clone()
        return Solved(upright(turned), root, variables.code(u), betas.detach().clone(), log_focal, last, count, converged)


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


def _masked(step: torch.Tensor, whose: torch.Tensor, reach: int) -> torch.Tensor:
    """Steps (T,) with 0 at the second frame of every run of reach + 1 frames that goes from person to person."""
    out = step.clone()
    out[1 : len(step) - reach + 1] *= whose[reach:] == whose[:-reach]
    return out


def difference_weights(between: torch.Tensor):
    """Weights (T-2, 3) of second divided differences, and the times (T-3,) between their middles."""
    before, after = between[:-1], between[1:]
    total = before + after
    weights = torch.stack([2 / (before * total), -2 / (before * after), 2 / (after * total)], -1)
    middle = (before[:-1] + after[:-1] + after[1:]) / 3 if len(between) > 2 else between[:0]
    return weights, middle
