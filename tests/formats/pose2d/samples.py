"""Small files in every layout, as the programs write them, with the numbers that a reader must find."""

from __future__ import annotations

import json

import numpy as np

from mrs.skeletons import BLAZEPOSE_33
from mrs.tracks import Track, Tracks


def points(count: int, shift: float = 0.0) -> np.ndarray:
    """Points (K, 3) whose every number differs: x 100 + 3k, y 50 + 7k, confidence from 0.5 on."""
    k = np.arange(count)
    return np.stack([100 + 3 * k + shift, 50 + 7 * k + shift, 0.5 + k / (2 * count + 1)], -1).astype(np.float32)


def flat(count: int, shift: float = 0.0) -> list[float]:
    """The same as a flat list."""
    return [round(float(v), 4) for v in points(count, shift).reshape(-1)]


def openpose_frame(*people, key: str = "pose_keypoints_2d", ids=None) -> bytes:
    """One of OpenPose's files."""
    entries = []
    for i, values in enumerate(people):
        entry = {key: values, "face_keypoints_2d": [], "hand_left_keypoints_2d": []}
        entries.append(({"person_id": [ids[i]]} if ids else {}) | entry)
    return json.dumps({"version": 1.3, "people": entries}).encode()


def alphapose_list(count: int = 17, *, idx: bool = True, score: float = 0.8) -> bytes:
    """Two people in frames 0 and 1 in whatever order, nobody in 2, one in 10."""
    rows = [("10.jpg", 20, 1), ("0.jpg", 5, 2), ("1.jpg", 1, 1), ("0.jpg", 0, 1), ("1.jpg", 6, 2)]
    out = []
    for name, shift, who in rows:
        entry = {"image_id": name, "category_id": 1, "keypoints": flat(count, shift), "score": score + 0.01 * who,
                 "box": [90.0 + shift, 40.0, 60.0, 130.0]}
        out.append(entry | ({"idx": who} if idx else {}))
    return json.dumps(out).encode()


def poseflow(first_id: int = 1) -> bytes:
    """Two people in two frames and an empty one, as PoseFlow's forvis-tracked file has them."""
    def person(who, shift):
        return {"keypoints": flat(17, shift), "scores": 2.1, "idx": float(who + first_id)}

    return json.dumps({"frame10.jpg": [person(0, 9)], "frame9.jpg": [], "frame8.jpg": [person(1, 3), person(0, 0)]}).encode()


def alphapose_frames(form: str = "open") -> bytes:
    """The dict of frames of `--format open` and `cmu`."""
    outer, inner = ("people", "pose_keypoints_2d") if form == "open" else ("bodies", "joints")
    return json.dumps({f"{i}.jpg": {"version": "AlphaPose v0.3", outer: [{inner: coco_18(i).reshape(-1).tolist()}]} for i in (0, 1)}).encode()


def coco_18(shift: float = 0.0) -> np.ndarray:
    """Points (18, 3) whose neck lies between the shoulders, the third and the sixth, as AlphaPose makes it."""
    made = points(18, shift)
    made[1] = made[[2, 5]].mean(0)
    return made


def mmpose_video(count: int = 17, names=None) -> bytes:
    """Predictions of a video in MMPose 1.x: frame 0 with two people, frame 1 empty, frame 2 with one."""
    def instance(shift):
        p = points(count, shift).astype(float).round(4)
        return {"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist(), "bbox": [[90 + shift, 40, 150 + shift, 170]],
                "bbox_score": 0.7}

    meta = {"dataset_name": "coco"} | ({"keypoint_id2name": {str(i): n for i, n in enumerate(names)}} if names else {})
    return json.dumps({"meta_info": meta, "instance_info": [
        {"frame_id": 0, "instances": [instance(0), instance(5)]}, {"frame_id": 1, "instances": []},
        {"frame_id": 2, "instances": [instance(2)]}]}).encode()


def coco_results() -> bytes:
    """A results list: two people in image 3, one in image 4."""
    return json.dumps([{"image_id": i, "category_id": 1, "keypoints": flat(17, s), "score": 0.9, "bbox": [90 + s, 40, 60, 130],
                        "track_id": t} for i, s, t in ((4, 1, 7), (3, 0, 7), (3, 5, 8))]).encode()


def mediapipe_json(*, world: bool = True, pixels: bool = False) -> bytes:
    """Two frames with one person, one without, as the tasks interface has landmarks."""
    def landmarks(shift):
        p = points(33, shift).astype(float)
        scale = (1, 1) if pixels else (1280, 720)
        return [{"x": a / scale[0], "y": b / scale[1], "z": 0.1, "visibility": c} for a, b, c in p]

    deep = [{"x": 0.01 * k, "y": -0.02 * k, "z": 0.03 * k, "visibility": 1.0} for k in range(33)]
    frames = [{"frame": 0, "pose_landmarks": [landmarks(0)]}, {"frame": 1, "pose_landmarks": []},
              {"frame": 2, "pose_landmarks": [landmarks(4)]}]
    for frame in frames if world else ():
        frame["pose_world_landmarks"] = [deep] * len(frame["pose_landmarks"])
    return json.dumps({"frames": frames}).encode()


