"""Other programs' bodies before the video's own camera: placed, timed, chosen, and what the user is told."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from mrs import options, plugins, rotations
from mrs.body import load_body
from mrs.cameras import Camera
from mrs.errors import UsageError
from mrs.skeletons import COCO_17
from mrs.world import to_world
from tests.body import model_files
from tests.formats.lifts import files
from tests.walker import filmed, walker

SIZE = (1280, 720)
TIMES_S = np.arange(30) / 30
STATURE_M = load_body().stature_m(np.zeros(10))


@dataclass
class Film:
    """What a lifter asks of a video."""

    camera: Camera
    frame_ids: np.ndarray = field(default_factory=lambda: np.arange(30))
    times_s: np.ndarray = field(default_factory=lambda: TIMES_S)
    frames_in_file: int = 30
    size_px: tuple = SIZE
    warnings: list = field(default_factory=list)


@pytest.fixture(scope="module")
def case():
    """A walker filmed exactly; the track's keypoints, and the truth with its camera."""
    return filmed(walker(TIMES_S, heading_deg=20)[0], keypoints=COCO_17)


def lift(tmp_path, name, case, film=None, write=None, body=None, truth=None, **values):
    """Write a file of the truth, and lift the track from it with the built-in plugin."""
    track, motion = case
    path = tmp_path / name
    getattr(files, name)(path, motion if truth is None else truth, SIZE, **(write or {}))
    plugin = plugins.load().make("lifter", f"{name}:", {"source": str(path), **values}, body=body)
    film = film or Film(motion.camera)
    return plugin.lift(film, track), film


@pytest.mark.parametrize("name", ["vibe", "wham", "gvhmr", "tram"])
@pytest.mark.parametrize("root", ["file", "auto", "evidence"])
def test_the_walker_comes_back_in_the_world(tmp_path, case, name, root):
    """Rotations to the digit; the path to a millimetre by the file, to a centimetre by the keypoints of the same body."""
    motion, _ = lift(tmp_path, name, case, root=root, stature_m=STATURE_M)
    found, truth = to_world(motion), case[1]
    angle = np.degrees(rotations.geodesic_angle(found.local_quat_wxyz, truth.local_quat_wxyz))
    assert angle[:, :22].max() < 0.01
    assert np.linalg.norm(found.root_pos_m - truth.root_pos_m, axis=-1).max() < (0.003 if root == "file" else 0.01)
    assert (motion.frame, motion.camera) == ("camera", truth.camera)
    np.testing.assert_allclose(motion.confidence, 0.95, atol=1e-6)


def test_phalp_leaves_out_who_is_carried_on_unseen(tmp_path, case):
    """The last frame is not in the file: held, with confidence 0, and said."""
    motion, film = lift(tmp_path, "phalp", case, stature_m=STATURE_M)
    assert (motion.confidence[-1] == 0).all() and (motion.confidence[:-1] > 0.9).all()
    np.testing.assert_allclose(motion.root_pos_m[-1], motion.root_pos_m[-2])
    assert "1 of the 30 frames in which person 1 is seen are not in it." in film.warnings[0]


def test_hmmr_is_placed_by_the_keypoints(tmp_path, case):
    motion, film = lift(tmp_path, "hmmr", case, stature_m=STATURE_M)
    assert np.linalg.norm(to_world(motion).root_pos_m - case[1].root_pos_m, axis=-1).max() < 0.01
    assert "first; frame 0 is taken" in film.warnings[0]
    with pytest.raises(UsageError, match="lifter.root=auto"):
        lift(tmp_path, "hmmr", case, root="file")


def test_hmmr_begins_where_the_person_is_first_seen(tmp_path, case):
    """Ten frames of a track that begins at frame 12 of a longer video."""
    track, truth = case
    late = replace(track.at(slice(12, 22)), frame_ids=np.arange(12, 22))
    part = truth.part(12, 22)
    motion, _ = lift(tmp_path, "hmmr", (late, truth), film=Film(truth.camera), truth=part, stature_m=STATURE_M)
    np.testing.assert_allclose(np.abs((motion.local_quat_wxyz[:, 1:] * part.local_quat_wxyz[:, 1:]).sum(-1)), 1, atol=1e-5)


@pytest.mark.parametrize("first", [0, 4])
def test_frames_of_the_file_are_the_videos_even_in_a_part_of_it(tmp_path, case, first):
    """The file begins at frame `first`; the run looks at frames 6 to 20 alone."""
    track, truth = case
    part = truth.part(first)
    film = Film(truth.camera, frame_ids=np.arange(6, 20), times_s=TIMES_S[6:20])
    motion, _ = lift(tmp_path, "wham", (track.at(slice(6, 20)), truth), film=film, write={"first": first}, truth=part, root="file")
    np.testing.assert_allclose(np.abs((motion.local_quat_wxyz * truth.local_quat_wxyz[6:20])[:, 1:22].sum(-1)), 1, atol=1e-6)


