"""The report of a run: made at its end, or later from what its folder holds; written again only where that has changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mrs import data, progress, provenance
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.report import page
from mrs.report.payload import Shown
from mrs.runfolder import RunFolder, key_of, sha256_of
from mrs.tracks import Tracks

NAME, FILM = "report.html", "overlay.mp4"
_TOLD = ("video", "camera", "settings", "stages", "persons", "warnings", "timings", "libraries", "python", "platform", "mrs", "device")


def in_pipeline(pipeline, people: Sequence[Shown]) -> None:
    """Write the report of a running pipeline as one of its results, or leave the one that is still true."""
    outputs = pipeline.outputs
    warnings = _with_older_film(pipeline.all_warnings(), pipeline.folder.root, outputs)
    report = pipeline.folder.report | {"warnings": warnings, "timings": pipeline.timings()}
    film = pipeline.folder.root / FILM if FILM in outputs else None
    files = [*outputs, "run.json"]
    inputs = _inputs(pipeline.folder, report, people, film, files)
    pipeline.used.append(NAME)
    if pipeline.reuse(NAME, inputs):
        return
    pipeline.at = "writing the report"
    with pipeline.shown.step("report", 1, "pages") as update:
        _write(pipeline.folder, report, people, film, files, inputs)
        update(1)


def of_folder(root: Path, shown: progress.Silent | None = None) -> Path:
    """Write the report of a run from its folder, unless it is there and still true; return its path."""
    from mrs.resmooth import report_of

    report = report_of(root)
    folder = RunFolder.open(root, report["video"]["sha256"])
    try:
        folder.report = report
        people = _people(root, report)
        outputs = [name for name in report.get("outputs", []) if name != NAME and (root / name).is_file()]
        film = root / FILM if FILM in outputs else None
        said = [line for line in report.get("warnings", []) if not line.startswith("Left from earlier runs")]
        warnings = _with_older_film(said, root, outputs)
        facts = report | {"warnings": warnings, "timings": {stage: row for stage, row in report.get("timings", {}).items() if stage != "report"}}
        inputs = _inputs(folder, facts, people, film, outputs)
        if not folder.is_current(NAME, key_of(inputs)):
            with (shown or progress.Silent()).step("report", 1, "pages") as update:
                _write(folder, facts, people, film, outputs, inputs)
                update(1)
        if NAME not in report.get("outputs", []):
            report["outputs"] = [*(name for name in report.get("outputs", []) if name != "run.json"), NAME, "run.json"]
            folder.save()
    finally:
        folder.close()
    return root / NAME


def _with_older_film(warnings: list[str], root: Path, outputs: Sequence[str]) -> list[str]:
    """Add what is to be said of an overlay that shows another motion than the page."""
    if FILM in outputs or not (root / FILM).is_file():
        return warnings
    return [*warnings, f"{FILM} shows an earlier motion and is left out here. To draw it anew, type: mrs run VIDEO -o {root}"]


def _people(root: Path, report: dict[str, Any]) -> list[Shown]:
    """Everybody whose refined motion is there."""
    from mrs.pipeline import usable_points

    if not (root / "tracks.npz").is_file():
        raise InputError(f"Expected tracks.npz in {root}, but there is none. Type: mrs run {report['video']['path']} -o {root}")
    people = []
    for track in usable_points(Tracks.load(root / "tracks.npz").people):
        place = root / f"persons/{track.person:02d}"
        if f"{track.person:02d}" not in report.get("persons", {}) or not (place / "motion.npz").is_file():
            continue
        motion = Motion.load(place / "motion.npz")
        if len(motion) != len(track):
            raise InputError(f"Expected the motion of person {track.person} to have the {len(track)} frames of its track, but it has "
                             f"{len(motion)}. Type: mrs run {report['video']['path']} -o {root}")
        lifted = Motion.load(place / "lifted.npz") if (place / "lifted.npz").is_file() else None
        people.append(Shown(track, lifted, motion))
    return people


def _inputs(folder: RunFolder, report: dict[str, Any], people: Sequence[Shown], film: Path | None, files: Sequence[str]) -> dict[str, Any]:
    """What a report is made from."""
    told = json.dumps({name: report.get(name) for name in _TOLD}, sort_keys=True, default=str)
    seen = {f"{one.number:02d}": [provenance.track_hash(one.track), None if one.lifted is None else provenance.motion_hash(one.lifted),
                                  provenance.motion_hash(one.motion)] for one in people}
    record = folder.results.get(FILM, {})
    return {"mrs": provenance.code_version(), "plugin": {"stage": "report", "name": "page", "version": _version()}, "people": seen,
            "told": hashlib.sha256(told.encode()).hexdigest(), "film": film and (record.get("sha256") or sha256_of(film)),
            "files": list(files)}


def _version() -> str:
    """Hash of the page's own parts, so that a new look makes a new page."""
    digest = hashlib.sha256()
    for part in ("report.html", "report.css", "report_space.js", "report.js"):
        digest.update(data.place(f"web/{part}").read_bytes())
    return digest.hexdigest()[:12]


def _write(folder: RunFolder, report: dict[str, Any], people: Sequence[Shown], film: Path | None, files: Sequence[str],
           inputs: dict[str, Any]) -> None:
    start = time.monotonic()
    with folder.writing(NAME) as path:
        page.write(path, report, people, film, files)
    folder.record(NAME, inputs, time.monotonic() - start)
