"""Put what another program says of people (:class:`mrs.formats.lifts.Lift`) at the frames of a track, before the video's own camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrs import rotations
from mrs.body import Body
from mrs.body.landmark_ik import STATURE_M
from mrs.errors import InputError, UsageError
from mrs.formats.lifts import REST_PELVIS_M, Lift
from mrs.lifting.placing import betas_of_stature, filled, from_pixels, joint_confidence, lines, resected_root
from mrs.motion import Motion
from mrs.tracks import Track

FAR_HEIGHTS = 1.0
"""A person whose pelvis shows further than this from the track's hips, in the median, is somebody else."""
BRIDGED_S = 0.25
UNSEEN = 0.3
"""Confidence of joints that the file tells of in frames in which nobody was detected."""
TILTED_DEG = 2.0


@dataclass(frozen=True)
class Options:
    """How to read a file: see the lifters' own options."""

    person: str | None = None
    first_frame: int | None = None
    fps: float | None = None
    root: str = "auto"
    stature_m: float | None = None
    min_confidence: float = 0.3


@dataclass(frozen=True)
class Placed:
    """One Lift at the T times of a track: local rotations (T, 24, 4), pelvis (T, 2) in pixels and pixels a metre (T,), or None; known (T,)."""

    lift: Lift
    quats: np.ndarray
    pixel: np.ndarray | None
    per_metre: np.ndarray | None
    known: np.ndarray


def lift(lifts: list[Lift], video, track: Track, body: Body, options: Options, source: str) -> tuple[Motion, list[str]]:
    """Return the track's Motion in the camera frame as a file has it, and notes for the user."""
    placed = [resampled(one, video, track, body, options) for one in lifts]
    chosen = choose(placed, track, options, source)
    notes = [*_about_frames(chosen, video, track, options), *_about_tilt(chosen.lift, video)]
    betas = betas_for(body, chosen.lift, options.stature_m)
    quats, known = chosen.quats, chosen.known
    seen = known & track.seen
    exact = resected_root(body, track, body.global_rotations(quats), betas, video.camera.K, seen=seen, min_confidence=options.min_confidence)
    root, sure = _root(chosen, exact, known, video.camera.K, options.root)
    if not sure.any():
        raise InputError(f"Expected person {track.person} to be seen well enough to be placed in at least one frame that {source} tells of, but "
                         "it is not. Try another --person, or lower --set lifter.min_confidence.")
    quats, root = filled(track.times_s, quats, root, sure)
    confidence = np.where(track.seen[:, None], joint_confidence(track), UNSEEN) * known[:, None]
    motion = body.motion(track.times_s, root, quats, betas, confidence=confidence, frame="camera", camera=video.camera)
    return motion, notes


def resampled(one: Lift, video, track: Track, body: Body, options: Options) -> Placed:
    """Bring a Lift to the track's frames: by their numbers, or by time where it has a frame rate of its own."""
    at_s, wanted_s = _clock(one, video, track, options)
    quats = rotations.align_hemispheres(rotations.matrix_to_quat(one.turned))
    after = np.searchsorted(at_s, wanted_s - 1e-9).clip(0, len(at_s) - 1)
    before = np.where(np.abs(at_s[after] - wanted_s) < 1e-9, after, np.maximum(after - 1, 0))
    inside = (wanted_s >= at_s[0] - 1e-9) & (wanted_s <= at_s[-1] + 1e-9)
    known = inside & (at_s[after] - at_s[before] <= BRIDGED_S)
    quats = rotations.align_hemispheres(rotations.resample(quats, at_s, wanted_s))
    if not one.is_placed:
        return Placed(one, quats, None, None, known)
    pixel, per_metre = one.pelvis_px(rest_pelvis(body, one))
    return Placed(one, quats, lines(at_s, pixel, wanted_s), np.exp(lines(at_s, np.log(per_metre)[:, None], wanted_s))[:, 0], known)


