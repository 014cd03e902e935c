"""mrs from Python: a whole run, or its stages one by one.

    >>> run = mrs.run("clip.mp4", detector="blazepose", person="largest")
    >>> motion = run.motion()
    >>> motion.to_bvh("clip.bvh")

The functions here are in the package itself: ``mrs.run``, ``mrs.load``, ``mrs.detect`` and so on. Plugins are named as on the
command line, and options of a plugin are keywords.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrs import plugins as manager
from mrs.errors import InputError, PluginError
from mrs.motion import Motion
from mrs.tracks import Detections, Track, Tracks
from mrs.video import Video

PathLike = str | Path


@dataclass(frozen=True)
class Run:
    """A run folder: what run.json says (`report`), and its files read when they are asked for."""

    folder: Path
    report: dict[str, Any]

    @classmethod
    def open(cls, folder: PathLike) -> Run:
        """Open the folder of an earlier run."""
        path = Path(folder) / "run.json"
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            report["persons"], report["outputs"]
        except FileNotFoundError:
            raise InputError(f"Expected a run at {folder}, but there is no run.json in it. Type: mrs run VIDEO -o FOLDER, or name that folder.") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"Expected {path} to be written by mrs run, but it can't be used: {error}.") from None
        return cls(Path(folder), report)

    @property
    def persons(self) -> tuple[int, ...]:
        """The ids of the people who were followed."""
        return tuple(int(number) for number in self.report["persons"])

    @property
    def files(self) -> list[Path]:
        """Everything that was written."""
        return [self.folder / name for name in self.report["outputs"]]

    @property
    def warnings(self) -> list[str]:
        """What is doubtful, in words."""
        return list(self.report.get("warnings", []))

    @property
    def quality(self) -> dict[int, dict[str, dict[str, float | None]]]:
        """Quality numbers of each person, ``lifted`` and ``refined``."""
        return {int(number): facts["quality"] for number, facts in self.report["persons"].items()}

    @property
    def overlay(self) -> Path | None:
        """The video with the bodies drawn over it; None where it was not asked for."""
        path = self.folder / "overlay.mp4"
        return path if "overlay.mp4" in self.report["outputs"] else None

    @property
    def page(self) -> Path | None:
        """The report to look at; None where it was not asked for."""
        path = self.folder / "report.html"
        return path if "report.html" in self.report["outputs"] else None

    @property
    def tracks(self) -> Tracks:
        """Who is where in every frame."""
        return Tracks.load(self.folder / "tracks.npz")

    @property
    def motions(self) -> dict[int, Motion]:
        """The refined motion of everybody, in one world."""
        return {number: self.motion(number) for number in self.persons}

    def motion(self, person: int | None = None) -> Motion:
        """The refined motion of one person; without an id, of the only one."""
        return Motion.load(self._of(person) / "motion.npz")

    def lifted(self, person: int | None = None) -> Motion:
        """What the lifter said of one person, in the camera's frame."""
        return Motion.load(self._of(person) / "lifted.npz")

    def _of(self, person: int | None) -> Path:
        known = ", ".join(map(str, self.persons)) or "nobody"
        if person is None and len(self.persons) != 1:
            raise InputError(f"Expected one person in {self.folder}, but there are {known}. Give the id: run.motion({self._example})")
        if person is not None and person not in self.persons:
            raise InputError(f"Expected a person out of {known} in {self.folder}, but got {person}.")
        return self.folder / "persons" / f"{self.persons[0] if person is None else person:02d}"

    @property
    def _example(self) -> int:
        return self.persons[0] if self.persons else 1