def test_a_file_of_another_frame_rate_is_put_at_its_times(tmp_path, case):
    """Every second frame at 15 frames a second: slerp between, half as fast without the option, which a note says."""
    truth, body = case[1], load_body()
    fine = walker(np.arange(15) / 15, heading_deg=20)[0]
    coarse = replace(body.motion(np.arange(15) / 15, fine.root_pos_m, fine.local_quat_wxyz, fine.betas), camera=truth.camera)
    motion, film = lift(tmp_path, "gvhmr", case, truth=coarse, fps=15.0, root="file", stature_m=STATURE_M)
    inside = TIMES_S <= 14 / 15 + 1e-9
    found = to_world(motion)
    assert np.degrees(rotations.geodesic_angle(found.local_quat_wxyz, truth.local_quat_wxyz))[inside, :22].max() < 6
    assert np.degrees(rotations.geodesic_angle(found.local_quat_wxyz, truth.local_quat_wxyz))[::2][:14, :22].max() < 0.01
    assert (motion.confidence[~inside] == 0).all() and (motion.confidence[inside] > 0.9).all()
    _, film = lift(tmp_path, "gvhmr", case, truth=coarse, root="file")
    assert any("it has 15 frames and the video 30" in line and "--set lifter.fps=RATE" in line for line in film.warnings)


def test_frames_beyond_the_videos_end_are_said(tmp_path, case):
    _, film = lift(tmp_path, "wham", case, write={"first": 10})
    assert any("tells of frame 39, but the video has 30" in line for line in film.warnings)


def test_the_person_is_who_is_where_the_track_is(tmp_path, case):
    """Of three people the nearest; a name wins; nobody near is refused with what to type."""
    truth = case[1]
    aside = replace(truth, root_pos_m=truth.root_pos_m + [0, 0, 1.5])
    turned = replace(truth, local_quat_wxyz=np.roll(truth.local_quat_wxyz, 3, 0), root_pos_m=truth.root_pos_m - [0, 0, 1.5])
    people = {"people": {4: (aside, 0), 7: (truth, 0), 9: (turned, 0)}}
    motion, _ = lift(tmp_path, "vibe", case, write=people)
    np.testing.assert_allclose(np.abs((motion.local_quat_wxyz * truth.local_quat_wxyz)[:, 1:22].sum(-1)), 1, atol=1e-6)
    named, _ = lift(tmp_path, "vibe", case, write=people, person="9", root="file")
    assert np.abs(named.root_pos_m[:, 0] - motion.root_pos_m[:, 0]).min() > 0.5
    with pytest.raises(UsageError, match="one of 4, 7, 9"):
        lift(tmp_path, "vibe", case, write=people, person="8")
    far = replace(truth, root_pos_m=truth.root_pos_m + [0, 0, 3.2])
    with pytest.raises(UsageError, match=r"heights away. Type: --person largest.*lifter.person=LABEL"):
        lift(tmp_path, "wham", case, truth=far)


def test_a_file_and_a_track_that_do_not_meet_are_refused(tmp_path, case):
    with pytest.raises(UsageError, match="do not meet"):
        lift(tmp_path, "wham", case, write={"first": 100})


def test_a_tilted_camera_is_said_with_the_flag_to_type(tmp_path, case):
    _, film = lift(tmp_path, "gvhmr", case, write={"tilt_deg": 12.0})
    assert any("look down by 12.0 degrees (--camera-tilt 12.0" in line for line in film.warnings)
    _, film = lift(tmp_path, "gvhmr", case)
    assert film.warnings == []


def test_a_focal_length_that_the_program_was_given(tmp_path, case):
    """WHAM's file does not say it; told of it, the path is right."""
    motion, _ = lift(tmp_path, "wham", case, write={"focal": 2000.0}, focal_px=2000.0, root="file", stature_m=STATURE_M)
    assert np.linalg.norm(to_world(motion).root_pos_m - case[1].root_pos_m, axis=-1).max() < 0.003


def test_another_body_is_moved_to_meet_the_picture(tmp_path, case):
    """A body 12 % shorter comes nearer by as much where keypoints place it, also in frames in which none are seen."""
    track, truth = case
    points = track.keypoints_px.copy()
    points[10:13] = 0
    motion, _ = lift(tmp_path, "gvhmr", (replace(track, keypoints_px=points), truth), stature_m=0.88 * STATURE_M)
    full, _ = lift(tmp_path, "gvhmr", case, stature_m=STATURE_M)
    ratio = motion.root_pos_m[:, 2] / full.root_pos_m[:, 2]
    assert np.abs(ratio - 0.88).max() < 0.03
    np.testing.assert_allclose(motion.confidence[10:13], 0.3)