def mediapipe_csv() -> bytes:
    """The same as CSV, in pixels."""
    header = ["frame"] + [f"{n}_{p}" for n in BLAZEPOSE_33.names for p in ("x", "y", "z", "visibility")]
    rows = [[str(f)] + [f"{v:.4f}" for a, b, c in points(33, s) for v in (a, b, 0.0, c)] for f, s in ((0, 0), (2, 4))]
    return "\n".join(",".join(row) for row in [header, *rows]).encode()


MOT_TEXT = b"1,1,90,40,60,130,0.9,-1,-1,-1\n2,1,91,40,60,130,0.9,-1,-1,-1\n2,2,300,40,60,130,0.8,-1,-1,-1\n"


def tracks(keypoints, *, frames: int = 9, gap=(4,), size_px=(1280, 720), seed=0) -> Tracks:
    """Two people of random float32 keypoints; the second comes later and is not seen in the frames of `gap`."""
    from mrs.track_fill import fill

    rng = np.random.default_rng(seed)
    ids, times = np.arange(frames), np.arange(frames) / 30
    people = []
    for number, rows in ((1, ids), (3, np.array([r for r in ids[2:] if r not in gap]))):
        base = rng.uniform(50, 600, (1, len(keypoints), 2))
        xy = base + np.arange(len(rows))[:, None, None] + rng.normal(size=(len(rows), len(keypoints), 2))
        seen = np.concatenate([xy, rng.uniform(0.3, 1, (*xy.shape[:2], 1))], -1).astype(np.float32)
        boxes = np.concatenate([seen[..., :2].min(1), seen[..., :2].max(1)], 1)
        people.append(fill(number, keypoints, ids, times, rows, {"keypoints_px": seen, "boxes_px": boxes}))
    assert isinstance(people[0], Track)
    return Tracks(tuple(people), size_px, ids, times)


def mmpose_picture() -> bytes:
    """One picture's file out of a folder of them: a list of people."""
    return json.dumps(json.loads(mmpose_video())["instance_info"][0]["instances"]).encode()


def coco_annotations() -> bytes:
    """Annotations of two images, one without people."""
    return json.dumps({"images": [{"id": 5, "file_name": "b_2.jpg"}, {"id": 6, "file_name": "b_1.jpg"}],
                       "annotations": [{"image_id": 5, "category_id": 1, "keypoints": flat(17), "bbox": [1, 2, 3, 4]}]}).encode()


READERS = {
    "openpose": (lambda data: _openpose(data), (openpose_frame(flat(25), flat(25, 9)), openpose_frame(flat(18), key="pose_keypoints"),
                                                openpose_frame(flat(135), ids=[3]))),
    "alphapose": (lambda data: _read("alphapose", data), (alphapose_list(), alphapose_list(26, idx=False), alphapose_list(136),
                                                          alphapose_frames("open"), alphapose_frames("cmu"))),
    "poseflow": (lambda data: _read("alphapose", data), (poseflow(), poseflow(1))),
    "mmpose": (lambda data: _read("mmpose", data), (mmpose_video(), mmpose_video(5, ["nose", "left_hip", "right_hip", "left_knee", "left_wrist"]))),
    "mmpose folder": (lambda data: _folder("mmpose", "img_1.json", data), (mmpose_picture(),)),
    "openpose folder": (lambda data: _folder("openpose", "img_1.json", data), (openpose_frame(flat(25), flat(25, 9)),)),
    "coco": (lambda data: _read("coco", data), (coco_results(), coco_annotations())),
    "mediapipe": (lambda data: _read("mediapipe", data), (mediapipe_json(), mediapipe_json(world=False, pixels=True), mediapipe_csv())),
    "mot": (lambda data: _read("mot", data), (MOT_TEXT,)),
}
"""Every reader of bytes, with files that it reads."""


def _read(module: str, data: bytes):
    import importlib

    return importlib.import_module(f"mrs.formats.pose2d.{module}").read(data, "the file")


def _openpose(data: bytes):
    from mrs.formats.pose2d import make, openpose
    from mrs.skeletons import BODY_25

    keypoints, found, ids = openpose.read_frame(data, "the file")
    keypoints = keypoints or BODY_25
    return make(keypoints, ("0",), np.zeros(len(found), int), found.reshape(-1, len(keypoints), 3), ids=ids)


def _folder(module: str, name: str, data: bytes):
    import importlib
    import tempfile
    from pathlib import Path

    reader = importlib.import_module(f"mrs.formats.pose2d.{module}")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        return getattr(reader, "read_path", reader.read)(Path(folder))
