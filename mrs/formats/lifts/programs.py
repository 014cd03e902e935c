"""One reader a program, named after it: ``read_X(path, size_px) -> list[Lift]``; what each layout means is in docs/foreign_lifts.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError, reason
from mrs.formats import restricted
from mrs.formats.lifts import Lift, camera_of, matrices, numbers, people_of, ten

PHALP_FOCAL, PHALP_SIDE = 5000.0, 256.0
GVHMR_PARTS = ("global_orient", "body_pose", "betas", "transl")


def _refusing(read: Callable) -> Callable:
    """Let a reader refuse in a line arrays that do not fit each other, whatever NumPy says of them."""

    @wraps(read)
    def reading(path: Path, size_px: tuple[int, int]) -> list[Lift]:
        try:
            with np.errstate(all="ignore"):
                return read(path, size_px)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
            raise InputError(f"Expected a result of {read.__name__.split('_')[1].upper()} in {path}, but its arrays do not fit: "
                             f"{reason(error)}.") from None

    return reading


@_refusing
def read_hmmr(path: Path, size_px: tuple[int, int]) -> list[Lift]:
    """HMMR's hmmr_output.pkl: poses (N, 24, 3, 3), shapes (N, 10); which frame is the first is not in it, nor where the crops were."""
    held = restricted.read(path, "HMMR's hmmr_output.pkl")
    person = people_of(held, ("poses", "shapes"), "HMMR's hmmr_output.pkl", path)["0"] if isinstance(held, dict) and "poses" in held else None
    if person is None:
        raise InputError(f"Expected poses and shapes of HMMR in {path}, but they are not there.")
    turned = numbers(person["poses"], (0, 24, 3, 3), "poses", path)
    lift = Lift("0", np.arange(len(turned)), turned, ten(numbers(person["shapes"], (0, 10), "shapes", path), len(turned)), floating=True)
    return [lift.checked(str(path))]


@_refusing
def read_vibe(path: Path, size_px: tuple[int, int]) -> list[Lift]:
    """VIBE's vibe_output.pkl: by person pose (N, 72), betas (N, 10), orig_cam (N, 4) and frame_ids.

    orig_cam is sx, sy, tx, ty of x = sx (X + tx) in [-1, 1] over the picture's width, and the same for y over its height.
    """
    width, height = size_px
    out = []
    for label, person in people_of(restricted.read(path, "VIBE's vibe_output.pkl"), ("pose", "betas", "orig_cam", "frame_ids"),
                                   "VIBE's vibe_output.pkl", path).items():
        pose = numbers(person["pose"], (0, 72), "pose", path)
        scale_x, scale_y, tx, ty = numbers(person["orig_cam"], (0, 4), "orig_cam", path).T
        weak = np.stack([scale_x * width / 2, (scale_x * tx + 1) * width / 2, (scale_y * ty + 1) * height / 2], -1)
        out.append(Lift(label, _frames(person["frame_ids"]), matrices(pose), ten(person["betas"], len(pose)), weak_px=weak).checked(str(path)))
    return out


@_refusing
def read_wham(path: Path, size_px: tuple[int, int]) -> list[Lift]:
    """WHAM's wham_output.pkl: by person pose (N, 72) and trans (N, 3) in the camera's frame, betas and frame_ids; pose_world is Y up.

    Its camera has the picture's diagonal for a focal length, unless it was given another (--set lifter.focal_px).
    """
    out = []
    for label, person in people_of(restricted.read(path, "WHAM's wham_output.pkl"), ("pose", "trans", "betas", "frame_ids"),
                                   "WHAM's wham_output.pkl", path).items():
        pose = numbers(person["pose"], (0, 72), "pose", path)
        turned = matrices(pose)
        world = person.get("pose_world")
        to_up = None if world is None else _to_up(numbers(world, (0, 72), "pose_world", path), turned, "pose_world", path)
        out.append(Lift(label, _frames(person["frame_ids"]), turned, ten(person["betas"], len(pose)), to_up=to_up,
                        trans_m=numbers(person["trans"], (0, 3), "trans", path), K=_diagonal(size_px, len(pose))).checked(str(path)))
    return out


