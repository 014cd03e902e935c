"""Exporters of tracks: 2D poses in the files of other programs."""

from __future__ import annotations

import mrs

_KEYPOINTS = "Keypoint set to write; auto: the person's own where the format knows it, else the nearest that it knows."


def _asked(name: str):
    from mrs.skeletons import keypoint_set

    return None if name == "auto" else keypoint_set(name)


class OpenPoseExporter:
    """Write a folder of OpenPose's JSON, one file a frame; person_id is the person's number."""

    name = "openpose"
    suffix = ""

    class Options:
        keypoints: str = mrs.option("auto", _KEYPOINTS, choices=("auto", "body-25", "coco-18", "mpi-15", "body-135"))

    def write_tracks(self, tracks, path):
        """Write tracks to the folder `path`."""
        from mrs.formats.pose2d import openpose

        openpose.write(path, tracks, _asked(self.options.keypoints))


class AlphaPoseExporter:
    """Write AlphaPose's results list; idx is the person's number."""

    name = "alphapose"
    suffix = ".json"

    class Options:
        keypoints: str = mrs.option("auto", _KEYPOINTS, choices=("auto", "coco-17", "halpe-26",
                                                                 "coco-wholebody-133", "halpe-136"))

    def write_tracks(self, tracks, path):
        """Write tracks to the file `path`."""
        from mrs.formats.pose2d import alphapose

        alphapose.write(path, tracks, _asked(self.options.keypoints))


class CocoExporter:
    """Write COCO's results list; track_id is the person's number."""

    name = "coco"
    suffix = ".json"

    class Options:
        keypoints: str = mrs.option("auto", _KEYPOINTS, choices=("auto", "coco-17", "halpe-26", "coco-wholebody-133",
                                                                 "halpe-136", "blazepose-33"))

    def write_tracks(self, tracks, path):
        """Write tracks to the file `path`."""
        from mrs.formats.pose2d import coco

        coco.write(path, tracks, _asked(self.options.keypoints))


class PoseFlowExporter(AlphaPoseExporter):
    """Write PoseFlow's dict of frames; idx is the person's number."""

    name = "poseflow"

    def write_tracks(self, tracks, path):
        """Write tracks to the file `path`."""
        from mrs.formats.pose2d import alphapose

        alphapose.write_poseflow(path, tracks, _asked(self.options.keypoints))


class MMPoseExporter:
    """Write predictions of a video as MMPose 1.x does, with the keypoints' names; track_id is the person's number."""

    name = "mmpose"
    suffix = ".json"

    class Options:
        keypoints: str = mrs.option("auto", "Keypoint set to write; auto: the first person's own.")

    def write_tracks(self, tracks, path):
        """Write tracks to the file `path`."""
        from mrs.formats.pose2d import mmpose

        mmpose.write(path, tracks, _asked(self.options.keypoints))


class MediaPipeExporter:
    """Write MediaPipe's 33 landmarks as JSON, in pixels, with world landmarks where the detector gave them."""

    name = "mediapipe"
    suffix = ".json"

    def write_tracks(self, tracks, path):
        """Write tracks to the file `path`."""
        from mrs.formats.pose2d import mediapipe

        mediapipe.write(path, tracks)


class MotExporter:
    """Write MOT text: boxes with ids, frames counted from 1."""

    name = "mot"
    suffix = ".txt"

    def write_tracks(self, tracks, path):
        """Write tracks to the file `path`."""
        from mrs.formats.pose2d import mot

        mot.write(path, tracks)


@mrs.hookimpl
def register_track_exporters(register):
    """Register every format."""
    for cls in (OpenPoseExporter, AlphaPoseExporter, PoseFlowExporter, CocoExporter, MMPoseExporter, MediaPipeExporter, MotExporter):
        register(cls)
