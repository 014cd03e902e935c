"""Broken files: a clear line or a right result, never another exception, whatever the bytes."""

import random
import re

import numpy as np
import pytest

from mrs.errors import MrsError
from mrs.formats import pose2d
from tests.formats.pose2d.samples import READERS

QUICK, ALL = 250, 10_000
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_ODD = [b"NaN", b"-Infinity", b"1e999", b"null", b"true", b'""', b"[]", b"{}", b"-1", b"0", b"1e18", b"99999999999999999999999",
        b'"\\ud800"', b"[[[[[1]]]]]", b"1e-320", b'{"__class__":"os.system"}', b"0.1.2", b"'", b"\x00"]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Break a file in one of the ways that files break: cut, bits, bytes, odd values, parts doubled, left out or nested."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(out) + 1)
        size = chance.choice((1, 1, 2, 8, 64, len(out) // 3))
        kind = chance.randrange(9)
        if kind == 0:
            del out[at:]
        elif kind == 1:
            del out[at:at + size]
        elif kind == 2 and at < len(out):
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 3:
            out[at:at] = bytes(chance.randrange(256) for _ in range(min(size, 8)))
        elif kind == 4:
            out[at:at] = out[at:at + size]
        elif kind in (5, 6):
            found = list(_NUMBER.finditer(out))
            if found:
                spot = chance.choice(found)
                out[spot.start():spot.end()] = chance.choice(_ODD)
        elif kind == 7:
            out[at:at] = chance.choice((b"[" * 3000, b'{"a":' * 3000, b"," * 50, b"\n" * 50))
        else:
            word = chance.choice((b"keypoints", b"image_id", b"people", b"instances", b"frame", b"x", b"box"))
            out = bytearray(bytes(out).replace(word, chance.choice((b"", b"k", b"bodies", word * 2)), chance.choice((1, -1))))
    return bytes(out)


def judge(poses) -> None:
    """A result has the shapes it promises, and finite numbers."""
    count = len(poses)
    points = 0 if poses.keypoints is None else len(poses.keypoints)
    assert poses.points.shape == (count, points, 3)
    assert poses.boxes.shape == (count, 4)
    assert np.isfinite(poses.points).all()
    assert np.isfinite(poses.boxes).all()
    assert ((poses.points[..., 2] >= 0) & (poses.points[..., 2] <= 1)).all()
    assert ((poses.scores >= 0) & (poses.scores <= 1)).all()
    assert poses.ids.min(initial=0) >= -1
    assert poses.frame.max(initial=-1) < len(poses.labels)
    if poses.points3d_m is not None:
        assert np.isfinite(poses.points3d_m).all()


def fuzz(name: str, rounds: int, monkeypatch) -> tuple[int, int]:
    """Read mutated files, half of them without orjson; return how many were refused and how many were read."""
    read, samples = READERS[name]
    refused = 0
    for seed in range(rounds):
        if seed == rounds // 2:
            monkeypatch.setattr(pose2d, "_orjson", None)
        chance = random.Random(f"{name} {seed}")
        data = mutated(chance.choice(samples), chance)
        try:
            judge(read(data))
        except MrsError as error:
            refused += 1
            assert "\n" not in str(error), (seed, str(error))
            assert len(str(error)) < 600, (seed, str(error))
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}: {error}") from error
    return refused, rounds - refused


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("error")
def test_broken_files_are_refused_in_a_line_or_read(name, monkeypatch):
    """Every reader, a few hundred broken files of every layout; some must be refused and some read."""
    refused, read = fuzz(name, QUICK, monkeypatch)
    assert refused > QUICK / 20
    assert read > QUICK / 20


@pytest.mark.heavy
@pytest.mark.parametrize("name", READERS)
def test_ten_thousand_broken_files(name, monkeypatch):
    """The same with ten thousand each."""
    refused, read = fuzz(name, ALL, monkeypatch)
    assert min(refused, read) > ALL / 20


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name):
    """What is mutated is right before."""
    for sample in READERS[name][1]:
        poses = READERS[name][0](sample)
        judge(poses)
        assert len(poses) > 0
