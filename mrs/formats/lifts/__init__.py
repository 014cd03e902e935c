"""What other programs that lift people left in files: HMMR, VIBE, WHAM, GVHMR, PHALP (4D-Humans) and TRAM, as one type.

Every reader gives a list of :class:`Lift`, one a person: rotations with the root in the camera's frame, where the model's origin is, and
which frames of the video are meant. Files are read by :mod:`mrs.formats.restricted`; nothing that they name is run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mrs import rotations
from mrs.errors import InputError

REST_PELVIS_M = {"SMPL": np.array([-0.0018, -0.2233, 0.0282]), "SMPL-X": np.array([0.0031, -0.3514, 0.0120])}
"""Where the pelvis joint of the mean neutral body rests: `trans` moves the model's origin, the pelvis is trans + this, never turned."""


@dataclass(frozen=True)
class Lift:
    """One person in N frames.

    label         who it is in the file
    frames        (N,) the video's frames, counted from 0, growing
    turned        (N, 24, 3, 3) SMPL's local rotations; joint 0 turns the body in the camera's frame (x right, y down, z forward)
    betas         (N, 10) shape coefficients of the `family`, "SMPL" or "SMPL-X"
    trans_m       (N, 3) or None: where the model's origin is in the frame of a camera K, metres
    K             (N, 3, 3) or None: that camera
    weak_px       (N, 3) or None: pixels a metre, and the pixel (x, y) that shows the model's origin, of a weak-perspective camera
    floating      the file does not say which frame of the video is its first
    every         the program tells of every frame of a video
    to_up         (N, 3, 3) or None: rotations from the camera's frame to one whose y axis points up, as the program sees it
    """

    label: str
    frames: np.ndarray
    turned: np.ndarray
    betas: np.ndarray
    family: str = "SMPL"
    trans_m: np.ndarray | None = None
    K: np.ndarray | None = None
    weak_px: np.ndarray | None = None
    floating: bool = False
    every: bool = False
    to_up: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def is_placed(self) -> bool:
        """Whether the file says where the person is in the picture."""
        return self.weak_px is not None or (self.trans_m is not None and self.K is not None)

    def pelvis_px(self, rest_pelvis_m: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Where the pelvis joint shows (N, 2), and how many pixels a metre has there (N,). `rest_pelvis_m` (3,) or (N, 3)."""
        rest = REST_PELVIS_M[self.family] if rest_pelvis_m is None else rest_pelvis_m
        if self.weak_px is not None:
            return self.weak_px[:, 1:] + self.weak_px[:, :1] * np.broadcast_to(rest, (len(self), 3))[:, :2], self.weak_px[:, 0]
        pelvis = self.trans_m + rest
        depth = np.maximum(pelvis[:, 2], 0.05)
        focal = self.K[:, [0, 1], [0, 1]]
        return pelvis[:, :2] / depth[:, None] * focal + self.K[:, :2, 2], focal[:, 0] / depth

    def tilt_deg(self) -> tuple[float, float] | None:
        """How far (degrees) the camera looks down and leans to its right, in the median; None where the file does not tell."""
        if self.to_up is None:
            return None
        ahead, right = self.to_up[:, 1, 2], self.to_up[:, 1, 0]
        return tuple(float(np.degrees(np.arcsin(np.clip(-np.median(v), -1, 1)))) for v in (ahead, right))

    def checked(self, where: str) -> Lift:
        """Sort by frame, drop repeated frames; refuse wrong shapes and numbers that are none. `where` names the file in errors."""
        count = len(self.frames)
        shapes = {"frames": (count,), "turned": (count, 24, 3, 3), "betas": (count, 10), "trans_m": (count, 3), "K": (count, 3, 3),
                  "weak_px": (count, 3), "to_up": (count, 3, 3)}
        if count == 0:
            raise InputError(f"Expected frames of person {self.label} in {where}, but there is none.")
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise InputError(f"Expected {name} of person {self.label} in {where} to be {shape} numbers, but got {value.shape}.")
            if value is not None and not np.isfinite(value).all():
                raise InputError(f"Expected {name} of person {self.label} in {where} to be finite numbers, but got NaN or infinity.")
        if np.abs(self.turned @ np.swapaxes(self.turned, -1, -2) - np.eye(3)).max() > 0.05 or (np.linalg.det(self.turned) < 0).any():
            raise InputError(f"Expected rotations of person {self.label} in {where}, but some matrices are none.")
        _, rows = np.unique(self.frames, return_index=True)
        return replace(self, **{name: getattr(self, name)[rows] for name in shapes if getattr(self, name) is not None})


def matrices(axis_angle: np.ndarray) -> np.ndarray:
    """Axis-angles (N, 3 J) in radians to rotations (N, 24, 3, 3); joints beyond J stay as the parent."""
    joints = axis_angle.shape[1] // 3
    out = np.tile(np.eye(3), (len(axis_angle), 24, 1, 1))
    out[:, :joints] = rotations.axis_angle_to_matrix(axis_angle.reshape(len(axis_angle), joints, 3))
    return out


def ten(betas: np.ndarray, count: int) -> np.ndarray:
    """Betas (N, 10) of (N, B), (B,) or (1, B)."""
    betas = np.atleast_2d(np.asarray(betas, float))[:, :10]
    betas = np.concatenate([betas, np.zeros((len(betas), 10 - betas.shape[1]))], 1)
    return np.repeat(betas, count, 0) if len(betas) == 1 else betas


def camera_of(focal_px: float, center_px, count: int) -> np.ndarray:
    """A camera (N, 3, 3) of one focal length and principal point."""
    K = np.array([[focal_px, 0, center_px[0]], [0, focal_px, center_px[1]], [0, 0, 1.0]])
    return np.repeat(K[None], count, 0)


def people_of(held: Any, needed: tuple[str, ...], what: str, path) -> dict[str, dict]:
    """The people of a dict by id, each a dict with what is needed. Raises InputError."""
    if isinstance(held, dict) and all(name in held for name in needed):
        return {"0": held}
    found = {str(key): value for key, value in held.items() if isinstance(value, dict)} if isinstance(held, dict) else {}
    if not found:
        raise InputError(f"Expected {what} in {path}, a dict of people, but it holds {type(held).__name__ if not isinstance(held, dict) else 'nobody'}.")
    for key, value in found.items():
        missing = [name for name in needed if value.get(name) is None]
        if missing:
            raise InputError(f"Expected {what} in {path} with {', '.join(needed)} of every person, but {', '.join(missing)} of '{key}' is missing.")
    return found


def numbers(value: Any, shape: tuple[int, ...], name: str, path) -> np.ndarray:
    """A float array whose first axis is free and whose others together hold shape[1:]. Raises InputError."""
    try:
        array = np.asarray(value, float)
        return array.reshape(-1, *shape[1:])
    except (TypeError, ValueError):
        got = getattr(value, "shape", type(value).__name__)
        raise InputError(f"Expected {name} in {path} to be numbers (N, {', '.join(map(str, shape[1:]))}), but got {got}.") from None
