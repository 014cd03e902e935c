"""Train behaviour transfer with one choice undone at a time, all equally short, and print what each is good for.

    python -m benchmarks.behaviour_ablation --data CORPUS [--iterations 800] [--only NAME,NAME] [--json]

Measured on held-out clips without pinned feet: how often the transfer reads as the source's and as the target's label, speed
over the source's (from the window's own start, and from another), ridge R2 of the posture from the code, sliding of soles
that the source's contacts say stand, and the jump at the start. Short trainings rank choices; they do not show what the
shipped weights reach.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _common

CHOICES = {
    "default": {},
    "only own starts": {"own_start": 1.0},
    "no starts between": {"near_start": 0.0},
    "no posture adversary": {"probe_weight": 0.0},
    "places weighed fully": {"plan_place": 1.0, "roll_place": 1.0},
    "no critic": {"critic_weight": 0.0},
    "not encoded again": {"again_weight": 0.0},
    "no slide and contacts": {"slide_weight": 0.0, "contact_weight": 0.0},
    "no energy": {"energy_weight": 0.0},
    "no joints": {"joint_weight": 0.0},
    "recurrent encoder": {"seen": 0, "latent": 64, "cap_nats": 110.0},
    "components of 256": {"seen": 256},
    "cap of 100 nats": {"cap_nats": 100.0},
    "latent of 64": {"latent": 64, "seen": 64, "cap_nats": 110.0},
    "every window rolled out": {"batch": 64, "rolled": 1.0, "beside": 0.3334},
    "products in float32": {"half": 0},
}


def main() -> None:
    """Print a row a choice."""
    parser = _common.parser(__doc__, cores=1)
    parser.add_argument("--data", required=True, action="append", help="corpus made by mrs data (repeatable)")
    parser.add_argument("--iterations", type=int, default=800, help="iterations of each training (default: 800)")
    parser.add_argument("--batch", type=int, help="windows an iteration (default: the recipe's)")
    parser.add_argument("--only", help="names of choices, with commas between")
    args = parser.parse_args()
    report = _common.begin(f"Choices of behaviour transfer, {args.iterations} iterations each", args, ("numpy", "torch"))
    from mrs.synth import checks, corpus, windows

    names = args.only.split(",") if args.only else list(CHOICES)
    with tempfile.TemporaryDirectory() as cache:
        data = windows.build([corpus.load(path) for path in args.data], Path(cache))
        check = checks.Check(data, 0, split="test")
        size = {"batch": args.batch} if args.batch else {}
        rows = [(name, *measured(data, check, {**size, **CHOICES[name]}, args.iterations)) for name in names]
    report.table(("choice", "source", "target", "speed", "own speed", "R2", "slide cm/s", "jump p90", "CPU s"), rows)
    report.notes.append(f"Real windows are read as their label at {check.ceiling:.3f}.")
    report.finish(args)


def measured(data, check, changes: dict, iterations: int) -> tuple[float, ...]:
    """Train with changes to the recipe, and measure."""
    from mrs.synth import pairs, played, recipe, train

    _common.say(f"{changes or 'default'}")
    trainer, start = train.Trainer(recipe.make({"iterations": iterations, **changes}), data), time.process_time()
    while trainer.iteration < iterations:
        trainer.step()
    spent, found, p = time.process_time() - start, check(trainer), check.pairs
    out = pairs.transferred(trainer.model.eval(), p.source, *p.starts, fitting=False)
    moved, target = played.Played.of(out), played.Played.of(p.target)
    step = np.median(played.step_sizes(played.Played.of(p.source[:, 1:])))
    jump = np.percentile(played.continuity(moved, target)["jump"] / step, 90)
    row = (found["source"], found["target"], found["speed"], found["speed_own"], found["probe_r2"],
           played.sliding_cm_s(moved), float(jump), spent)
    _common.say(" ".join(f"{value:.3f}" for value in row))
    return row


if __name__ == "__main__":
    main()
