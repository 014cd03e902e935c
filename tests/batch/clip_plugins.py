"""A detector that does what the clip's name says: nobody, broken, deadly, slow, gpu; anything else has two people.

CLIP_LOG names a file that gets a line at the start and at the end of every clip.
"""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import mrs
from tests import fake_plugins


def note(what: str, video) -> None:
    """Add a line to the log."""
    with open(os.environ["CLIP_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{what} {video.path.stem}\n")


class ByName(fake_plugins.FakeDetector):
    """Look at the clip's name."""

    name = "by-name"

    def detect(self, video, first_row=0):
        note("start", video)
        kind = video.path.stem.partition("_")[0]
        if kind == "gpu":
            note(f"device {os.environ.get('CUDA_VISIBLE_DEVICES')} threads {os.environ['MRS_THREADS']}", video)
        if kind == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "broken":
            raise ValueError("a plugin fell over")
        for frame, people in super().detect(video, first_row):
            time.sleep(float(os.environ.get("CLIP_SLOW_S", "0.02")) if kind == "slow" else 0)
            if kind == "nobody":
                people = fake_plugins.People(people.keypoints_px[:0], people.boxes_px[:0], people.scores[:0])
            yield frame, people
        note("end", video)


@mrs.hookimpl
def register_detectors(register):
    register(ByName)
