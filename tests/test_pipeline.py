"""The pipeline with quick fake plugins: what is made, reused, refused, and kept."""

import json
import os
import signal
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mrs import config, detecting, pipeline, plugins, progress
from mrs.config import settings
from mrs.errors import InputError, MrsError, NoPersonError, PluginError, UsageError
from mrs.motion import Motion
from mrs.tracks import Tracks
from tests.command import FAKES
from tests.videos import make_video

FRAMES = 24


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_video(path, count=FRAMES)
    return path


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Return a function that gives the plugin calls since it was last asked."""
    log = tmp_path / "calls.txt"
    monkeypatch.setenv("FAKE_LOG", str(log))

    def since():
        lines = log.read_text().split("\n")[:-1] if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    return since


def go(video, out, *sets, until="export", overwrite=False, shown=None, **flags):
    """Run the fakes; return run.json's content."""
    names = dict.fromkeys(("detector", "tracker", "lifter", "smoother"), "fake")
    made = settings(video, {**names, "overlay": False, "report": False, **flags}, out=out, sets=sets, plugins=(FAKES,), until=until,
                    overwrite=overwrite)
    return pipeline.run(made, plugins.load(made.plugins), shown, ("mrs", "run"))


def same_tracks(a, b) -> bool:
    """Tell whether two tracks files hold the same people, bit for bit."""
    pairs = list(zip(Tracks.load(a).people, Tracks.load(b).people, strict=True))
    return all(np.array_equal(x.keypoints_px, y.keypoints_px) and np.array_equal(x.boxes_px, y.boxes_px)
               and np.array_equal(x.times_s, y.times_s) for x, y in pairs)


def test_a_run_leaves_the_folder_that_the_design_shows(video, tmp_path):
    """Every result is where it belongs, and nothing else is."""
    report = go(video, tmp_path / "o")
    found = {str(p.relative_to(tmp_path / "o")) for p in (tmp_path / "o").rglob("*") if p.is_file()}
    visible = {"run.json", "tracks.npz", *(f"persons/{n}/{f}" for n in ("01", "02")
                                           for f in ("lifted.npz", "motion.npz", "motion.bvh"))}
    assert {f for f in found if not f.startswith(".partial")} == visible == set(report["outputs"])
    assert Motion.load(tmp_path / "o/persons/01/lifted.npz").frame == "camera"
    motion = Motion.load(tmp_path / "o/persons/01/motion.npz")
    assert motion.frame == "world"
    assert abs(motion.root_pos_m[0, [0, 2]]).max() < 1e-9
    assert [step["stage"] for step in motion.history] == ["lifter", "smoother", "world"]


def test_a_smoother_may_take_several_people_at_once(video, tmp_path, calls, monkeypatch):
    """One call for both, the same files; who is done is kept when the other fails, and isn't made again."""
    apart = go(video, tmp_path / "apart")
    calls()
    with monkeypatch.context() as once, pytest.raises(KeyboardInterrupt):
        once.setenv("FAKE_BREAK", "finished:2")
        go(video, tmp_path / "o", smoother="together")
    assert "smoother 1+2" in calls()
    both = go(video, tmp_path / "o", smoother="together")
    assert calls()[:2] == ["smoother 2", "finished 2"]
    assert both["outputs"] == apart["outputs"]


def test_run_json_tells_everything(video, tmp_path):
    """run.json has schema, command, video facts, options, versions, seed, device, timings, quality and outputs."""
    go(video, tmp_path / "o", "lifter.depth_m=5", seed=3, camera_tilt=10, fov=60)
    report = json.loads((tmp_path / "o/run.json").read_text())
    assert (report["schema_version"], report["status"], report["seed"], report["device"]) == (1, "done", 3, "cpu")
    facts = report["video"]
    assert (facts["frames"], facts["size_px"], facts["times"], len(facts["sha256"])) == (FRAMES, [96, 64], "even", 64)
    assert facts["mean_fps"] == pytest.approx(30, abs=1e-6)
    assert report["stages"]["lifter"]["options"] == {"depth_m": 5.0}
    assert report["stages"]["lifter"]["version"].startswith("sha256:")
    assert report["libraries"]["numpy"] == np.__version__
    assert report["camera"]["R"][1][1] == pytest.approx(-np.cos(np.radians(10)))
    assert report["camera"]["K"][0][0] == pytest.approx(48 / np.tan(np.radians(30)))
    assert set(report["timings"]) == {"detector", "tracker", "camera", "lifter", "smoother", "world", "exporter"}
    assert set(report["persons"]["01"]["quality"]) == {"lifted", "refined"}
    assert report["persons"]["02"]["quality"]["refined"]["bone_change_mm"] < 1e-6


