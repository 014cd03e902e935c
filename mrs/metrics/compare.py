"""A motion against the ground truth: the measures that world-space evaluations of the field print, with units.

Definitions are those of the evaluations of WHAM, SLAHMR and GVHMR where these have one, put in seconds, so that a
motion filmed at 60 frames a second gets the same numbers as at 30. Joints are the 24 of SMPL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mrs import rotations, world
from mrs.errors import InputError, UsageError
from mrs.metrics import align, bone_change, derivative
from mrs.motion import Motion
from mrs.skeletons import SMPL_24
from mrs.world.ground import ground_height, sole_points

FRAME_S = 1 / 30
CHUNK_S = 100 * FRAME_S
STILL_M_S = 0.01 / FRAME_S
PEAK_PERCENTILE = 98
SAME_TIME_S = 1e-6
HIPS = SMPL_24.indices("left_hip", "right_hip")
LIMB_ENDS = SMPL_24.indices("left_wrist", "right_wrist", "left_ankle", "right_ankle")

# name: (title, unit, what it is). Lower is better, but for the ratio, which should be 1.
MEASURES = {
    "mpjpe_mm": ("MPJPE", "mm", "mean distance of joints, mid-hips put together in every frame"),
    "pa_mpjpe_mm": ("PA-MPJPE", "mm", "the same after the best similarity of every frame"),
    "w_mpjpe_100_mm": ("W-MPJPE 100", "mm", "in the world, over 100/30 s, similarity from the first 1/30 s"),
    "wa_mpjpe_100_mm": ("WA-MPJPE 100", "mm", "in the world, over 100/30 s, similarity over all of it"),
    "rte_percent": ("RTE", "% of path", "mean distance of mid-hip paths after one rigid fit, by the length of the true path"),
    "root_angle_deg": ("root orientation", "deg", "mean angle between the pelvises"),
    "root_angle_inverted_deg": ("root orientation, upside down", "deg", "the same while the true pelvis points down"),
    "accel_error_m_s2": ("acceleration error", "m/s^2", "mean |a - a_true| of joints about the mid-hip"),
    "world_accel_error_m_s2": ("acceleration error, world", "m/s^2", "mean |a - a_true| of joints in the world"),
    "jitter_10m_s3": ("jitter", "10 m/s^3", "mean size of the third derivative of joints in the world"),
    "foot_sliding_mm": ("foot sliding", "mm per 1/30 s", "mean way of soles while the true ones move < 1 cm per 1/30 s"),
    "foot_sliding_mm_s": ("foot sliding", "mm/s", "the same in a second"),
    "penetration_mm": ("penetration", "mm", "mean depth of the lowest sole below y = 0"),
    "penetration_max_mm": ("penetration, deepest", "mm", "largest depth of a sole below y = 0"),
    "floating_mm": ("floating", "mm", "mean height of soles above where the true ones rest, each on its own ground"),
    "limb_speed_ratio": ("peak limb speed", "of true", "98th percentile of wrist and ankle speeds about the mid-hip, by the true one"),
    "bone_change_mm": ("bone-length change", "mm", "largest change of any bone's length over time"),
}
OWN = ("jitter_10m_s3", "foot_sliding_mm", "foot_sliding_mm_s", "penetration_mm", "penetration_max_mm", "bone_change_mm")
FRAMES = ("auto", "camera", "heading", "world")


@dataclass(frozen=True)
class Sampled:
    """A motion at the times of comparison: joints_m (T, 24, 3), soles_m (T, 4, 3), root (T, 3, 3) matrices.

    camera_R is its camera's, (3, 3) or (T, 3, 3), or None.
    """

    times_s: np.ndarray
    joints_m: np.ndarray
    soles_m: np.ndarray
    root: np.ndarray
    camera_R: np.ndarray | None = None

    def turned(self, turn: np.ndarray) -> Sampled:
        """The same in axes turned by (3, 3), or by (T, 3, 3) in every frame."""
        back = np.swapaxes(turn, -1, -2)
        return replace(self, joints_m=self.joints_m @ back, soles_m=self.soles_m @ back, root=turn @ self.root)

    @property
    def posed_m(self) -> np.ndarray:
        """Joints (T, 24, 3) about the mid-hip."""
        return self.joints_m - self.joints_m[:, HIPS].mean(1, keepdims=True)


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found: `frame`, times_s (T,) of comparison, measures of each prediction and of the truth.

    A measure that can't be taken (an acceleration of two frames, a path of no length) is None.
    """

    frame: str
    times_s: np.ndarray
    predictions: list[dict[str, float | None]]
    truth: dict[str, float | None]


