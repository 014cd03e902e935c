"""DeepMimic motion files on SMPL's joints: the identities of the format, and the public corpus."""

import json
from pathlib import Path

import numpy as np
import pytest

from mrs import metrics, rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats import deepmimic
from mrs.skeletons import SMPL_24
from mrs.world import heading_rad
from mrs.world.ground import sole_points

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "assets" / "motion" / "deepmimic"
BODY = load_body()
HALF = np.sqrt(0.5)
SLOTS = {"root": 4, "chest": 8, "neck": 12, "right_hip": 16, "right_ankle": 21, "right_shoulder": 25, "left_hip": 30,
         "left_ankle": 35, "left_shoulder": 39}
HINGES = {"right_knee": 20, "right_elbow": 29, "left_knee": 34, "left_elbow": 43}


def about(axis, degrees):
    """Quaternion about X, Y or Z."""
    return rotations.axis_angle_to_quat(np.radians(degrees) * np.eye(3)["xyz".index(axis)])


def frame(duration=1 / 30, position=(0, 0.9, 0), **joints):
    """One frame of 44 numbers: identity but for the named balls (quaternions) and hinges (radians)."""
    out = np.zeros(44)
    out[0], out[1:4] = duration, position
    for start in SLOTS.values():
        out[start] = 1
    for name, value in joints.items():
        if name in HINGES:
            out[HINGES[name]] = value
        else:
            out[SLOTS[name] : SLOTS[name] + 4] = value
    return out


def read(tmp_path, *frames):
    """Write frames to a file and read it."""
    path = tmp_path / "motion.txt"
    path.write_text(json.dumps({"Loop": "none", "Frames": [list(map(float, f)) for f in frames]}))
    return deepmimic.read(path)


def bone(motion, start, end, row=0):
    """Unit direction from one SMPL joint to another."""
    a, b = SMPL_24.indices(start, end)
    return rotations.normalise(motion.joints_m[row, b] - motion.joints_m[row, a])


T_POSE = {"left_shoulder": [HALF, HALF, 0, 0], "right_shoulder": [HALF, -HALF, 0, 0]}