def test_uneven_times_are_told(tmp_path):
    """A video of variable frame rate is called uneven, with its mean rate."""
    times = np.cumsum([0, *([1 / 30, 1 / 10] * 6)])
    make_video(tmp_path / "vfr.mp4", times)
    facts = go(tmp_path / "vfr.mp4", tmp_path / "o", until="detect")["video"]
    assert facts["times"] == "uneven"
    assert facts["mean_fps"] == pytest.approx(12 / times[-1], rel=1e-4)


def test_a_second_run_calls_no_plugin(video, tmp_path, calls):
    """The same command again reuses every result."""
    first = go(video, tmp_path / "o")
    assert len(calls()) == FRAMES + 1 + 2 + 2
    stamps = {n: (tmp_path / "o" / n).stat().st_mtime_ns for n in first["outputs"] if n != "run.json"}
    second = go(video, tmp_path / "o")
    assert calls() == []
    assert {n: (tmp_path / "o" / n).stat().st_mtime_ns for n in stamps} == stamps
    assert set(second["reused"]) == set(stamps)
    assert second["persons"] == first["persons"]
    assert second["timings"] == first["timings"]


@pytest.mark.parametrize("sets, flags, stages", [
    (["smoother.strength=0.6"], {}, ["smoother"]),
    (["lifter.depth_m=5"], {}, ["lifter", "smoother"]),
    ([], {"fov": 70}, ["lifter", "smoother"]),
    (["detector.step_px=2"], {}, ["detector", "tracker", "lifter", "smoother"]),
    ([], {"seed": 1}, ["detector", "tracker", "lifter", "smoother"]),
    ([], {"end": 0.5}, ["detector", "tracker", "lifter", "smoother"]),
    (["exporter.unit=m"], {}, []),
])
def test_a_change_reruns_what_depends_on_it(video, tmp_path, calls, sets, flags, stages):
    """Only the stages whose options or inputs changed are called again."""
    go(video, tmp_path / "o")
    calls()
    before = (tmp_path / "o/persons/01/motion.bvh").read_text()
    go(video, tmp_path / "o", *sets, **flags)
    assert list(dict.fromkeys(line.split()[0] for line in calls())) == stages
    if "exporter.unit=m" in sets:
        assert (tmp_path / "o/persons/01/motion.bvh").read_text() != before


def test_a_changed_tracker_does_not_detect_again(video, tmp_path, calls):
    """Detections are kept, so that another tracker costs no second look at the video."""
    go(video, tmp_path / "o", until="detect")
    calls()
    again = go(video, tmp_path / "o", until="detect", tracker="oks")
    assert calls() == []
    assert again["reused"] == []


def test_a_changed_plugin_file_runs_again(video, tmp_path, calls):
    """The content of a file plugin is its version."""
    copy = tmp_path / "mine.py"
    text = Path(FAKES).read_text(encoding="utf-8")
    copy.write_text(text)

    def smooth():
        names = dict.fromkeys(("detector", "tracker", "lifter", "smoother"), "fake")
        made = settings(video, {**names, "overlay": False}, out=tmp_path / "o", plugins=(str(copy),), until="smooth")
        pipeline.run(made, plugins.load(made.plugins))

    smooth()
    calls()
    copy.write_text(text + "\n# another version\n")
    smooth()
    assert len(calls()) == FRAMES + 1 + 2 + 2


def test_a_result_changed_by_hand_is_made_again_and_told(video, tmp_path, calls):
    """A damaged or edited result does not match its hash: it is made again, with a note."""
    go(video, tmp_path / "o")
    calls()
    (tmp_path / "o/persons/02/lifted.npz").write_bytes(b"damaged")
    report = go(video, tmp_path / "o")
    assert calls() == ["lifter 2"]
    assert "persons/02/lifted.npz was changed by hand and is written anew." in report["warnings"]


def test_until_stops_early_and_the_rest_goes_on(video, tmp_path, calls):
    """detect, lift and smooth write up to their stage; run goes on from there."""
    assert go(video, tmp_path / "o", until="detect")["outputs"] == ["tracks.npz", "run.json"]
    assert "persons/01/lifted.npz" in go(video, tmp_path / "o", until="lift")["outputs"]
    assert not (tmp_path / "o/persons/01/motion.npz").exists()
    assert "persons/01/motion.npz" in go(video, tmp_path / "o", until="smooth")["outputs"]
    calls()
    go(video, tmp_path / "o")
    assert calls() == []


