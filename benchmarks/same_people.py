"""Check that the default detector and others find the same people in the same frames of a video, by their ids.

    python -m benchmarks.same_people [VIDEO] [--against NAME[,OPTION=VALUE...] ...] [--end SECONDS] [--json] [--check]

Without --against: `rtmpose` and `mmpose` as they come. What has no weights on this machine, or is not installed, is left out and
the command to type is said (`mrs models get rtmpose-m`); nothing is fetched. For example, with a network of one's own:

    python -m benchmarks.same_people demo.mp4 --against rtmpose,model=FILE.onnx --against blazepose,model=heavy

Each detector runs by `mrs detect` with the tracker that `auto` takes. Of both results people are boxes around shoulders, elbows, wrists,
hips, knees and ankles, the points that all models have; a person is one whom a result knows for half a second or more. The default
detector counts as the truth: IDF1 is the share of sightings in which the same person is seen, one id for each id over the whole
clip. Wanted: as many people, no exchange of ids, and an IDF1 of 95 % or more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import _common

DEFAULT, OTHERS = "blazepose", ("rtmpose", "mmpose")
JOINTS = [f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")]
LEAST_S, LEAST_IDF1 = 0.5, 95.0
MISSING = 4
"""Exit code of mrs where a model, an extra or a licence file is missing."""


def main() -> None:
    """Print a row a detector, and the verdicts."""
    parser = _common.parser(__doc__, cores=None)
    parser.add_argument("video", nargs="?", type=Path, default=_common.SAMPLE, help="film to look at (default: the shipped one)")
    parser.add_argument("--against", action="append", metavar="NAME[,OPTION=VALUE]", help="detector to compare with the default one")
    parser.add_argument("--end", type=float, help="look at this many seconds alone")
    args = parser.parse_args()
    report = _common.begin(f"The same people in {args.video.name} by detector", args, ("numpy", "onnxruntime", "mmpose"))
    with tempfile.TemporaryDirectory() as folder:
        truth, why = detect(args.video, DEFAULT, Path(folder) / "0", args.end)
        if truth is None:
            sys.exit(why)
        rows = [(DEFAULT, len(truth.people), sightings(truth), None, None)]
        for number, asked in enumerate(args.against or OTHERS, 1):
            found, why = detect(args.video, asked, Path(folder) / str(number), args.end)
            if found is None:
                report.notes.append(f"NOT RUN: {asked}. {why}")
                continue
            rows.append((asked, *add_verdicts(report, asked, found, truth)))
    report.table(("detector", "people", "sightings", "IDF1 %", "switches"), rows)
    report.finish(args)


def detect(video: Path, asked: str, out: Path, end_s: float | None):
    """Return the lasting people whom `mrs detect` finds, as Tracks, and None; or None, and why it could not be asked."""
    from mrs.tracks import Tracks

    name, *options = asked.split(",")
    sets = [part for option in options for part in ("--set", f"detector.{option}")]
    command = [*_common.mrs_command(), "detect", str(video), "-o", str(out), "--detector", name, "--quiet", *sets,
               *(["--end", str(end_s)] if end_s else [])]
    _common.say(" ".join(command))
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, env=os.environ | {"MRS_OFFLINE": "1"})
    last = (done.stderr.strip().splitlines() or [""])[-1].removeprefix("Error: ")
    if done.returncode == MISSING:
        return None, last
    if done.returncode:
        sys.exit(f"Expected {' '.join(command)} to succeed, but it ended with {done.returncode}: {last}")
    return lasting(Tracks.load(out / "tracks.npz")), None


def lasting(tracks):
    """Leave out whom a result knows for less than half a second."""
    from dataclasses import replace

    step = float(np.median(np.diff(tracks.times_s))) if len(tracks.times_s) > 1 else 0.0
    return replace(tracks, people=tuple(t for t in tracks.people if t.seen.sum() * step >= LEAST_S - step / 2))


def sightings(tracks) -> int:
    """Count the frames in which people are seen, over all of them."""
    return int(sum(t.seen.sum() for t in tracks.people))


def add_verdicts(report: _common.Report, asked: str, found, truth) -> tuple:
    """Compare a result with the default detector's; return people, sightings, IDF1 and switches."""
    from mrs.metrics import mot

    seen = mot.compare(boxes(found), boxes(truth))
    idf1 = float("nan") if seen["idf1_percent"] is None else seen["idf1_percent"]
    report.at_least(f"IDF1 of {asked} against {DEFAULT}", idf1, LEAST_IDF1, "%")
    report.at_most(f"exchanges of ids of {asked}", seen["switches"], 0)
    report.at_most(f"people more or fewer by {asked}", abs(len(found.people) - len(truth.people)), 0)
    return len(found.people), sightings(found), seen["idf1_percent"], seen["switches"]


def boxes(tracks):
    """The boxes of people around the points that all models have."""
    from mrs.formats.pose2d import boxes_around
    from mrs.metrics.mot import Boxes

    parts = []
    for track in tracks.people:
        rows = np.flatnonzero(track.seen)
        around = boxes_around(track.keypoints_px[rows][:, track.keypoints.indices(*JOINTS)])
        parts.append((track.frame_ids[rows], np.full(len(rows), track.person), around))
    if not parts:
        return Boxes(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)))
    return Boxes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


if __name__ == "__main__":
    main()
