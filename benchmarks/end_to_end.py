"""Time the whole way from a 720p video of one person to BVH against BlazePose detection alone.

    python -m benchmarks.end_to_end [--video PATH] [--frames N] [--repeat N] [--json] [--check]

End to end is the pipeline of `mrs run --no-overlay` (decode, detect, track, lift, refine, measure, BVH, run folder).
Detection alone is the same detector with the same networks and settings over the same frames, already decoded in memory,
with nothing else done. Both run in turn, each in a fresh process, and the best of each counts. Neither includes the
start of the process, imports (each process first does its work once on a second of the clip) or the loading of
networks: the clock of detection starts when the detector asks for the first frame, and the time between the start of
detecting and that moment is taken off the end-to-end time. What that leaves out is printed below the table.

Detection looks for new people and looks twice in doubt. What its main network costs by itself, looking once at everybody
in every frame at the places where they were seen, is printed too, as a stricter thing to compare with.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks import _common, clips

BOUND = 1.6
WANTED_FPS = 30.0
WARM_S = 1.0


def main() -> None:
    """Print ms a frame of every stage, and the ratio."""
    parser = _common.parser(__doc__)
    parser.add_argument("--video", type=Path, help="another clip of one person (default: made from the shipped sample)")
    parser.add_argument("--frames", type=int, default=300, help="frames of the clip to use (default: 300)")
    parser.add_argument("--repeat", type=int, default=3, help="measure each this often (default: 3)")
    args = parser.parse_args()
    report = _common.begin("End to end against BlazePose detection alone", args)
    with tempfile.TemporaryDirectory() as folder:
        clip = args.video or clips.one_person(Path(folder) / "one_person.mp4", args.frames)
        alone, whole = measure(clip, args)
    _fill(report, alone, whole, clip)
    report.finish(args)


def measure(clip: Path, args: argparse.Namespace) -> tuple[list[dict], list[dict]]:
    """Measure both in turn, `repeat` times."""
    alone, whole = [], []
    for turn in range(args.repeat):
        _common.say(f"round {turn + 1} of {args.repeat}: detection alone")
        alone.append(_common.in_fresh_process(detection_alone, clip, args.frames, args.cores))
        _common.say(f"round {turn + 1} of {args.repeat}: end to end")
        whole.append(_common.in_fresh_process(end_to_end, clip, args.frames, args.cores))
    return alone, whole


def detection_alone(clip: Path, most: int, cores: int) -> dict:
    """Detect people in frames in memory; also time the decoder alone."""
    from mrs.video import Video

    start = time.perf_counter()
    frames = list(islice(Video.open(clip).frames(), most))
    decode_s = time.perf_counter() - start
    detector = _registry().make("detector", "blazepose", {"threads": cores})
    list(detector.detect_frames(frame for frame in frames if frame.time_s < frames[0].time_s + WARM_S))
    clock = Clock()
    seen = [people for _, people in detector.detect_frames(clock.started_by(frames))]
    wall_s, cpu_s = clock.since_first()
    return {"detect": wall_s, "cpu": cpu_s, "decode": decode_s, "frames": len(frames), "once": once(frames, seen, cores),
            "people": sum(map(len, seen)) / len(seen), "networks": detector.runs}


def once(frames: list, seen: list, cores: int) -> float:
    """Return seconds in which BlazePose alone looks at the places where people were seen."""
    from mrs_plugins.detectors._blazepose_crops import Crop
    from mrs_plugins.detectors._blazepose_models import PoseNet

    from mrs.tracks import MASK_SIDE

    def crop(to_px: np.ndarray) -> Crop:
        centre = to_px @ (MASK_SIDE / 2 - 0.5, MASK_SIDE / 2 - 0.5, 1)
        return Crop(*centre, MASK_SIDE * float(np.hypot(*to_px[:, 0])), float(np.arctan2(to_px[1, 0], to_px[0, 0])))

    looks = [(frame.rgb, crop(to_px)) for frame, people in zip(frames, seen, strict=True) for to_px in people.mask_to_px]
    network = PoseNet("full", max(cores // 2, 1), "cpu")
    network.see(*looks[0])
    start = time.perf_counter()
    for rgb, where in looks:
        network.see(rgb, where)
    return time.perf_counter() - start


def end_to_end(clip: Path, most: int, cores: int) -> dict:
    """Run the pipeline twice, first on a second of the clip; return the seconds of the second run by stage."""
    from mrs.video import Video

    times = Video.open(clip).times_s
    end = float(times[most]) if len(times) > most else None
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        _run(clip, Path(folder) / "warm", float(times[0]) + WARM_S, cores, Clock())
        first_run_s = time.perf_counter() - began
        clock, began = Clock(), now()
        report = _run(clip, Path(folder) / "run", end, cores, clock)
        wall_s, cpu_s = now() - began - clock.loading_s
    stages = {stage: row["seconds"] for stage, row in report["timings"].items()}
    stages["detector"] -= clock.loading_s[0]
    return {"total": wall_s, "cpu": cpu_s, "stages": stages, "frames": report["video"]["frames"],
            "persons": len(report["persons"]), "loading": clock.loading_s[0], "first_run": first_run_s}


def _run(clip: Path, out: Path, end: float | None, cores: int, clock: Clock) -> dict:
    from mrs import config, pipeline
    from mrs.video import Video

    settings = config.settings(clip, {"overlay": False, "end": end, "device": "cpu"}, out=out,
                               sets=(f"detector.threads={cores}",))
    frames = Video.frames
    with mock.patch.object(Video, "frames", lambda self, row=0: clock.started_by(frames(self, row))):
        return pipeline.run(settings, _registry(), clock)


def now() -> np.ndarray:
    """Return the time of the clock and the time this process spent on its cores, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


