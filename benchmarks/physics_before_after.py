"""Physics before and after refinement: the experiment of the SFV paper, with open parts.

    python -m benchmarks.physics_before_after [--motions NAME ...] [--seeds N] [--jobs 2] [--train walk --steps 200000]

The clips of benchmarks/refinement (known motions, known errors) as lifted, after `sfv-2018` and after `sfv`, and the truth: the
residual of inverse dynamics (the force and the moment at the pelvis that no floor gives, mrs.physics.dynamics) as the mean over
the frames of a clip, then over the clips. With --train, PPO imitates each version for the same few steps from the same seeds;
the return is a share of the longest possible (1: a perfect imitation of that version to its end, zeros after a fall).
"""

from __future__ import annotations

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import _common, corrupted, rows

ROWS = ("initial", "sfv-2018", "sfv")
BOUND = 0.5
FIRST_SEED = 300
LEAST = ("residual_force_bw", "residual_moment_bwm", "strength", "outside_cm")


def main() -> None:
    """Print residuals, and what sfv's are against sfv-2018's."""
    args = _arguments()
    report = _common.begin("Physics before and after refinement", args, ("numpy", "scipy", "torch", "mujoco"))
    jobs = [(name, seed, args.fps, args.seconds) for seed in range(args.first_seed, args.first_seed + args.seeds) for name in args.motions]
    found = _collect(jobs, args.jobs)
    report.notes.append(f"{len(jobs)} clips: {', '.join(args.motions)}; {args.fps} frames a second, at most {args.seconds:g} s each.")
    report.table(("", "force, body weights", "moment, body weights m", "torque, of strength (99 %)", "pressure outside cm"),
                 [(row, *(f"{np.nanmean([f[row][key] for f in found]):.3f}" for key in LEAST)) for row in (*ROWS, "truth")])
    by_motion = [(name, *(f"{np.mean([f[row][LEAST[0]] for f, job in zip(found, jobs, strict=True) if job[0] == name]):.3f}"
                          for row in (*ROWS, "truth"))) for name in args.motions]
    report.table(("force by motion", *ROWS, "truth"), by_motion)
    for key, words in zip(LEAST[:2], ("force", "moment"), strict=True):
        ratio = np.mean([f["sfv"][key] for f in found]) / np.mean([f["sfv-2018"][key] for f in found])
        report.at_most(f"residual {words} after sfv / after sfv-2018", ratio, BOUND)
    for name in args.train or ():
        _trained(report, name, args)
    report.finish(args)


def _arguments():
    parser = _common.parser(__doc__)
    known = corrupted.known_motions()
    parser.add_argument("--motions", nargs="+", choices=known, default=known, help="which (default: all there are)")
    parser.add_argument("--seeds", type=int, default=1, help="cameras and errors for each motion (default: 1)")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help=f"the first of them (default: {FIRST_SEED})")
    parser.add_argument("--fps", type=int, choices=(30, 60), default=30, help="frame rate (default: 30)")
    parser.add_argument("--seconds", type=float, default=3.0, help="use at most this much of each motion (default: 3)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--train", nargs="+", choices=known, help="train PPO on the versions of these motions too")
    parser.add_argument("--steps", type=int, default=200_000, help="policy steps of each training (default: 200000)")
    parser.add_argument("--train-seeds", type=int, default=1, help="trainings of each version (default: 1)")
    return parser.parse_args()


def _collect(jobs: list[tuple], processes: int) -> list[dict]:
    """Residuals of every version of every clip."""
    if processes < 2:
        rows.one_thread()
        return [_said(at, jobs, measured(job)) for at, job in enumerate(jobs)]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=rows.one_thread) as pool:
        return [_said(at, jobs, found) for at, found in enumerate(pool.map(measured, jobs))]


def _said(at: int, jobs: list[tuple], found: dict) -> dict:
    _common.say(f"{at + 1} of {len(jobs)}: {jobs[at][0]}: " + ", ".join(f"{row} {v[LEAST[0]]:.3f}" for row, v in found.items()))
    return found


def measured(job: tuple) -> dict[str, dict[str, float]]:
    """One clip: {version: {measure: number}}."""
    versions, _ = versions_of(job)
    return {row: residuals(motion) for row, motion in versions.items()}


def versions_of(job: tuple):
    """The clip as lifted, refined both ways, and as it was."""
    name, seed, fps, seconds = job
    clip = corrupted.make(name, seed, fps, seconds)
    made, _, refused = rows.smoothed(clip, ROWS)
    if refused:
        raise RuntimeError(f"{name}: {refused}")
    return {**made, "truth": clip.truth}, clip


def residuals(motion) -> dict[str, float]:
    """Means over the frames; the torque is its 99th percentile."""
    from mrs.physics import dynamics

    solved = dynamics.inverse(motion)
    outside = solved.outside_m[np.isfinite(solved.outside_m)]
    return {"residual_force_bw": float(solved.residual_force_bw.mean()), "residual_moment_bwm": float(solved.residual_moment_bwm.mean()),
            "strength": float(np.percentile(solved.strength.max(1), 99)), "outside_cm": float(100 * outside.mean()) if len(outside) else np.nan}


def _trained(report, name: str, args) -> None:
    """Train on each version of one motion with the same seeds and steps; tell the returns."""
    from mrs.rl import training

    versions, _ = versions_of((name, args.first_seed, args.fps, args.seconds))
    table = []
    for row, motion in versions.items():
        returns, lengths = [], []
        for seed in range(args.train_seeds):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run"
                training.train(motion, out, training.Recipe(seed=seed), {"loop": False}, steps=args.steps, tell=_common.say)
                found = training.evaluate(motion, out)
            returns.append(found["reward"])
            lengths.append(found["seconds"] / found["longest_s"])
        table.append((row, _spread(returns), _spread(lengths)))
    report.table((f"{name}, {args.steps} steps, {args.train_seeds} seeds", "return", "share of the length"), table)


def _spread(values: list[float]) -> str:
    """The mean over the seeds, and the least and the most of several."""
    return f"{np.mean(values):.3f}" + (f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
