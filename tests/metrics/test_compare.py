"""Every measure against motions whose numbers are known by construction."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError, UsageError
from mrs.metrics.compare import HIPS, LIMB_ENDS, MEASURES, chunks, common_times, compare, sample
from mrs.motion import Motion
from mrs.world import _rigid
from tests.walker import filmed, walker

ERRORS = [n for n in MEASURES if n.split("_")[0] in ("mpjpe", "pa", "w", "wa", "rte", "root", "accel", "world")]


def times(count=60, fps=30.0, start=0.0):
    """Even times (T,)."""
    return start + np.arange(count) / fps


def walk(count=60, fps=30.0, **more):
    """A walker with the true contacts."""
    return walker(times(count, fps), **more)[0]


def standing(count=60, fps=30.0):
    """Somebody who stands still with the soles at y = 0."""
    motion = Motion.standing(times(count, fps))
    return shifted(motion, -sample(motion, motion.times_s).soles_m[0, :, 1].min() * np.array([0, 1, 0]))


def shifted(motion, shift):
    """The motion with every joint moved by `shift` (3,) or (T, 3)."""
    shift = np.broadcast_to(shift, (len(motion), 3))
    return replace(motion, root_pos_m=motion.root_pos_m + shift, joints_m=motion.joints_m + shift[:, None])


def turned(motion, axis_angle_deg, shift=(0, 0, 0)):
    """The motion after a rigid transform of the world."""
    return _rigid(motion, rotations.axis_angle_to_matrix(np.radians(axis_angle_deg)), np.array(shift, float))


def swaying(times_s, amount, speed_m_s):
    """Somebody who swings by sines, arms most, and glides forward, now and then at rest: smooth in time."""
    standing = Motion.standing(times_s)
    phases = np.random.default_rng(3).uniform(0, 6, (24, 3))
    vectors = 0.4 * amount * np.sin(5 * times_s[:, None, None] + phases)
    vectors[:, [0, 1, 2, 4, 5, 7, 8]] *= 0.2
    root = standing.root_pos_m + (speed_m_s * (times_s - np.sin(2 * times_s) / 2))[:, None] * [0.2, 0.05, 1]
    return load_body().motion(times_s, root, rotations.axis_angle_to_quat(vectors), np.zeros(10))


def measure(pred, truth, frame="world"):
    """Measures of one prediction."""
    return compare([pred], truth, frame).predictions[0]


def test_the_truth_itself_has_no_error():
    """Every error of a motion against itself is 0, every ratio 1, and its own measures are the truth's."""
    truth = walk(130)
    found = compare([truth], truth, "world")
    pred = found.predictions[0]
    for name in ERRORS:
        assert pred[name] is None if name == "root_angle_inverted_deg" else abs(pred[name]) < 1e-6, name
    assert pred["limb_speed_ratio"] == 1
    for name, value in found.truth.items():
        assert value is None or value == pred[name]
    assert list(pred) == list(MEASURES)


def test_a_constant_offset_is_no_error_of_pose_path_or_acceleration():
    """Moving the world by 2 m changes no error at all."""
    truth = walk(130)
    found = measure(shifted(truth, [2.0, 0, -1]), truth)
    assert all(abs(found[n]) < 1e-6 for n in ERRORS if found[n] is not None)


def test_a_rotated_copy_is_right_after_alignment_only():
    """A tilted, turned world has PA-, W- and WA-MPJPE and RTE 0, but MPJPE and root angle not, which is the turn."""
    truth = walk(130)
    found = measure(turned(truth, [30.0, 0, 0], [1, 2, 3]), truth)
    for name in ("pa_mpjpe_mm", "w_mpjpe_100_mm", "wa_mpjpe_100_mm", "rte_percent"):
        assert found[name] < 1e-6, name
    assert found["mpjpe_mm"] > 100
    assert np.isclose(found["root_angle_deg"], 30)


def test_heading_undoes_a_turn_about_the_vertical():
    """In the frame "heading" a world turned by 140 degrees about Y has no error; in "world" it has."""
    truth = walk()
    pred = turned(truth, [0, 140.0, 0])
    assert measure(pred, truth, "heading")["mpjpe_mm"] < 1e-6
    assert measure(pred, truth, "heading")["root_angle_deg"] < 1e-4
    assert np.isclose(measure(pred, truth)["root_angle_deg"], 140)


