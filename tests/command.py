"""Run `mrs` for tests: here, in this process (quick), or as the real command."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mrs.cli import main

ROOT = Path(__file__).resolve().parent.parent
FAKES = str(ROOT / "tests" / "fake_plugins.py")
FAKE_FLAGS = ("--plugin", FAKES, "--detector", "fake", "--tracker", "fake", "--lifter", "fake", "--smoother", "fake",
              "--no-overlay", "--no-report")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def here(capsys, *arguments) -> Ended:
    """Run `mrs` in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return Ended(end.value.code, captured.out, captured.err)


def real(*arguments, cwd=None, launcher=("-m", "mrs.cli"), **env) -> Ended:
    """Run the real command in a process of its own."""
    done = subprocess.run([sys.executable, *launcher, *map(str, arguments)], cwd=cwd, capture_output=True, text=True,
                          env={**os.environ, **env}, timeout=120, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)
