"""A clip's person: cutting, learning, drawing, measuring."""

import numpy as np
import pytest
import torch

from mrs.appearance import clips, crops, draw, evaluate, imagined, personalise, report, session, stored, weights
from mrs.render.appearance import Appearance
from mrs.render.clip import Clip
from tests.appearance.small import tiny, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("clip") / "run")


@pytest.fixture(scope="module")
def clip(run):
    return Clip.of_run(run)


@pytest.fixture(scope="module")
def seen(clip):
    from mrs.render.background import background

    return clips.of_clip(clip, background(clip)[0], 40)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    session.session(("people:",), folder, tiny(iterations=2))
    return weights.load(folder)


def test_a_square_holds_the_person_and_its_joints(clip, seen):
    assert len(seen) == 24
    for picture in seen.pictures:
        assert picture.rgb.shape == (40, 40, 3)
        assert ((picture.joints[:, :2] > 0.02) & (picture.joints[:, :2] < 0.98)).all()
        red = (picture.rgb[..., 0].astype(int) - picture.rgb[..., 2] > 60)
        assert 0.03 < red.mean() < 0.6
        x, y = (picture.joints[1, :2] * 40).astype(int)
        assert red[max(y - 2, 0) : y + 4, max(x - 2, 0) : x + 3].any()
    assert not (seen.pictures[0].plate[..., 0].astype(int) - seen.pictures[0].plate[..., 2] > 60).any()


def test_what_is_put_back_lies_where_it_was_cut():
    rng = np.random.default_rng(0)
    import cv2

    frame = cv2.GaussianBlur(rng.integers(0, 255, (120, 160, 3)).astype(np.uint8), (0, 0), 4)
    square = np.array([80.3, 61.7, 64.0])
    cut = crops.cut(frame, square, 64)
    back = np.zeros_like(frame)
    crops.put(back, cut, np.ones((64, 64), np.float32), square)
    inside = np.s_[35:90, 55:105]
    assert np.abs(back[inside].astype(int) - frame[inside]).mean() < 1.5
    assert not back[:20].any()
    crops.put(back, cut, np.ones((64, 64), np.float32), np.array([-500.0, 0, 64]))


def test_squares_are_calm_and_never_cut_the_joints():
    rng = np.random.default_rng(0)
    joints = np.ones((50, 18, 3))
    joints[..., :2] = rng.uniform(100, 200, (50, 18, 2)) + np.arange(50)[:, None, None]
    joints[20] = 0
    squares = crops.squares(joints, 25.0)
    low, high = joints[..., :2].min(1), joints[..., :2].max(1)
    kept = np.delete(np.arange(50), 20)
    assert (low[kept] >= squares[kept, :2] - squares[kept, 2:] / 2).all()
    assert (high[kept] <= squares[kept, :2] + squares[kept, 2:] / 2).all()
    assert np.abs(np.diff(squares[:, 0])).max() < 6
    assert crops.squares(np.zeros((3, 18, 3)), 25.0).shape == (3, 3)


def test_a_quarter_of_every_stretch_is_held_out(seen):
    learn, held = seen.held_out(12.0)
    assert not set(learn) & set(held)
    assert len(learn) + len(held) == 24
    assert 0.15 < len(held) / 24 < 0.35


def test_personalising_brings_the_pictures_nearer(seen, start):
    learn, held = seen.held_out(12.0)
    before = evaluate.clip(start, seen, learn, held, evaluate.Judge)
    made = personalise.personalise(start, seen.at(learn), 1e9, iterations=40, lr=6e-3)
    after = evaluate.clip(made, seen, learn, held, evaluate.Judge, others={"again": np.stack([p.rgb for p in seen.pictures])})
    assert after["shape-pose"]["psnr_box_db"] > before["shape-pose"]["psnr_box_db"] + 1
    assert after["again"]["ssim"] == pytest.approx(1, abs=1e-3)
    assert after["again"]["flicker"] == pytest.approx(0, abs=1e-3)
    assert after["mean-picture"] == before["mean-picture"]
    assert made.facts["personalised"]["iterations"] == 40


def test_looks_are_taken_from_frames_that_face_alike():
    bank = personalise.Bank([torch.tensor([[[[1.0]]], [[[3.0]]]])], np.array([[1.0, 0], [-1.0, 0]]))
    values = bank.at(np.array([[1.0, 0], [-1, 0], [0, 1.0]]))[0].flatten().tolist()
    assert values == pytest.approx([1, 3, 2], abs=0.01)


