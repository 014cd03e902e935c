"""`mrs run` and its shorter sisters through the command line."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.command import FAKE_FLAGS, FAKES, ROOT, here, real
from tests.videos import make_audio, make_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_video(path, count=24)
    return path


def test_the_real_command_writes_the_folder_and_lists_it(video, tmp_path):
    """`mrs run VIDEO` writes VIDEO_mrs in the current folder: files on stdout, progress in plain lines on stderr."""
    ended = real("run", video, *FAKE_FLAGS, cwd=tmp_path)
    assert ended.code == 0, ended.err
    listed = ended.out.splitlines()
    assert listed[0] == "clip_mrs/tracks.npz"
    assert "clip_mrs/persons/02/motion.bvh" in listed
    assert all((tmp_path / name).is_file() for name in listed)
    assert "detector: done in" in ended.err
    assert "\x1b" not in ended.err


def test_json_is_run_json_and_nothing_else(video, tmp_path, capsys):
    """--json puts run.json's content on stdout; progress stays on stderr."""
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--json")
    assert json.loads(ended.out) == json.loads((tmp_path / "o/run.json").read_text())
    assert ended.code == 0


def test_quiet_says_nothing_on_stderr(video, tmp_path, capsys):
    """--quiet shows no progress."""
    assert here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--quiet").err == ""


def test_verbose_logs_stages_with_their_options(video, tmp_path, capsys):
    """-v tells which plugin runs with which options."""
    err = here(capsys, "detect", video, "-o", tmp_path / "o", *FAKE_FLAGS, "-v", "--set", "detector.step_px=3").err
    assert "INFO mrs.pipeline: detector 'fake'" in err
    assert "'step_px': 3.0" in err


def test_sisters_stop_earlier(video, tmp_path, capsys):
    """detect, lift and smooth are the first parts of run."""
    out = tmp_path / "o"
    assert here(capsys, "detect", video, "-o", out, *FAKE_FLAGS).out.split() == [str(out / n) for n in ("tracks.npz", "run.json")]
    assert str(out / "persons/01/lifted.npz") in here(capsys, "lift", video, "-o", out, *FAKE_FLAGS).out
    assert not (out / "persons/01/motion.npz").exists()
    assert str(out / "persons/01/motion.npz") in here(capsys, "smooth", video, "-o", out, *FAKE_FLAGS).out
    assert not (out / "persons/01/motion.bvh").exists()


def test_a_config_file_reaches_the_run(video, tmp_path, capsys):
    """A YAML file may hold the whole command, and flags win over it."""
    (tmp_path / "mrs.yaml").write_text(f"plugin: {FAKES}\ndetector: {{name: fake, step_px: 2.5}}\ntracker: fake\nlifter: fake\n"
                                       "smoother: fake\noverlay: false\nseed: 5\nfov: 60\n")
    ended = here(capsys, "run", video, "-o", tmp_path / "o", "--config", tmp_path / "mrs.yaml", "--seed", "6", "--json")
    report = json.loads(ended.out)
    assert report["stages"]["detector"]["options"] == {"people": 2, "step_px": 2.5}
    assert (report["settings"]["seed"], report["settings"]["fov"], report["settings"]["overlay"]) == (6, 60.0, False)


def bad_videos(folder: Path) -> dict[str, Path]:
    """Paths that are no videos."""
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    (folder / "empty.mp4").write_bytes(b"")
    make_audio(folder / "audio.mp4")
    make_video(folder / "whole.mp4", count=24)
    whole = (folder / "whole.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[:len(whole) // 3])
    os.mkfifo(folder / "pipe.mp4")
    return {"missing": folder / "nowhere.mp4", "directory": folder, "pipe": folder / "pipe.mp4", "text": folder / "text.mp4",
            "empty": folder / "empty.mp4", "audio": folder / "audio.mp4", "cut off": folder / "cut.mp4"}


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "text", "empty", "audio", "cut off"])
def test_bad_video_is_exit_three_in_one_line(tmp_path, capsys, kind):
    """Whatever is not a video ends in exit 3, in one line that names the path, and leaves no folder."""
    path = bad_videos(tmp_path)[kind]
    ended = here(capsys, "run", path, "-o", tmp_path / "o", *FAKE_FLAGS)
    assert ended.code == 3
    assert ended.out == ""
    assert ended.err.startswith("Error: Expected")
    assert str(path) in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("arguments, words", [
    (["--detctor", "fake"], "--detector"),
    (["--set", "detector.peple=1"], "Did you mean 'detector.people'?"),
    (["--set", "detectr.people=1"], "Did you mean 'detector'?"),
    (["--detector", "fakee"], "Did you mean 'fake'?"),
    (["--synth", "bdss"], "Did you mean 'bds'?"),
    (["--person", "biggest"], "largest, longest, center, all or ids"),
    (["--device", "gpu"], "'gpu'"),
    (["--fov", "wide"], "'wide'"),
    (["--fov", "999"], "at most 175"),
    (["--seed", "-1"], "at least 0"),
])
def test_wrong_usage_is_exit_two_with_the_nearest_name(video, tmp_path, capsys, arguments, words):
    """A mistyped flag, option, stage, plugin or value ends in exit 2 and leaves no folder."""
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS, *arguments)
    assert ended.code == 2
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "o").exists()


