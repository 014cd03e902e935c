"""From the camera into one world: gravity, heading, ground, distances; and pixels that stay."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.skeletons import BLAZEPOSE_33
from mrs.world import CAMERA_TO_WORLD, heading_rad, level_camera, settle, to_world
from mrs.world.contact import contact_probabilities
from mrs.world.ground import ground_height, sole_points
from tests.walker import filmed, walker

BODY = load_body()
SIZE = (1280, 720)
TIMES_S = np.arange(20) / 30
RNG = np.random.default_rng(0)


def about(axis, degrees):
    """Rotation matrix about X, Y or Z (0, 1, 2)."""
    return rotations.axis_angle_to_matrix(np.radians(degrees) * np.eye(3)[axis])


def camera_motion(root_matrix, camera, position_m=(0.4, 0.2, 5.0)):
    """A person with some limb pose whose pelvis is turned by `root_matrix` in the camera frame."""
    quats = rotations.axis_angle_to_quat(np.random.default_rng(1).normal(size=(len(TIMES_S), 24, 3)) * 0.2)
    quats[:, 0] = rotations.matrix_to_quat(root_matrix)
    root = np.array(position_m) + np.c_[TIMES_S, 0 * TIMES_S, 0 * TIMES_S]
    return BODY.motion(TIMES_S, root, quats, RNG.normal(size=10) * 0.5, frame="camera", camera=camera)


def root_matrix(motion, row=0):
    """The pelvis's rotation as a matrix."""
    return rotations.quat_to_matrix(motion.local_quat_wxyz[row, 0])


def pixels(motion):
    """Landmarks (T, 33, 2) in the picture; a camera-frame motion is projected as it lies."""
    camera = motion.camera
    if motion.frame == "camera":
        camera = replace(camera, R=np.eye(3), t=np.zeros(3))
    return camera.project(BODY.keypoints(motion, BLAZEPOSE_33))


def pan(camera, degrees, shift_m=(0, 0, 0)):
    """The camera on its tripod, turned about the world's vertical by `degrees` (T,), and moved sideways in equal steps."""
    turn = about_y(np.asarray(degrees, float))
    R = camera.R @ np.swapaxes(turn, -1, -2)
    centre = camera.centre_m + np.linspace(0, 1, len(turn))[:, None] * np.array(shift_m)
    return replace(camera, R=R, t=-(R @ centre[..., None])[..., 0])


def about_y(degrees):
    """Rotations (T, 3, 3) about Y."""
    return rotations.axis_angle_to_matrix(np.radians(degrees)[:, None] * np.array([0, 1.0, 0]))


class TestAMovingCamera:
    """Each frame is seen by that frame's camera."""

    @pytest.fixture
    def seen(self):
        """A walk, and its camera panning by 30 degrees and walking half a metre."""
        truth = walker(TIMES_S)[0]
        return filmed(truth, moving=lambda camera: pan(camera, np.linspace(-10, 20, 20), (0.1, 0.05, 0.5)))[1]

    @staticmethod
    def in_camera(motion):
        """The world motion as a lifter would give it."""
        R = motion.camera.R
        quats = motion.local_quat_wxyz.copy()
        quats[:, 0] = rotations.matrix_to_quat(R @ rotations.quat_to_matrix(quats[:, 0]))
        return BODY.motion(motion.times_s, motion.camera.to_camera(motion.root_pos_m), quats, motion.betas, frame="camera",
                           camera=motion.camera)

    def test_the_camera_s_world_is_the_world(self, seen):
        """What a lifter sees frame by frame comes out as the walk that was filmed."""
        found = to_world(self.in_camera(seen))
        np.testing.assert_allclose(found.joints_m, seen.joints_m, atol=1e-9)
        np.testing.assert_allclose(found.root_pos_m, seen.root_pos_m, atol=1e-9)
        np.testing.assert_allclose(BODY.joints(found.root_pos_m, found.local_quat_wxyz, found.betas), found.joints_m, atol=1e-9)

    def test_taken_for_still_it_bends_the_path(self, seen):
        """The first frame's camera for all frames leads the walker elsewhere: the mistake that is to be avoided."""
        wrong = to_world(replace(self.in_camera(seen), camera=seen.camera.at(0)))
        assert np.linalg.norm(wrong.root_pos_m[-1] - seen.root_pos_m[-1]) > 0.5

    def test_settling_takes_the_camera_along(self, seen):
        """Ground, origin and heading change; pixels stay, and the path keeps its length."""
        after = settle([seen])[0]
        np.testing.assert_allclose(pixels(after), pixels(seen), atol=1e-6)
        np.testing.assert_allclose(after.root_pos_m[0, [0, 2]], 0, atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(np.diff(after.root_pos_m, axis=0), axis=1),
                                   np.linalg.norm(np.diff(seen.root_pos_m, axis=0), axis=1), atol=1e-9)

    def test_contacts_are_judged_across_each_frame_s_line_of_sight(self, seen):
        """A foot that slides along the line of sight of the frame's own camera touches; the first frame's would deny it."""
        camera = pan(level_camera(SIZE), np.zeros(20), (6, 0, 0))
        away = rotations.normalise(np.array([3.0, 0, -4]) - camera.centre_m)
        soles = np.repeat(([3.0, 0, -4] + np.cumsum(away, 0) * 1.5 / 30)[:, None], 4, 1)
        own, first = (contact_probabilities(soles, TIMES_S, c)[5:15].mean() for c in (camera, camera.at(0)))
        assert own > 0.9 and first < 0.5