def compare(predictions: Sequence[Motion], truth: Motion, frame: str = "auto") -> Comparison:
    """Measure predictions against the truth, all at the truth's own times within the interval that all share.

    Predictions at other times are resampled: points by cubic splines, rotations by slerp. `frame` says in which axes
    poses, root orientations and accelerations are compared: "camera", each motion's own camera (the published
    definition); "heading", worlds after one turn about the vertical; "world", as they are; "auto", camera where all
    have one that stands still, otherwise heading. The other measures do not depend on it.
    """
    motions = [placed(m.validate("a prediction")) for m in predictions]
    truth = placed(truth.validate("the ground truth"))
    times = common_times(motions, truth)
    frame = _frame(frame, motions, truth)
    true = sample(truth, times)
    found = [_measure(m, sample(m, times), truth, true, frame) for m in motions]
    own = _own(truth, true, _still(true))
    return Comparison(frame, times, found, {name: own.get(name) for name in MEASURES})


def placed(motion: Motion) -> Motion:
    """Stand a camera-frame motion on the ground of its camera's world; leave a world motion as it is."""
    return motion if motion.frame == "world" else world.settle([world.to_world(motion)])[0]


def common_times(motions: Sequence[Motion], truth: Motion) -> np.ndarray:
    """Times (T,) of the truth's frames within the interval that all motions cover."""
    start = max(m.times_s[0] for m in (*motions, truth)) - SAME_TIME_S
    end = min(m.times_s[-1] for m in (*motions, truth)) + SAME_TIME_S
    times = truth.times_s[(truth.times_s >= start) & (truth.times_s <= end)]
    if len(times) == 0:
        spans = ", ".join(f"{m.times_s[0]:.3f} to {m.times_s[-1]:.3f} s" for m in (*motions, truth))
        raise InputError(f"Expected motions with some time in common, but they cover {spans} (the last is the ground "
                         "truth). Use --from-start where each file counts from its own first frame.")
    return times


def sample(motion: Motion, times_s: np.ndarray) -> Sampled:
    """Take a motion at other times; its own frames come out exactly."""
    points = np.concatenate([motion.joints_m, sole_points(motion)], 1)
    quats = motion.local_quat_wxyz[:, 0]
    if not has_times(motion, times_s):
        at = np.clip(times_s, motion.times_s[0], motion.times_s[-1])
        quats = rotations.resample(quats, motion.times_s, at)
        points = _spline(motion.times_s, points, at)
    else:
        rows = np.searchsorted(motion.times_s, times_s - SAME_TIME_S)
        points, quats = points[rows], quats[rows]
    camera = motion.camera and motion.camera.resampled(motion.times_s, times_s)
    return Sampled(times_s, points[:, :24], points[:, 24:], rotations.quat_to_matrix(quats), camera and camera.R)


def has_times(motion: Motion, times_s: np.ndarray) -> bool:
    """Whether every one of `times_s` is a frame of the motion, so that nothing is resampled."""
    own = motion.times_s
    rows = np.minimum(np.searchsorted(own, times_s - SAME_TIME_S), len(own) - 1)
    return bool((np.abs(own[rows] - times_s) <= SAME_TIME_S).all())


