"""Where a body of known pose stands, from its keypoints."""

import numpy as np
import pytest

from mrs.cameras import Camera
from mrs.world.resection import resect

CAMERA = Camera.from_fov((1280, 720), 55)


def scene(frames=12, points=16, seed=0):
    """A cloud of body size about its pelvis, translations in front of the camera, exact keypoints and weights."""
    rng = np.random.default_rng(seed)
    cloud = rng.uniform([-0.4, -0.8, -0.3], [0.4, 0.8, 0.3], (frames, points, 3))
    shift = rng.uniform([-2, -1, 2], [2, 1, 12], (frames, 3))
    return cloud, shift, CAMERA.project(cloud + shift[:, None]), rng.uniform(0.3, 1, (frames, points))


def test_exact_keypoints_give_the_translation():
    """Without noise the answer is right to a micrometre and the residual is zero."""
    cloud, shift, px, weights = scene()
    found, error = resect(cloud, px, weights, CAMERA.K)
    np.testing.assert_allclose(found, shift, atol=1e-6)
    np.testing.assert_allclose(error, 0, atol=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_a_fifth_of_gross_outliers_moves_it_by_less_than_a_centimetre(seed):
    """Three of sixteen points, 60 to 300 pixels off, do not count."""
    cloud, shift, px, weights = scene(seed=seed)
    shift[:, 2] = np.clip(shift[:, 2], 2, 6)
    px = CAMERA.project(cloud + shift[:, None])
    rng = np.random.default_rng(seed)
    for row in range(len(px)):
        wrong = rng.permutation(16)[:3]
        direction = rng.normal(size=(3, 2))
        px[row, wrong] += rng.uniform(60, 300, (3, 1)) * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    found, _ = resect(cloud, px, np.ones_like(weights), CAMERA.K)
    assert np.linalg.norm(found - shift, axis=1).max() < 0.01


def test_a_camera_that_zooms_has_a_lens_a_frame():
    """K (T, 3, 3) gives what each frame's own K gives."""
    cloud, shift, px, weights = scene()
    K = np.repeat(CAMERA.K[None], len(px), 0)
    K[:, [0, 1], [0, 1]] *= np.linspace(1, 2, len(px))[:, None]
    px = Camera(K, CAMERA.R, CAMERA.t, CAMERA.size_px).project(cloud + shift[:, None])
    np.testing.assert_allclose(resect(cloud, px, weights, K)[0], shift, atol=1e-6)


def test_points_without_weight_do_not_count():
    """A point of weight 0 may be anywhere."""
    cloud, shift, px, weights = scene()
    px[:, 3], weights[:, 3] = [-5000, 9000], 0
    np.testing.assert_allclose(resect(cloud, px, weights, CAMERA.K)[0], shift, atol=1e-6)


@pytest.mark.parametrize("known", [0, 1, 2])
def test_too_few_points_are_nan(known):
    """Fewer than three points give NaN; the other frames are not harmed."""
    cloud, shift, px, weights = scene()
    weights[4, known:] = 0
    found, error = resect(cloud, px, weights, CAMERA.K)
    assert np.isnan(found[4]).all()
    others = np.arange(len(px)) != 4
    np.testing.assert_allclose(found[others], shift[others], atol=1e-6)
    assert np.isfinite(error[others]).all()


def test_three_points_are_enough():
    """Three exact points fix the place."""
    cloud, shift, px, weights = scene(seed=3)
    weights[:, 3:] = 0
    np.testing.assert_allclose(resect(cloud, px, weights, CAMERA.K)[0], shift, atol=1e-4)


def test_a_body_behind_the_camera_is_nan():
    """A mirrored cloud, which fits behind the camera only, has no place."""
    cloud, _, px, weights = scene()
    centre = px.mean(1, keepdims=True)
    assert np.isnan(resect(cloud, 2 * centre - px, weights, CAMERA.K)[0]).all()


def test_residual_is_the_mean_pixel_distance():
    """Pixel noise of one standard deviation a direction shows as a mean distance of about 1.25."""
    cloud, _, px, weights = scene(frames=200, points=24)
    _, error = resect(cloud, px + np.random.default_rng(1).normal(size=px.shape), np.ones_like(weights), CAMERA.K)
    assert error.mean() == pytest.approx(np.sqrt(np.pi / 2), rel=0.1)


def test_confident_points_count_more():
    """Of two groups that disagree by 6 px the heavier one is met more closely."""
    cloud, shift, px, weights = scene()
    px[:, ::2] += [6, 0]
    weights[:, ::2], weights[:, 1::2] = 0.01, 1
    found, _ = resect(cloud, px, weights, CAMERA.K)
    away = np.linalg.norm(CAMERA.project(found) - CAMERA.project(shift), axis=-1)
    assert away.max() < 1
