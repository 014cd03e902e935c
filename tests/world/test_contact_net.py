"""The contact network on motions whose contacts are known, and the symmetries it has by construction."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.skeletons import BLAZEPOSE_33, SMPL_24
from mrs.world import contact_net
from mrs.world.contact_net import foot_contacts
from tests.walker import filmed, walker

TIMES = {"30 fps": np.arange(0, 4.4, 1 / 30), "60 fps": np.arange(0, 4.4, 1 / 60), "25 fps from 100 s": 100 + np.arange(0, 4.4, 1 / 25),
         "uneven": np.cumsum(np.random.default_rng(0).uniform(0.012, 0.06, 122))}


@pytest.fixture(scope="module")
def film():
    """A track of a noisy walker and the motion with its camera."""
    return filmed(walker(TIMES["30 fps"])[0], noise=0.01, noise3d_m=0.03, dropout=0.1)


def mirrored(motion, track):
    """The motion, its camera and its track as in a mirror that exchanges left and right."""
    flip = np.array([-1.0, 1, 1])
    quats = motion.local_quat_wxyz[:, SMPL_24.flip] * [1, 1, -1, -1]
    camera = motion.camera
    K = camera.K.copy()
    K[0, 2] = camera.size_px[0] - K[0, 2]
    camera = replace(camera, K=K, R=np.diag(flip) @ camera.R @ np.diag(flip), t=camera.t * flip)
    px = track.keypoints_px[:, BLAZEPOSE_33.flip] * [-1, 1, 1] + [camera.size_px[0], 0, 0]
    boxes = track.boxes_px[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [camera.size_px[0], 0, camera.size_px[0], 0]
    other = load_body().motion(motion.times_s, motion.root_pos_m * flip, quats, motion.betas, camera=camera)
    return other, replace(track, keypoints_px=px, boxes_px=boxes)


def backwards(motion, track):
    """The motion and its track with time reversed."""
    times = motion.times_s[-1] - motion.times_s[::-1]
    motion = replace(motion, times_s=times, root_pos_m=motion.root_pos_m[::-1], joints_m=motion.joints_m[::-1],
                     local_quat_wxyz=motion.local_quat_wxyz[::-1], contacts=motion.contacts[::-1])
    return motion, replace(track, times_s=times, keypoints_px=track.keypoints_px[::-1], boxes_px=track.boxes_px[::-1])


@pytest.mark.parametrize("evidence", ["motion", "camera", "track"])
@pytest.mark.parametrize("times_s", TIMES.values(), ids=TIMES)
def test_the_walker_s_contacts_are_found(times_s, evidence):
    """At least 88 % of frames and feet are right, at any rate, with and without camera and track.

    What is wrong is one or two frames at the ends of a stance, where the walker's flat feet start too gently to tell.
    """
    motion, truth = walker(times_s, speed_m_s=0.9)
    track, seen = filmed(motion)
    found = foot_contacts(motion if evidence == "motion" else seen, track if evidence == "track" else None) > 0.5
    assert found.shape == truth.shape and (found == truth).mean() >= 0.88
    np.testing.assert_allclose(found.mean(0), truth.mean(0), atol=0.13)


def test_a_mirrored_film_gets_the_mirrored_contacts(film):
    """Left becomes right, but for the tenths of a millimetre by which the mesh's two sides differ."""
    track, motion = film
    other, other_track = mirrored(motion, track)
    np.testing.assert_allclose(foot_contacts(other, other_track)[:, [2, 3, 0, 1]], foot_contacts(motion, track), atol=2e-3)


def test_a_reversed_film_gets_the_reversed_contacts(film):
    """Time has no direction."""
    track, motion = film
    back, back_track = backwards(motion, track)
    np.testing.assert_allclose(foot_contacts(back, back_track)[::-1], foot_contacts(motion, track), atol=1e-5)


def test_the_frame_rate_does_not_matter():
    """The same walk at 60 frames a second gets the same probabilities at the same times."""
    slow, fast = (foot_contacts(walker(np.arange(0, 4, 1 / fps))[0]) for fps in (30, 60))
    rows = min(len(slow), len(fast[::2]))
    assert np.abs(slow[:rows] - fast[::2][:rows]).mean() < 0.03


def jump(fps=30.0, lasts_s=0.5):
    """Someone who stands, is thrown up for half a second with hanging legs, and stands again."""
    times = np.arange(0, 3, 1 / fps)
    quats = np.tile(Motion.standing(times[:1]).local_quat_wxyz, (len(times), 1, 1))
    quats[:, [16, 17]] = rotations.axis_angle_to_quat(np.array([[0, 0, -1.2], [0, 0, 1.2]]))
    air = np.clip(times - 1.2, 0, lasts_s)
    root = Motion.standing(times).root_pos_m + (0.5 * 9.81 * air * (lasts_s - air))[:, None] * [0, 1, 0]
    return load_body().motion(times, root, quats, np.zeros(10))


@pytest.mark.parametrize("fps", [30, 60])
def test_nobody_touches_the_ground_in_flight(fps):
    """Before and after a jump all four soles touch; at least 10 cm up, none does."""
    motion = jump(fps)
    found = foot_contacts(motion) > 0.5
    high = motion.root_pos_m[:, 1] > motion.root_pos_m[0, 1] + 0.10
    assert high.any() and not found[high].any()
    assert found[(motion.times_s < 0.9) | (motion.times_s > 2.1)].mean() > 0.95


def test_a_roof_is_a_place_to_stand_on():
    """The height of the world does not matter."""
    motion, _truth = walker(TIMES["30 fps"])
    lifted = replace(motion, root_pos_m=motion.root_pos_m + [0, 3, 0], joints_m=motion.joints_m + [0, 3, 0])
    np.testing.assert_allclose(foot_contacts(lifted), foot_contacts(motion), atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_clips_are_no_error(frames):
    """One and two frames show no contact, three give finite numbers."""
    found = foot_contacts(Motion.standing(np.arange(frames) / 30))
    assert found.shape == (frames, 4) and np.isfinite(found).all() and (frames > 2 or not found.any())


def test_a_track_that_saw_nothing_is_like_none(film):
    """Zero confidence everywhere gives what the motion alone gives."""
    track, motion = film
    blind = replace(track, keypoints_px=track.keypoints_px * [1, 1, 0])
    np.testing.assert_allclose(foot_contacts(motion, blind), foot_contacts(motion), atol=1e-9)


def test_short_touches_are_doubts_and_doubts_are_kept():
    """One frame above a half is a half, which is no touch; values below a half stay."""
    likely = np.array([0.3, 0.9, 0.3, 0.9, 0.9, 0.9, 0.3])[:, None]
    found = contact_net.without_short(likely, np.arange(7) / 30)[:, 0]
    np.testing.assert_allclose(found, [0.3, 0.5, 0.3, 0.9, 0.9, 0.9, 0.3])
