"""`mrs batch` on this machine."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mrs.batch import jobs, summary
from mrs.batch.storage import storage
from mrs.batch.work import work
from tests.command import FAKES, ROOT, here, real
from tests.videos import make_video

PLUGIN = str(Path(__file__).with_name("clip_plugins.py"))
FLAGS = ("--plugin", FAKES, "--plugin", PLUGIN, "--detector", "by-name", "--tracker", "fake", "--lifter", "fake", "--smoother", "fake",
         "--no-overlay", "--no-report")


@pytest.fixture
def log(tmp_path, monkeypatch):
    """What the detector was called for, line by line."""
    path = tmp_path / "log.txt"
    path.touch()
    monkeypatch.setenv("CLIP_LOG", str(path))
    return lambda: path.read_text().splitlines()


def make_clips(folder: Path, *names: str, count: int = 12) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        make_video(folder / f"{name}.mp4", count=count)
    return folder


def table(out: Path) -> dict[str, dict]:
    """summary.csv by name."""
    with open(out / "summary.csv", encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_twenty_clips_interrupted_once_are_right_on_the_second_call(tmp_path, log):
    """One broken file, one without people, Ctrl-C in the middle: the second call does what is left, and nothing twice."""
    names = [f"clip_{n:02d}" for n in range(10)] + [f"slow_{n:02d}" for n in range(8)] + ["nobody_1"]
    clips = make_clips(tmp_path / "clips", *names)
    (clips / "bad.mp4").write_text("this is not a video")
    command = [sys.executable, "-m", "mrs.cli", "batch", str(clips), "-o", str(tmp_path / "out"), *FLAGS, "--jobs", "2"]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "CLIP_SLOW_S": "0.3"})
    wait_for(lambda: sum(line.startswith("start slow") for line in log()) >= 2)
    first.send_signal(signal.SIGINT)
    err = first.communicate(timeout=60)[1]
    assert first.returncode == 130
    assert "Kept in" in err and "To go on, type: mrs batch" in err
    second = real("batch", clips, "-o", tmp_path / "out", *FLAGS, "--jobs", "2", cwd=ROOT)
    assert second.code == 1
    assert "20 clips: 18 done, 1 bad input, 1 nobody" in second.err
    rows = table(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == {**dict.fromkeys(names, "done"), "nobody_1": "nobody", "bad": "bad input"}
    ends = [line for line in log() if line.startswith("end")]
    assert sorted(ends) == sorted(f"end {name}" for name in names)
    assert all((tmp_path / "out" / name / "persons/02/motion.bvh").is_file() for name in names if name != "nobody_1")
    assert not [n for n in os.listdir(tmp_path / "out/.batch") if ".claim." in n]


def test_a_third_call_has_nothing_to_do(tmp_path, log, capsys):
    """Verdicts stand; --again asks for them anew, another option too."""
    clips, out = make_clips(tmp_path / "clips", "clip_1", "nobody_1"), tmp_path / "out"
    assert here(capsys, "batch", clips, "-o", out, *FLAGS, "--jobs", "1").code == 0
    before = len(log())
    assert here(capsys, "batch", clips, "-o", out, *FLAGS, "--jobs", "1").code == 0
    assert len(log()) == before
    assert "clip_1: keep (done)" in here(capsys, "batch", clips, "-o", out, *FLAGS, "--dry-run").out
    assert "clip_1: run again (done)" in here(capsys, "batch", clips, "-o", out, *FLAGS, "--dry-run", "--again").out
    assert "clip_1: run" in here(capsys, "batch", clips, "-o", out, *FLAGS, "--dry-run", "--seed", "3").out
    assert len(log()) == before


def test_a_clip_that_kills_its_worker_costs_only_itself(tmp_path, log, capsys):
    """A worker that dies is replaced; its clip is tried three times and then written down as failed."""
    clips = make_clips(tmp_path / "clips", "clip_1", "deadly_1", "broken_1", "zlip_2")
    ended = here(capsys, "batch", clips, "-o", tmp_path / "out", *FLAGS, "--jobs", "1")
    assert ended.code == 1
    assert "its worker ended with SIGKILL; the clip is tried again" in ended.err
    rows = table(tmp_path / "out")
    assert {n: r["status"] for n, r in rows.items()} == {"clip_1": "done", "deadly_1": "failed", "broken_1": "failed", "zlip_2": "done"}
    assert "killed 3 times" in rows["deadly_1"]["error"]
    assert rows["broken_1"]["error"].endswith("ValueError: a plugin fell over")
    assert log().count("start deadly_1") == 3
    assert "a plugin fell over" in (tmp_path / "out/.batch/broken_1.traceback").read_text()


def test_two_commands_at_once_share_the_clips(tmp_path, log):
    """Two `mrs batch` of the same clips in the same folder do each clip once between them, and both see the whole table."""
    names = [f"slow_{n}" for n in range(6)]
    clips = make_clips(tmp_path / "clips", *names)
    command = [sys.executable, "-m", "mrs.cli", "batch", str(clips), "-o", str(tmp_path / "out"), *FLAGS, "--jobs", "1", "--quiet"]
    both = [subprocess.Popen(command, cwd=ROOT, env={**os.environ, "CLIP_SLOW_S": "0.03"}) for _ in range(2)]
    assert [p.wait(120) for p in both] == [0, 0]
    assert sorted(line for line in log() if line.startswith("start")) == sorted(f"start {n}" for n in names)


def test_workers_stop_when_the_command_is_killed(tmp_path, log):
    """kill -9 of the command leaves no worker behind, and the next call takes the clip over at once."""
    clips = make_clips(tmp_path / "clips", "slow_1")
    command = [sys.executable, "-m", "mrs.cli", "batch", str(clips), "-o", str(tmp_path / "out"), *FLAGS, "--jobs", "1", "--quiet"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "CLIP_SLOW_S": "1"})
    wait_for(lambda: "start slow_1" in log())
    claim = next((tmp_path / "out/.batch").glob("*.claim.1"))
    worker = json.loads(claim.read_text())["pid"]
    process.kill()
    process.wait()
    wait_for(lambda: not Path(f"/proc/{worker}").exists() or Path(f"/proc/{worker}/stat").read_text().split()[2] == "Z")
    assert real(*command[3:], cwd=ROOT, CLIP_SLOW_S="0").code == 0
    assert log().count("end slow_1") == 1


def test_each_worker_sees_its_own_gpu_and_threads(tmp_path, log, capsys):
    """--gpus 3,5: two workers at once, one sees device 3 and the other 5, each with the threads it was given."""
    clips = make_clips(tmp_path / "clips", *(f"gpu_{n}" for n in range(6)), count=30)
    assert here(capsys, "batch", clips, "-o", tmp_path / "out", *FLAGS, "--gpus", "3,5", "--threads", "1").code == 0
    told = {line.rpartition(" ")[0] for line in log() if line.startswith("device")}
    assert told == {"device 3 threads 1", "device 5 threads 1"}


def test_gpus_are_those_that_may_be_seen(tmp_path, monkeypatch):
    """CUDA_VISIBLE_DEVICES counts before what nvidia-smi lists; without either there are none."""
    from mrs.batch.workers import visible_gpus

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,GPU-abc")
    assert visible_gpus() == ("1", "GPU-abc")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert visible_gpus() == ()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: H (UUID: a)'\necho 'GPU 1: H (UUID: b)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert visible_gpus() == ("0", "1")
    monkeypatch.setenv("PATH", "/nowhere")
    assert visible_gpus() == ()


def test_a_replaced_clip_is_run_anew(tmp_path, log, capsys):
    """Another file at the same place replaces the run of the first."""
    clips, out = make_clips(tmp_path / "clips", "clip_1"), tmp_path / "out"
    here(capsys, "batch", clips, "-o", out, *FLAGS)
    make_clips(clips, "clip_1", count=17)
    assert here(capsys, "batch", clips, "-o", out, *FLAGS).code == 0
    assert table(out)["clip_1"]["frames"] == "17"


def test_the_page_shows_every_clip_with_numbers_and_pictures(tmp_path, log, capsys):
    """summary.html holds all by itself: thumbnails inside, sortable numbers, errors escaped, links that lead somewhere."""
    clips, out = make_clips(tmp_path / "clips", "clip_1", "nobody_<b>&"), tmp_path / "out"
    rows = json.loads(here(capsys, "batch", clips, "-o", out, *FLAGS, "--json").out)
    page = (out / "summary.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "<b>&" not in page
    assert f'data-value="{rows[0]["jitter_10m_s3"]}"' in page
    assert "http" not in page.replace("data:image", "")
    assert 'href="clip_1/run.json"' in page and (out / "clip_1/run.json").is_file()
    assert [row["people"] for row in rows] == [2, None]


def test_a_click_on_a_heading_sorts(tmp_path):
    """In a browser the rows go up, then down, by number; clips without the number stay below."""
    chromium = shutil.which("chromium") or pytest.skip("chromium is not installed")
    place = storage(tmp_path)
    numbers = {"a": 30.0, "b": 4.0, "c": None, "d": 200.0}
    rows = [{**dict.fromkeys(summary.COLUMNS), "name": n, "video": n, "status": "done", "warnings": 0, "jitter_10m_s3": v}
            for n, v in numbers.items()]
    page = summary.as_html(rows, place)
    column = 6 + list(summary.QUALITY).index("jitter_10m_s3")
    for clicks, order in ((1, "badc"), (2, "dabc")):
        click = f"<script>for (let n = 0; n < {clicks}; n++) document.querySelector('[data-column=\"{column}\"]').click()</script>"
        (tmp_path / "page.html").write_text(page.replace("</html>", click + "</html>"))
        shown = subprocess.run([chromium, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--dump-dom",
                                f"file://{tmp_path}/page.html"], capture_output=True, text=True, check=True, timeout=60).stdout
        found = re.findall(r"<tr><td>(\w)</td>", shown)
        assert "".join(found) == order


@pytest.mark.parametrize("arguments, code, words", [
    (["--detector", "by-nam"], 2, "Did you mean 'by-name'?"),
    (["--size", "3x3"], 2, "Expected no --size"),
    (["--detach"], 2, "Expected --scheduler"),
    (["--scheduler", "tcp://127.0.0.1:1", "--resource", "GPU"], 2, "--resource GPU=1"),
])
def test_what_is_wrong_with_the_command_is_told_before_any_clip(tmp_path, log, capsys, arguments, code, words):
    """Usage errors end at once; nothing is written."""
    clips = make_clips(tmp_path / "clips", "clip_1")
    ended = here(capsys, "batch", clips, "-o", tmp_path / "out", *FLAGS, *arguments)
    assert (ended.code, log()) == (code, [])
    assert words in ended.err
    assert not list((tmp_path / "out").glob("**/*.record"))


def test_status_without_a_batch_is_told(tmp_path, capsys):
    """--status of nothing says what to type; without VIDEOS too."""
    assert here(capsys, "batch", "-o", tmp_path / "no", "--status").code == 3
    assert "Expected VIDEOS" in here(capsys, "batch", "-o", tmp_path / "no").err


def planned(clips: Path, url: str):
    """Jobs of a folder of clips, with the flags of this file."""
    from mrs import config

    settings = config.settings("clip", {"detector": "by-name", "tracker": "fake", "lifter": "fake", "smoother": "fake", "overlay": False, "report": False},
                               plugins=(FAKES, PLUGIN))
    place = storage(url)
    found = jobs.plan(jobs.videos_of([str(clips)]), place, settings)
    jobs.submit(found, place)
    return found, place


def test_results_go_to_any_url(tmp_path, log):
    """On memory:// as on any store: records, results and the table; the second time nothing is done."""
    pytest.importorskip("fsspec")
    clips, url = make_clips(tmp_path / "clips", "clip_1", "nobody_1"), f"memory://{tmp_path.name}"
    for _ in range(2):
        found, place = planned(clips, url)
        assert [work(job)["status"] for job in found] == ["done", "nobody"]
    assert log().count("end clip_1") == 1
    summary.write(place)
    assert b"motion" in b" ".join(n.encode() for n in place.names("clip_1/persons/01"))
    assert place.read("summary.csv").count(b"\n") == 3
    assert place.read("clip_1/run.json")


