"""Body models of the user: SMPL, SMPL-H and SMPL-X files (npz or pkl, without chumpy) as a Body of 24 joints.

A motion of such a body has the name ``smplx:PATH``, and whatever works with a motion's body works with this one. Fingers, jaw and eyes
follow the hands and the head. Only the layout is read here (Loper et al. 2015; Romero et al. 2017; Pavlakos et al. 2019); no
file of the models comes with mrs, and their licences are between the user and their makers.
"""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrs.body.model import Body
from mrs.errors import InputError, MissingError, MrsError, UsageError, reason
from mrs.motion import Motion
from mrs.runfolder import sha256_of
from mrs.skeletons import SMPL_PARENTS

PREFIX = "smplx:"
FOLDER = "MRS_SMPL_DIR"
SUFFIXES = (".npz", ".pkl")
SHAPES = 10
BODY_JOINTS = 22
WANTED = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f")
WHERE = {"SMPL": "https://smpl.is.tue.mpg.de", "SMPL-H": "https://mano.is.tue.mpg.de", "SMPL-X": "https://smpl-x.is.tue.mpg.de"}
"""Where the models are had, after registration, under licences for research without a purse."""


@dataclass(frozen=True)
class Family:
    """One kind of model: how its joints become 24.

    `hands` are the joints that stand for SMPL's left and right hand; `follow` maps other joints' weights to joints of the 24.
    """

    name: str
    joints: int
    hands: tuple[int, int]
    follow: dict[int, int]

    def merged(self, per_joint: np.ndarray) -> np.ndarray:
        """Weights (V, joints) as weights (V, 24)."""
        out = np.zeros((len(per_joint), 24))
        out[:, :BODY_JOINTS] = per_joint[:, :BODY_JOINTS]
        for joint in range(BODY_JOINTS, self.joints):
            out[:, self.follow[joint]] += per_joint[:, joint]
        return out

    def chosen(self, joints: np.ndarray) -> np.ndarray:
        """Rows of the joints (joints, ...) that the 24 are."""
        return joints[[*range(BODY_JOINTS), *self.hands]]


def _spread(*parts: tuple[range, int]) -> dict[int, int]:
    return {joint: into for joints, into in parts for joint in joints}


FAMILIES = {family.joints: family for family in (
    Family("SMPL", 24, (22, 23), {22: 22, 23: 23}),
    Family("SMPL-H", 52, (25, 40), _spread((range(22, 37), 22), (range(37, 52), 23))),
    Family("SMPL-X", 55, (28, 43), _spread((range(22, 25), 15), (range(25, 40), 22), (range(40, 55), 23))))}


@dataclass(frozen=True)
class ModelBody(Body):
    """A Body whose mesh also bends with the pose: posed_m (V, 3, 9 P) blend shapes of the first P joints behind the root.

    Landmarks and the refiner leave these out, as linear blend skinning alone is exact there.
    """

    posed_m: np.ndarray = None
    family: str = "SMPL"

    def vertices(self, motion: Motion, rows=slice(None)) -> np.ndarray:
        """Skin the mesh: vertices (n, V, 3) in metres at the chosen frames."""
        from mrs import rotations

        quats, joints = motion.local_quat_wxyz[rows], motion.joints_m[rows]
        bent = self.posed_m.shape[2] // 9
        feature = (rotations.quat_to_matrix(quats[:, 1 : bent + 1]) - np.eye(3)).reshape(len(quats), -1)
        turned = self.global_rotations(quats)
        rest = self.rest_m + self.rest_shape_m @ motion.betas
        shift = joints - np.einsum("tjab,jb->tja", turned, rest)
        shaped = self.template_m + self.shape_m @ motion.betas
        flat = self.posed_m.reshape(-1, self.posed_m.shape[2])
        out = np.empty((len(quats), *shaped.shape))
        for row in range(len(quats)):
            mesh = shaped + (flat @ feature[row]).reshape(shaped.shape)
            blended = self.weights @ np.concatenate([turned[row].reshape(24, 9), shift[row]], -1)
            out[row] = np.einsum("vab,vb->va", blended[:, :9].reshape(-1, 3, 3), mesh) + blended[:, 9:]
        return out


