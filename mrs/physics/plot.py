"""Draw every check over time, with its bounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrs.npz import atomic_path
from mrs.physics.check import Report

_COLOURS = ("#2a7f3f", "#d58a00", "#b3261e")
COLUMNS = 3


def write(path: Path, report: Report, title: str) -> None:
    """Write one small panel a check: the value, the bounds, and what is beyond them in colour."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = -(-len(report.series) // COLUMNS)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(4.4 * COLUMNS, 1.9 * rows), sharex=True, squeeze=False, layout="constrained")
    time = report.times_s - report.times_s[0]
    for axis, series in zip(axes.flat, report.series, strict=False):
        levels = series.levels(report.times_s)
        known = series.values[np.isfinite(series.values)]
        axis.plot(time, series.values, color="#444444", linewidth=0.9)
        axis.scatter(time, series.values, s=9, c=[_COLOURS[level] for level in levels], zorder=3)
        top = max(float(known.max()) if len(known) else 0.0, 0.5 * series.doubt) * 1.15
        for bound, colour in ((series.doubt, _COLOURS[1]), (series.reject, _COLOURS[2])):
            if bound < top:
                axis.axhline(bound, color=colour, linewidth=0.8, linestyle="--")
        axis.set_ylim(0, top)
        axis.set_title(f"{series.name} ({series.unit})", fontsize=8.5, color=_COLOURS[int(levels.max())])
        axis.tick_params(labelsize=7)
    for axis in axes.flat[len(report.series) :]:
        axis.set_visible(False)
    figure.suptitle(f"{title}: {report.verdict}; time in seconds", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=110)
    pyplot.close(figure)
