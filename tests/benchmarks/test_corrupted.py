"""The errors that benchmarks/refinement makes have the sizes and rates they say, at every frame rate, and repeat."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import corrupted, own_motions, refine_invariance, refinement, results, rows
from benchmarks.corrupted import Clock, Errors
from mrs import rotations
from mrs.body import load_body
from mrs.refine import flight
from mrs.skeletons import BLAZEPOSE_33
from mrs.world.ground import sole_points

LONG_S = 40.0
CALM = Errors(swapped=0, bursts_per_s=0, dropout=0, flipped=0)


@pytest.fixture(scope="module")
def clip():
    return corrupted.make(corrupted.OWN, 0, 60, LONG_S, CALM)


def pixels_off(clip):
    """Errors (T, 33, 2) of keypoints in heights of the person."""
    true = clip.truth.camera.project(load_body().keypoints(clip.truth, BLAZEPOSE_33))
    return (clip.track.keypoints_px[..., :2] - true) / clip.track.heights_px()[:, None, None]


def test_the_same_seed_gives_the_same_clip():
    """Nothing depends on anything but name, seed and rate; another seed gives another camera."""
    a, b, other = (corrupted.make(corrupted.OWN, seed, 30, 2.0) for seed in (3, 3, 4))
    assert np.array_equal(a.track.keypoints_px, b.track.keypoints_px)
    assert np.array_equal(a.initial.joints_m, b.initial.joints_m)
    assert not np.allclose(a.truth.camera.R, other.truth.camera.R)


def test_both_rates_see_the_same_errors():
    """30 frames a second are every second one of 60: keypoints, initial motion, truth and times."""
    fast, slow = (corrupted.make(corrupted.OWN, 1, fps, 3.0) for fps in (60, 30))
    assert slow.truth.fps == pytest.approx(30) and fast.truth.fps == pytest.approx(60)
    assert np.array_equal(fast.track.keypoints_px[::2], slow.track.keypoints_px)
    assert np.array_equal(fast.initial.local_quat_wxyz[::2], slow.initial.local_quat_wxyz)
    assert np.array_equal(slow.track.frame_ids, np.arange(len(slow.track)))


def test_every_joint_is_in_the_picture(clip):
    """The camera stands far enough back."""
    px = clip.truth.camera.project(clip.truth.joints_m)
    assert (px > 0).all() and (px < clip.truth.camera.size_px).all()


def test_keypoints_err_by_one_percent_of_height_and_more_at_wrists_and_ankles(clip):
    """Standard deviations are 1 % and 1.5 % of the person's height."""
    off = pixels_off(clip)
    knees, wrists = BLAZEPOSE_33.indices("left_knee", "right_knee"), BLAZEPOSE_33.indices("left_wrist", "right_wrist")
    assert off[:, knees].std() == pytest.approx(0.01, rel=0.08)
    assert off[:, wrists].std() == pytest.approx(0.015, rel=0.08)


def test_half_of_the_variance_lasts(clip):
    """Neighbouring ticks share half the variance, and after memory x 3 hardly anything."""
    off = pixels_off(clip)[:, BLAZEPOSE_33.index("left_knee") :][:, :3]
    correlation = lambda lag: np.mean(off[lag:] * off[:-lag]) / np.mean(off**2)
    assert correlation(1) == pytest.approx(0.5 * np.exp(-1 / 12), abs=0.06)
    assert abs(correlation(36)) < 0.12


def test_joints_and_depth_err_as_stated(clip):
    """12 degrees RMS at every joint, 10 % RMS of the distance and nothing across the line of sight."""
    angle = np.degrees(rotations.geodesic_angle(clip.initial.local_quat_wxyz, clip.truth.local_quat_wxyz))
    assert np.sqrt((angle**2).mean()) == pytest.approx(12, rel=0.05)
    seen, said = (clip.truth.camera.to_camera(m.root_pos_m) for m in (clip.truth, clip.initial))
    ratio = said[:, 2] / seen[:, 2]
    assert ratio.std() == pytest.approx(0.1, rel=0.25)
    assert np.abs(said[:, :2] / said[:, 2:] - seen[:, :2] / seen[:, 2:]).max() < 1e-9


def test_flips_turn_the_body_round_in_single_frames_and_runs():
    """About 3 % of frames, half turns about the body's vertical; limbs exchange sides, the head stays up."""
    clip = corrupted.make(corrupted.OWN, 5, 60, LONG_S, replace(CALM, joint_deg=0, flipped=0.1))
    turned = rotations.geodesic_angle(clip.initial.local_quat_wxyz[:, 0], clip.truth.local_quat_wxyz[:, 0])
    flipped = turned > 1
    assert np.allclose(turned[flipped], np.pi) and 0.05 < flipped.mean() < 0.16
    up = rotations.quat_to_matrix(clip.initial.local_quat_wxyz[flipped, 0])[:, 1, 1]
    assert np.allclose(up, rotations.quat_to_matrix(clip.truth.local_quat_wxyz[flipped, 0])[:, 1, 1])
    edges = np.flatnonzero(np.diff(np.r_[0, flipped.astype(int), 0]))
    lengths = edges[1::2] - edges[::2]
    assert lengths.min() == 2 and lengths.max() >= 6 and (lengths % 2 == 0).all()


