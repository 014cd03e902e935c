"""Re-enact a motion of any length from any posture of another body."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from mrs import rotations
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.refine.solver import one_quick_thread
from mrs.synth import features, fit, networks
from mrs.synth.features import CONTACT, POSE_SIZE, RATE_HZ, SPEED

HOP = 12
FREE_S = 0.15
APART, AT_ONCE = 8, 10


@dataclass(frozen=True)
class Start:
    """Where a roll-out begins: features (SIZE) of a frame and the one before it, the body, its place and heading."""

    frame: np.ndarray
    before: np.ndarray
    like: Motion
    place_m: np.ndarray
    yaw_rad: float


def start_of(target: Motion, at_s: float | None = None, moving: bool = True, where: str = "the target") -> Start:
    """Take a start from a motion at a time in seconds from its begin (without one, its first frame).

    `moving` keeps the velocity the target has there; a motion of one frame stands still. Raises InputError for a time
    outside the motion or a body that is upside down.
    """
    target = features.prepared(target, where)
    row = 0 if at_s is None else round(at_s * RATE_HZ)
    if not 0 <= row < len(target):
        raise InputError(f"Expected a time within the {target.times_s[-1] - target.times_s[0]:.2f} s of {where}, but got {at_s:g} s.")
    features.refuse_inverted(target, row, where)
    values = features.to_features(target)
    yaw = features.headings(rotations.quat_to_matrix(target.local_quat_wxyz[:, 0]))[row]
    frame = values[row].copy()
    before = values[row - 1].copy() if row > 0 else frame - ((values[1] - frame) if len(values) > 1 else 0)
    if not moving or len(values) < 2:
        frame[SPEED] = 0
        before = frame.copy()
    return Start(frame, before, target, target.root_pos_m[row, [0, 2]], float(yaw))


def source_windows(values: np.ndarray, window: int, hop: int = HOP, where: str = "the source") -> tuple[np.ndarray, np.ndarray]:
    """Cut features (T, SIZE) into overlapping windows (n, window + 1, SIZE) that reach its end; also their first rows."""
    if len(values) < window + 1:
        raise InputError(f"Expected at least {window / RATE_HZ:.2f} s of motion in {where}, but got "
                         f"{(len(values) - 1) / RATE_HZ:.2f} s ({len(values)} frames at {RATE_HZ:g} a second). "
                         "Choose a longer stretch.")
    rows = np.unique(np.r_[np.arange(0, len(values) - window, hop), len(values) - window - 1])
    return values[rows[:, None] + np.arange(window + 1)], rows


def encode(model, motion: Motion, where: str = "the source", fitting: bool = True) -> tuple[torch.Tensor, np.ndarray, Motion]:
    """Codes (n, latent) of the overlapping windows of a motion, their first rows, and the motion as prepared.

    To re-enact it, codes are fitted to the windows; to compare it, without `fitting`, the encoder's means will do.
    """
    motion = features.prepared(motion, where)
    windows, rows = source_windows(features.to_features(motion), model.shape.window, where=where)
    return fit.codes(model, windows, fitting), rows, motion


def blended(model, z: torch.Tensor, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """One long plan (1, T, SIZE) and codes (1, T, latent) from codes (n, latent) of windows that begin at `rows`.

    Every window counts by a bell over its length, so that one passes into the next without a seam.
    """
    with torch.no_grad():
        plans = model.plan(z)
    frames = plans.shape[1]
    bell = torch.as_tensor(1e-3 + np.sin(np.pi * (np.arange(frames) + 0.5) / frames) ** 2, dtype=torch.float32)[:, None]
    total = int(rows[-1]) + frames
    plan, code, weight = torch.zeros(total, plans.shape[2]), torch.zeros(total, z.shape[1]), torch.zeros(total, 1)
    for number, row in enumerate(rows.tolist()):
        plan[row : row + frames] += bell * plans[number]
        code[row : row + frames] += bell * z[number]
        weight[row : row + frames] += bell
    return (plan / weight)[None], (code / weight)[None]


def rolled(model, plan: torch.Tensor, z: torch.Tensor, start: Start) -> np.ndarray:
    """Roll out along a plan: features (T, SIZE) with contacts as probabilities."""
    first, before = (torch.as_tensor(v[None], dtype=torch.float32) for v in (start.frame, start.before))
    with torch.no_grad():
        out = model.roll(networks.eased(plan, first), z, first, before)[0]
        out[1:, CONTACT] = torch.sigmoid(out[1:, CONTACT])
    return out.numpy().astype(float)


def finished(values: np.ndarray, start: Start, times_s: np.ndarray | None = None, begin_s: float = 0.0,
             feet: bool = True) -> Motion:
    """Features to a Motion on the start's body, feet that stand pinned, at `times_s` or at RATE_HZ."""
    from mrs.refine.footlock import lock_feet

    own = begin_s + np.arange(len(values)) / RATE_HZ
    motion = features.to_motion(values, start.like, own, start.place_m, start.yaw_rad)
    if feet and len(motion) > 3:
        motion, _ = lock_feet(free_at_start(motion), 0.0)
    return motion if times_s is None else features.resampled(motion, RATE_HZ, times_s[times_s <= own[-1] + 1e-6])


