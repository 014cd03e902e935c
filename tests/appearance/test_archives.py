"""The archives of DeepFashion and Market-1501, and Human3.6M's annotation."""

import os
import pickle

import numpy as np
import pytest
import torch

from mrs.appearance import archives, sources
from mrs.errors import InputError, UsageError
from mrs.skeletons import COCO_18
from tests.appearance.small import standing_joints, tiny, write_archive


@pytest.mark.parametrize("kind", ["deepfashion", "market"])
def test_an_archive_is_read_in_its_own_order_and_checked(tmp_path, kind):
    folder = write_archive(tmp_path / "a", archives.ORDERS[kind])
    index, counts = archives.read(folder, kind)
    assert counts == {"listed": 6, "without torso": 1, "without file": 1, "train": 2, "test": 2}
    assert index.paths.tolist() == ["img/0.jpg", "img/3.jpg", "img/4.jpg", "img/5.jpg"]
    assert index.joints == pytest.approx(standing_joints(4))


def test_the_order_that_the_file_says_wins(tmp_path):
    order = list(COCO_18.names)[::-1]
    short = [{"neck": "neck", "nose": "cnose"}.get(n, n.replace("right_", "r").replace("left_", "l")) for n in order]
    index, _ = archives.read(write_archive(tmp_path / "a", order, told_order=short), "market")
    assert index.joints == pytest.approx(standing_joints(4))
    bad = write_archive(tmp_path / "b", order, told_order=["elbow"] * 18)
    with pytest.raises(InputError, match="joint_order"):
        archives.read(bad, "market")


def test_an_archive_of_other_joints_names_them_and_those_unknown_here_are_left_out(tmp_path):
    """VUNet's own 15 names, as its instructions for other data sets list them, and a head that COCO has not."""
    order = ["rankle", "rknee", "rhip", "rshoulder", "relbow", "rwrist", "reye", "lankle", "lknee", "lhip", "lshoulder", "lelbow", "lwrist", "leye", "cnose", "chead"]
    names = [archives._long(name) for name in order[:-1]]
    index, counts = archives.read(write_archive(tmp_path / "a", [*names, "nose"], told_order=order), "deepfashion")
    assert counts["without torso"] == 1 and len(index.paths) == 4
    known = np.isin(COCO_18.names, names)
    assert index.joints[0, known] == pytest.approx(standing_joints()[0, known])
    assert not index.joints[0, ~known].any()


def test_an_index_is_kept_and_gives_square_batches(tmp_path):
    index, _ = archives.read(write_archive(tmp_path / "a"), "deepfashion")
    archives.save(index, tmp_path / "out")
    again = archives.load(tmp_path / "out")
    assert again.paths.tolist() == index.paths.tolist()
    batch = archives.source(again, tiny(), flip=0.0).of(np.array([1, 2]))
    assert batch.picture.shape == (2, 3, 32, 32)
    assert batch.picture[0].mean().item() == pytest.approx(120 / 127.5 - 1, abs=0.02)
    wide = standing_joints()[0, :, :2] * [24 / 32, 1] + [4 / 32, 0]
    assert batch.joints[0, :, :2].numpy() == pytest.approx(wide, abs=1e-6)
    assert batch.mask is None


def test_a_mirrored_picture_exchanges_left_and_right(tmp_path):
    index, _ = archives.read(write_archive(tmp_path / "a"), "deepfashion")
    source = archives.source(index, tiny())
    plain, turned = (source.of(np.array([1]), mirrored=np.array([m])) for m in (False, True))
    at = COCO_18.index
    assert turned.joints[0, at("left_wrist"), 0].item() == pytest.approx(1 - plain.joints[0, at("right_wrist"), 0].item())
    assert torch.equal(turned.picture, plain.picture.flip(3))


class Bomb:
    def __reduce__(self):
        return os.system, ("touch BOOM",)


def test_an_index_that_names_code_is_refused_and_not_run(tmp_path):
    (tmp_path / "index.p").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="system"):
        archives.read(tmp_path, "deepfashion")
    assert not (tmp_path / "BOOM").exists()


@pytest.mark.parametrize(("index", "match"), [
    ({"imgs": ["a"], "joints": np.zeros((1, 17, 2)), "train": [True]}, "17"), ({"imgs": []}, "joints"),
    ({"imgs": ["a"], "joints": np.zeros((1, 18, 2)), "train": [True], "joint_order": ["nose"]}, "1 names"),
    ({"imgs": ["a"], "joints": np.full((1, 18, 2), 128.0), "train": [True]}, "up to 128"),
    ({"imgs": ["../a"], "joints": np.zeros((1, 18, 2)), "train": [True]}, "outside"),
    ({"imgs": ["a"], "joints": np.zeros((1, 18, 2)), "train": [True]}, "no file")])
def test_an_index_of_another_shape_is_refused(tmp_path, index, match):
    (tmp_path / "index.p").write_bytes(pickle.dumps(index))
    with pytest.raises(InputError, match=match):
        archives.read(tmp_path, "deepfashion")


def test_human36m_is_split_by_person_and_its_17_joints_become_18(tmp_path):
    h5py = pytest.importorskip("h5py")
    import cv2

    folder = tmp_path / "processed" / "all"
    folder.mkdir(parents=True)
    names = [f"processed/all/{n}.jpg" for n in range(3)]
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.zeros((20, 20, 3), np.uint8))
    points = np.random.default_rng(0).uniform(0, 1, (3, 32, 2))
    with h5py.File(folder / "annot_export.h5", "w") as file:
        file["img_paths"], file["norm_keypoints"], file["p_ids"] = np.array(names, "S"), points, [1, 9, 11]
    index, counts = archives.read_h36m(tmp_path)
    assert (counts["train"], counts["test"]) == (1, 2)
    assert index.joints[0, COCO_18.index("right_wrist"), :2] == pytest.approx(points[0, 27])
    assert index.joints[0, COCO_18.index("left_knee"), :2] == pytest.approx(points[0, 7])
    assert index.joints[0, COCO_18.index("left_ear"), 2] == 0
    found = sources.open_sources((f"h36m:{tmp_path}",), tiny(alpha=False))
    assert found.train.count == 1
    assert found.held.batch(2).picture.shape == (2, 3, 32, 32)


@pytest.mark.parametrize(("data", "match"), [((), "people:"), (("pictures:x",), "people:"), (("deepfashion",), "deepfashion"),
                                             (("market:a", "market:b"), "one --data"), (("market:a", "video:b"), "one kind")])
def test_data_that_names_no_source_is_refused(data, match):
    with pytest.raises(UsageError, match=match):
        sources.open_sources(data, tiny())


def test_human36m_without_its_annotation_says_how_to_make_it(tmp_path):
    pytest.importorskip("h5py")
    with pytest.raises(InputError, match="no such file.*mrs data h36m annotate"):
        archives.read_h36m(tmp_path)


def test_pictures_without_a_background_need_a_recipe_without_a_share(tmp_path):
    with pytest.raises(UsageError, match="alpha: false"):
        sources.open_sources((f"deepfashion:{tmp_path}",), tiny())
