"""A Motion survives its file, and refuses what is not one."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import npz
from mrs.errors import InputError
from mrs.motion import Motion, mean_rate
from mrs.world.ground import sole_points
from tests.walker import filmed, walker

TIMES_S = np.cumsum([0.5, 0.03, 0.04, 0.02, 0.1])


@pytest.fixture(scope="module")
def motion():
    """A short walk at uneven times, seen by a camera, with some history."""
    rng = np.random.default_rng(0)
    seen = filmed(walker(TIMES_S, betas=rng.normal(size=10) / 2)[0])[1]
    return replace(seen, confidence=rng.random((5, 24)), contacts=rng.random((5, 4))).with_history(stage="test", seed=3)


def test_file_brings_back_every_array(motion, tmp_path):
    """Save and load give the same arrays, camera, frame, body and history, bit for bit."""
    motion.save(tmp_path / "motion.npz")
    back = Motion.load(tmp_path / "motion.npz")
    for name in ("times_s", "root_pos_m", "local_quat_wxyz", "betas", "joints_m", "contacts", "confidence"):
        np.testing.assert_array_equal(getattr(back, name), getattr(motion, name))
    for name in ("K", "R", "t"):
        np.testing.assert_array_equal(getattr(back.camera, name), getattr(motion.camera, name))
    assert back.camera.size_px == motion.camera.size_px
    assert (back.body, back.frame, back.history) == (motion.body, motion.frame, motion.history)


def test_file_brings_back_a_moving_camera(motion, tmp_path):
    """One pose a frame goes in and comes out; one row too few is refused by name."""
    each = motion.camera.per_frame(5)
    moving = replace(motion, camera=replace(each, K=motion.camera.K, t=each.t + np.arange(5)[:, None]))
    moving.save(tmp_path / "motion.npz")
    back = Motion.load(tmp_path / "motion.npz").camera
    for name in ("K", "R", "t"):
        np.testing.assert_array_equal(getattr(back, name), getattr(moving.camera, name))
    replace(moving, camera=moving.camera.at(slice(4))).save(tmp_path / "short.npz")
    with pytest.raises(InputError, match="camera_"):
        Motion.load(tmp_path / "short.npz")


def test_file_holds_named_arrays_for_users_without_mrs(motion, tmp_path):
    """NumPy alone reads the file; fps is the mean rate, not rounded."""
    motion.save(tmp_path / "motion.npz")
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as file:
        assert file["joints_m"].shape == (5, 24, 3)
        assert float(file["fps"]) == pytest.approx(4 / 0.19)


def test_a_motion_without_a_camera_is_one(motion, tmp_path):
    """No camera goes in, none comes out."""
    replace(motion, camera=None).save(tmp_path / "motion.npz")
    assert Motion.load(tmp_path / "motion.npz").camera is None


@pytest.mark.parametrize("name", ["root_pos_m", "local_quat_wxyz", "betas", "joints_m", "contacts", "confidence"])
@pytest.mark.parametrize("bad", ["shape", "nan"])
def test_wrong_shapes_and_nan_are_refused_by_name(motion, name, bad):
    """The message names the array."""
    value = getattr(motion, name).copy()
    if bad == "nan":
        value.flat[0] = np.nan
    changed = replace(motion, **{name: value[..., :-1] if bad == "shape" else value})
    with pytest.raises(InputError, match=name):
        changed.validate()


def test_times_must_grow(motion):
    """Equal times are refused."""
    times = motion.times_s.copy()
    times[2] = times[1]
    with pytest.raises(InputError, match="growing times"):
        replace(motion, times_s=times).validate()


def test_a_file_that_lacks_an_array_is_refused(tmp_path):
    """The message names the missing array and the file."""
    npz.save(tmp_path / "m.npz", "motion", {"times_s": np.zeros(1)}, {"body": "x", "frame": "world", "history": []})
    with pytest.raises(InputError, match="m.npz to hold 'root_pos_m'"):
        Motion.load(tmp_path / "m.npz")


def test_rate_is_the_mean_and_never_rounded():
    """29.97 stays 29.97; a single frame has no rate."""
    assert mean_rate(np.arange(100) * 1001 / 30000) == pytest.approx(30000 / 1001, rel=1e-12)
    assert mean_rate(np.array([3.0])) == 0


def test_standing_stands_on_the_ground_in_t_pose_facing_plus_z():
    """Soles at y = 0, left hand at +X, toes ahead of the heels."""
    motion = Motion.standing(np.arange(3) / 30).validate()
    soles = sole_points(motion)
    np.testing.assert_allclose(soles[..., 1], 0, atol=0.01)
    assert soles[..., 1].min() > -1e-3
    assert (soles[:, [1, 3], 2] > soles[:, [0, 2], 2] + 0.1).all()
    assert (motion.joints_m[:, 20, 0] > 0.5).all() and (motion.joints_m[:, 21, 0] < -0.5).all()
    np.testing.assert_allclose(motion.joints_m[:, 20, 1], motion.joints_m[:, 16, 1], atol=0.05)


def test_history_grows_and_the_old_motion_stays(motion):
    """with_history returns a new motion."""
    longer = motion.with_history(stage="more")
    assert len(longer.history) == len(motion.history) + 1 and longer.history[-1] == {"stage": "more"}
