"""Stick figures and part patches."""

import numpy as np
import pytest
import torch

from mrs.appearance import inputs
from mrs.skeletons import COCO_18
from tests.appearance.small import standing_joints


def joints(**changed):
    """The standing person, some joints moved or, with None, unknown."""
    points = torch.as_tensor(standing_joints(), dtype=torch.float32)
    for name, place in changed.items():
        points[0, COCO_18.index(name)] = torch.tensor([0.0, 0, 0] if place is None else [*place, 1.0])
    return points


def at(figure, x, y):
    """Colour at shares of the picture, 0..1 a channel."""
    size = figure.shape[-1]
    return ((figure[0, :, int(y * size), int(x * size)] + 1) / 2).tolist()


def test_right_limbs_are_in_channel_1_left_ones_in_0_and_the_torso_fills_1_and_2():
    figure = inputs.stick_figure(joints(), 128, 3)
    assert at(figure, 0.22, 0.3) == pytest.approx([0, 1, 0])
    assert at(figure, 0.78, 0.3) == pytest.approx([1, 0, 0])
    assert at(figure, 0.5, 0.42) == pytest.approx([0, 0.5, 1])
    assert at(figure, 0.5, 0.23) == pytest.approx([0.5, 0.5, 0])
    assert at(figure, 0.05, 0.05) == [0, 0, 0]


def test_a_line_is_as_wide_as_asked_for():
    column = (inputs.stick_figure(joints(), 128, 6)[0, 1, :, 28] + 1) / 2
    assert float(column[:60].sum()) == pytest.approx(6, abs=0.6)


def test_lines_to_unknown_joints_and_long_lines_of_the_face_are_left_out():
    figure = inputs.stick_figure(joints(right_wrist=None, left_ear=(0.95, 0.05)), 128, 3)
    assert at(figure, 0.22, 0.3) == [0, 0, 0]
    assert at(figure, 0.34, 0.3) == pytest.approx([0, 1, 0])
    assert at(figure, 0.85, 0.08) == [0, 0, 0]
    assert at(inputs.stick_figure(joints(right_hip=None), 128, 3), 0.5, 0.42) == [0, 0, 0]


def test_an_upright_torso_is_cut_out_as_it_is():
    square = joints(right_shoulder=(0.25, 0.25), left_shoulder=(0.75, 0.25), right_hip=(0.25, 0.75), left_hip=(0.75, 0.75))
    picture = torch.rand(1, 3, 64, 64)
    patches = inputs.part_patches(picture, square, 32)
    assert patches.shape == (1, 30, 32, 32)
    assert torch.allclose(patches[:, :3], picture[..., 16:48, 16:48], atol=1e-5)


def test_a_trapezoid_s_sides_become_the_square_s_sides():
    square = joints(right_shoulder=(0.3, 0.2), left_shoulder=(0.7, 0.2), right_hip=(0.4, 0.8), left_hip=(0.6, 0.8))
    quads, found = inputs.part_quads(square)
    grid = inputs._warp(quads[:, 0], 64)[0]
    assert found[0, 0]
    assert grid[0, :, 1].numpy() == pytest.approx(np.full(64, 0.2), abs=0.02)
    left = grid[:, 0].numpy()
    assert (0.3 + (left[:, 1] - 0.2) / 0.6 * 0.1) == pytest.approx(left[:, 0], abs=0.01)


def test_a_folded_torso_still_gives_finite_pixels():
    folded = joints(right_shoulder=(0.6, 0.3), left_shoulder=(0.4, 0.3))
    assert torch.isfinite(inputs.part_patches(torch.rand(1, 3, 64, 64), folded, 16)).all()


def test_a_limb_is_half_as_wide_as_long_and_stands_upright_in_its_patch():
    quads, _ = inputs.part_quads(joints())
    arm = quads[0, inputs.PARTS.index("right_lower_arm")]
    assert arm.mean(0).tolist() == pytest.approx([0.22, 0.3])
    assert (arm[0] - arm[1]).norm() == pytest.approx(0.06)
    assert ((arm[0] + arm[1]) / 2).tolist() == pytest.approx([0.28, 0.3])


def test_a_limb_with_one_known_end_goes_straight_down_and_with_none_is_black():
    quads, found = inputs.part_quads(joints(right_wrist=None))
    arm = quads[0, inputs.PARTS.index("right_lower_arm")]
    assert ((arm[2] + arm[3]) / 2).tolist() == pytest.approx([0.28, 1.0])
    assert found[0, inputs.PARTS.index("right_lower_arm")]
    patches = inputs.part_patches(torch.rand(1, 3, 64, 64), joints(right_wrist=None, right_elbow=None), 16)
    number = inputs.PARTS.index("right_lower_arm")
    assert float(patches[0, 3 * number : 3 * number + 3].abs().max()) == 0


def test_the_head_is_a_square_to_twice_the_nose_or_above_the_shoulders():
    quads, _ = inputs.part_quads(joints())
    head = quads[0, 1]
    assert ((head[0] + head[1]) / 2).tolist() == pytest.approx([0.5, 0.02])
    assert ((head[2] + head[3]) / 2).tolist() == pytest.approx([0.5, 0.3])
    assert float((head[1] - head[0]).norm()) == pytest.approx(0.28)
    quads, found = inputs.part_quads(joints(nose=None))
    assert ((quads[0, 1, 0] + quads[0, 1, 1]) / 2).tolist() == pytest.approx([0.5, 0.1])
    assert found[0, 1]
    assert not inputs.part_quads(joints(left_shoulder=None))[1][0, 1]


def test_with_five_points_the_torso_begins_at_the_neck():
    quads, _ = inputs.part_quads(joints(neck=(0.5, 0.25)), five_points=True)
    torso = quads[0, 0]
    assert torso[:2, 1].tolist() == pytest.approx([0.25, 0.25])
    assert torso[2:].flatten().tolist() == pytest.approx([0.56, 0.55, 0.44, 0.55])
