"""What a run keeps account of: which results it used and reused, its warnings and times, and run.json."""

from __future__ import annotations

import dataclasses
import logging
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from mrs import detecting, progress, provenance
from mrs.config import Settings
from mrs.errors import MrsError
from mrs.plan import Plan, Step, seed_everything
from mrs.runfolder import HIDDEN, SCHEMA_VERSION, RunFolder, key_of, sha256_of
from mrs.video import Video

log = logging.getLogger("mrs.pipeline")  # one name for a run's log, whichever file writes the line


class Bookkeeping:
    """The account of one run in one folder, apart from how its results are made."""

    def __init__(self, settings: Settings, plan: Plan, video: Video, folder: RunFolder, shown: progress.Silent):
        self.settings, self.plan, self.video, self.folder, self.shown = settings, plan, video, folder, shown
        self.used: list[str] = []
        self.reused: list[str] = []
        self.warnings: list[str] = []
        self.at = "starting"

    def stop(self, status: str, error: Exception | None) -> str:
        """Note in run.json how the run ended; return a line on what is kept and where it stopped."""
        report = self.folder.report
        report |= {"status": status, "stopped_at": self.at, "outputs": self._present()}
        report["warnings"] = self.all_warnings()
        if error is not None:
            report["error"] = f"{type(error).__name__}: {error}".split("\n")[0]
        try:
            self.folder.save()
        except MrsError:
            log.info("run.json could not be updated")
        detecting_now = self.at.startswith(("detector", "tracker"))
        rows = detecting.saved_rows(self.folder.hidden / "detect") if detecting_now else 0
        kept = [f"{rows} detected frames"] if rows else []
        kept += report["outputs"]
        return f"Stopped at {self.at}. Kept in {self.folder.root}: {', '.join(kept) or 'nothing yet'}."

    def _begin(self, command: tuple[str, ...]) -> None:
        """Write a new run.json that says what was asked for."""
        values = dataclasses.asdict(self.settings.values)
        stages = {stage: step.facts for stage, step in self.plan.steps.items()}
        results = self.folder.results
        self.folder.report = {
            "schema_version": SCHEMA_VERSION, "kind": "run", "status": "running", "command": list(command),
            "started": _now(), **provenance.machine(), "device": self.plan.device, "seed": self.settings.values.seed,
            "video": provenance.video_facts(self.video), "camera": self._camera_facts(), "settings": values,
            "until": self.settings.until,
            "stages": stages | {"exporters": [step.facts for step in self.plan.exporters]},
            "persons": {}, "warnings": [], "outputs": [], "timings": {}, "results": results,
        }
        self.folder.save()

    def _end(self) -> dict[str, Any]:
        """Write into run.json what was made and reused; return it."""
        report = self.folder.report
        others = sorted(name for name in self.folder.results if name not in self.outputs and not name.startswith(HIDDEN)
                        and (self.folder.root / name).is_file())
        if others:
            self.warnings.append(f"Left from earlier runs with other settings: {', '.join(others)}.")
        report |= {"status": "done", "finished": _now(), "outputs": [*self.outputs, "run.json"],
                   "reused": [name for name in self.outputs if name in self.reused], "timings": self.timings(), "warnings": self.all_warnings()}
        self.folder.save()
        return report

    def timings(self) -> dict[str, Any]:
        """Seconds and frames a second by stage, of the results this run is made of, whenever they were made."""
        rows: dict[str, list[float]] = {}
        for name in self.used:
            record = self.folder.results[name]
            frames = record.get("frames", 0)
            if name == "tracks.npz":
                rows["detector"] = [record["detect_seconds"], frames]
                rows["tracker"] = [record.get("track_seconds", 0.0), frames]
                continue
            stage = record["made_from"].get("plugin", {}).get("stage", "world")
            before = rows.get(stage, [0.0, 0])
            rows[stage] = [before[0] + record["seconds"], before[1] + frames]
        return {stage: {"seconds": round(seconds, 3), **({"frames_per_s": round(frames / seconds, 2)}
                                                         if frames and seconds > 0 else {})}
                for stage, (seconds, frames) in rows.items()}

    def _inputs(self, stage: str | Step, **more: Any) -> dict[str, Any]:
        """Everything a result depends on."""
        step = stage if isinstance(stage, Step) else self.plan.steps[stage]
        return {"mrs": provenance.code_version(), "plugin": {"stage": step.stage, **step.facts},
                "seed": self.settings.values.seed, **more}

    def reuse(self, name: str, inputs: dict[str, Any]) -> bool:
        """Tell whether a result is there and current, and note that it is used again."""
        if self.folder.is_current(name, key_of(inputs)):
            self.reused.append(name)
            return True
        record = self.folder.results.get(name)
        path = self.folder.root / name
        if record and path.is_file() and sha256_of(path) != record["sha256"]:
            self.warnings.append(f"{name} was changed by hand and is written anew.")
        return False

    @contextmanager
    def _working(self, step: Step, total: int, what: str = ""):
        """Show progress of a step and seed what it may draw from."""
        self.at = f"{step.label} {what}".strip()
        seed_everything(step, self.settings.values.seed)
        log.info("%s: %s", self.at, step.facts)
        unit = "steps" if step.stage == "smoother" else "frames"
        with self.shown.step(f"{step.stage} {what}".strip(), total, unit) as update:
            yield update

    def _camera_facts(self) -> dict[str, Any]:
        return provenance.camera_facts(self.video.camera) | {
            "fov_deg": self.settings.values.fov, "tilt_deg": self.settings.values.camera_tilt}

    def _present(self) -> list[str]:
        return [name for name in self.outputs if name in self.folder.results and (self.folder.root / name).is_file()]

    @property
    def outputs(self) -> list[str]:
        """Paths, inside the folder, of the results that are for the user."""
        return [name for name in self.used if not name.startswith(HIDDEN)]

    def all_warnings(self) -> list[str]:
        """Everything there is to say, once each."""
        return list(dict.fromkeys([*self.video.warnings, *self.warnings]))


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
