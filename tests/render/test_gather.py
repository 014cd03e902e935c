"""Appearances: colours of known clothes, what is filled in, what is behind, and bad clips."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import dressed
from mrs.body import load_body
from mrs.body.atlas import REGIONS, vertex_regions
from mrs.errors import InputError
from mrs.render import background, fill, film
from mrs.render.appearance import Appearance
from mrs.render.clip import Clip
from mrs.render.gather import gather
from mrs.render.raster import Painter
from mrs.render.scene import Look, Scene
from mrs.tracks import MASK_SIDE
from mrs.video import write_video

NAMES = list(REGIONS)


@pytest.fixture(scope="module")
def looks(filmed):
    """The clip's appearance."""
    return gather(filmed.clip)


def test_parts_have_their_colours_in_the_picture(filmed, looks):
    """Drawn in the clip's motion, each part is within 12 of 255 of what was filmed, 4 on the average; the light comes from where it came."""
    shown = film.Film(filmed.clip.motion, looks, "clip", (400, 300))
    scene = Scene(shown.motion, looks, shown.camera, (400, 300), Look())
    rows = [2, 7, 13]
    drawn = np.concatenate([scene.picture(row, Painter(load_body().faces)).reshape(-1, 3) for row in rows])
    true = np.concatenate([filmed.frames[row].reshape(-1, 3) for row in rows])
    errors = dressed.part_errors(drawn, true, np.concatenate([filmed.parts[row].ravel() for row in rows]))
    assert len(errors) >= 12
    assert max(errors.values()) < 12 and np.mean(list(errors.values())) < 4, errors
    level, true_level = looks.light[[0, 2]], dressed.TO_LIGHT[[0, 2]]
    assert level @ true_level / np.linalg.norm(level) / np.linalg.norm(true_level) > 0.75
    assert (looks.seen > 0).mean() > 0.6


def test_the_background_is_what_stands_behind(filmed, looks):
    """The median without people is the painted background but for the encoder's noise."""
    assert np.abs(looks.background_rgb.astype(int) - dressed.place((400, 300))).mean() < 3


def test_an_appearance_is_read_as_it_was_saved(looks, tmp_path):
    """All arrays, the camera and notes; another body's is refused."""
    looks.save(tmp_path / "a.npz")
    back = Appearance.load(tmp_path / "a.npz")
    for name in ("colours_rgb", "seen", "betas", "place", "light", "background_rgb"):
        np.testing.assert_array_equal(getattr(back, name), getattr(looks, name))
    np.testing.assert_allclose(back.camera.K, looks.camera.K)
    replace(looks, colours_rgb=looks.colours_rgb[:10]).save(tmp_path / "b.npz")
    with pytest.raises(InputError, match="colours_rgb"):
        Appearance.load(tmp_path / "b.npz")


def test_unseen_vertices_take_the_other_side_then_their_neighbours():
    """A left arm that was never seen has the right one's colour; a cap without a partner goes from its rim on."""
    body, colours = load_body(), dressed.clothes()
    region = vertex_regions(body)
    known = ~np.isin(region, [NAMES.index("left_forearm") + 1, NAMES.index("left_hand") + 1, NAMES.index("torso") + 1])
    filled = fill.filled(body, np.where(known[:, None], colours, 0), known)
    arm = filled[region == NAMES.index("left_forearm") + 1]
    assert np.abs(arm - colours[region == NAMES.index("left_forearm") + 1]).mean() < 6
    torso = filled[region == NAMES.index("torso") + 1]
    assert torso.min() > 30 and torso.max() < 230
    assert "left forearm" in fill.unseen_notes(body, known)[0] and fill.unseen_notes(body, np.ones(len(known), bool)) == []


def test_a_person_seen_to_the_waist_is_filled_in_and_said(tmp_path):
    """The camera looks too high for legs: notes name them, and the colours are the trousers' nearest neighbours'."""
    high = dressed.film(dressed.turning(1.0, 9.0), tmp_path, (320, 240), away_m=2.4, up_m=1.9)
    looks = gather(high.clip)
    assert "left foot" in looks.notes[-1] and "left shin" in looks.notes[-1] and "head" not in looks.notes[-1]


def test_a_person_outside_every_picture_is_refused(filmed):
    """One line that says who and why."""
    away = replace(filmed.clip, motion=load_body().motion(filmed.clip.motion.times_s, filmed.clip.motion.root_pos_m + [40, 0, 0],
                                                          filmed.clip.motion.local_quat_wxyz, np.zeros(10), camera=filmed.clip.motion.camera))
    with pytest.raises(InputError, match="person 1.*outside the picture"):
        gather(away)


def test_who_stands_before_the_person_is_not_gathered(tmp_path):
    """A grey person between: no vertex takes their grey."""
    motion = dressed.turning(1.0, 6.0, turns=0.0)
    before = load_body().motion(motion.times_s, motion.root_pos_m + [0.12, 0, 0.6], motion.local_quat_wxyz, np.zeros(10))
    clip = dressed.film(motion, tmp_path, (320, 240), others=(before,)).clip
    red = [NAMES.index("torso") + 1]
    kept, taken = gather(clip), gather(replace(clip, others=(), others_ids=()))
    body, region = load_body(), vertex_regions(load_body())
    seen = np.isin(region, red) & (kept.seen > 0) & (body.template_m[:, 2] > 0.05)
    assert kept.colours_rgb[seen][:, 0].astype(int).mean() > 110
    assert (taken.seen > 0).sum() > (kept.seen > 0).sum()


