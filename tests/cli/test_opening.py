"""`--open`: a browser is started quietly, or its absence told in one line."""

import stat
import sys
import time

import pytest

from mrs.cli import opening

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these have starters of their own")


@pytest.fixture
def no_display(monkeypatch):
    for name in opening.DISPLAYS:
        monkeypatch.delenv(name, raising=False)


def starter(folder, monkeypatch):
    """An xdg-open of our own, the only one on the path, that writes down what it is asked and complains."""
    path = folder / "xdg-open"
    path.write_text(f'#!/bin/sh\necho "$1" > {folder}/asked.part && /bin/mv {folder}/asked.part {folder}/asked\necho "lynx: not found" >&2\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    return folder / "asked"


def test_without_a_display_one_line_says_what_to_open(no_display, tmp_path, monkeypatch, capfd):
    """xdg-open isn't asked, since it would try browsers of the terminal and complain of each."""
    asked = starter(tmp_path, monkeypatch)
    opening.show("http://localhost:8080")
    told = capfd.readouterr()
    assert told.err == "No browser could be started here. Open http://localhost:8080 yourself.\n" and told.out == ""
    assert not asked.exists()


def test_without_a_starter_the_same(no_display, tmp_path, monkeypatch, capfd):
    """A display alone opens nothing."""
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("PATH", str(tmp_path))
    opening.show("page.html")
    assert "Open page.html yourself." in capfd.readouterr().err


def test_with_a_display_the_browser_is_started_quietly(no_display, tmp_path, monkeypatch, capfd):
    """xdg-open gets the address; what it says stays unsaid."""
    asked = starter(tmp_path, monkeypatch)
    monkeypatch.setenv("DISPLAY", ":0")
    opening.show("page.html")
    end = time.monotonic() + 20
    while not asked.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert asked.read_text() == "page.html\n"
    assert capfd.readouterr().err == ""
