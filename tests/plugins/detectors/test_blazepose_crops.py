"""Crops: where they lie, what they sample, and the way back."""

import math

import numpy as np
import pytest
from mrs_plugins.detectors._blazepose_crops import MARGIN, SIDE, Crop, crop_from_coco, cut, halve

ANGLES = (0.0, 0.3, math.pi / 2, -2.5, math.pi)


def spot(x_px: float, y_px: float, sigma_px: float, width: int, height: int) -> np.ndarray:
    """Draw a round bright spot at a place of a dark picture."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    grey = 250 * np.exp(-((x - x_px) ** 2 + (y - y_px) ** 2) / (2 * sigma_px ** 2))
    return np.repeat(grey.round().astype(np.uint8)[:, :, None], 3, 2)


@pytest.mark.parametrize("angle", ANGLES)
def test_crop_is_centred_and_upright(angle):
    """The mid-hip is in the middle, the extent point straight above it, and the margin is 1.25."""
    hip, up = np.array([300.0, 200.0]), np.array([math.sin(angle), -math.cos(angle)])
    crop = Crop.about(hip, hip + 80 * up)
    assert math.remainder(crop.angle_rad - angle, 2 * math.pi) == pytest.approx(0, abs=1e-12)
    assert crop.side_px == pytest.approx(2 * MARGIN * 80)
    to_px = crop.to_px()
    assert np.allclose(to_px @ [SIDE / 2, SIDE / 2, 1], hip)
    assert np.allclose(to_px @ [SIDE / 2, SIDE / 2 - SIDE / (2 * MARGIN), 1], hip + 80 * up)


@pytest.mark.parametrize("side_px", [90, 300, 790, 1700])
@pytest.mark.parametrize("angle", ANGLES)
def test_cut_samples_where_the_map_says(angle, side_px):
    """A spot of the picture is seen where the map back leads to it, also after halving."""
    crop = Crop(470.0, 480.0, side_px, angle)
    out = np.empty((SIDE, SIDE, 3), np.uint8)
    place = crop.to_px() @ [100, 150, 1]
    cut(spot(*place, 6 * side_px / SIDE, 960, 940), crop, out)
    weight = out[:, :, 0].astype(float)
    columns, rows = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    center = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    assert center == pytest.approx([100, 150], abs=0.1)


def test_cut_repeats_the_border():
    """A crop that reaches beyond the picture shows the border's colour there."""
    out = np.empty((SIDE, SIDE, 3), np.uint8)
    cut(np.full((40, 30, 3), 77, np.uint8), Crop(0.0, 0.0, 1000.0, 0.5), out)
    assert (out == 77).all()


def test_halving_averages():
    """Halving gives the mean of 2 x 2 pixels, and never less than one pixel."""
    picture = np.repeat(np.arange(16, dtype=np.uint8).reshape(4, 4, 1) * 4, 3, 2)
    assert halve(picture, 1)[0, 0, 0] == (0 + 4 + 16 + 20) / 4
    assert halve(picture, 5).shape == (1, 1, 3)


def test_steady_motion_moves_the_crop():
    """A crop goes on with its velocity, less the dead band for noise, and never farther than its limits."""
    crop = Crop(100.0, 100.0, 200.0, 0.0)
    assert crop.moved((3.0, 0.0, 0.0), 1.0) == crop
    assert crop.moved((24.0, 0.0, 0.0), 1.0).x_px == pytest.approx(120)
    far = crop.moved((0.0, 1e6, 1e6), 1.0)
    assert far.y_px == pytest.approx(170) and far.angle_rad == pytest.approx(math.pi / 2)
    assert crop.moved((0.0, 0.0, -math.radians(34)), 1.0).angle_rad == pytest.approx(-math.radians(30))


@pytest.mark.parametrize("crop", [Crop(math.nan, 5.0, 50.0, 0.0), Crop(50.0, 50.0, 2.0, 0.0),
                                  Crop(50.0, 50.0, 9999.0, 0.0), Crop(-80.0, 50.0, 90.0, 0.0)])
def test_senseless_crops_are_not_usable(crop):
    """A crop without a number, of no or absurd size, or off the picture is refused."""
    assert Crop(50.0, 50.0, 90.0, 0.0).usable(100, 100)
    assert not crop.usable(100, 100)


def test_first_crop_spans_the_person():
    """A lying COCO person's first crop is turned by 90 degrees and holds all trusted points; no torso gives none."""
    points = np.zeros((17, 3))
    points[:, 2] = 0.9
    points[[5, 6]] = (170, 100, 0.9)
    points[[11, 12]] = (120, 100, 0.9)
    points[[0, 1, 2, 3, 4]] = (230, 100, 0.9)
    points[[7, 8, 9, 10]] = (150, 110, 0.9)
    points[[13, 14]] = (70, 100, 0.9)
    points[[15, 16]] = (10, 100, 0.9)
    crop = crop_from_coco(points)
    assert crop.angle_rad == pytest.approx(math.pi / 2)
    assert crop.side_px == pytest.approx(2 * MARGIN * 1.1 * 110)
    assert crop_from_coco(np.zeros((17, 3))) is None
