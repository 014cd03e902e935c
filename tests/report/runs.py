"""A finished run of a synthetic walker, made without running anything: tracks, lifted and refined motion, overlay, run.json."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrs import metrics, provenance
from mrs.runfolder import SCHEMA_VERSION, sha256_of
from mrs.tracks import Tracks
from tests.videos import make_video
from tests.walker import filmed, walker

RATE_HZ = 30
SIZE = (320, 180)


def shaken(motion, size_m: float = 0.01, seed: int = 1):
    """The motion as a lifter would have it: trembling, its feet sliding."""
    from mrs.body import load_body

    noise = np.random.default_rng(seed).normal(scale=size_m, size=motion.root_pos_m.shape)
    root = motion.root_pos_m + noise
    body = load_body()
    return replace(motion, root_pos_m=root, joints_m=body.joints(root, motion.local_quat_wxyz, motion.betas))


def make_run(root: Path, seconds: float = 2.0, people: int = 2, film: bool = True, options: dict | None = None) -> Path:
    """Write the folder of a run; return it. `options` are x264's, to make a film large."""
    root.mkdir(parents=True)
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    make_video(root / "overlay.mp4", times, size_px=SIZE, options=options)
    tracks, persons, results = [], {}, {}
    for number in range(1, people + 1):
        motion, contacts = walker(times, start_m=(1.5 * (number - 1), 0.0))
        motion = replace(motion, contacts=contacts.astype(float))
        track, motion = filmed(motion, size_px=SIZE, noise=0.004, seed=number)
        track, lifted = replace(track, person=number), shaken(motion)
        folder = root / f"persons/{number:02d}"
        folder.mkdir(parents=True)
        lifted.save(folder / "lifted.npz")
        motion.save(folder / "motion.npz")
        (folder / "motion.bvh").write_text("HIERARCHY\n")
        tracks.append(track)
        persons[f"{number:02d}"] = {
            "frames": len(track), "seen": int(track.seen.sum()), "first_s": float(times[0]), "last_s": float(times[-1]),
            "quality": {"lifted": metrics.quality(track, lifted, motion.contacts), "refined": metrics.quality(track, motion)}}
    Tracks(tuple(tracks), SIZE, np.arange(len(times)), times).save(root / "tracks.npz")
    outputs = ["tracks.npz", *(f"persons/{t.person:02d}/{n}" for t in tracks for n in ("lifted.npz", "motion.npz", "motion.bvh"))]
    if film:
        outputs.append("overlay.mp4")
    else:
        (root / "overlay.mp4").unlink()
    for name in outputs:
        results[name] = {"key": "none", "sha256": sha256_of(root / name), "seconds": 1.0, "made_from": {}}
    facts = {"path": str(root.parent / "walk <b>&.mp4"), "sha256": "0" * 64, "size_px": list(SIZE), "rotation_deg": 0, "frames": len(times),
             "first_s": 0.0, "last_s": float(times[-1]), "mean_fps": 30.0, "times": "even", "pictures": True}
    report = {
        "schema_version": SCHEMA_VERSION, "kind": "run", "status": "done", "command": ["mrs", "run", "walk.mp4"],
        "started": "2026-01-02T03:04:05+00:00", **provenance.machine(), "device": "cpu", "seed": 0, "video": facts,
        "camera": {"fov_deg": None, "tilt_deg": 0.0, "mode": "auto"}, "settings": {"detector": "blazepose", "overlay": film},
        "stages": {"detector": {"name": "blazepose", "version": "1", "options": {"model": "full"}}, "exporters": []}, "persons": persons,
        "warnings": ["Feet were never seen: where they touch is a guess."], "outputs": [*outputs, "run.json"],
        "timings": {"detector": {"seconds": 2.0, "frames_per_s": 30.0}, "smoother": {"seconds": 1.0}}, "results": results}
    (root / "run.json").write_text(json.dumps(report))
    return root
