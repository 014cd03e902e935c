"""Embedded assets: weights and bodies that ship inside the package, each with its card beside it."""

from __future__ import annotations

import hashlib
import importlib.resources
from pathlib import Path

from mrs.errors import MissingError

SHA256 = {
    "models/bds.npz": "d61a552e186502f7a2ff607766188411e9314c6705a4716c5dddfb54447d4146",
    "models/movenet-multipose.fp16w.onnx": "6304e590e5f60858899802c2297b831987d6afeece5ffbc88cf064776923174b",
    "models/pose_landmark_full.fp16w.onnx": "5b8966641d641dfa143e6584b2e000cc3e83a8fb1f4af3c4ac28bd6415bbe49b",
    "models/pose_landmark_heavy.fp16w.onnx": "a5a2d3f6e3e82c251142b961cd0a91edf80a01735520fdb6c0f75c2523968466",
}
_REINSTALL = "Type: pip install --force-reinstall --no-deps mrs"


def asset_path(name: str, *, verify: bool = False) -> Path:
    """Return the path of an embedded asset such as ``models/pose_landmark_full.fp16w.onnx``.

    Raise MissingError where the file is absent or, if asked to `verify`, where its sha256 is not the one of
    its card (the model files take 5 to 30 ms each).
    """
    path = Path(str(importlib.resources.files(__name__).joinpath(*name.split("/"))))
    if not path.is_file():
        raise MissingError(f"Expected the embedded file {name} at {path}, but there is none. {_REINSTALL}")
    if verify:
        _verify(name, path)
    return path


def _verify(name: str, path: Path) -> None:
    if name not in SHA256:
        raise MissingError(f"Expected a sha256 for {name} in mrs/data/__init__.py, but got none.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[name]:
        raise MissingError(f"Expected {path} to have sha256 {SHA256[name]}, but got {found}. {_REINSTALL}")
