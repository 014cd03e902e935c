"""Import what only the extras bring, or say what to type."""

from __future__ import annotations

import importlib
from types import ModuleType

from mrs.errors import MissingError


def mujoco() -> ModuleType:
    """Return the module mujoco. Raises MissingError with the command that installs it."""
    return needed("mujoco", "physics", "the simulator MuJoCo")


def needed(name: str, extra: str, what: str) -> ModuleType:
    """Import `name`, which comes with the extra `extra`."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingError(f"Expected {what}, but it can't be imported ({error}). Type: pip install 'mrs[{extra}]'") from None


def has(name: str) -> bool:
    """Tell whether a module can be found, without importing it."""
    from importlib.util import find_spec

    return find_spec(name) is not None
