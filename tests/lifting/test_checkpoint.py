"""ResNet and checkpoints: every parameter in its place, to the last number, and what is refused."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mrs.errors import InputError, MissingError
from mrs.lifting import checkpoint, resnet
from mrs.lifting.head import from_spin_sixd
from tests.lifting import checkpoints
from tests.lifting.test_head import reference


def by_name(state, x):
    """ResNet layer by layer from the names of its parameters, as torchvision's documentation lists them."""
    def conv(x, name, stride=1, pad=0):
        return F.conv2d(x, state[f"{name}.weight"], stride=stride, padding=pad)

    def norm(x, name):
        part = [state[f"{name}.{n}"][:, None, None] for n in ("running_mean", "running_var", "weight", "bias")]
        return (x - part[0]) / torch.sqrt(part[1] + 1e-5) * part[2] + part[3]

    x = F.max_pool2d(torch.relu(norm(conv(x, "conv1", 2, 3), "bn1")), 3, 2, 1)
    for stage in range(1, 5):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in state:
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = torch.relu(norm(conv(x, f"{at}.conv1"), f"{at}.bn1"))
            y = torch.relu(norm(conv(y, f"{at}.conv2", stride, 1), f"{at}.bn2"))
            y = norm(conv(y, f"{at}.conv3"), f"{at}.bn3")
            if f"{at}.downsample.0.weight" in state:
                x = norm(conv(x, f"{at}.downsample.0", stride), f"{at}.downsample.1")
            x, block = torch.relu(x + y), block + 1
    return x.mean((2, 3))


def test_the_names_and_shapes_of_resnet_50():
    """Those of torchvision: 53 convolutions, 53 batch norms, 23,508,032 parameters without the classifier."""
    net = resnet.ResNet()
    state = net.state_dict()
    assert sum(p.numel() for p in net.parameters()) == 23_508_032
    assert sum(name.endswith("running_mean") for name in state) == 53 and net.code_size == 2048
    assert state["layer3.5.conv3.weight"].shape == (1024, 256, 1, 1)
    assert state["layer4.0.downsample.0.weight"].shape == (2048, 1024, 1, 1)
    assert "layer1.0.downsample.1.running_var" in state and "layer1.1.downsample.0.weight" not in state
    assert resnet.shape_of(state) == ((3, 4, 6, 3), 64)


def pictures(seed=0, count=2):
    return np.random.default_rng(seed).integers(0, 256, (count, 224, 224, 3), np.uint8)


@pytest.mark.parametrize("how", [{}, {"zipped": False}, {"prefix": "module."}, {"extra": False}])
def test_a_checkpoint_of_spin_says_what_its_parameters_say(tmp_path, how):
    """Pictures to 157 numbers, against the layers written out by name: new and old files, wrapped or not."""
    state = checkpoints.spin(tmp_path / "m.pt", **how)
    found = checkpoint.load(tmp_path / "m.pt")
    cut = pictures()
    x = torch.from_numpy(cut).permute(0, 3, 1, 2).float() / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    code = by_name(state, x)
    mine = found.encoder(found.normalised(cut, "cpu"))
    np.testing.assert_allclose(mine, code, atol=2e-6)
    pose, shape, camera = (state[f"init_{n}"].expand(2, -1) for n in ("pose", "shape", "cam"))
    for _ in range(3):
        y = torch.cat([code, pose, shape, camera], 1)
        for layer in ("fc1", "fc2"):
            y = y @ state[f"{layer}.weight"].T + state[f"{layer}.bias"]
        pose, shape, camera = (v + y @ state[f"{n}.weight"].T + state[f"{n}.bias"] for v, n in
                               ((pose, "decpose"), (shape, "decshape"), (camera, "deccam")))
    told = found.head(mine)
    for mine, wanted in zip(told, (camera, pose, shape), strict=True):
        np.testing.assert_allclose(mine, wanted, atol=1e-5)
    assert found.pixels == "imagenet" and not found.head.training and not found.encoder.training
    x6 = from_spin_sixd(pose.unflatten(-1, (24, 6)))
    first = F.normalize(x6[..., :3], dim=-1)
    np.testing.assert_allclose(found.head.rotations(told[1])[..., 0], first, atol=1e-5)


