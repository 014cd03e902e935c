"""mmpose's own top-down models, RTMPose and HRNet among them, with any config and checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from mrs_plugins.detectors._mmpose_mend import INSTALL, NAMES

import mrs


class MMPose:
    """Follow people with any top-down model of mmpose 1.x (2D keypoints only)."""

    name = "mmpose"
    needs = NAMES
    install = INSTALL
    device = "cpu"
    seed = 0

    class Options:
        """Options of the mmpose detector."""

        config: str = mrs.option("body26", "mmpose config: file, name, or alias (body26: RTMPose-m with feet).")
        checkpoint: str = mrs.option("", "Its weights; empty: fetched as mmpose lists them.")
        flip_test: bool | None = mrs.option(None, "Look at each crop mirrored as well; none: as the config says.")
        finder_config: str = mrs.option("", "mmdet config to find people with: file, or name out of its wheel; empty: the embedded finder.")
        finder_checkpoint: str = mrs.option("", "Weights of the mmdet config.")
        max_people: int = mrs.option(6, "Follow at most this many people at once.", min=1, max=32)
        score_threshold: float = mrs.option(0.2, "Start following people the finder scores at least this.", min=0, max=1)
        min_score: float = mrs.option(0.3, "Lose a person whose mean confidence is lower.", min=0, max=1)
        find_every_s: float = mrs.option(0.3, "Look for new people this often, in seconds.", min=0)
        find_side_px: int = mrs.option(384, "Long side of the picture MoveNet sees; 512 up for small people.",
                                       min=64, max=2048)

    def __init__(self):
        self._model = self._follower = self._state = None

    @property
    def keypoints(self) -> str:
        """Name of the model's keypoint set, by its metadata."""
        return self.model.keypoints.name

    @property
    def model(self):
        """The model, loaded when it is first asked for."""
        if self._model is None:
            from mrs_plugins.detectors._mmpose_model import MMPoseModel

            choice, checkpoint = self._files()
            self._model = MMPoseModel(choice, checkpoint, self.device, self.options.flip_test)
        return self._model

    def made_from(self) -> dict[str, str]:
        """Return hashes of config and checkpoint, so that other files make new results."""
        from mrs.runfolder import sha256_of

        choice, checkpoint = self._files()
        return {"config": sha256_of(choice.config), "checkpoint": sha256_of(checkpoint)}

    def _files(self):
        from mrs_plugins.detectors import _mmpose_model

        choice = _mmpose_model.choose(self.options.config)
        return choice, _mmpose_model.checkpoint_of(choice, self.options.checkpoint)

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

        self.model  # noqa: B018 (what is wrong with it is told before the first frame)
        return _follow.follow(self, self._open, frames)

    def _open(self):
        from mrs_plugins.detectors import _follow

        return _follow.Follower(self.options, self.model.keypoints, self.model.see, self._finder())

    def _finder(self):
        from mrs_plugins.detectors import _follow

        if not self.options.finder_config:
            return _follow.MoveNetFinder(self.options.find_side_px, self.device)
        from mrs_plugins.detectors._mmdet_finder import MMDetFinder

        return MMDetFinder(self.options.finder_config, self.options.finder_checkpoint, self.device)

    def get_state(self) -> dict[str, np.ndarray]:
        """Return what the next frame depends on, as arrays."""
        return self._follower.get_state() if self._follower is not None else dict(self._state or {})

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Set what the next call of :meth:`detect` with a first row above 0 goes on from."""
        self._state, self._follower = dict(state) or None, None


@mrs.hookimpl
def register_detectors(register):
    """Register the detector."""
    register(MMPose)
