"""Refining a filmed walker: closer to the truth than what was lifted, at any frame rate, and never NaN."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import metrics
from mrs.body import load_body
from mrs.refine.sfv import Plan, refine
from mrs.refine.solver import Scales
from mrs.skeletons import COCO_17, SMPL_PARENTS
from mrs.world import settle
from tests.refine.clips import acceleration_error_m_s2, is_finite, lift, noisy, pose_error_mm, refined

UNEVEN = np.cumsum(np.random.default_rng(0).uniform(0.012, 0.06, 90))
CLIPS = {"30 fps": np.arange(90) / 30, "60 fps": np.arange(150) / 60, "12 fps": np.arange(40) / 12,
         "240 fps": np.arange(360) / 240, "uneven": UNEVEN, "30 fps, an hour in": 3600 + np.arange(60) / 30}


@pytest.fixture(scope="module", params=CLIPS)
def clip(request):
    """Track, truth, lifted and refined motion of one clip."""
    track, truth = noisy(CLIPS[request.param])
    lifted = lift(track, truth.camera)
    return track, truth, lifted, refined(track, lifted)


@pytest.fixture(scope="module")
def short():
    """One second at 30 frames a second with modest noise."""
    track, truth = noisy(np.arange(30) / 30, noise=0.005, noise3d_m=0.015)
    return track, truth, lift(track, truth.camera)


class TestAgainstTheLiftedMotion:
    """What refining is for; the noise is 1 % of the height in 2D, 3 cm in 3D, one keypoint in twenty lost."""

    def test_keypoints_are_met_more_closely(self, clip):
        """The 2D error falls by two fifths at least."""
        track, _, lifted, done = clip
        assert metrics.error_2d_percent(track, done) < 0.6 * metrics.error_2d_percent(track, lifted)

    def test_joints_are_closer_to_the_truth(self, clip):
        """MPJPE falls to less than half, and below 30 mm."""
        _, truth, lifted, done = clip
        assert pose_error_mm(done, truth) < min(30, 0.5 * pose_error_mm(lifted, truth))

    def test_accelerations_are_closer_to_the_truth(self, clip):
        """The acceleration error falls to a tenth, and below 4.5 m/s^2: calmer results lose the speed of fast limbs."""
        _, truth, lifted, done = clip
        assert acceleration_error_m_s2(done, truth) < min(4.5, 0.1 * acceleration_error_m_s2(lifted, truth))

    def test_jitter_falls_at_least_five_times(self, clip):
        """And is at most 2.6 times that of the true walk."""
        _, truth, lifted, done = clip
        assert metrics.jitter(done) < metrics.jitter(lifted) / 5
        assert metrics.jitter(done) < 2.6 * metrics.jitter(truth)

    def test_path_is_closer_to_the_truth(self, clip):
        """The root's mean error is at most the lifted one's, and below 15 cm of 6 m."""
        _, truth, lifted, done = clip

        def error(motion):
            return np.linalg.norm(motion.root_pos_m - truth.root_pos_m, axis=-1).mean()

        assert error(done) < min(0.15, error(lifted))

    def test_feet_in_contact_stand(self, clip):
        """Median slide below 3 cm/s where they truly stand, and where the result says so."""
        _, truth, _, done = clip
        assert metrics.foot_skate(done, truth.contacts) < 3 and metrics.foot_skate(done, done.contacts) < 3

    def test_contacts_are_found(self, clip):
        """At least 85 % of frames and feet agree with the truth."""
        _, truth, _, done = clip
        assert ((done.contacts > 0.5) == (truth.contacts > 0.5)).mean() > 0.85

    def test_feet_do_not_sink(self, clip):
        """On its settled ground the body is less than 5 mm deep on average."""
        assert metrics.penetration(settle([clip[3]])[0]) < 0.5

    def test_no_frame_jumps(self, clip):
        """No joint moves farther in one frame than 1.5 times the walker's fastest."""
        _, truth, _, done = clip
        assert metrics.largest_jump(done) < 1.5 * metrics.largest_jump(truth)

    def test_it_is_a_motion_of_one_body(self, clip):
        """Bones are constant, joints are those of the rotations, times and camera are untouched, the frame is the world."""
        track, _, lifted, done = clip
        done.validate()
        bones = np.linalg.norm(done.joints_m[:, 1:] - done.joints_m[:, SMPL_PARENTS[1:]], axis=-1)
        np.testing.assert_allclose(bones, np.broadcast_to(bones[0], bones.shape), atol=1e-6)
        again = load_body().joints(done.root_pos_m, done.local_quat_wxyz, done.betas)
        np.testing.assert_allclose(again, done.joints_m, atol=1e-5)
        np.testing.assert_array_equal(done.times_s, track.times_s)
        np.testing.assert_array_equal(done.camera.K, lifted.camera.K)
        assert done.frame == "world"