def all_finished(values: np.ndarray, start: Start, feet: bool = True) -> list[Motion]:
    """Many features (n, T, SIZE) from one start to Motions, as :func:`finished` does it, AT_ONCE at a time.

    They are laid out behind each other with APART still frames without contacts around each, pinned together, and each
    moved back to the start: fewer calls for the same arithmetic.
    """
    if not feet or values.shape[1] < 4:
        return [finished(one, start, feet=feet) for one in values]
    return [motion for at in range(0, len(values), AT_ONCE) for motion in _pinned_together(values[at : at + AT_ONCE], start)]


def _pinned_together(values: np.ndarray, start: Start) -> list[Motion]:
    from mrs.refine.footlock import lock_feet
    from mrs.world import _rigid

    count, frames = values.shape[:2]
    own = values.copy()
    own[:, 0, SPEED] = 0
    own[:, : int(np.ceil(FREE_S * RATE_HZ - 1e-6)), CONTACT] = 0
    ends = [np.repeat(own[:, [row]], APART, 1) for row in (0, -1)]
    for end in ends:
        end[..., SPEED] = 0
        end[..., CONTACT] = 0
    long = np.concatenate([ends[0], own, ends[1]], 1)
    times = np.arange(count * long.shape[1]) / RATE_HZ
    whole = features.to_motion(long.reshape(-1, long.shape[2]), start.like, times, start.place_m, start.yaw_rad)
    locked = lock_feet(whole, 0.0)[0]
    turned = np.r_[0, np.cumsum(long[..., SPEED][..., 2].sum(1))[:-1]] / RATE_HZ
    turn = features.yaw_matrix(-turned)
    place = whole.root_pos_m[APART :: long.shape[1]] * [1, 0, 1]
    shift = np.array([start.place_m[0], 0, start.place_m[1]]) - (turn @ place[..., None])[..., 0]
    back = _rigid(locked, *(np.repeat(v, long.shape[1], 0) for v in (turn, shift)))
    out, times = [], np.arange(frames) / RATE_HZ
    for first, contacts in zip(range(APART, len(back), long.shape[1]), np.clip(values[..., CONTACT], 0, 1), strict=True):
        out.append(replace(back.part(first, first + frames), times_s=times, contacts=contacts))
    return out


def free_at_start(motion: Motion) -> Motion:
    """The motion without contacts in its first FREE_S, so that pinning feet does not move the start."""
    held = (motion.times_s - motion.times_s[0] < FREE_S - 1e-6)[:, None]
    return replace(motion, contacts=np.where(held, 0.0, motion.contacts))


@one_quick_thread()
def transfer(model, source: Motion, target: Start, feet: bool = True) -> Motion:
    """Re-enact the source's behaviour from a start; times are the source's own."""
    z, rows, prepared = encode(model, source)
    plan, code = blended(model, z, rows)
    return finished(rolled(model, plan, code, target), target, source.times_s, prepared.times_s[0], feet)


def copy_displacement(source: Motion, target: Start) -> Motion:
    """The baseline: add what changes in the source, feature by feature, to the start. Bones stay, the skeleton's limits may not."""
    values = features.to_features(features.prepared(source, "the source"))
    moved = values.copy()
    moved[:, :POSE_SIZE] += target.frame[:POSE_SIZE] - values[0, :POSE_SIZE]
    return finished(moved, target, source.times_s, source.times_s[0], feet=False)


def copy_inertialised(source: Motion, target: Start, halflife_s: float = 0.1, feet: bool = True) -> Motion:
    """The copy that animators use: the source itself, the difference at the start decaying."""
    from mrs.synth.networks import inertialised

    values = features.to_features(features.prepared(source, "the source"))
    window = torch.as_tensor(np.concatenate([2 * values[:1] - values[1:2], values])[None], dtype=torch.float32)
    start, before = (torch.as_tensor(v[None], dtype=torch.float32) for v in (target.frame, target.before))
    out = inertialised(window, start, before, halflife_s)[0].numpy().astype(float)
    return finished(out, target, source.times_s, source.times_s[0], feet)


def standing() -> Motion:
    """A body of mean shape with hanging arms that stands still: where a behaviour begins without a target."""
    body = Motion.standing(np.zeros(1))
    quats = body.local_quat_wxyz.copy()
    for joint, sign in ((16, -1), (17, 1)):
        quats[:, joint] = rotations.axis_angle_to_quat(np.array([[0, 0, sign * np.radians(75)]]))
    from mrs.body import load_body

    return replace(load_body().motion(body.times_s, body.root_pos_m, quats, body.betas), contacts=np.ones((1, 4)))
