"""What the encoder is worth on films of clips that it was not trained on."""

from __future__ import annotations

import numpy as np
import torch

from mrs.lifting.corpus import ACTIONS_APART, Clips
from mrs.lifting.dice import Dice
from mrs.lifting.encoder import Encoder
from mrs.lifting.figure import LIMBS
from mrs.lifting.films import Films, Shots, Studio
from mrs.lifting.noise import Bank
from mrs.lifting.poses import PLAIN
from mrs.lifting.view import inputs


def numbers_of(films: Films) -> torch.Tensor:
    """The encoder's input for films."""
    return inputs(films.seen, films.view)


class Test:
    """The same films at every look: two of each held-out clip, at 30 frames a second, and of them the same ones without 3D landmarks."""

    def __init__(self, clips: Clips, device="cpu", bank: Bank | None = None, each: int = 4):
        rows = torch.arange(len(clips.names), device=device)
        labels = np.array(clips.labels)
        few = np.concatenate([np.flatnonzero(labels == label)[:6] for label in sorted(set(clips.labels))])
        rows = torch.as_tensor(np.repeat(few, each), device=device)
        self.acrobatic = np.isin(labels[np.repeat(few, each)], ACTIONS_APART)
        self.moving = np.isin(labels[np.repeat(few, each)], ("walking", "running"))
        shots = Shots(fps=(29.9, 30.1), usual=0.0, deep=1.0)
        studio = Studio(clips, device, shots=shots, bank=bank)
        studio.often = torch.ones_like(studio.often)
        self.figure = studio.figure
        with torch.no_grad():
            self.films = studio.shoot(Dice(device, 12345), len(rows), PLAIN, clips=rows)

    @torch.no_grad()
    def measure(self, net: Encoder) -> dict[str, float]:
        """PA-MPJPE in mm of 24 joints, with and without 3D landmarks, and of groups; MPJPE; agreement on contacts."""
        net.eval()
        out = {}
        for name, share in (("", 1.0), ("_2d", 0.0)):
            films = self.films
            seen = films.seen
            seen = type(seen)(seen.rays, seen.deep_m, seen.deep * share, seen.times_s, seen.up, seen.still)
            said = net(inputs(seen, films.view))
            joints = self.figure.hang(said.turned, self.figure.bones_of(said.betas)).cpu().numpy()
            true = films.truth.joints_m.cpu().numpy()
            error = pa_errors(joints, true)
            parts = {"pa_moving": self.moving, "pa_acro": self.acrobatic}
            out |= {f"pa{name}": error.mean(), f"pa_limbs{name}": pa_errors(joints[:, :, LIMBS], true[:, :, LIMBS]).mean(),
                    **{f"{part}{name}": error[rows].mean() for part, rows in parts.items() if rows.any()},
                    f"mpjpe{name}": 1000 * np.linalg.norm(joints - true, axis=-1).mean()}
        touch = (films.truth.contacts > 0.5) == (said.contacts > 0)
        out["contacts"] = 100 * touch.float().mean().item()
        net.train()
        return {k: round(float(v), 2) for k, v in out.items()}


def pa_errors(made: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Mean distance (B, T) in mm of joints (B, T, J, 3) after the best similarity of each frame."""
    from mrs.metrics.align import moved, similarity

    return 1000 * np.linalg.norm(moved(made, similarity(made, true)) - true, axis=-1).mean(-1)
