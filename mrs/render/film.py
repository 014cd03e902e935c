"""From what a user names to a film: whose looks, which motion, seen from where, drawn by which renderer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs import provenance, stages
from mrs.cameras import Camera
from mrs.errors import InputError, MrsError, PluginError, UsageError
from mrs.motion import Motion
from mrs.plugins import Registry
from mrs.render import gather, views
from mrs.render.appearance import Appearance
from mrs.render.clip import Clip
from mrs.runfolder import key_of

SIZE_PX = (1280, 720)
FASTEST_HZ, STILL_HZ = 60.0, 25.0
NAME = "appearance.npz"


def appearance_of(clip: Clip, shown=lambda done, total: None) -> Appearance:
    """Return how a run's person looks: from appearance.npz beside their motion where it was made of the same, else gathered."""
    inputs = made_from(clip)
    path = clip.folder / NAME
    if path.is_file():
        try:
            kept = Appearance.load(path, clip)
            if kept.made_from.get("key") == key_of(inputs):
                return kept
        except MrsError:
            path.unlink()
    if clip.video is None:
        raise InputError(f"{clip.why} Its pictures are needed once, to gather how person {clip.person} looks.")
    made = replace(gather.gather(clip, shown=shown), made_from={"key": key_of(inputs), **inputs})
    try:
        made.save(path)
    except OSError:
        return replace(made, notes=(*made.notes, f"{path} can't be written, so the appearance is not kept."))
    return made


def made_from(clip: Clip) -> dict[str, Any]:
    """What a person's appearance depends on."""
    return {"video": clip.facts["video"].get("sha256"), "motion": provenance.motion_hash(clip.motion), "gather": gather.VERSION,
            "others": [provenance.motion_hash(m) for m in clip.others], "track": provenance.track_hash(clip.track),
            "start_s": clip.facts.get("settings", {}).get("start"), "end_s": clip.facts.get("settings", {}).get("end")}


def in_world(motion: Motion) -> Motion:
    """The motion in the world, on its ground."""
    from mrs import world

    return motion if motion.frame == "world" else world.settle([world.to_world(motion)])[0]


def at_rate(motion: Motion, rate_hz: float | None) -> Motion:
    """The motion at an even rate; without one at its own times, but not above FASTEST_HZ."""
    from mrs.synth.features import resampled

    if rate_hz is None:
        whole = max(int(np.ceil(motion.fps / FASTEST_HZ - 1e-3)), 1)
        if whole == 1:
            return motion
        rate_hz = motion.fps / whole
    if len(motion) < 2:
        return motion
    made = resampled(motion, rate_hz)
    camera = motion.camera.resampled(motion.times_s, made.times_s) if motion.camera is not None else None
    return replace(made, camera=camera)


def fitting(size_px: tuple[int, int]) -> tuple[int, int]:
    """The size of a clip's picture in even numbers, its shorter side at most as long as 720p's."""
    scale = min(1.0, SIZE_PX[1] / min(size_px))
    return max(2 * round(size_px[0] * scale / 2), 2), max(2 * round(size_px[1] * scale / 2), 2)


class Film:
    """One person in one motion, ready to be drawn."""

    def __init__(self, motion: Motion, appearance: Appearance, view: str, size_px: tuple[int, int], rate_hz: float | None = None,
                 own_shape: bool = True):
        motion = at_rate(in_world(motion), rate_hz)
        if own_shape and motion.body == appearance.body and appearance.camera is not None:
            motion = views.worn(motion, appearance.betas)
        if view == "clip":
            if views.by_another_camera(motion, appearance):
                motion = replace(motion, camera=None)
            motion = views.placed(motion, appearance)
        self.motion, self.appearance, self.size_px = motion, appearance, size_px
        self.camera: Camera = views.camera_of(view, motion, appearance, size_px)
        self.notes: list[str] = list(appearance.notes)

    @property
    def times_s(self) -> np.ndarray:
        """Times (T,) of the pictures in seconds."""
        return self.motion.times_s

    def pictures(self, renderer) -> Iterator[np.ndarray]:
        """Yield every picture; what the renderer could not do is among the notes afterwards."""
        yield from checked(renderer, self.motion, self.appearance, self.camera, self.size_px)
        self.notes += [note for note in getattr(renderer, "notes", ()) if note not in self.notes]


def checked(renderer, motion: Motion, appearance: Appearance, camera: Camera, size_px: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield what a renderer draws; refuse pictures of another shape and another number than frames."""
    count = 0
    for picture in renderer.render(motion, appearance, camera, size_px):
        if picture.shape != (size_px[1], size_px[0], 3) or picture.dtype != np.uint8:
            raise PluginError(f"Expected renderer '{renderer.name}' to yield uint8 ({size_px[1]}, {size_px[0]}, 3), but it "
                              f"yielded {picture.dtype} {picture.shape}.")
        count += 1
        yield picture
    if count != len(motion):
        raise PluginError(f"Expected renderer '{renderer.name}' to yield a picture for each of {len(motion)} frames, but it yielded {count}.")


def renderer_of(registry: Registry, name: str, values: dict[str, Any], *, seed: int = 0, device: str = "cpu"):
    """Make a renderer of a person."""
    refuse_other_renderers(registry, name)
    return registry.make("renderer", name, values, seed=seed, device=device)


def refuse_other_renderers(registry: Registry, name: str) -> None:
    """Refuse a renderer that draws over a video, and an unknown one."""
    if not stages.draws_person(registry.get("renderer", name).cls):
        raise UsageError(f"Expected a renderer of a person ({', '.join(person_renderers(registry))}), but '{name}' draws all people over a "
                         "video, as mrs run does.")


def person_renderers(registry: Registry) -> list[str]:
    """Names of the renderers that draw a person by themselves."""
    return [name for name in registry.names("renderer") if stages.draws_person(registry.get("renderer", name).cls)]


def run_of(path: Path, registry: Registry, shown) -> Path:
    """Return the run folder that a RUN, VIDEO or IMAGE means; a video without a finished run in NAME_mrs is run first."""
    if path.is_dir():
        return path
    if not path.is_file():
        raise InputError(f"Expected a run folder, a video or a picture at {path}, but there is no such file.")
    from mrs import config, pipeline
    from mrs.runfolder import sha256_of

    settings = config.settings(path, {"overlay": False, "person": "all"}, until="smooth")
    facts = _facts_of(settings.out)
    if facts and facts["video"].get("sha256") == sha256_of(path) and any(settings.out.glob("persons/*/motion.npz")):
        return settings.out
    pipeline.run(settings, registry, shown)
    return settings.out


def _facts_of(folder: Path) -> dict[str, Any] | None:
    from mrs.render.clip import read_facts

    try:
        return read_facts(folder)
    except MrsError:
        return None
