"""The embedded assets and their cards."""

import re
from pathlib import Path

import pytest

from mrs import data
from mrs.errors import MissingError


@pytest.mark.parametrize("name", data.EMBEDDED)
def test_embedded_files_are_the_ones_on_their_cards(name):
    """Every embedded file is there, has its sha256, and its card names the same file, sum and licence."""
    path = data.asset_path(name, verify=True)
    card = (path.parent / "README.md").read_text()
    asset = data.EMBEDDED[name]
    assert path.name in card and asset.sha256 in card and asset.source and asset.about
    assert re.match(r"[A-Z0-9]+", asset.licence).group() in card


def test_no_embedded_file_is_without_an_entry():
    """Each weight and body file of the package has its entry in mrs.data.EMBEDDED, which `mrs models` lists."""
    root = Path(data.__file__).parent
    found = {path.relative_to(root).as_posix() for path in root.rglob("*")
             if path.is_file() and path.suffix in (".onnx", ".npz", ".npy", ".pt", ".pth", ".safetensors")
             or path.name.endswith(".min.js")}
    assert found == set(data.EMBEDDED)


def test_absent_asset_is_named():
    """An absent asset gives one line with its name and the command that brings it back."""
    with pytest.raises(MissingError, match=r"models/nothing\.onnx.*Type: pip install"):
        data.asset_path("models/nothing.onnx")


def test_wrong_sum_is_refused_only_on_request(tmp_path, monkeypatch):
    """A changed file is returned unasked, and refused with both sums where a check was asked for."""
    name = "models/pose_landmark_full.fp16w.onnx"
    (tmp_path / "models").mkdir()
    (tmp_path / name).write_bytes(b"broken")
    monkeypatch.setattr(data.importlib.resources, "files", lambda package: tmp_path)
    assert data.asset_path(name) == tmp_path / name
    with pytest.raises(MissingError, match=f"sha256 {data.EMBEDDED[name].sha256}, but got [0-9a-f]{{64}}"):
        data.asset_path(name, verify=True)
