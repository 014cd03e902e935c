"""Find a part of a motion that repeats, close it, and check the seam."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.world import heading_rad

SHORTEST_S = 0.4
BLEND_S = 0.25
SEAM_M, SEAM_SHARE = 0.15, 0.35
MOVES_M, SMALL_M = 0.05, 0.02
SPEED_S = 0.05
MOST_TURN_RAD = np.radians(20.0)
MOST_CANDIDATES = 900


def wrapped(motion: Motion, *, whole: bool = False) -> tuple[Motion, str]:
    """Cut a motion to a cycle whose last frame is its first pose, and return a note on the seam; `whole` says that it is one already.

    Ends are a pair of frames alike in posture, speed and heading, for how far the motion goes in between; of those nearly as good, the
    furthest apart; both ends are drawn to their mean over BLEND_S. Height and heading close as well, so that a character that goes
    on from the end neither sinks nor turns; the way along the ground stays. Raises InputError where nothing repeats.
    """
    first, last, seam_m, moved_m = _measured(motion, 0, len(motion) - 1) if whole else find(motion)
    cut = motion.part(first, last + 1)
    closed = _close(cut)
    jump = _speed_jump(closed)
    return closed, (f"Loop of {closed.times_s[-1] - closed.times_s[0]:.2f} s from {closed.times_s[0]:.2f} s: its ends were "
                    f"{seam_m * 100:.1f} cm apart in posture and speed, {_percent(seam_m, moved_m)} of the movement between, and are "
                    f"blended over {BLEND_S:.2f} s; "
                    f"joints change speed by {jump:.2f} m/s at most where it wraps.")


def find(motion: Motion, *, shortest: bool = False, turning: bool = False, wish: str = "for --loop wrap",
         advice: str = "Type --loop clamp.") -> tuple[int, int, float, float]:
    """Return rows of the first and the last frame of the best cycle, how far its ends are apart and how far it goes between (metres).

    Of cycles nearly as good the longest is taken, or the `shortest`; ends head alike unless `turning`. `wish` and `advice` are for messages.

    Both are of posture and speed. Ends less than SEAM_M apart are no cycle yet: slow parts have such ends everywhere, so that they may
    be at most SEAM_SHARE of what lies between, and that at least MOVES_M (unless the whole clip moves less, as of a person who stands).
    """
    times = motion.times_s
    if times[-1] - times[0] < SHORTEST_S:
        raise InputError(f"Expected a motion of at least {SHORTEST_S} s {wish}, but it lasts {times[-1] - times[0]:.2f} s. {advice}")
    features, headings = _features(motion)
    headings = 0 * headings if turning else headings
    step = -(-len(motion) // MOST_CANDIDATES)
    rows = np.arange(0, len(motion), step)
    cost = _cost(features, headings, times, rows, rows)
    first, last = rows[list(_choose(cost, features[rows], times[rows], shortest))]
    if step > 1:
        starts, ends = (np.arange(max(0, row - step), min(len(motion), row + step + 1)) for row in (first, last))
        near = _cost(features, headings, times, starts, ends)
        row, column = np.unravel_index(np.argmin(near), near.shape)
        first, last = starts[row], ends[column]
    first, last, seam_m, moved_m = _measured(motion, int(first), int(last), turning)
    if not np.isfinite(seam_m):
        raise InputError(f"Expected a motion that repeats {wish}, but no two moments have a like heading. {advice}")
    if seam_m > min(SEAM_M, SEAM_SHARE * moved_m + SMALL_M):
        raise InputError(f"Expected a motion that repeats {wish}, but its most alike ends are {seam_m * 100:.0f} cm apart in posture "
                         f"and speed, {_percent(seam_m, moved_m)} of the movement between (at most {SEAM_M * 100:.0f} cm and "
                         f"{SEAM_SHARE:.0%}). {advice}")
    return first, last, seam_m, moved_m


def _measured(motion: Motion, first: int, last: int, turning: bool = False) -> tuple[int, int, float, float]:
    """The rows of a cycle, how far apart its ends are (infinite where they head elsewhere), and how far it goes between."""
    features, headings = _features(motion)
    headings = 0 * headings if turning else headings
    seam_m = float(_cost(features, headings, motion.times_s, [first], [last])[0, 0])
    return first, last, seam_m, float(np.linalg.norm(features[first : last + 1] - features[first], axis=1).max(initial=0))


def _percent(seam_m: float, moved_m: float) -> str:
    return f"{100 * seam_m / max(moved_m, 1e-9):.0f}%" if moved_m > SMALL_M else "all"


def _features(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Joints without place and heading, and their change in SPEED_S (T, 144), in metres of root mean square; headings (T,)."""
    headings = np.unwrap([heading_rad(motion, row) for row in range(len(motion))])
    turn = rotations.axis_angle_to_matrix(-headings[:, None] * np.array([0.0, 1, 0]))
    joints = motion.joints_m - motion.root_pos_m[:, None] * [1, 0, 1]
    local = joints @ np.swapaxes(turn, -1, -2)
    speed = np.gradient(motion.joints_m, motion.times_s, axis=0, edge_order=2 if len(motion) > 2 else 1) @ np.swapaxes(turn, -1, -2)
    both = np.concatenate([local, SPEED_S * speed], 1).reshape(len(motion), -1)
    return both / np.sqrt(24), headings