def run(video: PathLike | None, out: PathLike | None = None, *, detector: str | None = None, tracker: str | None = None,
        lifter: str | None = None, smoother: str | None = None, synth: str | None = None, person: str | int | None = None,
        start: float | None = None, end: float | None = None, fov: float | None = None, camera: str | None = None,
        overlay: bool | None = None, report: bool | None = None, seed: int | None = None, device: str | None = None,
        options: dict[str, Any] | None = None, plugins: Sequence[PathLike] = (), config: PathLike | None = None,
        overwrite: bool = False, until: str = "export", progress: bool = False, **more: Any) -> Run:
    """Run a video as `mrs run` does, and return what came of it.

    The keywords are the flags of `mrs run` (``more`` takes the rarer ones: camera_tilt, export, foot_lock ...); what is None has
    the value of the config file, else the default. `options` are those of plugins: ``{"smoother.iterations": 50}``.
    Where `out` has a run of the same video already, only what is missing or no longer true is made.
    `until` is "detect", "lift", "smooth" or "export". Raises :class:`mrs.MrsError`, whose class tells what is wrong.
    """
    from mrs import config as settings_of
    from mrs import pipeline
    from mrs.progress import Silent, choose

    flags = {"detector": detector, "tracker": tracker, "lifter": lifter, "smoother": smoother, "synth": synth,
             "person": None if person is None else str(person), "start": start, "end": end, "fov": fov, "camera": camera,
             "overlay": overlay, "report": report, "seed": seed, "device": device, **more}
    sets = tuple(f"{name}={value}" for name, value in (options or {}).items())
    settings = settings_of.settings(None if video is None else Path(video), flags, out=None if out is None else Path(out),
                                    config=None if config is None else Path(config), sets=sets,
                                    plugins=tuple(map(str, plugins)), overwrite=overwrite, until=until)
    with choose(quiet=False) if progress else Silent() as shown:
        told = pipeline.run(settings, _registry(settings.plugins), shown, ("mrs.run",))
    return Run(settings.out, told)


def load(path: PathLike, person: int | None = None) -> Motion:
    """Read a motion from whatever holds one: npz of mrs or AMASS, BVH, DeepMimic, or a run folder and the person in it."""
    from mrs.reading import read_motion

    if person is not None:
        return Run.open(path).motion(person)
    return read_motion(path, _registry())


def stage(kind: str, name: str, *, plugins: Sequence[PathLike] = (), seed: int = 0, device: str = "auto", **options: Any) -> Any:
    """Make the plugin `name` of a stage ("detector", "tracker", "lifter", "smoother", "exporter" ...) with its options."""
    from mrs.plan import Step, resolve_device, seed_everything

    registry = _registry(tuple(map(str, plugins)))
    name, source = registry.resolve(kind, name, options.get("source"))
    made = registry.make(kind, name, {**options, **source}, seed=seed, device=resolve_device(device))
    made.progress = lambda done, total=None, found=None: None
    seed_everything(Step(kind, made, {}), seed)
    return made


def open_video(path: PathLike, start: float | None = None, end: float | None = None, *, fov: float | None = None,
               camera_tilt: float | None = None) -> Video:
    """Open a video with a still, level camera: `fov` degrees wide (a guess without), looking down by `camera_tilt` degrees (level without)."""
    from mrs.world import level_camera

    video = Video.open(path, start, end)
    return video.with_camera(level_camera(video.size_px, fov, camera_tilt or 0.0))


def detect(video: Video, detector: str = "blazepose", **options: Any) -> Detections | Tracks:
    """Find the people in every frame. A detector that reads a file with tracks returns them."""
    from mrs import detecting, evidence

    plugin = stage("detector", detector, **options)
    with tempfile.TemporaryDirectory(prefix="mrs-detect-") as folder:
        found, _ = detecting.detect(video, plugin, detecting.Parts(Path(folder), "api"), plugin.progress)
    return evidence.cleaned_tracks(found)[0] if isinstance(found, Tracks) else evidence.cleaned_detections(found)[0]


def track(video: Video, detections: Detections | Tracks, tracker: str = "auto", **options: Any) -> Tracks:
    """Join what was seen into people over time; tracks stay as they are."""
    from mrs import evidence

    if isinstance(detections, Tracks):
        return detections
    plugin = _suited("tracker", tracker, detections, options)
    return evidence.cleaned_tracks(_checked(plugin.link(video, detections), Tracks, plugin))[0]


