"""What the benchmarks share: the command line, a table, verdicts against a bound, the machine, fresh processes."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "examples" / "walk_and_jump.mp4"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Verdict:
    """One number against its bound; `kind` is "at most" or "at least"."""

    name: str
    value: float
    kind: str
    bound: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """True where the number keeps the bound (a NaN never does)."""
        return self.value <= self.bound if self.kind == "at most" else self.value >= self.bound

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return (f"{'OK    ' if self.met else 'MISSED'} {self.name}: {self.value:.4g}{unit}, "
                f"wanted {self.kind} {self.bound:.4g}{unit}")


@dataclass
class Report:
    """What one benchmark found, printed as text or as JSON."""

    title: str
    machine: dict[str, Any] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add a table; the first column is text."""
        self.tables.append({"header": list(header), "rows": [list(row) for row in rows]})

    def at_most(self, name: str, value: float, bound: float, unit: str = "") -> None:
        """Add a verdict that a number is small enough."""
        self.verdicts.append(Verdict(name, float(value), "at most", bound, unit))

    def at_least(self, name: str, value: float, bound: float, unit: str = "") -> None:
        """Add a verdict that a number is large enough."""
        self.verdicts.append(Verdict(name, float(value), "at least", bound, unit))

    def finish(self, args: argparse.Namespace) -> None:
        """Print everything; with --check, exit with 1 where a bound is missed."""
        self.machine["load_at_end"] = os.getloadavg()[0]
        print(self.as_json() if args.json else self.as_text())
        if args.check and not all(v.met for v in self.verdicts):
            sys.exit(1)

    def as_json(self) -> str:
        """Return everything as one JSON object."""
        verdicts = [{**asdict(v), "met": v.met} for v in self.verdicts]
        return json.dumps({"title": self.title, "machine": self.machine, "tables": self.tables, "notes": self.notes,
                           "verdicts": verdicts}, indent=1, default=str)

    def as_text(self) -> str:
        """Return everything as a few lines."""
        m = self.machine
        libraries = ", ".join(f"{name} {version}" for name, version in m["libraries"].items())
        where = f"{m['cores']} of {m['cores_of_machine']} cores of {m['cpu']}"
        load = f"load {m['load_at_start']:.2f} before, {m['load_at_end']:.2f} after"
        lines = [self.title, f"{where}; {load}; Python {m['python']}, {libraries}"]
        for table in self.tables:
            lines += ["", *_aligned(table["header"], table["rows"])]
        return "\n".join([*lines, "", *self.notes, *map(str, self.verdicts)])


def _aligned(header: list, rows: list[list]) -> list[str]:
    cells = [[_cell(value) for value in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    return ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
            for row in cells]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def parser(doc: str, cores: int | None = 2) -> argparse.ArgumentParser:
    """Make a parser from a module's docstring, with --json, --check and, where speed counts, --cores."""
    first, _, rest = doc.partition("\n")
    made = argparse.ArgumentParser(description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    made.add_argument("--check", action="store_true", help="exit with 1 where a bound is missed")
    if cores:
        made.add_argument("--cores", type=int, default=cores, help=f"run on this many cores (default: {cores})")
    return made


def begin(title: str, args: argparse.Namespace, libraries: Sequence[str] = ("numpy", "torch", "onnxruntime")) -> Report:
    """Limit this process and those it starts to --cores, and start a report with the machine's description."""
    cores_of_machine = os.cpu_count() or 1
    os.environ["MRS_CONFIG"] = ""
    if getattr(args, "cores", None):
        _use_cores(args.cores)
    return Report(title, {"cores": usable_cores(), "cores_of_machine": cores_of_machine, "cpu": _cpu_name(),
                          "load_at_start": os.getloadavg()[0], "python": platform.python_version(),
                          "libraries": {name: _version(name) for name in ("mrs", *libraries)}})


def usable_cores() -> int:
    """Count the cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _use_cores(count: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    for name in THREADS:
        os.environ.setdefault(name, str(count))


def each(run: Callable, jobs: Sequence, processes: int) -> list:
    """Run a function on every job, in fresh processes, and say on stderr how far it is; return the results in order."""
    out = []
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for job, result in zip(jobs, pool.map(run, jobs), strict=True):
            out.append(result)
            say(f"{len(out)} of {len(jobs)}: {', '.join(str(part) for part in job[:3])}")
    return out


def in_fresh_process(function: Callable, *arguments: Any) -> Any:
    """Call an importable function in a new Python process and return its result."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def mrs_command() -> list[str]:
    """Return how to start the `mrs` of this Python."""
    beside = Path(sys.executable).with_name("mrs")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "mrs.cli"]


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
