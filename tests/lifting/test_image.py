"""Lifting from pictures: where bodies of known answer stand, turns of the picture, spread, codes and the refiner's latent space."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mrs import rotations
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.errors import InputError
from mrs.lifting import image
from mrs.skeletons import COCO_17
from mrs.tracks import Track
from tests.lifting import checkpoints
from tests.stick_people import boxes_of, walk

SIZE = (640, 360)
TIMES_S = np.arange(6) / 30
BODY = load_body()


@dataclass
class Film:
    """A video of pictures at hand."""

    pictures_rgb: np.ndarray
    camera: Camera
    size_px: tuple = SIZE
    frame_ids: np.ndarray = field(init=False)

    def __post_init__(self):
        self.frame_ids = np.arange(len(self.pictures_rgb))

    def frames(self, first_row=0):
        for row in range(first_row, len(self.pictures_rgb)):
            yield SimpleNamespace(row=row, id=row, time_s=row / 30, rgb=self.pictures_rgb[row])


def noise_film(seed=0, count=6):
    rgb = np.random.default_rng(seed).integers(0, 256, (count, SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8)
    return Film(rgb.repeat(8, 1).repeat(8, 2), Camera.from_fov(SIZE, 50))


def stick_track(x_px=320.0, height_px=150.0, ground_px=280.0):
    points, _ = walk(TIMES_S, x_px, height_px=height_px, ground_px=ground_px, facing_rad=0.2)
    return Track(1, COCO_17, np.arange(len(TIMES_S)), TIMES_S, points, boxes_of(points))


def lifter(tmp_path, theta=None, **options):
    checkpoints.spin(tmp_path / "m.pt", theta=theta)
    return image.ImageLifter(tmp_path / "m.pt", options=image.Options(**options))


@pytest.mark.parametrize("x_px", [120.0, 320.0, 560.0])
def test_a_body_of_known_answer_stands_where_its_camera_says(tmp_path, x_px):
    """Upright before the crop's own ray; the pelvis at s (J + t) of the crop; depth f / (pixels a metre)."""
    film, track = noise_film(), stick_track(x_px)
    found = lifter(tmp_path, checkpoints.standing((0.8, 0.0, 0.2233)))
    cuts = image.crops.about(track)
    rows = np.arange(len(track))
    seen = found.look(film, track, cuts, rows)
    root = image.weak_root(seen, cuts, rows, film.camera, image.SMPL_PELVIS_M)
    pixel = film.camera.K[:2, :2].diagonal() * root[:, :2] / root[:, 2:] + film.camera.K[:2, 2]
    cosines = np.cos(seen.turned_rad).mean()
    want = cuts.center_px + 0.8 * image.SMPL_PELVIS_M[0] * cosines * cuts.side_px[:, None] / 2 * [1, 0]
    np.testing.assert_allclose(pixel, want, atol=1e-4)
    np.testing.assert_allclose(root[:, 2], film.camera.focal_px / (0.8 * cuts.side_px / 2), rtol=1e-7)
    turned, spread = found._together(replace(seen, turned_rad=np.zeros(3)), cuts, rows, film.camera)
    ray = image.to_ray(cuts.center_px, film.camera.K)
    np.testing.assert_allclose(turned[:, 0], ray @ np.diag([1.0, -1, -1]), atol=1e-5)
    assert spread.max() < 1e-5


def test_the_root_moves_onto_the_evidence(tmp_path):
    """What the weak camera says is replaced by full-perspective resection where keypoints fix it."""
    film, track = noise_film(), stick_track()
    motion = lifter(tmp_path, checkpoints.standing((0.3, 0.4, -0.2))).lift(film, track, BODY)
    hips = track.keypoints_px[:, COCO_17.indices("left_hip", "right_hip"), :2].mean(1)
    assert np.linalg.norm(film.camera.project(motion.root_pos_m) - hips, axis=1).max() < 25
    assert motion.frame == "camera" and motion.code.shape == (6, 32 * checkpoints.WIDTH) and motion.root_pos_m[:, 2].min() > 1


