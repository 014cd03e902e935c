"""Write and read a BVH of ten thousand frames, against bvhio and bvhtoolbox.

    python -m benchmarks.bvh_speed [--frames N] [--json]

Makes a motion of 24 turning joints, writes it from the Motion to the file and reads the file into numbers, each the best of three
in a process of its own, in seconds of CPU. The others read the same file, once, in the same run: bvhio by `readAsBvh`, bvhtoolbox by
`BvhTree` and `frames`; bvhio writes what it has read. Needs bvhio and bvhtoolbox, which the extra [test] brings.
"""

from __future__ import annotations

import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np

from benchmarks import _common

WRITE_S, READ_S, FASTER = 1.0, 2.0, 3.0


def main() -> None:
    """Print seconds of each reader and writer, and the verdicts."""
    parser = _common.parser(__doc__, cores=1)
    parser.add_argument("--frames", type=int, default=10_000, help="how many (default: 10000)")
    args = parser.parse_args()
    report = _common.begin("BVH, written and read", args, ("numpy", "bvhio", "bvhtoolbox"))
    with tempfile.TemporaryDirectory(prefix="mrs_bvh_speed_") as folder:
        path = Path(folder) / "motion.bvh"
        written = _common.in_fresh_process(write_ours, path, args.frames)
        read = {name: _common.in_fresh_process(READERS[name], path) for name in READERS}
        theirs = _common.in_fresh_process(write_bvhio, path)
        size_mb = path.stat().st_size / 1e6
    report.table(("program", "read, s", "write, s"), [("mrs", read["mrs"], written), ("bvhio", read["bvhio"], theirs),
                                                      ("bvhtoolbox", read["bvhtoolbox"], None)])
    report.notes.append(f"{args.frames} frames of 24 joints, {size_mb:.1f} MB.")
    report.at_most("writing, from the Motion on", written, WRITE_S * args.frames / 10_000, "s")
    report.at_most("reading", read["mrs"], READ_S * args.frames / 10_000, "s")
    report.at_least("reading against the faster of the others", min(read["bvhio"], read["bvhtoolbox"]) / read["mrs"], FASTER, "x")
    report.at_least("writing against bvhio", theirs / written, FASTER, "x")
    report.finish(args)


def write_ours(path: Path, frames: int) -> float:
    """Write a Motion; return seconds of CPU."""
    from mrs import rotations
    from mrs.body import load_body
    from mrs.formats import bvh
    from mrs.formats.bvh_motion import to_bvh

    rng = np.random.default_rng(0)
    quats = rotations.axis_angle_to_quat(0.01 * np.cumsum(rng.normal(size=(frames, 24, 3)), 0))
    motion = load_body().motion(np.arange(frames) / 30, np.cumsum(rng.normal(size=(frames, 3)), 0) * 0.01, quats, np.zeros(10))
    return _best(lambda: bvh.write(path, to_bvh(motion)[0]))


def read_ours(path: Path) -> float:
    """Read with mrs."""
    from mrs.formats import bvh

    return _best(lambda: bvh.read(path))


def read_bvhio(path: Path) -> float:
    """Read with bvhio."""
    import bvhio

    return _best(lambda: bvhio.readAsBvh(str(path)), times=1)


def write_bvhio(path: Path) -> float:
    """Write with bvhio what it has read."""
    import bvhio

    held = bvhio.readAsBvh(str(path))
    return _best(lambda: bvhio.writeBvh(str(path.with_name("theirs.bvh")), held), times=1)


def read_bvhtoolbox(path: Path) -> float:
    """Read with bvhtoolbox, and turn its words into numbers, which it leaves to whoever asks."""
    # It asks pkg_resources, which setuptools no longer has, for its own version.
    sys.modules.setdefault("pkg_resources", types.SimpleNamespace(get_distribution=lambda name: types.SimpleNamespace(version="0")))
    from bvhtoolbox import BvhTree

    return _best(lambda: np.array(BvhTree(path.read_text()).frames, float), times=1)


READERS = {"mrs": read_ours, "bvhio": read_bvhio, "bvhtoolbox": read_bvhtoolbox}


def _best(work, times: int = 3) -> float:
    """Seconds of CPU of the quickest of a few calls."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
