"""Measure the shape-and-posture network on a clip's held-out frames beside the mesh, and how fast it draws.

    python -m benchmarks.shape_pose [RUN] [--seconds 120] [--person largest] [--looks-seconds 10] [--json] [--check]

RUN is the run folder of a video (default: the sample clip is run first, to a temporary folder). Of every 0.8 s the last quarter is held
out; the network is trained on the rest for --seconds. The mesh's colours are gathered from all frames, held-out ones too.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _common

OVER, FASTEST_HZ, RATE_HZ = 0.05, 15.0, 30


def main() -> None:
    """Print a table of renderers and the rate of drawing."""
    parser = _common.parser(__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="run folder (default: the sample clip, run first)")
    parser.add_argument("--seconds", type=float, default=120.0, help="personalisation (default: 120)")
    parser.add_argument("--person", default="largest", help="largest, longest, center or an id (default: largest)")
    parser.add_argument("--looks-seconds", type=float, default=10.0, help="length of what is drawn for the rate (default: 10)")
    parser.add_argument("--weights", help="weights to begin with (default: those that ship)")
    parser.add_argument("--sheet", type=Path, help="PNG of held-out frames to write")
    args = parser.parse_args()
    report = _common.begin("A person drawn by the shape-and-posture network", args, ("torch", "numpy"))
    with tempfile.TemporaryDirectory() as folder:
        run = args.run or _ran(Path(folder))
        found = measured(run, args)
    table = found["table"]
    columns = ("ssim_box", "ssim", "psnr_box_db", "flicker", "frechet_standin")
    report.table(("held-out frames", *columns), [(name, *(row[c] for c in columns)) for name, row in table.items()])
    report.notes.append(f"{found['personalised']['iterations']} iterations in {found['personalised']['seconds']} s on {found['learnt_from']} "
                        f"frames; {found['pictures']} held out.")
    for rival in ("mesh", "copy-the-source"):
        report.at_least(f"SSIM within the box over {rival}", table["shape-pose"]["ssim_box"] - table[rival]["ssim_box"], OVER)
    wall, cpu = rate(args.weights, args.looks_seconds)
    report.notes.append(f"Drawing: {cpu:.1f} frames a CPU second.")
    report.at_least("drawing at 128 px", wall, FASTEST_HZ, "frames/s")
    report.finish(args)


def _ran(folder: Path) -> Path:
    from mrs import config, pipeline, plugins

    settings = config.settings(_common.SAMPLE, {"overlay": False, "person": "all", "out": folder / "run"}, until="smooth")
    pipeline.run(settings, plugins.load(()))
    return settings.out


def measured(run: Path, args) -> dict:
    """What `mrs eval shape-pose` finds."""
    from mrs.appearance import report, weights

    make = report.judge(None, None, None, "cpu")
    return report.of_clip(run, args.person, weights.load(args.weights), args.seconds, make, ["mesh"], sheet=args.sheet)


def rate(weights_path: str | None, seconds: float) -> tuple[float, float]:
    """Squares a second, by the clock and of CPU time, that are drawn of a motion of `seconds` at 30 Hz."""
    import torch

    from mrs.appearance import personalise, tone, weights
    from mrs.appearance.draw import AT_ONCE, Drawer
    from mrs.appearance.people import People

    stored = weights.load(weights_path)
    size = personalise.recipe_of(stored).size_px
    joints = People(None, size, points=1000).batch(2).joints.numpy()[:1]
    nothing = tone.Lacks(torch.zeros(1, len(tone.PIECES), 3), torch.zeros(1, len(tone.PIECES)))
    looks = personalise.Bank([_zeros(stored, scale) for scale in (1, 0)], np.array([[0.0, 1.0]]), nothing)
    drawer, frames = Drawer(stored, looks), max(round(seconds * RATE_HZ), AT_ONCE)
    block = np.repeat(joints, AT_ONCE, 0)
    drawer.squares(block, np.tile([0.0, 1.0], (AT_ONCE, 1)))
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(frames // AT_ONCE):
        drawer.squares(block, np.tile([0.0, 1.0], (AT_ONCE, 1)))
    done = frames // AT_ONCE * AT_ONCE
    return done / (time.perf_counter() - start), done / (time.process_time() - cpu)


def _zeros(stored, scale: int):
    import torch

    shape = stored.net.shape
    side = shape.coarsest_px << scale
    return torch.zeros(1, shape.channels[-1 - scale], side, side)


if __name__ == "__main__":
    main()
