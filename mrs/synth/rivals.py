"""Models to compare with, trained on the same windows: bds-2021, its vanilla CVAE, the conditional autoencoder, MT-VAE.

All see joints in the world, as the published net does: 24 joints, from the place and heading of the window's first
frame, standardised. (The published data keep the place in the room and the heading; this setting is the easier one.)
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mrs import npz
from mrs.errors import InputError, UsageError
from mrs.synth import bds2021, mtvae
from mrs.synth.bds2021 import Constants
from mrs.synth.played import Played
from mrs.synth.windows import WINDOW, Windows

KINDS = ("bds-2021", "cvae", "cae", "mt-vae")
KIND, FORMAT, FILE = "rival-weights", "mrs-rival-1", "weights.npz"
SIZE, PAST = 72, 2
KEEP_EVERY = 250


@dataclass(frozen=True)
class Settings:
    """How a rival is trained: the published constants but for width, rate and length, which a small budget asks for."""

    kind: str
    hidden: int = 192
    batch: int = 64
    iterations: int = 3000
    lr: float = 1e-3
    flow_iterations: int = 1000
    seed: int = 0

    @property
    def flow_length(self) -> int:
        """Iterations of the flow: never more than those before it."""
        return min(self.flow_iterations, self.iterations)


def postures(windows: np.ndarray) -> np.ndarray:
    """Features (n, T, features.SIZE) to joints (n, T, SIZE) in the world, all from one place and heading."""
    joints = Played.of(windows).world()[0]
    return joints.reshape(*joints.shape[:2], -1).astype(np.float32)


@dataclass
class Rival:
    """A trained model with its statistics and, but for the autoencoder and MT-VAE, its flow."""

    kind: str
    model: torch.nn.Module
    mean: torch.Tensor
    std: torch.Tensor
    flow: bds2021.PublishedFlow | None = None

    def inputs(self, windows: np.ndarray) -> torch.Tensor:
        """Features (n, WINDOW + 2, ...) with the frame before them to standardised postures (n, WINDOW + 2, SIZE)."""
        return (torch.as_tensor(postures(windows)) - self.mean) / self.std

    def code(self, windows: np.ndarray) -> np.ndarray:
        """Mean codes of features (n, WINDOW + 1, ...), whose first frame stands for the frame before as well."""
        with torch.no_grad():
            x = self.inputs(np.concatenate([windows[:, :1], windows], 1))
            return self._encode(x)[0].numpy()

    def _encode(self, x):
        return self.model.encode(x if self.kind == "mt-vae" else x[:, 1:])

    def rolled(self, z: torch.Tensor, starts: torch.Tensor, frames: int) -> np.ndarray:
        """Joints (n, frames + 1, 24, 3) from pasts (n, 2, SIZE), standardised; frame 0 is the start."""
        with torch.no_grad():
            out = self.model.decode(z, starts if self.kind == "mt-vae" else starts[:, -1], frames)
            out = out[0] if self.kind == "mt-vae" else out
            out = torch.cat([starts[:, -1:], out], 1) * self.std + self.mean
        return out.numpy().reshape(len(out), frames + 1, 24, 3)

    def transferred(self, source: np.ndarray, target: np.ndarray, frames: int = WINDOW) -> Played:
        """Re-enact source windows from the starts of target windows, both (n, WINDOW + 2, ...)."""
        with torch.no_grad():
            mu = self._encode(self.inputs(source))[0]
        return Played.of_joints(self.rolled(mu, self.inputs(target)[:, :2], frames))

    def futures(self, stretch: np.ndarray, draws: int, frames: int, seed: int) -> np.ndarray:
        """Joints (n * draws, frames + 1, 24, 3) of drawn futures from features (n, at least 2, ...)."""
        generator = torch.Generator().manual_seed(seed)
        starts = self.inputs(stretch[:, :2]).repeat_interleave(draws, 0)
        size = self.model.hidden // 2 if self.kind == "mt-vae" else self.model.hidden
        noise = torch.randn(len(starts), size, generator=generator)
        with torch.no_grad():
            return self.rolled(self.flow.inverse(noise) if self.flow is not None else noise, starts, frames)


class Trainer:
    """One training of a rival; what the published loop does for nothing besides is in benchmarks/published_loop.py."""

    def __init__(self, settings: Settings, windows: Windows):
        if settings.kind not in KINDS:
            raise UsageError(f"Expected a model of {', '.join(KINDS)}, but got '{settings.kind}'.")
        torch.manual_seed(settings.seed)
        self.settings, self.windows = settings, windows
        self.rng, self.draw = np.random.default_rng(settings.seed), windows.draw()
        values = torch.as_tensor(postures(windows.take(self.draw.rows(self.rng, 1500))))
        model = mtvae.MtVae(SIZE, settings.hidden, PAST) if settings.kind == "mt-vae" else bds2021.Published(SIZE, settings.hidden)
        self.rival = Rival(settings.kind, model, values.mean((0, 1)), values.std((0, 1)).clamp_min(1e-3))
        self.constants = Constants(frames=WINDOW + 1)
        self.regressor = bds2021.Regressor(settings.hidden, SIZE, WINDOW + 1)
        self.optimiser = torch.optim.Adam(model.parameters(), lr=settings.lr)
        self.regressing = torch.optim.Adam(self.regressor.parameters(), lr=settings.lr)
        self.gamma, self.iteration = 0.0, 0

    def batch(self) -> torch.Tensor:
        """Standardised postures (B, WINDOW + 2, SIZE)."""
        return self.rival.inputs(self.windows.take(self.draw.rows(self.rng, self.settings.batch)))

    def step(self) -> dict[str, float]:
        """One iteration; the model is left alone in the last part of the training, as published."""
        x, c = self.batch(), self.constants
        share = self.iteration / max(self.settings.iterations, 1)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.lr * c.lr_factor ** sum(share >= drop for drop in c.lr_drops)
        terms = self._mtvae(x, share) if self.settings.kind == "mt-vae" else self._published(x[:, 1:])
        if share < 1 - c.frozen_share or self.settings.kind in ("cvae", "cae"):
            self.optimiser.zero_grad()
            sum(terms.values()).backward()
            self.optimiser.step()
        self.iteration += 1
        return {name: float(value.detach()) for name, value in terms.items()}

    def _mtvae(self, x, share: float):
        return self.rival.model.losses(x, min(1.0, 1e-5 + share / (1 - self.constants.frozen_share)))

    def _published(self, x):
        c, model, kind = self.constants, self.rival.model, self.settings.kind
        mu, logstd = model.encode(x)
        z = mu if kind == "cae" else mu + logstd.exp() * torch.randn_like(mu)
        terms = {"recon": c.recon * (model.decode(z, x[:, 0], WINDOW) - x[:, 1:]).square().mean()}
        if kind == "cae":
            return terms
        kl = bds2021.kl_nats(mu, logstd)
        terms["kl"] = (1.0 if kind == "cvae" else self.gamma) * kl
        if kind == "bds-2021":
            error, clamps = self._regressed(mu, x), c.regressor_clamps
            terms["hide"] = -c.regressor_weight * sum(error.clamp(max=most) for most in clamps)
            self.gamma = bds2021.raised(self.gamma, float(kl.detach()), c)
        return terms

    def _regressed(self, mu, x) -> torch.Tensor:
        """Train the regressor on the code, then return its error as the encoder is punished with, all in legal order."""
        seen = mu.detach()
        for _ in range(self.constants.regressor_steps):
            at = torch.full((len(x),), int(self.rng.integers(0, self.constants.frames)))
            self.regressing.zero_grad()
            (self.regressor(seen, at) - x[:, int(at[0])]).square().mean().backward()
            self.regressing.step()
        for parameter in self.rival.model.parameters():
            parameter.grad = None
        return (self.regressor(mu, at) - x[:, int(at[0])]).square().mean()

    def train_flow(self, tell: Callable[[dict], None]) -> None:
        """Second stage: the flow on samples of the frozen posterior."""
        c, s = self.constants, self.settings
        flow = bds2021.PublishedFlow(s.hidden, c)
        optimiser = torch.optim.Adam(flow.parameters(), lr=max(c.flow_lr_a_sample * s.batch, s.lr / 10), betas=(0.5, 0.9))
        for at in range(s.flow_length):
            with torch.no_grad():
                mu, logstd = self.rival.model.encode(self.batch()[:, 1:])
                z = mu + logstd.exp() * torch.randn_like(mu)
            noise, log_det = flow(z)
            loss = (0.5 * noise.square().sum(1) - log_det).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if at % 100 == 99:
                tell({"iteration": at + 1, "flow_nll": float(loss.detach())})
        self.rival.flow = flow.eval()


def train(settings: Settings, windows: Windows, out: Path, tell: Callable[[dict], None], seconds: float | None = None) -> Path:
    """Train a rival and write its weights; `seconds` bounds the first stage, whose length the schedule then assumes.

    Weights are also written every KEEP_EVERY iterations, without a flow: one that is stopped can still be measured.
    """
    trainer = Trainer(settings, windows)
    if seconds is not None:
        started = time.monotonic()
        for _ in range(10):
            trainer.step()
        count = max(int(10 * seconds / (time.monotonic() - started)), 10)
        trainer = Trainer(dataclasses.replace(settings, iterations=count), windows)
    while trainer.iteration < trainer.settings.iterations:
        found = trainer.step()
        if trainer.iteration % 50 == 0:
            tell({"iteration": trainer.iteration, **found})
        if trainer.iteration % KEEP_EVERY == 0:
            save(out, trainer.rival, trainer.settings, trainer.iteration)
    trainer.rival.model.eval()
    if settings.kind in ("bds-2021", "cvae") and settings.flow_iterations:
        trainer.train_flow(tell)
    return save(out, trainer.rival, trainer.settings, trainer.iteration)


def save(out: Path, rival: Rival, settings: Settings, iteration: int) -> Path:
    """Write weights.npz into the folder `out`, with the `iteration` that they are of."""
    out.mkdir(parents=True, exist_ok=True)
    arrays = {"mean": rival.mean.numpy(), "std": rival.std.numpy()}
    for part, net in (("model", rival.model), ("flow", rival.flow)):
        arrays |= {f"{part}.{name}": v.numpy() for name, v in (net.state_dict() if net is not None else {}).items()}
    npz.save(out / FILE, KIND, arrays, {"format": FORMAT, "settings": dataclasses.asdict(settings), "iteration": iteration,
                                        "flow": rival.flow is not None})
    return out / FILE


def load(path: Path) -> Rival:
    """Read what :func:`save` wrote, by its folder or file."""
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    arrays, meta = npz.load(path, KIND)
    if meta.get("format") != FORMAT:
        raise InputError(f"Expected weights of format {FORMAT} at {path}, but they are of '{meta.get('format')}'. Train anew: "
                         "mrs train bds --model NAME")
    settings = Settings(**meta["settings"])
    model = (mtvae.MtVae(SIZE, settings.hidden, PAST) if settings.kind == "mt-vae" else bds2021.Published(SIZE, settings.hidden))
    flow = bds2021.PublishedFlow(settings.hidden) if meta["flow"] else None
    for part, net in (("model", model), ("flow", flow)):
        if net is not None:
            net.load_state_dict({name.removeprefix(f"{part}."): torch.as_tensor(value) for name, value in arrays.items()
                                 if name.startswith(f"{part}.")})
    tensors = [torch.as_tensor(arrays[name]) for name in ("mean", "std")]
    return Rival(settings.kind, model.eval(), *tensors, flow.eval() if flow is not None else None)
