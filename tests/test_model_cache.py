"""Fetching networks: resumed, checked, and never half a file; from a server of our own on this machine."""

import hashlib
import http.server
import io
import json
import threading
import zipfile

import pytest

from mrs import model_cache
from mrs.errors import InputError, MissingError, UsageError
from mrs.model_catalogue import CATALOGUE, Model

NETWORK = bytes(range(256)) * 4096


def zipped(*names: str, content: bytes = NETWORK) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return out.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """Serve `content` at any address; `cut` is how many bytes of each answer arrive before the line breaks."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.cut, self.asked, self.tag = zipped("a/end2end.onnx", "a/detail.json"), None, [], '"one"'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/net.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        """Answer, from the byte asked for on."""
        server = self.server
        server.asked.append(self.headers.get("Range"))
        start = 0
        if self.path.startswith("/absent"):
            self.send_error(404)
            return
        if self.headers.get("Range") and self.headers.get("If-Range") == server.tag:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        else:
            self.send_response(200)
        rest = server.content[start:]
        self.send_header("Content-Length", str(len(rest)))
        self.send_header("ETag", server.tag)
        self.end_headers()
        self.wfile.write(rest[:server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    made = Server()
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and no proxy between us and ourselves."""
    monkeypatch.setenv("MRS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("MRS_OFFLINE", raising=False)
    return tmp_path / "cache" / "models"


def model(server, **facts) -> Model:
    return Model("net", server.url, "a network", **facts)


def test_an_archive_is_fetched_once_and_unpacked(server, cache):
    """The only .onnx file of the archive lies in the cache with its facts; asking again asks nobody."""
    told = []
    found = model_cache.get(model(server), update=lambda done, total: told.append((done, total)))
    assert found.path == cache / "net" / "net.onnx" and found.path.read_bytes() == NETWORK
    assert found.facts["source_sha256"] == hashlib.sha256(server.content).hexdigest()
    assert found.facts["sha256"] == hashlib.sha256(NETWORK).hexdigest()
    assert told[-1] == (len(server.content), len(server.content))
    assert {path.name for path in (cache / "net").iterdir()} == {"net.onnx", "model.json", "lock"}
    assert model_cache.get(model(server)).path == found.path and len(server.asked) == 1
    assert model_cache.verify("net").path == found.path


def test_a_broken_line_is_taken_up_where_it_broke(server):
    """Answers that break off are gone on from, without a byte twice, until the file is whole."""
    server.cut = 300_000
    assert model_cache.get(model(server)).path.read_bytes() == NETWORK
    assert server.asked == [None, *(f"bytes={have}-" for have in range(300_000, len(server.content), 300_000))]


def test_another_version_on_the_server_starts_from_the_beginning(server, cache):
    """What was kept of an older version is not mixed with the new one."""
    server.cut, server.tag = 0, '"old"'
    (cache / "net").mkdir(parents=True)
    (cache / "net" / "download.part").write_bytes(b"x" * 1000)
    (cache / "net" / "download.part.json").write_text(json.dumps({"url": server.url, "tag": '"older"'}))
    server.cut = None
    assert model_cache.get(model(server)).path.read_bytes() == NETWORK


def test_published_checksums_are_held(server, cache):
    """A file with its published sum is kept, one with another is thrown away."""
    good = hashlib.sha256(server.content).hexdigest()
    assert model_cache.get(model(server, sha256=good)).facts["checked_against"] == "catalogue"
    with pytest.raises(InputError, match="thrown away"):
        model_cache.get(Model("other", server.url, "", sha256="0" * 64))
    assert not list((cache / "other").glob("*.onnx")) and not list((cache / "other").glob("*.part"))


def test_a_first_download_is_what_later_ones_have_to_equal(server):
    """Without a published sum, other bytes later are refused and the old file stays, unless they are asked for."""
    model_cache.get(model(server))
    server.content = zipped("b.onnx", content=b"new")
    with pytest.raises(InputError, match="--again --new-digest"):
        model_cache.get(model(server), again=True)
    assert model_cache.held("net").path.read_bytes() == NETWORK
    assert model_cache.get(model(server), again=True, new_digest=True).path.read_bytes() == b"new"


@pytest.mark.parametrize("content", [b"", b"<html>sorry</html>", zipped("a.txt"), zipped("a.onnx", "b.onnx"),
                                     zipped("a.onnx")[:-100]])
def test_broken_archives_leave_nothing(server, cache, content):
    """Nothing, a web page, no network, two networks, half an archive: one line, no file."""
    server.content = content
    with pytest.raises((InputError, MissingError)) as error:
        model_cache.get(model(server))
    assert "\n" not in str(error.value)
    assert model_cache.held("net") is None and not list((cache / "net").glob("*.onnx*"))


def test_a_changed_file_is_noticed(server):
    """verify refuses a file whose bytes are no longer those that were fetched."""
    found = model_cache.get(model(server))
    found.path.write_bytes(b"changed")
    with pytest.raises(InputError, match="mrs models get net --again"):
        model_cache.verify("net")


def test_without_a_network(server, monkeypatch, tmp_path):
    """MRS_OFFLINE, an absent address and nobody at home: one line with what to type; a local file works all the same."""
    monkeypatch.setenv("MRS_OFFLINE", "1")
    with pytest.raises(MissingError, match="MRS_OFFLINE.*mrs models get net --from FILE"):
        model_cache.get(model(server))
    assert server.asked == []
    (tmp_path / "net.onnx").write_bytes(NETWORK)
    assert model_cache.get(model(server), str(tmp_path / "net.onnx")).path.read_bytes() == NETWORK
    monkeypatch.delenv("MRS_OFFLINE")
    with pytest.raises(MissingError, match="404"):
        model_cache.get(Model("far", server.url.replace("/net", "/absent"), ""))
    with pytest.raises(MissingError, match="--from FILE"):
        model_cache.get(Model("far", "http://127.0.0.1:9/net.zip", ""))


def test_names_and_paths(tmp_path):
    """A path is itself; a name that was not fetched tells how; a misspelt one the nearest; a lost path is said to be lost."""
    (tmp_path / "own.onnx").write_bytes(b"x")
    assert model_cache.resolve(str(tmp_path / "own.onnx"), "") == tmp_path / "own.onnx"
    with pytest.raises(MissingError, match="Type: mrs models get rtmpose-m"):
        model_cache.resolve("rtmpose-m", "x")
    with pytest.raises(UsageError, match="rtmpose-m"):
        model_cache.resolve("rtmpose_m", "x")
    with pytest.raises(InputError, match="none"):
        model_cache.resolve(str(tmp_path / "lost.onnx"), "x")


def test_catalogue_is_whole():
    """Every model has an https address, a licence and what it is."""
    for name, entry in CATALOGUE.items():
        assert entry.name == name and entry.url.startswith("https://") and entry.licence and entry.about


def test_a_file_of_another_kind_is_kept_as_it_comes(server, cache):
    """Weights that are a zip themselves are not unpacked; their makers' half of a checksum is held; a page of text is none."""
    server.content = zipped("a/data.pkl")
    digest = hashlib.sha256(server.content).hexdigest()
    weights = Model("vgg19", server.url, "", suffix=".pth", sha256_begins=digest[:8])
    found = model_cache.get(weights)
    assert found.path == cache / "vgg19" / "vgg19.pth" and found.path.read_bytes() == server.content
    assert found.facts["checked_against"] == "catalogue" and model_cache.resolve("vgg19", "x") == found.path
    with pytest.raises(InputError, match="thrown away"):
        model_cache.get(Model("vgg19", server.url, "", suffix=".pth", sha256_begins="0123abcd"), again=True, new_digest=True)
    server.content = b"<!DOCTYPE html><p>gone"
    with pytest.raises(InputError, match="page of text"):
        model_cache.get(Model("lpips-alex", server.url, "", suffix=".pth"))
