"""Named keypoint sets: names, flip pairs, bones, and maps between every two sets.

Names are shared between sets (``left_knee`` is the same landmark everywhere), so a set maps to another by name;
points that one set has only as a mean of others (a neck, a pelvis) are written as such in ``MEANS``.
Orders follow the formats as their authors publish them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mrs.errors import UsageError

MEANS = {
    "neck": ("left_shoulder", "right_shoulder"),
    "mid_hip": ("left_hip", "right_hip"),
    "left_eye": ("left_eye_inner", "left_eye_outer"),
    "right_eye": ("right_eye_inner", "right_eye_outer"),
    "left_big_toe": ("left_foot_index",),
    "right_big_toe": ("right_foot_index",),
    "left_foot_index": ("left_big_toe",),
    "right_foot_index": ("right_big_toe",),
    "left_eye_inner": ("left_eye",),
    "right_eye_inner": ("right_eye",),
    "left_eye_outer": ("left_eye",),
    "right_eye_outer": ("right_eye",),
}


@dataclass(frozen=True)
class Keypoints:
    """A named keypoint set."""

    name: str
    names: tuple[str, ...]
    bones: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the row of a keypoint."""
        return self.names.index(name)

    def indices(self, *names: str) -> list[int]:
        """Return the rows of several keypoints."""
        return [self.names.index(n) for n in names]

    @cached_property
    def flip(self) -> np.ndarray:
        """Permutation (K,) that exchanges left and right."""
        return np.array([self.names.index(mirrored(n)) if mirrored(n) in self.names else i
                         for i, n in enumerate(self.names)])

    @cached_property
    def bone_indices(self) -> list[tuple[int, int]]:
        """Bones as pairs of rows."""
        return [(self.names.index(a), self.names.index(b)) for a, b in self.bones]

    def convert(self, points: np.ndarray, target: Keypoints) -> np.ndarray:
        """Map `points` (..., K, 3) of x, y, confidence to another set.

        A point the source lacks comes out as zeros (confidence 0). A mean of two points has the lower confidence.
        """
        out = np.zeros((*points.shape[:-2], len(target), points.shape[-1]), points.dtype)
        for row, name in enumerate(target.names):
            source = self._sources(name)
            if source:
                chosen = points[..., source, :]
                out[..., row, :] = chosen.mean(-2)
                out[..., row, -1] = chosen[..., -1].min(-1)
        return out

    def subset(self, known) -> tuple[Keypoints, np.ndarray]:
        """Return the set of the points whose names are in `known`, and their rows; itself where that is all of them."""
        rows = np.array([i for i, n in enumerate(self.names) if n in known], int)
        if len(rows) == len(self):
            return self, rows
        names = tuple(self.names[i] for i in rows)
        for other in KEYPOINT_SETS.values():
            if other.names == names:
                return other, rows
        bones = tuple(b for b in self.bones if set(b) <= set(names))
        return Keypoints(f"{self.name}-part-{len(rows)}", names, bones), rows

    def _sources(self, name: str) -> list[int]:
        if name in self.names:
            return [self.names.index(name)]
        parts = MEANS.get(name, ())
        return [self.names.index(p) for p in parts] if parts and all(p in self.names for p in parts) else []


def mirrored(name: str) -> str:
    """Exchange left and right in a keypoint's name."""
    if name.startswith("left_"):
        return "right_" + name[5:]
    return "left_" + name[6:] if name.startswith("right_") else name


def keypoint_set(name: str | Keypoints, names: tuple[str, ...] | None = None) -> Keypoints:
    """Return a keypoint set by name; one of a plugin's own, or of its points' `names` in a file, as it is."""
    if isinstance(name, Keypoints):
        return name
    if names and name not in KEYPOINT_SETS:
        return Keypoints(name, tuple(names))
    try:
        return KEYPOINT_SETS[name]
    except KeyError:
        raise UsageError(f"Expected a keypoint set out of {', '.join(KEYPOINT_SETS)}, but got '{name}'.") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _both(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in pairs)


