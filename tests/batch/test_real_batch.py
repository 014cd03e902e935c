"""Twenty real clips with the default stages."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.batch.test_batch_command import make_clips, table
from tests.command import ROOT, real

SAMPLE = ROOT / "examples" / "walk_and_jump.mp4"
pytestmark = pytest.mark.heavy


def cut_clips(folder, count: int, seconds: float = 0.5) -> None:
    """Cut clips out of the sample, at a third of its size."""
    import cv2

    from mrs.video import Video, write_video

    folder.mkdir()
    for number in range(count):
        start = 4.2 * number / count
        video = Video.open(SAMPLE, start, start + seconds)
        write_video(folder / f"cut_{number:02d}.mp4", (cv2.resize(f.rgb, (480, 270)) for f in video.frames()), video.times_s - video.times_s[0],
                    (480, 270))


def test_twenty_clips_end_right_on_the_second_call(tmp_path):
    """Eighteen cuts of the sample, one file that is broken and one without people: the first call is interrupted in the
    middle, the second ends with every verdict right, and motions of everybody who was found."""
    clips, out = tmp_path / "clips", tmp_path / "out"
    cut_clips(clips, 18)
    make_clips(clips, "bars", count=15)
    (clips / "broken.mp4").write_bytes(bytes(4096) + SAMPLE.read_bytes()[4096:200_000])
    command = ["batch", clips, "-o", out, "--no-overlay", "--no-report", "--smoother", "savgol", "--jobs", "2"]
    first = subprocess.Popen([sys.executable, "-m", "mrs.cli", *map(str, command)], cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and len(list((out / ".batch").glob("*.record"))) < 6:
        time.sleep(0.2)
    first.send_signal(signal.SIGINT)
    assert "Kept in" in first.communicate(timeout=60)[1]
    assert first.returncode == 130
    done_before = {p.stem: json.loads(p.read_text())["id"] for p in (out / ".batch").glob("*.record")
                   if json.loads(p.read_text())["status"] in ("done", "nobody", "bad input")}
    ended = real(*command, cwd=ROOT)
    rows = table(out)
    assert ended.code == 1 and len(rows) == 20
    assert rows["broken"]["status"] == "bad input" and rows["bars"]["status"] == "nobody"
    assert {rows[f"cut_{n:02d}"]["status"] for n in range(18)} == {"done"}
    for number in range(18):
        people = int(rows[f"cut_{number:02d}"]["people"])
        assert people >= 1 and len(list((out / f"cut_{number:02d}").glob("persons/*/motion.bvh"))) == people
    assert all(json.loads((out / f".batch/{name}.record").read_text())["id"] == id for name, id in done_before.items())
