"""What drawings lack of a person's colours."""

import pytest
import torch

from mrs.appearance import tone
from tests.appearance.small import standing_joints

SIZE = 64


def joints(count=1):
    return torch.tensor(standing_joints(count), dtype=torch.float32)


def one_weight():
    return torch.ones(1, 1)


def test_every_pixel_belongs_to_pieces_that_add_up_to_one():
    share = tone.shares(joints(2), SIZE)
    assert share.shape == (2, len(tone.PIECES), SIZE, SIZE)
    assert torch.allclose(share.sum(1), torch.ones(2, SIZE, SIZE), atol=1e-5)


@pytest.mark.parametrize(("piece", "x", "y"), [("head", 0.5, 0.15), ("torso_0", 0.5, 0.36), ("torso_1", 0.5, 0.5), ("right_shoulder_0", 0.36, 0.3),
                                               ("left_elbow_1", 0.82, 0.3), ("right_hip_0", 0.44, 0.61), ("left_knee_1", 0.56, 0.86)])
def test_a_pixel_on_a_bone_is_of_its_piece(piece, x, y):
    at = tone.shares(joints(), SIZE)[0, :, int(y * SIZE), int(x * SIZE)]
    assert tone.PIECES[int(at.argmax())] == piece


def test_mirrored_twice_is_the_same_and_the_middle_stays():
    assert [tone.MIRRORED[n] for n in tone.MIRRORED] == list(range(len(tone.PIECES)))
    assert tone.MIRRORED[tone.PIECES.index("head")] == tone.PIECES.index("head")
    assert tone.PIECES[tone.MIRRORED[tone.PIECES.index("left_knee_1")]] == "right_knee_1"


def test_a_drawing_of_one_wrong_colour_is_mended_wholly():
    drawn, lack = torch.zeros(1, 3, SIZE, SIZE), torch.tensor([0.3, -0.2, 0.1])
    truth = drawn + lack[None, :, None, None]
    found = tone.lacks(drawn, truth, joints(), torch.ones(1, 1, SIZE, SIZE)).mean(one_weight())
    assert torch.allclose(tone.field(found, joints(), SIZE), truth, atol=0.06)
    seen = tone.lacks(drawn, truth, joints(), torch.ones(1, 1, SIZE, SIZE)).pixels[0] > 100
    assert torch.allclose(found[0, seen], lack.expand(int(seen.sum()), 3), atol=0.04)


def test_what_lacks_nothing_is_left_alone():
    drawn = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    found = tone.lacks(drawn, drawn, joints(), torch.ones(1, 1, SIZE, SIZE)).mean(one_weight())
    assert float(tone.field(found, joints(), SIZE).abs().max()) == 0


def test_a_red_sleeve_is_red_in_another_posture_and_nothing_else_is():
    drawn, truth = torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, 3, SIZE, SIZE)
    arm = tone.shares(joints(), SIZE)[:, [tone.PIECES.index(f"left_elbow_{n}") for n in (0, 1)]].sum(1, keepdim=True) > 0.5
    truth[:, :1][arm] = 0.8
    person = torch.ones(1, 1, SIZE, SIZE)
    colours = tone.lacks(drawn, truth, joints(), person).mean(one_weight())
    hanging = joints()
    hanging[0, 6, :2], hanging[0, 7, :2] = torch.tensor([0.66, 0.44]), torch.tensor([0.68, 0.58])
    added = tone.field(colours, hanging, SIZE)[0]
    assert float(added[0, int(0.51 * SIZE), int(0.67 * SIZE)]) > 0.5
    assert float(added[0, int(0.75 * SIZE), int(0.44 * SIZE)]) == pytest.approx(0, abs=0.05)
    assert float(added[1:].abs().max()) < 1e-6


def test_a_hidden_arm_takes_the_other_arms_colour():
    drawn, truth = torch.zeros(1, 3, SIZE, SIZE), torch.full((1, 3, SIZE, SIZE), 0.4)
    person = torch.ones(1, 1, SIZE, SIZE)
    person[..., : SIZE // 2] = 0
    colours = tone.lacks(drawn, truth, joints(), person).mean(one_weight())[0]
    assert float(colours[tone.PIECES.index("right_elbow_0"), 0]) > 0.2


def test_unknown_joints_have_no_pieces_and_nobody_gets_no_colour():
    some, nobody = joints(), joints()
    some[0, 3, 2] = 0
    nobody[..., 2] = 0
    share = tone.shares(some, SIZE)[0]
    assert float(share[tone.PIECES.index("right_shoulder_0")].max()) == 0
    assert torch.allclose(share.sum(0), torch.ones(SIZE, SIZE), atol=1e-5)
    assert float(tone.shares(nobody, SIZE).abs().max()) == 0


def test_where_the_person_is_without_a_share_is_near_the_bones_and_within_known_masks():
    near = tone.person_of(None, joints(), SIZE, None, None)
    assert float(near[0, 0, int(0.3 * SIZE), int(0.25 * SIZE)]) == 1 and float(near[0, 0, 2, 2]) == 0
    mask = torch.zeros(1, 1, SIZE, SIZE)
    assert float(tone.person_of(torch.full((1, 1, SIZE, SIZE), 9.0), joints(), SIZE, mask, torch.ones(1)).max()) == 0
    assert float(tone.person_of(torch.full((1, 1, SIZE, SIZE), 9.0), joints(), SIZE, mask, torch.zeros(1)).min()) > 0.9
