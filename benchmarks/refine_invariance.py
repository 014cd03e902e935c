"""Check what must not change a refinement: the frame rate, a mirror, the direction of time, where windows meet.

    python -m benchmarks.refine_invariance [--motions NAME ...] [--seeds N] [--set OPTION=VALUE ...] [--check]

Each motion is filmed with the errors of benchmarks/corrupted.py. Rate: a clip at 60 frames a second, and every second
frame of it; results are compared at the frames that both have. With errors that are continuous in time both rates see the
same curves, and the results must agree (also with exact 2D evidence). With errors as they are drawn, half of them new in
every frame, 60 frames a second hold other evidence than 30; that column says how much it matters. Mirror: world, picture and
sides exchanged. Time: frames in reverse. Seams: a long clip refined in windows against the same clip in one window.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks import _common, corrupted, rows
from mrs.skeletons import SMPL_24

FIRST_SEED = 400
RATE_MM = 10.0
SAME_MM = 1.0
SEAM = 1.05
SEAM_WINDOW = 100
LONG_S = 17.0
CURVES = corrupted.Errors(continuous=True)
EXACT = replace(CURVES, keypoint=0, dropout=0, swapped=0, bursts_per_s=0)


def main() -> None:
    """Print how far results differ in each case."""
    parser = _common.parser(__doc__)
    known = corrupted.known_motions()
    default = [name for name in ("walk", "kick", "dance", "flip", corrupted.OWN) if name in known]
    parser.add_argument("--motions", nargs="+", choices=known, default=default, help=f"which (default: {' '.join(default)})")
    parser.add_argument("--seeds", type=int, default=2, help="cameras and errors for each motion (default: 2)")
    parser.add_argument("--seconds", type=float, default=4.0, help="use at most this much of each motion (default: 4)")
    parser.add_argument("--smoother", default="sfv", help="which smoother, with options as in benchmarks/refinement (default: sfv)")
    parser.add_argument("--set", nargs="+", default=[], metavar="OPTION=VALUE", help="options of sfv")
    parser.add_argument("--no-seams", action="store_true", help="leave out the long clip")
    args = parser.parse_args()
    report = _common.begin("What must not change a refinement", args, ("numpy", "scipy", "torch"))
    measured, seams = _common.in_fresh_process(measure, args)
    report.table(("mean distance of joints, mm (98th percentile)", "30 / 60 fps", "30 / 60 fps, exact 2D", "30 / 60 fps, new errors", "mirrored", "reversed"), [
        (name, *(f"{mean:.2f} ({most:.2f})" for mean, most in found)) for name, found in measured])
    means = np.array([[mean for mean, _ in found] for _, found in measured])
    for column, name, bound in ((0, "30 against 60 frames a second", RATE_MM), (1, "the same with exact 2D", RATE_MM),
                                (3, "mirrored", SAME_MM), (4, "reversed in time", SAME_MM)):
        report.at_most(f"{name}, worst clip's mean", means[:, column].max(), bound, "mm")
    if seams:
        report.notes.append(f"Seams: {seams['motion']}, {seams['frames']} frames in {seams['windows']} windows; "
                            f"windows against one: {seams['apart_mm']:.1f} mm.")
        report.at_most("mean jerk of overlaps, against one window at the same frames", seams["mean"], SEAM, "x")
        report.at_most("largest jerk of overlaps, against one window at the same frames", seams["largest"], SEAM, "x")
    report.finish(args)


def measure(args):
    """Return [(clip, [(mean, 98th percentile) in mm for each case])] and what was found of seams."""
    rows.one_thread()
    registry = _registry()

    def refine(track, motion, **more):
        row = ";".join([args.smoother if ":" in args.smoother else f"{args.smoother}:", *(f"{k}={v}" for k, v in more.items())])
        return rows.smoother_of(registry, row, args.set).smooth(None, track, motion)

    found = []
    for name in args.motions:
        for seed in range(FIRST_SEED, FIRST_SEED + args.seeds):
            _common.say(f"{name}, seed {seed}")
            found.append((f"{name}, seed {seed}", _cases(refine, name, seed, args.seconds)))
    return found, None if args.no_seams else seams(refine)


def _registry():
    from mrs import plugins

    return plugins.load()


def _cases(refine, name: str, seed: int, seconds: float) -> list[tuple[float, float]]:
    out = [_rates_apart(refine, corrupted.make(name, seed, 60, seconds, errors))
           for errors in (CURVES, EXACT, corrupted.Errors())]
    slow = corrupted.make(name, seed, 30, seconds)
    normal = refine(slow.track, slow.initial)
    for change in (mirrored, reversed_in_time):
        track, motion = change(slow.track, slow.initial)
        out.append(_apart(change(slow.track, refine(track, motion))[1].joints_m, normal.joints_m))
    return out


def _rates_apart(refine, clip) -> tuple[float, float]:
    slow = corrupted.at_rate(clip, 30)
    return _apart(refine(clip.track, clip.initial).joints_m[::2], refine(slow.track, slow.initial).joints_m)


def _apart(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    distance = 1000 * np.linalg.norm(a - b, axis=-1)
    return float(distance.mean()), float(np.percentile(distance, 98))


def mirrored(track, motion):
    """Exchange left and right: of the world (x to -x), the picture, the keypoints and the body's joints."""
    from mrs.body import load_body

    width = motion.camera.size_px[0]
    side = np.diag([-1.0, 1, 1])
    K = motion.camera.K.copy()
    K[0, 2] = width - K[0, 2]
    R = side @ motion.camera.R @ side
    camera = replace(motion.camera, K=K, R=R, t=motion.camera.t @ side)
    px = track.keypoints_px[:, track.keypoints.flip].copy()
    px[..., 0] = width - px[..., 0]
    boxes = track.boxes_px.copy()
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    quats = motion.local_quat_wxyz[:, SMPL_24.flip] * [1, 1, -1, -1]
    moved = load_body().motion(motion.times_s, motion.root_pos_m @ side, quats, motion.betas, contacts=motion.contacts[:, [2, 3, 0, 1]],
                               confidence=motion.confidence[:, SMPL_24.flip], camera=camera)
    return replace(track, keypoints_px=px, boxes_px=boxes), moved


