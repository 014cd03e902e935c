"""What run.json tells of where a result came from: content hashes, versions, machine, video facts."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import mrs
from mrs.errors import InputError
from mrs.runfolder import sha256_of

LIBRARIES = ("numpy", "scipy", "torch", "onnxruntime", "opencv-python-headless", "av", "pluggy", "click", "rich", "PyYAML")


def content_hash(arrays: dict[str, Any]) -> str:
    """Hash named arrays (None is left out) by name, type, shape and values."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        value = arrays[name]
        if value is None:
            continue
        value = np.ascontiguousarray(value)
        digest.update(f"{name} {value.dtype.str} {value.shape} ".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def motion_hash(motion) -> str:
    """Hash a Motion's arrays and camera; its history does not count."""
    names = ("times_s", "root_pos_m", "local_quat_wxyz", "betas", "joints_m", "contacts", "confidence")
    arrays = {name: getattr(motion, name) for name in names} | {"frame": motion.frame, "body": motion.body}
    if motion.code is not None:
        arrays["code"] = motion.code
    if motion.camera is not None:
        arrays |= {f"camera_{f.name}": getattr(motion.camera, f.name) for f in dataclasses.fields(motion.camera)}
    return content_hash(arrays)


def source_sha256(path: Path | str, asked: str) -> str:
    """Hash a file, or the names and contents of a folder's files; `asked` is how the user names it."""
    path = Path(path)
    try:
        if not path.is_dir():
            return sha256_of(path)
        digest = hashlib.sha256()
        with os.scandir(path) as entries:
            names = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_file())
        for name in names:
            digest.update(f"{name} ".encode("utf-8", "surrogateescape"))
            with open(f"{path}/{name}", "rb", buffering=0) as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()
    except FileNotFoundError:
        raise InputError(f"Expected a file or folder at {path}, but there is none. Check the path in {asked}.") from None
    except OSError as error:
        raise InputError(f"Expected to read {path}, but it can't be read: {error.strerror or error}. "
                         f"Check the path in {asked}.") from None


def camera_facts(camera) -> dict[str, Any]:
    """Describe a camera: K, R and t, and of one that moves those of its first frame and a hash of all."""
    first = camera.at(0)
    facts = {"K": first.K.tolist(), "R": np.round(first.R, 12).tolist(), "t": first.t.tolist()}
    if not camera.is_still:
        facts |= {"frames": camera.frames,
                  "sha256": content_hash({"K": camera.K, "R": np.round(camera.R, 12), "t": camera.t})}
    return facts


def track_hash(track) -> str:
    """Hash one person's track, whatever its number."""
    arrays = {f.name: getattr(track, f.name) for f in dataclasses.fields(track) if f.name not in ("person", "keypoints")}
    return content_hash(arrays | {"keypoints": track.keypoints.name})


@cache
def code_version() -> str:
    """Return the version of mrs; in a git checkout with a hash of its sources, so that edited code makes new results."""
    root = Path(mrs.__file__).resolve().parent
    if not (root.parent / ".git").exists():
        return mrs.__version__
    digest = hashlib.sha256()
    for folder in (root, root.parent / "plugins"):
        for path in sorted(folder.rglob("*.py")):
            if "cli" not in path.parts:
                digest.update(path.read_bytes())
    return f"{mrs.__version__}+{digest.hexdigest()[:12]}"


def video_facts(video) -> dict[str, Any]:
    """Describe the video as it was read."""
    times = video.times_s
    steps = np.diff(times)
    even = len(steps) == 0 or float(steps.max() - steps.min()) < 0.002
    span = float(times[-1] - times[0])
    return {
        "path": str(Path(video.path).resolve()),
        "sha256": video.sha256,
        "size_px": [int(v) for v in video.size_px],
        "rotation_deg": int(video.rotation_deg),
        "frames": len(times),
        "first_s": float(times[0]),
        "last_s": float(times[-1]),
        "mean_fps": (len(times) - 1) / span if span > 0 else 0.0,
        "times": "even" if even else "uneven",
        "pictures": getattr(video, "pictures", True),
    }


def machine() -> dict[str, Any]:
    """Describe libraries and platform."""
    return {"libraries": {name: _version(name) for name in LIBRARIES}, "python": sys.version.split()[0],
            "platform": platform.platform(), "mrs": code_version()}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
