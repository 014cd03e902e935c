"""What an export may ask of a motion first: exact resampling, trimming, heading, floor."""

import json
import pickle

import numpy as np
import pytest

from mrs import plugins, rotations
from mrs.body import load_body
from mrs.errors import InputError, UsageError
from mrs.formats import deepmimic, prepare
from mrs.formats.carry import floor_lift, loop_of
from mrs.world import heading_rad
from tests.formats.known_pose import known_pose, wandering

BODY = load_body()


@pytest.mark.parametrize(("fps", "frames"), [(50, 51), (30, 31), (29.97, 30), (7.5, 8), (240, 241)])
def test_resampling_is_exact(fps, frames):
    """A steady walk and turn of 60 deg/s stays steady at any rate: times first + k / fps, rotations by slerp, no frame too many."""
    motion = known_pose(frames=101, fps=100)
    out = prepare.resampled(motion, fps)
    assert len(out) == frames
    np.testing.assert_allclose(out.times_s, np.arange(frames) / fps, atol=1e-12)
    np.testing.assert_allclose(out.root_pos_m, motion.root_pos_m[0] + out.times_s[:, None] * [0.3, 0, 1.2], atol=1e-9)
    yaw = rotations.axis_angle_to_quat(np.radians(40 + 60 * out.times_s)[:, None] * [0, 1, 0])
    roll = rotations.axis_angle_to_quat(np.radians([0, 0, 30.0]))
    angles = rotations.geodesic_angle(out.local_quat_wxyz[:, 0], rotations.quat_multiply(yaw, roll))
    assert np.degrees(angles).max() < 1e-5
    np.testing.assert_allclose(out.joints_m, BODY.joints(out.root_pos_m, out.local_quat_wxyz, out.betas), atol=1e-12)
    out.validate()


def test_resampling_passes_through_the_frames_it_keeps():
    """At half the rate every other frame is the motion's own."""
    motion = wandering(41)
    out = prepare.resampled(motion, 15)
    np.testing.assert_allclose(out.joints_m, motion.joints_m[::2], atol=1e-9)


@pytest.mark.parametrize("fps", [0, -5, np.nan, np.inf, 1e12])
def test_rates_that_are_none_are_refused(fps):
    """One line."""
    with pytest.raises(UsageError, match="Expected --fps"):
        prepare.resampled(known_pose(), fps)


def test_trimming_cuts_the_ends_alone():
    """Frames without evidence go from both ends; a gap in the middle stays and is said."""
    motion = wandering(40)
    motion.confidence[:5] = 0
    motion.confidence[33:] = 0.1
    motion.confidence[20:22] = 0
    out, notes = prepare.trimmed(motion)
    assert len(out) == 28 and out.times_s[0] == motion.times_s[5]
    assert "12 frames without evidence" in notes[0] and "2 frames between" in notes[1]
    motion.confidence[:] = 0
    with pytest.raises(InputError, match="with evidence"):
        prepare.trimmed(motion)
    whole, notes = prepare.trimmed(wandering(10))
    assert len(whole) == 10 and notes == []


def test_heading_zero_begins_at_the_origin():
    """The first frame faces +Z at x = z = 0; height, posture and the way itself stay."""
    motion = wandering(20, seed=4)
    turned = prepare.facing_forward(prepare.resampled(motion, 30))
    assert heading_rad(turned) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(turned.root_pos_m[0, [0, 2]], 0, atol=1e-9)
    np.testing.assert_allclose(turned.joints_m[..., 1], motion.joints_m[..., 1], atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(np.diff(turned.root_pos_m, axis=0), axis=1), np.linalg.norm(np.diff(motion.root_pos_m, axis=0), axis=1))


