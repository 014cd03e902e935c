"""Fit the body to 2D keypoints alone, in the manner of SMPLify (Bogo et al., ECCV 2016), for whole clips.

One picture does not tell front from back. So every tenth of a second is fitted from several starts that face different
ways: first the torso, then all of the body, each frame by itself. Of these a track over time is chosen (Viterbi), whose
cost is what each fit leaves over and how far the body would have to move between two of them. From there all frames are
fitted together, with poses that are cubic splines in time.

Poses are local rotations R_j = exp(v_j) M_j about a mean M of somebody who stands with the arms down; v has a Gaussian
prior with hand-set widths, and the joint limits of :mod:`mrs.refine.terms` hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize

from mrs import rotations
from mrs.body.model import Body
from mrs.body.torch_body import TorchBody, axis_angle_to_matrix
from mrs.refine import terms
from mrs.refine.solver import difference_weights, one_quick_thread

FACINGS = (0.0, np.pi / 2, np.pi, -np.pi / 2)
SAMPLE_S = 0.1
CHUNK = 400
OVERLAP = 30

# Mean turn about x, y, z in radians, and the width of the prior about each, of the left side; the right is its mirror image.
_MEAN = {"left_hip": (-0.12, 0, 0), "left_knee": (0.25, 0, 0), "left_shoulder": (0, 0, -1.25), "left_elbow": (0, -0.4, 0)}
_WIDTH = {
    "pelvis": (9, 9, 9), "left_hip": (0.6, 0.3, 0.3), "left_knee": (0.7, 0.12, 0.1), "left_ankle": (0.35, 0.2, 0.2),
    "left_foot": (0.15, 0.05, 0.05), "spine1": (0.2, 0.12, 0.12), "spine2": (0.2, 0.15, 0.12), "spine3": (0.15, 0.15, 0.1),
    "neck": (0.25, 0.25, 0.2), "head": (0.25, 0.3, 0.2), "left_collar": (0.1, 0.15, 0.15), "left_shoulder": (0.8, 0.5, 0.6),
    "left_elbow": (0.3, 0.8, 0.12), "left_wrist": (0.2, 0.2, 0.25), "left_hand": (0.1, 0.1, 0.1),
}
_WEIGHTS = {"eye": 0.3, "mouth": 0.3, "ear": 0.6, "nose": 0.6, "pinky": 0.3, "index": 0.4, "thumb": 0.3, "toe": 0.6}
_TORSO = ("shoulder", "hip", "neck", "mid_hip", "ear", "nose", "spine")


@dataclass(frozen=True)
class Scales:
    """Scales and weights of the objective."""

    reprojection: float = 0.02
    rho: float = 20.0
    prior: float = 1.0
    upright: float = 0.35
    upright_weight: float = 1.0
    limit: float = 0.1
    acceleration_m_s2: float = 25.0
    jump_m: float = 0.25
    jump_weight: float = 0.3


@dataclass(frozen=True)
class Evidence:
    """What is known of T frames: times_s (T,), points_px (T, K, 2), weights (T, K), heights_px (T,), K (T, 3, 3), up (T, 3).

    `up` is the world's up in camera axes.
    """

    times_s: np.ndarray
    points_px: np.ndarray
    weights: np.ndarray
    heights_px: np.ndarray
    K: np.ndarray
    up: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, track, camera) -> Evidence:
        """Collect it from a track and the camera that saw it."""
        names = track.keypoints.names
        weights = np.where(track.seen[:, None], track.keypoints_px[..., 2], 0.0) ** 2 * [_weight(n) for n in names]
        each = camera.per_frame(len(track))
        return cls(track.times_s, track.keypoints_px[..., :2].astype(float), weights, _steady_heights(track),
                   np.asarray(each.K, float), each.R @ np.array([0.0, 1, 0]), names)

    def at(self, rows) -> Evidence:
        """The same for some rows."""
        return replace(self, times_s=self.times_s[rows], points_px=self.points_px[rows], weights=self.weights[rows],
                       heights_px=self.heights_px[rows], K=self.K[rows], up=self.up[rows])

    def only(self, parts: tuple[str, ...]) -> Evidence:
        """The same with only the keypoints of some parts."""
        keep = np.array([n.removeprefix("left_").removeprefix("right_") in parts for n in self.names])
        return replace(self, weights=self.weights * keep)


@dataclass(frozen=True)
class State:
    """Bodies of T frames: base (T, 3, 3) turns of the pelvis, v (T, 24, 3) turns about the mean pose, root (T, 3) in metres."""

    base: np.ndarray
    v: np.ndarray
    root: np.ndarray

    def at(self, rows) -> State:
        """The same for some rows."""
        return State(self.base[rows], self.v[rows], self.root[rows])


def fit(body: Body, evidence: Evidence, betas: np.ndarray, scales: Scales | None = None,
        progress=lambda done, total: None) -> tuple[np.ndarray, np.ndarray]:
    """Return global rotations (T, 24, 3, 3) and pelvis positions (T, 3) in camera axes."""
    scales = scales or Scales()
    with one_quick_thread():
        rows = _sampled(evidence.times_s)
        path = _best_path(body, evidence.at(rows), betas, scales, lambda done: progress(done * len(evidence.times_s) // 2,
                                                                                          len(evidence.times_s)))
        state = _between(path, evidence.times_s[rows], evidence.times_s)
        return _together(body, evidence, betas, state, scales, progress)


def _weight(name: str) -> float:
    return next((w for part, w in _WEIGHTS.items() if part in name), 1.0)


def _steady_heights(track) -> np.ndarray:
    """Person heights (T,) in pixels, a running median over about a second, carried over unseen frames."""
    from scipy.ndimage import median_filter

    seen = track.seen if track.seen.any() else np.ones(len(track), bool)
    heights = np.interp(track.times_s, track.times_s[seen], track.heights_px()[seen])
    rate_hz = (len(track) - 1) / max(track.times_s[-1] - track.times_s[0], 1e-6)
    return median_filter(heights, size=2 * min(round(rate_hz / 2), 500) + 1, mode="nearest")


def mean_and_width() -> tuple[np.ndarray, np.ndarray]:
    """Mean turns (24, 3) of the pose and widths (24, 3) of its prior, in radians."""
    from mrs.skeletons import SMPL_24

    mean, width = np.zeros((24, 3)), np.zeros((24, 3))
    for row, name in enumerate(SMPL_24.names):
        left = "left_" + name[6:] if name.startswith("right_") else name
        sign = np.array([1, -1, -1]) if name.startswith("right_") else np.ones(3)
        mean[row], width[row] = np.array(_MEAN.get(left, (0, 0, 0))) * sign, _WIDTH[left]
    return mean, width


def _sampled(times_s: np.ndarray) -> np.ndarray:
    """Rows about SAMPLE_S apart, the first and the last among them."""
    wanted = np.arange(times_s[0], times_s[-1] + SAMPLE_S / 2, SAMPLE_S)
    rows = np.searchsorted(times_s, wanted - 1e-9).clip(0, len(times_s) - 1)
    return np.unique(np.r_[rows, len(times_s) - 1])


class _Objective:
    """The objective of T independent or coupled frames as a function of v and of the root in ray coordinates."""

    def __init__(self, body: Body, evidence: Evidence, betas: np.ndarray, state: State, scales: Scales):
        def tensor(array):
            return torch.tensor(np.asarray(array), dtype=torch.float32)

        self.scales, self.count = scales, len(evidence.times_s)
        self.body = TorchBody(body, evidence.names)
        self.betas = tensor(betas)
        self.observed, self.weights = tensor(evidence.points_px), tensor(evidence.weights)
        self.unit = (scales.reprojection * tensor(evidence.heights_px))[:, None]
        self.focal, self.centre = tensor(evidence.K[:, None, [0, 1], [0, 1]]), tensor(evidence.K[:, None, :2, 2])
        self.up = tensor(evidence.up)[:, None]
        mean, width = mean_and_width()
        self.mean = axis_angle_to_matrix(tensor(mean))
        self.width = tensor(width)
        self.base = tensor(state.base)
        self.step = torch.ones(self.count)
        self.start = torch.cat([tensor(state.v).flatten(1), _to_ray(tensor(state.root))], 1)

    def pose(self, x: torch.Tensor):
        """Variables (T, 75) to global rotations (T, 24, 3, 3), root (T, 3) and joints (T, 24, 3)."""
        v = x[:, :72].unflatten(1, (24, 3))
        local = axis_angle_to_matrix(v) @ self.mean
        local = torch.cat([(axis_angle_to_matrix(v[:, 0]) @ self.base)[:, None], local[:, 1:]], 1)
        turned, root = self.body.chain(local), _from_ray(x[:, 72:])
        return turned, root, self.body.joints(root, turned, self.betas)

    def per_frame(self, x: torch.Tensor, prior: float):
        """What each frame costs by itself (T,), and its global rotations and joints."""
        s = self.scales
        turned, _, joints = self.pose(x)
        marks = self.body.keypoints(joints, turned, self.betas)
        px = marks[..., :2] / marks[..., 2:].clamp_min(0.05) * self.focal + self.centre
        square = ((px - self.observed) ** 2).sum(-1) / self.unit**2
        cost = (self.weights * terms.geman_mcclure(square, s.rho)).sum(1)
        v = x[:, 72 - 69:72].unflatten(1, (23, 3))
        cost = cost + prior * ((v / self.width[1:]) ** 2).sum((1, 2))
        lean = 2 * (1 - (turned[:, [0, 9], :, 1].mean(1) * self.up[:, 0]).sum(-1))
        cost = cost + s.upright_weight * terms.cauchy(lean / s.upright**2)
        return cost, turned, joints

    def limits(self, turned: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """Joint limits, weighed by `step` (T,)."""
        return terms.limits(turned, turned.index_select(1, self.body.parents), step, scale=self.scales.limit)

    def solve(self, iterations: int, prior: float, free: np.ndarray | None = None, basis: torch.Tensor | None = None,
              more=None) -> State:
        """Minimise from the start over the variables where `free` (75,), through `basis` (T, M) where there is one."""
        free = torch.ones(75) if free is None else torch.as_tensor(free, dtype=torch.float32)
        scale = _variable_scale(self.width) * free
        rows = self.count if basis is None else basis.shape[1]

        def state(u):
            return self.start + (u if basis is None else basis @ u) * scale

        def cost(flat):
            u = torch.as_tensor(flat, dtype=torch.float32).view(rows, 75).requires_grad_()
            each, turned, joints = self.per_frame(state(u), prior)
            total = each.sum() + self.limits(turned, self.step) + (0 if more is None else more(turned, joints))
            (gradient,) = torch.autograd.grad(total, u)
            return float(total.detach()), gradient.flatten().double().numpy()

        found = minimize(cost, np.zeros(rows * 75), jac=True, method="L-BFGS-B",
                         options={"maxiter": iterations, "maxcor": 12, "ftol": 1e-6, "gtol": 1e-6})
        self.start = state(torch.as_tensor(found.x, dtype=torch.float32).view(rows, 75)).detach()
        return self.state()

    def state(self) -> State:
        """The present variables."""
        return State(self.base.numpy(), self.start[:, :72].unflatten(1, (24, 3)).double().numpy(),
                     _from_ray(self.start[:, 72:]).double().numpy())


def _variable_scale(width: torch.Tensor) -> torch.Tensor:
    """Typical size (75,) of each variable: turns by the width of their prior, the root by a hand's breadth."""
    scale = width.clamp_max(0.5).flatten() * 0.5
    return torch.cat([scale, torch.tensor([0.02, 0.02, 0.1])])


