"""Local workers: processes that take one clip after the other. One that dies costs its clip a try, and nobody else anything."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from mrs import threads
from mrs.batch.claims import Watch
from mrs.batch.jobs import Job
from mrs.errors import MrsError

LOOK_AGAIN_S = 1.0
END_S = 20.0


def run(jobs: list[Job], count: int, each: int, gpus: tuple[str, ...] = (), tell: Callable[[str], None] = lambda line: None,
        ) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Do the jobs in `count` processes of `each` threads, and yield every job with its record as it ends.

    gpus: what CUDA_VISIBLE_DEVICES of the workers is, in turn.
    """
    pool = _Pool(count, each, gpus, tell)
    try:
        yield from pool.run(deque(jobs))
    except BaseException:
        pool.interrupt()
        raise
    finally:
        pool.close()


class _Worker:
    """One process and the job it has."""

    def __init__(self, number: int, each: int, gpu: str | None, stale_s: float):
        self.number, self.job, self.heard = number, None, False
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        variables = threads.environment(each) | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})
        with _environment(variables):
            self.process = context.Process(target=_main, args=(theirs, each, stale_s, os.getpid()), daemon=True, name=f"mrs-batch-{number}")
            self.process.start()
        theirs.close()

    job: Job | None

    def give(self, job: Job) -> None:
        """Hand over a job."""
        self.job = job
        self.pipe.send(job.as_dict())


class _environment:
    """Change variables while a process is started, which inherits them."""

    def __init__(self, variables: dict[str, str]):
        self._new = variables

    def __enter__(self) -> None:
        self._old = {name: os.environ.get(name) for name in self._new}
        os.environ.update(self._new)

    def __exit__(self, *_: object) -> None:
        for name, value in self._old.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Pool:
    """The processes, and who has what."""

    def __init__(self, count: int, each: int, gpus: tuple[str, ...], tell: Callable[[str], None]):
        self.count, self.each, self.gpus, self.tell = count, each, gpus, tell
        self.workers: list[_Worker] = []
        self.stillborn = 0

    def run(self, todo: deque[Job]) -> Iterator[tuple[Job, dict[str, Any]]]:
        """Yield records until nothing is left; a clip that somebody else is at is looked at again after the others."""
        busy: deque[Job] = deque()
        stale_s = todo[0].stale_s if todo else 60.0
        look_at = 0.0
        while todo or busy or any(w.job for w in self.workers):
            if busy and not todo and time.monotonic() >= look_at:
                todo, busy, look_at = busy, deque(), time.monotonic() + LOOK_AGAIN_S
            self._hand_out(todo, stale_s)
            for worker in self._heard():
                job, record = worker.job, self._receive(worker)
                if job is None:
                    continue
                worker.job = None
                if record is None:
                    todo.append(job)
                elif record["status"] == "busy":
                    busy.append(job)
                else:
                    yield job, record

    def _hand_out(self, todo: deque[Job], stale_s: float) -> None:
        idle = [w for w in self.workers if w.job is None]
        while todo and (idle or len(self.workers) < self.count):
            if not idle:
                free = next(n for n in range(self.count) if n not in {w.number for w in self.workers})
                idle = [_Worker(free, self.each, self.gpus[free % len(self.gpus)] if self.gpus else None, stale_s)]
                self.workers += idle
            try:
                idle[-1].give(todo[0])
                todo.popleft()
            except OSError:
                idle[-1].job = None
                self._bury(idle[-1])
            idle.pop()

    def _heard(self) -> list[_Worker]:
        """Wait for workers that have something to say, or have died."""
        by_source: dict[Any, _Worker] = {}
        for worker in self.workers:
            if worker.job is not None:
                by_source[worker.pipe] = by_source[worker.process.sentinel] = worker
        if not by_source:
            time.sleep(LOOK_AGAIN_S / 5)
        found = wait(list(by_source), timeout=LOOK_AGAIN_S) if by_source else []
        return list(dict.fromkeys(by_source[source] for source in found))

    def _receive(self, worker: _Worker) -> dict[str, Any] | None:
        """Return what a worker says; None where it has died, so that the clip is tried again."""
        try:
            record = worker.pipe.recv()
            worker.heard, self.stillborn = True, 0
            return record
        except (EOFError, OSError):
            self._bury(worker)
            if worker.job is not None:
                self.tell(f"{worker.job.name}: its worker ended with {_ended(worker.process.exitcode)}; the clip is tried again")
            return None

    def _bury(self, worker: _Worker) -> None:
        worker.process.join(END_S)
        worker.pipe.close()
        self.workers.remove(worker)
        self.stillborn += not worker.heard
        if self.stillborn > 3 * self.count + 3:
            raise MrsError(f"Expected a worker process to start, but it ended with {_ended(worker.process.exitcode)} again and again. "
                           "Type: mrs doctor")

    def interrupt(self) -> None:
        """Let every worker stop where it can go on later."""
        for worker in self.workers:
            if worker.process.is_alive() and worker.process.pid:
                os.kill(worker.process.pid, signal.SIGINT if hasattr(os, "setsid") else signal.SIGTERM)

    def close(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.pipe.close()
        deadline = time.monotonic() + END_S
        for worker in self.workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"


def _main(pipe: Connection, each: int, stale_s: float, parent: int) -> None:
    """Take jobs until the pipe closes; in a session of its own, so that a Ctrl-C comes from the parent alone."""
    if hasattr(os, "setsid"):
        os.setsid()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_follow, args=(parent,), daemon=True, name="mrs-parent").start()
    try:
        hold(each)
        from mrs.batch.work import work

        watch = Watch(stale_s)
        while True:
            pipe.send(work(Job.from_dict(pipe.recv()), watch))
    except (EOFError, OSError, KeyboardInterrupt):
        sys.exit(0)


def hold(each: int) -> None:
    """Keep libraries that ignore the environment to `each` threads."""
    import cv2

    cv2.setNumThreads(each)


def _follow(parent: int) -> None:
    """Stop as by Ctrl-C when the parent has gone without a word."""
    while os.getppid() == parent:
        time.sleep(2)
    os.kill(os.getpid(), signal.SIGINT)


def visible_gpus() -> tuple[str, ...]:
    """List the CUDA devices that a process may see, without importing torch."""
    import shutil
    import subprocess

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(n.strip() for n in named.split(",") if n.strip() and n.strip() != "-1")
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        done = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(str(n) for n, line in enumerate(line for line in done.stdout.splitlines() if line.startswith("GPU ")))
