"""Who is at a clip."""

import json
import multiprocessing
import subprocess
import sys
import time

import pytest

from mrs.batch import claims
from mrs.batch.claims import Claim, Watch, numbers
from mrs.batch.storage import Folder

STEM = ".batch/clip.0123456789ab"


@pytest.fixture
def place(tmp_path):
    return Folder(tmp_path)


def left_behind(place, number=1, **holder):
    """A claim whose holder never gave it back."""
    place.write(f"{STEM}.claim.{number}", json.dumps({"token": "x", "beats": 0, **holder}).encode())


def test_a_claim_keeps_others_out_until_it_is_given_back(place):
    """One holder at a time; nothing is left afterwards."""
    with Claim.take(place, STEM, Watch()) as claim:
        assert claim.number == 1 and claim.holds()
        assert Claim.take(place, STEM, Watch()) is None
    assert numbers(place, STEM) == []
    assert Claim.take(place, STEM, Watch()) is not None


def test_the_claim_of_a_process_that_ended_here_is_taken_over_at_once(place):
    """A dead pid of this very machine needs no waiting."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = claims.me() | {"pid": process.pid, "born": claims._born(process.pid)}
    left_behind(place, **holder)
    assert Claim.take(place, STEM, Watch()) is None
    process.communicate(b"\n")
    assert Claim.take(place, STEM, Watch()).number == 2


def test_a_pid_that_somebody_else_got_is_not_the_holder(place):
    """A process that started at another time is another one."""
    left_behind(place, **claims.me() | {"born": "1"})
    assert Claim.take(place, STEM, Watch()).number == 2


def test_a_claim_from_another_machine_is_taken_over_when_it_stands_still(place):
    """It counts as long as it changes, by the observer's own clock."""
    watch = Watch(stale_s=0.3)
    left_behind(place, machine="elsewhere", pid=1, born="1")
    assert Claim.take(place, STEM, watch) is None
    time.sleep(0.2)
    place.write(f"{STEM}.claim.1", json.dumps({"token": "x", "beats": 1, "machine": "elsewhere"}).encode())
    assert Claim.take(place, STEM, watch) is None
    time.sleep(0.2)
    assert Claim.take(place, STEM, watch) is None
    time.sleep(0.25)
    assert Claim.take(place, STEM, watch).number == 2


def test_who_was_outdone_no_longer_holds(place):
    """A holder that only slept finds that it has lost, and leaves the other's claim alone."""
    slept = Claim.take(place, STEM, Watch())
    with slept:
        left_behind(place, number=2, machine="elsewhere")
        assert not slept.holds()
    assert numbers(place, STEM) == [1, 2]


def test_a_claim_beats(place, monkeypatch):
    """While a claim is held its file changes."""
    monkeypatch.setattr(claims, "BEAT_S", 0.05)
    with Claim.take(place, STEM, Watch()) as claim:
        first = place.read(claim.name)
        time.sleep(0.3)
        assert place.read(claim.name) != first


def _takes(root, gate, won):
    gate.wait()
    if Claim.take(Folder(root), STEM, Watch()) is not None:
        won.put(1)
        time.sleep(0.5)


def test_of_several_that_find_a_stale_claim_one_goes_on(place):
    """Processes that all see the holder gone don't all take over."""
    left_behind(place, **claims.me() | {"born": "1"})
    context = multiprocessing.get_context("fork")
    gate, won = context.Barrier(6), context.Queue()
    processes = [context.Process(target=_takes, args=(place.root, gate, won)) for _ in range(6)]
    [p.start() for p in processes]
    [p.join() for p in processes]
    assert won.qsize() == 1