def test_a_port_of_hmr_says_what_the_paper_writes(tmp_path):
    """Three layers of 85 numbers with ReLU, pictures in [-1, 1], prefixes of wrappers."""
    weights, biases, mean, encoder = checkpoints.port(tmp_path / "hmr.pth.tar")
    found = checkpoint.load(tmp_path / "hmr.pth.tar")
    cut = pictures(1)
    x = torch.from_numpy(cut).permute(0, 3, 1, 2).float() / 127.5 - 1
    np.testing.assert_allclose(found.normalised(cut, "cpu"), x, atol=1e-6)
    code = by_name(encoder, x).numpy()
    np.testing.assert_allclose(found.encoder(x), code, atol=2e-6)
    np.testing.assert_allclose(found.head.theta(torch.from_numpy(code)), reference(code, weights, biases, mean), atol=1e-4)


def test_the_mean_may_lie_beside_or_be_named(tmp_path):
    state = checkpoints.spin(tmp_path / "m.pt", mean=False)
    with pytest.raises(MissingError, match=r"smpl_mean_params.npz.*--set lifter.mean=FILE") as refused:
        checkpoint.load(tmp_path / "m.pt")
    assert "\n" not in str(refused.value)
    rng = np.random.default_rng(0)
    for place, named in ((tmp_path / "elsewhere.npz", str(tmp_path / "elsewhere.npz")), (tmp_path / "smpl_mean_params.npz", None)):
        pose = rng.normal(size=144)
        np.savez(place, pose=pose, shape=rng.normal(size=10), cam=np.array([0.9, 0, 0], np.float32))
        found = checkpoint.load(tmp_path / "m.pt", named)
        np.testing.assert_allclose(found.head.init_pose[0], pose, atol=1e-6)
        assert torch.equal(found.head.fc1.weight, state["fc1.weight"])


def test_without_a_checkpoint_a_line_says_what_to_get(monkeypatch, tmp_path):
    monkeypatch.setenv("MRS_CACHE_DIR", str(tmp_path))
    with pytest.raises(MissingError) as refused:
        checkpoint.located(None)
    told = str(refused.value)
    assert str(tmp_path / "models/spin/model_checkpoint.pt") in told and "\n" not in told
    assert all(part in told for part in ("visiondata.cis.upenn.edu", "BSD", "--set lifter.checkpoint=FILE"))


def changed(path, change):
    held = torch.load(path, weights_only=False)
    change(held["model"])
    torch.save(held, path)


CHANGES = {"a layer is missing": lambda m: m.pop("fc2.weight"), "a block is missing": lambda m: m.pop("layer2.0.conv2.weight"),
           "nan": lambda m: m["fc1.bias"].fill_(float("nan")), "another code": lambda m: m.update({"fc1.weight": torch.zeros(16, 300)}),
           "no resnet": lambda m: m.pop("conv1.weight"), "of 60 numbers": lambda m: m.update({"decpose.weight": torch.zeros(60, 16)})}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_does_not_fit_is_refused_in_a_line(tmp_path, change):
    checkpoints.spin(tmp_path / "m.pt")
    changed(tmp_path / "m.pt", change)
    with pytest.raises(InputError, match="Expected") as refused:
        checkpoint.load(tmp_path / "m.pt")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("held", [[1, 2], {"model": 3}, {}])
def test_what_is_no_checkpoint_is_refused_in_a_line(tmp_path, held):
    torch.save(held, tmp_path / "m.pt")
    with pytest.raises(InputError, match="Expected"):
        checkpoint.load(tmp_path / "m.pt")
