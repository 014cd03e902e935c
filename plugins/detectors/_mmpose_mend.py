"""What mmpose 1.3.2 and mmdet 3.3.0 need to load on today's Python, torch and NumPy, applied only where the real thing is absent.

mmpose imports, for work that no inference does, packages that are not installed beside it (compiled COCO tools, operators,
mmdet) or that do not load (torchvision's CPU build with a newer torch, COCO tools built for NumPy 1). While it is imported,
a small stand-in takes the place of each of those. A package that loads is used as it is. Of mmcv's compiled operators mmdet's
one-stage detectors want one, the suppression of doubles, which stands here in torch.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import logging
import pickle
import sys
import warnings
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from mrs.errors import InputError, MissingError

INSTALL = "pip install 'mrs[mmpose]' && pip install --no-deps mmpose==1.3.2 mmcv-lite==2.1.0 mmengine==0.10.7"
INSTALL_MMDET = "pip install --no-deps mmdet==3.3.0 pycocotools terminaltables shapely"
NAMES = ("mmpose", "mmcv", "mmengine")
ANY = ("*",)
MOST_BOXES = 1000
"""Boxes of a picture that are kept at most, the best ones; mmdet's configs want 100 to 300."""

_SEAMS = {
    "torchvision.transforms": ("torchvision", ("ToPILImage",)),
    "xtcocotools.coco": ("xtcocotools", ("COCO",)),
    "xtcocotools.cocoeval": ("xtcocotools", ("COCOeval",)),
    "xtcocotools.mask": ("xtcocotools", ()),
    **dict.fromkeys(("mmcv.ops", "mmcv.ops.carafe", "mmcv.ops.merge_cells", "mmcv.ops.modulated_deform_conv", "mmcv.ops.nms",
                     "mmcv.ops.roi_align"), ("mmcv.ops", ANY)),
    "mmdet.utils": ("mmdet", ("ConfigType", "reduce_mean")),
    "pkg_resources": ("pkg_resources", ()),
}
"""Where mmpose and mmengine reach out: module, the package that stands or falls as one, and the names taken from it."""


def load_mmpose():
    """Import mmpose and return it; raise MissingError with the command to type where it is not installed."""
    absent = [name for name in NAMES if importlib.util.find_spec(name) is None]
    if absent:
        raise MissingError(f"Expected {', '.join(absent)} to be installed, but found none. Type: {INSTALL}")
    if "mmpose.apis" in sys.modules:
        return sys.modules["mmpose"]
    with quiet(), mended():
        try:
            mmpose = importlib.import_module("mmpose")
            importlib.import_module("mmpose.apis")
        except (ImportError, AssertionError, AttributeError, RuntimeError) as error:
            first = str(error).split("\n")[0]
            raise MissingError(f"Expected mmpose 1.3.2 to load, but it says: {first} Type: {INSTALL}") from error
    return mmpose


def load_mmdet():
    """Import mmdet.apis and return it; raise MissingError where it is not installed, or does not load."""
    if "mmdet.apis" in sys.modules:
        return sys.modules["mmdet.apis"]
    if importlib.util.find_spec("mmdet") is None:
        raise MissingError(f"Expected mmdet to be installed for detector.finder_config, but found none. Type: {INSTALL_MMDET} (or leave "
                           "the option out: the embedded finder needs nothing)")
    with quiet(), mended(mmdet=True), _lent("mmcv.cnn.bricks.transformer", "MultiScaleDeformableAttention"):
        try:
            for module in ("mmdet.models", "mmdet.datasets", "mmdet.apis"):
                importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 (without what it wants mmdet raises whatever it likes)
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise MissingError(f"Expected mmdet 3.3.0 to load, but it says: {first} Type: {INSTALL_MMDET} (or leave "
                               "detector.finder_config out: the embedded finder needs nothing)") from None
    return sys.modules["mmdet.apis"]


@contextmanager
def _lent(module: str, name: str):
    """Let a stand-in be found under a name that a module has not, where mmcv was built without it."""
    try:
        place = importlib.import_module(module)
    except ImportError:
        place = None
    absent = place is not None and not hasattr(place, name)
    if absent:
        setattr(place, name, _refusing(module, name))
    try:
        yield
    finally:
        if absent:
            delattr(place, name)


