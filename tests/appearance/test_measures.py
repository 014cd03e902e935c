"""Measures of pictures, features and foreign distances."""

import numpy as np
import pytest
import torch

from mrs.appearance import evaluate, features, measures, perceptual, sheets
from mrs.errors import InputError


def noise(seed=0, count=3, size=32):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_picture_is_like_itself_and_unlike_noise():
    x = noise()
    assert measures.ssim(x, x).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
    assert float(measures.ssim(x, noise(1)).max()) < 0.3


def test_ssim_of_constant_pictures_is_the_term_of_brightness():
    x, y = torch.full((1, 3, 24, 24), 0.0), torch.full((1, 3, 24, 24), 0.5)
    wanted = (2 * 0.5 * 0.75 + 1e-4) / (0.5**2 + 0.75**2 + 1e-4)
    assert float(measures.ssim(x, y)) == pytest.approx(wanted, abs=1e-3)


def test_psnr_of_a_known_error_within_an_area_only():
    x = torch.zeros(1, 3, 8, 8)
    y = x.clone()
    y[..., :4] += 0.2
    area = torch.zeros(1, 8, 8)
    area[..., :4] = 1
    assert float(measures.psnr_db(y, x, area)) == pytest.approx(20, abs=1e-3)
    assert float(measures.psnr_db(y, x)) == pytest.approx(20 + 3.01, abs=1e-2)


def test_the_box_of_a_mask_has_a_margin():
    mask = torch.zeros(1, 1, 40, 40)
    mask[..., 10:20, 15:30] = 1
    box = measures.box_area(mask, 0.05)[0]
    assert box.sum() == 14 * 19
    assert bool(box[8:22, 13:32].all())


def test_only_changes_that_the_truth_has_not_are_flicker():
    truth = noise(count=4)
    assert measures.flicker(truth, truth) == 0
    assert measures.flicker(truth + 0.1, truth) == pytest.approx(0, abs=1e-4)
    shaken = truth + torch.tensor([0.0, 0.2, 0.0, 0.2])[:, None, None, None]
    assert measures.flicker(shaken, truth) == pytest.approx(0.2 * 127.5, abs=1e-3)


def test_patch_statistics_are_zero_for_the_same_and_grow_with_blur():
    x = noise()
    distance = features.PatchStatistics()
    soft = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    softer = torch.nn.functional.avg_pool2d(soft, 3, 1, 1)
    assert float(distance(x, x)) == pytest.approx(0, abs=1e-5)
    assert 0 < float(distance(soft, x)) < float(distance(softer, x))


def _small_vgg(monkeypatch, tmp_path):
    layers = tuple((at, 2 + n) for n, (at, _) in enumerate(features.VGG_LAYERS))
    monkeypatch.setattr(features, "VGG_LAYERS", layers)
    state, inside = {}, 3
    for at, outside in layers:
        state[f"features.{at}.weight"] = torch.randn(outside, inside, 3, 3) * 0.3
        state[f"features.{at}.bias"] = torch.randn(outside) * 0.1
        inside = outside
    torch.save(state, tmp_path / "vgg.pth")
    return state


def test_vgg_features_are_those_of_its_layers_and_have_a_gradient(monkeypatch, tmp_path):
    state = _small_vgg(monkeypatch, tmp_path)
    vgg, x = features.choose(tmp_path / "vgg.pth"), noise(size=32)
    found = vgg.features(x)
    assert [f.shape[1] for f in found] == [3, 3, 5, 7, 11, 15]
    assert [f.shape[-1] for f in found] == [32, 32, 16, 8, 4, 2]
    first = torch.nn.functional.conv2d(found[0], state["features.0.weight"], state["features.0.bias"], padding=1).relu()
    second = torch.nn.functional.conv2d(first, state["features.2.weight"], state["features.2.bias"], padding=1).relu()
    assert torch.allclose(found[1], second, atol=1e-5)
    x.requires_grad_(True)
    vgg(x, noise(1)).backward()
    assert float(x.grad.abs().sum()) > 0


def test_a_file_that_is_no_vgg_is_refused_in_one_line(tmp_path):
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="VGG19"):
        features.choose(tmp_path / "other.pth")


def test_frechet_distance_of_two_gaussians_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(20000, 3))
    assert perceptual.frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert perceptual.frechet(a, 2 * a + [1, 0, 0]) == pytest.approx(1 + 3, abs=0.1)


