"""The embedded assets and their cards."""

import pytest

from mrs import data
from mrs.errors import MissingError


@pytest.mark.parametrize("name", data.SHA256)
def test_models_are_the_ones_on_their_cards(name):
    """Every embedded model is there, has its sha256, and its card names the same sum, source and licence."""
    path = data.asset_path(name, verify=True)
    card = (path.parent / "README.md").read_text()
    assert path.name in card and data.SHA256[name] in card and "Apache-2.0" in card


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
    with pytest.raises(MissingError, match=f"sha256 {data.SHA256[name]}, but got [0-9a-f]{{64}}"):
        data.asset_path(name, verify=True)
