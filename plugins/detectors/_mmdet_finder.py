"""Find people with a detector of mmdet, where that is installed and loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mrs_plugins.detectors._follow import Found
from mrs_plugins.detectors._mmpose_mend import read_checkpoint

from mrs.errors import InputError, MissingError
from mrs.similarity import iou

PERSON = 0
MAX_IOU = 0.5


class MMDetFinder:
    """Boxes of class `person` of any mmdet config."""

    def __init__(self, config: str, checkpoint: str, device: str):
        for path, option in ((config, "finder_config"), (checkpoint, "finder_checkpoint")):
            if not Path(path).is_file():
                raise InputError(f"Expected a file at detector.{option}, but there is none at '{path}'. "
                                 f"Type: --set detector.{option}=FILE")
        try:
            from mmdet.apis import inference_detector, init_detector
        except Exception as error:  # noqa: BLE001 (without mmcv's operators mmdet raises whatever it likes)
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise MissingError(f"Expected mmdet to load, but it says: {first}. It needs mmcv with its compiled operators "
                               "(mim install mmcv mmdet). Or leave detector.finder_config out: the embedded finder needs "
                               "neither.") from None
        read_checkpoint(checkpoint)
        self._look, self._model = inference_detector, init_detector(config, checkpoint, device=device)

    def find(self, rgb: np.ndarray, score_threshold: float, count: int, turned: bool) -> list[Found]:
        """Find people in a picture (H, W, 3) uint8, best first, each once."""
        seen = self._look(self._model, np.ascontiguousarray(rgb[..., ::-1])).pred_instances.cpu().numpy()
        chosen = (seen.labels == PERSON) & (seen.scores >= score_threshold)
        boxes, scores = seen.bboxes[chosen].astype(float), seen.scores[chosen]
        kept: list[int] = []
        for row in np.argsort(-scores, kind="stable"):
            if not kept or iou(boxes[row][None], boxes[kept]).max() <= MAX_IOU:
                kept.append(int(row))
        return [Found(boxes[row], float(scores[row])) for row in kept]
