"""What must not change a refinement: a mirror, the direction of time, the frame rate, where windows meet."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import corrupted, refine_invariance
from mrs import metrics
from mrs.refine.sfv import Plan, refine
from mrs.refine.solver import Scales

CALM = replace(refine_invariance.EXACT, flipped=0, joint_deg=6, depth=0.03)
SECONDS, WINDOW = 1.2, 70


def refined(track, motion, **plan):
    return refine(track, motion, Scales(), Plan(**plan))[0]


def apart_mm(a, b):
    return 1e3 * np.linalg.norm(a - b, axis=-1).mean()


@pytest.fixture(scope="module")
def fast():
    return corrupted.make(corrupted.OWN, 0, 60, SECONDS, CALM)


@pytest.fixture(scope="module")
def slow(fast):
    return corrupted.at_rate(fast, 30)


@pytest.fixture(scope="module")
def normal(slow):
    return refined(slow.track, slow.initial)


@pytest.mark.parametrize("change", [refine_invariance.mirrored, refine_invariance.reversed_in_time], ids=lambda c: c.__name__)
def test_a_changed_clip_gives_the_changed_result(slow, normal, change):
    """A mirrored clip gives the mirrored motion, a reversed one the reversed, within 2 mm."""
    changed = refined(*change(slow.track, slow.initial))
    assert apart_mm(changed.joints_m, change(slow.track, normal)[1].joints_m) < 2
    assert apart_mm(changed.joints_m, normal.joints_m) > 50  # not the same motion after all


def test_both_rates_give_one_motion(fast, slow, normal):
    """60 frames a second and every second of them: within 1 cm in the world and 5 mm of pose."""
    both = refined(fast.track, fast.initial).joints_m[::2]
    assert apart_mm(both, normal.joints_m) < 10
    assert apart_mm(both - both[:, :1], normal.joints_m - normal.joints_m[:, :1]) < 5


def test_jerk_where_windows_overlap_is_no_larger_than_elsewhere():
    """On average and at its largest, against the same frames in one window and against the other frames."""
    clip = corrupted.make(corrupted.OWN, 1, 30, 6.0, replace(corrupted.Errors(), bursts_per_s=0))
    cut, whole = (refined(clip.track, clip.initial, window_frames=size, iterations=30, contact_iterations=20)
                  for size in (WINDOW, 10**6))
    jerk, jerk_whole = (np.linalg.norm(metrics.derivative(m.joints_m, m.times_s, 3), axis=-1).mean(1) for m in (cut, whole))
    inside = refine_invariance.overlaps(len(cut), WINDOW).any(0)[1:-2]
    assert 0.3 < inside.mean() < 0.8
    assert jerk[inside].mean() < 1.1 * jerk_whole[inside].mean() and jerk[inside].max() < 1.1 * jerk_whole[inside].max()
    assert jerk[inside].mean() < 1.15 * jerk[~inside].mean()
