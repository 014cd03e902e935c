"""SFV's objective of 2018 against formulas written out in NumPy, and against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.metrics import bone_change
from mrs.metrics.compare import compare
from mrs.motion import Motion
from mrs.refine import sfv2018
from mrs.refine.sfv2018 import Crops, Problem, Weights, crops_of, observed, refine, to_motion, to_theta
from mrs.skeletons import COCOPLUS_19
from tests.walker import filmed, walker

TERMS = ["keypoints", "betas", "pose", "joints", "camera"]


@pytest.fixture(autouse=True)
def one_thread():
    """Leave the other cores alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def clip(frames=12, fps=30.0, **film):
    """A filmed walk: track, motion, crops."""
    motion, _ = walker(np.arange(frames) / fps, speed_m_s=0.7)
    track, motion = filmed(motion, distance_m=6, **film)
    return track, motion, crops_of(track.keypoints.convert(track.keypoints_px, COCOPLUS_19))


def by_hand(theta0, theta, points, crops, camera_bug):
    """The five terms by the specification's formulas, with the body's own NumPy functions, one frame after the other."""
    def marks_of(row):
        body = load_body()
        quats = rotations.axis_angle_to_quat(row[3:75].reshape(1, 24, 3))
        return body.keypoints(body.motion(np.zeros(1), np.zeros((1, 3)), quats, row[75:]), COCOPLUS_19)[0]

    def projected(row):
        return row[0] * (marks_of(row)[:, :2] + row[1:3])

    c, x = points[:, :, 2], points[:, :, :2]
    error0 = np.array([(c[t] * np.abs(projected(row) - x[t]).sum(1)).sum() for t, row in enumerate(theta0)])
    w = np.exp(-(error0 / error0.max()) ** 2)
    u = np.stack([projected(row) for row in theta])
    nonzero = np.repeat(c[..., None], 2, -1) != 0
    cosine = np.empty((len(theta), 24))
    for t in range(len(theta)):
        for j in range(24):
            a, b = (rotations.axis_angle_to_matrix(row[t, 3 + 3 * j: 6 + 3 * j]) for row in (theta0, theta))
            cosine[t, j] = (np.trace(a @ b.T) - 1) / 2
    marks = np.stack([marks_of(row) for row in theta])
    about = marks - (marks[:, 2:3] + marks[:, 3:4]) / 2
    s, t, sigma = theta[:, :1], theta[:, 1:3], crops.sigma[:, None]
    if camera_bug:
        parts = s / sigma, ((t + 1) * 112 + crops.start_px) / 224
    else:
        parts = s / sigma * sigma.mean(), ((s * t + 1) * 112 + crops.start_px) / sigma * sigma.mean() / 224
    return {
        "keypoints": 10 * (c[..., None] * np.abs(u - x)).sum() / nonzero.sum(),
        "betas": 0.5 * np.mean((theta[:, 75:] - theta0[:, 75:].mean(0)) ** 2),
        "pose": 100 * np.mean(w[:, None] * (1 - cosine) ** 2),
        "joints": 25 * np.mean((about[1:] - about[:-1]) ** 2),
        "camera": sum(np.mean((p[1:] - p[:-1]) ** 2) for p in parts),
    }


