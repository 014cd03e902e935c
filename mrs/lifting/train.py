"""Train the encoder: films by the batch, no step waits for the device, checkpoints from which training goes on exactly.

    python -m mrs.lifting.train --data CORPUS [--bank BANK] --out RUN [--device cuda] [--minutes M | --steps N] [--resume]

is what `mrs train hmr` runs; it needs no more than torch and numpy (and pluggy, which `mrs` imports).
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import math
import os
import shutil
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch

from mrs.errors import InputError, UsageError
from mrs.lifting import corpus, measure
from mrs.lifting.detections import Detected
from mrs.lifting.dice import Dice
from mrs.lifting.encoder import Encoder, Said, Size
from mrs.lifting.figure import Figure
from mrs.lifting.films import Films, Studio
from mrs.lifting.points import POINTS
from mrs.lifting.poses import Mix

FORMAT = "mrs-lifter-1"
CHECKPOINT, BEST, LOG, RECIPE = "checkpoint.pt", "weights.pt", "log.jsonl", "recipe.json"
TERMS = ("joints", "rotation", "velocity", "flat", "betas", "feet", "sure")


@dataclass(frozen=True)
class Recipe:
    """How to train. Of `steps` and `minutes` one says when to stop and how the learning rate falls.

    `relu` is the kind of head: in small batches nine in ten of HMR's units die while the first steps seek the mean pose, and SPIN's
    head, which is linear, learns twice as fast; in batches of 1,024 both work. `only` trains the layers whose names begin so.
    """

    batch: int = 256
    reel: int = 1024
    rate: float = 1e-3
    last_rate: float = 1e-5
    decay: float = 0.01
    warm_steps: int = 200
    clip: float = 1.0
    ema: float = 0.999
    seed: int = 0
    steps: int = 0
    minutes: float = 0.0
    width: int = 320
    hidden: int = 896
    code: int = 256
    rotation: float = 0.1
    velocity: float = 2.0
    flat: float = 0.5
    betas: float = 0.01
    feet: float = 0.05
    sure: float = 0.02
    real: float = 0.12
    relu: bool = False
    only: str = ""
    graph: bool = True


def losses(said: Said, films: Films, figure: Figure, recipe: Recipe) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the sum and its terms (metres and their like), as tensors on the device."""
    truth, view = films.truth, films.view
    bones = figure.bones_of(said.betas)
    joints = figure.hang(said.turned, bones)
    off = joints - truth.joints_m
    away = off.norm(dim=-1)
    weight = figure.say
    moved = off @ view.turn
    moved = (moved[:, 1:] - moved[:, :-1]).norm(dim=-1)
    marks = figure.landmarks(joints, said.turned, said.betas)[:, :, : len(POINTS)]
    scale = 2 * torch.nn.functional.softplus(said.camera[..., None, :1])
    flat = scale * (marks[..., :2] + said.camera[..., None, 1:])
    true = truth.flat.clamp(-8, 8)
    wide = true.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(0.3)
    terms = {
        "joints": 2 * (away * weight).mean(),
        "rotation": recipe.rotation * ((said.turned - truth.turned) ** 2).sum((-1, -2)).clamp_max(8).mean(),
        "velocity": recipe.velocity * (moved * weight).mean(),
        "flat": recipe.flat * torch.nn.functional.smooth_l1_loss(flat / wide, true / wide, beta=0.1),
        "betas": recipe.betas * ((said.betas - truth.betas) ** 2).mean(),
        "feet": recipe.feet * (_odds(said.contacts, truth.contacts).mean((1, 2)) * truth.feet).mean(),
        "sure": recipe.sure * _odds(said.sure, torch.exp(-((away.detach() / 0.12) ** 2))).mean(),
    }
    return sum(terms.values()), terms


def _odds(said, true):
    return torch.nn.functional.binary_cross_entropy_with_logits(said, true, reduction="none")


