"""Crops and the way back: exact maps, the right pixels, and people who stand upright in them."""

from dataclasses import replace

import numpy as np
import pytest

from mrs.lifting import crops
from mrs.skeletons import COCO_17
from mrs.tracks import Track
from tests.stick_people import boxes_of, walk

TIMES_S = np.arange(20) / 30
MIDDLE_PX = np.array([640.0, 450.0])


def turned_track(angle_rad, times_s=TIMES_S):
    """A walking stick person, the whole picture turned clockwise by angles (T,) about MIDDLE_PX."""
    points, _ = walk(times_s, 640.0, facing_rad=0.3)
    angle = np.broadcast_to(angle_rad, times_s.shape)
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], -1), np.stack([np.sin(angle), np.cos(angle)], -1)], -2)
    points[..., :2] = np.einsum("tab,tkb->tka", turn, points[..., :2] - MIDDLE_PX) + MIDDLE_PX
    return Track(1, COCO_17, np.arange(len(times_s)), times_s, points, boxes_of(points))


def test_the_way_back_is_exact():
    """Below 1e-4 px, for every angle and size."""
    rng = np.random.default_rng(0)
    cut = crops.Crops(rng.uniform(0, 4000, (200, 2)), rng.uniform(20, 3000, 200), rng.uniform(-7, 7, 200))
    points = rng.uniform(-500, 4500, (200, 9, 2))
    to_crop = cut.to_crop(0.3)
    back = crops.mapped(crops.inverse(to_crop), crops.mapped(to_crop, points))
    assert np.abs(back - points).max() < 1e-4
    assert np.abs(crops.mapped(to_crop, cut.center_px[:, None]) - crops.MIDDLE).max() < 1e-9
    edge = crops.mapped(crops.inverse(to_crop), np.array([[crops.MIDDLE + 112, crops.MIDDLE]]))[:, 0]
    np.testing.assert_allclose(np.linalg.norm(edge - cut.center_px, axis=1), cut.side_px / 2, rtol=1e-9)


@pytest.mark.parametrize("side", [150.0, 224.0, 500.0, 900.0])
@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi])
def test_each_pixel_of_a_crop_shows_its_place(side, angle):
    """On a picture whose red and green are x and y, a crop reads its own map, to a thirtieth of a pixel."""
    y, x = np.mgrid[:720, :1280]
    rgb = np.stack([x, y, 0 * x], -1).astype(np.float32)
    cut = crops.Crops(np.array([[640.0, 360.0]]), np.array([side]), np.array([angle]))
    shown = crops.cut(rgb, cut.to_crop()[0])
    places = crops.mapped(crops.inverse(cut.to_crop())[0], np.stack(np.meshgrid(np.arange(224.0), np.arange(224.0)), -1).reshape(-1, 2))
    inside = ((places > 3) & (places < [1276, 716])).all(1)
    assert np.abs(shown.reshape(-1, 3)[inside, :2] - places[inside]).max() < 1 / 30 + 1 / 32 * max(side / 336, 1)
    assert np.abs((shown.reshape(-1, 3)[inside, :2] - places[inside]).mean(0)).max() < 0.01


def test_outside_of_the_picture_is_black():
    cut = crops.Crops(np.array([[0.0, 0.0]]), np.array([300.0]), np.zeros(1))
    shown = crops.cut(np.full((100, 100, 3), 200, np.uint8), cut.to_crop()[0])
    assert shown[:100, :100].max() == 0 and shown[120:150, 120:150].min() == 200


@pytest.mark.parametrize("degrees", [0, 60, 90, 135, 180, -90, -170])
def test_people_stand_upright_in_their_crops(degrees):
    """Whatever the picture's turn, hips come below shoulders, and everything is inside."""
    track = turned_track(np.radians(degrees))
    cut = crops.about(track)
    seen = crops.mapped(cut.to_crop(), track.keypoints_px[..., :2])
    hips, shoulders = (seen[:, COCO_17.indices(f"left_{n}", f"right_{n}")].mean(1) for n in ("hip", "shoulder"))
    up = shoulders - hips
    assert np.degrees(np.abs(np.arctan2(up[:, 0], -up[:, 1]))).max() < 3
    assert seen.min() > 5 and seen.max() < 219
    off = (np.degrees(cut.angle_rad) - degrees + 180) % 360 - 180
    assert np.abs(off).max() < 3


def test_those_who_lean_a_little_stay_as_they_are():
    assert np.abs(crops.about(turned_track(np.radians(15))).angle_rad).max() < 1e-9
    assert np.abs(crops.about(turned_track(np.pi), upright=False).angle_rad).max() == 0


def test_the_angle_goes_round_with_a_somersault():
    """Two turns in a second are two turns of the crop, without a jump."""
    times = np.arange(60) / 60
    cut = crops.about(turned_track(4 * np.pi * times, times))
    assert np.degrees(np.abs(np.diff(cut.angle_rad))).max() < 45
    assert cut.angle_rad[-1] - cut.angle_rad[0] > 2 * np.pi * 1.7


def test_frames_without_evidence_lie_between_their_neighbours():
    track = turned_track(np.pi / 2)
    points = track.keypoints_px.copy()
    points[8:12] = 0
    cut, whole = crops.about(replace(track, keypoints_px=points)), crops.about(track)
    assert np.abs(cut.center_px - whole.center_px).max() < 5
    assert np.abs(cut.side_px / whole.side_px - 1).max() < 0.05 and np.abs(cut.angle_rad - whole.angle_rad).max() < 0.05
