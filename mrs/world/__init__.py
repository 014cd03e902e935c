"""The world that all people of a clip share: Y up, metres, ground at y = 0, first heading along +Z."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mrs import rotations
from mrs.cameras import Camera
from mrs.motion import Motion

CAMERA_TO_WORLD = np.diag([1.0, -1.0, -1.0])


def level_camera(size_px: tuple[int, int], fov_deg: float | None = None, tilt_deg: float = 0.0) -> Camera:
    """Make a camera at the world's origin that looks along -Z, tilted down by `tilt_deg` (negative: up)."""
    camera = Camera.from_fov(size_px, fov_deg)
    down = rotations.axis_angle_to_matrix(np.array([np.radians(tilt_deg), 0, 0]))
    return replace(camera, R=down @ CAMERA_TO_WORLD)


def to_world(motion: Motion) -> Motion:
    """Move a camera-frame motion into the world of its camera. Body joint rotations stay as they are.

    The world turns from the *left*: R_world = R_wc R_camera and p_world = R_wc p_camera + t_wc, with the pose that the
    camera has in each frame where it moves.
    """
    if motion.frame == "world":
        return motion
    camera = motion.camera or level_camera((1, 1))
    return _rigid(motion, np.swapaxes(camera.R, -1, -2), camera.centre_m, moved_camera=motion.camera)


def settle(motions: list[Motion]) -> list[Motion]:
    """Put several people into one world: ground at y = 0, the first person starting at x = z = 0, heading +Z."""
    from mrs.world.ground import ground_height

    if not motions:
        return []
    height = ground_height(motions)
    first = motions[0]
    turn = rotations.axis_angle_to_matrix(np.array([0, -heading_rad(first), 0]))
    origin = np.array([first.root_pos_m[0, 0], height, first.root_pos_m[0, 2]])
    return [_rigid(m, turn, -turn @ origin) for m in motions]


def turned(motion: Motion, turn: np.ndarray) -> Motion:
    """The same motion in a world turned by a matrix (3, 3), its camera along with it."""
    return _rigid(motion, turn, np.zeros(3))


def heading_rad(motion: Motion, row: int = 0) -> float:
    """Angle about Y from +Z to where the body faces: across the hips and the shoulders, so that tilt does not matter."""
    joints = motion.joints_m[row]
    left = (joints[1] - joints[2]) + (joints[16] - joints[17])
    return float(np.arctan2(-left[2], left[0]))


def _rigid(motion: Motion, turn: np.ndarray, shift: np.ndarray, moved_camera: Camera | None = None) -> Motion:
    """Apply p -> turn p + shift to a motion, turn (3, 3) and shift (3,) or one a frame (T, 3, 3) and (T, 3).

    Its camera moves along unless `moved_camera` already stands there.
    """
    quats = motion.local_quat_wxyz.copy()
    quats[:, 0] = rotations.align_hemispheres(
        rotations.matrix_to_quat(turn @ rotations.quat_to_matrix(motion.local_quat_wxyz[:, 0])))
    back = np.swapaxes(turn, -1, -2)
    camera = moved_camera
    if camera is None and motion.camera is not None:
        R = motion.camera.R @ back
        camera = replace(motion.camera, R=R, t=motion.camera.t - (R @ shift[..., None])[..., 0])
    root = (motion.root_pos_m[:, None] @ back + shift[..., None, :])[:, 0]
    joints = motion.joints_m @ back + shift[..., None, :]
    return replace(motion, root_pos_m=root, joints_m=joints, local_quat_wxyz=quats, camera=camera, frame="world")
