"""Reading and writing video: times, turns, parts, threads, damage, bad input."""

import os
import resource
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from mrs.cameras import Camera
from mrs.errors import InputError, MrsError
from mrs.video import Video, write_video
from mrs.video_read import Turn, in_background
from tests.videos import (
    SIZE,
    add_hidden_frame,
    decoded_times,
    make_audio,
    make_resizing_video,
    make_video,
    number_in,
    picture,
)

UNEVEN_S = np.cumsum([0.0] + [0.033, 0.017, 0.1, 0.021] * 10)
OPEN_GOP = {"x264-params": "open-gop=1:keyint=8"}


def numbers(video, first_row=0):
    """The numbers drawn in a video's frames."""
    return [number_in(frame.rgb) for frame in video.frames(first_row)]


@pytest.mark.parametrize("name, codec, options", [
    ("b.mp4", "libx264", {}), ("b.mkv", "libx264", {}), ("b.ts", "libx264", {}), ("b.mov", "mpeg4", {}),
    ("b.webm", "libvpx", {}), ("b.mp4", "libvpx-vp9", {}), ("open.mp4", "libx264", OPEN_GOP),
])
def test_times_equal_decoded_times(tmp_path, name, codec, options):
    """Times read from packets are those that decoding gives, and every frame is the one of its row."""
    ticks = Fraction(1, 1000) if name.endswith(("mkv", "webm")) else Fraction(1, 90_000)
    times = UNEVEN_S if codec != "mpeg4" else None
    tick = Fraction(1, 30) if codec == "mpeg4" else ticks
    expected = make_video(tmp_path / name, times, codec=codec, options=options, tick_s=tick, count=41)
    video = Video.open(tmp_path / name)
    np.testing.assert_allclose(video.times_s, decoded_times(tmp_path / name), atol=1e-9)
    np.testing.assert_allclose(np.diff(video.times_s), np.diff(expected), atol=1.1e-3)
    frames = list(video.frames())
    assert [number_in(f.rgb) for f in frames] == list(range(41)) == [f.row for f in frames]
    np.testing.assert_array_equal([f.time_s for f in frames], video.times_s)
    assert video.warnings == []


def test_start_offset_is_kept(tmp_path):
    """A first frame at 1.5 s is at 1.5 s."""
    make_video(tmp_path / "late.mp4", 1.5 + np.arange(10) / 25)
    assert Video.open(tmp_path / "late.mp4").times_s[0] == pytest.approx(1.5)


def test_edit_list_hides_frames(tmp_path):
    """Frames that the edit list cuts away are in neither times nor pictures."""
    make_video(tmp_path / "cut.mp4", np.arange(-10, 20) / 30,
               container_options={"avoid_negative_ts": "disabled", "use_editlist": "1"})
    video = Video.open(tmp_path / "cut.mp4")
    np.testing.assert_allclose(video.times_s, decoded_times(tmp_path / "cut.mp4"))
    assert numbers(video) == list(range(10, 30)) and video.warnings == []


def test_hidden_vp8_frames_are_no_rows(tmp_path):
    """A VP8 packet that is not to be shown is no frame."""
    make_video(tmp_path / "a.webm", codec="libvpx", tick_s=Fraction(1, 1000))
    add_hidden_frame(tmp_path / "a.webm", tmp_path / "b.webm")
    video = Video.open(tmp_path / "b.webm")
    np.testing.assert_allclose(video.times_s, decoded_times(tmp_path / "b.webm"))
    assert len(video) == 30 == len(list(video.frames())) and video.warnings == []


