"""BVH to Motion: find SMPL's joints by name, take over the person's size, and carry the rotations across."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.errors import InputError
from mrs.formats import legs
from mrs.formats.bvh import Bvh
from mrs.formats.bvh_motion import UNITS_PER_M
from mrs.formats.bvh_names import match
from mrs.motion import BODY, Motion
from mrs.skeletons import SMPL_24, SMPL_PARENTS

SAME_BODY_M = 1e-3
TURNED_DEG = 100.0
SHAPE_PRIOR_M = 0.02
TPOSE_DEG = 20.0
_LIMB_BONES = [("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")]
_LIMBS = [(SMPL_24.index(f"{side}_{a}"), SMPL_24.index(f"{side}_{b}"))
          for side in ("left", "right") for a, b in _LIMB_BONES]


@dataclass(frozen=True)
class _Source:
    """The file's skeleton by SMPL joint, in metres, standing along Y and facing +Z in its rest pose."""

    rows: dict[int, int]
    rest_m: np.ndarray
    axes: np.ndarray
    m_per_unit: float


def from_bvh(document: Bvh, *, unit: str = "auto", tpose_first: str = "auto", where: str = "the BVH") -> Motion:
    """Turn a document with the joints of a known dialect into a Motion.

    Limbs keep their direction exactly where the rest pose is another than SMPL's (an A-pose, hanging arms); torso,
    head, hands and feet keep their turn from the rest pose. `unit` is "auto" (by leg length), "cm", "m" or "inch".
    `tpose_first` says whether the first frame is an extra T-pose ("auto", "yes", "no"); such a frame is left out, and
    serves as the rest pose instead of the offsets.
    """
    from mrs.body import load_body

    if len(document) == 0:
        raise InputError(f"Expected at least one frame in {where}, but got none.")
    _, named = match(document.names, where)
    rows = {SMPL_24.index(name): row for name, row in named.items()}
    turned, placed = document.pose()
    times_s, rest = document.times_s, document.rest_joints()
    if _has_tpose(turned, placed, rows, tpose_first):
        rest, times_s = placed[0], times_s[:-1]
        turned, placed = turned[1:] @ np.swapaxes(turned[0], -1, -2), placed[1:]
    source = _source(rows, rest, unit, where)
    body = load_body(BODY)
    betas, same_body = _betas(body, source)
    rest_m = body.rest_joints(betas)
    world = _carry(source.axes.T @ turned @ source.axes, source, rest_m, where)
    placed = placed @ source.axes * source.m_per_unit
    root_m = placed[:, rows[0]] if same_body else _root(placed, world, source, rest_m)
    motion = body.motion(times_s, root_m, body.local_quats(world), betas)
    return motion if same_body else motion.with_history(stage="importer", plugin="bvh", legs=_legs(source, body, betas).note())


def _legs(source: _Source, body, betas: np.ndarray) -> legs.Legs:
    """The file's legs at the size of the body; a BVH has no soles, so they lie below its joints of the toes as the body's do."""
    rest_m = body.rest_joints(betas)
    scale = _leg_m(rest_m) / _leg_m(source.rest_m)
    sole_m = legs.sole_m(body, betas) + scale * drop_m(source.rest_m) - drop_m(rest_m)
    return legs.of_rest(source.rest_m, sole_m / scale, scale)


def drop_m(rest_m: np.ndarray) -> float:
    """How far the joints of the toes lie below the ankles at rest (24, 3)."""
    return float((rest_m[[7, 8]] - rest_m[[10, 11]])[:, 1].mean())


def _root(placed: np.ndarray, world: np.ndarray, source: _Source, rest_m: np.ndarray) -> np.ndarray:
    """Pelvis (T, 3) that puts the middle of the hips where the file's is, scaled by the ratio of leg lengths."""
    hips = [SMPL_24.index("left_hip"), SMPL_24.index("right_hip")]
    middle = placed[:, [source.rows[hip] for hip in hips]].mean(1) * (_leg_m(rest_m) / _leg_m(source.rest_m))
    return middle - world[:, 0] @ rest_m[hips].mean(0)


def _source(rows: dict[int, int], rest: np.ndarray, unit: str, where: str) -> _Source:
    """Find the unit by leg length and the axes by the rest pose `rest` (J, 3)."""
    rest_24 = _by_smpl(rest, rows)
    leg = _leg_m(rest_24)
    if not leg > 1e-6:
        raise InputError(f"Expected legs of some length in {where}, but got {leg:g}.")
    if unit == "auto":
        unit = "m" if leg < 4 else "inch" if leg < 50 else "cm"
    axes = _rest_axes(rest_24)
    m_per_unit = 1 / UNITS_PER_M[unit]
    return _Source(rows, rest_24 @ axes * m_per_unit, axes, m_per_unit)


def _by_smpl(joints: np.ndarray, rows: dict[int, int]) -> np.ndarray:
    """Pick SMPL's joints (24, 3) from the file's (J, 3), the pelvis at the origin; NaN for those that it lacks."""
    picked = np.full((len(SMPL_24), 3), np.nan)
    picked[list(rows)] = joints[list(rows.values())] - joints[rows[0]]
    return picked


