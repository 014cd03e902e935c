"""One training of the shape-and-posture network in a folder: recipe.json, log.jsonl, checkpoint.pt, sheet.png, weights.safetensors."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from mrs import progress
from mrs.appearance import recipe as recipes
from mrs.appearance import sources, train, weights
from mrs.errors import InputError, UsageError
from mrs.npz import atomic_path

RECIPE = "recipe.json"


def session(data: tuple[str, ...], out: Path, recipe: recipes.Recipe | None, *, start: Path | str | None = None, minutes: float | None = None,
            person: str = "largest", device: str = "cpu", shown: progress.Silent | None = None, stop_at: int | None = None) -> Path:
    """Train and return the path of the weights; without a recipe, go on where the training in `out` stopped, exactly.

    `start` are weights to begin with; the recipe's network must be theirs.
    """
    shown = shown or progress.Silent()
    resume = recipe is None
    told = _take_up(out) if resume else _begin(out, recipe, data, start, minutes, person)
    recipe = recipes.make(told["recipe"], f"in {out / RECIPE}")
    first = weights.load(told["start"]) if told["start"] and not resume else None
    if first is not None and first.net.shape != recipe.shape():
        raise UsageError(f"Expected a recipe for the network in {told['start']}, but its sizes differ: {_apart(first.net.shape, recipe.shape())}.")
    with shown.step("pictures", None) as update:
        found = sources.open_sources(tuple(told["data"]), recipe, device=device, person=told["person"], shown=lambda done, total=None: update(done))
    if not resume:
        _keep_recipe(out, told)
    seconds = 60 * told["minutes"] if told["minutes"] else None
    trainer = train.Trainer(recipe, found.train, device, seconds, first.net.state_dict() if first else None)
    if resume:
        trainer.restore(weights.load_state(out / train.CHECKPOINT))
    facts = {"data": [str(d) for d in told["data"]], "notes": list(found.notes)}
    return _ran(trainer, found, out, facts, shown, stop_at, resume)


def _ran(trainer, found, out: Path, facts: dict, shown, stop_at, resume: bool) -> Path:
    with open(out / train.LOG, "a" if resume else "w", encoding="utf-8") as log, shown.step("shape-pose", trainer.recipe.iterations, "iterations") as update:
        def tell(numbers: dict) -> None:
            log.write(json.dumps(numbers) + "\n")
            log.flush()
            update(numbers["iteration"])

        return train.run(trainer, out, tell, held=found.held, facts=facts, stop_at=stop_at)


def _begin(out: Path, recipe: recipes.Recipe, data, start, minutes, person) -> dict:
    if (out / train.CHECKPOINT).is_file():
        raise UsageError(f"Expected a new folder, but {out} holds a training. Add --resume, or choose another --out.")
    return {"recipe": {**dataclasses.asdict(recipe), "channels": list(recipe.channels)}, "data": list(data),
            "start": None if start is None else str(start), "minutes": minutes, "person": person}


def _keep_recipe(out: Path, told: dict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with atomic_path(out / RECIPE) as temporary:
        temporary.write_text(json.dumps(told, indent=1))


def _take_up(out: Path) -> dict:
    path = out / RECIPE
    try:
        told = json.loads(path.read_text())
        return {name: told[name] for name in ("recipe", "data", "start", "minutes", "person")}
    except FileNotFoundError:
        raise InputError(f"Expected a training in {out} to go on with, but there is none. Type the same without --resume.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"Expected the recipe of a training in {path}, but it can't be read: {error}.") from None


def _apart(a, b) -> str:
    return ", ".join(f"{f.name} {getattr(a, f.name)} and {getattr(b, f.name)}" for f in dataclasses.fields(a) if getattr(a, f.name) != getattr(b, f.name))
