"""Reading a motion from whatever file holds one."""

import numpy as np
import pytest

from mrs import plugins
from mrs.errors import InputError
from mrs.formats import bvh
from mrs.formats.bvh_motion import to_bvh
from mrs.motion import Motion
from mrs.reading import read_motion
from tests.walker import walker


def test_the_same_motion_from_npz_and_bvh(tmp_path):
    """motion.npz comes back exactly, BVH within a hundredth of a millimetre."""
    motion, _ = walker(np.arange(6) / 30)
    motion.save(tmp_path / "motion.npz")
    bvh.write(tmp_path / "motion.BVH", to_bvh(motion)[0])
    registry = plugins.load()
    assert np.array_equal(read_motion(tmp_path / "motion.npz", registry).joints_m, motion.joints_m)
    assert np.array_equal(read_motion(tmp_path, registry).joints_m, motion.joints_m)
    assert np.abs(read_motion(tmp_path / "motion.BVH", registry).joints_m - motion.joints_m).max() < 1e-5


def test_an_importer_plugin_is_asked_by_suffix(tmp_path):
    """A registered importer reads the files it says it reads."""
    class Standing:
        """Read anything as somebody who stands."""

        name = "standing"
        suffixes = (".pose",)

        def read(self, path):
            return Motion.standing(np.arange(3) / 30)

    registry = plugins.load()
    registry.entries["importer", "standing"] = plugins.Entry("importer", "standing", Standing, "test", "1")
    (tmp_path / "a.pose").write_text("")
    assert len(read_motion(tmp_path / "a.pose", registry)) == 3


def test_unknown_kinds_and_empty_folders_are_refused(tmp_path):
    """The message lists what can be read, or says that the folder holds no motion."""
    (tmp_path / "a.pdf").write_text("")
    with pytest.raises(InputError, match=r"\.bvh, \.json, \.npz"):
        read_motion(tmp_path / "a.pdf", plugins.load())
    with pytest.raises(InputError, match="there is none"):
        read_motion(tmp_path, plugins.load())
