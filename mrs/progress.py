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
        """Show one piece of work; yields a callable(done, total=None, found=None) to tell how far it is."""
        yield lambda done, total=None, found=None: None

    def line(self, text: str) -> None:
        """Show one line above whatever moves."""


class _Meter:
    """Count one step's work; `found` is what an earlier run had done already, which is no speed of this one."""

    def __init__(self, total: int | None, unit: str):
        self.done, self.found, self.total, self.unit = 0, 0, total, unit
        self._start = time.monotonic()

    def tell(self, done: int, total: int | None = None, found: int | None = None) -> None:
        self.done, self.total = done, total or self.total
        self.found = self.found if found is None else found

    @property
    def spent_s(self) -> float:
        return time.monotonic() - self._start

    @property
    def rate(self) -> float:
        return (self.done - self.found) / self.spent_s if self.spent_s > 0 else 0.0

    def rate_text(self) -> str:
        return f"{self.rate:.1f} {self.unit}/s" if self.rate > 0 else ""

    def __str__(self) -> str:
        of = f" of {self.total}" if self.total else ""
        left = f"{(self.total - self.done) / self.rate:.0f} s left" if self.total and self.rate > 0 else ""
        return ", ".join(part for part in (f"{self.done}{of}", self.rate_text(), left) if part)


class Plain(Silent):
    """Print a line when a step ends, and at most every few seconds before that."""

    def __init__(self, stream=None, every_s: float = PLAIN_EVERY_S):
        self._stream = stream or sys.stderr
        self._every_s = every_s

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: str = "frames"):
        """Print where the step is."""
        meter, shown_s = _Meter(total, unit), 0.0

        def update(done: int, total: int | None = None, found: int | None = None) -> None:
            nonlocal shown_s
            meter.tell(done, total, found)
            if meter.spent_s - shown_s >= self._every_s:
                shown_s = meter.spent_s
                self.line(f"{label}: {meter}")

        yield update
        self.line(", ".join(part for part in (f"{label}: done in {meter.spent_s:.1f} s", meter.rate_text()) if part))

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
        task, meter = self._bars.add_task(label, total=total, rate=""), _Meter(total, unit)

        def update(done: int, total: int | None = None, found: int | None = None) -> None:
            meter.tell(done, total, found)
            self._bars.update(task, completed=done, total=meter.total, rate=meter.rate_text())

        yield update
        end = meter.total or meter.done or 1
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