@contextmanager
def mended(mmdet: bool = False):
    """Let a stand-in answer for each seam whose real module does not load; afterwards no stand-in is left to others.

    With `mmdet` it is mmdet itself that is imported, for which nothing stands in.
    """
    broken = _broken() - ({"mmdet"} if mmdet else set())
    finder = _StandIns({module: names for module, (package, names) in _SEAMS.items() if package in broken})
    sys.meta_path.insert(0, finder)
    try:
        yield broken
    finally:
        sys.meta_path.remove(finder)
        for name in finder.made:
            made = sys.modules.pop(name, None)
            parent, _, last = name.rpartition(".")
            if parent in sys.modules and vars(sys.modules[parent]).get(last) is made:
                delattr(sys.modules[parent], last)


@cache
def _broken() -> frozenset[str]:
    """Return the packages that do not load here, looked at once; mmdet's models need mmcv's operators."""
    broken = {package for module, (package, _) in _SEAMS.items() if module.count(".") < 2 and not _loads(module)}
    return frozenset(broken | ({"mmdet"} if "mmcv.ops" in broken else set()))


@contextmanager
def quiet():
    """Keep the log lines of mmengine and the warnings of torch to themselves; mrs says what matters."""
    levels = {name: logging.getLogger(name).level for name in ("mmengine", "current", "mmpose", "mmdet")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in levels:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)


def _loads(module: str) -> bool:
    """Say whether a module can be imported; what a failed import left behind is taken away."""
    if module == "pkg_resources":
        return importlib.util.find_spec(module) is not None
    before = set(sys.modules)
    try:
        importlib.import_module(module)
        return True
    except Exception:  # noqa: BLE001 (a package built for another torch or NumPy raises whatever it likes)
        top = module.partition(".")[0]
        for name in set(sys.modules) - before:
            if name == module or (module != "mmcv.ops" and name.partition(".")[0] == top) or name.startswith("mmcv.ops."):
                del sys.modules[name]
        return False


class _StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Find and make stand-in modules, each with the names that are imported from it."""

    def __init__(self, modules: dict[str, tuple[str, ...]]):
        parents = {name.partition(".")[0] for name in modules} - {"mmcv"}
        self.modules = dict.fromkeys(parents, ()) | modules
        self.made: list[str] = []

    def find_spec(self, name, path=None, target=None):
        """Answer for the modules that stand in."""
        if name not in self.modules:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package="." not in name or name == "mmcv.ops")

    def exec_module(self, module: ModuleType) -> None:
        """Fill a stand-in."""
        self.made.append(module.__name__)
        if module.__name__ == "pkg_resources":
            module.get_distribution, module.DistributionNotFound = _Distribution, importlib.metadata.PackageNotFoundError
        if self.modules[module.__name__] == ANY:
            module.__getattr__ = _any_of(module.__name__)
            return
        for name in self.modules[module.__name__]:
            setattr(module, name, _STAND_INS.get(name) or _refusing(module.__name__, name))


def _any_of(module: str):
    """Make the lookup of a stand-in for whatever name is imported from it."""
    def found(name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return _STAND_INS.get(name) or _refusing(module, name)

    return found


class _Distribution:
    """The three things mmengine asks of pkg_resources' distributions."""

    def __init__(self, name: str):
        self._found = importlib.metadata.distribution(name)
        self.location = str(self._found.locate_file(""))

    def has_metadata(self, name: str) -> bool:
        """Say whether a metadata file is there."""
        return self._found.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        """Return a metadata file's text."""
        return self._found.read_text(name) or ""


def _reduce_mean(tensor):
    """Return the mean over processes: with one process, the tensor."""
    return tensor


def _refusing(module: str, name: str) -> type:
    """Make a class that can be named and inherited from, but says what is missing when it is used."""

    def refuse(self, *_, **__):
        raise MissingError(f"Expected {module}.{name} for this model, but {module.partition('.')[0]} is not installed or "
                           "does not load here. Choose another config, or install it.")

    return type(name, (), {"__init__": refuse, "__doc__": f"Stand-in of {module}.{name}."})