class Trainer:
    """Network, its running mean, optimiser and dice: all that a checkpoint holds."""

    def __init__(self, recipe: Recipe, clips: corpus.Clips, device: str, bank: Path | None):
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, torch.device(device)
        self.on_gpu = self.device.type == "cuda"
        self.net = Encoder(self._size(recipe)).to(device)
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(name.startswith(recipe.only))
        self.learning = [p for p in self.net.parameters() if p.requires_grad]
        self.mean = Encoder(self.net.size).to(device).requires_grad_(False)
        self.mean.load_state_dict(self.net.state_dict())
        self.optimiser = torch.optim.AdamW(self.learning, torch.tensor(recipe.rate, device=device) if self.on_gpu else recipe.rate,
                                           weight_decay=recipe.decay, betas=(0.9, 0.99), fused=self.on_gpu, capturable=self.on_gpu)
        self.dice = Dice(device, recipe.seed)
        self.studio = Studio(clips.part(False), device)
        self.detected = None if bank is None else Detected(bank, self.studio)
        self.studio.spoiler.bank = self.detected and self.detected.bank()
        self.figure = self.studio.figure
        self.step_count, self.seconds, self.reel, self.sights, self.taken, self.told = 0, 0.0, None, None, 0, 0
        self.lean = torch.zeros((), device=device)
        self.sums = torch.zeros(len(TERMS), device=device)
        self.graph = self.held = None

    @staticmethod
    def _size(recipe: Recipe) -> Size:
        return Size(width=recipe.width, hidden=recipe.hidden, code=recipe.code, relu=recipe.relu)

    def share(self) -> float:
        """How much of the training is done, 0 to 1."""
        done = self.step_count / self.recipe.steps if self.recipe.steps else self.seconds / (60 * self.recipe.minutes)
        return min(done, 1.0)

    def step(self) -> None:
        """Take one step; nothing here waits for the device."""
        films = self._films()
        if self.on_gpu and self.recipe.graph and self.graph is None:
            self.graph, self.held = self._captured(films)
        self._set_rate()
        if self.graph:
            torch._foreach_copy_(self.held.tensors(), films.tensors())
            self.graph.replay()
        else:
            self._learn(films)
        self.step_count += 1

    def _learn(self, films: Films) -> None:
        """Forward, backward, update: device work alone, the same every time."""
        amp = torch.autocast("cuda", torch.bfloat16, cache_enabled=False) if self.on_gpu else contextlib.nullcontext()
        numbers = measure.numbers_of(films)
        with amp:
            said = self.net(numbers)
        loss, terms = losses(said, films, self.figure, self.recipe)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for parameter in self.learning:
            parameter.grad.nan_to_num_(0.0, 0.0, 0.0)
        torch.nn.utils.clip_grad_norm_(self.learning, self.recipe.clip, foreach=True)
        self.optimiser.step()
        mean, net = list(self.mean.parameters()), [p.detach() for p in self.net.parameters()]
        away = torch._foreach_sub(net, mean)
        torch._foreach_mul_(away, self.lean)
        torch._foreach_add_(mean, away)
        self.sums += torch.stack([terms[name].detach() for name in TERMS])

    def _captured(self, films: Films):
        """Return the step as a CUDA graph and the tensors that it reads; (False, None) where that can't be had.

        The steps that warm it up are undone, so that training does not depend on them.
        """
        held = Films(*(type(part)(*(v.clone() for v in vars(part).values())) for part in vars(films).values()))
        before = [p.detach().clone() for p in (*self.net.parameters(), *self.mean.parameters())]
        kept = copy.deepcopy(self.optimiser.state_dict()["state"])
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self._learn(held)
            torch.cuda.current_stream().wait_stream(side)
            self._undo(before, kept)
            graph = torch.cuda.CUDAGraph()
            self.optimiser.zero_grad(set_to_none=True)
            with torch.cuda.graph(graph):
                self._learn(held)
            return graph, held
        except RuntimeError as error:
            print(f"no CUDA graph: {' '.join(str(error).split())[:300]}", flush=True)
            torch.cuda.synchronize()
            self._undo(before, kept)
            return False, None

    def _undo(self, before, kept) -> None:
        """Set weights and the optimiser's state back, in place."""
        with torch.no_grad():
            for now, old in zip((*self.net.parameters(), *self.mean.parameters()), before, strict=True):
                now.copy_(old)
            for number, state in enumerate(self.optimiser.state.values()):
                for name, value in state.items():
                    value.copy_(kept[number][name]) if number in kept else value.zero_()
            self.sums.zero_()

    def _films(self) -> Films:
        """Take the next batch; films are shot some batches at a time, and some of each batch are real sights."""
        size, real = self.recipe.batch, self._real
        if self.at_reel():
            batches = self.recipe.reel // size
            with torch.no_grad():
                self.reel = self.studio.shoot(self.dice, batches * (size - real), Mix())
                self.sights = self.detected.draw(self.dice, batches * real) if real else None
            self.taken = 0
        at = self.taken // size
        films = self.reel.part(slice(at * (size - real), (at + 1) * (size - real)))
        if real:
            films = films.with_more(self.sights.part(slice(at * real, (at + 1) * real)))
        self.taken += size
        return films

    @property
    def _real(self) -> int:
        """How many windows of a batch are real sights."""
        return round(self.recipe.real * self.recipe.batch) if self.detected is not None else 0

    def _set_rate(self) -> None:
        """Set the learning rate, and how far the running mean leans to the network."""
        r = self.recipe
        warm = min((self.step_count + 1) / r.warm_steps, 1.0)
        rate = warm * (r.last_rate + (r.rate - r.last_rate) * 0.5 * (1 + math.cos(math.pi * self.share())))
        for group in self.optimiser.param_groups:
            if self.on_gpu:
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self.lean.fill_(1 - min(r.ema, (1 + self.step_count) / (10 + self.step_count)))

    def means(self) -> dict[str, float]:
        """Mean of each term since the last call; this waits for the device."""
        steps = max(self.step_count - self.told, 1)
        out = dict(zip(TERMS, (self.sums / steps).tolist(), strict=True))
        self.sums.zero_()
        self.told = self.step_count
        return out

    def state(self) -> dict:
        """All of it; a reel that is half used is shot again from where its dice stood."""
        return {"format": FORMAT, "recipe": asdict(self.recipe), "net": self.net.state_dict(), "mean": self.mean.state_dict(),
                "optimiser": self.optimiser.state_dict(), "dice": self.dice.generator.get_state(), "step": self.step_count,
                "seconds": self.seconds, "size": self.net.facts()}

    def at_reel(self) -> bool:
        """Whether the next step begins a new reel: there training can be cut without a trace."""
        return self.reel is None or self.taken + self.recipe.batch > self.recipe.reel

    def begin_from(self, found: dict) -> None:
        """Begin with the weights of another training of the same size; everything else is new."""
        for net in (self.net, self.mean):
            net.load_state_dict({k: v.float() for k, v in found["net"].items()})

    def restore(self, state: dict) -> None:
        """Go on from a state."""
        self.net.load_state_dict(state["net"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.on_gpu:
            for group in self.optimiser.param_groups:
                group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32).to(self.device)
        self.dice.generator.set_state(state["dice"].cpu())
        self.step_count, self.seconds = state["step"], state["seconds"]
        self.told, self.reel = self.step_count, None


def run(trainer: Trainer, out: Path, test: measure.Test, tell, *, look_s: float = 20.0, until_s: float | None = None,
        publish: Path | None = None) -> None:
    """Train until the recipe's end (or `until_s` seconds from now), with a look and a checkpoint every `look_s` seconds.

    `publish` is a folder that gets the mean weights as float16 and the numbers, small enough to be carried home.
    """
    began, before, last = time.monotonic(), trainer.seconds, time.monotonic()
    while trainer.share() < 1:
        trainer.step()
        if trainer.step_count % 16 == 0 and trainer.on_gpu:
            torch.cuda.synchronize()
        now = time.monotonic()
        trainer.seconds = before + now - began
        stop = until_s is not None and now - began > until_s
        if trainer.at_reel() and (now - last > look_s or stop):
            _look(trainer, out, test, tell, publish)
            last = time.monotonic()
            if stop:
                return
    if trainer.told != trainer.step_count or not (out / BEST).is_file():
        _look(trainer, out, test, tell, publish)


def _look(trainer: Trainer, out: Path, test: measure.Test, tell, publish: Path | None) -> None:
    """Measure on held-out clips, tell, and keep a checkpoint."""
    numbers = {"step": trainer.step_count, "seconds": round(trainer.seconds, 1), "windows": trainer.step_count * trainer.recipe.batch,
               **{k: round(v, 4) for k, v in trainer.means().items()}, **test.measure(trainer.mean)}
    save(out / CHECKPOINT, trainer.state())
    best = {"format": FORMAT, "size": trainer.net.facts(), "recipe": asdict(trainer.recipe), "told": numbers}
    save(out / BEST, best | {"net": trainer.mean.state_dict()})
    tell(numbers)
    if publish is not None:
        publish.mkdir(parents=True, exist_ok=True)
        save(publish / BEST, best | {"net": {k: v.half().cpu() for k, v in trainer.mean.state_dict().items()}})
        shutil.copyfile(out / LOG, publish / LOG)


def save(path: Path, state: dict) -> None:
    """Write in one step, so that there is never half a file."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def load(path: Path, device="cpu") -> dict:
    """Read what :func:`save` wrote; nothing in the file is run."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        if state["format"] != FORMAT:
            raise ValueError(f"its format is {state['format']}")
    except FileNotFoundError:
        raise InputError(f"Expected a checkpoint of mrs train hmr at {path}, but there is none.") from None
    except Exception as error:  # noqa: BLE001 - readers of foreign files raise what they like
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"Expected a checkpoint of mrs train hmr at {path}, but it can't be read: {reason}") from None
    return state