class TestToWorld:
    """Spec 5.3 and 5.4: the world turns from the left, body joints stay."""

    @pytest.mark.parametrize(("axis", "degrees"), [(1, 40), (0, 30), (2, 30), (1, -130), (2, -75)])
    def test_yaw_pitch_and_roll_stay_what_they_are(self, axis, degrees):
        """A person turned by so much about a world axis comes out turned by just that, not mirrored or doubled."""
        wanted = about(axis, degrees)
        motion = to_world(camera_motion(CAMERA_TO_WORLD @ wanted, level_camera(SIZE)))
        np.testing.assert_allclose(root_matrix(motion), wanted, atol=1e-12)

    def test_yaw_of_forty_degrees_is_the_heading(self):
        """A person who faces 40 degrees to the left of the world's +Z has that heading."""
        motion = to_world(camera_motion(CAMERA_TO_WORLD @ about(1, 40), level_camera(SIZE)))
        upright = BODY.motion(TIMES_S[:1], np.zeros((1, 3)), np.concatenate(
            [motion.local_quat_wxyz[:1, :1], np.tile([1.0, 0, 0, 0], (1, 23, 1))], 1), motion.betas)
        assert np.degrees(heading_rad(upright)) == pytest.approx(40, abs=0.5)

    def test_positions_turn_with_the_world(self):
        """A level camera: world = (x, -y, -z); joints are those of the turned body."""
        before = camera_motion(CAMERA_TO_WORLD @ about(1, 70), level_camera(SIZE))
        after = to_world(before)
        np.testing.assert_allclose(after.root_pos_m, before.root_pos_m * [1, -1, -1], atol=1e-12)
        np.testing.assert_allclose(after.joints_m, before.joints_m * [1, -1, -1], atol=1e-12)
        np.testing.assert_allclose(BODY.joints(after.root_pos_m, after.local_quat_wxyz, after.betas), after.joints_m, atol=1e-9)

    def test_body_joint_rotations_stay(self):
        """Only the pelvis's rotation changes; times, shape and confidence do not."""
        before = camera_motion(about(2, 25), level_camera(SIZE, 60, 15))
        after = to_world(before)
        np.testing.assert_array_equal(after.local_quat_wxyz[:, 1:], before.local_quat_wxyz[:, 1:])
        for name in ("times_s", "betas", "confidence", "contacts"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))

    @pytest.mark.parametrize("tilt_deg", [0, 20, -35])
    def test_pixels_stay(self, tilt_deg):
        """The world motion, seen by its camera, is where the camera motion was in the picture."""
        before = camera_motion(CAMERA_TO_WORLD @ about(1, 10), level_camera(SIZE, 50, tilt_deg))
        np.testing.assert_allclose(pixels(to_world(before)), pixels(before), atol=1e-6)

    def test_a_camera_that_stands_somewhere_is_obeyed(self):
        """Any extrinsics: p_world = R^T (p_camera - t)."""
        camera = Camera(level_camera(SIZE).K, about(0, 160) @ about(1, 30), np.array([1.0, 2, 3]), SIZE)
        before = camera_motion(about(1, 20), camera)
        after = to_world(before)
        np.testing.assert_allclose(camera.to_camera(after.joints_m), before.joints_m, atol=1e-12)
        np.testing.assert_allclose(pixels(after), pixels(before), atol=1e-6)

    def test_a_world_motion_stays_where_it_is(self):
        """Doing it twice is doing it once."""
        motion = to_world(camera_motion(about(1, 40), level_camera(SIZE)))
        assert to_world(motion) is motion

    @pytest.mark.parametrize("tilt_deg", [20, -20, 45])
    def test_an_upright_person_seen_by_a_tilted_camera_is_upright(self, tilt_deg):
        """A camera looks down by `tilt_deg` at a standing person: with that tilt the person comes out upright."""
        angle = np.radians(tilt_deg)
        forward, down = [0, -np.sin(angle), -np.cos(angle)], [0, -np.cos(angle), np.sin(angle)]
        quats = np.tile([1.0, 0, 0, 0], (1, 24, 1))
        quats[0, 0] = rotations.matrix_to_quat(np.array([[1.0, 0, 0], down, forward]))
        seen = BODY.motion([0.0], np.array([[0, 0, 5.0]]), quats, np.zeros(10), frame="camera",
                           camera=level_camera(SIZE, 60, tilt_deg))
        after = to_world(seen)
        np.testing.assert_allclose(root_matrix(after), np.eye(3), atol=1e-12)
        level = to_world(replace(seen, camera=level_camera(SIZE, 60)))
        leaning = np.degrees(np.arccos(root_matrix(level)[1, 1]))
        assert leaning == pytest.approx(abs(tilt_deg), abs=1e-6)


