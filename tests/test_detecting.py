import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from mrs import detecting, plugins
from mrs.detecting import Parts, Seen
from mrs.errors import PluginError
from mrs.skeletons import Keypoints
from mrs.tracks import People, Track, Tracks


def people(count: int, **extra) -> People:
    random = np.random.default_rng(count)
    return People(random.normal(size=(count, 17, 3)).astype(np.float32), random.normal(size=(count, 4)).astype(np.float32),
                  random.normal(size=count).astype(np.float32), **extra)


def seen(*rows: People, complete=False) -> Seen:
    return Seen(list(range(10, 10 + len(rows))), [0.1 * r for r in range(len(rows))], list(rows), complete, 1.5, ["note"])


def same(a: People, b: People) -> bool:
    for name in People.__dataclass_fields__:
        x, y = getattr(a, name), getattr(b, name)
        if (x is None) != (y is None):
            return False
        if x is not None and not (np.array_equal(x, y) and x.dtype == y.dtype and x.shape == y.shape):
            return False
    return True


def test_people_come_back_as_they_were(tmp_path):
    """Frames with nobody, one or several, with and without the optional parts, survive the disk bit for bit."""
    rows = [people(0), people(2, masks=np.ones((2, 512), np.uint8), lanes=np.array([4, -1])), people(1),
            people(0, masks=np.zeros((0, 512), np.uint8)), people(3, keypoints3d_m=np.ones((3, 17, 3), np.float32))]
    parts = Parts(tmp_path, "k")
    parts.write(seen(*rows[:2]), 0, {"a": np.arange(3)}, "coco-17")
    parts.write(seen(*rows, complete=True), 2, {"a": np.arange(5)}, "coco-17")
    found, state = parts.read()
    assert len(found) == 5
    assert all(same(a, b) for a, b in zip(rows, found.people, strict=True))
    assert found.frame_ids == [10, 11, 12, 13, 14]
    assert (found.complete, found.seconds, found.warnings) == (True, 1.5, ["note"])
    assert state["a"].tolist() == [0, 1, 2, 3, 4]
    assert detecting.saved_rows(tmp_path) == 5


def test_a_video_without_anybody_comes_back(tmp_path):
    """Only empty frames are saved and read, too."""
    Parts(tmp_path, "k").write(seen(people(0), people(0), complete=True), 0, {}, "coco-17")
    found, _ = Parts(tmp_path, "k").read()
    assert [len(p) for p in found.people] == [0, 0]


def test_parts_after_a_gap_are_not_used(tmp_path):
    """Where a part is missing or broken, what comes after it is dropped."""
    rows = [people(1)] * 6
    parts = Parts(tmp_path, "k")
    for start in (0, 2, 4):
        parts.write(seen(*rows[:start + 2]), start, {"row": np.array(start)}, "coco-17")
    (tmp_path / "000000002.npz").write_bytes(b"broken")
    found, state = parts.read()
    assert (len(found), int(state["row"])) == (2, 0)
    assert [p.name for p in tmp_path.iterdir()] == ["000000000.npz"]


def test_parts_of_another_key_are_not_used(tmp_path):
    """Parts made with other options are removed."""
    Parts(tmp_path, "k").write(seen(people(1)), 0, {}, "coco-17")
    assert len(Parts(tmp_path, "other").read()[0]) == 0
    assert not list(tmp_path.iterdir())


class Odd:
    """A detector that gives what the test wants."""

    name = "odd"
    keypoints = "coco-17"

    def __init__(self, given):
        self.given = given

    def detect(self, video):
        return self.given


class Clip:
    """As much of a video as a detector needs here."""

    times_s = np.arange(3) / 30
    warnings = ()


@pytest.mark.parametrize("given, words", [
    ("text", "to return Detections or Tracks, or to yield"),
    (iter([(None, People(np.zeros((1, 33, 3)), np.zeros((1, 4)), np.zeros(1)))]), r"\(1, 17, 3\)"),
    (iter([(None, People(np.full((1, 17, 3), np.nan), np.zeros((1, 4)), np.zeros(1)))]), "finite keypoints_px"),
])
def test_what_does_not_fit_is_refused(tmp_path, given, words):
    """What a detector gives is checked once, and it is named."""
    with pytest.raises(PluginError, match=words):
        detecting.detect(Clip(), Odd(given), Parts(tmp_path, "k"), lambda done, total=None, found=None: None)


def test_a_generator_without_a_keypoint_set_is_refused(tmp_path):
    """A detector that yields has to say what its keypoints are."""
    odd = Odd(iter([]))
    odd.keypoints = None
    with pytest.raises(PluginError, match="class attribute"):
        detecting.detect(Clip(), odd, Parts(tmp_path, "k"), lambda done, total=None, found=None: None)


def test_a_keypoint_set_of_its_own_goes_through_files(tmp_path):
    """A detector's own points are detected, tracked in a file that says their names, and lifted by the lifter that knows any."""
    names = tuple(f"{side}_{part}" for part in ("hip", "knee", "ankle", "shoulder", "wrist") for side in ("left", "right"))
    own = Keypoints("own-10", names)
    points = np.arange(30.0).reshape(1, 10, 3) / 30
    odd = Odd((SimpleNamespace(id=i, time_s=i / 30), People(points, np.array([[0.0, 0, 9, 9]]), np.ones(1))) for i in range(3))
    odd.keypoints = own
    clip = Clip()
    clip.warnings = []
    found, _ = detecting.detect(clip, odd, Parts(tmp_path, "k"), lambda done, total=None, found=None: None)
    assert found.keypoints == own
    track = Track(1, own, found.frame_ids, found.times_s, np.repeat(points, 3, 0), np.tile([0.0, 0, 9, 9], (3, 1)))
    Tracks((track,), (64, 48), found.frame_ids, found.times_s, ()).save(tmp_path / "tracks.npz")
    back = Tracks.load(tmp_path / "tracks.npz").person(1)
    assert back.keypoints == own and (back.keypoints_px == track.keypoints_px).all()
    registry = plugins.load()
    assert not registry.make("lifter", "hmr").suits(back) and registry.make("lifter", "smplify").suits(back)


def test_an_ignored_interrupt_stays_ignored():
    """A process that was told to ignore Ctrl-C, as a script's background job is, detects to the end."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with detecting._between_frames() as interrupted:
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupted.is_set()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
