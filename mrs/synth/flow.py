"""An invertible flow from N(0, 1) to the codes of behaviour, on the frozen latent; with or without a start to go on from.

Blocks of data-scaled affine normalisation, two affine couplings with halves exchanged between, and a fixed permutation, as
the published flow has them, at a hundredth of its size. The couplings also see the start's posture and motion; for
NULL_SHARE of the training this is hidden, so that one flow tells p(z) and p(z | start).
"""

from __future__ import annotations

import json

import numpy as np
import torch
from torch import nn

from mrs.synth.features import POSE_SIZE, STATE, STATE_SIZE

CONTEXT = 48
NULL_SHARE = 0.3
LIMIT = 2.0


class Coupling(nn.Module):
    """b -> b exp(s(a)) + t(a), with s bounded."""

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.keep = size - size // 2
        self.net = nn.Sequential(nn.Linear(self.keep + CONTEXT, hidden), nn.LeakyReLU(0.01), nn.Linear(hidden, hidden),
                                 nn.LeakyReLU(0.01), nn.Linear(hidden, 2 * (size - self.keep)))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def _scale(self, a, context):
        s, t = self.net(torch.cat([a, context], -1)).chunk(2, -1)
        return LIMIT * torch.tanh(s / LIMIT), t

    def forward(self, x, context):
        """Return the new vectors (B, size) and log |det| (B,)."""
        a, b = x[:, : self.keep], x[:, self.keep :]
        s, t = self._scale(a, context)
        return torch.cat([a, b * s.exp() + t], -1), s.sum(-1)

    def inverse(self, y, context):
        """Undo :meth:`forward`."""
        a, b = y[:, : self.keep], y[:, self.keep :]
        s, t = self._scale(a, context)
        return torch.cat([a, (b - t) * (-s).exp()], -1)


class Block(nn.Module):
    """Normalise, couple, exchange halves, couple, permute."""

    def __init__(self, size: int, hidden: int, seed: int):
        super().__init__()
        self.log_scale, self.shift = nn.Parameter(torch.zeros(size)), nn.Parameter(torch.zeros(size))
        self.first, self.second = Coupling(size, hidden), Coupling(size, hidden)
        self.register_buffer("order", torch.as_tensor(np.random.default_rng(seed).permutation(size)))

    @torch.no_grad()
    def start(self, x: torch.Tensor) -> None:
        """Set scale and shift so that these vectors come out with mean 0 and deviation 1."""
        std = x.std(0).clamp_min(1e-3)
        self.log_scale.copy_(-std.log())
        self.shift.copy_(-x.mean(0) / std)

    def forward(self, x, context):
        x, log_det = x * self.log_scale.exp() + self.shift, self.log_scale.sum().expand(len(x))
        for coupling in (self.first, self.second):
            x, more = coupling(x, context)
            x, log_det = x.flip(-1), log_det + more
        return x[:, self.order], log_det

    def inverse(self, y, context):
        x = torch.empty_like(y)
        x[:, self.order] = y
        for coupling in (self.second, self.first):
            x = coupling.inverse(x.flip(-1), context)
        return (x - self.shift) * (-self.log_scale).exp()


