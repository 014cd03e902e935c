"""Train the shape-and-posture network on any source of pictures. Resumes exactly, and never waits for the device within a step.

`python -m mrs.appearance.train` is the small door for machines that have torch and NumPy alone; `mrs train shape-pose` is the other.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch

from mrs.appearance import features, inputs, losses, measures, network, precision, sheets, weights
from mrs.appearance.people import Batch
from mrs.appearance.recipe import Recipe

CHECKPOINT, LOG, SHEET = "checkpoint.pt", "log.jsonl", "sheet.png"


def looks_of(recipe: Recipe, picture: torch.Tensor, joints: torch.Tensor) -> torch.Tensor:
    """The appearance input of a picture: its parts, or the picture itself."""
    if recipe.looks == "picture":
        return picture
    return inputs.part_patches(picture, joints, recipe.parts_px, recipe.five_points)


class Trainer:
    """Everything a training holds; :meth:`state` and :meth:`restore` are exact.

    `source` has batch(count) -> Batch, state() and restore(state). `seconds` ends a training by the clock, which the learning rate
    then follows; `half` is whether to use half precision where that is quick, on GPUs unless told.
    """

    def __init__(self, recipe: Recipe, source, device: str = "cpu", seconds: float | None = None, start: dict | None = None,
                 half: bool | None = None):
        torch.manual_seed(recipe.seed)
        self.recipe, self.source, self.device, self.seconds = recipe, source, device, seconds
        self.half = device.startswith("cuda") if half is None else half
        shape = recipe.shape()
        self.net = network.ShapePoseNet(shape, recipe.dropout)
        if start is not None:
            self.net.load_state_dict(start)
        self.net = self.net.to(device, memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.regressor = network.PostureRegressor(shape).to(device)
        self.distance = features.choose(recipe.vgg or None, device)
        fused = {"fused": True} if device.startswith("cuda") else {}
        betas = (recipe.beta1, recipe.beta2)
        self.optimisers = {"net": torch.optim.Adam(self.net.parameters(), lr=recipe.lr, betas=betas, **fused),
                           "regressor": torch.optim.Adam(self.regressor.parameters(), lr=recipe.regressor_lr, **fused)}
        self.gamma = torch.tensor(recipe.gamma, device=device)
        self.mean, self.spread = torch.full((2,), 0.5, device=device), torch.full((2,), 0.2, device=device)
        self.iteration, self.spent_s = 0, 0.0

    @property
    def done(self) -> float:
        """The share of the training that is over."""
        by_count = self.iteration / max(self.recipe.iterations, 1)
        return by_count if self.seconds is None else max(self.spent_s / self.seconds, by_count)

    def amp(self):
        """The precision that networks run in."""
        return precision.half(self.device) if self.half else nullcontext()

    def step(self) -> dict[str, torch.Tensor]:
        """One iteration: the regressor on detached latents, then the network against it, frozen. Numbers stay on the device."""
        r, batch = self.recipe, self.source.batch(self.recipe.batch)
        with torch.no_grad():
            stick = inputs.stick_figure(batch.joints, r.size_px, r.stick_px).contiguous(memory_format=torch.channels_last)
            looks = looks_of(r, batch.looks, batch.looks_joints).contiguous(memory_format=torch.channels_last)
        with self.amp():
            posterior = self.net.encode(looks)
            latents = network.sample(posterior)
            picture, share = self.net.draw(stick, latents)
        numbers = {"regressor": self._train_regressor([z.detach() for z in latents], batch)}
        terms, kl = self._terms(batch, posterior, latents, picture, share)
        self._update(sum(terms.values()))
        self.gamma = losses.raised(self.gamma, kl, r.cap_nats, r.gamma_rate, r.published)
        self.iteration += 1
        return numbers | {name: value.detach() for name, value in terms.items()} | {"kl_nats": kl, "gamma": self.gamma}

    def _terms(self, batch: Batch, posterior, latents, picture, share):
        """Every weighted term of the network's loss, and the KL in nats."""
        r = self.recipe
        merged = network.merged(picture, share, batch.plate)
        kl = losses.kl_nats(posterior)
        terms = {"look": r.look_weight * self.distance(merged, batch.picture), "kl": self.gamma * kl}
        if share is not None and batch.mask is not None and r.mask_weight > 0:
            terms["mask"] = r.mask_weight * losses.mask_error(share, batch.mask, batch.mask_known)
        if r.regressor_weight > 0:
            seen = [z.detach() for z in latents] if r.published else latents
            self.regressor.requires_grad_(False)
            error = self._posture_error(seen, batch)
            self.regressor.requires_grad_(True)
            terms["hide"] = -r.regressor_weight * error.clamp(max=r.regressor_clamp)
        return terms, kl.detach()

    def _posture_error(self, latents, batch: Batch) -> torch.Tensor:
        return losses.posture_error(self.regressor(latents), batch.looks_joints, self.mean, self.spread)

    def _train_regressor(self, latents, batch: Batch) -> torch.Tensor:
        error = torch.zeros((), device=self.device)
        for _ in range(self.recipe.regressor_steps if self.recipe.regressor_weight > 0 else 0):
            error = self._posture_error(latents, batch)
            self.optimisers["regressor"].zero_grad(set_to_none=True)
            error.backward()
            self.optimisers["regressor"].step()
        return error.detach()

    def _update(self, total: torch.Tensor) -> None:
        optimiser = self.optimisers["net"]
        for group in optimiser.param_groups:
            group["lr"] = self._lr()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        if not self.recipe.published:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        optimiser.step()
        keep = min(self.recipe.average, (1 + self.iteration) / (10 + self.iteration))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.net.parameters()), 1 - keep)

    def _lr(self) -> float:
        """Linear to zero as published; else up over 100 iterations and down along a cosine to `lr_last` of it."""
        done = min(self.done, 1.0)
        if self.recipe.published:
            return self.recipe.lr * (1 - done)
        last = self.recipe.lr_last
        return self.recipe.lr * min(1.0, (self.iteration + 1) / 100) * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * done)))

    def state(self) -> dict:
        """Everything that the next iteration depends on, as tensors and plain values."""
        recipe = dataclasses.asdict(self.recipe)
        return {"recipe": {**recipe, "channels": list(recipe["channels"])}, "iteration": self.iteration, "spent_s": self.spent_s,
                "gamma": self.gamma, "torch": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state() if self.device.startswith("cuda") else None, "source": self.source.state(),
                "networks": {name: getattr(self, name).state_dict() for name in ("net", "averaged", "regressor")},
                "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()}}

    def restore(self, state: dict) -> None:
        """Take up what :meth:`state` said."""
        for name, values in state["networks"].items():
            getattr(self, name).load_state_dict(values)
        for name, values in state["optimisers"].items():
            self.optimisers[name].load_state_dict(values)
        self.iteration, self.spent_s = state["iteration"], state["spent_s"]
        self.gamma = state["gamma"].to(self.device)
        self.source.restore(state["source"])
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] is not None and self.device.startswith("cuda"):
            torch.cuda.set_rng_state(state["cuda"].cpu())


