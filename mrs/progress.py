"""Progress of a run on stderr: bars on a terminal, a plain line every few seconds elsewhere, or nothing."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from datetime import datetime
from typing import Any

PLAIN_EVERY_S = 5.0
WIDE = 80
"""Columns from which bars, counts and rates fit in one line."""


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

    def event(self, kind: str, **facts: Any) -> bool:
        """Tell something as named values, where this shows such; return whether it did."""
        return False


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
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        wide = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]:>16}"),
                TimeRemainingColumn())
        narrow = (TextColumn("{task.description}"), TaskProgressColumn(), TimeRemainingColumn(compact=True))
        self._bars = Progress(*(wide if console.width >= WIDE else narrow), console=console, refresh_per_second=5)

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


class JsonLines(Plain):
    """One JSON object a line: ``{"time", "event": "progress"|"step"|"line"|"log"|"warning"|"error", ...}``."""

    @contextmanager
    def step(self, label: str, total: int | None = None, unit: str = "frames"):
        """Tell where the step is every few seconds, and how it ended."""
        meter, shown_s = _Meter(total, unit), 0.0

        def update(done: int, total: int | None = None, found: int | None = None) -> None:
            nonlocal shown_s
            meter.tell(done, total, found)
            if meter.spent_s - shown_s >= self._every_s:
                shown_s = meter.spent_s
                self.event("progress", step=label, done=meter.done, total=meter.total, unit=unit, per_s=round(meter.rate, 2))

        yield update
        self.event("step", step=label, done=meter.done, total=meter.total, unit=unit, seconds=round(meter.spent_s, 3),
                   per_s=round(meter.rate, 2))

    def line(self, text: str) -> None:
        """Tell one line."""
        self.event("line", message=text)

    def event(self, kind: str, **facts: Any) -> bool:
        """Print one object."""
        print(as_json_line(kind, **facts), file=self._stream, flush=True)
        return True


def as_json_line(kind: str, **facts: Any) -> str:
    """Return one event as JSON, with the time."""
    return json.dumps({"time": datetime.now().astimezone().isoformat(timespec="milliseconds"), "event": kind, **facts}, default=str)


def wants_json() -> bool:
    """Say whether MRS_LOG_JSON asks for JSON lines."""
    return os.environ.get("MRS_LOG_JSON", "").lower() not in ("", "0", "false", "no")


def choose(quiet: bool, stream=None, log_json: bool = False) -> Silent:
    """Return what suits the terminal, or what was asked for; rich itself respects NO_COLOR and TERM=dumb."""
    stream = stream or sys.stderr
    if quiet:
        return Silent()
    if log_json or wants_json():
        return JsonLines(stream)
    return Bars() if stream.isatty() else Plain(stream)
