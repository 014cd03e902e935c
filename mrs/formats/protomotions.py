"""ProtoMotions v3's `.motion`: a torch file of a dict of tensors, Z up, quaternions x y z w, the SMPL humanoid's 24 bodies.

Keys are the fields of `RobotState` (commit 57f98a9, `data/scripts/convert_amass_to_proto.py`): dof_pos and local_rigid_body_rot in the
order of the MJCF, balls as rotation vectors (69 numbers without the root); velocities are differences of frames; a body is in contact
where it is slower than 0.15 m/s and lower than 0.1 m. No body's origin is lower than 0.015 m.
"""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.formats.carry import floor_lift
from mrs.formats.phc import xyzw
from mrs.formats.smpl_skeleton import SmplMotion, bodies_in_sim, local_in_sim
from mrs.formats.speeds import angular_velocity, forward_differences

LOWEST_M = 0.015
CONTACT_M_S, CONTACT_M = 0.15, 0.1


def document(smpl: SmplMotion, fps: float) -> dict:
    """Tensors of the file."""
    import torch

    placed, turned = bodies_in_sim(smpl)
    placed = placed + floor_lift(placed[..., 2].min(1) - LOWEST_M, smpl.times_s, cyclic=smpl.cyclic)[:, None, None] * np.array([0.0, 0, 1])
    world, local = rotations.align_hemispheres(rotations.matrix_to_quat(turned)), local_in_sim(turned)
    velocity = forward_differences(placed, fps)
    contacts = (np.linalg.norm(velocity, axis=-1) < CONTACT_M_S) & (placed[..., 2] < CONTACT_M)
    values = {
        "dof_pos": rotations.quat_to_axis_angle(local[:, 1:]).reshape(len(placed), -1),
        "dof_vel": angular_velocity(local[:, 1:], fps).reshape(len(placed), -1),
        "rigid_body_pos": placed, "rigid_body_rot": xyzw(world), "rigid_body_vel": velocity,
        "rigid_body_ang_vel": angular_velocity(world, fps), "local_rigid_body_rot": xyzw(local)}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)).float() for name, value in values.items()}
    return {**tensors, "rigid_body_contacts": torch.from_numpy(contacts), "fps": float(fps)}
