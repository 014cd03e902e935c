"""The shipped weights: how near they come to a walker that no training saw, from noisy keypoints of several sets."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mrs import plugins
from mrs.body import load_body
from mrs.lifting import observed
from mrs.metrics.compare import compare
from mrs.skeletons import BODY_25, COCO_17, KEYPOINT_SETS
from mrs.world import to_world
from tests.walker import walker

BODY = load_body()


@pytest.fixture(scope="module")
def film():
    """A walker who turns aside, filmed with the errors of a detector."""
    return observed.film(walker(np.arange(90) / 30, heading_deg=35)[0], 11)


def measured(film, **options):
    """Lift and measure against the truth."""
    track, truth = film
    lifter = plugins.load().make("lifter", "hmr", {"stature_m": float(BODY.stature_m(truth.betas)), **options})
    motion = to_world(lifter.lift(SimpleNamespace(camera=truth.camera), track))
    return compare([motion], truth, frame="world").predictions[0]


def test_walker_from_landmarks_and_keypoints(film):
    """With 3D landmarks: 45 mm after alignment, and calm before any refinement."""
    found = measured(film)
    assert found["pa_mpjpe_mm"] < 45 and found["accel_error_m_s2"] < 15 and 0.6 < found["limb_speed_ratio"] < 1.2


@pytest.mark.parametrize("keypoints", [None, COCO_17, BODY_25])
def test_walker_from_keypoints_alone(film, keypoints):
    """From 2D alone, of BlazePose, COCO and OpenPose: 65 mm after alignment."""
    track, truth = film
    if keypoints is not None:
        track = replace(track, keypoints=keypoints, keypoints_px=track.keypoints.convert(track.keypoints_px, keypoints), keypoints3d_m=None)
    assert measured((track, truth), landmarks=False)["pa_mpjpe_mm"] < 65


def test_better_than_closed_form(film):
    """Half the error of the closed form from the same landmarks."""
    track, truth = film
    closed = plugins.load().make("lifter", "blazepose3d", {"stature_m": float(BODY.stature_m(truth.betas))})
    other = compare([to_world(closed.lift(SimpleNamespace(camera=truth.camera), track))], truth, frame="world").predictions[0]
    assert measured(film)["pa_mpjpe_mm"] < 0.6 * other["pa_mpjpe_mm"]


def test_standing_feet_are_contacts(film):
    """Contact probabilities agree with the walker's own feet in most frames."""
    track, truth = film
    lifter = plugins.load().make("lifter", "hmr", {})
    motion = lifter.lift(SimpleNamespace(camera=truth.camera), track)
    assert ((motion.contacts > 0.5) == (truth.contacts > 0.5)).mean() > 0.8


def test_points_that_are_no_numbers_count_as_unseen(film):
    """A detector that says NaN, in 2D or 3D, is read as one that saw nothing there: the same motion, all of it finite."""
    track, truth = film
    lost, none, deep = track.keypoints_px.copy(), track.keypoints_px.copy(), track.keypoints3d_m.copy()
    lost[20:24], none[20:24] = np.nan, 0
    deep[20:24] = np.nan
    lifter = plugins.load().make("lifter", "hmr")
    one, two = (lifter.lift(SimpleNamespace(camera=truth.camera), replace(track, keypoints_px=points, keypoints3d_m=landmarks))
                for points, landmarks in ((lost, deep), (none, track.keypoints3d_m)))
    assert np.isfinite(one.root_pos_m).all() and (one.confidence[20:24] == 0).all()
    assert np.abs(one.root_pos_m - two.root_pos_m).max() < 1e-5 and np.abs(one.local_quat_wxyz - two.local_quat_wxyz).max() < 1e-5


@pytest.mark.parametrize("rate_hz", [12.0, 24.0, 59.94, 120.0])
def test_any_frame_rate(rate_hz):
    """The walker at 12 to 120 frames a second, also in clips shorter than a window: 65 mm after alignment."""
    film = observed.film(walker(np.arange(round(1.5 * rate_hz)) / rate_hz, heading_deg=35)[0], 11)
    assert measured(film)["pa_mpjpe_mm"] < 65


@pytest.mark.parametrize("name", sorted(set(KEYPOINT_SETS) - {"blazepose-33"}))
def test_any_keypoint_set(name):
    """Exact points of every set that has shoulders, hips and limbs: 60 mm after alignment."""
    truth = walker(np.arange(60) / 30, heading_deg=35)[0]
    track, truth = observed.film(truth, 11)
    keypoints = KEYPOINT_SETS[name]
    known, rows = keypoints.subset(BODY.landmark_names)
    points = np.zeros((len(truth), len(keypoints), 3))
    points[:, rows] = np.concatenate([truth.camera.project(BODY.keypoints(truth, known)), np.full((len(truth), len(rows), 1), 0.9)], -1)
    assert measured((replace(track, keypoints=keypoints, keypoints_px=points, keypoints3d_m=None), truth))["pa_mpjpe_mm"] < 60