def body_name(text: str | None) -> str | None:
    """Return the name under which load_body finds what `--body` says; None stays None. Raises UsageError and MissingError."""
    if text is None:
        return None
    if not text.startswith(PREFIX) or text == PREFIX:
        from mrs.motion import BODY

        if text == BODY:
            return None
        raise UsageError(f"Expected --body smplx:PATH, with a file of SMPL, SMPL-H or SMPL-X, but got '{text}'.")
    return PREFIX + str(_located(Path(text.removeprefix(PREFIX)).expanduser(), "--body").resolve())


def file_of(name: str) -> Path:
    """Return the file of a body's name; where it has moved, the one of the same name in the folder that MRS_SMPL_DIR names."""
    return _located(Path(name.removeprefix(PREFIX)), "the motion")


def _located(path: Path, asked: str) -> Path:
    if path.is_dir():
        return _only(path)
    folder = os.environ.get(FOLDER)
    for place in (path, Path(folder) / path.name if folder else path):
        if place.is_file():
            return place
    raise MissingError(f"Expected the body model {path} that {asked} names, but there is no such file. Get SMPL, SMPL-H or SMPL-X at "
                       f"{', '.join(WHERE.values())} (registration; research licence), and type: --body smplx:FILE, or put it into "
                       f"the folder that {FOLDER} names.")


def _only(folder: Path) -> Path:
    """The one model in a folder; of several the one that is called neutral."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    neutral = [p for p in files if "neutral" in p.name.lower()]
    chosen = files if len(files) == 1 else neutral
    if len(chosen) != 1:
        listed = ", ".join(str(p.relative_to(folder)) for p in files[:6]) or "none"
        raise MissingError(f"Expected one body model (npz or pkl) in {folder}, or one called neutral, but there is {listed}. Name the file.")
    return chosen[0]


def load(name: str) -> ModelBody:
    """Load the body of a name ``smplx:PATH``. Raises MissingError and InputError."""
    path = file_of(name)
    arrays = read(path)
    family = FAMILIES[arrays["weights"].shape[1]]
    regressor, template, shape = arrays["J_regressor"], arrays["v_template"], arrays["shapedirs"]
    rest, rest_shape = family.chosen(regressor @ template), family.chosen(np.einsum("jv,vcb->jcb", regressor, shape, optimize=True))
    weights = family.merged(arrays["weights"])
    weights = weights / weights.sum(1, keepdims=True)
    from mrs.body import landmark_fit

    names, share, moment, moment_shape = landmark_fit.landmarks(template, shape, weights, rest, rest_shape)
    bent = 9 * (23 if family.name == "SMPL" else BODY_JOINTS - 1)
    return ModelBody(name=name, template_m=template, shape_m=shape, weights=weights, faces=arrays["f"], rest_m=rest,
                     rest_shape_m=rest_shape, landmark_names=names, joint_share=share, moment_m=moment,
                     moment_shape_m=moment_shape, posed_m=arrays["posedirs"][..., :bent], family=family.name)


def read(path: Path) -> dict[str, np.ndarray]:
    """Read a model's arrays: v_template (V, 3), shapedirs (V, 3, 10), posedirs, J_regressor (J, V), weights (V, J), f (F, 3).

    Missing shapes are zeros. Raises InputError for what is no such model.
    """
    held = _held(path)
    missing = [name for name in WANTED if not isinstance(held.get(name), np.ndarray) or held[name].dtype.kind not in "fiu"]
    if missing:
        raise InputError(f"Expected {', '.join(WANTED)} of SMPL, SMPL-H or SMPL-X in {path}, but {', '.join(missing)} is missing.")
    arrays = {name: np.asarray(held[name]) for name in WANTED}
    vertices, joints = arrays["weights"].shape if arrays["weights"].ndim == 2 else (0, 0)
    fits = {"v_template": (vertices, 3), "J_regressor": (joints, vertices)}
    if joints not in FAMILIES or any(arrays[name].shape != shape for name, shape in fits.items()):
        told = ", ".join(f"{name} {arrays[name].shape}" for name in WANTED)
        raise InputError(f"Expected a model of 24 (SMPL), 52 (SMPL-H) or 55 (SMPL-X) joints in {path}, but got {told}.")
    deep = ("shapedirs", "posedirs")
    least = {"shapedirs": 1, "posedirs": 9 * (joints - 1)}
    if any(arrays[n].ndim != 3 or arrays[n].shape[:2] != (vertices, 3) or arrays[n].shape[2] < least[n] for n in deep):
        raise InputError(f"Expected shapedirs (V, 3, n) and posedirs (V, 3, {9 * (joints - 1)}) in {path}, but got "
                         f"{', '.join(str(arrays[n].shape) for n in deep)}.")
    out = {name: arrays[name].astype(float) for name in ("v_template", "J_regressor", "weights")}
    shape = arrays["shapedirs"][..., :SHAPES].astype(float)
    out["shapedirs"] = np.concatenate([shape, np.zeros((vertices, 3, SHAPES - shape.shape[2]))], 2)
    out["posedirs"], out["f"] = arrays["posedirs"].astype(np.float32), arrays["f"].astype(np.int64)
    if not all(np.isfinite(value).all() for value in out.values()):
        raise InputError(f"Expected finite numbers in {path}, but got NaN or infinity.")
    if out["f"].ndim != 2 or out["f"].shape[1] != 3 or not 0 <= out["f"].min(initial=0) <= out["f"].max(initial=0) < vertices:
        raise InputError(f"Expected faces f (F, 3) of the {vertices} vertices in {path}, but got {out['f'].shape} or vertices that are not there.")
    _check_tree(held, joints, path)
    return out


def _check_tree(held: dict[str, Any], joints: int, path: Path) -> None:
    """Refuse a model whose first 22 joints are not SMPL's."""
    tree = held.get("kintree_table")
    if isinstance(tree, np.ndarray) and tree.ndim == 2 and tree.shape[1] >= BODY_JOINTS:
        parents = tree[0, 1:BODY_JOINTS].astype(np.int64)
        if (parents != SMPL_PARENTS[1:BODY_JOINTS]).any():
            raise InputError(f"Expected SMPL's tree of joints in {path}, but its {joints} joints hang together otherwise.")


