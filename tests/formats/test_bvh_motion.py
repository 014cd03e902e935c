"""Motion to BVH: options, conventions, and the defects of the exporter that SFV shipped."""

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.formats import bvh
from mrs.formats.bvh_motion import UNITS_PER_M, end_sites, to_bvh
from mrs.formats.bvh_names import PRESETS
from mrs.skeletons import SMPL_24, SMPL_PARENTS
from tests.formats.test_euler import largest_angle_deg

BETAS = np.array([0.8, -1.2, 0.4, 0, 0.3, -0.5, 0, 0.2, 0, 0.1])


def random_motion(frames=40, fps=30000 / 1001, seed=0, **changes):
    """A motion in which all 24 joints turn at random."""
    rng = np.random.default_rng(seed)
    quats = rotations.normalise(rng.normal(size=(frames, 24, 4)))
    return load_body().motion(
        np.arange(frames) / fps, rng.normal(size=(frames, 3)) + [0, 1, 4], quats, BETAS, **changes
    )


def turned_motion(axis_angle_deg, frames=5, frame="world"):
    """A T-pose whose root is turned about an axis, given in the world with Y up."""
    quats = np.zeros((frames, 24, 4))
    quats[..., 0] = 1
    quats[:, 0] = rotations.axis_angle_to_quat(np.radians(axis_angle_deg))
    root = np.tile([0.5, 1.0, -3.0], (frames, 1))
    if frame == "camera":
        down = np.diag([1.0, -1, -1])
        quats[:, 0] = rotations.matrix_to_quat(down @ rotations.quat_to_matrix(quats[:, 0]))
        root = root @ down
    return load_body().motion(np.arange(frames) / 25, root, quats, BETAS, frame=frame)


def root_euler_deg(document):
    """Angles of the root's channels by name, in the first frame."""
    return dict(zip(document.channels[0], document.values[0, :6]))


def test_the_default_is_what_most_tools_expect():
    """Centimetres, Y up, root XYZ positions then ZXY, the others ZXY, SMPL's names, five End Sites."""
    motion = random_motion()
    document, notes = to_bvh(motion)
    assert notes == () and len(document) == 40
    assert sorted(document.names) == sorted(SMPL_24.names)
    assert document.channels[0] == ("Xposition", "Yposition", "Zposition", "Zrotation", "Xrotation", "Yrotation")
    assert set(document.channels[1:]) == {("Zrotation", "Xrotation", "Yrotation")}
    np.testing.assert_allclose(document.values[:, :3], motion.root_pos_m * 100)
    assert [document.names[joint] for joint in document.end_joints] == [
        "left_foot",
        "right_foot",
        "head",
        "left_hand",
        "right_hand",
    ]
    text = bvh.dumps(document)
    assert text.count("End Site\n") == 5 and text.count("End ") == 5
    assert "Frame Time: 0.0333666667\n" in text


def test_the_rest_pose_is_the_t_pose_of_the_persons_shape():
    """With all channels at zero the joints stand as the body's rest joints at the betas do."""
    document, _ = to_bvh(random_motion())
    rows = [document.names.index(name) for name in SMPL_24.names]
    np.testing.assert_allclose(document.rest_joints()[rows] / 100, load_body().rest_joints(BETAS), atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unit": "m"},
        {"unit": "inch"},
        {"order": "zyx"},
        {"order": "xyz", "channels": 6},
        {"names": "cmu"},
        {"names": "mixamo"},
    ],
)
def test_joints_stand_where_the_motion_has_them(options, tmp_path):
    """Whatever the options, the file's joints are the motion's within 1e-3 cm."""
    motion = random_motion()
    document, _ = to_bvh(motion, **options)
    bvh.write(tmp_path / "a.bvh", document)
    again = bvh.read(tmp_path / "a.bvh")
    rows = [again.names.index(name) for name in PRESETS[options.get("names", "smpl")]]
    metres = again.pose()[1][:, rows] / UNITS_PER_M[options.get("unit", "cm")]
    assert np.abs(metres - motion.joints_m).max() * 100 < 1e-3


def test_z_up_stands_along_z():
    """With Z up the rest pose stands along Z and faces -Y, and joints are the motion's with (x, y, z) -> (x, -z, y)."""
    motion = random_motion()
    document, _ = to_bvh(motion, up="z")
    rows = [document.names.index(name) for name in SMPL_24.names]
    expected = motion.joints_m[..., [0, 2, 1]] * [1, -1, 1]
    np.testing.assert_allclose(document.pose()[1][:, rows] / 100, expected, atol=1e-9)
    rest = document.rest_joints()[rows]
    assert rest[SMPL_24.index("head"), 2] > 50 and rest[SMPL_24.index("left_foot"), 1] < -10