@torch.no_grad()
def drawn(net: network.ShapePoseNet, recipe: Recipe, batch: Batch, amp=nullcontext) -> tuple[torch.Tensor, torch.Tensor]:
    """The batch's pictures by the middle of their posteriors, over the batch's plates; and the stick figures."""
    stick = inputs.stick_figure(batch.joints, recipe.size_px, recipe.stick_px)
    with amp():
        latents = network.means(net.encode(looks_of(recipe, batch.looks, batch.looks_joints)))
        picture, share = net.draw(stick.contiguous(memory_format=torch.channels_last), latents)
    return network.merged(picture, share, batch.plate).clamp(-1, 1), stick


def check(trainer: Trainer, held, out: Path | None, count: int = 64) -> dict[str, float]:
    """Measure the averaged network on held-out pictures, and write a sheet of them: looks, stick figure, drawn, true."""
    before = held.state()
    batch = held.batch(count)
    held.restore(before)
    picture, stick = drawn(trainer.averaged, trainer.recipe, batch, trainer.amp)
    area = measures.box_area(batch.mask) if batch.mask is not None else None
    numbers = {"held_l1": float((picture - batch.picture).abs().mean() / 2), "held_ssim": float(measures.ssim(picture, batch.picture, area).mean()),
               "copied_ssim": float(measures.ssim(batch.looks, batch.picture, area).mean()), "held_psnr_db": float(measures.psnr_db(picture, batch.picture, area).mean())}
    if batch.parts is not None:
        numbers["held_part_colour"] = measures.part_colour_error(picture, batch.picture, batch.parts)["all"]
    if out is not None:
        rows = [sheets.to_bytes(v[: min(count, 16)]) for v in (batch.looks, stick, picture, batch.picture)]
        sheets.write_png(out / SHEET, sheets.sheet(rows))
    return numbers