def lift(video: Video, track: Track, lifter: str = "auto", **options: Any) -> Motion:
    """Make one person a body in 3D, in the camera's frame."""
    from mrs.pipeline import usable_points

    limited = usable_points([track])[0]
    plugin = _suited("lifter", lifter, limited, options)
    return _checked(plugin.lift(_filmed(video, limited), limited), Motion, plugin)


def smooth(motion: Motion, video: Video | None = None, track: Track | None = None, smoother: str = "sfv", **options: Any) -> Motion:
    """Refine a motion; with `video` and `track` it is held to what was seen. Returns it in the camera's world."""
    from mrs.pipeline import usable_points
    from mrs.world import to_world

    plugin = stage("smoother", smoother, **options)
    limited = None if track is None else usable_points([track])[0]
    filmed = None if video is None or limited is None else _filmed(video, limited)
    return _checked(plugin.smooth(filmed, limited, to_world(motion)), Motion, plugin)


def settle(motions: Sequence[Motion]) -> list[Motion]:
    """Put people into one world: Y up, the ground at 0, the first person starting at x = z = 0 and facing +Z."""
    from mrs.world import settle as settled

    return settled(list(motions))


def transfer(source: Motion, target: Motion | None = None, synthesizer: str = "bds", **options: Any) -> Motion:
    """Let the target's body re-enact the source's behaviour from its first posture; without one, from a stand."""
    plugin = stage("synthesizer", synthesizer, **options)
    return _checked(plugin.transfer(source, target or Motion.standing(source.times_s)), Motion, plugin)


def export(motion: Motion, path: PathLike, exporter: str | None = None, **options: Any) -> tuple[str, ...]:
    """Write a motion for another program; without a name, as the file's ending says. Returns notes on what had to change."""
    from mrs.npz import atomic_path

    path = Path(path)
    if exporter is None and path.suffix == ".npz":
        motion.save(path)
        return ()
    plugin = stage("exporter", exporter or path.suffix.lstrip("."), **options)
    with atomic_path(path) as temporary:
        notes = plugin.write(motion, temporary)
    return tuple(notes) if isinstance(notes, list | tuple) else ()


def quality(track: Track, motion: Motion) -> dict[str, float]:
    """Measure a world motion against what was seen: 2D error, jitter, foot skate and more, with units in the names."""
    from mrs import metrics
    from mrs.pipeline import usable_points

    return metrics.quality(usable_points([track])[0], motion)


@functools.lru_cache(maxsize=8)
def _registry(plugins: tuple[str, ...] = ()) -> manager.Registry:
    return manager.load(plugins)


def _suited(kind: str, name: str, evidence: Any, options: dict[str, Any]) -> Any:
    """Make the plugin that is named or, of auto, the first candidate that suits what came before."""
    from mrs.plan import AUTO, CANDIDATES

    if name != AUTO:
        return stage(kind, name, **options)
    known = _registry(tuple(map(str, options.get("plugins", ()))))
    names = [n for n in CANDIDATES[kind] if (kind, n) in known.entries]
    bare = {k: v for k, v in options.items() if k in ("plugins", "seed", "device")}
    suits = (n for n in names if n == names[-1] or stage(kind, n, **bare).suits(evidence))
    return stage(kind, next(suits), **options)


def _filmed(video: Video, track: Track) -> Video:
    """The video with a camera pose for each of the track's frames, where its camera moves."""
    from mrs.world import level_camera

    camera = video.camera or level_camera(video.size_px)
    return video.with_camera(camera.resampled(video.times_s, track.times_s))


def _checked(value: Any, kind: type, plugin: Any) -> Any:
    if not isinstance(value, kind):
        raise PluginError(f"Expected '{plugin.name}' to return {kind.__name__}, but it returned {type(value).__name__}.")
    return value