def test_level_camera_looks_along_minus_z():
    """Its forward axis is the world's -Z, its down axis the world's -Y; tilt turns it towards the ground."""
    level = level_camera(SIZE)
    np.testing.assert_allclose(level.to_camera(np.array([1.0, 2, -3])), [1, -2, 3], atol=1e-15)
    tilted = level_camera(SIZE, tilt_deg=30)
    np.testing.assert_allclose(tilted.R.T @ [0, 0, 1], [0, -0.5, -np.sqrt(0.75)], atol=1e-12)


@pytest.fixture(scope="module")
def pair():
    """Two walkers in a world whose ground is at y = 7.3 and whose first heading is 65 degrees, with a camera."""
    times = np.arange(0, 2.2, 1 / 30)
    first = filmed(walker(times, heading_deg=65, start_m=(3, -2))[0])[1]
    second = walker(times, heading_deg=-20, start_m=(4, 0), betas=np.r_[0.5, np.zeros(9)])[0]
    camera = replace(first.camera, t=first.camera.t - first.camera.R @ np.array([0, 7.3, 0]))
    return [replace(m, root_pos_m=m.root_pos_m + [0, 7.3, 0], joints_m=m.joints_m + [0, 7.3, 0], camera=camera)
            for m in (first, second)]


class TestSettle:
    """Several people on one ground."""

    def test_contacts_lie_on_the_ground(self, pair):
        """Soles in contact are at y = 0 within 3 mm; nobody is deeper than 1 cm."""
        for motion in settle(pair):
            heights = sole_points(motion)[..., 1]
            np.testing.assert_allclose(heights[motion.contacts > 0.5], 0, atol=3e-3)
            assert heights.min() > -0.01
        assert ground_height(settle(pair)) == pytest.approx(0, abs=1e-9)

    def test_first_person_starts_at_the_origin_heading_plus_z(self, pair):
        """x = z = 0 and heading 0 in the first frame; the walk goes to +Z."""
        first = settle(pair)[0]
        np.testing.assert_allclose(first.root_pos_m[0, [0, 2]], 0, atol=1e-12)
        assert heading_rad(first) == pytest.approx(0, abs=1e-9)
        assert first.root_pos_m[-1, 2] > 1.5 and abs(first.root_pos_m[-1, 0]) < 0.05

    def test_people_keep_their_distances(self, pair):
        """All distances between joints of the two, in every frame, stay."""
        def distances(motions):
            return np.linalg.norm(motions[0].joints_m[:, :, None] - motions[1].joints_m[:, None], axis=-1)

        np.testing.assert_allclose(distances(settle(pair)), distances(pair), atol=1e-9)

    def test_pixels_stay(self, pair):
        """The camera moves along: everybody stays where they were in the picture."""
        for before, after in zip(pair, settle(pair), strict=True):
            np.testing.assert_allclose(pixels(after), pixels(before), atol=1e-6)

    def test_limbs_and_gravity_stay(self, pair):
        """Joint rotations below the pelvis are untouched and what was vertical stays so."""
        for before, after in zip(pair, settle(pair), strict=True):
            np.testing.assert_array_equal(after.local_quat_wxyz[:, 1:], before.local_quat_wxyz[:, 1:])
            np.testing.assert_allclose(np.diff(after.joints_m[..., 1], axis=0), np.diff(before.joints_m[..., 1], axis=0),
                                       atol=1e-12)

    def test_settled_people_stay(self, pair):
        """Doing it twice changes nothing more."""
        once = settle(pair)
        for a, b in zip(once, settle(once), strict=True):
            np.testing.assert_allclose(a.joints_m, b.joints_m, atol=1e-9)

    def test_nobody_is_nobody(self):
        """An empty list stays empty."""
        assert settle([]) == []


@pytest.mark.parametrize("heading_deg", [0, 40, 90, 179, -135])
@pytest.mark.parametrize("lean", [(0, 0), (0, 35), (2, 25), (0, -60)])
def test_heading_is_what_it_was_made(heading_deg, lean):
    """Leaning ahead, back or aside by up to 60 degrees does not change the heading."""
    quats = np.tile([1.0, 0, 0, 0], (1, 24, 1))
    quats[0, 0] = rotations.matrix_to_quat(about(1, heading_deg) @ about(*lean))
    motion = BODY.motion([0.0], np.zeros((1, 3)), quats, np.zeros(10))
    error = np.degrees(heading_rad(motion)) - heading_deg
    assert (error + 180) % 360 - 180 == pytest.approx(0, abs=1.5)
