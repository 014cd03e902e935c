"""How well the camera's tilt is found: known motion, filmed by cameras of known tilt that are taken for level.

    python -m benchmarks.level [--seeds N] [--motions NAME ...] [--seconds S] [--json] [--check]

Motions, cameras (looking up by 2 to down by 10 degrees) and detectors' errors are those of benchmarks/synthetic.py. Every clip is
refined with Plan.find_level from a world in which its camera was taken for level; what is told is the angle between that
world's up and the true one, before and after.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks import _common, compare_filters, synthetic


def main() -> None:
    """Print the angle left, clip by clip, and its mean."""
    parser = _common.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="cameras and errors for each motion (default: 2)")
    parser.add_argument("--motions", nargs="+", help="which (default: all there are)")
    parser.add_argument("--seconds", type=float, default=5.0, help="use at most this much of each motion (default: 5)")
    args = parser.parse_args()
    report = _common.begin("Which way is up", args, ("numpy", "scipy", "torch"))
    rows = _common.in_fresh_process(measure, args.motions or compare_filters.known_motions(), args.seeds, args.seconds)
    report.table(("clip", "true tilt", "found", "deviation", "away from up, taken for level", "away from up, found"), rows)
    before, after = np.array([row[4] for row in rows]), np.array([row[5] for row in rows])
    turned = np.array([row[2] != 0 for row in rows])
    report.notes.append(f"Turned in {turned.sum()} of {len(rows)} clips: {before[turned].mean():.1f} degrees before, {after[turned].mean():.1f} after.")
    report.at_most("away from up, found against taken for level", after.mean() / before.mean(), 1.0, "x")
    report.at_most("worst clip made worse by", float((after - before).max()), 3.0, "deg")
    report.finish(args)


def measure(motions: list[str], seeds: int, longest_s: float) -> list[tuple]:
    """Return a row a clip."""
    rows = []
    for name in motions:
        for seed in range(compare_filters.FIRST_SEED, compare_filters.FIRST_SEED + seeds):
            _common.say(f"{name}, seed {seed}")
            rows.append(_clip(name, seed, longest_s))
    return rows


def _clip(name: str, seed: int, longest_s: float) -> tuple:
    from mrs import world
    from mrs.refine.prior import load_prior
    from mrs.refine.sfv import Plan, Scales, refine

    track, truth = synthetic.film(compare_filters._motion(name, longest_s), seed)
    lifted = compare_filters._make("lifted", track, truth, None)
    to_level = world.CAMERA_TO_WORLD.T @ truth.camera.R
    up = to_level @ [0, 1, 0]
    leaning = world.turned(lifted, to_level)
    leaning = replace(leaning, camera=replace(leaning.camera, R=np.array(world.CAMERA_TO_WORLD)))
    motion, report = refine(track, leaning, Scales(), Plan(iterations=40, contact_iterations=1, find_level=True), prior=load_prior())
    found = report["level"]
    after = motion.camera.R.T @ world.CAMERA_TO_WORLD @ up
    return (f"{name} {seed}", float(np.degrees(np.arctan2(up[2], up[1]))), found["down_deg"], found["error_deg"][0],
            float(np.degrees(np.arccos(min(up[1], 1)))), float(np.degrees(np.arccos(min(after[1], 1)))))


if __name__ == "__main__":
    main()
