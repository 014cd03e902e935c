"""Other people's pickles are read as plain arrays in every packing; what they call is refused and never run."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import sys
import zlib
from collections import OrderedDict, defaultdict
from types import ModuleType

import numpy as np
import pytest
import torch

from mrs.errors import InputError
from mrs.formats import restricted

RESULT = {"poses": np.arange(24.0).reshape(2, 4, 3), "turned": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
          "flags": np.array([True, False]), "names": np.array(["one", "two"]), "big": np.arange(3, dtype=">f4"), "none": np.zeros((0, 3)),
          "objects": np.array([{"a": np.ones(2)}, None], object), "scalar": np.float32(2.5), "id": np.int64(7), "raw": b"\x00\xff",
          "dict": defaultdict(dict, {1: {"x": (1, [2.0])}}), "ordered": OrderedDict(a=np.ones(1)), "point": np.array(3.0)}


def same(found, wanted):
    if isinstance(wanted, np.ndarray):
        assert found.shape == wanted.shape and found.dtype.kind == wanted.dtype.kind
        pairs = zip(found.ravel().tolist(), wanted.ravel().tolist(), strict=True)
        return all(same(a, b) if wanted.dtype.kind == "O" else a == b for a, b in pairs)
    if isinstance(wanted, dict):
        return list(found) == list(wanted) and all(same(found[k], wanted[k]) for k in wanted)
    return found == (wanted.item() if isinstance(wanted, np.generic) else wanted)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_of_every_protocol(tmp_path, protocol):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(RESULT, protocol))
    assert same(restricted.read(tmp_path / "a.pkl", "a result"), RESULT)


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress, bz2.compress, lzma.compress, lambda d: lzma.compress(d, lzma.FORMAT_ALONE)])
def test_compressed_pickles(tmp_path, pack):
    (tmp_path / "a.pkl").write_bytes(pack(pickle.dumps(RESULT, 4)))
    assert same(restricted.read(tmp_path / "a.pkl", "a result"), RESULT)


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 1), ("xz", 1)])
def test_files_of_joblib(tmp_path, compress):
    joblib = pytest.importorskip("joblib")
    joblib.dump(RESULT, tmp_path / "a.pkl", compress=compress)
    assert same(restricted.read(tmp_path / "a.pkl", "a result"), RESULT)


class NumpyArrayWrapper:
    """As joblib.numpy_pickle has it."""


@pytest.mark.parametrize("aligned", [False, True])
def test_arrays_that_follow_joblibs_wrapper(tmp_path, aligned):
    """The layout of joblib without joblib: a frame ends behind each wrapper, then come padding, where told, and the numbers."""
    module = ModuleType("joblib.numpy_pickle")
    module.NumpyArrayWrapper, NumpyArrayWrapper.__module__ = NumpyArrayWrapper, "joblib.numpy_pickle"
    outer = ModuleType("joblib")
    outer.numpy_pickle = module
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "joblib", outer)
        patch.setitem(sys.modules, "joblib.numpy_pickle", module)
        wrapper = NumpyArrayWrapper()
        wrapper.__dict__ |= {"subclass": np.ndarray, "shape": (3, 2), "order": "F", "dtype": np.dtype("f8"), "allow_mmap": True}
        if aligned:
            wrapper.numpy_array_alignment_bytes = 16
        out = io.BytesIO()
        pickler = pickle._Pickler(out, 2)
        pickler.write(pickle.PROTO + b"\x02")
        pickler.write(pickle.EMPTY_LIST)
        pickler.save(wrapper)
        pickler.write((b"\x05" + bytes(5) if aligned else b"") + np.arange(6.0).tobytes())
        pickler.write(pickle.APPEND)
        pickler.write(pickle.STOP)
    (tmp_path / "a.pkl").write_bytes(out.getvalue())
    assert restricted.read(tmp_path / "a.pkl", "a result")[0].tolist() == [[0, 3], [1, 4], [2, 5]]


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_new_and_old(tmp_path, zipped):
    whole = torch.arange(24.0).reshape(4, 6)
    saved = {"model": OrderedDict(w=whole, t=whole.T, p=torch.nn.Parameter(whole[1:3, ::2])), "step": 3, "perm": np.arange(4),
             "half": torch.ones(2, dtype=torch.float16)}
    torch.save(saved, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    found = restricted.read(tmp_path / "a.pt", "a checkpoint")
    assert found["step"] == 3 and found["perm"].tolist() == [0, 1, 2, 3] and found["half"].dtype == np.float16
    for name, value in saved["model"].items():
        assert np.array_equal(found["model"][name], value.detach().numpy())


def test_np_save_of_a_dict_of_tensors(tmp_path):
    np.save(tmp_path / "a.npy", {"pred_rotmat": torch.eye(3).repeat(2, 24, 1, 1), "frame": torch.arange(2), "other": np.ones(2)})
    found = restricted.read(tmp_path / "a.npy", "a result")
    assert found["pred_rotmat"].shape == (2, 24, 3, 3) and found["frame"].tolist() == [0, 1] and found["other"].tolist() == [1, 1]
    np.save(tmp_path / "b.npy", np.arange(4).reshape(2, 2).T)
    assert restricted.read(tmp_path / "b.npy", "a result").tolist() == [[0, 2], [1, 3]]


def test_sparse_matrices_and_chumpys_arrays_come_as_numbers(tmp_path):
    from scipy.sparse import csc_matrix, csr_matrix

    dense = np.array([[0, 2.0, 0], [1, 0, 3]])
    chumpy = ModuleType("chumpy")
    classes = {name: type(name, (), {"__module__": "chumpy"}) for name in ("Ch", "Select")}
    chumpy.__dict__.update(classes)
    sys.modules["chumpy"] = chumpy
    try:
        plain, select = classes["Ch"](), classes["Select"]()
        plain.__dict__["x"] = np.arange(6.0).reshape(2, 3)
        select.__dict__ |= {"a": plain, "idxs": np.array([5, 0, 1, 2]), "preferred_shape": (2, 2)}
        data = pickle.dumps({"csc": csc_matrix(dense), "csr": csr_matrix(dense), "ch": plain, "select": select}, 2)
    finally:
        sys.modules.pop("chumpy")
    (tmp_path / "a.pkl").write_bytes(data)
    found = restricted.read(tmp_path / "a.pkl", "a body model")
    assert np.array_equal(found["csc"], dense) and np.array_equal(found["csr"], dense)
    assert found["ch"].tolist() == [[0, 1, 2], [3, 4, 5]] and found["select"].tolist() == [[5, 0], [1, 2]]


class Runs:
    """What a hostile file holds."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("pack", ["pickle", "npy", "torch", "old torch"])
