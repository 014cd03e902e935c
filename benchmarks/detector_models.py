"""Compare BlazePose full and heavy on a clip: time a person and frame, steadiness in 2D and 3D, exchanged sides.

    python benchmarks/detector_models.py [VIDEO] [--frames N] [--json]

Time is that of the detector alone, on frames already in memory, one person's worth of it. What is measured:

- jitter 2D: median size of the second difference of the keypoints seen (confidence > 0.5), in % of the person's height
- jitter 3D: the same of the metric keypoints, in mm
- bone change: median over the limbs of the standard deviation of the length in 3D, in mm
- exchanges: pairs of left and right joints whose places swap from one frame to the next, a person-second
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from mrs_plugins.detectors.blazepose import BlazePose

from mrs import options
from mrs.skeletons import BLAZEPOSE_33
from mrs.video import Video

SAMPLE = Path(__file__).parents[1] / "examples" / "walk_and_jump.mp4"
BODY = BLAZEPOSE_33.indices(*(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
                              for side in ("left", "right")))
LIMBS = [BLAZEPOSE_33.indices(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right")
         for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))]


def main() -> None:
    """Print one line a model, and the ratios heavy to full."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("video", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--frames", type=int, default=300, help="look at this many frames from the start at most")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    frames = []
    for frame in Video.open(args.video).frames():
        frames.append(frame)
        if len(frames) == args.frames:
            break
    results = {model: measure(model, frames) for model in ("full", "heavy")}
    ratios = {key: results["heavy"][key] / max(results["full"][key], 1e-9) for key in results["full"]}
    if args.json:
        print(json.dumps({**results, "heavy/full": ratios}))
        return
    print(f"{args.video.name}, {len(frames)} frames")
    for name, row in {**results, "heavy/full": ratios}.items():
        print(f"{name:>10}: " + "  ".join(f"{key} {value:.3g}" for key, value in row.items()))


def measure(model: str, frames: list) -> dict[str, float]:
    """Run the detector over frames and measure it."""
    detector = BlazePose()
    detector.options = options.build(BlazePose, {"model": model}, "detector")
    started = time.perf_counter()
    people = [people for _, people in detector.detect_frames(frames)]
    elapsed = time.perf_counter() - started
    times = np.array([frame.time_s for frame in frames])
    lanes = [lane for number in sorted({int(n) for p in people for n in p.lanes})
             for lane in runs_of(people, number, times)]
    seen = sum(len(p) for p in people)
    seconds = sum(t[-1] - t[0] for t, _, _ in lanes)
    return {
        "ms a person and frame": 1e3 * elapsed / max(seen, 1),
        "people seen": seen,
        "jitter 2D %": 100 * _median([jitter(k[:, :, :2] / height(k), k[:, :, 2]) for _, k, _ in lanes]),
        "jitter 3D mm": 1e3 * _median([jitter(m, k[:, :, 2]) for _, k, m in lanes]),
        "bone change mm": 1e3 * _median([bone_change(m) for _, _, m in lanes]),
        "exchanges a s": sum(exchanges(k).sum() for _, k, _ in lanes) / max(seconds, 1e-9),
    }


def runs_of(people: list, number: int, times: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Cut one lane into runs of frames without a gap: times (T,), keypoints_px (T, 33, 3), metric (T, 33, 3)."""
    rows = [(i, int(np.flatnonzero(p.lanes == number)[0])) for i, p in enumerate(people) if number in p.lanes]
    cuts = np.flatnonzero(np.diff([i for i, _ in rows]) > 1) + 1
    parts = [part for part in np.split(np.array(rows), cuts) if len(part) >= 10]
    return [(times[part[:, 0]], np.array([people[i].keypoints_px[j] for i, j in part]),
             np.array([people[i].keypoints3d_m[j] for i, j in part])) for part in parts]


def height(keypoints_px: np.ndarray) -> float:
    """Return the median diagonal of the person's box in pixels."""
    size = keypoints_px[:, :, :2].max(1) - keypoints_px[:, :, :2].min(1)
    return float(np.median(np.linalg.norm(size, axis=1)))


def jitter(points: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return the sizes of second differences of the body's points that are seen in all three frames."""
    seen = (confidence[2:] > 0.5) & (confidence[1:-1] > 0.5) & (confidence[:-2] > 0.5)
    second = np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=2)
    return second[:, BODY][seen[:, BODY]]


def bone_change(points_m: np.ndarray) -> np.ndarray:
    """Return each limb's standard deviation of length in metres."""
    return np.array([np.linalg.norm(points_m[:, a] - points_m[:, b], axis=1).std() for a, b in LIMBS])


def exchanges(keypoints_px: np.ndarray) -> np.ndarray:
    """Mark (T - 1, 6) pairs of joints that are far nearer to each other's last place than to their own."""
    left, right = keypoints_px[:, BODY[::2], :2], keypoints_px[:, BODY[1::2], :2]

    def moved(a, b):
        return np.linalg.norm(a[1:] - b[:-1], axis=2)

    own, other = moved(left, left) + moved(right, right), moved(left, right) + moved(right, left)
    return (other < 0.5 * own) & (own > 0.06 * height(keypoints_px))


def _median(arrays: list[np.ndarray]) -> float:
    return float(np.median(np.concatenate(arrays))) if arrays else float("nan")


if __name__ == "__main__":
    main()
