"""A known motion as a detector and a lifter would tell it: 2D keypoints and an initial motion, both with known errors.

Everything is drawn on a clock of 60 ticks a second and read off at the frames, so that 30 and 60 frames a second see the
same errors. Errors that are "half slow" have half their variance with a memory in seconds (a first-order autoregression)
and half that is new in every tick. Lost, flipped and swapped frames come in stretches of whole 1/30 s. With
`Errors.continuous` the new half is a continuous function of time as well: straight lines between values 1/30 s apart.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from benchmarks import own_motions, synthetic
from mrs import rotations
from mrs.body import load_body
from mrs.formats import bvh, bvh_import, deepmimic
from mrs.motion import Motion
from mrs.skeletons import BLAZEPOSE_33, SMPL_24
from mrs.tracks import Track
from mrs.world import level_camera
from mrs.world.ground import sole_points

TICKS_HZ = 60
SLOT_TICKS = 2
MOTIONS = {"walk": "walk", "run": "run", "jump": "jump", "kick": "soccer", "dance": "dance", "punch": "punch",
           "roll": "roll", "crawl": "crawl", "flip": "flip"}
OWN = "walker"
BACKFLIP = "backflip"
FAR_POINTS = ("wrist", "pinky", "index", "thumb", "ankle", "heel")
SEEN = 0.9


@dataclass(frozen=True)
class Errors:
    """Sizes and rates of the errors; lengths of stretches in seconds.

    keypoint is the standard deviation of each coordinate in heights of the person, far its factor at wrists, ankles and
    beyond; joint_deg the RMS angle of each joint's rotation; depth that of the root's distance, relative.
    """

    keypoint: float = 0.01
    far: float = 1.5
    keypoint_memory_s: float = 0.2
    dropout: float = 0.1
    swapped: float = 0.02
    bursts_per_s: float = 0.3
    burst_s: tuple[float, float] = (5 / 30, 15 / 30)
    joint_deg: float = 12.0
    joint_memory_s: float = 0.5
    flipped: float = 0.03
    flip_run_s: tuple[float, float] = (2 / 30, 6 / 30)
    depth: float = 0.1
    depth_memory_s: float = 0.5
    first_beta: float = 0.05
    other_betas: float = 0.2
    continuous: bool = False


@dataclass(frozen=True)
class Clip:
    """One motion as it was (with the camera that saw it), what the detector saw, and what the lifter said of it."""

    name: str
    seed: int
    truth: Motion
    track: Track
    initial: Motion


def known_motions() -> list[str]:
    """List the corpus motions that are there, and the project's own."""
    there = [name for name, action in MOTIONS.items() if (synthetic.CORPUS / synthetic.ACTIONS[action]).is_file()]
    return [*there, OWN, BACKFLIP]


