"""Train the behaviour model: stage 1, the cVAE. Resumes exactly; writes its log as JSON lines."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from mrs.errors import InputError
from mrs.npz import atomic_path
from mrs.synth import losses, networks
from mrs.synth.features import CONTACT, POSE_SIZE, RATE_HZ, STATE_SIZE
from mrs.synth.kinematics import Skeleton, steps_m
from mrs.synth.recipe import Recipe
from mrs.synth.windows import WINDOW, Windows

FORMAT = "mrs-bds-2"
CHECKPOINT = "checkpoint.pt"
TOLERANCE = 0.05
SEEN_WINDOWS, CONTACT_M = 6000, 0.03


class Trainer:
    """Everything a training holds; :meth:`state` and :meth:`restore` are exact."""

    def __init__(self, recipe: Recipe, windows: Windows, device: str = "cpu"):
        torch.manual_seed(recipe.seed)
        self.recipe, self.windows, self.device = recipe, windows, device
        self.rng = np.random.default_rng(recipe.seed)
        shape = networks.Shape(recipe.latent, recipe.width, recipe.cell, recipe.halflife_s, WINDOW, seen=recipe.seen)
        self.model = networks.BehaviourNet(shape, windows.statistics()).to(device)
        self.probe = networks.PostureProbe(shape).to(device)
        self.critic = networks.Critic().to(device)
        self.draw = windows.draw()
        self.skeleton = Skeleton(device)
        self.weights = losses.reach_weights().to(device)
        if recipe.seen:
            self._see()
        seen = self.skeleton.joints(torch.as_tensor(windows.take(self.draw.rows(np.random.default_rng(0), 4000))[:, 1]).to(device))
        seen = (seen[:, 1:] - seen[:, :1]).flatten(1)
        self.posture_mean, self.posture_m = seen.mean(0), float((seen - seen.mean(0)).square().mean().sqrt())
        self.optimisers = {
            "model": torch.optim.Adam(self.model.parameters(), lr=recipe.lr, fused=True),
            "probe": torch.optim.Adam(self.probe.parameters(), lr=1e-3, fused=True),
            "critic": torch.optim.Adam(self.critic.parameters(), lr=recipe.critic_lr, betas=(0.5, 0.9), fused=True)}
        ramp = torch.clamp(torch.arange(WINDOW + 1) / RATE_HZ / 0.4, max=1.0)
        self.share = (recipe.early_share + (1 - recipe.early_share) * ramp).to(device)
        self.gamma, self.iteration = recipe.gamma, 0
        self.best, self.since_best = None, 0

    def _see(self) -> None:
        """Let a linear encoder begin with the principal components of training windows, features counting as in the loss."""
        count = min(SEEN_WINDOWS, int(self.draw.starts.sum()))
        seen = self.windows.take(self.draw.rows(np.random.default_rng(0), count))[:, 1:]
        model, moves = self.model, 10**0.5
        scale = torch.cat([moves * self.weights[:POSE_SIZE] * model.step[:POSE_SIZE],
                           self.weights[POSE_SIZE:] * model.std[POSE_SIZE:STATE_SIZE], model.std.new_full((4,), CONTACT_M)])
        model.encoder.start(model.steps(torch.as_tensor(seen).to(self.device)), scale)

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Windows with the frame before them (B, WINDOW + 2, SIZE), start frames and the frames before those (B, SIZE)."""
        r, count = self.recipe, self.recipe.batch
        window = self.windows.take(self.draw.rows(self.rng, count))
        at = self.draw.rows(self.rng, count, longer=WINDOW)
        other, before = (np.asarray(self.windows.frames[rows], np.float32) for rows in (at, at - 1))
        near = np.where(self.rng.random(count) < r.near_start, self.rng.random(count), 0.0)
        own = np.where(self.rng.random(count) < r.own_start, 1.0, near).astype(np.float32)[:, None]
        start = own * window[:, 1] + (1 - own) * other
        before = own * window[:, 0] + (1 - own) * before
        return tuple(torch.as_tensor(v).to(self.device) for v in (window, start, before))

    def step(self) -> dict[str, float]:
        """One iteration: the probe and the critic on what is detached, then the model against both, frozen."""
        window, start, before = self.batch()
        target = window[:, 1:]
        with self._precision():
            mu, logstd = self.model.encode(target)
            mu, logstd = mu.float(), logstd.float()
            z = mu + logstd.exp() * torch.randn_like(mu)
            plan = self.model.plan(z)
            few = slice(max(round(self.recipe.rolled * len(z)), 1))
            rolled = self.model.roll(plan[few], z[few], start[few], before[few])
        numbers = {"probe": self._train_probe(mu.detach(), target)}
        uses_critic = self.recipe.critic_weight > 0 and self.iteration >= self.recipe.critic_from * self.recipe.iterations
        if uses_critic:
            numbers["critic"] = self._train_critic(rolled.detach(), target)
        terms = self._terms(window, start, before, mu, logstd, plan, rolled, uses_critic)
        total = sum(terms.values())
        optimiser = self.optimisers["model"]
        for group in optimiser.param_groups:
            group["lr"] = self._lr()
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        optimiser.step()
        kl = float(losses.kl_nats(mu.detach(), logstd.detach()))
        self.gamma = losses.raised(self.gamma, kl, self.recipe.cap_nats, self.recipe.gamma_rate)
        self.iteration += 1
        return numbers | {name: float(value.detach()) for name, value in terms.items()} | {"kl_nats": kl, "gamma": self.gamma}

    def _precision(self):
        """Products in bfloat16 where the recipe wants it: on CUDA, and on a CPU that has instructions for it."""
        half = self.recipe.half and (self.device.startswith("cuda") or getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())
        return torch.autocast(torch.device(self.device).type, torch.bfloat16) if half else nullcontext()

    def _terms(self, window, start, before, mu, logstd, plan, rolled, uses_critic) -> dict[str, torch.Tensor]:
        """Every weighted term of the model's loss."""
        r, w = self.recipe, self.weights
        target = window[:, 1:]
        few, others, count = self._beside(rolled, 0), self._beside(rolled, 1), len(rolled)
        with torch.no_grad():
            blended = networks.inertialised(window[:count], start[:count], before[:count], r.halflife_s)
            goal = self.skeleton.joints(blended[few])
        found = rolled[few]
        joints, soles = self.skeleton.joints(found, soles=True)
        touching = torch.minimum(target[few, 1:, CONTACT], target[few, :-1, CONTACT]) * (self.share[1:, None] >= 1)
        terms = {
            "plan": r.plan_weight * losses.state_error(plan, target, w, torch.ones_like(self.share), r.energy_weight, r.plan_place),
            "roll": r.roll_weight * losses.state_error(rolled, blended, w, self.share, r.energy_weight, r.roll_place),
            "joints": r.joint_weight * losses.joint_error(joints, goal, self.share),
            "slide": r.slide_weight * losses.slide_error(steps_m(soles, found), touching),
            "contact": r.contact_weight * (losses.contact_error(plan, target) + losses.contact_error(rolled[:, 1:], target[:count, 1:])),
            "kl": self.gamma * losses.kl_nats(mu, logstd)}
        if r.probe_weight > 0:
            found = self._probe_error(mu, target)
            late = self.iteration >= round(r.probe_late_from * r.iterations)
            terms["hide"] = -r.probe_weight * found.clamp(max=r.probe_clamp_late if late else r.probe_clamp)
        if r.again_weight > 0:
            found = rolled[others]
            with self._precision():
                again, _ = self.model.encode(torch.cat([found[..., :CONTACT.start], torch.sigmoid(found[..., CONTACT])], -1))
            terms["again"] = r.again_weight * (again - mu[others].detach()).square().mean()
        if uses_critic:
            terms["fool"] = r.critic_weight * (self.critic(self.model, rolled[others]) - 1).square().mean()
        return terms

    def _beside(self, rolled: torch.Tensor, number: int) -> slice:
        """The roll-outs that what stands beside their error sees: the first (number 0) or last `beside` of a batch."""
        count = min(max(round(self.recipe.beside * self.recipe.batch), 1), len(rolled))
        last = len(rolled) if number else count
        return slice(last - count, last)

    def _probe_error(self, mu, target) -> torch.Tensor:
        """Error of the probe at a random time each, where saying the mean would be 1."""
        at = torch.as_tensor(self.rng.integers(0, target.shape[1], len(target))).to(self.device)
        with torch.no_grad():
            joints = self.skeleton.joints(target[torch.arange(len(target)), at])
            posture = ((joints[:, 1:] - joints[:, :1]).flatten(1) - self.posture_mean) / self.posture_m
        return (self.probe(mu, at.float() / WINDOW) - posture).square().mean()

    def _train_probe(self, mu, target) -> float:
        error = torch.zeros(())
        for _ in range(self.recipe.probe_steps if self.recipe.probe_weight > 0 else 0):
            error = self._probe_error(mu, target)
            self.optimisers["probe"].zero_grad()
            error.backward()
            self.optimisers["probe"].step()
        return float(error.detach())

    def _train_critic(self, fake, real) -> float:
        few = self._beside(fake, 0)
        said = self.critic(self.model, torch.cat([real[few], fake[few]]))
        error = (said[: len(said) // 2] - 1).square().mean() + said[len(said) // 2 :].square().mean()
        self.optimisers["critic"].zero_grad()
        error.backward()
        self.optimisers["critic"].step()
        return float(error.detach())

    def _lr(self) -> float:
        """Warm up over 200 iterations, then a cosine down to 3 %."""
        done = self.iteration / max(self.recipe.iterations, 1)
        cosine = 0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * min(done, 1)))
        return float(self.recipe.lr * min(1.0, (self.iteration + 1) / 200) * cosine)

    def state(self) -> dict:
        """Everything that the next iteration depends on, as tensors and plain values."""
        return {"format": FORMAT, "recipe": dataclasses.asdict(self.recipe), "iteration": self.iteration,
                "gamma": self.gamma, "best": self.best, "since_best": self.since_best,
                "numpy": json.dumps(self.rng.bit_generator.state), "torch": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state() if self.device.startswith("cuda") else None,
                "networks": {name: getattr(self, name).state_dict() for name in ("model", "probe", "critic")},
                "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()}}

    def begin(self, state: dict) -> None:
        """Take the networks of another training, and nothing else of it."""
        try:
            for name, values in state["networks"].items():
                getattr(self, name).load_state_dict(values)
        except RuntimeError as error:
            raise InputError(f"Expected a training to begin with whose networks have the sizes of the recipe, but they have not: "
                             f"{str(error).splitlines()[-1].strip()}") from None

    def restore(self, state: dict) -> None:
        """Take up what :meth:`state` said."""
        for name, values in state["networks"].items():
            getattr(self, name).load_state_dict(values)
        for name, values in state["optimisers"].items():
            self.optimisers[name].load_state_dict(values)
        self.iteration, self.gamma = state["iteration"], state["gamma"]
        self.best, self.since_best = state["best"], state["since_best"]
        self.rng.bit_generator.state = json.loads(state["numpy"])
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] is not None and self.device.startswith("cuda"):
            torch.cuda.set_rng_state(state["cuda"].cpu())


