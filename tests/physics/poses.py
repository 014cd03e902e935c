"""Motions whose physics are known by construction."""

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.motion import Motion
from mrs.physics.segments import of_motion
from mrs.skeletons import SMPL_24

TIMES_S = np.arange(60) / 30
FLIGHT_S = np.arange(24) / 60


def standing(times_s=TIMES_S) -> Motion:
    """Stand with hanging arms on the floor, feet in contact."""
    return posed({"left_shoulder": [0, 0, -80], "right_shoulder": [0, 0, 80]}, times_s)


def posed(turns_deg: dict, times_s=TIMES_S, root_deg=(0, 0, 0)) -> Motion:
    """One posture, held: rotation vectors in degrees by joint; the lowest vertex is on the floor."""
    local = np.zeros((len(times_s), 24, 3))
    local[:, 0] = np.radians(root_deg)
    for name, turn in turns_deg.items():
        local[:, SMPL_24.index(name)] = np.radians(turn)
    contacts = np.ones((len(times_s), 4))
    return load_body().motion(times_s, np.zeros((len(times_s), 3)), rotations.axis_angle_to_quat(local), np.zeros(10), grounded=True,
                              contacts=contacts)


def moved(motion: Motion, path_m: np.ndarray, contacts=None) -> Motion:
    """Carry a motion along a path (T, 3)."""
    return load_body().motion(motion.times_s, motion.root_pos_m + path_m, motion.local_quat_wxyz, motion.betas,
                              contacts=motion.contacts if contacts is None else contacts)


def falling(share_of_gravity: float = 1.0, times_s=FLIGHT_S) -> Motion:
    """Fly up and down again, 1 m above the floor and higher, nothing touching."""
    path = np.zeros((len(times_s), 3))
    path[:, 1] = 1 + 2.0 * times_s - 0.5 * 9.81 * share_of_gravity * times_s**2
    return moved(standing(times_s), path, np.zeros((len(times_s), 4)))


def weight_n(motion: Motion) -> float:
    """The person's weight."""
    return of_motion(motion).total_kg * 9.81
