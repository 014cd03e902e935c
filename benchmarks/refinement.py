"""Refine known motions from known errors: filters, SFV's published objective, sfv, and sfv without each of its terms.

    python -m benchmarks.refinement [--quick] [--jobs 2] [--rows ROW ...] [--motions NAME ...] [--results FILE]

Motions come from the shared corpus (../shared/assets/motion, where it is there) and from the project's own samples, on the
embedded body. Random known cameras see them, at 30 and at 60 frames a second; benchmarks/corrupted.py makes the 2D
evidence and the initial motion from the truth with errors of stated sizes, the same for every row. Each row is the mean over
clips (motion, seed, rate) with its 95 % interval (Student's t), by the measures of `mrs.metrics.compare` in the world's own
axes: nothing is turned for the comparison.

A row is a smoother's name and, after a colon, options with semicolons between: sfv, sfv:off=jerk, sfv:space=prior.
The default is every filter, sfv-2018, sfv, and sfv with each term and each stage off and in each space that the plugin offers.

With --results FILE the numbers of each clip are appended as they come, and what is there already, made by the same code, is
not made again: stop and go on, or make the table in parts (--rows, --motions, --first-seed) and let the whole command print it.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import _common, corrupted, results, rows

FIRST_SEED = 300
"""Others are free to look at while tuning: --first-seed."""
SIMPLE = ("initial", "gaussian", "savgol", "one-euro", "butterworth", "sfv-2018", "sfv")
STAGES = ("mend_starts=false", "gravity_scale=true", "foot_lock=never")
RATES = (30, 60)
MEASURES = {
    "mpjpe_mm": "MPJPE mm", "pa_mpjpe_mm": "PA-MPJPE mm", "w_mpjpe_100_mm": "W-MPJPE mm", "wa_mpjpe_100_mm": "WA-MPJPE mm",
    "world_error_mm": "world error mm", "rte_percent": "RTE %", "root_angle_deg": "root deg",
    "root_angle_inverted_deg": "root inverted deg", "accel_error_m_s2": "accel. error m/s²",
    "world_accel_error_m_s2": "accel. error, world m/s²", "jitter_ratio": "jitter / true", "foot_sliding_cm_s": "foot slide cm/s",
    "penetration_mm": "penetration mm", "penetration_max_mm": "deepest mm", "floating_mm": "floating mm",
    "limb_speed_ratio": "limb speed / true", "bone_change_mm": "bone change mm", "seconds": "s a clip"}
BOUNDS = (("w_mpjpe_100_mm", 0.6), ("accel_error_m_s2", 0.5), ("world_accel_error_m_s2", 0.5), ("foot_sliding_cm_s", 0.25))
SPEED_RATIO = (0.95, 1.05)
INVERTED_DEG = 15.0
PAIRED = ("mpjpe_mm", "w_mpjpe_100_mm", "world_error_mm", "root_angle_deg", "accel_error_m_s2", "foot_sliding_cm_s", "penetration_mm",
          "floating_mm", "limb_speed_ratio")
"""What the table of differences holds."""
MARKS = ("<!-- refinement: made by python -m benchmarks.refinement --markdown -->", "<!-- refinement: end -->")


def main() -> None:
    """Print one row a smoother, and what sfv is against the bounds."""
    args = _arguments()
    report = _common.begin("Refining known motions from known errors", args, ("numpy", "scipy", "torch"))
    wanted = args.rows or default_rows(ablation=not args.quick)
    jobs = [(name, seed, fps, args.seconds, tuple(wanted), tuple(args.set))
            for seed in range(args.first_seed, args.first_seed + args.seeds) for fps in args.fps for name in args.motions]
    kept = results.Results(args.results, results.fingerprint())
    if kept.passed_over:
        _common.say(f"{kept.passed_over} lines of {args.results} are of other code and are passed over.")
    found, refused = collect(jobs, args.jobs, kept)
    rates = " and ".join(map(str, args.fps))
    report.notes.append(f"{len(jobs)} clips: {', '.join(args.motions)}; seeds {args.first_seed} to {args.first_seed + args.seeds - 1}; "
                        f"{rates} frames a second; at most {args.seconds:g} s each.")
    report.notes += [f"Left out: {row}: {why}" for row, why in refused.items()]
    idle = [title(row) for row in found if row != "sfv" and row.startswith("sfv:") and _same(found[row], found.get("sfv"))]
    if idle:
        report.notes.append(f"No clip changes at all: {', '.join(idle)}.")
    report.table(("", *MEASURES.values()), table_rows(found))
    if differences := difference_rows(found):
        report.table(DIFFERENCES, differences)
    verdicts(report, found)
    if args.by_motion:
        _by_motion(report, found, [job[0] for job in jobs], args.motions)
    if args.markdown:
        write_markdown(args.markdown, report, found)
    if args.plot:
        plot(args.plot, args.motions, args.first_seed, args.seconds, tuple(args.set))
    report.finish(args)


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    known = corrupted.known_motions()
    parser.add_argument("--quick", action="store_true", help="one seed, 30 frames a second, 3 s a motion, no ablation")
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="smoothers, with options: sfv:off=jerk (default: all)")
    parser.add_argument("--motions", nargs="+", choices=known, default=known, help="which (default: all there are)")
    parser.add_argument("--seeds", type=int, help="cameras and errors for each motion (default: 3)")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help=f"the first of them (default: {FIRST_SEED})")
    parser.add_argument("--fps", nargs="+", type=int, choices=RATES, help="frame rates (default: 30 60)")
    parser.add_argument("--seconds", type=float, help="use at most this much of each motion (default: 4)")
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="options of every sfv row")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1); the numbers do not depend on it")
    parser.add_argument("--results", type=Path, metavar="FILE", help="append the numbers of each clip; go on from what is there")
    parser.add_argument("--by-motion", action="store_true", help="also print the main measures of each motion")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table for the docs, between its marks where FILE has them")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw one joint over time (needs matplotlib)")
    args = parser.parse_args()
    args.seeds = args.seeds or (1 if args.quick else 3)
    args.fps = args.fps or ([30] if args.quick else list(RATES))
    args.seconds = args.seconds or (3.0 if args.quick else 4.0)
    return args


def default_rows(ablation: bool) -> list[str]:
    """List the plain rows, then sfv in its other spaces, without each term and each stage, where the plugin has such options."""
    from mrs import options, plugins

    names = list(SIMPLE)
    known = {info.name: info for info in options.describe(plugins.load().get("smoother", "sfv").cls)}
    if not ablation:
        return names
    if "space" in known:
        names += [f"sfv:space={choice}" for choice in known["space"].choices
                  if choice not in (known["space"].default, "latent")]  # no lifter here has a latent space
    if "off" in known:
        from mrs.refine import terms

        names += [f"sfv:off={name}" for name in getattr(terms, "TERMS", ())]
    return names + [f"sfv:{value}" for value in STAGES if value.partition("=")[0] in known]


def collect(jobs: list[tuple], processes: int, kept: results.Results | None = None):
    """Make every clip that `kept` lacks; return {row: {measure: (clips,)}} and {row: why it was refused}."""
    kept = kept or results.Results(None)
    todo = [missing for job in jobs if (missing := _missing(job, kept))]
    refused: dict[str, str] = {}
    for job, (numbers, whys) in _told(_made(todo, processes), todo):
        kept.add(job[:4], numbers, job[5])
        refused |= whys
    found: dict[str, dict[str, list]] = {}
    for job in jobs:
        for row in dict.fromkeys((*job[4], "truth")):
            values = kept.get(job[:4], row, job[5]) or {}
            for key in MEASURES:
                value = values.get(key)
                found.setdefault(row, {}).setdefault(key, []).append(np.nan if value is None else value)
    return {row: {key: np.array(v) for key, v in values.items()} for row, values in found.items() if row not in refused}, refused


def _missing(job: tuple, kept: results.Results) -> tuple | None:
    """The job with the rows alone that are not known; None where all are."""
    lacking = tuple(row for row in job[4] if kept.get(job[:4], row, job[5]) is None)
    return (*job[:4], lacking, job[5]) if lacking else None


def _made(jobs: list[tuple], processes: int):
    """Yield what rows.run_clip says of each job, in order."""
    if processes < 2 or not jobs:
        rows.one_thread()
        yield from map(rows.run_clip, jobs)
        return
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=rows.one_thread) as pool:
        yield from pool.map(rows.run_clip, jobs)


def _told(made, jobs):
    """Yield (job, what came of it), and say on stderr how far it is."""
    start = time.monotonic()
    for done, (job, result) in enumerate(zip(jobs, made, strict=True), 1):
        _common.say(f"{done} of {len(jobs)}: {job[0]}, seed {job[1]}, {job[2]} fps; {time.monotonic() - start:.0f} s")
        yield job, result


def title(row: str) -> str:
    """How tables call a row."""
    name, values = rows.parsed(row)
    words = [f"without {value}" if key == "off" else f"{key} {value}" for key, value in values.items()]
    return " ".join([name, *words])


def interval(values: np.ndarray) -> tuple[float, float] | None:
    """Mean and half width of its 95 % interval over the clips where it could be measured; None where there is none."""
    from scipy.stats import t

    values = values[np.isfinite(values)]
    if not len(values):
        return None
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def mean_text(values: np.ndarray) -> str:
    """Write a mean and half of its 95 % interval, with three and two digits that count."""
    found = interval(values)
    if found is None:
        return "-"
    return _digits(found[0], 3) if np.isnan(found[1]) else f"{_digits(found[0], 3)} ± {_digits(found[1], 2)}"


def _digits(value: float, count: int) -> str:
    """Write a number with so many digits that count, never with an exponent; what is nothing but rounding is 0."""
    if abs(value) < 1e-4:
        return "0"
    return f"{value:.{max(count - 1 - int(np.floor(np.log10(abs(value)))), 0)}f}"


def _same(a: dict, b: dict | None) -> bool:
    """Tell whether two rows have the same numbers, time apart."""
    return b is not None and all(np.array_equal(a[key], b[key], equal_nan=True) for key in MEASURES if key != "seconds")


def table_rows(found: dict) -> list[tuple]:
    """One line a row of the benchmark, the truth last."""
    return [(title(row), *(mean_text(values[key]) for key in MEASURES)) for row, values in found.items()]


DIFFERENCES = ("over sfv, clip by clip", *(MEASURES[key] for key in PAIRED))


def difference_rows(found: dict) -> list[tuple]:
    """What each other row of sfv has more than sfv on the same clips, with the paired 95 % interval; bold where that excludes 0."""
    if "sfv" not in found:
        return []
    return [(title(row), *(_difference(values[key] - found["sfv"][key]) for key in PAIRED)) for row, values in found.items()
            if row.startswith("sfv:") and not _same(values, found["sfv"])]


def _difference(values: np.ndarray) -> str:
    """Write mean and half width of the interval of differences, with a sign."""
    found = interval(values)
    if found is None:
        return "-"
    mean, half = found
    if abs(mean) < 1e-4 and (np.isnan(half) or half < 1e-4):
        return "0"
    text = f"{'-' if mean < 0 else '+'}{_digits(abs(mean), 2)}" + ("" if np.isnan(half) else f" ± {_digits(half, 2)}")
    return f"**{text}**" if half < abs(mean) else text


def ratio(found: dict, key: str, row: str = "sfv", to: str = "sfv-2018") -> tuple[float, float, float]:
    """Ratio of two rows' means with its 95 % interval: bootstrap over clips, each with both rows."""
    a, b = found[row][key], found[to][key]
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if not len(a):
        return np.nan, np.nan, np.nan
    picks = np.random.default_rng(0).integers(0, len(a), (2000, len(a)))
    low, high = np.percentile(a[picks].mean(1) / b[picks].mean(1), (2.5, 97.5))
    return float(a.mean() / b.mean()), float(low), float(high)


