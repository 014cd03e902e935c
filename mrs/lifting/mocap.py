"""Motion capture of the performance that a video shows: the one turn and shift that put it before the camera."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.body.landmark_ik import STATURE_M
from mrs.errors import InputError, UsageError
from mrs.lifting.foreign import BRIDGED_S, UNSEEN
from mrs.lifting.placing import LIMBS, filled, joint_confidence, lines
from mrs.motion import Motion
from mrs.tracks import Track
from mrs.world.resection import resect

YAWS = 24
FRAMES = 120
POOR_HEIGHTS = 0.1


def lift(motion: Motion, video, track: Track, offset_s: float, min_confidence: float, source: str) -> tuple[Motion, list[str]]:
    """Return a world motion (Y up) before the video's camera at the track's times, and notes for the user.

    `offset_s` is when, in seconds of the video, the motion begins. The camera has to stand still.
    """
    if not video.camera.is_still:
        raise UsageError(f"Expected a camera that stands still with motion capture from {source}. Type: --camera static")
    body, times = load_body(motion.body), motion.times_s - motion.times_s[0] + offset_s
    quats = rotations.align_hemispheres(rotations.resample(motion.local_quat_wxyz, times, track.times_s))
    root = lines(times, motion.root_pos_m, track.times_s)
    known = (track.times_s >= times[0] - 1e-6) & (track.times_s <= times[-1] + 1e-6)
    after = np.searchsorted(times, track.times_s - 1e-9).clip(1, len(times) - 1) if len(times) > 1 else np.zeros(len(track), int)
    known &= (times[after] - times[np.maximum(after - 1, 0)]) <= BRIDGED_S
    if not (known & track.seen).any():
        raise InputError(f"Expected person {track.person} to be seen while {source} lasts ({times[0]:.2f} to {times[-1]:.2f} s), but it is not. "
                         "Type: --set lifter.offset_s=SECONDS")
    quats, root = filled(track.times_s, quats, root, known)
    turn, shift, error = fitted(body, track, quats, root, motion.betas, video.camera, known & track.seen, min_confidence)
    quats[:, 0] = rotations.matrix_to_quat(turn @ rotations.quat_to_matrix(quats[:, 0]))
    confidence = np.where(track.seen[:, None], joint_confidence(track), UNSEEN) * known[:, None]
    found = body.motion(track.times_s, root @ turn.T + shift, rotations.align_hemispheres(quats), motion.betas, confidence=confidence,
                        frame="camera", camera=video.camera)
    poor = [f"it meets person {track.person} only to {100 * error:.0f} % of the height; check lifter.offset_s and --person."] if (
        error > POOR_HEIGHTS) else []
    return found, poor


def stature_for(body, stature_m: float | None) -> float | None:
    """The height that is known, else an adult's; None on a body that takes the file's own shape."""
    if stature_m is None and getattr(body, "family", None) not in ("SMPL-H", "SMPL-X"):
        return STATURE_M[0]
    return stature_m


def fitted(body, track: Track, quats: np.ndarray, root: np.ndarray, betas: np.ndarray, camera, rows: np.ndarray,
           min_confidence: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the rotation (3, 3) and shift (3,) into the camera's frame that put all frames onto their keypoints, and the median error in heights.

    The camera stands about upright: YAWS headings are tried, each with its best shift, and the best is bent to the least error.
    """
    from scipy.optimize import least_squares

    rows = np.flatnonzero(rows)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), FRAMES)).round().astype(int)]
    names = track.keypoints.names
    marks = body.landmarks(body.joints(root[rows], quats[rows], betas), body.global_rotations(quats[rows]), names, betas)
    seen, heights = track.keypoints_px[rows], track.heights_px()[rows]
    weights = np.where(seen[..., 2] >= min_confidence, seen[..., 2] ** 2, 0.0)
    weights[:, [not name.endswith(LIMBS) for name in names]] = 0
    use = weights > 0
    if use.sum() < 6:
        raise InputError(f"Expected limbs of person {track.person} to be seen, but they are not. Lower --set lifter.min_confidence.")
    points, pixels, weight = marks[use], seen[..., :2][use], weights[use]
    height = np.repeat(heights[:, None], len(names), 1)[use]
    middle = points.mean(0)
    best = min((_at_yaw(points - middle, pixels, weight, camera, yaw, np.median(heights)) for yaw in 2 * np.pi * np.arange(YAWS) / YAWS),
               key=lambda entry: entry[2])

    def residual(x):
        placed = (points - middle) @ (rotations.axis_angle_to_matrix(x[:3]) @ best[0]).T + x[3:]
        shown = placed[:, :2] / np.maximum(placed[:, 2:], 0.1) * camera.K[[0, 1], [0, 1]] + camera.K[:2, 2]
        return (np.sqrt(weight)[:, None] * (shown - pixels) / height[:, None]).ravel()

    found = least_squares(residual, np.r_[np.zeros(3), best[1]], loss="soft_l1", f_scale=0.03, x_scale=np.r_[np.ones(3), 3 * np.ones(3)]).x
    turn = rotations.axis_angle_to_matrix(found[:3]) @ best[0]
    error = np.linalg.norm(residual(found).reshape(-1, 2) / np.sqrt(weight)[:, None], axis=1)
    return turn, found[3:] - turn @ middle, float(np.median(error))


def _at_yaw(points, pixels, weight, camera, yaw: float, height: float) -> tuple[np.ndarray, np.ndarray, float]:
    turn = camera.R @ rotations.axis_angle_to_matrix(np.array([0, yaw, 0]))
    shift, error = resect((points @ turn.T)[None], pixels[None], weight[None], camera.K, robust_px=0.2 * height)
    if not np.isfinite(shift).all():
        return turn, np.array([0, 0, 5.0]), np.inf
    return turn, shift[0], float(error[0])
