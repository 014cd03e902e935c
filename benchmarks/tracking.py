"""Compare the settings of the tracker on people whose every sighting is known.

    python -m benchmarks.tracking [--seeds N] [--json]

Two people cross, and five cross each other's ways, as walking stick people (tests/stick_people.py) with a detector's noise:
keypoints are off by a percent of the height, a tenth of sightings has a low score, and whoever is more than half covered
by somebody nearer is not seen at all. The order of people in a frame is random, and the tracker gets no lanes.
"""

from __future__ import annotations

import numpy as np

from benchmarks import _common

TRACKERS = ("oks", "bytetrack", "poseflow")
HIDDEN_FROM_IOU = 0.4


def main() -> None:
    """Print a row a tracker and scene: MOTA, IDF1 and switches, over all seeds."""
    parser = _common.parser(__doc__, cores=None)
    parser.add_argument("--seeds", type=int, default=5, help="scenes of each kind (default: 5)")
    args = parser.parse_args()
    report = _common.begin("Trackers on crossing people", args, ("numpy", "scipy"))
    rows, best = [], {}
    for people in (2, 5):
        for name in TRACKERS:
            found = [measure(name, people, seed) for seed in range(args.seeds)]
            mean = {key: float(np.mean([f[key] for f in found])) for key in ("mota_percent", "idf1_percent", "switches")}
            best[people, name] = mean
            rows.append((f"{people} people, {name}", mean["mota_percent"], mean["idf1_percent"], mean["switches"]))
    report.table(("scene, tracker", "MOTA %", "IDF1 %", "switches a clip"), rows)
    for people in (2, 5):
        report.at_least(f"IDF1 of oks, {people} people", best[people, "oks"]["idf1_percent"], 90.0, "%")
        others = max(best[people, name]["idf1_percent"] for name in TRACKERS[1:])
        report.at_least(f"IDF1 of oks against the better of the two others, {people} people",
                        best[people, "oks"]["idf1_percent"] / others, 0.99, "x")
    report.finish(args)


def measure(tracker: str, people: int, seed: int) -> dict[str, float]:
    """Track one scene and compare with the truth."""
    from mrs import plugins
    from mrs.metrics import mot
    from tests.stick_people import Clip

    detections, truth = scene(people, seed)
    tracks = plugins.load().make("tracker", tracker).link(Clip(), detections)
    return mot.compare(mot.Boxes.of(tracks), truth)


def scene(people: int, seed: int, fps: float = 30.0, seconds: float = 6.0):
    """Return the detections of walking people and the truth of those sightings."""
    from mrs import similarity
    from mrs.metrics.mot import Boxes
    from tests.stick_people import boxes_of, detect, walk

    rng = np.random.default_rng(seed)
    times = np.arange(0, seconds, 1 / fps)
    walkers, heights = [], rng.permutation(np.linspace(200, 380, people))
    for i in range(people):
        start, end = (rng.uniform(100, 450), rng.uniform(830, 1180))[:: 1 if i % 2 else -1]
        walkers.append(walk(times, np.linspace(start, end, len(times)), height_px=heights[i], ground_px=380 + 0.7 * heights[i],
                            facing_rad=np.pi / 2 if end > start else -np.pi / 2, phase=rng.uniform(0, 6), noise=0.01, seed=seed * 10 + i))
    boxes = np.stack([boxes_of(points) for points, _ in walkers])
    seen = []
    for i in range(people):
        nearer = [similarity.iou(boxes[i], boxes[j]) for j in range(people) if heights[j] > heights[i]]
        seen.append(~(np.array(nearer) > HIDDEN_FROM_IOU).any(0) if nearer else np.ones(len(times), bool))
    scores = [np.where(rng.random(len(times)) < 0.1, 0.25, 0.9) for _ in range(people)]
    detections = detect(times, walkers, seen=seen, scores=scores)
    rows = [(np.flatnonzero(seen[i]), np.full(int(seen[i].sum()), i), boxes[i][seen[i]]) for i in range(people)]
    return detections, Boxes(*(np.concatenate(column) for column in zip(*rows, strict=True)))


if __name__ == "__main__":
    main()
