"""The pinhole camera: focal length, axes, and the way there and back."""

import math

import numpy as np
import pytest

from mrs import rotations
from mrs.cameras import Camera
from mrs.errors import InputError


def somewhere():
    """A camera with some rotation and place."""
    R = rotations.axis_angle_to_matrix(np.array([0.3, -1.1, 2.0]))
    base = Camera.from_fov((640, 480), 60)
    return Camera(base.K, R, np.array([0.2, -0.4, 5.0]), base.size_px)


def test_focal_length_is_the_diagonal_without_a_field_of_view():
    """A 1280 x 720 picture gets a focal length of its diagonal and its middle as principal point."""
    camera = Camera.from_fov((1280, 720))
    assert camera.focal_px == pytest.approx(math.sqrt(1280**2 + 720**2))
    np.testing.assert_allclose(camera.K, [[camera.focal_px, 0, 640], [0, camera.focal_px, 360], [0, 0, 1]])


@pytest.mark.parametrize("fov_deg", [20, 55, 90, 120])
def test_field_of_view_spans_the_width(fov_deg):
    """A point at half the horizontal field of view lands on the picture's edge."""
    camera = Camera.from_fov((1000, 600), fov_deg)
    aside = math.tan(math.radians(fov_deg / 2))
    np.testing.assert_allclose(camera.project(np.array([[aside, 0, 1], [-aside, 0, 1], [0, 0, 1.0]])),
                               [[1000, 300], [0, 300], [500, 300]], atol=1e-9)


def test_axes_are_right_down_and_forward():
    """x right, y down, z forward."""
    camera = Camera.from_fov((100, 100), 90)
    centre, right, down, farther = camera.project(np.array([[0, 0, 2.0], [1, 0, 2], [0, 1, 2], [1, 0, 4]]))
    np.testing.assert_allclose([centre, right, down, farther], [[50, 50], [75, 50], [50, 75], [62.5, 50]])


@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_world_and_camera_frames_undo_each_other(shape):
    """to_world inverts to_camera over every batch shape."""
    camera, points = somewhere(), np.random.default_rng(0).normal(size=(*shape, 3))
    np.testing.assert_allclose(camera.to_world(camera.to_camera(points)), points, atol=1e-12)
    np.testing.assert_allclose(camera.to_camera(camera.to_world(points)), points, atol=1e-12)


def test_projection_is_k_r_t():
    """Pixels are K (R p + t), divided by the depth."""
    camera, point = somewhere(), np.array([0.3, 0.7, -0.2])
    u, v, depth = camera.K @ (camera.R @ point + camera.t)
    np.testing.assert_allclose(camera.project(point), [u / depth, v / depth])


def test_points_behind_the_camera_have_no_pixel():
    """Behind the camera, and in its plane, is NaN; in front is not."""
    found = Camera.from_fov((100, 100)).project(np.array([[0, 0, -1.0], [0.5, 0, 0], [0, 0, 1]]))
    assert np.isnan(found[:2]).all() and np.isfinite(found[2]).all()


TIMES_S = np.array([0.0, 0.1, 0.25, 0.3])


def moving(what="Rt"):
    """A camera of four frames in which R, t or K (as named) change from frame to frame; the same without the others."""
    still, rng = somewhere(), np.random.default_rng(3)
    R, t, K = np.repeat(still.R[None], 4, 0), np.repeat(still.t[None], 4, 0), np.repeat(still.K[None], 4, 0)
    if "R" in what:
        R = rotations.axis_angle_to_matrix(rng.normal(size=(4, 3)) * 0.3) @ R
    if "t" in what:
        t = t + rng.normal(size=(4, 3)) * 0.2
    if "K" in what:
        K = K * np.array([1, 1.1, 1.2, 1.3])[:, None, None]
        K[:, 2, 2] = 1
    return Camera(K if "K" in what else still.K, R if "R" in what else still.R, t if "t" in what else still.t, still.size_px)


MOVES = ["R", "t", "K", "Rt", "RtK"]


