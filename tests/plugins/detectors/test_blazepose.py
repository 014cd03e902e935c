"""The blazepose detector on real frames: the shipped clip of a woman who walks and a man who turns a somersault."""

from pathlib import Path

import numpy as np
import pytest
from mrs_plugins.detectors.blazepose import BlazePose

from mrs import options
from mrs.skeletons import BLAZEPOSE_33
from mrs.tracks import MASK_SIDE
from mrs.video import Frame, Video

SAMPLE = Path(__file__).parents[3] / "examples" / "walk_and_jump.mp4"
WALKING, FLIPPING = slice(24, 32), slice(76, 128)
SHOULDERS = BLAZEPOSE_33.indices("left_shoulder", "right_shoulder")
HIPS = BLAZEPOSE_33.indices("left_hip", "right_hip")


def detector(**values) -> BlazePose:
    """Make a detector as the registry does."""
    made = BlazePose()
    made.options = options.build(BlazePose, {"threads": 1, **values}, "detector")
    return made


def people_of(frames, **values) -> list:
    """Detect in frames from memory."""
    return [people for _, people in detector(**values).detect_frames(frames)]


def frames_of(pictures) -> list[Frame]:
    """Make frames of pictures, 25 a second."""
    return [Frame(row, row, row / 25, picture) for row, picture in enumerate(pictures)]


@pytest.fixture(scope="module")
def clip() -> list[Frame]:
    """Decode the part of the clip that is looked at."""
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE} is not there")
    frames = []
    for frame in Video.open(SAMPLE).frames():
        frames.append(frame)
        if len(frames) == FLIPPING.stop:
            return frames
    raise AssertionError("the clip is shorter than expected")


@pytest.fixture(scope="module")
def walking(clip) -> list:
    """Detect people where both stand upright."""
    return people_of(clip[WALKING])


def test_both_people_are_followed(walking):
    """Both people are seen in every frame, in two lanes, surely, and the woman walks to the left."""
    assert all(people.lanes.tolist() == [0, 1] for people in walking)
    assert all(people.scores.min() > 0.9 for people in walking)
    hips = np.array([people.keypoints_px[:, HIPS, :2].mean(1) for people in walking])
    woman = int(hips[0, :, 1].argmax())
    assert -60 < hips[-1, woman, 0] - hips[0, woman, 0] < -20
    assert np.abs(np.diff(hips, axis=0)).max() < 15


