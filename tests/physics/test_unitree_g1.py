"""Unitree's own G1, from the model that PyPI's mjlab carries: our table is the model's, and a walk is carried over to it.

    pip install --no-deps mjlab
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from mrs import npz, plugins
from mrs.formats import g1
from tests.command import here
from tests.formats.known_pose import wandering
from tests.walker import walker

mujoco = pytest.importorskip("mujoco")


@pytest.fixture(scope="module")
def path():
    """The MJCF with its meshes, where mjlab is installed; nothing of it is imported."""
    found = importlib.util.find_spec("mjlab")
    if found is None or found.origin is None:
        pytest.skip("needs the model in mjlab: pip install --no-deps mjlab")
    file = Path(found.origin).parent / "asset_zoo/robots/unitree_g1/xmls/g1.xml"
    if not file.is_file():
        pytest.skip(f"this mjlab has no {file}")
    return file


@pytest.fixture(scope="module")
def model(path):
    """MuJoCo's model."""
    return mujoco.MjModel.from_xml_path(str(path))


def test_our_table_is_the_models(model):
    """Joints and links by name and order; our ranges lie within its."""
    assert [model.joint(j).name for j in range(1, model.njnt)] == list(g1.JOINTS)
    assert [model.body(b).name for b in range(1, model.nbody)] == list(g1.LINKS)
    low, high = model.jnt_range[1:].T
    assert (g1.RANGES_RAD[:, 0] >= low - 1e-3).all() and (g1.RANGES_RAD[:, 1] <= high + 1e-3).all()


def test_mjlabs_file_is_what_the_model_does(model, tmp_path):
    """Of the npz for mjlab: MuJoCo puts every link, by the joint angles, where the file has it, to a tenth of a millimetre."""
    plugins.load().make("exporter", "mjlab", {}).write(wandering(20, fps=50), tmp_path / "a.npz")
    data = mujoco.MjData(model)
    with np.load(tmp_path / "a.npz") as file:
        for row in range(0, len(file["joint_pos"]), 5):
            data.qpos[:] = np.r_[file["body_pos_w"][row, 0], file["body_quat_w"][row, 0], file["joint_pos"][row]]
            mujoco.mj_kinematics(model, data)
            np.testing.assert_allclose(data.xpos[1:], file["body_pos_w"][row], atol=1e-4)
            np.testing.assert_allclose(np.abs((data.xquat[1:] * file["body_quat_w"][row]).sum(-1)), 1, atol=1e-6)


def test_a_walk_is_carried_over(path, model, tmp_path, capsys):
    """`mrs retarget`: all 29 joints by name, ankles within millimetres, feet above the floor, joints within their ranges."""
    pytest.importorskip("mink")
    walker(np.arange(12) / 30)[0].save(tmp_path / "walk.npz")
    ended = here(capsys, "retarget", tmp_path / "walk.npz", "--to", path, "-o", tmp_path / "robot", "-q", "--json")
    assert ended.code == 0, ended.err
    facts = json.loads(ended.out)
    assert max(facts["error_mm"][f"{side}_ankle"]["largest"] for side in ("left", "right")) < 5
    arrays, meta = npz.load(tmp_path / "robot.npz", "retargeted")
    assert meta["joint_names"][1:] == list(g1.JOINTS)
    low, high = model.jnt_range[1:].T
    assert (arrays["qpos"][:, 7:] >= low - 1e-6).all() and (arrays["qpos"][:, 7:] <= high + 1e-6).all()
    data = mujoco.MjData(model)
    for state in arrays["qpos"]:
        data.qpos[:] = state
        mujoco.mj_kinematics(model, data)
        assert data.xpos[1:, 2].min() > 0.02
