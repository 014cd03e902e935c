"""A MuJoCo humanoid with one person's bone lengths and mass, and the way from a Motion to its qpos and back.

World and body axes are MuJoCo's habit: x forward, y left, z up. Every kept joint is a ball joint whose zero is the T-pose,
but for the shoulders, whose zero are arms that hang down. Joints that are not kept are welded to their parent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats.carry import point_limbs
from mrs.motion import JOINTS, Motion
from mrs.physics import deepmimic_body, extra, segments
from mrs.skeletons import SMPL_24, SMPL_PARENTS

# World (left, up, forward) to MuJoCo's (forward, left, up): (x, y, z) -> (z, x, y).
TO_Z_UP = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
ALL = tuple(range(1, JOINTS))
HIPS = SMPL_24.indices("left_hip", "right_hip")
# What a policy turns: chest, neck, shoulders, elbows, hips, knees, ankles, toes.
FOR_POLICIES = tuple(SMPL_24.indices(
    "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_foot", "right_foot", "neck",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"))
# Stiffness and damping (N m/rad, N m s/rad) and limit (N m) of DeepMimic's humanoid of 45 kg; others are chosen beside them.
GAINS = {"hip": (500, 50, 200), "knee": (500, 50, 150), "ankle": (400, 40, 90), "foot": (50, 5, 30), "spine1": (1000, 100, 200),
         "spine2": (1000, 100, 200), "spine3": (1000, 100, 200), "neck": (100, 10, 50), "head": (100, 10, 50),
         "collar": (400, 40, 100), "shoulder": (400, 40, 100), "elbow": (300, 30, 60), "wrist": (100, 10, 30), "hand": (50, 5, 15)}
GAINS_FOR_KG = 45.0
ARMATURE = 0.01
FRICTION = 1.0


@dataclass(frozen=True)
class Humanoid:
    """One person's model: `joints` are the kept joints of SMPL in the order of the model's balls.

    With `sizes` "deepmimic" the limbs of the skeleton lie otherwise at rest than the body's: they point as the motion's, and the hips
    are where it has them, by the ratio of leg lengths.
    """

    person: segments.Segments
    joints: tuple[int, ...]
    timestep_s: float
    betas: np.ndarray
    body: str
    sizes: str = "person"

    @cached_property
    def xml(self) -> str:
        """The model as MJCF."""
        return _document(self)

    @cached_property
    def model(self) -> Any:
        """The compiled MjModel."""
        return extra.mujoco().MjModel.from_xml_string(self.xml)

    @cached_property
    def owner(self) -> np.ndarray:
        """For each of the 24 joints (24,) the kept joint, or 0, whose body carries it."""
        found = np.zeros(JOINTS, int)
        for joint in range(1, JOINTS):
            found[joint] = joint if joint in self.joints else found[SMPL_PARENTS[joint]]
        return found

    @cached_property
    def shown_by(self) -> tuple[int, ...]:
        """For each kept joint the last joint down the middle of what it carries: a chest at spine1 turns as spine3, a neck as the head."""
        return tuple(self._end_of(joint) for joint in self.joints)

    def _end_of(self, joint: int) -> int:
        for below in segments.children_of(joint):
            if SMPL_24.names[below] in ("spine1", "spine2", "spine3", "head") and self.owner[below] == self.owner[joint]:
                return self._end_of(below)
        return joint

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The joint whose body carries each kept joint."""
        return tuple(int(self.owner[SMPL_PARENTS[j]]) for j in self.joints)

    @cached_property
    def zero_wxyz(self) -> np.ndarray:
        """Rotation (n, 4) of each ball's zero from the T-pose."""
        quats = np.zeros((len(self.joints), 4))
        quats[:, 0] = 1
        for row, joint in enumerate(self.joints):
            if SMPL_24.names[joint].endswith("shoulder"):
                side = 1 if SMPL_24.names[joint].startswith("left") else -1
                quats[row] = [np.sqrt(0.5), -side * np.sqrt(0.5), 0, 0]
        return quats

    def qpos(self, motion: Motion) -> np.ndarray:
        """Turn a world motion into qpos (T, 7 + 4 n); welded joints are left out, their turns folded into what they carry."""
        if motion.frame != "world":
            raise InputError("Expected a motion in the world, but this one is as the camera sees it. Type: mrs run VIDEO")
        body = load_body(motion.body)
        turned, rest = body.global_rotations(motion.local_quat_wxyz), body.rest_joints(motion.betas)
        scale = self._leg_m(self.person.rest_m) / self._leg_m(rest)
        place = scale * motion.root_pos_m
        if self.sizes == "deepmimic":
            turned = point_limbs(turned, rest, self.person.rest_m)
            place = scale * motion.joints_m[:, HIPS].mean(1) - turned[:, 0] @ self.person.rest_m[HIPS].mean(0)
        turned = TO_Z_UP @ turned @ TO_Z_UP.T
        shown = dict(zip(self.joints, self.shown_by, strict=True))
        above = [shown.get(joint, 0) for joint in self.parents]
        local = np.swapaxes(turned[:, above], -1, -2) @ turned[:, list(self.shown_by)]
        balls = rotations.quat_multiply(rotations.quat_conjugate(self.zero_wxyz), rotations.matrix_to_quat(local))
        root = rotations.align_hemispheres(rotations.matrix_to_quat(turned[:, 0]))
        balls = rotations.align_hemispheres(balls)
        balls = balls * np.where(balls[:1, :, :1] < 0, -1, 1)
        return np.concatenate([place @ TO_Z_UP.T, root, balls.reshape(len(motion), -1)], -1)

    def motion(self, times_s: np.ndarray, qpos: np.ndarray) -> Motion:
        """Turn qpos (T, nq) back into a Motion; welded joints keep the T-pose."""
        local = np.tile(np.eye(3), (len(qpos), JOINTS, 1, 1))
        local[:, 0] = TO_Z_UP.T @ rotations.quat_to_matrix(qpos[:, 3:7]) @ TO_Z_UP
        balls = rotations.quat_multiply(self.zero_wxyz, qpos[:, 7:].reshape(len(qpos), -1, 4))
        local[:, list(self.joints)] = TO_Z_UP.T @ rotations.quat_to_matrix(balls) @ TO_Z_UP
        quats = rotations.align_hemispheres(rotations.matrix_to_quat(local))
        body = load_body(self.body)
        rest = body.rest_joints(self.betas)
        place, scale = qpos[:, :3] @ TO_Z_UP, self._leg_m(rest) / self._leg_m(self.person.rest_m)
        if self.sizes == "deepmimic":
            world = body.global_rotations(quats)
            place = place + world[:, 0] @ (self.person.rest_m[HIPS].mean(0) - rest[HIPS].mean(0) / scale)
            quats = body.local_quats(point_limbs(world, self.person.rest_m, rest))
        return body.motion(times_s, scale * place, quats, self.betas)

    @staticmethod
    def _leg_m(rest_m: np.ndarray) -> float:
        return float(np.linalg.norm(rest_m[4] - rest_m[1]) + np.linalg.norm(rest_m[7] - rest_m[4]))

    def gains(self) -> np.ndarray:
        """Stiffness, damping and torque limit (n, 3) of each ball, for this person's mass."""
        table = [GAINS[SMPL_24.names[j].split("_")[-1]] for j in self.joints]
        return np.array(table, float) * self.person.total_kg / GAINS_FOR_KG


