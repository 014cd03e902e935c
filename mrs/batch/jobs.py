"""What a batch is to do: one job a clip, and the record of how it ended."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mrs import config, options, provenance
from mrs.batch.storage import STATE, Folder, Remote, is_url, read_json, write_json
from mrs.errors import InputError
from mrs.runfolder import key_of, sha256_of

SCHEMA_VERSION = 1
SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".mts", ".wmv", ".gif")
DONE, NOBODY, BAD, FAILED, INTERRUPTED = "done", "nobody", "bad input", "failed", "interrupted"
VERDICTS = (DONE, NOBODY, BAD)
"""How a clip ends for good: the same clip with the same settings would end so again."""
RESERVED = ("summary.csv", "summary.html")


@dataclass(frozen=True)
class Job:
    """One clip to run, as plain values that travel to any worker.

    out       the batch's folder or URL
    key       hash of the clip's identity, the settings and the version of mrs
    redo      id of an earlier record that does not count any more
    stale_s   seconds without a sign of life after which another worker's claim is taken over
    """

    name: str
    video: str
    out: str
    key: str
    values: dict[str, Any]
    stage_options: dict[str, dict[str, Any]] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    overwrite: bool = False
    redo: str | None = None
    stale_s: float = 60.0

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return dataclasses.asdict(self) | {"plugins": list(self.plugins)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Job:
        """Make a job of what :meth:`as_dict` returned."""
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(**{k: v for k, v in values.items() if k in known} | {"plugins": tuple(values.get("plugins", ()))})

    def settings(self, out: Path, video: Path) -> config.Settings:
        """Return the settings of the clip's run."""
        return config.Settings(video, out, options.build(config.Run, self.values, "run"), self.stage_options, self.plugins,
                               self.overwrite)


def record_name(name: str) -> str:
    """Return the file of a clip's record."""
    return f"{STATE}/{name}.record"


def job_name(name: str) -> str:
    """Return the file of a clip's job."""
    return f"{STATE}/{name}.job"


def thumbnail_name(name: str) -> str:
    """Return the file of a clip's small picture."""
    return f"{STATE}/{name}.jpg"


def counts(record: dict[str, Any] | None, job: Job) -> bool:
    """Tell whether a record says how this job ended."""
    return record is not None and record.get("key") == job.key and record.get("id") != job.redo and record.get("status") != INTERRUPTED


def videos_of(given: list[str]) -> list[str]:
    """List the clips that are meant: files, URLs, and every video in a folder, each once and in order."""
    found: list[str] = []
    for text in given:
        path = Path(text)
        if is_url(text):
            found.append(text)
        elif path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
            if not inside:
                raise InputError(f"Expected videos ({', '.join(SUFFIXES)}) in {path}, but there are none.")
            found += [str(p.absolute()) for p in inside]
        else:
            found.append(os.path.abspath(text))
    return list(dict.fromkeys(found))


def plan(videos: list[str], place: Folder | Remote, settings: config.Settings, again: bool = False, stale_s: float = 60.0) -> list[Job]:
    """Make the jobs of clips: their names, keys, and what of earlier records no longer counts.

    A verdict (done, nobody, bad input) holds while clip, settings and version are the same, unless `again` is set.
    """
    taken = {job["video"]: job["name"] for job in known(place)}
    names = _names(videos, taken)
    shared = {"mrs": provenance.code_version(), "values": dataclasses.asdict(settings.values), "options": settings.stage_options,
              "plugins": [_identity_of_plugin(p) for p in settings.plugins]}
    made = []
    for video in videos:
        key = key_of(shared | {"video": identity(video)})
        record = read_json(place, record_name(names[video]))
        old = record is not None and (again or settings.overwrite or record.get("status") not in VERDICTS)
        made.append(Job(names[video], video, str(place), key, dataclasses.asdict(settings.values), settings.stage_options,
                        settings.plugins, settings.overwrite, record["id"] if record is not None and old else None, stale_s))
    return made


def submit(jobs: list[Job], place: Folder | Remote) -> None:
    """Write down what is to be done."""
    for job in jobs:
        write_json(place, job_name(job.name), {"schema_version": SCHEMA_VERSION, "kind": "batch-job", **job.as_dict()})


def known(place: Folder | Remote) -> list[dict[str, Any]]:
    """List the jobs that were ever submitted there."""
    found = (read_json(place, f"{STATE}/{n}") for n in place.names(STATE) if n.endswith(".job"))
    return [job for job in found if job is not None and "name" in job and "video" in job]


def records(place: Folder | Remote) -> dict[str, dict[str, Any]]:
    """Return the records that are there, by name."""
    found = {n.removesuffix(".record"): read_json(place, f"{STATE}/{n}") for n in place.names(STATE) if n.endswith(".record")}
    return {name: record for name, record in found.items() if record is not None}


def identity(video: str) -> dict[str, Any]:
    """What tells one state of a clip from another without reading it: its place, size and time of change."""
    try:
        facts = os.stat(video)
    except OSError:
        return {"path": video}
    return {"path": video, "bytes": facts.st_size, "changed_ns": facts.st_mtime_ns}


def _identity_of_plugin(text: str) -> str:
    path = Path(text)
    return sha256_of(path) if path.is_file() else text


def _names(videos: list[str], taken: dict[str, str]) -> dict[str, str]:
    """Name each clip by its stem; where two share one, the later gets a hash of its place too."""
    names = {video: taken[video] for video in videos if video in taken}
    used = set(taken.values())
    for video in videos:
        if video in names:
            continue
        stem = re.sub(r"[^\w.+=@ -]", "_", Path(video).stem).strip(". ") or "clip"
        if stem in used or stem in RESERVED:
            stem = f"{stem}_{hashlib.sha256(video.encode()).hexdigest()[:6]}"
        names[video] = stem
        used.add(stem)
    return names
