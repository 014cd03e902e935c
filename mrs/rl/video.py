"""Show what a policy does: the person's mesh from a camera that goes along, painted without any GL library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mrs.physics.humanoid import Humanoid


class Painter:
    """Paint single states of one humanoid, the camera beside it."""

    def __init__(self, person: Humanoid):
        self.person = person

    def paint(self, qpos: np.ndarray) -> np.ndarray:
        """Return an RGB picture (h, w, 3) of a state (nq,)."""
        from mrs.report import beside

        motion = self.person.motion(np.array([0.0, 1.0]), np.stack([qpos, qpos]))
        return next(beside.render([("", motion)], np.array([0.0])))


def write(path: Path, found: dict[str, Any]) -> None:
    """Write the run that :func:`mrs.rl.training.evaluate` kept, with the motion it imitates beside it."""
    from mrs.report import beside

    person, rate = found["humanoid"], found["rate_hz"]
    times = np.arange(max(len(found["qpos"]), 2)) / rate
    panels = [("motion", found["wanted"]), ("policy", found["qpos"])]
    beside.write(path, [(title, person.motion(times[: len(qpos)], qpos)) for title, qpos in panels], rate_hz=rate)
