"""Where pictures to learn from come from: `people:`, `video:`, `deepfashion:`, `market:` and `h36m:`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs.appearance.recipe import Recipe
from mrs.errors import InputError, UsageError

KINDS = {"people": "a file of poses (mrs data poses), or nothing for T-poses: people rendered from the embedded body",
         "video": "a run folder of mrs (several of one person: repeat --data)", "deepfashion": "the VUNet archive of DeepFashion, unpacked",
         "market": "the VUNet archive of Market-1501, unpacked", "h36m": "Human3.6M, prepared by mrs data h36m"}
KEPT, POINTS = 400, 1 << 16


@dataclass(frozen=True)
class Sources:
    """Batches to learn from and held-out ones to measure with, and lines on what was found."""

    train: object
    held: object
    notes: tuple[str, ...]


def split(data: tuple[str, ...]) -> tuple[str, list[str]]:
    """The kind and the paths of --data KIND:PATH, repeated for video alone."""
    pairs = [text.partition(":") for text in data]
    kinds = {kind for kind, _, _ in pairs}
    if not pairs or len(kinds) > 1 or not kinds <= set(KINDS) or not all(colon for _, colon, _ in pairs):
        known = "; ".join(f"{kind}: {text}" for kind, text in KINDS.items())
        raise UsageError(f"Expected --data KIND:PATH of one kind, but got '{', '.join(data)}'. Kinds are {known}.")
    kind = kinds.pop()
    if kind != "video" and len(pairs) > 1:
        raise UsageError(f"Expected one --data {kind}:PATH, but got {len(pairs)}. Several are for video: alone.")
    return kind, [path for _, _, path in pairs]


def open_sources(data: tuple[str, ...], recipe: Recipe, *, device: str = "cpu", person: str = "largest",
                 shown: Callable[[int, int | None], None] = lambda done, total=None: None) -> Sources:
    """Open what --data names. Raises UsageError or InputError with what to type."""
    kind, paths = split(data)
    if kind == "people":
        return _people(paths[0], recipe, device)
    if kind == "video":
        return _video([Path(p) for p in paths], recipe, device, person, shown)
    _needs_no_plate(recipe, kind)
    return _archive(kind, Path(paths[0]), recipe, device)


def _people(path: str, recipe: Recipe, device: str) -> Sources:
    from mrs.appearance.people import People

    made = {split: People(path or None, recipe.size_px, device, recipe.seed, split, POINTS if recipe.size_px > 64 else POINTS // 8, share)
            for split, share in (("train", recipe.pair_share), ("test", 1.0))}
    return Sources(made["train"], made["test"], (f"{len(made['train'].quats)} poses to learn from, {len(made['test'].quats)} held out",))


def _video(runs: list[Path], recipe: Recipe, device: str, person: str, shown) -> Sources:
    from mrs.appearance import clips, personalise
    from mrs.render.background import background
    from mrs.render.clip import Clip

    parts, notes = {"train": [], "held": []}, []
    for run in runs:
        clip = Clip.of_run(run, person)
        if clip.video is None:
            raise InputError(clip.why)
        behind, lines = background(clip)
        seen = clips.of_clip(clip, behind, round(clips.KEPT_PX_SHARE * recipe.size_px), KEPT, shown)
        learn, held = seen.held_out(clip.motion.fps)
        if not len(held):
            raise InputError(f"Expected more than half a second of person {clip.person} in {run}, but there are {len(seen)} frames.")
        parts["train"].append(seen.at(learn))
        parts["held"].append(seen.at(held))
        notes += [f"{run}: {len(learn)} frames of person {clip.person} to learn from, {len(held)} held out", *lines, *seen.notes]
    made = {name: personalise.pictures_of(_joined(some), recipe, device, recipe.seed, personalise.JITTER if name == "train" else 0.0)
            for name, some in parts.items()}
    return Sources(made["train"], made["held"], tuple(notes))


def _joined(parts: list):
    """The pictures of several clips as those of one."""
    from mrs.appearance.clips import ClipPictures

    return ClipPictures(np.concatenate([p.rows for p in parts]), [q for p in parts for q in p.pictures],
                        np.concatenate([p.facing for p in parts]), np.concatenate([p.squares for p in parts]))


def _needs_no_plate(recipe: Recipe, kind: str) -> None:
    if recipe.alpha:
        raise UsageError(f"Expected alpha: false for {kind}:, whose pictures have no known background, but the recipe says true.")


def _archive(kind: str, path: Path, recipe: Recipe, device: str) -> Sources:
    from mrs.appearance import archives

    if path.suffix == ".npz" or (path / archives.INDEX).is_file():
        index, counts = archives.load(path), {}
    else:
        index, counts = archives.read_h36m(path) if kind == "h36m" else archives.read(path, kind)
    parts = {name: index.part(rows) for name, rows in (("train", index.train), ("test", ~index.train))}
    if not len(parts["train"].paths):
        raise InputError(f"Expected pictures for training in {path}, but all {len(index.paths)} are for testing.")
    held = parts["test"] if len(parts["test"].paths) else parts["train"]
    notes = [", ".join(f"{value} {name}" for name, value in counts.items())] if counts else []
    if held is parts["train"]:
        notes.append("No picture is for testing, so measures are of pictures that are learnt from.")
    return Sources(archives.source(parts["train"], recipe, device, recipe.seed), archives.source(held, recipe, device, recipe.seed + 1, 0.0), tuple(notes))
