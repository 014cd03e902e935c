"""The VUNet archives of DeepFashion and Market-1501, and Human3.6M's annotation: pictures with 2D joints, checked and indexed.

An archive is a folder with index.p, a pickled dict: imgs (N) paths relative to it, joints (N, J, 2) as shares of the picture, negative
where missing, train (N) whether a picture is for training, and joint_order (J) names. Without names there are 18 joints in the data set's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs import npz
from mrs.appearance.pictures import Picture, Pictures
from mrs.appearance.recipe import Recipe
from mrs.errors import InputError, MissingError
from mrs.skeletons import COCO_18, H36M_17

KIND, INDEX = "pictures", "pictures.npz"
QUAD = ("right_hip", "right_shoulder", "left_shoulder", "left_hip")
_MARKET = ("right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder left_shoulder "
           "left_elbow left_wrist neck nose left_eye right_eye left_ear right_ear")
# VUNet's files: OpenPose's 18 for DeepFashion, another order for Market-1501 (BDS 1.7).
ORDERS = {"deepfashion": COCO_18.names, "market": tuple(_MARKET.split())}
# The 17 of Human3.6M's 32 joints that are mrs.skeletons.H36M_17, by their rows.
H36M_ROWS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
TEST_SUBJECTS = (9, 11)
# Joints may lie a little outside of the picture; what is further out is in pixels, as in an early release of the archives.
OUTSIDE = 2.0
_SHORT = {"r": "right_", "l": "left_", "c": ""}


@dataclass(frozen=True)
class Index:
    """N pictures: paths (N) relative to `folder`, joints (N, 18, 3) of COCO's 18 in 0..1 with what is known, train (N), persons (N) or -1."""

    folder: Path
    paths: np.ndarray
    joints: np.ndarray
    train: np.ndarray
    persons: np.ndarray

    def part(self, rows) -> Index:
        """Some of the pictures."""
        return Index(self.folder, self.paths[rows], self.joints[rows], self.train[rows], self.persons[rows])


def read(folder: Path, kind: str) -> tuple[Index, dict[str, int]]:
    """Read an archive's index.p and check it against the pictures; also what was counted.

    Pictures without the four corners of the torso are dropped, as BDS does, and those whose file isn't there.
    """
    found = _pickled(folder)
    joints = _ordered(found["joints"], _order(found, kind, folder))
    whole = joints[:, [COCO_18.index(name) for name in QUAD], 2].all(1)
    there = np.array([(folder / p).is_file() for p in found["imgs"]], bool)
    index = Index(folder, np.array(found["imgs"]), joints, found["train"], np.full(len(joints), -1)).part(whole & there)
    counts = {"listed": len(joints), "without torso": int((~whole).sum()), "without file": int((~there).sum()),
              "train": int(index.train.sum()), "test": int((~index.train).sum())}
    if not len(index.paths):
        raise InputError(f"Expected pictures with a whole torso in {folder}, but of {len(joints)} {counts['without file']} have no file and "
                         f"{counts['without torso']} no torso. Unpack the archive so that its pictures lie beside index.p.")
    return index, counts


def _pickled(folder: Path) -> dict:
    """The dict of index.p as arrays of the right shapes."""
    from mrs.formats import restricted

    path = folder / "index.p"
    found = restricted.read(path, "the index of a VUNet archive")
    try:
        imgs = [str(p.decode() if isinstance(p, bytes) else p).replace("\\", "/") for p in found["imgs"]]
        joints = np.asarray(found["joints"], float)
        train = np.array([bool(v) for v in found["train"]])
        told = found.get("joint_order")
        count = 18 if told is None else len(told)
        if joints.shape != (len(imgs), count, 2) or len(train) != len(imgs):
            raise ValueError(f"joints are {joints.shape} and train {train.shape} for {len(imgs)} pictures and {count} names of joints")
        if np.nanmax(joints, initial=0.0) > OUTSIDE:
            raise ValueError(f"joints go up to {np.nanmax(joints):.0f}, where shares of the picture are wanted (pixels over its width and height)")
        if any(Path(p).is_absolute() or ".." in Path(p).parts for p in imgs):
            raise ValueError("a picture lies outside the archive")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"Expected imgs (N), joints (N, J, 2), train (N) and joint_order (J, 18 without it) in {path}, but got: {error}.") from None
    return {"imgs": imgs, "joints": joints, "train": train, "joint_order": told}


def _order(found: dict, kind: str, folder: Path) -> tuple[str, ...]:
    """Names of the joints: those the file says, else the data set's."""
    told = found["joint_order"]
    if told is None:
        return ORDERS[kind]
    names = tuple(_long(str(name.decode() if isinstance(name, bytes) else name)) for name in told)
    if not set(QUAD) <= set(names) or len(set(names)) != len(names):
        raise InputError(f"Expected names of joints such as rankle, lhip or cnose in joint_order of {folder / 'index.p'}, both shoulders and hips among "
                         f"them, but got {', '.join(map(str, told))[:200]}.")
    return names


def _long(name: str) -> str:
    """rankle is right_ankle, cnose is nose; what is named otherwise stays."""
    long = _SHORT.get(name[:1], "") + name[1:]
    return long if long in COCO_18.names else name


