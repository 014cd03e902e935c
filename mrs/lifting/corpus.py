"""The motions that the encoder learns from: one small file, 24-joint poses at 30 a second.

Held out are the clips that the benchmarks film and the test split of cmu8, as for the pose prior: no clip of HELD_OUT is trained on,
and the actions of ACTIONS_APART have no other clip in the corpus either.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs.errors import InputError, reason
from mrs.npz import some_of

RATE_HZ = 30.0
HELD_OUT = ("test_", "humanoid3d_dance_a", "sie_humanoid3d_punch_forward00", "humanoid3d_roll", "humanoid3d_crawl",
            "humanoid3d_sideflip")
ACTIONS_APART = ("roll", "crawl", "sideflip")
ACROBATIC = ("roll", "crawl", "sideflip", "backflip", "cartwheel", "getup_facedown", "getup_faceup", "kick", "spinkick", "spin")
SHORTEST = 24


@dataclass(frozen=True)
class Clips:
    """quat (N, 24, 4), root_m (N, 3) of all clips; names and labels (C), first, frames (C,), held (C,), betas (C, 10)."""

    quat: np.ndarray
    root_m: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...]
    first: np.ndarray
    frames: np.ndarray
    held: np.ndarray
    betas: np.ndarray

    def part(self, held: bool) -> Clips:
        """Return the clips that are held out, or the others; the arrays stay whole."""
        rows = np.flatnonzero((self.held == held) & (self.frames >= SHORTEST))
        if not len(rows):
            raise InputError(f"Expected clips of {SHORTEST} frames or more {'to measure on' if held else 'to learn from'}, but got none.")
        return Clips(self.quat, self.root_m, tuple(self.names[r] for r in rows), tuple(self.labels[r] for r in rows),
                     self.first[rows], self.frames[rows], self.held[rows], self.betas[rows])


def is_held_out(name: str) -> bool:
    """Say whether a clip is for measuring only."""
    return name.startswith(HELD_OUT)


def load(paths) -> Clips:
    """Read packed files, or corpora of `mrs data`, as one."""
    parts = [_packed(Path(p)) if Path(p).is_file() else _corpus(Path(p)) for p in paths]
    if not parts:
        raise InputError("Expected --data CORPUS, but there is none. Make one: mrs data any FOLDER -o CORPUS")
    starts = np.cumsum([0, *(len(p.quat) for p in parts[:-1])])
    return Clips(np.concatenate([p.quat for p in parts]), np.concatenate([p.root_m for p in parts]),
                 sum((p.names for p in parts), ()), sum((p.labels for p in parts), ()),
                 np.concatenate([p.first + s for p, s in zip(parts, starts, strict=True)]),
                 np.concatenate([p.frames for p in parts]), np.concatenate([p.held for p in parts]),
                 np.concatenate([p.betas for p in parts]))


def _corpus(folder: Path) -> Clips:
    from mrs import rotations
    from mrs.synth import corpus

    found = corpus.load(folder)
    clips = found.clips
    quat = np.array(found.local_quat_wxyz, np.float32)
    for clip in clips:
        rows = slice(clip.first, clip.first + clip.frames)
        quat[rows] = rotations.align_hemispheres(quat[rows])
    return Clips(quat, np.array(found.root_pos_m, np.float32), tuple(c.name for c in clips), tuple(c.label for c in clips),
                 np.array([c.first for c in clips]), np.array([c.frames for c in clips]),
                 np.array([is_held_out(c.name) for c in clips]), np.array(found.betas, np.float32))


def save(clips: Clips, path: Path) -> None:
    """Write one compressed file: quaternions as 16-bit integers, which is 0.003 degrees."""
    meta = json.dumps({"kind": "lifter-corpus", "schema_version": 1, "names": clips.names, "labels": clips.labels})
    np.savez_compressed(path, meta=np.array(meta), quat=np.round(clips.quat * 32767).astype(np.int16), root_m=clips.root_m,
                        first=clips.first, frames=clips.frames, held=clips.held, betas=clips.betas)


def _packed(path: Path) -> Clips:
    if not zipfile.is_zipfile(path):
        raise InputError(f"Expected a corpus at {path}, but the file is none, or a part of one. Type: mrs data any FOLDER -o CORPUS")
    try:
        with np.load(path, allow_pickle=False) as file:
            if "meta" not in file.files:
                raise ValueError(f"it is another's, and holds {some_of(file.files)}")
            meta = json.loads(str(file["meta"]))
            quat = file["quat"].astype(np.float32) / 32767
            rest = {name: file[name] for name in ("root_m", "first", "frames", "held", "betas")}
        if meta["kind"] != "lifter-corpus":
            raise ValueError(f"it holds '{meta['kind']}'")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"Expected a corpus at {path}, but it can't be read: {reason(error)}. Type: mrs data any FOLDER -o CORPUS") from None
    return Clips(quat, names=tuple(meta["names"]), labels=tuple(meta["labels"]), **rest)
