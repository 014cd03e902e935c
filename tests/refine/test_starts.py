"""Wrong starts are put right, gaps are turned through, exchanged limbs are put back."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.refine import starts
from mrs.refine.clip import keypoint_weights
from mrs.skeletons import SMPL_24
from tests.refine.clips import noisy, refined
from tests.walker import filmed, walker

BODY = load_body()


@pytest.fixture(scope="module")
def case():
    """A filmed walk with exact keypoints, its global rotations in camera axes and unit rays to its root."""
    track, truth = filmed(walker(np.arange(40) / 30)[0])
    turned = truth.camera.R @ BODY.global_rotations(truth.local_quat_wxyz)
    return track, truth, turned, rotations.normalise(truth.camera.to_camera(truth.root_pos_m), [0, 0, 1])


def chosen(track, truth, turned, rays):
    """What `choose` makes of a start."""
    return starts.choose(BODY, track.keypoints, track.keypoints_px, keypoint_weights(track), track.heights_px(), turned, truth.betas,
                         truth.camera.K, track.times_s, rays)


def angle_deg(a, b):
    """Angle between rotations."""
    return np.degrees(np.linalg.norm(rotations.matrix_to_axis_angle(a @ np.swapaxes(b, -1, -2)), axis=-1))


def test_a_right_start_is_left_alone(case):
    """No frame of a true motion is changed, and its 2D error is near zero."""
    track, truth, turned, rays = case
    found = chosen(track, truth, turned, rays)
    assert (found.hypothesis == 0).all() and found.error.max() < 0.01
    np.testing.assert_array_equal(found.turned, turned)


@pytest.mark.parametrize("wrong", range(1, len(starts.HYPOTHESES)))
def test_wrong_stretches_are_put_right(case, wrong):
    """Eight frames that are turned round, mirrored, leg-exchanged or upside down come out as they were."""
    track, truth, turned, rays = case
    start = turned.copy()
    start[16:24] = starts.hypotheses(turned, rays)[wrong, 16:24]
    found = chosen(track, truth, start, rays)
    assert (found.hypothesis[16:24] == wrong).all() and (found.hypothesis[:16] == 0).all() and (found.hypothesis[24:] == 0).all()
    assert np.median(angle_deg(found.turned[16:24], turned[16:24])) < 1


def test_hypotheses_are_their_own_inverses(case):
    """Each of them taken twice is where it began: feet keep their turn against the shin under the mirror."""
    _, _, turned, rays = case
    every = starts.hypotheses(turned, rays)
    for row, guess in enumerate(every):
        np.testing.assert_allclose(starts.hypotheses(guess, rays)[row], turned, atol=1e-9)


def test_mirrored_depth_keeps_the_picture(case):
    """Bones lie in the rest pose's plane, but not quite: joints stay in the picture within 7 cm, and go as far behind."""
    _, truth, turned, rays = case
    joints = [BODY.place(np.zeros((len(rays), 3)), g, truth.betas)[:, :22] for g in starts.hypotheses(turned, rays)[[0, 2]]]
    limbs = SMPL_24.indices("left_knee", "right_knee", "left_ankle", "right_ankle", "left_elbow", "right_elbow")
    along = [np.einsum("tjc,tc->tj", j[:, limbs], rays) for j in joints]
    across = [j[:, limbs] - a[..., None] * rays[:, None] for j, a in zip(joints, along, strict=True)]
    np.testing.assert_allclose(across[0], across[1], atol=0.07)
    np.testing.assert_allclose(along[0], -along[1], atol=0.07)