def reversed_in_time(track, motion):
    """Put the last frame first."""
    names = ("root_pos_m", "local_quat_wxyz", "joints_m", "contacts", "confidence")
    times = motion.times_s[-1] - motion.times_s[::-1] + motion.times_s[0]
    back = track.at(np.arange(len(track))[::-1])
    return (replace(back, times_s=times, frame_ids=track.frame_ids),
            replace(motion, times_s=times, **{name: getattr(motion, name)[::-1].copy() for name in names}))


def seams(refine) -> dict:
    """Refine a long clip in short windows and in one; compare the jerk in overlaps."""
    from mrs import metrics

    name = "jump" if "jump" in corrupted.known_motions() else corrupted.OWN
    _common.say(f"seams: {name}, {LONG_S:g} s")
    clip = corrupted.make(name, FIRST_SEED, 30, LONG_S, replace(corrupted.Errors(), bursts_per_s=0))
    frames = len(clip.truth)
    windows = refine(clip.track, clip.initial, window_frames=SEAM_WINDOW)
    one = refine(clip.track, clip.initial, window_frames=frames)
    jerk, jerk_one = (np.linalg.norm(metrics.derivative(m.joints_m, m.times_s, 3), axis=-1).mean(1) for m in (windows, one))
    shared = overlaps(frames, SEAM_WINDOW)
    inside = shared.any(0)[1:-2]
    return {"motion": name, "frames": frames, "windows": len(shared) + 1, "mean": jerk[inside].mean() / jerk_one[inside].mean(),
            "largest": jerk[inside].max() / jerk_one[inside].max(), "apart_mm": _apart(windows.joints_m, one.joints_m)[0]}


def overlaps(frames: int, window: int) -> np.ndarray:
    """Frames (seams, frames), true where a clip at 30 frames a second is in two windows of the refiner."""
    from mrs.refine.sfv import HELD, OVERLAP_S, Plan

    overlap = min(max(Plan.overlap_frames, round(OVERLAP_S * 30)), window // 2)
    out, start = [], 0
    while frames - (end := start + window) >= overlap:
        start = end - overlap - HELD
        out.append((np.arange(frames) >= start) & (np.arange(frames) < end))
    return np.array(out, bool).reshape(len(out), frames)


if __name__ == "__main__":
    main()
