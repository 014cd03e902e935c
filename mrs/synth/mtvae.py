"""MT-VAE (Yan et al., ECCV 2018) as a baseline: the code is of the difference between what was and what comes.

One LSTM encodes the past and the future; the code is of the difference of the two encodings; decoding adds to the
encoding of any past. Losses: L1 of postures, KL with a weight that rises, L1 of the first velocities, and a cycle.
"""

from __future__ import annotations

import torch
from torch import nn

VELOCITY_FRAMES = 8


class Residual(nn.Module):
    """Three rectified layers beside a linear one, normalised without affine."""

    def __init__(self, size: int, out: int):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(size, out // 2), nn.ReLU(), nn.Linear(out // 2, out // 2), nn.ReLU(),
                                 nn.Linear(out // 2, out), nn.ReLU())
        self.short, self.norm = nn.Linear(size, out), nn.LayerNorm(out, elementwise_affine=False)

    def forward(self, x):
        return self.norm(self.net(x) + self.short(x))


class MtVae(nn.Module):
    """Postures (B, T, size), of which the first `past` are seen, to the rest; the code is half as wide as the LSTM."""

    def __init__(self, size: int, hidden: int, past: int):
        super().__init__()
        self.size, self.hidden, self.past = size, hidden, past
        self.encoder = nn.LSTM(size, hidden, batch_first=True)
        self.decoder = nn.LSTM(hidden, hidden, batch_first=True)
        self.to_code, self.from_code = Residual(hidden, 2 * (hidden // 2)), Residual(hidden // 2 + hidden, hidden)
        self.mix, self.norm = nn.Linear(hidden // 2, hidden // 2), nn.LayerNorm(hidden, elementwise_affine=False)
        self.to_h, self.to_c, self.out = nn.Linear(2 * hidden, hidden), nn.Linear(2 * hidden, hidden), nn.Linear(hidden, size)

    def seen(self, x):
        """Last encoding (B, hidden) of postures."""
        return self.encoder(x)[1][0][-1]

    def code(self, difference):
        """Mean and log deviation of the code of a difference of encodings."""
        return self.to_code(difference).chunk(2, -1)

    def encode(self, x):
        """Mean and log deviation of the code of postures (B, T, size)."""
        return self.code(self.seen(x[:, self.past :]) - self.seen(x[:, : self.past]))

    def decode(self, z, past, frames: int):
        """Roll out after a past (B, past, size): postures (B, frames, size), and what the cycle encodes again."""
        e = self.seen(past)
        wanted = self.norm(self.from_code(torch.cat([self.mix(z), e], -1)) + e)
        both = torch.cat([e, wanted], -1)
        out, _ = self.decoder(wanted[:, None].expand(-1, frames, -1), (torch.tanh(self.to_h(both))[None], self.to_c(both)[None]))
        return self.out(out), wanted - e

    def losses(self, x, kl_weight: float) -> dict[str, torch.Tensor]:
        """Every weighted term for postures (B, T, size)."""
        mu, logstd = self.encode(x)
        past, true = x[:, : self.past], x[:, self.past :]
        out, again = self.decode(mu + logstd.exp() * torch.randn_like(mu), past, true.shape[1])
        code, spread = self.code(again)
        cycle = code + spread.exp() * torch.randn_like(code)
        last, k = past[:, -1:], VELOCITY_FRAMES
        moves, wanted = (torch.cat([last, v[:, :k]], 1).diff(dim=1) for v in (out, true))
        kl = 0.5 * (logstd.exp() + mu.square() - logstd - 1).mean()
        return {"postures": (out - true).abs().mean(), "kl": kl_weight * kl, "velocity": 10 * (moves - wanted).abs().mean(),
                "cycle": 10 * (cycle - torch.randn_like(cycle)).abs().mean()}
