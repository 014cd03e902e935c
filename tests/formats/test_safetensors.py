"""Arrays in safetensors."""

import json
import struct

import numpy as np
import pytest

from mrs.errors import InputError
from mrs.formats import safetensors


def test_arrays_of_every_type_come_back(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {kind: (100 * rng.normal(size=(3, 2))).astype(kind) for kind in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?")}
    arrays |= {"none": np.zeros((0, 4), "f4"), "one": np.array(2.5)}
    safetensors.save(tmp_path / "a.safetensors", arrays, {"licence": "CC0"})
    found, facts = safetensors.load(tmp_path / "a.safetensors")
    assert facts == {"licence": "CC0"}
    for name, value in arrays.items():
        assert found[name].dtype == value.dtype
        assert np.array_equal(found[name], value)


def test_others_read_it(tmp_path):
    theirs = pytest.importorskip("safetensors.numpy")
    safetensors.save(tmp_path / "a.safetensors", {"x": np.arange(6, dtype="f4").reshape(2, 3)}, {})
    assert theirs.load_file(tmp_path / "a.safetensors")["x"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("entry", [{"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
                                   {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}, {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
                                   {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, {"shape": [1]}])
def test_a_header_that_promises_what_is_not_there_is_refused(tmp_path, entry):
    text = json.dumps({"x": entry}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 4)
    with pytest.raises(InputError, match=r"a\.safetensors"):
        safetensors.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("data", [b"", b"abc", struct.pack("<Q", 1 << 40), struct.pack("<Q", 2) + b"[]"])
def test_what_is_no_safetensors_file_is_refused(tmp_path, data):
    (tmp_path / "a.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="safetensors"):
        safetensors.load(tmp_path / "a.safetensors")


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="there is none"):
        safetensors.load(tmp_path / "no.safetensors")
