"""The exporter `bvh`."""

import pytest

from mrs import plugins
from mrs.errors import UsageError
from mrs.formats import bvh
from tests.formats.test_bvh_motion import random_motion


def exporter(**options):
    """The plugin as the pipeline makes it."""
    return plugins.load().make("exporter", "bvh", options)


def test_it_is_registered_and_writes_the_defaults(tmp_path):
    """The built-in exporter writes a file of 24 joints that reads back, and has no notes on an even motion."""
    notes = exporter().write(random_motion(), tmp_path / "motion.bvh")
    document = bvh.read(tmp_path / "motion.bvh")
    assert len(document) == 40 and len(document.names) == 24 and notes == ()


def test_options_reach_the_file(tmp_path):
    """Names, order, channels, unit, up and T-pose come from the options, as text from the command line too."""
    made = exporter(names="lafan1", order="zyx", channels="6", unit="m", up="z", tpose_first="yes")
    made.write(random_motion(), tmp_path / "a.bvh")
    document = bvh.read(tmp_path / "a.bvh")
    assert "LeftToe" in document.names and len(document) == 41
    assert document.channels[5][3:] == ("Zrotation", "Yrotation", "Xrotation")
    rest = document.rest_joints()
    assert 0.4 < rest[document.names.index("Head"), 2] < 1


@pytest.mark.parametrize(
    "options", [{"order": "zxz"}, {"names": "unity"}, {"channels": 4}, {"unit": "ft"}, {"up": "x"}, {"fps": 30}]
)
def test_wrong_options_are_refused(options):
    """Unknown options and values are usage errors that list the known ones."""
    with pytest.raises(UsageError, match="Expected exporter|Unknown option"):
        exporter(**options)


def test_the_same_motion_gives_the_same_bytes(tmp_path):
    """Two exports are equal byte for byte."""
    for name in "ab":
        exporter().write(random_motion(), tmp_path / f"{name}.bvh")
    assert (tmp_path / "a.bvh").read_bytes() == (tmp_path / "b.bvh").read_bytes()


def test_the_input_is_never_written_over(tmp_path):
    """An output path equal to the file the motion came from is refused, and the file stays as it was."""
    path = tmp_path / "a.bvh"
    exporter().write(random_motion(), path)
    before = path.read_bytes()
    motion = plugins.load().make("importer", "bvh").read(path)
    for same in (path, tmp_path / "." / "a.bvh"):
        with pytest.raises(UsageError, match="output path other than the input"):
            exporter(unit="m").write(motion, same)
    assert path.read_bytes() == before
    exporter().write(motion, tmp_path / "b.bvh")


def test_a_path_of_another_kind_is_refused(tmp_path):
    """Writing to motion.npz is refused, so that a wrong suffix never costs the motion itself."""
    path = tmp_path / "motion.npz"
    path.write_text("precious")
    with pytest.raises(UsageError, match=r"ends in \.bvh"):
        exporter().write(random_motion(), path)
    assert path.read_text() == "precious"
