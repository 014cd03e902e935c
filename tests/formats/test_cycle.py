"""Cycles: found where they are, closed without a gap, refused where there are none."""

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body
from mrs.errors import InputError
from mrs.formats import cycle, deepmimic
from mrs.skeletons import SMPL_24
from mrs.world import heading_rad
from tests.formats.known_pose import wandering
from tests.formats.test_deepmimic import CORPUS, needs_corpus

BODY = load_body()


def walk(seconds=4.0, period_s=1.1, fps=30, drift_deg_s=0.0, noise=0.0, seed=0):
    """Legs and arms that swing with a known period, ahead at 1.2 m/s."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * fps) + 1) / fps
    swing = np.sin(2 * np.pi * times / period_s)
    vectors = np.zeros((len(times), 24, 3))
    for name, axis, degrees in (("left_hip", 0, -30), ("right_hip", 0, 30), ("left_shoulder", 1, 25), ("right_shoulder", 1, 25)):
        vectors[:, SMPL_24.index(name), axis] = np.radians(degrees) * swing
    lift = np.sin(2 * np.pi * times / period_s + 0.9)
    vectors[:, SMPL_24.index("left_knee"), 0] = np.radians(25) * (1 + lift)
    vectors[:, SMPL_24.index("right_knee"), 0] = np.radians(25) * (1 - lift)
    vectors[:, 0, 1] = np.radians(drift_deg_s * times)
    vectors += noise * rng.normal(size=vectors.shape)
    root = np.stack([0 * times, 0.95 + 0.02 * np.abs(swing), 1.2 * times], -1)
    return BODY.motion(times, root, rotations.axis_angle_to_quat(vectors), np.zeros(10))


@pytest.mark.parametrize("period_s", [0.8, 1.1, 1.5])
def test_a_walk_is_cut_to_whole_periods(period_s):
    """The cycle lasts a whole number of periods, as many as fit, and its ends are nearly alike before blending."""
    first, last, seam_m, _ = cycle.find(walk(period_s=period_s, seconds=5))
    periods = (last - first) / 30 / period_s
    assert abs(periods - round(periods)) < 0.06 and round(periods) >= 3 and seam_m < 0.03


def test_the_seam_is_closed():
    """After closing, the last pose is the first, heading and height included, and the way along the ground is kept."""
    motion = walk(noise=0.02, drift_deg_s=2)
    closed, note = cycle.wrapped(motion)
    assert np.degrees(rotations.geodesic_angle(closed.local_quat_wxyz[0], closed.local_quat_wxyz[-1])).max() < 1e-5
    assert closed.root_pos_m[0, 1] == pytest.approx(closed.root_pos_m[-1, 1])
    assert heading_rad(closed, 0) == pytest.approx(heading_rad(closed, -1), abs=1e-6)
    first = round(closed.times_s[0] * 30)
    np.testing.assert_allclose(closed.root_pos_m[:, [0, 2]], motion.root_pos_m[first : first + len(closed), [0, 2]])
    assert "Loop of" in note and "cm apart" in note


def test_blending_keeps_the_middle():
    """Further than a quarter of a second from both ends nothing changes."""
    motion = walk(noise=0.01)
    closed, _ = cycle.wrapped(motion)
    first = round(closed.times_s[0] * 30)
    inner = slice(8, len(closed) - 8)
    np.testing.assert_allclose(closed.joints_m[inner], motion.joints_m[first : first + len(closed)][inner], atol=1e-9)


def test_played_twice_it_goes_on_steadily():
    """Speeds across the seam change no more than they do elsewhere in the walk."""
    closed, _ = cycle.wrapped(walk(seconds=6, noise=0.003))
    once = closed.joints_m
    shift = (closed.root_pos_m[-1] - closed.root_pos_m[0]) * [1, 0, 1]
    twice = np.concatenate([once, once[1:] + shift])
    jumps = np.linalg.norm(np.diff(twice, n=2, axis=0), axis=-1).max(1) * 900
    seam = len(once) - 2
    assert jumps[seam - 1 : seam + 2].max() < 1.5 * np.percentile(jumps, 99)


def test_slow_parts_are_no_cycle():
    """A person who stands still between two walks is not taken for a cycle of 0.4 s."""
    motion = walk(seconds=4)
    still = np.repeat(motion.local_quat_wxyz[:1], 40, 0)
    quats = np.concatenate([motion.local_quat_wxyz, still])
    root = np.concatenate([motion.root_pos_m, np.repeat(motion.root_pos_m[-1:], 40, 0)])
    first, last, *_ = cycle.find(BODY.motion(np.arange(len(quats)) / 30, root, quats, np.zeros(10)))
    assert (last - first) / 30 > 1


def test_alike_ends_of_a_slow_part_are_refused():
    """Who turns the head once and stands else has ends that are alike everywhere: no cycle, and the line says by how much."""
    times = np.arange(61) / 30
    vectors = np.zeros((61, 24, 3))
    for name, axis in (("left_shoulder", 1), ("right_shoulder", 1), ("left_hip", 0)):
        vectors[:, SMPL_24.index(name), axis] = 0.9 * np.clip(times / 2, 0, 1) ** 2
    once = BODY.motion(times, np.tile([0, 0.95, 0], (61, 1)), rotations.axis_angle_to_quat(vectors), np.zeros(10))
    with pytest.raises(InputError, match=r"cm apart in posture and speed, \d+% of the movement between"):
        cycle.wrapped(once)


def test_who_only_stands_may_be_wrapped():
    """A clip that hardly moves at all is a cycle of standing."""
    closed, _ = cycle.wrapped(BODY.motion(np.arange(45) / 30, np.tile([0, 0.95, 0], (45, 1)), np.tile([1.0, 0, 0, 0], (45, 24, 1)), np.zeros(10)))
    assert len(closed) > 30


@pytest.mark.parametrize("motion", [wandering(12), wandering(60, seed=3)])
def test_what_does_not_repeat_is_refused(motion):
    """Too short, or no two frames alike: one line that says what to type."""
    with pytest.raises(InputError, match="Type --loop clamp"):
        cycle.wrapped(motion)


@needs_corpus
def test_deepmimics_own_cycles_are_found_whole():
    """Clips that DeepMimic itself wraps are taken from end to end; a long walk gives many steps."""
    for name in ("humanoid3d_jog", "humanoid3d_run", "humanoid3d_sideflip", "humanoid3d_jump", "humanoid3d_roll", "humanoid3d_crawl"):
        motion = deepmimic.read(CORPUS / f"{name}.txt")
        first, last, *_ = cycle.find(motion)
        assert last - first >= 0.97 * (len(motion) - 1), name
    walk_clip = deepmimic.read(CORPUS / "humanoid3d_long_walk1.txt")
    first, last, seam_m, moved_m = cycle.find(walk_clip)
    assert walk_clip.times_s[last] - walk_clip.times_s[first] > 5 and seam_m < 0.04 and moved_m > 0.2