def make(name: str, seed: int, fps: int = 30, longest_s: float = 5.0, errors: Errors = Errors()) -> Clip:
    """Film a motion by a random known camera at 30 or 60 frames a second; the same seed gives the same errors."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return at_rate(filmed(load(name, longest_s), name, seed, rng, errors), fps)


def at_rate(clip: Clip, fps: int) -> Clip:
    """Take every frame (60) or every second frame (30) of a clip at 60 frames a second."""
    if TICKS_HZ % fps:
        raise ValueError(f"Expected a rate that divides {TICKS_HZ}, but got {fps}.")
    rows = slice(0, None, TICKS_HZ // fps)
    track = clip.track.at(rows)
    track = replace(track, frame_ids=np.arange(len(track)))
    return replace(clip, truth=_frames(clip.truth, rows), track=track, initial=_frames(clip.initial, rows))


def _frames(motion: Motion, rows) -> Motion:
    names = ("times_s", "root_pos_m", "local_quat_wxyz", "joints_m", "contacts", "confidence")
    return replace(motion, **{name: getattr(motion, name)[rows] for name in names})


def load(name: str, longest_s: float = 5.0) -> Motion:
    """Load a motion on the embedded body at 60 frames a second, its feet on y = 0.

    Cubic splines go through the file's own frames: straight lines between them would give the truth jolts of acceleration.
    """
    if name == OWN:
        return own_motions.walk(np.arange(0, longest_s, 1 / TICKS_HZ))
    if name == BACKFLIP:
        return own_motions.backflip(np.arange(0, min(longest_s, own_motions.BACKFLIP_S), 1 / TICKS_HZ))
    return _loaded(name, longest_s)


@lru_cache(maxsize=32)
def _loaded(name: str, longest_s: float) -> Motion:
    from scipy.interpolate import CubicSpline

    path = synthetic.CORPUS / synthetic.ACTIONS[MOTIONS[name]]
    motion = bvh_import.from_bvh(bvh.read(path)) if path.suffix == ".bvh" else deepmimic.read(path)
    start, end = motion.times_s[0], motion.times_s[-1]
    at = np.arange(0, min(end - start, longest_s), 1 / TICKS_HZ)
    quats = CubicSpline(motion.times_s, rotations.align_hemispheres(motion.local_quat_wxyz))(at + start)
    quats = rotations.align_hemispheres(rotations.normalise(quats, [1, 0, 0, 0]))
    root = CubicSpline(motion.times_s, motion.root_pos_m)(at + start)
    body = load_body()
    lowest = np.percentile(sole_points(body.motion(at, root, quats, motion.betas))[..., 1].min(1), 5)
    return body.motion(at, root - [0, lowest, 0], quats, motion.betas)


def filmed(motion: Motion, name: str, seed: int, rng, errors: Errors) -> Clip:
    """Film a motion at 60 frames a second."""
    truth = replace(motion, camera=camera(motion, rng))
    clock = Clock(rng, len(motion), errors.continuous)
    lost = clock.bursts(errors.bursts_per_s, errors.burst_s)
    lost[:-1] |= lost[1:]  # so that straight lines begin and end at frames that both rates have
    track = _track(truth, clock, lost, errors)
    return Clip(name, seed, truth, track, _initial(truth, track, clock, lost, errors))


def camera(motion: Motion, rng, size_px=(1280, 720), margin_px: float = 30.0):
    """A still camera, level to tilted, that sees every joint of the motion: at least as near as it can, up to twice that."""
    tilt = rng.choice([0.0, rng.uniform(-5, 30)])
    level = level_camera(size_px, rng.uniform(35, 85), tilt)
    turn = rotations.axis_angle_to_matrix(np.array([0, rng.uniform(0, 2 * np.pi), 0]))
    R = level.R @ turn.T
    middle = (motion.joints_m.min((0, 1)) + motion.joints_m.max((0, 1))) / 2
    further = rng.uniform(1.0, 2.0)

    def standing_back(distance):
        return replace(level, R=R, t=-R @ (middle - distance * R[2]))

    for distance in np.geomspace(1.5, 60, 120):
        px = standing_back(distance).project(motion.joints_m)
        if np.isfinite(px).all() and (px > margin_px).all() and (px < np.array(size_px) - margin_px).all():
            break
    return standing_back(distance * further)


class Clock:
    """Random processes on ticks of 1/60 s."""

    def __init__(self, rng, ticks: int, continuous: bool = False):
        self.rng, self.ticks, self.continuous = rng, ticks, continuous

    def half_slow(self, shape: tuple[int, ...], memory_s: float) -> np.ndarray:
        """Noise (ticks, *shape) of variance 1 (at every second tick, where continuous): half with a memory, half new."""
        keep = np.exp(-1 / (TICKS_HZ * memory_s))
        fresh = self.rng.normal(size=(self.ticks, *shape))
        slow = np.empty_like(fresh)
        for tick in range(self.ticks):
            slow[tick] = fresh[tick] if tick == 0 else keep * slow[tick - 1] + np.sqrt(1 - keep**2) * fresh[tick]
        return np.sqrt(0.5) * (self._between_slots(slow) + self._between_slots(self.rng.normal(size=fresh.shape)))

    def _between_slots(self, values: np.ndarray) -> np.ndarray:
        """Where the clock is continuous, put straight lines between the ticks that 30 frames a second see."""
        if not self.continuous or self.ticks < 3:
            return values
        out = values.copy()
        last = (self.ticks - 1) // 2 * 2
        out[1:last:2] = (values[0:last:2] + values[2 : last + 1 : 2]) / 2
        out[last:] = values[last]
        return out

    def each(self, shape: tuple[int, ...], share: float) -> np.ndarray:
        """Bits (ticks, *shape), true with probability `share`: new in every tick, or where continuous in every slot."""
        bits = self.rng.random((self.ticks, *shape)) < share
        return bits[np.arange(self.ticks) // SLOT_TICKS * SLOT_TICKS] if self.continuous else bits

    def slots(self, share: float) -> np.ndarray:
        """Ticks (ticks,) of single stretches of 1/30 s that take up a share of the time."""
        return np.repeat(self.rng.random(-(-self.ticks // SLOT_TICKS)) < share, SLOT_TICKS)[: self.ticks]

    def bursts(self, per_s: float, long_s: tuple[float, float]) -> np.ndarray:
        """Ticks (ticks,) of longer stretches, none in the first and last 0.3 s; they begin on a whole 1/30 s."""
        out = np.zeros(self.ticks, bool)
        edge = round(0.3 * TICKS_HZ)
        for _ in range(self.rng.poisson(per_s * self.ticks / TICKS_HZ)):
            long = SLOT_TICKS * round(TICKS_HZ / SLOT_TICKS * self.rng.uniform(*long_s))
            latest = self.ticks - edge - long
            if latest <= edge:
                continue
            start = SLOT_TICKS * (self.rng.integers(edge, latest) // SLOT_TICKS)
            out[start : start + long] = True
        return out


def _track(truth: Motion, clock: Clock, lost: np.ndarray, errors: Errors) -> Track:
    true_px = truth.camera.project(load_body().keypoints(truth, BLAZEPOSE_33))
    boxes = np.concatenate([true_px.min(1), true_px.max(1)], -1)
    high = np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=1)[:, None, None]
    far = np.array([errors.far if name.endswith(FAR_POINTS) else 1.0 for name in BLAZEPOSE_33.names])[:, None]
    px = true_px + high * far * errors.keypoint * clock.half_slow(true_px.shape[1:], errors.keypoint_memory_s)
    swapped = clock.slots(errors.swapped)
    px[swapped] = px[swapped][:, BLAZEPOSE_33.flip]
    confidence = np.where(clock.each(px.shape[1:2], errors.dropout), 0.0, SEEN)
    confidence[lost] = 0
    return Track(person=1, keypoints=BLAZEPOSE_33, frame_ids=np.arange(len(truth)), times_s=truth.times_s,
                 keypoints_px=np.concatenate([_bridged(px, lost), confidence[..., None]], -1),
                 boxes_px=_bridged(boxes, lost))


def _bridged(values: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Put straight lines in lost frames (T,), as tracks do."""
    rows, kept = np.arange(len(values)), np.flatnonzero(~lost)
    flat = values.reshape(len(values), -1)
    return np.stack([np.interp(rows, kept, column[kept]) for column in flat.T], -1).reshape(values.shape)


