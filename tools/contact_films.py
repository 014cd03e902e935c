"""Film clips, lift them and refine them without contacts: what the contact classifier sees. Cached as npz, one a film.

    python -m tools.contact_films /tmp/mrs_contacts train --films 320
    python -m tools.contact_films /tmp/mrs_contacts test
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from mrs_plugins.lifters.blazepose3d import BlazePose3D

from benchmarks import synthetic
from mrs import options, rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.refine.sfv import Plan, refine
from mrs.refine.solver import Scales
from mrs.world import contact_net, to_world
from tools import contact_clips, corpus

LONGEST_S = 4.0
KINDS = ("plain",) * 13 + ("flight",) * 3 + ("rolling",) * 2 + ("crawling",) * 2


def main() -> None:
    """Make the films of a split that are not there yet."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folder", type=Path)
    ask.add_argument("split", choices=("train", "test"))
    ask.add_argument("--films", type=int, default=320)
    args = ask.parse_args()
    folder = args.folder / args.split
    folder.mkdir(parents=True, exist_ok=True)
    paths, share = corpus.clips(args.split), None
    if args.split == "train":
        share = _shares(paths)
        plan = [(k, int(np.random.default_rng(k).choice(len(paths), p=share))) for k in range(args.films)]
    else:
        plan = [(2 * k + seed, k) for k, path in enumerate(paths) for seed in range(2)
                if "walking" not in path.name or path.stem.endswith(("10", "13", "16", "19"))]
    begin = time.monotonic()
    for done, (seed, row) in enumerate(plan):
        place = folder / f"{seed:04d}_{paths[row].stem}.npz"
        if not place.exists():
            values = film(paths[row], seed, args.split == "train")
            np.savez(place.with_suffix(".tmp.npz"), **values)
            place.with_suffix(".tmp.npz").rename(place)
        if done % 10 == 0:
            print(f"{done + 1} of {len(plan)} films, {time.monotonic() - begin:.0f} s", flush=True)


def _shares(paths: list[Path]) -> np.ndarray:
    """Chances of clips: actions by the square root of their bytes."""
    sizes, groups = np.array([path.stat().st_size for path in paths], float), [corpus.group(path) for path in paths]
    total = {g: sum(s for s, other in zip(sizes, groups, strict=True) if other == g) for g in groups}
    share = np.array([s / np.sqrt(total[g]) for s, g in zip(sizes, groups, strict=True)])
    return share / share.sum()


def film(path: Path, seed: int, training: bool) -> dict[str, np.ndarray]:
    """Features of both sides, true contacts and the rule's answer on the grid of one film."""
    rng = np.random.default_rng(1000 + seed)
    fps = rng.choice([30.0, 30.0, 30.0, 25.0, 50.0]) if training else 30.0
    clean, flat = corpus.load(path, fps), False
    if training:
        kind = rng.choice(KINDS)
        if kind != "flight" or len(clean) > 1.2 * fps:
            clean = cut(clean, rng)
            make = {"flight": contact_clips.with_flight, "rolling": contact_clips.rolling, "crawling": contact_clips.crawling}
            clean = make[kind](clean, rng) if kind in make else clean
            flat = kind in ("rolling", "crawling")
    else:
        clean = first(clean, 8.0)
    loud = rng.uniform(0.5, 1.6) if training else 1.0
    noise = synthetic.Noise(white_2d=0.006 * loud, slow_2d=0.012 * loud, white_3d_m=0.015 * loud, slow_3d_m=0.03 * loud)
    track, clean = synthetic.film(clean, seed, noise)
    lifter = BlazePose3D()
    lifter.options = options.build(BlazePose3D, {}, "lifter")
    lifted = to_world(lifter.lift(SimpleNamespace(camera=clean.camera), track))
    motion, _ = refine(track, lifted, Scales(contact_weight=0, ground_weight=0), Plan(contact_iterations=1, foot_lock="never"))
    at = contact_net.grid(motion.times_s)
    left, right = contact_net.features(motion, track, at)
    truth = contact_clips.contacts(clean, flat)
    return {"left": left.astype(np.float32), "right": right.astype(np.float32), "truth": _nearest(clean.times_s, truth, at),
            "rule": _nearest(clean.times_s, rule(motion, track), at), "aloft": _nearest(clean.times_s, (contact_clips.heights(clean, flat) > contact_clips.LIFTED_M).all(1), at)}


def rule(motion: Motion, track) -> np.ndarray:
    """The hand-made rule's probabilities (T, 4)."""
    from mrs.refine.sfv import _foot_evidence
    from mrs.world.contact import contact_probabilities
    from mrs.world.ground import sole_points

    return contact_probabilities(sole_points(motion), motion.times_s, motion.camera, _foot_evidence(track))


def cut(motion: Motion, rng) -> Motion:
    """A random stretch of at most LONGEST_S, its times from 0."""
    frames = int(LONGEST_S * motion.fps)
    start = int(rng.integers(max(len(motion) - frames, 0) + 1))
    return _rows(motion, slice(start, start + frames))


def first(motion: Motion, longest_s: float) -> Motion:
    """The first `longest_s` seconds."""
    return _rows(motion, slice(0, int(longest_s * motion.fps) + 1))


def _rows(motion: Motion, rows: slice) -> Motion:
    times = motion.times_s[rows]
    return load_body().motion(times - times[0], motion.root_pos_m[rows],
                              rotations.align_hemispheres(motion.local_quat_wxyz[rows]), motion.betas)


def _nearest(times_s: np.ndarray, values: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    rows = np.clip(np.searchsorted((times_s[1:] + times_s[:-1]) / 2, at_s), 0, len(times_s) - 1)
    return values[rows]


if __name__ == "__main__":
    main()