def test_views_apart_by_their_angles_agree_of_a_network_that_turns_with_them():
    """Each view's root is turned by the crop's angle; turned back, all agree, and the spread is zero."""
    angle, apart = np.array([0.4, 2.0]), np.array([0.0, -0.26, 0.26])
    truth = rotations.axis_angle_to_matrix(np.random.default_rng(0).normal(size=(2, 24, 3)))
    turned = np.repeat(truth[:, None], 3, 1)
    turned[:, :, 0] = image.about_z(-(angle[:, None] + apart)) @ truth[:, None, 0]
    cuts = image.crops.Crops(np.full((2, 2), 100.0), np.full(2, 50.0), angle)
    camera = Camera(np.array([[500.0, 0, 100], [0, 500, 100], [0, 0, 1]]), np.eye(3), np.zeros(3), (200, 200))
    seen = image.Seen(np.zeros((2, 4)), turned, np.ones((2, 3, 3)), np.zeros((2, 3, 10)), apart)
    found, spread = image.ImageLifter._together(None, seen, cuts, np.arange(2), camera)
    np.testing.assert_allclose(found, truth, atol=1e-9)
    assert spread.max() < 1e-6


def test_spread_is_the_distance_of_the_views():
    """Views at -30, 0 and 30 degrees mean 0, 24.5 degrees apart in the root mean square."""
    turned = image.about_z(np.radians([[-30.0, 0, 30]]))[:, :, None]
    mean, spread = image.averaged(turned)
    np.testing.assert_allclose(mean, np.eye(3)[None, None], atol=1e-12)
    np.testing.assert_allclose(np.degrees(spread), np.sqrt(600), rtol=1e-9)


def test_a_picture_upside_down_gives_the_same_body_upside_down(tmp_path):
    """Picture and keypoints turned by 180 degrees: the same crops, the same pose, the root turned about the camera's axis."""
    film, track = noise_film(3), stick_track(250.0)
    over = Film(film.pictures_rgb[:, ::-1, ::-1], film.camera)
    points = track.keypoints_px.copy()
    points[..., :2] = np.array(SIZE) - 1 - points[..., :2]
    turned = replace(track, keypoints_px=points, boxes_px=boxes_of(points))
    centred = replace(film.camera, K=film.camera.K - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]))
    film.camera = over.camera = centred
    found = lifter(tmp_path)
    a, b = found.lift(film, track, BODY), found.lift(over, turned, BODY)
    ours, theirs = (rotations.quat_to_matrix(m.local_quat_wxyz) for m in (a, b))
    np.testing.assert_allclose(theirs[:, 1:], ours[:, 1:], atol=2e-2)
    np.testing.assert_allclose(theirs[:, 0], np.diag([-1.0, -1, 1]) @ ours[:, 0], atol=2e-2)
    np.testing.assert_allclose(b.code, a.code, atol=2e-2 * np.abs(a.code).max())
    np.testing.assert_allclose(b.root_pos_m, a.root_pos_m * [-1, -1, 1], atol=0.05 * np.abs(a.root_pos_m).max())
    np.testing.assert_allclose(b.confidence, a.confidence, atol=0.05)


def test_somebody_on_the_head_is_found_so(tmp_path):
    """A network that says "stands upright" of every upright crop makes a handstand of a picture of one."""
    film, track = noise_film(), stick_track()
    points = track.keypoints_px.copy()
    points[..., 1] = 2 * 200 - points[..., 1]
    over = replace(track, keypoints_px=points, boxes_px=boxes_of(points))
    found = lifter(tmp_path, checkpoints.standing())
    for case, down in ((track, 1), (over, -1)):
        motion = found.lift(film, case, BODY)
        up = rotations.quat_to_matrix(motion.local_quat_wxyz[:, 0])[..., 1]
        assert (up[:, 1] * down).max() < -0.95, down