@pytest.mark.parametrize("camera_bug", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_all_five_terms_are_those_of_the_formulas(camera_bug, seed):
    """At random poses, shapes, cameras and confidences each term is that of an evaluation in NumPy, to 1e-6."""
    rng = np.random.default_rng(seed)
    track, motion, crops = clip(noise=0.02, dropout=0.2, seed=seed)
    crops = replace(crops, sigma=crops.sigma * rng.uniform(0.9, 1.1, len(motion)))
    theta0 = to_theta(motion, crops) + 0.05 * rng.normal(size=(12, 85))
    theta = theta0 + 0.3 * rng.normal(size=theta0.shape)
    points = observed(track, crops)
    problem = Problem(theta0, points, crops, camera_bug=camera_bug, dtype=torch.float64)
    got = {n: float(v) for n, v in problem.terms(torch.as_tensor(theta)).items()}
    want = by_hand(theta0, theta, points, crops, camera_bug)
    assert list(got) == TERMS
    for name in TERMS:
        assert got[name] == pytest.approx(want[name], rel=1e-6), name
    single = Problem(theta0, points, crops, camera_bug=camera_bug)
    got = single.terms(torch.as_tensor(theta, dtype=torch.float32))
    for name in TERMS:
        assert float(got[name]) == pytest.approx(want[name], rel=1e-3), name


def test_gradients_are_those_of_finite_differences():
    """The gradient of the whole objective agrees with central differences along random directions, to 1e-4."""
    track, motion, crops = clip(6, noise=0.02)
    rng = np.random.default_rng(0)
    theta0 = to_theta(motion, crops)
    problem = Problem(theta0, observed(track, crops), crops, dtype=torch.float64)
    at = torch.as_tensor(theta0 + 0.1 * rng.normal(size=theta0.shape)).requires_grad_()
    sum(problem.terms(at).values()).backward()
    for _ in range(4):
        way = torch.as_tensor(rng.normal(size=theta0.shape))
        with torch.no_grad():
            ahead, behind = (sum(problem.terms(at + sign * 1e-6 * way).values()) for sign in (1, -1))
        assert float((at.grad * way).sum()) == pytest.approx(float(ahead - behind) / 2e-6, rel=1e-4)


def test_pose_term_of_one_joint_by_30_degrees():
    """One joint of 24 off by 30 degrees in one frame costs 100 * (1 - cos 30)^2 / 24 = 0.0748."""
    track, motion, crops = clip(1)
    theta0 = to_theta(motion, crops)
    problem = Problem(theta0, observed(track, crops) * 0, crops, dtype=torch.float64)
    off = rotations.axis_angle_to_quat(np.radians([0, 30, 0]))
    theta = theta0.copy()
    theta[0, 12:15] = rotations.quat_to_axis_angle(rotations.quat_multiply(
        rotations.axis_angle_to_quat(theta0[0, 12:15]), off))
    assert float(problem.terms(torch.as_tensor(theta))["pose"]) == pytest.approx(0.0748, abs=5e-5)


@pytest.mark.parametrize(("degrees", "value"), [(5, 1.4e-5), (30, 0.018), (60, 0.25), (90, 1.0)])
def test_pose_term_is_flat_near_zero_and_a_wall_far_away(degrees, value):
    """(1 - cos)^2 is 1.4e-5 at 5 degrees, 0.018 at 30, 0.25 at 60 and 1 at 90."""
    turned = torch.as_tensor(rotations.axis_angle_to_matrix(np.radians([0, 0, degrees])))[None, None]
    got = float(sfv2018.pose_term(turned, torch.eye(3, dtype=torch.float64)[None, None], torch.ones(1)))
    assert got == pytest.approx(value, rel=0.04)


@pytest.mark.parametrize(("fps", "value"), [(30, 0.00926), (60, 0.00926 / 4)])
def test_joint_term_of_one_metre_a_second_falls_with_the_frame_rate(fps, value):
    """Every joint at 1 m/s about the mid-hip costs 25 / 30^2 / 3 = 0.00926 at 30 frames a second, a quarter at 60."""
    marks = torch.zeros(10, 19, 3, dtype=torch.float64)
    marks[..., 0] = torch.arange(10)[:, None] / fps
    marks[:, sfv2018.HIPS[0], 0] *= -1
    assert 25 * float(sfv2018.joint_term(marks)) == pytest.approx(value, rel=1e-3)


def test_trust_runs_from_exp_minus_one_to_one():
    """The worst frame has 0.368 and a perfect one 1, however bad the clip is."""
    points = torch.zeros(3, 19, 3)
    points[..., 2] = 0.5
    for size in (1e-3, 10.0):
        off = size * torch.tensor([0.0, 0.5, 1.0])[:, None, None].expand(3, 19, 2)
        assert torch.allclose(sfv2018.trust(off, points), torch.exp(torch.tensor([0.0, -0.25, -1.0])))
    assert (sfv2018.trust(points[..., :2], points) == 1).all()


def test_keypoint_term_divides_by_the_number_of_weights_that_count():
    """Two keypoints of confidence 0.5 and 1, off by (0.1, 0.3): (0.2 + 0.4) / 4 coordinates, not by the sum of weights."""
    points = torch.zeros(1, 19, 3)
    points[0, :2, 2] = torch.tensor([0.5, 1.0])
    off = torch.tensor([0.1, 0.3]).expand(1, 19, 2)
    assert float(sfv2018.keypoint_term(off, points)) == pytest.approx(0.6 / 4)
    assert float(sfv2018.keypoint_term(off, points * 0)) == 0


def test_published_camera_term_punishes_a_root_that_stands_still():
    """While the crop moves and the person's pixel and size stay, the corrected term is 0 and the published one is not."""
    sigma = torch.full((5, 1), 0.5)
    start = torch.arange(5.0)[:, None] * torch.tensor([10.0, 0])
    s, pixel = torch.full((5, 1), 0.8), torch.tensor([[640.0, 360.0]])
    t = ((pixel * sigma - start) / 112 - 1) / s
    theta = torch.cat([s, t, torch.zeros(5, 82)], 1)
    assert float(sfv2018.camera_term_corrected(theta, sigma, start)) < 1e-10
    assert float(sfv2018.camera_term_published(theta, sigma, start)) > 1e-5


def test_crops_are_150_pixels_of_person_in_224():
    """A box with a diagonal of 300 px is scaled by 0.5 and starts 112 px before its scaled centre."""
    points = np.zeros((20, 19, 3))
    points[..., 2] = 0.9
    points[..., :2] = [400.0, 300.0]
    points[:, 0, :2], points[:, 1, :2] = [490.0, 420.0], [310.0, 180.0]
    crops = crops_of(points)
    assert np.allclose(crops.sigma, 0.5) and np.allclose(crops.start_px, [88, 38])
    assert np.allclose(crops.to_crop(np.full((20, 2), [400.0, 300.0])), 0)


def test_crop_pixels_by_the_specification():
    """u = 0 in a crop that starts at (50, -20) at scale 0.5 is pixel (324, 184); it goes back for batches too."""
    crops = Crops(np.array([0.5, 0.5]), np.array([[50.0, -20], [50, -20]]))
    assert np.allclose(crops.to_source(np.zeros((2, 2))), [324, 184])
    px = np.random.default_rng(0).uniform(0, 900, (2, 19, 2))
    assert np.abs(crops.to_source(crops.to_crop(px)) - px).max() < 1e-9


def test_frames_with_too_few_keypoints_take_the_crop_before():
    """Hardly seen frames repeat the last crop, the first ones the next; without any frame there is no crop."""
    points = np.zeros((30, 19, 3))
    points[..., 2] = 0.9
    points[:, :, 0] = np.linspace(300, 500, 19)
    lost = points.copy()
    lost[20:, 4:, 2] = lost[:3, :, 2] = 0
    lost[20:, :, 0] = 9000
    assert np.allclose(crops_of(lost).sigma, crops_of(points).sigma)
    assert np.allclose(crops_of(lost).start_px, crops_of(points).start_px)
    assert crops_of(points * 0) is None


def test_confidences_up_to_a_fifth_count_as_nothing():
    """Keypoints at 0.2 are zeros, at 0.21 they keep place and confidence."""
    track, _, crops = clip(4)
    px = track.keypoints_px.copy()
    px[..., 2] = 0.2
    px[:, 23:, 2] = 0.21
    points = observed(replace(track, keypoints_px=px), crops)
    assert (points[:, 6:12] == 0).all() and (points[:, :6, 2] == 0.21).all()


def test_weak_to_full_perspective_by_the_specification():
    """s = 1 at sigma = 0.5 and a focal length of 1000 px is 4.464 m away, and 1 m spans 224 px there."""
    motion = replace(Motion.standing(np.zeros(1)), frame="world")
    _, motion = filmed(motion)
    K = motion.camera.K.copy()
    K[0, 0] = K[1, 1] = 1000
    motion = replace(motion, camera=replace(motion.camera, K=K))
    crops = Crops(np.array([0.5]), np.array([[50.0, -20]]))
    theta = to_theta(motion, crops)
    theta[:, :3] = [1, 0.1, 0]
    placed = to_motion(theta, crops, motion)
    assert motion.camera.to_camera(placed.root_pos_m)[0, 2] == pytest.approx(4.464, abs=1e-3)
    assert motion.camera.project(placed.root_pos_m)[0] == pytest.approx([324 + 0.1 * 112 / 0.5, 184])


def test_there_and_back_changes_nothing():
    """A world motion to 85 numbers a frame and back is the same motion."""
    _, motion, crops = clip(20)
    back = to_motion(to_theta(motion, crops), crops, motion)
    assert np.abs(back.joints_m - motion.joints_m).max() < 1e-9
    assert np.abs(rotations.geodesic_angle(back.local_quat_wxyz, motion.local_quat_wxyz)).max() < 1e-6


@pytest.mark.parametrize("aside_m", [0.0, 3.0])
def test_weak_camera_sees_what_the_lifted_body_shows(aside_m):
    """At the start keypoints lie within 3 % of the crop for a person 8 m away, in the middle of the picture and at 20
    degrees aside, where without turning into the crop's axes they miss by more than 5 %."""
    motion, _ = walker(np.arange(10) / 30, speed_m_s=0.7)
    _, motion = filmed(motion, distance_m=8, fov_deg=60)
    away = np.array([0, 0, aside_m])
    motion = replace(motion, root_pos_m=motion.root_pos_m + away, joints_m=motion.joints_m + away)
    seen = sfv2018._own_keypoints(motion, motion.camera)
    crops = crops_of(seen)
    problem = Problem(to_theta(motion, crops), seen, crops, dtype=torch.float64)
    off = np.abs(problem.bodies(problem.theta0)[0].numpy() - crops.to_crop(seen[..., :2])).max() / 2
    assert off < 0.03
    plain = replace(motion, local_quat_wxyz=motion.local_quat_wxyz.copy())
    turn = np.swapaxes(sfv2018._to_crop_axes(motion.camera, crops), -1, -2) @ motion.camera.R
    plain.local_quat_wxyz[:, 0] = rotations.matrix_to_quat(turn @ rotations.quat_to_matrix(motion.local_quat_wxyz[:, 0]))
    without = problem.bodies(torch.as_tensor(to_theta(plain, crops)))[0].numpy()
    assert aside_m == 0 or np.abs(without - crops.to_crop(seen[..., :2])).max() / 2 > 0.05


def test_one_step_of_adam_moves_each_number_by_the_learning_rate():
    """The first step of Adam is learning rate times the sign of the gradient: 0.001 at most, reached by most angles."""
    track, motion, crops = clip(8, noise=0.02)
    theta0 = to_theta(motion, crops)
    theta, first, last = Problem(theta0, observed(track, crops), crops, dtype=torch.float64).solve(1)
    step = np.abs(theta - theta0)
    assert step.max() == pytest.approx(1e-3, rel=1e-3)
    assert np.median(step[:, 3:6]) == pytest.approx(1e-3, rel=1e-3)
    assert list(first) == list(last) == TERMS


def test_steps_are_counted_exactly():
    """So many iterations are so many steps, with no test of convergence, even at the optimum."""
    track, motion, crops = clip(3)
    seen = []
    Problem(to_theta(motion, crops), observed(track, crops), crops, Weights(0, 0, 1, 0, 0)).solve(
        25, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 25) for i in range(25)]