def edit(path):
    """Drop person 2 from a tracks file, as `mrs tracks drop` does."""
    tracks = Tracks.load(path)
    replace(tracks, people=tracks.people[:1], history=(*tracks.history, {"stage": "tracks", "operation": "drop"})).save(path)


def test_an_edited_tracks_file_is_gone_on_from(video, tmp_path, calls):
    """The edited file is used, what follows is made from it, and what did not change is reused."""
    go(video, tmp_path / "o")
    calls()
    edit(tmp_path / "o/tracks.npz")
    report = go(video, tmp_path / "o", "smoother.strength=0.7")
    assert calls() == ["smoother 1"]
    assert list(report["persons"]) == ["01"]
    assert any("edited" in w for w in report["warnings"])
    assert any("Left from earlier runs" in w and "persons/02/motion.bvh" in w for w in report["warnings"])
    assert len(Tracks.load(tmp_path / "o/tracks.npz")) == 1
    go(video, tmp_path / "o", "smoother.strength=0.7")
    assert calls() == []


def test_an_edit_by_hand_is_used_too(video, tmp_path, calls):
    """Tracks saved by a script, without a word in their history, count as edited."""
    go(video, tmp_path / "o")
    tracks = Tracks.load(tmp_path / "o/tracks.npz")
    moved = replace(tracks.people[0], keypoints_px=tracks.people[0].keypoints_px + np.array([1, 0, 0], np.float32))
    replace(tracks, people=(moved, tracks.people[1])).save(tmp_path / "o/tracks.npz")
    calls()
    assert any("edited" in w for w in go(video, tmp_path / "o")["warnings"])
    assert "lifter 1" in calls()


def test_an_edited_file_is_not_overwritten_by_other_settings(video, tmp_path, calls):
    """Other detector options with edited tracks are refused, saying what changed; --overwrite detects again."""
    go(video, tmp_path / "o")
    edit(tmp_path / "o/tracks.npz")
    calls()
    with pytest.raises(UsageError, match=r"was edited.*detector.step_px went from 1.0 to 2.0.*--overwrite"):
        go(video, tmp_path / "o", "detector.step_px=2")
    assert calls() == []
    assert len(Tracks.load(tmp_path / "o/tracks.npz")) == 1
    go(video, tmp_path / "o", "detector.step_px=2", overwrite=True)
    assert len(Tracks.load(tmp_path / "o/tracks.npz")) == 2


def test_an_edit_survives_a_new_version(video, tmp_path, calls, monkeypatch):
    """After an upgrade the edited tracks are still used, and the stages after them run again."""
    go(video, tmp_path / "o")
    edit(tmp_path / "o/tracks.npz")
    calls()
    monkeypatch.setattr("mrs.provenance.code_version", lambda: "99.0")
    go(video, tmp_path / "o")
    assert calls() == ["lifter 1", "smoother 1"]


def test_tracks_finished_just_before_a_crash_are_used(video, tmp_path, calls):
    """A crash between tracks.npz and run.json costs nothing and is not taken for an edit."""
    go(video, tmp_path / "o", until="detect")
    report = json.loads((tmp_path / "o/run.json").read_text())
    del report["results"]["tracks.npz"]
    (tmp_path / "o/run.json").write_text(json.dumps(report))
    calls()
    assert go(video, tmp_path / "o", until="detect")["warnings"] == []
    assert calls() == []


STOPS = ["detector:0", "detector:12", "tracker", "lifter:1", "lifter:2", "smoother:2"]


