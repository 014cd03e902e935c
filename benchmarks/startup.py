"""Time how soon `mrs --help` and `mrs plugins` answer, beside Python's own start and `import numpy`.

    python -m benchmarks.startup [--repeat N] [--json] [--check]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks import _common

BOUND_S = 0.4


def main() -> None:
    """Print best and median of each command, in turn."""
    parser = _common.parser(__doc__)
    parser.add_argument("--repeat", type=int, default=10, help="start each this often (default: 10)")
    args = parser.parse_args()
    report = _common.begin("Start-up", args, ("numpy", "click", "pluggy"))
    mrs = _common.mrs_command()
    commands = {"mrs --help": [*mrs, "--help"], "mrs plugins": [*mrs, "plugins"], "mrs run --help": [*mrs, "run", "--help"],
                "peer: python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
                "peer: python -c pass": [sys.executable, "-c", "pass"]}
    for command in commands.values():
        seconds(command)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(args.repeat):
        for name, command in commands.items():
            times[name].append(seconds(command))
    numpy_s = min(times["peer: python -c 'import numpy'"])
    report.table(("command", "best s", "median s", "best / import numpy"),
                 [(name, min(t), statistics.median(t), min(t) / numpy_s) for name, t in times.items()])
    for name in ("mrs --help", "mrs plugins"):
        report.at_most(f"{name}, best of {args.repeat}", min(times[name]), BOUND_S, "s")
        report.at_most(f"{name}, median", statistics.median(times[name]), BOUND_S, "s")
    report.finish(args)


def seconds(command: list[str]) -> float:
    """Return how long a command takes, or exit where it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    spent = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"Expected {' '.join(command)} to succeed, but it ended with {done.returncode}: {done.stderr}")
    return spent


if __name__ == "__main__":
    main()
