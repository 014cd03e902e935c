"""What a trainer would reject, before training: all checks of a motion, a verdict, and one for every second."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mrs.errors import InputError
from mrs.motion import Motion
from mrs.physics import extra, kinematics, segments
from mrs.physics.series import LEVELS, Series, by_second


@dataclass(frozen=True)
class Report:
    """Everything `mrs check` says of one motion; `missing` are checks that could not be made, and why."""

    times_s: np.ndarray
    series: list[Series]
    mass_kg: float
    stature_m: float
    missing: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The worst level of any check."""
        return LEVELS[max(int(s.levels(self.times_s).max()) for s in self.series)]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and words."""
        span = float(self.times_s[-1] - self.times_s[0])
        return {"verdict": self.verdict, "frames": len(self.times_s), "seconds": round(span, 4),
                "mass_kg": round(self.mass_kg, 2), "stature_m": round(self.stature_m, 3),
                "checks": [s.summary(self.times_s) for s in self.series], "by_second": by_second(self.series, self.times_s),
                "missing": self.missing}


def check(motion: Motion, *, loop: bool = False, mass_kg: float | None = None, physics: bool = True) -> Report:
    """Check a world motion. Without MuJoCo, or with `physics` off, the kinematic checks are made and the rest is named."""
    if motion.frame != "world":
        raise InputError("Expected a motion in the world, with a floor, but this one is as the camera sees it. Type: mrs run VIDEO")
    motion.validate()
    person = segments.of_motion(motion, mass_kg)
    found, missing = kinematics.measure(motion, person, loop=loop), []
    if not physics:
        missing.append("Inverse dynamics were left out, as asked.")
    elif not extra.has("mujoco"):
        missing.append("Inverse dynamics need MuJoCo. Type: pip install 'mrs[physics]'")
    else:
        more = _dynamics(motion, mass_kg)
        found += more
        if not more:
            missing.append(f"Inverse dynamics need a quarter of a second, but there are {len(motion)} frames.")
    return Report(motion.times_s, found, person.total_kg, person.stature_m, missing)


def _dynamics(motion: Motion, mass_kg: float | None) -> list[Series]:
    """Series of what the motion asks of floor and muscles, brought to the motion's own times."""
    from mrs.physics import dynamics

    solved = dynamics.inverse(motion, mass_kg=mass_kg)
    if solved is None:
        return []

    def here(values: np.ndarray) -> np.ndarray:
        rows = np.searchsorted((solved.times_s[1:] + solved.times_s[:-1]) / 2, motion.times_s)
        return values[rows]

    return [
        Series("residual_force", "body weights", here(solved.residual_force_bw), 0.5, 2.0,
               "a force acts on the pelvis that no floor gives", 0.15),
        Series("residual_moment", "body weights x m", here(solved.residual_moment_bwm), 0.15, 0.8,
               "a moment acts on the pelvis that no floor gives", 0.15),
        Series("torque", "of human strength", here(solved.strength.max(1)), 2.0, 5.0, "a joint needs more torque than people have", 0.1),
        Series("pressure_outside", "cm", 100 * here(solved.outside_m), 15, 80, "the body must tip over: what would hold it up lies "
               "outside of what touches", 0.15)]
