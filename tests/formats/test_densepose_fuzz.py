"""Broken files of DensePose: a clear line or a right result, never another exception, whatever the bytes."""

import random
import zipfile

import numpy as np
import pytest

from mrs.errors import InputError
from mrs.formats.densepose import PERSON, Source
from tests.formats import test_densepose as layouts
from tests.formats.pose2d.test_fuzz import ALL, mutated
from tests.formats.test_torch_file import archive

QUICK = 120


def repacked(path, chance) -> bytes:
    """A dump whose pickle or numbers are broken within a whole zip, which checks its contents by sums of its own."""
    with zipfile.ZipFile(path) as file:
        parts = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
    name = chance.choice(["data.pkl"] * 3 + [name for name in parts if name.startswith("data/")])
    parts[name] = mutated(parts[name], chance)
    broken = path.with_suffix(".new")
    archive(broken, parts["data.pkl"], **{"_" + n[5:]: numbers for n, numbers in parts.items() if n.startswith("data/")})
    return broken.read_bytes()


def fuzz(folder, write, name: str, rounds: int) -> tuple[int, int]:
    """Break a file `rounds` times; return how often it was refused and read."""
    write(folder)
    path = folder / name
    whole, refused = path.read_bytes(), 0
    for seed in range(rounds):
        chance = random.Random(seed)
        path.write_bytes(whole)
        path.write_bytes(repacked(path, chance) if name.endswith("pkl") and zipfile.is_zipfile(path) and seed % 2 else mutated(whole, chance))
        try:
            source = Source(folder)
            for sighting in [s for frame in source.frames for s in source.at(frame)[0]]:
                assert sighting.parts.dtype == np.uint8 and sighting.parts.max(initial=0) <= PERSON
                assert sighting.uv.shape == (2, *sighting.parts.shape) and np.isfinite(sighting.uv).all()
        except InputError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 700, (seed, str(error))
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}: {error}") from error
    return refused, rounds - refused


FILES = [(layouts.write_of_2020, "dump.pkl"), (layouts.write_compressed, "dump.pkl"), (layouts.write_png, "frame_0001_IUV.png"), (layouts.write_npz, "000001.npz"), (layouts.write_dump, "dump.pkl")]


@pytest.mark.parametrize("write, name", FILES)
def test_broken_files_are_refused_in_a_line_or_read(tmp_path, write, name):
    """A hundred of every layout; some must be refused and some read."""
    refused, read = fuzz(tmp_path, write, name, QUICK)
    assert refused > QUICK / 20 and read > 0


@pytest.mark.heavy
@pytest.mark.parametrize("write, name", FILES)
def test_ten_thousand_broken_files(tmp_path, write, name):
    """The same with ten thousand each."""
    refused, read = fuzz(tmp_path, write, name, ALL)
    assert refused > ALL / 20 and read > 0
