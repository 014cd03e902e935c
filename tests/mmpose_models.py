"""Models of mmpose for tests: a shipped config with weights made here, saved as mmpose saves a checkpoint."""

from __future__ import annotations

import importlib.util
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mrs.video import Video

SAMPLE = Path(__file__).resolve().parents[1] / "examples" / "walk_and_jump.mp4"
BOXES_PX = np.array([[250.0, 60, 420, 400], [30, 20, 180.5, 300], [-30, 100, 90, 380]], np.float32)
CONFIGS = {
    "halpe-26": "rtmpose-s_8xb1024-700e_body8-halpe26-256x192",
    "coco-wholebody-133": "rtmpose-m_8xb64-270e_coco-wholebody-256x192",
    "coco-17": "td-hm_hrnet-w32_8xb64-210e_coco-256x192",
}
"""RTMPose twice (SimCC) and HRNet (heatmaps), by the keypoint set of their metadata."""

wanted = pytest.mark.skipif(any(importlib.util.find_spec(name) is None for name in ("mmpose", "mmcv", "mmengine")),
                            reason="mmpose is not installed (docs/mmpose.md)")


def real_frame() -> np.ndarray:
    """Return a picture (H, W, 3) uint8 of the shipped clip."""
    return next(iter(islice(Video.open(SAMPLE).frames(), 1))).rgb


def write_checkpoint(config: str, path: Path, seed: int = 3) -> Path:
    """Save a model with random weights, and normalisation that has seen a picture, through mmengine."""
    import torch
    from mmengine.runner.checkpoint import save_checkpoint
    from mrs_plugins.detectors._mmpose_model import MMPoseModel, choose

    torch.manual_seed(seed)
    made = MMPoseModel(choose(config), None)
    model = made.model
    with torch.no_grad():
        for parameter in model.head.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.1)
        model.train()
        for _ in range(2):
            model(torch.randn(2, 3, 256, 192), None, mode="tensor")
        model.eval()
    meta = {"dataset_meta": model.dataset_meta, "epoch": 1, "loss": np.float64(0.5)}
    save_checkpoint({"state_dict": model.state_dict(), "meta": meta}, str(path))
    return path


def mmpose_itself(config: str, checkpoint: Path, rgb: np.ndarray, boxes_px: np.ndarray, flip_test: bool | None = None):
    """Return keypoints (N, K, 3) by mmpose's own init_model and inference_topdown."""
    import torch
    from mmengine.config import Config
    from mrs_plugins.detectors import _mmpose_mend as mend
    from mrs_plugins.detectors._mmpose_model import _drop_scope, choose

    mend.load_mmpose()
    from mmpose.apis import inference_topdown, init_model

    with mend.quiet(), mend.mended() as broken, torch.serialization.safe_globals(mend._allowed()):
        settings = Config.fromfile(str(choose(config).config))
        if "mmdet" in broken:
            _drop_scope(settings.model)
        if flip_test is not None:
            settings.model.test_cfg["flip_test"] = flip_test
        model = init_model(settings, str(checkpoint), device="cpu")
        samples = inference_topdown(model, np.ascontiguousarray(rgb[..., ::-1]), boxes_px)
    return np.concatenate([np.concatenate([s.pred_instances.keypoints, s.pred_instances.keypoint_scores[..., None]], -1)
                           for s in samples])
