"""The Gymnasium environments: one humanoid, and N together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mrs.motion import Motion
from mrs.physics import extra
from mrs.rl.task import Imitation, Settings

extra.needed("gymnasium", "rl", "Gymnasium")
import gymnasium
from gymnasium.vector.utils import batch_space


def motion_of(motion: Motion | Path | str) -> Motion:
    """Return a motion, read from its file where a path is given."""
    if isinstance(motion, Motion):
        return motion
    from mrs import plugins
    from mrs.reading import read_motion

    return read_motion(Path(motion), plugins.load(()))


def _spaces(task: Imitation) -> tuple[Any, Any]:
    box = gymnasium.spaces.Box
    return (box(-50.0, 50.0, (task.observation_size,), np.float32), box(-1.0, 1.0, (task.action_size,), np.float32))


class ImitationEnv(gymnasium.Env):
    """Imitate a motion with a MuJoCo humanoid of its person's size and mass.

    `motion` is a Motion or a file that mrs reads; the rest are :class:`mrs.rl.task.Settings`. `info` holds the reward's terms.
    `render` (mode rgb_array) paints the body of the person without any GL library.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012

    def __init__(self, motion: Motion | Path | str, render_mode: str | None = None, **settings: Any):
        self.render_mode = render_mode
        self.task = Imitation(motion_of(motion), 1, Settings(**settings))
        self.observation_space, self.action_space = _spaces(self.task)
        self._painter: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Begin an episode; `options={"row": k}` begins at a row of the reference."""
        super().reset(seed=seed)
        self.task.generator = self.np_random
        row = (options or {}).get("row")
        self.task.reset(np.arange(1), None if row is None else np.array([row]))
        return self.task.observe()[0], {}

    def step(self, action: np.ndarray):
        """Simulate one policy step."""
        gained, terminated, truncated, terms = self.task.step(np.asarray(action, float)[None])
        if terminated[0] or truncated[0]:
            self.task.finish(np.arange(1))
        info = {name: float(value[0]) for name, value in terms.items()}
        return self.task.observe()[0], float(gained[0]), bool(terminated[0]), bool(truncated[0]), info

    def render(self):
        """Paint the person as the simulation has them, seen from the side."""
        if self.render_mode != "rgb_array":
            return None
        from mrs.rl.video import Painter

        if self._painter is None:
            self._painter = Painter(self.task.humanoid)
        return self._painter.paint(self.task.qpos[0])

    def close(self):
        """Stop what runs."""
        self.task.close()


class ImitationVectorEnv(gymnasium.vector.VectorEnv):
    """N humanoids stepped together; a finished one begins anew in the same step, its last observation in `info`."""

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, motion: Motion | Path | str, num_envs: int = 1, threads: int = 1, **settings: Any):
        self.num_envs = num_envs
        self.render_mode = None
        self.task = Imitation(motion_of(motion), num_envs, Settings(**settings), threads=threads)
        self.single_observation_space, self.single_action_space = _spaces(self.task)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Begin all episodes."""
        if seed is not None:
            self._np_random, self._np_random_seed = gymnasium.utils.seeding.np_random(seed)
        self.task.generator = self.np_random
        return self.task.reset_all(), {}

    def step(self, actions: np.ndarray):
        """Simulate one policy step of all."""
        gained, terminated, truncated, terms = self.task.step(np.asarray(actions, float))
        observations = self.task.observe()
        info: dict[str, Any] = dict(terms)
        done = np.flatnonzero(terminated | truncated)
        if len(done):
            last = np.empty(self.num_envs, object)
            for env in done:
                last[env] = observations[env].copy()
            info |= {"final_obs": last, "_final_obs": terminated | truncated}
            self.task.finish(done)
            self.task.reset(done)
            observations = self.task.observe()
        return observations, gained, terminated, truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        """Stop the threads."""
        self.task.close()
