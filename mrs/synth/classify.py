"""A classifier of behaviour on heading-relative velocities, trained on real training windows only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mrs.synth.kinematics import Skeleton, batched, velocities
from mrs.synth.windows import Windows

FEATURES = 30


class Sequence(nn.Module):
    """Chunks of 4 frames, a GRU, FEATURES tanh units, and logits."""

    def __init__(self, size: int, classes: int, width: int = 96):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4 * size, width), nn.GELU(), nn.Dropout(0.2))
        self.gru = nn.GRU(width, width, batch_first=True)
        self.features = nn.Sequential(nn.Linear(2 * width, FEATURES), nn.Tanh())
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, x: torch.Tensor, features: bool = False) -> torch.Tensor:
        """x (B, T, size), T a multiple of 4."""
        hidden, _ = self.gru(self.inner(x.unflatten(1, (-1, 4)).flatten(2)))
        found = self.features(torch.cat([hidden.mean(1), hidden[:, -1]], -1))
        return found if features else self.head(found)


@dataclass(frozen=True)
class Classifier:
    """A trained network with the statistics of what it was trained on."""

    net: Sequence
    mean: torch.Tensor
    std: torch.Tensor
    skeleton: Skeleton
    labels: list[str]

    def inputs(self, x: torch.Tensor) -> torch.Tensor:
        """Features (B, T + 1, SIZE) to standardised velocities (B, T, 75)."""
        return (velocities(self.skeleton, x) - self.mean) / self.std

    def logits(self, windows: np.ndarray) -> np.ndarray:
        """Windows (n, T + 1, SIZE) to logits (n, labels)."""
        return batched(lambda x: self.net(self.inputs(x)), windows.astype(np.float32))

    def of_joints(self, played) -> np.ndarray:
        """Joints (:class:`mrs.synth.played.Played`) to logits (n, labels)."""
        return self._on_joints(played, False)

    def vectors(self, played) -> np.ndarray:
        """Joints to the FEATURES numbers before the last layer, for the Frechet distance."""
        return self._on_joints(played, True)

    def _on_joints(self, played, features: bool) -> np.ndarray:
        with torch.no_grad():
            values = (torch.as_tensor(played.velocities()) - self.mean) / self.std
            return self.net(values, features=features).numpy()


def train(windows: Windows, seed: int, iterations: int = 700, batch: int = 64) -> Classifier:
    """Train on windows of the training split, labels counted alike. Leaves torch's generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _train(windows, seed, iterations, batch)


def _train(windows: Windows, seed: int, iterations: int, batch: int) -> Classifier:
    rng = np.random.default_rng(seed)
    skeleton, draw = Skeleton(), windows.draw()
    labels = {}
    for piece in windows.of("train"):
        labels[piece.first] = windows.labels.index(piece.label)
    firsts = np.array(sorted(labels))
    numbers = np.array([labels[f] for f in firsts])
    values = velocities(skeleton, torch.as_tensor(windows.take(draw.rows(rng, 512))[:, 1:]))
    mean, std = values.mean((0, 1)), values.std((0, 1)).clamp_min(1e-3)
    classifier = Classifier(Sequence(values.shape[-1], len(windows.labels)), mean, std, skeleton, windows.labels)
    optimiser = torch.optim.Adam(classifier.net.parameters(), lr=2e-3, weight_decay=1e-5)
    for at in range(iterations):
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * at / iterations)))
        rows = draw.rows(rng, batch)
        truth = torch.as_tensor(numbers[np.searchsorted(firsts, rows, "right") - 1])
        found = classifier.net(classifier.inputs(torch.as_tensor(windows.take(rows)[:, 1:])))
        optimiser.zero_grad()
        nn.functional.cross_entropy(found, truth, label_smoothing=0.05).backward()
        optimiser.step()
    classifier.net.eval()
    return classifier
