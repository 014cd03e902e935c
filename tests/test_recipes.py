"""Recipe files: what is read, what wins, what is refused."""

import pytest

from mrs.errors import InputError, UsageError
from mrs.recipes import read_values, refuse_unknown


def test_given_values_win_unless_none(tmp_path):
    """A value given beside the file replaces the file's; None leaves it."""
    (tmp_path / "a.yaml").write_text("batch: 12\nlr: 0.1\n")
    assert read_values(tmp_path / "a.yaml", {"batch": 3, "lr": None, "seed": 0}) == {"batch": 3, "lr": 0.1, "seed": 0}


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [\n", "just words\n"])
def test_a_file_without_names_is_refused(tmp_path, text):
    """Lists, broken YAML and plain words are named with their path."""
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=r"a\.yaml"):
        read_values(tmp_path / "a.yaml", {})


def test_unknown_names_are_refused_with_the_nearest():
    """A misspelt key says which was meant and where it stands."""
    refuse_unknown({"batch": 1}, {"batch", "seed"}, "")
    with pytest.raises(UsageError, match=r"Unknown key 'bach' in x\.yaml\. Did you mean 'batch'\? Known: batch, seed\."):
        refuse_unknown({"bach": 1}, {"batch", "seed"}, "in x.yaml")
