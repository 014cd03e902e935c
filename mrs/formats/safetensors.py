"""Arrays in Hugging Face's safetensors: a length, a JSON header, raw little-endian numbers. No code, no pickle."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

from mrs.errors import InputError
from mrs.npz import atomic_path

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}
_NAMES = {np.dtype(code): name for name, code in _TYPES.items()}
LARGEST_HEADER = 1 << 26


def save(path: Path | str, arrays: dict[str, np.ndarray], facts: dict[str, str]) -> None:
    """Write named arrays and `facts` (text by name), atomically."""
    header, at = {"__metadata__": facts}, 0
    rows = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    for name, value in rows.items():
        header[name] = {"dtype": _NAMES[value.dtype], "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in rows.values():
            file.write(value.tobytes())


def load(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read arrays and facts; refuse what is broken, or reaches beyond the file, in one line."""
    path = Path(path)
    try:
        data = path.read_bytes()
        (size,) = struct.unpack_from("<Q", data)
        if size > min(LARGEST_HEADER, len(data) - 8):
            raise ValueError("its header is cut off")
        header = json.loads(data[8 : 8 + size])
        facts = header.pop("__metadata__", {})
        return {name: _array(memoryview(data)[8 + size :], entry) for name, entry in header.items()}, facts
    except FileNotFoundError:
        raise InputError(f"Expected a safetensors file at {path}, but there is none.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise InputError(f"Expected a safetensors file in {path}, but it can't be read: {' '.join(str(error).split())}.") from None


def _array(data: memoryview, entry: dict) -> np.ndarray:
    kind, shape, (first, past) = np.dtype(_TYPES[entry["dtype"]]), tuple(map(int, entry["shape"])), entry["data_offsets"]
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if min((first, *shape), default=0) < 0 or past > len(data) or past - first != count * kind.itemsize:
        raise ValueError("an array reaches beyond its numbers")
    return np.frombuffer(data[first:past], kind).reshape(shape)
