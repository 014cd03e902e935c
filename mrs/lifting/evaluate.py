"""Measure lifters on held-out motions, before and after refinement: `mrs eval lifter`.

Motions are clips of a corpus that no training saw, on the embedded body. They are filmed by known cameras, either with the
errors of mrs/lifting/observed.py or rendered and seen by the real detector (mrs/lifting/rendered.py). A lifter gets the true camera
and the true height, as in benchmarks/compare_filters.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from mrs import world
from mrs.body import load_body
from mrs.errors import MrsError
from mrs.lifting import corpus, observed, rendered
from mrs.metrics import align, bone_change, derivative
from mrs.metrics.compare import compare
from mrs.motion import Motion
from mrs.skeletons import BLAZEPOSE_33
from mrs.world.ground import sole_points

FIRST_SEED = 500
LOCOMOTION = ("walking", "running", "jog", "stealthy_walk", "zombie_walk")
LIFTERS = {"blazepose3d": ("blazepose3d", {}), "smplify": ("smplify", {}), "hmr": ("hmr", {}), "hmr, 2D alone": ("hmr", {"landmarks": False})}
LIMBS = [BLAZEPOSE_33.index(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")]
PEAK = 98

# name: (title, unit, digits)
MEASURES = {
    "pa_mpjpe_mm": ("PA-MPJPE", "mm", 1), "mpjpe_mm": ("MPJPE", "mm", 1), "limbs_pa_mm": ("12 limb joints, PA", "mm", 1),
    "limbs_accel_m_s2": ("12 limb joints, acceleration error", "m/s^2", 1), "accel_error_m_s2": ("acceleration error", "m/s^2", 1),
    "bone_change_mm": ("bone-length change", "mm", 2), "limb_speed_ratio": ("peak limb speed / true", "", 3),
    "ms_per_frame": ("CPU time per frame", "ms", 2),
}


@dataclass(frozen=True)
class Clip:
    """One film: what was seen and what is true; `group` locomotion, acrobatics or other."""

    name: str
    group: str
    track: object
    truth: Motion


def group_of(label: str) -> str:
    """Say to which group an action belongs."""
    return "locomotion" if label in LOCOMOTION else "acrobatics" if label in corpus.ACROBATIC else "other"


def held_out(clips: corpus.Clips, each: int, longest_s: float) -> list[tuple[str, str, Motion]]:
    """Up to `each` held-out clips of every action: (name, label, motion on the ground)."""
    found, taken = [], {}
    kept = clips.part(True)
    for row, (name, label) in enumerate(zip(kept.names, kept.labels, strict=True)):
        if name.endswith(":b") or taken.get(label, 0) >= each:
            continue
        taken[label] = taken.get(label, 0) + 1
        frames = int(kept.frames[row])
        other = next((r for r, n in enumerate(kept.names) if name.endswith(":a") and n == name[:-2] + ":b"), None)
        frames += 0 if other is None else int(kept.frames[other])
        rows = slice(int(kept.first[row]), int(kept.first[row]) + min(frames, round(longest_s * corpus.RATE_HZ)))
        found.append((name.removesuffix(":a"), label, _grounded(kept.root_m[rows], kept.quat[rows], kept.betas[row])))
    return found


def _grounded(root_m, quat, betas) -> Motion:
    body = load_body()
    times = np.arange(len(quat)) / corpus.RATE_HZ
    motion = body.motion(times, root_m.astype(float), quat.astype(float), betas.astype(float))
    lowest = np.percentile(sole_points(motion)[..., 1].min(1), 5)
    return body.motion(times, motion.root_pos_m - [0, lowest, 0], motion.local_quat_wxyz, motion.betas)


def filmed(name: str, label: str, motion: Motion, seed: int, through_detector: bool, model: str = "full", registry=None) -> Clip | None:
    """Film a motion; None where the detector finds nobody."""
    if not through_detector:
        track, truth = observed.film(motion, seed)
        return Clip(name, group_of(label), track, truth)
    truth = replace(motion, camera=rendered.camera_about(motion, np.random.default_rng(seed)))
    track = rendered.detected(truth, seed, model, registry)
    return None if track is None else Clip(name, group_of(label), track, truth.part(int(track.frame_ids[0]), int(track.frame_ids[-1]) + 1))


def rows_of(clip: Clip, registry, lifters: dict, spaces: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Measure the detector's landmarks and every lifter on one film, as lifted and after sfv in each space."""
    out = {"landmarks": _of_landmarks(clip)}
    video = SimpleNamespace(camera=clip.truth.camera)
    height = float(load_body().stature_m(clip.truth.betas))
    for title, (name, options) in lifters.items():
        lifter = registry.make("lifter", name, {**options, "stature_m": height})
        lifter.progress = lambda done, total: None
        began = time.process_time()
        try:
            lifted = world.to_world(lifter.lift(video, clip.track))
        except MrsError:
            continue
        out[title] = _measured(lifted, clip, time.process_time() - began)
        for space in spaces:
            if space == "latent" and lifted.code is None:
                continue
            smoother = registry.make("smoother", "sfv", {"space": space})
            smoother.progress, smoother.decoder = lambda done, total: None, getattr(lifter, "decoder", None)
            began = time.process_time()
            refined = smoother.smooth(video, clip.track, lifted.with_history(stage="lifter", plugin=name))
            out[f"{title} + sfv {space}"] = _measured(refined, clip, time.process_time() - began)
    return out