def build(motion: Motion, *, joints: tuple[int, ...] = ALL, mass_kg: float | None = None, timestep_s: float = 1 / 150,
          sizes: str = "person") -> Humanoid:
    """Make the humanoid of a motion's person, or, with `sizes` "deepmimic", one of DeepMimic's lengths, masses and feet."""
    kept = tuple(j for j in _depth_first(0) if j in joints)
    person = segments.of_motion(motion, mass_kg) if sizes == "person" else deepmimic_body.segments()
    return Humanoid(person, kept, timestep_s, np.asarray(motion.betas, float), motion.body, sizes)


def _depth_first(joint: int) -> list[int]:
    """Joints below a joint in the order in which MuJoCo numbers them."""
    return [j for child in segments.children_of(joint) for j in (child, *_depth_first(child))]


def _document(humanoid: Humanoid) -> str:
    """Write the MJCF: a floor, the tree of bodies, three servos a ball.

    The servos are stable PD (Tan et al. 2011): with a damping of kd + h kp in the joint, which the integrator treats
    implicitly, and a spring towards the target in the actuator, the torque is kp (target - q - h q') - kd q' at the next velocity.
    """
    lines = ['<mujoco model="person"><compiler angle="radian" inertiafromgeom="true"/>',
             f'<option timestep="{humanoid.timestep_s:.9g}" integrator="implicitfast" iterations="8" ls_iterations="16"/>',
             f'<default><geom contype="1" conaffinity="0" condim="3" friction="{FRICTION} 0.005 0.0001"/></default>',
             '<worldbody><light pos="0 0 4"/><geom name="floor" type="plane" size="0 0 1" contype="0" conaffinity="1"/>']
    lines += _body(humanoid, 0)
    lines += ["</worldbody><actuator>"]
    for joint, (stiff, _, limit) in zip(humanoid.joints, humanoid.gains(), strict=True):
        for axis, gear in zip("xyz", ("1 0 0", "0 1 0", "0 0 1"), strict=True):
            name = SMPL_24.names[joint]
            lines.append(f'<position name="{name}_{axis}" joint="{name}" gear="{gear} 0 0 0" kp="{stiff:.6g}" '
                         f'forcerange="{-limit:.6g} {limit:.6g}"/>')
    return "\n".join([*lines, "</actuator></mujoco>"])


