"""Text that fits the terminal: broken between words, hanging below where the line's last column begins."""

from __future__ import annotations

import re
import shutil
import sys

import click

KEPT = ("Type: ", "://")
"""What is copied out of a terminal stays in one piece."""


def echo(text: str) -> None:
    """Print text, its lines broken to the terminal's width where there is a terminal."""
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        text = "\n".join(fitted(line, columns) for line in text.split("\n"))
    click.echo(text)


def fitted(line: str, columns: int) -> str:
    """Break one line to `columns`; colours have no width, and commands and addresses are left whole."""
    plain = click.unstyle(line)
    if len(plain) <= columns or any(kept in plain for kept in KEPT):
        return line
    starts = [match.end() for match in re.finditer(r"(?<=\S)  +|^ +", plain)]
    hang = max([start for start in starts if start <= columns // 2] or [0])
    if hang == 0 or hang == len(plain) - len(plain.lstrip()):
        hang += 4
    rows, used = [""], 0
    for word in re.findall(r"\s*\S+", line):
        bare = len(click.unstyle(word))
        if used + bare > columns and used > hang:
            rows.append(" " * hang)
            used, word = hang, word.lstrip()
            bare = len(click.unstyle(word))
        rows[-1] += word
        used += bare
    return "\n".join(rows)