@pytest.mark.parametrize("variable", ["FAKE_STOP", "FAKE_BREAK"])
@pytest.mark.parametrize("stop", STOPS)
def test_an_interrupt_keeps_what_is_finished(video, tmp_path, calls, monkeypatch, stop, variable):
    """After Ctrl-C in any stage (a signal, or an exception in a plugin) the next run goes on to the same result."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    go(video, whole)
    calls()
    monkeypatch.setenv(variable, stop)
    with pytest.raises(KeyboardInterrupt) as error:
        go(video, broken)
    done = calls()
    report = json.loads((broken / "run.json").read_text())
    assert report["status"] == "interrupted"
    assert report["stopped_at"].startswith(stop.split(":")[0])
    assert "Kept in" in error.value.kept
    monkeypatch.delenv(variable)
    go(video, broken)
    later = calls()
    assert same_tracks(whole / "tracks.npz", broken / "tracks.npz")
    for name in ("persons/01/motion.bvh", "persons/02/motion.bvh"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    finished = done if stop.startswith("detector") else done[:-1]
    if variable == "FAKE_STOP" or not stop.startswith("detector"):
        assert not set(finished) & set(later)


@pytest.mark.parametrize("label", ["exporter persons/02/motion_count.npz", "renderer"])
def test_an_interrupt_while_writing_leaves_no_half_file(video, tmp_path, calls, label):
    """Ctrl-C while files are written leaves whole files only, and the next run writes the rest."""
    class Impatient(progress.Silent):
        @contextmanager
        def step(self, shown, total=None, unit="frames"):
            if shown.startswith("exporter") and shown == label:
                os.kill(os.getpid(), signal.SIGINT)
            yield lambda done, total=None, found=None: done == 5 and shown == label and os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as error:
        go(video, tmp_path / "o", shown=Impatient(), overlay=True, export="count")
    assert "persons/01/motion.bvh" in error.value.kept
    assert "overlay.mp4" not in error.value.kept
    files = [p.name for p in (tmp_path / "o").rglob("*") if p.is_file() and p.suffix != ".json"]
    assert not [name for name in files if name.startswith(".") or name == "overlay.mp4"]
    calls()
    report = go(video, tmp_path / "o", overlay=True, export="count")
    assert set(calls()) <= {"exporter"}
    assert (tmp_path / "o/overlay.mp4").exists() and "overlay.mp4" not in report["reused"]


def test_checkpoints_save_all_but_the_last_seconds(video, tmp_path, calls, monkeypatch):
    """Even an interrupt in the middle of a frame costs only the frames since the last checkpoint."""
    monkeypatch.setattr(detecting, "CHECKPOINT_S", 0.0)
    monkeypatch.setenv("FAKE_BREAK", "detector:15")
    with pytest.raises(KeyboardInterrupt) as error:
        go(video, tmp_path / "broken")
    assert "15 detected frames" in error.value.kept
    monkeypatch.delenv("FAKE_BREAK")
    calls()
    go(video, tmp_path / "broken", until="detect")
    assert calls()[:1] == ["detector 15"]
    go(video, tmp_path / "whole", until="detect")
    assert same_tracks(tmp_path / "whole/tracks.npz", tmp_path / "broken/tracks.npz")


def test_checkpoints_of_other_settings_are_not_used(video, tmp_path, calls, monkeypatch):
    """Half a detection with other options is thrown away."""
    monkeypatch.setenv("FAKE_STOP", "detector:12")
    with pytest.raises(KeyboardInterrupt):
        go(video, tmp_path / "broken")
    monkeypatch.delenv("FAKE_STOP")
    calls()
    go(video, tmp_path / "broken", "detector.step_px=2", until="detect")
    assert calls()[0] == "detector 0"
    go(video, tmp_path / "whole", "detector.step_px=2", until="detect")
    assert same_tracks(tmp_path / "whole/tracks.npz", tmp_path / "broken/tracks.npz")


def test_broken_tracks_are_refused_with_the_way_out(video, tmp_path):
    """A tracks.npz that can't be read is bad input; it is not made anew over somebody's edits."""
    go(video, tmp_path / "o", until="detect")
    (tmp_path / "o/tracks.npz").write_bytes(b"")
    with pytest.raises(InputError, match="type --overwrite"):
        go(video, tmp_path / "o", until="detect")
    assert (tmp_path / "o/tracks.npz").read_bytes() == b""


def test_a_detector_that_returns_everything_at_once_works(video, tmp_path, calls):
    """A detector may return Detections instead of yielding."""
    go(video, tmp_path / "a", until="detect", detector="forgetful")
    go(video, tmp_path / "b", until="detect")
    assert same_tracks(tmp_path / "a/tracks.npz", tmp_path / "b/tracks.npz")


def test_nobody_is_exit_five_with_what_to_try(video, tmp_path):
    """A video without people keeps its tracks.npz and ends in NoPersonError."""
    with pytest.raises(NoPersonError, match="nobody was found in 24 frames"):
        go(video, tmp_path / "o", "detector.people=0")
    assert NoPersonError.exit_code == 5
    assert len(Tracks.load(tmp_path / "o/tracks.npz")) == 0


@pytest.mark.parametrize("frames, words", [(3, "in at least 4 frames, but whoever was seen was seen in 3 at most"),
                                           (9, "0.30 s). Try --set tracker.min_seen_s=0.15 ")])
def test_brief_people_are_told_what_lets_them_in(frames, words):
    """The advice is an option that helps; where too few frames are left for any option, it says so."""
    told = {"longest_left_out_s": frames / 30, "most_frames_left_out": frames, "least_frames": 4}
    assert words in pipeline._too_little(Path("v.mp4"), told)
    assert ("Try" in pipeline._too_little(Path("v.mp4"), told)) == (frames == 9)


def test_one_person_of_two(video, tmp_path):
    """--person takes ids, and refuses those that are not there."""
    assert list(go(video, tmp_path / "o", person="2")["persons"]) == ["02"]
    with pytest.raises(MrsError, match="7"):
        go(video, tmp_path / "o", person="7")


def test_a_failing_plugin_is_named_and_the_rest_kept(video, tmp_path, calls, monkeypatch):
    """An exception in a plugin says where it came from; finished results stay."""
    monkeypatch.setenv("FAKE_FAIL", "smoother")
    with pytest.raises(ValueError, match="told to fail") as error:
        go(video, tmp_path / "o")
    assert error.value.where == "smoother 'fake' person 01"
    report = json.loads((tmp_path / "o/run.json").read_text())
    assert (report["status"], report["error"]) == ("failed", "ValueError: the fake was told to fail")
    monkeypatch.delenv("FAKE_FAIL")
    calls()
    go(video, tmp_path / "o")
    assert calls() == ["smoother 1", "smoother 2"]


@pytest.mark.parametrize("body, words", [
    ("return None", "Expected smoother 'odd' to return Motion, but it returned NoneType"),
    ("return dataclasses.replace(motion, root_pos_m=motion.root_pos_m * float('nan'))", "Expected finite root_pos_m"),
    ("return mrs.Motion.standing(track.times_s[:5])", "track's 24 times, but it returned 5 frames"),
    ("return mrs.Motion.standing(track.times_s + 1)", "at other times"),
])
def test_a_wrong_motion_is_refused_at_the_border(video, tmp_path, body, words):
    """What a plugin returns is checked once, and the plugin is named."""
    (tmp_path / "odd.py").write_text(f"import dataclasses\nimport mrs\nclass Odd:\n    name = 'odd'\n    def smooth(self, video, "
                                     f"track, motion):\n        {body}\n@mrs.hookimpl\ndef register_smoothers(register):\n"
                                     "    register(Odd)\n")
    names = {"detector": "fake", "tracker": "fake", "lifter": "fake", "smoother": "odd", "overlay": False}
    made = settings(video, names, out=tmp_path / "o", plugins=(FAKES, str(tmp_path / "odd.py")))
    with pytest.raises(PluginError) as error:
        pipeline.run(made, plugins.load(made.plugins))
    assert words in str(error.value)


def test_exporters_do_not_write_over_results(video, tmp_path):
    """An exporter whose files end in .npz gets a name of its own, and its notes reach run.json."""
    report = go(video, tmp_path / "o", export="count", person="1")
    assert (tmp_path / "o/persons/01/motion_count.npz").read_text() == f"{FRAMES}\n"
    assert "persons/01/motion_count.npz" in report["outputs"]
    assert "persons/01/motion_count.npz: counted" in report["warnings"]
    assert len(Motion.load(tmp_path / "o/persons/01/motion.npz")) == FRAMES


def test_exporter_options_reach_those_who_know_them(video, tmp_path):
    """With several exporters each takes the options it has; one that nobody has is refused."""
    go(video, tmp_path / "o", "exporter.unit=m", export="bvh,count", person="1")
    with pytest.raises(UsageError, match=r"Did you mean 'exporter.unit'\?"):
        go(video, tmp_path / "o", "exporter.unti=m", export="bvh,count")


def test_the_overlay_is_drawn_once(video, tmp_path):
    """The overlay has the video's times, and is made again only when a motion changed."""
    report = go(video, tmp_path / "o", overlay=True, person="1")
    assert "overlay.mp4" in report["outputs"]
    from tests.videos import decoded_times

    assert np.allclose(decoded_times(tmp_path / "o/overlay.mp4"), np.arange(FRAMES) / 30, atol=1e-3)
    assert "overlay.mp4" in go(video, tmp_path / "o", overlay=True, person="1")["reused"]
    assert "overlay.mp4" not in go(video, tmp_path / "o", "lifter.depth_m=6", overlay=True, person="1")["reused"]


