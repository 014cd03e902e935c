"""Where a batch lies."""

import threading

import pytest

from mrs.batch.storage import Folder, Remote, read_json, storage, write_json
from mrs.errors import InputError, MissingError


@pytest.fixture(params=["folder", "memory"])
def place(request, tmp_path):
    """An empty place of each kind."""
    if request.param == "memory":
        pytest.importorskip("fsspec")
        return storage(f"memory://{tmp_path.name}/batch")
    return storage(tmp_path / "batch")


def test_files_are_read_as_written_and_missing_ones_are_none(place):
    """What is written comes back; what is not there is None; names are in order."""
    assert (place.read("a/b"), place.names("a")) == (None, [])
    place.write("a/b", b"1")
    place.write("a/b", b"2")
    place.write("a/a", b"3")
    assert (place.read("a/b"), place.names("a")) == (b"2", ["a", "b"])
    place.remove("a/b")
    place.remove("a/b")
    assert place.names("a") == ["a"]


def test_only_the_first_creates(place):
    """Of two creations of one file the first holds."""
    assert place.create("x/c", b"first")
    assert not place.create("x/c", b"second")
    assert place.read("x/c") == b"first"


def test_of_many_at_once_exactly_one_creates(tmp_path):
    """Creating is exclusive among threads that start together."""
    place, won, gate = Folder(tmp_path), [], threading.Barrier(16)

    def try_it(number):
        gate.wait()
        if place.create("claim", str(number).encode()):
            won.append(number)

    threads = [threading.Thread(target=try_it, args=(n,)) for n in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(won) == 1
    assert place.read("claim") == str(won[0]).encode()
    assert place.names(".") == ["claim"]


def test_json_that_is_not_whole_counts_as_missing(place):
    """Half a JSON file is as good as none."""
    write_json(place, "r", {"a": 1})
    assert read_json(place, "r") == {"a": 1}
    place.write("r", b'{"a": ')
    assert read_json(place, "r") is None


def test_results_of_a_url_are_copied_there_and_back(tmp_path):
    """A clip's folder is made elsewhere, copied to the URL, and there again the next time; also after a failure."""
    pytest.importorskip("fsspec")
    place = Remote(f"memory://{tmp_path.name}")
    with pytest.raises(RuntimeError), place.working("clip") as folder:
        (folder / "persons/01").mkdir(parents=True)
        (folder / "persons/01/motion.npz").write_bytes(b"half")
        (folder / "run.json").write_text("{}")
        raise RuntimeError
    assert place.read("clip/persons/01/motion.npz") == b"half"
    with place.working("clip") as folder:
        assert (folder / "persons/01/motion.npz").read_bytes() == b"half"
        (folder / "persons/01/motion.npz").write_bytes(b"whole")
    assert place.read("clip/persons/01/motion.npz") == b"whole"


def test_a_file_url_is_a_folder(tmp_path):
    """file:// needs no copies."""
    assert storage(f"file://{tmp_path}/a%20b").root == tmp_path / "a b"


def test_a_url_nobody_knows_is_told(tmp_path):
    """An unknown protocol is a missing piece, a file in the way bad input."""
    pytest.importorskip("fsspec")
    with pytest.raises(MissingError, match="Expected a URL that fsspec can reach"):
        storage("nosuch://bucket/x")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        storage(tmp_path / "file").write("a", b"")
