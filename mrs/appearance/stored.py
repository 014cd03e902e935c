"""Personalised weights, kept in the run folder beside the motion they were trained for."""

from __future__ import annotations

from pathlib import Path

from mrs import provenance
from mrs.appearance import imagined, personalise
from mrs.appearance import weights as files
from mrs.appearance.weights import Weights
from mrs.errors import MrsError
from mrs.runfolder import key_of

NAME = "shape_pose.safetensors"


def personalised(clip, weights: Weights, seen, looks, seconds: float, *, lr: float, device: str, seed: int, key: dict) -> Weights:
    """Return weights trained on the clip and on what its appearance `looks` lets one imagine: those of an earlier call where it asked the same, else made now and kept."""
    made_from = key_of({"video": clip.facts["video"].get("sha256"), "motion": provenance.motion_hash(clip.motion), "seconds": seconds,
                        "lr": lr, "seed": seed, "start": weights.facts, "device": device, **key})
    path = clip.folder / NAME
    kept = _kept(path, made_from)
    if kept is not None:
        return kept
    extra = imagined.imagined(looks, len(seen.pictures[0].rgb), seed=seed)
    made = personalise.personalise(weights, seen, seconds, extra=extra, device=device, seed=seed, lr=lr)
    made = Weights(made.net, {**made.facts, "made_from": made_from})
    try:
        files.save(path, made.net, {name: value for name, value in made.facts.items() if name not in ("format", "shape")})
    except OSError:
        return made
    return made


def _kept(path: Path, made_from: str) -> Weights | None:
    if not path.is_file():
        return None
    try:
        found = files.load(path)
    except MrsError:
        return None
    return found if found.facts.get("made_from") == made_from else None
