"""Files of programs that track a Unitree G1: mjlab and BeyondMimic, loco-mujoco, VideoMimic. Z up, metres, radians."""

from __future__ import annotations

import numpy as np

from mrs import rotations
from mrs.formats import g1
from mrs.formats.g1_pose import RobotMotion
from mrs.formats.phc import xyzw
from mrs.formats.speeds import central_angular_velocity, central_differences

FREE, HINGE = 0, 3
SOLE_CONTACT = 0.5


def csv_text(robot: RobotMotion) -> str:
    """Rows of root x y z, quaternion **x y z w**, 29 joints, without a header: what mjlab's and BeyondMimic's `csv_to_npz` read."""
    rows = np.column_stack([robot.root_pos_m, xyzw(robot.root_quat_wxyz), robot.angles])
    return "\n".join(",".join(f"{value:.8f}" for value in row) for row in (np.round(rows, 8) + 0.0).tolist()) + "\n"


def mjlab_arrays(robot: RobotMotion, fps: float) -> dict[str, np.ndarray]:
    """What mjlab's `csv_to_npz.py` writes (commit 03ed867) and its tracking task reads: quaternions **w x y z**, links in MJCF order.

    Velocities are central differences, in the world, as that script takes the root's and the joints'.
    """
    placed, turned = robot.links()
    values = {"joint_pos": robot.angles, "joint_vel": central_differences(robot.angles, fps), "body_pos_w": placed,
              "body_quat_w": turned, "body_lin_vel_w": central_differences(placed, fps),
              "body_ang_vel_w": central_angular_velocity(turned, fps)}
    return {"fps": np.array([fps if fps != round(fps) else round(fps)])} | {k: v.astype(np.float32) for k, v in values.items()}


def loco_mujoco_arrays(robot: RobotMotion, fps: float, root_joint: str = "root") -> dict[str, np.ndarray]:
    """A `Trajectory` of loco-mujoco 1.0 (`trajectory/dataclasses.py`, commit 5fcea62), whose loader refuses keys that it does not know.

    qpos is root x y z, quaternion **w x y z**, joints; qvel is the root's velocity in the world, its turning in its *own* frame, and
    the joints', as MuJoCo has them.
    """
    own = rotations.quat_rotate(rotations.quat_conjugate(robot.root_quat_wxyz), central_angular_velocity(robot.root_quat_wxyz, fps))
    qpos = np.column_stack([robot.root_pos_m, robot.root_quat_wxyz, robot.angles])
    qvel = np.column_stack([central_differences(robot.root_pos_m, fps), own, central_differences(robot.angles, fps)])
    return {"joint_names": np.array([root_joint, *g1.JOINTS]), "frequency": np.array(float(fps)), "njnt": np.array(1 + len(g1.JOINTS)),
            "jnt_type": np.array([FREE] + [HINGE] * len(g1.JOINTS)), "qpos": qpos, "qvel": qvel,
            "split_points": np.array([0, len(qpos)])}


def save_videomimic(path, robot: RobotMotion, fps: float) -> None:
    """Write VideoMimic's `retarget_poses_g1.h5`: joints and links by name, quaternions **x y z w**, contacts per foot.

    Data stand at the top, where its simulation reads a file of one person, and under persons/1 as in files of several.
    """
    import h5py

    placed, turned = robot.links()
    with h5py.File(path, "w") as file:
        for name, value in {"root_pos": robot.root_pos_m, "root_quat": xyzw(robot.root_quat_wxyz), "joints": robot.angles,
                            "link_pos": placed, "link_quat": xyzw(turned)}.items():
            file[name] = value.astype(np.float32)
        for side, column in (("left_foot", 0), ("right_foot", 1)):
            file[f"contacts/{side}"] = robot.contacts[:, column] > SOLE_CONTACT
        person = file.create_group("persons/1")
        for name in ("root_pos", "root_quat", "joints", "link_pos", "link_quat", "contacts"):
            person[name] = file[name]
        for holder in (file, person):
            holder.attrs["fps"] = float(fps)
            holder.attrs["joint_names"], holder.attrs["link_names"] = list(g1.JOINTS), list(g1.LINKS)