def _measured(motion: Motion, clip: Clip, seconds: float) -> dict[str, float]:
    found = compare([motion], clip.truth, frame="world").predictions[0]
    marks = [load_body().keypoints(m, BLAZEPOSE_33)[:, LIMBS] for m in (motion, clip.truth)]
    return {name: found[name] for name in MEASURES if name in found} | {
        "bone_change_mm": bone_change(motion), "ms_per_frame": 1000 * seconds / len(motion), **_limbs(*marks, clip.truth.times_s)}


def _of_landmarks(clip: Clip) -> dict[str, float]:
    """Measure the detector's own 3D landmarks on the frames where it saw somebody."""
    if clip.track.keypoints3d_m is None:
        return {}
    deep, turn = clip.track.keypoints3d_m, clip.truth.camera.R
    made, times = (deep @ turn)[:, LIMBS], clip.truth.times_s
    true = load_body().keypoints(clip.truth, BLAZEPOSE_33)[:, LIMBS]
    bones = np.linalg.norm(made[:, [2, 3, 4, 5, 8, 9, 10, 11]] - made[:, [0, 1, 2, 3, 6, 7, 8, 9]], axis=-1)
    return _limbs(made, true, times) | {"limb_speed_ratio": _peak(made, times) / _peak(true, times),
                                        "bone_change_mm": 1000 * float((bones.max(0) - bones.min(0)).max())}


def _limbs(made: np.ndarray, true: np.ndarray, times_s: np.ndarray) -> dict[str, float]:
    """PA-MPJPE and error of acceleration of 12 limb joints (T, 12, 3), the latter about the mid-hip."""
    fitted = align.moved(made, align.similarity(made, true))
    middle = lambda points: points - points[:, 6:8].mean(1, keepdims=True)
    out = {"limbs_pa_mm": 1000 * float(np.linalg.norm(fitted - true, axis=-1).mean())}
    if len(times_s) > 2:
        away = derivative(middle(made) - middle(true), times_s, 2)
        out["limbs_accel_m_s2"] = float(np.linalg.norm(away, axis=-1).mean())
    return out


def _peak(points: np.ndarray, times_s: np.ndarray) -> float:
    about = points - points[:, 6:8].mean(1, keepdims=True)
    return max(float(np.percentile(np.linalg.norm(derivative(about[:, [4, 5, 10, 11]], times_s, 1), axis=-1), PEAK)), 1e-6)


def evaluate(data, *, each: int = 1, seeds: int = 2, seconds: float = 5.0, through_detector: bool = False, model: str = "full",
             lifters: dict | None = None, spaces: tuple[str, ...] = ("pose", "latent"), tell=lambda text: None) -> dict:
    """Return {"clips": [...], "rows": {row: {group: {measure: mean}}}} over held-out motions of corpora."""
    from mrs import plugins

    registry, lifters = plugins.load(), lifters or LIFTERS
    motions = held_out(corpus.load(data), each, seconds)
    found, named = [], []
    for name, label, motion in motions:
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            tell(f"{name}, seed {seed}")
            clip = filmed(name, label, motion, seed, through_detector, model, registry)
            if clip is None:
                tell(f"{name}, seed {seed}: nobody was found")
                continue
            found.append((clip.group, rows_of(clip, registry, lifters, spaces)))
            named.append({"name": name, "seed": seed, "group": clip.group, "frames": len(clip.truth), "rows": found[-1][1]})
    return {"through_detector": through_detector, "clips": named, "rows": means(found)}


def means(found: list[tuple[str, dict]]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean of every measure for each row, over all clips and over those of each group."""
    out: dict = {}
    rows = list(dict.fromkeys(row for _, table in found for row in table))
    for row in rows:
        for group in ("locomotion", "acrobatics", "all"):
            tables = [table[row] for own, table in found if row in table and group in (own, "all")]
            values = {m: [t[m] for t in tables if t.get(m) is not None] for m in MEASURES}
            if tables:
                out.setdefault(row, {})[group] = {m: float(np.mean(v)) for m, v in values.items() if v}
    return out


def text(found: dict) -> str:
    """Lay out the table: a line for each row and group."""
    lines = ["| | group | " + " | ".join(f"{title}{', ' + unit if unit else ''}" for title, unit, _ in MEASURES.values()) + " |",
             "|---|---|" + "---|" * len(MEASURES)]
    for row, groups in found["rows"].items():
        for group, numbers in groups.items():
            cells = [f"{numbers[m]:.{digits}f}" if m in numbers else "-" for m, (_, _, digits) in MEASURES.items()]
            lines.append(f"| {row} | {group} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