def test_a_scaled_copy_keeps_its_error_but_for_the_similarities():
    """A body 10 % larger has MPJPE 0.1 |x| and RTE 0.1 of the path, but PA- and WA-MPJPE 0."""
    truth = walk()
    pred = replace(truth, joints_m=1.1 * truth.joints_m, root_pos_m=1.1 * truth.root_pos_m)
    found = measure(pred, truth)
    about_hips = truth.joints_m - truth.joints_m[:, HIPS].mean(1, keepdims=True)
    assert np.isclose(found["mpjpe_mm"], 100 * np.linalg.norm(about_hips, axis=-1).mean())
    assert found["pa_mpjpe_mm"] < 1e-6 and found["wa_mpjpe_100_mm"] < 1e-6 and found["w_mpjpe_100_mm"] < 1e-6
    assert np.isclose(found["limb_speed_ratio"], 1.1)


def test_root_drift_along_a_straight_path_is_a_quarter_of_the_drift():
    """A straight path 8 % too long has RTE 8 % * mean |x - mean x| / L, which tends to 2 %."""
    along = np.linspace(0, 4, 121)
    truth = shifted(standing(121), along[:, None] * [0, 0, 1.0])
    pred = shifted(standing(121), 1.08 * along[:, None] * [0, 0, 1.0])
    expected = 8 * np.abs(along - along.mean()).mean() / 4
    assert np.isclose(measure(pred, truth)["rte_percent"], expected)
    assert abs(expected - 2) < 0.02


def test_drift_after_the_first_frames_counts_fully_in_w():
    """A jump by 0.5 m after two of 60 frames gives W-MPJPE 500 * 58 / 60 mm, and less in WA-MPJPE."""
    truth = standing()
    jump = np.zeros((60, 3))
    jump[2:, 0] = 0.5
    found = measure(shifted(truth, jump), truth)
    assert np.isclose(found["w_mpjpe_100_mm"], 500 * 58 / 60)
    assert 10 < found["wa_mpjpe_100_mm"] < 100


def test_w_starts_anew_in_every_chunk():
    """The same jump in frame 150 of 200 is seen in the second chunk only: 500 * 50 / 200 mm."""
    truth = standing(200)
    jump = np.zeros((200, 3))
    jump[150:, 0] = 0.5
    assert np.isclose(measure(shifted(truth, jump), truth)["w_mpjpe_100_mm"], 500 * 50 / 200)


def test_chunks_are_100_frames_at_30_a_second_at_any_rate():
    """100 to 199 frames are one chunk, 200 two; 400 frames at 60 a second are two of 200."""
    def lengths(count, fps):
        return [r.stop - r.start for r in chunks(times(count, fps, start=7.3))]

    assert lengths(1, 30) == [1] and lengths(40, 30) == [40] and lengths(100, 30) == [100]
    assert lengths(199, 30) == [199] and lengths(200, 30) == [100, 100] and lengths(250, 30) == [100, 150]
    assert lengths(400, 60) == [200, 200] and lengths(300, 29.97) == [100, 100, 100]


@pytest.mark.parametrize("fps", [30, 60, 23.976])
def test_acceleration_errors_of_a_parabola(fps):
    """A root that gains 3 m/s^2 errs by 3 in the world and by 0 about the hips; one joint of 24 errs by 3/24."""
    truth = walk(40, fps)
    away = 1.5 * truth.times_s[:, None] ** 2 * [0, 0.6, 0.8]
    found = measure(shifted(truth, away), truth)
    assert np.isclose(found["world_accel_error_m_s2"], 3) and found["accel_error_m_s2"] < 1e-6
    joints = truth.joints_m.copy()
    joints[:, 15] += away
    found = measure(replace(truth, joints_m=joints), truth)
    assert np.isclose(found["accel_error_m_s2"], 3 / 24) and np.isclose(found["world_accel_error_m_s2"], 3 / 24)


@pytest.mark.parametrize("fps", [30, 60, 23.976])
def test_jitter_of_a_cubic_is_its_third_derivative(fps):
    """x = 50 t^3 has a third derivative of 300 m/s^3, which is a jitter of 30."""
    truth = standing(30, fps)
    found = compare([shifted(truth, 50 * truth.times_s[:, None] ** 3 * [1, 0, 0])], truth)
    assert np.isclose(found.predictions[0]["jitter_10m_s3"], 30)
    assert found.truth["jitter_10m_s3"] < 1e-6


@pytest.mark.parametrize("fps", [30, 60])
def test_sliding_at_a_known_speed(fps):
    """Somebody who stands but slides at 0.12 m/s slides 4 mm per 1/30 s, 120 mm/s, at any rate."""
    truth = standing(30, fps)
    found = measure(shifted(truth, 0.12 * truth.times_s[:, None] * [0, 0, 1]), truth)
    assert np.isclose(found["foot_sliding_mm"], 4) and np.isclose(found["foot_sliding_mm_s"], 120)


