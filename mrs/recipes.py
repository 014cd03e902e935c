"""Recipes of trainings as YAML files: what every kind of recipe reads and refuses alike."""

from __future__ import annotations

from pathlib import Path

from mrs.errors import InputError, UsageError
from mrs.options import unknown


def read_values(path: Path, given: dict, wanted: str = "") -> dict:
    """Return the names and values of a YAML file; those of `given` that are not None win. `wanted` adds what else may be named.

    Raises InputError where the file can't be read, is not YAML, or holds no names.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"Expected a YAML recipe at {path}{wanted}, but it can't be read: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise InputError(f"Expected 'key: value' lines in {path}, but got {type(values).__name__}.")
    return {**values, **set_only(given)}


def set_only(given: dict) -> dict:
    """Leave out what is None."""
    return {name: value for name, value in given.items() if value is not None}


def refuse_unknown(values: dict, known, where: str) -> None:
    """Raise UsageError at the first name that no recipe of this kind has."""
    for name in values:
        if name not in known:
            raise UsageError(unknown(f"key '{name}' {where}".rstrip(), str(name), known))
