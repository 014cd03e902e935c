"""A film of a walking body with a coloured marker on each COCO-17 keypoint, and networks that find these markers.

So the way from a video through a pose network to a moving body has a known answer. The networks have the layout of
RTMPose (SimCC, ONNX) and of an mmpose config with a heatmap head and a checkpoint.
"""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np

from mrs.body import load_body
from mrs.skeletons import COCO_17
from tests.walker import filmed, walker

INPUT = (192, 256)
SIZE_PX, FOV_DEG, FPS = (1280, 720), 50.0, 30.0
COLOURS = np.array([c for c in itertools.product((0, 128, 255), repeat=3) if np.ptp(c)][3:20], np.float32)
"""Seventeen colours (17, 3) in RGB, each at least 127 from the others and from grey in one channel."""
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
TOLERANCE = 100.0
MARKER_PX = 8.0


def film(path: Path, frames: int = 30):
    """Write the video; return the track that a perfect detector would give, and the true motion with its camera."""
    from mrs.render.raster import Painter
    from mrs.video_write import write_video

    motion = walker(np.arange(frames) / FPS, heading_deg=35)[0]
    track, truth = filmed(motion, distance_m=4.2, height_m=0.95, size_px=SIZE_PX, fov_deg=FOV_DEG, keypoints=COCO_17)
    camera, body = truth.camera, load_body()
    painter, pictures = Painter(body.faces), []
    depth_m = camera.to_camera(body.keypoints(truth, COCO_17))[..., 2]
    for row in range(frames):
        points = body.vertices(truth, slice(row, row + 1))[0] @ camera.R.T + camera.t
        picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 200, np.uint8)
        picture[SIZE_PX[1] * 3 // 5:] = 150
        painter.layer(points, _shaded(points, body.faces), camera.K, SIZE_PX).put_on(picture)
        pictures.append(_marked(picture, track.keypoints_px[row], depth_m[row]))
    write_video(path, pictures, track.times_s, SIZE_PX, crf=8)
    return track, truth


def _shaded(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Grey (V, 3) by how much the surface faces a lamp beside the camera."""
    corners = points[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], across)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    light = np.clip(normals @ (np.array([-0.4, -0.6, -0.7]) / 1.005), 0, 1)
    return np.repeat(60 + 110 * light[:, None], 3, 1)


def _marked(picture: np.ndarray, points_px: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
    """Draw the markers, the far ones first; the middle of pixel 0 is at 0.5."""
    import cv2

    for k in np.argsort(-depth_m):
        where = tuple(int(v) for v in np.round((points_px[k, :2] - 0.5) * 16))
        cv2.circle(picture, where, int(MARKER_PX * 16), COLOURS[k].tolist(), cv2.FILLED, cv2.LINE_AA, 4)
    return picture


def maps(pictures):
    """How like each marker's colour a place of normalised pictures (N, 3, H, W) is: (N, 17, H, W), 0 to 1, blurred a little."""
    import torch

    mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
    away = ((pictures * std + mean)[:, None] - torch.tensor(COLOURS)[None, :, :, None, None]).abs().sum(2)
    return torch.nn.functional.avg_pool2d(torch.relu(1 - away / TOLERANCE), 3, 1, 1)


def write_onnx(path: Path) -> Path:
    """Export the network in RTMPose's layout: two lines of 2 x 192 and 2 x 256 values a keypoint."""
    import torch

    from tests.pose_nets import without_onnx

    class Network(torch.nn.Module):
        def forward(self, pictures):
            seen = maps(pictures)
            return tuple(seen.amax(axis).repeat_interleave(2, -1) for axis in (2, 3))

    names = ["simcc_x", "simcc_y"]
    with without_onnx(), warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(Network(), (torch.zeros(1, 3, *INPUT[::-1]),), str(path), input_names=["input"], output_names=names,
                          dynamic_axes={name: {0: "batch"} for name in ("input", *names)}, opset_version=17, dynamo=False)
    return path


def write_mmpose(folder: Path) -> tuple[Path, Path]:
    """Write a config of the user's own, with a backbone of tests/marker_net.py, and its checkpoint, saved by mmengine."""
    import torch
    from mmengine.runner.checkpoint import save_checkpoint
    from mrs_plugins.detectors._mmpose_model import MMPoseModel, choose

    from tests.mmpose_models import CONFIGS

    config, checkpoint = folder / "markers.py", folder / "markers.pth"
    config.write_text(f"_base_ = {str(choose(CONFIGS['coco-17']).config)!r}\n"
                      "custom_imports = dict(imports=['tests.marker_net'], allow_failed_imports=False)\n"
                      "model = dict(backbone=dict(_delete_=True, type='MarkerMaps'), head=dict(in_channels=17),\n"
                      "             test_cfg=dict(flip_test=False))\n")
    model = MMPoseModel(choose(str(config)), None).model
    with torch.no_grad():
        model.head.final_layer.weight.copy_(torch.eye(17)[..., None, None])
        model.head.final_layer.bias.zero_()
    save_checkpoint({"state_dict": model.state_dict(), "meta": {"dataset_meta": model.dataset_meta}}, str(checkpoint))
    return config, checkpoint
