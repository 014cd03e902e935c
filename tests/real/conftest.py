"""The run that tests of the sample clip share: it is made once."""

import pytest


@pytest.fixture(scope="session")
def part(tmp_path_factory):
    """The run folder of the first two seconds, and its run.json."""
    from tests.real.test_sample_clip import PART_S, run

    out = tmp_path_factory.mktemp("part") / "run"
    return out, run(out, "--end", str(PART_S))
