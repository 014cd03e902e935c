"""What stands is held: flat feet by the ankle, rolling feet by the sole that touches."""

import numpy as np
import pytest

from mrs.physics.locking import locked, slide_cm_s

TIMES = np.arange(60) / 30
HEEL, TOES = np.array([-0.05, 0, -0.08]), np.array([0.17, 0, -0.08])


def test_a_held_point_stands_and_corrections_fade():
    """Within contact a drifting foot keeps one place over the floor; long before and after, it is where it was; heights stay."""
    place = np.stack([0.1 * TIMES, 0.2 * TIMES, 0.05 * np.sin(TIMES)], -1)
    touching = (TIMES > 0.6) & (TIMES < 1.2)
    soles, touches = np.tile([HEEL, TOES], (60, 1, 1)), np.stack([touching, touching], 1)
    out = locked(place, soles, touches, TIMES, (0, 1))
    assert np.ptp(out[touching][:, :2], axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert np.median((out - place)[touching][:, :2], axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert out[[0, 59]] == pytest.approx(place[[0, 59]])
    assert out[:, 2] == pytest.approx(place[:, 2])
    assert np.abs(np.diff(out[:, 0])).max() < 0.02
    assert slide_cm_s(place[:, None], soles[:, None], touches[:, None], TIMES, (0, 1)) == pytest.approx(100 * np.hypot(0.1, 0.2))
    assert slide_cm_s(out[:, None], soles[:, None], touches[:, None], TIMES, (0, 1)) == pytest.approx(0, abs=1e-9)


def rolling():
    """A foot that stands flat, and from 1 s on rises to 45 degrees about its toes, which never move: ankle, soles, touches."""
    pitch = np.radians(45) * np.clip(TIMES - 1, 0, 1)
    cos, sin = np.cos(pitch), np.sin(pitch)
    turn = np.stack([np.stack([cos, 0 * cos, sin], -1), np.tile([0.0, 1, 0], (60, 1)), np.stack([-sin, 0 * cos, cos], -1)], 1)
    soles = np.einsum("tab,pb->tpa", turn, np.array([HEEL, TOES]))
    touches = np.stack([TIMES < 1.15, np.ones(60, bool)], 1)
    return np.array([1.0, 2, 0]) - soles[:, 1], soles, touches


def test_a_foot_that_rolls_over_its_toes_is_left_as_it_is():
    """The ankle goes forward over toes that stand: nothing is to be corrected, and nothing slides."""
    ankle, soles, touches = rolling()
    assert ankle[-1, 0] - ankle[0, 0] > 0.08
    assert np.abs(locked(ankle, soles, touches, TIMES, (0, 1)) - ankle).max() < 1e-3
    assert slide_cm_s(ankle[:, None], soles[:, None], touches[:, None], TIMES, (0, 1)) == pytest.approx(0, abs=1e-9)


def test_toes_that_slide_while_the_foot_rolls_are_held():
    """Drift of 10 cm/s is taken off the toes, and the ankle still goes over them."""
    ankle, soles, touches = rolling()
    drifting = ankle + 0.1 * TIMES[:, None] * [1, 0, 0]
    held = locked(drifting, soles, touches, TIMES, (0, 1)) + soles[:, 1]
    assert np.ptp(held[:, :2], axis=0) == pytest.approx([0, 0], abs=2e-3)


def test_without_contact_nothing_slides():
    """A foot in the air."""
    ankle, soles, touches = rolling()
    assert slide_cm_s(ankle[:, None], soles[:, None], touches[:, None] & False, TIMES, (0, 1)) == 0
    assert (locked(ankle, soles, touches & False, TIMES, (0, 1)) == ankle).all()