def test_no_rotation_is_dropped():
    """Feet, head, wrists and hands keep their turns, which SFV's exporter left out."""
    motion = random_motion()
    document, _ = to_bvh(motion)
    local = document.rotations()
    for joint, name in enumerate(SMPL_24.names):
        ours = local[:, document.names.index(name)]
        assert largest_angle_deg(ours, rotations.quat_to_matrix(motion.local_quat_wxyz[:, joint])) < 1e-6


def test_the_root_is_metric_and_not_in_pixels():
    """A person four metres away who walks two metres moves 200 units in centimetres."""
    motion = random_motion(frames=3)
    moved = load_body().motion(
        motion.times_s, np.array([[0, 1, 4], [1, 1, 4], [2, 1, 4.0]]), motion.local_quat_wxyz, BETAS
    )
    document, _ = to_bvh(moved)
    np.testing.assert_allclose(document.values[:, 0], [0, 100, 200])
    np.testing.assert_allclose(document.values[:, 2], 400)


@pytest.mark.parametrize(
    "fps, written", [(24, "0.0416666667"), (30000 / 1001, "0.0333666667"), (30, "0.0333333333"), (240, "0.0041666667")]
)
def test_the_frame_time_is_the_motions(fps, written):
    """The frame time follows the frame rate, to ten decimals; it was 1/30 for everything."""
    assert f"Frame Time: {written}\n" in bvh.dumps(to_bvh(random_motion(frames=9, fps=fps))[0])


@pytest.mark.parametrize("frame", ["world", "camera"])
@pytest.mark.parametrize(
    "turn, channel", [((0, 40, 0), "Yrotation"), ((0, 0, 30), "Zrotation"), ((20, 0, 0), "Xrotation")]
)
def test_yaw_roll_and_pitch_stay_what_they_are(turn, channel, frame):
    """A yaw of 40, a roll of 30 and a pitch of 20 degrees stay so: the world changes from the left, never the right."""
    document, notes = to_bvh(turned_motion(turn, frame=frame))
    angles = root_euler_deg(document)
    for name in ("Xrotation", "Yrotation", "Zrotation"):
        assert angles[name] == pytest.approx(max(turn) if name == channel else 0, abs=1e-9)
    np.testing.assert_allclose(document.values[0, :3], [50, 100, -300])
    assert bool(notes) == (frame == "camera")


def test_what_a_moving_camera_saw_is_put_into_its_world():
    """A lifted motion of a camera that turns and walks is written as the world motion that it is."""
    world = random_motion(frames=8)
    R = rotations.axis_angle_to_matrix(np.linspace([0, 0, 0], [0.3, -0.8, 0.1], 8)) @ np.diag([1.0, -1, -1])
    camera = Camera(np.eye(3), R, np.linspace([0, 0, 3], [1, 0, 4], 8), (640, 480))
    quats = world.local_quat_wxyz.copy()
    quats[:, 0] = rotations.matrix_to_quat(R @ rotations.quat_to_matrix(quats[:, 0]))
    seen = load_body().motion(world.times_s, camera.to_camera(world.root_pos_m), quats, BETAS, frame="camera", camera=camera)
    (found, notes), (wanted, _) = to_bvh(seen), to_bvh(world)
    np.testing.assert_allclose(found.pose()[1], wanted.pose()[1], atol=1e-6)
    assert "moves" in notes[0]


def test_frames_keep_their_order():
    """Frame k of the file is frame k of the motion, beyond nine frames as well."""
    motion = random_motion(frames=120)
    document, _ = to_bvh(motion)
    np.testing.assert_allclose(document.values[:, :3], motion.root_pos_m * 100)


def test_even_times_are_left_untouched():
    """Times that vary by less than one per cent are written as they are, without a note."""
    motion = random_motion()
    times = motion.times_s + np.random.default_rng(1).uniform(-1e-4, 1e-4, 40)
    document, notes = to_bvh(load_body().motion(times, motion.root_pos_m, motion.local_quat_wxyz, BETAS))
    assert notes == ()
    np.testing.assert_allclose(document.values[:, :3], motion.root_pos_m * 100)
    assert document.frame_time_s == pytest.approx((times[-1] - times[0]) / 39)