def test_a_motion_is_drawn_over_what_is_behind(clip, seen, start):
    drawer = draw.Drawer(start, personalise.bank(start, seen, 4))
    motion = clip.motion.part(0, 5)
    pictures = list(drawer.over(motion, clip.camera, lambda row: np.full((120, 160, 3), 7, np.uint8)))
    assert len(pictures) == 5
    assert all(p.shape == (120, 160, 3) and p.dtype == np.uint8 for p in pictures)
    places = crops.squares(crops.joints_px(motion, clip.camera), motion.fps)
    x = int(places[0, 0] + places[0, 2] / 2) + 3
    assert (pictures[0] != 7).any()
    assert (pictures[0][:, x:] == 7).all()


def test_personalised_weights_are_kept_and_used_again_for_the_same(clip, seen, start, monkeypatch):
    looks = Appearance.plain((200, 40, 40))
    monkeypatch.setattr(imagined, "COUNT", 4)
    asked = {"lr": 1e-3, "device": "cpu", "seed": 0, "key": {}}
    first = stored.personalised(clip, start, seen, looks, 0.05, **asked)
    assert (clip.folder / stored.NAME).is_file()
    monkeypatch.setattr(personalise, "personalise", lambda *a, **k: pytest.fail("trained again"))
    again = stored.personalised(clip, start, seen, looks, 0.05, **asked)
    assert again.facts["personalised"] == first.facts["personalised"]
    monkeypatch.undo()
    assert stored.personalised(clip, start, seen, looks, 0.06, **asked).facts["made_from"] != again.facts["made_from"]


def test_a_run_is_measured_beside_the_mesh(run, start, tmp_path):
    found = report.of_clip(run, "largest", start, 0.05, report.judge(None, None, None, "cpu"), ["mesh"], sheet=tmp_path / "sheet.png")
    assert set(found["table"]) == {"shape-pose", "copy-the-source", "nearest-frame", "mean-picture", "mesh"}
    assert found["table"]["mesh"]["ssim_box"] > found["table"]["copy-the-source"]["ssim_box"]
    assert (tmp_path / "sheet.png").is_file()
    assert "mesh" in report.text(found)


def test_without_a_background_what_surrounds_the_person_stands_in(clip):
    seen = clips.of_clip(clip, None, 40, at_most=3)
    assert len(seen) == 3
    assert "Without a still background" in seen.notes[0]
    assert all(p.plate is not None and p.mask is None for p in seen.pictures)


def test_a_mask_paints_the_person_over_from_around_them():
    shown = np.full((40, 40, 3), 90, np.uint8)
    shown[10:30, 15:25] = (250, 10, 10)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 15:25] = 255
    assert np.abs(clips._surroundings(shown, mask).astype(int) - 90).max() < 4


def test_masks_of_another_size_are_left_out(clip):
    from dataclasses import replace

    track = replace(clip.track, masks=np.zeros((len(clip.track), 100), np.uint8), mask_to_px=np.zeros((len(clip.track), 2, 3)))
    assert clips._mask(track, 0, np.array([10.0, 10, 20]), 40) is None


def test_imagined_pictures_show_the_person_s_colours_in_other_poses():
    wall = np.full((60, 90, 3), (30, 160, 60), np.uint8)
    from dataclasses import replace

    made = imagined.imagined(replace(Appearance.plain((200, 40, 40)), background_rgb=wall), 48, count=6, seed=1)
    assert len(made) == 6
    for picture in made.pictures:
        inside, outside = picture.mask > 250, picture.mask == 0
        assert 0.03 < inside.mean() < 0.5
        assert np.abs(picture.rgb[outside].astype(int) - wall[0, 0]).max() < 3
        red = picture.rgb[inside].astype(float).mean(0)
        assert red[0] > 3 * red[1]
        assert ((picture.joints[:, :2] > 0) & (picture.joints[:, :2] < 1)).all()
    assert np.ptp(made.facing[:, 0]) > 0.5


def test_imagined_pictures_are_learnt_from_but_lend_no_looks(seen, start):
    extra = imagined.imagined(Appearance.plain((200, 40, 40)), 40, count=3)
    source = personalise.pictures_of(seen, tiny(pair_share=1.0), "cpu", extra=extra)
    rows = [source._partner(row) for row in range(len(seen) + 3)]
    assert source.count == len(seen) + 3
    assert max(rows) < len(seen)
    assert source.weights[-3:].sum() == pytest.approx(personalise.EXTRA)
