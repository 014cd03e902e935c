"""Features keep what a motion is and leave out where it is and where it faces."""

import numpy as np
import pytest

from mrs import rotations
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.skeletons import SMPL_24
from mrs.synth import features
from tests.synth.puppets import LABELS, puppet, turned


@pytest.mark.parametrize("label", LABELS)
def test_there_and_back(label):
    """Features and the start's place and heading give the motion back."""
    motion = turned(puppet(label), 0.7, shift=(1, 0, 2))
    values = features.to_features(motion)
    back = features.to_motion(values, motion, motion.times_s, motion.root_pos_m[0, [0, 2]], 0.7)
    np.testing.assert_allclose(back.joints_m, motion.joints_m, atol=1e-9)


def test_place_and_heading_do_not_show():
    """The same walk elsewhere, facing elsewhere, has the same features."""
    walk = puppet("march")
    np.testing.assert_allclose(features.to_features(turned(walk, 2.5, shift=(-3, 0, 1))), features.to_features(walk), atol=1e-9)


def test_walking_ahead_is_one_metre_a_second():
    """Velocity is in the body's own heading, in m/s, into the frame."""
    values = features.to_features(turned(puppet("march"), 1.1))
    np.testing.assert_allclose(values[1:, features.SPEED], np.tile([0, 1, 0], (90, 1)), atol=1e-9)


def test_mirror_exchanges_sides():
    """Mirrored features are those of the mirrored joints; twice is the same again."""
    motion = puppet("march")
    flipped = features.mirrored(features.to_features(motion))
    back = features.to_motion(flipped, motion, motion.times_s, np.zeros(2), 0.0)
    wanted = motion.joints_m[:, SMPL_24.flip] * [-1, 1, 1]
    np.testing.assert_allclose(back.joints_m, wanted, atol=2e-3)
    np.testing.assert_array_equal(features.mirrored(flipped), features.to_features(motion))


@pytest.mark.parametrize("axis", [(1.0, 0, 0), (0, 0, 1.0)], ids=["somersault", "cartwheel"])
def test_heading_lasts_through_a_flip(axis):
    """A whole turn about the left or the forward axis does not turn the heading round."""
    angles = np.linspace(0, 2 * np.pi, 60)
    root = features.yaw_matrix(np.full(60, 0.8)) @ rotations.axis_angle_to_matrix(angles[:, None] * np.array(axis))
    np.testing.assert_allclose(features.headings(root), 0.8, atol=1e-6)


def test_size_of_the_body_does_not_show():
    """A taller body that walks in proportion has the same height and velocity in features."""
    tall = np.zeros(10)
    tall[0] = 1.0
    body = puppet("march", betas=tall)
    scale = features.scale_of(body)
    assert abs(scale - 1) > 0.01
    values = features.to_features(body)
    np.testing.assert_allclose(values[1:, features.SPEED][:, 1], 1 / scale)


@pytest.mark.parametrize("rate_hz", [24.0, 50.0, 59.94])
def test_any_frame_rate_is_resampled(rate_hz):
    """At another rate the same behaviour gives nearly the same features."""
    values = features.to_features(features.prepared(puppet("wave", rate_hz=rate_hz)))
    wanted = features.to_features(features.prepared(puppet("wave")))
    count = min(len(values), len(wanted))
    np.testing.assert_allclose(values[:count, features.POSE], wanted[:count, features.POSE], atol=0.01)


def test_nan_is_refused():
    """A motion with NaN is refused in one line."""
    motion = puppet("wave")
    motion.root_pos_m[3] = np.nan
    with pytest.raises(InputError, match="finite root_pos_m in the source"):
        features.prepared(motion, "the source")


def test_upside_down_is_refused():
    """A start on its head is refused, with what to type."""
    over = turned(Motion.standing(np.arange(4) / 30), np.pi, axis=(1.0, 0, 0))
    with pytest.raises(InputError, match="not upside down in X.*--at SECONDS"):
        features.refuse_inverted(over, 0, "X")