def _body(humanoid: Humanoid, joint: int) -> list[str]:
    name = SMPL_24.names[joint]
    if joint == 0:
        lines = [f'<body name="{name}" pos="0 0 1"><freejoint name="root"/>']
    else:
        row = humanoid.joints.index(joint)
        stiff, damp, _ = humanoid.gains()[row]
        rest = humanoid.person.rest_m
        at = TO_Z_UP @ (rest[joint] - rest[humanoid.parents[row]])
        lines = [(f'<body name="{name}" pos="{_numbers(at)}" quat="{_numbers(humanoid.zero_wxyz[row])}">'
                 f'<joint name="{name}" type="ball" damping="{damp + humanoid.timestep_s * stiff:.6g}" armature="{ARMATURE}"/>')]
    for part in np.flatnonzero(humanoid.owner == joint):
        lines.append(_geom(humanoid.person, int(part), joint))
    for row, child in enumerate(humanoid.joints):
        if humanoid.parents[row] == joint:
            lines += _body(humanoid, child)
    return [*lines, "</body>"]


def _geom(person: segments.Segments, part: int, carrier: int) -> str:
    """One part as a geom of the body that carries it."""
    shape = person.shapes[part]
    shift = person.rest_m[part] - person.rest_m[carrier]
    name, mass = SMPL_24.names[part], f'mass="{person.mass_kg[part]:.6g}"'
    a, b = TO_Z_UP @ (shape.a_m + shift), TO_Z_UP @ (shape.b_m + shift)
    if shape.is_box:
        return f'<geom name="{name}" type="box" pos="{_numbers((a + b) / 2)}" size="{_numbers(np.abs(b - a) / 2)}" {mass}/>'
    return f'<geom name="{name}" type="capsule" fromto="{_numbers(a)} {_numbers(b)}" size="{shape.radius_m:.6g}" {mass}/>'


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{v:.8g}" for v in values)
