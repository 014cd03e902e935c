"""`mrs convert`."""

import pytest

from tests.command import here

DOUBLE = """
import mrs

class Double:
    \"\"\"Write a file twice.\"\"\"
    name = "double"
    class Options:
        times: int = mrs.option(2, "How often.", min=1)
    def convert(self, inputs, out):
        out.write_text(open(inputs[0]).read() * self.options.times)
        return [f"{self.options.times} times"]

@mrs.hookimpl
def register_converters(register):
    register(Double)
"""


@pytest.fixture
def double(tmp_path):
    (tmp_path / "double.py").write_text(DOUBLE)
    (tmp_path / "a.txt").write_text("a")
    return tmp_path


def test_a_converter_of_a_plugin_runs(capsys, double):
    """The path is printed, the notes are on stderr, options are those of the plugin."""
    ended = here(capsys, "convert", "double", double / "a.txt", double / "b.txt", "--plugin", double / "double.py",
                 "--set", "times=3")
    assert (ended.code, ended.out.strip(), ended.err) == (0, str(double / "b.txt"), "Note: 3 times\n")
    assert (double / "b.txt").read_text() == "aaa"


def test_refusals(capsys, double):
    """An unknown converter and a --set without a value are told in one line."""
    for arguments in (["convert", "nothing", "a", "b"],
                      ["convert", "double", "a", "b", "--plugin", double / "double.py", "--set", "times"]):
        ended = here(capsys, *arguments)
        assert ended.code == 2 and ended.err.count("\n") == 1
