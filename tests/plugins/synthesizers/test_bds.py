"""The synthesizer plugins: the copies, whose answers are known."""

import numpy as np
import pytest

from mrs import plugins
from mrs.errors import InputError
from tests.synth.puppets import puppet, turned


def made(name, **options):
    """A synthesizer with options."""
    return plugins.load().make("synthesizer", name, options)


def test_inertialised_copy_of_oneself_is_oneself():
    """From the source's own start nothing has to decay."""
    march = puppet("march")
    out = made("inertialised-copy", feet=False).transfer(march, march)
    np.testing.assert_allclose(out.joints_m - out.joints_m[:1, :1], march.joints_m - march.joints_m[:1, :1], atol=0.02)


def test_copies_do_not_care_where_people_stand():
    """Turning and moving source and target turns and moves the result with the target."""
    wave, march = puppet("wave"), puppet("march", phase=1.0)
    one = made("inertialised-copy").transfer(wave, march)
    two = made("inertialised-copy").transfer(turned(wave, 2.0, shift=(3, 0, 1)), turned(march, -1.0, shift=(0, 0, 5)))
    np.testing.assert_allclose(two.joints_m[0, 0, [0, 2]], [0, 5], atol=0.02)
    np.testing.assert_allclose(np.linalg.norm(one.joints_m[:, 15] - one.joints_m[:, 0], axis=-1),
                               np.linalg.norm(two.joints_m[:, 15] - two.joints_m[:, 0], axis=-1), atol=2e-3)


def test_displacement_copy_starts_at_the_target():
    """Its first posture is the target's."""
    squat, wave = puppet("squat"), puppet("wave")
    out = made("displacement-copy").transfer(squat, wave)
    own = wave.joints_m[0] - wave.joints_m[0, :1]
    np.testing.assert_allclose(out.joints_m[0] - out.joints_m[0, :1], own, atol=0.02)


def test_target_upside_down_is_refused():
    """One line says how far from up the pelvis points."""
    with pytest.raises(InputError, match="upside down.*180 degrees"):
        made("inertialised-copy").transfer(puppet("wave"), turned(puppet("march"), np.pi, (0, 0, 1.0), (0, 2.0, 0)))


def test_source_of_another_rate_keeps_its_times():
    """A source at 50 Hz comes back at 50 Hz, on the target's bones."""
    small = puppet("march", betas=np.r_[-2.0, np.zeros(9)])
    source = puppet("wave", rate_hz=50.0)
    out = made("inertialised-copy").transfer(source, small)
    np.testing.assert_allclose(out.times_s, source.times_s[: len(out)])
    assert len(out) >= len(source) - 2
    np.testing.assert_allclose(out.betas, small.betas)