def test_sliding_counts_only_while_the_true_foot_stands():
    """Where the truth moves 1 cm or more per 1/30 s nothing slides."""
    truth = standing()
    fast = shifted(truth, 0.31 * truth.times_s[:, None] * [0, 0, 1])
    assert measure(truth, fast)["foot_sliding_mm"] is None
    slow = shifted(truth, 0.29 * truth.times_s[:, None] * [0, 0, 1])
    assert measure(truth, slow)["foot_sliding_mm"] == 0


def test_depth_below_and_height_above_the_ground():
    """Lowered by 2 cm, everything penetrates 20 mm; raised by 3 cm, it floats 30 mm, plus how far toes stand up."""
    truth = standing()
    low, high = measure(shifted(truth, [0, -0.02, 0]), truth), measure(shifted(truth, [0, 0.03, 0]), truth)
    assert np.isclose(low["penetration_mm"], 20) and np.isclose(low["penetration_max_mm"], 20)
    assert high["penetration_mm"] == 0
    assert abs(high["floating_mm"] - 30) < 5 and low["floating_mm"] < 5


def test_a_truth_on_another_ground_level_makes_nothing_float():
    """A truth whose floor is at y = -0.9 m (a BVH file) is measured above that floor."""
    truth = standing()
    assert measure(truth, shifted(truth, [0, -0.9, 0]))["floating_mm"] < 5


def test_who_stands_on_a_roof_does_not_float():
    """Two metres above the floor, truth and prediction alike; 3 cm above the roof is 30 mm."""
    roof = shifted(standing(), [0, 2, 0])
    assert measure(roof, roof)["floating_mm"] == 0
    assert abs(measure(shifted(roof, [0, 0.03, 0]), roof)["floating_mm"] - 30) < 5


def test_peak_limb_speed_of_halved_limbs_is_a_half():
    """Wrists and ankles at half their distance from the mid-hip have half the peak speed, at any root path."""
    truth = walk()
    joints = truth.joints_m.copy()
    hips = joints[:, HIPS].mean(1, keepdims=True)
    joints[:, LIMB_ENDS] = hips + 0.5 * (joints[:, LIMB_ENDS] - hips)
    pred = shifted(replace(truth, joints_m=joints), truth.times_s[:, None] ** 2 * [3.0, 0, 0])
    assert np.isclose(measure(pred, truth)["limb_speed_ratio"], 0.5)


def test_bone_lengths_are_taken_from_the_prediction_own_frames():
    """A head that moves up by 1 cm in one frame changes a bone by 10 mm, within a small angle."""
    truth = standing()
    joints = truth.joints_m.copy()
    joints[7, 15] += rotations.normalise(joints[7, 15] - joints[7, 12]) * 0.01
    assert np.isclose(measure(replace(truth, joints_m=joints), truth)["bone_change_mm"], 10)


def test_root_angle_upside_down_looks_at_inverted_frames_only():
    """With 40 degrees of error in the inverted half and none in the other, the means are 20 and 40 degrees."""
    truth, pred = standing(40), standing(40)
    over, off = np.zeros((40, 3)), np.zeros((40, 3))
    over[20:, 0] = np.pi
    off[20:, 2] = np.radians(40)
    quats = truth.local_quat_wxyz.copy()
    quats[:, 0] = rotations.axis_angle_to_quat(over)
    wrong = quats.copy()
    wrong[:, 0] = rotations.quat_multiply(rotations.axis_angle_to_quat(off), quats[:, 0])
    found = measure(replace(pred, local_quat_wxyz=wrong), replace(truth, local_quat_wxyz=quats))
    assert np.isclose(found["root_angle_inverted_deg"], 40) and np.isclose(found["root_angle_deg"], 20)


def test_30_and_60_frames_a_second_agree():
    """The same wrong motion at 30 and at 60 frames a second gets the same numbers within 3 %.

    Floating within 10 %: it is a mean over the few moments in which this truth stands still.
    """
    def found(fps):
        t = times(int(4.5 * fps), fps)
        return measure(shifted(swaying(t, 0.9, 0.5), [0, 0.02, 0]), swaying(t, 1.0, 0.45))

    slow, fast = found(30), found(60)
    for name in MEASURES:
        if slow[name] is not None:
            share = 0.1 if name == "floating_mm" else 0.03
            assert abs(slow[name] - fast[name]) <= share * abs(slow[name]) + 0.05, name


