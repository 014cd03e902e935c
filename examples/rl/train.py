"""Learn to do what a motion shows: PPO of Stable-Baselines3 on mrs/Imitation-v0, with checkpoints, resume and a video.

    pip install 'mrs[rl]'
    python examples/rl/train.py walk.bvh --loop --out walk --minutes 60
    python examples/rl/train.py walk.bvh --loop --out walk --minutes 60 --resume
    python examples/rl/train.py walk.bvh --loop --out walk --video walk.mp4 --plot walk.png
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mrs.errors import MrsError


def main(arguments: list[str] | None = None) -> int:
    """Train, or show what was trained."""
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except MrsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("motion", type=Path, help="A motion that mrs reads: motion.npz, a run folder, BVH, AMASS, DeepMimic.")
    options.add_argument("--out", type=Path, required=True, help="Folder of the training.")
    options.add_argument("--minutes", type=float, help="How long to train in this call.")
    options.add_argument("--steps", type=int, help="Policy steps in all after which to stop.")
    options.add_argument("--loop", action="store_true", help="Find one cycle of the motion and repeat it.")
    options.add_argument("--starts", choices=("reference", "adaptive"), default="reference", help="Where episodes begin.")
    options.add_argument("--actions", choices=("reference", "absolute"), default="reference", help="What actions are added to.")
    options.add_argument("--envs", type=int, default=16, help="Humanoids simulated together.")
    options.add_argument("--threads", type=int, default=1, help="Threads that simulate.")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--device", default="cpu", help="Where PPO computes: cpu or cuda.")
    options.add_argument("--hidden", type=int, nargs="+", default=[256, 128], help="Sizes of the networks' layers.")
    options.add_argument("--batch", type=int, default=512)
    options.add_argument("--rollout", type=int, default=128, help="Steps of each humanoid between updates.")
    options.add_argument("--resume", action="store_true", help="Go on with the training in --out.")
    options.add_argument("--video", type=Path, help="Write what the policy does, beside the motion it imitates.")
    options.add_argument("--plot", type=Path, help="Draw the curve of the training (.png, .svg, .pdf).")
    return options


def run(options: argparse.Namespace) -> int:
    """Do what the options say; print where the results are."""
    from mrs.rl import training
    from mrs.rl.env import motion_of

    motion = motion_of(options.motion)
    if options.minutes or options.steps:
        import torch

        torch.set_num_threads(min(max(options.threads, 1), 4))
        recipe = training.Recipe(envs=options.envs, threads=options.threads, seed=options.seed, device=options.device,
                                 hidden=tuple(options.hidden), batch=options.batch, rollout=options.rollout)
        settings = {"loop": options.loop, "starts": options.starts, "actions": options.actions}
        seconds = options.minutes * 60 if options.minutes else None
        print(training.train(motion, options.out, recipe, settings, steps=options.steps, seconds=seconds, resume=options.resume,
                             tell=lambda line: print(line, file=sys.stderr, flush=True)))
    if not (options.out / training.POLICY).is_file():
        raise MrsError(f"Expected a trained policy in {options.out}, but there is none. Add --minutes or --steps.")
    if options.plot:
        training.plot(options.out, options.plot)
        print(options.plot)
    found = training.evaluate(motion, options.out)
    print(json.dumps({name: round(found[name], 3) for name in ("seconds", "longest_s", "finished", "reward")}))
    if options.video:
        from mrs.rl.video import write

        write(options.video, found)
        print(options.video)
    return 0


if __name__ == "__main__":
    sys.exit(main())