@_refusing
def read_gvhmr(path: Path, size_px: tuple[int, int]) -> list[Lift]:
    """GVHMR's hmr4d_results.pt: smpl_params_incam with global_orient (N, 3), body_pose (N, 63), betas, transl of SMPL-X, and K_fullimg.

    One person, every frame of the video; smpl_params_global, Y up, says how the camera is tilted.
    """
    held = restricted.read(path, "GVHMR's hmr4d_results.pt")
    inside = held.get("smpl_params_incam") if isinstance(held, dict) else None
    if not isinstance(inside, dict) or any(inside.get(name) is None for name in GVHMR_PARTS):
        raise InputError(f"Expected smpl_params_incam with {', '.join(GVHMR_PARTS)} of GVHMR in {path}, but it is not there.")
    turned = _posed(inside, path)
    count = len(turned)
    K = _diagonal(size_px, count)
    if held.get("K_fullimg") is not None:
        K = numbers(held["K_fullimg"], (0, 3, 3), "K_fullimg", path)
        K = np.repeat(K, count, 0) if len(K) == 1 else K
    outside = held.get("smpl_params_global")
    to_up = None
    if isinstance(outside, dict) and outside.get("global_orient") is not None:
        to_up = _to_up(numbers(outside["global_orient"], (0, 3), "global_orient", path), turned, "global_orient of smpl_params_global", path)
    lift = Lift("0", np.arange(count), turned, ten(inside["betas"], count), "SMPL-X", numbers(inside["transl"], (0, 3), "transl", path), K,
                every=True, to_up=to_up)
    return [lift.checked(str(path))]


@_refusing
def read_gvhmr_world(path: Path, size_px: tuple[int, int]) -> list[Lift]:
    """GVHMR's hmr4d_results.pt in its own world, Y up: root rotations and `trans_m` of smpl_params_global; no camera."""
    held = restricted.read(path, "GVHMR's hmr4d_results.pt")
    outside = held.get("smpl_params_global") if isinstance(held, dict) else None
    if not isinstance(outside, dict) or any(outside.get(name) is None for name in GVHMR_PARTS):
        raise InputError(f"Expected smpl_params_global with {', '.join(GVHMR_PARTS)} of GVHMR in {path}, but it is not there.")
    turned = _posed(outside, path)
    lift = Lift("0", np.arange(len(turned)), turned, ten(outside["betas"], len(turned)), "SMPL-X", numbers(outside["transl"], (0, 3), "transl", path),
                every=True)
    return [lift.checked(str(path))]


def _to_up(world: np.ndarray, turned: np.ndarray, name: str, path) -> np.ndarray:
    """Rotations (N, 3, 3) from the camera's axes to the world's, of the root's axis-angles there and rotations (N, 24, 3, 3) here."""
    if len(world) != len(turned):
        raise InputError(f"Expected {name} in {path} for each of {len(turned)} poses, but got {len(world)}.")
    return matrices(world)[:, 0] @ np.swapaxes(turned[:, 0], -1, -2)


def _posed(inside: dict, path) -> np.ndarray:
    root = numbers(inside["global_orient"], (0, 3), "global_orient", path)
    pose = numbers(inside["body_pose"], (0, 63), "body_pose", path)
    if len(root) != len(pose):
        raise InputError(f"Expected as many global_orient as body_pose in {path}, but got {len(root)} and {len(pose)}.")
    return matrices(np.concatenate([root, pose], 1))


@_refusing
def read_phalp(path: Path, size_px: tuple[int, int]) -> list[Lift]:
    """PHALP's and 4D-Humans' results pickle: by frame tid, smpl (global_orient, body_pose as matrices, betas), camera (3,), tracked_time, time.

    `camera` moves SMPL before a camera of focal length 5000 / 256 times the longer side of the picture, in its middle; of people that are
    carried on without being seen (tracked_time above 0) nothing is taken.
    """
    held = restricted.read(path, "a results pickle of PHALP")
    frames = [(name, frame) for name, frame in held.items() if isinstance(frame, dict) and "smpl" in frame and "tid" in frame] if isinstance(
        held, dict) else []
    if not frames:
        raise InputError(f"Expected PHALP's results in {path}, a dict of frames with tid and smpl, but they are not there.")
    order = sorted(frames, key=lambda entry: (int(entry[1].get("time", 0)), entry[0]))
    people: dict[str, list] = {}
    for place, (_, frame) in enumerate(order):
        number = int(frame.get("time", place))
        unseen = list(frame.get("tracked_time", ())) or [0] * len(frame["tid"])
        for person, smpl, camera, age in zip(frame["tid"], frame["smpl"], frame.get("camera", [None] * len(frame["tid"])), unseen, strict=False):
            if age == 0 and isinstance(smpl, dict):
                people.setdefault(str(person), []).append((number, smpl, camera))
    return [_of_phalp(label, rows, size_px, path) for label, rows in people.items()]


