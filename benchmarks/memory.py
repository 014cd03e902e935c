"""Measure the peak memory of `mrs run --no-overlay` over a long 720p video of one person.

    python -m benchmarks.memory [--minutes N | --quick] [--json] [--check]

The video is made in a temporary folder from the shipped sample: one person who walks forth and back, in sight all the
time. The whole length takes as long as it takes to refine it. With --quick, one and two minutes are run instead, and
what the second minute adds is carried on to --minutes in a straight line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import _common, clips

BOUND_GIB = 2.0
GIB = 2**30


def main() -> None:
    """Print the peak for each length."""
    parser = _common.parser(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the video (default: 10)")
    parser.add_argument("--quick", action="store_true", help="run one and two minutes, and extrapolate")
    args = parser.parse_args()
    report = _common.begin("Peak memory of mrs run --no-overlay", args)
    lengths = (1.0, 2.0) if args.quick else (args.minutes,)
    with tempfile.TemporaryDirectory() as folder:
        loop = clips.one_loop(Path(folder) / "loop.mp4")
        runs = {minutes: _run(loop, Path(folder) / f"{minutes:g}", minutes, args.cores) for minutes in lengths}
    report.table(("minutes", "frames", "people", "peak GiB", "s"),
                 [(f"{m:g}", run["frames"], run["persons"], run["peak_gib"], run["seconds"]) for m, run in runs.items()])
    if args.quick:
        one, two = runs[1.0]["peak_gib"], runs[2.0]["peak_gib"]
        report.notes.append(f"A minute adds {two - one:.3f} GiB ({(two - one) / one:.1%}).")
        report.at_most(f"peak for {args.minutes:g} minutes, extrapolated", two + max(two - one, 0) * (args.minutes - 2),
                       BOUND_GIB, "GiB")
    else:
        report.at_most(f"peak for {args.minutes:g} minutes", runs[args.minutes]["peak_gib"], BOUND_GIB, "GiB")
    report.finish(args)


def _run(loop: Path, folder: Path, minutes: float, cores: int) -> dict:
    """Run the real command over a video of this length; return its peak memory and what run.json says."""
    folder.mkdir()
    video = clips.repeated(loop, folder / "video.mp4", 60 * minutes)
    _common.say(f"{minutes:g} minutes: mrs run --no-overlay")
    start = time.perf_counter()
    peak = peak_of([*_common.mrs_command(), "run", str(video), "-o", str(folder / "run"), "--no-overlay", "--device", "cpu",
                    "--set", f"detector.threads={cores}"])
    seconds = time.perf_counter() - start
    facts = json.loads((folder / "run" / "run.json").read_text())
    return {"frames": facts["video"]["frames"], "persons": len(facts["persons"]), "peak_gib": peak / GIB,
            "seconds": seconds}


def peak_of(command: list[str]) -> int:
    """Run a command; return the most memory (resident bytes) it held, as the kernel counted. Exit if it fails."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"Expected {' '.join(command)} to succeed, but it ended with {process.returncode}.")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