def test_losses_have_the_lengths_and_shares_that_are_said():
    """10 % of keypoints unseen, bursts of 5 to 15 frames of 1/30 s in which nothing is seen and straight lines lead over."""
    clip = corrupted.make(corrupted.OWN, 2, 30, LONG_S)
    lost = ~clip.track.seen
    edges = np.flatnonzero(np.diff(np.r_[0, lost.astype(int), 0]))
    lengths = edges[1::2] - edges[::2]
    assert len(lengths) >= 4 and lengths.min() >= 5
    assert np.median(lengths) <= 15
    assert (clip.track.keypoints_px[~lost, :, 2] == 0).mean() == pytest.approx(0.1, abs=0.01)
    start, end = edges[0], edges[1]
    bend = np.diff(clip.track.keypoints_px[start - 1 : end + 1, :, :2], 2, axis=0)
    assert np.abs(bend).max() < 1e-6 and (clip.initial.confidence[lost] == 0).all()


def test_continuous_errors_are_the_same_curve_at_both_rates():
    """Between the frames that 30 a second see lie straight lines."""
    noise = Clock(np.random.default_rng(0), 61, continuous=True).half_slow((4,), 0.2)
    assert np.allclose(noise[1:-1:2], (noise[0:-2:2] + noise[2::2]) / 2)
    even = Clock(np.random.default_rng(0), 60, continuous=True).half_slow((4,), 0.2)
    assert np.allclose(even[-1], even[-2])


def test_a_mirror_and_time_reversal_undo_themselves(clip):
    """Twice mirrored, or twice reversed, is the clip itself; a mirrored body projects onto the mirrored keypoints."""
    for change in (refine_invariance.mirrored, refine_invariance.reversed_in_time):
        track, motion = change(*change(clip.track, clip.initial))
        assert np.abs(motion.joints_m - clip.initial.joints_m).max() < 1e-9
        assert np.abs(track.keypoints_px - clip.track.keypoints_px).max() < 1e-9
    exact = corrupted.make(corrupted.OWN, 0, 30, 1.0, refine_invariance.EXACT)
    track, motion = refine_invariance.mirrored(exact.track, exact.truth)
    px = motion.camera.project(load_body().keypoints(motion, BLAZEPOSE_33))
    assert np.abs(px - track.keypoints_px[..., :2]).max() < 0.2


def test_rows_name_a_smoother_and_its_options():
    """ROW is NAME:OPTION=VALUE;OPTION=VALUE."""
    assert rows.parsed("sfv:off=jerk,limits;space=pose") == ("sfv", {"off": "jerk,limits", "space": "pose"})
    assert refinement.title("sfv:off=jerk") == "sfv without jerk"
    names = refinement.default_rows(ablation=True)
    assert names[:2] == ["initial", "gaussian"] and {"sfv:off=contact", "sfv:mend_starts=false"} <= set(names)
    assert refinement.default_rows(ablation=False) == list(refinement.SIMPLE)


def test_clips_give_the_same_numbers_in_one_process_and_in_two(monkeypatch):
    """The rows of simple filters come out the same whichever process makes a clip; the truth has no error."""
    jobs = [(corrupted.OWN, seed, 30, 0.5, ("initial", "gaussian", "nobody"), ()) for seed in (0, 1)]
    for name in refinement._common.THREADS:
        monkeypatch.setenv(name, "1")
    one, refused = refinement.collect(jobs, 1)
    two, _ = refinement.collect(jobs, 2)
    assert set(one) == {"initial", "gaussian", "truth"} and "nobody" in refused
    for row, values in one.items():
        assert all(np.array_equal(v, two[row][key], equal_nan=True) for key, v in values.items() if key != "seconds")
    assert (one["truth"]["mpjpe_mm"] == 0).all()
    assert (one["gaussian"]["jitter_ratio"] < 0.2 * one["initial"]["jitter_ratio"]).all()


