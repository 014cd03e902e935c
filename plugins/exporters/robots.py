"""Exporters for a Unitree G1: mjlab, BeyondMimic, loco-mujoco, VideoMimic."""

from __future__ import annotations

import mrs

_GROUND = "Raise frames in which a link would be below the floor."


def _robot(motion, path, what: str, ground: bool, fps: float | None = None):
    """Turn a motion into G1's, at `fps` or its own rate; return it, its frame rate and notes."""
    from mrs.formats.exporting import evenly, ready
    from mrs.formats.g1_pose import to_g1
    from mrs.formats.prepare import resampled

    motion = ready(motion, path, frames=2)
    motion, rate_hz, notes = (resampled(motion, fps), fps, ()) if fps else evenly(motion, what)
    robot = to_g1(motion, ground=ground)
    how_far = f"The robot's limbs point {robot.mean_error_deg:.1f} degrees away from the person's on average; its joint limits hold."
    return robot, rate_hz, (*notes, how_far)


class MjlabExporter:
    """Write mjlab's tracking npz of a Unitree G1: joints, links, quaternions w x y z, velocities; Z up."""

    name = "mjlab"
    suffix = ".npz"

    class Options:
        ground: bool = mrs.option(True, _GROUND)
        fps: float = mrs.option(50.0, "Frame rate; mjlab's G1 task steps at 50 Hz.", min=1, max=1000)

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats.amass_write import save
        from mrs.formats.exporting import whole
        from mrs.formats.robot_files import mjlab_arrays

        robot, fps, notes = _robot(motion, path, "mjlab", self.options.ground, self.options.fps)
        with whole(path) as temporary:
            save(temporary, mjlab_arrays(robot, fps))
        return notes


class MjlabCsvExporter:
    """Write the CSV that mjlab's and BeyondMimic's csv_to_npz read: a Unitree G1, quaternions x y z w, 30 Hz."""

    name = "mjlab-csv"
    suffix = ".csv"

    class Options:
        ground: bool = mrs.option(True, _GROUND)
        fps: float = mrs.option(30.0, "Frame rate; csv_to_npz takes 30 Hz unless told.", min=1, max=1000)

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats.exporting import write_text
        from mrs.formats.robot_files import csv_text

        robot, _, notes = _robot(motion, path, "mjlab", self.options.ground, self.options.fps)
        write_text(path, csv_text(robot))
        return notes


class LocoMujocoExporter:
    """Write a Trajectory of loco-mujoco 1.0 for a Unitree G1: qpos and qvel, quaternions w x y z, Z up."""

    name = "loco-mujoco"
    suffix = ".npz"

    class Options:
        ground: bool = mrs.option(True, _GROUND)
        root_joint: str = mrs.option("root", "Name of the free joint in loco-mujoco's model.")

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats.amass_write import save
        from mrs.formats.exporting import whole
        from mrs.formats.robot_files import loco_mujoco_arrays

        robot, fps, notes = _robot(motion, path, "loco-mujoco", self.options.ground)
        with whole(path) as temporary:
            save(temporary, loco_mujoco_arrays(robot, fps, self.options.root_joint))
        return notes


class VideoMimicExporter:
    """Write VideoMimic's h5 of a Unitree G1: joints, links, quaternions x y z w, foot contacts; Z up."""

    name = "videomimic"
    suffix = ".h5"
    needs = ("h5py",)
    extra = "export"

    class Options:
        ground: bool = mrs.option(True, _GROUND)

    def write(self, motion, path):
        """Write a motion; return notes."""
        from mrs.formats.exporting import whole
        from mrs.formats.robot_files import save_videomimic

        robot, fps, notes = _robot(motion, path, "VideoMimic", self.options.ground)
        with whole(path) as temporary:
            save_videomimic(temporary, robot, fps)
        return notes


@mrs.hookimpl
def register_exporters(register):
    """Register every format."""
    for cls in (MjlabExporter, MjlabCsvExporter, LocoMujocoExporter, VideoMimicExporter):
        register(cls)
