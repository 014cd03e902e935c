"""The filters: what passes, what goes, in hertz and seconds whatever the frame rate."""

from dataclasses import replace

import numpy as np
import pytest
from mrs_plugins.smoothers.filters import Butterworth, Gaussian, OneEuro, SavitzkyGolay, one_euro

from mrs import metrics, options, plugins, rotations
from mrs.body import load_body
from mrs.errors import UsageError
from tests.refine.clips import pose_error_mm
from tests.walker import filmed, walker

BODY = load_body()
FILTERS = [Gaussian, OneEuro, Butterworth, SavitzkyGolay]
every_filter = pytest.mark.parametrize("cls", FILTERS, ids=lambda c: c.name)
UNEVEN = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, 60))


def smooth(cls, motion, **values):
    """Run a filter with options."""
    plugin = cls()
    plugin.options = options.build(cls, values, "smoother")
    return plugin.smooth(None, None, motion)


def swinging(times_s, hz, metres=0.1, degrees=20.0):
    """A person whose root sways along X and whose left elbow turns about Y, both as a sine."""
    wave = np.sin(2 * np.pi * hz * times_s)
    quats = np.tile([1.0, 0, 0, 0], (len(times_s), 24, 1))
    quats[:, 18] = rotations.axis_angle_to_quat(np.radians(degrees) * wave[:, None] * [0, 1, 0])
    root = np.stack([metres * wave, 0 * wave + 0.9, 0 * wave], -1)
    return BODY.motion(times_s, root, quats, np.zeros(10))


def sway(motion):
    """The root's X over the middle half of the clip, where no end is felt."""
    quarter = len(motion) // 4
    return motion.root_pos_m[quarter:-quarter, 0]


def elbow_deg(motion):
    """The elbow's turn about Y in degrees over the middle half."""
    quarter = len(motion) // 4
    return np.degrees(rotations.quat_to_axis_angle(motion.local_quat_wxyz[quarter:-quarter, 18])[:, 1])


def noisy(times_s, seed=0):
    """The walker with 2 cm of noise on its root and 5 degrees on every joint, and the walker."""
    rng = np.random.default_rng(seed)
    truth = walker(times_s, speed_m_s=0.6)[0]
    turn = rotations.axis_angle_to_quat(np.radians(5) * rng.normal(size=(len(times_s), 24, 3)))
    return BODY.motion(times_s, truth.root_pos_m + 0.02 * rng.normal(size=truth.root_pos_m.shape),
                       rotations.quat_multiply(truth.local_quat_wxyz, turn), truth.betas), truth


@every_filter
class TestEveryFilter:
    """What each of them does."""

    @pytest.mark.parametrize("times_s", [np.arange(40) / 30, UNEVEN], ids=["even", "uneven"])
    def test_who_stands_still_is_unchanged(self, cls, times_s):
        """A constant signal passes exactly."""
        motion = walker(np.zeros(1))[0]
        rows = np.zeros(len(times_s), int)
        still = BODY.motion(times_s, motion.root_pos_m[rows], motion.local_quat_wxyz[rows], motion.betas)
        found = smooth(cls, still)
        np.testing.assert_allclose(found.joints_m, still.joints_m, atol=1e-9)
        np.testing.assert_allclose(rotations.geodesic_angle(found.local_quat_wxyz, still.local_quat_wxyz), 0, atol=1e-7)

    def test_noise_goes(self, cls):
        """Jitter falls to less than a fifth, and joints come closer to the truth (pelvis on pelvis)."""
        motion, truth = noisy(np.arange(120) / 60)
        found = smooth(cls, motion)
        assert metrics.jitter(found) < metrics.jitter(motion) / 5
        assert pose_error_mm(found, truth) < pose_error_mm(motion, truth)

    def test_result_is_a_motion_of_the_same_body(self, cls):
        """Bones stay, joints are those of the rotations, quaternions are unit and continuous, times and betas stay."""
        motion, _ = noisy(UNEVEN)
        found = smooth(cls, motion).validate()
        assert metrics.bone_change(found) < 1e-6
        np.testing.assert_allclose(BODY.joints(found.root_pos_m, found.local_quat_wxyz, found.betas), found.joints_m,
                                   atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(found.local_quat_wxyz, axis=-1), 1, atol=1e-9)
        assert ((found.local_quat_wxyz[1:] * found.local_quat_wxyz[:-1]).sum(-1) > 0).all()
        np.testing.assert_array_equal(found.times_s, motion.times_s)
        np.testing.assert_array_equal(found.betas, motion.betas)

    @pytest.mark.parametrize("frames", [1, 2, 3])
    def test_a_few_frames_are_returned_untouched(self, cls, frames):
        """There is nothing to filter in three frames; the history says so."""
        motion = noisy(np.arange(frames) / 30)[0]
        same = smooth(cls, motion)
        assert replace(same, history=()) == motion and "four frames" in same.history[-1]["fallback"]

    @pytest.mark.parametrize("frames", [4, 5, 6, 9])
    def test_short_clips_are_finite(self, cls, frames):
        """Clips shorter than the filter's own length come out, finite."""
        assert len(smooth(cls, noisy(np.arange(frames) / 30)[0]).validate()) == frames

    def test_constants_are_seconds(self, cls):
        """The same sway at 30 and 120 frames a second is filtered alike: within 2 % of its size."""
        slow, fast = (smooth(cls, swinging(np.arange(0, 6, 1 / fps), 0.7)) for fps in (30, 120))
        np.testing.assert_allclose(fast.root_pos_m[::4][40:-40, 0], slow.root_pos_m[40:-40, 0], atol=0.004)

    def test_hemispheres_do_not_matter(self, cls):
        """Quaternions whose signs flip from frame to frame are the same rotations: the same result."""
        motion = noisy(np.arange(60) / 30)[0]
        signs = np.where(np.random.default_rng(1).random((60, 24, 1)) < 0.5, -1.0, 1.0)
        flipped = replace(motion, local_quat_wxyz=signs * motion.local_quat_wxyz)
        np.testing.assert_allclose(smooth(cls, flipped).joints_m, smooth(cls, motion).joints_m, atol=1e-9)

    def test_contacts_are_found_anew(self, cls):
        """The filtered walker's feet touch when the walker's do: four frames in five at least."""
        truth = filmed(walker(np.arange(0, 2.2, 1 / 60), speed_m_s=0.5)[0])[1]
        found = smooth(cls, replace(truth, contacts=np.zeros((len(truth), 4))))
        assert ((found.contacts > 0.5) == (truth.contacts > 0.5)).mean() > 0.8

    def test_unknown_options_are_refused(self, cls):
        """With the option's name."""
        with pytest.raises(UsageError, match="smoother.cutoff"):
            options.build(cls, {"cutoff": 3}, "smoother")

    def test_it_is_registered(self, cls):
        """The filter comes through the same door as every plugin."""
        assert plugins.load().get("smoother", cls.name).cls is cls


