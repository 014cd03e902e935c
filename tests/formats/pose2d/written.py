"""Files put together step by step as the programs' own code puts them together, quirks included."""

from __future__ import annotations

import json

import numpy as np

from mrs.skeletons import COCO_17

SHOULDERS = COCO_17.indices("left_shoulder", "right_shoulder")


def person(count: int, seed: int = 0) -> np.ndarray:
    """Points (K, 3) float32 of a person: x, y in pixels, confidence."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.uniform(40, 600, (count, 2)), rng.uniform(0.2, 0.95, (count, 1))], 1).astype(np.float32)


def alphapose(frames: dict[str, list[tuple[np.ndarray, object]]], form: str | None = None) -> dict[str, str]:
    """What `write_json` writes: alphapose-results.json, and for `open` and `cmu` one file a frame with people in sep-json.

    `frames` maps a picture's name to (points (K, 3), idx) of its people. The neck of the 18 points is appended to a person's
    points, and read again as the eighteenth of them.
    """
    rows, by_frame = [], {}
    outer, inner = {"open": ("people", "pose_keypoints_2d"), "cmu": ("bodies", "joints")}.get(form, ("", ""))
    for name, people in frames.items():
        for points, idx in people:
            values = [float(v) for v in points.reshape(-1)]
            score = float(points[:, 2].mean() + 0.9 + 1.25 * points[:, 2].max())
            row = {"image_id": name, "category_id": 1, "keypoints": values, "score": score, "box": [40.0, 30.0, 200.0, 380.0], "idx": idx}
            if not form:
                rows.append(row)
                continue
            values += [(values[15 + i] + values[18 + i]) / 2 for i in range(3)]
            order = [0, 51, 18, 24, 30, 15, 21, 27, 36, 42, 48, 33, 39, 45, 6, 3, 12, 9]
            frame = by_frame.setdefault(name, {"version": "AlphaPose v0.3", outer: []})
            frame[outer].append({inner: [values[i + k] for i in order for k in range(3)]})
    files = {"alphapose-results.json": json.dumps(by_frame if form else rows)}
    return files | {f"sep-json/{name.split('.')[0]}.json": json.dumps(frame) for name, frame in by_frame.items()}


def poseflow(frames: dict[str, list[tuple[np.ndarray, int]]]) -> str:
    """What tracker-general.py writes of AlphaPose's list: frames with people alone, `scores`, `idx` from 1, no box."""
    return json.dumps({name: [{"keypoints": [float(v) for v in points.reshape(-1)], "scores": 2.9, "idx": idx} for points, idx in people]
                       for name, people in frames.items() if people})


def openpose(people: list[np.ndarray]) -> str:
    """A frame as OpenPose 1.7 writes it: numbers of six digits, a person on a line, everything empty that was not asked for."""
    empty = "".join(f',"{name}":[]' for name in (
        "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d", "face_keypoints_3d",
        "hand_left_keypoints_3d", "hand_right_keypoints_3d"))
    texts = [f'{{"person_id":[-1],"pose_keypoints_2d":[{",".join(f"{v:g}" for v in points.reshape(-1))}]{empty}}}' for points in people]
    return '{"version":1.3,"people":[' + ",\n".join(texts) + "]}"


def mmpose_demo(frames: list[list[np.ndarray]], names: tuple[str, ...]) -> str:
    """What topdown_demo_with_mmdet.py writes of a video: frames from 1, and metadata with arrays as json_tricks has them."""
    def instance(points):
        low, high = points[:, :2].min(0).tolist(), points[:, :2].max(0).tolist()
        return {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist(), "bbox": [[*low, *high]], "bbox_score": 0.91}

    meta = {"dataset_name": "coco", "num_keypoints": len(names), "keypoint_id2name": {str(i): n for i, n in enumerate(names)},
            "keypoint_name2id": {n: i for i, n in enumerate(names)},
            "keypoint_colors": {"__ndarray__": [[51, 153, 255]] * len(names), "dtype": "uint8", "shape": [len(names), 3], "Corder": True}}
    return json.dumps({"meta_info": meta, "instance_info": [
        {"frame_id": i, "instances": list(map(instance, people))} for i, people in enumerate(frames, 1)]}, indent="\t")


def message_to_dict(points: np.ndarray, size_px: tuple[int, int]) -> dict:
    """MessageToDict of MediaPipe's pose_landmarks."""
    return {"landmark": [{"x": x / size_px[0], "y": y / size_px[1], "z": -0.1, "visibility": c, "presence": 0.99}
                         for x, y, c in points.astype(float).tolist()]}
