"""Which way is up: a walker filmed by a camera that looks down, taken for level."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import rotations, world
from mrs.refine.sfv import Plan, Scales, refine
from mrs.world.level import Level, level
from tests.walker import filmed, walker


def about(x_deg: float, z_deg: float) -> np.ndarray:
    """Turn about the camera's own right axis, then about its line of sight."""
    return rotations.axis_angle_to_matrix(np.radians([x_deg, 0, 0])) @ rotations.axis_angle_to_matrix(np.radians([0, 0, z_deg]))


def taken_for_level(down_deg: float, roll_deg: float = 0.0, seconds=5.0, **noise):
    """Film somebody who walks away at an angle by a tilted camera; return track and motion in the world of a level one."""
    motion, _ = walker(np.arange(0, seconds, 1 / 30), heading_deg=50)
    track, motion = filmed(motion, **noise, moving=lambda c: replace(c, R=about(down_deg, roll_deg) @ c.R, t=about(down_deg, roll_deg) @ c.t))
    camera = motion.camera
    to_level = world.CAMERA_TO_WORLD.T @ camera.R
    leaning = world.turned(motion, to_level)
    return track, replace(leaning, camera=replace(leaning.camera, R=np.array(world.CAMERA_TO_WORLD)))


def lean_deg(motion) -> float:
    """How far the mean trunk is from upright."""
    trunk = rotations.normalise((motion.joints_m[:, 12] - motion.joints_m[:, 0]).mean(0), [0, 1, 0])
    return float(np.degrees(np.arccos(trunk[1])))


@pytest.mark.parametrize(("down", "roll"), [(12.0, 0.0), (-8.0, 0.0), (20.0, 5.0), (0.0, -6.0)])
def test_a_walkers_steps_say_how_far_the_camera_looks_down(down, roll):
    """The world comes out upright within 2.2 degrees, or within a quarter of a tilt that is rarer than the prior expects."""
    _, leaning = taken_for_level(down, roll)
    found = level([leaning])
    assert lean_deg(world.turned(leaning, found.turn)) < max(2.2, 0.27 * np.hypot(down, roll)) < lean_deg(leaning)
    assert abs(found.down_deg - down) < 2.5 * found.error_deg[0] and found.steps > 5 and found.stances > 3


def test_a_roof_does_not_tilt_the_world():
    """Two people at different heights: only steps of the same person are compared, and one jump down is let go."""
    _, one = taken_for_level(10.0)
    jumper = one.root_pos_m.copy()
    jumper[75:] += world.CAMERA_TO_WORLD @ about(10, 0) @ world.CAMERA_TO_WORLD.T @ [0, -2.0, 0]
    shifted = replace(one, root_pos_m=jumper, joints_m=one.joints_m + (jumper - one.root_pos_m)[:, None])
    assert level([one, shifted]).down_deg == pytest.approx(10, abs=2.0)


def test_nobody_standing_says_nothing():
    """Without stances the prior is left, which is not believed: the world stays."""
    _, leaning = taken_for_level(10.0, seconds=0.4)
    found = level([replace(leaning, root_pos_m=leaning.root_pos_m + np.linspace(0, 3, len(leaning))[:, None],
                           joints_m=leaning.joints_m + np.linspace(0, 3, len(leaning))[:, None, None])])
    np.testing.assert_array_equal(found.believed().turn, np.eye(3))


def test_what_is_not_sure_is_not_believed():
    kept = Level(9.123, 3.0, (2.0, 1.6), 9, 9).believed()
    assert (kept.down_deg, kept.roll_deg) == (9.12, 0.0)
    assert Level(9.0, 3.0, (4.5, 1.0), 9, 9).believed().down_deg == 0.0


def test_the_refiner_turns_its_world_upright():
    """With noise in the picture: the refined walker of a camera that looks down by 15 degrees is upright, and pixels stay."""
    track, leaning = taken_for_level(15.0, noise=0.004)
    motion, report = refine(track, leaning, Scales(), Plan(iterations=20, contact_iterations=10, find_level=True))
    assert report["level"]["down_deg"] == pytest.approx(15, abs=3) and lean_deg(motion) < 4
    before, after = leaning.camera.project(leaning.joints_m), motion.camera.project(motion.joints_m)
    assert np.median(np.linalg.norm(after - before, axis=-1)) < 6
    known, again = refine(track, leaning, Scales(), Plan(iterations=20, contact_iterations=10))
    assert "level" not in again and lean_deg(known) > 10