class TestButterworth:
    """A cut-off in hertz."""

    @pytest.mark.parametrize("fps", [30, 60, 240])
    def test_below_the_cut_off_everything_passes(self, fps):
        """1 Hz under a 6 Hz cut-off keeps its size and its phase within 1 %."""
        motion = swinging(np.arange(0, 6, 1 / fps), 1.0)
        found = smooth(Butterworth, motion)
        np.testing.assert_allclose(sway(found), sway(motion), atol=0.001)
        np.testing.assert_allclose(elbow_deg(found), elbow_deg(motion), atol=0.3)

    @pytest.mark.parametrize("fps", [30, 60, 240])
    def test_at_the_cut_off_half_of_the_size_passes(self, fps):
        """Run forwards and backwards, -3 dB twice is a half; there is no lag."""
        motion = swinging(np.arange(0, 8, 1 / fps), 3.0)
        found = smooth(Butterworth, motion, cutoff_hz=3.0)
        np.testing.assert_allclose(sway(found), 0.5 * sway(motion), atol=0.003)

    def test_above_the_cut_off_little_passes(self):
        """9 Hz over a 3 Hz cut-off comes out below 2 %."""
        motion = swinging(np.arange(0, 6, 1 / 60), 9.0)
        assert np.abs(sway(smooth(Butterworth, motion, cutoff_hz=3.0))).max() < 0.002

    def test_a_cut_off_above_half_the_frame_rate_changes_nothing(self):
        """6 Hz at 10 frames a second: all there is passes."""
        motion = noisy(np.arange(40) / 10)[0]
        np.testing.assert_allclose(smooth(Butterworth, motion).joints_m, motion.joints_m, atol=1e-9)


class TestSavitzkyGolay:
    """Polynomials over a stretch of seconds."""

    @pytest.mark.parametrize("fps", [30, 120])
    def test_a_cubic_path_passes(self, fps):
        """Polynomials up to its order are unchanged, at the ends too."""
        times_s = np.arange(0, 2, 1 / fps)
        path = np.stack([times_s**3 - times_s, 1 + times_s**2, 3 * times_s], -1)
        quats = np.tile([1.0, 0, 0, 0], (len(times_s), 24, 1))
        found = smooth(SavitzkyGolay, BODY.motion(times_s, path, quats, np.zeros(10)))
        np.testing.assert_allclose(found.root_pos_m, path, atol=1e-9)

    def test_longer_stretches_smooth_more(self):
        """Jitter falls with window_s."""
        motion = noisy(np.arange(90) / 30)[0]
        jitters = [metrics.jitter(smooth(SavitzkyGolay, motion, window_s=w)) for w in (0.2, 0.4, 0.8)]
        assert jitters == sorted(jitters, reverse=True)


class TestOneEuro:
    """A causal filter whose cut-off follows the speed."""

    def test_it_is_causal(self):
        """The future changes nothing before it."""
        motion = noisy(np.arange(60) / 30)[0]
        other = motion.root_pos_m.copy()
        other[40:] += 1
        found = smooth(OneEuro, replace(motion, root_pos_m=other))
        np.testing.assert_allclose(found.root_pos_m[:40], smooth(OneEuro, motion).root_pos_m[:40], atol=1e-12)

    def test_it_lags_less_with_a_higher_beta(self):
        """A steady walk of 1 m/s trails behind by less than with beta 0."""
        times_s = np.arange(0, 3, 1 / 60)
        walk = times_s[:, None]
        lags = [float((walk - one_euro(walk, 1 / 60, 1.5, beta, 1.0))[-1, 0]) for beta in (0.0, 0.5, 5.0)]
        assert lags[0] > lags[1] > lags[2] > 0

    def test_lag_without_beta_is_the_time_constant(self):
        """A ramp of 1 m/s trails behind by 1 / (2 pi f) metres."""
        walk = np.arange(0, 5, 1 / 200)[:, None]
        lag = float((walk - one_euro(walk, 1 / 200, 2.0, 0.0, 1.0))[-1, 0])
        assert lag == pytest.approx(1 / (2 * np.pi * 2), rel=0.01)

    def test_a_lower_cut_off_is_smoother(self):
        """Jitter falls with min_cutoff_hz."""
        motion = noisy(np.arange(90) / 30)[0]
        jitters = [metrics.jitter(smooth(OneEuro, motion, min_cutoff_hz=f, beta=0)) for f in (4, 1.5, 0.5)]
        assert jitters == sorted(jitters, reverse=True)
