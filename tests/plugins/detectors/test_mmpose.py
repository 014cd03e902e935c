"""The mmpose detector against mmpose itself, with checkpoints made here, on a real frame."""

import numpy as np
import pytest
from mrs_plugins.detectors.mmpose import MMPose

from mrs import options
from mrs.errors import InputError
from mrs.video import Frame
from tests import mmpose_models
from tests.mmpose_models import BOXES_PX, CONFIGS, mmpose_itself, real_frame

pytestmark = mmpose_models.wanted
EXACT_PX = 1e-4


@pytest.fixture(scope="module")
def frame():
    return real_frame()


def detector(config, checkpoint, **values) -> MMPose:
    made = MMPose()
    made.options = options.build(MMPose, {"config": str(config), "checkpoint": str(checkpoint), **values}, "detector")
    return made


@pytest.mark.parametrize("name", CONFIGS)
def test_a_batch_of_crops_gives_what_mmpose_itself_gives(name, checkpoints, frame):
    """Three boxes at once, one partly outside: RTMPose and HRNet, each with the keypoint set of its metadata."""
    made = detector(CONFIGS[name], checkpoints(name))
    expected = mmpose_itself(CONFIGS[name], checkpoints(name), frame, BOXES_PX)
    found = made.model.see(frame, BOXES_PX)
    assert made.keypoints == name
    assert np.array_equal(made.model.rows, np.arange(len(made.model.names)))
    assert np.ptp(expected[..., :2], axis=1).min() > 20
    assert np.abs(found - expected).max() < EXACT_PX


def test_one_crop_at_a_time_is_the_same(checkpoints, frame):
    """What a person gets does not depend on who else is in the batch (but where two places score the same to rounding)."""
    model = detector(CONFIGS["halpe-26"], checkpoints("halpe-26")).model
    together = model.see(frame, BOXES_PX)
    alone = np.concatenate([model.see(frame, box[None]) for box in BOXES_PX])
    assert (np.abs(together - alone).max(-1) < EXACT_PX).mean() >= 0.99


def test_mirrored_look_can_be_switched(checkpoints, frame):
    """flip_test overrules the config, as in mmpose."""
    name = "halpe-26"
    model = detector(CONFIGS[name], checkpoints(name), flip_test=False).model
    expected = mmpose_itself(CONFIGS[name], checkpoints(name), frame, BOXES_PX, flip_test=False)
    assert np.abs(model.see(frame, BOXES_PX) - expected).max() < EXACT_PX
    mirrored = mmpose_itself(CONFIGS[name], checkpoints(name), frame, BOXES_PX, flip_test=True)
    assert np.abs(mirrored - expected).max() > 1


def test_people_who_are_found_get_mmpose_keypoints(checkpoints, frame):
    """From the picture to People: the finder's boxes, mmpose's keypoints, one lane each."""
    from mrs_plugins.detectors._follow import MoveNetFinder

    name = "halpe-26"
    made = detector(CONFIGS[name], checkpoints(name), min_score=0)
    (_, people), = made.detect_frames([Frame(0, 0, 0.0, frame)])
    found = MoveNetFinder(384, "cpu").find(frame, 0.2, 0, True)
    expected = mmpose_itself(CONFIGS[name], checkpoints(name), frame, np.stack([f.box_px for f in found]).astype(np.float32))
    assert len(people) >= 1 and people.keypoints_px.shape[1:] == (26, 3)
    for points in people.keypoints_px:
        assert np.abs(expected[..., :2] - points[:, :2]).max((1, 2)).min() < EXACT_PX


def test_a_config_by_path_is_the_same_model(checkpoints, frame, tmp_path):
    """A config file of the user's own, that inherits from a shipped one, works by path."""
    from mrs_plugins.detectors._mmpose_model import choose

    own = tmp_path / "own.py"
    own.write_text(f"_base_ = {str(choose(CONFIGS['halpe-26']).config)!r}\n")
    by_path = detector(own, checkpoints("halpe-26")).model.see(frame, BOXES_PX)
    assert np.array_equal(by_path, detector(CONFIGS["halpe-26"], checkpoints("halpe-26")).model.see(frame, BOXES_PX))


def test_other_files_make_new_results(checkpoints):
    """The hashes of config and checkpoint are part of what a run was made from."""
    facts = detector(CONFIGS["halpe-26"], checkpoints("halpe-26")).made_from()
    other = detector(CONFIGS["halpe-26"], checkpoints("coco-17")).made_from()
    assert facts["config"] == other["config"] and facts["checkpoint"] != other["checkpoint"]


def test_checkpoint_of_another_model_is_refused(checkpoints):
    """One line that names the first tensor which does not fit, and the option to type."""
    with pytest.raises(InputError, match=r"tensors do not fit \(.*--set detector\.config=NAME"):
        _ = detector(CONFIGS["halpe-26"], checkpoints("coco-17")).model


def test_no_stand_in_is_left_to_others(checkpoints):
    """After loading, nobody who asks for torchvision, mmdet or pkg_resources meets a stand-in."""
    import sys

    from mrs_plugins.detectors._mmpose_mend import _StandIns

    _ = detector(CONFIGS["halpe-26"], checkpoints("halpe-26")).model
    assert not any(isinstance(finder, _StandIns) for finder in sys.meta_path)
    assert not any(isinstance(getattr(module, "__loader__", None), _StandIns) for module in list(sys.modules.values()))
