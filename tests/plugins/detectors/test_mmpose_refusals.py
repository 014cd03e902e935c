"""What is missing or wrong for the mmpose detector: one line each that says what to type."""

import importlib.util
import pickle

import numpy as np
import pytest
from mrs_plugins.detectors._mmpose_mend import INSTALL, read_checkpoint

from mrs.errors import InputError
from tests import mmpose_models
from tests.command import here
from tests.mmpose_models import CONFIGS, SAMPLE


@pytest.fixture
def no_mmpose(monkeypatch):
    """A machine on which mmpose is not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec",
                        lambda name, *a: None if name.split(".")[0] in ("mmpose", "mmcv", "mmengine") else real(name, *a))


def one_line(ended, code: int, *texts: str) -> None:
    """Check the exit code and that stderr is one line that holds some texts."""
    assert ended.code == code, ended.err
    assert len(ended.err.strip().splitlines()) == 1, ended.err
    assert "Traceback" not in ended.err
    for text in texts:
        assert text in ended.err


def detect(capsys, folder, **values):
    sets = [part for key, value in values.items() for part in ("--set", f"detector.{key}={value}")]
    return here(capsys, "detect", SAMPLE, "-o", folder / "out", "--detector", "mmpose", "--quiet", *sets)


def test_without_mmpose_the_install_command_is_told(capsys, tmp_path, no_mmpose):
    """`--detector mmpose` ends in 4 with the command to type; `mrs plugins` shows the same."""
    one_line(detect(capsys, tmp_path), 4, INSTALL)
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").glob("*.npz"))
    assert f"Type: {INSTALL}" in here(capsys, "plugins").out


def test_without_mmpose_nothing_is_converted(capsys, tmp_path, no_mmpose):
    """The converter says the same."""
    one_line(here(capsys, "convert", "mmpose-onnx", "a", "b", tmp_path / "c.onnx"), 4, INSTALL)


@mmpose_models.wanted
@pytest.mark.parametrize(("config", "code", "text"), [
    ("nothing/of/it.py", 3, "Type: --set detector.config=FILE.py"),
    ("rtmpose-m_8xb512-700e_body8-halpe26-256x193", 2, "Did you mean"),
    ("rtmpose-m", 2, "Type more of the name"),
    ("rtmo-s_8xb32-600e_coco-640x640", 2, "TopdownPoseEstimator"),
])
def test_missing_config(capsys, tmp_path, config, code, text):
    """A config that is not there, misspelt, ambiguous, or not top-down."""
    checkpoint = tmp_path / "some.pth"
    checkpoint.write_bytes(b"")
    one_line(detect(capsys, tmp_path, config=config, checkpoint=checkpoint), code, text)


@mmpose_models.wanted
def test_broken_config(capsys, tmp_path):
    """A config that is no Python, and one without a model."""
    checkpoint = tmp_path / "some.pth"
    checkpoint.write_bytes(b"")
    for text in ("model = dict(", "a = 1"):
        (tmp_path / "own.py").write_text(text)
        ended = detect(capsys, tmp_path, config=tmp_path / "own.py", checkpoint=checkpoint)
        one_line(ended, ended.code, "own.py")
        assert ended.code in (2, 3)


@mmpose_models.wanted
def test_missing_checkpoint(capsys, tmp_path, monkeypatch):
    """A path that is not there; and none given where the network is forbidden."""
    one_line(detect(capsys, tmp_path, config=CONFIGS["halpe-26"], checkpoint=tmp_path / "no.pth"), 3,
             "Type: --set detector.checkpoint=FILE.pth")
    monkeypatch.setenv("MRS_OFFLINE", "1")
    one_line(detect(capsys, tmp_path, config=CONFIGS["halpe-26"]), 4, "MRS_OFFLINE", "--set detector.checkpoint=FILE.pth")


class Evil:
    """Unpickled, it would write a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@mmpose_models.wanted
def test_wrong_checkpoint(capsys, tmp_path):
    """Text, nothing, half a file, no tensors, and a pickle that would run code: refused, and no code is run."""
    import torch

    marker = tmp_path / "marker"
    torch.save({"state_dict": Evil(marker)}, tmp_path / "evil.pth")
    torch.save({"state_dict": {"a": 1}}, tmp_path / "empty.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    (tmp_path / "word.pth").write_text("junk")
    (tmp_path / "nothing.pth").write_bytes(b"")
    (tmp_path / "half.pth").write_bytes((tmp_path / "empty.pth").read_bytes()[:300])
    for name, text in (("evil", "foreign code"), ("empty", "found none"), ("text", "no file of torch.save"), ("word", "no file of torch.save"),
                       ("nothing", "can't be read"), ("half", "can't be read")):
        one_line(detect(capsys, tmp_path, config=CONFIGS["halpe-26"], checkpoint=tmp_path / f"{name}.pth"), 3, text)
    assert not marker.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_checkpoints_hold_arrays_and_scalars(tmp_path):
    """What mmengine saves beside tensors is read: NumPy arrays and scalars, and nothing that runs code."""
    import torch

    content = {"state_dict": {"w": torch.ones(2)}, "meta": {"sigmas": np.arange(3.0), "loss": np.float64(0.5)}}
    torch.save(content, tmp_path / "good.pth")
    found = read_checkpoint(tmp_path / "good.pth")
    assert found["meta"]["sigmas"].tolist() == [0, 1, 2] and found["meta"]["loss"] == 0.5
    marker = tmp_path / "marker"
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"state_dict": Evil(marker)}))
    with pytest.raises(InputError):
        read_checkpoint(tmp_path / "plain.pkl")
    assert not marker.exists()


class Looked:
    """Unpickled, it would be what stands under a name of a module."""

    def __reduce__(self):
        return getattr, ("text", "upper")


@mmpose_models.wanted
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_training_s_own_checkpoint_is_read(tmp_path):
    """Its log history names methods by getattr: a word stands in for each, and nothing is looked up."""
    import torch
    from mmengine.logging import MessageHub

    hub = MessageHub.get_instance("mrs tests")
    hub.update_scalar("train/loss", 0.25)
    torch.save({"state_dict": {"w": torch.ones(2)}, "message_hub": hub.state_dict(), "other": Looked()}, tmp_path / "epoch_1.pth")
    found = read_checkpoint(tmp_path / "epoch_1.pth")
    assert found["other"] == "upper" and found["state_dict"]["w"].tolist() == [1, 1]
