"""What is written is read again without loss of anything that the format can hold."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from mrs import plugins
from mrs.skeletons import (
    BLAZEPOSE_33,
    BODY_25,
    BODY_135,
    COCO_17,
    COCO_18,
    COCO_WHOLEBODY_133,
    HALPE_26,
    HALPE_136,
    MPI_15,
)
from tests.formats.pose2d.samples import tracks

REGISTRY = plugins.load()
CASES = [("openpose", k) for k in (MPI_15, COCO_18, BODY_25, BODY_135)]
CASES += [("alphapose", k) for k in (COCO_17, HALPE_26, COCO_WHOLEBODY_133, HALPE_136)]
CASES += [("poseflow", k) for k in (COCO_17, HALPE_26, HALPE_136)]
CASES += [("mmpose", k) for k in (COCO_17, HALPE_26, BODY_25, BLAZEPOSE_33, COCO_WHOLEBODY_133)] + [("mediapipe", BLAZEPOSE_33)]
CASES += [("coco", k) for k in (COCO_17, COCO_WHOLEBODY_133, HALPE_26)]


def through(name, given, folder, **options):
    """Write tracks and read them by the detector and the tracker `file`, as a run does."""
    path = folder / "out"
    REGISTRY.make("track_exporter", name, options).write_tracks(given, path)
    video = SimpleNamespace(size_px=given.size_px, frame_ids=given.frame_ids, times_s=given.times_s,
                            frames_in_file=len(given.frame_ids), warnings=[])
    detections = REGISTRY.make("detector", f"{name}:", {"source": str(path)}).detect(video)
    assert detections.ids_given
    return REGISTRY.make("tracker", "file", {"undo_swaps": False}).link(video, detections), video.warnings


@pytest.mark.parametrize("name, keypoints", CASES, ids=lambda v: getattr(v, "name", v))
def test_keypoints_ids_and_frames_come_back_to_the_last_bit(name, keypoints, tmp_path):
    """Every keypoint, who is who, when they come, and the gap in between."""
    given = tracks(keypoints)
    found, warnings = through(name, given, tmp_path)
    assert warnings == []
    assert [t.person for t in found.people] == [1, 3]
    for before, after in zip(given.people, found.people, strict=True):
        assert after.keypoints is keypoints
        np.testing.assert_array_equal(after.keypoints_px, before.keypoints_px)
        np.testing.assert_array_equal(after.frame_ids, before.frame_ids)
        np.testing.assert_array_equal(after.times_s, before.times_s)
        np.testing.assert_allclose(after.boxes_px, before.boxes_px, atol=1e-3)


@pytest.mark.parametrize("name, target", [("openpose", BODY_25), ("alphapose", HALPE_26), ("coco", COCO_17)])
def test_another_set_is_converted_by_name(name, target, tmp_path):
    """BlazePose's 33 points become the nearest set of each format."""
    given = tracks(BLAZEPOSE_33)
    found, _ = through(name, given, tmp_path)
    after = found.people[0]
    assert after.keypoints is target
    expected = BLAZEPOSE_33.convert(given.people[0].keypoints_px, target)
    seen = expected[..., 2] > 0
    np.testing.assert_array_equal(after.keypoints_px[seen], expected[seen])
    assert (after.keypoints_px[~seen] == 0).all()


def test_world_landmarks_come_back(tmp_path):
    """MediaPipe's form holds 3D too, to the last bit of float32."""
    given = tracks(BLAZEPOSE_33)
    deep = [np.random.default_rng(t.person).normal(size=(len(t), 33, 3)).astype(np.float32) for t in given.people]
    given = replace(given, people=tuple(replace(t, keypoints3d_m=d) for t, d in zip(given.people, deep, strict=True)))
    found, _ = through("mediapipe", given, tmp_path)
    for before, after in zip(given.people, found.people, strict=True):
        np.testing.assert_array_equal(after.keypoints3d_m[after.seen], before.keypoints3d_m[before.seen])


def test_coco_can_hold_every_point_of_blazepose(tmp_path):
    """keypoints=blazepose-33 writes 99 numbers."""
    given = tracks(BLAZEPOSE_33)
    found, _ = through("coco", given, tmp_path, keypoints="blazepose-33")
    np.testing.assert_array_equal(found.people[1].keypoints_px, given.people[1].keypoints_px)


def test_mot_boxes_come_back(tmp_path):
    """Boxes, ids and frames."""
    from mrs.formats.pose2d import mot
    from mrs.metrics.mot import Boxes

    given = tracks(COCO_17)
    REGISTRY.make("track_exporter", "mot").write_tracks(given, tmp_path / "m.txt")
    poses = mot.read((tmp_path / "m.txt").read_bytes(), "m")
    expected = Boxes.of(given)
    order = np.lexsort((expected.ids, expected.frame))
    np.testing.assert_array_equal([int(poses.labels[f]) - 1 for f in poses.frame], expected.frame[order])
    np.testing.assert_array_equal(poses.ids, expected.ids[order])
    np.testing.assert_allclose(poses.boxes, expected.boxes[order], atol=1e-3)
