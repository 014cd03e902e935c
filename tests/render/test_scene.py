"""Pictures: light, shadow, backdrop, and where cameras stand."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import dressed
from mrs import rotations
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.render import backdrop, views
from mrs.render.appearance import Appearance
from mrs.render.clip import scaled_to
from mrs.render.raster import Painter
from mrs.render.scene import Look, Scene, ground_levels, vertex_normals
from mrs.world import heading_rad, level_camera

SIZE = (320, 180)


def stander(frames=4, x_m=0.0, heading_deg=0.0, up_m=0.0, betas=None, contacts=None):
    """Somebody who stands still, the soles at `up_m`."""
    turns = np.zeros((frames, 24, 3))
    turns[:, 0, 1] = np.radians(heading_deg)
    quats = rotations.axis_angle_to_quat(turns)
    made = load_body().motion(np.arange(frames) / 10, np.tile([x_m, 0.9, 0], (frames, 1)), quats, np.zeros(10) if betas is None else betas,
                              grounded=True, contacts=contacts)
    lift = [0, up_m, 0]
    return replace(made, root_pos_m=made.root_pos_m + lift, joints_m=made.joints_m + lift)


def drawn(motion, appearance=None, view="follow", look=None):
    """Scene and camera of a view."""
    looks = appearance or Appearance.plain()
    camera = views.camera_of(view, motion, looks, SIZE)
    return Scene(motion, looks, camera, SIZE, look or Look()), camera


def test_normals_point_outward():
    """A step along the normals makes the body larger in every direction."""
    body = load_body()
    grown = body.template_m + 0.02 * vertex_normals(body.template_m, body.faces)
    assert (grown.max(0) > body.template_m.max(0) + 0.005).all() and (grown.min(0) < body.template_m.min(0) - 0.005).all()


def test_the_shadow_falls_beside_the_feet_and_not_on_the_sky():
    """Darker only near the ground, and only by as much as asked."""
    motion = stander()
    with_, without = (drawn(motion, look=Look(0.35, shadow))[0] for shadow in (0.6, 0.0))
    a, b = (scene.picture(0, Painter(scene.body.faces)).astype(int) for scene in (with_, without))
    darker = (b - a).max(-1)
    feet = with_.camera.at(0).project(motion.joints_m[0, [10, 11]]).mean(0)
    rows, columns = np.nonzero(darker > 20)
    assert len(rows) > 50 and rows.min() > feet[1] - 40 and abs(np.median(columns) - feet[0]) < 60
    assert darker.max() < 0.62 * 230 and not (darker[:40] > 0).any()


def test_shading_keeps_the_brightness_of_the_first_picture():
    """The body's mean colour hardly depends on the strength, but its spread does."""
    motion, means, spreads = stander(), [], []
    for shading in (0.0, 0.6):
        scene, camera = drawn(motion, look=Look(shading, 0))
        layer = Painter(scene.body.faces).layer(camera.at(0).to_camera(scene.vertices(0)), scene.shaded(scene.vertices(0)), camera.at(0).K, SIZE)
        inside = layer.rgba[layer.rgba[..., 3] == 255][:, :3].astype(float)
        means.append(inside.mean())
        spreads.append(inside.std(0).mean())
    assert abs(means[1] - means[0]) < 0.08 * means[0] and spreads[1] > spreads[0] + 10


def test_the_ground_is_what_is_stood_on_and_then_what_is_landed_on():
    """Two metres up while feet touch there; in flight what is landed on; without contacts the lowest sole to come."""
    motion = stander(6)
    root = motion.root_pos_m + np.array([2, 2, 2, 1.2, 0, 0])[:, None] * [0, 1, 0]
    contacts = np.array([1, 1, 0, 0, 0, 1.0])[:, None].repeat(4, 1)
    fall = load_body().motion(motion.times_s, root, motion.local_quat_wxyz, motion.betas, contacts=contacts)
    floor = ground_levels(motion)[0]
    np.testing.assert_allclose(ground_levels(fall) - floor, [2, 2, 0, 0, 0, 0], atol=0.03)
    np.testing.assert_allclose(ground_levels(replace(fall, contacts=0 * contacts)) - floor, 0, atol=1e-6)


@pytest.mark.parametrize("view", ["orbit", "follow", "side"])
def test_a_view_has_the_whole_person_in_every_picture(view):
    """All joints are inside, and the person fills at least a fifth of the height."""
    motion = dressed.turning(2.0, 10.0)
    if view == "side":
        walk = motion.root_pos_m + np.linspace(0, 4, len(motion))[:, None] * [1, 0, 0]
        motion = load_body().motion(motion.times_s, walk, motion.local_quat_wxyz, motion.betas)
    camera = views.camera_of(view, motion, Appearance.plain(), SIZE)
    pixels = camera.project(motion.joints_m)
    assert (pixels > 0).all() and (pixels < SIZE).all()
    assert (np.ptp(pixels[..., 1], axis=1) > SIZE[1] / 5).all()
    assert camera.is_still == (view == "side")


