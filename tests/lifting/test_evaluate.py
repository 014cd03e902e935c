"""What `mrs eval lifter` measures, on clips whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest

from mrs.body import load_body
from mrs.lifting import corpus, evaluate, observed, rendered
from mrs.skeletons import BLAZEPOSE_33
from tests.lifting.films import clips
from tests.walker import walker

EXACT = observed.Noise(white_2d=0, slow_2d=0, white_3d_m=0, slow_3d_m=0, dropout=0, bursts_per_s=0, swapped=0, mirrored=0)


@pytest.fixture(scope="module")
def clip():
    """A walker, filmed without error."""
    track, truth = observed.film(walker(np.arange(40) / 30)[0], 1, EXACT)
    return evaluate.Clip("walker", "locomotion", track, truth)


def test_exact_landmarks_have_no_error(clip):
    """The detector's landmarks, when they are the truth about the mid-hip."""
    found = evaluate._of_landmarks(clip)
    assert found["limbs_pa_mm"] < 1e-6 and found["limbs_accel_m_s2"] < 1e-6 and abs(found["limb_speed_ratio"] - 1) < 1e-9


def test_known_errors_are_measured(clip):
    """White noise of 10 mm a coordinate errs by about 16 mm, less what the alignment takes up."""
    noise = 0.01 * np.random.default_rng(0).normal(size=clip.track.keypoints3d_m.shape)
    found = evaluate._of_landmarks(replace(clip, track=replace(clip.track, keypoints3d_m=clip.track.keypoints3d_m + noise)))
    assert 12 < found["limbs_pa_mm"] < 16
    assert found["limbs_accel_m_s2"] > 10


def test_truth_measures_nothing(clip):
    """The truth against itself."""
    found = evaluate._measured(clip.truth, clip, 0.4)
    assert found["pa_mpjpe_mm"] < 1e-3 and found["limbs_pa_mm"] < 1e-3 and found["ms_per_frame"] == pytest.approx(10)


def test_held_out_clips_and_groups():
    """Only held-out clips are filmed, on the ground, as long as asked."""
    motions = evaluate.held_out(clips(), 1, 1.0)
    assert {name for name, _, _ in motions} == {"test_wave", "test_march", "test_squat"}
    assert all(len(m) == 30 for _, _, m in motions)
    assert evaluate.group_of("walking") == "locomotion" and evaluate.group_of("roll") == "acrobatics"
    assert corpus.is_held_out("humanoid3d_crawl:b") and not corpus.is_held_out("humanoid3d_cartwheel")


def test_means_are_over_groups():
    """A group's mean is over its clips, "all" over all."""
    rows = [("locomotion", {"x": {"pa_mpjpe_mm": 10.0}}), ("acrobatics", {"x": {"pa_mpjpe_mm": 30.0}}), ("other", {"x": {"pa_mpjpe_mm": 50.0}})]
    found = evaluate.means(rows)["x"]
    assert found["locomotion"]["pa_mpjpe_mm"] == 10 and found["acrobatics"]["pa_mpjpe_mm"] == 30 and found["all"]["pa_mpjpe_mm"] == 30
    assert "| x | all | 30.0 |" in evaluate.text({"rows": {"x": found}})


def test_rendered_bodies_are_where_the_camera_sees_them():
    """What changes from one frame to one with another pose lies about the body; far from it there is noise alone."""
    motion = walker(np.arange(0, 1.2, 0.5))[0]
    motion = replace(motion, camera=rendered.camera_about(motion, np.random.default_rng(0)))
    first, last = (frame.rgb.astype(int) for number, frame in enumerate(rendered.frames(motion, 5)) if number in (0, 2))
    changed = np.abs(last - first).max(-1) > 40
    marks = motion.camera.project(load_body().keypoints(motion, BLAZEPOSE_33)).reshape(-1, 2)
    (x0, y0), (x1, y1) = marks.min(0) - 25, marks.max(0) + 25
    rows, columns = np.nonzero(changed)
    assert len(rows) > 300 and rows.min() >= y0 and rows.max() <= y1 and columns.min() >= x0 and columns.max() <= x1
