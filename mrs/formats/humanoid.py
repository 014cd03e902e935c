"""The humanoid of DeepMimic and MimicKit: links, sizes, masses, joints, forward kinematics. One description for files and physics.

Axes are DeepMimic's: x forward, y up, z to the right; metres, kilograms, radians. In the zero pose the arms hang down.
:data:`Z_UP` turns all of it to MimicKit's and MuJoCo's axes (x forward, y left, z up), whose zero pose is a T-pose:
:data:`RAISE` is what lies between the two at the shoulders.

Sizes, masses and gains are those of DeepMimic's humanoid3d.txt (specification, 5.6) and of MimicKit's humanoid.xml, which share them.
A pose is the 43 numbers of a DeepMimic frame after its duration: root position (3), root quaternion w x y z (4), then the joints
of :data:`JOINTS` in order, 4 numbers for a ball (w x y z) and 1 for a hinge about +z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations

WIDTH = 43
UPPER_LEG_M, LOWER_LEG_M = 0.421546, 0.409870
LEG_M = UPPER_LEG_M + LOWER_LEG_M
# SMPL body axes (left, up, forward) to DeepMimic's (forward, up, right): B v = (v_z, v_y, -v_x).
FROM_SMPL = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
# DeepMimic's axes to z up (forward, left, up), of bodies and of the world alike.
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
# Turns a hanging arm into a T-pose arm: shoulder(T-pose zero) = shoulder(hanging zero) @ RAISE.
RAISE = {side: rotations.axis_angle_to_matrix(np.array([sign * np.pi / 2, 0, 0])) for side, sign in (("right", 1), ("left", -1))}


@dataclass(frozen=True)
class Shape:
    """A part of a link: two ends of a capsule (a sphere where they are one) or a box, in the link's frame."""

    kind: str
    a: tuple[float, float, float]
    b: tuple[float, float, float]
    radius_m: float = 0.0

    def corners(self) -> np.ndarray:
        """Points (n, 3) that the shape is the hull of, each a ball of `radius_m`. A box has its centre in `a`, half sizes in `b`."""
        if self.kind != "box":
            return np.array([self.a, self.b])
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), -1).reshape(-1, 3)
        return np.array(self.a) + signs * np.array(self.b)


@dataclass(frozen=True)
class Link:
    """A link and the joint that holds it to its parent: "free", "ball", "hinge" (about +z) or "fixed"."""

    name: str
    parent: str | None
    offset_m: tuple[float, float, float]
    joint: str
    mass_kg: float
    shapes: tuple[Shape, ...]
    kp: float = 0.0
    kd: float = 0.0
    torque_n_m: float = 0.0
    limits_rad: tuple[float, float] | None = None


def _ball(x, y, z, radius):
    return Shape("sphere", (x, y, z), (x, y, z), radius)


def _limb(start, end, radius):
    return Shape("capsule", (0, start, 0), (0, end, 0), radius)


def _leg(side: str, z: float) -> tuple[Link, ...]:
    foot = Shape("box", (0.045, -0.0225, 0), (0.0885, 0.0275, 0.045))
    return (
        Link(f"{side}_hip", "root", (0, 0, z), "ball", 4.5, (_limb(-0.04, -0.36, 0.055),), 500, 50, 200),
        Link(f"{side}_knee", f"{side}_hip", (0, -UPPER_LEG_M, 0), "hinge", 3, (_limb(-0.03, -0.355, 0.05),), 500, 50, 150, (-3.14, 0)),
        Link(f"{side}_ankle", f"{side}_knee", (0, -LOWER_LEG_M, 0), "ball", 1, (foot,), 400, 40, 90))


def _arm(side: str, z: float) -> tuple[Link, ...]:
    return (
        Link(f"{side}_shoulder", "chest", (-0.02405, 0.24350, z), "ball", 1.5, (_limb(-0.03, -0.23, 0.045),), 400, 40, 100),
        Link(f"{side}_elbow", f"{side}_shoulder", (0, -0.274788, 0), "hinge", 1, (_limb(-0.035, -0.1875, 0.04),), 300, 30, 60, (0, 3.14)),
        Link(f"{side}_wrist", f"{side}_elbow", (0, -0.258947, 0), "fixed", 0.5, (_ball(0, 0, 0, 0.04),)))


LINKS = (
    Link("root", None, (0, 0, 0), "free", 6, (_ball(0, 0.07, 0, 0.09), _ball(0, 0.205, 0, 0.07))),
    Link("chest", "root", (0, 0.236151, 0), "ball", 14, (_ball(0, 0.12, 0, 0.11),), 1000, 100, 200),
    Link("neck", "chest", (0, 0.223894, 0), "ball", 2, (_ball(0, 0.175, 0, 0.095),), 100, 10, 50),
    *_leg("right", 0.084887), *_arm("right", 0.18311), *_leg("left", -0.084887), *_arm("left", -0.18311))
BY_NAME = {link.name: link for link in LINKS}
JOINTS = tuple(link.name for link in LINKS if link.joint in ("ball", "hinge"))


def _columns() -> dict[str, slice]:
    columns, at = {"root": slice(3, 7)}, 7
    for name in JOINTS:
        size = 4 if BY_NAME[name].joint == "ball" else 1
        columns[name] = slice(at, at + size)
        at += size
    return columns


COLUMNS = _columns()
"""Where a pose (T, 43) holds the root's and each joint's numbers."""


def local_rotations(poses: np.ndarray) -> dict[str, np.ndarray]:
    """Matrices (T, 3, 3) of the root in the world and of each joint in its parent."""
    turns = {"root": rotations.quat_to_matrix(poses[:, COLUMNS["root"]])}
    for name in JOINTS:
        values = poses[:, COLUMNS[name]]
        turns[name] = (rotations.quat_to_matrix(values) if BY_NAME[name].joint == "ball"
                       else rotations.axis_angle_to_matrix(values * np.array([0.0, 0, 1])))
    return turns


def forward_kinematics(poses: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Positions (T, 3) and global matrices (T, 3, 3) of every link of poses (T, 43)."""
    local = local_rotations(poses)
    places, turns = {"root": poses[:, :3]}, {"root": local["root"]}
    for link in LINKS[1:]:
        parent = turns[link.parent]
        places[link.name] = places[link.parent] + parent @ np.array(link.offset_m)
        turns[link.name] = parent @ local[link.name] if link.name in local else parent
    return places, turns


def lowest_m(poses: np.ndarray, names: tuple[str, ...] = tuple(BY_NAME)) -> np.ndarray:
    """Height (T,) of the lowest point of the named links' shapes."""
    places, turns = forward_kinematics(poses)
    heights = [((turns[name] @ shape.corners().T)[:, 1] + places[name][:, 1, None]).min(1) - shape.radius_m
               for name in names for shape in BY_NAME[name].shapes]
    return np.min(heights, 0)
