"""The Motion of one person: what every stage after tracking takes and returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs import npz
from mrs.cameras import Camera
from mrs.errors import InputError

JOINTS = 24
BODY = "anny-smpl24"


@dataclass(frozen=True)
class Motion:
    """One person over T frames.

    times_s          (T,) seconds, growing
    root_pos_m       (T, 3) the pelvis joint, metres
    local_quat_wxyz  (T, 24, 4) SMPL joint rotations; joint 0 turns the body in `frame`, the rest their parent's frame
    betas            (10,) shape coefficients of `body`
    joints_m         (T, 24, 3) joint positions in `frame`
    contacts         (T, 4) contact probability of left heel, left toe, right heel, right toe
    confidence       (T, 24) how well each joint was seen, 0..1
    frame            "world" (Y up, ground at y = 0) or "camera" (x right, y down, z forward)
    camera           the camera that saw it, or None; one pose for all, or one for each of the T frames
    history          one entry a step: {"stage", "plugin", "version", "options", ...}
    code             (T, D) a regressor's latent code of each frame, where the lifter has one, else None
    """

    times_s: np.ndarray
    root_pos_m: np.ndarray
    local_quat_wxyz: np.ndarray
    betas: np.ndarray
    joints_m: np.ndarray
    contacts: np.ndarray
    confidence: np.ndarray
    body: str = BODY
    frame: str = "world"
    camera: Camera | None = None
    history: tuple[dict[str, Any], ...] = field(default_factory=tuple)
    code: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def fps(self) -> float:
        """Mean frame rate, never rounded; 0 for a single frame."""
        return mean_rate(self.times_s)

    @classmethod
    def standing(cls, times_s: np.ndarray) -> Motion:
        """A person of mean shape who stands in T-pose on the ground, facing +Z."""
        from mrs.body import load_body

        times_s = np.asarray(times_s, float)
        quats = np.zeros((len(times_s), JOINTS, 4))
        quats[..., 0] = 1
        return load_body(BODY).motion(times_s, np.zeros((len(times_s), 3)), quats, np.zeros(10), grounded=True)

    def part(self, first: int, past: int | None = None) -> Motion:
        """Return the frames from `first` to before `past`; a moving camera's frames are cut along."""
        rows = slice(first, past)
        camera = self.camera
        if camera is not None:
            cut = {name: getattr(camera, name)[rows] for name, still in (("K", 2), ("R", 2), ("t", 1))
                   if np.ndim(getattr(camera, name)) > still}
            camera = replace(camera, **cut) if cut else camera
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS if name != "betas"}
        return replace(self, **arrays, camera=camera)

    def with_history(self, **step: Any) -> Motion:
        """Return the motion with one more history entry."""
        return replace(self, history=(*self.history, step))

    def save(self, path: Path | str) -> None:
        """Write ``motion.npz``: the arrays under their names, plus fps and history."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays["fps"] = np.array(self.fps)
        if self.code is not None:
            arrays["code"] = self.code
        if self.camera is not None:
            arrays |= {"camera_K": self.camera.K, "camera_R": self.camera.R, "camera_t": self.camera.t,
                       "camera_size_px": np.array(self.camera.size_px)}
        npz.save(path, "motion", arrays, {"body": self.body, "frame": self.frame, "history": list(self.history)})

    def to_bvh(self, path: Path | str | None = None, **options: Any) -> str:
        """Return the motion as BVH text, and write it to `path` where there is one.

        `options` are those of the exporter: names, order, channels, unit, up, tpose_first (`mrs plugins show bvh`). Times that
        are not even are resampled, since BVH has one frame time.
        """
        from mrs.formats import bvh
        from mrs.formats.bvh_motion import to_bvh

        document, _ = to_bvh(self, **options)
        if path is not None:
            bvh.write(path, document)
        return bvh.dumps(document)

    @classmethod
    def load(cls, path: Path | str) -> Motion:
        """Read and validate ``motion.npz``."""
        arrays, meta = npz.load(path, "motion")
        try:
            values = {name: arrays[name] for name in _ARRAYS}
        except KeyError as error:
            raise InputError(f"Expected {path} to hold {error}, but it is missing.") from None
        camera = None
        if "camera_K" in arrays:
            camera = Camera(arrays["camera_K"], arrays["camera_R"], arrays["camera_t"],
                            (int(arrays["camera_size_px"][0]), int(arrays["camera_size_px"][1])))
        motion = cls(**values, body=meta["body"], frame=meta["frame"], camera=camera, history=tuple(meta["history"]),
                     code=arrays.get("code"))
        motion.validate(str(path))
        return motion

    def validate(self, where: str = "the motion") -> Motion:
        """Refuse wrong shapes, NaN and times that do not grow. Returns the motion."""
        frames = len(self.times_s)
        shapes = {"times_s": (frames,), "root_pos_m": (frames, 3), "local_quat_wxyz": (frames, JOINTS, 4),
                  "betas": (10,), "joints_m": (frames, JOINTS, 3), "contacts": (frames, 4),
                  "confidence": (frames, JOINTS)}
        if self.code is not None:
            shapes["code"] = (frames, self.code.shape[-1])
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape:
                raise InputError(f"Expected {name} in {where} to be {shape}, but got {value.shape}.")
            if not np.isfinite(value).all():
                raise InputError(f"Expected finite {name} in {where}, but got NaN or infinity.")
        if frames == 0 or (np.diff(self.times_s) <= 0).any():
            raise InputError(f"Expected at least one frame and growing times in {where}, but got {frames} frames.")
        if self.camera is not None:
            self.camera.validate(where, frames)
        return self


_ARRAYS = ("times_s", "root_pos_m", "local_quat_wxyz", "betas", "joints_m", "contacts", "confidence")


def mean_rate(times_s: np.ndarray) -> float:
    """Mean frame rate in Hz; 0 for fewer than two frames."""
    span = float(times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0
    return (len(times_s) - 1) / span if span > 0 else 0.0
