"""`mrs config`: every setting with its origin."""

import json

import pytest

from mrs import config
from tests.command import FAKES, here


@pytest.fixture
def user_file(tmp_path, monkeypatch):
    """A settings file of the user's."""
    path = tmp_path / "user" / "mrs" / "config.yaml"
    path.parent.mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    return path


def origins(capsys, *arguments) -> dict[str, tuple]:
    told = json.loads(here(capsys, "config", "show", "--json", *arguments).out)
    return {row["name"]: (row["value"], row["origin"]) for row in told["settings"]}


def test_each_value_has_the_origin_that_won(tmp_path, capsys, monkeypatch, user_file):
    """Default, the user's file, --config, environment and flag, each over the one before."""
    user_file.write_text("fov: 50\nseed: 1\nperson: largest\nsmoother: {iterations: 7, foot_lock: never}\n")
    named = tmp_path / "named.yaml"
    named.write_text("seed: 2\ndevice: cpu\n")
    monkeypatch.setenv("MRS_DEVICE", "auto")
    found = origins(capsys, "--config", named, "--person", "all", "--set", "smoother.iterations=9")
    assert found["tracker"] == ("auto", "default")
    assert found["fov"] == (50.0, f"file {user_file}")
    assert found["seed"] == (2, f"file {named}")
    assert found["device"] == ("auto", "environment MRS_DEVICE")
    assert found["person"] == ("all", "flag --person")
    assert found["smoother.iterations"] == ("9", "flag --set")
    assert found["smoother.foot_lock"] == ("never", f"file {user_file}")


def test_short_flags_say_where_an_option_came_from(capsys):
    """--foot-lock is told at the option it sets; --set wins over it."""
    assert origins(capsys, "--foot-lock", "never")["smoother.foot_lock"] == ("never", "flag --foot-lock")
    assert origins(capsys, "--foot-lock", "never", "--set", "smoother.foot_lock=ground")["smoother.foot_lock"] == ("ground", "flag --set")


def test_another_plugin_drops_the_files_options(capsys, user_file):
    """Options in a file belong to the plugin named there."""
    user_file.write_text("detector: {name: rtmpose, min_score: 0.5}\n")
    assert origins(capsys)["detector.min_score"] == (0.5, f"file {user_file}")
    assert "detector.min_score" not in origins(capsys, "--detector", "blazepose")


def test_all_shows_what_the_chosen_plugins_take(capsys):
    """--all lists their options at the default, also of a plugin from a file."""
    found = origins(capsys, "--all", "--plugin", FAKES, "--detector", "fake", "--smoother", "fake")
    assert found["detector.step_px"] == (1.0, "default")
    assert found["smoother.strength"] == (0.5, "default")
    assert any(name.startswith("lifter.") for name in found)


def test_the_users_file_reaches_a_run_and_can_be_turned_off(user_file, monkeypatch):
    """settings() reads it; MRS_CONFIG names another, or none when empty."""
    user_file.write_text("fov: 50\n")
    assert config.settings("clip.mp4", {}).values.fov == 50
    monkeypatch.setenv("MRS_CONFIG", "")
    assert config.settings("clip.mp4", {}).values.fov is None
    other = user_file.with_name("other.yaml")
    other.write_text("fov: 40\n")
    monkeypatch.setenv("MRS_CONFIG", str(other))
    assert config.settings("clip.mp4", {}).values.fov == 40


def test_a_mistake_in_the_users_file_names_the_file(user_file, capsys):
    """An unknown key ends in exit 2 with the path and the nearest name."""
    user_file.write_text("fvo: 50\n")
    ended = here(capsys, "config", "show")
    assert ended.code == 2
    assert str(user_file) in ended.err and "Did you mean 'fov'?" in ended.err


def test_path_says_where_to_write_it(user_file, capsys):
    """`mrs config path` is the place, whether there is a file or not."""
    assert here(capsys, "config", "path").out.strip() == str(user_file)