@pytest.mark.parametrize("rate", [23.976, 29.97, 30, 59.94, 240])
def test_times_rounded_to_milliseconds_are_even(rate):
    """What Matroska makes of a constant frame rate is written frame for frame, without a note."""
    motion = random_motion()
    times = np.round(5 + np.arange(40) / rate, 3)
    document, notes = to_bvh(load_body().motion(times, motion.root_pos_m, motion.local_quat_wxyz, BETAS))
    assert notes == ()
    np.testing.assert_allclose(document.values[:, :3], motion.root_pos_m * 100)


def test_uneven_times_are_resampled_and_said():
    """A steady walk and turn seen at uneven times comes out steady, with a note that names the rate."""
    times = np.concatenate([np.arange(20) * 0.04, 0.8 + np.arange(30) * 0.02])
    quats = np.zeros((50, 24, 4))
    quats[..., 0] = 1
    quats[:, 0] = rotations.axis_angle_to_quat(np.outer(times, [0, 1.2, 0]))
    root = np.outer(times, [1.0, 0, 0.5])
    document, notes = to_bvh(load_body().motion(times, root, quats, BETAS))
    steady = document.times_s
    assert len(document) == 50 and document.frame_time_s == pytest.approx((times[-1] - times[0]) / 49)
    np.testing.assert_allclose(document.values[:, 0], 100 * steady, atol=1e-9)
    np.testing.assert_allclose(document.values[:, 5], np.degrees(1.2 * steady), atol=1e-6)
    assert len(notes) == 1 and "20.00 to 40.00 ms" in notes[0] and "Hz" in notes[0]


def test_a_t_pose_goes_first():
    """`tpose_first` puts a frame of zero angles at the first place of the person before the motion."""
    motion = random_motion()
    document, _ = to_bvh(motion, tpose_first=True)
    assert len(document) == 41 and (document.values[0, 3:] == 0).all()
    np.testing.assert_allclose(document.values[0, :3], motion.root_pos_m[0] * 100)
    np.testing.assert_allclose(document.values[1:, :3], motion.root_pos_m * 100)


def test_six_channels_repeat_the_offsets():
    """With 6 channels every joint's position channels are its offset."""
    document, _ = to_bvh(random_motion(), channels=6)
    assert all(len(channels) == 6 for channels in document.channels)
    np.testing.assert_allclose(document.positions()[:, 1:], np.repeat(document.offsets[None, 1:], 40, 0))


def test_end_sites_reach_the_skin():
    """End Sites lie a hand, a toe and a head's height away, symmetric enough, and on the body's own surface."""
    body = load_body()
    ends = {SMPL_24.names[joint]: end for joint, end in end_sites(body, BETAS).items()}
    assert 0.03 < ends["left_foot"][2] < 0.12 and 0.1 < ends["head"][1] < 0.3
    assert 0.05 < ends["left_hand"][0] < 0.15 and -0.15 < ends["right_hand"][0] < -0.05
    top = body.rest_joints(BETAS)[SMPL_24.index("head"), 1] + ends["head"][1]
    skin = body.template_m + body.shape_m @ BETAS - (body.rest_m + body.rest_shape_m @ BETAS)[0]
    assert top == pytest.approx(skin[:, 1].max(), abs=1e-6)


def test_a_single_frame_is_written():
    """One frame has no rate; it gets 1/30 s."""
    document, _ = to_bvh(random_motion(frames=1))
    assert len(document) == 1 and document.frame_time_s == pytest.approx(1 / 30)


@pytest.mark.parametrize(
    "preset, expected",
    [
        ("mixamo", {"pelvis": "mixamorig:Hips", "left_foot": "mixamorig:LeftToeBase", "spine3": "mixamorig:Spine2"}),
        (
            "lafan1",
            {
                "pelvis": "Hips",
                "left_foot": "LeftToe",
                "right_ankle": "RightFoot",
                "head": "Head",
                "left_hip": "LeftUpLeg",
            },
        ),
        ("cmu", {"spine1": "LowerBack", "spine3": "Spine1", "right_elbow": "RightForeArm"}),
        ("humanik", {"left_collar": "LeftShoulder", "left_shoulder": "LeftArm", "left_foot": "LeftToeBase"}),
    ],
)
def test_names_follow_the_dialect(preset, expected):
    """Each preset names the joints as its tool does, without a name twice."""
    assert len(set(PRESETS[preset])) == 24
    for smpl, name in expected.items():
        assert PRESETS[preset][SMPL_24.index(smpl)] == name


def test_parents_are_smpls():
    """The file's tree is SMPL's tree."""
    document, _ = to_bvh(random_motion(frames=1))
    for row, name in enumerate(document.names):
        parent = SMPL_PARENTS[SMPL_24.index(name)]
        assert document.parents[row] == (-1 if parent < 0 else document.names.index(SMPL_24.names[parent]))
