"""Lifting filmed walkers from their landmarks: where, how turned, how tall, how sure."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from mrs_plugins.lifters.blazepose3d import BlazePose3D

from mrs import metrics, options, plugins
from mrs.body import load_body
from mrs.errors import InputError, UsageError
from mrs.skeletons import BODY_25, SMPL_24
from mrs.world import to_world
from tests.walker import filmed, walker

BODY = load_body()
TIMES_S = np.arange(40) / 30


def lift(track, camera, **values):
    """Run the lifter with options."""
    lifter = BlazePose3D()
    lifter.options = options.build(BlazePose3D, values, "lifter")
    return lifter.lift(SimpleNamespace(camera=camera), track)


def lose(track, rows):
    """The same track with nothing seen, and everything zero, in some rows."""
    changed = {name: getattr(track, name).copy() for name in ("keypoints_px", "boxes_px", "keypoints3d_m")}
    for value in changed.values():
        value[rows] = 0
    return replace(track, **changed)


@pytest.fixture(scope="module")
def case():
    """A walker filmed exactly, and the truth with its camera."""
    return filmed(walker(TIMES_S)[0])


class TestExactEvidence:
    """What comes out of landmarks without noise."""

    def test_joints_and_path_are_those_of_the_walker(self, case):
        """Given the stature, pose within 1 cm on average and the path within 6 cm at 6 m."""
        track, truth = case
        found = to_world(lift(track, truth.camera, stature_m=BODY.stature_m(truth.betas)))
        pose = (found.joints_m - found.joints_m[:, :1]) - (truth.joints_m - truth.joints_m[:, :1])
        assert np.linalg.norm(pose, axis=-1).mean() < 0.01
        assert np.linalg.norm(found.root_pos_m - truth.root_pos_m, axis=-1).max() < 0.06

    def test_body_lies_over_the_picture(self, case):
        """The 2D error is below 1 % of the height."""
        track, truth = case
        assert metrics.error_2d_percent(track, to_world(lift(track, truth.camera))) < 1

    def test_it_is_a_camera_motion_with_the_video_s_camera(self, case):
        """Frame "camera", the camera itself, the track's times, a valid motion with positive depth."""
        track, truth = case
        found = lift(track, truth.camera).validate()
        assert found.frame == "camera" and found.camera is truth.camera
        np.testing.assert_array_equal(found.times_s, track.times_s)
        assert (found.root_pos_m[:, 2] > 4).all()

    @pytest.mark.parametrize("stature_m", [1.5, 1.95])
    def test_stature_sets_size_and_distance(self, case, stature_m):
        """The same picture of a smaller person is nearer, in proportion."""
        track, truth = case
        found = lift(track, truth.camera, stature_m=stature_m)
        assert BODY.stature_m(found.betas) == pytest.approx(stature_m, abs=0.05)
        expected = 6.0 * BODY.stature_m(found.betas) / BODY.stature_m(truth.betas)
        assert found.root_pos_m[:, 2].mean() == pytest.approx(expected, rel=0.08)

    def test_without_a_stature_an_adult_is_assumed(self, case):
        """Between 1.6 and 1.85 m."""
        assert 1.6 < BODY.stature_m(lift(*[case[0], case[1].camera]).betas) < 1.85


class TestMissingFrames:
    """Frames in which nobody was seen."""

    def test_they_are_interpolated_with_confidence_zero(self, case):
        """Ten frames lost: confidence 0 there and only there, the path and the pose between their neighbours'."""
        track, truth = case
        whole, found = lift(track, truth.camera), lift(lose(track, slice(15, 25)), truth.camera)
        lost = np.zeros(40, bool)
        lost[15:25] = True
        assert (found.confidence[lost] == 0).all() and (found.confidence[~lost] > 0.5).all()
        np.testing.assert_allclose(found.joints_m[~lost], whole.joints_m[~lost], atol=0.01)
        ends = found.root_pos_m[[14, 25]]
        share = np.linspace(0, 1, 12)[1:-1, None]
        np.testing.assert_allclose(found.root_pos_m[lost], ends[0] + share * (ends[1] - ends[0]), atol=1e-9)
        assert metrics.largest_jump(found) < 1.2 * metrics.largest_jump(whole)

    @pytest.mark.parametrize("rows", [slice(0, 8), slice(32, 40)])
    def test_at_the_ends_the_nearest_seen_pose_is_held(self, case, rows):
        """Lost frames at the start or the end repeat the nearest seen one."""
        track, truth = case
        found = lift(lose(track, rows), truth.camera)
        nearest = 8 if rows.start == 0 else 31
        np.testing.assert_allclose(found.joints_m[rows], np.broadcast_to(found.joints_m[nearest], (8, 24, 3)), atol=1e-9)

    def test_nobody_seen_at_all_is_one_clear_error(self, case):
        """It names the person and what to try."""
        track, truth = case
        with pytest.raises(InputError, match="person 1 to be seen well enough.*Try another --person"):
            lift(lose(track, slice(None)), truth.camera)

    def test_unsure_keypoints_do_not_place_the_body(self, case):
        """Wrists and ankles 200 px off with confidence below the threshold do not move the root; above it they would."""
        track, truth = case
        points = track.keypoints_px.copy()
        points[:, track.keypoints.indices("left_ankle", "left_knee"), :] += [200, 0, -0.75]
        found = lift(replace(track, keypoints_px=points), truth.camera)
        np.testing.assert_allclose(found.root_pos_m, lift(track, truth.camera).root_pos_m, atol=0.03)


class TestRefusals:
    """Tracks that can't be lifted."""

    def test_tracks_without_3d_landmarks(self, case):
        """The message says what to type."""
        track, truth = case
        with pytest.raises(InputError, match="3D landmarks.*--detector blazepose"):
            lift(replace(track, keypoints3d_m=None), truth.camera)

    def test_tracks_of_another_keypoint_set(self):
        """3D points of BODY_25 lack the hands that the lifter reads."""
        track, truth = filmed(walker(TIMES_S[:5])[0], keypoints=BODY_25)
        with pytest.raises(InputError, match="blazepose-33.*but got body-25"):
            lift(track, truth.camera)

    def test_a_stature_out_of_range(self):
        """Three metres is nobody."""
        with pytest.raises(UsageError, match="lifter.stature_m"):
            options.build(BlazePose3D, {"stature_m": 3.0}, "lifter")


def test_confidence_is_that_of_the_keypoint_at_the_joint(case):
    """A knee seen badly is a joint known badly; the spine follows the torso; the head the nose."""
    track, truth = case
    points = track.keypoints_px.copy()
    points[..., 2] = 0.9
    points[:, track.keypoints.index("left_knee"), 2] = 0.4
    points[:, track.keypoints.index("nose"), 2] = 0.5
    points[:, track.keypoints.index("right_foot_index"), 2] = 0.6
    found = lift(replace(track, keypoints_px=points), truth.camera).confidence[3]
    expected = np.full(24, 0.9)
    expected[SMPL_24.indices("left_knee", "head", "right_foot")] = [0.4, 0.5, 0.6]
    np.testing.assert_allclose(found, expected)


def test_one_frame_is_enough(case):
    """A single frame lifts."""
    track, truth = case
    assert len(lift(track.at(slice(3, 4)), truth.camera).validate()) == 1


def test_it_is_registered():
    """The lifter comes through the same door as every plugin."""
    assert plugins.load().get("lifter", "blazepose3d").cls is BlazePose3D