@pytest.fixture(scope="module")
def clean(short):
    """The refined motion of the short clip."""
    return refined(short[0], short[2])


def pose_moved_m(a, b):
    """Largest distance of any joint between two motions, pelvis on pelvis."""
    return np.linalg.norm(a.joints_m - a.joints_m[:, :1] - b.joints_m + b.joints_m[:, :1], axis=-1).max()


def test_noise_free_evidence_is_met():
    """Exact keypoints and 3D landmarks give the walk back within 15 mm, 2D within 0.5 %."""
    track, truth = noisy(np.arange(60) / 30, noise=0, noise3d_m=0, dropout=0)
    done = refined(track, lift(track, truth.camera))
    assert pose_error_mm(done, truth) < 15 and metrics.error_2d_percent(track, done) < 0.5


@pytest.mark.parametrize("first", [0, 30, 45])
def test_a_gap_of_half_a_second_is_bridged_without_a_jump(first):
    """15 frames without any evidence, in the middle or at an end: finite, smooth, and near the truth elsewhere."""
    track, truth = noisy(np.arange(60) / 30, noise=0.005, noise3d_m=0.015, speed_m_s=0.6)
    gap = slice(first, first + 15)
    points, boxes = track.keypoints_px.copy(), track.boxes_px.copy()
    points[gap], boxes[gap] = 0, 0
    track = replace(track, keypoints_px=points, boxes_px=boxes)
    done = refined(track, lift(track, truth.camera))
    seen = track.seen
    assert is_finite(done)
    assert metrics.largest_jump(done) < 1.5 * metrics.largest_jump(truth)
    done_m_s2, true_m_s2 = (np.linalg.norm(metrics.derivative(m.joints_m, m.times_s, 2), axis=-1).max(1) for m in (done, truth))
    assert done_m_s2[max(first - 5, 0) : first + 18].max() < 1.5 * true_m_s2.max()
    assert pose_error_mm(replace(done, joints_m=done.joints_m[seen]), replace(truth, joints_m=truth.joints_m[seen])) < 25


@pytest.mark.parametrize("seed", [1, 2])
def test_gross_errors_of_single_keypoints_are_let_go(short, clean, seed):
    """One keypoint in ten off by some 100 px: the pose error grows by less than 5 mm and nothing moves by 15 cm."""
    track, truth, lifted = short
    rng = np.random.default_rng(seed)
    points = track.keypoints_px.copy()
    wrong = rng.random(points.shape[:2]) < 0.1
    points[..., :2] += wrong[..., None] * rng.normal(size=(*wrong.shape, 2)) * 100
    done = refined(replace(track, keypoints_px=points), lifted)
    assert pose_error_mm(done, truth) < pose_error_mm(clean, truth) + 5
    assert pose_moved_m(done, clean) < 0.15


def test_a_wrist_that_jumps_away_for_a_moment_is_let_go(short, clean):
    """One wrist 150 px off for four frames, with full confidence, moves the body by less than 10 cm."""
    track, _, lifted = short
    points = track.keypoints_px.copy()
    points[12:16, track.keypoints.index("left_wrist"), 0] += 150
    assert pose_moved_m(refined(replace(track, keypoints_px=points), lifted), clean) < 0.1


