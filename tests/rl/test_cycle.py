"""Cycles: found where they are, closed without a jump, laid end to end."""

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError, UsageError
from mrs.physics import humanoid, states
from mrs.rl import cycle, reference
from mrs.rl.task import Settings
from tests.physics import poses
from tests.walker import STRIDE_S, walker

pytest.importorskip("mujoco")
RATE = 30.0


def states_of(seconds=3.0, **how):
    """A walk as states at 30 Hz, and its humanoid."""
    motion, _ = walker(np.arange(int(seconds * RATE) + 1) / RATE, **how)
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES)
    return person, person.qpos(motion)


def test_the_stride_is_found():
    """The walker repeats every 1.1 s."""
    first, last = cycle.find(*states_of(), RATE)
    assert last - first == STRIDE_S * RATE


def test_what_does_not_repeat_is_refused():
    """Someone who stands still, and a clip shorter than half a second."""
    motion = poses.standing()
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES)
    with pytest.raises(InputError, match="stands still"):
        cycle.find(person, person.qpos(motion), RATE)
    with pytest.raises(InputError, match="Leave loop out"):
        cycle.find(*states_of(0.3), RATE)


def test_standing_between_steps_is_no_cycle():
    """Someone who stands for a second and then walks: the stride is the cycle, not half a second of standing."""
    walk, _ = walker(np.arange(91) / RATE)
    rows = np.r_[np.zeros(30, int), np.arange(91)]
    quats, root = walk.local_quat_wxyz[rows], walk.root_pos_m[rows]
    motion = load_body().motion(np.arange(len(rows)) / RATE, root, quats, walk.betas)
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES)
    first, last = cycle.find(person, person.qpos(motion), RATE)
    assert last - first == STRIDE_S * RATE and first >= 28


def test_the_cycle_may_be_given_and_a_cycle_is_taken_whole():
    """Seconds that are given are kept; what is a cycle already (a DeepMimic file that wraps) is not cut; both ends must lie within."""
    motion, _ = walker(np.arange(61) / RATE)
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES)
    how = {"rate_hz": RATE, "loop": True, "seconds": 2.0}
    assert reference.make(person, motion, **how, cycle_s=(0.3, 1.0)).starts == 21
    assert reference.make(person, motion.with_history(stage="importer", loop="wrap"), **how).cycle_s == (0, 2)
    with pytest.raises(InputError, match="within the motion's 2.00 s"):
        reference.make(person, motion, **how, cycle_s=(0.3, 2.5))
    with pytest.raises(UsageError, match="loop=True"):
        Settings(cycle_s=(0.3, 1.0)).check()


def test_closing_makes_ends_meet():
    """After a cut at the wrong place the last posture still becomes the first, and the first half is untouched."""
    qpos = states_of()[1][:30]
    closed = cycle.close(qpos)
    assert rotations.geodesic_angle(closed[-1, 7:].reshape(-1, 4), closed[0, 7:].reshape(-1, 4)).max() < 1e-6
    assert closed[-1, 2] == pytest.approx(closed[0, 2])
    assert closed[:15] == pytest.approx(qpos[:15])


@pytest.mark.parametrize("heading", [0, 130])
def test_cycles_go_on_where_the_last_one_ended(heading):
    """Ten cycles of a walk go ten times as far, straight, at one speed; quaternions stay on one hemisphere."""
    person, qpos = states_of(heading_deg=heading)
    first, last = cycle.find(person, qpos, RATE)
    unrolled = cycle.unroll(cycle.close(qpos[first : last + 1]), 331)
    speed = np.linalg.norm(np.diff(unrolled[:, :2], axis=0), axis=1) * RATE
    assert speed == pytest.approx(np.full(330, 0.9), abs=0.02)
    assert np.linalg.norm(unrolled[-1, :2] - unrolled[0, :2]) == pytest.approx(0.9 * 11, rel=0.01)
    assert (np.diff(unrolled[:, 3:], axis=0) ** 2).sum(1).max() < 0.1


def test_a_cycle_that_turns_goes_in_circles():
    """A cycle that ends turned by 90 degrees is back after four."""
    rows = 31
    angle = np.linspace(0, np.pi / 2, rows)
    qpos = np.zeros((rows, 11))
    qpos[:, 0], qpos[:, 1], qpos[:, 2] = np.sin(angle), 1 - np.cos(angle), 1
    qpos[:, 3], qpos[:, 6] = np.cos(angle / 2), np.sin(angle / 2)
    qpos[:, 7] = 1
    unrolled = cycle.unroll(qpos, 4 * (rows - 1) + 1)
    assert unrolled[-1, :3] == pytest.approx(unrolled[0, :3], abs=1e-9)
    assert unrolled[60, :2] == pytest.approx([0, 2], abs=1e-9)


def test_velocities_are_those_of_the_walk():
    """Central differences of states give the walker's speed, and no turning of the root."""
    motion, _ = walker(np.arange(60) / RATE)
    person = humanoid.build(motion, joints=humanoid.FOR_POLICIES)
    qvel = states.velocities(person.model, person.qpos(motion), RATE)
    assert qvel[10:50, 0] == pytest.approx(np.full(40, 0.9), abs=1e-6)
    assert np.abs(qvel[:, 3:6]).max() < 1e-6
