"""The benchmark's residuals: refinement by sfv leaves much less than sfv-2018 does."""

import pytest

from benchmarks import physics_before_after as benchmark


def test_sfv_leaves_at_most_half_of_what_sfv_2018_leaves():
    """On a second and a half of the project's walker, by the committed numbers' own code; the truth leaves the least."""
    pytest.importorskip("mujoco")
    found = benchmark.measured(("walker", 300, 30, 1.5))
    assert set(found) == {*benchmark.ROWS, "truth"}
    for key in ("residual_force_bw", "residual_moment_bwm"):
        assert found["sfv"][key] < 0.5 * found["sfv-2018"][key] < found["initial"][key]
