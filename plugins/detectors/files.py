"""Detectors that read what other programs found: one class a format, on one base."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import mrs

_SOURCE = "What to read; --detector NAME:PATH sets it."
_FIRST = "Number of the video's first frame in the file; none: by the rule in docs/poses2d.md."


class _Options:
    """Options of every detector that reads a file."""

    source: str | None = mrs.option(None, _SOURCE)
    first_frame: int | None = mrs.option(None, _FIRST, min=0)


class _FileDetector:
    """Read 2D poses from a file, and put them at the video's frames."""

    takes = "FILE"
    progress = None
    read = None

    def __init__(self):
        self._read = None

    def poses(self):
        """Return what the file holds; it is read once."""
        if self._read is None:
            self._read = type(self).read(self)
        return self._read

    def length(self) -> int:
        """Return how many frames the file tells of, from the video's first to its last."""
        numbers, _ = self._numbers(self.poses(), None)
        return max(max(numbers, default=-1) + 1, 0)

    def detect(self, video):
        """Return the Detections at the video's frames; people the file knows by id have it as their lane."""
        from mrs.tracks import Detections

        poses = self.in_pixels(self.poses(), video.size_px)
        numbers, notes = self._numbers(poses, video.frames_in_file)
        notes = [*poses.notes, *notes, *_compare(numbers, poses, video)]
        video.warnings += [f"{self.options.source}: {n}" for n in notes]
        rows = _rows_by_frame(poses, numbers)
        people = [_people(poses, rows.get(int(i), _NOBODY)) for i in video.frame_ids]
        return Detections(poses.keypoints, np.array(video.frame_ids), np.array(video.times_s), people, poses.ids_given)

    def in_pixels(self, poses, size_px):
        """Undo whatever scale the file has."""
        return poses.in_pixels(size_px)

    def _numbers(self, poses, frames: int | None) -> tuple[list[int], list[str]]:
        """Return each label's frame from 0 on, and notes on how that was found."""
        from mrs.formats.pose2d.frames import first_number, frame_numbers

        found = frame_numbers(poses.labels)
        if found is None:
            return list(range(len(poses.labels))), ["the frames' names have no numbers, so their order counts."]
        first = self.options.first_frame
        if first is None:
            first = poses.first if poses.first is not None else first_number(poses.labels, found, frames, poses.every_frame)
            if first and poses.first is None:
                return [n - first for n in found], [f"frames are counted from {first} (--set detector.first_frame=0 if not)."]
        return [n - first for n in found], []


_NOBODY = np.zeros(0, int)


def _rows_by_frame(poses, numbers: list[int]) -> dict[int, np.ndarray]:
    """Return the sightings' rows by frame number."""
    order = np.argsort(poses.frame, kind="stable")
    which, starts = np.unique(poses.frame[order], return_index=True)
    return {numbers[label]: rows for label, rows in zip(which.tolist(), np.split(order, starts[1:]), strict=True)} if len(which) else {}


def _people(poses, rows: np.ndarray):
    from mrs.tracks import People

    deep = None if poses.points3d_m is None else poses.points3d_m[rows]
    return People(poses.points[rows], poses.boxes[rows], poses.scores[rows], keypoints3d_m=deep, lanes=poses.ids[rows])


def _compare(numbers: list[int], poses, video) -> list[str]:
    """Say where the file and the video do not cover the same frames."""
    seen = np.array(numbers, int)[np.unique(poses.frame)] if len(poses) else np.zeros(0, int)
    total = video.frames_in_file
    notes = []
    if total and (beyond := int((seen >= total).sum())):
        notes.append(f"{beyond} frames with people lie after the video's end ({total} frames) and are left out; the file and "
                     "the video may not belong together.")
    if before := int((seen < 0).sum()):
        notes.append(f"{before} frames with people lie before the video's first frame and are left out.")
    last = max(numbers, default=-1)
    if total and poses.every_frame and 0 <= last < total - 1:
        notes.append(f"it ends at frame {last}, but the video has {total}: nobody is seen after that.")
    return notes


