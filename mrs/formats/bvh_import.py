"""BVH to Motion: find SMPL's joints by name, take over the person's size, and carry the rotations across."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.errors import InputError
from mrs.formats.bvh import Bvh
from mrs.formats.bvh_motion import UNITS_PER_M
from mrs.formats.bvh_names import match
from mrs.motion import BODY, Motion
from mrs.skeletons import SMPL_24, SMPL_PARENTS

SAME_BODY_M = 1e-3
TURNED_DEG = 100.0
SHAPE_PRIOR_M = 0.005
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


def from_bvh(document: Bvh, *, unit: str = "auto", first: str = "auto", where: str = "the BVH") -> Motion:
    """Turn a document with the joints of a known dialect into a Motion.

    Limbs keep their direction exactly where the rest pose is another than SMPL's (an A-pose, hanging arms); torso, head,
    hands and feet keep their turn from the rest pose. `unit` is "auto" (by leg length), "cm", "m" or "inch"; `first`
    is "auto", "keep" or "drop": whether the first frame is an extra T-pose.
    """
    from mrs.body import load_body

    if len(document) == 0:
        raise InputError(f"Expected at least one frame in {where}, but got none.")
    body = load_body(BODY)
    source = _source(document, unit, where)
    betas, same_body = _betas(body, source)
    rest_m = body.rest_joints(betas)
    turned, placed = document.pose()
    turned = source.axes.T @ turned @ source.axes
    root_m = placed[:, source.rows[0]] @ source.axes * source.m_per_unit
    if not same_body:
        root_m = root_m * (_leg_m(rest_m) / _leg_m(source.rest_m))
    world = _carry(turned, source, rest_m, where)
    quats = body.local_quats(world)
    start = _first_frame(quats, first)
    return body.motion(document.times_s[start:] - document.times_s[start], root_m[start:], quats[start:], betas)


def _source(document: Bvh, unit: str, where: str) -> _Source:
    """Match the joints; find the unit by leg length and the axes by the rest pose."""
    _, named = match(document.names, where)
    rows = {SMPL_24.index(name): row for name, row in named.items()}
    rest = document.rest_joints()
    rest_24 = np.full((len(SMPL_24), 3), np.nan)
    rest_24[list(rows)] = rest[list(rows.values())]
    rest_24 -= rest_24[0]
    leg = _leg_m(rest_24)
    if not leg > 1e-6:
        raise InputError(f"Expected legs of some length in {where}, but got {leg:g}.")
    if unit == "auto":
        unit = "m" if leg < 4 else "inch" if leg < 50 else "cm"
    axes = _rest_axes(rest_24)
    m_per_unit = 1 / UNITS_PER_M[unit]
    return _Source(rows, rest_24 @ axes * m_per_unit, axes, m_per_unit)


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
            raise InputError(f"Expected a standing rest pose in {where}, but the bone at {SMPL_24.names[joint]} is turned by "
                             f"{angle:.0f} degrees from a T-pose; such skeletons have to be retargeted first.")
        world[:, joint] = world[:, joint] @ rotations.quat_to_matrix(correction)
    return world


def _first_frame(quats: np.ndarray, first: str) -> int:
    """Return 1 where the first frame is an extra T-pose, from which the motion jumps away."""
    if first == "keep" or len(quats) < 3:
        return 0
    if first == "drop":
        return 1
    from_rest = rotations.geodesic_angle(np.array([1.0, 0, 0, 0]), quats[0]).mean()
    steps = rotations.geodesic_angle(quats[:-1], quats[1:]).mean(-1)
    jumps = steps[0] > np.radians(2) and steps[0] > 5 * np.median(steps[1:])
    return int(from_rest < np.radians(5) and jumps)
