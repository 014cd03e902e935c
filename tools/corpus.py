"""The shared motion capture for training: which clips are held out, how they are grouped, loading at an even rate.

Held out are all clips that benchmarks/synthetic.py films or may film, and the benchmark's own test split. A DeepMimic
file has no collars, wrists, hands, toes nor head; `FEW` names what it lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.formats import bvh, bvh_import, deepmimic
from mrs.motion import Motion
from mrs.world.ground import sole_points

PLACES = [folder / "shared" / "assets" / "motion" for folder in Path(__file__).resolve().parents[1:4]]
CORPUS = next((place for place in PLACES if place.is_dir()), PLACES[1])
HELD_OUT = ("humanoid3d_sideflip", "humanoid3d_roll", "humanoid3d_crawl", "humanoid3d_dance_a",
            "sie_humanoid3d_punch_forward00")
FEW = (10, 11, 13, 14, 15, 20, 21, 22, 23)


def clips(split: str) -> list[Path]:
    """Paths of the "train" or the "test" clips, in order."""
    paths = sorted(CORPUS.glob("cmu8/*.bvh")) + sorted(CORPUS.glob("deepmimic/*.txt"))
    return [path for path in paths if (path.stem in HELD_OUT or path.name.startswith("test_")) == (split == "test")
            and path.stem != "LICENSE"]


def group(path: Path) -> str:
    """The action of a clip, for balanced sampling: its name without sets and numbers."""
    name = path.stem.removeprefix("train_").removeprefix("test_").removeprefix("sie_").removeprefix("humanoid3d_")
    return name.rstrip("0123456789_")


def load(path: Path, fps: float = 30.0) -> Motion:
    """Read a clip onto the embedded body at an even rate, standing on y = 0."""
    motion = bvh_import.from_bvh(bvh.read(path)) if path.suffix == ".bvh" else deepmimic.read(path)
    times = np.arange(motion.times_s[0], motion.times_s[-1] + 1e-9, 1 / fps)
    quats = rotations.align_hemispheres(rotations.resample(motion.local_quat_wxyz, motion.times_s, times))
    root = np.stack([np.interp(times, motion.times_s, column) for column in motion.root_pos_m.T], -1)
    moved = load_body().motion(times - times[0], root, quats, motion.betas)
    lowest = np.percentile(sole_points(moved)[..., 1].min(1), 5)
    return load_body().motion(times - times[0], root - [0, lowest, 0], quats, motion.betas)


def poses(split: str, fps: float = 30.0) -> Iterator[tuple[Path, Motion]]:
    """Every clip of a split with its motion."""
    for path in clips(split):
        yield path, load(path, fps)