def _ordered(joints: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Joints (N, J, 2), negative where missing, as COCO's 18 with what is known (N, 18, 3); others, such as chead, are left out."""
    out = np.zeros((len(joints), 18, 3))
    for row, name in enumerate(names):
        if name not in COCO_18.names:
            continue
        known = np.isfinite(joints[:, row]).all(-1) & (joints[:, row] >= 0).all(-1)
        at = COCO_18.index(name)
        out[:, at, :2], out[:, at, 2] = np.where(known[:, None], joints[:, row], 0), known
    return out


def read_h36m(folder: Path) -> tuple[Index, dict[str, int]]:
    """Read processed/all/annot_export.h5 of prepared Human3.6M; S9 and S11 are held out, so that no person is in both parts."""
    from mrs.formats.h36m import ANNOTATION

    try:
        import h5py
    except ImportError:
        raise MissingError("Expected h5py, which reads Human3.6M's annotation, but it is not installed. Type: pip install 'mrs[h36m]'") from None
    path = folder / "processed" / "all" / ANNOTATION
    if not path.is_file():
        raise InputError(f"Expected Human3.6M's annotation at {path}, but there is no such file. Type: mrs data h36m annotate {folder}")
    try:
        with h5py.File(path, "r") as file:
            points = np.asarray(file["norm_keypoints"])[:, list(H36M_ROWS)] if "norm_keypoints" in file else None
            paths, persons = [str(p.decode()) for p in file["img_paths"][:]], np.asarray(file["p_ids"][:], int)
    except (OSError, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"Expected {path}, but it can't be read: {error}. Type: mrs data h36m annotate {folder}") from None
    if points is None:
        raise InputError(f"Expected norm_keypoints in {path}, but there are none: Poses_D2_Positions were not unpacked when it was made. "
                         f"Type: mrs data h36m annotate {folder}")
    joints = _of_h36m(points)
    there = np.array([(folder / p).is_file() for p in paths], bool)
    index = Index(folder, np.array(paths), joints, ~np.isin(persons, TEST_SUBJECTS), persons).part(there)
    if not len(index.paths):
        raise InputError(f"Expected pictures below {folder / 'processed/all'}, but there are none. Type: mrs data h36m process {folder}")
    return index, {"listed": len(paths), "without file": int((~there).sum()), "train": int(index.train.sum()), "test": int((~index.train).sum())}


def _of_h36m(points: np.ndarray) -> np.ndarray:
    """COCO's 18 (N, 18, 3) from Human3.6M's 17 (N, 17, 2): the face's middle is the nose, eyes and ears stay unknown."""
    known = np.isfinite(points).all(-1)
    given = np.concatenate([np.where(known[..., None], points, 0), known[..., None]], -1)
    out = H36M_17.convert(given, COCO_18)
    out[:, COCO_18.index("nose")] = given[:, H36M_17.index("head")]
    return out


def save(index: Index, out: Path) -> Path:
    """Write pictures.npz, which `mrs train shape-pose` takes as well as the archive's folder, without copying a picture."""
    out.mkdir(parents=True, exist_ok=True)
    arrays = {"paths": index.paths.astype("U"), "joints": index.joints.astype(np.float32), "train": index.train, "persons": index.persons}
    npz.save(out / INDEX, KIND, arrays, {"folder": str(index.folder.resolve())})
    return out / INDEX


def load(path: Path) -> Index:
    """Read what :func:`save` wrote."""
    arrays, meta = npz.load(path / INDEX if path.is_dir() else path, KIND)
    try:
        return Index(Path(meta["folder"]), *(arrays[name] for name in ("paths", "joints", "train", "persons")))
    except KeyError as error:
        raise InputError(f"Expected {path} to hold {error}, but it is missing.") from None


def source(index: Index, recipe: Recipe, device: str = "cpu", seed: int = 0, flip: float | None = None) -> Pictures:
    """Batches of an index's pictures, read when they are drawn; persons are drawn equally often where they are known."""
    weights = None
    if (index.persons >= 0).all():
        counts = dict(zip(*np.unique(index.persons, return_counts=True), strict=True))
        weights = np.array([1 / counts[p] for p in index.persons])
    return Pictures(len(index.paths), lambda row: _read(index, row, recipe.size_px), recipe.size_px, device, seed, persons=index.persons,
                    pair_share=recipe.pair_share, flip=recipe.flip if flip is None else flip, weights=weights)


def _read(index: Index, row: int, size_px: int) -> Picture:
    """A picture on a square of its longer side, what is missing filled with its edge, and its joints moved along."""
    import cv2

    path = index.folder / str(index.paths[row])
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f"Expected a picture at {path}, but it can't be read.")
    height, width = bgr.shape[:2]
    side, joints = max(height, width), index.joints[row].copy()
    left, top = (side - width) // 2, (side - height) // 2
    square = cv2.copyMakeBorder(bgr, top, side - height - top, left, side - width - left, cv2.BORDER_REPLICATE)
    square = cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA if side > size_px else cv2.INTER_CUBIC)
    joints[:, :2] = (joints[:, :2] * [width, height] + [left, top]) / side
    return Picture(np.ascontiguousarray(square[..., ::-1]), joints)
