"""The mmdet finder, with a stand-in of mmdet's API, and where mmdet is installed with mmdet itself."""

import importlib.machinery
import importlib.util
import sys
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from mrs_plugins.detectors import _mmdet_finder, _mmpose_mend
from mrs_plugins.detectors._mmdet_finder import MMDetFinder
from mrs_plugins.detectors._mmpose_mend import INSTALL_MMDET

from mrs.errors import InputError, MissingError
from tests import mmpose_models
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


class Model(torch.nn.Linear):
    """What the stand-in builds."""

    dataset_meta: ClassVar = {"classes": ("person", "bicycle")}


def write_weights(path, **meta):
    """A checkpoint of the stand-in's model."""
    torch.save({"state_dict": {"weight": torch.full((1, 2), 7.0), "bias": torch.ones(1)}, "meta": meta}, path)


@pytest.fixture
def files(tmp_path):
    """A config and a checkpoint."""
    (tmp_path / "config.py").write_text("model = dict()\n")
    write_weights(tmp_path / "weights.pth")
    return str(tmp_path / "config.py"), str(tmp_path / "weights.pth")


@pytest.fixture
def mmdet(monkeypatch):
    """mmdet.apis with init_detector and inference_detector; `asked` has what they were called with."""
    outer, apis, asked = ModuleType("mmdet"), ModuleType("mmdet.apis"), []
    outer.apis, outer.__spec__ = apis, importlib.machinery.ModuleSpec("mmdet", None)

    def init_detector(config, checkpoint=None, palette="none", device="cuda:0", cfg_options=None):
        asked.append((config, checkpoint, device))
        return Model(2, 1)

    def inference_detector(model, imgs, test_pipeline=None, text_prompt=None, custom_entities=False):
        asked.append((model, imgs, test_pipeline))
        found = Instances(labels=torch.tensor(LABELS), bboxes=torch.tensor(BOXES, dtype=torch.float32), scores=torch.tensor(SCORES))
        return SimpleNamespace(pred_instances=found)

    apis.init_detector, apis.inference_detector = init_detector, inference_detector
    monkeypatch.setitem(sys.modules, "mmdet", outer)
    monkeypatch.setitem(sys.modules, "mmdet.apis", apis)
    monkeypatch.setattr(_mmdet_finder, "_pipeline_of", lambda model: "the pipeline")
    return asked


def test_people_are_found_each_once_and_best_first(mmdet, files):
    """Other classes, weak boxes and doubles are left out; the picture is given in BGR, as mmdet's own reader gives it."""
    rgb = np.zeros((240, 320, 3), np.uint8)
    rgb[..., 0] = 200
    finder = MMDetFinder(*files, "cpu")
    found = finder.find(rgb, 0.3, 0, False)
    assert [(f.box_px.tolist(), round(f.score, 3)) for f in found] == [(BOXES[1], 0.9), (BOXES[2], 0.6)]
    assert all(f.points_px is None for f in found)
    assert mmdet[0] == (files[0], None, "cpu")
    model, picture, pipeline = mmdet[1]
    assert model.weight.tolist() == [[7, 7]] and pipeline == "the pipeline"
    assert picture[0, 0].tolist() == [0, 0, 200] and picture.flags["C_CONTIGUOUS"]
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


@pytest.mark.parametrize("meta, person", [({"dataset_meta": {"CLASSES": ("dog", "Person")}}, 1), ({"CLASSES": ("car", "pedestrian")}, 1),
                                          ({"dataset_meta": {"classes": "person"}}, 0)])
def test_people_are_the_class_of_that_name(mmdet, files, meta, person):
    """By the checkpoint's metadata, in the spelling of mmdet 3 or 2."""
    write_weights(files[1], **meta)
    found = MMDetFinder(*files, "cpu").find(np.zeros((240, 320, 3), np.uint8), 0.3, 0, False)
    assert len(found) == (2 if person == 0 else 0)


def test_what_is_missing_is_told_in_a_line(mmdet, files, monkeypatch):
    """No file, another model's weights, no people, no mmdet."""
    with pytest.raises(InputError, match=r"Type: --set detector\.finder_config=FILE"):
        MMDetFinder("no.py", files[1], "cpu")
    with pytest.raises(InputError, match=r"Type: --set detector\.finder_checkpoint=FILE"):
        MMDetFinder(files[0], "", "cpu")
    write_weights(files[1], dataset_meta={"classes": ("cat", "dog")})
    with pytest.raises(InputError, match="they are cat, dog"):
        MMDetFinder(*files, "cpu")
    torch.save({"state_dict": {"weight": torch.ones(3, 2)}}, files[1])
    with pytest.raises(InputError, match=r"2 of 2 tensors do not fit .*--set detector\.finder_config=NAME"):
        MMDetFinder(*files, "cpu")