def verdicts(report: _common.Report, found: dict) -> None:
    """Hold sfv against the bounds, where the rows are there."""
    if "sfv" not in found:
        return
    for key, bound in BOUNDS if "sfv-2018" in found else ():
        value, low, high = ratio(found, key)
        report.at_most(f"sfv / sfv-2018, {MEASURES[key]} ({low:.2f} to {high:.2f})", value, bound, "x")
    speed = interval(found["sfv"]["limb_speed_ratio"])
    if speed is not None:
        report.at_least(f"sfv, peak limb speed over the true one (± {speed[1]:.2g})", speed[0], SPEED_RATIO[0])
        report.at_most(f"sfv, peak limb speed over the true one (± {speed[1]:.2g})", speed[0], SPEED_RATIO[1])
    inverted = interval(found["sfv"]["root_angle_inverted_deg"])
    if inverted is not None:
        report.at_most(f"sfv, root orientation while upside down (± {inverted[1]:.2g})", inverted[0], INVERTED_DEG, "deg")


def _by_motion(report: _common.Report, found: dict, names: list[str], motions: list[str]) -> None:
    keys = ("mpjpe_mm", "w_mpjpe_100_mm", "world_error_mm", "root_angle_inverted_deg", "accel_error_m_s2", "foot_sliding_cm_s",
            "limb_speed_ratio")
    at = np.array(names)
    report.table(("by motion", *(MEASURES[key] for key in keys)),
                 [(f"{motion}: {title(row)}", *(mean_text(values[key][at == motion]) for key in keys))
                  for motion in motions for row, values in found.items() if row != "truth"])


