"""The motion to imitate as tables at the policy's rate: states, velocities, and where the bodies are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrs.errors import InputError
from mrs.formats.carry import loop_of
from mrs.motion import Motion
from mrs.physics import extra
from mrs.physics.humanoid import Humanoid
from mrs.physics.states import geom_lows, grounded, resampled, velocities
from mrs.rl import cycle

NEAR_M = 0.06


@dataclass(frozen=True)
class Reference:
    """M rows at the policy's rate; `starts` rows may begin an episode, later ones only follow.

    qpos (M, nq), qvel (M, nv); body_pos_m (M, nb, 3) and body_wxyz (M, nb, 4) of the moving bodies, com_m (M, 3);
    phase (M,) in [0, 1]; near_floor (ngeom,) marks the geoms that touch, or nearly touch, the floor in some row; cycle_s is what is repeated.
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
    cycle_s: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.qpos)


def make(humanoid: Humanoid, motion: Motion, *, rate_hz: float, loop: bool, seconds: float,
         cycle_s: tuple[float, float] | None = None) -> Reference:
    """Resample, stand on the floor, and, with `loop`, repeat one cycle for `seconds` beyond the last start: the given, or the best there is."""
    qpos = resampled(humanoid.qpos(motion), motion.times_s, rate_hz)
    if len(qpos) < 4:
        raise InputError(f"Expected a motion of at least {4 / rate_hz:.2f} s to imitate, but got {len(motion)} frames.")
    qpos = grounded(humanoid, qpos)
    starts = len(qpos) - 2
    period = len(qpos) - 1
    if loop:
        first, last = _cycle(humanoid, motion, qpos, rate_hz, cycle_s)
        cycle_s = (first / rate_hz, last / rate_hz)
        starts = period = last - first
        qpos = cycle.unroll(cycle.close(qpos[first : last + 1]), period + int(seconds * rate_hz) + 2)
        qpos[:, :2] -= qpos[0, :2]
    return replace(_tables(humanoid, qpos, rate_hz, starts, period, loop), cycle_s=cycle_s if loop else None)


def _cycle(humanoid: Humanoid, motion: Motion, qpos: np.ndarray, rate_hz: float, cycle_s: tuple[float, float] | None) -> tuple[int, int]:
    """First and last row of the cycle: the given one, the whole of a motion that is one already, or what is found."""
    if cycle_s is None:
        return (0, len(qpos) - 1) if loop_of(motion) == "wrap" else cycle.find(humanoid, qpos, rate_hz)
    first, last = (round(second * rate_hz) for second in cycle_s)
    if last >= len(qpos) or last - first < 3:
        raise InputError(f"Expected a cycle within the motion's {(len(qpos) - 1) / rate_hz:.2f} s, but got {cycle_s[0]:g} to {cycle_s[1]:g} s.")
    return first, last


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
