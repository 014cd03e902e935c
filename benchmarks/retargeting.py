"""Motions on other skeletons by `mrs retarget`: how far feet that touch slide, how far joints are from where they should be.

    python -m benchmarks.retargeting [--frames 150] [--g1 g1.xml]

Walks, runs and turns of the shared corpora onto a robot like Unitree's G1, MimicKit's humanoid, SMPL's (Y up, as PHC has it) and the BVH
skeletons of a tall and a small person. Slides are of soles that touch in two frames on end, of the source's feet (scaled) beside the
target's. DeepMimic's clips on MimicKit's humanoid, which has the same legs, slide as they do. --g1 adds Unitree's own model. The round trip
on equal legs is benchmarks.deepmimic_round_trip.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _common, humanoids
from mrs import plugins
from mrs.reading import read_motion

CORPUS = _common.ROOT.parent / "shared" / "assets" / "motion"
CLIPS = ("cmu8/test_walking_1.bvh", "cmu8/test_running_1.bvh", "cmu8/test_soccer_1.bvh", "cmu8/train_walking_17.bvh",
         "deepmimic/humanoid3d_run.txt", "deepmimic/humanoid3d_dance_spin.txt", "deepmimic/humanoid3d_crawl.txt")
G1_LIKE = _common.ROOT / "tests" / "physics" / "g1_like.xml"
SLIDE_CM_S, ADDED_CM_S = 1.0, 0.1


def main() -> None:
    """Print slides and errors by clip and target."""
    parser = _common.parser(__doc__)
    parser.add_argument("--frames", type=int, default=150, help="use at most this many of each clip (default: 150)")
    parser.add_argument("--g1", type=Path, help="Unitree's own model (mjlab's asset_zoo/robots/unitree_g1/xmls/g1.xml)")
    parser.add_argument("--feet", default="auto", help="as in `mrs retarget` (default: auto)")
    args = parser.parse_args()
    report = _common.begin("Motions on other skeletons", args, ("numpy", "mujoco", "mink"))
    registry, table = plugins.load(), []
    with tempfile.TemporaryDirectory() as folder:
        targets = made_targets(Path(folder)) | ({"G1": args.g1} if args.g1 else {})
        for clip in CLIPS:
            motion = read_motion(CORPUS / clip, registry).part(0, args.frames)
            for name, target in targets.items():
                table.append((Path(clip).stem, name, *measured(motion, target, args.feet)))
                _common.say(" ".join(map(str, table[-1])))
    report.table(("clip", "target", "feet", "source slides cm/s", "target slides cm/s", "ankles mm (mean)", "ankles mm (95 %)", "all joints mm", "ms a frame"),
                 [(clip, name, feet, *(f"{value:.2f}" for value in row)) for clip, name, feet, *row in table])
    for name in targets:
        rows = np.array([row for _, of, feet, *row in table if of == name and feet == "hold"])
        report.notes.append(f"{name}: slide {rows[:, 1].mean():.2f} cm/s of the source's {rows[:, 0].mean():.2f}, ankles {rows[:, 2].mean():.2f} mm, "
                            f"all joints {rows[:, 4].mean():.1f} mm")
        report.at_most(f"mean slide on {name}", rows[:, 1].mean(), SLIDE_CM_S, "cm/s")
    more = [row[1] - row[0] for _, _, feet, *row in table if feet == "follow"]
    report.at_most("what retargeting adds to the slide on the source's own legs", max(more, default=0.0), ADDED_CM_S, "cm/s")
    report.finish(args)


def made_targets(folder: Path) -> dict[str, Path]:
    """Files of the targets by name."""
    out = {"G1-like": G1_LIKE}
    for name, text in (("MimicKit", humanoids.mimickit()), ("SMPL", humanoids.smpl())):
        out[name] = folder / f"{name}.xml"
        out[name].write_text(text)
    for name, beta in (("BVH, tall", 1.5), ("BVH, small", -1.5)):
        out[name] = folder / f"{name}.bvh"
        _person(beta, out[name])
    return out


def _person(beta: float, path: Path) -> None:
    """A T-pose of another person as BVH, with a thigh and a hip width that the mean body doesn't have."""
    from mrs.body import load_body

    betas = np.r_[beta, -beta, beta, np.zeros(7)]
    quats = np.tile([1.0, 0, 0, 0], (3, 24, 1))
    motion = load_body().motion(np.arange(3) / 30, np.zeros((3, 3)), quats, betas, grounded=True)
    path.write_text(motion.to_bvh(names="mixamo"))


def measured(motion, target: Path, feet: str = "auto") -> list:
    """What was done with feet; slides of source and target (cm/s), errors of ankles and of all joints (mm), and milliseconds a frame."""
    from mrs.formats import bvh, legs
    from mrs.physics import bvh_target, locking, robot

    start = time.process_time()
    found = (bvh_target.retarget(motion, bvh.read(target), str(target), feet) if target.suffix == ".bvh"
             else robot.retarget(motion, target, feet=feet))
    spent_ms = 1000 * (time.process_time() - start) / len(motion)
    ankles = legs.of(motion).ankles_m(motion)
    source = found.scale * locking.slide_cm_s(ankles, locking.sole_offsets_m(motion), locking.touching(motion, ankles), motion.times_s, (0, 2))
    at = np.concatenate([found.error_mm["left_ankle"], found.error_mm["right_ankle"]])
    return [found.feet, source, found.slide_cm_s, at.mean(), np.percentile(at, 95), np.mean([e.mean() for e in found.error_mm.values()]), spent_ms]


if __name__ == "__main__":
    main()
