"""Read a motion from whatever file holds one."""

from __future__ import annotations

from pathlib import Path

from mrs import plugins
from mrs.errors import InputError
from mrs.motion import Motion

DEEPMIMIC = (".txt", ".json")


def read_motion(path: Path | str, registry: plugins.Registry) -> Motion:
    """Read motion.npz, a run folder of one person, a person's folder, a DeepMimic file, or what an importer reads."""
    path = _file(Path(path))
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return Motion.load(path)
    for name in registry.names("importer"):
        if suffix in getattr(registry.get("importer", name).cls, "suffixes", ()):
            return registry.make("importer", name).read(path)
    if suffix in DEEPMIMIC:
        from mrs.formats import deepmimic

        return deepmimic.read(path)
    known = sorted({".npz", *DEEPMIMIC, *(s for n in registry.names("importer")
                                          for s in getattr(registry.get("importer", n).cls, "suffixes", ()))})
    raise InputError(f"Expected a motion ({', '.join(known)}), but got {path}.")


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
