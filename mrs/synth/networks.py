"""The behaviour model: an encoder of how somebody moves, a planner of what the vector means, a follower that gets there.

The planner says from z alone how a window goes. The follower rolls out from any posture and velocity: what is left
between the body and the plan decays like a critically damped spring, which joins position and velocity without a jump
(Bollo 2016, "inertialization"; Holden 2021, spring damper), and a GRU cell learns what a spring can't know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mrs.synth import recurrent
from mrs.synth.features import CONTACT, POSE_SIZE, RATE_HZ, SIZE, STATE, STATE_SIZE

AHEAD = 3
CHUNK = 4
WAVES = 22
POSTURE = 69
FAR_M, EASE_S = 0.3, 0.3


@dataclass(frozen=True)
class Shape:
    """Sizes of the network, stored with its weights; `seen` is 0 for the recurrent encoder, as in files without it.

    `gain` is how much larger a plan's changes are in use than in training, where the mean of what is uncertain damps them;
    1.2 transfers best on the validation windows.
    """

    latent: int = 48
    width: int = 192
    cell: int = 192
    halflife_s: float = 0.1
    window: int = 36
    gain: float = 1.2
    seen: int = 0


class Encoder(nn.Module):
    """Differences of a window to mean and log deviation of z; the posture itself is never shown."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(CHUNK * SIZE, shape.width), nn.GELU())
        self.gru = nn.GRU(shape.width, shape.width, batch_first=True)
        self.head = nn.Linear(2 * shape.width, 2 * shape.latent)

    def forward(self, steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """steps (B, T, SIZE) standardised; T is a multiple of CHUNK."""
        inner = self.inner(steps.unflatten(1, (-1, CHUNK)).flatten(2)).transpose(0, 1)
        given = nn.functional.linear(inner, self.gru.weight_ih_l0, self.gru.bias_ih_l0).float()
        start = given.new_zeros(given.shape[1], self.gru.hidden_size)
        hidden = recurrent.gru(given, start, self.gru.weight_hh_l0, self.gru.bias_hh_l0)
        mu, logstd = self.head(torch.cat([hidden.mean(0), hidden[-1]], -1)).chunk(2, -1)
        return mu, logstd.clamp(-6, 2)


class LinearEncoder(nn.Module):
    """Differences of a window to mean and log deviation of z by a matrix, which can't dig out the posture that they hint at.

    The matrix acts on the window's `seen` principal components, each of deviation 1, so that a step of Adam is small; it begins
    as the first of them.
    """

    def __init__(self, shape: Shape):
        super().__init__()
        self.register_buffer("basis", torch.zeros(shape.seen, shape.window * SIZE))
        self.register_buffer("about", torch.zeros(shape.seen))
        self.head = nn.Linear(shape.seen, shape.latent)
        self.logstd = nn.Parameter(torch.full((shape.latent,), -1.5))

    @torch.no_grad()
    def start(self, steps: torch.Tensor, weights: torch.Tensor) -> None:
        """Take the principal components of steps (n, window, SIZE), features counting by their weights (SIZE,)."""
        many = weights.repeat(steps.shape[1])
        x = steps.flatten(1)
        mean = x.mean(0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, lengths, vectors = torch.svd_lowrank((x - mean) * many, len(self.basis) + 16, niter=4)
        scale = np.sqrt(len(x)) / lengths[: len(self.basis)].clamp_min(1e-3 * float(lengths[0]))
        self.basis.copy_((vectors[:, : len(self.basis)] * scale).T * many)
        self.about.copy_(-self.basis @ mean)
        self.head.weight.copy_(torch.eye(*self.head.weight.shape))
        self.head.bias.zero_()

    def forward(self, steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """steps (B, window, SIZE) standardised."""
        mu = self.head(nn.functional.linear(steps.flatten(1), self.basis, self.about))
        return mu, self.logstd.clamp(-6, 2).expand_as(mu)


class Planner(nn.Module):
    """z to standardised frames 0..window of the behaviour, as WAVES cosines over the window."""

    def __init__(self, shape: Shape):
        super().__init__()
        wide = 2 * shape.width
        self.net = nn.Sequential(nn.Linear(shape.latent, wide), nn.GELU(), nn.Linear(wide, wide), nn.GELU(),
                                 nn.Linear(wide, WAVES * SIZE))
        frames = shape.window + 1
        phase = np.pi * (np.arange(frames) + 0.5) / frames
        self.register_buffer("waves", torch.as_tensor(np.cos(phase[:, None] * np.arange(WAVES)), dtype=torch.float32))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z (B, latent) to (B, window + 1, SIZE); the contacts are logits."""
        waves = self.net(z).unflatten(-1, (WAVES, SIZE)).float()
        with torch.autocast(z.device.type, enabled=False):
            return self.waves @ waves


class Follower(nn.Module):
    """The cell that rolls out: sees where the body is off the plan and what comes, and corrects AHEAD frames."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.start = nn.Linear(shape.latent, shape.cell)
        self.coming = nn.Sequential(nn.Linear(AHEAD * SIZE + shape.latent, shape.cell // 2), nn.GELU())
        self.cell = nn.GRUCell(2 * STATE_SIZE + shape.cell // 2, shape.cell)
        self.out = nn.Linear(shape.cell, AHEAD * SIZE)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, system, coming, state, net: BehaviourNet):
        """What is added to the plan (B, steps * AHEAD, SIZE), contacts as logits, from offset and speed (B, 2 STATE_SIZE).

        The spring and what the output pushes are linear, so that within a step only the offset and speed at its end are
        needed for the next one; the frames between come for all steps at once.
        """
        spring = torch.as_tensor(spring_matrix(net.shape.halflife_s, AHEAD), dtype=torch.float32, device=system.device)
        scale = torch.cat([net.std[STATE], net.step[STATE]])
        weight, bias = (v.unflatten(0, (AHEAD, SIZE)) for v in (self.out.weight, self.out.bias[:, None]))
        pushes, tapped = (torch.einsum("ra,asc->rsc", spring[:, 2:], v[:, STATE] * net.step[STATE][:, None]) for v in (weight, bias))
        given, seen = self.cell.weight_ih[:, 2 * STATE_SIZE :], self.cell.weight_ih[:, : 2 * STATE_SIZE] / scale
        given = nn.functional.linear(coming.transpose(0, 1), given, self.cell.bias_ih).float()
        states, systems = recurrent.driven(
            given, state, system, seen, self.cell.weight_hh, self.cell.bias_hh, pushes[AHEAD - 1 :].flatten(0, 1),
            tapped[AHEAD - 1 :].flatten(), tuple(map(tuple, spring[AHEAD - 1 :, :2].tolist())))
        inner = nn.functional.linear(states, torch.cat([*pushes[: AHEAD - 1], weight[:, CONTACT].flatten(0, 1)]),
                                     torch.cat([*tapped[: AHEAD - 1, :, 0], bias[:, CONTACT].flatten()])).float()
        off, speed = systems[:-1].chunk(2, -1)
        moved = [inner[..., k * STATE_SIZE : (k + 1) * STATE_SIZE] + float(spring[k, 0]) * off + float(spring[k, 1]) * speed
                 for k in range(AHEAD - 1)]
        moved = torch.stack([*moved, systems[1:, :, :STATE_SIZE]], 2)
        contacts = inner[..., (AHEAD - 1) * STATE_SIZE :].unflatten(-1, (AHEAD, -1))
        return torch.cat([moved, contacts], -1).transpose(0, 1).flatten(1, 2)


class BehaviourNet(nn.Module):
    """Encoder, planner and follower with the statistics of the training frames."""

    def __init__(self, shape: Shape, statistics: dict[str, np.ndarray]):
        super().__init__()
        self.shape = shape
        self.encoder = LinearEncoder(shape) if shape.seen else Encoder(shape)
        self.planner, self.follower = Planner(shape), Follower(shape)
        std, step = np.maximum(statistics["std"], 0.02), np.maximum(statistics["step"], 0.004)
        self.register_buffer("mean", torch.as_tensor(statistics["mean"]))
        self.register_buffer("std", torch.as_tensor(std))
        self.register_buffer("step", torch.as_tensor(step))

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        """Features to zero mean and unit deviation."""
        return (x - self.mean) / self.std

    def encode(self, window: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (B, T + 1, SIZE) to mean and log deviation (B, latent)."""
        return self.encoder(self.steps(window))

    def steps(self, window: torch.Tensor) -> torch.Tensor:
        """Features (B, T + 1, SIZE) to what the encoder sees (B, T, SIZE): differences of postures, velocities, contacts."""
        pose = (window[:, 1:, :POSE_SIZE] - window[:, :-1, :POSE_SIZE]) / self.step[:POSE_SIZE]
        return torch.cat([pose, self.normalised(window)[:, 1:, POSE_SIZE:]], -1)

    def plan(self, z: torch.Tensor, gain: float | None = None) -> torch.Tensor:
        """z (B, latent) to features (B, window + 1, SIZE), whose contacts are logits; changes are `gain` as large as learned.

        Without one, that is 1 in training and what the shape says in use.
        """
        out = self.planner(z)
        state = out[..., STATE] * self.std[STATE] + self.mean[STATE]
        gain = (1.0 if self.training else self.shape.gain) if gain is None else gain
        if gain != 1:
            about = state[..., :POSE_SIZE].mean(-2, keepdim=True)
            state = torch.cat([about, torch.zeros_like(state[..., :1, POSE_SIZE:])], -1) * (1 - gain) + gain * state
        return torch.cat([state, out[..., CONTACT]], -1)

    def roll(self, plan: torch.Tensor, z: torch.Tensor, start: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        """Roll out from `start` (B, SIZE), with `before` the frame before it, along a plan (B, T + 1, SIZE).

        z is (B, latent) or, along long plans, (B, T + 1, latent). Returns frames 0..T, of which the first is the start;
        contacts are logits.
        """
        off = (start - plan[:, 0])[:, STATE]
        speed = ((start - before) - (plan[:, 1] - plan[:, 0]))[:, STATE]
        speed = torch.cat([speed[:, :POSE_SIZE], torch.zeros_like(speed[:, POSE_SIZE:])], -1)
        still = z.ndim == 2
        z = z[:, None] if still else z
        coming, state = self._coming(plan, z, still), torch.tanh(self.follower.start(z[:, 0])).float()
        left = self.follower(torch.cat([off, speed], -1), coming, state, self)
        return torch.cat([start[:, None], plan[:, 1:] + left[:, : plan.shape[1] - 1]], 1)

    def _coming(self, plan: torch.Tensor, z: torch.Tensor, still: bool) -> torch.Tensor:
        """What the plan brings in each step of AHEAD frames: (B, steps, cell / 2); `still` where z is the same all along.

        Standardising is folded into the first layer's weights.
        """
        missing = (1 - plan.shape[1]) % AHEAD
        seen = plan[:, 1:] if not missing else torch.cat([plan[:, 1:], plan[:, -1:].expand(-1, missing, -1)], 1)
        seen, layer = seen.unflatten(1, (-1, AHEAD)), self.follower.coming[0]
        weight = layer.weight[:, : AHEAD * SIZE].unflatten(1, (AHEAD, SIZE))
        state = weight[..., STATE] / self.std[STATE]
        bias = layer.bias - (state * self.mean[STATE]).sum((1, 2))
        of_z = nn.functional.linear(z[:, :1] if still else z[:, 1::AHEAD], layer.weight[:, AHEAD * SIZE :], bias)
        contacts = nn.functional.linear(torch.sigmoid(seen[..., CONTACT]).flatten(2), weight[..., CONTACT].flatten(1))
        state = nn.functional.pad(state, (0, SIZE - STATE_SIZE)).flatten(1)
        return nn.functional.gelu(nn.functional.linear(seen.flatten(2), state) + contacts + of_z)


def spring(off, speed, halflife_s: float):
    """Move offsets and their change per frame one frame on, critically damped; exact for any frame time."""
    y = 2 * np.log(2) / halflife_s / RATE_HZ
    decay = float(np.exp(-y))
    pull = speed + off * y
    return decay * (off + pull), decay * (speed - pull * y)


def spring_matrix(halflife_s: float, frames: int) -> np.ndarray:
    """Matrix (frames + 1, frames + 2) from [offset, its change a frame, a push before each frame's end] to offsets, last change.

    :func:`spring` is linear, so that several frames of it are one product.
    """
    columns = []
    for given in np.eye(frames + 2):
        off, speed, rows = given[0], given[1], []
        for push in given[2:]:
            off, speed = spring(off, speed, halflife_s)
            off, speed = off + push, speed + push
            rows.append(off)
        columns.append([*rows, speed])
    return np.array(columns).T


def inertialised(window: torch.Tensor, start: torch.Tensor, before: torch.Tensor, halflife_s: float) -> torch.Tensor:
    """The copy without a network: a window (B, T + 2, SIZE), with the frame before it, from another start.

    Returns frames 0..T; the offset in posture, root velocity and yaw rate decays as in :meth:`BehaviourNet.roll`.
    """
    off = (start - window[:, 1])[:, STATE]
    speed = ((start - before) - (window[:, 1] - window[:, 0]))[:, STATE]
    speed = torch.cat([speed[:, :POSE_SIZE], torch.zeros_like(speed[:, POSE_SIZE:])], -1)
    left = window.shape[1] - 2
    matrix = torch.as_tensor(spring_matrix(halflife_s, left)[:left, :2], dtype=window.dtype, device=window.device)
    decayed = matrix @ torch.stack([off, speed], 1)
    moved = torch.cat([window[:, 2:, STATE] + decayed, window[:, 2:, CONTACT]], -1)
    return torch.cat([start[:, None], moved], 1)


def eased(plan: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """Plans (B, T + 1, SIZE) that come from far starts (B, SIZE) as slowly as bodies do: from the floor nobody is up at once.

    Where the pelvis has FAR_M or more to rise or fall, what is off in posture decays with a half-life of EASE_S.
    """
    off = (start - plan[:, 0])[:, :POSE_SIZE]
    far = off[:, :1].abs() >= FAR_M
    if not far.any():
        return plan
    late = 2 * np.log(2) / EASE_S / RATE_HZ * torch.arange(plan.shape[1], dtype=plan.dtype, device=plan.device)[:, None]
    moved = plan[..., :POSE_SIZE] + torch.where(far, off, 0.0)[:, None] * (1 + late) * torch.exp(-late)
    return torch.cat([moved, plan[..., POSE_SIZE:]], -1)


class PostureProbe(nn.Module):
    """The auxiliary decoder: tries to say the posture at a time from z; what it finds, the encoder has to hide."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(shape.latent + 8, 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(),
                                 nn.Linear(256, POSTURE))

    def forward(self, z: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """z (B, latent) and times (B,) as a share of the window to postures (B, POSTURE): joints about the pelvis, in the heading."""
        waves = torch.cat([f(share[:, None] * k * np.pi) for k in (1, 2, 3, 4) for f in (torch.sin, torch.cos)], -1)
        return self.net(torch.cat([z, waves], -1))


class Critic(nn.Module):
    """Tells real windows from roll-outs by patches of 8 frames."""

    def __init__(self, width: int = 128):
        super().__init__()
        norm = nn.utils.parametrizations.spectral_norm
        self.net = nn.Sequential(norm(nn.Linear(2 * 8 * STATE_SIZE, width)), nn.LeakyReLU(0.2),
                                 norm(nn.Linear(width, width)), nn.LeakyReLU(0.2), nn.Linear(width, 1))

    def forward(self, model: BehaviourNet, window: torch.Tensor) -> torch.Tensor:
        """Features (B, T, SIZE) to scores (B, patches)."""
        state = window[..., STATE]
        steps = (state[:, 1:] - state[:, :-1]) / model.step[STATE]
        values = (state[:, 1:] - model.mean[STATE]) / model.std[STATE]
        seen = torch.cat([values, steps], -1)
        patches = torch.stack([seen[:, at : at + 8] for at in range(0, seen.shape[1] - 7, 4)], 1)
        return self.net(patches.transpose(-1, -2).flatten(2))[..., 0]
