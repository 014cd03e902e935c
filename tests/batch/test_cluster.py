"""`mrs batch --scheduler`: a real Dask scheduler and real worker processes on this machine."""

import os
import signal
import subprocess
import sys

import pytest

from tests.batch.test_batch_command import FLAGS, make_clips, table, wait_for
from tests.command import ROOT, here, real

pytest.importorskip("distributed")


@pytest.fixture
def log(tmp_path, monkeypatch):
    """What the detector was called for, line by line."""
    path = tmp_path / "log.txt"
    path.touch()
    monkeypatch.setenv("CLIP_LOG", str(path))
    monkeypatch.setenv("CLIP_SLOW_S", "0.05")
    return lambda: path.read_text().splitlines()


@pytest.fixture
def cluster(tmp_path, log):
    """A scheduler's address and its two workers, which have no nanny and one thread each."""
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
    place = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
                                 "--port", "0", "--no-dashboard", "--scheduler-file", str(place)], **quiet)
    wait_for(place.exists)
    workers = [subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(place), "--nthreads", "1",
                                 "--no-nanny", "--no-dashboard", "--memory-limit", "0", "--name", f"w{n}", "--death-timeout", "60",
                                 "--local-directory", str(tmp_path)], **quiet) for n in range(2)]
    try:
        import json

        wait_for(lambda: place.stat().st_size > 0)
        yield json.loads(place.read_text())["address"], workers
    finally:
        for process in [*workers, scheduler]:
            process.terminate()
        for process in [*workers, scheduler]:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def test_a_worker_killed_in_the_middle_loses_nothing(tmp_path, log, cluster):
    """Who submits leaves; one of two workers is killed at work; every clip ends done, once, and the table is written by the last."""
    address, workers = cluster
    names = [f"slow_{n}" for n in range(6)]
    clips, out = make_clips(tmp_path / "clips", *names, "nobody_1", count=16), tmp_path / "out"
    ended = real("batch", clips, "-o", out, *FLAGS, "--scheduler", address, "--detach", cwd=ROOT)
    assert ended.code == 0, ended.err
    assert "7 clips submitted" in ended.err
    wait_for(lambda: sum(line.startswith("start slow") for line in log()) >= 2)
    busy = {int(claim.read_text().split('"pid": ')[1].split(",")[0]) for claim in (out / ".batch").glob("*.claim.1")}
    victim = next(w for w in workers if w.pid in busy)
    os.kill(victim.pid, signal.SIGKILL)
    wait_for(lambda: (out / "summary.csv").exists(), 90)
    rows = table(out)
    assert {n: r["status"] for n, r in rows.items()} == {**dict.fromkeys(names, "done"), "nobody_1": "nobody"}
    assert sorted(line for line in log() if line.startswith("end")) == sorted(f"end {n}" for n in [*names, "nobody_1"])
    starts = [line for line in log() if line.startswith("start")]
    assert len(starts) == len(names) + 2, "only the clip of the killed worker is begun twice"
    assert max(r["attempt"] for r in rows.values()) == "2"
    assert all((out / name / "persons/01/motion.bvh").is_file() for name in names)
    again = real("batch", clips, "-o", out, *FLAGS, "--scheduler", address, cwd=ROOT)
    assert again.code == 0, again.err
    assert len([line for line in log() if line.startswith("start")]) == len(starts)


def test_no_scheduler_is_told_in_one_line(tmp_path, log, capsys, monkeypatch):
    """An address where nobody answers ends in exit 3 with what to type."""
    from mrs.batch import cluster as module

    monkeypatch.setattr(module, "CONNECT_S", 1)
    clips = make_clips(tmp_path / "clips", "clip_1")
    ended = here(capsys, "batch", clips, "-o", tmp_path / "out", *FLAGS, "--scheduler", "tcp://127.0.0.1:1")
    assert ended.code == 3
    assert "Error: Expected a Dask scheduler at tcp://127.0.0.1:1, but none answers" in ended.err