def _of_phalp(label: str, rows: list, size_px: tuple[int, int], path) -> Lift:
    count = len(rows)
    try:
        turned = np.concatenate([np.stack([np.asarray(s["global_orient"], float).reshape(1, 3, 3) for _, s, _ in rows]),
                                 np.stack([np.asarray(s["body_pose"], float).reshape(23, 3, 3) for _, s, _ in rows])], 1)
        betas = np.stack([np.asarray(s["betas"], float).reshape(-1) for _, s, _ in rows])
        trans = np.stack([np.asarray(c, float).reshape(3) for _, _, c in rows])
    except (KeyError, TypeError, ValueError):
        raise InputError(f"Expected global_orient (3, 3), body_pose (23, 3, 3), betas and camera (3,) of person {label} in {path}, but they "
                         "are not there.") from None
    longer = max(size_px)
    middle = [longer / 2 - (longer - side) // 2 for side in size_px]
    return Lift(label, np.array([number for number, _, _ in rows]), turned, ten(betas, count), trans_m=trans,
                K=camera_of(PHALP_FOCAL / PHALP_SIDE * longer, middle, count)).checked(str(path))


@_refusing
def read_tram(path: Path, size_px: tuple[int, int]) -> list[Lift]:
    """TRAM's hps_track_K.npy, or the folder of a video's results: pred_rotmat (N, 24, 3, 3), pred_shape, pred_trans (N, 1, 3), frame.

    camera.npy of the same folder has the focal length and the principal point; without it bodies are placed by their keypoints.
    """
    files = [path] if path.is_file() else sorted(path.glob("hps_track_*.npy")) or sorted(path.glob("hps/hps_track_*.npy"))
    if not files:
        raise InputError(f"Expected hps_track_*.npy of TRAM in {path}, but there is none.")
    out = []
    for file in files:
        held = restricted.read(file, "TRAM's hps_track_K.npy")
        person = people_of(held, ("pred_rotmat", "pred_shape", "pred_trans", "frame"), "TRAM's hps_track_K.npy", file).popitem()[1]
        turned = numbers(person["pred_rotmat"], (0, 24, 3, 3), "pred_rotmat", file)
        out.append(Lift(file.stem.removeprefix("hps_track_"), _frames(person["frame"]), turned, ten(person["pred_shape"], len(turned)),
                        trans_m=numbers(person["pred_trans"], (0, 3), "pred_trans", file), K=_of_tram(file, len(turned))).checked(str(file)))
    return out


def _of_tram(file: Path, count: int) -> np.ndarray | None:
    place = next((p for p in (file.parent / "camera.npy", file.parent.parent / "camera.npy") if p.is_file()), None)
    if place is None:
        return None
    held = restricted.read(place, "TRAM's camera.npy")
    if not isinstance(held, dict) or held.get("img_focal") is None or held.get("img_center") is None:
        return None
    focal = float(np.asarray(held["img_focal"], float).reshape(-1)[0])
    return camera_of(focal, np.asarray(held["img_center"], float).reshape(-1)[:2], count)


def _frames(value: Any) -> np.ndarray:
    return np.asarray(value).reshape(-1).astype(np.int64)


def _diagonal(size_px: tuple[int, int], count: int) -> np.ndarray:
    """The camera that WHAM and GVHMR take for granted: the diagonal for a focal length, the middle for a principal point."""
    return camera_of(float(np.hypot(*size_px)), (size_px[0] / 2, size_px[1] / 2), count)
