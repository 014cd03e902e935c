"""Carry a motion over to a MuJoCo humanoid or robot: targets from the motion, inverse kinematics by mink.

Every limb keeps its directions and takes the robot's lengths. Ankles go where the scaled person's go, and so that heels and toes
stay in one place on the floor while they touch. Pelvis, chest and feet keep their turns against the rest pose, where both stand
upright; other turns follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError, reason
from mrs.formats import legs
from mrs.formats.carry import leg_m
from mrs.motion import Motion
from mrs.physics import extra, locking, robot_names
from mrs.physics.humanoid import TO_Z_UP
from mrs.physics.locking import BLEND_S
from mrs.physics.states import geom_lows
from mrs.skeletons import SMPL_24

CHAINS = (("hip", "knee"), ("knee", "ankle"), ("ankle", "foot"), ("shoulder", "elbow"), ("elbow", "wrist"))
# Cost of position (1/m) and of turning (1/rad) of each task, after the part.
COSTS = {"pelvis": (2.0, 2.0), "spine3": (0.0, 1.0), "head": (0.0, 0.2), "knee": (2.0, 0.0), "ankle": (20.0, 2.0), "foot": (2.0, 0.0),
         "shoulder": (0.5, 0.0), "elbow": (2.0, 0.0), "wrist": (2.0, 0.0)}
# While nothing touches, the way of the body counts, not where the feet are: a robot can't tuck as a person does in a somersault.
PELVIS_IN_FLIGHT = 40.0
FIRST_ROUNDS, ROUNDS = 80, 12
STARTS, MET_M = 12, 0.03
STUCK_M = 0.1
POSTURE, DAMPING, LEAST = 1e-2, 1e-4, 1e-4


@dataclass(frozen=True)
class Retargeted:
    """States of a robot that does a motion: qpos (T, nq), and by joint how far it is from its target, in mm."""

    times_s: np.ndarray
    qpos: np.ndarray
    qvel: np.ndarray
    error_mm: dict[str, np.ndarray]
    bodies: dict[str, str]
    scale: float
    slide_cm_s: float
    joint_names: list[str]
    feet: str


def load_model(path: Path) -> Any:
    """Compile an MJCF (or URDF) file. Raises InputError in one line for what MuJoCo refuses, and where nothing is free."""
    mujoco = extra.mujoco()
    if not Path(path).is_file():
        raise InputError(f"Expected a model at {path}, but there is no such file.")
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except ValueError as error:
        raise InputError(f"Expected an MJCF model at {path}, but MuJoCo can't compile it: {reason(error)}") from None
    if model.njnt == 0 or model.jnt_type[0] != mujoco.mjtJoint.mjJNT_FREE:
        raise InputError(f"Expected a humanoid that moves freely in {path} (a freejoint first), but its first joint is another.")
    return model


def retarget(motion: Motion, path: Path, given: dict[str, str] | None = None, shown=None, feet: str = "auto") -> Retargeted:
    """Let the model at `path` do a world motion. `given` maps bodies to our joints where names don't tell; `feet` is one of locking.FEET."""
    if motion.frame != "world":
        raise InputError("Expected a motion in the world, but this one is as the camera sees it. Type: mrs run VIDEO")
    mink = extra.needed("mink", "retarget", "mink, the solver of inverse kinematics,")
    model = load_model(path)
    names = [model.body(row).name for row in range(1, model.nbody)]
    bodies = robot_names.match(names, given, str(path))
    robot = _Robot(model, bodies)
    targets = _Targets(motion, robot, feet)
    qpos = _solve(mink, robot, targets, shown)
    return _result(motion, robot, targets, qpos)


