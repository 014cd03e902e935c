"""Files of SMPL, SMPL-H and SMPL-X as bodies of 24 joints: joints, mesh, landmarks, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from mrs import rotations
from mrs.body import load_body, smplx_files
from mrs.body.torch_body import TorchBody
from mrs.errors import InputError, MissingError, UsageError
from mrs.skeletons import BLAZEPOSE_33, COCO_17, SMPL_PARENTS
from tests.body import model_files
from tests.body.poses import random_quats

FILES = {"SMPL.npz": {}, "SMPL.pkl": {}, "SMPLH.npz": {"joints": 52, "shapes": 16}, "SMPLX.npz": {"joints": 55, "shapes": 20}}
BETAS = np.random.default_rng(3).normal(size=10) / 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module", params=FILES)
def model(request, folder):
    """A body of each kind, and the file's own arrays."""
    kind = FILES[request.param] | {"bend": 0.003}
    path = model_files.write(folder / request.param, **kind)
    return load_body(f"smplx:{path}"), model_files.arrays(**kind)


def motion_of(body, frames=3):
    rng = np.random.default_rng(5)
    return body.motion(np.arange(frames) / 30, rng.normal(size=(frames, 3)), random_quats(frames, 2), BETAS)


def by_hand(held, motion):
    """The published model, joint by joint with 4 x 4 matrices, all its joints (those beyond 22 at rest): joints, vertices."""
    joints = held["weights"].shape[1]
    rest = held["v_template"] + held["shapedirs"][..., :10] @ motion.betas
    places, parents = held["J_regressor"] @ rest, held["kintree_table"][0].astype(np.int64)
    out_j, out_v = [], []
    for root, quats in zip(motion.root_pos_m, motion.local_quat_wxyz, strict=True):
        local = np.tile(np.eye(3), (joints, 1, 1))
        local[: min(joints, 24)][:22] = rotations.quat_to_matrix(quats)[:22]
        if joints == 24:
            local = rotations.quat_to_matrix(quats)
        bent = rest + held["posedirs"] @ (local[1:] - np.eye(3)).reshape(-1)
        placed = []
        for j in range(joints):
            step = np.eye(4)
            step[:3, :3], step[:3, 3] = local[j], root if j == 0 else places[j] - places[parents[j]]
            placed.append(step if j == 0 else placed[parents[j]] @ step)
        moved = np.stack([p @ np.block([[np.eye(3), -places[j][:, None]], [np.zeros((1, 3)), 1]]) for j, p in enumerate(placed)])
        blended = np.einsum("vj,jab->vab", held["weights"], moved)
        out_v.append(np.einsum("vab,vb->va", blended, np.c_[bent, np.ones(len(bent))])[:, :3])
        out_j.append(np.stack([p[:3, 3] for p in placed]))
    return np.array(out_j), np.array(out_v)


def test_joints_and_mesh_are_those_of_the_published_model(model):
    """To a micrometre, blend shapes of the pose included, whatever number of joints the file has."""
    body, held = model
    motion = motion_of(body)
    hands = model_files.MIDDLE.get(held["weights"].shape[1], (22, 23))
    motion.local_quat_wxyz[:, 22:] = [1, 0, 0, 0]
    motion = body.motion(motion.times_s, motion.root_pos_m, motion.local_quat_wxyz, BETAS)
    joints, vertices = by_hand(held, motion)
    np.testing.assert_allclose(motion.joints_m, joints[:, [*range(22), *hands]], atol=1e-6)
    np.testing.assert_allclose(body.vertices(motion), vertices, atol=1e-6)
    np.testing.assert_allclose(body.vertices(motion, slice(1, 2)), vertices[1:2], atol=1e-6)


def test_landmarks_are_where_the_embedded_body_has_them(model):
    """The mesh is the embedded body's, so that its landmarks are known: 3 mm off in the mean, 2 cm at most."""
    body, _ = model
    own = load_body()
    for keypoints in (COCO_17, BLAZEPOSE_33):
        ours, theirs = (b.motion(np.zeros(3), motion_of(b).root_pos_m, motion_of(b).local_quat_wxyz, np.zeros(10)) for b in (own, body))
        off = np.linalg.norm(body.keypoints(theirs, keypoints) - own.keypoints(ours, keypoints), axis=-1)
        assert off.mean() < 0.004 and off.max() < 0.02, (keypoints.name, off.max(0).round(3))


def test_landmarks_on_the_skin_move_as_it_does(model):
    """Each is the mean of its vertices under linear blend skinning, in NumPy and in torch."""
    body, _ = model
    import torch

    from mrs.body import landmark_fit

    motion = motion_of(body)
    flat = replace(body, posed_m=body.posed_m * 0)
    rows = landmark_fit.skin_rows(body.template_m, body.weights, body.rest_m)
    names = tuple(rows)
    assert len(names) > 20
    wanted = np.einsum("lv,tvc->tlc", np.stack(list(rows.values())), flat.vertices(motion))
    turned = body.global_rotations(motion.local_quat_wxyz)
    np.testing.assert_allclose(body.landmarks(motion.joints_m, turned, names, BETAS), wanted, atol=1e-6)
    torched = TorchBody(body, names, dtype=torch.float64)
    found = torched.keypoints(torch.as_tensor(motion.joints_m), torch.as_tensor(turned), torch.as_tensor(BETAS))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(torched.joints(torch.as_tensor(motion.root_pos_m), torch.as_tensor(turned), torch.as_tensor(BETAS)),
                               motion.joints_m, atol=1e-9)


