"""The mmdet finder with a stand-in of mmdet's API: mmdet itself needs mmcv's compiled operators, which no wheel here has."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from mrs_plugins.detectors._mmdet_finder import MMDetFinder

from mrs.errors import InputError, MissingError
from tests.command import here
from tests.mmpose_models import SAMPLE

torch = pytest.importorskip("torch")
LABELS = [0, 0, 0, 17, 0]
BOXES = [[10, 20, 60, 180], [12, 22, 61, 178], [200, 30, 260, 190], [5, 5, 300, 200], [100, 0, 120, 40]]
SCORES = [0.7, 0.9, 0.6, 0.95, 0.1]


class Instances(SimpleNamespace):
    """As mmengine's InstanceData: tensors by name, taken to the CPU and to NumPy all at once."""

    def cpu(self):
        return self

    def numpy(self):
        return Instances(**{name: value.numpy() for name, value in vars(self).items()})


@pytest.fixture
def files(tmp_path):
    """A config and a checkpoint."""
    (tmp_path / "config.py").write_text("model = dict()\n")
    torch.save({"state_dict": {"w": torch.ones(1)}}, tmp_path / "weights.pth")
    return str(tmp_path / "config.py"), str(tmp_path / "weights.pth")


@pytest.fixture
def mmdet(monkeypatch):
    """mmdet.apis with init_detector and inference_detector; `asked` has what they were called with."""
    outer, apis, asked = ModuleType("mmdet"), ModuleType("mmdet.apis"), []
    outer.apis = apis

    def init_detector(config, checkpoint=None, palette="none", device="cuda:0", cfg_options=None):
        asked.append((config, checkpoint, device))
        return "the model"

    def inference_detector(model, imgs):
        asked.append((model, imgs))
        found = Instances(labels=torch.tensor(LABELS), bboxes=torch.tensor(BOXES, dtype=torch.float32), scores=torch.tensor(SCORES))
        return SimpleNamespace(pred_instances=found)

    apis.init_detector, apis.inference_detector = init_detector, inference_detector
    monkeypatch.setitem(sys.modules, "mmdet", outer)
    monkeypatch.setitem(sys.modules, "mmdet.apis", apis)
    return asked


def test_people_are_found_each_once_and_best_first(mmdet, files):
    """Other classes, weak boxes and doubles are left out; the picture is given in BGR, as mmdet's own reader gives it."""
    rgb = np.zeros((240, 320, 3), np.uint8)
    rgb[..., 0] = 200
    finder = MMDetFinder(*files, "cpu")
    found = finder.find(rgb, 0.3, 0, False)
    assert [(f.box_px.tolist(), round(f.score, 3)) for f in found] == [(BOXES[1], 0.9), (BOXES[2], 0.6)]
    assert all(f.points_px is None for f in found)
    assert mmdet[0] == (*files, "cpu")
    model, picture = mmdet[1]
    assert model == "the model" and picture[0, 0].tolist() == [0, 0, 200] and picture.flags["C_CONTIGUOUS"]
    assert finder.find(rgb, 0.99, 0, False) == []


def test_its_people_are_followed(mmdet, files):
    """Boxes without keypoints start people, and nobody twice."""
    from mrs_plugins.detectors._follow import Follower

    from mrs.skeletons import COCO_17

    def see(rgb, boxes_px):
        shares = np.random.default_rng(0).uniform(0.1, 0.9, (17, 2))
        spots = boxes_px[:, None, :2] + shares * (boxes_px[:, None, 2:] - boxes_px[:, None, :2])
        return np.concatenate([spots, np.full((len(boxes_px), 17, 1), 0.9)], -1)

    settings = SimpleNamespace(max_people=6, score_threshold=0.3, min_score=0.3, find_every_s=0.3)
    follower = Follower(settings, COCO_17, see, MMDetFinder(*files, "cpu"))
    rgb = np.zeros((240, 320, 3), np.uint8)
    assert [number for number, *_ in follower.step(rgb, 0.0)] == [0, 1]
    assert [number for number, *_ in follower.step(rgb, 0.1)] == [0, 1]


def test_what_is_missing_is_told_in_a_line(files, monkeypatch):
    """No file, no mmdet, and a checkpoint that would run code."""
    with pytest.raises(InputError, match=r"Type: --set detector\.finder_config=FILE"):
        MMDetFinder("no.py", files[1], "cpu")
    with pytest.raises(InputError, match=r"Type: --set detector\.finder_checkpoint=FILE"):
        MMDetFinder(files[0], "", "cpu")
    monkeypatch.setitem(sys.modules, "mmdet", None)
    with pytest.raises(MissingError, match="mim install mmcv mmdet"):
        MMDetFinder(*files, "cpu")


class Evil:
    """Unpickled, it would run code."""

    def __reduce__(self):
        return print, ("run",)


def test_its_checkpoint_runs_no_code(mmdet, files, capsys):
    """A pickle that names a function is refused before mmdet sees it."""
    torch.save({"state_dict": Evil()}, files[1])
    with pytest.raises(InputError, match="foreign code"):
        MMDetFinder(*files, "cpu")
    assert mmdet == [] and "run" not in capsys.readouterr().out


def test_boxes_alone_are_sent_to_the_tracker(capsys, tmp_path):
    """`--detector mot:FILE` is refused in a line that says to type --tracker mot:FILE."""
    (tmp_path / "gt.txt").write_text("1,1,10,20,30,40,1,1,1\n")
    ended = here(capsys, "run", SAMPLE, "--detector", f"mot:{tmp_path / 'gt.txt'}", "-o", tmp_path / "out", "--quiet")
    assert ended.code == 2 and f"--tracker mot:{tmp_path / 'gt.txt'}" in ended.err and ended.err.count("\n") == 1
