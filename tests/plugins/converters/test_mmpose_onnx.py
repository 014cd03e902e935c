"""`mrs convert mmpose-onnx`: mmpose's keypoints without mmpose."""

import numpy as np
import pytest
from mrs_plugins.detectors._onnx_pose import OnnxPose
from mrs_plugins.detectors.rtmpose import RTMPose

from mrs import options
from tests import mmpose_models
from tests.command import here, real
from tests.mmpose_models import BOXES_PX, CONFIGS, mmpose_itself, real_frame

pytestmark = mmpose_models.wanted


@pytest.mark.parametrize("name", CONFIGS)
def test_keypoints_agree_with_mmpose(name, tmp_path, checkpoints, capsys):
    """Keypoints within 0.1 px of mmpose's, by a file that says everything itself; one of them by the real command.

    The weights are random, and now and then two places score the same to rounding: one keypoint in a hundred may differ.
    """
    pytest.importorskip("onnx")
    checkpoint = checkpoints(name)
    out = tmp_path / "made.onnx"
    command = ("convert", "mmpose-onnx", CONFIGS[name], checkpoint, out)
    ended = real(*command) if name == "halpe-26" else here(capsys, *command)
    assert ended.code == 0, ended.err
    assert ended.out.strip() == str(out) and "Traceback" not in ended.err
    frame = real_frame()
    net = OnnxPose(out, options.build(RTMPose, {"model": str(out)}, "detector"), threads=1)
    expected = mmpose_itself(CONFIGS[name], checkpoint, frame, BOXES_PX, flip_test=False)
    found = net.see(frame, BOXES_PX)
    assert net.spec.keypoints.name == name and net.spec.batched
    assert (np.abs(found[..., :2] - expected[..., :2]).max(-1) < 0.1).mean() >= 0.99
    assert np.abs(found[..., 2] - expected[..., 2]).max() < 1e-2 * np.abs(expected[..., 2]).max()


def test_wrong_use_leaves_no_file(capsys, tmp_path):
    """Too few files, another ending, a missing checkpoint: one line and nothing written."""
    for arguments, text in (((CONFIGS["halpe-26"], tmp_path / "a.onnx"), "CONFIG CHECKPOINT OUT.onnx"),
                            ((CONFIGS["halpe-26"], "b.pth", tmp_path / "a.pt"), "ends in .onnx"),
                            ((CONFIGS["halpe-26"], tmp_path / "b.pth", tmp_path / "a.onnx"), "none")):
        ended = here(capsys, "convert", "mmpose-onnx", *arguments)
        assert ended.code in (2, 3) and text in ended.err and ended.err.count("\n") == 1, ended.err
    assert not list(tmp_path.iterdir())


def test_errors_name_the_places_of_this_command(capsys, tmp_path, checkpoints):
    """Config and checkpoint are arguments here, no options of a detector: what to type says so."""
    other = checkpoints("coco-17")
    for config, checkpoint, words in (("nope", other, "mrs convert mmpose-onnx body26 CHECKPOINT OUT.onnx"),
                                      ("rtmpose-m", other, "mrs convert mmpose-onnx NAME CHECKPOINT OUT.onnx"),
                                      (CONFIGS["halpe-26"], tmp_path / "b.pth", "mrs convert mmpose-onnx CONFIG FILE.pth OUT.onnx"),
                                      (CONFIGS["halpe-26"], other, "mrs convert mmpose-onnx NAME CHECKPOINT OUT.onnx")):
        ended = here(capsys, "convert", "mmpose-onnx", config, checkpoint, tmp_path / "a.onnx")
        assert ended.code in (2, 3) and words in ended.err and "--set" not in ended.err and ended.err.count("\n") == 1, ended.err
