"""The pinhole camera: focal length, axes, and the way there and back."""

import math

import numpy as np
import pytest

from mrs import rotations
from mrs.cameras import Camera


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
