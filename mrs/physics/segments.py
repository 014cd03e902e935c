"""What a person's body is made of: one simple shape and one mass a joint, measured on the person's own mesh.

Shapes are in the joint's rest frame, in the body's axes (x left, y up, z forward), metres. Limbs are capsules along the
bone, trunk parts capsules across it, feet boxes whose lower faces are the soles of the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mrs.body import load_body
from mrs.motion import JOINTS, Motion
from mrs.skeletons import SMPL_24, SMPL_PARENTS

DENSITY_KG_M3 = 985.0
FEET = (7, 8, 10, 11)
_HAND_M = 0.022

# Shares of the body's mass: means of women and men in de Leva (1996), table 4; trunk, foot and hand are split further.
_HALF = {"hip": 0.1447, "knee": 0.0457, "ankle": 0.0103, "foot": 0.0030, "collar": 0.0200, "shoulder": 0.0263, "elbow": 0.0150,
         "wrist": 0.0035, "hand": 0.0024}
_MIDDLE = {"pelvis": 0.1182, "spine1": 0.0778, "spine2": 0.0778, "spine3": 0.1157, "neck": 0.0181, "head": 0.0500}
_LIMBS = {"hip": "knee", "knee": "ankle", "collar": "shoulder", "shoulder": "elbow", "elbow": "wrist"}


@dataclass(frozen=True)
class Shape:
    """A capsule from `a_m` to `b_m` (3,) with `radius_m`, or a box whose low and high corners they are where radius is 0."""

    a_m: np.ndarray
    b_m: np.ndarray
    radius_m: float

    @property
    def is_box(self) -> bool:
        """True for a box along the joint's axes."""
        return self.radius_m == 0

    def points(self) -> np.ndarray:
        """The ends of the capsule (2, 3), or the corners of the box (8, 3); with the radius they bound the shape."""
        if not self.is_box:
            return np.stack([self.a_m, self.b_m])
        ends = np.stack([self.a_m, self.b_m])
        return np.array([[ends[i, 0], ends[j, 1], ends[k, 2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)])


@dataclass(frozen=True)
class Segments:
    """The 24 parts of one person: rest joints (24, 3), shapes and masses by joint, stature."""

    rest_m: np.ndarray
    shapes: tuple[Shape, ...]
    mass_kg: np.ndarray
    stature_m: float

    @property
    def total_kg(self) -> float:
        """The mass of the whole body."""
        return float(self.mass_kg.sum())

    def centre(self, joint: int) -> np.ndarray:
        """Middle (3,) of a joint's shape in its rest frame."""
        return (self.shapes[joint].a_m + self.shapes[joint].b_m) / 2


def of_motion(motion: Motion, mass_kg: float | None = None) -> Segments:
    """Return the segments of a motion's person."""
    return segments(tuple(float(b) for b in motion.betas), motion.body, mass_kg)


@lru_cache(maxsize=16)
def segments(betas: tuple[float, ...], body: str, mass_kg: float | None = None) -> Segments:
    """Measure a person; without `mass_kg` the mass is the volume of the mesh times the density of a body."""
    shape = load_body(body)
    betas_row = np.asarray(betas)
    skin = shape.template_m + shape.shape_m @ betas_row
    joints = shape.rest_m + shape.rest_shape_m @ betas_row
    if mass_kg is None:
        mass_kg = DENSITY_KG_M3 * volume_m3(skin, shape.faces)
    owner = shape.weights.argmax(1)
    parts = [_both_sides(skin, joints, owner, joint) for joint in range(JOINTS)]
    rest = shape.rest_joints(betas_row)
    shapes = tuple(_shape(joint, rest, parts) for joint in range(JOINTS))
    return Segments(rest, shapes, mass_kg * mass_shares(), shape.stature_m(betas_row))


def mass_shares() -> np.ndarray:
    """Shares (24,) of the body's mass by joint; they sum to 1."""
    shares = np.array([_MIDDLE.get(name, _HALF.get(name.split("_")[-1], 0.0)) for name in SMPL_24.names])
    return shares / shares.sum()


def volume_m3(points_m: np.ndarray, faces: np.ndarray) -> float:
    """Volume inside a closed mesh, by the divergence theorem."""
    corners = (points_m - points_m.mean(0))[faces]
    return float(abs(np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()) / 6)


def _both_sides(skin: np.ndarray, joints: np.ndarray, owner: np.ndarray, joint: int) -> np.ndarray:
    """Vertices of a joint relative to it, with the mirrored ones of the other side, so that left and right are alike."""
    other = int(SMPL_24.flip[joint])
    mirror = np.array([-1.0, 1, 1])
    return np.concatenate([skin[owner == joint] - joints[joint], (skin[owner == other] - joints[other]) * mirror])


def _shape(joint: int, rest: np.ndarray, parts: list[np.ndarray]) -> Shape:
    name = SMPL_24.names[joint]
    side = name.split("_")[0] + "_" if "_" in name else ""
    kind = name.removeprefix(side)
    if kind in _LIMBS:
        return _limb(rest[SMPL_24.index(side + _LIMBS[kind])] - rest[joint], parts[joint])
    if kind == "ankle":
        return _foot(joint, rest, parts)
    if kind == "foot":
        return Shape(parts[joint].min(0) * [1, 1, 0], parts[joint].max(0), 0.0)
    if kind in ("wrist", "hand"):
        outwards = np.sign(rest[joint, 0])
        reach = (parts[joint][:, 0] * outwards).max() if kind == "hand" else (rest[joint + 2] - rest[joint])[0] * outwards
        return Shape(np.zeros(3), np.array([outwards * (reach - _HAND_M), 0, 0]), _HAND_M)
    if kind == "neck":
        return Shape(np.zeros(3), rest[SMPL_24.index("head")] - rest[joint], float(np.median(np.abs(parts[joint][:, 0]))))
    if kind == "head":
        return _upright(parts[joint])
    return _across(parts[joint])


def _limb(bone: np.ndarray, points: np.ndarray) -> Shape:
    """A capsule from this joint to the next: radius by the median distance of the skin from the bone."""
    length = float(np.linalg.norm(bone))
    along = bone / length
    inside = (points @ along > 0.1 * length) & (points @ along < 0.9 * length)
    points = points[inside] if inside.sum() > 4 else points
    away = np.linalg.norm(points - (points @ along)[:, None] * along, axis=1)
    radius = float(min(np.median(away), 0.4 * length))
    return Shape(along * radius * 0.5, bone - along * radius * 0.5, radius)


def _foot(joint: int, rest: np.ndarray, parts: list[np.ndarray]) -> Shape:
    """A box from the heel to the joint of the toes, as wide as the foot, from the sole to below the ankle."""
    toe = rest[joint + 3] - rest[joint]
    points = np.concatenate([parts[joint], parts[joint + 3] + toe])
    low, high = points.min(0), points.max(0)
    sole = (parts[joint + 3] + toe)[:, 1].min()
    return Shape(np.array([low[0], sole, low[2]]), np.array([high[0], sole + 0.7 * abs(sole), toe[2]]), 0.0)


def _upright(points: np.ndarray) -> Shape:
    low, high = np.percentile(points, 2, axis=0), points.max(0)
    radius = float((high[0] - low[0]) / 2)
    x, z = 0.0, float((low[2] + high[2]) / 2)
    return Shape(np.array([x, low[1] + radius, z]), np.array([x, high[1] - radius, z]), radius)


def _across(points: np.ndarray) -> Shape:
    """A capsule from side to side that fills the part as deep as it is."""
    low, high = np.percentile(points, 3, axis=0), np.percentile(points, 97, axis=0)
    radius = float(min((high[2] - low[2]) / 2, (high[0] - low[0]) / 2))
    half = max((high[0] - low[0]) / 2 - radius, 0.01)
    centre = np.array([0.0, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2])
    return Shape(centre - [half, 0, 0], centre + [half, 0, 0], radius)


def children_of(joint: int) -> list[int]:
    """Joints that hang on a joint."""
    return [int(j) for j in np.flatnonzero(SMPL_PARENTS == joint)]
