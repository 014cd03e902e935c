"""What the terms buy that act only where the refiner is asked for more, or knows less, than by default.

    python -m benchmarks.refinement_modes [--seeds N] [--motions NAME ...] [--jobs 2]

Clips and measures are those of benchmarks/refinement (30 frames a second). Each mode is refined with and without its term on the same
clips; the difference is paired, with its 95 % interval (Student's t over clips): negative is what the term takes off the error.

    limits   without the pose prior, which knows the joints' limits otherwise, from starts off by 25 degrees at each joint
    shape    with free_betas, from betas that are wrong by about a unit
    hands, penetration, ballistic   by default, on the motions alone in which hands touch the ground, bodies lie on it, or fly
    root     without a picture (`mrs smooth FILE`): the path is off by 5 cm in every frame, and nothing else is known of it

Beside `shape` stands what leaving the start alone does, which is the default. Bent backwards: how many knees and elbows are by more than
10 degrees. Sunk: how far trunk, knees, elbows and head (with the flesh around them) are below the ground, beyond what the truth's are.
Hands: how fast hands seem to move that truly are slow and low. In flight: error of the acceleration of the centre of mass while all of the
true body is in the air.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from benchmarks import _common, corrupted, rows
from benchmarks.refinement import mean_text

FIRST_SEED = 600
WRONG_BETAS, ROOT_M = 1.0, 0.05
ROUGH = corrupted.Errors(joint_deg=25.0)
BACKWARDS_DEG = 10.0
MEASURES = {"mpjpe_mm": "MPJPE mm", "pa_mpjpe_mm": "PA-MPJPE mm", "w_mpjpe_100_mm": "W-MPJPE mm", "world_error_mm": "world error mm",
            "root_angle_deg": "root deg", "accel_error_m_s2": "accel. error m/s²",
            "backwards_percent": "bent backwards %", "sunk_mm": "sunk mm",
            "hands_cm_s": "hands cm/s", "flight_m_s2": "in flight m/s²"}
MODES = {"limits": ("sfv:off=prior", "sfv:off=prior,limits"), "shape": ("sfv:free_betas=true", "sfv:free_betas=true;off=shape", "sfv"),
         "root": ("sfv", "sfv:off=root"),
         **{name: ("sfv", f"sfv:off={name}") for name in ("hands", "penetration", "ballistic")}}
ONLY = {"hands": ("crawl", "roll", "flip"), "penetration": ("roll", "crawl", "flip", "dance"), "ballistic": ("run", "jump", "flip", "backflip")}
BOUNDED = {"limits": "backwards_percent", "hands": "hands_cm_s", "penetration": "sunk_mm", "ballistic": "flight_m_s2"}
IN_THE_AIR_M, ON_THE_GROUND_M, STANDS_M_S = 0.1, 0.2, 0.3


def main() -> None:
    """Print each mode with its term, without it, and the paired difference."""
    parser = _common.parser(__doc__)
    known = corrupted.known_motions()
    parser.add_argument("--motions", nargs="+", choices=known, default=known, help="which (default: all there are)")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES), help="which (default: all)")
    parser.add_argument("--seeds", type=int, default=2, help="cameras and errors for each motion (default: 2)")
    parser.add_argument("--seconds", type=float, default=3.0, help="use at most this much of each motion (default: 3)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1); the numbers do not depend on it")
    args = parser.parse_args()
    report = _common.begin("Terms that act in modes of their own", args, ("numpy", "scipy", "torch"))
    jobs = [(mode, name, seed, args.seconds) for mode in args.modes for seed in range(FIRST_SEED, FIRST_SEED + args.seeds)
            for name in args.motions if name in ONLY.get(mode, args.motions)]
    found = _common.each(run_clip, jobs, args.jobs)
    for mode in args.modes:
        clips = [numbers for job, numbers in zip(jobs, found, strict=True) if job[0] == mode]
        report.table((mode, *MEASURES.values()), table_rows(mode, clips))
        both = MODES[mode][:2]
        key = BOUNDED.get(mode, "w_mpjpe_100_mm")
        report.at_most(f"{mode}: {MEASURES[key]} with the term over without", _mean(clips, both[0], key) / _mean(clips, both[1], key), 1.0, "x")
        report.notes.append(f"{mode}: {len(clips)} clips.")
    report.finish(args)


def run_clip(job: tuple) -> dict[str, dict]:
    """Measure the rows of one mode on one clip."""
    mode, name, seed, seconds = job
    rows.one_thread()
    clip = changed(mode, corrupted.make(name, seed, 30, seconds, ROUGH if mode == "limits" else corrupted.Errors()))
    made, _, refused = rows.smoothed(clip, MODES[mode])
    if refused:
        raise SystemExit(str(refused))
    return {row: numbers | {"backwards_percent": backwards_percent(made[row])} | about_ground(made[row], clip.truth)
            for row, numbers in rows.compared(made, clip.truth).items() if row in made}


def about_ground(motion, truth) -> dict[str, float | None]:
    """How far the body sinks into the ground, how fast hands move that truly are slow and low, and the error of the centre of mass's
    acceleration in true flight.
    """
    from mrs.metrics import derivative
    from mrs.refine.flight import MASS_SHARES
    from mrs.refine.terms import FLESH_M, FLESHY

    times, hands, true = truth.times_s, motion.joints_m[:, 22:], truth.joints_m[:, 22:]
    speed, true_speed = (np.linalg.norm(derivative(points, times, 1), axis=-1) for points in (hands, true))
    stand = (true_speed < STANDS_M_S) & (true[:-1, :, 1] < ON_THE_GROUND_M)
    mass = np.asarray(MASS_SHARES)
    off = np.linalg.norm(derivative(np.einsum("j,tjc->tc", mass, motion.joints_m - truth.joints_m), times, 2), axis=-1)
    flies = truth.joints_m[1:-1, :, 1].min(1) > IN_THE_AIR_M
    low = np.array(list(FLESH_M.values()))
    depth, true_depth = (np.maximum(low - m.joints_m[:, FLESHY, 1], 0) for m in (motion, truth))
    return {"sunk_mm": 1000 * float(np.maximum(depth - true_depth, 0).sum(1).mean()),
            "hands_cm_s": 100 * float(speed[stand].mean()) if stand.any() else None,
            "flight_m_s2": float(off[flies].mean()) if flies.any() else None}


def backwards_percent(motion) -> float:
    """Share of knees and elbows, over all frames, that are bent to their wrong side by more than BACKWARDS_DEG."""
    from mrs.body import load_body

    turned = load_body().global_rotations(motion.local_quat_wxyz)
    shins = [-np.einsum("ta,ta->t", turned[:, knee - 3, :, 2], turned[:, knee, :, 1]) for knee in (4, 5)]
    arms = [-sign * np.einsum("ta,ta->t", turned[:, elbow - 2, :, 2], turned[:, elbow, :, 0]) for elbow, sign in ((18, 1), (19, -1))]
    return 100 * float((np.degrees(np.arcsin(np.clip(shins + arms, -1, 1))) > BACKWARDS_DEG).mean())


def changed(mode: str, clip: corrupted.Clip) -> corrupted.Clip:
    """The clip as the mode meets it."""
    rng = np.random.default_rng([clip.seed, zlib.crc32(mode.encode())])
    start = clip.initial
    if mode == "shape":
        return replace(clip, initial=_moved(start, start.root_pos_m, start.betas + WRONG_BETAS * rng.normal(size=10) * np.r_[0.3, np.ones(9)]))
    if mode == "root":
        truth = clip.truth
        path = truth.root_pos_m + ROOT_M * rng.normal(size=truth.root_pos_m.shape)
        return replace(clip, track=None, initial=replace(_moved(start, path, start.betas), camera=None))
    return clip


def _moved(motion, root_pos_m: np.ndarray, betas: np.ndarray):
    from mrs.body import load_body

    return load_body().motion(motion.times_s, root_pos_m, motion.local_quat_wxyz, betas, confidence=motion.confidence, frame="world",
                              camera=motion.camera)


def table_rows(mode: str, clips: list[dict]) -> list[tuple]:
    """A line a row of the mode, and the paired difference that its term makes."""
    names = MODES[mode]
    titles = {names[0]: f"with {mode}", names[1]: "without", "sfv": f"with {mode}" if names[0] == "sfv" else "the start left alone"}
    out = [(titles[name], *(mean_text(_values(clips, name, key)) for key in MEASURES)) for name in names]
    return [*out, ("difference", *(mean_text(_values(clips, names[0], key) - _values(clips, names[1], key)) for key in MEASURES))]


def _values(clips: list[dict], name: str, key: str) -> np.ndarray:
    return np.array([np.nan if numbers[name][key] is None else numbers[name][key] for numbers in clips], float)


def _mean(clips: list[dict], name: str, key: str) -> float:
    return float(np.nanmean(_values(clips, name, key)))


if __name__ == "__main__":
    main()
