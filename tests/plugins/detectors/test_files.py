"""Files as detectors: people land at the right frames of the video, and what does not fit is told."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from mrs import plugins
from mrs.errors import InputError, UsageError
from mrs.skeletons import BODY_25, BODY_25B, COCO_17
from tests.formats.pose2d import samples

REGISTRY = plugins.load()


def video(frames, size_px=(1280, 720), first=0):
    return SimpleNamespace(size_px=size_px, frame_ids=np.arange(first, frames), times_s=np.arange(first, frames) / 30,
                           frames_in_file=frames, warnings=[])


def detect(name, path, clip, **options):
    return REGISTRY.make("detector", f"{name}:", {"source": str(path), **options}).detect(clip)


def counts(found):
    return [len(p) for p in found.people]


@pytest.fixture
def openpose(tmp_path):
    """Files of frames 8, 9 and 10 whose names sort otherwise as text; frame 9 is empty."""
    for number, people in ((10, [samples.flat(25, 4)]), (9, []), (8, [samples.flat(25), samples.flat(25, 300)])):
        (tmp_path / f"clip_{number}_keypoints.json").write_bytes(samples.openpose_frame(*people))
    return tmp_path


def test_people_are_at_the_frames_that_names_say(openpose):
    """The number in the name is the video's frame; frames without a file have nobody."""
    clip = video(12)
    found = detect("openpose", openpose, clip)
    assert counts(found) == [0] * 8 + [2, 0, 1, 0]
    assert found.keypoints is BODY_25
    assert not found.ids_given
    np.testing.assert_allclose(found.people[10].keypoints_px[0, :, 0], samples.points(25, 4)[:, 0], atol=1e-3)
    assert any("ends at frame 10, but the video has 12" in w for w in clip.warnings)


def test_a_part_of_the_video_takes_its_part_of_the_file(openpose):
    """With --start the first rows are later frames."""
    assert counts(detect("openpose", openpose, video(11, first=9))) == [0, 1]


def test_frames_counted_from_one_are_told(openpose):
    """first_frame says which number the video's first frame has."""
    assert counts(detect("openpose", openpose, video(3), first_frame=8)) == [2, 0, 1]
    clip = video(3)
    assert counts(detect("openpose", openpose, clip)) == [2, 0, 1]
    assert any("counted from 8" in w for w in clip.warnings)


def test_a_file_of_another_video_is_told(tmp_path):
    """People after the video's end are left out, and a line says so."""
    (tmp_path / "a.json").write_bytes(samples.alphapose_list())
    clip = video(4)
    assert counts(detect("alphapose", tmp_path / "a.json", clip)) == [2, 2, 0, 0]
    assert any("1 frames with people lie after the video's end" in w for w in clip.warnings)


@pytest.mark.parametrize("scale, turned", [(3, lambda v, size: v / (size - 1)), (4, lambda v, size: 2 * v / (size - 1) - 1)])
def test_keypoint_scale_of_openpose_is_undone_for_the_size_of_the_video(tmp_path, scale, turned):
    """Scale 3 and 4 are seen by themselves, and can be said."""
    wanted = samples.points(25)
    points = wanted.copy()
    points[:, 0], points[:, 1] = turned(points[:, 0], 1280), turned(points[:, 1], 720)
    (tmp_path / "x_000000000000_keypoints.json").write_bytes(samples.openpose_frame(points.reshape(-1).astype(float).tolist()))
    for options in ({}, {"keypoint_scale": str(scale)}):
        clip = video(1)
        found = detect("openpose", tmp_path, clip, **options)
        np.testing.assert_allclose(found.people[0].keypoints_px[0], wanted, atol=1e-3)
        assert bool([w for w in clip.warnings if f"keypoint_scale {scale}" in w]) is not bool(options)


def test_body_25b_has_the_same_number_of_points_and_must_be_said(openpose):
    """25 points are BODY_25 unless detector.model says otherwise."""
    assert detect("openpose", openpose, video(12), model="body-25b").keypoints is BODY_25B


def test_parts_of_the_picture_become_pixels_of_this_video(tmp_path):
    """MediaPipe's landmarks are parts of the picture; its world landmarks come along."""
    (tmp_path / "m.json").write_bytes(samples.mediapipe_json())
    found = detect("mediapipe", tmp_path / "m.json", video(3, size_px=(640, 360)))
    np.testing.assert_allclose(found.people[0].keypoints_px[0, :, :2], samples.points(33)[:, :2] / 2, atol=1e-3)
    assert found.people[2].keypoints3d_m.shape == (1, 33, 3)


def test_names_without_numbers_count_in_order(tmp_path):
    """a.jpg, b.jpg: the first is frame 0."""
    rows = [{"image_id": n, "keypoints": samples.flat(17), "score": 0.9} for n in ("b.jpg", "a.jpg", "a.jpg")]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    clip = video(2)
    found = detect("alphapose", tmp_path / "a.json", clip)
    assert counts(found) == [2, 1]
    assert found.keypoints is COCO_17
    assert any("no numbers" in w for w in clip.warnings)


def test_mot_text_has_no_keypoints_and_says_what_it_is_good_for(tmp_path):
    """A body can't be made of boxes; the tracker can use them."""
    (tmp_path / "m.txt").write_bytes(samples.MOT_TEXT)
    with pytest.raises(UsageError, match="--tracker mot:"):
        detect("mot", tmp_path / "m.txt", video(2))


@pytest.mark.parametrize("name", ["openpose", "alphapose", "poseflow", "mmpose", "coco", "mediapipe"])
def test_no_such_file(name, tmp_path):
    """One line that names the path."""
    with pytest.raises(InputError, match="nowhere"):
        detect(name, tmp_path / "nowhere", video(2))
