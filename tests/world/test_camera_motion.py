"""A camera followed through films of a painted surrounding, whose every turn is known."""

from dataclasses import replace

import numpy as np
import pytest

from mrs.cameras import Camera
from mrs.world import level_camera
from mrs.world.camera_motion import CameraMotion, estimate, pan_tilt_roll_deg
from tests.pans import SIZE, error_deg, film, turns


def follow(film_, fov_deg=None, **kw):
    """Follow a film's camera, with its own lens or another's."""
    frames, boxes, camera = film_
    camera = camera if fov_deg is None else Camera.from_fov(camera.size_px, fov_deg)
    times = np.array([f.time_s for f in frames])
    kw = {"focal_known": fov_deg is None, **kw}
    return estimate(lambda: (f for f in frames), lambda row: boxes[row], camera, times, **kw)


def test_a_pan_of_60_degrees_and_back():
    """Within a twentieth of a degree all the way; the last frame meets the first without drift; everything is explained."""
    R = turns(30 * (1 - np.cos(np.linspace(0, 2 * np.pi, 80))), 4 * np.sin(np.linspace(0, 7, 80)), 3 * np.sin(np.linspace(0, 4, 80)))
    found = follow(film(R))
    error = error_deg(found.R, R)
    assert error.max() < 0.05 and error[-1] < 0.02 and found.known.all()
    assert np.abs(np.diff(error)).max() < 0.02
    facts = found.facts()
    assert facts["pan_deg"] == pytest.approx([0, 60], abs=0.1) and facts["background_explained"] > 0.9
    assert found.warnings() == [] and not found.zooms and facts["cuts_s"] == []


def test_a_hand_that_trembles():
    """Jitter of up to a degree in every direction, and from frame to frame, is followed."""
    rng = np.random.default_rng(1)
    R = turns(*(0.35 * rng.normal(size=(3, 40))))
    found = follow(film(R))
    assert error_deg(found.R, R).max() < 0.03 and found.facts()["keyframes"] == 1


def test_a_still_camera_is_found_still():
    """Noise and a walking person give no turn."""
    found = follow(film(turns(np.zeros(12))))
    assert found.facts()["largest_turn_deg"] < 0.02 and found.warnings() == []


def test_a_wrong_field_of_view_is_mended_by_a_wide_pan():
    """From 45 degrees instead of 60 the film itself tells the lens; where --fov is given it is obeyed."""
    R = turns(np.linspace(0, 40, 50))
    shot = film(R)
    found = follow(shot, 45, focal_known=False)
    assert found.focal == "measured" and found.facts()["fov_deg"] == pytest.approx(60, abs=0.5)
    assert error_deg(found.R, R).max() < 0.2
    given = follow(shot, 45, focal_known=True)
    assert given.focal == "given" and given.K[0, 0] == pytest.approx(Camera.from_fov(SIZE, 45).focal_px)


def test_a_zoom_is_followed_and_said():
    """The lens doubles nothing but its length: rotation and magnification are right, and the report says so."""
    zoom = np.exp(np.linspace(0, 0.4, 40))
    R = turns(np.linspace(0, 8, 40))
    found = follow(film(R, zoom=zoom))
    assert found.zooms and any("zooms" in w for w in found.warnings())
    np.testing.assert_allclose(found.zoom, zoom, rtol=0.005)
    assert error_deg(found.R, R).max() < 0.1
    camera = found.applied(level_camera(SIZE, 60))
    np.testing.assert_allclose(camera.K[:, 0, 0], zoom * level_camera(SIZE, 60).focal_px, rtol=0.005)


def test_a_cut_is_said_and_each_shot_is_right_in_itself():
    """After it turns count from the new shot's first frame, level again."""
    R = turns(np.r_[np.linspace(0, 6, 20), np.linspace(120, 126, 20)])
    found = follow(film(R))
    assert found.facts()["cuts_s"] == [pytest.approx(20 / 30, abs=1e-3)] and any("cut at 0.67 s" in w for w in found.warnings())
    assert error_deg(found.R[:20], R[:20]).max() < 0.05 and error_deg(found.R[20:], R[20:]).max() < 0.05


def test_a_whip_pan_is_caught_up_with():
    """Ten degrees from one frame to the next are found by features; nothing is called a cut."""
    R = turns(np.r_[np.zeros(10), np.full(10, 12.0)])
    found = follow(film(R))
    assert found.facts()["cuts_s"] == [] and error_deg(found.R, R).max() < 0.05


def test_blurred_frames_are_interpolated_and_said():
    """Three grey frames in the middle of an even pan lie on the line between their neighbours."""
    R = turns(np.linspace(0, 6, 30))
    frames, boxes, camera = film(R)
    for row in (14, 15, 16):
        frames[row].rgb = np.full_like(frames[row].rgb, 80)
    found = follow((frames, boxes, camera))
    assert found.known.sum() == 27 and not found.known[14:17].any()
    assert error_deg(found.R, R).max() < 0.1 and any("interpolated in 3 of 30" in w for w in found.warnings())


def test_nothing_to_see_is_said():
    """A grey wall: no frame is known, the camera counts as still, and a line says so."""
    found = follow(film(turns(np.linspace(0, 20, 8)), picture=np.full((64, 128, 3), 100, np.uint8), person=False))
    assert not found.known.any() and "could not be measured" in found.warnings()[0]
    assert np.abs(found.R - np.eye(3)).max() < 1e-12


def test_one_frame_is_enough():
    """A film of one picture has one camera."""
    found = follow(film(turns(np.zeros(1))))
    assert len(found.R) == 1 and found.known.all() and found.warnings() == []


def made(**changes):
    """A motion as the follower gives it."""
    values = {"R": turns(np.linspace(0, 20, 5)), "zoom": np.ones(5), "known": np.ones(5, bool), "off_px": np.full(5, 0.2),
              "share": np.full(5, 0.95), "cuts_s": (), "keyframes": 1, "size_px": (1280, 720), "K": level_camera((1280, 720)).K,
              "focal": "given"}
    return CameraMotion(**{**values, **changes})


def test_what_a_rotation_does_not_explain_is_said():
    """Parallax: the background is off by more than noise, or much of it disagrees."""
    for changes in ({"off_px": np.full(5, 4.0)}, {"share": np.full(5, 0.4)}):
        told = made(**changes).warnings()
        assert len(told) == 1 and "translation zero" in told[0]
    assert "--fov" in made(focal="guess").warnings()[0] and made().warnings() == []


def test_the_first_frame_is_level_and_the_others_follow():
    """Applied to a tilted camera, the first frame is that camera and each turn comes after it; the place stays."""
    first = level_camera((1280, 720), 50, 15)
    camera = made(K=first.K).applied(first)
    np.testing.assert_allclose(camera.R[0], first.R, atol=1e-12)
    np.testing.assert_allclose(camera.R[3], made().R[3] @ first.R, atol=1e-12)
    aside = replace(first, t=-first.R @ np.array([1.0, 2, 3]))
    np.testing.assert_allclose(made().applied(aside).centre_m, np.tile([1.0, 2, 3], (5, 1)), atol=1e-12)


@pytest.mark.parametrize("angles", [(20, 0, 0), (0, 10, 0), (0, 0, 5), (30, -12, 4)])
def test_pan_tilt_and_roll_have_names_and_signs(angles):
    """Right, down and clockwise are positive."""
    np.testing.assert_allclose(pan_tilt_roll_deg(turns(*map(np.array, angles))[None]), [angles], atol=1e-9)
    looks = turns(20.0)[2]
    assert looks[0] > 0 and looks[1] == pytest.approx(0)