def write_markdown(path: Path, report: _common.Report, found: dict) -> None:
    """Write the table and the verdicts: between the marks of a page that has them, else as a file of its own."""
    begin, end = MARKS
    lines = [begin, "", *report.notes, ""]
    lines += [f"| {' | '.join(('', *MEASURES.values()))} |", f"|---{'|---' * len(MEASURES)}|"]
    lines += [f"| {' | '.join(row)} |" for row in table_rows(found)]
    if differences := difference_rows(found):
        lines += ["", f"| {' | '.join(DIFFERENCES)} |", f"|---{'|---' * len(PAIRED)}|"]
        lines += [f"| {' | '.join(row)} |" for row in differences]
    lines += ["", "| sfv must | measured | wanted | |", "|---|---|---|---|"]
    lines += [f"| {v.name} | {v.value:.3g} {v.unit} | {v.kind} {v.bound:g} {v.unit} | {'ok' if v.met else 'short'} |"
              for v in report.verdicts]
    text = "\n".join([*lines, "", end])
    page = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, mark, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    path.write_text(before + text + after if mark and closed else text + "\n", encoding="utf-8")


def plot(path: Path, motions: list[str], seed: int, longest_s: float, sets: tuple[str, ...]) -> None:
    """Draw the right ankle of a kick (or of the first motion) over time: its height, and its distance from the camera."""
    import matplotlib

    from mrs.skeletons import SMPL_24

    matplotlib.use("Agg")
    from matplotlib import pyplot

    name = "kick" if "kick" in motions else motions[0]
    clip = corrupted.make(name, seed, 30, longest_s)
    made, *_ = rows.smoothed(clip, ("initial", "sfv-2018", "sfv"), sets)
    joint = SMPL_24.index("right_ankle")
    figure, axes = pyplot.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
    looks = {"initial": {"color": "0.75", "lw": 0.8}, "sfv-2018": {"color": "tab:orange", "lw": 1.2},
             "sfv": {"color": "tab:blue", "lw": 1.6}, "truth": {"color": "black", "lw": 1.2, "ls": "--"}}
    for row, motion in [*made.items(), ("truth", clip.truth)]:
        ankle = motion.joints_m[:, joint]
        axes[0].plot(motion.times_s, ankle[:, 1], label=row, **looks[row])
        axes[1].plot(motion.times_s, clip.truth.camera.to_camera(ankle)[:, 2], label=row, **looks[row])
    for axis, text in zip(axes, ("height, m", "distance from the camera, m"), strict=True):
        axis.set_ylabel(text)
        true = axis.lines[-1].get_ydata()
        room = 0.6 * max(np.ptp(true), 0.5)
        axis.set_ylim(true.min() - room, true.max() + room)
        axis.fill_between(clip.truth.times_s, *axis.get_ylim(), where=~clip.track.seen, color="0.92", label="lost frames")
    axes[0].set_title(f"Right ankle, {name}, seed {seed}")
    axes[0].legend(loc="upper right", ncols=5, fontsize=8)
    axes[1].set_xlabel("s")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
