"""One clip of benchmarks/refinement: every row's smoother on the same evidence, measured against the truth."""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks import _common, corrupted


def one_thread() -> None:
    """Give every clip the same arithmetic, however many processes run."""
    for name in _common.THREADS:
        os.environ[name] = "1"
    import torch

    torch.set_num_threads(1)


def run_clip(job: tuple) -> tuple[dict[str, dict], dict[str, str]]:
    """Measure every row of one clip, and the truth itself; return also the rows that a smoother refused, with its words."""
    name, seed, fps, longest_s, rows, sets = job
    clip = corrupted.make(name, seed, fps, longest_s)
    made, seconds, refused = smoothed(clip, rows, sets)
    numbers = compared(made, clip.truth)
    return {row: values | {"seconds": seconds.get(row)} for row, values in numbers.items()}, refused


def smoothed(clip: corrupted.Clip, rows, sets=()):
    """Return {row: Motion}, {row: seconds} and {row: why it was refused}."""
    from mrs import plugins

    registry = plugins.load()
    made, seconds, refused = {}, {}, {}
    for row in rows:
        start = time.perf_counter()
        try:
            made[row] = clip.initial if row == "initial" else smoother_of(registry, row, sets).smooth(None, clip.track, clip.initial)
        except Exception as error:  # noqa: BLE001 (one row that fails does not cost the others)
            refused[row] = f"{type(error).__name__}: {error}"
        seconds[row] = time.perf_counter() - start
    return made, seconds, refused


def smoother_of(registry, row: str, sets):
    name, values = parsed(row)
    if name == "sfv":
        values = dict(s.split("=", 1) for s in sets) | values
    smoother = registry.make("smoother", name, values)
    smoother.progress = lambda done, total: None
    smoother.rng = np.random.default_rng(0)
    return smoother


def parsed(row: str) -> tuple[str, dict[str, str]]:
    """Split ``NAME:OPTION=VALUE;OPTION=VALUE``."""
    name, _, rest = row.partition(":")
    return name, dict(part.split("=", 1) for part in rest.split(";") if part)


def compared(made: dict, truth) -> dict[str, dict[str, float | None]]:
    """Measure every motion of a clip, and the truth itself, against the truth."""
    from mrs.metrics.compare import compare

    result = compare([*made.values(), truth], truth, frame="world")
    out = {}
    for (row, motion), numbers in zip([*made.items(), ("truth", truth)], result.predictions, strict=True):
        sliding = numbers["foot_sliding_mm_s"]
        out[row] = numbers | {
            "world_error_mm": 1e3 * float(np.linalg.norm(motion.joints_m - truth.joints_m, axis=-1).mean()),
            "jitter_ratio": numbers["jitter_10m_s3"] / max(result.truth["jitter_10m_s3"], 1e-9),
            "foot_sliding_cm_s": None if sliding is None else sliding / 10}
    return out