def _spline(times_s, points, at_s):
    from scipy.interpolate import CubicSpline

    return CubicSpline(times_s, points)(at_s) if len(times_s) > 1 else np.repeat(points, len(at_s), 0)


def _frame(frame: str, motions: Sequence[Motion], truth: Motion) -> str:
    if frame not in FRAMES:
        raise UsageError(f"Expected a frame out of {', '.join(FRAMES)}, but got '{frame}'.")
    cameras = [m.camera for m in (*motions, truth)]
    if frame == "camera" and any(camera is None for camera in cameras):
        raise InputError("Expected every motion to hold a camera, but one has none. Use --frame heading.")
    still = all(camera is not None and camera.is_still for camera in cameras)
    return ("camera" if still else "heading") if frame == "auto" else frame


def _measure(motion: Motion, pred: Sampled, truth: Motion, true: Sampled, frame: str) -> dict[str, float | None]:
    """Every measure of one prediction."""
    still = _still(true)
    heights = true.soles_m[..., 1] - min(ground_height([truth]), 0.0)  # above y = 0 they stand on a roof, not on another floor
    inverted = true.root[:, 1, 1] < 0
    out = _own(motion, pred, still) | {"floating_mm": 1000 * _floating(pred.soles_m[..., 1], heights, still)}
    if frame == "camera":
        pred, true = pred.turned(pred.camera_R), true.turned(true.camera_R)
    elif frame == "heading":
        pred = pred.turned(align.heading(pred.posed_m, true.posed_m))
    angle = _angle_deg(pred.root, true.root)
    out |= {
        "mpjpe_mm": 1000 * _distance(pred.posed_m, true.posed_m),
        "pa_mpjpe_mm": 1000 * pa_mpjpe_m(pred.joints_m, true.joints_m),
        "w_mpjpe_100_mm": 1000 * world_mpjpe_m(pred, true, first_only=True),
        "wa_mpjpe_100_mm": 1000 * world_mpjpe_m(pred, true, first_only=False),
        "rte_percent": rte_percent(pred, true),
        "root_angle_deg": angle.mean(),
        "root_angle_inverted_deg": _mean(angle[inverted]),
        "accel_error_m_s2": acceleration_error(pred.posed_m, true.posed_m, true.times_s),
        "world_accel_error_m_s2": acceleration_error(pred.joints_m, true.joints_m, true.times_s),
        "limb_speed_ratio": _ratio(peak_limb_speed(pred), peak_limb_speed(true)),
    }
    return {name: _number(out[name]) for name in MEASURES}


def _own(motion: Motion, sampled: Sampled, still: np.ndarray) -> dict[str, float | None]:
    """The measures that need no truth but for when its feet stand still."""
    low = np.maximum(-sampled.soles_m[..., 1].min(1), 0)
    sliding = foot_sliding_m_s(sampled, still)
    own = {
        "jitter_10m_s3": _mean(np.linalg.norm(derivative(sampled.joints_m, sampled.times_s, 3), axis=-1)) / 10
        if len(sampled.times_s) > 3 else np.nan,
        "foot_sliding_mm": 1000 * sliding * FRAME_S, "foot_sliding_mm_s": 1000 * sliding,
        "penetration_mm": 1000 * low.mean(), "penetration_max_mm": 1000 * low.max(), "bone_change_mm": bone_change(motion),
    }
    return {name: _number(value) for name, value in own.items()}


def pa_mpjpe_m(pred: np.ndarray, true: np.ndarray) -> float:
    """Mean distance of joints (T, 24, 3) after the best similarity of every frame."""
    return _distance(align.moved(pred, align.similarity(pred, true)), true)


