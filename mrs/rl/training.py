"""Train a policy with Stable-Baselines3's PPO: a folder with checkpoints to go on from, and a curve of what was reached.

OUT holds settings.json, curve.jsonl (a line an update), policy.zip (parameters and optimiser, no pickled objects), state.npz
(observation statistics, the learned starts, steps and seconds so far). A checkpoint is two files renamed into place.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError, UsageError
from mrs.motion import Motion
from mrs.npz import atomic_path
from mrs.physics import extra

SETTINGS, CURVE, POLICY, STATE = "settings.json", "curve.jsonl", "policy.zip", "state.npz"
# What may differ when a training goes on, perhaps on another machine.
MAY_CHANGE = ("envs", "threads", "rollout", "batch", "device")


@dataclass(frozen=True)
class Recipe:
    """What PPO is run with; `envs` humanoids are simulated by `threads` threads.

    The learning rate follows the policy's change: it falls where an update's KL is over twice `wanted_kl`, and rises under half.
    """

    envs: int = 16
    threads: int = 1
    rollout: int = 128
    batch: int = 512
    epochs: int = 5
    learning_rate: float = 1e-4
    gamma: float = 0.97
    gae_lambda: float = 0.95
    clip: float = 0.2
    hidden: tuple[int, ...] = (256, 128)
    log_std: float = -2.5
    wanted_kl: float = 0.03
    seed: int = 0
    device: str = "cpu"


def train(motion: Motion, out: Path, recipe: Recipe, settings: dict[str, Any], *, steps: int | None = None,
          seconds: float | None = None, resume: bool = False, tell=print) -> Path:
    """Train until `steps` simulated policy steps in all, or for `seconds` more; return the path of the policy.

    With `resume` networks and task stay as they were; what :data:`MAY_CHANGE` names is taken from `recipe`.
    """
    from mrs.rl.keeper import Keeper

    out = Path(out)
    recipe, settings = _begin(out, recipe, settings, resume)
    model, env, _stats = build(motion, recipe, settings)
    _keep_cycle(out, env.venv.task)
    state = restore(out, model, env) if resume else {"steps": 0, "seconds": 0.0, "learning_rate": recipe.learning_rate}
    _forget_after(out, state["steps"])
    keeper = Keeper(out, env, state, seconds, recipe.wanted_kl, tell)
    left = (steps - state["steps"]) if steps is not None else 10**12
    if left > 0:
        model.learn(left, callback=keeper, progress_bar=False)
        keeper.checkpoint()
    env.close()
    return out / POLICY


def _begin(out: Path, recipe: Recipe, settings: dict[str, Any], resume: bool) -> tuple[Recipe, dict[str, Any]]:
    """Write what the training is run with, or take what it began with."""
    path = out / SETTINGS
    if resume:
        if not (path.is_file() and (out / POLICY).is_file() and (out / STATE).is_file()):
            raise InputError(f"Expected a training in {out} to go on with, but there is none. Type the same without --resume.")
        kept = json.loads(path.read_text())
        kept["recipe"] |= {name: getattr(recipe, name) for name in MAY_CHANGE}
        return Recipe(**{**kept["recipe"], "hidden": tuple(kept["recipe"]["hidden"])}), kept["settings"]
    if path.exists():
        raise UsageError(f"Expected a new folder, but {out} holds a training. Add --resume, or choose another --out.")
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"recipe": asdict(recipe), "settings": settings}, indent=1))
    return recipe, settings


def _keep_cycle(out: Path, task) -> None:
    """Write down which cycle is repeated, so that who goes on, or looks at it later, has the same task."""
    kept = json.loads((out / SETTINGS).read_text())
    if task.settings.loop:
        kept["settings"]["cycle_s"] = list(task.reference.cycle_s)
        with atomic_path(out / SETTINGS) as temporary:
            temporary.write_text(json.dumps(kept, indent=1))


def _forget_after(out: Path, steps: int) -> None:
    """Drop the curve's lines of what came after the last checkpoint, which is made again."""
    path = out / CURVE
    if path.is_file():
        kept = [line for line in path.read_text().splitlines() if json.loads(line)["steps"] <= steps]
        with atomic_path(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept))


def build(motion: Motion, recipe: Recipe, settings: dict[str, Any]):
    """Return PPO, its environment with observations brought to unit variance, and their statistics."""
    sb3 = extra.needed("stable_baselines3", "rl", "Stable-Baselines3")
    import torch
    from stable_baselines3.common.vec_env import VecNormalize

    from mrs.rl.sb3 import ImitationVecEnv

    env = VecNormalize(ImitationVecEnv(motion, recipe.envs, recipe.threads, **settings), norm_reward=False, clip_obs=10.0)
    model = sb3.PPO(
        "MlpPolicy", env, n_steps=recipe.rollout, batch_size=recipe.batch, n_epochs=recipe.epochs, seed=recipe.seed,
        learning_rate=recipe.learning_rate, gamma=recipe.gamma, gae_lambda=recipe.gae_lambda, clip_range=recipe.clip,
        device=recipe.device, policy_kwargs={
            "net_arch": list(recipe.hidden), "log_std_init": recipe.log_std, "activation_fn": torch.nn.ELU})
    return model, env, env.obs_rms