def _leg_m(rest: np.ndarray) -> float:
    """Mean length of thigh plus shin."""
    return float(np.mean([np.linalg.norm(rest[b] - rest[a]) for a, b in _LIMBS[:2] + _LIMBS[4:6]]) * 2)


def _rest_axes(rest: np.ndarray) -> np.ndarray:
    """Columns (3, 3): the file's axes nearest to the body's left, up and forward in the rest pose."""
    left = _nearest_axis(rest[SMPL_24.index("left_hip")] - rest[SMPL_24.index("right_hip")], np.zeros(3))
    up = _nearest_axis(rest[SMPL_24.index("head")], left)
    return np.stack([left, up, np.cross(left, up)], -1)


def _nearest_axis(direction: np.ndarray, taken: np.ndarray) -> np.ndarray:
    free = np.where(taken == 0, direction, 0)
    axis = np.zeros(3)
    largest = np.argmax(np.abs(free) + (taken == 0) * 1e-12)
    axis[largest] = -1 if free[largest] < 0 else 1
    return axis


def _betas(body, source: _Source) -> tuple[np.ndarray, bool]:
    """Fit the shape: exactly where the file holds this body's own offsets, else to limb lengths with a prior."""
    bones = [(SMPL_PARENTS[j], j) for j in range(1, len(SMPL_24)) if j in source.rows]
    parents, joints = (np.array(side) for side in zip(*bones))
    mean = body.rest_m[joints] - body.rest_m[parents]
    shape = body.rest_shape_m[joints] - body.rest_shape_m[parents]
    target = source.rest_m[joints] - source.rest_m[parents]
    betas = np.linalg.lstsq(shape.reshape(-1, 10), (target - mean).reshape(-1), rcond=None)[0]
    if np.abs(mean + shape @ betas - target).max() < SAME_BODY_M:
        return betas, True
    limbs = [bones.index(limb) for limb in _LIMBS]
    along = rotations.normalise(mean[limbs])
    lengths = np.linalg.norm(target[limbs], axis=-1) - (along * mean[limbs]).sum(-1)
    rows = np.einsum("ba,bak->bk", along, shape[limbs])
    prior = SHAPE_PRIOR_M * np.eye(10)
    return np.linalg.lstsq(np.concatenate([rows, prior]), np.concatenate([lengths, np.zeros(10)]), rcond=None)[0], False


def _carry(turned: np.ndarray, source: _Source, rest_m: np.ndarray, where: str) -> np.ndarray:
    """Global matrices (T, 24, 3, 3) of SMPL's joints from the file's (T, J, 3, 3).

    A limb turns by the file's global rotation after the smallest rotation from the body's rest bone to the file's.
    """
    world = np.empty((len(turned), len(SMPL_24), 3, 3))
    for joint, parent in enumerate(SMPL_PARENTS):
        row = source.rows.get(joint)
        world[:, joint] = world[:, parent] if row is None else turned[:, row]
    for joint, child in _LIMBS:
        ours, theirs = rest_m[child] - rest_m[joint], source.rest_m[child] - source.rest_m[joint]
        correction = rotations.between(ours, theirs)
        angle = np.degrees(rotations.geodesic_angle(np.array([1.0, 0, 0, 0]), correction))
        if angle > TURNED_DEG:
            raise InputError(f"Expected a standing rest pose in {where}, but the bone at {SMPL_24.names[joint]} is "
                             f"turned by {angle:.0f} degrees from a T-pose; such skeletons have to be retargeted first.")
        world[:, joint] = world[:, joint] @ rotations.quat_to_matrix(correction)
    return world


def _has_tpose(turned: np.ndarray, placed: np.ndarray, rows: dict[int, int], wish: str) -> bool:
    """Tell whether the first frame is an extra T-pose: limbs along the axes, and a jump to the second frame."""
    if wish != "auto" or len(turned) < 3:
        return wish == "yes" and len(turned) > 1
    pose = _by_smpl(placed[0], rows)
    pose = pose @ _rest_axes(pose)
    for joint, child in _LIMBS:
        direction = rotations.normalise(pose[child] - pose[joint])
        side = 1.0 if SMPL_24.names[joint].startswith("left") else -1.0
        wanted = [side, 0, 0] if "shoulder" in SMPL_24.names[joint] or "elbow" in SMPL_24.names[joint] else [0, -1, 0]
        if direction @ np.array(wanted) < np.cos(np.radians(TPOSE_DEG)):
            return False
    picked = turned[:, list(rows.values())]
    traces = np.einsum("tjab,tjab->tj", picked[:-1], picked[1:])
    steps = np.degrees(np.arccos(np.clip((traces - 1) / 2, -1, 1))).mean(-1)
    return bool(steps[0] > 2 and steps[0] > 5 * np.median(steps[1:]))
