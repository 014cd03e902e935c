"""Read other people's pickles as plain dicts, lists and arrays, without running anything that they name.

Read are pickles of Python 2 and 3 with NumPy arrays, SciPy's sparse matrices, chumpy's arrays and tensors in them: plain ones (.pkl), those
of joblib, compressed or not, of `np.save` (.npy), and of `torch.save`, old and new (.pt, .pth, .tar). Whatever calls a file makes,
nothing but what is written here is called: arrays are put together from their numbers, objects of the modules in TOLD become bags
of attributes (:class:`mrs.formats.torch_file.Told`), and any other name is refused.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mrs.errors import InputError, reason
from mrs.formats.torch_file import _DTYPES, Told, _contents, _tensor

LARGEST = 1 << 33
"""Bytes that a compressed file may unfold to."""
TOLD = ("scipy", "chumpy", "torch")
"""Modules whose objects become bags of attributes."""
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C


def read(path: Path | str, what: str, told: tuple[str, ...] = TOLD) -> Any:
    """Return what a file holds; `what` says in errors what was expected, `told` whose objects become bags. Raises InputError."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            head = file.read(8)
        if zipfile.is_zipfile(path):
            return _zipped(path, told)
        if head.startswith(b"PK\x03\x04"):
            raise EOFError
        return _unpacked(path, head, told)
    except FileNotFoundError:
        raise InputError(f"Expected {what} at {path}, but there is no such file.") from None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (the unpickler raises whatever it meets in broken files)
        raise InputError(f"Expected {what} in {path}, but it can't be read: {_reason(error)}.") from None


def _reason(error: Exception) -> str:
    """What is wrong with a file, where Python's unpickler says a bare number or nothing."""
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, EOFError):
        return "it ends too early"
    if isinstance(error, KeyError) or "persistent IDs" in str(error):
        return "it is no such file, or a part of one"
    return reason(error)


def _zipped(path: Path, told: tuple[str, ...]) -> Any:
    """A file of torch.save since PyTorch 1.6."""
    with zipfile.ZipFile(path) as archive:
        data, storage = _contents(archive)
        return _settled(_Unpickler(io.BytesIO(data), len(data), storage, told).load())


def _unpacked(path: Path, head: bytes, told: tuple[str, ...]) -> Any:
    """A file that is no zip: of joblib or np.save, an old one of torch.save, or a plain pickle."""
    with open(path, "rb") as file:
        stream = _unfolded(file, head)
        if stream is not file:
            head = stream.getvalue()[:8]
        size = len(stream.getvalue()) if stream is not file else path.stat().st_size
        if head.startswith(b"\x93NUMPY"):
            return _npy(stream, size)
        value = _Unpickler(stream, size, told=told).load()
        if value == _TORCH_MAGIC:
            return _old_torch(stream, size, told)
        return _settled(value)


def _unfolded(file, head: bytes):
    """The stream itself, or what it is compressed of."""
    openers = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open, b"\x5d\x00": lzma.open}
    if head[:2] not in openers and len(head) > 1 and head[0] == 0x78 and (head[0] * 256 + head[1]) % 31 == 0:
        return _inflated(file)
    if head[:2] not in openers:
        return file
    with openers[head[:2]](file) as stream:
        data = stream.read(LARGEST + 1)
    _refuse_large(len(data))
    return io.BytesIO(data)


def _inflated(file) -> io.BytesIO:
    out, unzip = io.BytesIO(), zlib.decompressobj()
    while block := file.read(1 << 20):
        while block:
            out.write(unzip.decompress(block, 1 << 26))
            _refuse_large(out.tell())
            block = unzip.unconsumed_tail
    out.write(unzip.flush())
    if not unzip.eof:
        raise ValueError("it ends too early")
    out.seek(0)
    return out


def _refuse_large(size: int) -> None:
    if size > LARGEST:
        raise ValueError("it unfolds to more than 8 GB")


def _npy(stream, size: int) -> Any:
    """An array of np.save, or the one object in it."""
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(stream)
    if dtype.hasobject:
        value = _settled(_Unpickler(stream, size).load())
        return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return _numbers(stream.read(), dtype, shape, fortran)


def _old_torch(stream, size: int, told: tuple[str, ...] = TOLD) -> Any:
    """The rest of a file of torch.save before PyTorch 1.6: three pickles, and then the numbers of every storage."""
    if _Unpickler(stream, size).load() != 1001:
        raise ValueError("it has an unknown version")
    _Unpickler(stream, size).load()
    stored: dict[str, _Stored] = {}

    def storage(key: str, dtype: np.dtype, count: int) -> _Stored:
        return stored.setdefault(key, _Stored(dtype, count))

    value = _Unpickler(stream, size, storage, told).load()
    for key in _Unpickler(stream, size).load():
        count = int.from_bytes(stream.read(8), "little")
        own = stored.get(str(key))
        if own is None or not 0 <= count * own.dtype.itemsize <= size:
            raise ValueError("its numbers belong to no tensor")
        own.numbers = np.frombuffer(stream.read(count * own.dtype.itemsize), own.dtype)
    return _settled(value)