def _weights(path: Path) -> dict:
    """Weights and size of a training's weights.pt, or of a safetensors file such as the one that ships with mrs."""
    if path.suffix != ".safetensors":
        return load(path)
    from mrs.lifting import weights

    net = weights.load(path)[0]
    return {"net": net.state_dict(), "size": net.facts()}


def session(data, out: Path, recipe: Recipe, *, device: str = "cpu", bank: Path | None = None, resume: bool = False, tell=None,
            look_s: float = 20.0, until_s: float | None = None, publish: Path | None = None, start: Path | None = None) -> Path:
    """Train in a run folder and return the path of the weights."""
    out = Path(out)
    state = load(out / CHECKPOINT, "cpu") if resume else None
    begin = None if start is None else _weights(Path(start))
    if state is not None:
        recipe = Recipe(**state["recipe"])
    elif (out / CHECKPOINT).is_file():
        raise UsageError(f"Expected a new folder, but {out} holds a training. Add --resume, or choose another --out.")
    if begin is not None:
        sizes = {name: begin["size"].get(name, True) for name in ("width", "hidden", "code", "relu")}
        recipe = replace(recipe, **sizes)
    if bool(recipe.steps) == bool(recipe.minutes):
        raise UsageError("Expected either --steps or --minutes, which say when to stop.")
    clips = corpus.load(data)
    trainer = Trainer(recipe, clips, device, bank)
    out.mkdir(parents=True, exist_ok=True)
    if state is not None:
        trainer.restore(state)
    elif begin is not None:
        trainer.begin_from(begin)
    (out / RECIPE).write_text(json.dumps(asdict(recipe), indent=1))
    with open(out / LOG, "a" if resume else "w", encoding="utf-8", buffering=1) as log:
        def both(numbers: dict) -> None:
            log.write(json.dumps(numbers) + "\n")
            if tell is not None:
                tell(numbers)

        test = measure.Test(clips.part(True), device, bank=trainer.studio.spoiler.bank)
        run(trainer, out, test, both, look_s=look_s, until_s=until_s, publish=publish)
    return out / BEST


def main(argv=None) -> None:
    """Train from the command line, without click."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--look", type=float, default=20.0)
    parser.add_argument("--publish", type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--eager", action="store_true", help="no CUDA graph")
    for field in fields(Recipe)[:-1]:
        kind = {"action": "store_true"} if field.type == "bool" else {"type": type(field.default), "default": field.default}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **kind)
    args = vars(parser.parse_args(argv))
    recipe = Recipe(**{f.name: args[f.name] for f in fields(Recipe)[:-1]}, graph=not args["eager"])
    path = session(args["data"], args["out"], recipe, device=args["device"], bank=args["bank"], resume=args["resume"],
                   tell=lambda n: print(json.dumps(n), flush=True), look_s=args["look"],
                   publish=args["publish"], start=args["start"])
    print(path, flush=True)


if __name__ == "__main__":
    main()
