"""The published net and the paper's baselines: their layout, their inverses, their training."""

import numpy as np
import pytest
import torch

from mrs.errors import InputError
from mrs.synth import bds2021, mtvae, rivals, windows
from mrs.synth.played import Played
from tests.synth import puppets


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Windows of the small corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    return windows.build([puppets.make(folder)], folder / "cache")


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_sizes_are_the_published_ones():
    """10.98 million parameters for the net and 1.73 for the regressor, as the paper's code has."""
    assert parameters(bds2021.Published()) == pytest.approx(10.98e6, rel=0.002)
    assert parameters(bds2021.Regressor(1024, 51, 50)) == pytest.approx(1.73e6, rel=0.002)
    block = parameters(bds2021.Block(1024, 2048, 2))
    assert 15 * block == pytest.approx(629.6e6, rel=0.002)


def test_published_checkpoints_load(tmp_path):
    """A file in the published layout comes back with its sizes and its outputs."""
    model = bds2021.Published(9, 16)
    names = set(model.state_dict())
    assert {"b_enc.rnn.weight_ih_l0", "b_enc.mu_fn.beta", "b_enc.mu_fn.gamma", "b_enc.mu_fn.conv.weight_g", "b_enc.mu_fn.conv.weight_v",
            "b_enc.std_fn.conv.bias", "decoder.rnn.weight_hh", "decoder.n_out.bias"} <= names
    assert model.state_dict()["b_enc.mu_fn.conv.weight_v"].shape == (16, 16, 1, 1)
    torch.save({"model": model.state_dict(), "optimizer": {}}, tmp_path / "reg_ckpt_5.pth")
    again, x = bds2021.load_checkpoint(tmp_path / "reg_ckpt_5.pth"), torch.randn(2, 5, 9)
    torch.testing.assert_close(again.encode(x), model.encode(x))
    flow = bds2021.PublishedFlow(16, bds2021.Constants(flow_blocks=3, flow_factor=3, flow_depth=1))
    torch.save({"model": flow.state_dict()}, tmp_path / "flow_ckpt_1.pth")
    assert len(bds2021.load_flow(tmp_path / "flow_ckpt_1.pth").flow.sub_layers) == 3


@pytest.mark.parametrize("content", [b"nonsense", None])
def test_other_files_are_refused(tmp_path, content):
    """What is no checkpoint, or one of something else, is refused in a line."""
    path = tmp_path / "x.pth"
    path.write_bytes(content) if content else torch.save({"model": {"a": torch.zeros(1)}}, path)
    with pytest.raises(InputError, match="Expected a checkpoint"):
        bds2021.load_checkpoint(path)


def test_normed_convolution_is_weight_norm():
    """Scale and direction of the weights are torch's weight norm of a 1 x 1 convolution."""
    ours = bds2021.NormedConv(5)
    conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv2d(5, 5, 1))
    with torch.no_grad():
        ours.conv.weight_g.mul_(1.7)
        conv.parametrizations.weight.original0.copy_(ours.conv.weight_g)
        conv.parametrizations.weight.original1.copy_(ours.conv.weight_v)
        conv.bias.copy_(ours.conv.bias)
        ours.gamma.fill_(0.5)
    x = torch.randn(3, 5)
    torch.testing.assert_close(ours(x), 0.5 * conv(x[..., None, None])[..., 0, 0])


def test_flow_inverts_and_counts_volume():
    """Inverse after forward is the identity, and the log determinant is the Jacobian's."""
    torch.manual_seed(0)
    flow = bds2021.PublishedFlow(6, bds2021.Constants(flow_blocks=2)).double()
    z = torch.randn(20, 6, dtype=torch.float64)
    noise, log_det = flow(z)
    torch.testing.assert_close(flow.inverse(noise), z)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow(x[None])[0][0], z[0])
    assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(float(log_det[0].detach()), abs=1e-6)


def test_decoder_adds_increments():
    """With the last layer at zero the start posture stands still."""
    model = bds2021.Published(4, 8)
    torch.nn.init.zeros_(model.decoder.n_out.weight)
    torch.nn.init.zeros_(model.decoder.n_out.bias)
    start = torch.randn(2, 4)
    torch.testing.assert_close(model.decode(torch.randn(2, 8), start, 3), start[:, None].expand(-1, 3, -1))


def test_gamma_rises_above_the_cap():
    """The published step: never below zero, up by 1e-5 a nat above 100."""
    c = bds2021.Constants()
    assert bds2021.raised(0.0, 50, c) == 0
    assert bds2021.raised(0.0, 130, c) == pytest.approx(3e-4)


@pytest.mark.parametrize("kind", rivals.KINDS)
def test_each_learns_saves_and_loads(data, tmp_path, kind):
    """A few iterations lower the error; weights come back the same; transfer begins at the target's posture."""
    settings = rivals.Settings(kind, hidden=16, batch=16, iterations=20, lr=1e-2, flow_iterations=2)
    told = []
    rivals.train(settings, data, tmp_path, told.append)
    trainer = rivals.Trainer(settings, data)
    found = [next(iter(trainer.step().values())) for _ in range(20)]
    assert np.mean(found[-5:]) < 0.9 * found[0]
    loaded = rivals.load(tmp_path)
    held = data.take(data.every("test", 10)[0][:4])
    out = loaded.transferred(held, held[::-1].copy())
    assert out.joints.shape == (4, 37, 24, 3) and np.isfinite(out.joints).all()
    np.testing.assert_allclose(out.world()[0][:, 0] - out.world()[0][:, 0, :1], _about(held[::-1].copy()), atol=0.02)


def test_a_stopped_training_leaves_weights(data, tmp_path, monkeypatch):
    """What was kept last says of which iteration it is, loads, and has no flow."""
    from mrs import npz

    def stops(numbers):
        if numbers["iteration"] == 50:
            raise KeyboardInterrupt

    monkeypatch.setattr(rivals, "KEEP_EVERY", 20)
    with pytest.raises(KeyboardInterrupt):
        rivals.train(rivals.Settings("bds-2021", hidden=16, batch=8, iterations=60), data, tmp_path, stops)
    assert npz.load(tmp_path / rivals.FILE, rivals.KIND)[1]["iteration"] == 40
    assert rivals.load(tmp_path).flow is None


def _about(held):
    first = Played.of_joints(Played.of(held).world()[0]).later(1).joints[:, 0]
    return first - first[:, :1]


def test_mtvae_code_is_of_the_difference():
    """The code of a past that goes on as itself is the code of no difference."""
    torch.manual_seed(0)
    model = mtvae.MtVae(4, 8, 3)
    same = torch.randn(1, 3, 4)
    torch.testing.assert_close(model.encode(torch.cat([same, same], 1))[0], model.code(torch.zeros(1, 8))[0])


def test_joints_alone_are_seen_as_with_bodies(data):
    """Heading and root velocity from joints are close to those of the features."""
    held = data.take(data.every("test", 10)[0])
    one = Played.of(held)
    two = Played.of_joints(one.world()[0])
    assert np.abs(one.joints - two.joints).max() < 0.03
    assert np.abs(one.speed - two.speed)[..., :2].max() < 0.1
