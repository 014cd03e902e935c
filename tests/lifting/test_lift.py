"""The encoder in use: windows, codes, mirrors, placing; with a small network of random weights, whose answers only have to agree."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mrs import plugins, rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.lifting import lift, weights
from mrs.lifting.encoder import Encoder, LatentDecoder, Size, mirrored
from mrs.skeletons import BODY_25, COCO_17, SMPL_24
from tests.walker import filmed, walker


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A file of a small network whose answers vary."""
    torch.manual_seed(1)
    net = Encoder(Size(width=24, first=16, code=8, hidden=24))
    for layer in (net.head.decpose, net.head.decshape, net.head.deccam):
        torch.nn.init.normal_(layer.weight, std=0.05)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    weights.save(path, net, {})
    return path


@pytest.fixture(scope="module")
def case():
    """A filmed walker."""
    return filmed(walker(np.arange(70) / 30)[0])


def run(small, track, camera, **values):
    """Lift with the small network."""
    lifter = plugins.load().make("lifter", "hmr", {"weights": str(small), **values})
    return lifter, lifter.lift(SimpleNamespace(camera=camera), track)


def test_motion_is_what_its_code_says(small, case):
    """The decoder that sfv gets turns motion.code into the motion's own rotations, seen from the camera."""
    track, truth = case
    lifter, motion = run(small, track, truth.camera)
    motion.validate()
    local = lifter.decoder("cpu").decode(torch.as_tensor(motion.code)).numpy()
    np.testing.assert_allclose(local, rotations.quat_to_matrix(motion.local_quat_wxyz), atol=1e-5)
    assert motion.frame == "camera" and motion.code.shape == (70, 2 * 8 + 6)


def test_a_mirrored_track_gives_the_mirrored_motion(small, case):
    """Left and right exchanged and x turned: so are the rotations, and the contacts."""
    track, truth = case
    camera = replace(truth.camera, R=np.eye(3), t=np.zeros(3))
    _, one = run(small, track, camera, landmarks=False)
    points = track.keypoints_px[:, track.keypoints.flip].copy()
    points[..., 0] = 2 * camera.K[0, 2] - points[..., 0]
    _, two = run(small, replace(track, keypoints_px=points), camera, landmarks=False)
    body = load_body()
    turned = [torch.as_tensor(body.global_rotations(m.local_quat_wxyz)) for m in (one, two)]
    torch.testing.assert_close(mirrored(turned[0]), turned[1], atol=2e-3, rtol=0)
    seen = lift.seen_of(track, camera)
    ways = [lift.lift(weights.load(small)[0], way).contacts for way in (seen, seen.mirrored())]
    np.testing.assert_allclose(ways[0][:, [2, 3, 0, 1]], ways[1], atol=2e-3)
    np.testing.assert_allclose(one.confidence[:, SMPL_24.flip], two.confidence, atol=2e-3)


def test_a_rolled_camera_gives_the_same_pose(small, case):
    """A picture turned by a right angle: the same local rotations, the root's turned along."""
    track, truth = case
    level = replace(truth.camera, R=np.eye(3), t=np.zeros(3))
    _, one = run(small, track, level, landmarks=False)
    points = track.keypoints_px.copy()
    middle, K = level.K[:2, 2], level.K
    x, y = points[..., 0] - middle[0], points[..., 1] - middle[1]
    points[..., 0], points[..., 1] = middle[0] - y, middle[1] + x
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    _, two = run(small, replace(track, keypoints_px=points), replace(level, K=K, R=quarter), landmarks=False)
    local = [rotations.quat_to_matrix(m.local_quat_wxyz) for m in (one, two)]
    np.testing.assert_allclose(local[1][:, 1:], local[0][:, 1:], atol=5e-3)
    np.testing.assert_allclose(local[1][:, 0], quarter @ local[0][:, 0], atol=5e-3)


@pytest.mark.parametrize("frames", [1, 2, 30, 48, 61])
def test_any_length_is_lifted(small, case, frames):
    """Clips shorter than a window, and ones that no stride fits."""
    track, truth = case
    _, motion = run(small, track.at(slice(0, frames)), truth.camera)
    assert len(motion.validate()) == frames


@pytest.mark.parametrize("keypoints", [COCO_17, BODY_25])
def test_other_keypoint_sets_are_lifted(small, case, keypoints):
    """Without 3D landmarks, from the points of other detectors."""
    track, truth = case
    other = replace(track, keypoints=keypoints, keypoints_px=track.keypoints.convert(track.keypoints_px, keypoints), keypoints3d_m=None)
    _, motion = run(small, other, truth.camera)
    assert np.isfinite(motion.root_pos_m).all() and (motion.root_pos_m[:, 2] > 0).all()


def test_gaps_are_filled_with_confidence_zero(small, case):
    """Frames without evidence go on with no confidence; the stature is the one given."""
    track, truth = case
    points = track.keypoints_px.copy()
    points[20:30] = 0
    _, motion = run(small, replace(track, keypoints_px=points), truth.camera, stature_m=1.6)
    assert (motion.confidence[20:30] == 0).all() and (motion.confidence[:20] > 0).all()
    assert abs(load_body().stature_m(motion.betas) - 1.6) < 1e-3


def test_what_it_cannot_read_is_refused(small, case):
    """Nobody seen, or a set without limbs: one line that says what to type."""
    track, truth = case
    with pytest.raises(InputError, match="seen in at least one frame"):
        run(small, replace(track, keypoints_px=np.zeros_like(track.keypoints_px)), truth.camera)
    face = track.limited_to([n for n in track.keypoints.names if "eye" in n or n == "nose"])
    with pytest.raises(InputError, match="--lifter smplify"):
        run(small, face, truth.camera)


def test_latent_refinement_moves_codes_only(small, case):
    """sfv in space latent: what comes out is what the decoder says of some code."""
    track, truth = case
    lifter, motion = run(small, track.at(slice(0, 40)), truth.camera)
    from mrs import world

    smoother = plugins.load().make("smoother", "sfv", {"space": "latent", "iterations": 3, "contact_iterations": 2, "foot_lock": "never"})
    smoother.progress, smoother.decoder = lambda done, total: None, lifter.decoder
    out = smoother.smooth(SimpleNamespace(camera=truth.camera), track.at(slice(0, 40)), world.to_world(motion))
    assert len(out.validate()) == 40 and out.history[-1]["space"] == "latent"


def test_decoder_refuses_to_encode():
    """There is no way back from rotations to codes."""
    with pytest.raises(NotImplementedError):
        LatentDecoder(Encoder(Size(width=24, first=16, code=8, hidden=24))).encode(torch.eye(3))


def test_windows_cover_every_frame():
    """Every frame lies in a window, for lengths about a window's and far beyond."""
    for frames in (1, 2, 47, 48, 49, 60, 200):
        rows = lift._windows(frames)
        assert set(rows.flatten().tolist()) == set(range(frames))
