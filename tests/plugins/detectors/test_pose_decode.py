"""Decoders of SimCC, heatmaps and RTMO: places known by construction, and mmpose's own codecs."""

import numpy as np
import pytest
from mrs_plugins.detectors import _pose_decode as decode

from tests import mmpose_models

SIZE = (192, 256)


def bumps(places, shape, sigma=2.0, top=1.0):
    """Make heatmaps (1, K, H, W): Gaussian bumps at places (K, 2) in cells."""
    y, x = np.mgrid[:shape[0], :shape[1]]
    return np.stack([top * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in places])[None].astype(
        np.float32)


PLACES = np.array([[12.3, 20.7], [30.0, 31.0], [5.6, 50.2], [40.45, 8.8]])


def test_simcc_is_the_maximum_of_each_axis_over_the_ratio():
    """The place is exact to half a pixel's step; the confidence is the lower maximum; nothing above 0 is no place."""
    x, y = np.zeros((1, 2, 384), np.float32), np.zeros((1, 2, 512), np.float32)
    x[0, 0, 101], y[0, 0, 400] = 0.9, 0.7
    found = decode.simcc(x, y, 2.0)
    assert np.allclose(found[0, 0], [50.5, 200, 0.7])
    assert np.allclose(found[0, 1], [-0.5, -0.5, 0])


@pytest.mark.parametrize(("kind", "within_cells"), [("quarter", 0.3), ("dark", 0.06), ("udp", 0.06)])
def test_heatmaps_give_places_between_the_cells(kind, within_cells):
    """A bump between cells is found to a quarter of a cell, or by a Newton step nearly exactly."""
    found = decode.heatmap(bumps(PLACES, (64, 48)), SIZE, kind, 11)[0]
    cells = (np.array([48, 64]) - (kind == "udp"))
    assert np.abs(found[:, :2] / np.array(SIZE) * cells - PLACES).max() < within_cells
    assert (found[:, 2] > 0.9).all()


@pytest.mark.parametrize("kind", ["quarter", "dark", "udp"])
def test_empty_and_border_maps_are_finite(kind):
    """Empty maps, and maxima in corners, give finite places."""
    maps = np.zeros((1, 5, 64, 48), np.float32)
    for row, (y, x) in enumerate(((0, 0), (63, 47), (0, 47), (1, 1))):
        maps[0, row, y, x] = 1
    found = decode.heatmap(maps, SIZE, kind, 11)
    assert np.isfinite(found).all() and found[0, 4, 2] == 0


def test_one_stage_takes_each_body_once():
    """Overlapping boxes are one person, the best first; weak ones are left out."""
    boxes = np.array([[0, 0, 10, 10, 0.5], [0, 0, 10, 9, 0.9], [50, 0, 60, 10, 0.7], [80, 0, 90, 10, 0.1]], np.float32)
    assert decode.one_stage(boxes, np.zeros((4, 17, 3)), 0.3, 0.65) == [1, 2]


@mmpose_models.wanted
class TestLikeMmpose:
    """The same numbers as mmpose's codecs on the same outputs."""

    @pytest.fixture(scope="class")
    def codecs(self):
        from mrs_plugins.detectors._mmpose_mend import load_mmpose

        load_mmpose()
        from mmpose import codecs

        return codecs

    @pytest.fixture(scope="class")
    def maps(self):
        rng = np.random.default_rng(1)
        places = rng.uniform((-1, -1), (49, 65), (40, 2))
        return bumps(places, (64, 48), top=0.8) + rng.normal(0, 0.01, (1, 40, 64, 48)).astype(np.float32)

    def check(self, found, expected, scores):
        assert np.abs(found[0, :, :2] - expected[0]).max() < 1e-3
        assert np.allclose(found[0, :, 2], scores[0], atol=1e-6)

    @pytest.mark.parametrize("unbiased", [False, True])
    def test_msra(self, codecs, maps, unbiased):
        codec = codecs.MSRAHeatmap(input_size=SIZE, heatmap_size=(48, 64), sigma=2, unbiased=unbiased)
        self.check(decode.heatmap(maps, SIZE, "dark" if unbiased else "quarter", codec.blur_kernel_size),
                   *(part for part in codec.decode(maps[0].copy())))

    def test_udp(self, codecs, maps):
        codec = codecs.UDPHeatmap(input_size=SIZE, heatmap_size=(48, 64), sigma=2)
        self.check(decode.heatmap(maps, SIZE, "udp", codec.blur_kernel_size), *codec.decode(maps[0].copy()))

    def test_simcc(self, codecs):
        rng = np.random.default_rng(2)
        x, y = rng.normal(size=(1, 26, 384)).astype(np.float32), rng.normal(size=(1, 26, 512)).astype(np.float32)
        codec = codecs.SimCCLabel(input_size=SIZE, simcc_split_ratio=2.0, use_dark=False, normalize=False)
        self.check(decode.simcc(x, y, 2.0), *codec.decode(x, y))
