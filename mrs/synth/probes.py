"""Probes that are trained on one part of the data and judged on another."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from mrs.synth.checks import ridge_r2
from mrs.synth.classify import Sequence

__all__ = ["frechet", "mlp_r2", "real_or_fake", "ridge_r2"]


def mlp_r2(train_x, train_y, test_x, test_y, seed: int, iterations: int = 400) -> float:
    """Held-out R2 of a small network that says y from x, its training stopped where a fifth of the training part is best."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        scale_x, scale_y = (train_x.mean(0), train_x.std(0) + 1e-6), (train_y.mean(0), float(train_y.std()) + 1e-9)
        x, held, y, wanted = (torch.as_tensor((v - m) / s, dtype=torch.float32) for v, (m, s) in
                              ((train_x, scale_x), (test_x, scale_x), (train_y, scale_y), (test_y, scale_y)))
        net = nn.Sequential(nn.Linear(x.shape[1], 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, y.shape[1]))
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)
        rng, keep = np.random.default_rng(seed), int(0.8 * len(x))
        best, found = np.inf, 0.0
        for at in range(iterations):
            rows = torch.as_tensor(rng.integers(0, keep, 128))
            optimiser.zero_grad()
            (net(x[rows]) - y[rows]).square().mean().backward()
            optimiser.step()
            if at % 25 == 24:
                with torch.no_grad():
                    error = float((net(x[keep:]) - y[keep:]).square().mean())
                    if error < best:
                        best, left = error, (net(held) - wanted).square().sum()
                        found = float(1 - left / (wanted - wanted.mean(0)).square().sum())
        return found


def real_or_fake(real: np.ndarray, fake: np.ndarray, real_clip: np.ndarray, fake_clip: np.ndarray, seed: int,
                 iterations: int = 300) -> float:
    """Held-out accuracy of a GRU that tells real windows from made ones, both (n, T, size); 0.5 is indistinguishable.

    Two folds by clip: what it is judged on comes from clips it has not seen, of either kind. Accuracy counts both kinds alike.
    """
    clips = np.unique(np.concatenate([real_clip, fake_clip]))
    fold = dict(zip(clips.tolist(), (np.random.default_rng(seed).permutation(len(clips)) % 2).tolist(), strict=True))
    real_fold, fake_fold = (np.array([fold[c] for c in v.tolist()]) for v in (real_clip, fake_clip))
    found = []
    for held in (0, 1):
        train_x = np.concatenate([real[real_fold != held], fake[fake_fold != held]])
        train_y = np.r_[np.ones((real_fold != held).sum()), np.zeros((fake_fold != held).sum())]
        net, mean, std = _fitted(train_x, train_y, seed, iterations)
        for values, truth in ((real[real_fold == held], 1), (fake[fake_fold == held], 0)):
            if len(values):
                with torch.no_grad():
                    said = net(torch.as_tensor((values - mean) / std, dtype=torch.float32))[:, 0].numpy() > 0
                found.append((said == bool(truth)).mean())
    return float(np.mean(found))


def _fitted(x: np.ndarray, y: np.ndarray, seed: int, iterations: int):
    mean, std = x.mean((0, 1)), x.std((0, 1)) + 1e-3
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net, rng = Sequence(x.shape[-1], 1, width=64), np.random.default_rng(seed)
        optimiser = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-4)
        kinds = [np.flatnonzero(y == kind) for kind in (0, 1)]
        for _ in range(iterations):
            rows = np.concatenate([rng.choice(kind, 32) for kind in kinds])
            said = net(torch.as_tensor((x[rows] - mean) / std, dtype=torch.float32))[:, 0]
            optimiser.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(said, torch.as_tensor(y[rows], dtype=torch.float32)).backward()
            optimiser.step()
        return net.eval(), mean, std


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Frechet distance of two sets of vectors taken as Gaussians."""
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    first, second = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return float(mean + np.trace(first) + np.trace(second) - 2 * cross)
