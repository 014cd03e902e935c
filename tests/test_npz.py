import json
import os
import pickle

import numpy as np
import pytest

from mrs import npz
from mrs.errors import InputError


def test_what_is_saved_is_loaded(tmp_path):
    """Arrays and meta come back as they were, types included."""
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "persons/01/b": np.array([True, False])}
    npz.save(tmp_path / "x.npz", "tracks", arrays, {"body": "anny", "history": [{"stage": "lifter"}]})
    loaded, meta = npz.load(tmp_path / "x.npz", "tracks")
    assert loaded.keys() == arrays.keys()
    assert all(np.array_equal(loaded[n], a) and loaded[n].dtype == a.dtype for n, a in arrays.items())
    assert meta == {"schema_version": 1, "kind": "tracks", "body": "anny", "history": [{"stage": "lifter"}]}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    """A write that breaks off keeps what was there, and leaves no temporary file."""
    path = tmp_path / "x.npz"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), npz.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.npz"]


def test_a_written_file_has_usual_permissions(tmp_path):
    """Results are as readable as any file that the user makes (mkstemp alone would make them private)."""
    npz.save(tmp_path / "x.npz", "motion", {}, {})
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "x.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_another_kind_is_refused(tmp_path):
    """A motion is not taken for tracks."""
    npz.save(tmp_path / "x.npz", "motion", {}, {})
    with pytest.raises(InputError, match="Expected a tracks file.*holds 'motion'"):
        npz.load(tmp_path / "x.npz", "tracks")


def test_a_newer_schema_is_refused_with_the_command(tmp_path):
    """A file of a newer mrs names the command that helps."""
    header = json.dumps({"schema_version": 99, "kind": "tracks"})
    np.savez(tmp_path / "x.npz", meta=np.array(header))
    with pytest.raises(InputError, match="pip install -U mrs"):
        npz.load(tmp_path / "x.npz", "tracks")


def test_pickles_are_never_loaded(tmp_path):
    """A pickled object, in the archive or as the file, is refused and does not run."""
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "array.npz", meta=np.array("{}"), trap=np.array([Trap()], object))
    (tmp_path / "whole.npz").write_bytes(pickle.dumps(Trap()))
    for name in ("array.npz", "whole.npz"):
        with pytest.raises(InputError, match="can't be read"):
            npz.load(tmp_path / name, "tracks")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"hello, this is text", b"PK\x03\x04 but cut off"])
def test_a_broken_file_is_one_line(tmp_path, content):
    """Whatever is not an archive of ours is refused in one line that names it."""
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match="x.npz") as error:
        npz.load(tmp_path / "x.npz", "tracks")
    assert "\n" not in str(error.value)


def test_another_programs_archive_is_named_by_what_it_holds(tmp_path):
    """An npz without our header: what was expected, and what it holds."""
    np.savez(tmp_path / "x.npz", poses=np.zeros(3), trans=np.zeros(3))
    np.savez(tmp_path / "empty.npz")
    for name, held in (("x.npz", "poses, trans"), ("empty.npz", "nothing")):
        with pytest.raises(InputError, match=f"Expected a tracks file written by mrs at .*{name}, but it is another's: it holds {held}."):
            npz.load(tmp_path / name, "tracks")


def test_a_truncated_file_is_one_line(tmp_path):
    """A file that was cut off while it was copied is refused."""
    npz.save(tmp_path / "x.npz", "tracks", {"a": np.random.default_rng(0).normal(size=5000)}, {})
    whole = (tmp_path / "x.npz").read_bytes()
    (tmp_path / "x.npz").write_bytes(whole[:len(whole) // 2])
    with pytest.raises(InputError, match="can't be read"):
        npz.load(tmp_path / "x.npz", "tracks")


def test_a_missing_file_is_one_line(tmp_path):
    """A path without a file is named."""
    with pytest.raises(InputError, match="there is none"):
        npz.load(tmp_path / "x.npz", "tracks")
