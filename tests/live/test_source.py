"""Sources keep their own time, and only the newest picture waits."""

import time

import numpy as np
import pytest

from mrs.errors import InputError
from mrs.live.source import LiveVideo, Newest, Shot, open_source
from tests.videos import make_video, number_in


def shots(count, every_s):
    for number in range(count):
        time.sleep(every_s)
        yield Shot(np.full((2, 2, 3), number, np.uint8), time.monotonic())


def test_a_file_is_played_at_its_own_speed(tmp_path):
    """Frames come when they are due, in order, by the file's own times."""
    times = make_video(tmp_path / "clip.mp4", np.array([0, 0.05, 0.3, 0.35, 0.5]))
    found = list(open_source(str(tmp_path / "clip.mp4")))
    assert [number_in(shot.rgb) for shot in found] == [0, 1, 2, 3, 4]
    assert np.allclose([shot.came_s - found[0].came_s for shot in found], times, atol=1e-3)


@pytest.fixture
def served(tmp_path):
    """Serve a folder on this machine; return its address."""
    import functools
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["clip.mp4", "clip.ts"])
def test_a_stream_gives_every_frame_from_its_first(served, tmp_path, name):
    """Nothing that was read to know the stream is lost, though it has one keyframe alone; a served file keeps its own speed."""
    make_video(tmp_path / name, np.arange(20) / 25)
    found = list(open_source(f"{served}/{name}"))
    assert [number_in(shot.rgb) for shot in found] == list(range(20))
    if name.endswith("mp4"):
        assert abs(found[-1].came_s - found[0].came_s - 19 / 25) < 0.01


def test_a_source_that_can_not_keep_up_is_not_dropped_for_ever():
    """Pictures that come at half their speed: after a second behind the clock is set back, and some are in time."""
    from mrs.live.source import LATE_S, _when_due

    def slow():
        for number in range(30):
            time.sleep(0.1)
            yield 0.05 * number, np.zeros((2, 2, 3), np.uint8)

    late = [time.monotonic() - shot.came_s > LATE_S for shot in _when_due(slow())]
    assert late[10] and not all(late[20:])


def test_what_nobody_took_is_dropped_and_counted():
    """A slow taker gets the newest picture each time; taken and dropped are all that came."""
    newest, taken = Newest(shots(40, 0.01)), []
    while (shot := newest.take()) is not None:
        taken.append(int(shot.rgb[0, 0, 0]))
        time.sleep(0.06)
    assert taken[0] == 0 and taken[-1] == 39 and taken == sorted(set(taken))
    assert newest.read == 40 and newest.dropped == 40 - len(taken) > 10


def test_nothing_is_read_before_it_is_asked_for():
    """The source begins with the first question, so that loading networks loses no frame of a file."""
    begun = []

    def source():
        begun.append(True)
        yield Shot(np.zeros((2, 2, 3), np.uint8), time.monotonic())

    newest = Newest(source())
    time.sleep(0.05)
    assert not begun
    assert newest.take() is not None and newest.take() is None


def test_late_pictures_of_a_slow_source_are_passed_over():
    """A picture that came long ago is not shown as if it were new."""
    def source():
        yield Shot(np.zeros((2, 2, 3), np.uint8), time.monotonic() - 1)
        yield Shot(np.ones((2, 2, 3), np.uint8), time.monotonic())

    newest = Newest(source())
    assert newest.take().rgb[0, 0, 0] == 1 and newest.dropped == 1


def test_an_error_of_the_source_is_raised_where_pictures_are_taken():
    """A stream that breaks off ends the loop with its own words."""
    def source():
        yield Shot(np.zeros((2, 2, 3), np.uint8), time.monotonic())
        raise InputError("broke off")

    newest = Newest(source())
    newest.take()
    with pytest.raises(InputError, match="broke off"):
        newest.take()


def test_times_grow_from_zero():
    """Detectors get frames whose times grow, in rows without gaps."""
    video = LiveVideo(Newest(shots(5, 0.005)), "x")
    frames = list(video.frames())
    assert [f.row for f in frames] == list(range(len(frames))) and frames[0].time_s == 0 and (np.diff([f.time_s for f in frames]) > 0).all()


@pytest.mark.parametrize(("text", "words"), [("97", "webcam with the number 97"), ("nowhere.mp4", "nowhere.mp4"),
                                             ("http://127.0.0.1:9/x", "can't be opened")])
def test_what_is_not_there_is_said_in_one_line(text, words):
    with pytest.raises(InputError) as error:
        next(iter(open_source(text)))
    assert words in str(error.value) and "\n" not in str(error.value)
