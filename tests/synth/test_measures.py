"""What is measured has answers known by construction."""

import numpy as np
import pytest
import torch

from mrs.synth import features, flow, played, predict, probes
from mrs.synth.played import Played
from tests.synth.puppets import puppet


def windows(label, count=3, phase=0.0):
    """Windows (count, 38, SIZE) of a puppet."""
    values = features.to_features(features.prepared(puppet(label, phase=phase)))
    return np.stack([values[9 * n : 9 * n + 38] for n in range(count)]).astype(np.float32)


def test_mean_speed_of_a_marcher_is_its_speed():
    """Walking at 1 m/s, the pelvis moves at 1 m/s; standing, nothing moves."""
    found = Played.of(windows("march"))
    joints = found.world()[0]
    np.testing.assert_allclose(np.linalg.norm(np.diff(joints[:, :, 0], axis=1), axis=-1) * 30, 1.0, atol=1e-3)
    assert played.mean_speed(played.held(found, 38)).max() == 0
    assert played.sliding_cm_s(played.held(found, 38)) == 0


def test_bones_keep_their_length_unless_displaced():
    """Bodies have the body's bones; sums of positions do not."""
    march, squat = Played.of(windows("march")), Played.of(windows("squat"))
    assert played.bone_error_percent(march) < 1e-3
    assert played.bone_error_percent(played.displaced(squat, march.later(8))) > 1


def test_continuity_of_motion_that_goes_on():
    """The own next step of even motion is as long as a step, and jumps by its acceleration only."""
    target = Played.of(windows("march"))
    found = played.continuity(target.later(1), target)
    step = np.median(played.step_sizes(target))
    assert (found["first"] / step > 0.5).all() and (found["jump"] / step < 0.6).all()


def test_histogram_distance_is_the_shift():
    """Two distributions apart by 0.3 are 0.3 apart."""
    values = np.random.default_rng(0).normal(1, 0.2, 500)
    assert played.histogram_distance(values + 0.3, values) == pytest.approx(0.3)


def test_frechet_distance_of_gaussians():
    """Means 2 apart and deviations 1 and 2: 4 + d (1 - 2)^2."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200_000, 3))
    assert probes.frechet(a, 2 * a + [2, 0, 0]) == pytest.approx(4 + 3, rel=0.02)
    assert probes.frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_probes_find_what_is_there_and_nothing_else():
    """R2 is near 1 for a code that holds the posture and not above 0 for noise; a judge is at chance on the same kind."""
    rng = np.random.default_rng(0)
    x, held = rng.normal(size=(900, 6)), rng.normal(size=(300, 6))
    turn = rng.normal(size=(6, 4))
    for probe in (probes.ridge_r2, lambda *v: probes.mlp_r2(*v, 0, 200)):
        assert probe(x, x @ turn, held, held @ turn) > 0.95
        assert probe(x, rng.normal(size=(900, 4)), held, rng.normal(size=(300, 4))) < 0.1
    real, clips = rng.normal(size=(200, 8, 3)), np.arange(200) // 10
    assert 0.35 < probes.real_or_fake(real, rng.normal(size=(200, 8, 3)), clips, clips, 0, 60) < 0.65
    assert probes.real_or_fake(real, real + 3, clips, clips, 0, 60) > 0.95


def test_prediction_measures():
    """The truth among the draws is an error of 0; equal draws have no spread; zero velocity errs by the motion."""
    true = np.cumsum(np.full((2, 4, 6), 0.1), 1)
    start = np.zeros((2, 6)) + [[0.0], [9.0]]
    labels, mean = np.array(["a", "b"]), {"a": 0.1 * np.sqrt(3), "b": 0.1 * np.sqrt(3)}
    draws = np.stack([true, true + 1], 1)
    found = predict.measure(draws, true, start, labels, mean)
    assert found["ADE"] == found["FDE"] == found["MMADE"] == 0
    assert found["APD"] == pytest.approx(np.sqrt(4 * 6)) and found["ASD"] == found["FSD"] == pytest.approx(np.sqrt(6))
    assert found["CMD"] == pytest.approx(0, abs=1e-9)
    still = predict.measure(np.zeros((2, 2, 4, 6)), true, start, labels, mean)
    assert still["APD"] == 0 and still["FDE"] == pytest.approx(0.4 * np.sqrt(6)) and still["FDE_joint"] == pytest.approx(0.4 * np.sqrt(3))


def test_flow_inverts_with_and_without_a_start():
    """Noise to codes and back, the log determinant being the Jacobian's."""
    torch.manual_seed(0)
    net = flow.Flow(5, 3, 8).double().eval()
    for block in net.blocks:
        torch.nn.init.normal_(block.first.net[-1].weight, std=0.3)
    z, start = torch.randn(7, 5, dtype=torch.float64), torch.randn(7, 2 * features.STATE_SIZE, dtype=torch.float64)
    for context in (net.seen(None, 7), net.seen(start, 7)):
        noise, log_det = net(z, context)
        torch.testing.assert_close(net.inverse(noise, context), z)
        jacobian = torch.autograd.functional.jacobian(lambda x, c=context: net(x[None], c[:1])[0][0], z[0])
        assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(float(log_det[0].detach()), abs=1e-6)
