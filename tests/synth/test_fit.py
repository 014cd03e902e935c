"""Codes that are fitted to windows."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mrs.synth import features, fit, losses, networks
from mrs.synth.features import POSE
from tests.synth import puppets


@pytest.fixture(scope="module")
def model():
    """A small model with random weights, and the windows of a marcher at three phases."""
    torch.manual_seed(0)
    values = features.to_features(features.prepared(puppets.puppet("march", 4.0))).astype(np.float32)
    steps = np.diff(values, axis=0)
    net = networks.BehaviourNet(networks.Shape(latent=8, width=16, cell=16),
                                {"mean": values.mean(0), "std": values.std(0), "step": steps.std(0)}).eval()
    return net, np.stack([values[at : at + 37] for at in (1, 9, 17)])


def error(net, z, windows):
    even = torch.ones(37)
    with torch.no_grad():
        return float(losses.state_error(net.plan(z, gain=1.0), torch.as_tensor(windows), fit._weights(), even, fit.ENERGY, 0.0))


def test_fitted_codes_move_more_alike(model):
    """The plan of a fitted code is nearer to the window in its changes than that of the encoder's mean."""
    net, windows = model
    mean, fitted = fit.codes(net, windows, fitting=False), fit.codes(net, windows)
    assert error(net, fitted, windows) < 0.97 * error(net, mean, windows)
    assert not fitted.requires_grad and all(p.grad is None for p in net.parameters())


def test_fitted_one_by_one_or_together(model, monkeypatch):
    """A window's code does not depend on what it is fitted beside, whatever fits at once."""
    net, windows = model
    together = fit.codes(net, windows)
    monkeypatch.setattr(fit, "AT_ONCE", 2)
    torch.testing.assert_close(fit.codes(net, windows), together, atol=1e-4, rtol=1e-4)


def test_posture_is_not_looked_at(model):
    """The same changes about another posture give the same code: nothing of the posture comes in by fitting."""
    net, windows = model
    moved = windows.copy()
    moved[..., POSE] += np.random.default_rng(0).normal(0, 0.2, features.POSE_SIZE).astype(np.float32)
    torch.testing.assert_close(fit.codes(net, moved), fit.codes(net, windows), atol=2e-3, rtol=2e-3)
