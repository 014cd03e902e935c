"""What a run would make and what it would find there already, without making anything (`--dry-run`)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

from mrs import filming, provenance
from mrs.config import Settings
from mrs.edited import usable_tracks
from mrs.motion import Motion
from mrs.pipeline import UNTIL, Pipeline, _opened
from mrs.plan import Plan
from mrs.plugins import Registry
from mrs.progress import Silent
from mrs.runfolder import HIDDEN, RunFolder, key_of
from mrs.tracks import Track

KEEP, MAKE = "keep", "make"


class _Missing(Exception):
    """A result would have to be made here."""


class _ReadOnly(RunFolder):
    """A run folder that nothing is written to."""

    @contextmanager
    def writing(self, name: str):
        """Stop: this is where a result would be written."""
        raise _Missing
        yield self.root / name

    def record(self, name: str, inputs: dict[str, Any], seconds: float, **facts: Any) -> None:
        """Record nothing."""

    def save(self) -> None:
        """Write nothing."""


class _Stopping(Silent):
    """Progress that stops where work would begin."""

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: str = "frames"):
        """Stop."""
        raise _Missing
        yield lambda done, total=None, found=None: None


def plan(settings: Settings, registry: Registry) -> list[dict[str, str]]:
    """List the results of a run in order: {"result", "would": keep or make, "by": the plugin}.

    Whom a video shows is known once it was detected; before that, people are listed as ``persons/*/``.
    """
    made = Plan.make(settings, registry)
    video = filming.level_first(_opened(settings, made), settings.values)
    dry = _Dry(settings, made, video, _ReadOnly.peek(settings.out, video.sha256, settings.overwrite), _Stopping())
    dry.look()
    return dry.rows


class _Dry(Pipeline):
    """A pipeline that looks at each result and goes no further than what is there."""

    rows: list[dict[str, str]]

    def look(self) -> None:
        """List every result up to where the settings say."""
        self.rows, until = [], UNTIL.index(self.settings.until)
        self.folder.report |= {"stages": {}, "persons": {}, "warnings": []}
        chosen = self._people()
        known = chosen is not None
        numbers = [f"{t.person:02d}" for t in chosen] if chosen is not None else ["*"]
        if until >= 1:
            known = known and self._camera()
            lifted = {t.person: self._tried(f"persons/{t.person:02d}/lifted.npz", "lifter", known, self.lift, t) for t in chosen or []}
            self._unknown(chosen is None, [f"persons/{n}/lifted.npz" for n in numbers], "lifter")
        if until >= 2:
            refined = {t.person: self._smoothed(t, lifted[t.person]) for t in chosen or []}
            motions = self._settled(refined) if refined and all(refined.values()) else {}
            for n in numbers:
                self._note(f"persons/{n}/motion.npz", bool(motions), "smoother")
        if until >= 3:
            self._last(numbers, motions)

    def _people(self) -> list[Track] | None:
        detect = self._inputs("detector", video=self.video.sha256, start_s=self.settings.values.start, end_s=self.settings.values.end)
        inputs = self._inputs("tracker", detections=detect)
        found = None if self.settings.overwrite else usable_tracks(self.folder, inputs).tracks
        self._note("tracks.npz", found is not None, "detector", "tracker")
        self._found = found
        return None if found is None else self._chosen(found)

    def _camera(self) -> bool:
        """Tell whether it is known which camera filmed, as what follows depends on it."""
        mode, tracks = self.settings.values.camera, self._found
        looked_at = mode in ("auto", "static") and getattr(self.video, "pictures", True)
        if looked_at and not self.folder.is_current(filming.CHECK, key_of(filming._inputs(self, tracks, "check"))):
            return False
        try:
            self.film(tracks)
            return True
        except _Missing:
            return False

    def _smoothed(self, track: Track, lifted: Motion | None) -> Motion | None:
        try:
            return None if lifted is None else self.smooth(track, lifted)
        except _Missing:
            return None

    def _settled(self, refined: dict[int, Any]) -> dict[int, Motion]:
        try:
            return self.settle(refined)
        except _Missing:
            return {}

    def _last(self, numbers: list[str], motions: dict[int, Motion]) -> None:
        """List what exporters, synthesizer and renderer would write."""
        taken = {"motion.npz", "lifted.npz"}
        for n in numbers:
            taken = {"motion.npz", "lifted.npz"}
            for step in self.plan.exporters:
                suffix = getattr(step.plugin, "suffix", f".{step.facts['name']}")
                base = f"motion{suffix}" if f"motion{suffix}" not in taken else f"motion_{step.facts['name']}{suffix}"
                taken.add(base)
                name = f"persons/{n}/{base}"
                motion = motions.get(int(n)) if n.isdigit() else None
                inputs = self._inputs(step, motion=provenance.motion_hash(motion)) if motion else {}
                self._note(name, motion is not None and self.reuse(name, inputs), step.facts["name"])
            if "synthesizer" in self.plan.steps:
                self._synthesis(n, motions.get(int(n)) if n.isdigit() else None)
        if self.settings.values.overlay and getattr(self.video, "pictures", True):
            self._tried("overlay.mp4", "renderer", bool(motions), self.overlay, motions, self._found)
        for name, asked in (("synth.mp4", "person_renderer" in self.plan.steps), ("report.html", self.settings.values.report)):
            if asked:
                rest = all(row["would"] == KEEP for row in self.rows)
                self._note(name, rest and self.folder.is_untouched(name), "person_renderer" if name == "synth.mp4" else "report")

    def _synthesis(self, number: str, motion: Motion | None) -> None:
        base = f"persons/{number}/synth/{self.plan.steps['synthesizer'].facts['name']}"
        try:
            kept = motion is not None
            if motion is not None:
                self.synthesize(int(number), motion)
        except _Missing:
            kept = False
        self._note(f"{base}.npz", kept or f"{base}.npz" in self.reused, "synthesizer")
        self._note(f"{base}.bvh", kept, "synthesizer")

    def _tried(self, name: str, stage: str, known: bool, make, *arguments) -> Any:
        """Call what makes a result or reads it back; note which, and return what was read."""
        value, kept = None, False
        try:
            if known:
                value = make(*arguments)
                kept = True
        except _Missing:
            kept = False
        self._note(name, kept, stage)
        return value

    def _note(self, name: str, kept: bool, *stages: str) -> None:
        said = [self.plan.steps[s].facts["name"] if s in self.plan.steps else s for s in stages]
        if not name.startswith(HIDDEN):
            self.rows.append({"result": name, "would": KEEP if kept else MAKE, "by": ", ".join(said)})

    def _unknown(self, unknown: bool, names: list[str], stage: str) -> None:
        for name in names if unknown else []:
            self._note(name, False, stage)

    @contextmanager
    def _working(self, step, total: int, what: str = ""):
        """Stop: here a plugin would be called."""
        raise _Missing
        yield lambda done, total=None, found=None: None
