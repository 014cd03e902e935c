"""Contacts of a walker whose contacts are known, at any frame rate."""

from dataclasses import replace

import numpy as np
import pytest

from mrs.body import load_body
from mrs.motion import Motion
from mrs.world.contact import HANDS, REACH_S, SHORTEST_S, contact_probabilities, hand_contacts
from mrs.world.ground import sole_points
from tests.walker import filmed, walker


def uneven(length_s, seed=0):
    """Times with steps of 12 to 60 ms."""
    return np.cumsum(np.random.default_rng(seed).uniform(0.012, 0.06, int(length_s / 0.036)))


TIMES = {"30 fps": np.arange(0, 4.4, 1 / 30), "60 fps": np.arange(0, 4.4, 1 / 60), "120 fps": np.arange(0, 4.4, 1 / 120),
         "25 fps from 100 s": 100 + np.arange(0, 4.4, 1 / 25), "uneven": uneven(4.4)}


def sole(speed_m_s, height_m=0.0, times_s=TIMES["30 fps"]):
    """Four soles (T, 4, 3) that slide along X at one speed and height."""
    points = np.zeros((len(times_s), 4, 3))
    points[..., 0] = speed_m_s * times_s[:, None]
    points[..., 1] = height_m
    return points


@pytest.mark.parametrize("seen_by_camera", [False, True])
@pytest.mark.parametrize("times_s", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("speed_m_s", [0.5, 0.9])
def test_the_walker_s_contacts_are_found(times_s, seen_by_camera, speed_m_s):
    """At least 90 % of frames and feet are right, and both feet stand about as long as they do."""
    motion, truth = walker(times_s, speed_m_s=speed_m_s)
    camera = filmed(motion)[1].camera if seen_by_camera else None
    found = contact_probabilities(sole_points(motion), times_s, camera) > 0.5
    assert (found == truth).mean() >= 0.9
    np.testing.assert_allclose(found.mean(0), truth.mean(0), atol=0.08)


def test_probabilities_are_probabilities():
    """Between 0 and 1, one column for each heel and toe."""
    motion, _ = walker(TIMES["30 fps"])
    found = contact_probabilities(sole_points(motion), motion.times_s, None)
    assert found.shape == (len(motion), 4) and found.min() >= 0 and found.max() <= 1


def test_a_still_sole_touches_and_a_fast_one_does_not():
    """At rest it is nearly certain, at 1 m/s nearly impossible."""
    times_s = TIMES["30 fps"]
    assert contact_probabilities(sole(0.0), times_s, None).min() > 0.95
    assert contact_probabilities(sole(1.0), times_s, None).max() < 0.05


def test_a_still_sole_high_above_the_other_does_not_touch():
    """A foot held 40 cm up does not stand, the one below it does."""
    points = sole(0.0)
    points[:, 2:, 1] = 0.4
    found = contact_probabilities(points, TIMES["30 fps"], None)
    assert found[:, :2].min() > 0.95 and found[:, 2:].max() < 0.05


def test_a_roof_is_a_place_to_stand_on():
    """Both feet still on a roof 3 m up touch: heights count against the lowest sole at that time."""
    times_s = TIMES["30 fps"]
    points = sole(0.0)
    points[times_s < 2, :, 1] = 3.0
    found = contact_probabilities(points, times_s, None)
    assert found[times_s < 2 - 2 * REACH_S].min() > 0.95 and found[times_s > 2 + 2 * REACH_S].min() > 0.95


def test_a_body_in_flight_does_not_touch():
    """Feet that rise and fall with a jump of 0.5 s are not in contact around its start and end."""
    times_s = np.arange(0, 2, 1 / 60)
    points = sole(0.0, times_s=times_s)
    air = np.clip(times_s - 0.7, 0, 0.5)
    points[..., 1] = (0.5 * 9.81 * air * (0.5 - air))[:, None]
    found = contact_probabilities(points, times_s, None) > 0.5
    fast = (np.abs(times_s - 0.77) < 0.05) | (np.abs(times_s - 1.13) < 0.05)
    assert not found[fast].any()
    assert found[(times_s < 0.6) | (times_s > 1.3)].all()


def test_noise_along_the_line_of_sight_does_not_lift_a_foot():
    """Depth that jumps by 3 cm a frame hides the contact from a blind observer, not from the camera."""
    motion, truth = walker(TIMES["30 fps"])
    camera = filmed(motion)[1].camera
    points = sole_points(motion)
    ray = points - camera.to_world(np.zeros(3))
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    noisy = points + 0.03 * np.random.default_rng(0).normal(size=(len(points), 1, 1)) * ray
    with_camera = contact_probabilities(noisy, motion.times_s, camera) > 0.5
    without = contact_probabilities(noisy, motion.times_s, None) > 0.5
    assert (with_camera == truth).mean() >= 0.9 > (without == truth).mean()


@pytest.mark.parametrize("fps", [30, 60, 240])
def test_short_touches_are_dropped_by_their_time(fps):
    """A rest shorter than SHORTEST_S is not a contact, one twice as long is, whatever the frame rate."""
    for rest_s, wanted in ((0.5 * SHORTEST_S, False), (3 * SHORTEST_S, True)):
        times_s = np.arange(0, 1, 1 / fps)
        points = sole(0.0, times_s=times_s)
        points[..., 0] = (1.5 * (times_s - np.clip(times_s - 0.4, 0, rest_s)))[:, None]
        assert (contact_probabilities(points, times_s, None) > 0.5).any() == wanted


def test_what_was_not_seen_is_scaled_down():
    """Evidence of zero gives no contact, of a half at most a half."""
    times_s = TIMES["30 fps"]
    seen = np.ones((len(times_s), 4))
    seen[:, 1], seen[:, 2] = 0.5, 0
    found = contact_probabilities(sole(0.0), times_s, None, seen)
    assert found[:, 0].min() > 0.95 and found[:, 1].max() <= 0.5 and found[:, 2].max() == 0


@pytest.mark.parametrize("frames", [1, 2])
def test_one_or_two_frames_show_no_contact(frames):
    """There is no speed to be seen: zeros, not NaN."""
    found = contact_probabilities(np.zeros((frames, 4, 3)), np.arange(frames) / 30, None)
    np.testing.assert_array_equal(found, np.zeros((frames, 4)))


def leaning(fall_m_s=0.0, slide_m_s=0.0):
    """A T-pose tilted to its left by 0.3 rad, and the height of its lowest left knuckle in the first frame."""
    times_s = TIMES["30 fps"]
    motion = Motion.standing(times_s)
    quats = motion.local_quat_wxyz.copy()
    quats[:, 0] = [np.cos(0.15), 0, 0, -np.sin(0.15)]
    path = motion.root_pos_m + times_s[:, None] * [slide_m_s, fall_m_s, 0]
    motion = load_body().motion(times_s, path, quats, motion.betas)
    return motion, load_body().keypoints(motion, HANDS)[0, :3, 1].min()


def test_a_still_hand_on_the_ground_touches_and_the_other_does_not():
    """The left hand rests on the ground, the right one is high above it."""
    motion, low = leaning()
    found = hand_contacts(motion, low - 0.02)
    assert found[:, 0].min() > 0.9 and found[:, 1].max() < 0.05
    assert hand_contacts(motion, low - 0.5).max() < 0.05


def test_a_hand_that_sweeps_over_the_ground_does_not_touch():
    """At 1 m/s it is no support."""
    motion, low = leaning(slide_m_s=1.0)
    assert hand_contacts(motion, low).max() < 0.05
    short = replace(motion, times_s=motion.times_s[:2], joints_m=motion.joints_m[:2], root_pos_m=motion.root_pos_m[:2],
                    local_quat_wxyz=motion.local_quat_wxyz[:2])
    assert hand_contacts(short, low).shape == (2, 2)
