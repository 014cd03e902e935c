"""Inverse dynamics: which forces a motion asks for, and what of them a floor and muscles can't give.

MuJoCo says what wrench at the pelvis and which torques at the joints the motion needs. The floor may push, and rub with a
friction of 1, at every point of the body that is near it, or that belongs to a foot which touches by the motion's contacts, and
that is slow (a foot under 1 m/s; what rolls or slides may go faster). A least-squares fit with these forces takes as much as
it can of the wrench. What is left is the residual, the hand of God that a simulation does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.motion import Motion
from mrs.physics import extra, humanoid, kinematics
from mrs.physics.segments import FEET
from mrs.physics.states import resampled
from mrs.skeletons import SMPL_24
from mrs.world.ground import TOUCHING

GRAVITY_M_S2 = 9.81
CUTOFF_HZ = 8.0
HIGHEST_RATE_HZ, LONG_RATE_HZ, LONG_S = 60.0, 30.0, 60.0
NEAR_M, SLOW_M_S, SLOW_ROLLING_M_S = 0.06, 1.0, 2.5
FRICTION = 1.0
FLOOR_OFF_M = 0.15
LEVER_M = 0.3
LEAST_LOAD = 0.4
# What strong adults reach, N m a kilogram of body mass, as a length over all three axes of a joint.
STRENGTH_NM_KG = {"hip": 3.5, "knee": 3.5, "ankle": 2.6, "foot": 1.2, "spine1": 5.0, "spine2": 4.5, "spine3": 4.0, "neck": 0.8,
                  "head": 0.8, "collar": 1.8, "shoulder": 1.5, "elbow": 1.2, "wrist": 0.4, "hand": 0.2}


@dataclass(frozen=True)
class Dynamics:
    """Over T frames at an even rate: residuals, torques (T, 23, norm over three axes), floor forces, pressure point.

    residual_force_bw (T,) body weights, residual_moment_bwm (T,) body weights times metres, strength (T, 23) torque over what
    people reach, floor_force_bw (T, 3) z up, outside_m (T,) how far the centre of pressure that the motion asks for lies
    outside of what touches; NaN where hardly anything pushes.
    """

    times_s: np.ndarray
    residual_force_bw: np.ndarray
    residual_moment_bwm: np.ndarray
    torque_nm: np.ndarray
    strength: np.ndarray
    floor_force_bw: np.ndarray
    outside_m: np.ndarray
    joints: tuple[int, ...]


def inverse(motion: Motion, *, cutoff_hz: float = CUTOFF_HZ, mass_kg: float | None = None) -> Dynamics | None:
    """Solve a world motion; None where it is too short for accelerations (under 0.25 s)."""
    span_s = motion.times_s[-1] - motion.times_s[0]
    if span_s < 0.25 or len(motion) < 6:
        return None
    person = humanoid.build(motion, mass_kg=mass_kg)
    rate = float(min(motion.fps, HIGHEST_RATE_HZ if span_s < LONG_S else LONG_RATE_HZ))
    qpos = smoothed(resampled(person.qpos(motion), motion.times_s, rate), rate, cutoff_hz)
    rows = len(qpos)
    times = motion.times_s[0] + np.arange(rows) / rate
    solver = _Solver(person)
    points = np.stack([solver.places(state) for state in qpos])
    level = floor_level(points)
    speed = np.linalg.norm(np.gradient(points, 1 / rate, axis=0), axis=-1)
    qvel, qacc = derivatives(qpos, rate)
    stands = _standing_feet(motion, times)
    found = [solver.frame((qpos[row], qvel[row], qacc[row]), points[row], speed[row], level, stands[row]) for row in range(rows)]
    force, moment, torque, push, outside = (np.stack(part) for part in zip(*found, strict=True))
    strength = np.array([STRENGTH_NM_KG[SMPL_24.names[j].split("_")[-1]] for j in person.joints]) * person.person.total_kg
    return Dynamics(times, force, moment, torque, torque / strength, push, outside, person.joints)


def floor_level(points: np.ndarray) -> float:
    """Height that points (T, P, 3) come down to: the 5th percentile of the lowest, from the floor to FLOOR_OFF_M above it."""
    return float(np.clip(np.percentile(points[..., 2].min(1), 5), 0, FLOOR_OFF_M))


def _standing_feet(motion: Motion, times_s: np.ndarray) -> np.ndarray:
    """Whether the left and the right foot touch (T, 2) something, be it a step or a roof, by the motion's contacts."""
    contacts = kinematics.contacts_of(motion).reshape(-1, 2, 2).max(-1)
    rows = np.searchsorted((motion.times_s[1:] + motion.times_s[:-1]) / 2, times_s)
    return contacts[rows] > TOUCHING