def test_lpips_is_zero_for_the_same_and_weighs_layers_as_its_file_says(monkeypatch, tmp_path):
    small = tuple((row, 4, 3 if n == 0 else 4, 3, 1, 1, pooled) for n, (row, *_, pooled) in enumerate(perceptual._ALEX))
    monkeypatch.setattr(perceptual, "_ALEX", small)
    alex = {f"features.{row}.{kind}": torch.randn(*((4, inside, 3, 3) if kind == "weight" else (4,)))
            for row, _, inside, *_ in small for kind in ("weight", "bias")}
    torch.save(alex, tmp_path / "a.pth")
    torch.save({f"lin{n}.model.1.weight": torch.ones(1, 4, 1, 1) for n in range(5)}, tmp_path / "l.pth")
    lpips = perceptual.Lpips(tmp_path / "a.pth", tmp_path / "l.pth")
    x, y = noise(), noise(1)
    assert lpips(x, x).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert float(lpips(x, y).min()) > 0
    with pytest.raises(InputError, match="lin0"):
        perceptual.Lpips(tmp_path / "a.pth", tmp_path / "a.pth")


class Layers(torch.nn.Module):
    """Stands where Inception's layers do: the mean and the extremes of what they are given."""

    def forward(self, x):
        return torch.stack([x.mean((1, 2, 3)), x.amax((1, 2, 3)), x.amin((1, 2, 3))], 1)


class Packed(torch.nn.Module):
    """A TorchScript file as clean-fid reads it: what is asked are its layers."""

    def __init__(self):
        super().__init__()
        self.layers = Layers()

    def forward(self, x):
        return 0 * x


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_inception_is_given_pictures_as_clean_fid_does(tmp_path):
    torch.jit.script(Packed()).save(str(tmp_path / "i.pt"))
    found = perceptual.Inception(tmp_path / "i.pt")(torch.full((2, 3, 16, 16), 0.5))
    assert found == pytest.approx(np.full((2, 3), 191 / 128 - 1), abs=1e-6)
    torch.jit.script(Layers()).save(str(tmp_path / "other.pt"))
    with pytest.raises(InputError, match="mrs models get inception-fid"):
        perceptual.Inception(tmp_path / "other.pt")


def test_pictures_are_enlarged_as_pillow_does():
    Image = pytest.importorskip("PIL.Image")
    x = noise(count=1, size=48)
    whole = ((x[0] + 1) * 127.5).round().numpy()
    wanted = np.stack([np.asarray(Image.fromarray(channel).resize((299, 299), Image.BICUBIC)) for channel in whole])
    assert perceptual.enlarged(x)[0].numpy() == pytest.approx(wanted, abs=0.02)
    assert wanted.max() > 255


def test_colours_of_parts_are_compared_wherever_they_are():
    drawn, truth = torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    here, there = (torch.full((1, 16, 16), -1) for _ in range(2))
    here[:, :, :8], there[:, :, 8:] = 1, 1
    truth[..., :8], drawn[..., 8:] = 0.4, 0.4
    assert measures.part_colour_error(drawn, truth, here)["torso"] == pytest.approx(0.4 * 127.5, abs=1e-3)
    assert measures.part_colour_error(drawn, truth, here, drawn_parts=there) == pytest.approx({"torso": 0, "all": 0}, abs=1e-4)


def test_a_probe_finds_what_is_linear_in_the_code_and_nothing_in_noise():
    rng = np.random.default_rng(0)
    code, posture = rng.normal(size=(300, 20)), rng.normal(size=(300, 4))
    assert evaluate.ridge_r2(code, code[:, :4] @ rng.normal(size=(4, 4))) > 0.95
    assert evaluate.ridge_r2(code, posture) < 0.05


def test_a_sheet_is_a_png_that_others_read(tmp_path):
    import cv2

    row = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3)).astype(np.uint8)
    whole = sheets.sheet([row, row[:2]])
    sheets.write_png(tmp_path / "s.png", whole)
    assert np.array_equal(cv2.imread(str(tmp_path / "s.png"))[..., ::-1], whole)
    assert whole.shape == (20, 28, 3)
    assert np.array_equal(sheets.to_bytes(sheets.from_bytes(row)), row)