def _held(path: Path) -> dict[str, Any]:
    """What a file holds, by name; npz without pickles, pkl by the restricted reader."""
    if path.suffix.lower() == ".npz":
        if not zipfile.is_zipfile(path):
            raise InputError(f"Expected a body model in {path}, but it is no npz, or a part of one.")
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in (*WANTED, "kintree_table") if name in file.files}
        except Exception as error:  # noqa: BLE001 (NumPy and zip raise whatever they meet in broken files)
            raise InputError(f"Expected a body model in {path}, but it can't be read: {reason(error)}.") from None
    from mrs.formats import restricted

    held = restricted.read(path, "a body model")
    if not isinstance(held, dict):
        raise InputError(f"Expected a body model in {path}, but it holds {type(held).__name__}.")
    return held


def found(path: Path | str) -> dict[str, Any]:
    """Say what a file holds, for `mrs doctor`: path, family, vertices, shapes, sha256 and landmarks; or path and error."""
    path = Path(path)
    try:
        body = load(PREFIX + str(path))
    except MrsError as error:
        return {"path": str(path), "error": str(error)}
    from mrs.body import landmark_fit

    known = len(body.template_m) in landmark_fit.PUBLISHED
    return {"path": str(path), "family": body.family, "vertices": len(body.template_m), "sha256": sha256_of(path),
            "shapes": int((np.abs(body.shape_m).max((0, 1)) > 0).sum()), "stature_m": round(body.stature_m(np.zeros(10)), 3),
            "landmarks": "published vertices" if known else "by likeness to the embedded body"}


def all_found() -> list[dict[str, Any]]:
    """Say what each file in the folder that MRS_SMPL_DIR names holds; nothing where there is none."""
    folder = os.environ.get(FOLDER)
    if not folder or not Path(folder).is_dir():
        return []
    return [found(path) for path in sorted(Path(folder).rglob("*")) if path.suffix.lower() in SUFFIXES]
