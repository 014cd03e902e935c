"""Typed plugin options: declared in a nested class, listed by the command line, checked on entry."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from typing import Any

from mrs.errors import UsageError


def option(default: Any, help: str, *, choices=None, min=None, max=None) -> Any:
    """Declare one option of a plugin's nested ``Options`` class.

    >>> class Options:
    ...     score_threshold: float = option(0.2, "Drop people scored lower.", min=0, max=1)
    """
    return dataclasses.field(
        default=default, metadata={"help": help, "choices": choices, "min": min, "max": max}
    )


@dataclasses.dataclass(frozen=True)
class OptionInfo:
    """What `mrs plugins show` prints of one option."""

    name: str
    type: str
    default: Any
    help: str
    choices: tuple | None = None
    min: float | None = None
    max: float | None = None


def options_class(plugin: type) -> type:
    """Return the plugin's ``Options`` as a frozen dataclass (an empty one where it has none)."""
    declared = plugin.__dict__.get("Options") or getattr(plugin, "Options", None)
    if declared is None:
        return dataclasses.make_dataclass("Options", [], frozen=True)
    if "__dataclass_fields__" in declared.__dict__:
        return declared
    return dataclasses.dataclass(frozen=True)(declared)


def describe(plugin: type) -> list[OptionInfo]:
    """List the plugin's options with types, defaults and help."""
    cls = options_class(plugin)
    hints = typing.get_type_hints(cls)
    return [
        OptionInfo(
            name=f.name,
            type=_type_name(hints[f.name]),
            default=f.default,
            help=f.metadata.get("help", ""),
            choices=tuple(f.metadata["choices"]) if f.metadata.get("choices") else None,
            min=f.metadata.get("min"),
            max=f.metadata.get("max"),
        )
        for f in dataclasses.fields(cls)
    ]


def build(plugin: Any, values: dict[str, Any], where: str) -> Any:
    """Build the plugin's options from given values; refuse unknown names and bad values.

    `where` is the prefix shown in messages, such as ``detector``.
    """
    cls = options_class(plugin)
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    checked = {}
    for key, value in values.items():
        if key not in fields:
            raise UsageError(unknown(f"option '{where}.{key}' of {plugin.name}", key, fields, where))
        checked[key] = _check(fields[key], hints[key], value, f"{where}.{key}")
    return cls(**checked)


def unknown(what: str, key: str, known, where: str = "") -> str:
    """Word the refusal of an unknown name, with the nearest known one."""
    known = sorted(known)
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    dot = f"{where}." if where else ""
    hint = f" Did you mean '{dot}{near[0]}'?" if near else ""
    listed = ", ".join(known) if known else "none"
    return f"Unknown {what}.{hint} Known: {listed}."


def _check(field: dataclasses.Field, hint: Any, value: Any, where: str) -> Any:
    value = _convert(hint, value, where)
    meta = field.metadata
    if meta.get("choices") and value is not None and value not in meta["choices"]:
        raise UsageError(f"Expected {where} to be one of {', '.join(map(str, meta['choices']))}, but got '{value}'.")
    if value is not None and meta.get("min") is not None and value < meta["min"]:
        raise UsageError(f"Expected {where} to be at least {meta['min']}, but got {value}.")
    if value is not None and meta.get("max") is not None and value > meta["max"]:
        raise UsageError(f"Expected {where} to be at most {meta['max']}, but got {value}.")
    return value


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Turn a string from the command line, or a YAML value, into the option's type."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [a for a in typing.get_args(hint) if a is not type(None)]
        if value is None or (isinstance(value, str) and value.lower() in ("none", "null", "")):
            return None
        return _convert(inner[0], value, where)
    try:
        if hint is bool:
            if isinstance(value, bool):
                return value
            return {"true": True, "yes": True, "on": True, "1": True,
                    "false": False, "no": False, "off": False, "0": False}[str(value).lower()]
        if hint is int and isinstance(value, float) and value != int(value):
            raise ValueError
        if hint in (int, float) and isinstance(value, bool):
            raise ValueError
        if hint is float and not math.isfinite(float(value)):
            raise ValueError
        return hint(value) if hint in (int, float, str) else value
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"Expected {where} to be {_type_name(hint)}, but got '{value}'.") from None


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join("none" if a is type(None) else _type_name(a) for a in typing.get_args(hint))
    return {bool: "true or false", int: "whole number", float: "number", str: "text"}.get(
        hint, getattr(hint, "__name__", str(hint))
    )