class _Robot:
    """The model at its rest, upright and facing +X whichever axes it was made in: where bodies are, how high its ankles stand."""

    def __init__(self, model, bodies: dict[str, str]):
        self.mujoco, self.model, self.bodies = extra.mujoco(), model, bodies
        self.data = self.mujoco.MjData(model)
        self.ids = {joint: model.body(body).id for joint, body in bodies.items()}
        self.qpos0 = model.qpos0.copy()
        self._place()
        self.qpos0[3:7] = rotations.quat_multiply(rotations.quat_conjugate(self._axes()), self.qpos0[3:7])
        self._place()
        lows = geom_lows(model, self.data.geom_xpos, self.data.geom_xmat).tolist()
        own = [g for g in range(model.ngeom) if model.geom_bodyid[g] > 0 and model.geom_type[g] not in (0, 1)]
        sole = min((lows[g] for g in own), default=self.rest_m["left_ankle"][2])
        self.ankle_m = float(np.mean([self.rest_m[f"{side}_ankle"][2] for side in ("left", "right")]) - sole)

    def _place(self) -> None:
        """Put all bodies where the rest has them."""
        self.data.qpos[:] = self.qpos0
        self.mujoco.mj_kinematics(self.model, self.data)
        self.rest_m = {joint: self.data.xpos[row].copy() for joint, row in self.ids.items()}
        self.rest_quat = {joint: self.data.xquat[row].copy() for joint, row in self.ids.items()}

    def _axes(self) -> np.ndarray:
        """The turn (4,) of the rest from upright, facing +X: its up is the axis of the file nearest to the way from ankles to shoulders."""
        shoulders, ankles, hips = (self.rest_m[f"left_{part}"] + self.rest_m[f"right_{part}"] for part in ("shoulder", "ankle", "hip"))
        along = (shoulders - hips) + (hips - ankles)
        up = np.zeros(3)
        up[np.abs(along).argmax()] = np.sign(along[np.abs(along).argmax()])
        left = self.rest_m["left_hip"] - self.rest_m["right_hip"]
        left = rotations.normalise(left - (left @ up) * up)
        return rotations.matrix_to_quat(np.stack([np.cross(left, up), left, up], -1))

    def length(self, side: str, a: str, b: str) -> float:
        """Distance of two joints at rest."""
        return float(np.linalg.norm(self.rest_m[f"{side}_{b}"] - self.rest_m[f"{side}_{a}"]))

    def upright_m(self) -> np.ndarray:
        """Rest joints (24, 3) in our axes, 0 for those that it lacks."""
        out = np.zeros((len(SMPL_24), 3))
        for joint, place in self.rest_m.items():
            out[SMPL_24.index(joint)] = place @ TO_Z_UP
        return out

    def leg_m(self) -> float:
        """Mean length of thigh and shin together."""
        return float(np.mean([self.length(s, "hip", "knee") + self.length(s, "knee", "ankle") for s in ("left", "right")]))


class _Targets:
    """Places (T, 3) and turns (T, 4) that each body should have."""

    def __init__(self, motion: Motion, robot: _Robot, feet: str):
        body = load_body(motion.body)
        self.joints = motion.joints_m @ TO_Z_UP.T
        turned = TO_Z_UP @ body.global_rotations(motion.local_quat_wxyz) @ TO_Z_UP.T
        self.turned = rotations.matrix_to_quat(turned)
        source = legs.of(motion)
        self.scale = robot.leg_m() / leg_m(body.rest_joints(motion.betas))
        lift_m = np.array([0, 0, robot.ankle_m - self.scale * source.sole_m])
        self.hips_m = self.scale * source.hips_middle_m(motion) @ TO_Z_UP.T + lift_m
        ankles_m = source.ankles_m(motion)
        self.ankles_m = self.scale * ankles_m @ TO_Z_UP.T + lift_m
        self.touches, self.soles = locking.touching(motion, ankles_m), self.scale * locking.sole_offsets_m(motion) @ TO_Z_UP.T
        self.feet = locking.settled(feet, source.alike(robot.upright_m(), self.scale))
        self.times_s = motion.times_s
        self.flight = _flight(self.touches.any(-1), motion.times_s)
        self.turns = {joint: self._turn(joint, robot) for joint in robot.ids if COSTS.get(_part(joint), (0, 0))[1] > 0}
        self.places = self._places(robot)

    def _at(self, joint: str) -> np.ndarray:
        return self.joints[:, SMPL_24.index(joint)]

    def _turn(self, joint: str, robot: _Robot) -> np.ndarray:
        """The motion's turn of a joint from upright, after the robot's own turn at rest."""
        return rotations.quat_multiply(self.turned[:, SMPL_24.index(joint)], robot.rest_quat[joint])

    def _places(self, robot: _Robot) -> dict[str, np.ndarray]:
        places = {"pelvis": self._pelvis(robot)}
        for column, side in enumerate(("left", "right")):
            for joint, carriers in ((f"{side}_hip", ("pelvis",)), (f"{side}_shoulder", ("pelvis", "spine3"))):
                # From the pelvis to the chest by the pelvis' turn, on by the chest's; a robot without a chest turns there as the chest does.
                stops = [c for c in carriers if c in robot.ids]
                place = places["pelvis"]
                for at, (start, end) in enumerate(zip(stops, (*stops[1:], joint), strict=True)):
                    turn = self.turned[:, SMPL_24.index(carriers[-1] if len(stops) < len(carriers) else stops[at])]
                    place = place + rotations.quat_rotate(turn, robot.rest_m[end] - robot.rest_m[start])
                places[joint] = place
            for a, b in CHAINS:
                if f"{side}_{a}" in places and f"{side}_{b}" in robot.ids:
                    along = rotations.normalise(self._at(f"{side}_{b}") - self._at(f"{side}_{a}"))
                    places[f"{side}_{b}"] = places[f"{side}_{a}"] + along * robot.length(side, a, b)
            before = places[f"{side}_ankle"]
            places[f"{side}_ankle"] = self.ankles_m[:, column]
            if self.feet == "hold":
                places[f"{side}_ankle"] = locking.locked(self.ankles_m[:, column], self.soles[:, column], self.touches[:, column],
                                                         self.times_s, (0, 1))
            if f"{side}_foot" in places:
                places[f"{side}_foot"] = places[f"{side}_foot"] + places[f"{side}_ankle"] - before
        return {joint: place for joint, place in places.items() if COSTS.get(_part(joint), (0, 0))[0] > 0}

    def _pelvis(self, robot: _Robot) -> np.ndarray:
        """The pelvis' body, where the middle of the hips is where the scaled person's is."""
        offset = (robot.rest_m["left_hip"] + robot.rest_m["right_hip"]) / 2 - robot.rest_m["pelvis"]
        return self.hips_m - rotations.quat_rotate(self.turned[:, 0], offset)


