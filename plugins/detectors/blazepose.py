"""The default detector: MoveNet MultiPose finds people, BlazePose follows each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

import mrs
from mrs.threads import usable


class BlazePose:
    """Follow people with MoveNet and BlazePose: 33 keypoints, metric 3D and a mask each (embedded weights)."""

    name = "blazepose"
    keypoints = "blazepose-33"
    needs = ("onnxruntime", "cv2")
    device = "cpu"
    seed = 0

    class Options:
        """Options of the blazepose detector."""

        model: str = mrs.option("full", "BlazePose network; full asks heavy in doubt, heavy alone is slower.",
                                choices=("full", "heavy"))
        max_people: int = mrs.option(6, "Follow at most this many people at once.", min=1, max=32)
        score_threshold: float = mrs.option(0.2, "Start following people MoveNet scores at least this.", min=0, max=1)
        find_every_s: float = mrs.option(0.3, "Look for new people this often, in seconds.", min=0)
        find_side_px: int = mrs.option(384, "Long side of the picture MoveNet sees; 512 up for small people.",
                                       min=64, max=2048)
        rotated_look: str = mrs.option("auto", "Look at turned pictures for lying and inverted people.",
                                       choices=("auto", "always", "never"))
        threads: int = mrs.option(0, "CPU threads to use; 0 uses all cores.", min=0, max=256)

    def __init__(self):
        self._lanes = None
        self._state = None

    def detect(self, video, first_row: int = 0) -> Iterator[tuple]:
        """Yield (Frame, People) for each frame of the video from `first_row` on.

        From a row above 0 it goes on as an uninterrupted run would, given that run's :meth:`get_state` there.
        """
        if first_row == 0:
            self._state = None
        return self.detect_frames(video.frames(first_row))

    def detect_frames(self, frames: Iterable) -> Iterator[tuple]:
        """Yield (frame, People) for frames with `rgb` (H, W, 3) uint8 and growing `time_s`."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self._threads()) as pool:
            self._lanes = self._open(pool)
            if self._state is not None:
                self._lanes.set_state(self._state)
            for frame in frames:
                seen = self._lanes.step(np.ascontiguousarray(frame.rgb), float(frame.time_s))
                yield frame, _people(seen)

    def get_state(self) -> dict[str, np.ndarray]:
        """Return what the next frame depends on, as arrays."""
        return self._lanes.get_state() if self._lanes is not None else dict(self._state or {})

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Set what the next call of :meth:`detect` with a first row above 0 goes on from."""
        self._state, self._lanes = dict(state) or None, None

    @property
    def runs(self) -> dict[str, int]:
        """How often each network ran so far.

        `pose` BlazePose, `look` its heavy kind for second looks, `find` MoveNet, `find_large` it at 1.5 times the size.
        """
        return dict(self._lanes.runs) if self._lanes is not None else {}

    def _threads(self) -> int:
        return self.options.threads or usable()

    def _open(self, pool):
        from mrs_plugins.detectors._blazepose_lanes import Lanes
        from mrs_plugins.detectors._blazepose_models import PersonFinder, PoseNet

        # On two cores a second thread gains a fifth for one crop, but the decoder and MoveNet need that core.
        threads = min(self._threads(), 4)
        threads = threads if self.options.model == "heavy" else max(threads // 2, 1)
        pose = PoseNet(self.options.model, threads, self.device)
        finder = PersonFinder(self.options.find_side_px, 1, self.device)
        if self.options.model == "heavy":
            return Lanes(self.options, pose, finder, lambda: pose, pool)
        expert = pool.submit(PoseNet, "heavy", 1, self.device)
        return Lanes(self.options, pose, finder, expert.result, pool)


def _people(seen: list[tuple[int, object]]):
    """Pack the people seen in one frame (possibly none)."""
    from mrs.tracks import MASK_SIDE, People

    if not seen:
        return People(np.zeros((0, 33, 3), np.float32), np.zeros((0, 4), np.float32), np.zeros(0, np.float32),
                      np.zeros((0, 33, 3), np.float32), np.zeros((0, MASK_SIDE * MASK_SIDE // 8), np.uint8),
                      np.zeros((0, 2, 3), np.float32), np.zeros(0, np.int64))
    sights = [sight for _, sight in seen]
    keypoints = np.stack([s.keypoints_px for s in sights])
    return People(
        keypoints_px=keypoints,
        boxes_px=np.concatenate([keypoints[:, :, :2].min(1), keypoints[:, :, :2].max(1)], 1),
        scores=np.array([s.flag for s in sights], np.float32),
        keypoints3d_m=np.stack([s.keypoints3d_m for s in sights]),
        masks=np.stack([s.mask for s in sights]),
        mask_to_px=np.stack([_mask_to_px(s.crop, MASK_SIDE) for s in sights]),
        lanes=np.array([number for number, _ in seen], np.int64),
    )


def _mask_to_px(crop, side: int) -> np.ndarray:
    """Map (column, row, 1) of a mask pixel to the place of its centre in the picture."""
    to_px = crop.to_px(side)
    to_px[:, 2] += to_px[:, :2] @ np.full(2, 0.5)
    return to_px.astype(np.float32)


@mrs.hookimpl
def register_detectors(register):
    """Register the default detector."""
    register(BlazePose)