class TestIdentities:
    """Appendix C and section 5.7 of the specification."""

    def test_raised_shoulders_are_smpl_s_t_pose(self, tmp_path):
        """Identity but for shoulders of Rx(+90) and Rx(-90): SMPL's T-pose, facing +X."""
        motion = read(tmp_path, frame(**T_POSE))
        local = rotations.quat_to_matrix(motion.local_quat_wxyz[0])
        np.testing.assert_allclose(local[1:], np.tile(np.eye(3), (23, 1, 1)), atol=1e-12)
        np.testing.assert_allclose(local[0] @ [0, 0, 1], [1, 0, 0], atol=1e-12)
        np.testing.assert_allclose(local[0] @ [0, 1, 0], [0, 1, 0], atol=1e-12)
        assert np.degrees(heading_rad(motion)) == pytest.approx(90, abs=0.5)

    def test_identity_hangs_its_arms(self, tmp_path):
        """All quaternions identity: upright, facing +X, its right at +Z, arms hanging."""
        motion = read(tmp_path, frame())
        for side in ("left", "right"):
            assert bone(motion, f"{side}_shoulder", f"{side}_elbow")[1] < -0.97
            assert bone(motion, f"{side}_elbow", f"{side}_wrist")[1] < -0.97
            assert bone(motion, f"{side}_hip", f"{side}_ankle")[1] < -0.97
        assert bone(motion, "left_hip", "right_hip")[2] > 0.99

    @pytest.mark.parametrize(("degrees", "ahead"), [(0, [1, 0, 0]), (90, [0, 0, -1]), (-90, [0, 0, 1]), (180, [-1, 0, 0])])
    def test_root_turns_the_body(self, tmp_path, degrees, ahead):
        """A turn about Y turns where the body faces."""
        motion = read(tmp_path, frame(root=about("y", degrees), **T_POSE))
        np.testing.assert_allclose(rotations.quat_to_matrix(motion.local_quat_wxyz[0, 0]) @ [0, 0, 1], ahead, atol=1e-12)

    @pytest.mark.parametrize("side", ["left", "right"])
    def test_knees_flex_backwards_and_elbows_forwards(self, tmp_path, side):
        """A knee of -90 degrees brings the shin back (-X), an elbow of +90 the forearm ahead (+X)."""
        motion = read(tmp_path, frame(**{f"{side}_knee": -np.pi / 2, f"{side}_elbow": np.pi / 2}))
        assert bone(motion, f"{side}_knee", f"{side}_ankle")[0] < -0.97
        assert bone(motion, f"{side}_elbow", f"{side}_wrist")[0] > 0.97
        other = "right" if side == "left" else "left"
        assert bone(motion, f"{other}_knee", f"{other}_ankle")[1] < -0.97

    def test_hips_raise_the_thigh_ahead_and_aside(self, tmp_path):
        """+90 degrees about Z raises a thigh to +X; the right hip opens to +Z by a turn about X."""
        motion = read(tmp_path, frame(left_hip=about("z", 90), right_hip=about("x", -90)))
        assert bone(motion, "left_hip", "left_knee")[0] > 0.97
        assert bone(motion, "right_hip", "right_knee")[2] > 0.97

    def test_chest_bends_the_whole_spine(self, tmp_path):
        """A chest quaternion is shared by three joints that together make it."""
        motion = read(tmp_path, frame(chest=about("z", -60)))
        turned = BODY.global_rotations(motion.local_quat_wxyz)[0]
        relative = turned[0].T @ turned[9]
        np.testing.assert_allclose(relative, rotations.axis_angle_to_matrix(np.radians(60) * np.array([1.0, 0, 0])), atol=1e-9)
        assert bone(motion, "pelvis", "neck")[0] > 0.3

    def test_times_are_the_durations(self, tmp_path):
        """Uneven durations give uneven times; the last one, and zeros, do not stop time."""
        motion = read(tmp_path, frame(0.1), frame(0.0625), frame(0.0), frame(0.0))
        np.testing.assert_allclose(motion.times_s, [0, 0.1, 0.1625, 0.1625 + 1 / 60])
        motion.validate()

    def test_size_follows_the_leg(self, tmp_path):
        """The root path is scaled from DeepMimic's legs of 0.831416 m to the body's."""
        motion = read(tmp_path, frame(position=(0, 0.9, 0)), frame(position=(1, 0.9, -2)))
        rest = BODY.rest_joints(np.zeros(10))
        leg = np.linalg.norm(rest[4] - rest[1]) + np.linalg.norm(rest[7] - rest[4])
        np.testing.assert_allclose(motion.root_pos_m[1] - motion.root_pos_m[0], np.array([1, 0, -2]) * leg / 0.831416)


def forward_kinematics(values):
    """DeepMimic's own skeleton (spec 5.6): positions of its joints by name for one frame, metres."""
    def ball(name):
        return rotations.quat_to_matrix(values[SLOTS[name] : SLOTS[name] + 4])

    def hinge(name):
        return rotations.axis_angle_to_matrix(values[HINGES[name]] * np.array([0, 0, 1.0]))

    root = ball("root")
    chest_at = values[1:4] + root @ [0, 0.236151, 0]
    chest = root @ ball("chest")
    out = {"root": values[1:4], "chest": chest_at, "neck": chest_at + chest @ [0, 0.223894, 0]}
    for side, z in (("left", -1), ("right", 1)):
        out[f"{side}_hip"] = values[1:4] + root @ [0, 0, 0.084887 * z]
        hip = root @ ball(f"{side}_hip")
        out[f"{side}_knee"] = out[f"{side}_hip"] + hip @ [0, -0.421546, 0]
        out[f"{side}_ankle"] = out[f"{side}_knee"] + hip @ hinge(f"{side}_knee") @ [0, -0.409870, 0]
        out[f"{side}_shoulder"] = chest_at + chest @ [-0.02405, 0.24350, 0.18311 * z]
        shoulder = chest @ ball(f"{side}_shoulder")
        out[f"{side}_elbow"] = out[f"{side}_shoulder"] + shoulder @ [0, -0.274788, 0]
        out[f"{side}_wrist"] = out[f"{side}_elbow"] + shoulder @ hinge(f"{side}_elbow") @ [0, -0.258947, 0]
    return out


