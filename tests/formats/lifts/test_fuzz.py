"""Results whose values are junk, and bytes that were changed, are refused in a line or read; nothing else comes out."""

import copy
import pickle
import random

import numpy as np
import pytest

from mrs.errors import InputError
from mrs.formats import restricted
from mrs.formats.lifts import Lift, programs
from tests.formats.lifts import files
from tests.formats.lifts.test_programs import SIZE, truth

JUNK = ("x", None, {}, np.full((12, 3), np.nan), np.array(["a"]), np.zeros((12, 24, 3, 3)), np.zeros(0))


def places(held, before=()):
    """Every place in nested dicts and the first two of lists."""
    for key in held if isinstance(held, dict) else range(min(len(held), 2)):
        yield (*before, key)
        if isinstance(held[key], (dict, list)):
            yield from places(held[key], (*before, key))


def one_line(read, *arguments):
    """Whether a call is refused in one line, or gives people."""
    try:
        return all(isinstance(one, Lift) for one in read(*arguments))
    except InputError as error:
        return "\n" not in str(error)


@pytest.mark.parametrize("name", ["hmmr", "vibe", "wham", "gvhmr", "phalp", "tram"])
def test_junk_in_any_place(tmp_path, name):
    path = tmp_path / "made"
    getattr(files, name)(path, truth(), SIZE)
    held = restricted.read(path if path.is_file() else path / "hps" / "hps_track_0.npy", "a result")
    for place in list(places(held))[:24]:
        for junk in JUNK:
            changed = inner = copy.deepcopy(held)
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = junk
            (tmp_path / "junk.pkl").write_bytes(pickle.dumps(changed))
            assert one_line(getattr(programs, f"read_{name}"), tmp_path / "junk.pkl", SIZE), (place, junk)


@pytest.mark.parametrize("name", ["vibe", "gvhmr"])
def test_changed_bytes(tmp_path, name):
    path, rng = tmp_path / "made", random.Random(0)
    getattr(files, name)(path, truth(), SIZE)
    whole = path.read_bytes()
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 2)] = bytes(rng.randrange(256) for _ in range(rng.randint(0, 3)))
        path.write_bytes(data)
        assert one_line(getattr(programs, f"read_{name}"), path, SIZE)