def test_no_command_and_unknown_commands(capsys):
    """Without a command there is help; an unknown one gets the nearest."""
    bare = here(capsys)
    assert bare.code == 2 and bare.err.startswith("Usage: mrs") and "\nFrom video to motion:\n  run " in bare.err
    ended = here(capsys, "rum")
    assert (ended.code, "Did you mean 'run'?" in ended.err) == (2, True)


def test_a_missing_extra_is_exit_four_with_the_command(video, tmp_path, capsys):
    """A plugin whose modules are absent ends in exit 4 and says how to install them."""
    (tmp_path / "p.py").write_text("import mrs\nclass P:\n    name = 'p'\n    needs = ('no_such_module_at_all',)\n    extra = 'p'\n"
                                   "    def lift(self, video, track): ...\n@mrs.hookimpl\ndef register_lifters(register):\n"
                                   "    register(P)\n")
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--plugin", tmp_path / "p.py", "--lifter", "p")
    assert ended.code == 4
    assert "Type: pip install 'mrs[p]'" in ended.err


def test_nobody_is_exit_five(video, tmp_path, capsys):
    """A video without people ends in exit 5, keeps tracks.npz, and says what to try."""
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--set", "detector.people=0")
    assert ended.code == 5
    assert "Try" in ended.err
    assert (tmp_path / "o/tracks.npz").exists()


def test_a_failing_plugin_is_one_line_and_a_traceback_with_debug(video, tmp_path, capsys, monkeypatch):
    """An unexpected exception is one line that names the plugin; --debug adds the traceback."""
    monkeypatch.setenv("FAKE_FAIL", "smoother")
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--quiet")
    assert ended.code == 1
    assert ended.err == ("Error: smoother 'fake' person 01: ValueError: the fake was told to fail. "
                         "Use --debug for the traceback.\n")
    assert "Traceback" in here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--debug").err


def test_a_plugin_that_does_not_load_is_named_and_the_run_goes_on(video, tmp_path, capsys):
    """A broken plugin on the command line costs a warning, not the run."""
    (tmp_path / "broken.py").write_text("import no_such_module_at_all")
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--plugin", tmp_path / "broken.py")
    assert ended.code == 0
    assert "broken.py did not load: ModuleNotFoundError" in ended.err


def test_ctrl_c_is_exit_130_and_says_how_to_go_on(video, tmp_path, capsys, monkeypatch):
    """A Ctrl-C tells what is kept and the command that goes on, which does."""
    monkeypatch.setenv("FAKE_STOP", "lifter:2")
    ended = here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS)
    assert ended.code == 130
    last = ended.err.strip().splitlines()[-1]
    assert "Kept in" in last
    assert "tracks.npz, persons/01/lifted.npz" in last
    assert f"To go on, type: mrs run {video} -o {tmp_path / 'o'}" in last
    monkeypatch.delenv("FAKE_STOP")
    assert here(capsys, "run", video, "-o", tmp_path / "o", *FAKE_FLAGS).code == 0


def test_a_real_ctrl_c_in_a_real_process(video, tmp_path):
    """SIGINT to the command while it detects ends in 130; what was detected is kept."""
    slow = tmp_path / "slow.py"
    slow.write_text(Path(FAKES).read_text().replace("            called(", "            __import__('time').sleep(0.2)\n            called("))
    flags = [slow if f == FAKES else f for f in FAKE_FLAGS]
    log = tmp_path / "calls.txt"
    process = subprocess.Popen([sys.executable, "-m", "mrs.cli", "run", *map(str, (video, "-o", tmp_path / "o", *flags))],
                               stderr=subprocess.PIPE, text=True, env={**os.environ, "FAKE_LOG": str(log)})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and "detector 3" in log.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "detected frames" in err
    assert json.loads((tmp_path / "o/run.json").read_text())["status"] == "interrupted"


def test_a_killed_run_goes_on(video, tmp_path, capsys):
    """kill -9 leaves neither a stale lock nor a half-written file in the way."""
    killer = tmp_path / "killer.py"
    killer.write_text("import mrs, os, signal\nclass Killer:\n    name = 'fake2'\n    def smooth(self, video, track, motion):\n"
                      "        if os.environ.get('KILL'): os.kill(os.getpid(), signal.SIGKILL)\n        return motion\n"
                      "@mrs.hookimpl\ndef register_smoothers(register):\n    register(Killer)\n")
    arguments = ("run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--plugin", killer, "--smoother", "fake2")
    assert real(*arguments, KILL="1").code == -signal.SIGKILL
    assert (tmp_path / "o/persons/02/lifted.npz").exists()
    assert here(capsys, *arguments).code == 0
    assert "persons/02/lifted.npz" in json.loads((tmp_path / "o/run.json").read_text())["reused"]


