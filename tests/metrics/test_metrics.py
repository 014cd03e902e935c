"""Quality numbers of motions for which they are known, with their units."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import metrics
from mrs.body import load_body
from mrs.motion import Motion
from mrs.skeletons import COCO_17
from mrs.world.ground import sole_points
from tests.walker import filmed, walker

TIMES = {"30 fps": np.arange(40) / 30, "120 fps": np.arange(160) / 120, "29.97 fps": 5 + np.arange(40) * 1001 / 30000,
         "uneven": np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, 40))}
every_rate = pytest.mark.parametrize("times_s", TIMES.values(), ids=TIMES)


def moved(times_s, shift_m):
    """A standing person shifted by (T, 3)."""
    motion = Motion.standing(times_s)
    return replace(motion, root_pos_m=motion.root_pos_m + shift_m, joints_m=motion.joints_m + shift_m[:, None])


def along(values, axis=0):
    """Values (T,) along one axis."""
    out = np.zeros((len(values), 3))
    out[:, axis] = values
    return out


@every_rate
class TestDerivative:
    """Divided differences on any times."""

    @pytest.mark.parametrize("order", [1, 2, 3, 4])
    def test_of_a_power_is_its_factorial(self, times_s, order):
        """The n-th derivative of 5 t^n is 5 n!, exactly, even at uneven times."""
        expected = 5 * np.prod(np.arange(1, order + 1))
        t = times_s - times_s[0]
        found = metrics.derivative(5 * t[:, None] ** order * [1, -2], times_s, order)
        assert found.shape == (len(times_s) - order, 2)
        np.testing.assert_allclose(found, np.broadcast_to([expected, -2 * expected], found.shape), rtol=1e-4)

    def test_of_lower_powers_is_zero(self, times_s):
        """The third derivative of a parabola is zero."""
        t = times_s - times_s[0]
        np.testing.assert_allclose(metrics.derivative((3 + 2 * t - 7 * t**2)[:, None], times_s, 3), 0, atol=1e-6)


@every_rate
class TestJitter:
    """Mean jerk in 10 m/s^3."""

    def test_of_a_cubic_path_is_known_at_any_rate(self, times_s):
        """x = 2 t^3 has a jerk of 12 m/s^3 everywhere: 1.2."""
        t = times_s - times_s[0]
        assert metrics.jitter(moved(times_s, along(2 * t**3))) == pytest.approx(1.2, rel=1e-4)

    def test_of_constant_acceleration_is_zero(self, times_s):
        """Free fall has none."""
        t = times_s - times_s[0]
        assert metrics.jitter(moved(times_s, along(-9.81 / 2 * t**2, 1))) == pytest.approx(0, abs=1e-4)


@every_rate
class TestFootSkate:
    """Median speed of touching soles in cm/s."""

    def test_of_a_sliding_person_is_the_speed(self, times_s):
        """Sliding at 7 cm/s in contact is 7."""
        motion = moved(times_s, along(0.07 * times_s, 2))
        assert metrics.foot_skate(motion, np.ones((len(motion), 4))) == pytest.approx(7, rel=1e-6)

    def test_of_the_walker_is_zero(self, times_s):
        """Feet that stand exactly still do not skate."""
        motion, contacts = walker(times_s)
        assert metrics.foot_skate(motion, contacts.astype(float)) == pytest.approx(0, abs=1e-6)

    def test_without_contact_is_zero(self, times_s):
        """Nobody in contact, nothing slides."""
        motion = moved(times_s, along(times_s))
        assert metrics.foot_skate(motion, np.full((len(motion), 4), 0.5)) == 0

    def test_counts_steps_whose_both_ends_touch(self, times_s):
        """A foot that touches in every other frame only never slides."""
        motion = moved(times_s, along(times_s))
        contacts = np.zeros((len(motion), 4))
        contacts[::2] = 1
        assert metrics.foot_skate(motion, contacts) == 0


@pytest.fixture(scope="module")
def case():
    """The walker, filmed without noise."""
    return filmed(walker(TIMES["30 fps"])[0])


class TestError2d:
    """Reprojection error in percent of the person's height in the picture."""

    def test_of_exact_keypoints_is_zero(self, case):
        """A motion seen by its own camera."""
        assert metrics.error_2d_percent(*case) == pytest.approx(0, abs=1e-9)

    def test_of_shifted_keypoints_is_their_share_of_the_height(self, case):
        """All keypoints off by 3 % of each frame's box diagonal: 3."""
        track, motion = case
        points = track.keypoints_px.copy()
        points[..., 0] += 0.03 * track.heights_px()[:, None]
        assert metrics.error_2d_percent(replace(track, keypoints_px=points), motion) == pytest.approx(3)

    def test_is_weighted_by_confidence(self, case):
        """A keypoint with confidence 0 may be anywhere; one of weight 0.5 counts half."""
        track, motion = case
        points = track.keypoints_px.copy()
        points[..., 2] = 1
        points[:, 0, :] = [9e3, 9e3, 0]
        assert metrics.error_2d_percent(replace(track, keypoints_px=points), motion) == pytest.approx(0, abs=1e-9)
        points[:, 0] = track.keypoints_px[:, 0]
        points[:, 0, 0] += 0.65 * track.heights_px()
        points[:, 0, 2] = 0.5
        assert metrics.error_2d_percent(replace(track, keypoints_px=points), motion) == pytest.approx(65 * 0.5 / 32.5)

    def test_of_a_body_behind_the_camera_is_100_percent(self, case):
        """Keypoints that can't be projected count as one height each: no NaN."""
        track, motion = case
        behind = motion.root_pos_m - 40 * motion.camera.R[2]
        body = load_body()
        away = body.motion(motion.times_s, behind, motion.local_quat_wxyz, motion.betas, camera=motion.camera)
        assert metrics.error_2d_percent(track, away) == pytest.approx(100)

    def test_works_for_other_keypoint_sets(self):
        """COCO-17 tracks are measured on COCO-17 landmarks."""
        assert metrics.error_2d_percent(*filmed(walker(TIMES["30 fps"])[0], keypoints=COCO_17)) == pytest.approx(0, abs=1e-9)


