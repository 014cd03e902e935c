"""One thing measured at every frame, the bounds it is held against, and the verdict that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

LEVELS = ("ok", "doubtful", "reject")


@dataclass(frozen=True)
class Series:
    """Values (T,), the larger the worse; NaN where nothing can be said.

    A stretch above `doubt` or `reject` counts where it lasts at least `shortest_s`. `what` says in words what is wrong then.
    """

    name: str
    unit: str
    values: np.ndarray
    doubt: float
    reject: float
    what: str
    shortest_s: float = 0.0

    def levels(self, times_s: np.ndarray) -> np.ndarray:
        """Level (T,) of each frame: 0 ok, 1 doubtful, 2 reject."""
        out = np.zeros(len(times_s), int)
        for level, bound in ((1, self.doubt), (2, self.reject)):
            with np.errstate(invalid="ignore"):
                above = self.values > bound
            for first, past in runs(above):
                lasts = times_s[past - 1] - times_s[first] + _frame_s(times_s)
                if lasts >= self.shortest_s - 1e-9:
                    out[first:past] = level
        return out

    def summary(self, times_s: np.ndarray) -> dict[str, Any]:
        """What `mrs check` prints of it."""
        levels = self.levels(times_s)
        known = np.isfinite(self.values)
        bad = np.flatnonzero(levels > 0)
        first = np.flatnonzero(levels == levels.max())[0] if len(bad) else None
        return {"name": self.name, "level": LEVELS[int(levels.max())], "unit": self.unit, "doubtful_above": self.doubt,
                "reject_above": self.reject, "for_at_least_s": self.shortest_s,
                "worst": float(self.values[known].max()) if known.any() else None,
                "median": float(np.median(self.values[known])) if known.any() else None,
                "share_percent": round(100 * len(bad) / len(levels), 1),
                "first_s": None if first is None else round(float(times_s[first] - times_s[0]), 3), "what": self.what}


def runs(true: np.ndarray) -> list[tuple[int, int]]:
    """First and past row of each stretch of true values (T,)."""
    edges = np.flatnonzero(np.diff(np.r_[0, true.astype(int), 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def by_second(series: list[Series], times_s: np.ndarray) -> list[dict[str, Any]]:
    """Verdict of each second of the clip, with the names of what fails in it."""
    second = np.floor(times_s - times_s[0] + 1e-9).astype(int)
    levels = np.stack([s.levels(times_s) for s in series])
    out = []
    for at in range(int(second.max()) + 1):
        here = levels[:, second == at]
        worst = here.max(1) if here.shape[1] else np.zeros(len(series), int)
        out.append({"second": at, "verdict": LEVELS[int(worst.max())],
                    "failed": [s.name for s, level in zip(series, worst, strict=True) if level == 2],
                    "doubtful": [s.name for s, level in zip(series, worst, strict=True) if level == 1]})
    return out


def _frame_s(times_s: np.ndarray) -> float:
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
