"""The lifter from 2D alone, on keypoints projected from bodies that are known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mrs import plugins
from mrs.errors import InputError
from mrs.skeletons import BODY_25, COCO_17
from tests.walker import filmed, walker

TIMES = np.arange(28) / 30


def lift(track, camera, **options):
    plugin = plugins.load().make("lifter", "smplify", options)
    return plugin.lift(SimpleNamespace(camera=camera, size_px=(1280, 720)), track)


def about_pelvis(motion, camera):
    """Joints about the pelvis in camera axes."""
    joints = motion.joints_m - motion.joints_m[:, :1]
    return joints if motion.frame == "camera" else joints @ np.swapaxes(camera.R, -1, -2)


@pytest.fixture(scope="module")
def walk():
    """Somebody who walks across the picture, seen at BODY_25 with noise of half a percent, and what was lifted."""
    track, truth = filmed(walker(TIMES)[0], keypoints=BODY_25, noise=0.005)
    return track, truth, lift(track, truth.camera)


def test_a_walker_seen_from_the_side_is_lifted(walk):
    """Joints are within 9 cm in the mean, the pelvis's way is right, and nobody walks backwards."""
    _, truth, found = walk
    error = np.linalg.norm(about_pelvis(found, truth.camera) - about_pelvis(truth, truth.camera), axis=-1).mean()
    assert error < 0.09
    seen = truth.camera.to_camera(truth.root_pos_m)
    assert np.abs((found.root_pos_m - seen) / seen[:, 2:])[:, :2].max() < 0.02
    facing = found.joints_m[:, [10, 11]].mean(1) - found.joints_m[:, [7, 8]].mean(1)
    assert (np.sign(facing[:, 0]) == np.sign(seen[-1, 0] - seen[0, 0])).mean() > 0.95


def test_it_meets_the_keypoints(walk):
    """Projected again, the lifted body lies within 2 % of the height on what was seen."""
    from mrs.body import load_body

    track, truth, found = walk
    K = truth.camera.K
    marks = load_body().keypoints(found, BODY_25) @ K.T
    away = np.linalg.norm(marks[..., :2] / marks[..., 2:] - track.keypoints_px[..., :2], axis=-1)
    assert np.median(away / track.heights_px()[:, None]) < 0.02


def test_someone_who_faces_the_camera_is_told_from_someone_who_turns_the_back():
    """17 points without feet do: the face and the sides tell."""
    for heading, sign in ((90.0, -1), (-90.0, 1)):
        track, truth = filmed(walker(TIMES[:10], heading_deg=heading)[0], keypoints=COCO_17, noise=0.003)
        found = lift(track, truth.camera)
        across = about_pelvis(found, truth.camera)[:, 1] - about_pelvis(found, truth.camera)[:, 2]
        true = about_pelvis(truth, truth.camera)[:, 1] - about_pelvis(truth, truth.camera)[:, 2]
        assert (np.sign(across[:, 0]) == np.sign(true[:, 0])).all(), (heading, sign)
        error = np.linalg.norm(about_pelvis(found, truth.camera) - about_pelvis(truth, truth.camera), axis=-1).mean()
        assert error < 0.13


def test_stature_scales_the_distance():
    """A taller person who looks the same stands further away in proportion."""
    track, truth = filmed(walker(TIMES[:7])[0], keypoints=BODY_25)
    low, high = (lift(track, truth.camera, stature_m=s) for s in (1.5, 1.8))
    assert np.median(high.root_pos_m[:, 2] / low.root_pos_m[:, 2]) == pytest.approx(1.2, abs=0.03)


def test_a_camera_that_turns_is_taken_frame_by_frame():
    """Up and the lens are those of each frame."""
    from mrs import rotations

    def rolling(camera):
        roll = rotations.axis_angle_to_matrix(np.radians(np.linspace(-20, 20, 13))[:, None] * [0.0, 0, 1])
        return replace(camera, R=roll @ camera.R, t=np.einsum("tij,j->ti", roll, camera.t))

    track, truth = filmed(walker(TIMES[:13])[0], keypoints=BODY_25, moving=rolling)
    found = lift(track, truth.camera)
    true = np.einsum("tij,tkj->tki", truth.camera.R, truth.joints_m - truth.joints_m[:, :1])
    assert np.linalg.norm(about_pelvis(found, None) - true, axis=-1).mean() < 0.1


def test_frames_without_evidence_are_filled_with_confidence_zero():
    """A gap is bridged, and says so."""
    track, truth = filmed(walker(TIMES[:20])[0], keypoints=BODY_25)
    points = track.keypoints_px.copy()
    points[8:14, :, 2] = 0
    found = lift(replace(track, keypoints_px=points), truth.camera)
    assert (found.confidence[8:14] == 0).all() and (found.confidence[:8, 1] > 0).all()
    assert np.isfinite(found.joints_m).all()


def test_three_points_are_no_body():
    """One line says what is wanted."""
    track, truth = filmed(walker(TIMES[:6])[0], keypoints=BODY_25)
    points = track.keypoints_px.copy()
    points[:, 3:, 2] = 0
    with pytest.raises(InputError, match="four keypoints"):
        lift(replace(track, keypoints_px=points), truth.camera)
