"""The rtmpose detector with networks whose answers are known by construction."""

import numpy as np
import pytest
from mrs_plugins.detectors._onnx_pose import OnnxPose
from mrs_plugins.detectors.rtmpose import RTMPose

from mrs import options
from mrs.errors import InputError, UsageError
from mrs.skeletons import COCO_17, COCO_WHOLEBODY_133, HALPE_26
from mrs.video import Frame
from tests import pose_nets
from tests.command import here, real
from tests.mmpose_models import SAMPLE

BOXES_PX = np.array([[40.0, 30, 140, 210], [180, 60, 240, 140]])
SPOTS_PX = np.array([[95, 150], [215, 90]])


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    """Write each network once."""
    folder, made = tmp_path_factory.mktemp("nets"), {}

    def of(kind, **how):
        key = (kind, *((k, str(v)) for k, v in how.items()))
        if key not in made:
            made[key] = pose_nets.write(folder / f"{len(made)}.onnx", kind, **how)
        return made[key]

    return of


def opened(path, **values) -> OnnxPose:
    return OnnxPose(path, options.build(RTMPose, {"model": str(path), **values}, "detector"), threads=1)


def picture(color=0) -> np.ndarray:
    """A dark picture with one bright spot in each box, in one colour."""
    rgb = np.full((240, 320, 3), 20, np.uint8)
    for x, y in SPOTS_PX:
        rgb[y - 2:y + 3, x - 2:x + 3, color] = 250
    return rgb


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("kind", ["simcc", "heatmap"])
def test_spots_are_found_in_the_picture(nets, kind, batch):
    """Crops go in and places come back in the picture's pixels, for files with and without a free batch."""
    net = opened(nets(kind, batch=batch))
    found = net.see(picture(), BOXES_PX)
    assert found.shape == (2, 17, 3) and net.spec.size == pose_nets.SIZE
    cell = (BOXES_PX[:, 3] - BOXES_PX[:, 1]) * 1.25 / pose_nets.SIZE[1] * (4 if kind == "heatmap" else 1)
    assert (np.abs(found[..., :2] - SPOTS_PX[:, None]).max((1, 2)) < 3 + cell).all()
    assert net.spec.decoder == ("simcc" if kind == "simcc" else "quarter")


def test_colors_are_in_the_order_asked_for(nets):
    """The networks look at their first colour: red by default, blue with colors=bgr."""
    for color, order in ((0, "rgb"), (2, "bgr")):
        found = opened(nets("simcc"), colors=order).see(picture(color), BOXES_PX)
        assert np.abs(found[..., :2] - SPOTS_PX[:, None]).max() < 8
    wrong = opened(nets("simcc"), colors="rgb").see(picture(2), BOXES_PX)
    assert np.abs(wrong[..., :2] - SPOTS_PX[:, None]).max() > 8


def test_colors_are_normalised_as_asked(nets):
    """Mean and spread are those of ImageNet, of the options, or of the file's metadata, in that order of weakness."""
    pixels = np.full((1, 64, 48, 3), 100, np.uint8)
    imagenet = opened(nets("simcc")).prepare(pixels)[0, :, 0, 0]
    assert np.allclose(imagenet, (100 - np.array([123.675, 116.28, 103.53])) / [58.395, 57.12, 57.375], atol=1e-5)
    told = opened(nets("simcc", facts={"mrs.mean": "50,60,70", "mrs.std": "10,10,10"}))
    assert np.allclose(told.prepare(pixels)[0, :, 0, 0], [5, 4, 3])
    assert np.allclose(opened(told.path, mean="100,100,100").prepare(pixels)[0, :, 0, 0], 0)


@pytest.mark.parametrize(("count", "keypoints"), [(17, COCO_17), (26, HALPE_26), (133, COCO_WHOLEBODY_133)])
def test_keypoints_are_named_by_their_number(nets, count, keypoints):
    """Without metadata, 17, 26 and 133 points are COCO, Halpe and WholeBody."""
    assert opened(nets("simcc", count=count)).spec.keypoints is keypoints