@pytest.fixture
def locked(tmp_path):
    """A folder that nobody may write to: without permission, or for root a read-only file system."""
    place = tmp_path / "locked"
    place.mkdir()
    if os.geteuid():
        place.chmod(0o555)
        yield place
        place.chmod(0o755)
        return
    mount("-o", "ro,size=100k", place)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def mount(*arguments) -> None:
    """Mount a small file system in memory, or skip the test."""
    done = subprocess.run(["mount", "-t", "tmpfs", *map(str, arguments[:-1]), "none", str(arguments[-1])], capture_output=True,
                          check=False)
    if done.returncode:
        pytest.skip("only root can mount a file system")


@pytest.mark.parametrize("name", ["o", ""])
def test_a_folder_that_can_not_be_written_is_exit_three(video, locked, capsys, name):
    """An output folder that can't be made, or is there and can't be written, is bad input: exit 3, one line, before any work."""
    ended = here(capsys, "run", video, "-o", locked / name, *FAKE_FLAGS)
    assert ended.code == 3
    assert ended.err.startswith(f"Error: Expected a folder to write to, but {locked / name} can't be written: ")
    assert ended.err.count("\n") == 1


def test_a_full_disk_is_one_line_and_keeps_what_is_finished(video, tmp_path, capsys):
    """A file that the disk refuses is exit 1, named, with the advice; with more room the run goes on."""
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))

    arguments = ["run", *map(str, (video, "-o", tmp_path / "o", *FAKE_FLAGS))]
    done = subprocess.run([sys.executable, "-B", "-m", "mrs.cli", *arguments, "--quiet"], capture_output=True, text=True,
                          preexec_fn=small_files, timeout=60, check=False)
    assert done.returncode == 1
    assert "can't be written: File too large" in done.stderr
    assert "free some space and type the same command again" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not [p for p in (tmp_path / "o").rglob(".*.*") if p.is_file()]
    assert (tmp_path / "o/tracks.npz").exists()
    ended = here(capsys, *arguments, "--json")
    assert ended.code == 0
    assert "tracks.npz" in json.loads(ended.out)["reused"]


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 100 KB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount("-o", "size=100k", place)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("filled", [0, 40_000, 60_000, 80_000, 96_000])
def test_a_really_full_disk(video, tiny_disk, capsys, filled):
    """Wherever the disk runs full, the line says so, no half file stays, and the same command goes on when there is room."""
    (tiny_disk / "ballast").write_bytes(bytes(filled))
    arguments = ("run", video, "-o", tiny_disk / "o", *FAKE_FLAGS, "--quiet")
    ended = here(capsys, *arguments)
    assert ended.code == 1
    assert "No space left on device" in ended.err
    assert ended.err.count("\n") == 1
    assert not [p for p in (tiny_disk / "o").rglob(".*.*") if p.is_file()]
    subprocess.run(["mount", "-o", "remount,size=2m", str(tiny_disk)], check=True)
    assert here(capsys, *arguments).code == 0


def test_a_closed_pipe_is_quiet(video, tmp_path):
    """`mrs plugins | head -1` ends without a word on stderr."""
    done = subprocess.run(f"{sys.executable} -m mrs.cli plugins | head -1", shell=True, capture_output=True, text=True,
                          timeout=60, check=False, cwd=tmp_path)
    assert done.stdout == "detectors\n"
    assert done.stderr == ""


def test_from_a_checkout_without_the_libraries(tmp_path):
    """`python cli.py` where nothing is installed is exit 4 and one line with the command, not a traceback."""
    done = subprocess.run([sys.executable, "-S", str(ROOT / "cli.py"), "--help"], capture_output=True, text=True, timeout=60,
                          check=False, cwd=tmp_path, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
    assert done.returncode == 4
    assert done.stderr.startswith("Error: mrs needs ") and f"-m pip install {ROOT}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_from_a_checkout_without_installing(video, tmp_path):
    """`python cli.py run` is the same command, with the plugins of the checkout, where mrs is not installed (-S)."""
    (tmp_path / "launch.py").write_text(
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print(sys.modules['mrs_plugins'].__path__, file=sys.stderr))\n"
        f"sys.argv[0] = {str(ROOT / 'cli.py')!r}\nrunpy.run_path(sys.argv[0], run_name='__main__')\n")
    libraries = os.pathsep.join(p for p in sys.path if p.endswith("site-packages"))
    ended = real("run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--quiet", cwd=tmp_path,
                 launcher=("-S", str(tmp_path / "launch.py")), PYTHONPATH=libraries)
    assert ended.code == 0, ended.err
    assert ended.err.strip() == str([str(ROOT / "plugins")])
    assert (tmp_path / "o/persons/01/motion.bvh").exists()
