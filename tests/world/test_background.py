"""One turn from two pictures of a painted surrounding."""

import numpy as np
import pytest

from mrs import rotations
from mrs.world.background import Lens, View, focal_of, found_anew, turned
from tests.pans import film, turns

NOBODY = np.zeros((0, 4))


def views(pans, boxes=None, zoom=None, lens=None, **kw):
    """Views of a film with these turns."""
    frames, own, camera = film(pans, zoom=zoom, **kw)
    lens = lens or Lens.of(camera.K, camera.size_px)
    return [View(f.rgb, b if boxes is None else boxes, lens) for f, b in zip(frames, own, strict=True)]


@pytest.mark.parametrize("axis_angle_deg", [(0, 0, 0), (0, 4, 0), (3, 0, 0), (0, 0, 6), (-2, 5, 3)])
def test_a_turn_about_any_axis_is_measured(axis_angle_deg):
    """To a fiftieth of a degree, with a person in front; the turn, not its inverse."""
    R = rotations.axis_angle_to_matrix(np.radians([np.zeros(3), axis_angle_deg]))
    a, b = views(R)
    turn = turned(a, b, R[1] @ rotations.axis_angle_to_matrix(np.radians([0.4, -0.5, 0.3])))
    assert turn.holds
    away = rotations.geodesic_angle(rotations.matrix_to_quat(turn.R), rotations.matrix_to_quat(R[1]))
    assert np.degrees(away) < 0.02 and turn.off_px < 0.3 and turn.zoom == pytest.approx(1, abs=0.002)
    assert turn.angle_deg == pytest.approx(np.linalg.norm(axis_angle_deg), abs=0.02)


def test_a_turn_that_nobody_expects_is_found_by_features():
    """20 degrees and a roll at once, from nothing."""
    R = turns(np.array([0, 20.0]), 3.0, np.array([0, 8.0]))
    found = found_anew(*views(R))
    away = rotations.geodesic_angle(rotations.matrix_to_quat(found.R), rotations.matrix_to_quat(R[1] @ R[0].T))
    assert found.holds and np.degrees(away) < 0.03


def test_two_unlike_pictures_do_not_hold():
    """Opposite directions of the surrounding have nothing in common."""
    a, b = views(turns(np.array([0, 170.0])))
    assert not any(turn is not None and turn.holds for turn in (turned(a, b), found_anew(a, b)))


def test_people_are_left_out():
    """No corner lies on the person or the rim around them, nor does the picture's edge give any."""
    frames, boxes, camera = film(turns(np.zeros(1)))
    view = View(frames[0].rgb, boxes[0], Lens.of(camera.K, camera.size_px))
    x0, y0, x1, y1 = boxes[0][0] * view.lens.scale
    x, y = view.corners.T
    assert len(x) > 50 and not ((x > x0 - 5) & (x < x1 + 5) & (y > y0 - 5) & (y < y1 + 5)).any()
    inside = view.is_background(np.array([[(x0 + x1) / 2, (y0 + y1) / 2], [-3, 5], [1e9, 5], [np.nan, 5], [20, 20]]))
    np.testing.assert_array_equal(inside, [False, False, False, False, True])


def test_a_still_camera_stays_still_though_the_person_walks():
    """The person moves across half of the picture; the background does not."""
    R = turns(np.zeros(16))
    all_views = views(R)
    turn = turned(all_views[0], all_views[15])
    assert turn.angle_deg < 0.01 and turn.shift_px < 0.1


@pytest.mark.parametrize("zoom", [0.85, 1.15])
def test_a_zoom_is_told_from_a_turn(zoom):
    """Both at once; the turn that includes the zoom is exact."""
    R = turns(np.array([0, 3.0]))
    a, b = views(R, zoom=[1.0, zoom])
    turn = turned(a, b, R[1] @ R[0].T, 1.0)
    assert turn.zoom == pytest.approx(zoom, rel=0.003)
    away = rotations.geodesic_angle(rotations.matrix_to_quat(turn.R_zoom), rotations.matrix_to_quat(R[1] @ R[0].T))
    assert np.degrees(away) < 0.05 and turn.off_px > 5 * turn.off_zoom_px


@pytest.mark.parametrize("guess", [0.7, 1.0, 1.4])
def test_wide_turns_tell_the_focal_length(guess):
    """From a guess that is off by 40 percent to one percent; a camera that does not turn does not tell."""
    R = turns(np.array([0, 18.0, 0]))
    frames, boxes, camera = film(R)
    K = camera.K.copy()
    K[[0, 1], [0, 1]] *= guess
    lens = Lens.of(K, camera.size_px)
    first, wide, same = [View(f.rgb, b, lens) for f, b in zip(frames, boxes, strict=True)]
    matches = found_anew(first, wide).matches
    assert focal_of([matches], lens) == pytest.approx(1 / guess, rel=0.01)
    assert focal_of([turned(first, same).matches], lens) is None


def test_pictures_without_corners_tell_nothing():
    """A grey wall gives no turn."""
    lens = Lens.of(np.array([[400.0, 0, 240], [0, 400, 135], [0, 0, 1]]), (480, 270))
    wall = View(np.full((270, 480, 3), 90, np.uint8), NOBODY, lens)
    assert turned(wall, wall) is None and found_anew(wall, wall) is None


def test_large_pictures_are_reduced_and_their_pixels_fit():
    """K of the reduced picture projects to where the pixels of the reduced picture are; small pictures stay."""
    K = np.array([[1400.0, 0, 959.5], [0, 1400, 539.5], [0, 0, 1]])
    lens = Lens.of(K, (1920, 1080))
    assert lens.size_px == (640, 360) and lens.scale == pytest.approx(1 / 3)
    np.testing.assert_allclose(lens.K[:2, 2], [319.5, 179.5])
    np.testing.assert_allclose(lens.rays(lens.pixels(np.array([[0.1, -0.2]]))), [[0.1, -0.2]])
    assert Lens.of(K, (480, 270)).scale == 1