def test_soles_are_on_the_ground_when_the_mesh_is(model):
    body, _ = model
    from mrs.world.ground import sole_points

    quats = np.zeros((1, 24, 4))
    quats[..., 0] = 1
    standing = body.motion(np.zeros(1), np.zeros((1, 3)), quats, np.zeros(10), grounded=True)
    assert np.abs(sole_points(standing)[..., 1]).max() < 0.015


def test_the_smplx_package_poses_the_same_file_alike(tmp_path):
    """An independent reading of the layout: smplx's own code, where it is installed."""
    smplx = pytest.importorskip("smplx")
    import torch

    path = model_files.write(tmp_path / "SMPL_NEUTRAL.npz", bend=0.003)
    held = model_files.arrays(bend=0.003)
    body = load_body(f"smplx:{path}")
    ids = dict.fromkeys(("nose", "reye", "leye", "rear", "lear", "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
                         *(f"{s}{f}" for s in "lr" for f in ("thumb", "index", "middle", "ring", "pinky"))), 0)
    from smplx.utils import Struct

    theirs = smplx.SMPL("", data_struct=Struct(**held), vertex_ids=ids, dtype=torch.float64, create_transl=False, batch_size=3)
    motion = motion_of(body)
    pose = torch.as_tensor(rotations.quat_to_axis_angle(motion.local_quat_wxyz).reshape(3, 72))
    out = theirs(betas=torch.as_tensor(BETAS)[None].repeat(3, 1), global_orient=pose[:, :3], body_pose=pose[:, 3:])
    shift = motion.root_pos_m - out.joints[:, 0].detach().numpy()
    np.testing.assert_allclose(body.vertices(motion), out.vertices.detach().numpy() + shift[:, None], atol=1e-6)
    np.testing.assert_allclose(motion.joints_m, out.joints[:, :24].detach().numpy() + shift[:, None], atol=1e-6)


def test_a_motion_keeps_the_name_of_its_body(folder, tmp_path):
    from mrs.motion import Motion

    body = load_body(f"smplx:{model_files.write(folder / 'again.npz')}")
    motion_of(body).save(tmp_path / "m.npz")
    again = Motion.load(tmp_path / "m.npz")
    assert again.body == f"smplx:{folder / 'again.npz'}" and load_body(again.body).family == "SMPL"


def test_a_file_that_moved_is_found_in_the_folder_of_the_environment(tmp_path, monkeypatch):
    path = model_files.write(tmp_path / "here.npz")
    gone = tmp_path / "gone" / "here.npz"
    with pytest.raises(MissingError, match=r"Get SMPL.*registration.*MRS_SMPL_DIR"):
        smplx_files.file_of(f"smplx:{gone}")
    monkeypatch.setenv("MRS_SMPL_DIR", str(tmp_path))
    assert smplx_files.file_of(f"smplx:{gone}") == path
    (tmp_path / "broken.pkl").write_bytes(b"no pickle")
    told = {entry["path"]: entry for entry in smplx_files.all_found()}
    assert told[str(path)]["family"] == "SMPL" and told[str(path)]["vertices"] == 2698 and "sha256" in told[str(path)]
    assert "can't be read" in told[str(tmp_path / "broken.pkl")]["error"]
    (tmp_path / "broken.npz").write_bytes(path.read_bytes()[:5000])
    assert "it is no npz" in smplx_files.found(tmp_path / "broken.npz")["error"]


def test_a_folder_means_its_neutral_model(tmp_path):
    for name in ("SMPL_MALE.npz", "SMPL_NEUTRAL.npz"):
        (tmp_path / name).write_bytes(b"")
    assert smplx_files.body_name(f"smplx:{tmp_path}") == f"smplx:{tmp_path / 'SMPL_NEUTRAL.npz'}"
    (tmp_path / "SMPL_NEUTRAL.npz").unlink()
    (tmp_path / "SMPL_FEMALE.pkl").write_bytes(b"")
    with pytest.raises(MissingError, match=r"SMPL_FEMALE.pkl, SMPL_MALE.npz. Name the file"):
        smplx_files.body_name(f"smplx:{tmp_path}")


@pytest.mark.parametrize("text", ["smpl", "smplx:", "smplx"])
def test_other_bodies_are_refused(text):
    with pytest.raises(UsageError, match="--body smplx:PATH"):
        smplx_files.body_name(text)


def test_the_embedded_body_may_be_named():
    assert smplx_files.body_name("anny-smpl24") is None and smplx_files.body_name(None) is None


BROKEN = {"no weights": {"weights": None}, "30 joints": {"weights": np.zeros((2698, 30))}, "flat shapes": {"shapedirs": np.zeros((2698, 30))},
          "few bends": {"posedirs": np.zeros((2698, 3, 90))}, "nan": {"v_template": np.full((2698, 3), np.nan)},
          "another tree": {"kintree_table": np.array([[-1] + [0] * 23, range(24)])}}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_is_no_model_is_refused_in_a_line(tmp_path, change):
    held = {name: value for name, value in (model_files.arrays() | change).items() if value is not None}
    np.savez(tmp_path / "m.npz", **held)
    with pytest.raises(InputError, match="Expected") as refused:
        load_body(f"smplx:{tmp_path / 'm.npz'}")
    assert "\n" not in str(refused.value)


def test_the_tree_is_smpls(folder):
    tree = model_files.arrays(joints=55)["kintree_table"][0].astype(np.int64)
    assert tree[1:22].tolist() == SMPL_PARENTS[1:22].tolist()
