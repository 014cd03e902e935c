"""The batch of humanoids as Stable-Baselines3 wants it: one VecEnv without processes or copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mrs.motion import Motion
from mrs.physics import extra
from mrs.rl.env import ImitationVectorEnv

extra.needed("stable_baselines3.common.vec_env", "rl", "Stable-Baselines3")
from stable_baselines3.common.vec_env import VecEnv


class ImitationVecEnv(VecEnv):
    """N humanoids for Stable-Baselines3; `infos` hold the whole episode's reward under "episode", as Monitor writes it."""

    def __init__(self, motion: Motion | Path | str, num_envs: int, threads: int = 1, **settings: Any):
        self.inner = ImitationVectorEnv(motion, num_envs, threads, **settings)
        self.task = self.inner.task
        self._returns, self._lengths = np.zeros(num_envs), np.zeros(num_envs, int)
        super().__init__(num_envs, self.inner.single_observation_space, self.inner.single_action_space)

    def reset(self) -> np.ndarray:
        """Begin all episodes."""
        seed = self._seeds[0]
        self._reset_seeds()
        self._returns[:], self._lengths[:] = 0, 0
        return self.inner.reset(seed=seed)[0]

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self):
        """Simulate one policy step of all."""
        observations, gained, terminated, truncated, info = self.inner.step(self._actions)
        self._returns += gained
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = terminated | truncated
        for env in np.flatnonzero(done):
            infos[env] = {"terminal_observation": info["final_obs"][env], "TimeLimit.truncated": bool(truncated[env]),
                          "episode": {"r": float(self._returns[env]), "l": int(self._lengths[env]), "t": 0.0}}
            self._returns[env], self._lengths[env] = 0, 0
        return observations, gained.astype(np.float32), done, infos

    def close(self) -> None:
        """Stop the threads."""
        self.inner.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the whole once for each index."""
        return [getattr(self.inner, attr_name, None) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the whole."""
        setattr(self.inner, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of the whole once."""
        return [getattr(self.inner, method_name)(*args, **kwargs)]

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Nothing is wrapped."""
        return [False for _ in self._get_indices(indices)]