def test_keypoints_are_named_by_the_metadata(nets):
    """Names in the file decide about the order."""
    names = ",".join(reversed(COCO_17.names))
    spec = opened(nets("simcc", facts={"mrs.keypoint_names": names})).spec
    assert spec.keypoints is COCO_17 and spec.rows.tolist() == list(range(16, -1, -1))


def test_rtmo_sees_everyone_at_once(nets):
    """Boxes and points are scaled back from the padded square, doubles and weak ones are left out."""
    net = opened(nets("rtmo"))
    points, boxes, scores = net.people(np.zeros((240, 320, 3), np.uint8), 0.2, 6)
    assert net.spec.decoder == "rtmo" and net.spec.bgr and net.spec.mean == (0, 0, 0)
    assert np.allclose(scores, [0.9, 0.8])
    assert np.allclose(boxes[1], [150, 0, 250, 200])
    assert np.allclose(points[:, 0], [[50, 25, 0.6], [200, 100, 0.6]])
    made = RTMPose()
    made.options = options.build(RTMPose, {"model": str(net.path)}, "detector")
    (_, people), = made.detect_frames([Frame(0, 0, 0.0, np.zeros((240, 320, 3), np.uint8))])
    assert people.keypoints_px.shape == (2, 17, 3) and made.keypoints == "coco-17"


def test_wrong_files_are_refused(nets, tmp_path):
    """Text, a missing file, an odd number of points and a decoder that does not fit: one line each."""
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match="can't be read"):
        opened(tmp_path / "text.onnx")
    with pytest.raises(InputError, match=r"Type: --set detector\.model=FILE\.onnx"):
        opened(tmp_path / "no.onnx")
    with pytest.raises(InputError, match=r"has 5\. Type: --set detector\.keypoints=SET"):
        opened(nets("simcc", count=5))
    with pytest.raises(UsageError, match=r"detector\.decoder to be simcc"):
        opened(nets("simcc"), decoder="udp")
    with pytest.raises(UsageError, match=r"input_size=48x64"):
        opened(nets("simcc"), input_size="192x256")
    with pytest.raises(UsageError, match="three numbers"):
        opened(nets("simcc"), mean="1,2")


def test_a_model_that_was_not_fetched_is_named(capsys, tmp_path):
    """The default model without its file: exit 4 and the command that fetches it; a wrong name: the nearest one."""
    ended = here(capsys, "detect", SAMPLE, "-o", tmp_path / "out", "--detector", "rtmpose", "--quiet")
    assert ended.code == 4 and "Type: mrs models get rtmpose-m" in ended.err and ended.err.count("\n") == 1
    ended = here(capsys, "detect", SAMPLE, "-o", tmp_path / "out", "--detector", "rtmpose", "--quiet", "--set",
                 "detector.model=rtmpose-n")
    assert ended.code == 2 and "Did you mean 'rtmpose-" in ended.err and ended.err.count("\n") == 1


def test_the_real_command_follows_people(nets, tmp_path):
    """`mrs detect --detector rtmpose` on the shipped clip: found by MoveNet, followed by the network, tracks of COCO-17."""
    from mrs.tracks import Tracks

    out = tmp_path / "out"
    ended = real("detect", SAMPLE, "-o", out, "--detector", "rtmpose", "--end", "0.8", "--quiet",
                 "--set", f"detector.model={nets('standing')}", "--set", "detector.threads=1")
    assert ended.code == 0, ended.err
    tracks = Tracks.load(out / "tracks.npz")
    assert len(tracks) >= 1
    for track in tracks.people:
        assert track.keypoints is COCO_17 and len(track.times_s) >= 10
        assert np.isfinite(track.keypoints_px).all() and np.ptp(track.keypoints_px[0, :, 1]) > 50
