"""The motion to imitate as tables at the policy's rate: states, velocities, and where the bodies are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.physics import extra
from mrs.physics.humanoid import Humanoid
from mrs.rl import cycle

NEAR_M = 0.06


@dataclass(frozen=True)
class Reference:
    """M rows at the policy's rate; `starts` rows may begin an episode, later ones only follow.

    qpos (M, nq), qvel (M, nv); body_pos_m (M, nb, 3) and body_wxyz (M, nb, 4) of the moving bodies, com_m (M, 3);
    phase (M,) in [0, 1]; near_floor (ngeom,) marks the geoms that touch, or nearly touch, the floor in some row.
    """

    rate_hz: float
    qpos: np.ndarray
    qvel: np.ndarray
    body_pos_m: np.ndarray
    body_wxyz: np.ndarray
    com_m: np.ndarray
    phase: np.ndarray
    starts: int
    loop: bool
    near_floor: np.ndarray

    def __len__(self) -> int:
        return len(self.qpos)


def make(humanoid: Humanoid, motion: Motion, *, rate_hz: float, loop: bool, seconds: float) -> Reference:
    """Resample, stand on the floor, and, with `loop`, repeat one cycle for `seconds` beyond the last start."""
    qpos = resampled(humanoid.qpos(motion), motion.times_s, rate_hz)
    if len(qpos) < 4:
        raise InputError(f"Expected a motion of at least {4 / rate_hz:.2f} s to imitate, but got {len(motion)} frames.")
    qpos = grounded(humanoid, qpos)
    starts = len(qpos) - 2
    period = len(qpos) - 1
    if loop:
        first, last = cycle.find(qpos, rate_hz)
        starts = period = last - first
        qpos = cycle.unroll(cycle.close(qpos[first : last + 1]), period + int(seconds * rate_hz) + 2)
        qpos[:, :2] -= qpos[0, :2]
    return _tables(humanoid, qpos, rate_hz, starts, period, loop)


def resampled(qpos: np.ndarray, times_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Resample qpos (T, nq) with balls to an even rate: positions linearly, rotations by slerp."""
    at_s = times_s[0] + np.arange(int(np.floor((times_s[-1] - times_s[0]) * rate_hz + 1e-6)) + 1) / rate_hz
    place = np.stack([np.interp(at_s, times_s, qpos[:, k]) for k in range(3)], -1)
    quats = rotations.resample(qpos[:, 3:].reshape(len(qpos), -1, 4), times_s, at_s)
    return np.concatenate([place, rotations.align_hemispheres(quats).reshape(len(at_s), -1)], -1)


def grounded(humanoid: Humanoid, qpos: np.ndarray) -> np.ndarray:
    """Move the motion up or down as a whole so that its low moments (the 10th percentile) touch the floor."""
    lowest = lowest_points(humanoid.model, qpos)
    out = qpos.copy()
    out[:, 2] -= np.percentile(lowest, 10)
    return out


def lowest_points(model, qpos: np.ndarray) -> np.ndarray:
    """Height (T,) of the lowest point of all geoms but the floor."""
    mujoco = extra.mujoco()
    data = mujoco.MjData(model)
    lowest = np.empty(len(qpos))
    for row, state in enumerate(qpos):
        data.qpos[:] = state
        mujoco.mj_kinematics(model, data)
        lowest[row] = geom_lows(model, data.geom_xpos, data.geom_xmat)[1:].min()
    return lowest


def geom_lows(model, geom_xpos: np.ndarray, geom_xmat: np.ndarray) -> np.ndarray:
    """Height (ngeom,) of each geom's lowest point: of capsules, boxes and spheres; infinity for planes."""
    up = np.abs(geom_xmat.reshape(-1, 3, 3)[:, 2])
    size, kind = model.geom_size, model.geom_type
    reach = np.select([kind == 0, kind == 2, kind == 3, kind == 6],
                      [-np.inf, size[:, 0], size[:, 0] + up[:, 2] * size[:, 1], (up * size).sum(1)], model.geom_rbound)
    return geom_xpos[:, 2] - reach


def velocities(model, qpos: np.ndarray, rate_hz: float) -> np.ndarray:
    """Central differences (T, nv) in MuJoCo's coordinates; one-sided at the ends."""
    mujoco = extra.mujoco()
    qvel = np.zeros((len(qpos), model.nv))
    for row in range(len(qpos)):
        before, after = max(row - 1, 0), min(row + 1, len(qpos) - 1)
        mujoco.mj_differentiatePos(model, qvel[row], (after - before) / rate_hz, qpos[before], qpos[after])
    # mj_differentiatePos gives ball velocities in the earlier frame's axes; at these steps the difference is of second order.
    return qvel


def _tables(humanoid: Humanoid, qpos: np.ndarray, rate_hz: float, starts: int, period: int, loop: bool) -> Reference:
    mujoco, model = extra.mujoco(), humanoid.model
    data = mujoco.MjData(model)
    rows = len(qpos)
    pos, quat, com = np.empty((rows, model.nbody - 1, 3)), np.empty((rows, model.nbody - 1, 4)), np.empty((rows, 3))
    lows = np.full(model.ngeom, np.inf)
    for row in range(rows):
        data.qpos[:] = qpos[row]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        pos[row], quat[row], com[row] = data.xpos[1:], data.xquat[1:], data.subtree_com[0]
        lows = np.minimum(lows, geom_lows(model, data.geom_xpos, data.geom_xmat))
    phase = np.arange(rows) / period
    return Reference(rate_hz, qpos, velocities(model, qpos, rate_hz), pos, quat, com, phase % 1 if loop else np.clip(phase, 0, 1),
                     max(starts, 1), loop, lows < NEAR_M)
