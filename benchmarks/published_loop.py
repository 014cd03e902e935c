"""The training loop of the published behaviour net, with everything that it does in every iteration, to be timed.

Written from its description. An iteration is: items of three windows each (its own, one of another label, one of the same
label), put together one by one as its data set does; one pass that is learned from; a second pass, on the windows of the
other label, that is never used; a third, for the probe of labels on the code, whose gradient goes through the encoder and
is thrown away; five steps of the posture regressor through a graph that is kept; and the three probes of labels that it
trains alongside: an LSTM of 512 units on postures, a residual network on their changes, a linear layer on the code. Not
counted: its evaluation between epochs. What it learns is what :class:`mrs.synth.rivals.Trainer` learns, without all that.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from mrs.synth import bds2021, rivals
from mrs.synth.windows import WINDOW, Windows

LSTM_UNITS, LSTM_OUT, PLANES = 512, 128, (64, 32)


class Items(torch.utils.data.Dataset):
    """Standardised joints of windows (WINDOW + 1, 72), made beforehand; an item is three windows and a label."""

    def __init__(self, windows: Windows, rival: rivals.Rival, seed: int, most: int = 2000):
        self.rng = np.random.default_rng(seed)
        rows = windows.draw().rows(self.rng, most)
        self.values = rival.inputs(windows.take(rows))[:, 1:].numpy()
        firsts = sorted((p.first, windows.labels.index(p.label)) for p in windows.of("train"))
        at = np.searchsorted([first for first, _ in firsts], rows, "right") - 1
        self.labels = np.array([label for _, label in firsts])[at]
        self.of_label = {label: np.flatnonzero(self.labels == label) for label in np.unique(self.labels)}

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, number: int) -> dict:
        label = int(self.labels[number])
        others = [other for other in self.of_label if other != label] or [label]
        paired = self.rng.choice(self.of_label[others[self.rng.integers(len(others))]])
        matched = self.rng.choice(self.of_label[label])
        found = {"own": number, "paired": paired, "matched": matched}
        return {name: torch.from_numpy(self.values[at].copy()) for name, at in found.items()} | {"label": label, "number": number}


class Recurrent(nn.Module):
    """The probe of labels on postures."""

    def __init__(self, size: int, classes: int):
        super().__init__()
        self.rnn = nn.LSTM(size, LSTM_UNITS, batch_first=True)
        self.out = nn.Sequential(nn.Linear(LSTM_UNITS, LSTM_OUT), nn.ReLU(), nn.Linear(LSTM_OUT, classes))

    def forward(self, x):
        """Postures (B, T, size) to logits."""
        return self.out(self.rnn(x)[1][0][-1])


class Block(nn.Module):
    """Two convolutions over time with group norms, the first of stride 2, and a shortcut."""

    def __init__(self, size: int, planes: int):
        super().__init__()
        self.main = nn.Sequential(nn.Conv1d(size, planes, 3, 2, 1, bias=False), nn.GroupNorm(16, planes), nn.ReLU(),
                                  nn.Conv1d(planes, planes, 3, 1, 1, bias=False), nn.GroupNorm(16, planes))
        self.short = nn.Sequential(nn.Conv1d(size, planes, 1, 2, bias=False), nn.GroupNorm(16, planes))

    def forward(self, x):
        """(B, size, T) to (B, planes, T / 2)."""
        return torch.relu(self.main(x) + self.short(x))


class Residual(nn.Module):
    """The probe of labels on changes of postures."""

    def __init__(self, size: int, classes: int):
        super().__init__()
        self.blocks = nn.Sequential(Block(size, PLANES[0]), Block(PLANES[0], PLANES[1]))
        self.out = nn.Linear(PLANES[1], classes)

    def forward(self, x):
        """Postures (B, T, size) to logits."""
        return self.out(self.blocks((x[:, 1:] - x[:, :-1]).transpose(1, 2)).mean(-1))


class Loop:
    """The published loop at a width: :meth:`step` is one of its iterations."""

    def __init__(self, settings: rivals.Settings, windows: Windows):
        self.learner = rivals.Trainer(settings, windows)
        self.model, self.constants, self.settings = self.learner.rival.model, self.learner.constants, settings
        classes, size = len(windows.labels), rivals.SIZE
        self.items = Items(windows, self.learner.rival, settings.seed)
        self.probes = {"postures": Recurrent(size, classes), "changes": Residual(size, classes),
                       "code": nn.Linear(settings.hidden, classes)}
        rates = {"postures": (1e-4, 1e-4), "changes": (1e-4, 1e-5), "code": (1e-3, 0.0)}
        self.optimisers = {name: torch.optim.Adam(net.parameters(), lr=rates[name][0], weight_decay=rates[name][1])
                           for name, net in self.probes.items()}
        self.gamma, self.batches = 0.0, iter(())

    def batch(self) -> dict:
        """The next items, shuffled anew when they are used up."""
        found = next(self.batches, None)
        if found is None:
            order = torch.Generator().manual_seed(int(self.items.rng.integers(2**31)))
            self.batches = iter(torch.utils.data.DataLoader(self.items, self.settings.batch, shuffle=True, drop_last=True,
                                                            generator=order))
            found = next(self.batches)
        return found

    def step(self) -> dict[str, float]:
        """One iteration on the next batch."""
        return self.learn(self.batch())

    def learn(self, batch: dict) -> dict[str, float]:
        """One iteration, in the published order."""
        c, model, x = self.constants, self.model, batch["own"]
        mu, logstd = model.encode(x)
        recon = (model.decode(mu + logstd.exp() * torch.randn_like(mu), x[:, 0], WINDOW) - x[:, 1:]).square().mean()
        paired_mu, paired_logstd = model.encode(batch["paired"])
        model.decode(paired_mu + paired_logstd.exp() * torch.randn_like(mu), batch["paired"][:, 0], WINDOW)
        kl = bds2021.kl_nats(mu, logstd)
        error = self._regressed(mu, x)
        hide = -c.regressor_weight * sum(error.clamp(max=most) for most in c.regressor_clamps)
        self.learner.optimiser.zero_grad()
        (c.recon * recon + self.gamma * kl + hide).backward()
        self.learner.optimiser.step()
        self.gamma = bds2021.raised(self.gamma, float(kl.detach()), c)
        return {"recon": float(recon.detach()), **self._probed(x, batch["label"])}

    def _regressed(self, mu, x) -> torch.Tensor:
        """Five steps of the regressor, whose gradients run through the encoder too, and its error afterwards."""
        learner = self.learner
        for _ in range(self.constants.regressor_steps):
            at = torch.full((len(x),), int(learner.rng.integers(0, self.constants.frames)))
            learner.regressing.zero_grad()
            (learner.regressor(mu, at) - x[:, int(at[0])]).square().mean().backward(retain_graph=True)
            learner.regressing.step()
        return (learner.regressor(mu, at) - x[:, int(at[0])]).square().mean()

    def _probed(self, x, label) -> dict[str, float]:
        """A step of each probe of labels; the one on the code runs through a third pass of the whole model."""
        mu, logstd = self.model.encode(x)
        self.model.decode(mu + logstd.exp() * torch.randn_like(mu), x[:, 0], WINDOW)
        out = {}
        for (name, net), seen in zip(self.probes.items(), (x, x, mu), strict=True):
            loss = nn.functional.cross_entropy(net(seen), label)
            self.optimisers[name].zero_grad()
            loss.backward()
            self.optimisers[name].step()
            out[name] = float(loss.detach())
        return out