@pytest.mark.parametrize("format_", ["gray", "yuv444p"])
def test_grey_and_444_videos_are_read(format_, filmed, tmp_path):
    """Colours of a 4:4:4 clip are true; of a grey one they are grey."""
    def write(path, frames, times_s, size_px):
        import av

        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=9)
            stream.width, stream.height, stream.pix_fmt = *size_px, format_
            for rgb in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=format_)))
            container.mux(stream.encode(None))

    write(tmp_path / "clip.mp4", filmed.frames, filmed.clip.motion.times_s, (400, 300))
    looks = gather(dressed.clip_of(tmp_path / "clip.mp4", filmed.clip.motion))
    spread = np.ptp(looks.colours_rgb.astype(int), axis=1).mean()
    true = np.ptp(dressed.clothes(), axis=1).mean()
    assert spread < 6 if format_ == "gray" else abs(spread - true) < 15


def test_a_background_that_moves_is_left_out_and_said(tmp_path):
    """Every frame has another background."""
    clip = dressed.film(dressed.turning(0.8, 6.0), tmp_path, (160, 120), behind=lambda row: dressed.place((160, 120), row)).clip
    found, notes = background.background(clip)
    assert found is None and "background moves" in notes[0]
    assert gather(clip).background_rgb is None


def test_a_camera_that_moves_has_a_plain_background(filmed):
    """A pose a frame: said, not guessed."""
    camera = filmed.clip.motion.camera
    moving = replace(camera, R=np.repeat(camera.R[None], len(filmed.clip.motion), 0))
    found, notes = background.background(replace(filmed.clip, motion=replace(filmed.clip.motion, camera=moving)))
    assert found is None and "camera moves" in notes[0]


def masks_of(filmed, top: float = 0.0, bottom: float = 1.0):
    """The film's own silhouettes as 64 x 64 masks of the whole picture, between two shares of its height."""
    count, (width, height) = len(filmed.parts), (400, 300)
    rows, columns = ((np.arange(MASK_SIDE) * side / MASK_SIDE).astype(int) for side in (height, width))
    bits = np.stack([parts[rows][:, columns] > 0 for parts in filmed.parts])
    bits[:, : int(top * MASK_SIDE)] = bits[:, int(bottom * MASK_SIDE) :] = False
    fit = np.tile(np.array([[width / MASK_SIDE, 0, 0], [0, height / MASK_SIDE, 0]]), (count, 1, 1))
    return np.packbits(bits.reshape(count, -1), axis=1), fit


def test_masks_of_another_size_are_left_out_and_said(filmed, looks):
    """They leave a line and the same colours as no masks; right ones leave none."""
    path, motion = filmed.clip.video.path, filmed.clip.motion
    bits, fit = masks_of(filmed)
    odd = gather(dressed.clip_of(path, motion, masks=(bits[:, :100], fit)))
    assert "masks of person 1 are not 64 x 64" in odd.notes[0]
    np.testing.assert_array_equal(looks.colours_rgb, odd.colours_rgb)
    good = gather(dressed.clip_of(path, motion, masks=(bits, fit)))
    assert not any("mask" in note for note in good.notes)


def test_what_lies_outside_the_mask_counts_little(filmed):
    """With masks of the upper half, legs are hardly seen."""
    half = dressed.clip_of(filmed.clip.video.path, filmed.clip.motion, masks=masks_of(filmed, bottom=0.5))
    masked = gather(half)
    assert "left shin" in masked.notes[-1] and "head" not in masked.notes[-1]


def test_one_picture_is_enough(filmed, tmp_path):
    """A still: what it shows is gathered; what is behind the person is painted in, and said."""
    motion = filmed.clip.motion.part(0, 1)
    write_video(tmp_path / "one.mp4", filmed.frames[:1], motion.times_s, (400, 300))
    looks = gather(dressed.clip_of(tmp_path / "one.mp4", motion))
    assert (looks.seen > 0).mean() > 0.2 and "never free of people" in looks.notes[0]
    free = filmed.parts[0] == 0
    away = np.abs(looks.background_rgb.astype(int) - dressed.place((400, 300))).mean(-1)
    assert np.median(away[free]) < 4 and away[~free].mean() < 40


def test_the_appearance_is_kept_and_made_anew_where_the_motion_changed(run, monkeypatch):
    """Made once; read back while it is current, the video gone or not; another motion makes another."""
    first = film.appearance_of(Clip.of_run(run))
    assert (run / "persons" / "01" / "appearance.npz").is_file()
    calls = []
    monkeypatch.setattr(film.gather, "gather", lambda clip, **_: calls.append(clip) or first)
    again = film.appearance_of(Clip.of_run(run))
    assert not calls and again.clip.person == 1
    np.testing.assert_array_equal(again.colours_rgb, first.colours_rgb)
    (run / "run.json").write_text((run / "run.json").read_text().replace("clip.mp4", "gone.mp4"))
    assert Clip.of_run(run).video is None
    film.appearance_of(Clip.of_run(run))
    path = run / "persons" / "01" / "motion.npz"
    from mrs.motion import Motion

    moved = Motion.load(path)
    replace(moved, root_pos_m=moved.root_pos_m + 0.01).save(path)
    with pytest.raises(InputError, match="no such file.*pictures are needed once"):
        film.appearance_of(Clip.of_run(run))