class OpenPoseFiles(_FileDetector):
    """Read a folder of OpenPose's JSON, one file a frame."""

    name = "openpose:"
    takes = "DIR"

    class Options(_Options):
        source: str | None = mrs.option(None, _SOURCE)
        first_frame: int | None = mrs.option(None, _FIRST, min=0)
        keypoint_scale: str = mrs.option("auto", "OpenPose's --keypoint_scale: 0 pixels, 3 from 0 to 1, 4 from -1 to 1.",
                                         choices=("auto", "0", "3", "4"))
        model: str = mrs.option("auto", "Order of the 25 points: body-25b where that experimental model was used.",
                                choices=("auto", "body-25b"))

    def read(self):
        from mrs.formats.pose2d import openpose

        return openpose.read(self.options.source, self.progress or (lambda done, total: None))

    def in_pixels(self, poses, size_px):
        from mrs.formats.pose2d import boxes_around, openpose
        from mrs.skeletons import BODY_25B

        asked = self.options.keypoint_scale
        scale = openpose.scale_of(poses.points) if asked == "auto" else int(asked)
        if scale:
            points = openpose.to_pixels(poses.points, scale, size_px)
            poses = replace(poses, points=points, boxes=boxes_around(points), notes=(
                f"coordinates look like keypoint_scale {scale} and are turned into pixels.",) if asked == "auto" else ())
        if self.options.model == "body-25b" and len(poses.keypoints) == len(BODY_25B):
            poses = replace(poses, keypoints=BODY_25B)
        return poses


class AlphaPoseFile(_FileDetector):
    """Read AlphaPose's results, with or without ids, or its open and cmu forms."""

    name = "alphapose:"
    Options = _Options

    def read(self):
        from mrs.formats.pose2d import alphapose, read_bytes

        return alphapose.read(read_bytes(self.options.source, "AlphaPose's results"), self.options.source)


class PoseFlowFile(_FileDetector):
    """Read PoseFlow's tracked people, a dict of frames."""

    name = "poseflow:"
    Options = _Options

    def read(self):
        from mrs.formats.pose2d import alphapose, read_bytes

        return alphapose.read(read_bytes(self.options.source, "PoseFlow's results"), self.options.source)


class MMPoseFile(_FileDetector):
    """Read MMPose's predictions of a video, or a folder of them, one a picture."""

    name = "mmpose:"
    Options = _Options

    def read(self):
        from mrs.formats.pose2d import mmpose

        return mmpose.read_path(self.options.source)


class CocoFile(_FileDetector):
    """Read COCO's results list, or annotations."""

    name = "coco:"
    Options = _Options

    def read(self):
        from mrs.formats.pose2d import coco, read_bytes

        return coco.read(read_bytes(self.options.source, "COCO's results"), self.options.source)


class MediaPipeFile(_FileDetector):
    """Read MediaPipe's 33 landmarks from JSON or CSV, world landmarks too."""

    name = "mediapipe:"
    Options = _Options

    def read(self):
        from mrs.formats.pose2d import mediapipe, read_bytes

        return mediapipe.read(read_bytes(self.options.source, "MediaPipe's landmarks"), self.options.source)


class MotFile(_FileDetector):
    """Read boxes of MOT text: refused, since a body needs keypoints; as a tracker they say who is who."""

    name = "mot:"
    Options = _Options

    def read(self):
        raise mrs.UsageError(f"Expected keypoints, but MOT text has boxes alone. Use it to say who is who among the people of "
                             f"another detector: --detector blazepose --tracker mot:{self.options.source}")


@mrs.hookimpl
def register_detectors(register):
    """Register every format."""
    for cls in (OpenPoseFiles, AlphaPoseFile, PoseFlowFile, MMPoseFile, CocoFile, MediaPipeFile, MotFile):
        register(cls)
