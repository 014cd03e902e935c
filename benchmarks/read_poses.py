"""Read a hundred thousand frames of OpenPose's JSON.

    python -m benchmarks.read_poses [--files N] [--json]

Makes a folder of files as OpenPose 1.7 writes them (BODY_25, two people a frame, six decimals), reads it frame by frame
once, and compares with plain `open` and `json.loads` of the same files in the same run, which is the least that any
reader in Python's standard library does. Memory is that of a process of its own, at a tenth of the files and at all.
Files are read from the page cache: what is measured is the reader, not the disk.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _common

WANTED = 5_000


def main() -> None:
    """Print files a second of the reader and of the baseline, and peak memory."""
    parser = _common.parser(__doc__, cores=1)
    parser.add_argument("--files", type=int, default=100_000, help="how many (default: 100000)")
    args = parser.parse_args()
    report = _common.begin("Reading OpenPose folders", args, ("numpy", "orjson"))
    with tempfile.TemporaryDirectory(prefix="mrs_read_poses_") as folder:
        size = make_folder(Path(folder), args.files)
        rows = {}
        for name in ("plain", "mrs without orjson", "mrs"):
            rows[name] = _common.in_fresh_process(measure, name, folder, args.files)
        small = _common.in_fresh_process(measure, "mrs", folder, args.files // 10)
    report.table(("reader", "files a second", "peak MiB"), [(n, r["rate"], r["peak_mib"]) for n, r in rows.items()])
    report.notes.append(f"{args.files} files of {size} bytes, {rows['mrs']['people']} people read.")
    report.at_least("files a second", rows["mrs"]["rate"], WANTED)
    report.at_least("against plain open and json.loads", rows["mrs"]["rate"] / rows["plain"]["rate"], 0.8, "x")
    report.at_most(f"peak memory of all against that of a tenth ({small['peak_mib']:.0f} MiB)",
                   rows["mrs"]["peak_mib"] / small["peak_mib"], 1.2, "x")
    report.finish(args)


def make_folder(folder: Path, files: int) -> int:
    """Write the files; return the size of one."""
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(50):
        people = [{"person_id": [-1], "pose_keypoints_2d": np.round(rng.uniform(0.2, 1000, 75), 3).tolist(),
                   **{f"{part}_keypoints_{d}d": [] for d in (2, 3) for part in ("face", "hand_left", "hand_right")},
                   "pose_keypoints_3d": []} for _ in range(2)]
        texts.append(json.dumps({"version": 1.3, "people": people}, separators=(",", ":")))
    for i in range(files):
        (folder / f"clip_{i:012d}_keypoints.json").write_text(texts[i % len(texts)])
        if i % 20_000 == 19_999:
            _common.say(f"wrote {i + 1} files")
    return len(texts[0])


def measure(name: str, folder: str, files: int) -> dict[str, float]:
    """Read the first `files` files; every reader lists the folder itself."""
    from mrs.formats import pose2d
    from mrs.formats.pose2d import openpose

    if name == "mrs without orjson":
        pose2d._orjson = None
    start = time.perf_counter()
    people = 0
    if name == "plain":
        for path in sorted(Path(folder).iterdir())[:files]:
            with open(path, encoding="utf-8") as file:
                people += len(json.loads(file.read())["people"])
    else:
        for _, _, points, _ in openpose.frames(folder, openpose.listing(folder)[:files]):
            people += len(points)
    seconds = time.perf_counter() - start
    return {"rate": files / seconds, "people": people, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    main()
