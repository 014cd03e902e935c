"""Inverse dynamics of motions whose forces are known."""

import numpy as np
import pytest

from mrs import rotations
from mrs.physics import dynamics, humanoid
from tests.physics import poses
from tests.walker import walker

mujoco = pytest.importorskip("mujoco")


def test_standing_needs_its_weight_and_nothing_else():
    """The floor carries one body weight, nothing is left, the pressure point is between the feet, joints are strong enough."""
    solved = dynamics.inverse(poses.standing())
    assert solved.floor_force_bw == pytest.approx(np.tile([0, 0, 1], (len(solved.times_s), 1)), abs=0.02)
    assert solved.residual_force_bw.max() < 0.02
    assert solved.residual_moment_bwm.max() < 0.01
    assert solved.outside_m.max() == 0
    assert solved.strength.max() < 0.7


def test_free_fall_needs_no_force():
    """What falls as gravity has it needs nothing; half of gravity needs half a weight; none a whole one."""
    for share, missing in ((1, 0), (0.5, 0.5), (0, 1)):
        solved = dynamics.inverse(poses.falling(share))
        assert np.median(solved.residual_force_bw) == pytest.approx(missing, abs=0.04), share
        assert np.isfinite(solved.outside_m).sum() == 0


def test_a_simulated_ragdoll_needs_nothing():
    """Inverse is forward's inverse: a tumbling body without servos, simulated by MuJoCo, leaves under a fiftieth of its weight."""
    motion = poses.falling()
    person = humanoid.build(motion)
    model = mujoco.MjModel.from_xml_string(person.xml)
    model.dof_damping[:], model.dof_armature[:] = 0.5, 0
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ACTUATION
    model.opt.timestep = 1 / 960
    data = mujoco.MjData(model)
    data.qpos[:] = person.qpos(motion)[0]
    data.qvel[3:6], data.qvel[6:9] = [1.0, 2.0, 0.5], [0, -1.5, 0]
    states = []
    for _ in range(24):
        states.append(data.qpos.copy())
        mujoco.mj_step(model, data, 16)
    tumbling = person.motion(motion.times_s, np.stack(states))
    solved = dynamics.inverse(tumbling, cutoff_hz=30)
    assert np.median(solved.residual_force_bw) < 0.02
    assert np.median(solved.residual_moment_bwm) < 0.02


def test_leaning_over_puts_the_pressure_outside():
    """A body held at 20 degrees over its toes asks for a pressure point well in front of them, and leaves a moment."""
    upright, leaning = (dynamics.inverse(poses.posed({"left_shoulder": [0, 0, -80], "right_shoulder": [0, 0, 80]}, root_deg=(lean, 0, 0)))
                        for lean in (0, 20))
    assert upright.outside_m.max() == 0
    assert np.median(leaning.outside_m) > 0.1
    left = [np.median(f.residual_force_bw) + np.median(f.residual_moment_bwm) / dynamics.LEVER_M for f in (upright, leaning)]
    assert left[0] < 0.01 and left[1] > 0.05


def test_a_raised_step_carries_where_contacts_say_so():
    """Standing 0.5 m above where it stood before needs no residual if contacts say that feet stand there."""
    motion = poses.standing(np.arange(60) / 30)
    path = np.zeros((60, 3))
    path[30:, 1] = 0.5
    solved = dynamics.inverse(poses.moved(motion, path))
    assert np.median(solved.residual_force_bw[40:]) < 0.02


def test_the_residual_does_not_depend_on_the_rate():
    """The walker at 30 and at 60 frames a second leaves about the same, and his floor carries his weight on average."""
    found = [dynamics.inverse(walker(np.arange(int(2.2 * rate)) / rate)[0]) for rate in (30, 60)]
    means = [np.median(f.residual_force_bw) for f in found]
    assert abs(means[0] - means[1]) < 0.1
    assert all(f.floor_force_bw[:, 2].mean() == pytest.approx(1, abs=0.15) for f in found)


def test_noise_shows():
    """Two degrees and a centimetre of noise a frame leave many times what the clean walk does."""
    motion, _ = walker(np.arange(60) / 30)
    rng = np.random.default_rng(0)
    shaken = rotations.quat_multiply(motion.local_quat_wxyz, rotations.axis_angle_to_quat(rng.normal(0, np.radians(2), (60, 24, 3))))
    from mrs.body import load_body

    noisy = load_body().motion(motion.times_s, motion.root_pos_m + rng.normal(0, 0.01, (60, 3)), shaken, motion.betas,
                               contacts=motion.contacts)
    clean, dirty = (dynamics.inverse(m).residual_force_bw.mean() for m in (motion, noisy))
    assert dirty > 3 * clean


def test_too_short_a_motion_says_nothing():
    """Two frames have no accelerations."""
    assert dynamics.inverse(poses.standing(np.arange(2) / 30)) is None


def test_distance_from_a_hull():
    """Inside, beside an edge, beyond a corner, of a line and of a point."""
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]])
    for point, distance in (((0.2, 0.7), 0), ((0.5, 1.25), 0.25), ((1.3, 1.4), 0.5)):
        assert dynamics.distance_outside(np.array(point), square) == pytest.approx(distance)
    assert dynamics.distance_outside(np.array([0.5, 0.3]), square[:2]) == pytest.approx(0.3)
    assert dynamics.distance_outside(np.array([3.0, 4.0]), square[:1]) == pytest.approx(5)
