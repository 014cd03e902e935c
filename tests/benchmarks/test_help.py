"""Every benchmark can be asked what it does."""

import subprocess
import sys

import pytest

from tests.command import ROOT

HELPERS = {"__init__", "_common", "clips", "corrupted", "dressed", "humanoids", "own_motions", "published_loop", "results", "rows", "synthetic"}
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem not in HELPERS)


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_is_measured_and_offers_json(name):
    """`python -m benchmarks.NAME --help` prints the module's first line and the option --json."""
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--help"], cwd=ROOT, capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    first = (ROOT / "benchmarks" / f"{name}.py").read_text().split('"""')[1].split("\n")[0]
    assert " ".join(first.split()) in " ".join(done.stdout.split())
    assert "--json" in done.stdout