def test_a_file_url_works_across_processes(tmp_path, log):
    """file:// is shared by the workers."""
    clips = make_clips(tmp_path / "clips", "clip_1")
    assert real("batch", clips, "-o", f"file://{tmp_path}/out", *FLAGS, cwd=ROOT).code == 0
    assert (tmp_path / "out/clip_1/persons/01/motion.bvh").is_file()


def test_memory_is_refused_where_processes_have_to_share(tmp_path, log, capsys):
    """memory:// would be lost with the workers."""
    pytest.importorskip("fsspec")
    clips = make_clips(tmp_path / "clips", "clip_1")
    assert "lives in one process" in here(capsys, "batch", clips, "-o", "memory://x", *FLAGS).err


def test_a_worker_whose_claim_was_taken_writes_no_record(tmp_path, log, monkeypatch):
    """Who was taken for dead and comes back does not write over the other's result."""
    from mrs.batch import claims
    from mrs.batch import work as module

    clips = make_clips(tmp_path / "clips", "clip_1")
    (job,), place = planned(clips, str(tmp_path / "out"))
    real_run = module._run

    def overtaken(job, place):
        facts = real_run(job, place)
        place.write(f"{claims.stem_of(job.name, job.key)}.claim.2", b"{}")
        return facts

    monkeypatch.setattr(module, "_run", overtaken)
    assert work(job)["status"] == "busy"
    assert place.read(jobs.record_name(job.name)) is None