def run(trainer: Trainer, out: Path, tell: Callable[[dict], None], *, held=None, checkpoint: Path | None = None,
        keep_every_s: float = 30.0, told_every: int = 50, facts: dict | None = None, stop_at: int | None = None) -> Path:
    """Train to the recipe's last iteration or the trainer's seconds; return the path of the averaged weights.

    Every `keep_every_s` seconds the weights (OUT/weights.safetensors), the checkpoint and, with `held`, a sheet are written.
    """
    checkpoint = checkpoint or out / CHECKPOINT
    sums, count, last, kept = {}, 0, time.monotonic(), time.monotonic()
    end = min(trainer.recipe.iterations, stop_at or trainer.recipe.iterations)
    while trainer.iteration < end and trainer.done < 1:
        for name, value in trainer.step().items():
            sums[name] = sums[name] + value if name in sums else value.clone()
        count += 1
        now = time.monotonic()
        trainer.spent_s, last = trainer.spent_s + now - last, now
        if trainer.iteration % told_every == 0 or trainer.iteration == end:
            values = torch.stack([v.float() for v in sums.values()]).tolist()
            tell({"iteration": trainer.iteration, "spent_s": round(trainer.spent_s, 1), **{n: v / count for n, v in zip(sums, values, strict=True)}})
            sums, count = {}, 0
        if now - kept > keep_every_s:
            _keep(trainer, out, checkpoint, held, tell, facts)
            kept = time.monotonic()
    _keep(trainer, out, checkpoint, held, tell, facts)
    return out / weights.FILE


def _keep(trainer: Trainer, out: Path, checkpoint: Path, held, tell, facts) -> None:
    recipe = trainer.state()["recipe"]
    weights.save(out / weights.FILE, trainer.averaged, {"recipe": recipe, "iterations": trainer.iteration, "torch": torch.__version__, **(facts or {})})
    weights.save_state(checkpoint, trainer.state())
    if held is not None:
        tell({"iteration": trainer.iteration, **check(trainer, held, out, trainer.recipe.checked)})


def main(arguments: list[str] | None = None) -> None:
    """Train on synthetic people by the clock."""
    import argparse

    from mrs.appearance import people, recipe

    parser = argparse.ArgumentParser(prog="python -m mrs.appearance.train")
    parser.add_argument("--data", required=True, help="people:POSES.npz")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, help="where the checkpoint goes [OUT/checkpoint.pt]")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--points", type=int, default=1 << 16, help="points a body is made of")
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args(arguments)
    made = recipe.make({"iterations": 10**9, "batch": given.batch, "lr": given.lr, **dict(pair.split("=", 1) for pair in given.set)})
    given.out.mkdir(parents=True, exist_ok=True)
    if given.device.startswith("cuda"):
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    path = given.data.removeprefix("people:")
    source = people.People(path, made.size_px, given.device, made.seed, "train", points=given.points, pair_share=made.pair_share)
    held = people.People(path, made.size_px, given.device, 7, "test", points=given.points, pair_share=1.0)
    trainer = Trainer(made, source, given.device, 60 * given.minutes)
    if given.resume:
        trainer.restore(weights.load_state(given.checkpoint or given.out / CHECKPOINT))
    with open(given.out / LOG, "a", encoding="utf-8") as file:
        def tell(numbers: dict) -> None:
            line = json.dumps({name: round(value, 7) for name, value in numbers.items()})
            file.write(line + "\n")
            file.flush()
            print(line, flush=True)

        facts = {"data": "people rendered from the embedded body", "licence": "Apache-2.0"}
        run(trainer, given.out, tell, held=held, checkpoint=given.checkpoint, facts=facts)


if __name__ == "__main__":
    main()