@pytest.mark.parametrize("what", MOVES)
@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 2, 3)])
def test_a_moving_camera_is_a_still_one_in_every_frame(what, shape):
    """to_camera, to_world and project do in row t what the still camera of frame t does."""
    camera, points = moving(what), np.random.default_rng(0).normal(size=(*shape, 3))
    assert camera.frames == 4 and not camera.is_still
    for name in ("to_camera", "to_world", "project"):
        each = [getattr(camera.at(row), name)(points[row]) for row in range(4)]
        np.testing.assert_allclose(getattr(camera, name)(points), each, atol=1e-9)
    np.testing.assert_allclose(camera.to_world(camera.to_camera(points)), points, atol=1e-12)


@pytest.mark.parametrize("what", MOVES)
def test_one_point_is_seen_by_every_frame(what):
    """A lone point (3,) gives one row a frame where something moves; the centre is the camera's own origin."""
    camera, point = moving(what), np.array([0.3, -0.2, 0.5])
    each = [camera.at(row).project(point) for row in range(4)]
    np.testing.assert_allclose(np.broadcast_to(camera.project(point), (4, 2)), each)
    centres = [camera.at(row).centre_m for row in range(4)]
    np.testing.assert_allclose(np.broadcast_to(camera.centre_m, (4, 3)), centres, atol=1e-12)
    np.testing.assert_allclose([-c.R.T @ c.t for c in map(camera.at, range(4))], centres, atol=1e-12)


def test_a_still_camera_has_no_frames():
    """It is itself at any rows and times, and per_frame repeats it."""
    camera = somewhere()
    assert camera.is_still and camera.at(slice(1, 3)) is camera and camera.resampled(TIMES_S, TIMES_S[:2]) is camera
    each = camera.per_frame(4)
    assert each.frames == 4 and (each.R == camera.R).all() and (each.t == camera.t).all() and (each.K == camera.K).all()


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([2, 0]), np.array([True, False, True, True])])
def test_rows_of_a_moving_camera(rows):
    """Slices, numbers and masks choose frames."""
    camera = moving("RtK")
    for name in ("K", "R", "t"):
        np.testing.assert_array_equal(getattr(camera.at(rows), name), getattr(camera, name)[rows])


def test_resampling_is_exact_at_frames_and_slerps_between():
    """Frames come out as they are; midway the rotation is half the turn and the centre half the way; the ends hold."""
    camera = moving("RtK")
    np.testing.assert_array_equal(camera.resampled(TIMES_S, TIMES_S[1:3]).R, camera.R[1:3])
    found = camera.resampled(TIMES_S, np.array([-1.0, 0.05, 9.0]))
    np.testing.assert_allclose(found.R[[0, 2]], camera.R[[0, 3]], atol=1e-12)
    np.testing.assert_allclose(found.t[[0, 2]], camera.t[[0, 3]], atol=1e-12)
    np.testing.assert_allclose(found.centre_m[1], camera.centre_m[:2].mean(0), atol=1e-12)
    np.testing.assert_allclose(found.K[1], camera.K[:2].mean(0))
    first, half, second = (rotations.matrix_to_quat(m) for m in (camera.R[0], found.R[1], camera.R[1]))
    whole = rotations.geodesic_angle(first, second)
    np.testing.assert_allclose([rotations.geodesic_angle(first, half), rotations.geodesic_angle(half, second)], whole / 2)


@pytest.mark.parametrize(("name", "value", "message"), [
    ("R", np.eye(3)[:2], "camera_R"), ("t", np.zeros((3, 3)), "camera_t"), ("K", np.full((3, 3), np.nan), "finite camera_K"),
    ("R", 2 * np.eye(3), "rotations"), ("R", np.diag([1.0, 1, -1]), "mirrors"),
])
def test_what_is_no_camera_is_refused(name, value, message):
    """Wrong shapes, NaN and matrices that are no rotations are named."""
    camera = Camera(**{**moving("Rt").__dict__, name: value})
    with pytest.raises(InputError, match=message):
        camera.validate("cam.npz", 4)
    assert moving("RtK").validate("cam.npz", 4).frames == 4
    with pytest.raises(InputError, match=r"\(5, 3, 3\)"):
        moving("R").validate("cam.npz", 5)