@dataclass
class _Stored:
    """Numbers that come later in the file."""

    dtype: np.dtype
    count: int
    numbers: np.ndarray | None = None


@dataclass
class _Tensor:
    """A tensor over numbers that come later, or that are at hand."""

    storage: Any
    layout: tuple

    def array(self) -> np.ndarray:
        numbers = self.storage.numbers if isinstance(self.storage, _Stored) else self.storage
        if numbers is None:
            raise ValueError("a tensor's numbers are missing")
        return _tensor(numbers, *self.layout)


class _Type:
    """A dtype in the making: np.dtype(text), then its byte order."""

    def __init__(self, text="O", *flags):
        self.text, self.order = str(text), "="

    def __setstate__(self, state):
        self.order = str(state[1]) if isinstance(state, tuple) and len(state) > 1 else "="

    def dtype(self) -> np.dtype:
        """The dtype; of numbers and text alone."""
        dtype = np.dtype(self.text)
        if dtype.kind not in "biufcSUO":
            raise ValueError(f"it holds arrays of {self.text}")
        return dtype.newbyteorder(self.order) if self.order in "<>" else dtype


class _Array:
    """An array in the making: shape, dtype, order and numbers come as its state."""

    def __init__(self, *ignored):
        self.state: tuple = ()

    def __setstate__(self, state):
        self.state = tuple(state) if isinstance(state, tuple) else ()

    def array(self, memo) -> np.ndarray:
        """Put the array together."""
        if len(self.state) != 5:
            raise ValueError("an array has no numbers")
        _, shape, kind, fortran, data = self.state
        dtype = kind.dtype()
        if dtype.hasobject:
            return _objects([_settled(item, memo) for item in data], shape)
        data = data.encode("latin1") if isinstance(data, str) else bytes(data)
        return _numbers(data, dtype, shape, bool(fortran))


class _Wrapped(Told):
    """joblib's NumpyArrayWrapper: what the array is like whose numbers follow in the file."""


class _Function:
    """A function of Python's that a file may name: calling it calls what stands here."""

    __slots__ = ("_call",)

    def __init__(self, call):
        object.__setattr__(self, "_call", call)

    def __call__(self, *arguments):
        return self._call(*arguments)

    def __setstate__(self, state):
        raise pickle.UnpicklingError("a function is given a state")

    def __setattr__(self, name, value):
        raise pickle.UnpicklingError("a function is changed")


def _numbers(data: bytes, dtype: np.dtype, shape, fortran: bool) -> np.ndarray:
    """An array of numbers; of those that are there, and no more."""
    shape = tuple(int(n) for n in shape)
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if min(shape, default=0) < 0 or count * dtype.itemsize > len(data):
        raise ValueError("an array is larger than its numbers")
    return np.frombuffer(data, dtype, count).reshape(shape, order="F" if fortran else "C")


def _objects(items: list, shape) -> np.ndarray:
    out = np.empty(len(items), object)
    out[:] = items
    return out.reshape(tuple(int(n) for n in shape))


def _scalar(kind: _Type, data: Any = None):
    if isinstance(data, str):
        data = data.encode("latin1")
    return np.frombuffer(bytes(data), kind.dtype(), 1)[0].item()


def _from_buffer(data, kind, shape, order="C"):
    made = _Array()
    made.state = (1, shape, kind if isinstance(kind, _Type) else _Type(), order == "F", bytes(data))
    return made


def _bytes(data=b"", *coding) -> bytes:
    """Bytes of bytes or text; never of a number, which would be a length."""
    return _encoded(data, *coding) if isinstance(data, str) else bytes(memoryview(data))


def _encoded(text: str, coding: str = "latin1") -> bytes:
    if coding not in ("latin1", "latin-1", "utf-8", "ascii"):
        raise pickle.UnpicklingError(f"it has text in {coding}")
    return str(text).encode(coding)


def _reconstructed(cls, *ignored):
    return cls() if isinstance(cls, type) and issubclass(cls, Told) else {}


def _nested_torch(data) -> _Stored | np.ndarray:
    """The storage that a tensor has in a plain pickle: a whole old file of torch.save of its own."""
    stream, size = io.BytesIO(bytes(data)), len(data)
    if _Unpickler(stream, size).load() != _TORCH_MAGIC:
        raise ValueError("a tensor's numbers are no file of torch")
    return _old_torch(stream, size)


def _rebuilt(storage, *layout) -> _Tensor:
    return _Tensor(storage, layout)


