"""Run the stages over a video into a run folder, reusing whatever is already there and still true."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrs import detecting, evidence, filming, progress, provenance, world
from mrs.bookkeeping import Bookkeeping
from mrs.config import Settings
from mrs.edited import lasting, usable_tracks
from mrs.errors import InputError, MissingError, MrsError, NoPersonError, PluginError, UsageError, tell
from mrs.motion import Motion
from mrs.npz import atomic_path
from mrs.plan import Plan, Step, seconds_of
from mrs.plugins import Registry
from mrs.runfolder import HIDDEN, RunFolder, key_of
from mrs.tracks import Track, Tracks
from mrs.video import Video, write_video

UNTIL = ("detect", "lift", "smooth", "export")
_REFUSALS = (UsageError, InputError, MissingError)


def run(settings: Settings, registry: Registry, shown: progress.Silent | None = None,
        command: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run the stages up to ``settings.until``; return what run.json holds.

    Raises MrsError, whose class has the exit code. Finished results stay whatever happens; a KeyboardInterrupt lists them
    in its ``kept``, and another exception says in its ``where`` what was being done. Where something was refused before
    anything was made, the folder is left as it was.
    """
    plan = Plan.make(settings, registry)
    video = _opened(settings, plan)
    video = filming.level_first(video, settings.values)
    folder = RunFolder.open(settings.out, video.sha256, settings.overwrite)
    return carried_out(Pipeline(settings, plan, video, folder, shown or progress.Silent()), command)


def carried_out(pipeline: Pipeline, command: tuple[str, ...]) -> dict[str, Any]:
    """Let a pipeline go; note in run.json how it ended, and give its folder back."""
    try:
        return pipeline.go(command)
    except KeyboardInterrupt as error:
        tell(error, kept=pipeline.stop("interrupted", None))
        raise
    except Exception as error:
        tell(error, where=pipeline.at)
        if not (isinstance(error, _REFUSALS) and pipeline.folder.undo()):
            pipeline.stop("failed", error)
        raise
    finally:
        pipeline.folder.close()


def _opened(settings: Settings, plan: Plan):
    """Open the video or, without one, make the frames that the detector's file tells of."""
    values = settings.values
    if settings.video is not None:
        return Video.open(settings.video, values.start, values.end)
    from mrs.video_free import NoVideo

    step = plan.steps["detector"]
    if "source_sha256" not in step.facts or not hasattr(step.plugin, "length"):
        raise UsageError(f"Expected a VIDEO, since {step.label} looks at pictures. Type: mrs run VIDEO, or "
                         "mrs run --detector openpose:DIR --size 1920x1080 --fps 29.97")
    return NoVideo.of(Path(step.plugin.options.source), step.facts["source_sha256"], step.plugin.length(), values.size,
                      values.fps, values.start, values.end)