@pytest.mark.parametrize("name, codec, warned", [("b.avi", "libx264", False), ("b.h264", "libx264", True)])
def test_missing_times_are_counted(tmp_path, name, codec, warned):
    """Where the container has no presentation times the frames still come in order, with growing times."""
    make_video(tmp_path / name, codec=codec, tick_s=Fraction(1, 30))
    video = Video.open(tmp_path / name)
    assert numbers(video) == list(range(30)) and numbers(video, 11) == list(range(11, 30))
    assert (np.diff(video.times_s) > 0).all() and video.times_s[0] == 0
    assert bool(video.warnings) == warned


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "open.mp4"])
@pytest.mark.parametrize("first", [0, 1, 7, 12, 23, 40])
def test_resuming_gives_the_same_frames(tmp_path, name, first):
    """frames(n) gives exactly what frames() gives from row n on, whatever keyframe it starts from."""
    options = OPEN_GOP if name == "open.mp4" else {}
    make_video(tmp_path / name, UNEVEN_S, options=options)
    video = Video.open(tmp_path / name)
    whole, part = list(video.frames())[first:], list(video.frames(first))
    assert [f.id for f in whole] == [f.id for f in part]
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(whole, part, strict=True))


def test_start_and_end_select_by_time(tmp_path):
    """Frames with start <= t < end are selected, with their index in the file."""
    make_video(tmp_path / "a.mp4", np.arange(50) / 25)
    video = Video.open(tmp_path / "a.mp4", 0.8, 1.2)
    assert video.frame_ids.tolist() == list(range(20, 30)) == numbers(video)
    assert [f.row for f in video.frames(3)] == list(range(3, 10)) and numbers(video, 3) == list(range(23, 30))
    assert list(video.frames(10)) == []


def test_a_part_is_not_decoded_from_the_beginning(tmp_path, monkeypatch):
    """Starting late decodes from the keyframe before, not the whole file."""
    import mrs.video_read

    make_video(tmp_path / "a.mp4", np.arange(120) / 30)
    decoded = []
    monkeypatch.setattr(mrs.video_read, "_decode_all", _counting(mrs.video_read._decode_all, decoded))
    assert numbers(Video.open(tmp_path / "a.mp4", 3.5, 3.7)) == list(range(105, 111))
    assert len(decoded) < 20


def _counting(function, seen):
    def wrapped(*arguments):
        for item in function(*arguments):
            seen.append(item)
            yield item
    return wrapped