def test_confidence_falls_where_views_disagree(tmp_path):
    """A random network's answers are apart; one that says the same of all but the root is sure of the rest."""
    film, track = noise_film(), stick_track()
    sure = lifter(tmp_path, checkpoints.standing()).lift(film, track, BODY)
    unsure = lifter(tmp_path).lift(film, track, BODY)
    once = lifter(tmp_path, apart_deg=0.0).lift(film, track, BODY)
    assert np.allclose(sure.confidence[:, 1:], 0.9, atol=1e-6)
    assert (unsure.confidence < 0.9 - 1e-6).all() and np.allclose(once.confidence, 0.9)


def test_batches_do_not_matter(tmp_path):
    film, track = noise_film(), stick_track()
    one, many = (lifter(tmp_path, batch=n).lift(film, track, BODY) for n in (1, 64))
    np.testing.assert_allclose(one.local_quat_wxyz, many.local_quat_wxyz, atol=1e-5)
    np.testing.assert_allclose(one.code, many.code, atol=1e-4)


def test_frames_nobody_is_seen_in_are_filled(tmp_path):
    film, track = noise_film(), stick_track()
    points = track.keypoints_px.copy()
    points[2:4] = 0
    motion = lifter(tmp_path, checkpoints.standing()).lift(film, replace(track, keypoints_px=points), BODY)
    motion.validate()
    assert (motion.confidence[2:4] == 0).all() and (motion.confidence[[1, 4]] > 0).all()


def test_a_film_that_ends_early_is_refused_in_a_line(tmp_path):
    with pytest.raises(InputError, match="can't be decoded"):
        lifter(tmp_path).lift(noise_film(count=4), stick_track(), BODY)


def test_betas_are_the_network_s_on_a_body_of_smpl(tmp_path):
    """The embedded body has other shapes, and takes the mean or a stature."""
    from tests.body import model_files

    theta = checkpoints.standing()
    theta[-10:] = np.linspace(-1, 1, 10)
    found = lifter(tmp_path, theta)
    film, track = noise_film(), stick_track()
    body = load_body(f"smplx:{model_files.write(tmp_path / 'SMPL.npz')}")
    motion = found.lift(film, track, body)
    np.testing.assert_allclose(motion.betas, theta[-10:], atol=1e-5)
    assert motion.body == body.name
    assert np.abs(found.lift(film, track, BODY).betas).max() == 0
    tall = image.ImageLifter(tmp_path / "m.pt", options=image.Options(stature_m=1.6)).lift(film, track, BODY)
    assert BODY.stature_m(tall.betas) == pytest.approx(1.6, abs=1e-3)


def test_the_refiner_turns_the_codes(tmp_path):
    """space=latent: the head is frozen, codes move, and the refined pose is what the head says of them."""
    from mrs.refine.sfv import Plan, Scales, refine
    from mrs.world import level_camera, to_world

    film, track = noise_film(), stick_track()
    film.camera = level_camera(SIZE, 50)
    found = lifter(tmp_path)
    lifted = found.lift(film, track, BODY)
    weights = [p.clone() for p in found.regressor.head.parameters()]
    refined, report = refine(track, to_world(lifted), Scales(), Plan(space="latent", iterations=8, contact_iterations=4, mend_starts=False,
                                                                   foot_lock="never"), decoder=found.decoder(), codes=lifted.code)
    assert report["space"] == "latent" and np.isfinite(refined.joints_m).all()
    assert all(torch.equal(a, b) for a, b in zip(weights, found.regressor.head.parameters(), strict=True))
    start = found.decoder().decode(torch.as_tensor(lifted.code, dtype=torch.float32)).numpy()
    moved = np.abs(rotations.quat_to_matrix(refined.local_quat_wxyz[:, 1:]) - start).max()
    assert moved > 1e-3


def test_an_image_lifter_on_cuda_says_the_same(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    film, track = noise_film(), stick_track()
    checkpoints.spin(tmp_path / "m.pt")
    ours, theirs = (image.ImageLifter(tmp_path / "m.pt", device=d).lift(film, track, BODY) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(ours.local_quat_wxyz, theirs.local_quat_wxyz, atol=1e-3)
