"""Refine the people of a finished run again, from its tracks.npz and lifted.npz; the video itself may be gone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs import config, options, progress, provenance, track_edit
from mrs.cameras import Camera
from mrs.config import Settings
from mrs.errors import InputError, UsageError
from mrs.motion import Motion
from mrs.pipeline import Pipeline, carried_out, usable_points
from mrs.plan import Plan
from mrs.plugins import Registry
from mrs.runfolder import HIDDEN, RunFolder
from mrs.tracks import Track, Tracks
from mrs.video import Frame, Video

EARLIER = ("detector", "tracker", "lifter")
FIXED = (*EARLIER, "body", "synth", "start", "end", "size", "fps", "fov", "camera", "camera_tilt")
"""Settings that decide what was lifted; they belong to `mrs run`."""
CAMERA_FACTS = ("K", "R", "t", "frames", "sha256", "fov_deg", "tilt_deg")
"""What a refined motion depends on; run.json tells more of a camera, such as how it was checked."""


@dataclass(frozen=True)
class RecordedVideo:
    """What a run knows of its video: all that a :class:`mrs.video.Video` has, its pictures only while the file is there."""

    path: Path
    sha256: str
    size_px: tuple[int, int]
    rotation_deg: int
    times_s: np.ndarray
    frame_ids: np.ndarray
    span_s: tuple[float | None, float | None]
    camera: Camera | None = None
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.times_s)

    def with_camera(self, camera: Camera) -> RecordedVideo:
        """Return the same video with a camera."""
        return replace(self, camera=camera)

    def frames(self, first_row: int = 0) -> Iterator[Frame]:
        """Yield the pictures; refuse where the file is gone or is another one."""
        if not self.path.is_file():
            raise InputError(f"Expected the video of the run at {self.path}, since this smoother looks at its pictures, but it "
                             "is gone. Put it back, or type another --smoother.")
        video = Video.open(self.path, *self.span_s)
        if video.sha256 != self.sha256:
            raise InputError(f"Expected the video of the run at {self.path}, but that file has changed. Type: mrs run {self.path}")
        return video.frames(first_row)


def is_run(path: Path) -> bool:
    """Tell whether a path is the folder of a run."""
    return (path / "run.json").is_file()


def resmooth(settings: Settings, registry: Registry, shown: progress.Silent | None = None,
             command: tuple[str, ...] = (), persons: str | None = None) -> dict[str, Any]:
    """Refine everybody of the run in ``settings.out``, or those of `persons`; return what run.json holds.

    The others keep the refined motion they have; all are put into one world again, measured and exported.
    """
    report = report_of(settings.out)
    tracks = Tracks.load(settings.out / "tracks.npz")
    plan = Plan.of_smoother(settings, registry, {s: report["stages"][s] for s in EARLIER if s in report.get("stages", {})})
    facts = report["video"]
    video = RecordedVideo(Path(facts["path"]), facts["sha256"], tuple(facts["size_px"]), facts["rotation_deg"], tracks.times_s,
                          tracks.frame_ids, (settings.values.start, settings.values.end))
    folder = RunFolder.open(settings.out, video.sha256)
    again = Again(settings, plan, video, folder, shown or progress.Silent())
    again.tracks_now, again.camera_facts, again.persons = tracks, report["camera"], persons
    return carried_out(again, command)


class Again(Pipeline):
    """The last stages of a run, from what the first ones left in its folder."""

    tracks_now: Tracks
    camera_facts: dict[str, Any]
    persons: str | None = None

    def go(self, command: tuple[str, ...]) -> dict[str, Any]:
        """Refine, put into one world, measure, export."""
        self._begin(command)
        self.folder.report["camera"] = self.camera_facts
        self._use("tracks.npz")
        present = [track for track in usable_points(self.tracks_now.people) if (self.folder.root / _lifted(track.person)).is_file()]
        if not present:
            raise InputError(f"Expected lifted.npz of somebody in {self.folder.root}, but there is none. "
                             f"Type: mrs lift {self.video.path} -o {self.folder.root}")
        chosen = present if self.persons is None else track_edit.choose(replace(self.tracks_now, people=tuple(present)), self.persons).people
        wanted = {track.person for track in chosen}
        lifted, refined = {track.person: self._lifted(track) for track in chosen}, {}
        for track in present:
            name = f"{HIDDEN}/refined/{track.person:02d}.npz"
            if track.person in wanted:
                if self.settings.overwrite:
                    self.folder.results.pop(name, None)
            elif self.folder.is_untouched(name):
                lifted[track.person] = self._lifted(track)
                refined[track.person] = Motion.load(self.folder.root / name)
                self.used.append(name)
        refined |= self.smooth_all(chosen, lifted)
        motions = self.settle({track.person: refined[track.person] for track in present if track.person in refined})
        self.measure([track for track in present if track.person in refined], lifted, motions)
        for number, motion in motions.items():
            self.export(number, motion)
        self.tell(present, lifted, motions)
        return self._end()

    def _lifted(self, track: Track) -> Motion:
        """Read what the lifter said; refuse it where the track was edited since."""
        name = _lifted(track.person)
        record = self.folder.results.get(name)
        if record and record["made_from"].get("track", "") != provenance.track_hash(track):
            raise UsageError(f"Expected {name} to be lifted from tracks.npz as it is, but that was edited since. "
                             f"Type: mrs run {self.video.path} -o {self.folder.root}")
        motion = Motion.load(self.folder.root / name)
        if len(motion) != len(track) or np.abs(motion.times_s - track.times_s).max() > 1e-6:
            raise InputError(f"Expected {name} to have the {len(track)} times of its track, but it has others. "
                             f"Type: mrs run {self.video.path} -o {self.folder.root}")
        if record and not self.folder.is_untouched(name):
            self.warnings.append(f"{name} was changed by hand; the changed file is used.")
        self._use(name)
        return motion

    def _use(self, name: str) -> None:
        if name in self.folder.results:
            self.used.append(name)
            self.reused.append(name)

    def _video_of(self, track: Track) -> RecordedVideo:
        """The video as the smoother gets it, with the camera that the lifter had for this track."""
        return self.video.with_camera(Motion.load(self.folder.root / _lifted(track.person)).camera)

    def _camera_facts(self) -> dict[str, Any]:
        return {name: value for name, value in self.camera_facts.items() if name in CAMERA_FACTS}


def settings_of(root: Path, flags: dict[str, Any], *, config_path: Path | None = None, sets: tuple[str, ...] = (),
                plugins: tuple[str, ...] = ()) -> Settings:
    """Merge the settings of a run with flags (None is not given), a config file and --set of the last stages."""
    report = report_of(root)
    known = {f.name for f in dataclasses.fields(options.options_class(config.Run))}
    earlier = {name: value for name, value in report["settings"].items() if name in known}
    in_file, stage_options, file_plugins = config.read(config_path) if config_path else ({}, {}, ())
    given = in_file | {name: value for name, value in flags.items() if value is not None}
    _refuse_fixed(given, earlier, root, report)
    config.place_options(stage_options, given, sets)
    for stage in stage_options:
        if stage not in ("smoother", "exporter"):
            raise UsageError(f"Expected options of the smoother or exporters, but got one of the {stage}, which has run. "
                             f"Type: mrs run {report['video']['path']} -o {root} --set {stage}...")
    given.pop("person", None)
    values = options.build(config.Run, earlier | given, "run")
    made = Settings(Path(report["video"]["path"]), Path(root), values, stage_options, (*file_plugins, *plugins))
    return replace(made, stage_options=_with_earlier_options(made, report))


def _refuse_fixed(given: dict[str, Any], earlier: dict[str, Any], root: Path, report: dict) -> None:
    for name in FIXED:
        if name in given and given[name] != earlier.get(name):
            raise UsageError(f"Expected options of the smoother, but --{name.replace('_', '-')} belongs to the stages before it. "
                             f"Type: mrs run {report['video']['path']} -o {root} --{name.replace('_', '-')} ...")


def _with_earlier_options(settings: Settings, report: dict) -> dict[str, dict[str, Any]]:
    """Take over the run's options of the same smoother and exporters; what is given now wins."""
    stages = report.get("stages", {})
    out = {stage: dict(values) for stage, values in settings.stage_options.items()}
    facts = stages.get("smoother", {})
    if facts.get("name") == settings.values.smoother:
        out["smoother"] = facts["options"] | out.get("smoother", {})
    for facts in stages.get("exporters", []):
        if facts["name"] in settings.exporters:
            out["exporter"] = facts["options"] | out.get("exporter", {})
    return out


