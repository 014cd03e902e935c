"""The humanoid: MuJoCo's kinematics are the body's, its zero and axes are as documented."""

import numpy as np
import pytest

from mrs.body import load_body
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.physics import humanoid
from mrs.skeletons import SMPL_24
from tests.physics import poses
from tests.walker import walker

mujoco = pytest.importorskip("mujoco")


def placed(person: humanoid.Humanoid, qpos: np.ndarray) -> dict[str, np.ndarray]:
    """Where MuJoCo has each body, by name."""
    data = mujoco.MjData(person.model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(person.model, data)
    return {person.model.body(row).name: data.xpos[row].copy() for row in range(1, person.model.nbody)}


def test_every_joint_is_where_the_body_has_it():
    """All 24 joints of a walk, turned by 40 degrees, agree to a micrometre; x forward, y left, z up."""
    motion, _ = walker(np.arange(30) / 30, heading_deg=40)
    person = humanoid.build(motion)
    qpos = person.qpos(motion)
    for row in (0, 13, 29):
        for name, place in placed(person, qpos[row]).items():
            x, y, z = motion.joints_m[row, SMPL_24.index(name)]
            assert place == pytest.approx([z, x, y], abs=1e-6), name


def test_qpos_and_back_is_the_same_motion():
    """With every joint kept nothing is lost."""
    motion, _ = walker(np.arange(20) / 30, betas=np.array([0.5, -0.5, *np.zeros(8)]))
    person = humanoid.build(motion)
    assert person.motion(motion.times_s, person.qpos(motion)).joints_m == pytest.approx(motion.joints_m, abs=1e-9)


def test_zero_is_a_standing_person_with_hanging_arms():
    """The model's own zero: wrists below the elbows, elbows below the shoulders, the left on the left."""
    person = humanoid.build(poses.standing())
    at = placed(person, person.model.qpos0)
    assert at["left_shoulder"][2] > at["left_elbow"][2] + 0.2 > at["left_wrist"][2] + 0.4
    assert at["left_hip"][1] > at["right_hip"][1]
    assert at["left_foot"][0] > at["left_ankle"][0]


@pytest.mark.parametrize(("turns", "joint", "quat"), [
    ({"right_knee": [90, 0, 0]}, "right_knee", [np.sqrt(0.5), 0, np.sqrt(0.5), 0]),
    ({}, "left_shoulder", [np.sqrt(0.5), np.sqrt(0.5), 0, 0]),
    ({"left_shoulder": [0, 0, 90]}, "left_shoulder", [0, 1, 0, 0])])
def test_golden_postures(turns, joint, quat):
    """A bent right knee turns about y (left), a T-pose's arm about x by 90 degrees from hanging, a raised one by 180."""
    motion = poses.posed(turns)
    person = humanoid.build(motion)
    row = 7 + 4 * person.joints.index(SMPL_24.index(joint))
    found = person.qpos(motion)[0, row : row + 4]
    assert found * np.sign(found @ np.array(quat)) == pytest.approx(quat, abs=1e-9)


@pytest.mark.parametrize(("root", "quat"), [((0, 40, 0), (0, 0, 1)), ((0, 0, 30), (1, 0, 0)), ((20, 0, 0), (0, 1, 0))])
def test_golden_roots(root, quat):
    """Yaw is about z, roll about x (forward), pitch about y (left), each with our sign."""
    motion = poses.posed({}, root_deg=root)
    half = np.radians(sum(root)) / 2
    assert humanoid.build(motion).qpos(motion)[0, 3:7] == pytest.approx([np.cos(half), *(np.sin(half) * np.array(quat))], abs=1e-9)


def test_policies_keep_legs_exactly_and_the_rest_within_centimetres():
    """Fourteen joints: legs agree to a micrometre, arms within 5 cm in a walk."""
    motion, _ = walker(np.arange(10) / 30)
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES)
    for name, place in placed(person, person.qpos(motion)[5]).items():
        allowed = 1e-6 if name.split("_")[-1] in ("hip", "knee", "ankle", "foot", "pelvis") else 0.05
        assert place == pytest.approx(humanoid.TO_Z_UP @ motion.joints_m[5, SMPL_24.index(name)], abs=allowed), name


def test_mass_and_servos():
    """The model weighs what the person does; each ball has three servos with stable damping."""
    motion = poses.standing()
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES, mass_kg=72.0)
    assert person.model.body_mass.sum() == pytest.approx(72, abs=1e-3)
    assert person.model.nu == 3 * len(humanoid.FOR_POLICIES)
    hip = person.model.joint("left_hip")
    stiff = person.model.actuator("left_hip_x").gainprm[0]
    assert stiff == pytest.approx(500 * 72 / 45)
    assert person.model.dof_damping[hip.dofadr[0]] == pytest.approx(50 * 72 / 45 + person.timestep_s * stiff)


def test_servos_hold_a_posture():
    """With targets at the posture, gravity on and the feet on the floor, joints stay within a few degrees for half a second."""
    motion = poses.standing()
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES)
    qpos = person.qpos(motion)[0]
    data = mujoco.MjData(person.model)
    data.qpos[:] = qpos
    data.ctrl[:] = humanoid.rotations.quat_to_axis_angle(qpos[7:].reshape(-1, 4)).ravel()
    mujoco.mj_step(person.model, data, 75)
    apart = humanoid.rotations.geodesic_angle(data.qpos[7:].reshape(-1, 4), qpos[7:].reshape(-1, 4))
    assert np.degrees(apart).max() < 6


def test_deepmimics_sizes_take_the_motions_rotations():
    """With DeepMimic's body the knee is 0.4215 m below the hip of a standing person, and the way is scaled with the legs."""
    motion, _ = walker(np.arange(30) / 30)
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES, sizes="deepmimic")
    qpos = person.qpos(motion)
    at = placed(person, qpos[0])
    assert np.linalg.norm(at["left_knee"] - at["left_hip"]) == pytest.approx(0.421546)
    rest = load_body().rest_joints(motion.betas)
    scale = (0.421546 + 0.40987) / (np.linalg.norm(rest[4] - rest[1]) + np.linalg.norm(rest[7] - rest[4]))
    assert qpos[-1, 0] - qpos[0, 0] == pytest.approx(scale * (motion.root_pos_m[-1, 2] - motion.root_pos_m[0, 2]))


def test_a_motion_of_the_camera_is_refused():
    """Without a floor there are no physics."""
    motion = poses.standing()
    seen = Motion(**{name: getattr(motion, name) for name in motion.__dataclass_fields__} | {"frame": "camera"})
    with pytest.raises(InputError, match="as the camera sees it"):
        humanoid.build(seen).qpos(seen)
