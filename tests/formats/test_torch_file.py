"""Files of torch are read as plain arrays; whatever else they hold is refused in a line and never run."""

import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from mrs.errors import InputError
from mrs.formats import torch_file


class Runs:
    """What a hostile file holds."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def archive(path, data: bytes, **more: bytes):
    """A zip as torch.save lays it out, with any pickle."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", data)
        for name, numbers in more.items():
            file.writestr(f"archive/data/{name.strip('_')}", numbers)
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool])
def test_tensors_come_back(tmp_path, dtype):
    """Every type of number, transposed and cut tensors, empty ones, and tensors that share their numbers."""
    whole = torch.arange(24).reshape(4, 6).to(dtype)
    saved = {"whole": whole, "turned": whole.T, "cut": whole[1:3, ::2], "none": whole[:0], "list": [1, "two", (3.0, None)]}
    torch.save(saved, tmp_path / "t.pt")
    found = torch_file.read(tmp_path / "t.pt", ())
    for name in ("whole", "turned", "cut", "none"):
        assert found[name].dtype == saved[name].numpy().dtype
        np.testing.assert_array_equal(found[name], saved[name].numpy())
    assert found["list"] == saved["list"]


@pytest.mark.parametrize("value", [Runs(os.system, "touch ran"), Runs(eval, "open('ran', 'w')"), Runs(os.mkdir, "ran"),
                                   Runs(getattr, str, "join"), np.zeros(3), Runs(print, "x")])
def test_what_a_file_calls_is_refused_by_name(tmp_path, monkeypatch, value):
    """One line that names it, and no trace of it having run."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="which is not read") as refused:
        torch_file.read(archive("t.pt", pickle.dumps([value])), ("densepose",))
    assert "\n" not in str(refused.value) and not (tmp_path / "ran").exists()


REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORED = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
HOSTILE = {
    "beyond its numbers": b"\x80\x02" + REBUILD + b"(" + STORED + b"K\x00(K\x64t(K\x01ttR.",
    "before its numbers": b"\x80\x02" + REBUILD + b"(" + STORED + b"J\xfe\xff\xff\xff(K\x02t(K\x01ttR.",
    "many from few": b"\x80\x02" + REBUILD + b"(" + STORED + b"K\x00(J\x00\xca\x9a\x3bt(K\x00ttR.",
    "a function with a state": b"\x80\x02" + REBUILD + b"}X\x01\x00\x00\x00aK\x01sb.",
    "a class with a state": b"\x80\x02cdensepose\nX\n}X\x01\x00\x00\x00aK\x01sb.",
    "a huge array of bytes": b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00.",
    "a huge memo": b"\x80\x02Nr\xff\xff\xff\xff.",
    "no end": b"\x80\x02]", "empty": b"", "not a pickle": b"GIF89a",
    "deep": b"\x80\x02" + b"(" * 5000 + b"t" * 5000 + b"h\x05.",
    "a name that is no name": b"\x80\x04K\x01K\x02\x93.",
    "numbers that are not there": b"\x80\x02" + REBUILD + b"(" + STORED.replace(b"\x00\x00\x000X", b"\x00\x00\x001X") + b"K\x00(K\x02t(K\x01ttR.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_in_a_line(tmp_path, name):
    """None of them crashes, fills the memory, or is read as something."""
    path = archive(tmp_path / "t.pt", HOSTILE[name], _0=np.zeros(4, "<f4").tobytes())
    try:
        found = torch_file.read(path, ("densepose",))
    except InputError as refused:
        assert "\n" not in str(refused)
    else:
        assert name == "a huge memo" and found is None


def test_foreign_objects_are_bags_of_attributes(tmp_path):
    """A method of the class's name is not called; what it was called with is kept."""
    data = b"\x80\x02cdensepose.structures\nResult\n(K\x01K\x02tR}X\x06\x00\x00\x00labelsK\x05sb."
    found = torch_file.read(archive(tmp_path / "t.pt", data), ("densepose",))
    assert isinstance(found, torch_file.Told) and found.arguments == (1, 2) and found.labels == 5


def test_other_files_are_refused_in_a_line(tmp_path):
    """No zip, another zip, a compressed one, none."""
    (tmp_path / "a.pt").write_bytes(pickle.dumps([1]))
    with pytest.raises(InputError, match="before 1.6"):
        torch_file.read(tmp_path / "a.pt", ())
    with zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", pickle.dumps([1]))
    with pytest.raises(InputError, match="compress"):
        torch_file.read(tmp_path / "b.pt", ())
    np.savez(tmp_path / "c.npz", a=1)
    with pytest.raises(InputError, match="no data.pkl"):
        torch_file.read(tmp_path / "c.npz", ())
    with pytest.raises(InputError, match="there is none"):
        torch_file.read(tmp_path / "d.pt", ())
