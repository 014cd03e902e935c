"""Which frame of the video a name or a number in a file means."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"\d+")
_ENDINGS = ("_keypoints", "_pose", "_alphapose", "_results")


def natural_key(name: str) -> list:
    """Sort key under which frame2 comes before frame10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(p), p) if i % 2 else (1, 0, p.lower()) for i, p in enumerate(parts)]


def frame_numbers(labels) -> list[int] | None:
    """Return the number of each frame: the last run of digits in its name that differs from frame to frame.

    None where no run of digits tells all frames apart; the order of the names counts then.
    """
    runs = [_DIGITS.findall(_stem(str(label))) for label in labels]
    deepest = min(map(len, runs), default=0)
    for place in range(1, deepest + 1):
        found = [r[-place] for r in runs]
        if len(set(map(int, found))) == len(found) and max(map(len, found)) <= 15:
            return list(map(int, found))
    return None


def _stem(label: str) -> str:
    """Return a name without folder, file ending and what programs append."""
    name = label.replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    name = stem if dot and not ending.isdigit() and len(ending) <= 4 and stem else name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def first_number(labels, numbers: list[int], frames: int | None, every_frame: bool) -> int:
    """Say which number the video's first frame has in a file; `frames` is how many the video has, where that is known.

    0 or 1 where a file of every frame begins with it, or whatever it begins with where it has as many frames as the
    video. In a list that leaves empty frames out: 1 where the highest number is the count of frames, or where the
    lowest is 1 and numbers have leading zeros, as FFmpeg names pictures; else 0.
    """
    low, high = min(numbers, default=0), max(numbers, default=0)
    if every_frame:
        return low if low <= 1 or len(numbers) == frames else 0
    if low >= 1 and frames is not None and high == frames:
        return 1
    padded = any((_DIGITS.findall(_stem(str(label))) or [""])[-1].startswith("0") for label in labels)
    return 1 if low == 1 and padded else 0
