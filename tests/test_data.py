"""The embedded assets and their cards."""

import json
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


def test_cards_have_no_gaps():
    """No card has a place that was to be filled in later."""
    for path in Path(data.__file__).parent.rglob("*.md"):
        assert not re.search(r"@[A-Z_]+@|TODO|TBD|FIXME", path.read_text()), path


def test_the_lifters_card_says_what_the_file_says():
    """Recipe and numbers on the card of hmr.safetensors are those in its header."""
    from safetensors import safe_open

    path = data.asset_path("models/hmr.safetensors")
    with safe_open(str(path), "np") as file:
        told = json.loads(file.metadata()["told"])
        count = sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118
    card = (path.parent / "README.md").read_text().split("## hmr\n")[1].split("\n## ")[0]
    recipe, contacts = told["recipe"], told["contacts_held_out"]
    said = (f"{count / 1e6:.1f} million", f"--minutes {recipe['minutes']}", f"--batch {recipe['batch']}", f"--reel {recipe['reel']}", "--rate 1.2e-3",
            f"--ema {recipe['ema']}", f"{told['step']:,} steps", f"{told['seconds']:.0f} s", f"{told['pa']:.1f} mm", f"{told['pa_2d']:.1f} without",
            f"precision {contacts['precision']}", f"recall {contacts['recall']}", "Licence", "- Data", "- Limits")
    assert recipe["rate"] == 1.2e-3 and count < 5e6
    assert [words for words in said if words not in " ".join(card.split())] == []
