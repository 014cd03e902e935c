"""Files with the quirks of the code that writes them are read right."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from mrs import plugins
from mrs.errors import InputError
from mrs.formats.pose2d import alphapose, mediapipe, mmpose, mot, openpose
from mrs.skeletons import BLAZEPOSE_33, BODY_25, COCO_17, COCO_18, COCO_WHOLEBODY_133, HALPE_26, HALPE_136
from tests.formats.pose2d import written
from tests.formats.pose2d.written import person

REGISTRY = plugins.load()
SIZE_PX = (640, 480)


def detected(name: str, source, frames: int):
    """What the detector of a file gives at a video's frames, and its notes."""
    video = SimpleNamespace(size_px=SIZE_PX, frame_ids=np.arange(frames), times_s=np.arange(frames) / 30, frames_in_file=frames, warnings=[])
    return REGISTRY.make("detector", name, {"source": str(source)}).detect(video), video.warnings


class TestAlphaPose:
    """write_json, tracked and not."""

    @pytest.mark.parametrize("idx", [[0.0], [[0.0], [0.0]], 0.0], ids=str)
    def test_without_tracking_zero_is_nobodys_number(self, idx):
        """idx is [0.0] for everybody, or [[0.0], [0.0]] where two boxes became one person: no id at all."""
        text = written.alphapose({f"{i}.jpg": [(person(17, i), idx), (person(17, 9 + i), [0.0])] for i in range(3)})
        poses = alphapose.read(text["alphapose-results.json"].encode(), "f")
        assert len(poses) == 6 and not poses.ids_given

    def test_a_single_person_without_tracking_has_no_id_either(self):
        """The list around the 0 says it."""
        text = written.alphapose({f"{i}.jpg": [(person(17, i), [0.0])] for i in range(3)})
        assert not alphapose.read(text["alphapose-results.json"].encode(), "f").ids_given

    def test_a_tracker_that_counts_from_zero_is_believed(self):
        """Two numbers, or a plain 0 without a second person."""
        for frames in ({"0.jpg": [(person(17), 0), (person(17, 1), 1)]}, {"0.jpg": [(person(17), 0)], "1.jpg": [(person(17), 0)]}):
            assert alphapose.read(written.alphapose(frames)["alphapose-results.json"].encode(), "f").ids_given

    def test_of_several_merged_ids_the_lowest_counts(self):
        """As where AlphaPose draws them."""
        text = written.alphapose({"0.jpg": [(person(17), [[4.0], [2.0]]), (person(17, 1), [7.0])]})
        assert sorted(alphapose.read(text["alphapose-results.json"].encode(), "f").ids) == [2, 7]

    def test_whole_bodies_of_coco_and_bodies_with_hands(self):
        """133 points are COCO-WholeBody's; 68 are Halpe's 136 without the face between body and hands."""
        whole = person(133)
        poses = alphapose.read(written.alphapose({"0.jpg": [(whole, 1)]})["alphapose-results.json"].encode(), "f")
        assert poses.keypoints is COCO_WHOLEBODY_133
        np.testing.assert_array_equal(poses.points[0], whole)
        hands = person(68)
        poses = alphapose.read(written.alphapose({"0.jpg": [(hands, 1)]})["alphapose-results.json"].encode(), "f")
        assert poses.keypoints is HALPE_136
        np.testing.assert_array_equal(poses.points[0, :26], hands[:26])
        np.testing.assert_array_equal(poses.points[0, 94:], hands[26:])
        assert not poses.points[0, 26:94].any()
        assert HALPE_136.names[94].startswith("left_hand") and HALPE_136.names[:26] == HALPE_26.names

    @pytest.mark.parametrize("form", ["open", "cmu"])
    @pytest.mark.parametrize("count", [17, 26, 136])
    def test_the_neck_lies_between_the_shoulders(self, form, count, tmp_path):
        """Models of more than 17 points put the top of the head there; in the file and in sep-json."""
        points = person(count)
        files = written.alphapose({"7.jpg": [(points, [0.0])]}, form)
        alone = alphapose.read(files["alphapose-results.json"].encode(), "f")
        (tmp_path / "7.json").write_text(files["sep-json/7.json"])
        for poses in (alone, openpose.read(tmp_path)):
            assert poses.keypoints is COCO_18
            np.testing.assert_allclose(poses.points[0, 1], points[written.SHOULDERS].mean(0), rtol=1e-6)
            np.testing.assert_array_equal(poses.points[0, COCO_18.index("left_knee")], points[COCO_17.index("left_knee")])

    def test_sep_json_has_no_files_of_empty_frames(self, tmp_path):
        """Whoever comes in the video's second frame is put there, not into the first."""
        files = written.alphapose({f"{i}.jpg": [(person(17, i), [0.0])] for i in (1, 2, 5)}, "open")
        for name, text in files.items():
            if name.startswith("sep-json"):
                (tmp_path / name.rpartition("/")[2]).write_text(text)
        found, _ = detected("openpose:", tmp_path, 8)
        assert [len(p) for p in found.people] == [0, 1, 1, 0, 0, 1, 0, 0]