def test_orbit_goes_round_and_looks_level():
    """After ROUND_S the camera is back; the horizon stays level."""
    motion = stander(91)
    motion = replace(motion, times_s=np.arange(91) / 10)
    camera = views.camera_of("orbit", motion, Appearance.plain(), SIZE)
    np.testing.assert_allclose(camera.centre_m[0], camera.centre_m[round(views.ROUND_S * 10)], atol=1e-6)
    assert np.linalg.norm(camera.centre_m[45] - camera.centre_m[0]) > 3
    np.testing.assert_allclose(camera.R[:, 0, 1], 0, atol=1e-9)


def clip_looks(place=(1.0, 0.5, -2.0, 0.7)):
    """Looks with a background and the camera that saw it."""
    camera = replace(level_camera(SIZE), t=np.array([0, 1.0, 4.0]))
    return replace(Appearance.plain(), background_rgb=dressed.place(SIZE), camera=camera, place=np.array(place))


def test_a_motion_without_a_camera_starts_where_the_person_did():
    """Place, ground and heading of the clip; one that a camera saw stays."""
    looks, motion = clip_looks(), stander(heading_deg=40, x_m=3)
    moved = views.placed(motion, looks)
    np.testing.assert_allclose(moved.root_pos_m[0, [0, 2]], [1, -2], atol=1e-9)
    assert ground_levels(moved)[0] == pytest.approx(0.5, abs=1e-6) and heading_rad(moved) == pytest.approx(0.7)
    seen = replace(motion, camera=looks.camera)
    assert views.placed(seen, looks) is seen


def test_another_body_stands_on_the_same_ground():
    """A taller body has its soles where the smaller one had them, and longer steps."""
    motion = stander(up_m=0.0)
    walk = load_body().motion(motion.times_s, motion.root_pos_m + np.arange(4)[:, None] * [0.3, 0, 0], motion.local_quat_wxyz, motion.betas)
    tall = np.r_[2.0, np.zeros(9)]
    if load_body().stature_m(tall) < load_body().stature_m(np.zeros(10)):
        tall = -tall
    worn = views.worn(walk, tall)
    np.testing.assert_allclose(load_body().vertices(worn)[..., 1].min(1), load_body().vertices(walk)[..., 1].min(1), atol=0.03)
    assert np.ptp(worn.root_pos_m[:, 0]) > np.ptp(walk.root_pos_m[:, 0]) * 1.01


def test_the_clips_background_is_behind_only_where_its_camera_looks():
    """The clip's view shows it, at any size; others show plain ground; none is changed by drawing."""
    looks, motion = clip_looks((0, 0, 0, 0)), stander()
    own = backdrop.Backdrop(looks, scaled_to(looks.camera, SIZE), SIZE)
    assert own.is_own
    np.testing.assert_array_equal(own.at(0), looks.background_rgb)
    own.at(0)[:] = 0
    np.testing.assert_array_equal(own.at(1), looks.background_rgb)
    assert backdrop.Backdrop(looks, scaled_to(looks.camera, (640, 360)), (640, 360)).is_own
    assert not backdrop.Backdrop(looks, views.camera_of("side", motion, looks, SIZE), SIZE).is_own
    assert not backdrop.Backdrop(looks.without_background(), looks.camera, SIZE).is_own


@pytest.mark.parametrize("size", [(200, 180), (500, 180), (160, 90), (321, 181)])
def test_a_background_fits_any_size_with_its_middle_in_the_middle(size):
    """Height to height; a marked middle stays in the middle."""
    rgb = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    rgb[:, SIZE[0] // 2 - 3 : SIZE[0] // 2 + 3] = 255
    fitted = backdrop.fitted(rgb, size)
    assert fitted.shape == (size[1], size[0], 3)
    bright = np.flatnonzero(fitted[size[1] // 2, :, 0] > 128)
    bright = bright[np.abs(bright - size[0] / 2) < 10]
    assert abs(bright.mean() + 0.5 - size[0] / 2) < 1.5


def test_plain_ground_ends_at_the_horizon():
    """The rows below the horizon are darker than the sky; a camera that looks up sees sky alone."""
    level = replace(level_camera(SIZE), t=np.array([0, 1.5, 0.0]))
    rgb = backdrop.studio(level, SIZE).astype(int)
    assert (rgb[10] == backdrop.SKY_RGB).all() and rgb[170].mean() < rgb[10].mean() - 15
    up = Camera(level.K, rotations.axis_angle_to_matrix(np.array([-1.2, 0, 0])) @ level.R, level.t, SIZE)
    assert (backdrop.studio(up, SIZE) == backdrop.SKY_RGB).all()


def test_a_motion_of_another_clip_is_put_before_the_clip_of_the_looks():
    """Filmed by another camera it loses that camera and starts at the person's place; filmed by the same one it stays."""
    from mrs.render.film import Film

    looks, motion = clip_looks((0.2, 0.0, 0.0, 0.0)), stander()
    for other, stays in ((looks.camera, True), (scaled_to(looks.camera, (640, 360)), True), (replace(looks.camera, t=np.array([0, 1.0, 9])), False)):
        film = Film(replace(motion, camera=other), looks, "clip", SIZE)
        np.testing.assert_allclose(film.camera.t, looks.camera.t)
        assert film.motion.root_pos_m[0, 0] == pytest.approx(0.0 if stays else 0.2)
