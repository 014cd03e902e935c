"""How a person looks: what every renderer of a person gets beside the motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrs import npz
from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.motion import BODY

if TYPE_CHECKING:
    from mrs.render.clip import Clip

PLAIN_RGB = (150, 158, 172)


@dataclass(frozen=True)
class Appearance:
    """The looks of one person and of the place they were filmed in.

    colours_rgb      (V, 3) uint8, a colour a vertex of the embedded body, as in even light
    seen             (V,) how many pictures showed the vertex; 0 where it was filled in
    betas            (10,) the person's own shape
    background_rgb   (h, w, 3) uint8 without people, or None where there is none
    camera           the camera that saw the background, K for its size; None without one
    place            x, ground and z in metres and heading in radians of where the person starts in the clip's world
    light            (3,) in the clip's world: a vertex with normal n was filmed 1 + light n times as bright
    notes            what was filled in or could not be done, a line each
    clip             pictures and motion that it was gathered from, or None where they are gone; not saved
    behind           what is behind the person by the number of the frame, instead of the background, or None; not saved
    """

    colours_rgb: np.ndarray
    seen: np.ndarray
    betas: np.ndarray
    background_rgb: np.ndarray | None = None
    camera: Camera | None = None
    body: str = BODY
    place: np.ndarray = field(default_factory=lambda: np.zeros(4))
    light: np.ndarray = field(default_factory=lambda: np.zeros(3))
    notes: tuple[str, ...] = ()
    made_from: dict[str, Any] = field(default_factory=dict)
    clip: Clip | None = None
    behind: Callable[[int], np.ndarray] | None = None

    @classmethod
    def plain(cls, colour_rgb: tuple[int, int, int] = PLAIN_RGB, betas: np.ndarray | None = None) -> Appearance:
        """A body of one colour in no place."""
        from mrs.body import load_body

        count = len(load_body().template_m)
        return cls(np.tile(np.array(colour_rgb, np.uint8), (count, 1)), np.zeros(count), np.zeros(10) if betas is None else betas)

    def save(self, path: Path | str) -> None:
        """Write ``appearance.npz``."""
        arrays = {"colours_rgb": self.colours_rgb, "seen": self.seen, "betas": self.betas, "place": self.place, "light": self.light}
        if self.background_rgb is not None:
            arrays |= {"background_rgb": self.background_rgb}
        if self.camera is not None:
            arrays |= {"camera_K": self.camera.K, "camera_R": self.camera.R, "camera_t": self.camera.t,
                       "camera_size_px": np.array(self.camera.size_px)}
        npz.save(path, "appearance", arrays, {"body": self.body, "notes": list(self.notes), "made_from": self.made_from})

    @classmethod
    def load(cls, path: Path | str, clip: Clip | None = None) -> Appearance:
        """Read and check ``appearance.npz``."""
        arrays, meta = npz.load(path, "appearance")
        camera = None
        try:
            if "camera_K" in arrays:
                camera = Camera(arrays["camera_K"], arrays["camera_R"], arrays["camera_t"],
                                tuple(int(v) for v in arrays["camera_size_px"])).validate(str(path))
            read = cls(arrays["colours_rgb"], arrays["seen"], arrays["betas"], arrays.get("background_rgb"), camera, meta["body"],
                       arrays["place"], arrays["light"], tuple(meta["notes"]), meta["made_from"], clip)
        except KeyError as error:
            raise InputError(f"Expected {path} to hold {error}, but it is missing.") from None
        return read.validate(str(path))

    def validate(self, where: str = "the appearance") -> Appearance:
        """Refuse arrays that do not fit the body. Returns the appearance."""
        from mrs.body import load_body

        count = len(load_body(self.body).template_m)
        for name, shape in (("colours_rgb", (count, 3)), ("seen", (count,)), ("betas", (10,)), ("place", (4,)), ("light", (3,))):
            if getattr(self, name).shape != shape:
                raise InputError(f"Expected {name} in {where} to be {shape}, but got {getattr(self, name).shape}.")
        ground = self.background_rgb
        if ground is not None and (ground.ndim != 3 or ground.shape[2] != 3 or ground.dtype != np.uint8):
            raise InputError(f"Expected background_rgb in {where} to be uint8 (h, w, 3), but got {ground.dtype} {ground.shape}.")
        return self

    def without_background(self) -> Appearance:
        """Return the same person before a plain background."""
        return replace(self, background_rgb=None)
