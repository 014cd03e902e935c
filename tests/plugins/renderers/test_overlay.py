"""The overlay: where bodies, bones and labels land in the picture, and when."""

import numpy as np
import pytest
from mrs_plugins.renderers.overlay import match_rows

from mrs import plugins
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.skeletons import COCO_17
from mrs.tracks import Track, Tracks
from mrs.video import Video, write_video

SIZE = (160, 120)
TIMES_S = np.cumsum([0, 0.04, 0.02, 0.05, 0.04, 0.03])


def camera(distance_m=4.0, size_px=SIZE):
    """A level camera that looks along -Z at the origin from `distance_m`, one metre up."""
    base = Camera.from_fov(size_px)
    return Camera(base.K, np.diag([1.0, -1, -1]), np.array([0, 1.0, distance_m]), size_px)


@pytest.fixture
def video(tmp_path):
    """A grey video of six frames at uneven times."""
    grey = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    write_video(tmp_path / "a.mp4", (grey for _ in TIMES_S), TIMES_S, SIZE)
    return Video.open(tmp_path / "a.mp4")


def standing(times_s, x_m=0.0, z_m=0.0, cam=None):
    """A person who stands at (x, z)."""
    quats = np.zeros((len(times_s), 24, 4))
    quats[..., 0] = 1
    root = np.tile([x_m, 0.9, z_m], (len(times_s), 1))
    return load_body().motion(times_s, root, quats, np.zeros(10), camera=cam or camera())


def render(video, motions, tracks=None, **options):
    """All frames of the overlay and the plain ones."""
    renderer = plugins.load().make("renderer", "overlay", {"text": False, **options})
    tracks = tracks or Tracks((), video.size_px, video.frame_ids, video.times_s)
    return list(renderer.render(video, motions, tracks)), [f.rgb for f in video.frames()]


def changed(after, before):
    """Mask of the pixels that were drawn on."""
    return np.abs(after.astype(int) - before).max(-1) > 3


def test_body_covers_its_projection(video):
    """The drawn pixels are those inside the body's projected box, and the pelvis pixel is one of them."""
    motion = standing(TIMES_S)
    out, plain = render(video, {1: motion}, skeleton=False)
    mask = changed(out[0], plain[0])
    pixels = motion.camera.project(load_body().vertices(motion, slice(0, 1))[0])
    ys, xs = np.nonzero(mask)
    np.testing.assert_allclose([xs.min(), ys.min(), xs.max(), ys.max()], [*pixels.min(0), *pixels.max(0)], atol=2)
    x, y = np.round(motion.camera.project(motion.joints_m[0, 0])).astype(int)
    assert mask[y, x]


def test_opacity_blends(video):
    """At opacity 0 nothing changes; at 1 the picture below does not show; between, it does in proportion."""
    motion = standing(TIMES_S)
    none, plain = render(video, {1: motion}, opacity=0.0, skeleton=False)
    half, _ = render(video, {1: motion}, opacity=0.5, skeleton=False)
    full, _ = render(video, {1: motion}, opacity=1.0, skeleton=False)
    np.testing.assert_array_equal(none[0], plain[0])
    x, y = np.round(motion.camera.project(motion.joints_m[0, 3])).astype(int)
    expected = (plain[0][y, x].astype(float) + full[0][y, x]) / 2
    np.testing.assert_allclose(half[0][y, x], expected, atol=1.5)


def test_nothing_is_drawn_when_absent(video):
    """Outside the motion's times the frame is the video's own."""
    out, plain = render(video, {1: standing(TIMES_S[2:4])})
    drawn = [bool(changed(a, b).any()) for a, b in zip(out, plain, strict=True)]
    assert drawn == [False, False, True, True, False, False] and len(out) == len(TIMES_S)


def test_nearer_person_is_drawn_over(video):
    """Where two people overlap the nearer one's colour wins, whichever number they have."""
    for near, far in ((1, 2), (2, 1)):
        motions = {near: standing(TIMES_S, z_m=1.0), far: standing(TIMES_S, z_m=-1.0)}
        out, _ = render(video, motions, opacity=1.0, skeleton=False)
        alone, _ = render(video, {near: motions[near]}, opacity=1.0, skeleton=False)
        x, y = np.round(camera().project(motions[near].joints_m[0, 3])).astype(int)
        np.testing.assert_array_equal(out[0][y, x], alone[0][y, x])


def test_bones_lie_on_projected_joints(video):
    """The skeleton alone draws on every projected joint."""
    motion = standing(TIMES_S)
    out, plain = render(video, {1: motion}, mesh=False)
    mask = changed(out[0], plain[0])
    for x, y in np.round(motion.camera.project(motion.joints_m[0])).astype(int):
        assert mask[y - 1:y + 2, x - 1:x + 2].any()


