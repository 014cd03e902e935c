"""The legs that a motion comes from."""

import numpy as np
import pytest

from mrs.body import load_body
from mrs.formats import bvh, bvh_import, deepmimic, legs
from mrs.formats.bvh_motion import to_bvh
from mrs.motion import Motion
from mrs.skeletons import SMPL_24
from tests.command import ROOT
from tests.walker import walker

CLIP = ROOT.parent / "shared" / "assets" / "motion" / "deepmimic" / "humanoid3d_run.txt"


@pytest.fixture(scope="module")
def walk():
    """A walk of two steps."""
    return walker(np.arange(40) / 30)[0]


def stretched(walk) -> bvh.Bvh:
    """The walk of a person of 20 % longer thighs and half as wide hips: the same turns on other offsets."""
    document = to_bvh(walk, names="mixamo")[0]
    offsets = document.offsets.copy()
    for side in ("Left", "Right"):
        offsets[document.names.index(f"mixamorig:{side}Leg")] *= 1.2
        offsets[document.names.index(f"mixamorig:{side}UpLeg")] *= [0.5, 1, 1]
    return bvh.Bvh(**{**document.__dict__, "offsets": offsets})


def test_the_bodys_own_legs_end_at_its_ankles(walk):
    """Without a note the ankles are the motion's, and the legs are alike those of a taller person of the same shape."""
    own = legs.of(walk)
    assert np.abs(own.ankles_m(walk) - walk.joints_m[:, SMPL_24.indices("left_ankle", "right_ankle")]).max() < 1e-9
    rest = load_body().rest_joints(walk.betas)
    assert own.alike(2 * rest, 2.0) and not own.alike(rest * [1.1, 1, 1], 1.0)


def test_the_files_feet_are_found_again(walk, tmp_path):
    """From a BVH of other legs: ankles are the file's at the body's size, also after the motion was saved; not once it was smoothed."""
    document = stretched(walk)
    read = bvh_import.from_bvh(document)
    theirs = document.pose()[1][:, [document.names.index(f"mixamorig:{side}Foot") for side in ("Left", "Right")]] / 100
    middle = document.pose()[1][:, [document.names.index(f"mixamorig:{side}UpLeg") for side in ("Left", "Right")]].mean(1) / 100
    read.save(tmp_path / "read.npz")
    for motion in (read, Motion.load(tmp_path / "read.npz"), read.with_history(stage="export", fps=30)):
        found = legs.of(motion)
        bones = document.offsets[[document.names.index(f"mixamorig:Left{part}") for part in ("Leg", "Foot")]] / 100
        scale = (found.thighs_m + found.shins_m).mean() / np.linalg.norm(bones, axis=1).sum()
        ankles = found.ankles_m(motion) - found.hips_middle_m(motion)[:, None]
        assert np.abs(ankles - scale * (theirs - middle[:, None])).max() < 1e-3
    own = legs.of(read.with_history(stage="smoother", plugin="sfv"))
    assert own.thighs_m == pytest.approx(legs.own(read).thighs_m)


@pytest.mark.skipif(not CLIP.is_file(), reason="needs the shared corpus")
def test_deepmimics_legs():
    """A file read by directions says DeepMimic's legs and how far it was raised; read by turns it says none."""
    found = legs.of(deepmimic.read(CLIP, limbs="directions"))
    assert found.thighs_m / found.shins_m == pytest.approx(0.421546 / 0.409870)
    assert found.hips_m[0] / found.thighs_m[0] == pytest.approx(np.array([0.084887, 0, 0]) / 0.421546, abs=1e-9)
    assert found.sole_m / found.thighs_m[0] == pytest.approx(0.05 / 0.421546)
    assert legs.of(deepmimic.read(CLIP)).raised_m == 0
