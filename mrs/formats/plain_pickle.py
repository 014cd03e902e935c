"""Pickles of plain types alone, for programs that read nothing else: numbers, text, lists, dicts, arrays.

Arrays name `numpy.ndarray` and a buffer, and nothing inside NumPy, so that any version of it reads them: NumPy 2's own pickles
name `numpy._core`, which simulators on NumPy 1.x do not have. Anything else is refused rather than written.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

PLAIN = (OrderedDict, bytearray)
NAMES = ("numpy.ndarray", "numpy.full", "builtins.bytearray", "collections.OrderedDict")


class _Plain(pickle.Pickler):
    def reducer_override(self, obj: Any):
        if isinstance(obj, np.ndarray):
            if obj.dtype.kind == "O" and obj.shape == ():
                return np.full, ((), obj.item(), "O")
            if obj.dtype.kind not in "biufc":
                raise TypeError(f"expected an array of numbers, but got {obj.dtype}")
            return np.ndarray, (obj.shape, obj.dtype.str, bytearray(np.ascontiguousarray(obj).tobytes()))
        if type(obj).__module__ == "torch" and type(obj).__name__ == "Tensor":
            import torch

            return torch.from_numpy, (obj.detach().cpu().numpy(),)
        named = f"{getattr(obj, '__module__', None)}.{getattr(obj, '__name__', None)}"
        if named == "torch.from_numpy":
            return "from_numpy"
        if isinstance(obj, PLAIN) or named in NAMES:
            return NotImplemented
        raise TypeError(f"expected plain types alone, but got {type(obj).__name__}")


def dump(value: Any, file) -> None:
    """Write a value to an open file; raises TypeError for anything that is not plain."""
    _Plain(file, protocol=4).dump(value)


def save(path: Path | str, value: Any) -> None:
    """Write a pickle."""
    with open(path, "wb") as file:
        dump(value, file)


def save_npy(path: Path | str, value: dict) -> None:
    """Write a dict as `numpy.save` does, for `numpy.load(path, allow_pickle=True).item()`."""
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        dump(np.full((), value, "O"), file)