@pytest.mark.parametrize("distance_m", [-3.0, 0.0, 0.2])
def test_people_behind_and_around_the_camera(video, distance_m):
    """Triangles behind or through the camera are dropped without an error; nothing shows of whom is behind."""
    out, plain = render(video, {1: standing(TIMES_S, cam=camera(distance_m))}, text=True, mesh=True)
    assert len(out) == len(plain)
    if distance_m < 0:
        only_text = changed(out[0], plain[0])
        assert not only_text[:SIZE[1] * 3 // 4].any()


def test_person_outside_the_picture(video):
    """A person beside the picture draws nothing, id included."""
    out, plain = render(video, {1: standing(TIMES_S, x_m=30.0)})
    np.testing.assert_array_equal(out[0], plain[0])


def test_id_and_time_are_written(video):
    """With text there is something above the head and in the lower left corner."""
    motion = standing(TIMES_S)
    with_text, _ = render(video, {7: motion}, text=True)
    without, _ = render(video, {7: motion}, text=False)
    mask = changed(with_text[0], without[0])
    top = motion.camera.project(load_body().vertices(motion, slice(0, 1))[0])[:, 1].min()
    assert mask[:int(top) + 1].any() and mask[-20:, :60].any()


def test_camera_frame_and_size(video):
    """A motion in the camera frame and one whose camera was twice as large land on the same pixels."""
    world = standing(TIMES_S)
    cam = camera(size_px=(320, 240))
    large = standing(TIMES_S, cam=cam)
    flip = np.zeros((len(TIMES_S), 24, 4))
    flip[..., 0] = 1
    flip[:, 0] = [0, 1, 0, 0]
    base = Camera.from_fov(SIZE)
    in_camera = load_body().motion(TIMES_S, camera().to_camera(world.root_pos_m), flip, np.zeros(10), frame="camera",
                                   camera=base)
    first = render(video, {1: world})[0][0]
    np.testing.assert_allclose(render(video, {1: large})[0][0].astype(int), first, atol=6)
    np.testing.assert_allclose(render(video, {1: in_camera})[0][0].astype(int), first, atol=6)


def test_a_moving_camera_draws_each_frame_with_its_own(video):
    """Row by row the picture is that of the still camera of that row; the zoom of the last frame shows."""
    still, count = camera(), len(TIMES_S)
    each = still.per_frame(count)
    K = each.K.copy()
    K[-1, [0, 1], [0, 1]] *= 1.3
    moving = Camera(K, each.R, each.t + np.linspace(0, 0.5, count)[:, None] * [1, 0, 0], still.size_px)
    out, _ = render(video, {1: standing(TIMES_S, cam=moving)})
    for row in (0, count // 2, count - 1):
        np.testing.assert_array_equal(out[row], render(video, {1: standing(TIMES_S, cam=moving.at(row))})[0][row])


def test_keypoints_are_drawn_on_their_frames(video):
    """With `keypoints`, confident points of a track show at their place, on the track's frames only."""
    points = np.zeros((2, 17, 3))
    points[:, 0] = [30, 40, 0.9]
    points[:, 1] = [60, 40, 0.0]
    track = Track(3, COCO_17, np.array([1, 2]), TIMES_S[1:3], points, np.tile([0.0, 0, 10, 10], (2, 1)))
    tracks = Tracks((track,), SIZE, video.frame_ids, video.times_s)
    out, plain = render(video, {}, tracks, keypoints=True)
    assert [bool(changed(a, b).any()) for a, b in zip(out, plain, strict=True)] == [False, True, True] + [False] * 3
    mask = changed(out[1], plain[1])
    assert mask[40, 30] and not mask[40, 60]


def test_match_rows():
    """Frames take the nearest row within half a step, and none further away; a single row matches its own time only."""
    rows = match_rows(np.arange(5) / 10 + 1, np.array([0.9, 0.96, 0.99, 1.0, 1.149, 1.151, 1.4, 1.41, 1.46]))
    assert rows.tolist() == [-1, -1, -1, 0, 1, 2, 4, -1, -1]
    assert match_rows(np.array([1.0]), np.array([0.5, 1.0, 1.5])).tolist() == [-1, 0, -1]
    slow, fast = np.arange(11) / 25, np.arange(21) / 50
    assert (match_rows(slow, fast) >= 0).all() and (match_rows(fast, slow) == np.arange(0, 21, 2)).all()
    assert match_rows(np.array([0.0, 0.1, 2.0, 2.1]), np.array([0.0, 0.1, 1.0, 2.0]))[2] == -1


def test_input_video_is_not_painted_on(video):
    """Rendering leaves the frames it was given alone: a picture that stands in for another is not painted twice."""
    shared = next(iter(video.frames()))

    class Same:
        size_px, times_s, camera = video.size_px, video.times_s, None

        def frames(self, first_row=0):
            return iter([shared])

    before = shared.rgb.copy()
    renderer = plugins.load().make("renderer", "overlay")
    list(renderer.render(Same(), {1: standing(TIMES_S)}, Tracks((), SIZE, video.frame_ids, video.times_s)))
    np.testing.assert_array_equal(shared.rgb, before)
