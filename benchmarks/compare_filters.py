"""Compare the smoothers on known motion, filmed with the errors of real detectors.

    python -m benchmarks.compare_filters [--seeds N] [--motions NAME ...] [--seconds S] [--json]

Motions, cameras and errors are those of benchmarks/synthetic.py (its corpus lies in ../shared/assets/motion; without
that, a synthetic walker). Every motion is filmed with every seed, lifted by blazepose3d with the true camera and height,
and smoothed; each row is the mean over all these clips with its 95 % confidence interval (Student's t over clips). The
measures are those of `mrs.metrics.compare`, in the world's own axes: nothing is turned for the comparison. --seeds 1
is the quick mode.
"""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np

from benchmarks import _common, synthetic

FIRST_SEED = 100
"""Lower ones were looked at while the refiner was tuned."""
SMOOTHERS = ("one-euro", "butterworth", "savgol", "sfv")
MEASURES = {"mpjpe_mm": "MPJPE mm", "world_error_mm": "world error mm", "w_mpjpe_100_mm": "W-MPJPE-100 mm",
            "world_accel_error_m_s2": "accel. error m/s^2", "jitter_ratio": "jitter / true", "limb_speed_ratio": "peak limb speed / true",
            "foot_sliding_cm_s": "foot slide cm/s"}


def main() -> None:
    """Print one row a smoother, and what it is against the lifted motion and the best simple filter."""
    parser = _common.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="cameras and errors for each motion (default: 3)")
    parser.add_argument("--motions", nargs="+", choices=(*synthetic.ACTIONS, "walker"), help="which (default: all there are)")
    parser.add_argument("--seconds", type=float, default=5.0, help="use at most this much of each motion (default: 5)")
    args = parser.parse_args()
    report = _common.begin("Smoothers on known motion", args, ("numpy", "scipy", "torch"))
    motions = args.motions or known_motions()
    found, seconds = _common.in_fresh_process(measure, motions, args.seeds, args.seconds)
    clips = len(motions) * args.seeds
    report.notes.append(f"{clips} clips: {', '.join(motions)}; {args.seeds} cameras and errors (seeds from {FIRST_SEED}) each.")
    report.table(("motion", *MEASURES.values(), "s a clip"),
                 [(name, *(_interval(values[m]) for m in MEASURES), seconds[name] / clips) for name, values in found.items()])
    _against_simple(report, found)
    report.finish(args)


def known_motions() -> list[str]:
    """List the corpus motions that are there, or the walker."""
    return [name for name, path in synthetic.ACTIONS.items() if (synthetic.CORPUS / path).is_file()] or ["walker"]


def measure(motions: list[str], seeds: int, longest_s: float):
    """Return {row: {measure: (clips,)}} and the seconds that each row took."""
    rows = ("lifted", *SMOOTHERS)
    found = {row: {name: [] for name in MEASURES} for row in (*rows, "truth")}
    seconds = dict.fromkeys(found, 0.0)
    for name in motions:
        motion = _motion(name, longest_s)
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            _common.say(f"{name}, seed {seed}")
            track, truth = synthetic.film(motion, seed)
            made = {}
            for row in rows:
                start = time.perf_counter()
                made[row] = _make(row, track, truth, made.get("lifted"))
                seconds[row] += time.perf_counter() - start
            for row, numbers in compared(made, truth).items():
                for key, value in numbers.items():
                    found[row][key].append(np.nan if value is None else value)
    return {row: {key: np.array(v) for key, v in values.items()} for row, values in found.items()}, seconds


def _motion(name: str, longest_s: float):
    if name != "walker":
        return synthetic.load(name, longest_s=longest_s)
    from tests.walker import walker

    return walker(np.arange(0, longest_s, 1 / 30))[0]


def _make(row: str, track, truth, lifted):
    """Lift the track, or smooth the lifted motion."""
    from mrs import plugins, world
    from mrs.body import load_body

    registry = plugins.load()
    if row == "lifted":
        lifter = registry.make("lifter", "blazepose3d", {"stature_m": float(load_body().stature_m(truth.betas))})
        return world.to_world(lifter.lift(SimpleNamespace(camera=truth.camera), track))
    smoother = registry.make("smoother", row)
    smoother.progress = lambda done, total: None
    return smoother.smooth(None, track, lifted)


def compared(made: dict, truth) -> dict[str, dict[str, float | None]]:
    """Measure every motion of a clip, and the truth itself, against the truth."""
    from mrs.metrics.compare import compare

    result = compare([*made.values(), truth], truth, frame="world")
    out = {}
    for (row, motion), numbers in zip([*made.items(), ("truth", truth)], result.predictions, strict=True):
        out[row] = {key: numbers.get(key) for key in MEASURES} | {
            "world_error_mm": 1e3 * float(np.linalg.norm(motion.joints_m - truth.joints_m, axis=-1).mean()),
            "jitter_ratio": numbers["jitter_10m_s3"] / max(result.truth["jitter_10m_s3"], 1e-9),
            "foot_sliding_cm_s": None if numbers["foot_sliding_mm_s"] is None else numbers["foot_sliding_mm_s"] / 10}
    return out


def _interval(values: np.ndarray) -> str:
    """Write mean and half width of the 95 % interval, leaving out clips where it can't be measured."""
    from scipy.stats import t

    values = values[np.isfinite(values)]
    if not len(values):
        return "-"
    if len(values) < 2:
        return f"{values.mean():.3g}"
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():.3g} ± {half:.2g}"


def _against_simple(report: _common.Report, found: dict) -> None:
    """Compare sfv with the simple filter that is best on each measure, clip by clip."""
    for key in ("mpjpe_mm", "world_error_mm", "world_accel_error_m_s2", "foot_sliding_cm_s"):
        best = min(("one-euro", "butterworth", "savgol"), key=lambda row: np.nanmean(found[row][key]))
        ratio = np.exp(np.nanmean(np.log(found["sfv"][key] / found[best][key])))
        wins = int((found["sfv"][key] < found[best][key]).sum())
        report.at_most(f"sfv / {best}, {MEASURES[key]}, geometric mean (better on {wins} of {len(found[best][key])} clips)",
                       ratio, 1.0, "x")


if __name__ == "__main__":
    main()
