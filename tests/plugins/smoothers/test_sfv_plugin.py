"""The sfv smoother as a plugin: options, history, progress."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrs import metrics, plugins, rotations
from mrs.body.torch_body import sixd_to_matrix
from mrs.errors import UsageError
from mrs.refine.prior import load_prior
from tests.refine.clips import lift, noisy, refined


def smoother(**values):
    """The plugin as the pipeline makes it."""
    made = plugins.load().make("smoother", "sfv", values)
    made.progress = lambda done, total: None
    return made


@pytest.fixture(scope="module")
def clip():
    """Track and lifted motion of a second's walk."""
    track, truth = noisy(np.arange(24) / 30)
    return track, lift(track, truth.camera)


def test_defaults_are_those_of_the_refiner(clip):
    """Without options the plugin does what refine() does with the shipped scales, to the last bit."""
    track, lifted = clip
    np.testing.assert_array_equal(smoother().smooth(None, track, lifted).joints_m, refined(track, lifted).joints_m)


def test_history_tells_the_terms(clip):
    """The result's last history entry has the terms of both passes as finite numbers, and the ground."""
    track, lifted = clip
    step = smoother(iterations=3, contact_iterations=3).smooth(None, track, lifted).history[-1]
    assert step["stage"] == "refine" and np.isfinite(step["ground_m"])
    for name in ("reprojection", "pose", "acceleration"):
        assert np.isfinite(step["terms"][name]) and np.isfinite(step["terms_before_contact"][name])


def test_history_tells_the_contacts(clip):
    """For how many seconds each heel, toe and hand touches: of the feet, what the motion's own contacts say."""
    track, lifted = clip
    motion = smoother(iterations=3, contact_iterations=3).smooth(None, track, lifted)
    told = motion.history[-1]["contacts"]
    feet = [told[k] for k in ("left_heel_s", "left_toe_s", "right_heel_s", "right_toe_s")]
    assert max(feet) > 0.2 and told["left_hand_s"] == told["right_hand_s"] == 0
    np.testing.assert_allclose(feet, (motion.contacts > 0.5).sum(0) / 30, atol=1e-4)


def test_progress_is_told(clip):
    """The progress that the pipeline sets is called up to its end."""
    track, lifted = clip
    calls, made = [], smoother(iterations=2, contact_iterations=2)
    made.progress = lambda done, total: calls.append((done, total))
    made.smooth(None, track, lifted)
    assert calls and calls[-1][0] == calls[-1][1]


def test_smoothness_option_smooths(clip):
    """A tenth of the allowed acceleration gives less of it."""
    track, lifted = clip

    def felt(**values):
        joints = smoother(**values).smooth(None, track, lifted).joints_m
        return np.abs(np.diff(joints, n=2, axis=0)).mean()

    assert felt(acceleration_m_s2=1.5) < felt(acceleration_m_s2=60)


@pytest.mark.parametrize(("name", "value"), [("iterations", -1), ("window_frames", 10), ("pose_weight", -1), ("foot_lock", "x")])
def test_values_out_of_range_are_refused(name, value):
    """With the option's full name."""
    with pytest.raises(UsageError, match=f"smoother.{name}"):
        smoother(**{name: value})


class Regressor:
    """A stand-in for a lifter with a latent space: codes of the shipped prior, with the root's turn in camera axes or without."""

    def __init__(self, whole: bool):
        self.prior, self.whole = load_prior(), whole

    def decode(self, code):
        """Local rotations (T, 23, 3, 3), or (T, 24, 3, 3) with a root whose 6D stands in front of the code."""
        if not self.whole:
            return self.prior.decode(code)
        return torch.cat([sixd_to_matrix(code[:, None, :6]), self.prior.decode(code[:, 6:])], 1)

    def coded(self, lifted):
        """The motion with its codes."""
        local = torch.as_tensor(rotations.quat_to_matrix(lifted.local_quat_wxyz), dtype=torch.float32)
        code = self.prior.encode(local[:, 1:])
        if self.whole:
            seen = torch.as_tensor(lifted.camera.R, dtype=torch.float32) @ local[:, 0]
            code = torch.cat([seen[..., 0], seen[..., 1], code], -1)
        return replace(lifted, code=code.numpy())


@pytest.mark.parametrize("whole", [False, True])
def test_latent_space_of_a_lifter_is_optimised(clip, whole):
    """With a lifter's decoder, space=latent ends on poses that the decoder gives, and meets the 2D evidence better than it began."""
    track, lifted = clip
    lifter, made = Regressor(whole), smoother(space="latent", mend_starts=False, foot_lock="never")
    made.decoder = lambda device: lifter
    done = made.smooth(None, track, lifter.coded(lifted))
    local = torch.as_tensor(rotations.quat_to_matrix(done.local_quat_wxyz), dtype=torch.float32)[:, 1:]
    torch.testing.assert_close(lifter.prior.decode(lifter.prior.encode(local)), local, atol=2e-3, rtol=0)
    assert metrics.error_2d_percent(track, done) < 0.9 * metrics.error_2d_percent(track, lifted)
    assert done.history[-1]["space"] == "latent"


def test_latent_space_needs_a_lifter_that_has_one(clip):
    """One line that says what to type instead."""
    with pytest.raises(UsageError, match="smoother.space=prior"):
        smoother(space="latent").smooth(None, *clip)


@pytest.mark.parametrize("space", ["prior", "hybrid"])
def test_spaces_of_the_prior_meet_the_evidence(clip, space):
    """Both spaces bring the 2D error below the lifted one's."""
    track, lifted = clip
    done = smoother(space=space).smooth(None, track, lifted)
    assert metrics.error_2d_percent(track, done) < 0.8 * metrics.error_2d_percent(track, lifted)
