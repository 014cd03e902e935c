"""BVH to Motion: our own files come back, known dialects are carried over, others are refused by name."""

import dataclasses

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats import bvh
from mrs.formats.bvh_import import from_bvh
from mrs.formats.bvh_motion import to_bvh
from mrs.formats.bvh_names import PRESETS, match
from mrs.skeletons import SMPL_24
from tests.formats.bvh_samples import CMU8, SMALL, cmu_like, lafan1_like, text_of
from tests.formats.test_bvh_motion import BETAS, random_motion

LIMBS = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


def limb_directions(joints, names):
    """Unit vectors (T, 8, 3) along thighs, shins, upper arms and forearms."""
    return np.stack([rotations.normalise(joints[:, names[b]] - joints[:, names[a]]) for a, b in LIMBS], 1)


def assert_same_limbs(motion, document, skip=0):
    """Limbs of the motion point where the file's do, within 1e-6."""
    ours = limb_directions(motion.joints_m, {name: i for i, name in enumerate(SMPL_24.names)})
    theirs = limb_directions(document.pose()[1][skip:], match(document.names, "")[1])
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unit": "m"},
        {"unit": "inch"},
        {"up": "z"},
        {"up": "z", "unit": "m"},
        {"order": "xyz", "channels": 6},
        {"tpose_first": True},
        *({"names": name} for name in PRESETS if name != "smpl"),
    ],
    ids=str,
)
def test_our_own_files_come_back(options, tmp_path):
    """Rotations come back within 1e-4 degree, joints within 1e-3 cm, times exactly, and the shape with them."""
    motion = random_motion(frames=60)
    bvh.write(tmp_path / "a.bvh", to_bvh(motion, **options)[0])
    again = from_bvh(bvh.read(tmp_path / "a.bvh"), tpose_first="yes" if options.get("tpose_first") else "no")
    assert np.degrees(rotations.geodesic_angle(again.local_quat_wxyz, motion.local_quat_wxyz)).max() < 1e-4
    assert np.abs(again.joints_m - motion.joints_m).max() * 100 < 1e-3
    np.testing.assert_allclose(again.times_s, motion.times_s, atol=1e-7)
    np.testing.assert_allclose(again.betas, BETAS, atol=1e-3)
    assert again.frame == "world"
    again.validate()


def calm_motion(frames=30):
    """A walk-like motion of small steps, arms down, away from the T-pose."""
    quats = np.zeros((frames, 24, 3))
    quats[:, 16, 2], quats[:, 17, 2] = -1.2, 1.2
    quats[:, 1, 0] = 0.4 * np.sin(np.arange(frames) / 10)
    root = np.tile([0.3, 1.0, 0], (frames, 1))
    return load_body().motion(np.arange(frames) / 30, root, rotations.axis_angle_to_quat(quats), BETAS)


def test_an_extra_t_pose_is_found_and_left_out():
    """A T-pose from which the motion jumps away is no part of the motion."""
    motion = calm_motion()
    again = from_bvh(to_bvh(motion, tpose_first=True)[0])
    assert len(again) == len(motion)
    np.testing.assert_allclose(again.joints_m, motion.joints_m, atol=1e-6)
    assert len(from_bvh(to_bvh(motion, tpose_first=True)[0], tpose_first="no")) == len(motion) + 1


def test_a_motion_that_starts_in_a_t_pose_keeps_it():
    """A person who stands in a T-pose and moves on without a jump loses no frame."""
    motion = calm_motion()
    share = np.linspace(0, 1, len(motion))[:, None]
    rest = np.broadcast_to([1.0, 0, 0, 0], motion.local_quat_wxyz.shape)
    eased = rotations.slerp(rest, motion.local_quat_wxyz, np.broadcast_to(share, (len(motion), 24)))
    slow = load_body().motion(motion.times_s, motion.root_pos_m, eased, BETAS)
    assert len(from_bvh(to_bvh(slow)[0])) == len(motion)


def test_a_cmu_like_skeleton_keeps_its_limb_directions():
    """Legs spread in the rest pose, stubs between the joints and a first T-pose do not bend the limbs."""
    document = bvh.loads(text_of(**cmu_like(), frames=12))
    motion = from_bvh(document, tpose_first="yes")
    assert len(motion) == 11 and motion.times_s[0] == 0
    assert_same_limbs(motion, document, skip=1)
    assert_same_limbs(from_bvh(document, tpose_first="no"), document)


