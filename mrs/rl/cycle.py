"""Make a motion of qpos repeat: find one cycle, blend its seam, and lay cycle after cycle along the way it goes."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.errors import InputError
from mrs.formats import cycle
from mrs.physics.humanoid import Humanoid


def find(humanoid: Humanoid, qpos: np.ndarray, rate_hz: float) -> tuple[int, int]:
    """Return first and last row of the best cycle by :func:`mrs.formats.cycle.find`; of those nearly as good, the shortest; it may turn.

    The last row shows the same moment as the first. Raises InputError where no two moments are alike.
    """
    motion = humanoid.motion(np.arange(len(qpos)) / rate_hz, qpos)
    first, last, _, moved_m = cycle.find(motion, shortest=True, turning=True, wish="to loop", advice="Leave loop out.")
    if moved_m < cycle.MOVES_M:
        raise InputError("Expected a motion that repeats to loop, but it stands still. Leave loop out.")
    return first, last


def close(qpos: np.ndarray) -> np.ndarray:
    """Turn the rows of a cycle so that the last posture equals the first, spreading the difference over the second half."""
    rows = len(qpos)
    share = np.clip((np.arange(rows) / (rows - 1) - 0.5) * 2, 0, 1)
    share = share * share * (3 - 2 * share)
    out = qpos.copy()
    out[:, 2] += share * (qpos[0, 2] - qpos[-1, 2])
    balls = qpos[:, 7:].reshape(rows, -1, 4)
    miss = rotations.quat_to_axis_angle(rotations.quat_multiply(rotations.quat_conjugate(balls[-1]), balls[0]))
    turn = rotations.axis_angle_to_quat(share[:, None, None] * miss)
    out[:, 7:] = rotations.quat_multiply(balls, turn).reshape(rows, -1)
    level = rotations.quat_multiply(rotations.quat_conjugate(heading(qpos[:, 3:7])), qpos[:, 3:7])
    miss = rotations.quat_to_axis_angle(rotations.quat_multiply(rotations.quat_conjugate(level[-1]), level[0]))
    out[:, 3:7] = rotations.quat_multiply(qpos[:, 3:7], rotations.axis_angle_to_quat(share[:, None] * miss))
    return out


def unroll(qpos: np.ndarray, rows: int) -> np.ndarray:
    """Lay a closed cycle end to end until there are `rows` rows; each goes on where, and as, the last one ended."""
    turn = rotations.quat_multiply(heading(qpos[-1:, 3:7]), rotations.quat_conjugate(heading(qpos[:1, 3:7])))[0]
    step = qpos[-1, :3] - rotations.quat_rotate(turn, qpos[0, :3])
    step[2] = 0
    pieces, piece = [], qpos[:-1]
    for _ in range(-(-rows // len(piece))):
        pieces.append(piece)
        piece = piece.copy()
        piece[:, :3] = rotations.quat_rotate(turn, piece[:, :3]) + step
        piece[:, 3:7] = rotations.quat_multiply(turn, piece[:, 3:7])
    out = np.concatenate(pieces)[:rows]
    out[:, 3:7] = rotations.align_hemispheres(out[:, 3:7])
    out[:, 7:] = rotations.align_hemispheres(out[:, 7:].reshape(len(out), -1, 4)).reshape(len(out), -1)
    return out


def heading(root_wxyz: np.ndarray) -> np.ndarray:
    """The turn about the vertical (..., 4) that a root's forward axis shows from above."""
    forward = rotations.quat_rotate(root_wxyz, np.array([1.0, 0, 0]))
    angle = np.arctan2(forward[..., 1], forward[..., 0]) / 2
    return np.stack([np.cos(angle), 0 * angle, 0 * angle, np.sin(angle)], -1)