def world_mpjpe_m(pred: Sampled, true: Sampled, *, first_only: bool) -> float:
    """Mean distance of joints in chunks of 100/30 s, each aligned by one similarity.

    The fit is over the chunk (WA-MPJPE), or over its first 1/30 s (W-MPJPE), which is two frames at 30 a second.
    The last chunk takes in what is left, as in the evaluation of WHAM; a frame counts once.
    """
    total = 0.0
    for rows in chunks(true.times_s):
        a, b = pred.joints_m[rows], true.joints_m[rows]
        times = true.times_s[rows]
        fit = max(2, int((times <= times[0] + FRAME_S + SAME_TIME_S).sum())) if first_only else len(times)
        moved = align.moved(a.reshape(-1, 3), align.similarity(a[:fit].reshape(-1, 3), b[:fit].reshape(-1, 3)))
        total += _distance(moved, b.reshape(-1, 3)) * len(times)
    return total / len(true.times_s)


def chunks(times_s: np.ndarray) -> list[slice]:
    """Cut times into stretches of 100/30 s; the last is up to twice as long."""
    span = times_s[-1] - times_s[0]
    frame = span / max(len(times_s) - 1, 1)
    count = max(int((span + frame + SAME_TIME_S) / CHUNK_S), 1)
    starts = np.searchsorted(times_s, times_s[0] + CHUNK_S * np.arange(count) - SAME_TIME_S)
    ends = [*starts[1:], len(times_s)]
    return [slice(a, b) for a, b in zip(starts, ends, strict=True) if b > a]


def rte_percent(pred: Sampled, true: Sampled) -> float:
    """Mean distance of mid-hip paths after one rigid fit without scale, in percent of the true path's length."""
    a, b = pred.joints_m[:, HIPS].mean(1), true.joints_m[:, HIPS].mean(1)
    length = np.linalg.norm(np.diff(b, axis=0), axis=-1).sum()
    moved = align.moved(a, align.similarity(a, b, scaled=False))
    return 100 * _distance(moved, b) / length if length > 1e-6 else np.nan


def acceleration_error(pred: np.ndarray, true: np.ndarray, times_s: np.ndarray) -> float:
    """Mean size of the difference of accelerations of points (T, P, 3), in m/s^2."""
    return _mean(np.linalg.norm(derivative(pred - true, times_s, 2), axis=-1)) if len(times_s) > 2 else np.nan


def peak_limb_speed(sampled: Sampled) -> float:
    """98th percentile of the speeds of wrists and ankles about the mid-hip, in m/s."""
    if len(sampled.times_s) < 2:
        return np.nan
    speed = np.linalg.norm(derivative(sampled.posed_m[:, LIMB_ENDS], sampled.times_s, 1), axis=-1)
    return float(np.percentile(speed, PEAK_PERCENTILE))


def foot_sliding_m_s(sampled: Sampled, still: np.ndarray) -> float:
    """Mean speed of soles between frames where the true ones are `still` (T - 1, 4)."""
    return _mean(_speeds(sampled)[still]) if len(sampled.times_s) > 1 else np.nan


def _speeds(sampled: Sampled) -> np.ndarray:
    """Speeds of soles (T - 1, 4) in m/s."""
    return np.linalg.norm(derivative(sampled.soles_m, sampled.times_s, 1), axis=-1)


def _still(true: Sampled) -> np.ndarray:
    """Whether each sole moves less than 1 cm per 1/30 s from each frame to the next: (T - 1, 4)."""
    return _speeds(true) < STILL_M_S


def _floating(pred: np.ndarray, true: np.ndarray, still: np.ndarray) -> float:
    """Mean height of `pred` above `true` heights (T, 4), where positive, midway between frames that are `still`."""
    above = pred - np.maximum(true, 0)
    return _mean(np.maximum((above[1:] + above[:-1]) / 2, 0)[still])


def _angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(rotations.geodesic_angle(rotations.matrix_to_quat(a), rotations.matrix_to_quat(b)))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())


def _ratio(a: float, b: float) -> float:
    return a / b if b > 1e-6 else np.nan


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


def _number(value: float | None) -> float | None:
    """A plain float for JSON; None for what could not be measured."""
    return float(value) if value is not None and np.isfinite(value) else None
