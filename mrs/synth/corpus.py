"""A corpus of motions on disk: arrays that are memory-mapped, and an index with labels, people and splits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs.errors import InputError, MrsError
from mrs.motion import Motion
from mrs.npz import atomic_path

SCHEMA_VERSION = 1
INDEX = "index.json"
TEST_SHARE = 0.18
SPLIT_IN_TIME = 0.6
SHORTEST_S = 1.4
SAME = 0.15
DEEPMIMIC = re.compile(r"^(?:sie_)?humanoid3d_(?:long_)?(.*?)(?:_(?:forward|left|right|a))?\d*$")
SAME_LABELS = {"walk": "walking", "run": "running", "jump": "jumping", "zombie": "zombie_walk", "dance_spin": "dance"}


@dataclass(frozen=True)
class Clip:
    """One stretch of motion: `frames` rows from `first` on in the arrays of its corpus."""

    name: str
    label: str
    split: str
    first: int
    frames: int
    person: str | None = None
    group: str = ""


@dataclass(frozen=True)
class Corpus:
    """Clips at RATE_HZ on the ground: root_pos_m (N, 3), local_quat_wxyz (N, 24, 4), contacts (N, 4), betas (clips, 10)."""

    root_pos_m: np.ndarray
    local_quat_wxyz: np.ndarray
    contacts: np.ndarray
    betas: np.ndarray
    clips: tuple[Clip, ...]

    def motion(self, number: int) -> Motion:
        """Return one clip as a Motion."""
        from mrs.body import load_body
        from mrs.synth.features import RATE_HZ

        clip = self.clips[number]
        rows = slice(clip.first, clip.first + clip.frames)
        return load_body().motion(np.arange(clip.frames) / RATE_HZ, np.asarray(self.root_pos_m[rows], float),
                                  np.asarray(self.local_quat_wxyz[rows], float), np.asarray(self.betas[number], float),
                                  contacts=np.asarray(self.contacts[rows], float))

    @property
    def labels(self) -> list[str]:
        """Every label, sorted."""
        return sorted({clip.label for clip in self.clips})


ARRAYS = ("root_pos_m", "local_quat_wxyz", "contacts", "betas")


def load(folder: Path | str) -> Corpus:
    """Open a corpus that :func:`build` wrote; its arrays stay on disk."""
    folder = Path(folder)
    try:
        index = json.loads((folder / INDEX).read_text())
        if index["kind"] != "corpus":
            raise ValueError(f"it holds '{index['kind']}'")
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS}
        clips = tuple(Clip(**clip) for clip in index["clips"])
    except FileNotFoundError as error:
        raise InputError(f"Expected a corpus at {folder}, but there is no {error.filename}. "
                         "Type: mrs data bvh FOLDER -o CORPUS") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"Expected a corpus at {folder}, but it can't be read: {error}. "
                         "Type: mrs data bvh FOLDER -o CORPUS") from None
    if index["schema_version"] > SCHEMA_VERSION:
        raise InputError(f"{folder} was written by a newer mrs (schema {index['schema_version']}). Type: pip install -U mrs")
    if not clips:
        raise InputError(f"Expected clips in the corpus {folder}, but it is empty.")
    return Corpus(**arrays, clips=clips)


@dataclass(frozen=True)
class Source:
    """One file to take in."""

    path: Path
    label: str
    split: str | None = None
    person: str | None = None


def sources(folders: Iterable[Path], suffixes: tuple[str, ...], labels: dict[str, str] | None = None) -> list[Source]:
    """List the motion files below folders, with labels.

    A folder's index.json, a list of {"file", "action" or "label", "split", "person"}, comes first; then `labels` by file
    stem, then the names of DeepMimic's clips, then the folder below the one given, then the file's name without numbers.
    """
    found = []
    for folder in map(Path, folders):
        if not folder.exists():
            raise InputError(f"Expected a folder of motions at {folder}, but there is none.")
        listed = _listed(folder)
        files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes)
        for path in files:
            entry = listed.get(path.name, {})
            label = (labels or {}).get(path.stem) or entry.get("label") or entry.get("action") or _label(path, folder)
            found.append(Source(path, label, entry.get("split"), entry.get("person")))
    if not found:
        raise InputError(f"Expected files that end in {', '.join(suffixes)} in {', '.join(map(str, folders))}, but there are none.")
    return found


def _listed(folder: Path) -> dict[str, dict]:
    path = folder / INDEX
    if not path.is_file():
        return {}
    try:
        rows = json.loads(path.read_text())
        return {row["file"]: row for row in rows}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"Expected a list of {{file, label, split}} in {path}, but it can't be read: {error}.") from None


def _label(path: Path, folder: Path) -> str:
    named = DEEPMIMIC.match(path.stem)
    if named:
        return SAME_LABELS.get(named[1].rstrip("_0123456789"), named[1].rstrip("_0123456789"))
    below = path.relative_to(folder).parts if folder.is_dir() else (path.name,)
    if len(below) > 1:
        return below[0].lower()
    return re.sub(r"[_\- ]*\d+$", "", re.sub(r"^(?:train|test|val)_", "", path.stem)).lower() or path.stem


def build(files: list[Source], out: Path, read: Callable[[Path], Motion], tell: Callable[[str], None] = print) -> Corpus:
    """Read every file, bring it to the 24-joint skeleton at RATE_HZ, choose splits, and write the corpus.

    A file that can't be read is told and left out. Raises InputError where nothing is left.
    """
    from mrs.synth.features import mended, prepared

    kept, motions = [], []
    for source in files:
        try:
            motion = prepared(mended(prepared(read(source.path), str(source.path))))
        except MrsError as error:
            tell(f"{source.path} was left out: {error}")
            continue
        if len(motion) < 3:
            tell(f"{source.path} was left out: it has {len(motion)} frames at 30 a second.")
            continue
        kept.append(source)
        motions.append(motion)
    if not kept:
        raise InputError(f"Expected motions for {out}, but none of {len(files)} files could be read.")
    return write(out, motions, _split(kept, motions, groups(motions), tell))


def write(out: Path, motions: list[Motion], clips: list[Clip]) -> Corpus:
    """Write arrays and, last, the index."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    arrays = {"root_pos_m": np.concatenate([m.root_pos_m for m in motions]).astype(np.float32),
              "local_quat_wxyz": np.concatenate([m.local_quat_wxyz for m in motions]).astype(np.float32),
              "contacts": np.concatenate([m.contacts for m in motions]).astype(np.float32)}
    starts = np.r_[0, np.cumsum([len(m) for m in motions])]
    clips = [Clip(**{**vars(clip), "first": int(starts[number] + clip.first)}) for number, clip in clips]
    arrays["betas"] = np.stack([motions[int(np.searchsorted(starts, c.first, "right")) - 1].betas for c in clips])
    for name, values in arrays.items():
        with atomic_path(out / f"{name}.npy") as temporary, open(temporary, "wb") as file:
            np.save(file, values)
    from mrs.synth.features import RATE_HZ

    index = {"schema_version": SCHEMA_VERSION, "kind": "corpus", "rate_hz": RATE_HZ, "clips": [vars(c) for c in clips]}
    with atomic_path(out / INDEX) as temporary:
        temporary.write_text(json.dumps(index, indent=1))
    return load(out)


