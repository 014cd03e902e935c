"""The painter: what covers what, and what is left out."""

import numpy as np
import pytest

from mrs.report import paint

K = np.array([[100.0, 0, 50], [0, 100, 40], [0, 0, 1]])
SQUARE = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
FACING = np.array([[0, 2, 1], [0, 3, 2]])


def canvas():
    return np.full((80, 100, 3), 10, np.uint8)


def square(depth_m, half_m=0.5):
    """A square that faces the camera (its outward normal points to it)."""
    return SQUARE * half_m + [0, 0, depth_m]


def test_square_covers_its_projection():
    """A square of 1 m at 5 m covers 20 px around the principal point, and the box says so."""
    rgb = canvas()
    box = paint.paint_mesh(rgb, square(5.0), FACING, K, (0, 200, 0), 1.0)
    ys, xs = np.nonzero((rgb != 10).any(-1))
    np.testing.assert_allclose([xs.min(), ys.min(), xs.max(), ys.max()], [40, 30, 60, 50], atol=1.01)
    np.testing.assert_allclose(box, [40, 30, 60, 50])
    assert rgb[40, 50, 1] > 100 and rgb[40, 50, 0] < 10


def test_faces_that_look_away_are_not_drawn():
    """The same square wound the other way shows nothing."""
    rgb = canvas()
    assert paint.paint_mesh(rgb, square(5.0), FACING[:, ::-1], K, (0, 200, 0), 1.0) is None
    assert (rgb == 10).all()


def test_nearer_faces_cover_farther_ones():
    """Within one mesh the order of faces does not matter: the near, differently lit one is on top."""
    tilted = square(3.0, 0.1)
    tilted[:, 2] += tilted[:, 1] * 2
    pictures = []
    for points in ([square(5.0), tilted], [tilted, square(5.0)]):
        rgb = canvas()
        paint.paint_mesh(rgb, np.concatenate(points), np.concatenate([FACING, FACING + 4]), K, (0, 200, 0), 1.0)
        pictures.append(rgb)
    np.testing.assert_array_equal(*pictures)
    assert pictures[0][40, 50, 1] != pictures[0][40, 42, 1]


def test_triangles_through_the_near_plane_are_dropped():
    """A triangle with one corner behind the camera is left out, the others stay."""
    points = np.concatenate([square(5.0), square(5.0)])
    points[4, 2] = -1
    rgb, alone = canvas(), canvas()
    paint.paint_mesh(rgb, points, np.concatenate([FACING, [[4, 6, 5]]]), K, (0, 200, 0), 1.0)
    paint.paint_mesh(alone, square(5.0), FACING, K, (0, 200, 0), 1.0)
    assert ((rgb != 10).any(-1) == (alone != 10).any(-1)).all()


def test_huge_projections_do_not_overflow():
    """A square that fills far more than the picture covers it all."""
    rgb = canvas()
    paint.paint_mesh(rgb, square(0.06, 50.0), FACING, K, (0, 200, 0), 1.0)
    assert (rgb != 10).any(-1).all()


def test_text_stays_inside():
    """Text asked for outside the picture is moved into it."""
    rgb = canvas()
    paint.paint_text(rgb, "12", (500, -50), 12)
    ys, xs = np.nonzero((rgb != 10).any(-1))
    assert len(xs) and xs.min() > 50 and ys.max() < 40


@pytest.mark.parametrize("text", ["0.123 s", "target start"])
def test_outline_lies_under_text(text):
    """The black reaches as far on the right of the letters as on the left, and dark letters have none."""
    rgb = np.full((60, 400, 3), 245, np.uint8)
    paint.paint_text(rgb, text, (100, 40), 18, (255, 0, 0))
    red = np.flatnonzero(((rgb[..., 0] > 200) & (rgb[..., 1] < 60)).any(0))
    black = np.flatnonzero((rgb.max(-1) < 60).any(0))
    assert 0 <= red[0] - black[0] <= 3 and 0 <= black[-1] - red[-1] <= 3
    rgb[:] = 245
    paint.paint_text(rgb, text, (100, 40), 18, (40, 40, 40))
    assert rgb.min() >= 35


def test_skeleton_leaves_out_what_is_not_there():
    """Bones to a NaN joint are left out; everything missing draws nothing."""
    rgb = canvas()
    paint.paint_skeleton(rgb, np.full((24, 2), np.nan), (255, 0, 0), 2)
    assert (rgb == 10).all()
    pixels = np.full((24, 2), np.nan)
    pixels[[0, 1]] = [[20, 20], [60, 60]]
    paint.paint_skeleton(rgb, pixels, (255, 0, 0), 2)
    assert (rgb[40, 40] == (255, 0, 0)).all() and (rgb[70:, 70:] == 10).all()