class TestOthers:
    """Penetration, bones and jumps."""

    def test_penetration_is_the_mean_depth_of_the_lowest_sole_in_cm(self):
        """Lowered by 4 cm below the plane in half of the frames: 2 on average."""
        times_s = TIMES["30 fps"]
        motion = Motion.standing(times_s)
        lowest = sole_points(motion)[0, :, 1].min()
        depth = np.where(np.arange(len(times_s)) % 2 == 0, -0.04, 0.5) - lowest
        assert metrics.penetration(moved(times_s, along(depth, 1))) == pytest.approx(2)

    def test_bone_change_is_the_largest_in_mm(self):
        """A forearm that grows by 5 mm in one frame: 5."""
        motion = Motion.standing(TIMES["30 fps"])
        assert metrics.bone_change(motion) == pytest.approx(0, abs=1e-9)
        joints = motion.joints_m.copy()
        direction = joints[7, 20] - joints[7, 18]
        joints[7, [20, 22]] += 0.005 * direction / np.linalg.norm(direction)
        assert metrics.bone_change(replace(motion, joints_m=joints)) == pytest.approx(5, rel=1e-3)

    def test_largest_jump_is_that_of_one_joint_in_metres(self):
        """One joint of one frame 0.3 m off."""
        motion = Motion.standing(TIMES["30 fps"])
        joints = motion.joints_m.copy()
        joints[9, 5] += [0, 0.3, 0]
        assert metrics.largest_jump(replace(motion, joints_m=joints)) == pytest.approx(0.3)

    @pytest.mark.parametrize("frames", [1, 2, 3])
    def test_short_motions_have_finite_numbers(self, frames):
        """One, two or three frames: all numbers there, none NaN."""
        numbers = metrics.quality(*filmed(walker(np.arange(frames) / 30)[0]))
        assert all(isinstance(v, float) and np.isfinite(v) for v in numbers.values())

    def test_quality_names_its_units(self):
        """The dictionary has each number under its name and unit, and uses the contacts it is given."""
        track, motion = filmed(walker(TIMES["30 fps"])[0])
        numbers = metrics.quality(track, motion)
        assert set(numbers) == {"error_2d_percent", "jitter_10m_s3", "foot_skate_cm_s", "penetration_cm", "bone_change_mm",
                                "largest_jump_m"}
        assert numbers["foot_skate_cm_s"] < 0.1
        assert metrics.quality(track, motion, 1 - motion.contacts)["foot_skate_cm_s"] > 50