LIMBS = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right")
         for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))]


def limb_error_deg(values, motion, row):
    """Largest angle between a limb in DeepMimic's skeleton and on the body."""
    there = forward_kinematics(values)
    return max(np.degrees(np.arccos(np.clip(rotations.normalise(there[b] - there[a]) @ bone(motion, a, b, row), -1, 1)))
               for a, b in LIMBS)


@pytest.mark.parametrize("seed", range(4))
def test_limbs_point_where_deepmimic_s_own_skeleton_has_them(tmp_path, seed):
    """Random frames: each limb within 9 degrees, which is how far rest poses differ."""
    rng = np.random.default_rng(seed)
    balls = {name: rotations.normalise(rng.normal(size=4) + [2, 0, 0, 0]) for name in SLOTS}
    hinges = {n: (-1 if "knee" in n else 1) * rng.uniform(0, 2.2) for n in HINGES}
    values = frame(**balls, **hinges)
    assert limb_error_deg(values, read(tmp_path, values), 0) < 9


@pytest.mark.parametrize(("text", "message"), [
    (None, "can't be read"), ("", "can't be read"), ("{", "can't be read"), ("[1, 2]", "can't be read"),
    ('{"Loop": "none"}', "can't be read"), ('{"Frames": []}', "44 numbers"), ('{"Frames": [[1, 2]]}', "44 numbers"),
    ('{"Frames": [[1, "x"]]}', "can't be read"), ('{"Frames": [[1, 2], [1]]}', "can't be read"),
])
def test_what_is_not_a_motion_is_refused_in_one_line(tmp_path, text, message):
    """Missing, empty, broken and foreign files give InputError with the path."""
    path = tmp_path / "x.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        deepmimic.read(path)
    assert str(path) in str(caught.value)


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    """NaN in a file does not become a motion."""
    values = frame()
    values[5] = np.nan
    with pytest.raises(InputError, match="finite"):
        read(tmp_path, values)


needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the motion corpus beside the repository")


@needs_corpus
@pytest.mark.parametrize("name", ["humanoid3d_jump", "humanoid3d_roll", "humanoid3d_sideflip", "sie_humanoid3d_run_left00",
                                  "humanoid3d_crawl", "humanoid3d_dance_a"])
def test_corpus_files_read(name):
    """Real files: valid, limbs where DeepMimic has them, bones constant, no joint faster than 20 m/s."""
    path = CORPUS / f"{name}.txt"
    motion = deepmimic.read(path).validate()
    values = np.array(json.loads(path.read_text())["Frames"])
    assert len(motion) == len(values)
    errors = [limb_error_deg(values[row], motion, row) for row in range(0, len(values), 7)]
    assert max(errors) < 9
    assert metrics.bone_change(motion) < 1e-6
    assert np.linalg.norm(metrics.derivative(motion.joints_m, motion.times_s, 1), axis=-1).max() < 20


@needs_corpus
def test_corpus_walks_walk_ahead_on_the_ground():
    """A walk goes where the body faces, its lowest soles near y = 0."""
    motion = deepmimic.read(CORPUS / "humanoid3d_long_walk1.txt")
    steps = np.diff(motion.root_pos_m[:, [0, 2]], axis=0)
    ahead = np.array([[np.sin(h), np.cos(h)] for h in (heading_rad(motion, row) for row in range(len(motion) - 1))])
    assert (steps * ahead).sum() > 0.9 * np.linalg.norm(steps, axis=1).sum() > 2
    assert abs(np.percentile(sole_points(motion)[..., 1].min(1), 20)) < 0.06
