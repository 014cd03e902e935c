"""Do one job: claim the clip, run it, write its record. Called by local processes and by Dask's workers alike."""

from __future__ import annotations

import json
import tempfile
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mrs.batch import jobs as state
from mrs.batch.claims import BEAT_S, Claim, Watch, me, stem_of
from mrs.batch.jobs import Job
from mrs.batch.storage import STATE, Folder, Remote, is_url, read_json, storage, write_json
from mrs.errors import InputError, MrsError, NoPersonError, told
from mrs.runfolder import sha256_of

TRIES = 3
BUSY = {"status": "busy"}
_HIGH = ("error_2d_percent", "jitter_10m_s3", "foot_skate_cm_s", "penetration_cm", "largest_jump_m")


def work(job: Job, watch: Watch | None = None, *, wait: bool = False, tell: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Do the job unless its record is there; return the record.

    Where another worker is at it: wait until that one is done or gone (`wait`), or return a record of status ``busy``.
    A KeyboardInterrupt is raised again after the claim is given back.
    """
    place, watch = storage(job.out), watch or Watch(job.stale_s)
    while True:
        record = read_json(place, state.record_name(job.name))
        if state.counts(record, job):
            return record or {}
        claim = Claim.take(place, stem_of(job.name, job.key), watch)
        if claim is not None:
            break
        if not wait:
            return dict(BUSY, name=job.name)
        time.sleep(min(BEAT_S, watch.stale_s / 4))
    with claim:
        record = read_json(place, state.record_name(job.name))
        return (record or {}) if state.counts(record, job) else _held(job, place, claim, tell)


def _held(job: Job, place: Folder | Remote, claim: Claim, tell: Callable[[str], None]) -> dict[str, Any]:
    """Run the clip and write its record, unless the claim was lost meanwhile."""
    start, facts = time.monotonic(), {}
    if claim.number > TRIES:
        facts = {"status": state.FAILED, "exit_code": 1,
                 "error": f"Its worker was killed {TRIES} times while it ran this clip; it may need more memory than there is."}
    else:
        try:
            tell(f"{job.name}: started")
            facts = _run(job, place)
        except KeyboardInterrupt:
            _write(job, place, claim, {"status": state.INTERRUPTED}, start)
            raise
    return _write(job, place, claim, facts, start) or dict(BUSY, name=job.name)


def _write(job: Job, place: Folder | Remote, claim: Claim, facts: dict[str, Any], start: float) -> dict[str, Any] | None:
    if not claim.holds():
        return None
    record = {"schema_version": state.SCHEMA_VERSION, "kind": "batch-record", "id": uuid.uuid4().hex, "name": job.name,
              "video": job.video, "key": job.key, **facts, "seconds": round(time.monotonic() - start, 3), "attempt": claim.number,
              "worker": {k: v for k, v in me().items() if k in ("host", "pid")}, "finished": datetime.now().astimezone().isoformat(timespec="milliseconds")}
    write_json(place, state.record_name(job.name), record)
    return record


def _run(job: Job, place: Folder | Remote) -> dict[str, Any]:
    """Run the pipeline; whatever it raises, but an interruption, becomes a status."""
    from mrs import pipeline
    from mrs.plugins import load

    try:
        with _local(job.video) as video, place.working(job.name) as folder:
            settings = job.settings(folder, video)
            settings = replace(settings, overwrite=settings.overwrite or _is_of_another(folder, video))
            report = pipeline.run(settings, load(settings.plugins), command=("mrs", "batch"))
            return _facts(report) | {"thumbnail": _thumbnail(job, place, folder, video)}
    except MrsError as error:
        return _failure(error, error.exit_code) | {"thumbnail": _thumbnail(job, place, None, Path(job.video))}
    except Exception as error:  # noqa: BLE001 (one clip's failure is written down and the others go on)
        place.write(f"{STATE}/{job.name}.traceback", traceback.format_exc().encode())
        return _failure(error, 1)


def _is_of_another(folder: Path, video: Path) -> bool:
    """Tell whether the folder has the run of a file that has since been replaced at the same place."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))["video"]["sha256"] != sha256_of(video)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _failure(error: Exception, code: int) -> dict[str, Any]:
    status = (state.NOBODY if isinstance(error, NoPersonError) else
              state.BAD if isinstance(error, InputError) else state.FAILED)
    where = f"{told(error, 'where')}: " if told(error, "where") and not isinstance(error, MrsError) else ""
    text = str(error) if isinstance(error, MrsError) else f"{type(error).__name__}: {error}"
    return {"status": status, "exit_code": code, "error": " ".join(f"{where}{text}".split())[:500]}


def _facts(report: dict[str, Any]) -> dict[str, Any]:
    """Pick from run.json what the table shows; of several people, the worst number."""
    persons = report["persons"].values()
    quality = {}
    for name in _HIGH:
        found = [p["quality"]["refined"][name] for p in persons if p["quality"]["refined"].get(name) is not None]
        if found:
            quality[name] = max(found)
    video = report["video"]
    return {"status": state.DONE, "exit_code": 0, "people": len(report["persons"]), "frames": video["frames"],
            "video_s": round(video["last_s"] - video["first_s"], 3), "quality": quality, "warnings": report["warnings"],
            "device": report["device"], "outputs": report["outputs"]}


@contextmanager
def _local(video: str) -> Iterator[Path]:
    """Yield the clip as a file of this machine."""
    if not is_url(video):
        yield Path(video)
        return
    import fsspec

    with tempfile.TemporaryDirectory(prefix="mrs-clip-") as folder:
        path = Path(folder) / video.rpartition("/")[2]
        try:
            with fsspec.open(video, "rb") as source, open(path, "wb") as target:
                while block := source.read(1 << 20):
                    target.write(block)
        except (OSError, ValueError, ImportError) as error:
            raise InputError(f"Expected a video at {video}, but it can't be read: {error}") from None
        yield path


def _thumbnail(job: Job, place: Folder | Remote, folder: Path | None, video: Path) -> bool:
    """Write a small picture of the clip's middle, with the bodies where there is an overlay; False where it has none."""
    import cv2

    from mrs.video import Video

    overlay = folder / "overlay.mp4" if folder else video
    try:
        opened = Video.open(overlay if overlay.is_file() else video, job.values.get("start"), job.values.get("end"))
        frame = next(iter(opened.frames(len(opened) // 2)))
        width, height = max(1, round(96 * frame.rgb.shape[1] / frame.rgb.shape[0])), 96
        small = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_AREA)
        fine, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
        place.write(state.thumbnail_name(job.name), data.tobytes())
        return bool(fine)
    except (MrsError, OSError, StopIteration, cv2.error):
        return False
