"""The examples of docs/python.md run as they stand."""

import re

from tests.command import ROOT

SAMPLE = ROOT / "examples" / "walk_and_jump.mp4"


def test_the_examples_run_in_order(tmp_path, monkeypatch, capsys):
    """Every block, in one interpreter and one folder, on a second of the sample."""
    from mrs.video import Video, write_video

    video = Video.open(SAMPLE, 1.0, 1.8)
    import cv2

    write_video(tmp_path / "clip.mp4", (cv2.resize(f.rgb, (640, 360)) for f in video.frames()), video.times_s - video.times_s[0], (640, 360))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
    assert len(blocks) >= 5
    names: dict = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)  # noqa: S102
    assert "Did you mean 'blazepose'?" in capsys.readouterr().out
    assert (tmp_path / "clip.bvh").read_text().startswith("HIERARCHY\nROOT mixamorig:Hips")
    assert (tmp_path / "person.bvh").is_file()