@pytest.mark.parametrize("value", [Runs(os.system, "touch ran"), Runs(eval, "open('ran', 'w')"), Runs(os.mkdir, "ran"),
                                   Runs(getattr, str, "join"), Runs(print, "x"), Runs(exec, "open('ran', 'w')")])
def test_what_a_file_calls_is_refused_by_name(tmp_path, monkeypatch, value, pack):
    monkeypatch.chdir(tmp_path)
    if pack == "pickle":
        (tmp_path / "a").write_bytes(pickle.dumps([value]))
    elif pack == "npy":
        with open("a", "wb") as file:
            np.save(file, np.array([value], object))
    else:
        torch.save([value], "a", _use_new_zipfile_serialization=pack == "torch")
    with pytest.raises(InputError, match="which is not read") as refused:
        restricted.read(tmp_path / "a", "a result")
    assert "\n" not in str(refused.value) and not (tmp_path / "ran").exists()


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR(K\x01(J\x00\xca\x9a\x3btcnumpy\ndtype\n(X\x02\x00\x00\x00f8I00\nI01\ntR"
HOSTILE = {
    "an array beyond its numbers": b"\x80\x02" + ARRAY + b"I00\nC\x01atb.",
    "a length for bytes": b"\x80\x02cbuiltins\nbytes\n(J\x00\xca\x9a\x3btR.",
    "a huge array of bytes": b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00.",
    "a function with a state": b"\x80\x02ccopyreg\n_reconstructor\n}X\x01\x00\x00\x00aK\x01sb.",
    "a class with a state": b"\x80\x02cchumpy\nX\n}X\x01\x00\x00\x00aK\x01sb.",
    "a built-in class with a state": b"\x80\x02cbuiltins\ndict\nN}X\x01\x00\x00\x00aK\x01s\x86b.",
    "no end": b"\x80\x02]", "empty": b"", "not a pickle": b"GIF89a", "a reference": b"\x80\x02K\x01Q.",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_broken_and_hostile_pickles_are_refused_in_a_line(tmp_path, data):
    (tmp_path / "a.pkl").write_bytes(data)
    with pytest.raises(InputError, match="Expected a result in") as refused:
        restricted.read(tmp_path / "a.pkl", "a result")
    assert "\n" not in str(refused.value)


def test_cut_files_are_refused_in_a_line(tmp_path):
    """A whole file of each kind, cut at many places."""
    whole = {"a.pkl": pickle.dumps(RESULT), "b.pkl": zlib.compress(pickle.dumps(RESULT))}
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(40)}, buffer, _use_new_zipfile_serialization=False)
    whole["c.pt"] = buffer.getvalue()
    for name, data in whole.items():
        for cut in np.linspace(1, len(data) - 1, 25).astype(int):
            (tmp_path / name).write_bytes(data[:cut])
            with pytest.raises(InputError):
                restricted.read(tmp_path / name, "a result")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        restricted.read(tmp_path / "gone.pkl", "a result")


@pytest.mark.parametrize(("data", "words"), [(b"", "it ends too early"), (b"\xa5" * 40, "it is no such file"), (b"PK\x03\x04" + b"x" * 400, "it ends too early")])
def test_what_is_no_pickle_is_said_in_words(tmp_path, data, words):
    """Not by a bare number or the name of an exception, as the unpickler does."""
    (tmp_path / "x.pt").write_bytes(data)
    with pytest.raises(InputError, match=words):
        restricted.read(tmp_path / "x.pt", "a checkpoint")
    with pytest.raises(InputError, match="it is a folder"):
        restricted.read(tmp_path, "a checkpoint")
