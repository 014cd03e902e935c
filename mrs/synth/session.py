"""One training from corpora to weights in a run folder: cVAE, then flow, with logs, checkpoints and exact resume.

RUN holds recipe.json, cache/ (windows, built once), log.jsonl, checkpoint.pt and best.pt of the cVAE, flow.pt, and at last
weights.npz, which is what other commands read.
"""

from __future__ import annotations

import dataclasses
import json
from contextlib import contextmanager
from pathlib import Path

import torch

from mrs import progress
from mrs.errors import InputError, UsageError
from mrs.synth import checks, flow, train, weights, windows
from mrs.synth.corpus import Corpus
from mrs.synth.recipe import Recipe, make

# what a recipe.json that does not name these was trained with
BEFORE = {"rolled": 1, "beside": 0.3334, "half": 0, "seen": 0}
RECIPE, LOG, WEIGHTS, FLOW = "recipe.json", "log.jsonl", "weights.npz", "flow.pt"


def session(corpora: list[Corpus], out: Path, recipe: Recipe, *, resume: bool = False, flow_only: bool = False,
            begin: Path | None = None, device: str = "cpu", shown: progress.Silent | None = None, facts: dict | None = None) -> Path:
    """Train and return the path of the weights; `begin` is a training whose networks this one begins with."""
    shown = shown or progress.Silent()
    recipe = _recipe(out, recipe, resume or flow_only)
    out.mkdir(parents=True, exist_ok=True)
    with shown.step("windows", None):
        data = windows.build(corpora, out / "cache")
    with _log(out, resume or flow_only) as tell:
        model = _trained(out, recipe, data, device, flow_only, resume, shown, tell, begin)
        found = _flow(out, recipe, data, model, resume and not flow_only, shown, tell)
    header = {"recipe": dataclasses.asdict(recipe), "labels": data.labels, "torch": torch.__version__, **(facts or {})}
    weights.save(out / WEIGHTS, model, found, header)
    return out / WEIGHTS


def _recipe(out: Path, recipe: Recipe, again: bool) -> Recipe:
    """Write the recipe, or take the one that the run began with."""
    path = out / RECIPE
    if again:
        if not path.is_file():
            raise InputError(f"Expected a training in {out} to go on with, but there is none. Type the same without --resume.")
        return make({**BEFORE, **json.loads(path.read_text())}, f"in {path}")
    if (out / train.CHECKPOINT).is_file():
        raise UsageError(f"Expected a new folder, but {out} holds a training. Add --resume, or choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(recipe), indent=1))
    return recipe


def _trained(out, recipe, data, device, flow_only, resume, shown, tell, begin):
    """Train the cVAE, or read the best one of a training that is over; its networks come back on the CPU."""
    trainer = train.Trainer(recipe, data, device)
    if begin is not None:
        trainer.begin(train.load(best_of(begin)))
    if resume and not flow_only:
        state = train.load(out / train.CHECKPOINT)
        trainer.restore(state)
    if not flow_only and trainer.iteration < recipe.iterations:
        check = checks.Check(data, recipe.seed, recipe.classifier_iterations) if _checkable(data) else None
        with shown.step("cVAE", recipe.iterations, "iterations") as update:
            train.run(trainer, out, check, _both(tell, update))
    trainer.restore(train.load(best_of(out)))
    return trainer.model.to("cpu").eval()


def best_of(run: Path) -> Path:
    """The checkpoint that a training's weights are made from."""
    best = run / "best.pt"
    return best if best.is_file() else run / train.CHECKPOINT


def _checkable(data) -> bool:
    """Whether two labels have windows for validation, so that transfer can be looked at while training."""
    return len({p.label for p in data.of("val", plain=True)}) > 1


def _flow(out, recipe, data, model, resume, shown, tell):
    trainer = flow.FlowTrainer(recipe, data, model)
    path = out / FLOW
    if resume and path.is_file():
        trainer.restore(train.load(path))
    with shown.step("flow", recipe.flow_iterations, "iterations") as update:
        losses = []
        while trainer.iteration < recipe.flow_iterations:
            losses.append(trainer.step()["nll_nats"])
            if trainer.iteration % 50 == 0 or trainer.iteration == recipe.flow_iterations:
                _both(tell, update)({"iteration": trainer.iteration, "flow_nll_nats": sum(losses) / len(losses)})
                losses = []
            if trainer.iteration % 500 == 0:
                train.save(path, {"format": train.FORMAT, **trainer.state()})
    train.save(path, {"format": train.FORMAT, **trainer.state()})
    return trainer.flow.eval()


def _both(tell, update):
    def told(numbers: dict) -> None:
        tell(numbers)
        update(numbers["iteration"])

    return told


@contextmanager
def _log(out: Path, again: bool):
    """Append numbers to log.jsonl, and to TensorBoard where it is installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter

        board = SummaryWriter(str(out / "tensorboard"))
    except ImportError:
        board = None
    with open(out / LOG, "a" if again else "w", encoding="utf-8") as file:
        def tell(numbers: dict) -> None:
            file.write(json.dumps(numbers) + "\n")
            file.flush()
            for name, value in numbers.items() if board else ():
                board.add_scalar(name, value, numbers["iteration"])

        yield tell
    if board:
        board.close()