class Pipeline(Bookkeeping):
    """One run in one folder: each method makes one kind of result, or reads it back where it is current."""

    def go(self, command: tuple[str, ...]) -> dict[str, Any]:
        """Run every stage that is asked for."""
        self._begin(command)
        until = UNTIL.index(self.settings.until)
        tracks = self.tracks()
        if until >= 1:
            chosen = self._chosen(tracks)
            self.film(tracks)
            lifted = {track.person: self.lift(track) for track in chosen}
        if until >= 2:
            motions = self.settle(self.smooth_all(chosen, lifted))
            self.measure(chosen, lifted, motions)
        if until >= 3:
            synthesized = {number: self.export(number, motion) for number, motion in motions.items()}
            if self.settings.values.overlay and not getattr(self.video, "pictures", True):
                self.warnings.append("There is no overlay, since there is no video to draw on.")
            elif self.settings.values.overlay:
                self.overlay(motions, tracks)
            if "person_renderer" in self.plan.steps:
                from mrs.render import beside

                beside.synth_film(self, motions, synthesized, tracks)
            self.tell(chosen, lifted, motions)
        return self._end()

    def tracks(self) -> Tracks:
        """Return the people of the video: from tracks.npz where it is current or edited, else detected and tracked."""
        detect_inputs = self._inputs("detector", video=self.video.sha256, start_s=self.settings.values.start,
                                     end_s=self.settings.values.end)
        inputs = self._inputs("tracker", detections=detect_inputs)
        path = self.folder.root / "tracks.npz"
        verdict = usable_tracks(self.folder, inputs)
        self.used.append("tracks.npz")
        if verdict.tracks is None:
            return self._detect_and_track(path, detect_inputs, inputs)
        if verdict.edited:
            self.warnings.append("tracks.npz was edited since it was made; the edited file is used.")
        self.warnings += self.folder.results["tracks.npz"].get("warnings", [])
        self.reused.append("tracks.npz")
        self._note_tracker(verdict.tracks)
        return verdict.tracks

    def _note_tracker(self, tracks: Tracks) -> None:
        """Put the tracker that `auto` took into run.json."""
        told = next((step for step in reversed(tracks.history) if step.get("stage") == "tracker"), None)
        if told and self.plan.steps["tracker"].candidates:
            self.folder.report["stages"]["tracker"] = {k: told.get(k) for k in ("name", "version", "options")}

    def _detect_and_track(self, path: Path, detect_inputs: dict, inputs: dict) -> Tracks:
        detector = self.plan.steps["detector"]
        key = key_of(detect_inputs)
        with self._working(detector, len(self.video.times_s)) as update:
            detector.plugin.progress = update
            parts = detecting.Parts(self.folder.hidden / "detect", key)
            found, detect_s = detecting.detect(self.video, detector.plugin, parts, update)
        found, bad = evidence.cleaned_tracks(found) if isinstance(found, Tracks) else evidence.cleaned_detections(found)
        tracker = self.plan.steps["tracker"]
        tracker = tracker if isinstance(found, Tracks) else tracker.suited(found)
        history: tuple[dict[str, Any], ...] = ({"stage": "detector", **detector.facts, "video": self.video.sha256, "key": key},)
        facts = {"detect_seconds": round(detect_s, 3), "frames": len(found.frame_ids)}
        if isinstance(found, Tracks):
            tracks, spent = found, detect_s
        else:
            with self._working(tracker, len(found.people)) as update:
                tracker.plugin.progress = update
                start = time.monotonic()
                tracks = tracker.plugin.link(self.video, found)
                track_s = time.monotonic() - start
                update(len(found.people))
            _refuse(tracks, Tracks, tracker)
            spent, facts["track_seconds"] = detect_s + track_s, round(track_s, 3)
        told = tracks.history[-1] if tracks.history and tracks.history[-1].get("stage") == "tracker" else {}
        history += ({**told, "stage": "tracker", **tracker.facts, "made_from": lasting(inputs)},)
        tracks, worse = evidence.cleaned_tracks(replace(tracks, history=history))
        self.warnings += (bad := list(dict.fromkeys([*bad, *worse])))
        with self.folder.writing("tracks.npz"):
            tracks.save(path)
        self.folder.record("tracks.npz", inputs, spent, warnings=[*self.video.warnings, *bad], **facts)
        self._note_tracker(tracks)
        return tracks

    def _chosen(self, tracks: Tracks) -> list[Track]:
        from mrs import track_edit

        if not len(tracks):
            raise NoPersonError(self._nobody(tracks))
        return usable_points(track_edit.choose(tracks, self.settings.values.person).people)

    def _nobody(self, tracks: Tracks) -> str:
        """Say what was seen instead of people, and what to try."""
        told = tracks.history[-1] if tracks.history else {}
        if told.get("left_out"):
            return _too_little(self.video.path, told)
        threshold = getattr(self.plan.steps["detector"].plugin.options, "score_threshold", None)
        lower = f"--set detector.score_threshold={threshold / 2:g}, " if threshold else ""
        return (f"Expected people in {self.video.path}, but nobody was found in {len(tracks.frame_ids)} frames. "
                f"Try {lower}another --detector, or a clip in which people are larger.")

    def film(self, tracks: Tracks) -> None:
        """Find the camera of every frame: still and checked, followed by the background, or read from a file."""
        self.video, told = filming.filmed(self, tracks)
        self.folder.report["camera"] = self._camera_facts() | told
        self.folder.save()

    def lift(self, track: Track) -> Motion:
        """Return one person's motion as the lifter says it, in the camera's frame."""
        step = self.plan.steps["lifter"].suited(track)
        if step is not self.plan.steps["lifter"]:
            self.folder.report["stages"]["lifter"] = step.facts
            if track.keypoints3d_m is None:
                self.warnings.append(f"There are no 3D landmarks, so {step.label} makes bodies from 2D alone "
                                     "(--lifter NAME to choose another).")
        name = f"persons/{track.person:02d}/lifted.npz"
        inputs = self._inputs(step, video=self.video.sha256, track=provenance.track_hash(track),
                              camera=self._camera_facts())
        return self._motion(name, inputs, step, track, lambda plugin: plugin.lift(self._video_of(track), track))

    def smooth_all(self, tracks: list[Track], lifted: dict[int, Motion]) -> dict[int, Motion]:
        """Return everybody's refined motion; a smoother that offers it gets all at once who are not refined yet."""
        plugin = self.plan.steps["smoother"].plugin
        waiting = [t for t in tracks if not self._is_refined(t, lifted[t.person])]
        out = {t.person: self.smooth(t, lifted[t.person]) for t in tracks if t not in waiting}
        self._ready_smoother(plugin, out, tracks)
        if waiting and hasattr(plugin, "smooth_together"):
            out |= self._smooth_together(waiting, lifted)
        else:
            out |= {t.person: self.smooth(t, lifted[t.person]) for t in waiting}
        self._tell_level(out)
        return {t.person: out[t.person] for t in tracks}

    def _smooth_together(self, tracks: list[Track], lifted: dict[int, Motion]) -> dict[int, Motion]:
        """Refine several people; each is saved as soon as it is done."""
        step, out, since = self.plan.steps["smoother"], {}, time.monotonic()

        def finished(number: int, motion: Motion) -> None:
            nonlocal since
            track, now = tracks[number], time.monotonic()
            out[track.person] = self.smooth(track, lifted[track.person], motion, now - since)
            since = now

        people = [(self._video_of(t), t, world.to_world(lifted[t.person])) for t in tracks]
        who = " and ".join(f"{t.person:02d}" for t in tracks) if len(tracks) < 4 else f"{len(tracks)} people"
        with self._working(step, sum(map(len, tracks)), f"person {who}" if len(tracks) < 4 else who) as update:
            step.plugin.progress = update
            step.plugin.smooth_together(people, finished)
        return out

    def _ready_smoother(self, plugin, refined: dict[int, Motion], tracks: list[Track]) -> None:
        """Give the smoother the lifter's decoder (of auto, the one that these tracks got), and what is known of which way is up."""
        lifters = [self.plan.steps["lifter"].suited(track).plugin for track in tracks]
        plugin.decoder = next((lifter.decoder for lifter in lifters if hasattr(lifter, "decoder")), None)
        plugin.find_level = self.settings.values.camera_tilt is None and self.folder.report["camera"].get("mode") != "file"
        plugin.known_level = _level_of(refined)

    def _tell_level(self, refined: dict[int, Motion]) -> None:
        """Put into run.json how far the camera was found to look down."""
        found = _level_of(refined)
        if found is not None:
            self.folder.report["camera"]["level"] = found

    def _is_refined(self, track: Track, lifted: Motion) -> bool:
        name, inputs = self._refined(track, lifted)
        return self.folder.is_current(name, key_of(inputs))

    def _refined(self, track: Track, lifted: Motion) -> tuple[str, dict]:
        """Name of one person's refined motion in the folder, and what it is made from."""
        return f"{HIDDEN}/refined/{track.person:02d}.npz", self._inputs(
            "smoother", video=self.video.sha256, track=provenance.track_hash(track), lifted=provenance.motion_hash(lifted),
            camera=self._camera_facts())

    def smooth(self, track: Track, lifted: Motion, made: Motion | None = None, made_s: float = 0.0) -> Motion:
        """Return one person's refined motion in the camera's world, before people are put into one world.

        `made` is the motion where a batch has made it already, in `made_s` seconds.
        """
        step = self.plan.steps["smoother"]
        name, inputs = self._refined(track, lifted)
        motion = self._motion(name, inputs, step, track,
                              lambda plugin: plugin.smooth(self._video_of(track), track, world.to_world(lifted)), made, made_s)
        told = [*evidence.doubts(track, motion), *evidence.told_by(motion)]
        self.warnings += [f"Person {track.person}: {line}" for line in dict.fromkeys(told)]
        return motion

    def _video_of(self, track: Track) -> Video:
        """The video as lifters and smoothers get it: a camera that moves has a pose for each of the track's frames."""
        camera = self.video.camera or world.level_camera(self.video.size_px)
        return self.video.with_camera(camera.resampled(self.video.times_s, track.times_s))

    def _motion(self, name: str, inputs: dict, step: Step, track: Track, make, made: Motion | None = None, made_s: float = 0.0) -> Motion:
        """Make (or take as `made` in `made_s` seconds), check, save and record one motion, or read it back."""
        self.used.append(name)
        if self.reuse(name, inputs):
            self.warnings += self.folder.results[name].get("warnings", [])
            return Motion.load(self.folder.root / name)
        told_before = len(self.video.warnings)
        motion, spent = made, made_s
        if made is None:
            with self._working(step, len(track), f"person {track.person:02d}") as update:
                step.plugin.progress = update
                start = time.monotonic()
                motion = make(step.plugin)
                spent = time.monotonic() - start
        _refuse(motion, Motion, step)
        check_motion(motion, track, step)
        if motion.camera is None:
            motion = replace(motion, camera=self._video_of(track).camera)
        motion = motion.with_history(stage=step.stage, **step.facts, seed=self.settings.values.seed, key=key_of(inputs))
        with self.folder.writing(name) as path:
            motion.save(path)
        self.folder.record(name, inputs, spent, frames=len(motion), warnings=self.video.warnings[told_before:])
        return motion

    def settle(self, refined: dict[int, Motion]) -> dict[int, Motion]:
        """Put all people into one world and save each motion.npz."""
        together = {f"{number:02d}": provenance.motion_hash(motion) for number, motion in refined.items()}
        names = {number: f"persons/{number:02d}/motion.npz" for number in refined}
        inputs = {number: {"mrs": provenance.code_version(), "person": number, "refined": together} for number in refined}
        self.used += names.values()
        current = [self.reuse(names[number], inputs[number]) for number in refined]
        if all(current):
            return {number: Motion.load(self.folder.root / name) for number, name in names.items()}
        self.at = "settling the world"
        start = time.monotonic()
        settled = dict(zip(refined, world.settle(list(refined.values())), strict=True))
        spent = (time.monotonic() - start) / len(refined)
        for number, motion in settled.items():
            motion = settled[number] = motion.with_history(stage="world", people=list(together))
            with self.folder.writing(names[number]) as path:
                motion.save(path)
            self.folder.record(names[number], inputs[number], spent, frames=len(motion))
        return settled

    def measure(self, chosen: list[Track], lifted: dict[int, Motion], motions: dict[int, Motion]) -> None:
        """Put quality numbers before and after refining into run.json."""
        from mrs.metrics import quality

        self.at = "measuring"
        settled = dict(zip(lifted, world.settle([world.to_world(m) for m in lifted.values()]), strict=True))
        for track in chosen:
            number, record = track.person, self.folder.results[f"persons/{track.person:02d}/motion.npz"]
            if "quality" not in record:
                after = motions[number]
                record["quality"] = {"lifted": _numbers(quality(track, settled[number], after.contacts)),
                                     "refined": _numbers(quality(track, after))}
            self.folder.report["persons"][f"{number:02d}"] = {
                "frames": len(track), "seen": int(track.seen.sum()), "first_s": float(track.times_s[0]),
                "last_s": float(track.times_s[-1]), "quality": record["quality"], **_feet(motions[number])}
        self.folder.save()

    def export(self, number: int, motion: Motion) -> Motion | None:
        """Write one person's motion with every exporter; return how it is re-enacted, where it is."""
        taken = {"motion.npz", "lifted.npz"}
        for step in self.plan.exporters:
            suffix = getattr(step.plugin, "suffix", f".{step.facts['name']}")
            base = f"motion{suffix}" if f"motion{suffix}" not in taken else f"motion_{step.facts['name']}{suffix}"
            taken.add(base)
            self._write(f"persons/{number:02d}/{base}", step, motion)
        return self.synthesize(number, motion) if "synthesizer" in self.plan.steps else None

    def _write(self, name: str, step: Step, motion: Motion) -> None:
        inputs = self._inputs(step, motion=provenance.motion_hash(motion))
        self.used.append(name)
        if self.reuse(name, inputs):
            self.warnings += self.folder.results[name].get("warnings", [])
            return
        with self._working(step, len(motion), name):
            start = time.monotonic()
            with self.folder.writing(name) as path, atomic_path(path) as temporary:
                notes = step.plugin.write(motion, temporary)
            spent = time.monotonic() - start
        notes = [f"{name}: {note}" for note in notes] if isinstance(notes, (tuple, list)) else []
        self.warnings += notes
        self.folder.record(name, inputs, spent, warnings=notes)

    def synthesize(self, number: int, motion: Motion) -> Motion:
        """Let the target's body re-enact one person, and write it as npz and bvh."""
        step = self.plan.steps["synthesizer"]
        target = self._target(motion)
        name = f"persons/{number:02d}/synth/{step.facts['name']}.npz"
        inputs = self._inputs("synthesizer", motion=provenance.motion_hash(motion), target=provenance.motion_hash(target))
        self.used.append(name)
        if self.reuse(name, inputs):
            synthesized = Motion.load(self.folder.root / name)
        else:
            with self._working(step, len(motion), f"person {number:02d}") as update:
                step.plugin.progress = update
                start = time.monotonic()
                synthesized = step.plugin.transfer(motion, target)
                spent = time.monotonic() - start
            _refuse(synthesized, Motion, step)
            with self.folder.writing(name) as path:
                synthesized.validate(step.label).with_history(stage=step.stage, **step.facts).save(path)
            self.folder.record(name, inputs, spent, frames=len(synthesized))
        self._write(name.removesuffix(".npz") + ".bvh", self.plan.exporters[0], synthesized)
        return synthesized

    def _target(self, motion: Motion) -> Motion:
        """The motion whose first posture begins the synthesis: a file's, the person's own from a time on, or a stand."""
        asked = self.settings.values.target
        if self.plan.target is not None:
            return self.plan.target
        if asked is None or asked == "standing":
            return Motion.standing(motion.times_s)
        first = seconds_of(asked)
        rows = np.flatnonzero(motion.times_s >= first - 1e-6)
        if not len(rows) or first < motion.times_s[0] - 1:
            raise UsageError(f"Expected --target within the person's {motion.times_s[0]:.2f} to {motion.times_s[-1]:.2f} s, "
                             f"but got '{asked}'.")
        return motion.part(rows[0])

    def overlay(self, motions: dict[int, Motion], tracks: Tracks) -> None:
        """Draw everyone over the video."""
        step, name = self.plan.steps["renderer"], "overlay.mp4"
        inputs = self._inputs("renderer", video=self.video.sha256, frames=len(self.video.times_s),
                              first_s=float(self.video.times_s[0]),
                              motions={f"{n:02d}": provenance.motion_hash(m) for n, m in motions.items()},
                              tracks={f"{t.person:02d}": provenance.track_hash(t) for t in tracks.people})
        self.used.append(name)
        if self.reuse(name, inputs):
            return
        start, count = time.monotonic(), len(self.video.times_s)
        with self._working(step, count) as update:
            pictures = iter(step.plugin.render(self.video, motions, tracks))
            first = next(pictures, None)
            if first is None:
                raise PluginError(f"Expected {step.label} to yield a frame for each of {count}, but it yielded none.")
            size_px = first.shape[1], first.shape[0]
            with self.folder.writing(name) as path:
                write_video(path, _counted(first, pictures, update), self.video.times_s, size_px)
        self.folder.record(name, inputs, time.monotonic() - start, frames=count)

    def tell(self, chosen: list[Track], lifted: dict[int, Motion], motions: dict[int, Motion]) -> None:
        """Write report.html, unless the settings say no."""
        from mrs.report import of_run
        from mrs.report.payload import Shown

        if self.settings.values.report:
            of_run.in_pipeline(self, [Shown(t, lifted.get(t.person), motions[t.person]) for t in chosen if t.person in motions])