def test_a_prediction_at_another_rate_is_resampled_to_the_truth():
    """60 against 30 frames a second is exact; 50 against 30 errs by less than 2 mm; lengths may differ."""
    truth = walk(60)
    assert measure(walk(140, 60), truth)["mpjpe_mm"] < 1e-9
    found = compare([walk(80, 50)], truth, "world")
    assert found.predictions[0]["mpjpe_mm"] < 2 and found.predictions[0]["root_angle_deg"] < 0.5
    assert len(found.times_s) == 48 and found.times_s[-1] <= 79 / 50 + 1e-6


def test_all_predictions_are_measured_at_the_same_frames():
    """The interval is what the truth and all predictions share."""
    late = replace(standing(40), times_s=times(40, start=0.5))
    assert np.allclose(common_times([late, standing(30)], standing(60)), times(30)[15:])


def test_motions_without_common_time_are_refused():
    """Files that do not overlap say what they cover and which flag helps."""
    with pytest.raises(InputError, match="--from-start"):
        compare([replace(standing(10), times_s=times(10, start=5))], standing(10))


def test_one_frame_gives_poses_and_no_derivatives():
    """A one-frame motion has pose errors; what needs several frames is None, and nothing is NaN."""
    truth = standing(1)
    found = measure(shifted(truth, [0, 0.1, 0]), truth)
    none = {n for n, v in found.items() if v is None}
    assert none == {"rte_percent", "root_angle_inverted_deg", "accel_error_m_s2", "world_accel_error_m_s2",
                    "jitter_10m_s3", "foot_sliding_mm", "foot_sliding_mm_s", "floating_mm", "limb_speed_ratio"}
    assert found["mpjpe_mm"] < 1e-6 and found["w_mpjpe_100_mm"] < 1e-6


def test_nan_is_refused():
    """A motion with NaN is refused before anything is measured, on either side."""
    bad = standing(5)
    bad.joints_m[2, 3] = np.nan
    for pair in ((bad, standing(5)), (standing(5), bad)):
        with pytest.raises(InputError, match="finite joints_m"):
            measure(*pair)


def test_camera_frame_needs_no_common_world():
    """Filmed truth and a copy whose world (and camera) was turned any way agree in their cameras."""
    _, truth = filmed(walk(20))
    pred = turned(truth, [40.0, 80, -20], [1, 2, 3])
    found = compare([pred], truth)
    assert found.frame == "camera" and found.predictions[0]["mpjpe_mm"] < 1e-6
    assert found.predictions[0]["root_angle_deg"] < 1e-4 and found.predictions[0]["world_accel_error_m_s2"] < 1e-6
    assert compare([replace(pred, camera=None)], truth).frame == "heading"


def test_moving_cameras_are_compared_frame_by_frame_when_asked():
    """auto takes the heading where a camera moves; --frame camera compares in each frame's own axes, also resampled."""
    def spinning(camera):
        turn = rotations.axis_angle_to_matrix(np.linspace(0, 0.5, 20)[:, None] * np.array([0.1, 1, 0]))
        R = camera.R @ turn
        return replace(camera, R=R, t=-R @ camera.centre_m)

    _, truth = filmed(walk(20), moving=spinning)
    pred = turned(truth, [40.0, 80, -20], [1, 2, 3])
    assert compare([pred], truth).frame == "heading"
    found = compare([pred], truth, "camera").predictions[0]
    assert found["mpjpe_mm"] < 1e-6 and found["root_angle_deg"] < 1e-4
    later = replace(pred, times_s=pred.times_s + 1e-3)
    assert compare([later], truth, "camera").predictions[0]["mpjpe_mm"] < 5


def test_camera_frame_without_a_camera_is_refused():
    """Asking for cameras that are not there names the other choice; unknown frames are refused."""
    with pytest.raises(InputError, match="--frame heading"):
        measure(standing(5), standing(5), "camera")
    with pytest.raises(UsageError, match="auto, camera"):
        measure(standing(5), standing(5), "sideways")


def test_a_lifted_motion_is_put_on_the_ground_of_its_world():
    """A camera-frame motion (lifted.npz) is compared in its camera's world."""
    _, truth = filmed(walk(20))
    R, t = truth.camera.R, truth.camera.t
    lifted = replace(_rigid(truth, R, t, moved_camera=truth.camera), frame="camera")
    found = compare([lifted], truth)
    assert found.predictions[0]["mpjpe_mm"] < 1e-6 and found.predictions[0]["wa_mpjpe_100_mm"] < 1e-6
    assert found.predictions[0]["penetration_mm"] < 5
