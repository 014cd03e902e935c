"""Read a motion from whatever file holds one."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from mrs import plugins
from mrs.errors import InputError
from mrs.motion import Motion

DEEPMIMIC = (".txt", ".json")


def read_motion(path: Path | str, registry: plugins.Registry) -> Motion:
    """Read motion.npz, a run folder of one person, a person's folder, a DeepMimic file, or what an importer reads."""
    path = _file(Path(path))
    suffix = path.suffix.lower()
    if suffix == ".npz" and is_own(path):
        return Motion.load(path)
    for name in _importers(suffix, registry):
        importer = registry.make("importer", name)
        if getattr(importer, "reads", lambda path: True)(path):
            return importer.read(path)
    if suffix == ".npz":
        return Motion.load(path)
    if suffix in DEEPMIMIC:
        from mrs.formats import deepmimic

        return deepmimic.read(path, limbs="directions")
    raise InputError(f"Expected a motion ({', '.join(sorted(suffixes(registry)))}), but got {path}.")


def suffixes(registry: plugins.Registry) -> set[str]:
    """List the endings of files that can hold a motion."""
    return {".npz", *DEEPMIMIC, *(s for name in registry.names("importer")
                                  for s in getattr(registry.get("importer", name).cls, "suffixes", ()))}


def is_own(path: Path) -> bool:
    """Tell whether an npz was written by mrs: it says what it is in `meta`."""
    try:
        with zipfile.ZipFile(path) as file:
            return "meta.npy" in file.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _importers(suffix: str, registry: plugins.Registry) -> Iterator[str]:
    """Yield the importers that read files of a suffix. One that shares it with others has `reads(path)`, which looks inside."""
    for name in registry.names("importer"):
        if suffix in getattr(registry.get("importer", name).cls, "suffixes", ()):
            yield name


def _file(path: Path) -> Path:
    """Return the file that a path means; a folder means its motion.npz."""
    if path.is_dir():
        found = [path / "motion.npz"] if (path / "motion.npz").is_file() else sorted(path.glob("persons/*/motion.npz"))
        if len(found) != 1:
            listed = ", ".join(map(str, found)) or "none"
            raise InputError(f"Expected one motion.npz in {path}, but there is {listed}. Name the file.")
        return found[0]
    if not path.is_file():
        raise InputError(f"Expected a motion at {path}, but there is no such file.")
    return path
