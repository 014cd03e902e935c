"""`mrs render`, and synth.mp4 of `mrs run --synth`, through the command line."""

import json

import numpy as np
import pytest

from benchmarks import dressed
from mrs.motion import Motion
from mrs.video import Video
from tests.command import FAKE_FLAGS, here, real
from tests.render.conftest import run_folder
from tests.videos import make_video

PAINT = ("--set", "renderer.backend=paint")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A short clip of somebody in known clothes."""
    return dressed.film(dressed.turning(0.8, 10.0), tmp_path_factory.mktemp("clip"), (200, 150)).clip


@pytest.fixture
def run(clip, tmp_path):
    """Its run folder."""
    return run_folder(clip, tmp_path / "run")


def shape(path):
    """Size and number of pictures of a video that was written."""
    video = Video.open(path)
    return video.size_px, len(video)


def test_a_motion_of_a_run_is_drawn_by_its_own_camera(run, capsys):
    """The real command: MOTION alone takes its run's looks, its camera and its size; the appearance is kept."""
    motion = run / "persons" / "01" / "motion.npz"
    ended = real("render", motion, *PAINT)
    assert ended.code == 0, ended.err
    out = motion.with_suffix(".mp4")
    assert ended.out.strip() == str(out) and shape(out) == ((200, 150), 8)
    assert (run / "persons" / "01" / "appearance.npz").is_file()
    again = here(capsys, "render", motion, *PAINT)
    assert again.code == 2 and "--overwrite" in again.err
    assert np.ptp(next(iter(Video.open(out).frames())).rgb.astype(int)) > 50


def test_any_motion_takes_the_looks_of_a_run(run, clip, tmp_path, capsys):
    """A BVH, two sizes, a rate, every camera and the stick figure; JSON says what was written."""
    from mrs import plugins

    plugins.load().make("exporter", "bvh").write(clip.motion, tmp_path / "a.bvh")
    for number, flags in enumerate((("--camera", "orbit"), ("--camera", "side", "--fps", "5"), ("--renderer", "stick"),
                                    ("--camera", "clip", "--set", "background=plain"))):
        out = tmp_path / f"{number}.mp4"
        backend = PAINT if "stick" not in flags else ()
        ended = here(capsys, "render", tmp_path / "a.bvh", "-a", run, "-o", out, "--size", "160x90", *backend, *flags, "--json", "--quiet")
        assert ended.code == 0, ended.err
        told = json.loads(ended.out)
        assert told["outputs"] == [str(out)] and told["size_px"] == [160, 90]
        assert shape(out) == ((160, 90), told["frames"]) and told["frames"] == (4 if "--fps" in flags else 8)


def test_without_a_clip_a_plain_body_is_followed(clip, tmp_path, capsys):
    """A lone motion is drawn at 720p by a camera that follows; one of its own camera's view where it has one."""
    from dataclasses import replace

    replace(clip.motion.part(0, 3), camera=None).save(tmp_path / "m.npz")
    ended = here(capsys, "render", tmp_path / "m.npz", *PAINT, "--quiet")
    assert ended.code == 0, ended.err
    assert shape(tmp_path / "m.mp4") == ((1280, 720), 3)


def test_a_video_is_run_first_and_its_folder_is_used_again(clip, tmp_path, monkeypatch, capsys):
    """NAME_mrs is made where it is absent and used where it holds the same video."""
    from mrs import pipeline

    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(clip.video.path.read_bytes())
    calls = []

    def fake(settings, registry, shown, command=()):
        calls.append(settings)
        folder = run_folder(clip, settings.out)
        facts = json.loads((folder / "run.json").read_text())
        facts["video"]["path"] = str(tmp_path / "clip.mp4")
        (folder / "run.json").write_text(json.dumps(facts))

    monkeypatch.setattr(pipeline, "run", fake)
    clip.motion.save(tmp_path / "m.npz")
    for flags in ((), ("--overwrite",)):
        ended = here(capsys, "render", "m.npz", "-a", "clip.mp4", *PAINT, "--size", "160x120", *flags, "--quiet")
        assert ended.code == 0, ended.err
    assert len(calls) == 1 and str(calls[0].out) == "clip_mrs" and calls[0].until == "smooth"


