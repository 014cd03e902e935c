"""Time `mrs batch` with two workers against one, each worker with one thread.

    python -m benchmarks.batch_speed [--clips N] [--seconds S] [--repeat N] [--json] [--check]

The clips are cut from the shipped sample and run from video to BVH with the default stages, without the overlay. One worker
runs on one core; two workers on two. The clock runs from the first clip's start to the last one's end, since what a batch
of thousands of clips pays is clips, not the start of its processes. Rounds alternate, and the best of each counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from benchmarks import _common

BOUND = 1.8


def main() -> None:
    """Print clips a minute of one and of two workers, and the ratio."""
    parser = _common.parser(__doc__)
    parser.add_argument("--clips", type=int, default=24, help="how many clips (default: 24)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each (default: 1)")
    parser.add_argument("--repeat", type=int, default=2, help="measure each this often (default: 2)")
    args = parser.parse_args()
    report = _common.begin("A batch on two workers against one", args)
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(Path(folder) / "clips", args.clips, args.seconds)
        one, two = measure(clips, Path(folder), args)
    report.table(("workers", "best s", "clips a minute", "all s"),
                 [(str(n), min(t), 60 * args.clips / min(t), ", ".join(f"{x:.1f}" for x in t)) for n, t in ((1, one), (2, two))])
    report.at_least("throughput of two workers over one", min(one) / min(two), BOUND)
    report.finish(args)


def make_clips(folder: Path, count: int, seconds: float) -> Path:
    """Cut clips out of the sample, at half its size."""
    import cv2

    from mrs.video import Video, write_video

    folder.mkdir()
    last = Video.open(_common.SAMPLE).times_s[-1] - seconds
    for number in range(count):
        start = last * number / max(count - 1, 1)
        video = Video.open(_common.SAMPLE, start, start + seconds)
        pictures = (cv2.resize(f.rgb, (640, 360), interpolation=cv2.INTER_AREA) for f in video.frames())
        write_video(folder / f"clip_{number:02d}.mp4", pictures, video.times_s - video.times_s[0], (640, 360))
    return folder


def measure(clips: Path, folder: Path, args: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Run the batch with one worker and with two, in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(args.repeat):
        for count in (1, 2):
            _common.say(f"round {turn + 1} of {args.repeat}: {count} worker{'s' * (count > 1)}")
            times[count - 1].append(seconds(clips, folder / f"out_{turn}_{count}", count))
    return times


def seconds(clips: Path, out: Path, workers: int) -> float:
    """Return the seconds from the first clip's start to the last one's end."""
    from mrs.batch import jobs
    from mrs.batch.storage import Folder

    command = [*_common.mrs_command(), "batch", str(clips), "-o", str(out), "--jobs", str(workers), "--threads", "1", "--no-overlay", "--no-report",
               "--quiet", "--gpus", "none"]
    cores = sorted(os.sched_getaffinity(0))[:workers] if hasattr(os, "sched_getaffinity") else None
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None)
    records = list(jobs.records(Folder(out)).values())
    if done.returncode or any(r["status"] != "done" for r in records):
        sys.exit(f"Expected every clip to be done, but mrs batch ended with {done.returncode}: {done.stderr}")
    ends = [datetime.fromisoformat(r["finished"]).timestamp() for r in records]
    begun = [end - r["seconds"] for end, r in zip(ends, records, strict=True)]
    return max(ends) - min(begun)


if __name__ == "__main__":
    start = time.monotonic()
    main()
    _common.say(f"{time.monotonic() - start:.0f} s in all")
