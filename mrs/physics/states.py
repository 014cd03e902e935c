"""States of a humanoid over time: even rates, standing on the floor, velocities."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.physics import extra
from mrs.physics.humanoid import Humanoid


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