def _to_ray(root: torch.Tensor) -> torch.Tensor:
    """Camera points (T, 3) to x / z, y / z, log z: place in the picture and distance apart."""
    z = root[:, 2:].clamp_min(0.2)
    return torch.cat([root[:, :2] / z, torch.log(z)], -1)


def _from_ray(ray: torch.Tensor) -> torch.Tensor:
    z = torch.exp(ray[:, 2:].clamp(-2, 6))
    return torch.cat([ray[:, :2] * z, z], -1)


def _best_path(body: Body, evidence: Evidence, betas, scales: Scales, progress) -> State:
    """Fit every frame from every facing and choose a track over time."""
    states, costs, places = [], [], []
    for number, facing in enumerate(FACINGS):
        parts = []
        for rows in np.array_split(np.arange(len(evidence.times_s)), max(1, -(-len(evidence.times_s) // CHUNK))):
            parts.append(_fit_each(body, evidence.at(rows), betas, facing, scales))
        states.append(State(*(np.concatenate([getattr(s, n) for s, *_ in parts]) for n in ("base", "v", "root"))))
        costs.append(np.concatenate([c for _, c, _ in parts]))
        places.append(np.concatenate([p for *_, p in parts]))
        progress((number + 1) / len(FACINGS))
    chosen = viterbi(np.stack(costs, 1), np.stack(places, 1), evidence.times_s, scales)
    rows = np.arange(len(chosen))
    return State(*(np.stack([getattr(s, n) for s in states], 1)[rows, chosen] for n in ("base", "v", "root")))


def _fit_each(body: Body, evidence: Evidence, betas, facing: float, scales: Scales):
    """Fit frames one by one from one facing; return the state, each frame's cost, and joints about the pelvis."""
    start = _start(body, evidence, betas, facing)
    torso = np.zeros(75)
    torso[[0, 1, 2, 72, 73, 74]] = 1
    state = _Objective(body, evidence.only(_TORSO), betas, start, scales).solve(15, 4.0, torso)
    objective = _Objective(body, evidence, betas, state, scales)
    objective.solve(25, 3.0 * scales.prior)
    state = objective.solve(35, scales.prior)
    with torch.no_grad():
        cost, turned, joints = objective.per_frame(objective.start, scales.prior)
        one = torch.eye(len(cost))
        cost = cost + torch.stack([objective.limits(turned[i:i + 1], one[i, i:i + 1]) for i in range(len(cost))])
    places = (joints - joints[:, :1]).double().numpy()
    return state, cost.double().numpy(), places


def _start(body: Body, evidence: Evidence, betas, facing: float) -> State:
    """Stand everybody upright in the picture's plane as the torso lies there, facing one way, where the keypoints are."""
    from mrs.world.resection import resect

    base = _upright(evidence.up) @ rotations.axis_angle_to_matrix(np.array([0, facing, 0]))
    base = rotations.axis_angle_to_matrix(_roll(evidence)[:, None] * [0.0, 0, 1]) @ base
    mean, _ = mean_and_width()
    quats = rotations.axis_angle_to_quat(np.broadcast_to(mean, (len(base), 24, 3))).copy()
    quats[:, 0] = rotations.matrix_to_quat(base)
    turned = body.global_rotations(quats)
    share, moments = body.landmark_moments(evidence.names, betas)
    joints = body.place(np.zeros((len(base), 3)), turned, betas)
    marks = np.einsum("kj,tjc->tkc", share, joints) + np.einsum("tjab,kjb->tka", turned, moments)
    root, _ = resect(marks, evidence.points_px, evidence.weights, evidence.K, robust_px=0.1 * evidence.heights_px)
    return State(base, np.zeros((len(base), 24, 3)), _filled(root, evidence))


def _upright(up: np.ndarray) -> np.ndarray:
    """Turns (T, 3, 3) of somebody upright who faces the camera: up along `up` (T, 3), front towards the camera."""
    front = rotations.normalise(np.array([0.0, 0, -1]) + up[:, 2:] * up, [0, 1, 0])
    return np.stack([np.cross(up, front), up, front], -1)


def _roll(evidence: Evidence) -> np.ndarray:
    """Angle (T,) about the line of sight from the world's up to the torso's in the picture; 0 where it is not seen."""
    names = evidence.names
    ends = []
    for parts in (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")):
        rows = [names.index(n) for n in parts if n in names]
        sure = evidence.weights[:, rows].min(1) if len(rows) == 2 else np.zeros(len(evidence.times_s))
        middle = evidence.points_px[:, rows].mean(1) if rows else np.zeros((len(sure), 2))
        ends.append((middle, sure))
    line = ends[1][0] - ends[0][0]
    known = (np.minimum(ends[0][1], ends[1][1]) > 0.01) & (np.linalg.norm(line, axis=1) > 0.1 * evidence.heights_px)
    up = np.where(np.linalg.norm(evidence.up[:, :2], axis=1, keepdims=True) > 0.1, evidence.up[:, :2], [0.0, -1])
    angle = np.arctan2(line[:, 1], line[:, 0]) - np.arctan2(up[:, 1], up[:, 0])
    return np.where(known, (angle + np.pi) % (2 * np.pi) - np.pi, 0.0)


def _filled(root: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Fill places that the keypoints do not fix in a straight line over time; far away where there are none at all."""
    good = np.isfinite(root).all(1)
    if not good.any():
        return np.tile([0.0, 0, 5], (len(root), 1))
    return np.stack([np.interp(evidence.times_s, evidence.times_s[good], root[good, i]) for i in range(3)], -1)


def viterbi(costs: np.ndarray, places: np.ndarray, times_s: np.ndarray, scales: Scales) -> np.ndarray:
    """Return the candidate (T,) of each frame, from costs (T, S) and joints about the pelvis (T, S, 24, 3).

    A step costs sum_j min((d_j / jump_m)^2, 9), where d_j is how far a joint moves in SAMPLE_S.
    """
    total, came = costs[0], np.zeros(costs.shape, int)
    for row in range(1, len(costs)):
        gap = max((times_s[row] - times_s[row - 1]) / SAMPLE_S, 1.0)
        moved = np.linalg.norm(places[row - 1][:, None] - places[row][None], axis=-1) / (scales.jump_m * gap)
        step = total[:, None] + scales.jump_weight * np.minimum(moved**2, 9.0).sum(-1)
        came[row] = step.argmin(0)
        total = step.min(0) + costs[row]
    chosen = np.zeros(len(costs), int)
    chosen[-1] = total.argmin()
    for row in range(len(costs) - 1, 0, -1):
        chosen[row - 1] = came[row, chosen[row]]
    return chosen


def _between(path: State, times_s: np.ndarray, at_s: np.ndarray) -> State:
    """Return the states at all frames: turns by slerp, the root in straight lines; the pelvis's turn is in `base`."""
    turn = rotations.axis_angle_to_matrix(path.v[:, 0]) @ path.base
    base = rotations.resample(rotations.align_hemispheres(rotations.matrix_to_quat(turn)), times_s, at_s)
    quats = rotations.align_hemispheres(rotations.axis_angle_to_quat(path.v))
    v = rotations.quat_to_axis_angle(rotations.resample(quats, times_s, at_s))
    v[:, 0] = 0
    root = np.stack([np.interp(at_s, times_s, path.root[:, i]) for i in range(3)], -1)
    return State(rotations.quat_to_matrix(base), v, root)


def _together(body: Body, evidence: Evidence, betas, state: State, scales: Scales, progress):
    """Fit all frames with poses that are splines in time, chunk by chunk; over an overlap each fades into the next."""
    frames = len(evidence.times_s)
    turned, root = np.zeros((frames, 24, 3, 3)), np.zeros((frames, 3))
    first = done = 0
    while done < frames:
        last = min(first + CHUNK, frames)
        rows = slice(first, last if frames - last > OVERLAP else frames)
        new_turned, new_root = _coupled(body, evidence.at(rows), betas, state.at(rows), scales)
        both = done - first
        if both > 0:
            share = (np.arange(1, both + 1) / (both + 1))[:, None]
            old = rotations.matrix_to_quat(turned[first:done])
            new = rotations.matrix_to_quat(new_turned[:both])
            new_turned[:both] = rotations.quat_to_matrix(rotations.slerp(old, new, np.broadcast_to(share, old.shape[:2])))
            new_root[:both] = (1 - share) * root[first:done] + share * new_root[:both]
        turned[rows], root[rows] = new_turned, new_root
        done = rows.stop
        first = done - OVERLAP
        progress((frames + done) // 2, frames)
    return turned, root


def _coupled(body: Body, evidence: Evidence, betas, state: State, scales: Scales):
    objective = _Objective(body, evidence, betas, state, scales)
    basis = torch.as_tensor(spline_basis(evidence.times_s, SAMPLE_S), dtype=torch.float32)
    start = objective.start
    objective.start = basis @ torch.linalg.lstsq(basis, start).solution if len(start) > 3 else start
    between = torch.as_tensor(np.diff(evidence.times_s), dtype=torch.float32).clamp_min(1e-4)
    objective.step = torch.ones(len(evidence.times_s))

    def smooth(turned, joints):
        if len(between) < 2:
            return 0
        inverse_dt2, _ = difference_weights(between)
        accelerations = terms.second_difference(joints, inverse_dt2)
        return terms.acceleration(accelerations, objective.step, scale_m_s2=scales.acceleration_m_s2)

    objective.solve(80, scales.prior, basis=basis, more=smooth)
    with torch.no_grad():
        turned, root, _ = objective.pose(objective.start)
    return turned.double().numpy(), root.double().numpy()


def spline_basis(times_s: np.ndarray, every_s: float) -> np.ndarray:
    """Basis (T, M) of cubic splines with knots `every_s` apart; of as many as there are frames where these are fewer."""
    from scipy.interpolate import BSpline

    frames = len(times_s)
    pieces = min(max(round((times_s[-1] - times_s[0]) / every_s), 1), max(frames - 3, 1))
    if frames < 4:
        return np.eye(frames)
    inner = np.linspace(times_s[0], times_s[-1], pieces + 1)
    knots = np.r_[[inner[0]] * 3, inner, [inner[-1]] * 3]
    return BSpline.design_matrix(times_s, knots, 3).toarray()
