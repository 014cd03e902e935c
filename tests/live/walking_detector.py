"""A detector that sees a synthetic walker whatever the picture shows, and takes as long as it is told.

Given to `mrs live` by --plugin; `walk(time_s)` is the truth.
"""

import time

import numpy as np

import mrs
from mrs.tracks import People
from tests.walker import filmed, walker

SIZE = (320, 180)
RATE_HZ = 120


class Walk:
    """The walker's track, sampled densely enough for any time."""

    made = None

    @classmethod
    def of(cls):
        if cls.made is None:
            cls.made = filmed(walker(np.arange(6 * RATE_HZ) / RATE_HZ)[0], size_px=SIZE)
        return cls.made


class Walking:
    """See the walker at the frame's time; after the end of its way it begins again."""

    name = "walking"
    keypoints = "blazepose-33"

    class Options:
        takes_s: float = mrs.option(0.0, "Seconds that a frame takes.", min=0)
        noise_m: float = mrs.option(0.0, "Deviation of landmarks.", min=0)
        deep: bool = mrs.option(True, "Give landmarks in depth.")

    def detect(self, video, first_row=0):
        return self.detect_frames(video.frames(first_row))

    def detect_frames(self, frames):
        track, _ = Walk.of()
        random = np.random.default_rng(0)
        for frame in frames:
            time.sleep(self.options.takes_s)
            row = round(frame.time_s * RATE_HZ) % len(track)
            deep = track.keypoints3d_m[row : row + 1] + random.normal(scale=self.options.noise_m, size=(1, 33, 3))
            yield frame, People(track.keypoints_px[row : row + 1], track.boxes_px[row : row + 1], np.ones(1), deep if self.options.deep else None,
                                lanes=np.zeros(1, int))


class Whole:
    """Look at a whole video at once."""

    name = "whole"

    def detect(self, video):
        raise NotImplementedError


@mrs.hookimpl
def register_detectors(register):
    register(Walking)
    register(Whole)