def waving(fps, length_s=0.7):
    """Somebody facing the camera whose arms swing towards it and back at up to 7 m/s, which 2D hardly sees."""
    times = np.arange(int(length_s * fps)) / fps
    vectors = np.zeros((len(times), 24, 3))
    swing = 1.2 * np.sin(2 * np.pi * 1.7 * times)
    vectors[:, 16, 1], vectors[:, 17, 1] = -0.3 + swing, 0.3 - swing
    motion = Motion.standing(times)
    quats = rotations.axis_angle_to_quat(vectors)
    quats[:, 0] = rotations.axis_angle_to_quat(np.array([0, np.pi / 2, 0]))
    return filmed(load_body().motion(times, motion.root_pos_m, quats, np.zeros(10)))


def test_fast_limbs_are_slowed_and_less_so_at_a_higher_frame_rate():
    """From a perfect start the published terms lower the peak limb speed below 0.97; at 60 a second by less."""
    ratio = {}
    for fps in (30, 60):
        track, motion = waving(fps)
        refined, report = refine(track, motion, iterations=150)
        ratio[fps] = compare([refined], motion).predictions[0]["limb_speed_ratio"]
        assert report["terms"]["joints"] < report["terms_at_start"]["joints"]
    assert ratio[30] < 0.97
    assert ratio[30] < ratio[60] - 0.01