def smoothed(qpos: np.ndarray, rate_hz: float, cutoff_hz: float) -> np.ndarray:
    """Low-pass qpos (T, nq) forth and back (Butterworth, second order), as gait laboratories do before they differentiate."""
    if cutoff_hz >= 0.45 * rate_hz or len(qpos) < 10:
        return qpos
    from scipy.signal import butter, sosfiltfilt

    out = sosfiltfilt(butter(2, cutoff_hz, fs=rate_hz, output="sos"), qpos, axis=0, padlen=min(len(qpos) - 1, 15))
    quats = out[:, 3:].reshape(len(out), -1, 4)
    out[:, 3:] = (quats / np.linalg.norm(quats, axis=-1, keepdims=True)).reshape(len(out), -1)
    return out


def derivatives(qpos: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Central velocities and accelerations (T, nv) in MuJoCo's coordinates; the ends repeat their neighbours'."""
    quats = qpos[:, 3:].reshape(len(qpos), -1, 4)
    step = rotations.quat_to_axis_angle(rotations.quat_multiply(rotations.quat_conjugate(quats[:-1]), quats[1:]))
    between = np.concatenate([np.diff(qpos[:, :3], axis=0), step.reshape(len(step), -1)], -1) * rate_hz
    qvel, qacc = np.zeros((len(qpos), between.shape[1])), np.zeros((len(qpos), between.shape[1]))
    qvel[1:-1] = (between[1:] + between[:-1]) / 2
    qacc[1:-1] = np.diff(between, axis=0) * rate_hz
    for table in (qvel, qacc):
        table[0], table[-1] = table[1], table[-2]
    return qvel, qacc


class _Solver:
    """One person's model without floor contacts, damping and armature, and the points where the floor may push."""

    def __init__(self, person: humanoid.Humanoid):
        self.mujoco, self.model = extra.mujoco(), person.model
        model = self.model
        model.dof_damping[:], model.dof_armature[:] = 0, 0
        model.opt.disableflags |= self.mujoco.mjtDisableBit.mjDSBL_CONSTRAINT
        model.opt.disableflags |= self.mujoco.mjtDisableBit.mjDSBL_ACTUATION
        self.data = self.mujoco.MjData(model)
        self.weight_n = person.person.total_kg * GRAVITY_M_S2
        local, radii, bodies = [], [], []
        for joint, shape in enumerate(person.person.shapes):
            points = shape.points() @ humanoid.TO_Z_UP.T
            local.append(points)
            radii += [shape.radius_m] * len(points)
            bodies += [model.body(SMPL_24.names[joint]).id] * len(points)
        slow = [SLOW_M_S if joint in FEET else SLOW_ROLLING_M_S for joint, s in enumerate(person.person.shapes) for _ in s.points()]
        self.slow_m_s = np.array(slow)
        parts = np.concatenate([[joint] * len(shape.points()) for joint, shape in enumerate(person.person.shapes)])
        self.foot = np.array([FEET.index(part) % 2 if part in FEET else -1 for part in parts])
        self.local, self.radii, self.bodies = np.concatenate(local), np.array(radii), np.array(bodies)
        angles = np.arange(4) * np.pi / 2
        self.rays = np.stack([FRICTION * np.cos(angles), FRICTION * np.sin(angles), np.ones(4)], -1)

    def places(self, qpos: np.ndarray) -> np.ndarray:
        """The lowest points (P, 3) of capsule ends and box corners."""
        self.data.qpos[:] = qpos
        self.mujoco.mj_kinematics(self.model, self.data)
        turned = self.data.xmat.reshape(-1, 3, 3)[self.bodies]
        return self.data.xpos[self.bodies] + np.einsum("pab,pb->pa", turned, self.local) - self.radii[:, None] * [0, 0, 1]

    def frame(self, state, points: np.ndarray, speed: np.ndarray, level: float, stands: np.ndarray):
        """Residual force and moment, torques, the floor's force, and how far the pressure point is outside."""
        data = self.data
        data.qpos[:], data.qvel[:], data.qacc[:] = state
        self.mujoco.mj_inverse(self.model, data)
        needed = data.qfrc_inverse.copy()
        root, turned = data.xpos[1], data.xmat[1].reshape(3, 3)
        near = points[:, 2] < level + NEAR_M
        for side in np.flatnonzero(stands):
            mine = self.foot == side
            near |= mine & (points[:, 2] < points[mine, 2].min() + NEAR_M)
        touching = np.flatnonzero(near & (speed < self.slow_m_s))
        force, moment = needed[:3], turned @ needed[3:6]
        pushes, left_force, left_moment = self._floor(points[touching] - root, force, moment)
        torques = needed[6:].copy()
        for point, push in zip(touching, pushes, strict=True):
            if push[2] > 1e-6:
                jacobian = np.zeros((3, self.model.nv))
                self.mujoco.mj_jac(self.model, data, jacobian, None, points[point], self.bodies[point])
                torques -= (jacobian.T @ push)[6:]
        return (np.linalg.norm(left_force) / self.weight_n, np.linalg.norm(left_moment) / self.weight_n,
                np.linalg.norm(torques.reshape(-1, 3), axis=1), pushes.sum(0) / self.weight_n,
                self._outside(points[touching, :2], root, force, moment, level))

    def _floor(self, arms: np.ndarray, force: np.ndarray, moment: np.ndarray):
        """The forces (C, 3) at points (C, 3) from the root that leave least of the wrench, and what they leave."""
        if not len(arms):
            return np.zeros((0, 3)), force, moment
        from scipy.optimize import nnls

        rays = np.broadcast_to(self.rays, (len(arms), 4, 3)).reshape(-1, 3)
        levers = np.cross(np.repeat(arms, 4, 0), rays)
        system = np.concatenate([rays.T, levers.T / LEVER_M, 0.01 * np.eye(len(rays))])
        wanted = np.concatenate([force, moment / LEVER_M, np.zeros(len(rays))]) / self.weight_n
        try:
            shares, _ = nnls(system, wanted)
        except RuntimeError:
            shares = np.zeros(len(rays))
        shares *= self.weight_n
        pushes = (shares[:, None] * rays).reshape(-1, 4, 3).sum(1)
        return pushes, force - rays.T @ shares, moment - levers.T @ shares

    def _outside(self, support: np.ndarray, root, force, moment, level: float) -> float:
        """Distance from the pressure point to the hull of the touching points; NaN where the floor need not push or none touches."""
        if force[2] < LEAST_LOAD * self.weight_n or not len(support):
            return np.nan
        about = moment + np.cross(root - [0, 0, level], force)
        pressure = np.array([-about[1], about[0]]) / force[2]
        return distance_outside(pressure, support)


def distance_outside(point: np.ndarray, support: np.ndarray) -> float:
    """Distance (metres) of a point (2,) from the convex hull of points (C, 2); 0 inside."""
    hull = _hull(support)
    if len(hull) == 1:
        return float(np.linalg.norm(point - hull[0]))
    edges = np.roll(hull, -1, 0) - hull
    to_point = point - hull
    crosses = edges[:, 0] * to_point[:, 1] - edges[:, 1] * to_point[:, 0]
    if len(hull) > 2 and (crosses >= 0).all():
        return 0.0
    share = np.clip((to_point * edges).sum(1) / np.maximum((edges**2).sum(1), 1e-12), 0, 1)
    return float(np.linalg.norm(to_point - share[:, None] * edges, axis=1).min())


def _hull(points: np.ndarray) -> np.ndarray:
    """Convex hull (H, 2), counter-clockwise (Andrew's monotone chain)."""
    ordered = sorted({(round(x, 6), round(y, 6)) for x, y in points.tolist()})
    if len(ordered) < 3:
        return np.array(ordered)

    def half(row):
        chain: list = []
        for p in row:
            while len(chain) > 1 and ((chain[-1][0] - chain[-2][0]) * (p[1] - chain[-2][1])
                                      - (chain[-1][1] - chain[-2][1]) * (p[0] - chain[-2][0])) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return np.array(half(ordered) + half(ordered[::-1]))
