"""Fetch networks into the user's cache: resumed where a download stopped, checked, and never half a file.

A model lies in CACHE/models/NAME/ as NAME.onnx (or what its makers' ending is) beside model.json, which holds its address and checksums.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mrs.errors import InputError, MissingError, MrsError, UsageError
from mrs.model_catalogue import CATALOGUE, Model
from mrs.options import unknown

_BLOCK = 1 << 18
_TIMEOUT_S = 30
_TRIES = 4


def cache_dir() -> Path:
    """Return the folder for what can be fetched again: MRS_CACHE_DIR, XDG_CACHE_HOME/mrs, or the system's place."""
    if os.environ.get("MRS_CACHE_DIR"):
        return Path(os.environ["MRS_CACHE_DIR"])
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "mrs"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mrs"
    if sys.platform == "win32" and os.environ.get("LOCALAPPDATA"):
        return Path(os.environ["LOCALAPPDATA"]) / "mrs" / "Cache"
    return Path.home() / ".cache" / "mrs"


def offline() -> bool:
    """Say whether MRS_OFFLINE forbids the network."""
    return os.environ.get("MRS_OFFLINE", "").lower() not in ("", "0", "false", "no")


@dataclass(frozen=True)
class Held:
    """A model in the cache: its file and what model.json says."""

    path: Path
    facts: dict


def named(name: str) -> Model:
    """Return a model of the catalogue, or refuse with the nearest name."""
    if name not in CATALOGUE:
        raise UsageError(unknown(f"model '{name}'", name, CATALOGUE))
    return CATALOGUE[name]