class Flow(nn.Module):
    """z (B, size) to noise and back; `start` (B, 2 STATE_SIZE) standardised, or None for p(z)."""

    def __init__(self, size: int, blocks: int, hidden: int, seed: int = 0):
        super().__init__()
        self.sizes = {"size": size, "blocks": blocks, "hidden": hidden}
        self.null = nn.Parameter(torch.zeros(CONTEXT))
        self.context = nn.Sequential(nn.Linear(2 * STATE_SIZE, 128), nn.GELU(), nn.Dropout(0.1), nn.Linear(128, CONTEXT))
        self.blocks = nn.ModuleList([Block(size, hidden, seed + k) for k in range(blocks)])

    def seen(self, start, count: int, hidden=None) -> torch.Tensor:
        """Context (count, CONTEXT): of the starts, or null where there are none or `hidden` (count,) says so."""
        if start is None:
            return self.null.expand(count, -1)
        found = self.context(start)
        return found if hidden is None else torch.where(hidden[:, None], self.null, found)

    def forward(self, z, context):
        log_det = torch.zeros(len(z))
        for block in self.blocks:
            z, more = block(z, context)
            log_det = log_det + more
        return z, log_det

    def inverse(self, noise, context):
        for block in reversed(self.blocks):
            noise = block.inverse(noise, context)
        return noise

    def nll(self, z, context) -> torch.Tensor:
        """Negative log likelihood (B,) in nats."""
        noise, log_det = self(z, context)
        return 0.5 * noise.square().sum(-1) + 0.5 * z.shape[1] * float(np.log(2 * np.pi)) - log_det

    @torch.no_grad()
    def draw(self, count: int, generator: torch.Generator, start=None, temperature: float = 1.0) -> torch.Tensor:
        """Draw codes (count, size)."""
        noise = temperature * torch.randn(count, self.sizes["size"], generator=generator)
        return self.inverse(noise, self.seen(start, count))


def start_numbers(model, start: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """What the flow sees of starts (B, SIZE): the standardised state and its change."""
    change = (start - before)[:, STATE] / model.step[STATE]
    change = torch.cat([change[:, :POSE_SIZE], torch.zeros_like(change[:, POSE_SIZE:])], -1)
    return torch.cat([(start[:, STATE] - model.mean[STATE]) / model.std[STATE], change.clamp(-8, 8)], -1)


class FlowTrainer:
    """Trains the flow on samples of the frozen posterior; :meth:`state` and :meth:`restore` are exact."""

    def __init__(self, recipe, windows, model):
        torch.manual_seed(recipe.seed + 1)
        self.recipe, self.windows, self.model = recipe, windows, model.eval()
        self.rng = np.random.default_rng(recipe.seed + 1)
        self.draw = windows.draw()
        self.flow = Flow(model.shape.latent, recipe.flow_blocks, recipe.flow_hidden, recipe.seed)
        self.optimiser = torch.optim.Adam(self.flow.parameters(), lr=recipe.flow_lr, weight_decay=1e-5)
        self.iteration = 0

    def batch(self, count: int):
        """Codes (count, latent) sampled from the posterior, and their own starts."""
        window = torch.as_tensor(self.windows.take(self.draw.rows(self.rng, count)))
        with torch.no_grad():
            mu, logstd = self.model.encode(window[:, 1:])
            z = mu + logstd.exp() * torch.randn_like(mu)
            return z, start_numbers(self.model, window[:, 1], window[:, 0])

    def step(self) -> dict[str, float]:
        """One iteration."""
        z, start = self.batch(self.recipe.flow_batch)
        if self.iteration == 0:
            self._start(z)
        share = self.iteration / max(self.recipe.flow_iterations, 1)
        for group in self.optimiser.param_groups:
            group["lr"] = float(self.recipe.flow_lr * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share))))
        hidden = torch.as_tensor(self.rng.random(len(z)) < NULL_SHARE)
        start = start + 0.1 * torch.randn_like(start)
        loss = self.flow.nll(z, self.flow.seen(start, len(z), hidden)).mean()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.flow.parameters(), 5.0)
        self.optimiser.step()
        self.iteration += 1
        return {"nll_nats": float(loss.detach())}

    @torch.no_grad()
    def _start(self, z) -> None:
        context = self.flow.seen(None, len(z))
        for block in self.flow.blocks:
            block.start(z)
            z, _ = block(z, context)

    def state(self) -> dict:
        """Everything the next iteration depends on."""
        return {"iteration": self.iteration, "numpy": json.dumps(self.rng.bit_generator.state),
                "torch": torch.get_rng_state(), "flow": self.flow.state_dict(), "optimiser": self.optimiser.state_dict(),
                "sizes": self.flow.sizes}

    def restore(self, state: dict) -> None:
        """Take up what :meth:`state` said."""
        self.flow.load_state_dict(state["flow"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.iteration = state["iteration"]
        self.rng.bit_generator.state = json.loads(state["numpy"])
        torch.set_rng_state(state["torch"].cpu())
