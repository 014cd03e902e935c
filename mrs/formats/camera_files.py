"""Cameras in files: camera.npz, JSON with the same names, and trajectories in the TUM text format.

npz and JSON hold R (3,3) or (T,3,3) and t (3,) or (T,3), world to camera, and may hold K (3,3) or (T,3,3) with the
size_px it is meant for, times_s or frame_ids (T), and up: "y" or "z", the world's upward axis, or "first" for a world
that is only known relative to the first camera. A TUM text has lines `time tx ty tz qx qy qz qw`, camera to world.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mrs import npz, rotations
from mrs.cameras import Camera
from mrs.errors import InputError

UPS = ("y", "z", "first")
COVER_S = 0.25
_Z_UP_TO_Y_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


@dataclass(frozen=True)
class CameraFile:
    """What a file says: R, t, and where given K with its picture's size, and one of times_s and frame_ids."""

    path: Path
    R: np.ndarray
    t: np.ndarray
    K: np.ndarray | None = None
    size_px: tuple[int, int] | None = None
    times_s: np.ndarray | None = None
    frame_ids: np.ndarray | None = None
    up: str = "y"

    def camera_of(self, video, level: Camera) -> Camera:
        """The camera at each frame of a video. `level` gives what the file lacks: K, and the first camera's tilt."""
        K = level.K if self.K is None else self._scaled(video.size_px)
        camera = Camera(K, self.R, self.t, tuple(video.size_px)).validate(str(self.path))
        if not camera.is_still:
            camera = self._at_frames(camera, video)
        if self.up == "z":
            return replace(camera, R=camera.R @ _Z_UP_TO_Y_UP.T)
        return _from_first(camera, level) if self.up == "first" else camera

    def _scaled(self, size_px) -> np.ndarray:
        """K for the video's size."""
        scale = np.array(size_px, float) / (self.size_px or size_px)
        if abs(scale[0] / scale[1] - 1) > 0.02:
            raise InputError(f"Expected {self.path} to be of pictures of the shape {size_px[0]}x{size_px[1]}, but its size_px is "
                             f"{self.size_px[0]}x{self.size_px[1]}.")
        return self.K * np.array([*scale, 1.0])[:, None]

    def _at_frames(self, camera: Camera, video) -> Camera:
        own, wanted, unit = self.times_s, video.times_s, "seconds"
        if self.frame_ids is not None:
            own, wanted, unit = self.frame_ids.astype(float), video.frame_ids.astype(float), "frames"
        if own is None:
            if camera.frames != len(video):
                raise InputError(f"Expected {self.path} to have times_s or frame_ids, or a pose for each of the {len(video)} frames, "
                                 f"but it has {camera.frames} poses.")
            return camera
        if own.shape != (camera.frames,) or not np.isfinite(own).all() or (np.diff(own) <= 0).any():
            raise InputError(f"Expected {camera.frames} growing times_s or frame_ids in {self.path}, but got others.")
        slack = COVER_S if unit == "seconds" else 1.0
        if own[0] > wanted[0] + slack or own[-1] < wanted[-1] - slack:
            raise InputError(f"Expected camera poses from {wanted[0]:g} to {wanted[-1]:g} {unit} of the video, but {self.path} has "
                             f"them from {own[0]:g} to {own[-1]:g}. Choose a part with --start and --end, or shift its times.")
        return camera.resampled(own, wanted)


def _from_first(camera: Camera, level: Camera) -> Camera:
    """The same poses in the world in which the first camera is `level`."""
    first = camera.at(0)
    turn = first.R.T @ level.R
    R = camera.R @ turn
    shift = first.R.T @ (level.t - first.t)
    t = camera.t + camera.R @ shift
    return replace(camera, R=R, t=t)


def save(path: Path | str, camera: Camera, times_s: np.ndarray, frame_ids: np.ndarray, facts: dict) -> None:
    """Write ``camera.npz``: the arrays under their names; `facts` says how they came about."""
    arrays = {"K": camera.K, "R": camera.R, "t": camera.t, "size_px": np.array(camera.size_px), "times_s": times_s,
              "frame_ids": frame_ids, "up": np.array("y")}
    npz.save(path, "camera", arrays, facts)


