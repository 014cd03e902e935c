"""What the small translations of a hand cost: clips whose camera sways while its turns alone are known.

    python -m benchmarks.handheld [--motions NAME ...] [--seeds N] [--sway-cm CM ...] [--jobs 2] [--set OPTION=VALUE ...]

Motions, cameras and errors are those of benchmarks/refinement. The camera's place wanders about its mean by a smooth random
path, each axis of the stated standard deviation, between about 0.2 and 1.5 Hz, as somebody's does who stands and films; its turns are known,
as from the background. Every row sees the same errors. Rows are sfv, which takes the camera to stay in its place, and for scale sfv-2018.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from benchmarks import _common, corrupted, rows
from benchmarks.refinement import mean_text

FIRST_SEED = 500
FASTEST_HZ, SLOWEST_HZ = 1.5, 0.2
MEASURES = {"w_mpjpe_100_mm": "W-MPJPE mm", "mpjpe_mm": "MPJPE mm", "world_error_mm": "world error mm",
            "world_accel_error_m_s2": "accel. error, world m/s²", "foot_sliding_cm_s": "foot slide cm/s"}


def main() -> None:
    """Print a row for each smoother and size of the sway."""
    parser = _common.parser(__doc__)
    known = corrupted.known_motions()
    parser.add_argument("--motions", nargs="+", choices=known, default=known, help="which (default: all there are)")
    parser.add_argument("--rows", nargs="+", default=["sfv-2018", "sfv"], help="smoothers, with options as in benchmarks/refinement")
    parser.add_argument("--seeds", type=int, default=2, help="cameras and errors for each motion (default: 2)")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help=f"the first of them (default: {FIRST_SEED})")
    parser.add_argument("--seconds", type=float, default=3.0, help="use at most this much of each motion (default: 3)")
    parser.add_argument("--sway-cm", type=float, nargs="+", default=[0.0, 1.0, 2.0, 4.0], help="deviations (default: 0 1 2 4)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="options of sfv")
    args = parser.parse_args()
    report = _common.begin("What the small translations of a hand cost", args, ("numpy", "scipy", "torch"))
    jobs = [(name, seed, cm, args.seconds, tuple(args.rows), tuple(args.set)) for cm in args.sway_cm
            for seed in range(args.first_seed, args.first_seed + args.seeds) for name in args.motions]
    found = _common.each(run_clip, jobs, args.jobs)
    table = []
    for row in args.rows:
        for cm in args.sway_cm:
            of = [numbers[row] for job, numbers in zip(jobs, found, strict=True) if job[2] == cm]
            values = {key: np.array([np.nan if n[key] is None else n[key] for n in of], float) for key in MEASURES}
            table.append((row, f"{cm:g}", *map(mean_text, values.values())))
    report.table(("", "sway, cm", *MEASURES.values()), table)
    report.notes.append(f"{len(jobs) // len(args.sway_cm)} clips a row.")
    report.finish(args)


def run_clip(job: tuple) -> dict[str, dict]:
    """Measure every row on one clip."""
    name, seed, cm, seconds, wanted, sets = job
    rows.one_thread()
    clip = swaying(name, seed, cm / 100, seconds)
    made, _, refused = rows.smoothed(clip, wanted, sets)
    if refused:
        raise SystemExit(str(refused))
    return rows.compared(made, clip.truth)


def swaying(name: str, seed: int, sway_m: float, longest_s: float) -> corrupted.Clip:
    """A clip at 30 frames a second whose camera sways by a standard deviation in metres on each axis.

    A camera moved by c sees what a still one sees of a world moved by -c: evidence and lift are of the motion moved so, the
    truth is the motion where it was. The still camera sees room enough.
    """
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    motion = corrupted.load(name, longest_s)
    path = sway_m * sway(motion.times_s, np.random.default_rng([seed, zlib.crc32(b"sway")]))
    moved = replace(motion, root_pos_m=motion.root_pos_m - path, joints_m=motion.joints_m - path[:, None])
    filmed = corrupted.filmed(moved, name, seed, rng, corrupted.Errors())
    truth = replace(filmed.truth, root_pos_m=motion.root_pos_m, joints_m=motion.joints_m)
    return corrupted.at_rate(replace(filmed, truth=truth), 30)


def sway(times_s: np.ndarray, rng) -> np.ndarray:
    """A smooth random path (T, 3) of mean 0 and standard deviation 1 on each axis: sines of random phases, equally many an octave."""
    hertz = np.geomspace(SLOWEST_HZ, FASTEST_HZ, 12)
    phase = rng.uniform(0, 2 * np.pi, (12, 3))
    size = hertz[:, None] ** -1.0 * rng.normal(size=(12, 3))
    path = (size * np.sin(2 * np.pi * hertz[:, None] * (times_s[:, None, None] - times_s[0]) + phase)).sum(1)
    path -= path.mean(0)
    return path / path.std(0)


if __name__ == "__main__":
    main()
