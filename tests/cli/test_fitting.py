"""Lines that fit a terminal of any width."""

import click
import pytest

from mrs.cli.fitting import fitted


def test_a_short_line_stays_as_it_is():
    """What fits is not touched, spaces and all."""
    assert fitted("  a    b c", 10) == "  a    b c"


@pytest.mark.parametrize("columns", [30, 40, 60])
def test_a_long_line_is_broken_between_words_and_hangs(columns):
    """No row is wider than the terminal, no word is lost, and rows begin below the second column."""
    line = "  kalman      Smooth positions by a constant velocity and say how sure they are."
    rows = fitted(line, columns).split("\n")
    assert len(rows) > 1 and max(map(len, rows)) <= columns
    assert " ".join(rows).split() == line.split()
    assert all(row.startswith(" " * 14) and row[14] != " " for row in rows[1:])


def test_a_second_column_beyond_the_middle_is_not_kept():
    """Where names take more than half of the terminal, the rest hangs by four."""
    rows = fitted("  a-name-that-is-long-indeed  with words behind it", 30).split("\n")
    assert max(map(len, rows)) <= 30 and rows[1].startswith("      ") and rows[1][6] != " "


def test_commands_and_addresses_are_left_whole():
    """What people copy out of the terminal is never broken."""
    for line in ("      Type: pip install 'mrs[a]' && pip install b", "    from https://example.org/a file/with words"):
        assert fitted(line, 20) == line


def test_colours_take_no_room():
    """A styled sign counts as what is seen of it."""
    line = f"  {click.style('ok ', fg='green')} python  3.11 here"
    assert fitted(line, len(click.unstyle(line))) == line
    assert click.unstyle(fitted(line, 16)).split() == click.unstyle(line).split()
