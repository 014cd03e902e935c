"""The text side of reading BVH: tokens, hierarchy, motion numbers, and errors that name the line."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mrs.errors import InputError

POSITIONS = ("Xposition", "Yposition", "Zposition")
ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")
_TOKEN = re.compile(r"[{}]|[^\s{}]+")
_CHANNELS = {name.lower(): name for name in POSITIONS + ROTATIONS}
_END_OF_FILE = ""


@dataclass
class _Skeleton:
    """What the hierarchy has brought so far; `None` stands for an OFFSET that has not come yet."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float] | None] = field(default_factory=list)
    channels: list[tuple[str, ...]] = field(default_factory=list)
    end_joints: list[int] = field(default_factory=list)
    end_offsets: list[list[float]] = field(default_factory=list)


class _Cursor:
    """Walk through the tokens of the header and remember the line of the last one."""

    def __init__(self, text: str, where: str):
        self.text, self.where = text, where
        self.position, self.line, self.token = 0, 1, _END_OF_FILE

    def next(self) -> str:
        """Return the next token; an empty one at the end of the file."""
        match = _TOKEN.search(self.text, self.position)
        start, end = match.span() if match else (len(self.text), len(self.text))
        self.line += _line_breaks(self.text[self.position:start])
        self.position, self.token = end, match.group() if match else _END_OF_FILE
        return self.token

    def find(self, token: str) -> None:
        """Move on to a token that is known to come next, whatever characters it has."""
        start = self.text.index(token, self.position)
        self.line += _line_breaks(self.text[self.position:start])
        self.position, self.token = start + len(token), token

    def fail(self, expected: str):
        """Raise the one-line refusal of the last token."""
        got = f"'{_clip(self.token)}'" if self.token else "the end of the file"
        raise InputError(f"Expected {expected} in line {self.line} of {self.where}, but got {got}.")

    def expect(self, word: str) -> None:
        """Take a token that must be `word`, in any case."""
        if self.next().lower() != word.lower():
            self.fail(f"'{word}'")

    def number(self, what: str) -> float:
        """Take a finite number."""
        try:
            value = float(self.next())
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.fail(f"{what} as a number")
        return value

    def whole(self, what: str) -> int:
        """Take a whole number of 0 or more."""
        if not re.fullmatch(r"\+?[0-9]+", self.next()):
            self.fail(f"{what} as a whole number")
        return int(self.token)

    def words_before_brace(self) -> str:
        """Take what stands before the next opening brace: a name, perhaps with spaces."""
        words = []
        while self.next() not in ("{", "}", _END_OF_FILE):
            words.append(self.token)
        if self.token != "{":
            self.fail("'{'")
        return " ".join(words)

    def label(self, label: str) -> None:
        """Take a label such as ``Frame Time:``, spaced in any way, and nothing after it."""
        pattern = r"\s*" + r"\s*".join(re.escape(part) for part in re.findall(r"\w+|:", label))
        match = re.compile(pattern, re.IGNORECASE).match(self.text, self.position)
        if match is None:
            self.next()
            self.fail(f"'{label}'")
        self.line += _line_breaks(match.group())
        self.position = match.end()


def parse(text: str, where: str) -> dict[str, Any]:
    """Parse the text of a BVH file into the fields of :class:`mrs.formats.bvh.Bvh`; `where` names it in messages."""
    cursor = _Cursor(text, where)
    cursor.expect("HIERARCHY")
    skeleton = _hierarchy(cursor)
    cursor.label("Frames:")
    frames = cursor.whole("the number of frames")
    cursor.label("Frame Time:")
    frame_time_s = cursor.number("the frame time")
    if frame_time_s <= 0:
        cursor.fail("a frame time above 0 s")
    width = sum(len(channels) for channels in skeleton.channels)
    return {
        "names": tuple(skeleton.names), "parents": np.array(skeleton.parents), "offsets": np.array(skeleton.offsets),
        "channels": tuple(skeleton.channels), "end_joints": np.array(skeleton.end_joints, int),
        "end_offsets": np.array(skeleton.end_offsets, float).reshape(-1, 3), "frame_time_s": frame_time_s,
        "values": _values(cursor, frames, width)}


