"""Where a batch lies: a folder, or a URL of fsspec. Small files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mrs.errors import InputError, MissingError
from mrs.npz import atomic_path

STATE = ".batch"


def is_url(place: str) -> bool:
    """Tell whether a place is a URL that is not simply a folder."""
    return "://" in place and not place.startswith("file://")


def storage(place: str | Path) -> Folder | Remote:
    """Return what reads and writes at a path, a file:// URL, or any other URL that fsspec knows."""
    text = str(place)
    return Remote(text) if is_url(text) else Folder(Path(_path_of(text)))


def _path_of(text: str) -> str:
    if not text.startswith("file://"):
        return text
    from urllib.parse import unquote, urlparse

    return unquote(urlparse(text).path)


class Folder:
    """A folder of this machine, or one that machines share."""

    def __init__(self, root: Path):
        self.root = Path(root).absolute()

    def __str__(self) -> str:
        return str(self.root)

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None where it is not there."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file in one step."""
        path = self._made(name)
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that nobody else has; False where it is there already. Of several at once, one gets True."""
        path = self._made(name)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        temporary.write_bytes(content)
        try:
            os.link(temporary, path)
            return True
        except FileExistsError:
            return False
        except OSError:
            return _create_plainly(path, content)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self.root / name).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """List the files of a folder, in order; none where the folder is not there."""
        try:
            return sorted(n for n in os.listdir(self.root / folder) if not n.startswith("."))
        except FileNotFoundError:
            return []

    @contextmanager
    def working(self, name: str) -> Iterator[Path]:
        """Yield the folder to make a clip's results in."""
        yield self.root / name

    def _made(self, name: str) -> Path:
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InputError(f"Expected a folder to write to, but {self.root} is a file. Choose another with -o.") from None
        except OSError as error:
            raise InputError(f"Expected a folder to write to, but {self.root} can't be written: {error.strerror}. "
                             "Choose another with -o.") from None
        return path


def _create_plainly(path: Path, content: bytes) -> bool:
    """Create a file exclusively where the file system has no links."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return True


class Remote:
    """Any place fsspec reaches (s3://, gs://, memory:// ...); results are made in a temporary folder and copied there."""

    def __init__(self, url: str):
        try:
            import fsspec
        except ImportError:
            raise MissingError(f"Expected fsspec, which reaches {url}, but it is not installed. "
                               "Type: pip install 'mrs[cluster]'") from None
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise MissingError(f"Expected a URL that fsspec can reach, but got {url}: {error}") from None
        self.url = url.rstrip("/")

    def __str__(self) -> str:
        return self.url

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None where it is not there."""
        self._fs.invalidate_cache()
        try:
            return self._fs.cat_file(self._at(name))
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file; object stores do that in one step."""
        self._fs.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
        self._fs.pipe_file(self._at(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that nobody else has. Where the store can't do that in one step, the last of two writers has it."""
        self._fs.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
        try:
            self._fs.pipe_file(self._at(name), content, mode="create")
        except FileExistsError:
            return False
        return self.read(name) == content

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            self._fs.rm_file(self._at(name))
        except FileNotFoundError:
            return

    def names(self, folder: str) -> list[str]:
        """List the files of a folder, in order."""
        self._fs.invalidate_cache()
        try:
            return sorted(path.rpartition("/")[2] for path in self._fs.ls(self._at(folder), detail=False))
        except FileNotFoundError:
            return []

    @contextmanager
    def working(self, name: str) -> Iterator[Path]:
        """Yield a temporary folder with what is there already; copy it back at the end, run.json last."""
        with tempfile.TemporaryDirectory(prefix="mrs-batch-") as temporary:
            folder = Path(temporary) / name
            self._fs.invalidate_cache()
            if self._fs.exists(self._at(f"{name}/run.json")):
                self._fs.get(self._at(name), str(folder), recursive=True)
                _unnested(folder, name)
            try:
                yield folder
            finally:
                self._copy_back(folder, name)

    def _copy_back(self, folder: Path, name: str) -> None:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock"]
        for path in sorted(files, key=lambda path: path.name == "run.json"):
            target = self._at(f"{name}/{path.relative_to(folder).as_posix()}")
            self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._fs.put_file(str(path), target)


def _unnested(folder: Path, name: str) -> None:
    """Undo what some file systems do of a folder that is fetched: put it inside another of its name."""
    inner = folder / name
    if inner.is_dir() and not (folder / "run.json").exists():
        for path in inner.iterdir():
            shutil.move(str(path), folder / path.name)
        inner.rmdir()


def read_json(place: Folder | Remote, name: str) -> dict[str, Any] | None:
    """Return a JSON object; None where the file is not there or not whole."""
    content = place.read(name)
    if content is None:
        return None
    try:
        found = json.loads(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def write_json(place: Folder | Remote, name: str, content: dict[str, Any]) -> None:
    """Write a JSON object."""
    place.write(name, json.dumps(content, indent=1, default=str).encode() + b"\n")
