"""Windows of behaviour for training: every frame of a corpus as features, in all variants, built once and memory-mapped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from mrs.errors import InputError
from mrs.npz import atomic_path
from mrs.synth import features
from mrs.synth.corpus import Corpus

SPEEDS = (1.0, 0.88, 1.12)
WINDOW = 36
VERSION = 3
TURN_RAD_S = 14.0
HELD_SHARE, HELD_S = 0.07, 1.5


@dataclass(frozen=True)
class Piece:
    """One variant of one clip: `frames` rows from `first` on; a window needs WINDOW + 2 of them."""

    first: int
    frames: int
    label: str
    split: str
    clip: str
    variant: int

    @property
    def starts(self) -> int:
        """How many windows begin here: each has one frame before it and WINDOW after it."""
        return max(self.frames - WINDOW - 1, 0)


class Windows:
    """Frames (N, SIZE) of all pieces, and how to draw from them."""

    def __init__(self, frames: np.ndarray, pieces: list[Piece]):
        self.frames, self.pieces = frames, pieces
        self.labels = sorted({p.label for p in pieces if p.starts})

    def of(self, split: str, plain: bool = False) -> list[Piece]:
        """Pieces of a split that hold a window; `plain` leaves out the variants."""
        return [p for p in self.pieces if p.split == split and p.starts and (not plain or p.variant == 0)]

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Windows (n, WINDOW + 2, SIZE) whose own first frame stands at `rows`; the frame before comes first."""
        return np.asarray(self.frames[rows[:, None] + np.arange(-1, WINDOW + 1)], np.float32)

    def every(self, split: str, stride: int, at_least: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of plain windows every `stride` frames with their label's number and their piece's number."""
        rows, labels, clips = [], [], []
        for number, piece in enumerate(self.pieces):
            if piece.split != split or piece.variant or not piece.starts:
                continue
            count = max(-(-piece.starts // stride), at_least)
            found = np.unique(np.linspace(0, piece.starts - 1, count).astype(int))
            rows += (piece.first + 1 + found).tolist()
            labels += [self.labels.index(piece.label)] * len(found)
            clips += [number] * len(found)
        return np.array(rows, int), np.array(labels, int), np.array(clips, int)

    def draw(self, split: str = "train") -> Draw:
        """A sampler of windows whose labels count by the root of their time."""
        return Draw(self.of(split))

    def statistics(self) -> dict[str, np.ndarray]:
        """Mean and deviation of features, and deviation of their differences, over plain and mirrored training frames."""
        rows = np.concatenate([np.arange(p.first, p.first + p.frames) for p in self.pieces
                               if p.split == "train" and p.variant in (0, len(SPEEDS))])
        values = np.asarray(self.frames[rows], float)
        steps = np.diff(values, axis=0)[np.diff(rows) == 1]
        return {"mean": values.mean(0).astype(np.float32), "std": values.std(0).astype(np.float32),
                "step": steps.std(0).astype(np.float32)}


class Draw:
    """Draws rows of frames at random."""

    def __init__(self, pieces: list[Piece]):
        if not pieces:
            raise InputError(f"Expected training clips of at least {(WINDOW + 2) / features.RATE_HZ:.2f} s, but there are none.")
        time = {}
        for piece in pieces:
            time[piece.label] = time.get(piece.label, 0) + piece.starts
        weights = np.array([p.starts / time[p.label] * np.sqrt(time[p.label]) for p in pieces])
        self.edges = np.cumsum(weights / weights.sum())
        self.first = np.array([p.first for p in pieces])
        self.starts = np.array([p.starts for p in pieces])

    def rows(self, rng: np.random.Generator, count: int, longer: int = 0) -> np.ndarray:
        """First rows of windows; `longer` lets the row stand so much later in the piece."""
        piece = np.minimum(np.searchsorted(self.edges, rng.random(count)), len(self.first) - 1)
        return self.first[piece] + 1 + (rng.random(count) * (self.starts[piece] + longer)).astype(int)


def build(corpora: list[Corpus], folder: Path, speeds: tuple[float, ...] = SPEEDS) -> Windows:
    """Make the cache in `folder`, or open the one that is there where it was made from the same corpora."""
    key = _key(corpora, speeds)
    index = folder / "windows.json"
    if index.is_file():
        stored = json.loads(index.read_text())
        if stored["key"] == key:
            return Windows(np.load(folder / "windows.npy", mmap_mode="r"), [Piece(**p) for p in stored["pieces"]])
    blocks, pieces, first = [], [], 0
    for corpus in corpora:
        cuts = validation(corpus)
        for number, clip in enumerate(corpus.clips):
            motion = corpus.motion(number)
            for split, part in _parts(motion, clip, cuts.get(number)):
                for variant, values in enumerate(_variants(part, speeds) if split == "train" else [features.to_features(part)]):
                    pieces += [Piece(first + a, b - a, clip.label, split, clip.name, variant) for a, b in stretches(values)]
                    blocks.append(values.astype(np.float32))
                    first += len(values)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "windows.npy") as temporary, open(temporary, "wb") as file:
        np.save(file, np.concatenate(blocks))
    with atomic_path(index) as temporary:
        temporary.write_text(json.dumps({"key": key, "pieces": [vars(p) for p in pieces]}))
    return Windows(np.load(folder / "windows.npy", mmap_mode="r"), pieces)


def validation(corpus: Corpus) -> dict[int, int]:
    """Where training clips are cut, by number: what comes after is neither trained on nor tested on, but says when to stop.

    The last third of a label's longest clips, until HELD_SHARE of its training time; never a clip of which there are copies.
    """
    out = {}
    for label in corpus.labels:
        rows = [n for n, c in enumerate(corpus.clips) if c.label == label and c.split == "train"]
        groups = [corpus.clips[n].group for n in rows]
        left = HELD_SHARE * sum(corpus.clips[n].frames for n in rows)
        for number in sorted(rows, key=lambda n: -corpus.clips[n].frames):
            clip = corpus.clips[number]
            most = clip.frames // 3
            if left <= 0 or most < HELD_S * features.RATE_HZ or groups.count(clip.group) > 1:
                continue
            held = int(min(most, max(left, HELD_S * features.RATE_HZ)))
            out[number], left = clip.frames - held, left - held
    return out


def _parts(motion, clip, cut: int | None):
    """The clip with its split, or its two parts where it is cut for validation."""
    return [(clip.split, motion)] if cut is None else [("train", motion.part(0, cut)), ("val", motion.part(cut))]


def stretches(values: np.ndarray) -> list[tuple[int, int]]:
    """Stretches (first, past) of features (T, SIZE) between frames whose heading jumps.

    Nobody turns that fast: it is a flipped pelvis in the file, or a body that passes through upside down.
    """
    jumps = np.flatnonzero(np.abs(values[:, features.SPEED][:, 2]) > TURN_RAD_S)
    edges = np.r_[0, jumps, len(values)]
    found = [(a + (a in jumps), b) for a, b in pairwise(edges.tolist())]
    return [(a, b) for a, b in found if b - a > 2] or [(0, min(2, len(values)))]


def _variants(motion, speeds):
    """Features at each speed, then the same mirrored."""
    plain = [features.to_features(motion if s == 1 else features.faster(motion, s)) for s in speeds]
    return [*plain, *(features.mirrored(values) for values in plain)]


def _key(corpora: list[Corpus], speeds) -> str:
    parts = [f"{VERSION} {speeds} {WINDOW}"]
    for corpus in corpora:
        parts += [repr(corpus.clips), hashlib.sha256(np.ascontiguousarray(corpus.root_pos_m)).hexdigest(),
                  hashlib.sha256(np.ascontiguousarray(corpus.local_quat_wxyz)).hexdigest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