def _cost(features, headings, times, starts, ends) -> np.ndarray:
    """How far apart (S, E) each start and end are; infinite where they are too near in time or differ in heading."""
    a, b = features[starts], features[ends]
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    cost = np.sqrt(np.maximum(squares, 0))
    turned = np.remainder(headings[ends] - headings[starts][:, None] + np.pi, 2 * np.pi) - np.pi
    cost[(times[ends] - times[starts][:, None] < SHORTEST_S - 1e-9) | (np.abs(turned) > MOST_TURN_RAD)] = np.inf
    return cost


def _choose(cost: np.ndarray, features: np.ndarray, times: np.ndarray, shortest: bool) -> tuple[int, int]:
    """Row and column of the cycle: ends alike for how far the motion goes in between, and of those nearly as good the longest or shortest.

    Without the way in between, any slow part would look like a cycle.
    """
    squares = (features * features).sum(1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * features @ features.T, 0))
    between = np.maximum.accumulate(np.triu(apart), axis=1)
    moves = between >= min(MOVES_M, apart.max())
    score = np.where((cost <= max(SEAM_M, cost.min())) & moves, cost / (between + SMALL_M), np.inf)
    lowest = score.min()
    if not np.isfinite(lowest):
        return np.unravel_index(np.argmin(cost), cost.shape)
    length = times - times[:, None]
    if shortest:
        least = length[score <= 1.1 * lowest + 0.02].min()
        return np.unravel_index(np.argmin(np.where(length <= least + 1e-6, score, np.inf)), cost.shape)
    return np.unravel_index(np.argmax(np.where(score <= 1.3 * lowest + 0.02, length, -np.inf)), cost.shape)


def _close(cut: Motion) -> Motion:
    """Draw both ends to the mean of their poses and heights."""
    since, until = cut.times_s - cut.times_s[0], cut.times_s[-1] - cut.times_s
    reach = min(BLEND_S, 0.5 * since[-1])
    quats, root = cut.local_quat_wxyz.copy(), cut.root_pos_m.copy()
    middle = rotations.slerp(quats[0], quats[-1], np.full(24, 0.5))
    height = 0.5 * (root[0, 1] + root[-1, 1])
    for end, distance in ((0, since), (-1, until)):
        share = np.clip(1 - distance / reach, 0, 1)
        share = share * share * (3 - 2 * share)
        turn = rotations.quat_to_axis_angle(rotations.quat_multiply(rotations.quat_conjugate(cut.local_quat_wxyz[end]), middle))
        quats = rotations.quat_multiply(quats, rotations.axis_angle_to_quat(share[:, None, None] * turn))
        root[:, 1] += share * (height - cut.root_pos_m[end, 1])
    quats = rotations.align_hemispheres(rotations.normalise(quats, [1, 0, 0, 0]))
    return load_body(cut.body).motion(cut.times_s, root, quats, cut.betas, contacts=cut.contacts, confidence=cut.confidence,
                                      frame=cut.frame, camera=cut.camera, history=cut.history)


def _speed_jump(closed: Motion) -> float:
    """Largest change of a joint's velocity from the last interval to the first, m/s."""
    steps = np.diff(closed.joints_m, axis=0) / np.diff(closed.times_s)[:, None, None]
    return float(np.linalg.norm(steps[0] - steps[-1], axis=-1).max())