_FUNCTIONS = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuilt, ("torch._utils", "_rebuild_tensor"): _rebuilt,
    ("torch._utils", "_rebuild_parameter"): lambda data, *ignored: data, ("torch", "Size"): lambda *of: tuple(*of),
    ("torch.storage", "_load_from_bytes"): _nested_torch, ("torch", "device"): lambda *name: str(name[0]) if name else "",
    ("copyreg", "_reconstructor"): _reconstructed, ("copy_reg", "_reconstructor"): _reconstructed,
    ("_codecs", "encode"): _encoded, ("collections", "OrderedDict"): lambda *items: OrderedDict(*items),
    ("collections", "defaultdict"): lambda *ignored: {},
    **{(module, name): call for module in ("builtins", "__builtin__") for name, call in (
        ("bytes", _bytes), ("bytearray", _bytes), ("complex", complex), ("set", set), ("frozenset", frozenset))},
}
_PLAIN = {"dict": dict, "list": list, "tuple": tuple, "int": int, "float": float, "bool": bool, "str": str, "unicode": str, "long": int}


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python, whose memory grows with the file alone."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream, size: int, storage=None, told: tuple[str, ...] = TOLD):
        super().__init__(stream, encoding="latin1")
        self._stream, self._size, self._storage, self._told, self._classes = stream, size, storage, told, {}

    def find_class(self, module, name):
        if (module, name) in _FUNCTIONS:
            return _Function(_FUNCTIONS[module, name])
        if module in ("builtins", "__builtin__") and name in (*_PLAIN, "object"):
            return _PLAIN.get(name, Told)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module.split(".")[0] == "numpy" and (found := self._of_numpy(name)) is not None:
            return found
        if module.startswith("joblib") and name == "NumpyArrayWrapper":
            return _Wrapped
        if module.split(".")[0] in self._told:
            return self._classes.setdefault((module, name), type(str(name), (Told,), {}))
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is not read")

    @staticmethod
    def _of_numpy(name):
        return {"ndarray": _Array, "dtype": _Type, "_reconstruct": _Function(_Array), "scalar": _Function(_scalar),
                "_frombuffer": _Function(_from_buffer), "matrix": _Array, "memmap": _Array}.get(name)

    def persistent_load(self, pid):
        if not isinstance(pid, tuple) or self._storage is None:
            raise pickle.UnpicklingError("it refers to what is not in it")
        if pid[0] == "module":
            return pid[1]
        kind, dtype, key, _, count = pid[:5]
        if kind != "storage" or not isinstance(dtype, str):
            raise pickle.UnpicklingError("it holds numbers of an unknown kind")
        view = pid[5] if len(pid) > 5 else None
        if view is not None:
            raise pickle.UnpicklingError("it holds views of storages")
        return self._storage(str(key), np.dtype(dtype), int(count))

    def load_build(self):
        """Build an object; behind joblib's wrapper the array itself follows in the file."""
        super().load_build()
        if isinstance(self.stack[-1], _Wrapped):
            self.append(self._wrapped(self.stack.pop()))

    def _wrapped(self, told: _Wrapped):
        kind, shape = told.dtype, told.shape
        dtype = kind.dtype()
        if dtype.hasobject:
            return _Unpickler(self._stream, self._size).load()
        if getattr(told, "numpy_array_alignment_bytes", None) is not None:
            self._stream.read(self._stream.read(1)[0])
        count = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
        if not 0 <= count <= self._size:
            raise ValueError("an array is larger than its file")
        return _numbers(self._stream.read(count), dtype, shape, told.order == "F")

    def load_bytearray8(self):
        """Take bytes that are there; Python's own makes room for as many as the file claims."""
        length = int.from_bytes(self.read(8), "little")
        if length > self._size:
            raise ValueError("an array is larger than its file")
        self.append(self.read(length))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def _settled(value: Any, memo: dict | None = None) -> Any:
    """Put arrays, tensors and matrices in the place of what they are made of, all the way down."""
    memo = {} if memo is None else memo
    if isinstance(value, (str, bytes, int, float, type(None), np.ndarray)):
        return value
    if id(value) not in memo:
        memo[id(value)] = (value, value)
        memo[id(value)] = (value, _made(value, memo))
    return memo[id(value)][1]


def _made(value: Any, memo: dict) -> Any:
    if isinstance(value, dict):
        return {key if not isinstance(key, tuple) else str(key): _settled(item, memo) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_settled(item, memo) for item in value)
    if isinstance(value, _Tensor):
        return value.array()
    if isinstance(value, _Stored):
        return value.numbers
    if isinstance(value, _Array):
        return value.array(memo)
    if isinstance(value, _Type):
        return value.dtype().str
    if isinstance(value, Told):
        for name, item in vars(value).items():
            setattr(value, name, _settled(item, memo))
        return _dense(value)
    return value


def _dense(told: Told) -> Any:
    """SciPy's sparse matrix as it is in numbers; chumpy's array as its numbers; another object as it is."""
    held = vars(told)
    if {"data", "indices", "indptr"} <= set(held):
        from scipy.sparse import csc_matrix, csr_matrix

        kind = csr_matrix if type(told).__name__.startswith("csr") else csc_matrix
        return kind((held["data"], held["indices"], held["indptr"]), shape=held.get("_shape", held.get("shape"))).toarray()
    if {"a", "idxs"} <= set(held):
        chosen = np.asarray(held["a"]).ravel()[np.asarray(held["idxs"]).astype(int).ravel()]
        shape = held.get("preferred_shape")
        return chosen.reshape(tuple(int(n) for n in shape)) if shape is not None else chosen
    return held["x"] if isinstance(held.get("x"), np.ndarray) else told