def test_poseflow_leaves_empty_frames_out(tmp_path):
    """Names as AlphaPose gives them to a video's frames: from 0."""
    (tmp_path / "tracked.json").write_text(written.poseflow({f"{i}.jpg": [(person(17, i), 1 + i // 10)] for i in (1, 2, 10)}))
    found, _ = detected("poseflow:", tmp_path / "tracked.json", 12)
    assert np.flatnonzero([len(p) for p in found.people]).tolist() == [1, 2, 10]
    assert [int(p.lanes[0]) for p in found.people if len(p)] == [1, 1, 2] and found.ids_given


def test_openpose_1_7(tmp_path):
    """person_id of -1 says nothing; six digits are kept; people without a body are left out."""
    people = [person(25), person(25, 1)]
    for frame in range(3):
        (tmp_path / f"dance_{frame:012d}_keypoints.json").write_text(written.openpose(people if frame != 1 else []))
    found, notes = detected("openpose:", tmp_path, 3)
    assert [len(p) for p in found.people] == [2, 0, 2] and not found.ids_given and notes == []
    np.testing.assert_allclose(found.people[2].keypoints_px, people, rtol=5e-6)
    assert found.keypoints is BODY_25


class TestMMPose:
    """The inferencer's files, and the demos'."""

    def test_demos_count_frames_from_one(self, tmp_path):
        """The first frame of the file is the video's first, and it is said."""
        (tmp_path / "results_video.json").write_text(written.mmpose_demo([[person(17, i)] for i in range(4)], COCO_17.names))
        found, notes = detected("mmpose:", tmp_path / "results_video.json", 4)
        for i, people in enumerate(found.people):
            np.testing.assert_array_equal(people.keypoints_px[0], person(17, i))
        assert len(notes) == 1 and "counted from 1" in notes[0]

    def test_the_inferencer_counts_from_zero(self, tmp_path):
        """What MMPose's own functions make of predictions."""
        pytest.importorskip("mmpose")
        from mrs_plugins.detectors._mmpose_mend import load_mmpose

        load_mmpose()
        import mmengine
        from mmengine.structures import InstanceData
        from mmpose.structures import split_instances

        points = np.stack([person(17, 0), person(17, 1)])
        seen = InstanceData(keypoints=points[..., :2], keypoint_scores=points[..., 2], bboxes=np.float32([[1, 2, 3, 4]] * 2),
                            bbox_scores=np.float32([0.5, 0.75]))
        video = [{"frame_id": i, "instances": split_instances(seen) if i != 1 else []} for i in range(3)]
        mmengine.dump(video, str(tmp_path / "video.json"), indent="  ")
        found, notes = detected("mmpose:", tmp_path / "video.json", 3)
        assert [len(p) for p in found.people] == [2, 0, 2] and notes == []
        np.testing.assert_array_equal(found.people[2].keypoints_px, points)
        np.testing.assert_array_equal(found.people[0].boxes_px, [[1, 2, 3, 4]] * 2)
        np.testing.assert_allclose(found.people[0].scores, [0.5, 0.75])
        (tmp_path / "pictures").mkdir()
        mmengine.dump(split_instances(seen), str(tmp_path / "pictures" / "img_0000.json"), indent="  ")
        np.testing.assert_array_equal(mmpose.read_path(tmp_path / "pictures").points, points)

    def test_metres_are_refused_and_older_triplets_read(self):
        """x, y, z beside scores are a lifter's; three numbers without scores are x, y, confidence."""
        deep = [{"frame_id": 0, "instances": [{"keypoints": person(17).tolist(), "keypoint_scores": [1.0] * 17}]}]
        with pytest.raises(InputError, match="3D predictions"):
            mmpose.read(json.dumps(deep).encode(), "f")
        del deep[0]["instances"][0]["keypoint_scores"]
        np.testing.assert_array_equal(mmpose.read(json.dumps(deep).encode(), "f").points[0], person(17))

    def test_frames_of_mrs_itself_count_from_zero_wherever_they_begin(self, tmp_path):
        """A run from the second frame on comes back to the second frame."""
        from dataclasses import replace

        from tests.formats.pose2d.samples import tracks

        given = tracks(COCO_17)
        later = replace(given, frame_ids=given.frame_ids + 1, people=tuple(replace(t, frame_ids=t.frame_ids + 1) for t in given.people))
        mmpose.write(tmp_path / "out.json", later)
        found, notes = detected("mmpose:", tmp_path / "out.json", len(given.frame_ids) + 1)
        assert [len(p) for p in found.people][:4] == [0, 1, 1, 2] and notes == []


class TestMediaPipe:
    """Habits of people who write MediaPipe's results down."""

    @pytest.mark.parametrize("wrap", [lambda frames: frames, lambda frames: {str(i): f for i, f in enumerate(frames)},
                                      lambda frames: {"frames": [{"frame_id": i, "pose_landmarks": f} for i, f in enumerate(frames)]}],
                             ids=["list", "dict of numbers", "frame_id"])
    def test_messages_as_dicts(self, wrap):
        """A frame an entry, null where nobody was seen; `landmark` around the points."""
        frames = [written.message_to_dict(person(33), SIZE_PX), None, written.message_to_dict(person(33, 2), SIZE_PX)]
        poses = mediapipe.read(json.dumps(wrap(frames)).encode(), "f").in_pixels(SIZE_PX)
        assert (poses.labels, poses.frame.tolist()) == (("0", "1", "2"), [0, 2])
        np.testing.assert_allclose(poses.points[1], person(33, 2), rtol=1e-5)

    def test_results_of_the_tasks_for_the_web(self):
        """landmarks and worldLandmarks of several people."""
        entry = {"landmarks": [written.message_to_dict(person(33, i), SIZE_PX)["landmark"] for i in (0, 1)],
                 "worldLandmarks": [written.message_to_dict(person(33, i) / 900, (1, 1))["landmark"] for i in (0, 1)]}
        poses = mediapipe.read(json.dumps([entry]).encode(), "f").in_pixels(SIZE_PX)
        np.testing.assert_allclose(poses.points, [person(33), person(33, 1)], rtol=1e-5)
        np.testing.assert_allclose(poses.points3d_m[1, :, :2], person(33, 1)[:, :2] / 900, rtol=1e-5)

    def test_a_table_with_a_class_and_points_from_one(self):
        """class, x1, y1, z1, v1 to v33, a row a frame: what gesture classifiers are trained on."""
        header = ["class", *(f"{part}{i}" for i in range(1, 34) for part in "xyzv")]
        rows = [["Happy", *(f"{v:.6f}" for x, y, c in person(33, i) for v in (x / 640, y / 480, -0.1, c))] for i in range(3)]
        poses = mediapipe.read("\n".join(map(",".join, [header, *rows])).encode(), "f").in_pixels(SIZE_PX)
        assert poses.labels == ("0", "1", "2") and poses.keypoints is BLAZEPOSE_33
        np.testing.assert_allclose(poses.points, [person(33, i) for i in range(3)], atol=2e-3)

    @pytest.mark.parametrize("text", ["a1,b2\n1,2\n", "x" + "9" * 5000 + ",y1\n1,2\n", '{"0": 3}', '{"frames": {"a": 1}}', '{"frames": {}}'])
    def test_other_content_is_refused(self, text):
        """In a line."""
        with pytest.raises(InputError, match="Expected"):
            mediapipe.read(text.encode(), "f")


class TestMot:
    """Ground truth, and results of trackers."""

    TRUTH = "1,1,912,484,97,109,1,1,1\n1,2,338,418,141,201,0,1,1\n1,3,500,300,50,80,1,3,0.5\n2,1,912,482,97,109,1,1,0.98\n"

    def test_of_a_ground_truth_people_on_foot_are_read(self):
        """Not what is flagged 0, and no cars; it is said how many boxes that leaves out."""
        poses = mot.read(self.TRUTH.encode(), "f")
        assert (poses.ids.tolist(), poses.labels, poses.first) == ([1, 1], ("1", "2"), 1)
        assert poses.notes[0].startswith("2 boxes")

    def test_results_are_read_whole(self):
        """Ten columns with -1 at the end, or nine of which the last is no visibility."""
        assert len(mot.read(b"1,1,10,20,30,40,0.9,-1,-1,-1\n1,2,10,20,30,40,0.9,-1,-1,-1\n", "f")) == 2
        assert len(mot.read(b"1,1,10,20,30,40,0.9,0,-1\n1,2,10,20,30,40,0.9,0,-1\n", "f")) == 2

    def test_byte_tracks_demo_counts_from_zero(self):
        """A frame 0 says it."""
        poses = mot.read(b"0,1,10.00,20.00,30.00,40.00,0.91,-1,-1,-1\n1,1,11.00,20.00,30.00,40.00,0.91,-1,-1,-1\n", "f")
        assert (poses.first, poses.labels) == (0, ("0", "1"))

    def test_a_frame_of_nothing(self):
        """An empty file holds nobody."""
        assert len(mot.read(b"", "f")) == 0
