"""Does gravity tell the size of a person whose stature nobody knows?

    python -m benchmarks.size_from_falls [--seeds N] [--sd PERCENT] [--seconds S] [--json] [--check]

Motions with flights (jump and side flip of the shared corpus where it is there, and the project's own backflip) are made as
for benchmarks/refinement.py, but the start's body is wrong in stature by --sd percent (standard deviation), and so in distance. Each
is refined with and without `gravity_scale`. Printed are the mean error of stature and of joints in the world, unaligned.
"""

from __future__ import annotations

import numpy as np

from benchmarks import _common, corrupted
from benchmarks.rows import one_thread, smoothed

ROWS = ("sfv", "sfv:gravity_scale=true")
MOTIONS = ("jump", "flip", "backflip")
FIRST_SEED = 500


def main() -> None:
    """Print one row a setting."""
    parser = _common.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=6, help="cameras, errors and statures for each motion (default: 6)")
    parser.add_argument("--sd", type=float, default=5.0, help="standard deviation of the stature in percent (default: 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="use at most this much of each motion (default: 3)")
    args = parser.parse_args()
    report = _common.begin("Size from falls", args, ("numpy", "scipy", "torch"))
    motions = [name for name in MOTIONS if name in corrupted.known_motions()]
    found = _common.in_fresh_process(measure, motions, args.seeds, args.sd / 100, args.seconds)
    start = np.mean([clip["start"] for clip in found])
    rows = [("start", 100 * start, float("nan"), "")]
    for row in ROWS:
        rows.append((row, *(np.mean([clip[row][k] for clip in found]) * scale for k, scale in (("stature", 100), ("world", 1e3))),
                     f"{sum(clip[row]['corrected'] for clip in found)} of {len(found)}"))
    report.table(("refined by", "error of stature, %", "world error mm", "clips in which a fall was long enough"), rows)
    with_falls = [clip for clip in found if clip[ROWS[1]]["corrected"]]
    if with_falls:
        ratio = np.mean([c[ROWS[1]]["stature"] for c in with_falls]) / np.mean([c[ROWS[0]]["stature"] for c in with_falls])
        report.at_most("error of stature in clips with such falls, with over without", ratio, 1.0, "x")
    report.finish(args)


def measure(motions: list[str], seeds: int, sd: float, longest_s: float) -> list[dict]:
    """Errors of every clip by row: stature (log), joints in the world (m), and whether a fall corrected it."""
    from mrs.body import load_body

    one_thread()
    body, found = load_body(), []
    slope = np.log(body.stature_m(np.eye(10)[0]) / body.stature_m(np.zeros(10)))
    for name in motions:
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            _common.say(f"{name}, seed {seed}")
            clip = corrupted.filmed(corrupted.load(name, longest_s), name, seed, np.random.default_rng([seed, 7]),
                                    corrupted.Errors(first_beta=abs(sd / slope)))
            clip = corrupted.at_rate(clip, 30)
            true = body.stature_m(clip.truth.betas)
            made, _, refused = smoothed(clip, ROWS)
            if refused:
                raise RuntimeError(f"{name}, seed {seed}: {refused}")
            found.append({"start": abs(np.log(body.stature_m(clip.initial.betas) / true))} | {
                row: {"stature": abs(np.log(body.stature_m(m.betas) / true)), "corrected": "gravity" in m.history[-1],
                      "world": np.linalg.norm(m.joints_m - clip.truth.joints_m, axis=-1).mean()} for row, m in made.items()})
    return found


if __name__ == "__main__":
    main()
