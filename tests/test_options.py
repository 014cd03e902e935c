import pytest

import mrs
from mrs import options
from mrs.errors import UsageError


class Fancy:
    """A plugin with one option of each type."""

    name = "fancy"

    class Options:
        cutoff_hz: float = mrs.option(6.0, "Cutoff.", min=0.1, max=100)
        order: int = mrs.option(2, "Order.", min=1)
        mode: str = mrs.option("fast", "Mode.", choices=("fast", "exact"))
        both_ways: bool = mrs.option(True, "Both ways.")
        stature_m: float | None = mrs.option(None, "Stature.", min=0.5)


class Bare:
    """A plugin without options."""

    name = "bare"


def test_defaults_hold_where_nothing_is_given():
    """Options that are not given have their defaults."""
    built = options.build(Fancy, {}, "smoother")
    assert (built.cutoff_hz, built.order, built.mode, built.both_ways, built.stature_m) == (6.0, 2, "fast", True, None)


@pytest.mark.parametrize("text, value", [("true", True), ("No", False), ("0", False), ("on", True)])
def test_text_becomes_true_or_false(text, value):
    """Words for true and false are understood in any case."""
    assert options.build(Fancy, {"both_ways": text}, "smoother").both_ways is value


def test_text_becomes_the_declared_type():
    """Text from the command line becomes numbers, and `none` becomes None where that is allowed."""
    built = options.build(Fancy, {"cutoff_hz": "7.5", "order": "3", "stature_m": "none"}, "smoother")
    assert (built.cutoff_hz, built.order, built.stature_m) == (7.5, 3, None)
    assert isinstance(built.order, int)


@pytest.mark.parametrize("values, words", [
    ({"cutof_hz": 3}, ["smoother.cutof_hz", "Did you mean 'smoother.cutoff_hz'?"]),
    ({"zzz": 3}, ["Known: both_ways, cutoff_hz, mode, order, stature_m"]),
    ({"cutoff_hz": "fast"}, ["smoother.cutoff_hz to be number", "'fast'"]),
    ({"cutoff_hz": 0}, ["at least 0.1", "got 0"]),
    ({"cutoff_hz": 200}, ["at most 100"]),
    ({"cutoff_hz": "nan"}, ["to be number"]),
    ({"cutoff_hz": "inf"}, ["to be number"]),
    ({"order": 2.5}, ["whole number"]),
    ({"order": True}, ["whole number"]),
    ({"mode": "slow"}, ["fast, exact", "'slow'"]),
    ({"both_ways": "maybe"}, ["true or false"]),
    ({"stature_m": 0.2}, ["at least 0.5"]),
])
def test_bad_values_are_refused_in_words(values, words):
    """An unknown option or a bad value is refused with what was expected and what came."""
    with pytest.raises(UsageError) as error:
        options.build(Fancy, values, "smoother")
    assert all(word in str(error.value) for word in words)


def test_a_plugin_without_options_refuses_all():
    """A plugin that declares none takes none, and says so."""
    with pytest.raises(UsageError, match="Known: none"):
        options.build(Bare, {"x": 1}, "lifter")


def test_description_tells_types_defaults_and_limits():
    """The description has what `mrs plugins show` prints."""
    told = {o.name: o for o in options.describe(Fancy)}
    assert (told["cutoff_hz"].type, told["cutoff_hz"].default, told["cutoff_hz"].max) == ("number", 6.0, 100)
    assert told["mode"].choices == ("fast", "exact")
    assert told["stature_m"].type == "number or none"
    assert told["order"].help == "Order."


def test_options_are_frozen():
    """A plugin can't change its options by mistake, since run.json has told them already."""
    with pytest.raises(AttributeError):
        options.build(Fancy, {}, "smoother").order = 5
