"""Steps a second of mrs/Imitation-v0, beside Gymnasium's own Humanoid-v5 on the same cores.

    python -m benchmarks.rl_speed [--motion FILE] [--envs 64] [--threads 2] [--seconds 10]

A step is a policy step: 5 simulation steps of 1/150 s for ours (42 servos, observation, five terms of reward, resets included),
5 of 3 ms for Humanoid-v5 (17 motors), which runs in as many processes as ours has threads. Actions are small random ones; our
policy steps stand for 33 ms of simulated time each, Humanoid-v5's for 15 ms.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks import _common, own_motions

BOUND_HZ = 2000.0


def main() -> None:
    """Print steps a second, and what they are to the bound."""
    args = _arguments()
    report = _common.begin("Speed of the imitation environment", args, ("numpy", "mujoco", "gymnasium"))
    rates = {"mrs/Imitation-v0, one": ours(args.motion, 1, 1, args.seconds / 3),
             f"mrs/Imitation-v0, {args.envs} in {args.threads} threads": ours(args.motion, args.envs, args.threads, args.seconds)}
    try:
        rates[f"Humanoid-v5, {args.threads} processes"] = peer(args.threads, args.seconds / 2)
    except ImportError as error:
        report.notes.append(f"Humanoid-v5 can't be built here ({error}). Type: pip install 'gymnasium[mujoco]'")
    report.table(("", "steps a second", "simulated seconds a second"),
                 [(name, f"{rate:.0f}", f"{rate * (0.015 if name.startswith('Humanoid') else 1 / 30):.0f}") for name, rate in rates.items()])
    report.notes.append(f"One thread makes {per_cpu_second(args.motion, args.envs, args.seconds / 3):.0f} steps a second of its own "
                        "processor time, whatever else the machine does.")
    report.at_least("steps a second", list(rates.values())[1], BOUND_HZ)
    report.finish(args)


def _arguments():
    parser = _common.parser(__doc__)
    parser.add_argument("--motion", type=Path, help="what to imitate (default: the project's own walker)")
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to measure (default: 10)")
    return parser.parse_args()


def ours(path: Path | None, envs: int, threads: int, seconds: float) -> float:
    """Policy steps a second of all humanoids together."""
    from mrs.rl.env import ImitationVectorEnv

    motion = path or own_motions.walk(np.arange(90) / 30)
    env = ImitationVectorEnv(motion, envs, threads, loop=True)
    return _rate(env, envs, seconds)


def per_cpu_second(path: Path | None, envs: int, seconds: float) -> float:
    """Policy steps a second of processor time, in one thread."""
    from mrs.rl.env import ImitationVectorEnv

    env = ImitationVectorEnv(path or own_motions.walk(np.arange(90) / 30), envs, 1, loop=True)
    env.reset(seed=0)
    actions = np.random.default_rng(0).uniform(-0.1, 0.1, env.action_space.shape).astype(np.float32)
    env.step(actions)
    begun, steps = time.process_time(), 0
    while time.process_time() - begun < seconds:
        env.step(actions)
        steps += envs
    return steps / (time.process_time() - begun)


def peer(processes: int, seconds: float) -> float:
    """Policy steps a second of Gymnasium's Humanoid-v5, one in each process."""
    import gymnasium

    return _rate(gymnasium.make_vec("Humanoid-v5", num_envs=processes, vectorization_mode="async"), processes, seconds)


def _rate(env, envs: int, seconds: float) -> float:
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    actions = rng.uniform(-0.1, 0.1, (16, *env.action_space.shape)).astype(np.float32)
    for action in actions[:4]:
        env.step(action)
    begun, steps = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        env.step(actions[steps % len(actions)])
        steps += 1
    rate = steps * envs / (time.perf_counter() - begun)
    env.close()
    return rate


if __name__ == "__main__":
    main()
