"""Every layout, read to the numbers that stand in it."""

import json

import numpy as np
import pytest

from mrs.errors import InputError
from mrs.formats.pose2d import alphapose, coco, mediapipe, mmpose, mot, openpose, person_id
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
from tests.formats.pose2d import samples
from tests.formats.pose2d.samples import flat, points


def of_frame(poses, label):
    """Rows of the sightings in a frame."""
    return np.flatnonzero(poses.frame == poses.labels.index(label))


class TestOpenPose:
    """One JSON a frame."""

    @pytest.mark.parametrize("key", ["pose_keypoints_2d", "pose_keypoints", "joints"])
    @pytest.mark.parametrize("keypoints", [MPI_15, COCO_18, BODY_25, BODY_135], ids=lambda k: k.name)
    def test_the_number_of_points_tells_the_model_under_every_key(self, key, keypoints):
        """15 are MPI's, 18 COCO's, 25 and 135 BODY's; old and new spelling read alike."""
        count = len(keypoints)
        found, people, ids = openpose.read_frame(samples.openpose_frame(flat(count), flat(count, 8), key=key), "f")
        assert found is keypoints
        np.testing.assert_allclose(people, [points(count), points(count, 8)], atol=1e-4)
        assert ids == [-1, -1]

    def test_person_ids_and_missing_ones(self):
        """person_id is a list; -1 and none at all are no ids."""
        assert openpose.read_frame(samples.openpose_frame(flat(25), flat(25), ids=[7, -1]), "f")[2] == [7, -1]

    def test_a_frame_without_people_and_a_face_alone(self):
        """Nobody is nobody, and a person without a pose is left out."""
        assert openpose.read_frame(b'{"version":1.3,"people":[]}', "f")[0] is None
        assert openpose.read_frame(samples.openpose_frame([], flat(25)), "f")[1].shape == (1, 25, 3)

    def test_bodies_of_alphapose_sep_json(self):
        """The files that AlphaPose puts into sep-json read the same, in either form."""
        frame = json.loads(samples.alphapose_frames("cmu"))["1.jpg"]
        found, people, _ = openpose.read_frame(json.dumps(frame).encode(), "f")
        assert found is COCO_18
        np.testing.assert_allclose(people[0], samples.coco_18(1), atol=1e-4)

    def test_folder_in_natural_order_with_empty_frames(self, tmp_path):
        """clip_2 comes before clip_10; frames without people stay in the list."""
        for number, people in ((10, [flat(25, 10)]), (2, [flat(25, 2), flat(25, 4)]), (3, [])):
            (tmp_path / f"clip_{number}_keypoints.json").write_bytes(samples.openpose_frame(*people))
        (tmp_path / "readme.txt").write_text("no frame")
        poses = openpose.read(tmp_path)
        assert [label.split("_")[1] for label in poses.labels] == ["2", "3", "10"]
        assert poses.frame.tolist() == [0, 0, 2]
        np.testing.assert_allclose(poses.points[2], points(25, 10), atol=1e-4)

    @pytest.mark.parametrize("scale, last", [(0, None), (3, (1.0, 1.0, 0.0)), (4, (2.0, 2.0, 1.0))])
    def test_keypoint_scale_is_seen_and_undone(self, scale, last):
        """0 pixels, 3 from 0 to 1, 4 from -1 to 1: pixels over width - 1; undetected points stay 0, 0, 0."""
        pixels = points(25)[None].copy()
        pixels[0, 3] = 0
        given = pixels.copy()
        if last:
            given[..., :2] = pixels[..., :2] / [1279, 719] * last[:2] - last[2]
            given[0, 3] = 0
        assert openpose.scale_of(given) == scale
        back = openpose.to_pixels(given, scale, (1280, 720))
        np.testing.assert_allclose(back, pixels, atol=1e-3)

    @pytest.mark.parametrize("data, words", [
        (b"", "JSON"), (b"[1, 2]", "list of people"), (b'{"people": 3}', "list of people"), (b'{"people": [3]}', "object"),
        (b'{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "45, 54, 75, 405"),
        (b'{"people": [{"pose_keypoints_2d": ["a"]}]}', "numbers"), (b'{"people": [{"face": []}]}', "got face"),
    ])
    def test_other_content_is_refused_in_a_line(self, data, words):
        """What was expected and what came."""
        with pytest.raises(InputError, match=words):
            openpose.read_frame(data, "frame.json")

    def test_two_models_in_one_folder_are_refused(self, tmp_path):
        """A folder holds one keypoint set."""
        (tmp_path / "a_1.json").write_bytes(samples.openpose_frame(flat(25)))
        (tmp_path / "a_2.json").write_bytes(samples.openpose_frame(flat(18)))
        with pytest.raises(InputError, match="body-25 and then coco-18"):
            openpose.read(tmp_path)

    @pytest.mark.parametrize("make, words", [(lambda p: None, "there is none"), (lambda p: p.mkdir(), "there are none"),
                                             (lambda p: p.write_text("x"), "is a file")])
    def test_no_folder_no_files(self, tmp_path, make, words):
        """Each says what to do."""
        make(tmp_path / "d")
        with pytest.raises(InputError, match=words):
            openpose.read(tmp_path / "d")

    def test_a_file_larger_than_a_block_is_read_whole(self, tmp_path):
        """The quick reading of small files does not cut large ones."""
        (tmp_path / "f_1.json").write_bytes(samples.openpose_frame(flat(25)) + b" " * 600_000)
        assert len(openpose.read(tmp_path)) == 1


class TestAlphaPose:
    """The list, PoseFlow's dict, and the dicts of frames."""

    @pytest.mark.parametrize("keypoints", [COCO_17, HALPE_26, HALPE_136], ids=lambda k: k.name)
    @pytest.mark.parametrize("idx", [True, False])
    def test_list_of_people_in_any_order(self, keypoints, idx):
        """Frames are sorted by number, boxes are x, y, w, h, ids are kept where there are any."""
        poses = alphapose.read(samples.alphapose_list(len(keypoints), idx=idx), "f")
        assert poses.keypoints is keypoints
        assert poses.labels == ("0.jpg", "1.jpg", "10.jpg")
        rows = of_frame(poses, "1.jpg")
        assert poses.ids[rows].tolist() == ([1, 2] if idx else [-1, -1])
        assert poses.ids_given is idx
        np.testing.assert_allclose(poses.points[rows[0]], points(len(keypoints), 1), atol=1e-4)
        np.testing.assert_allclose(poses.boxes[rows[0]], [91, 40, 151, 170])

    def test_scores_within_one_are_kept_and_sums_are_not(self):
        """AlphaPose's sums of confidences (to 6) are no probabilities: the keypoints' own count then."""
        np.testing.assert_allclose(sorted(alphapose.read(samples.alphapose_list(), "f").scores), [0.81, 0.81, 0.81, 0.82, 0.82])
        summed = alphapose.read(samples.alphapose_list(score=2.9), "f")
        np.testing.assert_allclose(summed.scores, points(17)[:, 2].mean(), atol=1e-5)

    @pytest.mark.parametrize("first", [0, 1])
    def test_poseflow_dict_with_ids_from_zero_or_one(self, first):
        """A dict of frames, empty ones too, floats as ids, natural order of names."""
        poses = alphapose.read(samples.poseflow(first), "f")
        assert poses.labels == ("frame8.jpg", "frame9.jpg", "frame10.jpg")
        assert sorted(poses.ids[of_frame(poses, "frame8.jpg")]) == [first, first + 1]
        assert poses.every_frame

    @pytest.mark.parametrize("form", ["open", "cmu"])
    def test_dict_of_openpose_frames(self, form):
        """--format open and cmu: 18 points a person."""
        poses = alphapose.read(samples.alphapose_frames(form), "f")
        assert poses.keypoints is COCO_18
        np.testing.assert_allclose(poses.points[1], samples.coco_18(1), atol=1e-4)

    def test_not_a_number_is_not_seen(self):
        """A keypoint of NaN has no confidence."""
        text = samples.alphapose_list().replace(b"100.0,", b"NaN,", 1).replace(b"100.0, ", b"NaN, ", 1)
        assert b"NaN" in text
        poses = alphapose.read(text, "f")
        assert (poses.points[:, 0, 2] == 0).sum() == 1
        assert np.isfinite(poses.points).all()

    @pytest.mark.parametrize("data", [b"3", b"{}", b'[{"keypoints": []}]', b'[{"image_id": "a", "keypoints": [1,2]}]', b'{"a": 3}',
                                      b'{"a.jpg": {"people": 1}}', b"[3]"])
    def test_other_content_is_refused(self, data):
        """In one line that names the file to give."""
        with pytest.raises(InputError, match="Expected"):
            alphapose.read(data, "f")


@pytest.mark.parametrize("value, expected", [(3, 3), (3.0, 3), ("3", 3), ([3], 3), ([[3]], 3), (None, -1), ([], -1), (-1, -1), (-7, -1)])
def test_ids_as_programs_write_them(value, expected):
    """Numbers, floats, text, lists around them; negative ones are none."""
    assert person_id(value, "f") == expected


class TestMMPose:
    """Predictions of the inferencer."""

    def test_video_file(self):
        """frame_id counts from 0; boxes have a list around them; scores are bbox_score."""
        poses = mmpose.read(samples.mmpose_video(), "f")
        assert (poses.keypoints, poses.labels, poses.frame.tolist(), poses.first) == (COCO_17, ("0", "1", "2"), [0, 0, 2], None)
        np.testing.assert_allclose(poses.points[1], points(17, 5), atol=1e-4)
        np.testing.assert_allclose(poses.boxes[1], [95, 40, 155, 170])
        np.testing.assert_allclose(poses.scores, 0.7)

    @pytest.mark.parametrize("keypoints", [HALPE_26, COCO_WHOLEBODY_133], ids=lambda k: k.name)
    def test_size_tells_the_set(self, keypoints):
        """Without names, 26 are Halpe's and 133 COCO-WholeBody's."""
        assert mmpose.read(samples.mmpose_video(len(keypoints)), "f").keypoints is keypoints

    def test_names_of_the_model_decide_the_order(self):
        """A model with its own order of points is mapped by name; what it lacks is not seen."""
        names = ["left_knee", "nose", "right_hip", "left_hip", "left_wrist"]
        poses = mmpose.read(samples.mmpose_video(5, names), "f")
        assert poses.keypoints is COCO_17
        row = poses.points[0]
        np.testing.assert_allclose(row[COCO_17.index("left_knee")], points(5)[0], atol=1e-4)
        np.testing.assert_allclose(row[COCO_17.index("nose")], points(5)[1], atol=1e-4)
        assert (row[:, 2] > 0).sum() == 5

    def test_a_folder_of_pictures(self, tmp_path):
        """One file a picture, each a list of people."""
        instances = json.loads(samples.mmpose_video())["instance_info"][0]["instances"]
        for number, people in ((2, instances), (11, []), (9, instances[:1])):
            (tmp_path / f"img{number}.json").write_text(json.dumps(people))
        poses = mmpose.read_path(tmp_path)
        assert poses.labels == ("img2.json", "img9.json", "img11.json")
        assert poses.frame.tolist() == [0, 0, 1]

    @pytest.mark.parametrize("data", [b"{}", b"3", b'{"instance_info": [3]}', b'[{"frame_id": 0, "instances": [{}]}]',
                                      b'[{"frame_id": 0, "instances": []}, {"frame_id": 0, "instances": []}]',
                                      b'[{"frame_id": 0.5, "instances": []}]'])
    def test_other_content_is_refused(self, data):
        """In one line."""
        with pytest.raises(InputError, match="Expected"):
            mmpose.read(data, "f")


class TestCoco:
    """Results and annotations."""

    def test_results(self):
        """Sorted by image, ids from track_id, boxes x, y, w, h."""
        poses = coco.read(samples.coco_results(), "f")
        assert (poses.labels, poses.keypoints) == (("3", "4"), COCO_17)
        assert poses.ids[poses.frame == 0].tolist() == [7, 8]
        np.testing.assert_allclose(poses.boxes[1], [90, 40, 150, 170])

    def test_annotations_take_names_of_images_and_visibility(self):
        """v 1 is half sure, 2 is sure; images without people are frames too."""
        values = flat(17)
        values[2::3] = [0, 1, 2] + [2] * 14
        data = {"images": [{"id": 5, "file_name": "b_2.jpg"}, {"id": 6, "file_name": "b_1.jpg"}],
                "annotations": [{"image_id": 5, "keypoints": values, "bbox": [1, 2, 3, 4]}]}
        poses = coco.read(json.dumps(data).encode(), "f")
        assert poses.labels == ("b_1.jpg", "b_2.jpg")
        assert poses.frame.tolist() == [1]
        assert poses.points[0, :3, 2].tolist() == [0, 0.5, 1]


class TestMediaPipe:
    """Our own JSON and CSV of the 33 landmarks."""

    def test_parts_of_the_picture_become_pixels(self):
        """x and y times width and height; empty frames stay."""
        poses = mediapipe.read(samples.mediapipe_json(), "f").in_pixels((1280, 720))
        assert (poses.keypoints, poses.labels, poses.frame.tolist()) == (BLAZEPOSE_33, ("0", "1", "2"), [0, 2])
        np.testing.assert_allclose(poses.points[1], points(33, 4), atol=1e-3)
        np.testing.assert_allclose(poses.points3d_m[0, 10], [0.1, -0.2, 0.3], atol=1e-6)

    def test_pixels_are_told_apart(self):
        """Numbers beyond a few widths are pixels."""
        poses = mediapipe.read(samples.mediapipe_json(world=False, pixels=True), "f").in_pixels((1280, 720))
        np.testing.assert_allclose(poses.points[0], points(33), atol=1e-3)
        assert poses.points3d_m is None

    def test_one_person_without_a_list_around_and_lists_for_landmarks(self):
        """The solutions interface has one person; arrays [x, y, z, visibility] do as well."""
        person = [[float(a), float(b), 0.0, float(c)] for a, b, c in points(33)]
        poses = mediapipe.read(json.dumps([{"poseLandmarks": person}, {"landmarks": [person]}, person]).encode(), "f")
        np.testing.assert_allclose(poses.points, [points(33)] * 3, atol=1e-4)

    def test_csv(self):
        """A row a person and frame."""
        poses = mediapipe.read(samples.mediapipe_csv(), "f").in_pixels((1280, 720))
        assert poses.labels == ("0", "2")
        np.testing.assert_allclose(poses.points[1], points(33, 4), atol=1e-3)

    @pytest.mark.parametrize("data", [b"a,b\n1,2\n", b"", b'[{"pose_landmarks": [[1, 2]]}]', b"{}", b'{"frames": 3}'])
    def test_other_content_is_refused(self, data):
        """In one line."""
        with pytest.raises(InputError, match="Expected"):
            mediapipe.read(data, "f")


class TestMot:
    """Boxes with ids."""

    def test_rows(self):
        """Frames count from 1, boxes are x, y, w, h."""
        poses = mot.read(samples.MOT_TEXT, "f")
        assert (poses.labels, poses.frame.tolist(), poses.ids.tolist()) == (("1", "2"), [0, 1, 1], [1, 1, 2])
        np.testing.assert_allclose(poses.boxes[2], [300, 40, 360, 170])

    @pytest.mark.parametrize("data", [b"1,2,3", b"a,b,c,d,e,f", b"-1,1,1,1,1,1", b"1.5,1,1,1,1,1", b"1,1,nan,1,1,1"])
    def test_other_rows_are_refused(self, data):
        """In one line."""
        with pytest.raises(InputError, match="Expected"):
            mot.read(data, "f")