_LIMBS = _both(("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"), ("shoulder", "hip"))
_GIRDLES = (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"))
_FEET = _both(("ankle", "heel"), ("heel", "big_toe"), ("ankle", "big_toe"))

_COCO = ("nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
         "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle")

COCO_17 = Keypoints("coco-17", _names(_COCO), _LIMBS + _GIRDLES)

COCO_18 = Keypoints("coco-18", _names(
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"), _LIMBS + _GIRDLES)

BODY_25 = Keypoints("body-25", _names(
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe left_small_toe "
    "left_heel right_big_toe right_small_toe right_heel"),
    _LIMBS + _GIRDLES + _FEET)

HALPE_26 = Keypoints("halpe-26", _names(
    _COCO + " head_top neck mid_hip left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel"),
    _LIMBS + _GIRDLES + _FEET)

BODY_25B = Keypoints("body-25b", _names(
    _COCO + " neck head_top left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"),
    _LIMBS + _GIRDLES + _FEET)

MPI_15 = Keypoints("mpi-15", _names(
    "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle spine"), _LIMBS + _GIRDLES)


def _face_68() -> tuple[str, ...]:
    """Name the 68 points of the 300-W face so that mirror images pair up: each pair has the number of its right point."""
    pairs = [(i, 16 - i) for i in range(8)] + [(i, 43 - i) for i in range(17, 22)] + [(31, 35), (32, 34)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52)]
    pairs += [(59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
    names = [f"face_{i}" for i in range(68)]
    for right, left in pairs:
        names[right], names[left] = f"right_face_{right}", f"left_face_{right}"
    return tuple(names)


def _hand(side: str, first: int = 0) -> tuple[str, ...]:
    """Name the points of a hand: 0 its root, then four a finger from the thumb on."""
    return tuple(f"{side}_hand_{i}" for i in range(first, 21))


_HANDS_21 = _hand("left") + _hand("right")

COCO_WHOLEBODY_133 = Keypoints("coco-wholebody-133", _names(
    _COCO + " left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel") + _face_68() + _HANDS_21,
    _LIMBS + _GIRDLES + _FEET)

HALPE_136 = Keypoints("halpe-136", HALPE_26.names + _face_68() + _HANDS_21, _LIMBS + _GIRDLES + _FEET)

BODY_135 = Keypoints("body-135", BODY_25B.names + _hand("left", 1) + _hand("right", 1) + _face_68()
                     + ("right_pupil", "left_pupil"), _LIMBS + _GIRDLES + _FEET)

BLAZEPOSE_33 = Keypoints("blazepose-33", _names(
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear left_mouth "
    "right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky right_pinky "
    "left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle "
    "left_heel right_heel left_foot_index right_foot_index"),
    _LIMBS + _GIRDLES + _both(("ankle", "heel"), ("heel", "foot_index"), ("ankle", "foot_index"),
                              ("wrist", "index"), ("wrist", "pinky")))

H36M_17 = Keypoints("h36m-17", _names(
    "mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle spine neck head head_top left_shoulder "
    "left_elbow left_wrist right_shoulder right_elbow right_wrist"), _LIMBS + _GIRDLES)

COCOPLUS_19 = Keypoints("cocoplus-19", _names(
    "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder left_shoulder "
    "left_elbow left_wrist neck head_top nose left_eye right_eye left_ear right_ear"), _LIMBS + _GIRDLES)

SMPL_24 = Keypoints("smpl-24", _names(
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot right_foot neck "
    "left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hand "
    "right_hand"))

SMPL_PARENTS = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21])

KEYPOINT_SETS = {k.name: k for k in (
    COCO_17, COCO_18, MPI_15, BODY_25, BODY_25B, HALPE_26, BLAZEPOSE_33, H36M_17, COCOPLUS_19, SMPL_24, COCO_WHOLEBODY_133,
    HALPE_136, BODY_135)}