def _part(joint: str) -> str:
    return joint.split("_")[-1]


def _flight(contacts: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """How far (T,) each frame is in flight: 0 while a foot touches, 1 from BLEND_S before and after that on."""
    touching = times_s[contacts.any(1)]
    if not len(touching):
        return np.ones(len(times_s))
    after = np.searchsorted(touching, times_s).clip(0, len(touching) - 1)
    away = np.minimum(np.abs(touching[after] - times_s), np.abs(touching[np.maximum(after - 1, 0)] - times_s))
    return np.clip(away / BLEND_S, 0, 1)


def _solve(mink, robot: _Robot, targets: _Targets, shown) -> np.ndarray:
    """Follow the targets frame by frame, each frame from the last one's answer, or from the model's rest where that got stuck."""
    model = robot.model
    configuration = mink.Configuration(model)
    tasks = {}
    for joint in {**targets.places, **targets.turns}:
        place, turn = COSTS[_part(joint)]
        tasks[joint] = mink.FrameTask(robot.bodies[joint], "body", position_cost=place if joint in targets.places else 0.0,
                                      orientation_cost=turn if joint in targets.turns else 0.0, lm_damping=1e-3)
    posture = mink.PostureTask(model, cost=POSTURE)
    posture.set_target(robot.qpos0)
    descend = partial(_descend, mink, configuration, tasks, posture, [mink.ConfigurationLimit(model)])
    miss = partial(_missed_m, configuration, [tasks[joint] for joint in targets.places])
    out = np.empty((len(targets.times_s), model.nq))
    for row in range(len(out)):
        _aim(mink, tasks, targets, row)
        rest = robot.qpos0.copy()
        rest[:3], rest[3:7] = targets.places["pelvis"][row], targets.turns["pelvis"][row]
        missed_m = _begin(configuration, rest, model, robot.mujoco, partial(descend, FIRST_ROUNDS), miss) if row == 0 else descend(ROUNDS)
        if row and missed_m > STUCK_M:
            before = configuration.q.copy()
            configuration.update(rest)
            if descend(FIRST_ROUNDS) > 0.7 * missed_m:
                configuration.update(before)
        out[row] = configuration.q
        if shown is not None:
            shown(row + 1)
    return out


def _begin(configuration, rest: np.ndarray, model, mujoco, descend, miss) -> float:
    """Find the first frame's answer: from the model's rest, and where that misses by far, from poses about it, until one is half as far off.

    Hinges begin at the end of their range in many models, so that an arm that starts twisted the wrong way round never bends.
    """
    draw, best, least = np.random.default_rng(0), rest, np.inf
    for start in range(STARTS):
        pose = rest.copy()
        if start:
            mujoco.mj_integratePos(model, pose, np.r_[np.zeros(6), draw.normal(0, 0.7, model.nv - 6)], 1.0)
            _into_range(model, pose)
        configuration.update(pose)
        missed_m = descend()
        if miss() < 0.5 * least:
            best, least, stuck_m = configuration.q.copy(), miss(), missed_m
        if least < MET_M:
            break
    configuration.update(best)
    return stuck_m


def _into_range(model, pose: np.ndarray) -> None:
    """Bring the hinges and slides of a pose into their ranges."""
    for joint in np.flatnonzero(model.jnt_limited):
        if model.jnt_type[joint] >= 2:
            at = model.jnt_qposadr[joint]
            pose[at] = np.clip(pose[at], *model.jnt_range[joint])


def _aim(mink, tasks: dict[str, Any], targets: _Targets, row: int) -> None:
    """Set every task's target, and how much the pelvis' place counts, for a frame."""
    for joint, task in tasks.items():
        quat = targets.turns[joint][row] if joint in targets.turns else np.array([1.0, 0, 0, 0])
        where = targets.places[joint][row] if joint in targets.places else np.zeros(3)
        task.set_target(mink.SE3.from_rotation_and_translation(mink.SO3(quat), where))
    still = COSTS["pelvis"][0]
    tasks["pelvis"].set_position_cost(still + (PELVIS_IN_FLIGHT - still) * targets.flight[row])


def _descend(mink, configuration, tasks: dict[str, Any], posture, limits: list, rounds: int) -> float:
    """Take steps of inverse kinematics until they are small; return how far the pelvis or an ankle is off, whichever more, metres."""
    for _ in range(rounds):
        step = mink.solve_ik(configuration, [*tasks.values(), posture], 1.0, "daqp", DAMPING, limits=limits)
        configuration.integrate_inplace(step, 1.0)
        if np.abs(step).max() < LEAST:
            break
    return _missed_m(configuration, [tasks[joint] for joint in ("pelvis", "left_ankle", "right_ankle")])


def _missed_m(configuration, tasks: list) -> float:
    """How far the furthest of some tasks' bodies is from its target, metres."""
    return max(float(np.linalg.norm(task.compute_error(configuration)[:3])) for task in tasks)


def _result(motion: Motion, robot: _Robot, targets: _Targets, qpos: np.ndarray) -> Retargeted:
    """Set the robot on the floor, and measure what it missed."""
    mujoco, model, data = robot.mujoco, robot.model, robot.data
    reached = {joint: np.empty((len(qpos), 3)) for joint in targets.places}
    lowest = np.empty(len(qpos))
    own = model.geom_bodyid > 0
    for row, state in enumerate(qpos):
        data.qpos[:] = state
        mujoco.mj_kinematics(model, data)
        lows = geom_lows(model, data.geom_xpos, data.geom_xmat)[own]
        lowest[row] = lows.min() if len(lows) else 0.0
        for joint, places in reached.items():
            places[row] = data.xpos[robot.ids[joint]]
    errors = {joint: 1000 * np.linalg.norm(reached[joint] - targets.places[joint], axis=1) for joint in reached}
    qpos = qpos.copy()
    qpos[:, 2] += max(0.0, -float(lowest.min()))
    return Retargeted(motion.times_s, qpos, _velocities(mujoco, model, qpos, motion.times_s), errors, robot.bodies, float(targets.scale),
                      _slide(reached, targets), [model.joint(j).name for j in range(model.njnt)], targets.feet)


def _velocities(mujoco, model, qpos: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Central differences (T, nv) on the motion's own times."""
    out = np.zeros((len(qpos), model.nv))
    for row in range(len(qpos)):
        before, after = max(row - 1, 0), min(row + 1, len(qpos) - 1)
        if after > before:
            mujoco.mj_differentiatePos(model, out[row], times_s[after] - times_s[before], qpos[before], qpos[after])
    return out


def _slide(reached: dict[str, np.ndarray], targets: _Targets) -> float:
    """Mean speed over the floor, cm/s, of heels and toes that touch in two frames on end."""
    ankles = np.stack([reached["left_ankle"], reached["right_ankle"]], 1)
    return locking.slide_cm_s(ankles, targets.soles, targets.touches, targets.times_s, (0, 1))