def test_numbers_are_kept_and_only_what_lacks_is_made(tmp_path, monkeypatch):
    """A second call makes nothing, another row is made alone, a torn line and other code are made again."""
    path, made = tmp_path / "numbers.jsonl", []

    def run(job):
        made.append(job)
        return {row: dict.fromkeys(refinement.MEASURES, float(job[1])) for row in (*job[4], "truth")}, {}

    monkeypatch.setattr(rows, "run_clip", run)
    job = lambda *names: (corrupted.OWN, 7, 30, 0.5, names, ("iterations=3",))
    refinement.collect([job("initial")], 1, results.Results(path, "a"))
    found, _ = refinement.collect([job("initial", "sfv")], 1, results.Results(path, "a"))
    assert [j[4] for j in made] == [("initial",), ("sfv",)] and (found["sfv"]["mpjpe_mm"] == 7).all()
    refinement.collect([job("initial", "sfv")], 1, results.Results(path, "a"))
    assert len(made) == 2
    path.write_text(path.read_text()[:-30])
    kept = results.Results(path, "a")
    assert kept.passed_over == 1 and kept.get(job()[:4], "sfv", ("iterations=3",)) and not kept.get(job()[:4], "sfv")
    kept.add(job()[:4], {"savgol": {}})
    assert results.Results(path, "a").get(job()[:4], "savgol", ("any",)) == {}
    assert not results.Results(path, "b").known


def test_the_fingerprint_changes_with_code_that_counts(tmp_path):
    """Another line in the refiner is other code; a page of the docs is not."""
    (tmp_path / "mrs/refine").mkdir(parents=True)
    (tmp_path / "mrs/refine/a.py").write_text("1")
    before = results.fingerprint(tmp_path)
    (tmp_path / "page.md").write_text("2")
    assert results.fingerprint(tmp_path) == before
    (tmp_path / "mrs/refine/a.py").write_text("3")
    assert results.fingerprint(tmp_path) != before
    root = results._common.ROOT
    assert [name for name in results.COUNTS if not (root / name).exists()] in ([], ["mrs/data/prior"])


@pytest.fixture(scope="module")
def flip():
    return corrupted.load(corrupted.BACKFLIP, 5.0)


class TestBackflip:
    """The project's own flip keeps to mechanics."""

    def test_the_centre_of_mass_falls_as_gravity_says(self, flip):
        """In the air its acceleration is g, straight down."""
        times = flip.times_s
        air = (times > own_motions.TAKE_OFF_S) & (times < own_motions.LANDING_S)
        path = flight.centre_of_mass(flip.joints_m[air])
        assert np.abs(np.diff(path, 2, axis=0) * 3600 - [0, -flight.GRAVITY_M_S2, 0]).max() < 1e-3

    def test_feet_stand_exactly_still_and_nothing_sinks(self, flip):
        """Before take-off and after landing soles do not move; contacts say so."""
        soles = sole_points(flip)
        before, after = flip.times_s <= own_motions.TAKE_OFF_S, flip.times_s >= own_motions.LANDING_S
        for rows_ in (before, after):
            assert np.ptp(soles[rows_], axis=0).max() < 1e-6 and (flip.contacts[rows_] == 1).all()
        assert soles[..., 1].min() > 0 and soles[before][..., 1].min() < 0.01
        assert (flip.contacts[~(before | after)] == 0).all()

    def test_it_turns_once_and_is_upside_down_in_between(self, flip):
        """Upright at both ends, the head down in the middle of the flight."""
        up = rotations.quat_to_matrix(flip.local_quat_wxyz[:, 0])[:, 1, 1]
        assert up[0] == pytest.approx(1) and up[-1] == pytest.approx(1) and up.min() < -0.95
        assert flip.joints_m[np.argmin(up), 15, 1] < flip.joints_m[np.argmin(up), 0, 1]


def test_intervals_ratios_and_bounds():
    """Student's interval, a paired ratio of means with its bootstrap interval, and verdicts on the right side."""
    assert refinement.interval(np.array([1.0, np.nan, 3.0])) == pytest.approx((2.0, 12.706), rel=1e-3)
    assert refinement.interval(np.array([np.nan])) is None
    found = {row: {key: scale * np.array([1.0, 2, 3]) for key in refinement.MEASURES} for row, scale in (("sfv", 0.5), ("sfv-2018", 1.0))}
    assert refinement.ratio(found, "mpjpe_mm") == pytest.approx((0.5, 0.5, 0.5))
    report = refinement._common.Report("t")
    refinement.verdicts(report, found)
    met = {v.name.split(" (")[0]: v.met for v in report.verdicts}
    assert met["sfv / sfv-2018, W-MPJPE mm"] and not met["sfv / sfv-2018, foot slide cm/s"]


def test_the_table_goes_between_the_marks_of_a_page(tmp_path):
    """What stands around the marks stays; a file without marks is written anew."""
    page = tmp_path / "page.md"
    begin, end = refinement.MARKS
    page.write_text(f"# Title\n\n{begin}\nold\n{end}\n\nafter\n")
    found = {"sfv": {key: np.array([1.0, 2]) for key in refinement.MEASURES}}
    refinement.write_markdown(page, refinement._common.Report("t", notes=["2 clips"]), found)
    text = page.read_text()
    assert text.startswith("# Title\n\n") and text.endswith("\n\nafter\n") and "old" not in text
    assert "| sfv | 1.50 ± 6.4 |" in text and "2 clips" in text
