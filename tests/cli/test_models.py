"""`mrs models`."""

import json
from pathlib import Path

import pytest

from mrs import data
from mrs.model_catalogue import CATALOGUE, GATED
from tests.command import here, real


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MRS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("arguments", [["models"], ["models", "list"]])
def test_the_list_has_every_embedded_file_and_every_model(capsys, cache, arguments):
    """Embedded files with size, licence, source, sha256 and card; what can be fetched, from where and to where; what is gated."""
    ended = here(capsys, *arguments)
    assert ended.code == 0 and ended.err == ""
    for name, asset in data.EMBEDDED.items():
        for text in (name, asset.licence, asset.source, asset.sha256, f"{data.place(name).stat().st_size / 1e6:.2f} MB"):
            assert text in ended.out
    assert "card " in ended.out and "  rtmpose-m " in ended.out and "mrs models get NAME" in ended.out
    for model in CATALOGUE.values():
        for text in (model.url, model.licence, str(cache / "models" / model.name / f"{model.name}{model.suffix}"), model.setting.format(name=model.name)):
            assert text in ended.out
    for entry in GATED:
        assert entry.url in ended.out and entry.files[0] in ended.out and "export MRS_SMPL_DIR=FOLDER" in ended.out


def test_json_has_the_same(capsys):
    """Each embedded file's size and card are real."""
    told = json.loads(here(capsys, "models", "list", "--json").out)
    assert {row["name"] for row in told["embedded"]} == set(data.EMBEDDED)
    for row in told["embedded"]:
        assert row["bytes"] == data.place(row["name"]).stat().st_size
        assert row["sha256"] in Path(row["card"]).read_text()
    assert all(row["path"] is None and row["url"] for row in told["models"])


def test_files_of_other_makers_are_found_where_they_were_put(capsys, tmp_path, monkeypatch):
    """A folder named by MRS_SMPL_DIR is looked through; what is not there yet has the folder to put it in."""
    monkeypatch.setenv("MRS_SMPL_DIR", str(tmp_path))
    (tmp_path / "smpl").mkdir()
    (tmp_path / "smpl/SMPL_NEUTRAL.pkl").write_bytes(b"x")
    rows = {row["name"]: row for row in json.loads(here(capsys, "models", "--json").out)["gated"]}
    assert rows["smpl"]["paths"] == [str(tmp_path / "smpl/SMPL_NEUTRAL.pkl")] and rows["smplx"]["paths"] == []
    assert f"put SMPLX_NEUTRAL.npz into {tmp_path}" in here(capsys, "models").out


def test_a_model_is_got_from_a_file_found_and_verified(capsys, tmp_path, cache):
    """get --from FILE, path, verify, and the list say the same; a changed file ends in 3."""
    (tmp_path / "mine.onnx").write_bytes(b"network")
    got = here(capsys, "models", "get", "rtmpose-m", "--from", tmp_path / "mine.onnx", "--quiet")
    assert got.code == 0 and got.out.strip() == str(cache / "models" / "rtmpose-m" / "rtmpose-m.onnx")
    assert here(capsys, "models", "path", "rtmpose-m").out == got.out
    verified = here(capsys, "models", "verify")
    assert verified.code == 0 and verified.out.count("ok ") == len(data.EMBEDDED) + 1
    assert f"ok {got.out.strip()} (as at its first download: its makers publish no checksum)\n" in verified.out
    assert "rtmpose-m       fetched" in here(capsys, "models").out
    (cache / "models" / "rtmpose-m" / "rtmpose-m.onnx").write_bytes(b"other")
    ended = here(capsys, "models", "verify", "rtmpose-m")
    assert ended.code == 3 and "mrs models get rtmpose-m --again" in ended.err


def test_embedded_files_have_paths(capsys):
    """`mrs models path` and `verify` take the names of embedded files as well."""
    name = "models/movenet-multipose.fp16w.onnx"
    assert here(capsys, "models", "path", name).out.strip() == str(data.asset_path(name))
    assert here(capsys, "models", "verify", name).out.strip() == f"ok {data.asset_path(name)}"


@pytest.mark.parametrize("name", list(data.EMBEDDED))
def test_short_names_are_enough(capsys, name):
    """A file's name, and that up to its first dot, mean the embedded file; no two files share one."""
    for short in (name.rpartition("/")[2], name.rpartition("/")[2].partition(".")[0]):
        assert here(capsys, "models", "path", short).out.strip() == str(data.asset_path(name))
    assert len(set(data.names()) | set(CATALOGUE)) == len(data.EMBEDDED) + len(CATALOGUE)


def test_sizes_of_what_is_not_here_are_about(capsys):
    """Every model to fetch has a line with about its size, or that none is published."""
    told = here(capsys, "models").out
    assert f"about 56 MB, {CATALOGUE['rtmpose-m'].licence}" in told and "about 6 kB, " in told and "size not published, " in told
    assert told.count("about ") - sum("about " in asset.about for asset in data.EMBEDDED.values()) == sum(m.megabytes is not None for m in CATALOGUE.values())


@pytest.mark.parametrize(("arguments", "code", "text"), [
    (["path", "hmrr"], 2, "Did you mean 'hmr'?"), (["path", "smpl"], 4, "https://smpl.is.tue.mpg.de/"), (["verify", "smplx"], 4, "MRS_SMPL_DIR=FOLDER"),
    (["get", "hmr"], 2, "mrs models path hmr"), (["get", "smpl"], 4, "makers alone"),
    (["path", "rtmpose-m"], 4, "mrs models get rtmpose-m"), (["verify", "rtmpose-m"], 4, "mrs models get rtmpose-m"),
    (["path", "rtmpose"], 2, "Did you mean 'rtmpose-"), (["get", "nothing"], 2, "nothing"),
    (["get", "rtmpose-s", "rtmpose-m", "--from", "x"], 2, "one name"), (["get", "rtmpose-s", "--from", "no.zip"], 3, "none"),
])
def test_refusals_are_one_line(capsys, arguments, code, text):
    """What is not there or misspelt is told in one line with what to type."""
    ended = here(capsys, "models", *arguments)
    assert ended.code == code and text in ended.err and ended.err.count("\n") == 1, ended.err


def test_offline_the_real_command_says_so():
    """MRS_OFFLINE=1 mrs models get: exit 4, one line, and nothing is asked of the network."""
    ended = real("models", "get", "rtmpose-m", "--quiet", MRS_OFFLINE="1")
    assert ended.code == 4 and "MRS_OFFLINE" in ended.err and ended.err.count("\n") == 1
