import io
import re

from mrs import progress


def test_plain_lines_are_few_and_tell_rate_and_time_left(monkeypatch):
    """Without a terminal a line comes at most every few seconds, with frames a second and seconds left."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with progress.Plain(stream).step("detector", 240) as update:
        for frame in range(1, 241):
            now[0] += 0.125
            update(frame)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 6 + 1
    assert lines[0] == "detector: 40 of 240, 8.0 frames/s, 25 s left"
    assert lines[-1] == "detector: done in 30.0 s, 8.0 frames/s"


def test_frames_of_an_earlier_run_do_not_count_as_speed(monkeypatch):
    """A step that goes on from frame 1000 tells its own rate, not that of the frames it found done."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with progress.Plain(stream).step("detector", 2000) as update:
        update(1000, found=1000)
        now[0] = 10.0
        update(1100)
    assert stream.getvalue().splitlines() == ["detector: 1100 of 2000, 10.0 frames/s, 90 s left",
                                              "detector: done in 10.0 s, 10.0 frames/s"]


def test_a_failed_step_is_not_called_done():
    """A step that raises prints no line that says it is done."""
    stream = io.StringIO()
    try:
        with progress.Plain(stream).step("lifter"):
            raise ValueError
    except ValueError:
        pass
    assert stream.getvalue() == ""


def test_quiet_is_silent(capsys):
    """--quiet shows nothing."""
    with progress.choose(quiet=True) as shown, shown.step("detector", 3) as update:
        update(1)
        shown.line("text")
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_bars_with_stage_rate_and_time(monkeypatch):
    """On a terminal there is a bar with the stage, how far it is, the rate, and the time left."""
    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with progress.choose(quiet=False) as shown, shown.step("detector", 10) as update:
        update(10)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert re.search(r"detector .*10/10 .*0:00:00", text)


def test_no_color_is_respected(monkeypatch):
    """With NO_COLOR the bars carry no colours."""
    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    with progress.choose(quiet=False) as shown, shown.step("detector", 10) as update:
        update(5)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", terminal.getvalue())