def test_arrays_fit_their_contract(walking):
    """Shapes, ranges and boxes are those of People, and each box just holds its keypoints."""
    for people in walking:
        count = len(people)
        assert people.keypoints_px.shape == (count, 33, 3) and people.keypoints3d_m.shape == (count, 33, 3)
        assert people.masks.shape == (count, MASK_SIDE**2 // 8) and people.mask_to_px.shape == (count, 2, 3)
        assert people.keypoints_px[:, :, 2].min() >= 0 and people.keypoints_px[:, :, 2].max() <= 1
        assert np.array_equal(people.boxes_px[:, :2], people.keypoints_px[:, :, :2].min(1))
        assert np.array_equal(people.boxes_px[:, 2:], people.keypoints_px[:, :, :2].max(1))


def test_metric_pose_is_a_person_in_camera_axes(walking):
    """In 3D the hips are at the origin, the head is up (-y), the feet are down, and the height is a person's."""
    for people in walking:
        for points in people.keypoints3d_m:
            assert np.abs(points[HIPS].mean(0)).max() < 0.03
            top, feet = points[0, 1], points[BLAZEPOSE_33.indices("left_heel", "right_heel"), 1].max()
            assert top < -0.4 and feet > 0.5 and 1.1 < feet - top < 1.9


def test_mask_covers_the_person(walking):
    """Mapped to the picture, the mask holds the middle of the body and is about as high as the person."""
    for people in walking:
        for k, points in enumerate(people.keypoints_px):
            rows, columns = np.nonzero(np.unpackbits(people.masks[k]).reshape(MASK_SIDE, MASK_SIDE))
            place = np.stack([columns, rows, np.ones_like(rows)], 1) @ people.mask_to_px[k].T
            height = np.ptp(points[:, 1])
            assert np.linalg.norm(place - points[HIPS, :2].mean(0), axis=1).min() < 0.03 * height
            assert 0.9 < np.ptp(place[:, 1]) / height < 1.3


def test_somersault_is_followed(clip):
    """The man is seen in nearly every frame of his somersault, in one lane, and turns by over 90 degrees."""
    people = people_of(clip[FLIPPING], max_people=2)
    angles = {}
    for seen in people:
        for lane, points, metric in zip(seen.lanes, seen.keypoints_px, seen.keypoints3d_m, strict=True):
            hip, shoulders = points[HIPS, :2].mean(0), points[SHOULDERS, :2].mean(0)
            if hip[1] < 330:
                angles.setdefault(int(lane), []).append(np.arctan2(shoulders[0] - hip[0], hip[1] - shoulders[1]))
                assert np.corrcoef(metric[:, :2].ravel(), (points[:, :2] - hip).ravel())[0, 1] > 0.9
    angles = max(angles.values(), key=len)
    assert len(angles) >= len(people) - 6
    assert np.ptp(np.unwrap(angles)) > np.pi / 2


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_turned_pictures_give_the_same_people(clip, walking, turn):
    """Pictures turned by quarter turns give the same keypoints, turned back, within 3 % of the height, in 3D too."""
    pictures = [np.ascontiguousarray(np.rot90(frame.rgb, turn)) for frame in clip[WALKING]]
    width, height = clip[0].rgb.shape[1], clip[0].rgb.shape[0]
    matched = 0
    for straight, turned in zip(walking, people_of(frames_of(pictures)), strict=True):
        back = turned.keypoints_px[:, :, :2].astype(float)
        metric = turned.keypoints3d_m[:, :, :2].astype(float)
        size = (height, width) if turn % 2 else (width, height)
        for _ in range(turn):
            back, metric = _turned_right(back, size[1]), _turned_right(metric, 0)
            size = size[::-1]
        for points, flat in zip(straight.keypoints_px, straight.keypoints3d_m[:, :, :2], strict=True):
            far = np.linalg.norm(back - points[:, :2], axis=2).mean(1)
            if len(far) and far.min() < 0.03 * np.ptp(points[:, 1]):
                matched += 1
                assert np.linalg.norm(metric[far.argmin()] - flat, axis=1).mean() < 0.06
    assert matched >= 2 * len(walking) - 2


def _turned_right(xy: np.ndarray, height: float) -> np.ndarray:
    """Turn points of a picture of some height clockwise."""
    return np.stack([height - xy[..., 1], xy[..., 0]], -1)


def test_resumed_run_is_the_same(clip):
    """A run that goes on from a saved state gives exactly what an uninterrupted one does."""
    video = _Memory(clip[WALKING])
    whole, states = detector(), []
    expected = []
    for _, people in whole.detect(video):
        expected.append(people)
        states.append({name: value.copy() for name, value in whole.get_state().items()})
    second = detector()
    second.set_state(states[3])
    for people, before in zip((p for _, p in second.detect(video, first_row=4)), expected[4:], strict=True):
        for name in ("keypoints_px", "keypoints3d_m", "boxes_px", "scores", "masks", "mask_to_px", "lanes"):
            assert np.array_equal(getattr(people, name), getattr(before, name))


class _Memory:
    """A video of frames in memory."""

    def __init__(self, frames):
        self._frames = frames

    def frames(self, first_row=0):
        return iter(self._frames[first_row:])


def test_one_person_where_one_is_asked_for(clip):
    """With max_people=1 there is exactly one person in one lane."""
    people = people_of(clip[WALKING][:3], max_people=1)
    assert [p.lanes.tolist() for p in people] == [[0]] * 3


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (33, 1000), (7, 3)])
def test_no_person_is_no_error(size):
    """Tiny and odd pictures without a person give People of none, with all arrays there."""
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    people = people_of(frames_of([noise, np.zeros_like(noise)]))
    assert [len(p) for p in people] == [0, 0]
    assert people[0].masks.shape == (0, MASK_SIDE**2 // 8) and people[0].lanes.shape == (0,)


def test_large_and_grey_pictures(clip):
    """A 4K enlargement and a picture without colour show the same people in the same places."""
    import cv2

    rgb = clip[WALKING.start].rgb
    grey = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[:, :, None], 3, 2)
    plain, large, colourless = (people_of(frames_of([p]))[0] for p in (rgb, cv2.resize(rgb, (3840, 2160)), grey))
    for people, scale, near in ((large, 3, 0.04), (colourless, 1, 0.06)):
        for points in plain.keypoints_px:
            far = np.linalg.norm(people.keypoints_px[:, :, :2] / scale - points[:, :2], axis=2).mean(1)
            assert far.min() < near * np.ptp(points[:, 1])


def test_cuda_falls_back_to_the_cpu(clip):
    """Asked for a GPU that ONNX Runtime does not offer, the detector works on the CPU."""
    asked = detector(max_people=1)
    asked.device = "cuda"
    assert len(next(iter(asked.detect_frames(clip[WALKING][:1])))[1]) == 1
