"""What watches a training: the curve, checkpoints, the learning rate, and the clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mrs.npz import atomic_path
from mrs.physics import extra
from mrs.rl.training import CURVE, POLICY, STATE

extra.needed("stable_baselines3.common.callbacks", "rl", "Stable-Baselines3")
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.save_util import save_to_zip_file

CHECKPOINT_S = 60.0
RATES = (1e-5, 1e-3)
STEP = 1.5


class Keeper(BaseCallback):
    """Notes what every update reached, keeps a checkpoint a minute, stops after `seconds`.

    `state` holds steps, seconds and learning rate so far. The rate is divided by STEP where an update changed the policy by more
    than twice `wanted_kl`, and multiplied where by less than half.
    """

    def __init__(self, out: Path, env: Any, state: dict[str, Any], seconds: float | None, wanted_kl: float, tell: Callable[[str], Any]):
        super().__init__()
        self.out, self.env, self.state, self.seconds, self.wanted_kl, self.tell = out, env, state, seconds, wanted_kl, tell
        self.begun = self.kept = time.monotonic()
        self.episodes: list[dict[str, Any]] = []
        self.gained, self.count, self.rate = 0.0, 0, float(state["learning_rate"])

    def _on_rollout_start(self) -> None:
        change = self.model.logger.name_to_value.get("train/approx_kl")
        if change is not None:
            factor = 1 / STEP if change > 2 * self.wanted_kl else STEP if change < self.wanted_kl / 2 else 1.0
            self.rate = float(np.clip(self.rate * factor, *RATES))
        self.model.lr_schedule = lambda _: self.rate

    def _on_step(self) -> bool:
        self.episodes += [info["episode"] for info in self.locals["infos"] if "episode" in info]
        self.gained += float(self.locals["rewards"].sum())
        self.count += len(self.locals["rewards"])
        return self.seconds is None or time.monotonic() - self.begun < self.seconds

    def _on_rollout_end(self) -> None:
        line = {"steps": self.steps(), "seconds": round(self.elapsed_s(), 1), "reward": round(self.gained / max(self.count, 1), 4),
                "learning_rate": round(self.rate, 7), "episodes": len(self.episodes),
                "length": _mean([e["l"] for e in self.episodes]), "return": _mean([e["r"] for e in self.episodes])}
        with (self.out / CURVE).open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.tell(json.dumps(line))
        self.episodes, self.gained, self.count = [], 0.0, 0
        if time.monotonic() - self.kept > CHECKPOINT_S:
            self.checkpoint()

    def steps(self) -> int:
        """Policy steps of this and all earlier calls."""
        return int(self.state["steps"] + self.num_timesteps)

    def elapsed_s(self) -> float:
        """Seconds of this and all earlier calls."""
        return float(self.state["seconds"] + time.monotonic() - self.begun)

    def checkpoint(self) -> None:
        """Write a checkpoint: first the parameters, then the state that names their steps."""
        self.kept = time.monotonic()
        with atomic_path(self.out / POLICY) as temporary, open(temporary, "wb") as file:
            save_to_zip_file(file, data=None, params=self.model.get_parameters(), pytorch_variables=None)
        rms = self.env.obs_rms
        starts = {f"starts_{name}": value for name, value in self.env.venv.task.starts.state().items()}
        with atomic_path(self.out / STATE) as temporary, open(temporary, "wb") as file:
            np.savez(file, mean=rms.mean, var=rms.var, count=rms.count, steps=self.steps(), seconds=self.elapsed_s(),
                     learning_rate=self.rate, **starts)


def _mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 3) if values else None