def held(name: str) -> Held | None:
    """Return a model that is in the cache, else None."""
    path = place(name)
    try:
        facts = json.loads(path.with_name("model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Held(path, facts) if path.is_file() and isinstance(facts, dict) else None


def place(name: str) -> Path:
    """Return where a model of the catalogue lies, or would lie."""
    return cache_dir() / "models" / name / f"{name}{CATALOGUE[name].suffix if name in CATALOGUE else '.onnx'}"


def resolve(name_or_path: str, instead: str) -> Path:
    """Return the path of a model given by path, or by a catalogue name that was fetched; `instead` is what else to type."""
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if name_or_path in CATALOGUE:
        found = held(name_or_path)
        if found is None:
            raise MissingError(f"Expected the model {name_or_path} in {cache_dir() / 'models'}, but it was not fetched yet. "
                               f"Type: mrs models get {name_or_path} (or {instead})")
        return found.path
    if path.suffix or len(path.parts) > 1:
        raise InputError(f"Expected a model file at {path}, but there is none. Type: {instead}, or mrs models list")
    raise UsageError(unknown(f"model '{name_or_path}'", name_or_path, CATALOGUE) + f" Type: {instead}")


def get(model: Model, source: str | None = None, *, again: bool = False, new_digest: bool = False,
        update: Callable[[int, int | None], None] = lambda done, total: None) -> Held:
    """Return a model, fetched into the cache where it is not there yet.

    `source` is another address or a local file to take it from. `again` fetches it anew; what then differs from the first
    download is refused unless `new_digest`.
    """
    before = held(model.name)
    if before is not None and not again and source is None:
        return before
    folder = place(model.name).parent
    folder.mkdir(parents=True, exist_ok=True)
    pinned = model.sha256 or (before.facts.get("source_sha256") if before and not new_digest else None)
    archive = folder / "download.part"
    with _locked(folder):
        _bring(source or model.url, archive, model, update)
        digest = sha256_of(archive)
        if pinned and digest != pinned:
            archive.unlink()
            raise InputError(_other_digest(model, digest, pinned))
        if not digest.startswith(model.sha256_begins):
            archive.unlink()
            raise InputError(_other_digest(model, digest, f"{model.sha256_begins}..."))
        path = folder / f"{model.name}{model.suffix}"
        if model.suffix == ".onnx":
            _unpack(archive, path, source or model.url)
        else:
            _keep(archive, path, source or model.url)
        facts = {"schema_version": 1, "name": model.name, "url": model.url, "source": source or model.url,
                 "source_sha256": digest, "sha256": sha256_of(path), "bytes": path.stat().st_size,
                 "checked_against": "catalogue" if model.sha256 or model.sha256_begins else "first download", "licence": model.licence}
        _write_json(folder / "model.json", facts)
        archive.unlink(missing_ok=True)
    return Held(path, facts)


def verify(name: str) -> Held:
    """Return a fetched model whose file still has its checksum; refuse it otherwise."""
    found = held(name)
    if found is None:
        raise MissingError(f"Expected the model {name} in {cache_dir() / 'models'}, but it was not fetched yet. "
                           f"Type: mrs models get {name}")
    digest = sha256_of(found.path)
    if digest != found.facts.get("sha256"):
        raise InputError(f"Expected {found.path} to have sha256 {found.facts.get('sha256')}, but got {digest}. "
                         f"Type: mrs models get {name} --again")
    return found


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() if sys.version_info >= (3, 11) else _digest(stream)


def _digest(stream) -> str:
    digest = hashlib.sha256()
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _other_digest(model: Model, digest: str, pinned: str) -> str:
    if model.sha256 or model.sha256_begins:
        return (f"Expected {model.url} to have sha256 {pinned}, but got {digest}; it was thrown away. Try again, or from "
                f"elsewhere: mrs models get {model.name} --from FILE_OR_URL")
    return (f"Expected {model.name} to have sha256 {pinned} as at its first download, but got {digest}; the old file stays. "
            f"To trust the new one, type: mrs models get {model.name} --again --new-digest")


def _bring(source: str, target: Path, model: Model, update) -> None:
    """Copy a local file, or download an address."""
    if not source.startswith(("http://", "https://")):
        path = Path(source).expanduser()
        if not path.is_file():
            raise InputError(f"Expected a file or an http address after --from, but there is none at {path}.")
        shutil.copyfile(path, target)
        return
    if offline():
        raise MissingError(f"Expected to fetch {source}, but MRS_OFFLINE is set. Fetch it on another machine and type: "
                           f"mrs models get {model.name} --from FILE")
    download(source, target, update, f"mrs models get {model.name} --from FILE")


def download(url: str, part: Path, update=lambda done, total: None, instead: str = "") -> None:
    """Download an address into `part`, going on from what it holds of the same version of the same address.

    A connection that breaks is taken up again a few times; what arrived stays for the next call.
    """
    import urllib.error

    note = part.with_suffix(".part.json")
    before = -1
    tries = 0
    while True:
        try:
            _attempt(url, part, note, update)
            note.unlink(missing_ok=True)
            return
        except urllib.error.HTTPError as error:
            if error.code == 416 and part.exists():
                part.unlink()
                note.unlink(missing_ok=True)
                tries += 1
            else:
                raise _unreachable(url, f"{error.code} {error.reason}", part, instead) from None
        except (OSError, EOFError, ValueError) as error:
            size = part.stat().st_size if part.exists() else 0
            tries = 0 if size > before else tries + 1
            before = max(size, before)
            reason = getattr(error, "reason", None) or error
        if tries >= _TRIES or (before <= 0 and tries >= 1):
            raise _unreachable(url, str(reason), part, instead) from None


def _attempt(url: str, part: Path, note: Path, update) -> None:
    """Ask once for what is missing; raise EOFError where the connection ends too soon."""
    import http.client
    import urllib.request

    have, tag = _taken(url, part, note)
    request = urllib.request.Request(url, headers={"User-Agent": "mrs", "Accept-Encoding": "identity"})
    if have and tag:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", tag)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        goes_on = answer.status == 206 and _starts_at(answer.headers.get("Content-Range", "")) == have
        have = have if goes_on else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        _write_json(note, {"url": url, "tag": answer.headers.get("ETag") or answer.headers.get("Last-Modified")})
        with open(part, "ab" if goes_on else "wb") as out:
            try:
                while block := answer.read(_BLOCK):
                    out.write(block)
                    have += len(block)
                    update(have, total)
            except http.client.HTTPException as error:
                raise EOFError(str(error)) from None
    if total is not None and have != total:
        raise EOFError(f"the connection ended after {have} of {total} bytes")


def _taken(url: str, part: Path, note: Path) -> tuple[int, str | None]:
    """Return how many bytes of this address are there, and the version they are of."""
    try:
        told = json.loads(note.read_text(encoding="utf-8"))
        if told.get("url") == url and told.get("tag"):
            return part.stat().st_size, told["tag"]
    except (OSError, ValueError, AttributeError):
        pass
    return 0, None


def _starts_at(content_range: str) -> int | None:
    start = content_range.removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else None


def _unreachable(url: str, reason: str, part: Path, instead: str) -> MissingError:
    kept = f" {part.stat().st_size} bytes are kept, and the same command goes on from there." if part.exists() else ""
    elsewhere = f" Or fetch it on another machine and type: {instead}" if instead else ""
    return MissingError(f"Expected to fetch {url}, but got: {' '.join(reason.split())}.{kept}{elsewhere}")


def _keep(archive: Path, target: Path, source: str) -> None:
    """Move a file that is no archive to its place; a page of text is not one."""
    with open(archive, "rb") as stream:
        head = stream.read(64).lstrip().lower()
    if not head or head.startswith((b"<!doctype", b"<html")):
        archive.unlink()
        raise InputError(f"Expected a file of weights at {source}, but got {'a page of text' if head else 'nothing'}; it was thrown away.")
    os.replace(archive, target)


def _unpack(archive: Path, target: Path, source: str) -> None:
    """Move the archive's only .onnx file, or the file itself where it is no archive, to its place in one step."""
    temporary = target.with_suffix(".onnx.tmp")
    if not zipfile.is_zipfile(archive):
        if source.lower().partition("?")[0].endswith(".zip") or archive.stat().st_size == 0:
            archive.unlink()
            raise InputError(f"Expected a zip archive at {source}, but got something else; it was thrown away.")
        os.replace(archive, target)
        return
    try:
        with zipfile.ZipFile(archive) as content:
            members = [m for m in content.infolist() if m.filename.lower().endswith(".onnx")]
            if len(members) != 1:
                raise InputError(f"Expected one .onnx file in {source}, but found {len(members)}.")
            with content.open(members[0]) as packed, open(temporary, "wb") as out:
                shutil.copyfileobj(packed, out, _BLOCK)
    except (zipfile.BadZipFile, InputError, EOFError) as error:
        archive.unlink()
        temporary.unlink(missing_ok=True)
        raise InputError(f"{error} The archive was thrown away." if isinstance(error, InputError) else
                         f"Expected a whole zip archive at {source}, but: {error}. It was thrown away.") from None
    os.replace(temporary, target)


def _write_json(path: Path, facts: dict) -> None:
    temporary = path.with_suffix(".json.tmp")
    temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    os.replace(temporary, path)


@contextmanager
def _locked(folder: Path):
    """Let one process at a time fetch a model (where the system has flock)."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MrsError(f"Expected to fetch into {folder}, but another mrs is doing so. Wait for it.") from None
        yield