class Clock:
    """Shows no progress, but notes when detecting starts and when the detector, its networks loaded, asks for a frame."""

    def __init__(self):
        self.began = self.first = np.full(2, np.nan)

    @property
    def loading_s(self) -> np.ndarray:
        """Seconds from the start of detecting to the first frame, as :func:`now` counts."""
        return self.first - self.began

    def since_first(self) -> np.ndarray:
        """Seconds since the first frame, as :func:`now` counts."""
        return now() - self.first

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: str = "frames"):
        """Note when detecting starts (the interface of mrs.progress)."""
        if label.startswith("detector"):
            self.began = now()
        yield lambda done, total=None, found=None: None

    def line(self, text: str) -> None:
        """Show nothing."""

    def started_by(self, frames):
        """Yield frames; note when the first one is asked for (the check of the camera reads some again later)."""
        if np.isnan(self.first).any():
            self.first = now()
        yield from frames


def _registry():
    from mrs import plugins

    return plugins.load()


def _fill(report: _common.Report, alone: list[dict], whole: list[dict], clip: Path) -> None:
    """Put the best of each into the report."""
    quick, best = min(alone, key=lambda r: r["detect"]), min(whole, key=lambda r: r["total"])
    frames = best["frames"]
    per_frame = 1e3 / frames
    stages = {"decode and detect": best["stages"].pop("detector"), **best["stages"]}
    rest = best["total"] - sum(stages.values())
    rows = [(name, per_frame * s, s / quick["detect"]) for name, s in {**stages, "open, hash, measure, save": rest}.items()]
    rows += [("end to end", per_frame * best["total"], best["total"] / quick["detect"]),
             ("peer: detection alone", per_frame * quick["detect"], 1.0),
             ("(its main network alone, once a person and frame)", per_frame * quick["once"], quick["once"] / quick["detect"]),
             ("(decoder alone)", per_frame * quick["decode"], quick["decode"] / quick["detect"])]
    report.table(("stage", "ms a frame", "share of detection alone"), rows)
    runs = quick["networks"]
    cpu = min(r["cpu"] for r in whole) / min(r["cpu"] for r in alone)
    seen = f"{quick['people']:.2f} people a frame seen, {best['persons']} tracked"
    networks = ", ".join(f"{count} ({name})" for name, count in runs.items())
    rounds = [", ".join(f"{r[key]:.2f}" for r in every) for every, key in ((whole, "total"), (alone, "detect"))]
    report.notes += [
        f"{Path(clip).name}: {frames} frames, {seen}; networks ran, in times: {networks}.",
        f"All rounds, s: end to end {rounds[0]}; detection alone {rounds[1]}.",
        f"The same ratio in time spent on cores, which other work on the machine changes less: {cpu:.3f}x.",
        f"End to end / the main network alone, once a person and frame: {best['total'] / min(r['once'] for r in alone):.2f}x.",
        f"Not counted in either: process start, imports, loading networks ({best['loading']:.2f} s).",
        f"A first run over {WARM_S:g} s of the clip, with imports and loading, took {best['first_run']:.2f} s.",
    ]
    report.at_most("end to end / detection alone", best["total"] / quick["detect"], BOUND, "x")
    report.at_least("end to end, frames a second (an aim, where the machine allows it)", frames / best["total"], WANTED_FPS)


if __name__ == "__main__":
    main()
