"""The quick look during a training at transfer of windows kept for validation; `mrs eval bds` measures on test clips."""

from __future__ import annotations

import numpy as np

from mrs.synth import classify, pairs
from mrs.synth.features import JOINTS, POSE


class Check:
    """Measures a trainer's model on fixed pairs."""

    def __init__(self, windows, seed: int, iterations: int = 700, split: str = "val"):
        self.classifier = classify.train(windows, seed, iterations)
        self.pairs = pairs.make(windows, seed, 40, split)
        real = self.classifier.logits(self.pairs.source[:, 1:]).argmax(-1)
        self.ceiling = balanced(real == self.pairs.source_label, self.pairs.source_label)
        rows = np.random.default_rng(seed)
        self.train_windows = windows.take(windows.draw().rows(rows, 1500))

    def __call__(self, trainer) -> dict[str, float]:
        p, model = self.pairs, trainer.model.eval()
        out = pairs.transferred(model, p.source, *p.starts, fitting=False)
        found = self.classifier.logits(out).argmax(-1)
        source = balanced(found == p.source_label, p.source_label)
        target = balanced(found == p.target_label, p.source_label)
        own = pairs.transferred(model, p.source, p.source[:, 1], p.source[:, 0], fitting=False)
        moves = [np.abs(np.diff(v[..., JOINTS], axis=1)).mean() for v in (own, out, p.source[:, 1:])]
        trainer.model.train()
        found = {"ceiling": self.ceiling, "source": source, "target": target, "speed_own": moves[0] / moves[2],
                "speed": moves[1] / moves[2], "probe_r2": self._r2(model), "score": source - target}
        return {name: float(value) for name, value in found.items()}

    def _r2(self, model) -> float:
        """Ridge probe of the middle posture from z, trained on training windows."""
        import torch

        def codes(windows):
            with torch.no_grad():
                return model.encode(torch.as_tensor(windows[:, 1:]))[0].numpy()

        return ridge_r2(codes(self.train_windows), self.train_windows[:, 19, POSE], codes(self.pairs.source),
                        self.pairs.source[:, 19, POSE])


def balanced(right: np.ndarray, labels: np.ndarray) -> float:
    """Mean over labels of the share that is right."""
    return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))


def ridge_r2(train_x, train_y, test_x, test_y, strength: float = 1.0) -> float:
    """R2 on held-out data of a ridge regression, mean over the dimensions that vary, weighted by their variance."""
    mean, scale = train_x.mean(0), train_x.std(0) + 1e-6
    a = np.c_[(train_x - mean) / scale, np.ones(len(train_x))]
    b = np.c_[(test_x - mean) / scale, np.ones(len(test_x))]
    normal = a.T @ a + strength * np.eye(a.shape[1])
    predicted = b @ np.linalg.solve(normal, a.T @ train_y)
    left = ((test_y - predicted) ** 2).sum()
    return float(1 - left / ((test_y - test_y.mean(0)) ** 2).sum())
