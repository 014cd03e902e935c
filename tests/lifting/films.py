"""Small clips and networks for the tests of the encoder."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.lifting.corpus import Clips
from tests.synth.puppets import LABELS, puppet

TINY = {"batch": 4, "reel": 8, "width": 24, "hidden": 24, "code": 8, "warm_steps": 2}


def clips(seconds: float = 2.0) -> Clips:
    """Two puppets of each label, the second of which is held out."""
    motions = [puppet(label, seconds, phase=number) for label in LABELS for number in (0, 1)]
    names = [name for label in LABELS for name in (label, f"test_{label}")]
    frames = np.array([len(m) for m in motions])
    quat = np.concatenate([rotations.align_hemispheres(m.local_quat_wxyz) for m in motions]).astype(np.float32)
    return Clips(quat, np.concatenate([m.root_pos_m for m in motions]).astype(np.float32), tuple(names),
                 tuple(label for label in LABELS for _ in (0, 1)), np.cumsum([0, *frames[:-1]]), frames,
                 np.array([False, True] * len(LABELS)), np.zeros((len(motions), 10), np.float32))
