"""Claims: who is at a clip, told by files alone, without comparing the clocks of two machines.

A claim is a file created exclusively; its holder changes a number in it every few seconds. A claim whose holder is gone is not
removed but outdone by one with the next number, so that of several who find it stale exactly one goes on.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from mrs.batch.storage import STATE, Folder, Remote

BEAT_S = 5.0
STALE_S = 60.0


@dataclass
class Watch:
    """What one observer saw of other holders' claims, and when each last changed by the observer's own clock."""

    stale_s: float = STALE_S
    _seen: dict[str, tuple[bytes | None, float]] = field(default_factory=dict)

    def is_stale(self, name: str, content: bytes | None) -> bool:
        """Tell whether the holder is gone: its process has ended on this very machine, or the claim no longer changes."""
        if _holder_ended(content):
            return True
        now = time.monotonic()
        before = self._seen.get(name)
        if before is None or before[0] != content:
            self._seen[name] = (content, now)
            return False
        return now - before[1] > self.stale_s


@dataclass
class Claim:
    """A claim that this process holds; `number` counts those who held it since the last record, this one included."""

    place: Folder | Remote
    stem: str
    number: int
    token: str

    @property
    def name(self) -> str:
        """The claim's file."""
        return f"{self.stem}.claim.{self.number}"

    @classmethod
    def take(cls, place: Folder | Remote, stem: str, watch: Watch) -> Claim | None:
        """Take the claim `stem`; None while somebody else is at it."""
        last = max(numbers(place, stem), default=0)
        if last:
            name = f"{stem}.claim.{last}"
            content = place.read(name)
            if content is None or not watch.is_stale(name, content):
                return None
        claim = cls(place, stem, last + 1, uuid.uuid4().hex)
        return claim if place.create(claim.name, claim._content(0)) else None

    def __enter__(self) -> Any:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="mrs-claim", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.holds():
            for number in numbers(self.place, self.stem):
                self.place.remove(f"{self.stem}.claim.{number}")

    def holds(self) -> bool:
        """Tell whether nobody has taken this claim over."""
        return max(numbers(self.place, self.stem), default=0) == self.number

    def _beat(self) -> None:
        beats = 0
        while not self._stop.wait(BEAT_S):
            beats += 1
            try:
                if self.place.read(self.name) is not None:
                    self.place.write(self.name, self._content(beats))
            except OSError:
                continue

    def _content(self, beats: int) -> bytes:
        return json.dumps({"token": self.token, "beats": beats, **me()}).encode()


def numbers(place: Folder | Remote, stem: str) -> list[int]:
    """List the numbers of the claims `stem` that are there."""
    folder, _, base = stem.rpartition("/")
    start = f"{base}.claim."
    return [int(n[len(start):]) for n in place.names(folder) if n.startswith(start) and n[len(start):].isdigit()]


def stem_of(name: str, key: str) -> str:
    """Return the path of a clip's claims for one key, without the number."""
    return f"{STATE}/{name}.{key[:12]}"


def me() -> dict[str, Any]:
    """Describe this process so that others on the same machine can tell whether it still runs."""
    return {"machine": _machine(), "host": platform.node(), "pid": os.getpid(), "born": _born(os.getpid())}


def _holder_ended(content: bytes | None) -> bool:
    """Tell whether a claim's holder was a process of this machine that has ended."""
    try:
        holder = json.loads(content or b"{}")
        if holder["machine"] != _machine() or not sys.platform.startswith("linux"):
            return False
        return _born(int(holder["pid"])) != holder["born"]
    except (KeyError, TypeError, ValueError):
        return False


def _machine() -> str:
    """Name this machine, boot and set of processes: pids mean the same wherever this is equal."""
    parts = [platform.node()]
    for path in ("/proc/sys/kernel/random/boot_id",):
        try:
            with open(path, encoding="ascii") as file:
                parts.append(file.read().strip())
        except OSError:
            continue
    try:
        parts.append(os.readlink("/proc/self/ns/pid"))
    except OSError:
        pass
    return " ".join(parts)


def _born(pid: int) -> str | None:
    """When a process of this machine started, in the system's ticks; None where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            told = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if told[0] in ("Z", "X") else told[19]