class TestWindows:
    """Long clips in overlapping windows."""

    @pytest.mark.parametrize(("fps", "frames", "window"), [(30, 130, 70), (120, 220, 110)])
    def test_they_agree_with_one_window(self, fps, frames, window):
        """Within 1 cm on average, 3 cm of pose at worst; no jump and no jitter at the seams, at any frame rate."""
        track, truth = noisy(np.arange(frames) / fps, speed_m_s=0.5, distance_m=7)
        lifted = lift(track, truth.camera)
        whole, cut = (refined(track, lifted, window_frames=size, iterations=20, contact_iterations=15)
                      for size in (10**6, window))
        assert np.linalg.norm(whole.joints_m - cut.joints_m, axis=-1).mean() < 0.01
        assert pose_moved_m(whole, cut) < 0.03
        assert metrics.largest_jump(cut) < 1.1 * metrics.largest_jump(whole)
        assert metrics.jitter(cut) < 1.2 * metrics.jitter(whole)
        assert abs(pose_error_mm(cut, truth) - pose_error_mm(whole, truth)) < 2

    def test_progress_comes_to_its_end(self, short):
        """Progress grows in both passes and ends at its total."""
        track, _, lifted = short
        calls = []
        refine(track, lifted, Scales(), Plan(iterations=2, contact_iterations=2, window_frames=60),
               progress=lambda done, total: calls.append((done, total)))
        done, totals = zip(*calls, strict=True)
        assert list(done) == sorted(done) and done[-1] == totals[-1] and len(set(totals)) == 1


def test_the_same_twice_is_the_same(short, clean):
    """Refining is deterministic to the last bit."""
    one, two = clean, refined(short[0], short[2])
    for name in ("root_pos_m", "local_quat_wxyz", "joints_m", "contacts", "betas"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_the_input_is_left_alone(short):
    """Neither the track nor the lifted motion changes."""
    track, _, lifted = short
    before = track.keypoints_px.copy(), lifted.joints_m.copy(), lifted.local_quat_wxyz.copy()
    refined(track, lifted, iterations=2, contact_iterations=2)
    for value, old in zip((track.keypoints_px, lifted.joints_m, lifted.local_quat_wxyz), before, strict=True):
        np.testing.assert_array_equal(value, old)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8])
def test_a_few_frames_are_refined(frames):
    """One, two or three frames come out finite and no farther from the truth than 4 cm."""
    track, truth = noisy(np.arange(frames) / 30, noise=0.005, noise3d_m=0.01)
    done = refined(track, lift(track, truth.camera))
    assert is_finite(done) and len(done) == frames and pose_error_mm(done, truth) < 40


@pytest.mark.parametrize("frames", [1, 2, 30])
def test_no_evidence_at_all_stays_finite(frames):
    """Confidence 0 everywhere: a finite motion with no contacts and no errors."""
    track, truth = noisy(np.arange(frames) / 30)
    points = track.keypoints_px.copy()
    points[..., 2] = 0
    done = refined(replace(track, keypoints_px=points), replace(truth, confidence=0 * truth.confidence))
    assert is_finite(done) and done.contacts.max() == 0


def test_a_frozen_person_stays_frozen():
    """The same picture in every frame gives a body that does not move."""
    track, truth = noisy(np.arange(30) / 30, noise=0, noise3d_m=0, dropout=0)
    still = track.at(np.zeros(30, int))
    still = replace(still, times_s=track.times_s, frame_ids=track.frame_ids)
    done = refined(still, lift(still, truth.camera))
    assert np.ptp(done.joints_m, axis=0).max() < 0.005


def test_other_keypoint_sets_refine_too():
    """COCO-17 keypoints, without feet, refine a motion lifted elsewhere."""
    times = np.arange(30) / 30
    full, truth = noisy(times)
    lifted = lift(full, truth.camera)
    track, _ = noisy(times, keypoints=COCO_17)
    done = refined(track, lifted)
    assert is_finite(done) and pose_error_mm(done, truth) < 0.6 * pose_error_mm(lifted, truth)
    assert metrics.jitter(done) < metrics.jitter(lifted) / 5


def test_a_freed_focal_length_stays_with_the_motion():
    """With a lens that is told 15 % too long, the refined camera has the focal length of the report, and meets the picture."""
    track, truth = noisy(np.arange(30) / 30, noise=0.003, noise3d_m=0.01)
    told = replace(truth.camera, K=truth.camera.K * np.array([[1.15, 1, 1], [1, 1.15, 1], [1, 1, 1]]))
    done, report = refine(track, lift(track, told), Scales(), Plan(free_focal=True))
    assert done.camera.K[0, 0] == pytest.approx(report["focal_px"], rel=1e-6) and report["focal_px"] != pytest.approx(told.K[0, 0], rel=1e-4)
    np.testing.assert_allclose(done.camera.K[:2, 2], told.K[:2, 2], rtol=1e-6)
    assert metrics.error_2d_percent(track, done) < 1
