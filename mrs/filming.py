"""Which camera filmed a run's video: taken for still and checked, followed by its background, or read from a file."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from mrs import npz, provenance, world
from mrs.config import CAMERAS
from mrs.errors import UsageError
from mrs.formats import camera_files
from mrs.runfolder import HIDDEN, key_of, sha256_of
from mrs.tracks import Tracks
from mrs.video import Video

CHECK, TRIED, RESULT = f"{HIDDEN}/camera_check.npz", f"{HIDDEN}/camera_tried.npz", "camera.npz"


def boxes_by_row(video: Video, tracks: Tracks):
    """Return a function from a row of the video to the boxes (P, 4) of everybody in it."""
    found: dict[int, list] = {}
    for track in tracks.people:
        for number, box in zip(track.frame_ids.tolist(), track.boxes_px, strict=True):
            found.setdefault(number, []).append(box)
    return lambda row: np.array(found.get(int(video.frame_ids[row]), [])).reshape(-1, 4)


def filmed(pipeline, tracks: Tracks) -> tuple[Video, dict[str, Any]]:
    """Return the video with its camera, and what run.json tells of it beside K, R and t.

    `pipeline` is the run: its settings, video, folder and results. Warnings go to its list.
    """
    mode, video = pipeline.settings.values.camera, pipeline.video
    if mode not in CAMERAS:
        read = camera_files.read(Path(mode))
        camera = read.camera_of(video, video.camera)
        return video.with_camera(camera), {"mode": "file", "path": mode, "taken_for": "still" if camera.is_still else "moving",
                                           "file_sha256": sha256_of(Path(mode))}
    told: dict[str, Any] = {"mode": mode, "taken_for": "still"}
    if not getattr(video, "pictures", True):
        return video, told | _unseen(mode, pipeline.warnings)
    doubts: list[str] = []
    if mode != "rotating":
        told["check"], doubts = _checked(pipeline, tracks)
        if mode == "static" or told["check"]["moved"] is False:
            pipeline.warnings += doubts
            return video, told
    doubtful = mode == "auto" and told["check"]["moved"] is None
    camera, told["motion"], warnings = _followed(pipeline, tracks, TRIED if doubtful else RESULT)
    if doubtful:
        if not _turns(told["motion"]):
            pipeline.warnings += doubts
            return video, told
        _keep_tried(pipeline, tracks)
    pipeline.warnings += warnings
    return video.with_camera(camera), told | {"taken_for": "turning"}


def _unseen(mode: str, warnings: list[str]) -> dict[str, Any]:
    """What is told of a camera whose pictures are not at hand: it is taken for still, unless it is said to turn."""
    if mode == "rotating":
        raise UsageError("Expected a VIDEO with --camera rotating, since the background is followed in its pictures. Type: "
                         "--camera static, or --camera FILE with its poses.")
    if mode == "auto":
        warnings.append("The camera is taken for still, since there is no video to check that (--camera FILE has its poses).")
    return {"check": {"moved": None}}


def _turns(motion: dict[str, Any]) -> bool:
    """Whether most frames could be followed, and the camera turned in them: pictures that can't be compared are no proof."""
    from mrs.world.camera_check import MOVED_DEG

    return motion["largest_turn_deg"] > MOVED_DEG and motion["frames_measured"] >= motion["frames"] / 2


def _inputs(pipeline, tracks: Tracks, what: str) -> dict[str, Any]:
    """Everything a camera's measurement depends on: the video, where people are, and the lens."""
    video, values = pipeline.video, pipeline.settings.values
    return {"mrs": provenance.code_version(), "plugin": {"stage": "camera", "name": what}, "video": video.sha256,
            "first_s": float(video.times_s[0]), "frames": len(video),
            "people": {f"{t.person:02d}": provenance.track_hash(t) for t in tracks.people},
            "first": provenance.camera_facts(video.camera), "fov_deg": values.fov}


def _checked(pipeline, tracks: Tracks) -> tuple[dict, list[str]]:
    """Check a camera that is taken for still, or read what an earlier run found."""
    from mrs.world.camera_check import check

    inputs = _inputs(pipeline, tracks, "check")
    pipeline.at = "checking that the camera stands still"
    pipeline.used.append(CHECK)
    if not pipeline.folder.is_current(CHECK, key_of(inputs)):
        start = time.monotonic()
        found = check(pipeline.video, boxes_by_row(pipeline.video, tracks), pipeline.video.camera)
        with pipeline.folder.writing(CHECK) as path:
            npz.save(path, "camera-check", {}, {"facts": found.facts(), "warnings": found.warnings()})
        pipeline.folder.record(CHECK, inputs, time.monotonic() - start)
    _, meta = npz.load(pipeline.folder.root / CHECK, "camera-check")
    return meta["facts"], meta["warnings"]


def _followed(pipeline, tracks: Tracks, name: str) -> tuple[Any, dict, list[str]]:
    """Follow a turning camera by its background into the file `name`, or read that where it is current."""
    from mrs.world.camera_motion import estimate

    video, inputs = pipeline.video, _inputs(pipeline, tracks, "rotating")
    pipeline.at = "following the camera"
    pipeline.used.append(name)
    if not pipeline.reuse(name, inputs):
        start, count = time.monotonic(), len(video)
        with pipeline.shown.step("camera", count) as update:
            found = estimate(video.frames, boxes_by_row(video, tracks), video.camera, video.times_s,
                             focal_known=pipeline.settings.values.fov is not None, update=update)
        camera = found.applied(video.camera)
        with pipeline.folder.writing(name) as path:
            camera_files.save(path, camera, video.times_s, video.frame_ids,
                              {"motion": found.facts(), "warnings": found.warnings()})
        pipeline.folder.record(name, inputs, time.monotonic() - start, frames=count)
    camera, meta = camera_files.load(pipeline.folder.root / name)
    return camera, meta["motion"], meta["warnings"]


def _keep_tried(pipeline, tracks: Tracks) -> None:
    """Make camera.npz of what was only tried, now that it is used."""
    inputs = _inputs(pipeline, tracks, "rotating")
    pipeline.used.append(RESULT)
    if not pipeline.reuse(RESULT, inputs):
        with pipeline.folder.writing(RESULT) as path:
            shutil.copyfile(pipeline.folder.root / TRIED, path)
        pipeline.folder.record(RESULT, inputs, 0.0)


def level_first(video: Video, values) -> Video:
    """The video with a still camera at the origin: level, or tilted as the settings say."""
    return video.with_camera(world.level_camera(video.size_px, values.fov, values.camera_tilt or 0.0))