def restore(out: Path, model, env) -> dict[str, Any]:
    """Put a checkpoint's parameters, statistics and starts in place; return steps and seconds so far."""
    with np.load(out / STATE, allow_pickle=False) as file:
        kept = {name: file[name] for name in file.files}
    model.set_parameters(str(out / POLICY), device=model.device)
    env.obs_rms.mean, env.obs_rms.var, env.obs_rms.count = kept["mean"], kept["var"], float(kept["count"])
    env.venv.task.starts.restore({n.removeprefix("starts_"): v for n, v in kept.items() if n.startswith("starts_")})
    return {"steps": int(kept["steps"]), "seconds": float(kept["seconds"]), "learning_rate": float(kept["learning_rate"])}


def evaluate(motion: Motion, out: Path, *, episodes: int = 8, rows=None, keep: int | None = None) -> dict[str, Any]:
    """Run the policy of a training without noise from even starts; return mean length, share of the reward, and one run's qpos.

    Lengths are in seconds; `reward` is the mean of a whole episode with zeros after a fall, so 1 is a perfect imitation.
    """
    kept = json.loads((out / SETTINGS).read_text())
    recipe = Recipe(**{**kept["recipe"], "envs": episodes, "threads": 1, "device": "cpu", "hidden": tuple(kept["recipe"]["hidden"])})
    settings = {**kept["settings"], "starts": "reference"}
    model, env, _ = build(motion, recipe, settings)
    restore_policy(out, model, env)
    task = env.venv.task
    rows = np.linspace(0, task.reference.starts - 1, episodes).astype(int) if rows is None else rows
    task.reset(np.arange(episodes), rows)
    longest = np.minimum(int(task.settings.seconds * task.settings.rate_hz), len(task.reference) - 1 - rows)
    alive, gathered, length, path = np.ones(episodes, bool), np.zeros(episodes), np.zeros(episodes), [task.qpos[0].copy()]
    for _ in range(int(longest.max())):
        actions, _ = model.predict(env.normalize_obs(task.observe()), deterministic=True)
        gained, terminated, truncated, _ = task.step(actions)
        gathered += np.where(alive, gained, 0)
        length += alive
        alive &= ~(terminated | truncated)
        if alive[0]:
            path.append(task.qpos[0].copy())
        if not alive.any():
            break
    env.close()
    return {"seconds": float(length.mean() / task.settings.rate_hz), "longest_s": float(longest.mean() / task.settings.rate_hz),
            "finished": float((length >= longest).mean()), "reward": float((gathered / longest).mean()),
            "qpos": np.stack(path), "wanted": task.reference.qpos[rows[0] : rows[0] + len(path)], "humanoid": task.humanoid, "rate_hz": task.settings.rate_hz}


def plot(out: Path, path: Path) -> None:
    """Draw the curve of a training: reward a step and length of episodes over steps, with the minutes it took."""
    extra.needed("matplotlib", "plot", "matplotlib")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = [json.loads(line) for line in (out / CURVE).read_text().splitlines()]
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
    for axis, name, label in zip(axes, ("return", "length"), ("return of an episode", "length of an episode, policy steps"), strict=True):
        known = [line for line in lines if line[name] is not None]
        steps, values = np.array([line["steps"] for line in known]) / 1e6, np.array([line[name] for line in known])
        wide = max(len(values) // 40, 1)
        axis.plot(steps, values, color="#bbbbbb", linewidth=0.7)
        if len(values):
            axis.plot(steps[wide - 1 :], np.convolve(values, np.ones(wide) / wide, "valid"), color="#1f5fa8", linewidth=1.6)
        axis.set_xlabel("policy steps, millions")
        axis.set_ylabel(label)
    figure.suptitle(f"{out.name}: {lines[-1]['steps'] / 1e6:.2f} million steps in {lines[-1]['seconds'] / 60:.0f} minutes", fontsize=10)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=110)
    pyplot.close(figure)


def restore_policy(out: Path, model, env) -> None:
    """Put only parameters and statistics in place."""
    env.training = False
    with np.load(out / STATE, allow_pickle=False) as file:
        env.obs_rms.mean, env.obs_rms.var = file["mean"], file["var"]
    model.set_parameters(str(out / POLICY), device=model.device)
