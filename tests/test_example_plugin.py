"""examples/mrs-standing: installed as a real package, found, used and blocked through the real command."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from mrs.motion import Motion
from tests.command import FAKES, ROOT, real
from tests.videos import make_video


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Install the example offline into a folder, and return the environment that finds it."""
    source = tmp_path_factory.mktemp("source") / "mrs-standing"
    target = tmp_path_factory.mktemp("site")
    source.mkdir()
    for path in (ROOT / "examples/mrs-standing").iterdir():
        if path.is_file():
            (source / path.name).write_bytes(path.read_bytes())
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet",
                           "--disable-pip-version-check", "--target", str(target), str(source)],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": str(target)}


def test_an_installed_plugin_is_listed_with_its_version(installed):
    """MRS_LOAD_PLUGINS that names it loads it; `mrs plugins show` tells its package's version."""
    told = json.loads(real("plugins", "show", "standing", "--json", MRS_LOAD_PLUGINS="standing", **installed).out)
    assert told["broken"] == {}
    assert [(p["stage"], p["version"], p["summary"]) for p in told["plugins"]] == [
        ("lifter", "0.1", "Lift every frame to a standing person.")]


def test_an_empty_list_blocks_it(installed):
    """With MRS_LOAD_PLUGINS empty no installed plugin is loaded."""
    ended = real("plugins", "show", "standing", MRS_LOAD_PLUGINS="", **installed)
    assert ended.code == 2
    assert "Unknown plugin 'standing'" in ended.err


def test_an_installed_plugin_lifts(installed, tmp_path):
    """`mrs run --lifter standing` lets everybody stand: T-pose, feet on the ground, in every frame (all plugins are loaded)."""
    make_video(tmp_path / "clip.mp4", count=10)
    script = ("import os, runpy, sys\nos.environ.pop('MRS_LOAD_PLUGINS')\nsys.argv[0] = 'mrs'\n"
              "runpy.run_module('mrs.cli', run_name='__main__')\n")
    ended = real("run", tmp_path / "clip.mp4", "-o", tmp_path / "o", "--plugin", FAKES, "--detector", "fake", "--tracker", "fake",
                 "--lifter", "standing", "--smoother", "one-euro", "--person", "1", "--no-overlay", "--quiet",
                 launcher=("-c", script), **installed)
    assert ended.code == 0, ended.err
    motion = Motion.load(tmp_path / "o/persons/01/motion.npz")
    assert len(motion) == 10
    assert np.allclose(np.abs(motion.local_quat_wxyz[:, 1:, 0]), 1)
    assert np.allclose(motion.joints_m, motion.joints_m[:1], atol=1e-9)
    assert 0 < motion.joints_m[..., 1].min() < 0.15
    assert (tmp_path / "o/persons/01/motion.bvh").exists()
    report = json.loads((tmp_path / "o/run.json").read_text())
    assert report["stages"]["lifter"] == {"name": "standing", "version": "0.1", "options": {}}


def test_the_example_is_short():
    """The whole plugin is about 15 lines of code."""
    lines = (ROOT / "examples/mrs-standing/mrs_standing.py").read_text().splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith('"""')]
    assert len(code) <= 15


def test_the_file_alone_works_as_well(tmp_path):
    """The same file is a plugin without any installation."""
    ended = real("plugins", "show", "standing", "--plugin", ROOT / "examples/mrs-standing/mrs_standing.py")
    assert ended.code == 0
    assert "version sha256:" in ended.out
    assert os.listdir(tmp_path) == []
