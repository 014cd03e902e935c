"""Known motion, filmed by known cameras, with the errors that real detectors make.

Motions come from the shared corpus (../shared/assets/motion); the errors are those of mrs/lifting/observed.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.formats import bvh, bvh_import, deepmimic
from mrs.lifting.observed import Noise, film
from mrs.motion import Motion
from mrs.world.ground import sole_points


def _corpus() -> Path:
    """Return shared/assets/motion beside the checkout, or beside a folder that it lies in (a worktree)."""
    places = [parent / "shared" / "assets" / "motion" for parent in Path(__file__).resolve().parents[2:]]
    return next((place for place in places if place.is_dir()), places[0])


__all__ = ["ACTIONS", "CORPUS", "Noise", "film", "load"]
CORPUS = _corpus()
ACTIONS = {
    "walk": "cmu8/test_walking_10.bvh", "run": "cmu8/test_running_1.bvh", "jump": "cmu8/test_jumping_1.bvh",
    "soccer": "cmu8/test_soccer_1.bvh", "basketball": "cmu8/test_basketball_1.bvh",
    "dance": "deepmimic/humanoid3d_dance_a.txt", "punch": "deepmimic/sie_humanoid3d_punch_forward00.txt",
    "roll": "deepmimic/humanoid3d_roll.txt", "crawl": "deepmimic/humanoid3d_crawl.txt",
    "flip": "deepmimic/humanoid3d_sideflip.txt",
}


def load(action: str, fps: float = 30.0, longest_s: float = 8.0) -> Motion:
    """Load a corpus motion on the embedded body at an even rate, standing on y = 0."""
    path = CORPUS / ACTIONS[action]
    motion = bvh_import.from_bvh(bvh.read(path)) if path.suffix == ".bvh" else deepmimic.read(path)
    times = np.arange(0, min(motion.times_s[-1] - motion.times_s[0], longest_s), 1 / fps) + motion.times_s[0]
    quats = rotations.align_hemispheres(rotations.resample(motion.local_quat_wxyz, motion.times_s, times))
    root = np.stack([np.interp(times, motion.times_s, c) for c in motion.root_pos_m.T], -1)
    body = load_body()
    moved = body.motion(times - times[0], root, quats, motion.betas)
    lowest = np.percentile(sole_points(moved)[..., 1].min(1), 5)
    return body.motion(times - times[0], root - [0, lowest, 0], quats, motion.betas)