def _initial(truth: Motion, track: Track, clock: Clock, lost: np.ndarray, errors: Errors) -> Motion:
    body, rng = load_body(), clock.rng
    turn = np.radians(errors.joint_deg / np.sqrt(3)) * clock.half_slow((24, 3), errors.joint_memory_s)
    quats = rotations.quat_multiply(truth.local_quat_wxyz, rotations.axis_angle_to_quat(turn))
    run = np.mean(errors.flip_run_s)
    flipped = clock.slots(errors.flipped / 2) | clock.bursts(errors.flipped / 2 / run, errors.flip_run_s)
    quats[flipped, 0] = rotations.quat_multiply(quats[flipped, 0], np.array([0.0, 0, 1, 0]))
    seen_from = truth.camera.to_camera(truth.root_pos_m)
    factor = np.maximum(1 + errors.depth * clock.half_slow((1,), errors.depth_memory_s), 0.3)
    root = truth.camera.to_world(seen_from * factor)
    rough = np.r_[errors.first_beta, np.full(9, errors.other_betas)]
    betas = truth.betas + rough * rng.normal(size=10)
    times, kept = truth.times_s, ~lost
    quats = rotations.align_hemispheres(rotations.resample(rotations.align_hemispheres(quats[kept]), times[kept], times))
    return body.motion(times, _bridged(root, lost), quats, betas, confidence=_confidence(track), frame="world",
                       camera=truth.camera)


def _confidence(track: Track) -> np.ndarray:
    """Confidence (T, 24) of joints from the keypoints at them, the torso's mean for the spine, as lifters give it."""
    names, seen = track.keypoints.names, track.keypoints_px[..., 2]
    torso = seen[:, track.keypoints.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip")].mean(1)
    stand_in = {"foot": "foot_index", "hand": "index", "collar": "shoulder"}
    out = np.empty((len(track), 24))
    for row, joint in enumerate(SMPL_24.names):
        side, _, part = joint.partition("_")
        name = f"{side}_{stand_in.get(part, part)}" if part else {"head": "nose"}.get(joint, "")
        out[:, row] = seen[:, names.index(name)] if name in names else torso
    return out