def test_another_video_is_refused(video, tmp_path, calls):
    """A folder belongs to one video; --overwrite replaces what mrs made there and nothing else."""
    go(video, tmp_path / "o")
    (tmp_path / "o/notes.txt").write_text("mine")
    other = tmp_path / "other.mp4"
    make_video(other, count=FRAMES + 1)
    calls()
    with pytest.raises(UsageError, match=r"run of another video \(.*clip.mp4\).*--overwrite"):
        go(other, tmp_path / "o")
    assert calls() == []
    report = go(other, tmp_path / "o", overwrite=True, until="detect")
    assert report["video"]["frames"] == FRAMES + 1
    assert not (tmp_path / "o/persons/01/motion.bvh").exists()
    assert (tmp_path / "o/notes.txt").read_text() == "mine"


def test_a_renamed_video_is_the_same_video(video, tmp_path, calls):
    """Inputs are known by content, not by name."""
    go(video, tmp_path / "o")
    calls()
    moved = tmp_path / "moved.mp4"
    moved.write_bytes(video.read_bytes())
    go(moved, tmp_path / "o")
    assert calls() == []


def test_two_runs_in_one_folder_are_refused(video, tmp_path):
    """A folder in use says by which process; afterwards it is free."""
    from mrs.runfolder import RunFolder

    held = RunFolder.open(tmp_path / "o", "x")
    with pytest.raises(MrsError, match=f"in use by another mrs .process {os.getpid()}"):
        go(video, tmp_path / "o")
    held.close()
    go(video, tmp_path / "o", until="detect")


