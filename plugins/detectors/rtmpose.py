"""RTMPose, RTMO, HRNet and ViTPose through ONNX Runtime, without mmpose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

import mrs
from mrs.threads import asked


class RTMPose:
    """Follow people with any RTMPose, RTMO, HRNet or ViTPose file in ONNX (2D keypoints only)."""

    name = "rtmpose"
    needs = ("onnxruntime", "cv2")
    device = "cpu"
    seed = 0

    class Options:
        """Options of the rtmpose detector."""

        model: str = mrs.option("rtmpose-m", "ONNX file, or a name of mrs models list.")
        keypoints: str = mrs.option("", "Keypoint set, such as halpe-26; empty: from the file.")
        decoder: str = mrs.option("auto", "How to read the output; auto: from the file.",
                                  choices=("auto", "simcc", "quarter", "dark", "udp", "rtmo"))
        input_size: str = mrs.option("", "WIDTHxHEIGHT of the network's picture; empty: from the file.")
        mean: str = mrs.option("", "Mean of the three colours, 0..255; empty: from the file, or ImageNet's.")
        std: str = mrs.option("", "Spread of the three colours; empty: from the file, or ImageNet's.")
        colors: str = mrs.option("auto", "Order of the colours; auto: from the file, else rgb (RTMO: bgr).",
                                 choices=("auto", "rgb", "bgr"))
        max_people: int = mrs.option(6, "Follow at most this many people at once.", min=1, max=32)
        score_threshold: float = mrs.option(0.2, "Start following people MoveNet (or RTMO) scores at least this.",
                                            min=0, max=1)
        min_score: float = mrs.option(0.3, "Lose a person whose mean confidence is lower.", min=0, max=1)
        find_every_s: float = mrs.option(0.3, "Look for new people this often, in seconds.", min=0)
        find_side_px: int = mrs.option(384, "Long side of the picture MoveNet sees; 512 up for small people.",
                                       min=64, max=2048)
        threads: int = mrs.option(0, "CPU threads to use; 0 uses all cores.", min=0, max=256)

    def __init__(self):
        self._net = self._follower = self._state = None

    @property
    def keypoints(self) -> str:
        """Name of the file's keypoint set."""
        return self.net.spec.keypoints.name

    @property
    def net(self):
        """The network, opened when it is first asked for."""
        if self._net is None:
            from mrs_plugins.detectors._onnx_pose import OnnxPose

            self._net = OnnxPose(self._path(), self.options, self.device, self.options.threads or asked() or 0)
        return self._net

    def made_from(self) -> dict[str, str]:
        """Return the hash of the model file, so that another file makes new results."""
        from mrs.runfolder import sha256_of

        return {"model": sha256_of(self._path())}

    def _path(self) -> Path:
        from mrs import model_cache

        return model_cache.resolve(self.options.model, "--set detector.model=FILE.onnx")

    def detect(self, video, first_row: int = 0) -> Iterator[tuple]:
        """Yield (Frame, People) for each frame of the video from `first_row` on.

        From a row above 0 it goes on as an uninterrupted run would, given that run's :meth:`get_state` there.
        """
        if first_row == 0:
            self._state = None
        return self.detect_frames(video.frames(first_row))

    def detect_frames(self, frames: Iterable) -> Iterator[tuple]:
        """Yield (frame, People) for frames with `rgb` (H, W, 3) uint8 and growing `time_s`."""
        from mrs_plugins.detectors import _follow

        if self.net.spec.decoder == "rtmo":
            return self._whole_pictures(frames)
        return _follow.follow(self, self._open, frames)

    def _open(self):
        from mrs_plugins.detectors import _follow

        finder = _follow.MoveNetFinder(self.options.find_side_px, self.device)
        return _follow.Follower(self.options, self.net.spec.keypoints, self.net.see, finder)

    def _whole_pictures(self, frames: Iterable) -> Iterator[tuple]:
        """Let a one-stage network see every frame; who is who is left to the tracker."""
        from mrs.tracks import People

        for frame in frames:
            points, boxes, scores = self.net.people(np.ascontiguousarray(frame.rgb), self.options.score_threshold,
                                                    self.options.max_people)
            points[..., 2] = np.clip(points[..., 2], 0, 1)
            yield frame, People(points, boxes.astype(np.float32), np.clip(scores, 0, 1).astype(np.float32))

    def get_state(self) -> dict[str, np.ndarray]:
        """Return what the next frame depends on, as arrays."""
        return self._follower.get_state() if self._follower is not None else dict(self._state or {})

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Set what the next call of :meth:`detect` with a first row above 0 goes on from."""
        self._state, self._follower = dict(state) or None, None


@mrs.hookimpl
def register_detectors(register):
    """Register the detector."""
    register(RTMPose)
