"""`mrs tracks` through the real command line."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from mrs.cli.tracks import command
from mrs.errors import InputError, MrsError, UsageError
from mrs.tracks import Tracks
from tests.test_track_edit import person, tracks_of


@pytest.fixture
def run(tmp_path):
    """A run folder with persons 1 (0 to 1 s), 2 (all the time) and 3 (2 to 3 s)."""
    tracks_of(person(1, range(10)), person(2, range(40), x=400.0), person(3, range(20, 30))).save(tmp_path / "tracks.npz")
    return tmp_path


def call(*arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def people(path):
    return [t.person for t in Tracks.load(path).people]


def test_show_prints_a_line_a_person(run):
    """The table has a title line, then id, times, frames, share seen, confidence and height."""
    for target in (run, run / "tracks.npz"):
        lines = call("show", target).stdout.splitlines()
        assert lines[0].split() == ["person", "first", "s", "last", "s", "frames", "seen", "%", "confidence", "height", "px"]
        assert lines[3].split() == ["3", "2.000", "2.900", "10", "100.0", "0.80", "100"]


def test_show_json_can_be_read_by_machines(run):
    """--json has the same numbers, and the history."""
    told = json.loads(call("show", run, "--json").stdout)
    assert [p["person"] for p in told["people"]] == [1, 2, 3]
    assert told["people"][0]["last_s"] == pytest.approx(0.9)
    assert told["history"] == [{"stage": "tracker"}]


def test_edits_replace_the_file_and_show_the_outcome(run):
    """merge, split, swap and drop in a row, each in place, each in the history; stdout has the new table."""
    assert call("merge", run, 1, 3).stdout.splitlines()[1].split()[:4] == ["1", "0.000", "2.900", "30"]
    call("split", run, 2, "--at", 1.5)
    assert people(run / "tracks.npz") == [1, 2, 3]
    call("swap", run, 1, 3, "--from", 2.0, "--to", 2.5)
    result = call("drop", run, 2)
    assert people(run / "tracks.npz") == [1, 3]
    assert "wrote" in result.stderr and "wrote" not in result.stdout
    history = Tracks.load(run / "tracks.npz").history
    assert [h.get("operation") for h in history] == [None, "merge", "split", "swap", "drop"]
    assert [p.name for p in run.iterdir()] == ["tracks.npz"]


def test_output_leaves_the_run_as_it_is(run, tmp_path):
    """-o writes another file and the run's own stays the same to the byte."""
    before = (run / "tracks.npz").read_bytes()
    call("drop", run, 2, "-o", tmp_path / "other.npz")
    assert (run / "tracks.npz").read_bytes() == before
    assert people(tmp_path / "other.npz") == [1, 3]


def test_a_refused_edit_leaves_the_file_as_it_is(run):
    """An unknown id changes nothing on disk."""
    before = (run / "tracks.npz").read_bytes()
    with pytest.raises(UsageError, match="got 7. There is person 1"):
        call("merge", run, 1, 7)
    assert (run / "tracks.npz").read_bytes() == before


def test_overlapping_people_merge_when_told_to(run):
    """--overlap best joins two who are seen at once."""
    with pytest.raises(UsageError, match="--overlap best"):
        call("merge", run, 1, 2)
    call("merge", run, 1, 2, "--overlap", "best")
    assert people(run / "tracks.npz") == [1, 3]


def test_missing_and_foreign_files_are_refused(tmp_path):
    """An empty folder, a missing path, a text file and a folder that is not there for -o: one line each."""
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "numbers.npz", a=np.zeros(3))
    for target in (tmp_path, tmp_path / "none", tmp_path / "text.npz", tmp_path / "numbers.npz"):
        with pytest.raises(InputError, match="^Expected"):
            call("show", target)


def test_an_output_that_cannot_be_written_is_said(run):
    """-o into a folder that does not exist names the file and what to type."""
    with pytest.raises(MrsError, match="nowhere/x.npz.*-o FILE"):
        call("drop", run, 2, "-o", run / "nowhere" / "x.npz")


@pytest.mark.parametrize("arguments, code, told", [
    (("show", "RUN"), 0, ""), (("merge", "RUN", "1", "9"), 2, "There is person 1"), (("merge", "RUN"), 2, "ID"),
    (("show", "RUN/none"), 3, "mrs run"), (("split", "RUN", "1"), 2, "--at")])
def test_the_real_command_ends_in_the_right_code(run, arguments, code, told):
    """`mrs tracks` exits with 0, 2 or 3, with one line and no traceback."""
    words = [word.replace("RUN", str(run)) for word in arguments]
    done = subprocess.run([sys.executable, "-m", "mrs.cli", "tracks", *words], check=False, capture_output=True,
                          text=True)
    assert done.returncode == code, done.stderr
    assert told in done.stderr and "Traceback" not in done.stderr
