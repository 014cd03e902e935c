"""A pose whose numbers in every format are known by hand: T-pose, left arm raised, right knee bent by 90 degrees, yaw 40, roll 30.

Wrong quaternion order, axes, signs of hinges, pelvis offset, or a frame too few each change a number that the tests name.
"""

import numpy as np

from mrs import rotations
from mrs.body import load_body
from mrs.skeletons import SMPL_24

FPS = 30.0
FRAMES = 7
ROOT_M = np.array([0.3, 1.1, -0.2])
VELOCITY_M_S = np.array([0.3, 0.0, 1.2])
YAW_DEG, ROLL_DEG, TURN_DEG_S = 40.0, 30.0, 60.0
# Yaw 40 about up, then roll 30 about ahead, with z up and x ahead: w, x, y, z = c20 c15, c20 s15, s20 s15, s20 c15.
SIM_WXYZ = np.array([0.90767, 0.24321, 0.08852, 0.33037])


def about(axis, degrees):
    """Quaternion w x y z about an axis."""
    return rotations.axis_angle_to_quat(np.radians(degrees) * np.eye(3)["xyz".index(axis)])


def known_pose(frames=FRAMES, fps=FPS, betas=None, root=ROOT_M, moving=True):
    """The pose in our world (Y up, facing +Z before it yaws); it moves and turns steadily from frame to frame."""
    quats = np.zeros((frames, 24, 4))
    quats[..., 0] = 1
    quats[:, SMPL_24.index("left_shoulder")] = about("z", 90)
    quats[:, SMPL_24.index("right_knee")] = about("x", 90)
    seconds = np.arange(frames) / fps * (1 if moving else 0)
    yaw = rotations.axis_angle_to_quat(np.radians(YAW_DEG + TURN_DEG_S * seconds)[:, None] * [0, 1, 0])
    quats[:, 0] = rotations.quat_multiply(yaw, about("z", ROLL_DEG))
    return load_body().motion(np.arange(frames) / fps, root + seconds[:, None] * VELOCITY_M_S, quats,
                              np.zeros(10) if betas is None else betas, contacts=np.tile([1.0, 0.2, 0.1, 0.0], (frames, 1)))


def wandering(frames=40, fps=FPS, seed=0):
    """A person within a person's reach, every joint turning smoothly at random, upright and above the ground."""
    from tests.body.poses import random_quats

    knots = random_quats(max(frames // 8, 2) + 1, seed)
    knots[:, 0] = rotations.axis_angle_to_quat(np.linspace([0, 0, 0], [0.2, 1.5, 0.1], len(knots)))
    at = np.linspace(0, len(knots) - 1, frames)
    quats = rotations.align_hemispheres(rotations.resample(knots, np.arange(len(knots), dtype=float), at))
    times = np.arange(frames) / fps
    return load_body().motion(times, np.stack([0.1 * times, 1.2 + 0 * times, 0.8 * times], -1), quats, np.zeros(10))


def bone(motion, start, end, row=0):
    """Unit direction from one SMPL joint to another."""
    a, b = SMPL_24.indices(start, end)
    return rotations.normalise(motion.joints_m[row, b] - motion.joints_m[row, a])


LIMBS = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right")
         for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))]
