"""Arrays on disk: atomic writes, no pickles, a schema version in every file."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mrs.errors import InputError

SCHEMA_VERSION = 1


@contextmanager
def atomic_path(path: Path | str):
    """Yield a temporary path beside `path`, renamed to it on success and removed on any failure."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        yield Path(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def save(path: Path | str, kind: str, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write named arrays and JSON-able `meta` to a compressed npz, atomically."""
    header = {"schema_version": SCHEMA_VERSION, "kind": kind, **meta}
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **{"meta": np.array(json.dumps(header)), **arrays})  # type: ignore[arg-type]


def load(path: Path | str, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save` wrote; refuse anything else in one line. Pickles are never loaded."""
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if "meta" not in arrays:
            raise InputError(f"Expected a {kind} file written by mrs at {path}, but it is another's: it holds {some_of(list(arrays))}.")
        meta = json.loads(str(arrays.pop("meta")))
    except FileNotFoundError:
        raise InputError(f"Expected a {kind} file at {path}, but there is none.") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"Expected a {kind} file written by mrs at {path}, but it can't be read: {error}.") from None
    if meta.get("kind") != kind:
        raise InputError(f"Expected a {kind} file at {path}, but it holds '{meta.get('kind')}'.")
    if meta.get("schema_version", 0) > SCHEMA_VERSION:
        raise InputError(f"{path} was written by a newer mrs (schema {meta['schema_version']}). Type: pip install -U mrs")
    return arrays, meta


def some_of(names: list[str]) -> str:
    """Name up to five of them."""
    return (", ".join(names[:5]) + (" and more" if len(names) > 5 else "")) or "nothing"


def kind_of(path: Path | str) -> str | None:
    """The kind of a file that :func:`save` wrote; None for anything else."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return json.loads(str(file["meta"])).get("kind")
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile):
        return None