def test_hanging_arms_and_another_facing_are_carried_over():
    """A rest pose with hanging arms that faces +X is turned to face +Z, and its arms hang in SMPL's pose too."""
    rows = [(name, parent, (x, y, z)) for name, parent, (x, y, z) in cmu_like()["rows"]]
    hanging = {"ForeArm": (0, -27, 0), "Hand": (0, -25, 0), "HandIndex1": (0, -4, 0)}
    rows = [
        (name, parent, next((o for tail, o in hanging.items() if name.endswith(tail)), offset))
        for name, parent, offset in rows
    ]
    rows = [(name, parent, (z, y, -x)) for name, parent, (x, y, z) in rows]
    document = bvh.loads(text_of(rows, "XYZ", 0.02, frames=3))
    still = dataclasses.replace(document, values=np.zeros_like(document.values))
    motion = from_bvh(still, tpose_first="no")
    arms = limb_directions(motion.joints_m, {name: i for i, name in enumerate(SMPL_24.names)})[0, [2, 3, 6, 7]]
    np.testing.assert_allclose(arms, np.tile([0, -1, 0], (4, 1)), atol=1e-6)
    assert motion.joints_m[0, SMPL_24.index("left_hip"), 0] > 0.05
    np.testing.assert_allclose(motion.local_quat_wxyz[0, 0], [1, 0, 0, 0], atol=1e-9)


def test_feet_of_another_size_stay_on_the_ground():
    """The root is scaled by leg length, so that straight legs reach as deep as they did."""
    rows = [(name, parent, tuple(np.array(offset) * 1.3)) for name, parent, offset in cmu_like()["rows"]]
    text = text_of(rows, "ZYX", 0.02, frames=3)
    document = bvh.loads(text)
    still = dataclasses.replace(document, values=np.zeros_like(document.values))
    still.values[:, 1] = 1.3 * 95
    theirs = still.pose()[1][0]
    ours = from_bvh(still, tpose_first="no").joints_m[0]
    foot = theirs[document.names.index("LeftFoot"), 1] / (1.3 * 100)
    assert ours[SMPL_24.index("left_ankle"), 1] == pytest.approx(foot, abs=0.12)


def test_missing_joints_are_named():
    """A skeleton of other joints is refused with the names that it lacks."""
    with pytest.raises(
        InputError, match=r"Expected the joints of one of .* in a\.bvh, but as 'smpl' it lacks pelvis, left_hip"
    ):
        from_bvh(bvh.loads(SMALL.replace("Hips", "Body")), where="a.bvh")
    spec = lafan1_like()
    spec["rows"] = [row for row in spec["rows"] if "LeftToe" not in row[0]]
    with pytest.raises(InputError, match="as 'lafan1' it lacks LeftToe") as caught:
        from_bvh(bvh.loads(text_of(**spec)))
    assert "\n" not in str(caught.value)


def test_a_rest_pose_that_does_not_stand_is_refused():
    """LAFAN1's bones along +X are read as a document, but refused as a Motion rather than carried over wrongly."""
    with pytest.raises(InputError, match="Expected a standing rest pose .* have to be retargeted first"):
        from_bvh(bvh.loads(text_of(**lafan1_like())))


def test_no_frames_and_legs_of_no_length_are_refused():
    """A file of zero frames and a skeleton whose joints coincide are InputErrors."""
    document, _ = to_bvh(random_motion(frames=3))
    with pytest.raises(InputError, match="at least one frame"):
        from_bvh(dataclasses.replace(document, values=document.values[:0]))
    with pytest.raises(InputError, match="legs of some length"):
        from_bvh(dataclasses.replace(document, offsets=document.offsets * 0))


@pytest.mark.skipif(not CMU8.is_dir(), reason="the CMU clips are not on this machine")
def test_real_cmu_clips_are_carried_over():
    """CMU clips lose their first T-pose, keep limb directions and ankle heights, and get an adult's shape."""
    body = load_body()
    for path in sorted(CMU8.glob("*walking*.bvh"))[::12]:
        document = bvh.read(path)
        motion = from_bvh(document, where=str(path))
        assert len(motion) == len(document) - 1
        assert_same_limbs(motion, document, skip=1)
        assert 1.5 < body.stature_m(motion.betas) < 2.0 and np.abs(motion.betas).max() < 3
        rows = match(document.names, "")[1]
        ankles = document.pose()[1][1:, [rows["left_ankle"], rows["right_ankle"]], 1] / 100
        assert np.abs(motion.joints_m[:, 7:9, 1] - ankles).max() < 0.06
