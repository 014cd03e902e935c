"""Verdicts, tables and the clips that benchmarks make."""

import json

import numpy as np
import pytest

from benchmarks import _common, clips
from mrs.video import Video


@pytest.fixture
def report():
    """A report that changed nothing of this process."""
    return _common.begin("title", _common.parser("Do it.", cores=None).parse_args([]), ())


def test_a_verdict_keeps_its_bound_on_the_right_side():
    """At most, at least, equal, and a NaN, which never keeps a bound."""
    cases = [(1.0, "at most", 2.0, True), (3.0, "at most", 2.0, False), (2.0, "at most", 2.0, True),
             (3.0, "at least", 2.0, True), (1.0, "at least", 2.0, False), (float("nan"), "at most", 2.0, False),
             (float("nan"), "at least", 2.0, False)]
    assert [_common.Verdict("x", *case[:3]).met for case in cases] == [case[3] for case in cases]
    assert str(_common.Verdict("speed", 3.0, "at most", 2.0, "s")) == "MISSED speed: 3 s, wanted at most 2 s"


def test_check_exits_with_one_where_a_bound_is_missed(report, capsys):
    """--check turns a missed bound into exit code 1; without it, or with all kept, the end is quiet."""
    parser = _common.parser("Do it.", cores=None)
    report.at_most("a", 1, 2)
    report.finish(parser.parse_args(["--check"]))
    report.at_least("b", 1, 2)
    report.finish(parser.parse_args([]))
    with pytest.raises(SystemExit) as end:
        report.finish(parser.parse_args(["--check"]))
    assert end.value.code == 1
    assert "OK     a: 1, wanted at most 2" in capsys.readouterr().out


def test_json_holds_what_the_text_says(report, capsys):
    """--json prints machine, tables, notes and verdicts as one object."""
    report.table(("name", "s"), [("x", 1.5)])
    report.notes.append("a note")
    report.at_most("a", 1, 2, "s")
    report.finish(_common.parser("Do it.", cores=None).parse_args(["--json"]))
    told = json.loads(capsys.readouterr().out)
    assert told["tables"] == [{"header": ["name", "s"], "rows": [["x", 1.5]]}]
    assert told["notes"] == ["a note"]
    assert told["verdicts"][0]["met"] is True and told["machine"]["cores"] >= 1


def test_forth_and_back_never_shows_an_end_twice():
    """Rows go up to the last and down to the first, one step at a time."""
    assert clips.forth_and_back(9, 4).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert set(np.abs(np.diff(clips.forth_and_back(100, 7)))) == {1}


def test_a_repeated_clip_has_even_times_and_the_same_pictures(tmp_path):
    """Packets are repeated without encoding: 2.5 rounds of a clip, 1/30 s apart, pictures as in the first round."""
    from mrs.video import write_video

    shades = [np.full((64, 96, 3), 20 * i, np.uint8) for i in range(10)]
    write_video(tmp_path / "a.mp4", shades, np.arange(10) / 30, (96, 64))
    video = Video.open(clips.repeated(tmp_path / "a.mp4", tmp_path / "b.mp4", 25 / 30))
    assert len(video) == 25 and np.allclose(np.diff(video.times_s), 1 / 30, atol=1e-4)
    means = [frame.rgb.mean() for frame in video.frames()]
    assert np.allclose(means[10:20], means[:10]) and np.allclose(means[20:], means[:5]) and np.ptp(means) > 100
    assert video.warnings == []