def save(path: Path, state: dict) -> None:
    """Write a checkpoint atomically."""
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def load(path: Path) -> dict:
    """Read a checkpoint; tensors and plain values only, never a foreign object."""
    import pickle

    if not path.is_file():
        raise InputError(f"Expected a checkpoint at {path}, but there is none. Train without --resume first.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["format"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"Expected a checkpoint of mrs at {path}, but it can't be read: {reason}.") from None
    if found != FORMAT:
        raise InputError(f"Expected a checkpoint of format {FORMAT} at {path}, but it has '{found}'; it was written by "
                         "another version of mrs. Train anew without --resume.")
    return state


def run(trainer: Trainer, folder: Path, check: Callable[[Trainer], dict[str, float]] | None,
        tell: Callable[[dict], None], stop_at: int | None = None) -> None:
    """Train until the recipe's end, or until `check`'s "score" has been TOLERANCE below its best for `patience` checks.

    `tell` gets a dict of numbers every 50 iterations. A checkpoint is written at every check and at the end;
    best.pt is the last one within TOLERANCE of the best score, since late ones move more smoothly.
    """
    recipe, sums, started, last = trainer.recipe, {}, time.monotonic(), trainer.iteration
    end = min(recipe.iterations, stop_at or recipe.iterations)
    while trainer.iteration < end and trainer.since_best < recipe.patience:
        for name, value in trainer.step().items():
            sums.setdefault(name, []).append(value)
        if trainer.iteration % 50 == 0 or trainer.iteration == end:
            spent = time.monotonic() - started
            tell({"iteration": trainer.iteration, **{k: float(np.mean(v)) for k, v in sums.items()},
                  "seconds_an_iteration": spent / (trainer.iteration - last)})
            sums, started, last = {}, time.monotonic(), trainer.iteration
        if trainer.iteration % recipe.check_every == 0 and check is not None:
            found = check(trainer)
            better = trainer.best is None or found["score"] > trainer.best - TOLERANCE
            trainer.best = found["score"] if trainer.best is None else max(trainer.best, found["score"])
            trainer.since_best = 0 if better else trainer.since_best + 1
            if better:
                save(folder / "best.pt", trainer.state())
            save(folder / CHECKPOINT, trainer.state())
            tell({"iteration": trainer.iteration, **found})
            started, last = time.monotonic(), trainer.iteration
    save(folder / CHECKPOINT, trainer.state())