def _clock(one: Lift, video, track: Track, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of the file's frames (N,), and of the track's (T,), on one clock."""
    first = options.first_frame
    if first is None:
        total = getattr(video, "frames_in_file", None)
        first = int(track.frame_ids[0]) if one.floating and (total is None or len(one) < total) else 0
    frames = one.frames + first
    if options.fps is not None:
        start = float(video.times_s[0] - video.frame_ids[0] * _step(video))
        return start + frames / options.fps, track.times_s
    return np.interp(frames, video.frame_ids, video.times_s) + _step(video) * (
        np.minimum(frames - video.frame_ids[0], 0) + np.maximum(frames - video.frame_ids[-1], 0)), track.times_s


def _step(video) -> float:
    """Mean seconds between frames."""
    return float(video.times_s[-1] - video.times_s[0]) / max(len(video.times_s) - 1, 1) or 1 / 30


def choose(placed: list[Placed], track: Track, options: Options, source: str) -> Placed:
    """Return whom the track shows: who is named, else whose pelvis is nearest to its hips. Raises UsageError."""
    labels = [one.lift.label for one in placed]
    if options.person is not None:
        if options.person not in labels:
            raise UsageError(f"Expected lifter.person to be one of {', '.join(labels[:20])} in {source}, but got '{options.person}'.")
        return placed[labels.index(options.person)]
    away = [_away(one, track) for one in placed]
    best = int(np.argmin([np.inf if a is None else a for a in away])) if any(a is not None for a in away) else 0
    told = away[best]
    if told is None and not any(one.known.any() for one in placed):
        raise UsageError(f"Expected person {track.person} in {source}, but the file's frames and those of the track do not meet. "
                         "Type: --set lifter.first_frame=N, or --set lifter.fps=RATE where it was made of another rate.")
    if told is not None and told > FAR_HEIGHTS:
        raise UsageError(f"Expected person {track.person} in {source}, but whoever is nearest there ('{labels[best]}') is {told:.1f} heights "
                         "away. Type: --person largest, or the ids of those the file tells of; --set lifter.person=LABEL takes somebody all the same.")
    return placed[best]


def _away(one: Placed, track: Track) -> float | None:
    """Median distance of the pelvis from the track's hips in heights; None where they do not meet or nothing is known."""
    names = track.keypoints.names
    hips = [names.index(n) for n in ("left_hip", "right_hip") if n in names]
    rows = one.known & track.seen
    if one.pixel is None or not rows.any():
        return None
    centre = (track.boxes_px[:, :2] + track.boxes_px[:, 2:]) / 2
    if len(hips) == 2:
        both = (track.keypoints_px[:, hips, 2] > 0.2).all(1)
        centre = np.where(both[:, None], track.keypoints_px[:, hips, :2].mean(1), centre)
    return float(np.median(np.linalg.norm(one.pixel - centre, axis=1)[rows] / track.heights_px()[rows]))


def _root(chosen: Placed, exact: np.ndarray, known: np.ndarray, K: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """Pelvis (T, 3) before our camera and where it is sure (T,).

    `evidence` takes what the keypoints say frame by frame; `file` what the file says; `auto` the file's path, steadier in its depth, all of
    it as much nearer or further as makes both meet in the median, since our body need not be the file's.
    """
    good = known & np.isfinite(exact).all(1)
    if chosen.pixel is None or how == "evidence":
        if how == "file":
            raise UsageError("Expected a file that says where people are with lifter.root=file, but this one does not. Type: --set lifter.root=auto")
        return np.where(good[:, None], exact, 0.0), good
    own = from_pixels(chosen.pixel, chosen.per_metre, K)
    if how == "file":
        return own, known
    factor = np.median(exact[good, 2] / own[good, 2]) if good.any() else 1.0
    return own * factor, known


def betas_for(body: Body, one: Lift, stature_m: float | None) -> np.ndarray:
    """The file's own shape on a body of its family, else that of a stature: the one given, or an adult's."""
    if stature_m is None and getattr(body, "family", None) == one.family:
        return np.median(one.betas, 0)
    return betas_of_stature(body, stature_m or STATURE_M[0])


def rest_pelvis(body: Body, one: Lift) -> np.ndarray:
    """Where the pelvis rests in the file's own model (3,): exactly on a body of its family, else the mean body's."""
    if getattr(body, "family", None) == one.family:
        return body.rest_m[0] + body.rest_shape_m[0] @ np.median(one.betas, 0)
    return REST_PELVIS_M[one.family]


def _about_frames(chosen: Placed, video, track: Track, options: Options) -> list[str]:
    """Say where the file and the video do not cover the same frames."""
    total, one = getattr(video, "frames_in_file", None), chosen.lift
    notes = []
    if one.floating and options.first_frame is None:
        notes.append(f"the file does not say which frame is its first; frame {0 if total == len(one) else int(track.frame_ids[0])} is taken "
                     "(--set lifter.first_frame=N).")
    if options.fps is None and total and one.frames[-1] >= total:
        notes.append(f"it tells of frame {one.frames[-1]}, but the video has {total}; where it was made of another frame rate, "
                     "type --set lifter.fps=RATE.")
    if options.fps is None and total and one.every and len(one) < 0.9 * total:
        notes.append(f"it has {len(one)} frames and the video {total}; where it was made of another frame rate, type --set lifter.fps=RATE.")
    if unknown := int((track.seen & ~chosen.known).sum()):
        notes.append(f"{unknown} of the {int(track.seen.sum())} frames in which person {track.person} is seen are not in it.")
    return notes


def _about_tilt(one: Lift, video) -> list[str]:
    """Say how the program sees the camera tilted, where that is not how the video's is."""
    told = one.tilt_deg()
    if told is None:
        return []
    ours = video.camera.at(0).R if not video.camera.is_still else video.camera.R
    own = round(float(np.degrees(np.arcsin(np.clip(-ours[2, 1], -1, 1)))), 1) + 0.0
    down, lean = told
    if abs(down - own) <= TILTED_DEG and abs(lean) <= TILTED_DEG:
        return []
    leaning = f", and leans by {abs(lean):.1f}" if abs(lean) > TILTED_DEG else ""
    looking = f"look {'down' if down > 0 else 'up'} by {abs(down):.1f} degrees{leaning}"
    return [f"it sees the camera {looking} (--camera-tilt {down:.1f} takes that over)."]
