"""What BlazePose gets wrong: training clips rendered with the embedded body, detected, and compared with the truth.

    python -m tools.lifter_bank CORPUS FOLDER --films 400    # render and detect; goes on where it stopped
    python -m tools.lifter_bank CORPUS FOLDER --pack FILE    # all films in FOLDER as one file, for mrs train hmr --bank;
                                                             # says how large the errors are

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
    parser.add_argument("--most", type=int, default=10**6, help="pack so many films at most")
    args = parser.parse_args()
    if args.films:
        film(args.corpus, args.folder, args.films)
    if args.pack:
        np.savez_compressed(args.pack, **packed(args.folder, args.most))
        report(bank_of(args.pack, args.corpus))


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


def packed(folder: Path, longest: int) -> dict[str, np.ndarray]:
    """What was seen and what was true of films in FOLDER, as :class:`mrs.lifting.detections.Detected` reads it."""
    from mrs.skeletons import BLAZEPOSE_33

    body, rows = load_body(), points.columns(BLAZEPOSE_33)[: len(points.DEEP)]
    out: dict[str, list] = {name: [] for name in ("quat", "pelvis_m", "rays", "deep_m", "R", "betas")}
    for path in sorted(p for p in folder.glob("*.npz") if len(p.suffixes) == 1)[:longest]:
        with np.load(path, allow_pickle=False) as f:
            film = {name: f[name] for name in f.files}
        if len(film["px"]) < 16:
            continue
        pelvis = body.joints(film["root"].astype(float), film["quat"].astype(float), film["betas"])[:, 0] @ film["R"].T + film["t"]
        rays = film["px"][:, rows].copy()
        rays[..., :2] = (rays[..., :2] - film["K"][:2, 2]) / film["K"][0, 0]
        for name, value in (("quat", np.round(film["quat"] * 32767).astype(np.int16)), ("pelvis_m", pelvis.astype(np.float32)),
                            ("rays", rays.astype(np.float16)), ("deep_m", film["p3"][:, rows].astype(np.float16)),
                            ("R", film["R"].astype(np.float32)), ("betas", film["betas"].astype(np.float32))):
            out[name].append(value)
    frames = np.array([len(f) for f in out["quat"]])
    whole = {name: np.stack(out[name]) if name in ("R", "betas") else np.concatenate(out[name]) for name in out}
    return whole | {"first": np.cumsum([0, *frames[:-1]]), "frames": frames}


def bank_of(path: Path, corpus_path: str) -> dict[str, np.ndarray]:
    """The errors in a packed file."""
    from mrs.lifting import corpus
    from mrs.lifting.detections import Detected
    from mrs.lifting.films import Studio

    bank = Detected(path, Studio(corpus.load([corpus_path]).part(False))).bank()
    return {"flat": bank.flat.numpy(), "deep_m": bank.deep.numpy(), "sure": bank.sure.numpy(), "first": bank.first.numpy()}


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
