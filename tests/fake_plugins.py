"""Quick plugins for every stage, whose behaviour a test steers through the environment.

Given to `mrs` by ``--plugin``. FAKE_STOP names the stage in which a Ctrl-C comes (``detector:12``: at frame 12), FAKE_FAIL the
stage that raises, FAKE_LOG a file in which every call leaves a line.
"""

import os
import signal

import numpy as np

import mrs
from mrs.skeletons import COCO_17
from mrs.tracks import Detections, People, Track, Tracks


def called(stage: str, detail: str = "") -> None:
    """Note a call, and stop or fail where the test wants it."""
    if os.environ.get("FAKE_LOG"):
        with open(os.environ["FAKE_LOG"], "a", encoding="utf-8") as log:
            log.write(f"{stage} {detail}".strip() + "\n")
    if os.environ.get("FAKE_STOP") == f"{stage}:{detail}".rstrip(":"):
        os.kill(os.getpid(), signal.SIGINT)
    if os.environ.get("FAKE_BREAK") == f"{stage}:{detail}".rstrip(":"):
        raise KeyboardInterrupt
    if os.environ.get("FAKE_FAIL") == stage:
        raise ValueError("the fake was told to fail\nand this second line is for the traceback")


def two_people(shift: float) -> People:
    """Two people, drawn from nothing but a number."""
    points = np.zeros((2, 17, 3), np.float32)
    points[..., :2] = np.linspace(10, 50, 34).reshape(17, 2) + np.array([0, 20]).reshape(2, 1, 1) + shift
    points[..., 2] = 0.9
    boxes = np.concatenate([points[..., :2].min(1), points[..., :2].max(1)], 1)
    return People(points, boxes, np.ones(2, np.float32), lanes=np.array([0, 1]))


class FakeDetector:
    """Walk at random, so that going on needs the state."""

    name = "fake"
    keypoints = "coco-17"

    class Options:
        people: int = mrs.option(2, "How many are seen.", min=0, max=2)
        step_px: float = mrs.option(1.0, "Width of the random step.", min=0)

    def __init__(self):
        self.shift, self.random = 0.0, None

    def detect(self, video, first_row=0):
        self.random = self.random or np.random.default_rng(self.seed)
        for frame in video.frames(first_row):
            called("detector", str(frame.row))
            self.shift += self.options.step_px * float(self.random.normal())
            people = two_people(self.shift)
            n = self.options.people
            yield frame, People(people.keypoints_px[:n], people.boxes_px[:n], people.scores[:n], lanes=people.lanes[:n])

    def get_state(self):
        state = self.random.bit_generator.state["state"]
        return {"shift": np.array(self.shift), "random": np.array([str(state["state"]), str(state["inc"])])}

    def set_state(self, state):
        self.shift, self.random = float(state["shift"]), np.random.default_rng(0)
        inner = dict(zip(("state", "inc"), map(int, state["random"]), strict=True))
        self.random.bit_generator.state = {**self.random.bit_generator.state, "state": inner}


class FakeForgetful(FakeDetector):
    """The same without a state to go on from, and all at once."""

    name = "forgetful"
    get_state = set_state = property()

    def detect(self, video):
        rows = list(FakeDetector.detect(self, video))
        return Detections(COCO_17, np.array([f.id for f, _ in rows]), np.array([f.time_s for f, _ in rows]), [p for _, p in rows])


class FakeTracker:
    """Believe the lanes."""

    name = "fake"

    def link(self, video, detections):
        called("tracker")
        seen = [p for p in detections.people if len(p)]
        people = [Track(lane + 1, detections.keypoints, np.array(detections.frame_ids), np.array(detections.times_s),
                        np.stack([p.keypoints_px[lane] for p in seen]), np.stack([p.boxes_px[lane] for p in seen]))
                  for lane in range(len(seen[0]) if seen else 0)]
        return Tracks(tuple(people), video.size_px, detections.frame_ids, detections.times_s)


class FakeLifter:
    """A standing person, moved by the track."""

    name = "fake"

    class Options:
        depth_m: float = mrs.option(4.0, "How far away.", min=1)

    def lift(self, video, track):
        called("lifter", str(track.person))
        from mrs.body import load_body

        quats = np.zeros((len(track), 24, 4))
        quats[..., 1] = 1
        quats[:, 1:] = [1, 0, 0, 0]
        root = np.zeros((len(track), 3))
        root[:, 0] = (track.keypoints_px[:, 0, 0] - track.keypoints_px[0, 0, 0]) / 100 + track.person
        root[:, 2] = self.options.depth_m
        return load_body().motion(track.times_s, root, quats, np.zeros(10), frame="camera", camera=video.camera)


class FakeSmoother:
    """Change nothing."""

    name = "fake"

    class Options:
        strength: float = mrs.option(0.5, "Of no consequence.", min=0, max=1)

    def smooth(self, video, track, motion):
        called("smoother", str(track.person))
        self.progress(1, 2)
        return motion



class FakeTogether(FakeSmoother):
    """Change nothing of several people at once."""

    name = "together"

    def smooth_together(self, people, finished):
        called("smoother", "+".join(str(track.person) for _, track, _ in people))
        for number, (_, track, motion) in enumerate(people):
            called("finished", str(track.person))
            finished(number, motion)


class FakeExporter:
    """Write how long the motion is."""

    name = "count"
    suffix = ".npz"

    def write(self, motion, path):
        called("exporter")
        path.write_text(f"{len(motion)}\n")
        return ("counted",)


@mrs.hookimpl
def register_detectors(register):
    register(FakeDetector)
    register(FakeForgetful)


@mrs.hookimpl
def register_trackers(register):
    register(FakeTracker)


@mrs.hookimpl
def register_lifters(register):
    register(FakeLifter)


@mrs.hookimpl
def register_smoothers(register):
    register(FakeSmoother)
    register(FakeTogether)


@mrs.hookimpl
def register_exporters(register):
    register(FakeExporter)