def lying(frames=30):
    """A person on their back, sunk ten centimetres into the floor for half of the time."""
    quats = np.zeros((frames, 24, 4))
    quats[..., 0] = 1
    quats[:, 0] = rotations.axis_angle_to_quat(np.radians([-90.0, 0, 0]))
    flat = BODY.motion(np.arange(frames) / 30, np.zeros((frames, 3)), quats, np.zeros(10), grounded=True)
    sink = np.where(np.arange(frames) < frames // 2, 0.0, -0.1)[:, None] * [0, 1, 0]
    return BODY.motion(flat.times_s, flat.root_pos_m + sink, quats, np.zeros(10))


def test_ground_raises_what_lies_in_the_floor():
    """No vertex is below the floor afterwards; what lay on it already stays, but near the step."""
    out, most_m = prepare.above_floor(lying())
    assert most_m == pytest.approx(0.1, abs=1e-6)
    assert prepare.lowest_m(out).min() > -1e-9
    np.testing.assert_allclose(out.root_pos_m[:8], lying().root_pos_m[:8], atol=1e-12)
    np.testing.assert_allclose(out.joints_m - lying().joints_m, (out.root_pos_m - lying().root_pos_m)[:, None].repeat(24, 1), atol=1e-12)


def test_people_on_stairs_stay_there():
    """Nothing is lowered: whoever climbs keeps every step."""
    motion = wandering(30)
    up = BODY.motion(motion.times_s, motion.root_pos_m + np.linspace(0.5, 3, 30)[:, None] * [0, 1, 0], motion.local_quat_wxyz, motion.betas)
    out, most_m = prepare.above_floor(up)
    assert most_m == 0
    np.testing.assert_allclose(out.root_pos_m, up.root_pos_m)


@pytest.mark.parametrize("seed", range(5))
def test_a_lift_is_enough_and_smooth(seed):
    """It covers every need, is nowhere negative, and vanishes a fifth of a second away from any."""
    rng = np.random.default_rng(seed)
    times = np.arange(200) / 60
    lowest = np.where(np.abs(np.arange(200) - 100) < 20, rng.normal(size=200) * 0.05, 0.3)
    lift = floor_lift(lowest, times)
    assert (lowest + lift > -1e-12).all() and (lift >= 0).all()
    assert lift[:60].max() == 0 and np.abs(np.diff(lift)).max() < 0.06


def test_everything_together_leaves_its_mark():
    """One call does it in order, and says in the history what was asked."""
    motion = wandering(60)
    motion.confidence[:10] = 0
    out, notes = prepare.prepare(motion, fps=50, trim="auto", heading="zero", ground=True, loop="clamp")
    assert out.history[-1] == {"stage": "export", "fps": 50, "loop": "clamp", "ground": True, "heading": "zero", "trim": "auto"}
    assert out.fps == pytest.approx(50) and heading_rad(out) == pytest.approx(0, abs=1e-9) and any("Cut to" in n for n in notes)
    same, notes = prepare.prepare(motion)
    assert same is motion and notes == ()


def test_a_cycle_is_lifted_alike_at_both_ends():
    """A dip near the end of a cycle lifts its start too, so that the height is the same where it wraps."""
    times = np.arange(61) / 30
    lowest = np.where(np.arange(61) == 58, -0.1, 0.2)
    lift = floor_lift(lowest, times, cyclic=True)
    assert lift[0] == lift[-1] > 0 and (lowest + lift > -1e-12).all() and lift[20:40].max() < 1e-12
    assert floor_lift(lowest, times)[0] == 0


def wrapping_file(folder, frames=26, duration=1 / 30):
    """A DeepMimic file that says it wraps."""
    pose = [0.0] * 44
    for slot in (4, 8, 12, 16, 21, 25, 30, 35, 39):
        pose[slot] = 1.0
    rows = [[duration if k < frames - 1 else 0.0, 0.02 * k, 0.9, 0.0, *pose[4:]] for k in range(frames)]
    (folder / "wrap.txt").write_text(json.dumps({"Loop": "wrap", "Frames": rows}))
    return deepmimic.read(folder / "wrap.txt")


def test_a_file_that_wraps_stays_a_cycle(tmp_path):
    """As it is, turned, and at a rate that its length is a whole number of frames of; once it is trimmed or smoothed it plays once."""
    motion = wrapping_file(tmp_path)
    assert loop_of(motion) == "wrap" and loop_of(prepare.prepare(motion)[0]) == "wrap"
    assert loop_of(prepare.prepare(motion, heading="zero", ground=True)[0]) == "wrap"
    finer, notes = prepare.prepare(wrapping_file(tmp_path, duration=0.033332), fps=60)
    assert loop_of(finer) == "wrap" and len(finer) == 51 and not notes
    np.testing.assert_allclose(finer.root_pos_m[-1], motion.root_pos_m[-1], atol=1e-9)
    odd, notes = prepare.prepare(motion, fps=50)
    assert loop_of(odd) == "clamp" and "no whole number of frames at 50 Hz" in notes[0] and "--loop wrap" in notes[0]
    assert loop_of(prepare.prepare(motion, loop="clamp")[0]) == "clamp"
    closed, notes = prepare.prepare(motion, fps=50, loop="wrap")
    assert loop_of(closed) == "wrap" and len(closed) == 42 and "Loop of 0.82 s from 0.00 s" in notes[0]
    assert loop_of(motion.with_history(stage="smoother", plugin="savgol")) == "clamp"


def test_the_wrap_reaches_other_formats(tmp_path):
    """DeepMimic's cycle is MimicKit's."""
    motion = wrapping_file(tmp_path)
    plugins.load().make("exporter", "mimickit", {}).write(motion, tmp_path / "a.pkl")
    with open(tmp_path / "a.pkl", "rb") as file:
        assert pickle.load(file)["loop_mode"] == 1