def test_shapes_are_the_files_own_on_a_body_of_its_family(tmp_path, case):
    smpl = f"smplx:{model_files.write(tmp_path / 'SMPL.npz')}"
    smplx = f"smplx:{model_files.write(tmp_path / 'SMPLX.npz', joints=55)}"
    for name, body, own in (("wham", smpl, True), ("gvhmr", smplx, True), ("gvhmr", smpl, False), ("wham", None, False)):
        motion, _ = lift(tmp_path, name, case, body=body)
        assert np.allclose(motion.betas, files.BETAS, atol=1e-5) == own, (name, body)
        assert motion.body == (body or "anny-smpl24")


@pytest.mark.parametrize("turn", [0.0, 130.0])
def test_motion_capture_finds_the_camera_that_filmed_it(tmp_path, case, turn):
    """AMASS, Z up, any heading, 60 frames a second, half a second earlier: the path before the camera to 2 cm, turns to a degree."""
    track, truth = case
    whole = walker(np.arange(-30, 80) / 60, heading_deg=20)[0]
    files.amass(tmp_path / "a.npz", whole, 60.0, turn)
    lifter = plugins.load().make("lifter", "amass:", {"source": str(tmp_path / "a.npz"), "offset_s": -0.5, "stature_m": STATURE_M})
    film = Film(truth.camera)
    motion = lifter.lift(film, track)
    found = to_world(motion)
    assert np.linalg.norm(found.root_pos_m - truth.root_pos_m, axis=-1).max() < 0.02
    assert np.degrees(rotations.geodesic_angle(found.local_quat_wxyz, truth.local_quat_wxyz)).max() < 1
    assert film.warnings == [] and (motion.confidence > 0.9).all()


def test_motion_capture_is_an_adult_unless_told(tmp_path, case):
    """SMPL-H's betas mean nothing on the embedded body, whose mean is 1.82 m tall."""
    track, truth = case
    files.amass(tmp_path / "a.npz", truth, 30.0)
    for given, wanted in (({}, 1.72), ({"stature_m": 1.6}, 1.6)):
        motion = plugins.load().make("lifter", "amass:", {"source": str(tmp_path / "a.npz"), **given}).lift(Film(truth.camera), track)
        assert abs(load_body().stature_m(motion.betas) - wanted) < 0.01


def test_motion_capture_of_something_else_is_said(tmp_path, case):
    track, truth = case
    other = walker(np.arange(60) / 60, speed_m_s=0.9)[0]
    other = replace(other, root_pos_m=other.root_pos_m + [0, 0, 0] + np.linspace(0, 6, 60)[:, None] * [0, 1, 0])
    files.amass(tmp_path / "a.npz", other, 60.0)
    film = Film(truth.camera)
    plugins.load().make("lifter", "amass:", {"source": str(tmp_path / "a.npz")}).lift(film, track)
    assert "% of the height; check lifter.offset_s" in film.warnings[0]


def test_every_program_lists_its_options():
    registry = plugins.load()
    for name in ("hmmr:", "vibe:", "wham:", "gvhmr:", "phalp:", "4dhumans:", "tram:"):
        listed = {info.name for info in options.describe(registry.get("lifter", name).cls)}
        assert {"source", "person", "first_frame", "fps", "root", "focal_px", "stature_m"} <= listed


def test_a_camera_that_turns_has_its_own_pose_in_every_frame(tmp_path):
    """The file's bodies are before the camera of their frame; the world's path comes back through the run's poses of it."""
    def turning(camera):
        turn = rotations.axis_angle_to_matrix(np.stack([0 * TIMES_S, 0.2 * TIMES_S, 0 * TIMES_S], -1))
        return replace(camera, R=turn @ camera.R, t=(turn @ camera.t))

    track, truth = filmed(walker(TIMES_S)[0], keypoints=COCO_17, moving=turning)
    for name, root in (("gvhmr", "file"), ("hmmr", "auto")):
        motion, _ = lift(tmp_path, name, (track, truth), root=root, stature_m=STATURE_M)
        assert np.linalg.norm(to_world(motion).root_pos_m - truth.root_pos_m, axis=-1).max() < 0.01
        assert np.degrees(rotations.geodesic_angle(to_world(motion).local_quat_wxyz, truth.local_quat_wxyz))[:, :22].max() < 0.01
    files.amass(tmp_path / "a.npz", truth, 30.0)
    with pytest.raises(UsageError, match="--camera static"):
        plugins.load().make("lifter", "amass:", {"source": str(tmp_path / "a.npz")}).lift(Film(truth.camera), track)
