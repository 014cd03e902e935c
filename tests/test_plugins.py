import textwrap

import pytest

from mrs import plugins
from mrs.errors import MissingError, UsageError

GOOD = """
import mrs

class Good:
    \"\"\"A lifter that works.

    More text that a list does not show.
    \"\"\"
    name = "good"
    def lift(self, video, track):
        return None

@mrs.hookimpl
def register_lifters(register):
    register(Good)
"""


def lifter(body: str = "", name: str = "name = 'odd'", verb: str = "def lift(self, video, track): ...") -> str:
    """The source of a plugin with one lifter."""
    lines = [name, verb, *body.splitlines()]
    return "import mrs\nclass Odd:\n" + textwrap.indent("\n".join(x for x in lines if x) or "pass", "    ") + (
        "\n@mrs.hookimpl\ndef register_lifters(register):\n    register(Odd)\n")


BROKEN = {
    "does not import": ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    "raises": ("raise RuntimeError('first line\\nsecond line')", "RuntimeError: first line"),
    "does not parse": ("def broken(:", "SyntaxError"),
    "exits at import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "exits in its hook": ("import mrs, sys\n@mrs.hookimpl\ndef register_lifters(register): sys.exit(4)", "SystemExit: 4"),
    "has a hook with another argument": (
        "import mrs\n@mrs.hookimpl\ndef register_lifters(registrar): ...", "registrar"),
    "has a hook of an unknown stage": (
        "import mrs\n@mrs.hookimpl\ndef register_liftrs(register): ...", "Did you mean 'register_lifters'?"),
    "registers nothing": ("x = 1", "it registers nothing: write @mrs.hookimpl"),
    "has no name": (lifter(name=""), "Expected Odd.name to be text, but got None"),
    "has no verb": (lifter(verb=""), "method lift(video, track), but it has none"),
    "has another signature": (
        lifter(verb="def lift(self, clip): ..."), "Expected Odd.lift(self, video, track), but got lift(self, clip)"),
    "wants arguments": (lifter("def __init__(self, size): ..."), "Expected Odd() to work without arguments"),
    "fails when made": (lifter("def __init__(self): raise OSError('no weights')"), "no weights"),
    "is not a class": ("import mrs\n@mrs.hookimpl\ndef register_lifters(register): register(3)", "Expected a class"),
    "takes a name that is taken": (lifter(name="name = 'good'"), "Expected another name than 'good'"),
    "takes a built-in's name": (lifter(name="name = 'blazepose3d'"), "already registered that lifter"),
}


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good_plugin.py"
    path.write_text(GOOD)
    return str(path)


def write(tmp_path, source: str) -> str:
    path = tmp_path / "odd_plugin.py"
    path.write_text(source)
    return str(path)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_named_and_the_rest_goes_on(tmp_path, good, case):
    """A plugin that does not fit is kept with its error in one line; those before and after it load."""
    source, words = BROKEN[case]
    path = write(tmp_path, source)
    after = tmp_path / "after.py"
    after.write_text(GOOD.replace('"good"', '"after"'))
    registry = plugins.load((good, path, str(after)))
    ours = {origin: error for origin, error in registry.broken.items() if origin.startswith(path)}
    assert len(ours) == 1
    assert words in next(iter(ours.values()))
    assert "\n" not in next(iter(ours.values()))
    assert {"good", "after"} <= set(registry.names("lifter"))
    assert "odd" not in registry.names("lifter")


def test_ctrl_c_while_a_plugin_loads_is_not_swallowed(tmp_path):
    """A Ctrl-C during a plugin's import ends the command."""
    with pytest.raises(KeyboardInterrupt):
        plugins.load((write(tmp_path, "raise KeyboardInterrupt"),))


def test_a_good_class_beside_a_broken_one_stays(tmp_path):
    """One broken class does not take its neighbour along."""
    source = GOOD.replace("    register(Good)", "    register(3)\n    register(Good)")
    registry = plugins.load((write(tmp_path, source),))
    assert "good" in registry.names("lifter")
    assert any("Expected a class" in error for error in registry.broken.values())


def test_an_unknown_name_is_refused_with_the_nearest_and_with_what_did_not_load(tmp_path, good):
    """A mistyped name gets the nearest one, and the plugins that might have had it."""
    registry = plugins.load((good, write(tmp_path, "import no_such_module_at_all")))
    with pytest.raises(UsageError) as error:
        registry.get("lifter", "goood")
    assert "Did you mean 'good'?" in str(error.value)
    assert "no_such_module_at_all" in str(error.value)


def test_a_made_plugin_has_options_seed_and_device(good):
    """A plugin is made without arguments; options, seed and device are set on it."""
    made = plugins.load((good,)).make("lifter", "good", {}, seed=7, device="cpu")
    assert (made.seed, made.device) == (7, "cpu")
    with pytest.raises(UsageError, match="Unknown option 'lifter.x' of good"):
        plugins.load((good,)).make("lifter", "good", {"x": 1})


def test_an_option_of_another_plugin_is_said_with_its_owner():
    """Whoever gives a checkpoint to the wrong lifter is told the right one; a source that is missing is asked for with names as they are written."""
    registry = plugins.load()
    with pytest.raises(UsageError, match="'lifter.checkpoint' of hmr: it belongs to hmr-image. Type: --lifter hmr-image"):
        registry.make("lifter", "hmr", {"checkpoint": "x.pt"})
    with pytest.raises(UsageError, match=r"--lifter wham:FILE, to read WHAM's wham_output\.pkl \(Shin"):
        registry.resolve("lifter", "wham")


def test_missing_needs_name_the_command(tmp_path):
    """A plugin whose modules are absent loads, and says how to install them when it is asked for."""
    needs = lifter("needs = ('no_such_module_at_all', 'json')\nextra = 'odd'")
    registry = plugins.load((write(tmp_path, needs),))
    assert "odd" in registry.names("lifter")
    with pytest.raises(MissingError, match=r"needs no_such_module_at_all, .* Type: pip install 'mrs\[odd\]'"):
        registry.make("lifter", "odd")


def test_a_missing_file_is_named(tmp_path):
    """`--plugin` with a path that does not exist says so."""
    registry = plugins.load((str(tmp_path / "nowhere.py"),))
    assert "there is none" in next(iter(registry.broken.values()))


def test_a_files_version_is_its_content(tmp_path):
    """Changing a file plugin changes its version, so that results made with the old one are not reused."""
    first = plugins.load((write(tmp_path, GOOD),)).get("lifter", "good").version
    second = plugins.load((write(tmp_path, GOOD + "\n# changed"),)).get("lifter", "good").version
    assert first.startswith("sha256:")
    assert first != second


def test_unknown_names_in_the_environment_are_named(monkeypatch):
    """MRS_LOAD_PLUGINS with a name that nobody offers is not silent."""
    monkeypatch.setenv("MRS_LOAD_PLUGINS", "nobody-offers-this")
    assert "no installed package offers it" in plugins.load().broken["nobody-offers-this"]


def test_the_shipped_plugins_all_load():
    """Every built-in loads, and each stage of the default path has one."""
    registry = plugins.load()
    assert registry.broken == {}
    for stage, name in (("detector", "blazepose"), ("tracker", "oks"), ("lifter", "blazepose3d"), ("smoother", "sfv"),
                        ("renderer", "overlay"), ("exporter", "bvh"), ("importer", "bvh")):
        assert name in registry.names(stage)
