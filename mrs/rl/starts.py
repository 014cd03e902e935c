"""Where episodes begin: on the reference (DeepMimic), or where the policy learned that beginning pays (SFV)."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrs import rotations


class ReferenceStarts:
    """Reference state initialisation: a row drawn evenly, its state as it is."""

    name = "reference"

    def __init__(self, rows: int, nv: int):
        self.rows = rows

    def draw(self, generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray | None, Any]:
        """Return rows (n,), tangent offsets of qpos and qvel (n, 2 nv), and what `learn` wants back."""
        return generator.integers(self.rows, size=count), None, None

    def learn(self, drawn: Any, returns: np.ndarray) -> None:
        """Nothing is learned."""

    def state(self) -> dict[str, np.ndarray]:
        """Arrays to keep in a checkpoint."""
        return {}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take arrays from a checkpoint."""


class AdaptiveStarts:
    """SFV's adaptive state initialisation (Peng et al. 2018, section 7.2): starts are a policy of their own, learned by policy gradient.

    K Gaussians sit at even phases; component k has a weight, a mean offset from the reference and a spread. A start is a
    component and an offset drawn from it; its episode's return is the reward. Video-made references have states from which
    nobody could go on; their weights fade, and the means drift to states nearby that work.
    """

    name = "adaptive"

    def __init__(self, rows: int, nv: int, *, components: int = 10, spread: float = 0.05, rate: float = 0.02, batch: int = 256):
        self.rows, self.nv, self.batch, self.rate = rows, nv, batch, rate
        self.at = np.unique(np.linspace(0, rows - 1, min(components, rows)).round().astype(int))
        count = len(self.at)
        self.logits = np.zeros(count)
        self.mean = np.zeros((count, 2 * nv))
        self.log_spread = np.full((count, 2 * nv), np.log(spread))
        # Unit of the offsets: radians and metres for positions, four times as much a second for velocities.
        self.scale = np.r_[np.ones(nv), 4 * np.ones(nv)]
        self.scale[2] = 0.5
        self._waiting: list[tuple[int, np.ndarray, float]] = []

    @property
    def chances(self) -> np.ndarray:
        """Chance (K,) of each component; none falls below a twentieth of an even share, so that none is lost for ever."""
        soft = np.exp(self.logits - self.logits.max())
        return 0.95 * soft / soft.sum() + 0.05 / len(soft)

    def draw(self, generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, list]:
        """Return rows (n,), tangent offsets (n, 2 nv), and the components with their normal draws."""
        which = generator.choice(len(self.at), size=count, p=self.chances)
        noise = generator.standard_normal((count, 2 * self.nv))
        offsets = (self.mean[which] + np.exp(self.log_spread[which]) * noise) * self.scale
        return self.at[which], offsets, list(zip(which, noise, strict=True))

    def learn(self, drawn: list, returns: np.ndarray) -> None:
        """Remember the returns of finished episodes; at a full batch, one step of REINFORCE."""
        self._waiting += [(int(k), noise, float(g)) for (k, noise), g in zip(drawn, returns, strict=True)]
        if len(self._waiting) >= self.batch:
            self._step()
            self._waiting = []

    def _step(self) -> None:
        which = np.array([k for k, _, _ in self._waiting])
        noise = np.stack([n for _, n, _ in self._waiting])
        gain = np.array([g for _, _, g in self._waiting])
        gain = (gain - gain.mean()) / (gain.std() + 1e-6)
        chances = self.chances
        for k in range(len(self.at)):
            mine = which == k
            self.logits[k] += self.rate * 5 * (gain[mine].sum() - chances[k] * gain.sum()) / len(gain) * len(self.at)
            if mine.sum() > 1:
                own = (gain[mine] - gain[mine].mean())[:, None]
                self.mean[k] += self.rate * np.exp(self.log_spread[k]) * (own * noise[mine]).mean(0)
                self.log_spread[k] += self.rate * 0.5 * (own * (noise[mine] ** 2 - 1)).mean(0)
        self.mean = self.mean.clip(-0.3, 0.3)
        self.log_spread = self.log_spread.clip(np.log(0.01), np.log(0.15))
        self.logits = (self.logits - self.logits.mean()).clip(-4, 4)

    def state(self) -> dict[str, np.ndarray]:
        """Arrays to keep in a checkpoint."""
        return {"logits": self.logits, "mean": self.mean, "log_spread": self.log_spread}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take arrays from a checkpoint."""
        self.logits, self.mean, self.log_spread = (np.array(state[n]) for n in ("logits", "mean", "log_spread"))


KINDS = {kind.name: kind for kind in (ReferenceStarts, AdaptiveStarts)}


def displaced(qpos: np.ndarray, qvel: np.ndarray, offsets: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Move states (n, nq), (n, nv) by tangent offsets (n, 2 nv); the place on the floor and the heading stay."""
    if offsets is None:
        return qpos.copy(), qvel.copy()
    nv = qvel.shape[1]
    turn = offsets[:, :nv].copy()
    turn[:, [0, 1]] = 0
    out = qpos.copy()
    out[:, :3] += turn[:, :3]
    quats = qpos[:, 3:].reshape(len(qpos), -1, 4)
    moved = rotations.quat_multiply(quats, rotations.axis_angle_to_quat(turn[:, 3:].reshape(len(qpos), -1, 3)))
    out[:, 3:] = moved.reshape(len(qpos), -1)
    return out, qvel + offsets[:, nv:]
