"""Run `mrs run` on the shipped clip and the whole Sports2D demo video; print quality before and after refinement.

    python -m benchmarks.quality [--video PATH ...] [--only-sample] [--out FOLDER] [--overlay] [--json] [--check]

The demo video comes from PyPI and is used where it is found in the current folder or named with --video:

    pip download --no-deps sports2d==0.8.34 && unzip sports2d-0.8.34-*.whl Sports2D/Demo/demo.mp4
    python -m benchmarks.quality --video Sports2D/Demo/demo.mp4

The numbers are those that every run writes into its run.json (mrs.metrics): mean distance of reprojected from detected
keypoints in % of the person's height, jitter in 10 m/s^3, median speed of feet in contact (those the refined motion
has, for both), mean depth of the lowest sole under the ground, largest change of a bone's length, and the largest way
of a joint from one frame to the next.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import _common

DEMO = Path("Sports2D/Demo/demo.mp4")
NAMES = ("error_2d_percent", "jitter_10m_s3", "foot_skate_cm_s", "penetration_cm", "bone_change_mm", "largest_jump_m")
HEADER = ("person", "frames", "seen", "", "2D error %", "jitter 10 m/s^3", "skate cm/s", "penetration cm", "bones mm", "jump m")
ERROR_PERCENT, SKATE_CM_S, JUMP_M, BONES_MM, JITTER = 5.0, 3.0, 0.5, 0.01, 40.0


def main() -> None:
    """Print a table and the verdicts of every clip."""
    parser = _common.parser(__doc__, cores=None)
    parser.add_argument("--video", type=Path, nargs="+", default=[], help="clips besides the shipped one")
    parser.add_argument("--only-sample", action="store_true", help="leave out a demo video that is found")
    parser.add_argument("--out", type=Path, help="keep the run folders here (and go on from them)")
    parser.add_argument("--overlay", action="store_true", help="make overlay videos too (with --out)")
    args = parser.parse_args()
    report = _common.begin("Quality before and after refinement", args)
    found = [DEMO] if DEMO.is_file() and not args.only_sample and not args.video else []
    with tempfile.TemporaryDirectory() as folder:
        for video in (_common.SAMPLE, *args.video, *found):
            _common.say(f"mrs run {video}")
            _add(report, video, run(video, (args.out or Path(folder)) / video.stem, args.overlay))
    report.finish(args)


def run(video: Path, out: Path, overlay: bool = False) -> dict:
    """Run the real command and return run.json."""
    command = [*_common.mrs_command(), "run", str(video), "-o", str(out), "--quiet", "--json",
               "--overlay" if overlay else "--no-overlay"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"Expected {' '.join(command)} to succeed, but it ended with {done.returncode}.")
    return json.loads(done.stdout)


def _add(report: _common.Report, video: Path, facts: dict) -> None:
    """Add one clip: a row lifted and a row refined for each person, and the worst of the people as verdicts."""
    rows = []
    for number, person in facts["persons"].items():
        for what in ("lifted", "refined"):
            rows.append((f"{video.stem} {number}", person["frames"], person["seen"], what,
                         *(person["quality"][what][name] for name in NAMES)))
    report.table(HEADER, rows)
    for name, value, kind, bound, unit in verdicts(facts):
        getattr(report, kind)(f"{video.stem}, {name}", value, bound, unit)


def verdicts(facts: dict) -> list[tuple[str, float, str, float, str]]:
    """Return (name, worst value over the people, kind, bound, unit) of each bound."""
    people = [person["quality"] for person in facts["persons"].values()]

    def worst(name: str) -> float:
        return max((p["refined"][name] if p["refined"][name] is not None else float("nan")) for p in people)

    return [("change of bone lengths", worst("bone_change_mm"), "at_most", BONES_MM, "mm"),
            ("largest jump", worst("largest_jump_m"), "at_most", JUMP_M, "m"),
            ("2D error", worst("error_2d_percent"), "at_most", ERROR_PERCENT, "% of height"),
            ("median speed of feet in contact", worst("foot_skate_cm_s"), "at_most", SKATE_CM_S, "cm/s"),
            ("jitter", worst("jitter_10m_s3"), "at_most", JITTER, "10 m/s^3")]


if __name__ == "__main__":
    main()