def _nms(boxes, scores, iou_threshold: float, *_, **__):
    """Suppress doubles among boxes (N, 4) with scores (N,): boxes with scores (M, 5), best first, and their rows (M,)."""
    import torch

    order, kept = scores.argsort(descending=True, stable=True), []
    area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1)
    while len(order) and len(kept) < MOST_BOXES:
        best, order = order[0], order[1:]
        kept.append(best)
        common = (torch.minimum(boxes[best, 2:], boxes[order, 2:]) - torch.maximum(boxes[best, :2], boxes[order, :2])).clamp(min=0).prod(1)
        order = order[common <= iou_threshold * (area[best] + area[order] - common)]
    rows = torch.stack(kept) if kept else order[:0]
    return torch.cat([boxes[rows], scores[rows, None]], 1), rows


def _batched_nms(boxes, scores, idxs, nms_cfg, class_agnostic: bool = False):
    """Suppress doubles within each class, by moving classes apart; as many as `max_num` are kept."""
    settings = dict(nms_cfg or {})
    if settings.pop("type", "nms") not in ("nms", _nms):
        raise MissingError("Expected mmcv's compiled operators for this way to suppress doubles. Choose a config with nms, or install mmcv.")
    apart = 0 if class_agnostic or settings.pop("class_agnostic", False) or not len(boxes) else (idxs * (boxes.max() + 1))[:, None]
    _, rows = _nms(boxes + apart, scores, settings.get("iou_threshold", 0.5))
    rows = rows[: settings["max_num"]] if settings.get("max_num", -1) > 0 else rows
    import torch

    return torch.cat([boxes[rows], scores[rows, None]], 1), rows


_STAND_INS = {"ConfigType": dict, "reduce_mean": _reduce_mean, "nms": _nms, "batched_nms": _batched_nms}


def read_checkpoint(path, map_location="cpu"):
    """Read a checkpoint without running any code of it: tensors, plain values, and NumPy arrays and scalars.

    mmengine calls torch.load as before torch 2.6; here exactly the globals that its own checkpoints hold are allowed.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_allowed()):
            found = torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise InputError(f"Expected a checkpoint at {path}, but there is none.") from None
    except Exception as error:  # noqa: BLE001 (a broken or hostile file raises whatever it likes)
        raise InputError(_refusal(path, error)) from None
    if not isinstance(found, dict):
        raise InputError(f"Expected a checkpoint with a state_dict in {path}, but got {type(found).__name__}.")
    return found


def _allowed() -> list:
    """List the globals that mmengine's checkpoints name beyond torch's own: arrays and its log history."""
    import numpy as np

    core = importlib.import_module("numpy._core.multiarray" if int(np.__version__.split(".")[0]) > 1
                                   else "numpy.core.multiarray")
    kinds = [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    spellings = [(function, f"{module}.multiarray.{name}") for name in ("_reconstruct", "scalar")
                 for function in [getattr(core, name)] for module in ("numpy._core", "numpy.core")]
    found = [np.ndarray, np.dtype, *dict.fromkeys(kinds), *spellings]
    try:
        found.append(importlib.import_module("mmengine.logging.history_buffer").HistoryBuffer)
    except ImportError:
        pass
    return [*found, *((_method_name, f"{module}.getattr") for module in ("builtins", "__builtin__"))]


def _method_name(cls, name: str) -> str:
    """Stand in for getattr, by which the log history of a training names its methods; nothing is looked up."""
    return str(name)


def _refusal(path, error: Exception) -> str:
    """Word why a checkpoint was not read."""
    text = str(error)
    if "GLOBAL " in text:
        named = text.partition("GLOBAL ")[2].split(" ")[0]
        return (f"Expected a checkpoint of tensors, numbers and text in {path}, but it holds {named}, which only runs by "
                "unpickling foreign code; it was not read. Save its state_dict alone: torch.save({'state_dict': ...}, FILE)")
    first = next(iter(text.splitlines()), type(error).__name__).partition(". ")[0]
    foreign = "Weights only load failed" in text or not isinstance(error, OSError | RuntimeError | EOFError | pickle.UnpicklingError)
    reason = "it is no file of torch.save" if foreign else first
    return (f"Expected a PyTorch checkpoint in {path}, but it can't be read: {reason}. "
            "Type: --set detector.checkpoint=FILE.pth")
