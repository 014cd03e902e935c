"""Progress of a run on stderr: bars on a terminal, a plain line every few seconds elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager

PLAIN_EVERY_S = 5.0


class Silent:
    """Show nothing; also the interface of the other two."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: str = "frames"):
        """Show one piece of work; yields a callable(done, total=None) to tell how far it is."""
        yield lambda done, total=None: None

    def line(self, text: str) -> None:
        """Show one line above whatever moves."""


class Plain(Silent):
    """Print a line when a step starts or ends, and at most every few seconds in between."""

    def __init__(self, stream=None, every_s: float = PLAIN_EVERY_S):
        self._stream = stream or sys.stderr
        self._every_s = every_s

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: str = "frames"):
        """Print where the step is."""
        start = shown = time.monotonic()
        state = {"done": 0, "total": total, "shown": shown}

        def update(done: int, total: int | None = None) -> None:
            state["done"], state["total"] = done, total or state["total"]
            now = time.monotonic()
            if now - state["shown"] >= self._every_s:
                state["shown"] = now
                self.line(f"{label}: {_how_far(done, state['total'], now - start, unit)}")

        yield update
        spent = time.monotonic() - start
        rate = f", {state['done'] / spent:.1f} {unit}/s" if state["done"] and spent > 0 else ""
        self.line(f"{label}: done in {spent:.1f} s{rate}")

    def line(self, text: str) -> None:
        """Print one line."""
        print(text, file=self._stream, flush=True)


class Bars(Silent):
    """Rich bars with stage, frames a second and time left."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bars = Progress(TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(),
                              TextColumn("{task.fields[rate]:>16}"), TimeRemainingColumn(),
                              console=Console(stderr=True), refresh_per_second=5)

    def __enter__(self):
        self._bars.start()
        return self

    def __exit__(self, *_):
        self._bars.stop()

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: str = "frames"):
        """Move one bar."""
        task = self._bars.add_task(label, total=total, rate="")
        start, last = time.monotonic(), [0]

        def update(done: int, total: int | None = None) -> None:
            spent = time.monotonic() - start
            last[0] = done
            rate = f"{done / spent:.1f} {unit}/s" if spent > 0.2 else ""
            self._bars.update(task, completed=done, rate=rate, **({"total": total} if total else {}))

        yield update
        end = self._bars.tasks[self._bars.task_ids.index(task)].total or last[0] or 1
        self._bars.update(task, total=end, completed=end)

    def line(self, text: str) -> None:
        """Print above the bars."""
        self._bars.console.print(text, markup=False, highlight=False)


def choose(quiet: bool, stream=None) -> Silent:
    """Return what suits the terminal; rich itself respects NO_COLOR and TERM=dumb."""
    stream = stream or sys.stderr
    if quiet:
        return Silent()
    return Bars() if stream.isatty() else Plain(stream)


def _how_far(done: int, total: int | None, spent_s: float, unit: str) -> str:
    rate = done / spent_s if spent_s > 0 else 0.0
    if not total:
        return f"{done} done, {rate:.1f} {unit}/s"
    left = f", {(total - done) / rate:.0f} s left" if rate > 0 and done else ""
    return f"{done} of {total}, {rate:.1f} {unit}/s{left}"