def _hierarchy(cursor: _Cursor) -> _Skeleton:
    """Read joints until MOTION."""
    skeleton, open_joints = _Skeleton(), []
    while True:
        word = cursor.next().lower()
        if word == ("joint" if open_joints else "root"):
            _open_joint(cursor, skeleton, open_joints)
        elif word == "end" and open_joints:
            skeleton.end_offsets.append(_end_site(cursor))
            skeleton.end_joints.append(open_joints[-1])
        elif word == "offset" and open_joints:
            skeleton.offsets[open_joints[-1]] = [cursor.number(f"OFFSET {axis}") for axis in "XYZ"]
        elif word == "channels" and open_joints:
            skeleton.channels[open_joints[-1]] = _channels(cursor)
        elif word == "}" and open_joints:
            if skeleton.offsets[open_joints[-1]] is None:
                cursor.fail(f"an OFFSET of '{skeleton.names[open_joints[-1]]}'")
            open_joints.pop()
        elif word == "motion" and skeleton.names and not open_joints:
            return skeleton
        elif open_joints:
            cursor.fail(f"OFFSET, CHANNELS, JOINT, End Site or '}}' of '{skeleton.names[open_joints[-1]]}'")
        else:
            cursor.fail("ROOT or MOTION" if skeleton.names else "ROOT")


def _open_joint(cursor: _Cursor, skeleton: _Skeleton, open_joints: list[int]) -> None:
    name = cursor.words_before_brace()
    if not name:
        cursor.fail("a joint name")
    skeleton.names.append(name)
    skeleton.parents.append(open_joints[-1] if open_joints else -1)
    skeleton.offsets.append(None)
    skeleton.channels.append(())
    open_joints.append(len(skeleton.names) - 1)


def _end_site(cursor: _Cursor) -> list[float]:
    cursor.words_before_brace()
    cursor.expect("OFFSET")
    offset = [cursor.number(f"OFFSET {axis}") for axis in "XYZ"]
    cursor.expect("}")
    return offset


def _channels(cursor: _Cursor) -> tuple[str, ...]:
    count = cursor.whole("the number of channels")
    names = []
    for place in range(count):
        name = _CHANNELS.get(cursor.next().lower())
        if name is None:
            cursor.fail(f"channel {place + 1} of {count} to be one of {', '.join(_CHANNELS.values())}")
        if name in names and name in POSITIONS:
            cursor.fail(f"{name} once")
        names.append(name)
    return tuple(names)


def _values(cursor: _Cursor, frames: int, width: int) -> np.ndarray:
    """Read the rest of the file as one stream of numbers (T, C), whatever its line breaks."""
    tokens = cursor.text[cursor.position:].split()
    try:
        values = np.array(tokens, dtype=float)
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        _fail_at_bad_number(cursor, tokens)
    if len(values) != frames * width:
        cut = " The file is cut off." if len(values) < frames * width else ""
        raise InputError(f"Expected {_count(frames)} of {width} numbers ({frames * width}) in {cursor.where}, "
                         f"but got {len(values)} numbers, {_frames(len(values), width)}.{cut}")
    return values.reshape(frames, width)


def _fail_at_bad_number(cursor: _Cursor, tokens: list[str]):
    """Find the first token that is no finite number, and its line."""
    for token in tokens:
        cursor.find(token)
        try:
            good = math.isfinite(float(token))
        except ValueError:
            good = False
        if not good:
            break
    cursor.fail("a finite number")


def _frames(numbers: int, width: int) -> str:
    if width == 0:
        return "where the joints have no channels"
    whole, rest = divmod(numbers, width)
    return _count(whole) if rest == 0 else f"{_count(whole)} and {rest} numbers"


def _count(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


def _line_breaks(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _clip(token: str) -> str:
    shown = token if token.isprintable() else ascii(token)[1:-1]
    return shown if len(shown) <= 40 else shown[:37] + "..."