def test_refining_mends_a_flipped_stretch():
    """With a quarter of a second turned round, the refined heading is right; without mending it is not."""
    track, truth = noisy(np.arange(45) / 30, noise=0.005, noise3d_m=0)
    quats = truth.local_quat_wxyz.copy()
    quats[20:28, 0] = rotations.quat_multiply(quats[20:28, 0], np.array([0.0, 0, 1, 0]))
    wrong = BODY.motion(truth.times_s, truth.root_pos_m, quats, truth.betas, confidence=truth.confidence, camera=truth.camera)
    true = rotations.quat_to_matrix(truth.local_quat_wxyz[:, 0])
    off = {mend: angle_deg(rotations.quat_to_matrix(refined(track, wrong, mend_starts=mend).local_quat_wxyz[:, 0]), true).max()
           for mend in (True, False)}
    assert off[True] < 20 and off[True] < 0.5 * off[False]


@pytest.mark.parametrize("turns", [0.25, 0.75, 1.0, 1.25])
def test_a_somersault_is_turned_on_through_a_gap(turns):
    """A body that spins evenly about a level axis into a gap and out of it has gone on spinning."""
    times = np.arange(31) / 30
    rate = 2 * np.pi * turns / 0.5
    turned = rotations.axis_angle_to_matrix(rate * times[:, None] * np.array([1.0, 0, 0]))[:, None].repeat(24, 1)
    seen = np.ones(31, bool)
    seen[9:23] = False
    start = turned.copy()
    start[~seen] = np.eye(3)
    found, told = starts.turn_through_gaps(start, seen, times)
    assert angle_deg(found, turned).max() < 1
    assert bool(told) == (turns > 0.5)


def test_a_body_that_does_not_spin_is_led_over_the_short_way():
    """Where nothing spins on either side, the shorter turn is taken."""
    turned = np.tile(np.eye(3), (30, 24, 1, 1))
    turned[20:] = rotations.axis_angle_to_matrix(np.array([0, 2.5, 0]))
    seen = np.ones(30, bool)
    seen[10:20] = False
    found, told = starts.turn_through_gaps(turned, seen, np.arange(30) / 30)
    assert not told and angle_deg(found[14, 0], np.eye(3)) < np.degrees(2.5)


def test_exchanged_limbs_are_put_back(case):
    """Frames whose legs have left and right exchanged far apart come back to their side; all others stay as they are."""
    track, truth, *_ = case
    px = track.keypoints_px.copy()
    legs = [i for i, n in enumerate(track.keypoints.names) if n.split("_", 1)[-1] in ("hip", "knee", "ankle", "heel", "foot_index")]
    rows = np.arange(10, 20)
    px[np.ix_(rows, legs)] = px[np.ix_(rows, [track.keypoints.flip[i] for i in legs])]
    away = np.linalg.norm(px - track.keypoints_px, axis=-1)[:, legs].mean(1) / track.heights_px()
    projected = truth.camera.project(BODY.keypoints(truth, track.keypoints))
    found, count = starts.unswapped(projected, px, track.keypoints, track.heights_px())
    assert count == (away > 0.06).sum() > 0
    np.testing.assert_array_equal(found[away > 0.06], track.keypoints_px[away > 0.06])
    np.testing.assert_array_equal(found[away <= 0.06], px[away <= 0.06])


def test_a_person_who_leaves_and_returns_is_two_segments():
    """Two seconds unseen part the clip: both ends are refined on their own, and nothing is seen between."""
    times = np.arange(150) / 30
    track, truth = noisy(times, noise=0.005, noise3d_m=0.01)
    points = track.keypoints_px.copy()
    points[45:105] = 0
    from tests.refine.clips import lift

    track = replace(track, keypoints_px=points)
    done = refined(track, lift(track, truth.camera))
    assert done.history == lift(track, truth.camera).history
    assert done.confidence[60:90].max() == 0 and np.isfinite(done.joints_m).all()
    near = [np.linalg.norm(done.joints_m[r] - done.joints_m[r][:, :1] - truth.joints_m[r] + truth.joints_m[r][:, :1], axis=-1).mean()
            for r in (slice(0, 45), slice(105, 150))]
    assert max(near) < 0.04
