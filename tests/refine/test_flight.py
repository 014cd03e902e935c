"""Free flight: found where a body falls as gravity says, and used for its size."""


import numpy as np
import pytest

from benchmarks import own_motions
from mrs.body import load_body
from mrs.refine import flight
from mrs.skeletons import SMPL_24
from tests.walker import walker


def thrown(times_s, *, gravity=9.81, speed_m_s=2.4, start_s=0.3, size=1.0):
    """Joints of a stiff body that stands, flies up and down again, and stands; whether it touches; its lowest point."""
    t = np.clip(times_s - start_s, 0, 2 * speed_m_s / gravity)
    height = size * (speed_m_s * t - gravity * t**2 / 2)
    rest = load_body().joints(np.zeros((1, 3)), np.eye(1, 4)[None].repeat(24, 1), np.zeros(10))[0] * size
    joints = rest + height[:, None, None] * [0, 1, 0]
    touching = ((height < 1e-9)[:, None]).repeat(4, 1).astype(float)
    return joints, touching, joints[..., 1].min(1)


def found_in(times_s, **kw):
    """Flights of a thrown body."""
    joints, touching, lowest = thrown(times_s, **kw)
    return flight.falls(joints, touching, lowest, times_s, np.ones(len(times_s)))


def test_shares_of_mass_are_a_mean():
    """They add up to one, mirror each other, and put the centre of mass of a standing body near its hips."""
    assert flight.MASS_SHARES.sum() == pytest.approx(1)
    np.testing.assert_allclose(flight.MASS_SHARES, flight.MASS_SHARES[list(SMPL_24.flip)])
    body = load_body()
    joints = body.joints(np.zeros((1, 3)), np.eye(1, 4)[None].repeat(24, 1), np.zeros(10))
    assert abs(flight.centre_of_mass(joints)[0, 1] - joints[0, 0, 1]) < 0.15


@pytest.mark.parametrize("fps", [30, 59.94, 120])
def test_a_throw_is_one_flight_that_falls_with_gravity(fps):
    """0.49 s in the air: found once, within a frame of its ends, with 9.81 m/s^2."""
    times = np.arange(0, 1.2, 1 / fps)
    (fall,) = found_in(times)
    assert abs(fall.start_s - 0.3) < 1.5 / fps and fall.sure == 1 and abs(fall.seconds - 0.489) < 2.5 / fps
    np.testing.assert_allclose(fall.acceleration_m_s2, [0, -9.81, 0], atol=0.02)


def test_what_does_not_fall_is_no_flight():
    """A lifted crane load, a short hop, a body nobody saw and a walk are none."""
    times = np.arange(0, 1.2, 1 / 30)
    joints, touching, lowest = thrown(times)
    assert not found_in(times, gravity=2.0, speed_m_s=0.5)
    assert not found_in(times, speed_m_s=0.6)
    assert not flight.falls(joints, touching, lowest, times, np.zeros(len(times)))
    steps, contacts = walker(times)[0], walker(times)[0].contacts
    assert not flight.falls(steps.joints_m, contacts, steps.joints_m[..., 1].min(1), times, np.ones(len(times)))


@pytest.mark.parametrize("size", [0.9, 1.0, 1.15])
def test_size_is_read_off_how_fast_they_fall(size):
    """A body reconstructed at `size` falls at size x g; several flights outweigh the prior about 1."""
    falls = found_in(np.arange(0, 1.2, 1 / 60), size=size) * 6
    factor, spread = flight.scale_from_gravity(falls)
    assert factor == pytest.approx(1 / size, rel=0.045) and 0 < spread < 0.06
    assert abs(np.log(flight.scale_from_gravity(falls[:1])[0])) <= abs(np.log(factor)) + 1e-9


def test_own_backflip_is_found_with_gravity():
    """The project's backflip flies along an exact parabola."""
    from mrs.world.contact_net import foot_contacts
    from mrs.world.ground import sole_points

    motion = own_motions.backflip(np.arange(0, 3, 1 / 60))
    motion = motion[0] if isinstance(motion, tuple) else motion
    lowest = np.minimum(sole_points(motion)[..., 1].min(1), motion.joints_m[..., 1].min(1))
    found = flight.falls(motion.joints_m, foot_contacts(motion), lowest, motion.times_s, np.ones(len(motion)))
    assert len(found) == 1 and found[0].acceleration_m_s2[1] == pytest.approx(-9.81, abs=1.0)


@pytest.mark.parametrize("fps", [30, 60, 119.88])
def test_probability_leaves_the_edges_out(fps):
    """A foot may still push at the ends; the middle is as sure as the fall; it lasts as long at every frame rate."""
    times = np.arange(0, 1, 1 / fps)
    found = flight.probability([flight.Fall(0.3, 0.7, np.zeros(3), 0.0, sure=0.8)], times)
    assert not found[(times < 0.34) | (times > 0.66)].any() and (found[(times > 0.38) & (times < 0.62)] == 0.8).all()
    assert found.sum() / fps == pytest.approx(0.8 * 0.28, abs=0.01)
    assert flight.probability([], times).max() == 0


def test_who_stands_on_hands_does_not_fly():
    """A throw whose path strays 3 cm from its parabola, as of a body that hands push on its way, is none; by 1 mm it is one."""
    times = np.arange(0, 1.2, 1 / 60)
    joints, touching, lowest = thrown(times)
    pushed = np.clip((times - 0.3) / 0.489, 0, 1)
    for stray, flights in ((0.03, 0), (0.001, 1)):
        moved = joints + (stray * np.sin(4 * np.pi * pushed))[:, None, None] * [0, 1, 0]
        assert len(flight.falls(moved, touching, lowest, times, np.ones(len(times)))) == flights


def test_flights_are_the_same_at_every_frame_rate():
    """Contact that rises and falls as straight lines ends a flight between frames: the same times at 30 and at 120 frames a second."""
    found = []
    for fps in (30, 120):
        times = np.arange(0, 1.2, 1 / fps)
        joints, _, lowest = thrown(times)
        touching = np.interp(times, [0.28, 0.36, 0.74, 0.82], [1, 0, 0, 1])[:, None]
        (fall,) = flight.falls(joints, touching, lowest, times, np.ones(len(times)))
        found.append((fall.start_s, fall.end_s, fall.sure, fall.acceleration_m_s2[1]))
    np.testing.assert_allclose(found[0], found[1], atol=0.03)


def test_whoever_falls_stands_on_nothing():
    """A body that stands, then falls by gravity, then lands: held up, not held up, held up."""
    times = np.arange(90) / 30
    fallen = np.clip(times - 1.0, 0, 0.5)
    height = 3 - 9.81 / 2 * fallen**2
    found = flight.held_up(np.stack([np.zeros(90), height, np.zeros(90)], -1)[:, None] + np.zeros((1, 24, 1)), times)
    assert found[:25].min() > 0.99 and found[33:42].max() < 0.05 and found[55:].min() > 0.99
    assert (flight.held_up(np.zeros((3, 24, 3)), times[:3]) == 1).all()