def test_one_shape_and_constant_bones():
    """The result has one shape, the mean of the frames', and bones of constant length."""
    track, motion, _ = clip(30, noise=0.02, seed=2)
    refined, _ = refine(track, motion, iterations=40)
    assert refined.betas.shape == (10,) and bone_change(refined) < 1e-9
    refined.validate()


def test_gaps_are_bridged_without_nan():
    """A second without any keypoint gives finite poses, near the lifted ones."""
    track, motion, _ = clip(50, noise=0.01)
    px = track.keypoints_px.copy()
    px[15:40] = 0
    refined, report = refine(replace(track, keypoints_px=px), motion, iterations=40)
    refined.validate()
    assert np.isfinite(list(report["terms"].values())).all()
    assert np.linalg.norm(refined.joints_m - motion.joints_m, axis=-1)[15:40].max() < 0.3


def test_nothing_seen_is_said_and_gives_numbers():
    """With every confidence 0 crops come from the lifted body, the report says so, and the pose stays."""
    track, motion, _ = clip(10)
    px = track.keypoints_px.copy()
    px[..., 2] = 0
    refined, report = refine(replace(track, keypoints_px=px), motion, iterations=20)
    refined.validate()
    assert "lifted body" in report["fallback"] and report["terms"]["keypoints"] == 0


def test_one_frame_works():
    """A clip of one frame has no velocity terms and no NaN."""
    track, motion, _ = clip(1, noise=0.02)
    refined, report = refine(track, motion, iterations=5)
    refined.validate()
    assert report["terms"]["joints"] == report["terms"]["camera"] == 0


def test_weights_of_zero_switch_terms_off():
    """Without 2D, joint and camera weights the start is the optimum, and nothing moves."""
    track, motion, _ = clip(5, noise=0.02)
    refined, _ = refine(track, motion, Weights(keypoints=0, joints=0, camera=0), iterations=10)
    assert np.abs(refined.joints_m - motion.joints_m).max() < 1e-4


def test_a_motion_without_camera_is_refused():
    """The objective needs a camera; the message names another smoother."""
    track, motion, _ = clip(3)
    with pytest.raises(InputError, match="--smoother butterworth"):
        refine(track, replace(motion, camera=None))
