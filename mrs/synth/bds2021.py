"""The published behaviour net of Blattmann et al. (CVPR 2021), to compare with: networks, constants, and its checkpoints.

Written from its description; names of parameters are those of the published checkpoints, so that these load. An LSTM
encodes absolute postures into one code, an LSTM cell whose state begins as that code adds increments to the start
posture, and a regressor that says postures from the code is what the encoder is trained against. A flow of affine
couplings then goes from noise to codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from mrs.errors import InputError

PUBLISHED_SIZE, PUBLISHED_HIDDEN = 51, 1024


@dataclass(frozen=True)
class Constants:
    """The published configuration; `frames` is the window's length, which also sizes the regressor's time code."""

    frames: int = 50
    recon: float = 2.5
    cap_nats: float = 100.0
    gamma_step: float = 1e-5
    regressor_weight: float = 0.01
    regressor_clamps: tuple[float, float] = (0.45, 0.7)
    regressor_steps: int = 5
    lr: float = 1e-4
    lr_drops: tuple[float, ...] = (0.2, 0.45, 0.7)
    lr_factor: float = 0.3
    frozen_share: float = 0.2
    flow_blocks: int = 15
    flow_factor: int = 2
    flow_depth: int = 2
    flow_lr_a_sample: float = 4.5e-7


class NormedConv(nn.Module):
    """A 1 x 1 convolution with normalised weights, then a scale and a shift a channel; (B, n) to (B, n)."""

    def __init__(self, size: int):
        super().__init__()
        self.beta, self.gamma = nn.Parameter(torch.zeros(1, size, 1, 1)), nn.Parameter(torch.ones(1, size, 1, 1))
        self.conv = nn.Module()
        start = nn.Linear(size, size)
        self.conv.bias = nn.Parameter(start.bias.detach().clone())
        self.conv.weight_v = nn.Parameter(start.weight.detach().clone()[..., None, None])
        self.conv.weight_g = nn.Parameter(start.weight.detach().norm(dim=1)[:, None, None, None].clone())

    def forward(self, x):
        v = self.conv.weight_v[..., 0, 0]
        weight = v * (self.conv.weight_g[:, 0, 0] / v.norm(dim=1, keepdim=True))
        return self.gamma[..., 0, 0] * (x @ weight.T + self.conv.bias) + self.beta[..., 0, 0]


class Encoder(nn.Module):
    """Absolute postures (B, T, D) to mean and log deviation (B, H)."""

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.rnn = nn.LSTM(size, hidden, batch_first=True)
        self.mu_fn, self.std_fn = NormedConv(hidden), NormedConv(hidden)

    def forward(self, x):
        _, (last, _) = self.rnn(x)
        return self.mu_fn(last[-1]), self.std_fn(last[-1])


class Decoder(nn.Module):
    """A cell whose two states begin as the code, and increments to the posture before."""

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.rnn, self.n_out = nn.LSTMCell(size, hidden), nn.Linear(hidden, size)

    def forward(self, z, start, frames: int):
        x, state, out = start, (z, z), []
        for _ in range(frames):
            state = self.rnn(x, state)
            x = x + self.n_out(state[0])
            out.append(x)
        return torch.stack(out, 1)


class Published(nn.Module):
    """Encoder and decoder of postures (B, T, size), standardised by whoever calls."""

    def __init__(self, size: int = PUBLISHED_SIZE, hidden: int = PUBLISHED_HIDDEN):
        super().__init__()
        self.size, self.hidden = size, hidden
        self.b_enc, self.decoder = Encoder(size, hidden), Decoder(size, hidden)

    def encode(self, x):
        """Return mean and log deviation of the code."""
        return self.b_enc(x)

    def decode(self, z, start, frames: int):
        """Roll out `frames` postures after the start (B, size)."""
        return self.decoder(z, start, frames)


class Regressor(nn.Module):
    """The auxiliary decoder: the posture at a time (B,), counted in frames, from the code."""

    def __init__(self, hidden: int, size: int, frames: int):
        super().__init__()
        self.frames = frames
        self.fc1, self.fc2, self.fc3 = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden // 2), nn.Linear(hidden // 2, hidden // 4)
        self.fc4, self.fc5 = nn.Linear(frames, 128), nn.Linear(128 + hidden // 4, size)

    def forward(self, z, at):
        for layer in (self.fc1, self.fc2, self.fc3):
            z = torch.relu(layer(z))
        time = torch.relu(self.fc4(nn.functional.one_hot(at, self.frames).to(z.dtype)))
        return self.fc5(torch.cat([z, time], 1))


class PlainNet(nn.Module):
    """Linear layers with leaky rectifiers between, as `main`."""

    def __init__(self, size: int, hidden: int, depth: int, tanh: bool):
        super().__init__()
        layers = [nn.Linear(size, hidden), nn.LeakyReLU(0.01)]
        for _ in range(depth):
            layers += [nn.Linear(hidden, hidden), nn.LeakyReLU(0.01)]
        layers += [nn.Linear(hidden, size), *([nn.Tanh()] if tanh else [])]
        self.main = nn.Sequential(*layers)

    def forward(self, x):
        return self.main(x)


class ActNorm(nn.Module):
    """Shift and scale a channel, set by the first batch."""

    def __init__(self, size: int):
        super().__init__()
        self.loc, self.scale = nn.Parameter(torch.zeros(1, size, 1, 1)), nn.Parameter(torch.ones(1, size, 1, 1))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.uint8))

    def forward(self, x):
        if not self.initialized:
            with torch.no_grad():
                self.loc[0, :, 0, 0] = -x.mean(0)
                self.scale[0, :, 0, 0] = 1 / (x.std(0) + 1e-6)
                self.initialized.fill_(1)
        return self.scale[..., 0, 0] * (x + self.loc[..., 0, 0]), self.scale.abs().log().sum().expand(len(x))

    def inverse(self, y):
        """Undo :meth:`forward`."""
        return y / self.scale[..., 0, 0] - self.loc[..., 0, 0]


class Couplings(nn.Module):
    """Two affine couplings with the halves exchanged between them."""

    def __init__(self, size: int, hidden: int, depth: int):
        super().__init__()
        self.s = nn.ModuleList([PlainNet(size // 2, hidden, depth, True) for _ in range(2)])
        self.t = nn.ModuleList([PlainNet(size // 2, hidden, depth, False) for _ in range(2)])

    def forward(self, x):
        a, b = x.chunk(2, 1)
        s = self.s[0](a)
        b, log_det = b * s.exp() + self.t[0](a), s.sum(1)
        s = self.s[1](b)
        return torch.cat([b, a * s.exp() + self.t[1](b)], 1), log_det + s.sum(1)

    def inverse(self, y):
        """Undo :meth:`forward`."""
        b, a = y.chunk(2, 1)
        a = (a - self.t[1](b)) * (-self.s[1](b)).exp()
        b = (b - self.t[0](a)) * (-self.s[0](a)).exp()
        return torch.cat([a, b], 1)


class Shuffle(nn.Module):
    """A fixed permutation, drawn once."""

    def __init__(self, size: int):
        super().__init__()
        order = torch.randperm(size)
        self.register_buffer("forward_shuffle_idx", order)
        self.register_buffer("backward_shuffle_idx", order.argsort())


class Block(nn.Module):
    """Normalise, couple twice, permute."""

    def __init__(self, size: int, hidden: int, depth: int):
        super().__init__()
        self.norm_layer, self.coupling, self.shuffle = ActNorm(size), Couplings(size, hidden, depth), Shuffle(size)

    def forward(self, x):
        x, first = self.norm_layer(x)
        x, second = self.coupling(x)
        return x[:, self.shuffle.forward_shuffle_idx], first + second

    def inverse(self, y):
        """Undo :meth:`forward`."""
        return self.norm_layer.inverse(self.coupling.inverse(y[:, self.shuffle.backward_shuffle_idx]))


class PublishedFlow(nn.Module):
    """Codes (B, size) to noise and back; it sees no start. 629.6 million parameters at the published size."""

    def __init__(self, size: int = PUBLISHED_HIDDEN, constants: Constants | None = None):
        super().__init__()
        c = constants or Constants()
        self.size, self.flow = size, nn.Module()
        self.flow.sub_layers = nn.ModuleList([Block(size, c.flow_factor * size, c.flow_depth) for _ in range(c.flow_blocks)])

    def forward(self, z):
        """Return noise (B, size) and log |det| (B,)."""
        log_det = torch.zeros(len(z))
        for block in self.flow.sub_layers:
            z, more = block(z)
            log_det = log_det + more
        return z, log_det

    def inverse(self, noise):
        """Codes from noise."""
        for block in reversed(self.flow.sub_layers):
            noise = block.inverse(noise)
        return noise


def kl_nats(mu, logstd):
    """KL of the posterior from N(0, 1), summed over dimensions, mean over the batch."""
    return (-logstd + 0.5 * ((2 * logstd).exp() + mu.square()) - 0.5).sum(1).mean()


def raised(gamma: float, kl: float, constants: Constants) -> float:
    """The published step of dual ascent on KL <= cap."""
    return max(0.0, gamma - constants.gamma_step * (constants.cap_nats - kl))


def load_checkpoint(path: Path) -> Published:
    """Load a published `reg_ckpt_*.pth`, {"model", "optimizer"} or the weights alone; sizes are read off the weights."""
    values = _tensors(path, "model")
    try:
        hidden, size = values["decoder.n_out.weight"].shape[::-1]
        model = Published(int(size), int(hidden))
        model.load_state_dict(values)
    except (KeyError, AttributeError, ValueError, RuntimeError) as error:
        raise InputError(f"Expected a checkpoint of the published behaviour net at {path}, but it does not fit: "
                         f"{str(error).splitlines()[0]}") from None
    return model.eval()


def load_flow(path: Path) -> PublishedFlow:
    """Load a published `flow_ckpt_*.pth`."""
    values = _tensors(path, "model")
    try:
        size = values["flow.sub_layers.0.norm_layer.loc"].shape[1]
        first = values["flow.sub_layers.0.coupling.s.0.main.0.weight"]
        blocks = 1 + max(int(name.split(".")[2]) for name in values)
        depth = (max(int(n.split(".")[7]) for n in values if n.startswith("flow.sub_layers.0.coupling.s.0.main.")) - 2) // 2
        flow = PublishedFlow(size, Constants(flow_blocks=blocks, flow_factor=first.shape[0] // size, flow_depth=depth))
        flow.load_state_dict(values)
    except (KeyError, IndexError, AttributeError, ValueError, RuntimeError) as error:
        raise InputError(f"Expected a checkpoint of the published flow at {path}, but it does not fit: "
                         f"{str(error).splitlines()[0]}") from None
    return flow.eval()


def _tensors(path: Path, key: str) -> dict[str, torch.Tensor]:
    import pickle

    if not Path(path).is_file():
        raise InputError(f"Expected a checkpoint at {path}, but there is none.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"Expected a checkpoint of plain tensors at {path}, but it can't be read: {str(error).splitlines()[0]}.") from None
    state = state.get(key, state) if isinstance(state, dict) else {}
    return {name.removeprefix("module."): value for name, value in state.items()}
