"""`mrs report`, and report.html at the end of `mrs run` and `mrs smooth`."""

import json

import pytest

from tests.batch.test_batch_command import wait_for
from tests.command import FAKE_FLAGS, FAKES, here, real
from tests.report.runs import make_run
from tests.videos import make_video

FLAGS = tuple(flag for flag in FAKE_FLAGS if flag != "--no-report")


def test_a_run_ends_with_a_report_and_keeps_it(tmp_path, capsys):
    """mrs run writes it last, says so, and leaves it alone when nothing has changed; --no-report makes none."""
    make_video(tmp_path / "clip.mp4", count=12)
    command = ("run", tmp_path / "clip.mp4", "-o", tmp_path / "o", *FLAGS, "--json")
    first = json.loads(here(capsys, *command).out)
    assert first["outputs"][-2:] == ["report.html", "run.json"] and first["timings"]["report"]["seconds"] < 5
    written = (tmp_path / "o/report.html").stat().st_mtime_ns
    second = json.loads(here(capsys, *command).out)
    assert "report.html" in second["reused"] and (tmp_path / "o/report.html").stat().st_mtime_ns == written
    assert here(capsys, "report", tmp_path / "o").out.strip() == str(tmp_path / "o/report.html")
    assert (tmp_path / "o/report.html").stat().st_mtime_ns == written
    none = json.loads(here(capsys, "run", tmp_path / "clip.mp4", "-o", tmp_path / "n", *FLAGS, "--no-report", "--json").out)
    assert "report.html" not in none["outputs"] and not (tmp_path / "n/report.html").exists()


def test_refining_again_makes_the_report_anew(tmp_path, capsys):
    """mrs smooth RUN tells of the new motion."""
    make_video(tmp_path / "clip.mp4", count=12)
    assert here(capsys, "run", tmp_path / "clip.mp4", "-o", tmp_path / "o", *FLAGS).code == 0
    before = (tmp_path / "o/report.html").read_text()
    assert here(capsys, "smooth", tmp_path / "o", "--plugin", FAKES, "--set", "smoother.strength=0.25").code == 0
    after = (tmp_path / "o/report.html").read_text()
    assert before != after and "<dd>0.25</dd>" in after


def test_the_real_command_prints_the_path_and_opens_it(tmp_path):
    """mrs report RUN --open: path on stdout; the browser that the system names gets the file."""
    root = make_run(tmp_path / "walk_mrs", seconds=0.5, people=1)
    (tmp_path / "xdg-open").write_text(f"#!/bin/sh\necho \"$1\" > {tmp_path}/opened\n")
    (tmp_path / "xdg-open").chmod(0o755)
    ended = real("report", root, "--open", "--quiet", PATH=f"{tmp_path}:/usr/bin:/bin", DISPLAY=":0")
    assert ended.code == 0 and ended.out.strip() == str(root / "report.html") and ended.err == ""
    wait_for(lambda: (tmp_path / "opened").is_file() and (tmp_path / "opened").read_text())
    assert (tmp_path / "opened").read_text().strip() == str((root / "report.html").resolve())


@pytest.mark.parametrize(("made", "words"), [("nothing", "no run.json"), ("broken", "can't be used"), ("trackless", "tracks.npz")])
def test_what_is_no_run_is_refused_in_one_line(tmp_path, capsys, made, words):
    """A folder without a run, a broken run.json, a run without its tracks: exit 3, one line, no page."""
    root = tmp_path / "r"
    if made == "trackless":
        make_run(root, seconds=0.3, people=1)
        (root / "tracks.npz").unlink()
    else:
        root.mkdir()
        if made == "broken":
            (root / "run.json").write_text("{")
    ended = here(capsys, "report", root)
    assert ended.code == 3 and words in ended.err and ended.err.count("\n") == 1 and not (root / "report.html").exists()


def test_after_smoothing_alone_the_page_is_made_once(tmp_path, capsys):
    """mrs report leaves the page of mrs smooth as it is, although the overlay is of an earlier motion."""
    make_video(tmp_path / "clip.mp4", count=12)
    flags = [flag for flag in FLAGS if flag != "--no-overlay"]
    assert here(capsys, "run", tmp_path / "clip.mp4", "-o", tmp_path / "o", *flags).code == 0
    assert here(capsys, "smooth", tmp_path / "o", "--plugin", FAKES, "--set", "smoother.strength=0.25").code == 0
    page = tmp_path / "o/report.html"
    written = page.stat().st_mtime_ns
    assert "shows an earlier motion" in page.read_text()
    assert here(capsys, "report", tmp_path / "o").code == 0 and page.stat().st_mtime_ns == written
