"""Numbers of finished clips in a file of lines, so that a long benchmark can be made in parts and goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from benchmarks import _common

COUNTS = ("mrs/rotations.py", "mrs/motion.py", "mrs/cameras.py", "mrs/skeletons.py", "mrs/evidence.py", "mrs/body", "mrs/refine", "mrs/world",
          "mrs/metrics", "mrs/formats", "mrs/data/prior", "plugins/smoothers", "benchmarks/corrupted.py", "benchmarks/own_motions.py",
          "benchmarks/synthetic.py", "benchmarks/rows.py", "tests/walker.py")
"""Files and folders that decide the numbers."""


def fingerprint(root: Path = _common.ROOT) -> str:
    """Name the code and data that decide the numbers: 12 digits of a hash over COUNTS."""
    found = hashlib.sha256()
    for name in COUNTS:
        path = root / name
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        for file in files:
            found.update(str(file.relative_to(root)).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:12]


class Results:
    """Numbers by clip and row, read from a file and appended to it; those of other code or options are passed over."""

    def __init__(self, path: Path | None, code: str = ""):
        self.path, self.code = path, code
        self.known: dict[tuple, dict] = {}
        self.passed_over = 0
        for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.is_file() else ():
            self._read(line)

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
            key, code, measures = _key(entry["clip"], entry["row"], entry["set"]), entry["code"], dict(entry["measures"])
        except (ValueError, KeyError, TypeError):
            self.passed_over += 1  # a line that was cut off when the benchmark was stopped
            return
        if code == self.code:
            self.known[key] = measures
        else:
            self.passed_over += 1

    def get(self, clip, row: str, sets=()) -> dict | None:
        """Return the measures of one row of a clip (motion, seed, rate, longest), or None."""
        return self.known.get(_key(clip, row, sets))

    def add(self, clip, numbers: dict[str, dict], sets=()) -> None:
        """Keep the measures of rows of a clip, and append them to the file at once."""
        lines = []
        for row, measures in numbers.items():
            self.known[_key(clip, row, sets)] = measures
            lines.append(json.dumps({"code": self.code, "clip": list(clip), "row": row, "set": list(sets), "measures": measures}))
        if self.path is not None and lines:
            whole = not self.path.is_file() or self.path.read_bytes()[-1:] in (b"", b"\n")
            with self.path.open("a", encoding="utf-8") as file:
                file.write(("" if whole else "\n") + "\n".join(lines) + "\n")


def _key(clip, row: str, sets) -> tuple:
    """Options count for the rows of sfv only."""
    return (*clip, row, *(sorted(sets) if row.partition(":")[0] == "sfv" else ()))
