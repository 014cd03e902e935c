"""The contact sheet: where skeletons, ground and contacts land."""

import numpy as np
import pytest

from mrs.report import paint
from mrs.report.side import _Panel, side_view
from tests.walker import walker


def pixels_of(picture, colour):
    """Rows and columns of the pixels of one colour."""
    return np.nonzero((np.abs(picture.astype(int) - colour) < 12).all(-1))


@pytest.mark.parametrize("heading_deg", [0.0, 90.0])
def test_feet_stand_on_the_ground_line(heading_deg):
    """Contact rings of a walker lie at the ground line, and the body above it."""
    motion, _ = walker(np.arange(150) / 30, heading_deg=heading_deg)
    picture = side_view({1: motion}, moments=5)
    dark = (np.abs(picture.astype(int) - (60, 60, 60)) < 12).all(-1).sum(1)
    ground = int(np.argmax(dark))
    rings = pixels_of(picture, (210, 30, 30))[0]
    body = pixels_of(picture, paint.person_colour(1))[0]
    assert abs(rings[rings < ground + 15].mean() - ground) < 25
    assert body[body < ground + 30].max() <= ground + 6 and body.min() < ground - 50


def test_no_contacts_no_rings():
    """Without contacts there is no red."""
    from dataclasses import replace

    motion, _ = walker(np.arange(60) / 30)
    picture = side_view({1: replace(motion, contacts=np.zeros((60, 4)))}, moments=4)
    assert not len(pixels_of(picture, (210, 30, 30))[0])


def test_top_view_is_not_mirrored():
    """Seen from above (y towards us), right x up turns anticlockwise: the panel's axes keep the handedness."""
    for axes in ((2, 0), (0, 2)):
        panel = _Panel(np.zeros((9, 9, 3), np.uint8), axes, np.zeros(3), np.ones(3), 100.0, 0.0)
        origin, x, z = panel.pixels(np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 1]]))
        (ax, ay), (bx, by) = z - origin, x - origin
        assert ax * -by - -ay * bx > 0


def test_standing_people_are_set_side_by_side():
    """Moments of somebody who stays in place do not lie on each other."""
    motion, _ = walker(np.arange(60) / 30, speed_m_s=0.05)
    picture = side_view({1: motion}, moments=6)
    columns = np.unique(pixels_of(picture, paint.person_colour(1))[1])
    assert (np.diff(columns) > 20).sum() >= 5


def test_absent_people_are_not_drawn():
    """At a time outside a motion its person is not drawn; the size is at most the one asked for."""
    first, _ = walker(np.arange(90) / 30)
    second, _ = walker(10 + np.arange(90) / 30)
    picture = side_view({1: first, 2: second}, times_s=[0.5, 1.0], size_px=(800, 600))
    assert picture.shape[0] <= 600 and picture.shape[1] <= 800
    assert len(pixels_of(picture, paint.person_colour(1))[0]) and not len(pixels_of(picture, paint.person_colour(2))[0])
