"""Small recipes, archives and run folders for the tests of appearance."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np

from mrs.appearance import recipe
from mrs.runfolder import sha256_of
from mrs.skeletons import COCO_18
from mrs.tracks import Track, Tracks
from mrs.video_write import write_video
from tests.walker import walker

TINY = {"size_px": 32, "channels": (4, 6, 8, 8), "parts_px": 16, "batch": 2, "blocks": 1, "iterations": 4, "checked": 4}


def tiny(**given) -> recipe.Recipe:
    """A recipe that trains in milliseconds."""
    return recipe.make({**TINY, **given})


def standing_joints(count: int = 1) -> np.ndarray:
    """COCO's 18 (count, 18, 3) of a person who faces us, arms out, in 0..1."""
    places = {"nose": (0.5, 0.16), "neck": (0.5, 0.28), "right_shoulder": (0.4, 0.3), "right_elbow": (0.28, 0.3), "right_wrist": (0.16, 0.3),
              "left_shoulder": (0.6, 0.3), "left_elbow": (0.72, 0.3), "left_wrist": (0.84, 0.3), "right_hip": (0.44, 0.55),
              "right_knee": (0.44, 0.72), "right_ankle": (0.44, 0.9), "left_hip": (0.56, 0.55), "left_knee": (0.56, 0.72),
              "left_ankle": (0.56, 0.9), "right_eye": (0.48, 0.14), "left_eye": (0.52, 0.14), "right_ear": (0.45, 0.15), "left_ear": (0.55, 0.15)}
    one = np.array([[*places[name], 1.0] for name in COCO_18.names])
    return np.tile(one, (count, 1, 1))


def write_archive(folder: Path, order=COCO_18.names, count: int = 6, size_px=(24, 32), told_order=None) -> Path:
    """A VUNet archive of `count` pictures, every third for testing; picture 1 lacks a hip, picture 2 its file."""
    import cv2

    (folder / "img").mkdir(parents=True)
    joints = np.stack([[standing_joints()[0, COCO_18.index(name), :2] for name in order]] * count)
    joints[1, list(order).index("left_hip")] = -1
    names = [f"img/{n}.jpg" for n in range(count)]
    for n, name in enumerate(names):
        if n != 2:
            cv2.imwrite(str(folder / name), np.full((size_px[1], size_px[0], 3), 40 * n, np.uint8))
    index = {"imgs": names, "joints": joints, "train": [n % 3 != 0 for n in range(count)]}
    if told_order is not None:
        index["joint_order"] = told_order
    (folder / "index.p").write_bytes(pickle.dumps(index, protocol=2))
    return folder


def write_run(folder: Path, frames: int = 24, size_px=(160, 120)) -> Path:
    """A run folder of a walker in a red body before a grey wall with a stripe, with its video and no masks."""
    from mrs.body import load_body
    from mrs.report import paint
    from mrs.world import level_camera

    times_s = np.arange(frames) / 12
    motion, _ = walker(times_s, speed_m_s=0.3, heading_deg=70.0)
    camera = level_camera(size_px, None, 1.3)
    camera = type(camera)(camera.K, np.diag([1.0, -1, -1]), np.array([0, 1.0, 5.0]), size_px)
    motion = type(motion)(**{**motion.__dict__, "camera": camera})
    body, wall = load_body(), np.full((size_px[1], size_px[0], 3), 150, np.uint8)
    wall[:, 40:50] = (40, 90, 200)
    pictures = []
    for row in range(frames):
        rgb = wall.copy()
        paint.paint_mesh(rgb, camera.to_camera(body.vertices(motion, slice(row, row + 1))[0]), body.faces, camera.K, (200, 40, 40), 1.0)
        pictures.append(rgb)
    folder.mkdir(parents=True)
    write_video(folder / "clip.mp4", pictures, times_s, size_px)
    pixels = camera.project(body.keypoints(motion, COCO_18))
    boxes = np.concatenate([pixels.min(1), pixels.max(1)], 1)
    points = np.concatenate([pixels, np.ones((frames, 18, 1))], -1)
    ids = np.arange(frames)
    Tracks((Track(1, COCO_18, ids, times_s, points, boxes),), size_px, ids, times_s).save(folder / "tracks.npz")
    (folder / "persons" / "01").mkdir(parents=True)
    motion.save(folder / "persons" / "01" / "motion.npz")
    video = {"path": str(folder / "clip.mp4"), "sha256": sha256_of(folder / "clip.mp4"), "size_px": list(size_px), "pictures": True}
    (folder / "run.json").write_text(json.dumps({"video": video, "settings": {"start": None, "end": None}}))
    return folder