def test_without_mmdet_the_install_command_is_told(files, monkeypatch):
    """Where it is absent."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "mmdet" else real(name, *a))
    monkeypatch.delitem(sys.modules, "mmdet.apis", raising=False)
    with pytest.raises(MissingError) as refused:
        MMDetFinder(*files, "cpu")
    assert INSTALL_MMDET in str(refused.value) and "\n" not in str(refused.value)


def test_doubles_are_suppressed_class_by_class():
    """What stands in for mmcv's operator: the best box of each heap, classes apart, as many as are asked for."""
    boxes = torch.tensor([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30], [0, 0, 10, 10.0]])
    scores, classes = torch.tensor([0.5, 0.9, 0.7, 0.8]), torch.tensor([0, 0, 0, 1])
    dets, rows = _mmpose_mend._batched_nms(boxes, scores, classes, {"type": "nms", "iou_threshold": 0.5})
    assert rows.tolist() == [1, 3, 2] and dets[:, 4].tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert dets[0, :4].tolist() == [1, 1, 11, 11]
    assert _mmpose_mend._batched_nms(boxes, scores, classes, {"iou_threshold": 0.5}, class_agnostic=True)[1].tolist() == [1, 2]
    assert _mmpose_mend._batched_nms(boxes, scores, classes, {"iou_threshold": 0.5, "max_num": 1})[1].tolist() == [1]
    assert _mmpose_mend._batched_nms(boxes[:0], scores[:0], classes[:0], {"iou_threshold": 0.5})[0].shape == (0, 5)
    with pytest.raises(MissingError, match="compiled operators"):
        _mmpose_mend._batched_nms(boxes, scores, classes, {"type": "soft_nms"})


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


needs_mmdet = pytest.mark.skipif(any(importlib.util.find_spec(name) is None for name in ("mmdet", "mmcv", "pycocotools")),
                                 reason="mmdet is not installed (docs/mmpose.md)")
CONFIG = """_base_ = "{base}"
model = dict(bbox_head=dict(num_classes=1))
"""


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """RTMDet-tiny of people alone with random weights, saved by mmengine as mmdet saves a training: config and checkpoint."""
    folder = tmp_path_factory.mktemp("mmdet")
    apis = _mmpose_mend.load_mmdet()
    from mmengine.logging import HistoryBuffer
    from mmengine.runner.checkpoint import save_checkpoint

    (folder / "own.py").write_text(CONFIG.format(base=_mmdet_finder._config_file("rtmdet_tiny_8xb32-300e_coco")))
    torch.manual_seed(0)
    with _mmpose_mend.quiet(), _mmpose_mend.mended(mmdet=True):
        model = apis.init_detector(str(folder / "own.py"), None, device="cpu")
        model.bbox_head.init_weights()
    content = {"state_dict": model.state_dict(), "meta": {"dataset_meta": {"classes": ("person",)}, "epoch": 1},
               "message_hub": {"log_scalars": {"train/loss": HistoryBuffer([1.0], [1])}, "loss": np.float64(2)}}
    save_checkpoint(content, str(folder / "own.pth"))
    return str(folder / "own.py"), str(folder / "own.pth"), model


@needs_mmdet
def test_mmdet_itself_without_compiled_operators(detector, capsys):
    """Boxes are those of mmdet's inference_detector, without doubles; nothing is printed, and no stand-in is left behind."""
    finder = MMDetFinder(*detector[:2], "cpu")
    rgb = mmpose_models.real_frame()
    found = finder.find(rgb, 0.0, 6, False)
    with _mmpose_mend.quiet():
        seen = _mmpose_mend.load_mmdet().inference_detector(detector[2], rgb[..., ::-1].copy(), test_pipeline=finder._pipeline).pred_instances
    boxes, scores = seen.bboxes.numpy(), seen.scores.numpy()
    assert len(found) > 1 and not any(name.startswith("mmcv.ops") for name in sys.modules)
    np.testing.assert_allclose(found[0].box_px, boxes[scores.argmax()], atol=1e-3)
    assert all((np.abs(boxes - f.box_px).max(1) < 1e-3).any() for f in found)
    assert capsys.readouterr() == ("", "")


@needs_mmdet
@mmpose_models.wanted
def test_mmdet_finds_and_mmpose_follows(detector, tmp_path, capsys):
    """One command, frame after frame: each of the two looks its steps up under its own name."""
    checkpoint = mmpose_models.write_checkpoint(mmpose_models.CONFIGS["halpe-26"], tmp_path / "pose.pth")
    sets = {"config": mmpose_models.CONFIGS["halpe-26"], "checkpoint": checkpoint, "finder_config": detector[0],
            "finder_checkpoint": detector[1], "score_threshold": 0, "min_score": 0, "find_every_s": 0, "max_people": 2}
    ended = here(capsys, "detect", SAMPLE, "-o", tmp_path / "out", "--detector", "mmpose", "--end", "0.15", "--quiet",
                 *[part for key, value in sets.items() for part in ("--set", f"detector.{key}={value}")])
    assert ended.code == 0 and (tmp_path / "out" / "tracks.npz").is_file(), ended.err


def test_boxes_alone_are_sent_to_the_tracker(capsys, tmp_path):
    """`--detector mot:FILE` is refused in a line that says to type --tracker mot:FILE."""
    (tmp_path / "gt.txt").write_text("1,1,10,20,30,40,1,1,1\n")
    ended = here(capsys, "run", SAMPLE, "--detector", f"mot:{tmp_path / 'gt.txt'}", "-o", tmp_path / "out", "--quiet")
    assert ended.code == 2 and f"--tracker mot:{tmp_path / 'gt.txt'}" in ended.err and ended.err.count("\n") == 1