@pytest.mark.parametrize("sets, flags, words", [
    (["detector.peple=1"], {}, "Did you mean 'detector.people'?"),
    ([], {"smoother": "sv"}, "Did you mean 'sfv'?"),
    ([], {"synth": "bdss"}, "Did you mean 'bds'?"),
    (["synthesizer.x=1"], {}, "--synth NAME"),
    ([], {"export": "bhv"}, "Did you mean 'bvh'?"),
    (["renderer.opacty=1"], {}, "Did you mean 'renderer.opacity'?"),
])
def test_unknown_names_are_refused_before_any_work(video, tmp_path, sets, flags, words):
    """A typing error costs no time and leaves no folder."""
    with pytest.raises(UsageError) as error:
        go(video, tmp_path / "o", *sets, **flags)
    assert words in str(error.value)
    assert not (tmp_path / "o").exists()


def test_a_file_where_the_folder_should_be(video, tmp_path):
    """-o FILE is bad input."""
    (tmp_path / "o").write_text("")
    with pytest.raises(InputError, match="is a file"):
        go(video, tmp_path / "o")


def test_a_foreign_run_json_is_refused(video, tmp_path):
    """A run.json that mrs did not write is left alone."""
    (tmp_path / "o").mkdir()
    (tmp_path / "o/run.json").write_text("[1, 2]")
    with pytest.raises(InputError, match="to be written by mrs"):
        go(video, tmp_path / "o")
    assert (tmp_path / "o/run.json").read_text() == "[1, 2]"


def test_leftovers_of_a_killed_run_are_swept(video, tmp_path):
    """Temporary files that a killed run left are removed; files that only look a little like them stay."""
    (tmp_path / "o/persons/01").mkdir(parents=True)
    for name in (".tracks.abcd1234.npz", "persons/01/.motion.x1y2z3_4.npz", ".hidden", ".my.notes.txt"):
        (tmp_path / "o" / name).write_text("")
    go(video, tmp_path / "o", until="detect")
    assert not (tmp_path / "o/.tracks.abcd1234.npz").exists()
    assert not (tmp_path / "o/persons/01/.motion.x1y2z3_4.npz").exists()
    assert (tmp_path / "o/.hidden").exists()
    assert (tmp_path / "o/.my.notes.txt").exists()


def test_progress_is_told_for_each_stage(video, tmp_path):
    """Each stage shows its frames and ends at its total."""
    seen = {}

    class Recording(progress.Silent):
        def step(self, label, total=None, unit="frames"):
            from contextlib import nullcontext

            return nullcontext(lambda done, total=None, found=None: seen.setdefault(label, []).append(done))

    go(video, tmp_path / "o", shown=Recording())
    assert seen["detector"][-1] == FRAMES
    assert seen["detector"] == sorted(seen["detector"])
    assert seen["smoother person 01"] == [1]


def test_the_default_folder_is_named_after_the_video(video):
    """Without -o the folder is the video's name and _mrs, in the current folder."""
    assert str(config.settings(video, {}).out) == "clip_mrs"
