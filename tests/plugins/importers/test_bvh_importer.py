"""The importer `bvh`."""

import numpy as np
import pytest

from mrs import Motion, plugins
from mrs.errors import InputError, UsageError
from mrs.formats import bvh
from mrs.formats.bvh_motion import to_bvh
from tests.formats.test_bvh_motion import random_motion


def importer(**options):
    """The plugin as the pipeline makes it."""
    return plugins.load().make("importer", "bvh", options)


def test_it_reads_a_motion_and_says_from_where(tmp_path):
    """The motion has the file's joints, and its history names file, plugin and options."""
    motion = random_motion()
    bvh.write(tmp_path / "a.bvh", to_bvh(motion)[0])
    again = importer().read(tmp_path / "a.bvh")
    np.testing.assert_allclose(again.joints_m, motion.joints_m, atol=1e-5)
    step = again.history[-1]
    assert step["stage"] == "importer" and step["plugin"] == "bvh" and step["path"] == str(tmp_path / "a.bvh")
    again.save(tmp_path / "a.npz")
    assert Motion.load(tmp_path / "a.npz").history == again.history


def test_a_given_unit_is_believed(tmp_path):
    """With a unit named, the size in the file counts and not what legs usually measure."""
    motion = random_motion(frames=3)
    bvh.write(tmp_path / "a.bvh", to_bvh(motion, unit="inch")[0])
    small = importer(unit="cm").read(tmp_path / "a.bvh")
    right = importer().read(tmp_path / "a.bvh")
    assert np.abs(right.joints_m - motion.joints_m).max() < 1e-5
    assert np.linalg.norm(small.joints_m[0, 4] - small.joints_m[0, 1]) < 0.7 * np.linalg.norm(
        motion.joints_m[0, 4] - motion.joints_m[0, 1]
    )


def test_broken_files_and_options_are_refused(tmp_path):
    """A missing or broken file is bad input; a wrong option is a usage error."""
    (tmp_path / "a.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    for name in ("a.bvh", "none.bvh"):
        with pytest.raises(InputError, match=name):
            importer().read(tmp_path / name)
    with pytest.raises(UsageError, match="importer.unit"):
        importer(unit="feet")
