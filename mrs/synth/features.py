"""Motion to and from the numbers that the behaviour model sees: no heading, no place, no bone lengths.

A frame is 152 numbers at :data:`RATE_HZ`: root height (1), root tilt as 6D (6), 23 joints as 6D (138), root velocity to the
left and ahead in m/s (2), yaw rate in rad/s (1), and the contacts (4). Velocities lead *into* a frame, in the heading of the
frame before. Height and velocity are those of the mean body: they are scaled by the ratio of leg lengths.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.motion import Motion
from mrs.skeletons import SMPL_24, SMPL_PARENTS
from mrs.world.contact import contact_probabilities
from mrs.world.ground import ground_height, sole_points

RATE_HZ = 30.0
HEIGHT, TILT, JOINTS = 0, slice(1, 7), slice(7, 145)
POSE, SPEED, STATE, CONTACT = slice(0, 145), slice(145, 148), slice(0, 148), slice(148, 152)
SIZE, STATE_SIZE, POSE_SIZE = 152, 148, 145
LEGS = ((1, 4, 7), (2, 5, 8))
UPRIGHT = 0.1
SPIKE_RAD_S, BRIDGE_S = 25.0, 0.5


def leg_m(body: str, betas: np.ndarray) -> float:
    """Mean length of thigh plus shin in metres."""
    rest = load_body(body).rest_joints(betas)
    return float(np.mean([np.linalg.norm(rest[k] - rest[h]) + np.linalg.norm(rest[a] - rest[k]) for h, k, a in LEGS]))


def scale_of(motion: Motion) -> float:
    """Leg length over that of the mean body."""
    return leg_m(motion.body, motion.betas) / leg_m(motion.body, np.zeros(10))


def prepared(motion: Motion, where: str = "the motion") -> Motion:
    """Check a motion and bring it to the world, on its ground, at an even RATE_HZ, with contacts."""
    from mrs.metrics.compare import placed

    motion = placed(motion.validate(where))
    motion = resampled(motion, RATE_HZ)
    contacts = contact_probabilities(sole_points(motion), motion.times_s, None)
    motion = replace(motion, contacts=contacts)
    down = np.array([0, ground_height([motion]), 0])
    return replace(motion, root_pos_m=motion.root_pos_m - down, joints_m=motion.joints_m - down)


def resampled(motion: Motion, rate_hz: float, times_s: np.ndarray | None = None) -> Motion:
    """Resample to an even rate from the first frame on, or to given times."""
    if times_s is None:
        count = int(np.floor((motion.times_s[-1] - motion.times_s[0]) * rate_hz + 1e-6)) + 1
        times_s = motion.times_s[0] + np.arange(count) / rate_hz
    if len(times_s) == len(motion) and np.allclose(times_s, motion.times_s, atol=1e-6):
        return motion
    quats = rotations.resample(motion.local_quat_wxyz, motion.times_s, times_s)
    root, contacts, confidence = (_linear(motion.times_s, values, times_s) for values in
                                  (motion.root_pos_m, motion.contacts, motion.confidence))
    return load_body(motion.body).motion(times_s, root, quats, motion.betas, contacts=contacts, confidence=confidence,
                                         frame=motion.frame, camera=None, history=motion.history)


def _linear(times_s, values, at_s):
    return np.stack([np.interp(at_s, times_s, column) for column in values.T], -1)


def mended(motion: Motion) -> Motion:
    """Bridge frames in which a joint turns faster than SPIKE_RAD_S, as wrapped Euler angles make them in files.

    Such frames are replaced by slerp between the frames around them, up to BRIDGE_S long; nothing else is touched.
    """
    from scipy.ndimage import binary_dilation

    quats = motion.local_quat_wxyz.copy()
    if len(motion) < 4:
        return motion
    turning = rotations.geodesic_angle(quats[:-1], quats[1:]) / np.diff(motion.times_s)[:, None] > SPIKE_RAD_S
    for joint in np.flatnonzero(turning.any(0)):
        bad = np.r_[False, turning[:, joint]] | np.r_[turning[:, joint], False]
        bad = binary_dilation(bad, iterations=1)
        bad[[0, -1]] = False
        edges = np.flatnonzero(np.diff(np.r_[0, bad.astype(int), 0]))
        for first, past in zip(edges[::2], edges[1::2], strict=True):
            if motion.times_s[past] - motion.times_s[first - 1] <= BRIDGE_S:
                ends = [first - 1, past]
                quats[first:past, joint] = rotations.resample(quats[ends, joint], motion.times_s[ends], motion.times_s[first:past])
    return load_body(motion.body).motion(motion.times_s, motion.root_pos_m, quats, motion.betas, contacts=motion.contacts,
                                         confidence=motion.confidence, frame=motion.frame, history=motion.history)


def headings(root: np.ndarray) -> np.ndarray:
    """Heading (T,) in radians, unwrapped, of pelvis rotations (T, 3, 3): the angle about Y from +Z to ahead.

    Both the body's forward axis and its left axis tell it. Either fails, and then turns round, when the body rolls or
    flips; each keeps the sign that agrees with the heading of the frame before, and counts by how level it is.
    """
    ahead, left = root[:, [0, 2], 2], root[:, [0, 2], 0]
    across = np.stack([-left[:, 1], left[:, 0]], -1)
    out, facing = np.empty(len(root)), None
    for row in range(len(root)):
        a, b = ahead[row], across[row]
        if facing is None:
            b = b * (1 if root[row, 1, 1] >= 0 else -1)
        else:
            a, b = a * (1 if a @ facing >= 0 else -1), b * (1 if b @ facing >= 0 else -1)
        total = a + b
        length = np.linalg.norm(total)
        facing = total / length if length > 1e-3 else (facing if facing is not None else np.array([0.0, 1.0]))
        out[row] = np.arctan2(facing[0], facing[1])
    return np.unwrap(out)


def yaw_matrix(angle: np.ndarray) -> np.ndarray:
    """Turns about Y (..., 3, 3) by angles in radians."""
    out = np.zeros((*np.shape(angle), 3, 3))
    out[..., 0, 0] = out[..., 2, 2] = np.cos(angle)
    out[..., 0, 2] = np.sin(angle)
    out[..., 2, 0], out[..., 1, 1] = -out[..., 0, 2], 1
    return out


def to_features(motion: Motion) -> np.ndarray:
    """Turn a :func:`prepared` motion into features (T, SIZE); the first frame has the velocities of the second."""
    local = rotations.quat_to_matrix(motion.local_quat_wxyz)
    scale = scale_of(motion)
    yaw = headings(local[:, 0])
    out = np.zeros((len(motion), SIZE))
    out[:, HEIGHT] = motion.root_pos_m[:, 1] / scale
    out[:, TILT] = rotations.matrix_to_sixd(yaw_matrix(-yaw) @ local[:, 0])
    out[:, JOINTS] = rotations.matrix_to_sixd(local[:, 1:]).reshape(len(motion), -1)
    if len(motion) > 1:
        steps = np.einsum("tab,tb->ta", yaw_matrix(-yaw[:-1]), np.diff(motion.root_pos_m, axis=0)) * RATE_HZ / scale
        out[1:, SPEED] = np.concatenate([steps[:, [0, 2]], np.diff(yaw)[:, None] * RATE_HZ], 1)
        out[0, SPEED] = out[1, SPEED]
    out[:, CONTACT] = motion.contacts
    return out


def to_motion(features: np.ndarray, like: Motion, times_s: np.ndarray, start_m: np.ndarray, yaw_rad: float) -> Motion:
    """Turn features (T, SIZE) into a Motion of the body and betas of `like`.

    The first frame stands at start_m (2,), x and z in metres, facing `yaw_rad`; velocities are summed from there.
    """
    scale = scale_of(like)
    yaw = yaw_rad + np.r_[0, np.cumsum(features[1:, SPEED][:, 2]) / RATE_HZ]
    tilt = rotations.sixd_to_matrix(features[:, TILT])
    local = rotations.sixd_to_matrix(features[:, JOINTS].reshape(len(features), 23, 6))
    matrices = np.concatenate([(yaw_matrix(yaw) @ tilt)[:, None], local], 1)
    steps = np.zeros((len(features) - 1, 3))
    steps[:, [0, 2]] = features[1:, SPEED][:, :2] * scale / RATE_HZ
    way = np.cumsum(np.einsum("tab,tb->ta", yaw_matrix(yaw[:-1]), steps), 0)
    root = np.zeros((len(features), 3))
    root[:, [0, 2]] = start_m
    root[1:, [0, 2]] += way[:, [0, 2]]
    root[:, 1] = features[:, HEIGHT] * scale
    quats = rotations.align_hemispheres(rotations.matrix_to_quat(matrices))
    return load_body(like.body).motion(times_s, root, quats, like.betas, contacts=np.clip(features[:, CONTACT], 0, 1))


def mirrored(features: np.ndarray) -> np.ndarray:
    """Exchange left and right: reflect every rotation in the plane x = 0, and swap the limbs."""
    sign = np.array([1, -1, -1, -1, 1, 1.0])
    out = features.copy()
    out[..., TILT] = features[..., TILT] * sign
    joints = features[..., JOINTS].reshape(*features.shape[:-1], 23, 6) * sign
    out[..., JOINTS] = joints[..., SMPL_24.flip[1:] - 1, :].reshape(*features.shape[:-1], 138)
    out[..., SPEED] = features[..., SPEED] * [-1, 1, -1]
    out[..., CONTACT] = features[..., CONTACT][..., [2, 3, 0, 1]]
    return out


def faster(motion: Motion, factor: float) -> Motion:
    """The same motion, played `factor` times as fast and resampled to its own rate."""
    times = motion.times_s[0] + (motion.times_s - motion.times_s[0]) / factor
    return resampled(replace(motion, times_s=times), RATE_HZ)


def reaches_m() -> np.ndarray:
    """How far (24,) the farthest joint below each joint is at rest, in metres; what a wrong rotation there moves."""
    body = load_body()
    rest = body.rest_joints(np.zeros(10))
    reach = np.full(24, 0.08)
    for joint in range(23, 0, -1):
        at = joint
        while at > 0:
            at = SMPL_PARENTS[at]
            reach[at] = max(reach[at], np.linalg.norm(rest[joint] - rest[at]))
    return reach


def refuse_inverted(motion: Motion, row: int, where: str) -> None:
    """Refuse a start posture whose pelvis does not point up at all."""
    up = rotations.quat_to_matrix(motion.local_quat_wxyz[row, 0])[1, 1]
    if up < -UPRIGHT:
        raise InputError(f"Expected a start posture that is not upside down in {where}, but its pelvis points "
                         f"{np.degrees(np.arccos(np.clip(up, -1, 1))):.0f} degrees away from up. Choose another with "
                         "--at SECONDS.")