@pytest.mark.parametrize("rotation_deg, corner", [(90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_display_matrix_turns_pictures(tmp_path, rotation_deg, corner):
    """The red top left corner goes where the rotation tag sends it."""
    make_video(tmp_path / "a.mp4", count=3, rotation_deg=rotation_deg)
    video = Video.open(tmp_path / "a.mp4")
    assert video.rotation_deg == rotation_deg
    assert video.size_px == (SIZE if rotation_deg == 180 else SIZE[::-1])
    rgb = next(iter(video.frames())).rgb
    assert rgb.shape == (video.size_px[1], video.size_px[0], 3) and rgb.flags.c_contiguous
    red, green, blue = rgb[corner].astype(int)
    assert red > 180 and green < 80 and blue < 80


def test_old_rotate_tag_turns_pictures(tmp_path):
    """The `rotate` metadata (degrees clockwise) works where there is no display matrix."""
    make_video(tmp_path / "a.mkv", count=3, metadata={"rotate": "90"})
    video = Video.open(tmp_path / "a.mkv")
    assert video.rotation_deg == 90 and next(iter(video.frames())).rgb[0, -1, 0] > 180


def test_mirrored_matrix_mirrors():
    """A display matrix with a mirror flips the picture left to right and is no turn."""
    turn = Turn.from_matrix(np.array([[-1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    rgb = picture(5)
    np.testing.assert_array_equal(turn.apply(rgb), rgb[:, ::-1])
    assert turn.degrees == 0


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turns_agree_with_rot90(degrees):
    """A clockwise turn is numpy's rot90 with a negative count."""
    rgb = picture(77)
    np.testing.assert_array_equal(Turn.from_degrees(degrees).apply(rgb), np.rot90(rgb, -degrees // 90))
    assert Turn.from_degrees(degrees).degrees == degrees


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    """A pixel aspect of 4:3 makes the picture a third wider, with a warning."""
    make_video(tmp_path / "a.mp4", count=3, aspect=Fraction(4, 3))
    video = Video.open(tmp_path / "a.mp4")
    assert video.size_px == (128, 64) and next(iter(video.frames())).rgb.shape == (64, 128, 3)
    assert "not square" in video.warnings[0]


def test_size_change_is_scaled_to_the_first(tmp_path):
    """A frame size that changes in mid-stream is scaled to the first, with one warning."""
    make_resizing_video(tmp_path / "a.mkv", [SIZE] * 5 + [(48, 96)] * 5)
    video = Video.open(tmp_path / "a.mkv")
    frames = list(video.frames())
    assert {f.rgb.shape for f in frames} == {(64, 96, 3)} and [number_in(f.rgb) for f in frames] == list(range(10))
    assert len(video.warnings) == 1 and "size changes" in video.warnings[0]


def test_truncated_tail_keeps_what_decodes(tmp_path):
    """A file cut off after its index gives its first frames and says so."""
    make_video(tmp_path / "whole.mp4", count=60, container_options={"movflags": "+faststart"})
    data = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[:int(len(data) * 0.7)])
    video = Video.open(tmp_path / "a.mp4")
    assert "cut off" in video.warnings[0]
    found = numbers(video)
    assert 10 < len(found) < 60 and found == list(range(len(found)))


def test_damage_in_the_middle_leaves_no_hole(tmp_path):
    """Frames that can't be decoded are stood in for, so that every row comes exactly once."""
    make_video(tmp_path / "whole.mp4", count=60, container_options={"movflags": "+faststart"})
    data = bytearray((tmp_path / "whole.mp4").read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle:middle + 600] = bytes(600)
    (tmp_path / "a.mp4").write_bytes(data)
    video = Video.open(tmp_path / "a.mp4")
    frames = list(video.frames())
    assert [f.row for f in frames] == list(range(60)) and number_in(frames[-1].rgb) == 59
    assert "stands in" in video.warnings[0]


def test_stopping_early_ends_the_thread(tmp_path):
    """Leaving the loop ends the reader thread and closes the file."""
    make_video(tmp_path / "a.mp4", count=60)
    before = set(threading.enumerate())
    frames = Video.open(tmp_path / "a.mp4").frames()
    next(frames)
    started = [t for t in threading.enumerate() if t.name == "mrs-video" and t not in before]
    assert len(started) == 1
    frames.close()
    assert not started[0].is_alive()


def test_reader_stays_a_few_items_ahead():
    """The background reader is at most its depth ahead, so memory does not grow with length."""
    made = []
    items = in_background((made.append(i) or i for i in range(1000)), 4)
    next(items)
    time.sleep(0.2)
    assert len(made) <= 6
    items.close()


def test_reader_passes_errors_on():
    """An error in the reader thread is raised in the consumer, after the items before it."""
    def broken():
        yield 1
        raise ValueError("from the thread")

    items = in_background(broken(), 4)
    assert next(items) == 1
    with pytest.raises(ValueError, match="from the thread"):
        next(items)


def test_camera_and_sha256(tmp_path):
    """with_camera leaves the original alone; sha256 is the file's."""
    import hashlib

    make_video(tmp_path / "a.mp4", count=3)
    video = Video.open(tmp_path / "a.mp4")
    camera = Camera.from_fov(video.size_px)
    assert video.with_camera(camera).camera is camera and video.camera is None
    assert video.sha256 == hashlib.sha256((tmp_path / "a.mp4").read_bytes()).hexdigest()


def test_open_is_quick_to_refuse(tmp_path):
    """Every kind of bad input is an InputError of one line that says what came."""
    def zero_frames(path):
        import av
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            container.start_encoding()

    good = tmp_path / "good.mp4"
    make_video(good)
    cases = {"text.mp4": lambda p: p.write_text("hello\n" * 100), "empty.mp4": lambda p: p.write_bytes(b""),
             "zero.mp4": zero_frames, "zero.avi": zero_frames, "audio.m4a": make_audio,
             "moov.mp4": lambda p: p.write_bytes(good.read_bytes()[:1000]), "dir.mp4": lambda p: p.mkdir(),
             "missing.mp4": lambda p: None}
    words = {"text.mp4": "not one", "empty.mp4": "empty", "zero.mp4": "no pictures", "zero.avi": "no frames",
             "audio.m4a": "only audio", "moov.mp4": "cut off", "dir.mp4": "directory", "missing.mp4": "no such file"}
    for name, make in cases.items():
        make(tmp_path / name)
        with pytest.raises(InputError, match=words[name]) as caught:
            Video.open(tmp_path / name)
        assert "\n" not in str(caught.value) and str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("start, end, words", [(2.0, 1.0, "--start before --end"), (5.0, None, "runs from 0.000 s"),
                                               (None, -1.0, "runs from")])
def test_empty_selection_is_refused(tmp_path, start, end, words):
    """A start after the end, of the selection or of the video, is an InputError."""
    make_video(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=words):
        Video.open(tmp_path / "a.mp4", start, end)


def test_unreadable_file_is_refused(tmp_path):
    """A file without read permission is an InputError with the command that helps."""
    path = tmp_path / "a.mp4"
    make_video(path)
    path.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(InputError, match="chmod"):
            Video.open(path)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("size_px", [SIZE, (95, 63)])
def test_written_video_keeps_uneven_times(tmp_path, size_px):
    """Uneven times, pictures and an odd size survive writing; the last frame has a length; the index is in front."""
    import av

    path = tmp_path / "a.mp4"
    write_video(path, (picture(i, size_px) for i in range(len(UNEVEN_S))), UNEVEN_S + 7, size_px)
    video = Video.open(path)
    np.testing.assert_allclose(video.times_s, UNEVEN_S, atol=1e-4)
    assert numbers(video) == list(range(len(UNEVEN_S))) and video.size_px == (96, 64)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        length = float(stream.duration * stream.time_base)
    assert UNEVEN_S[-1] + 0.01 < length < UNEVEN_S[-1] + 0.1


@pytest.mark.parametrize("colour", [(200, 30, 30), (30, 180, 60), (40, 60, 210), (128, 128, 128)])
def test_colours_survive_writing(tmp_path, colour):
    """What is written comes back in the same colour (matrix and range are tagged and used)."""
    rgb = np.full((64, 96, 3), colour, np.uint8)
    write_video(tmp_path / "a.mp4", [rgb], np.array([0.0]), SIZE)
    back = next(iter(Video.open(tmp_path / "a.mp4").frames())).rgb
    np.testing.assert_allclose(back.mean((0, 1)), colour, atol=4)


def test_failed_writing_leaves_nothing(tmp_path):
    """An error while frames are drawn goes through as it is, and the file that was there stays."""
    path = tmp_path / "a.mp4"
    path.write_text("old")

    def frames():
        yield picture(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_video(path, frames(), np.arange(3) / 30, SIZE)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_full_disk_is_one_line(tmp_path):
    """Where the disk takes no more, the error names the file and no partial file is left."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(MrsError, match="a.mp4"):
            write_video(tmp_path / "a.mp4", (np.roll(noise, i) for i in range(60)), np.arange(60) / 30, SIZE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_bad_frames_and_times_are_refused(tmp_path):
    """Falling times, a wrong shape and too many frames are refused."""
    with pytest.raises(InputError, match="growing"):
        write_video(tmp_path / "a.mp4", [], np.array([0.0, 0.0]), SIZE)
    with pytest.raises(InputError, match="frame 0"):
        write_video(tmp_path / "a.mp4", [np.zeros((5, 5, 3), np.uint8)], np.array([0.0]), SIZE)
    with pytest.raises(InputError, match="got more"):
        write_video(tmp_path / "a.mp4", [picture(0), picture(1)], np.array([0.0]), SIZE)
    with pytest.raises(MrsError, match="no/a.mp4"):
        write_video(tmp_path / "no" / "a.mp4", [picture(0)], np.array([0.0]), SIZE)
