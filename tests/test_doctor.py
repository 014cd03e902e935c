"""`mrs doctor`: each illness is seen, named, and has its command."""

import json
import shutil
import sys
from collections import namedtuple

import pytest

from mrs import data, doctor, model_cache
from tests.command import here, real


def check(checks, group, name):
    return next(c for c in checks if (c.group, c.name) == (group, name))


@pytest.fixture(scope="module")
def healthy():
    return doctor.examine()


def test_this_machine_is_healthy_as_far_as_mrs_needs_it(healthy):
    """Where the tests run, nothing is bad; every group has been looked at; what is not there has its command."""
    assert [c for c in healthy if c.state == "bad"] == []
    assert [c.group for c in healthy if c.name in ("python", "torch", "cuda", "OpenGL", "H.264", "loaded", "embedded", "SMPL", "cache")] == [
        "python", "libraries", "gpu", "graphics", "video", "plugins", "models", "bodies", "disk"]
    assert all(c.todo for c in healthy if c.state == "off") and all(c.told for c in healthy)


def test_the_real_command_and_its_json():
    """mrs doctor ends with 0 and says so; --json has the same checks."""
    ended = real("doctor", "--json")
    told = json.loads(ended.out)
    assert ended.code == 0 and told["ok"] is True and ended.err == ""
    assert {"group", "name", "state", "told", "todo"} == set(told["checks"][0])


def test_illness_is_exit_four_with_the_command(monkeypatch, capsys):
    """One bad thing: exit 4, BAD and what to type in the text, ok false in the JSON."""
    bad = [doctor.Check("libraries", "scipy", "bad", "not installed", "pip install 'scipy>=1.11'")]
    monkeypatch.setattr(doctor, "examine", lambda: bad)
    monkeypatch.setenv("NO_COLOR", "1")
    ended = here(capsys, "doctor")
    assert ended.code == 4 and "BAD scipy  not installed" in ended.out and "Type: pip install 'scipy>=1.11'" in ended.out and "1 to mend" in ended.out
    ended = here(capsys, "doctor", "--json")
    assert ended.code == 4 and json.loads(ended.out)["ok"] is False


def test_libraries_absent_old_and_broken(monkeypatch, tmp_path):
    """A library that is absent, of another version, or that does not import."""
    (tmp_path / "crumbling.py").write_text("raise ImportError('libcrumb.so: cannot open')")
    monkeypatch.syspath_prepend(str(tmp_path))
    versions = {"crumbling": "1.0", "numpy": "1.20.0"}
    monkeypatch.setattr(doctor, "requirements", lambda extra=None: [("no-such-thing", ">=2"), ("numpy", ">=1.26"), ("crumbling", "")])
    monkeypatch.setattr(doctor, "_version", versions.get)
    absent, old, broken = doctor._libraries()
    assert (absent.state, absent.todo) == ("bad", "pip install 'no-such-thing>=2'")
    assert old.told == "1.20.0, but mrs needs >=1.26" and old.todo == "pip install 'numpy>=1.26'"
    assert "libcrumb.so" in broken.told and "--force-reinstall" in broken.todo


@pytest.mark.parametrize(("version", "wanted", "good"), [
    ("2.13.0+cpu", ">=2.6,<2.14", True), ("2.14.0", ">=2.6,<2.14", False), ("2.5.1", ">=2.6,<2.14", False), ("14", ">=14", True),
    ("1.26.4", ">=1.26", True), ("1.3", "==1.3", True), ("9", "", True), ("10.0", ">=9.1", True), ("3.0", "~=2.0", True),
])
def test_versions_are_held_against_bounds(version, wanted, good):
    assert doctor._within(version, wanted) is good


def test_a_gpu_that_is_not_used(monkeypatch, tmp_path):
    """A GPU beside a torch for CPUs is told with the command; no GPU is no illness."""
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(doctor, "GPU_SIGNS", (str(tmp_path / "nvidia0"),))
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU, and it is used")
    found = next(iter(doctor._gpu()))
    assert found.state == "off" and found.todo
    monkeypatch.setattr(doctor, "GPU_SIGNS", (str(tmp_path / "none"),))
    assert next(iter(doctor._gpu())).state == "ok"


def test_opengl_is_opened_where_moderngl_is(monkeypatch):
    """Without moderngl the extra is named; with it, a context is opened or the driver named."""
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    absent = next(iter(doctor._graphics()))
    assert (absent.state, absent.todo) == ("off", "pip install 'mrs[gl]'")
    monkeypatch.undo()
    pytest.importorskip("moderngl")
    found = next(iter(doctor._graphics()))
    assert "OpenGL 3." in found.told or "OpenGL 4." in found.told or found.todo.startswith("apt install")


def test_broken_models_are_found(monkeypatch, tmp_path):
    """An embedded file that is gone and a fetched one that has changed are named with what brings them back."""
    shutil.copytree(data.place("models").parent, tmp_path / "data")
    (tmp_path / "data/body/landmarks.npz").unlink()
    monkeypatch.setattr(data.importlib.resources, "files", lambda package: tmp_path / "data")
    monkeypatch.setenv("MRS_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "net.onnx").write_bytes(b"net")
    model_cache.get(model_cache.named("rtmpose-s"), str(tmp_path / "net.onnx")).path.write_bytes(b"other")
    found = list(doctor._models())
    assert check(found, "models", "body/landmarks.npz").state == "bad"
    assert check(found, "models", "embedded").told.startswith(f"{len(data.EMBEDDED) - 1} of")
    assert check(found, "models", "rtmpose-s").todo == "mrs models get rtmpose-s --again"


def test_body_files(monkeypatch, tmp_path):
    """A folder that is none, one without bodies, and a file in it that is none."""
    monkeypatch.setenv("MRS_SMPL_DIR", str(tmp_path / "none"))
    assert check(doctor._bodies(), "bodies", "SMPL").state == "bad"
    (tmp_path / "none").mkdir()
    assert "no .npz or .pkl" in check(doctor._bodies(), "bodies", "SMPL").told


def test_a_plugin_that_does_not_load(monkeypatch):
    """Its error stands there, and a stage that lacks a module has the command that brings it."""
    monkeypatch.setenv("MRS_LOAD_PLUGINS", "mrs-absent")
    found = check(doctor._plugins(), "plugins", "mrs-absent")
    assert found.state == "bad" and "did not load" in found.told and "mrs-absent" in found.todo


def test_a_full_disk(monkeypatch):
    """Too little room is told with where to go."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(1, 1, 10_000_000))
    found = list(doctor._disk())
    assert {c.state for c in found} == {"bad"} and "MRS_CACHE_DIR" in check(found, "disk", "cache").todo


def test_a_check_that_fails_is_one_bad_line(monkeypatch):
    """Whatever a library does when it is touched, the others are still looked at."""
    monkeypatch.setitem(sys.modules, "av", None)
    found = doctor.examine()
    assert check(found, "video", "check").state == "bad" and check(found, "disk", "here")
