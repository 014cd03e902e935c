"""The run folder: one lock, atomic results, and run.json, which knows what each result was made from.

A result is reused only when the key of what it was made from, and the file's own SHA-256, are what run.json recorded.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mrs import npz
from mrs.errors import InputError, MrsError, UsageError

SCHEMA_VERSION = 1
HIDDEN = ".partial"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LEFTOVER = re.compile(r"\.[\w-]+\.[a-z0-9_]{8}\.\w+")


def key_of(inputs: dict[str, Any]) -> str:
    """Hash what a result is made from (JSON-able)."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class RunFolder:
    """One OUT folder, locked while it is open.

    `report` is run.json as it will be written next; `results` its part about files, by path inside the folder.
    """

    def __init__(self, root: Path):
        self.root = root
        self.report: dict[str, Any] = {}
        self._lock: Any = None
        self._absent: list[Path] = []

    @classmethod
    def open(cls, root: Path, video_sha256: str, overwrite: bool = False) -> RunFolder:
        """Make, lock and read the folder; refuse one that belongs to another video or is in use.

        With `overwrite`, what an earlier run recorded there is removed first.
        """
        folder = cls(Path(root))
        folder._make()
        folder._take_lock()
        try:
            folder._read(video_sha256, overwrite)
        except BaseException:
            folder.close()
            raise
        return folder

    @classmethod
    def peek(cls, root: Path, video_sha256: str, overwrite: bool = False) -> RunFolder:
        """Read what the folder has without making, locking or changing anything; refuse what :meth:`open` refuses."""
        folder = cls(Path(root))
        earlier = folder._earlier(overwrite)
        if not overwrite:
            folder._refuse_other(earlier, video_sha256)
            folder.report = {"results": earlier.get("results", {})}
        return folder

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def undo(self) -> bool:
        """Remove what this run put here, where it has made nothing yet, and nothing that was here before; say whether run.json is gone."""
        new = self.root / "run.json" in self._absent
        if self.results or any((self.hidden / "detect").glob("*.npz")):
            return False
        if new:
            self.close()
        for path in self._absent:
            try:
                path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
            except OSError:  # somebody else has put something in, or it is open
                pass
        return new

    def path(self, name: str) -> Path:
        """Return the path of a result, with its folder made."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def hidden(self) -> Path:
        """The folder of half-finished work and of what only the next run needs."""
        return self.root / HIDDEN

    @property
    def results(self) -> dict[str, dict]:
        """What run.json says of each file."""
        return self.report.setdefault("results", {})

    def is_current(self, name: str, key: str) -> bool:
        """Tell whether a result was made from just this, and nobody has touched it since."""
        return self.results.get(name, {}).get("key") == key and self.is_untouched(name)

    def is_untouched(self, name: str) -> bool:
        """Tell whether a file is there and is what run.json recorded."""
        record, path = self.results.get(name), self.root / name
        return record is not None and path.is_file() and sha256_of(path) == record["sha256"]

    @contextmanager
    def writing(self, name: str):
        """Yield the path to write to; what the disk refuses becomes one line that names the file."""
        path = self.root / name
        try:
            self.path(name)
            yield path
        except OSError as error:
            raise MrsError(write_refusal(path, error)) from error
        except MrsError as error:
            told = error.__cause__ or error.__context__
            if isinstance(told, OSError) and told.errno in _FULL:
                raise MrsError(write_refusal(path, told)) from error
            raise

    def record(self, name: str, inputs: dict[str, Any], seconds: float, **facts: Any) -> None:
        """Note a finished result in run.json, and write that at once."""
        self.results[name] = {"key": key_of(inputs), "sha256": sha256_of(self.root / name),
                              "seconds": round(seconds, 3), **facts, "made_from": inputs}
        self.save()

    def save(self) -> None:
        """Write run.json."""
        with self.writing("run.json") as path, npz.atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.report, indent=1, default=str, allow_nan=False) + "\n", encoding="utf-8")

    def _make(self) -> None:
        ours = (self.root / "run.json", self.hidden / "detect", self.hidden / "lock", self.hidden, self.root, *self.root.parents)
        self._absent = [path for path in ours if not path.exists()]
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self.hidden.mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InputError(f"Expected a folder to write to, but {self.root} is a file. Choose another with -o.") from None
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> MrsError:
        if error.errno in _FULL:
            return MrsError(write_refusal(self.root, error))
        return InputError(f"Expected a folder to write to, but {self.root} can't be written: {error.strerror}. "
                          "Choose another with -o.")

    def _take_lock(self) -> None:
        """Lock the folder for this process; the system frees the lock even after a crash."""
        try:
            self._lock = open(self.hidden / "lock", "a+", encoding="utf-8")  # noqa: SIM115 (held until close)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            import fcntl

            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            return
        except BlockingIOError:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "unknown"
            self.close()
            raise MrsError(f"{self.root} is in use by another mrs (process {owner}). "
                           "Wait until it ends, or choose another folder with -o.") from None
        except OSError:
            return
        try:
            self._lock.truncate(0)
            self._lock.write(str(os.getpid()))
            self._lock.flush()
        except OSError as error:
            self.close()
            raise self._unwritable(error) from None

    def _read(self, video_sha256: str, overwrite: bool) -> None:
        self._sweep()
        earlier = self._earlier(overwrite)
        if overwrite:
            self._remove(earlier)
            return
        self._refuse_other(earlier, video_sha256)
        self.report = {"results": earlier.get("results", {})}

    def _refuse_other(self, earlier: dict[str, Any], video_sha256: str) -> None:
        other = earlier.get("video", {}).get("sha256")
        if other and other != video_sha256:
            raise UsageError(f"{self.root} holds the run of another video ({earlier['video'].get('path')}). "
                             "Choose another folder with -o, or type --overwrite to replace it.")

    def _earlier(self, overwrite: bool) -> dict[str, Any]:
        path = self.root / "run.json"
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
            if not _is_report(earlier):
                raise ValueError("it is not a run of mrs")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            if overwrite:
                return {}
            raise InputError(f"Expected {path} to be written by mrs, but it can't be read: {error}. "
                             "Choose another folder with -o, or type --overwrite.") from None
        if earlier["schema_version"] > SCHEMA_VERSION and not overwrite:
            raise InputError(f"{path} was written by a newer mrs (schema {earlier['schema_version']}). "
                             "Type: pip install -U mrs")
        return earlier

    def _remove(self, earlier: dict[str, Any]) -> None:
        """Remove the files an earlier run recorded, and no others."""
        for name in (*earlier.get("results", {}), "run.json", "tracks.npz"):
            path = self.root / name
            if path.resolve().is_relative_to(self.root.resolve()):
                path.unlink(missing_ok=True)
        for path in self.hidden.iterdir():
            if path.is_dir():
                shutil.rmtree(path)

    def _sweep(self) -> None:
        """Remove temporary files of a run that was killed in the middle of writing."""
        for folder in (self.root, self.root / "persons", self.hidden):
            for path in folder.glob("*" if folder == self.root else "**/*"):
                if _LEFTOVER.fullmatch(path.name) and path.is_file():
                    path.unlink(missing_ok=True)


def _is_report(content: Any) -> bool:
    """Tell whether a JSON value has the parts of run.json that the next run relies on."""
    return (isinstance(content, dict) and isinstance(content.get("schema_version"), int)
            and isinstance(content.get("video", {}), dict) and isinstance(content.get("results", {}), dict)
            and all(isinstance(record, dict) for record in content.get("results", {}).values()))


def write_refusal(path: Path, error: OSError) -> str:
    """Word what the disk said, and what to do about it."""
    if error.errno in _FULL:
        advice = "What is finished is kept: free some space and type the same command again."
    else:
        advice = "Check the folder's permissions, or choose another with -o."
    return f"Expected to write {path}, but it can't be written: {error.strerror or error}. {advice}"