def groups(motions: list[Motion]) -> list[int]:
    """Number takes: clips of one length that are the same motion, or mirrored, are one take.

    Same is what differs by less than SAME, on the mean over time, in that number of the joints' 6D that differs most.
    """
    from mrs.synth.features import mirrored, to_features

    by_length: dict[int, list[int]] = {}
    out = list(range(len(motions)))
    seen = {}
    for number, motion in enumerate(motions):
        for other in by_length.setdefault(len(motion), []):
            for row in (number, other):
                if row not in seen:
                    seen[row] = to_features(motions[row])[:, 7:145]
            flipped = mirrored(np.pad(seen[number], ((0, 0), (7, 7))))[:, 7:145]
            if min(np.abs(seen[other] - own).mean(0).max() for own in (seen[number], flipped)) < SAME:
                out[number] = out[other]
                break
        by_length[len(motion)].append(number)
    return out


def _split(files: list[Source], motions: list[Motion], takes: list[int], tell) -> list[tuple[int, Clip]]:
    """Choose what is held out: what the index says, and then each label's last takes until TEST_SHARE of its time.

    A label of one take is cut in time, SPLIT_IN_TIME for training, where both parts are long enough.
    """
    split = [f.split if f.split in ("train", "test") else None for f in files]
    for label in sorted({f.label for f in files}):
        rows = [row for row, f in enumerate(files) if f.label == label]
        held = sum(len(motions[r]) for r in rows if split[r] == "test")
        total = sum(len(motions[r]) for r in rows)
        for take in sorted({takes[r] for r in rows}, reverse=True):
            same = [r for r in rows if takes[r] == take]
            others = [r for r in rows if split[r] != "test" and r not in same]
            if held >= TEST_SHARE * total or not others or any(split[r] == "test" for r in same):
                continue
            held += sum(len(motions[r]) for r in same)
            for row in same:
                split[row] = "test"
        if held == 0:
            tell(f"The label '{label}' has one take only; it is cut in time where it is long enough.")
    return [(row, clip) for row, f in enumerate(files)
            for clip in _clips(f, len(motions[row]), split, files, row, takes[row])]


def _clips(source: Source, frames: int, split: list[str | None], files: list[Source], row: int, take: int) -> list[Clip]:
    """Return the clip, or its two parts where its label has no other take."""
    from mrs.synth.features import RATE_HZ

    facts = {"label": source.label, "person": source.person, "group": f"{take}"}
    ours = [s or "train" for s, f in zip(split, files, strict=True) if f.label == source.label]
    if len(set(ours)) > 1:
        return [Clip(source.path.stem, split=split[row] or "train", first=0, frames=frames, **facts)]
    cut = int(frames * SPLIT_IN_TIME)
    if frames - cut < SHORTEST_S * RATE_HZ or len(ours) > 1:
        return [Clip(source.path.stem, split="train", first=0, frames=frames, **facts)]
    return [Clip(f"{source.path.stem}:a", split="train", first=0, frames=cut, **facts),
            Clip(f"{source.path.stem}:b", split="test", first=cut, frames=frames - cut, **facts)]
