"""Held-out pairs of a source window and a start posture of another label, and how a model carries them on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mrs.errors import InputError
from mrs.synth import fit, networks
from mrs.synth.features import CONTACT
from mrs.synth.windows import Windows

PER_LABEL = 60


@dataclass(frozen=True)
class Pairs:
    """n pairs: source and target windows (n, WINDOW + 2, SIZE) with the frame before them, and numbers of labels and clips."""

    source: np.ndarray
    target: np.ndarray
    source_label: np.ndarray
    target_label: np.ndarray
    source_clip: np.ndarray
    target_clip: np.ndarray

    @property
    def starts(self) -> tuple[np.ndarray, np.ndarray]:
        """Start frames (n, SIZE) and the frames before them."""
        return self.target[:, 1], self.target[:, 0]


def make(windows: Windows, seed: int, per_label: int = PER_LABEL, split: str = "test") -> Pairs:
    """Draw `per_label` sources of every held-out label, each with a target window of another label."""
    rows, labels, clips = windows.every(split, stride=3)
    present = np.unique(labels)
    if len(present) < 2:
        raise InputError(f"Expected held-out windows of two labels or more, but there are {len(present)}. "
                         "Give every label more than one clip.")
    rng = np.random.default_rng(seed)
    source, target = [], []
    for label in present:
        own = np.flatnonzero(labels == label)
        source += own[np.linspace(0, len(own) - 1, per_label).round().astype(int)].tolist()
        for other in rng.choice(present[present != label], per_label):
            target.append(rng.choice(np.flatnonzero(labels == other)))
    s, t = np.array(source), np.array(target)
    return Pairs(windows.take(rows[s]), windows.take(rows[t]), labels[s], labels[t], clips[s], clips[t])


def transferred(model, windows: np.ndarray, start: np.ndarray, before: np.ndarray, fitting: bool = True) -> np.ndarray:
    """Re-enact windows (n, WINDOW + 2, SIZE) from starts: features (n, WINDOW + 1, SIZE).

    With codes that were fitted, as commands do it, or with the encoder's mean, as quick looks while training do.
    """
    parts = []
    for at in range(0, len(windows), fit.AT_ONCE):
        rows = slice(at, at + fit.AT_ONCE)
        z = fit.codes(model, windows[rows, 1:], fitting)
        parts.append(rolled(model, z, torch.as_tensor(start[rows]), torch.as_tensor(before[rows])))
    return np.concatenate(parts)


def rolled(model, z: torch.Tensor, start: torch.Tensor, before: torch.Tensor) -> np.ndarray:
    """Roll out z (n, latent) from starts (n, SIZE): features (n, WINDOW + 1, SIZE) with contacts as probabilities."""
    with torch.no_grad():
        out = model.roll(networks.eased(model.plan(z), start), z, start, before)
        return torch.cat([out[..., : CONTACT.start], torch.sigmoid(out[..., CONTACT])], -1).numpy()
