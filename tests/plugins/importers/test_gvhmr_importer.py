"""The importer `gvhmr`: GVHMR's own world without its video."""

import numpy as np
import pytest
import torch

from mrs import plugins, rotations
from mrs.errors import InputError
from mrs.formats.lifts import REST_PELVIS_M
from mrs.motion import Motion
from tests.command import here
from tests.formats.lifts import files
from tests.walker import walker

TIMES_S = np.arange(40) / 30


@pytest.fixture
def result(tmp_path):
    """A walker as GVHMR's world has it, half a metre above its floor, and the truth."""
    truth, _ = walker(TIMES_S)
    local = rotations.quat_to_matrix(truth.local_quat_wxyz)
    params = {"global_orient": torch.as_tensor(files.axis_angle(local)[:, :3]), "body_pose": torch.as_tensor(files.axis_angle(local)[:, 3:66]),
              "betas": torch.zeros(len(truth), 10), "transl": torch.as_tensor(truth.root_pos_m - REST_PELVIS_M["SMPL-X"] + [0, 0.5, 0])}
    torch.save({"smpl_params_global": params, "smpl_params_incam": {}}, tmp_path / "hmr4d_results.pt")
    return tmp_path / "hmr4d_results.pt", truth


def test_the_walker_walks_on_the_ground(result):
    """Path and turns as in the file; the lowest soles at zero; 30 frames a second unless told."""
    path, truth = result
    motion = plugins.load().make("importer", "gvhmr", {"stature_m": 1.8202}).read(path)
    assert np.degrees(rotations.geodesic_angle(motion.local_quat_wxyz, truth.local_quat_wxyz))[:, :22].max() < 0.01
    np.testing.assert_allclose(motion.root_pos_m[:, [0, 2]], truth.root_pos_m[:, [0, 2]], atol=1e-6)
    np.testing.assert_allclose(motion.root_pos_m[:, 1], truth.root_pos_m[:, 1], atol=0.02)
    np.testing.assert_allclose(motion.times_s, TIMES_S)
    assert motion.frame == "world" and motion.history[-1]["plugin"] == "gvhmr"
    fast = plugins.load().make("importer", "gvhmr", {"fps": 60.0}).read(path)
    assert fast.fps == pytest.approx(60)


def test_it_is_exported_and_smoothed_without_a_video(result, tmp_path, capsys):
    path, _ = result
    ended = here(capsys, "export", path, "--to", "bvh", "-o", tmp_path / "a.bvh")
    assert ended.code == 0 and (tmp_path / "a.bvh").is_file(), ended.err
    ended = here(capsys, "smooth", path, "-o", tmp_path / "b.npz", "--quiet", "--smoother", "butterworth")
    assert ended.code == 0, ended.err
    assert len(Motion.load(tmp_path / "b.npz")) == 40


def test_other_files_of_torch_are_refused_in_a_line(tmp_path):
    torch.save({"model": torch.zeros(3)}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="smpl_params_global") as refused:
        plugins.load().make("importer", "gvhmr").read(tmp_path / "x.pt")
    assert "\n" not in str(refused.value)
