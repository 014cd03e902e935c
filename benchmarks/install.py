"""Time the README's installation into a fresh virtual environment, and weigh what it brings.

    python -m benchmarks.install [--keep FOLDER] [--json] [--check]

Runs `python3 -m venv V` and the README's first `pip install …` line with V's pip, in a copy of what git has (so that a
build finds nothing of an earlier one), then `mrs --help` and `pip check`.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import _common

BOUND_S = 180.0
BOUND_GB = 2.5
FALLBACK = "pip install ."
CUDA = re.compile(r"^(nvidia|cuda|cupy|pytorch-triton|triton)([-_]|$)", re.IGNORECASE)


def main() -> None:
    """Print time and size, and the largest packages."""
    parser = _common.parser(__doc__, cores=None)
    parser.add_argument("--keep", type=Path, help="make the environment here and leave it (default: a temporary folder)")
    parser.add_argument("--command", help="install with this line instead of the README's")
    args = parser.parse_args()
    report = _common.begin("Installation into a fresh environment", args, ())
    line = args.command or readme_line()
    with tempfile.TemporaryDirectory() as folder:
        venv = args.keep or Path(folder) / "venv"
        spent = install(line, venv, _copy_of_checkout(Path(folder) / "mrs"))
        packages = _packages(venv)
        size = sum(f.stat().st_size for f in venv.rglob("*") if f.is_file() and not f.is_symlink())
        _say(venv / "bin" / "mrs", "--help")
        _say(venv / "bin" / "python", "-m", "pip", "check")
        rows = _largest(venv)
    cuda = [name for name in packages if CUDA.match(name)]
    report.table(("step", "s"), list(spent.items()))
    report.table(("largest folders of site-packages", "MB"), rows)
    report.notes.append(f"{len(packages)} packages by `{line}`; `mrs --help` and `pip check` say nothing is missing.")
    report.at_most("fresh installation", sum(spent.values()), BOUND_S, "s")
    report.at_most("size on disk", size / 1e9, BOUND_GB, "GB")
    report.at_most(f"CUDA packages{' (' + ', '.join(cuda) + ')' if cuda else ''}", len(cuda), 0)
    report.finish(args)


def readme_line() -> str:
    """Return the README's first `pip install …`, or a plain one where it has none."""
    found = re.search(r"pip install [^\n`&;]+", (_common.ROOT / "README.md").read_text(encoding="utf-8"))
    return found[0].strip() if found else FALLBACK


def install(line: str, venv: Path, checkout: Path) -> dict[str, float]:
    """Make the environment and install; return the seconds of both."""
    start = time.perf_counter()
    _say(sys.executable, "-m", "venv", venv)
    made = time.perf_counter()
    _say(venv / "bin" / "python", "-m", *shlex.split(line), cwd=checkout)
    return {f"{Path(sys.executable).name} -m venv V": made - start, f"V/bin/{line}": time.perf_counter() - made}


def _copy_of_checkout(target: Path) -> Path:
    """Copy the files that git knows, as they are now."""
    names = _say("git", "ls-files", "-z", cwd=_common.ROOT).split("\0")
    for name in filter(None, names):
        source = _common.ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def _packages(venv: Path) -> list[str]:
    return [p["name"] for p in json.loads(_say(venv / "bin" / "python", "-m", "pip", "list", "--format=json"))]


def _largest(venv: Path, count: int = 6) -> list[tuple[str, float]]:
    site = next((venv / "lib").glob("python*/site-packages"))
    sizes = {folder.name: sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
             for folder in site.iterdir() if folder.is_dir()}
    return sorted(sizes.items(), key=lambda item: -item[1])[:count]


def _say(*command: object, cwd: Path | None = None) -> str:
    """Run a command and return its output, or exit where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"Expected {' '.join(words)} to succeed, but it ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
