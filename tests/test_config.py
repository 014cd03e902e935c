from pathlib import Path

import pytest

from mrs.config import Run, read, settings
from mrs.errors import InputError, UsageError
from mrs.options import describe

VIDEO = Path("clip.mp4")


def config(tmp_path, text: str) -> Path:
    path = tmp_path / "mrs.yaml"
    path.write_text(text)
    return path


def test_flag_over_environment_over_file_over_default(tmp_path, monkeypatch):
    """Each source wins over those after it: flag, environment, file, default."""
    path = config(tmp_path, "device: cpu\nfov: 60\nseed: 4\n")
    monkeypatch.delenv("MRS_DEVICE", raising=False)
    assert settings(VIDEO, {}, config=path).values.device == "cpu"
    monkeypatch.setenv("MRS_DEVICE", "cuda")
    assert settings(VIDEO, {}, config=path).values.device == "cuda"
    made = settings(VIDEO, {"device": "auto", "fov": 70.0, "seed": None}, config=path)
    assert (made.values.device, made.values.fov, made.values.seed, made.values.camera_tilt) == ("auto", 70.0, 4, None)


def test_options_of_a_stage_from_file_and_set(tmp_path):
    """A mapping holds a stage's options and maybe its name; --set wins over it, option by option."""
    path = config(tmp_path, "detector: {name: other, score_threshold: 0.3, model: heavy}\nlifter: simple\n"
                            "synth: {strength: 2}\n")
    made = settings(VIDEO, {}, config=path, sets=("detector.score_threshold=0.4", "synth.other=a=b"))
    assert (made.values.detector, made.values.lifter, made.values.synth) == ("other", "simple", None)
    assert made.stage_options == {"detector": {"score_threshold": "0.4", "model": "heavy"},
                                  "synthesizer": {"strength": 2, "other": "a=b"}}


def test_options_in_the_file_are_of_the_files_plugin(tmp_path):
    """Where a flag names another plugin than the file, the file's options for it do not apply."""
    path = config(tmp_path, "detector: {name: other, model: heavy}\n")
    assert settings(VIDEO, {"detector": "blazepose"}, config=path).stage_options == {}
    assert settings(VIDEO, {"detector": "other"}, config=path).stage_options == {"detector": {"model": "heavy"}}


def test_exports_are_a_list_or_text_and_bvh_is_always_there(tmp_path):
    """`export` takes a YAML list or names with commas; bvh comes first and once."""
    assert settings(VIDEO, {}, config=config(tmp_path, "export: [trc, bvh, amass]")).exporters == ("bvh", "trc", "amass")
    assert settings(VIDEO, {"export": "trc, gltf"}).exporters == ("bvh", "trc", "gltf")


def test_a_plugin_beside_the_file_is_found(tmp_path):
    """A plugin's path may be relative to the config file; module names stay as they are."""
    (tmp_path / "mine.py").write_text("")
    _, _, found = read(config(tmp_path, "plugin: [mine.py, some.module]"))
    assert found == (str(tmp_path / "mine.py"), "some.module")


@pytest.mark.parametrize("text, words", [
    ("detectr: blazepose", ["key 'detectr'", "mrs.yaml", "Did you mean 'detector'?"]),
    ("detectr: {x: 1}", ["stage 'detectr'", "Did you mean 'detector'?"]),
    ("fov: wide", ["mrs.yaml", "fov to be number", "'wide'"]),
    ("fov: 400", ["at most 175"]),
    ("device: gpu", ["auto, cpu, cuda", "'gpu'"]),
    ("seed: 1.5", ["whole number"]),
    ("overlay: perhaps", ["true or false"]),
    ("person: larges", ["largest", "Did you mean 'largest'?"]),
])
def test_bad_keys_and_values_are_refused_in_words(tmp_path, text, words):
    """A mistake in the file is refused with the file's name, what was expected, and the nearest name."""
    with pytest.raises(UsageError) as error:
        settings(VIDEO, {}, config=config(tmp_path, text))
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize("text, words", [
    ("a: [1", "line"), ("- just\n- a list", "'key: value' lines"), ("\x00", "can't be read"),
    ("!!python/object/apply:os.system [echo]", "can't be read")])
def test_a_file_that_is_not_yaml_is_bad_input(tmp_path, text, words):
    """A file that can't be read is bad input, in one line, and no YAML tag runs code."""
    with pytest.raises(InputError) as error:
        read(config(tmp_path, text))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_bad_input(tmp_path):
    """--config with a path that does not exist says so."""
    with pytest.raises(InputError, match="there is none"):
        read(tmp_path / "nowhere.yaml")


def test_an_empty_file_changes_nothing(tmp_path):
    """An empty file, or one of comments, is fine."""
    assert settings(VIDEO, {}, config=config(tmp_path, "# nothing\n")).values == settings(VIDEO, {}).values


@pytest.mark.parametrize("text, words", [
    ("detector", "Expected --set STAGE.OPTION=VALUE"), ("detector=3", "Expected --set"), ("detector.=3", "Expected --set"),
    ("detecter.x=3", "Did you mean 'detector'?"), ("importer.x=3", "Unknown stage 'importer'")])
def test_bad_set_is_refused(text, words):
    """--set of another form, or of an unknown stage, is refused with an example or the nearest stage."""
    with pytest.raises(UsageError) as error:
        settings(VIDEO, {}, sets=(text,))
    assert words in str(error.value)


def test_bad_device_in_the_environment_names_the_variable(monkeypatch):
    """A wrong MRS_DEVICE is not blamed on the command line."""
    monkeypatch.setenv("MRS_DEVICE", "tpu")
    with pytest.raises(UsageError, match="MRS_DEVICE.*device to be one of"):
        settings(VIDEO, {})


def test_every_value_has_help():
    """What flags and the file share is described once, and completely."""
    assert all(info.help.endswith(".") for info in describe(Run))
