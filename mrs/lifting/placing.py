"""What lifters share: where a posed body stands in the picture, how well its joints were seen, and what lies between."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mrs import rotations
from mrs.skeletons import SMPL_24

if TYPE_CHECKING:
    from mrs.body import Body
    from mrs.tracks import Track

LIMBS = ("shoulder", "elbow", "hip", "knee", "ankle", "ear")
_STAND_IN = {"foot": ("big_toe", "foot_index", "ankle"), "hand": ("index", "wrist"), "collar": ("shoulder",)}


def resected_root(body: Body, track: Track, turned: np.ndarray, betas: np.ndarray, K: np.ndarray, *, min_confidence: float = 0.3,
                  seen: np.ndarray | None = None) -> np.ndarray:
    """Pelvis positions (T, 3) in the camera frame that put a body of global rotations (T, 24, 3, 3) onto its keypoints.

    NaN where the limbs' keypoints above `min_confidence` do not fix them, and where `seen` (T,) says that nothing is there.
    """
    from mrs.world.resection import resect

    names = track.keypoints.names
    share, moments = body.landmark_moments(names, betas)
    joints = body.place(np.zeros((len(track), 3)), turned, betas)
    marks = np.einsum("kj,tjc->tkc", share, joints) + np.einsum("tjab,kjb->tka", turned, moments)
    chosen = np.where(track.keypoints_px[..., 2] >= min_confidence, track.keypoints_px[..., 2] ** 2, 0.0)
    chosen[:, [not name.endswith(LIMBS) for name in names]] = 0
    if seen is not None:
        chosen[~seen] = 0
    root, _ = resect(marks, track.keypoints_px[..., :2], chosen, K, robust_px=0.03 * track.heights_px())
    return root


def with_numbers(track: Track) -> Track:
    """The same track with points that are no numbers left unseen."""
    known = np.isfinite(track.keypoints_px).all(-1, keepdims=True)
    return track if known.all() else replace(track, keypoints_px=np.where(known, track.keypoints_px, 0))


def from_pixels(pixel: np.ndarray, per_metre: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Points (N, 3) in the camera's frame at pixels (N, 2), where a metre across shows as so many pixels (N,)."""
    focal = K[..., [0, 1], [0, 1]]
    depth = focal[..., 0] / per_metre
    return np.concatenate([(pixel - K[..., :2, 2]) / focal, np.ones((len(pixel), 1))], 1) * depth[:, None]


def joint_confidence(track: Track, seen: np.ndarray | None = None) -> np.ndarray:
    """Confidence (T, 24): that of the keypoint at each joint, or of what stands in for it; the torso's for the spine.

    0 where nothing is `seen` (T,), which is the track's own word unless given.
    """
    names, sure = track.keypoints.names, track.keypoints_px[..., 2]
    torso = [names.index(n) for n in names if n.endswith(("_shoulder", "_hip")) and not n.startswith("mid")]
    middle = sure[:, torso].mean(1) if torso else sure.mean(1)
    out = np.empty((len(track), len(SMPL_24)))
    for column, joint in enumerate(SMPL_24.names):
        side, _, part = joint.partition("_")
        known = [f"{side}_{p}" for p in (part, *_STAND_IN.get(part, ()))] if part else {"head": ["nose"]}.get(joint, [])
        found = [n for n in known if n in names]
        out[:, column] = sure[:, names.index(found[0])] if found else middle
    return np.where((track.seen if seen is None else seen)[:, None], out, 0.0)


def filled(times_s: np.ndarray, quats: np.ndarray, root: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate frames that are not `known` (T,): slerp for rotations (T, 24, 4), straight lines for the root (T, 3)."""
    at = times_s[known]
    quats = rotations.align_hemispheres(rotations.resample(quats[known], at, times_s))
    return quats, lines(at, root[known], times_s)


def lines(at_s: np.ndarray, values: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Values (N, D) at times (N,) read off straight lines at other times (T,); the ends are held."""
    return np.stack([np.interp(times_s, at_s, column) for column in values.T], -1)


def betas_of_stature(body: Body, stature_m: float | None) -> np.ndarray:
    """Return the mean shape, or that of a stature by the first coefficient alone, as far as ten units go."""
    if stature_m is None:
        return np.zeros(10)
    from scipy.optimize import brentq

    def beyond(first: float) -> float:
        return body.stature_m(np.r_[first, np.zeros(9)]) - stature_m

    ends = (-10.0, 10.0)
    first = brentq(beyond, *ends) if beyond(ends[0]) * beyond(ends[1]) < 0 else min(ends, key=lambda e: abs(beyond(e)))
    return np.r_[first, np.zeros(9)]
