from dataclasses import replace

import numpy as np
import pytest

import mrs
from mrs import provenance
from mrs.motion import Motion
from mrs.world import level_camera


@pytest.mark.parametrize("other", [
    {"a": np.array([1.0, 2.5])}, {"a": np.array([1, 2])}, {"a": np.array([[1.0, 2.0]])}, {"b": np.array([1.0, 2.0])},
    {"a": np.array([1.0, 2.0]), "c": np.zeros(0)}])
def test_content_hashes_tell_apart(other):
    """Another value, type, shape, name or array gives another hash; None counts as absent."""
    own = provenance.content_hash({"a": np.array([1.0, 2.0])})
    assert provenance.content_hash(other) != own
    assert provenance.content_hash({"z": None, "a": np.array([1.0, 2.0])}) == own


def test_content_hashes_do_not_depend_on_memory_layout():
    """The same values in another layout are the same content."""
    values = np.arange(12.0).reshape(3, 4)
    assert provenance.content_hash({"a": values}) == provenance.content_hash({"a": np.asfortranarray(values)})


def test_a_motions_history_is_not_its_content_but_its_camera_is():
    """What was done to a motion does not change its hash; where it was filmed from does."""
    motion = Motion.standing(np.arange(4) / 30)
    assert provenance.motion_hash(motion) == provenance.motion_hash(motion.with_history(stage="x"))
    filmed = replace(motion, camera=level_camera((640, 480)))
    turned = replace(motion, camera=level_camera((640, 480), tilt_deg=5))
    assert len({provenance.motion_hash(m) for m in (motion, filmed, turned)}) == 3


def test_the_code_version_begins_with_the_version():
    """Results name the version of mrs; in a checkout also its sources."""
    assert provenance.code_version().startswith(mrs.__version__)


def test_the_machine_names_library_versions():
    """run.json holds versions of what results may depend on, and null for what is not installed."""
    told = provenance.machine()
    assert told["libraries"]["numpy"] == np.__version__
    assert set(told["libraries"]) == set(provenance.LIBRARIES)