def usable_points(people) -> list[Track]:
    """Return the tracks with only the keypoints that the body has: no fingers, no points of the face."""
    from mrs.body import load_body

    known = load_body().landmark_names
    return [track.limited_to(known) for track in people]


def _too_little(path: Path, told: dict[str, Any]) -> str:
    """Say how briefly the longest seen person was seen, and which option lets that person in, where one does."""
    frames, longest_s, needed = told.get("most_frames_left_out"), told["longest_left_out_s"], told.get("least_frames", 1)
    if frames is not None and frames < needed:
        return (f"Expected people in {path} in at least {needed} frames, but whoever was seen was seen in {frames} at most. "
                "Choose a longer part of the video, or one in which people are larger.")
    return (f"Expected people in {path}, but whoever was seen was seen too briefly or too badly (the longest for "
            f"{longest_s:.2f} s). Try --set tracker.min_seen_s={0.5 * longest_s:.2g} or --set tracker.min_score=0.1.")


def _counted(first: np.ndarray, rest, update):
    """Yield pictures and tell how many."""
    yield first
    update(1)
    for done, picture in enumerate(rest, 2):
        yield picture
        update(done)


def _refuse(value: Any, kind: type, step: Step) -> None:
    if not isinstance(value, kind):
        raise PluginError(f"Expected {step.label} to return {kind.__name__}, but it returned {type(value).__name__}.")