def load(path: Path | str) -> tuple[Camera, dict]:
    """Read what :func:`save` wrote: the camera and its facts."""
    arrays, meta = npz.load(path, "camera")
    camera = Camera(arrays["K"], arrays["R"], arrays["t"], tuple(int(v) for v in arrays["size_px"]))
    return camera.validate(str(path), len(arrays["times_s"])), meta


def read(path: Path | str) -> CameraFile:
    """Read a camera file of any of the kinds; refuse anything else in one line."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Expected a camera file at {path}, but there is none. Type: --camera static, rotating, auto or a file.")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _from_names(path, _npz(path))
    if suffix == ".json":
        return _from_names(path, _json(path))
    if suffix in (".txt", ".tum"):
        return _tum(path)
    raise InputError(f"Expected a camera file (.npz, .json, or a TUM trajectory .txt), but got {path}.")


def _npz(path: Path) -> dict:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"Expected plain arrays in {path}, but it can't be read: {error}.") from None


def _json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"Expected JSON in {path}, but it can't be read: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"Expected {path} to hold an object with R and t, but got {type(content).__name__}.")
    return content


def _from_names(path: Path, content: dict) -> CameraFile:
    lacking = [name for name in ("R", "t") if name not in content]
    if lacking:
        raise InputError(f"Expected {path} to hold R and t (world to camera), but {' and '.join(lacking)} is missing. It holds: "
                         f"{', '.join(sorted(map(str, content))) or 'nothing'}.")
    values = {name: _numbers(path, name, content[name]) for name in ("R", "t", "K", "size_px", "times_s", "frame_ids")
              if content.get(name) is not None}
    up = str(content.get("up", "y"))
    if up not in UPS:
        raise InputError(f"Expected up in {path} to be {', '.join(UPS)}, but got '{up}'.")
    if "size_px" in values:
        if values["size_px"].shape != (2,) or (values["size_px"] < 1).any():
            raise InputError(f"Expected size_px in {path} to be width and height, but got {values['size_px'].tolist()}.")
        values["size_px"] = tuple(int(v) for v in values["size_px"])
    if "times_s" in values:
        values.pop("frame_ids", None)
    return CameraFile(path, **values, up=up)


def _numbers(path: Path, name: str, value) -> np.ndarray:
    try:
        return np.asarray(value, float)
    except (ValueError, TypeError):
        raise InputError(f"Expected {name} in {path} to be numbers, but it is something else.") from None


def _tum(path: Path) -> CameraFile:
    """Read `time tx ty tz qx qy qz qw` a line, camera to world; the world is taken relative to the first pose."""
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Expected a text in {path}, but it can't be read: {error}.") from None
    for number, line in enumerate(lines, 1):
        parts = line.split("#")[0].replace(",", " ").split()
        if not parts:
            continue
        try:
            row = [float(part) for part in parts]
        except ValueError:
            row = []
        if len(row) != 8:
            raise InputError(f"Expected 'time tx ty tz qx qy qz qw' in line {number} of {path}, but got '{line.strip()[:60]}'.")
        rows.append(row)
    if not rows:
        raise InputError(f"Expected lines 'time tx ty tz qx qy qz qw' in {path}, but it has none.")
    table = np.array(rows)
    length = np.linalg.norm(table[:, 4:], axis=1)
    if not np.isfinite(table).all() or (np.abs(length - 1) > 0.05).any():
        raise InputError(f"Expected finite numbers and unit quaternions in {path}, but pose {int(np.argmax(np.abs(length - 1))) + 1} has "
                         "another length.")
    R = np.swapaxes(rotations.quat_to_matrix(table[:, [7, 4, 5, 6]]), -1, -2)
    return CameraFile(path, R, -(R @ table[:, 1:4, None])[..., 0], times_s=table[:, 0], up="first")
