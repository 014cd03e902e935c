"""The command line in shells, pipes and terminals of any width."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time

import pytest

from mrs.cli import COMMANDS, SECTIONS
from tests.command import FAKE_FLAGS, ROOT, here, real
from tests.videos import make_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    make_video(path, count=24)
    return path


def completed(words: str, count: int) -> list[str]:
    ended = real(_MRS_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(count))
    return [line.partition(",")[2] for line in ended.out.splitlines()]


def test_shells_complete_commands_flags_and_plugins():
    """Names of commands, of flags and of plugins come in answer to a few letters."""
    assert completed("mrs ba", 1) == ["batch"]
    assert completed("mrs config ", 2) == ["path", "show"]
    assert "--detector" in completed("mrs run --det", 2)
    assert "blazepose" in completed("mrs run --detector bl", 3)
    assert completed("mrs run --foot-lock gr", 3) == ["ground"]
    assert completed("mrs export RUN --to bvh,gl", 4) == ["bvh,gltf"] and "openpose" in completed("mrs export RUN --to ", 4)
    assert completed("mrs transfer A B --synth b", 5) == ["bds"] and "mesh" in completed("mrs render A --renderer m", 4)


def test_completing_behind_a_wrong_word_says_nothing():
    """A word that is no command gets no candidates, and no error into the line that is typed."""
    ended = real(_MRS_COMPLETE="bash_complete", COMP_WORDS="mrs runn --det", COMP_CWORD="2")
    assert (ended.out.strip(), ended.err) == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_what_the_shell_reads(shell, capsys):
    """The script is printed, and the shell, where there is one, finds no fault with it."""
    script = here(capsys, "completion", shell).out
    assert "_MRS_COMPLETE" in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize("arguments", [[], ["run"], ["batch"], ["config", "show"], ["models", "get"]])
def test_help_fits_a_terminal_of_forty_columns(arguments):
    """No line of help is longer than the terminal is wide, but words that are."""
    out = real(*arguments, "--help", COLUMNS="40").out
    long = [line for line in out.splitlines() if len(line) > 40 and len(line.split()) > 1]
    assert not [line for line in long if max(map(len, line.split())) < 30], out


@pytest.mark.parametrize("group", ["train", "eval", "data", "models", "tracks", "config"])
def test_groups_list_their_commands_in_whole_sentences(group, capsys):
    """No line of a group's list is cut off."""
    listed = here(capsys, group, "--help").out.partition("\nCommands:\n")[2]
    assert listed and "..." not in listed


def test_every_command_is_one_step_from_the_help(capsys):
    """`mrs --help` lists every command in a section, and every command's own help works."""
    out = here(capsys, "--help").out
    for name in COMMANDS:
        assert f"\n  {name} " in out
        assert here(capsys, name, "--help").code == 0
    assert "\nMore:" not in out, f"name these in a section of mrs.cli.SECTIONS: {set(COMMANDS) - {n for s in SECTIONS.values() for n in s}}"


def test_json_logs_are_json_line_by_line(video, tmp_path):
    """--log-json: everything on stderr is one object a line, with time and event: steps, logs, warnings."""
    ended = real("run", video, "-o", tmp_path / "o", *FAKE_FLAGS, "--log-json", "-v")
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert ended.code == 0 and all({"time", "event"} <= set(e) for e in events)
    assert {"step", "log", "warning"} <= {e["event"] for e in events}
    detector = next(e for e in events if e["event"] == "step" and e["step"] == "detector")
    assert (detector["done"], detector["total"], detector["unit"]) == (24, 24, "frames")
    assert ended.out.splitlines()[0].endswith("tracks.npz")


def test_json_errors_too(tmp_path):
    """An error is an object as well; MRS_LOG_JSON asks for the same."""
    for ended in (real("run", tmp_path / "no.mp4", "--log-json"), real("run", tmp_path / "no.mp4", MRS_LOG_JSON="1")):
        told = json.loads(ended.err)
        assert (ended.code, told["event"]) == (3, "error")
        assert told["message"].startswith("Expected")


def in_terminal(arguments: list[str], columns: int, **env) -> str:
    """Run mrs in a terminal of some width and return what it shows."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([sys.executable, "-m", "mrs.cli", *arguments], stdout=theirs, stderr=theirs, cwd=ROOT,
                               env={k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")} | {"TERM": "xterm-256color", **env})
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    os.close(ours)
    assert process.wait(10) == 0
    return shown.decode(errors="replace")


def test_no_color_means_no_colour(video, tmp_path):
    """With NO_COLOR a terminal gets bars that move but no colours; without it, colours."""
    arguments = ["run", str(video), "-o", str(tmp_path / "o"), *FAKE_FLAGS]
    coloured = in_terminal(arguments, 100)
    plain = in_terminal([*arguments, "--overwrite"], 100, NO_COLOR="1")
    assert "\x1b[38;" in coloured or "\x1b[3" in coloured
    import re

    assert not re.search(r"\x1b\[(?:3[0-7]|9[0-7]|38;|4[0-7]|48;)", plain)
    assert "detector" in plain


@pytest.mark.parametrize("arguments", [["plugins"], ["plugins", "show", "sfv"], ["models"], ["config", "show"]])
def test_lists_fit_a_narrow_terminal(arguments):
    """In 40 columns lists are broken between words, but for what is copied: commands, addresses, paths, checksums."""
    lines = in_terminal(arguments, 40).replace("\r", "").split("\n")
    long = [line for line in lines if len(line) > 40 and "Type: " not in line and "://" not in line]
    assert not [line for line in long if max(map(len, line.split())) < 26], long


def test_bars_fit_a_narrow_terminal(video, tmp_path):
    """In 40 columns a step takes one line: no bar, but percent and time."""
    shown = in_terminal(["run", str(video), "-o", str(tmp_path / "o"), *FAKE_FLAGS], 40, NO_COLOR="1")
    lines = [line for line in shown.replace("\r", "\n").splitlines() if "detector" in line]
    assert lines and "100%" in shown
    assert all(len(line) <= 40 or "\x1b" in line or line.startswith(("/", "Note")) for line in lines)