def test_wrong_arguments_end_in_one_line(run, tmp_path, capsys):
    """Each with its exit code and what to type."""
    motion = run / "persons" / "01" / "motion.npz"
    out = ("-o", tmp_path / "o.mp4", "--quiet")
    for flags, code, text in (
        (("--renderer", "overlay"), 2, "draws all people over a video"),
        (("--renderer", "mseh"), 2, "Did you mean 'mesh'"),
        (("--size", "0x5"), 2, "WIDTHxHEIGHT"), (("--size", "9000x9000"), 2, "8192"),
        (("--fps", "nan"), 2, "--fps"), (("--set", "renderer.shadwo=1"), 2, "shadow"), (("--set", "detector.x=1"), 2, "renderer.OPTION"),
        (("--set", "renderer.shading=7"), 2, "at most 1"), (("--personalise", "120s"), 2, "shape-pose"),
        (("-a", tmp_path / "none"), 3, "no such file"), (("--person", "7"), 2, "7"),
        (("-o", tmp_path / "r.png"), 2, "ends in .mp4, .m4v, .mov"), (("-o", tmp_path / "r"), 2, "Type: -o"),
        (("-o", tmp_path), 2, "there already"), (("-o", tmp_path / "no" / "a.mp4"), 3, "folder that is there")):
        ended = here(capsys, "render", motion, *out, *flags)
        assert ended.code == code, (flags, ended)
        assert text in ended.err and "Traceback" not in ended.err and len(ended.err.strip().splitlines()[-1]) > 20, ended.err
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_no_driver_is_a_note_or_an_error(run, monkeypatch, capsys, tmp_path):
    """auto paints and says so; gl ends with what to install."""
    from mrs.errors import MissingError
    from mrs.render import gl

    def refuse():
        raise MissingError("Expected an OpenGL driver, but there is none. Type: apt install libegl1")

    monkeypatch.setattr(gl, "open_context", refuse)
    motion = run / "persons" / "01" / "motion.npz"
    ended = here(capsys, "render", motion, "-o", tmp_path / "a.mp4")
    assert ended.code == 0 and "painted without OpenGL" in ended.err and "apt install libegl1" in ended.err
    ended = here(capsys, "render", motion, "-o", tmp_path / "b.mp4", "--set", "renderer.backend=gl", "--quiet")
    assert ended.code == 4 and "apt install libegl1" in ended.err and not (tmp_path / "b.mp4").exists()


def test_run_with_synth_writes_the_person_beside_the_video(clip, tmp_path, capsys):
    """synth.mp4 is twice as wide; the second run draws nothing anew, another renderer does; options go to who knows them."""
    make_video(tmp_path / "clip.mp4", count=30)
    flags = ("run", tmp_path / "clip.mp4", "-o", tmp_path / "o", *FAKE_FLAGS, "--synth", "displacement-copy", "--json", "--quiet")
    first = here(capsys, *flags, *PAINT)
    assert first.code == 0, first.err
    report = json.loads(first.out)
    assert "synth.mp4" in report["outputs"] and report["stages"]["person_renderer"]["name"] == "mesh"
    assert shape(tmp_path / "o" / "synth.mp4") == ((192, 64), 30)
    assert len(report["persons"]) > 1 and not any("synth.mp4 shows" in line for line in report["warnings"])
    assert "synth.mp4" in json.loads(here(capsys, *flags, *PAINT).out)["reused"]
    other = json.loads(here(capsys, *flags, "--renderer", "stick", "--overlay", "--set", "renderer.width=0.02", "--set",
                            "renderer.opacity=0.5").out)
    assert "synth.mp4" not in other["reused"] and other["stages"]["renderer"]["options"]["opacity"] == 0.5
    assert other["stages"]["person_renderer"]["options"]["width"] == 0.02
    refused = here(capsys, *flags, "--renderer", "overlay")
    assert refused.code == 2 and "draws all people" in refused.err
    assert here(capsys, *flags, "--set", "renderer.nothing=1").code == 2


def test_the_left_half_of_synth_is_the_video_at_the_same_time(tmp_path, capsys):
    """The pictures' own numbers are those of their times."""
    from tests.videos import number_in

    make_video(tmp_path / "clip.mp4", count=20)
    ended = here(capsys, "run", tmp_path / "clip.mp4", "-o", tmp_path / "o", *FAKE_FLAGS, "--synth", "displacement-copy", "--quiet", *PAINT)
    assert ended.code == 0, ended.err
    times = Motion.load(tmp_path / "o" / "persons" / "01" / "motion.npz").times_s
    for frame in Video.open(tmp_path / "o" / "synth.mp4").frames():
        assert number_in(frame.rgb[:, :96]) == round(times[frame.row] * 30)


def test_a_still_picture_runs(clip, tmp_path):
    """One frame passes the tracker that ships: a person seen in the only picture there is is kept."""
    from mrs import plugins
    from mrs.tracks import Detections, People

    track = clip.track
    seen = People(track.keypoints_px[:1] * [[60, 60, 1]], track.boxes_px[:1], np.ones(1, np.float32))
    tracker = plugins.load().make("tracker", "oks")
    tracker.progress = lambda *_: None
    found = tracker.link(clip.video, Detections(track.keypoints, track.frame_ids[:1], np.zeros(1), [seen]))
    assert len(found) == 1
