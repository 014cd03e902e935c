"""Find people with a detector of mmdet, where that is installed; mmcv's compiled operators are not needed for one-stage ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from mrs_plugins.detectors._follow import Found
from mrs_plugins.detectors._mmpose_mend import load_mmdet, mended, quiet, read_checkpoint
from mrs_plugins.detectors._mmpose_model import fill

from mrs.errors import InputError, MrsError
from mrs.similarity import iou

PEOPLE = ("person", "pedestrian", "people", "human")
MAX_IOU = 0.5


class MMDetFinder:
    """Boxes of people of any mmdet config."""

    def __init__(self, config: str, checkpoint: str, device: str):
        if not Path(checkpoint).is_file():
            raise InputError(f"Expected a file at detector.finder_checkpoint, but there is none at '{checkpoint}'. "
                             "Type: --set detector.finder_checkpoint=FILE")
        config = _config_file(config)
        content = read_checkpoint(checkpoint)
        apis = load_mmdet()
        self._look = apis.inference_detector
        with quiet(), mended(mmdet=True):
            try:
                self._model = apis.init_detector(config, None, device=device)
                self._pipeline = _pipeline_of(self._model)
            except MrsError:
                raise
            except Exception as error:
                raise InputError(f"Expected {config} to be a config of a detector of mmdet 3, but mmdet says: {type(error).__name__}: "
                                 f"{str(error).splitlines()[0] if str(error) else ''}") from error
        fill(self._model, content, Path(checkpoint), Path(config), "detector.finder_config")
        self._person = _class_of_people(_classes(content, self._model), config)

    def find(self, rgb: np.ndarray, score_threshold: float, count: int, turned: bool) -> list[Found]:
        """Find people in a picture (H, W, 3) uint8, best first, each once."""
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        with quiet():
            seen = self._look(self._model, bgr, test_pipeline=self._pipeline).pred_instances.cpu().numpy()
        chosen = (seen.labels == self._person) & (seen.scores >= score_threshold)
        boxes, scores = seen.bboxes[chosen].astype(float), seen.scores[chosen]
        kept: list[int] = []
        for row in np.argsort(-scores, kind="stable"):
            if not kept or iou(boxes[row][None], boxes[kept]).max() <= MAX_IOU:
                kept.append(int(row))
        return [Found(boxes[row], float(scores[row])) for row in kept]


def _config_file(config: str) -> str:
    """Return a config's path: as it is, or by its name among those of mmdet's wheel."""
    if Path(config).is_file():
        return config
    spec = importlib.util.find_spec("mmdet")
    shipped = Path(spec.origin).parent / ".mim" / "configs" if spec and spec.origin else Path("mmdet")
    name = Path(config).name.removesuffix(".py")
    found = sorted(shipped.rglob(f"{name}.py")) if name == config.removesuffix(".py") and name.replace("-", "_").isidentifier() else []
    if not found:
        raise InputError(f"Expected a config of mmdet at detector.finder_config, but there is none at '{config}'. Type: "
                         "--set detector.finder_config=FILE.py, or a name out of mmdet's wheel, such as rtmdet_m_8xb32-300e_coco")
    return str(found[0])


def _pipeline_of(model):
    """Make what prepares a picture once: later mmpose's own scope is the one that names are looked up in."""
    from mmcv.transforms import Compose
    from mmdet.utils import get_test_pipeline_cfg

    steps = get_test_pipeline_cfg(model.cfg.copy())
    steps[0].type = "mmdet.LoadImageFromNDArray"
    return Compose(steps)


def _classes(content: dict, model) -> list[str]:
    """Return the names of the classes by the checkpoint, in either version's spelling, or by the model."""
    meta = content.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    told = {str(name).lower(): value for name, value in (meta.get("dataset_meta") or meta).items()}.get("classes")
    told = told or model.dataset_meta.get("classes") or ()
    return [told] if isinstance(told, str) else [str(name) for name in told]


def _class_of_people(classes: list[str], config: str) -> int:
    plain = [name.lower() for name in classes]
    for name in PEOPLE:
        if name in plain:
            return plain.index(name)
    raise InputError(f"Expected a detector of people in {config}, one whose classes have '{PEOPLE[0]}', but they are "
                     f"{', '.join(classes[:6]) or 'none'}{' ...' if len(classes) > 6 else ''}. Choose another detector.finder_config.")
