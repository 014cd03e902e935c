"""`mrs plugins`."""

import json

import pytest

from mrs import stages
from tests.command import FAKES, here

ODD = """
import mrs

class Odd:
    \"\"\"Wants what is not there.\"\"\"
    name = "bvh"
    needs = ("no_such_module_at_all", "json")
    extra = "odd"
    class Options:
        speed: float = mrs.option(1.5, "How fast.", min=0, max=9)
        way: str = mrs.option("left", "Which way.", choices=("left", "right"))
        both: bool = mrs.option(False, "Both ways.")
        size_m: float | None = mrs.option(None, "Size, where known.")
    def lift(self, video, track): ...

@mrs.hookimpl
def register_lifters(register):
    register(Odd)
"""


@pytest.fixture
def odd(tmp_path):
    path = tmp_path / "odd.py"
    path.write_text(ODD)
    return path


@pytest.mark.parametrize("arguments", [["plugins"], ["plugins", "list"]])
def test_the_list_has_every_stage_and_name_with_one_line(capsys, arguments):
    """The list names each plugin under its stage with the first line of its docstring, and ends in exit 0."""
    ended = here(capsys, *arguments)
    assert ended.code == 0
    assert "detectors\n  blazepose" in ended.out
    for name in ("oks", "blazepose3d", "sfv", "one-euro", "butterworth", "savgol", "overlay", "bvh"):
        assert f"  {name} " in ended.out
    assert ended.err == ""


def test_a_plugin_with_missing_needs_shows_the_command(capsys, odd):
    """What a plugin still needs is listed with the command that installs it."""
    out = here(capsys, "plugins", "--plugin", odd).out
    assert "needs no_such_module_at_all. Type: pip install 'mrs[odd]'" in out


def test_broken_plugins_are_listed_with_their_errors(capsys, tmp_path):
    """A plugin that does not load is named with its error; the others are listed, and the exit code is 0."""
    (tmp_path / "broken.py").write_text("import no_such_module_at_all")
    ended = here(capsys, "plugins", "--plugin", tmp_path / "broken.py", "--plugin", FAKES)
    assert ended.code == 0
    assert f"did not load\n  {tmp_path / 'broken.py'}: ModuleNotFoundError: No module named 'no_such" in ended.out
    assert "  forgetful " in ended.out


def test_show_has_options_with_types_defaults_and_choices(capsys, odd):
    """`show` prints what `--set` takes; a name that several stages have is shown for each."""
    out = here(capsys, "plugins", "show", "bvh", "--plugin", odd).out
    assert "lifter.speed = 1.5  (number; at least 0; at most 9)\n      How fast." in out
    assert "lifter.way = left  (text; one of left, right)" in out
    assert "lifter.both = false  (true or false)" in out
    assert "lifter.size_m = none  (number or none)" in out
    assert all(f"{stage} bvh\n" in out for stage in ("lifter", "exporter", "importer"))


def test_json_has_the_same(capsys, odd, tmp_path):
    """--json has stage, name, summary, version, options and what is missing, and the broken ones."""
    (tmp_path / "broken.py").write_text("1/0")
    told = json.loads(here(capsys, "plugins", "--json", "--plugin", odd, "--plugin", tmp_path / "broken.py").out)
    by_stage = {(p["stage"], p["name"]): p for p in told["plugins"]}
    lifter = by_stage["lifter", "bvh"]
    assert (lifter["missing"], lifter["install"]) == (["no_such_module_at_all"], "pip install 'mrs[odd]'")
    assert lifter["options"][1] == {"name": "way", "type": "text", "default": "left", "help": "Which way.",
                                    "choices": ["left", "right"], "min": None, "max": None}
    assert {stage for stage, _ in by_stage} <= set(stages.STAGES)
    assert list(told["broken"].values()) == ["ZeroDivisionError: division by zero"]
    shown = json.loads(here(capsys, "plugins", "show", "sfv", "--json").out)
    assert [p["name"] for p in shown["plugins"]] == ["sfv"]


@pytest.mark.parametrize("arguments, words", [
    (["show"], "mrs plugins show NAME"), (["show", "blazpose"], "Did you mean 'blazepose'?"),
    (["list", "sfv"], "mrs plugins show sfv"), (["shwo"], "'shwo'")])
def test_wrong_usage_is_exit_two(capsys, arguments, words):
    """A mistyped action or name ends in exit 2 with what to type."""
    ended = here(capsys, "plugins", *arguments)
    assert ended.code == 2
    assert words in ended.err


def test_every_shipped_option_has_help_and_every_plugin_a_line(capsys):
    """No shipped plugin and none of its options is without a description."""
    for plugin in json.loads(here(capsys, "plugins", "--json").out)["plugins"]:
        assert plugin["summary"].endswith(".")
        assert all(option["help"].endswith(".") for option in plugin["options"]), plugin["name"]