def check_motion(motion: Motion, track: Track, step: Step) -> None:
    """Refuse a motion with other times than its track's, or with values that are not numbers."""
    try:
        motion.validate(f"the result of {step.label}")
    except MrsError as error:
        raise PluginError(str(error)) from None
    if len(motion) != len(track) or np.abs(motion.times_s - track.times_s).max() > 1e-6:
        raise PluginError(f"Expected {step.label} to return the track's {len(track)} times, but it returned "
                          f"{len(motion)} frames{' at other times' if len(motion) == len(track) else ''}.")


def _numbers(values: dict) -> dict[str, float | None]:
    """Plain floats for JSON; None where a number could not be measured."""
    return {name: float(v) if np.isfinite(v) else None for name, v in values.items()}


def _level_of(motions: dict[int, Motion]) -> dict | None:
    """What the smoother found of the camera's tilt, from the history of whoever has it."""
    return next((step["level"] for motion in motions.values() for step in motion.history if "level" in step), None)


def _feet(motion: Motion) -> dict[str, dict]:
    """What the smoother told of contacts, and of how far locking moved the feet."""
    told: dict[str, Any] = next((step for step in reversed(motion.history) if step.get("stage") == "refine"), {})
    return {name: told[name] for name in ("contacts", "foot_lock") if name in told}