def without_unknown(settings: Settings, registry: Registry) -> Settings:
    """Leave out the recorded options that plugins no longer have; one that is given and unknown is refused later."""
    known = {"smoother": {i.name for i in options.describe(registry.get("smoother", settings.values.smoother).cls)},
             "exporter": {i.name for name in settings.exporters for i in options.describe(registry.get("exporter", name).cls)}}
    recorded = report_of(settings.out).get("stages", {})
    old = {"smoother": set(recorded.get("smoother", {}).get("options", {})),
           "exporter": {key for facts in recorded.get("exporters", []) for key in facts["options"]}}
    return replace(settings, stage_options={
        stage: {key: value for key, value in values.items() if key in known[stage] or key not in old[stage]}
        for stage, values in settings.stage_options.items()})


def report_of(root: Path) -> dict[str, Any]:
    """Return run.json of a folder; refuse what is none."""
    path = Path(root) / "run.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        report["video"]["sha256"], report["settings"], report["camera"]
    except FileNotFoundError:
        raise InputError(f"Expected a run at {root}, but there is no run.json in it. Type: mrs run VIDEO -o FOLDER, or name that folder.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"Expected {path} to be written by mrs run, but it can't be used: {error}.") from None
    return report


def _lifted(person: int) -> str:
    return f"persons/{person:02d}/lifted.npz"
