"""How many threads are used."""

import os

import pytest

from mrs import threads
from mrs.errors import UsageError


def test_mrs_threads_counts_before_cores(monkeypatch):
    """Without it, as many as the process has cores; a wrong value is refused."""
    monkeypatch.delenv("MRS_THREADS", raising=False)
    assert threads.asked() is None and threads.usable() == threads.cores() >= 1
    monkeypatch.setenv("MRS_THREADS", "3")
    assert threads.usable() == threads.asked() == 3
    monkeypatch.setenv("MRS_THREADS", "many")
    with pytest.raises(UsageError, match="MRS_THREADS"):
        threads.usable()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_cores_are_those_the_process_may_use():
    """A process that is bound to one core counts one."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert threads.cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_an_environment_holds_every_library():
    """OpenMP, MKL, OpenBLAS and mrs get the same number."""
    assert set(threads.environment(2).values()) == {"2"} and len(threads.environment(2)) == 4
