"""Read what `torch.save` wrote as plain lists, dicts and arrays, without torch and without running anything.

A file of torch is a zip of one pickle and raw numbers. The pickle is read by an unpickler that knows tensors, and takes
objects of the modules it is told of for bags of attributes (:class:`Told`); whatever else a file names is refused by name.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import ClassVar

import numpy as np

from mrs.errors import InputError, reason

_DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "ByteStorage": "u1", "CharStorage": "i1",
           "ShortStorage": "<i2", "IntStorage": "<i4", "LongStorage": "<i8", "BoolStorage": "?"}
LARGEST_PICKLE = 1 << 28


class Told:
    """An object of a foreign class: its attributes, or what it was called with as `arguments`; never its code."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __setstate__(self, state):
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.__dict__.update({str(name): value for name, value in part.items()})


class _Callable:
    """A function that a pickle may call, and can't change."""

    __slots__ = ("_call",)

    def __init__(self, call):
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments):
        return self._call(*arguments)  # type: ignore[attr-defined]

    def __setstate__(self, state):
        raise pickle.UnpicklingError("a function is given a state")

    def __setattr__(self, name, value):
        raise pickle.UnpicklingError("a function is changed")


class _Unpickler(pickle._Unpickler):
    """The Python unpickler, whose memory grows with the file alone, with nothing to call but tensors."""

    dispatch: ClassVar = {code: load for code, load in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]}

    def __init__(self, data: bytes, storage, modules: tuple[str, ...]):
        super().__init__(io.BytesIO(data))
        self._storage, self._modules, self._classes = storage, modules, {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _Callable(_tensor)
        if (module, name) == ("torch", "Size"):
            return _Callable(tuple)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if isinstance(module, str) and module.split(".")[0] in self._modules:
            return self._classes.setdefault((module, name), type(str(name), (Told,), {}))
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not read")

    def persistent_load(self, pid):
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, str):
            raise pickle.UnpicklingError("it holds numbers of an unknown kind")
        return self._storage(str(key), np.dtype(dtype), int(count))


def _tensor(storage, offset, size, stride, *rest):
    """Rebuild an array from its numbers, where shape and strides stay within them."""
    size, stride, offset = tuple(map(int, size)), tuple(map(int, stride)), int(offset)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if min((*size, *stride, offset), default=0) < 0 or (0 not in size and last >= len(storage)):
        raise pickle.UnpicklingError("a tensor reaches beyond its numbers")
    if 0 in size:
        return np.zeros(size, storage.dtype)
    if int(np.prod(size, dtype=object)) > len(storage):
        raise pickle.UnpicklingError("a tensor is larger than its numbers")
    item = storage.dtype.itemsize
    return np.lib.stride_tricks.as_strided(storage[offset:], size, [s * item for s in stride], writeable=False)


def read(path: Path, modules: tuple[str, ...]):
    """Return what a file of torch.save holds; objects of classes in `modules` become :class:`Told`.

    Raises InputError for a broken file, and for one that names anything else.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _Unpickler(*_contents(archive), modules).load()
    except zipfile.BadZipFile:
        raise InputError(f"Expected a file of torch.save at {path}, but it is no zip file, or one of PyTorch before 1.6. "
                         "Type, where torch is installed: torch.save(torch.load(FILE), FILE)") from None
    except FileNotFoundError:
        raise InputError(f"Expected a file of torch.save at {path}, but there is none.") from None
    except Exception as error:  # noqa: BLE001 (the unpickler raises whatever it meets in broken files)
        raise InputError(f"Expected a file of torch.save in {path}, but it can't be read: {reason(error)}.") from None


def _contents(archive: zipfile.ZipFile):
    """The pickle, and a function that reads the numbers of a storage."""
    infos = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in infos if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise ValueError("it has no data.pkl")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
        raise ValueError("torch does not compress")
    if infos[pickles[0]].file_size > LARGEST_PICKLE:
        raise ValueError("its pickle is too large")
    root, kept = pickles[0].split("/")[0], {}

    def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
        if (key, dtype) not in kept:
            numbers = archive.read(f"{root}/data/{key}")
            kept[key, dtype] = np.frombuffer(numbers[: len(numbers) // dtype.itemsize * dtype.itemsize], dtype)
        if len(kept[key, dtype]) < count:
            raise ValueError("a tensor's numbers are cut off")
        return kept[key, dtype]

    return archive.read(pickles[0]), storage
