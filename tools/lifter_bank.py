"""What BlazePose gets wrong: training clips rendered with the embedded body, detected, and compared with the truth.

    python -m tools.lifter_bank CORPUS FOLDER --films 400    # render and detect; goes on where it stopped
    python -m tools.lifter_bank CORPUS FOLDER --pack FILE    # errors of all films in FOLDER, for mrs train hmr --bank
    python -m tools.lifter_bank CORPUS FOLDER --report       # how large they are

CORPUS is a folder of `mrs data`. Held-out clips (mrs/lifting/corpus.py) are never filmed.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.lifting import points, rendered
from mrs.lifting.corpus import is_held_out

FRAMES = 64


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--films", type=int, default=0)
    parser.add_argument("--pack", type=Path)
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    if args.films:
        film(args.corpus, args.folder, args.films)
    if args.pack or args.report:
        arrays = errors(args.folder)
        if args.pack:
            np.savez_compressed(args.pack, **arrays)
        report(arrays)


def film(corpus_path: str, folder: Path, count: int) -> None:
    """Render and detect `count` stretches of training clips, every action as often as every other."""
    from mrs.synth import corpus

    found = corpus.load(corpus_path)
    by_label: dict[str, list[int]] = {}
    for number, clip in enumerate(found.clips):
        if not is_held_out(clip.name):
            by_label.setdefault(clip.label, []).append(number)
    labels = sorted(by_label)
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        path = folder / f"{seed:05d}.npz"
        if not path.exists():
            rng = np.random.default_rng(7000 + seed)
            _film(found.motion(rng.choice(by_label[labels[rng.integers(len(labels))]])), rng, seed, path)


def _film(motion, rng, seed: int, path: Path) -> None:
    length = min(len(motion), FRAMES)
    first = rng.integers(0, len(motion) - length + 1)
    betas = np.r_[rng.normal(0, 0.8), rng.normal(0, 0.4, 9)]
    quats = motion.local_quat_wxyz[first : first + length].copy()
    if rng.random() < 0.15:
        anyhow = rotations.normalise(rng.normal(size=4))
        quats[:, 0] = rotations.quat_multiply(anyhow, quats[:, 0])
    body = load_body()
    motion = body.motion(np.arange(length) / 30, motion.root_pos_m[first : first + length], quats, betas)
    motion = replace(motion, camera=rendered.camera_about(motion, rng, tilt_deg=(-20, 45), fov_deg=(30, 90)))
    track = rendered.detected(motion, seed, "heavy" if seed % 4 == 0 else "full")
    if track is None:
        return
    rows, camera = track.frame_ids, motion.camera
    temporary = path.with_suffix(".part.npz")
    np.savez(temporary, quat=quats[rows], root=motion.root_pos_m[rows], betas=betas, K=camera.K, R=camera.R, t=camera.t,
             px=track.keypoints_px, p3=track.keypoints3d_m)
    os.replace(temporary, path)


def errors(folder: Path) -> dict[str, np.ndarray]:
    """Errors of every film: flat (N, D, 2) in the person's size, deep_m (N, D, 3), sure (N, D), first and frames of each film.

    Axes are those of the upright person in the picture; the size is the diagonal of the true points' box, meaned over the film.
    """
    from mrs.skeletons import BLAZEPOSE_33

    body, out = load_body(), {"flat": [], "deep_m": [], "sure": []}
    deep_names = points.DEEP
    for path in sorted(p for p in folder.glob("*.npz") if ".part" not in p.name):
        with np.load(path) as f:
            film = {name: f[name] for name in f.files}
        if len(film["px"]) < 16:
            continue
        motion = body.motion(np.arange(len(film["quat"])) / 30, film["root"], film["quat"], film["betas"])
        turned = body.global_rotations(motion.local_quat_wxyz)
        marks = body.landmarks(motion.joints_m, turned, deep_names, motion.betas) @ film["R"].T + film["t"]
        true = marks[..., :2] / marks[..., 2:]
        rows = points.columns(BLAZEPOSE_33)[: len(deep_names)]
        px, p3 = film["px"][:, rows], film["p3"][:, rows]
        seen = (px[..., :2] - film["K"][:2, 2]) / film["K"][0, 0]
        size = np.linalg.norm(true.max(1) - true.min(1), axis=-1).mean()
        hips, shoulders = ([deep_names.index(f"{side}_{part}") for side in ("left", "right")] for part in ("hip", "shoulder"))
        down = rotations.normalise(true[:, hips].mean(1) - true[:, shoulders].mean(1))
        back = np.stack([np.stack([down[:, 1], -down[:, 0]], -1), down], -2)
        deep = p3 - (marks - marks[:, hips].mean(1, keepdims=True))
        deep[..., :2] = deep[..., :2] @ np.swapaxes(back, -1, -2)
        out["flat"].append(((seen - true) / size) @ np.swapaxes(back, -1, -2))
        out["deep_m"].append(deep)
        out["sure"].append(px[..., 2])
    frames = np.array([len(f) for f in out["flat"]])
    joined = {name: np.concatenate(values) for name, values in out.items()}
    joined["flat"], joined["deep_m"] = joined["flat"].clip(-0.5, 0.5), joined["deep_m"].clip(-1.5, 1.5)
    return {name: v.astype(np.float16) for name, v in joined.items()} | {"first": np.cumsum([0, *frames[:-1]]), "frames": frames}


def report(arrays: dict[str, np.ndarray]) -> None:
    """Print the errors of each point: median and 95th percentile in 2D, mean in 3D by axis, and how long they last."""
    seen = arrays["sure"].max(1) > 0
    flat, deep = arrays["flat"][seen].astype(float), arrays["deep_m"][seen].astype(float)
    print(f"{len(arrays['first'])} films, {len(seen)} frames, seen in {100 * seen.mean():.1f} %")
    size = np.linalg.norm(flat, axis=-1)
    for k, name in enumerate(points.DEEP):
        print(f"{name:16s} 2D {100 * np.median(size[:, k]):.2f} {100 * np.percentile(size[:, k], 95):.2f} %   3D rms mm "
              + " ".join(f"{1000 * v:.0f}" for v in np.sqrt((deep[:, k] ** 2).mean(0))))
    for lag in (1, 3, 10):
        for name, e in (("2D", flat), ("3D", deep)):
            e = np.clip(e, -0.1 if name == "2D" else -0.4, 0.1 if name == "2D" else 0.4)
            print(f"{name} correlation after {lag} frames: {(e[lag:] * e[:-lag]).mean() / (e ** 2).mean():.2f}")


if __name__ == "__main__":
    main()
