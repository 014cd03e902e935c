"""Unitree G1's 29 joints: names, axes, ranges and where the links sit. Forward kinematics without a model file.

Numbers are those of Unitree's g1_29dof MJCF (as in GMR's `assets/unitree_g1/g1_mocap_29dof.xml`, commit 677bf8c). Axes x forward,
y left, z up, metres, radians; joints and links in the MJCF's order, depth first. At zero the legs and upper arms hang, the forearms
point ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations

PITCH, ROLL, YAW = 1, 0, 2


@dataclass(frozen=True)
class Link:
    """A link, the hinge that holds it, and its place and turn (w x y z) in its parent at zero."""

    name: str
    parent: str
    axis: int
    range_rad: tuple[float, float]
    place_m: tuple[float, float, float]
    quat_wxyz: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)

    @property
    def joint(self) -> str:
        """Name of the hinge: the link's, but for the torso's, which is the waist's pitch."""
        return "waist_pitch_joint" if self.name == "torso_link" else self.name.replace("_link", "_joint")


def _leg(side: str, s: int) -> tuple[Link, ...]:
    roll = (-0.5236, 1.57) if s > 0 else (-1.57, 0.5236)
    tilt = (0.996179, 0, -0.0873386, 0), (0.996179, 0, 0.0873386, 0)
    return (
        Link(f"{side}_hip_pitch_link", "pelvis", PITCH, (-1.57, 1.57), (0, s * 0.064452, -0.1027)),
        Link(f"{side}_hip_roll_link", f"{side}_hip_pitch_link", ROLL, roll, (0, s * 0.052, -0.030465), tilt[0]),
        Link(f"{side}_hip_yaw_link", f"{side}_hip_roll_link", YAW, (-1.57, 1.57), (0.025001, 0, -0.12412)),
        Link(f"{side}_knee_link", f"{side}_hip_yaw_link", PITCH, (-0.087267, 2.8798), (-0.078273, s * 0.0021489, -0.17734), tilt[1]),
        Link(f"{side}_ankle_pitch_link", f"{side}_knee_link", PITCH, (-0.87267, 0.5236), (0, s * -9.4445e-05, -0.30001)),
        Link(f"{side}_ankle_roll_link", f"{side}_ankle_pitch_link", ROLL, (-0.2618, 0.2618), (0, 0, -0.017558)))


def _arm(side: str, s: int) -> tuple[Link, ...]:
    tilt = (0.990264, s * 0.139201, 1.38722e-05, s * -9.86868e-05), (0.990268, s * -0.139172, 0, 0)
    roll, yaw = ((-0.6, 1.77), (-1.4, 2.0)) if s > 0 else ((-1.77, 0.6), (-2.0, 1.4))
    return (
        Link(f"{side}_shoulder_pitch_link", "torso_link", PITCH, (-3.0892, 1.149), (0.0039563, s * 0.10022, 0.24778), tilt[0]),
        Link(f"{side}_shoulder_roll_link", f"{side}_shoulder_pitch_link", ROLL, roll, (0, s * 0.038, -0.013831), tilt[1]),
        Link(f"{side}_shoulder_yaw_link", f"{side}_shoulder_roll_link", YAW, yaw, (0, s * 0.00624, -0.1032)),
        Link(f"{side}_elbow_link", f"{side}_shoulder_yaw_link", PITCH, (-1.0472, 1.7), (0.015783, 0, -0.080518)),
        Link(f"{side}_wrist_roll_link", f"{side}_elbow_link", ROLL, (-1.97222, 1.97222), (0.1, s * 0.00188791, -0.01)),
        Link(f"{side}_wrist_pitch_link", f"{side}_wrist_roll_link", PITCH, (-1.61443, 1.61443), (0.038, 0, 0)),
        Link(f"{side}_wrist_yaw_link", f"{side}_wrist_pitch_link", YAW, (-1.61443, 1.61443), (0.046, 0, 0)))


HINGED = (
    *_leg("left", 1), *_leg("right", -1),
    Link("waist_yaw_link", "pelvis", YAW, (-1.57, 1.57), (0, 0, 0)),
    Link("waist_roll_link", "waist_yaw_link", ROLL, (-0.52, 0.52), (-0.0039635, 0, 0.044)),
    Link("torso_link", "waist_roll_link", PITCH, (-0.52, 0.52), (0, 0, 0)),
    *_arm("left", 1), *_arm("right", -1))
LINKS = ("pelvis", *(link.name for link in HINGED))
JOINTS = tuple(link.joint for link in HINGED)
PARENTS = np.array([LINKS.index(link.parent) for link in HINGED])
AXES = np.eye(3)[[link.axis for link in HINGED]]
RANGES_RAD = np.array([link.range_rad for link in HINGED])
# Undersides of a foot in its ankle_roll link: four balls of 5 mm radius.
SOLE_M = np.array([(-0.05, 0.025, -0.03), (-0.05, -0.025, -0.03), (0.12, 0.03, -0.03), (0.12, -0.03, -0.03)])
SOLE_RADIUS_M = 0.005
_PLACES = np.array([link.place_m for link in HINGED], float)
_TURNS = rotations.quat_to_matrix(np.array([link.quat_wxyz for link in HINGED], float))


def forward_kinematics(root_m: np.ndarray, root_turn: np.ndarray, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, 30, 3) and matrices (T, 30, 3, 3) of :data:`LINKS` from the pelvis and joint angles (T, 29)."""
    frames = len(angles)
    placed, turned = np.empty((frames, len(LINKS), 3)), np.empty((frames, len(LINKS), 3, 3))
    placed[:, 0], turned[:, 0] = root_m, root_turn
    hinges = rotations.axis_angle_to_matrix(angles[..., None] * AXES)
    for row in range(len(HINGED)):
        parent = PARENTS[row]
        placed[:, row + 1] = placed[:, parent] + turned[:, parent] @ _PLACES[row]
        turned[:, row + 1] = turned[:, parent] @ (_TURNS[row] @ hinges[:, row])
    return placed, turned


def ancestry() -> np.ndarray:
    """Which joints (29) move which links (30): True at [link, joint]."""
    moved = np.zeros((len(LINKS), len(HINGED)), bool)
    for row in range(len(HINGED)):
        moved[row + 1] = moved[PARENTS[row]]
        moved[row + 1, row] = True
    return moved
