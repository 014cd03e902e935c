"""Human3.6M's preparation on small archives made here in the exact layout."""

import tarfile

import numpy as np
import pytest

from mrs import rotations
from mrs.errors import InputError
from mrs.formats import h36m
from tests.command import here
from tests.videos import make_video, number_in

pytest.importorskip("cdflib")
pytest.importorskip("h5py")
FRAMES = 6
TURN = rotations.axis_angle_to_matrix(np.array([0.3, -1.2, 0.4]))
SHIFT = np.array([120.0, -300, 4500])
F, CENTRE = np.array([1145.0, 1143]), np.array([512.0, 515])


def world():
    """Positions (FRAMES, 32, 3) in mm of somebody upright, Z up."""
    rng = np.random.default_rng(0)
    points = rng.normal(0, 200, (FRAMES, 32, 3))
    points[:, 0], points[:, 13] = [0, 0, 900], [0, 0, 1400]
    return points


def write_cdf(path, values):
    from cdflib.cdfwrite import CDF

    path.parent.mkdir(parents=True, exist_ok=True)
    flat = values.reshape(1, len(values), -1).astype(np.float32)
    plain = path.with_name("plain.cdf")
    file = CDF(plain, delete=True)
    file.write_var({"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": list(flat.shape[1:])},
                   var_data=flat)
    file.close()
    plain.rename(path)


def pack(folder, kind, subject, source):
    (folder / "archives").mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "archives" / f"{kind}_{subject}.tgz", "w:gz") as tar:
        inside = f"{subject}/Videos" if kind == "Videos" else f"{subject}/MyPoseFeatures/{kind.removeprefix('Poses_')}"
        for file in sorted(source.iterdir()):
            tar.add(file, f"{inside}/{file.name}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """DIR with archives of S1: two sub-actions of walking, two cameras, poses in all kinds, videos."""
    folder, made = tmp_path_factory.mktemp("h36m"), tmp_path_factory.mktemp("made")
    seen = world() @ TURN.T + SHIFT
    for name in ("Walking", "Walking 1"):
        write_cdf(made / "Poses_D3_Positions" / f"{name}.cdf", world())
        for camera in h36m.CAMERAS[:2]:
            write_cdf(made / h36m.UNIVERSAL / f"{name}.{camera}.cdf", seen)
            write_cdf(made / h36m.OWN / f"{name}.{camera}.cdf", 0.9 * seen)
            write_cdf(made / "Poses_D2_Positions" / f"{name}.{camera}.cdf", seen[..., :2] / seen[..., 2:] * F + CENTRE)
            (made / "Videos").mkdir(exist_ok=True)
            make_video(made / "Videos" / f"{name}.{camera}.mp4", count=FRAMES + 2)
    for kind in h36m.KINDS:
        pack(folder, kind, "S1", made / kind)
    return folder


def test_the_three_steps(lab, capsys):
    """Extract, process and annotate through the command: files where the published loader looks, values as they were made."""
    import cv2
    import h5py

    assert here(capsys, "data", "h36m", "extract", lab, "--subjects", "S1").code == 0
    assert (lab / "extracted/S1/Videos/Walking.54138969.mp4").is_file()
    ended = here(capsys, "data", "h36m", "process", lab, "--subjects", "S1")
    assert ended.out.strip() == f"{4 * FRAMES} pictures"
    picture = lab / "processed/all/S1/Walking-2/imageSequence/55011271/img_000003.jpg"
    assert number_in(cv2.imread(str(picture))[..., ::-1]) == 2
    assert not picture.with_name(f"img_{FRAMES + 1:06d}.jpg").exists()
    assert here(capsys, "data", "h36m", "annotate", lab, "--subjects", "S1").code == 0
    with h5py.File(lab / "processed/all/annot_export.h5") as file:
        assert len(file["img_paths"]) == 4 * FRAMES and file["f_ids"][0] == 1
        assert (lab / file["img_paths"][-1].decode()).is_file()
        assert set(file["action"][:]) == {14} and set(file["subaction"][:]) == {1, 2} and set(file["p_ids"][:]) == {1}
        np.testing.assert_allclose(file["keypoints_3d_world"][:FRAMES], world(), atol=1e-2)
        np.testing.assert_allclose(file["keypoints_3d"][:], 0.9 * file["keypoints_3d_univ"][:], rtol=1e-5)
        np.testing.assert_allclose(file["extrinsics_univ"][0], np.c_[TURN, SHIFT], atol=1e-2)
        np.testing.assert_allclose(file["intrinsics_univ"][0], [F[0], CENTRE[0], F[1], CENTRE[1]], rtol=1e-4)
        np.testing.assert_allclose(file["norm_keypoints"][0], file["keypoints"][0] / [96, 64])


def test_world_without_world_poses():
    """Without world positions the neck is above the pelvis, and distances stay."""
    seen = world() @ TURN.T + SHIFT
    found = h36m.standing(seen)
    np.testing.assert_allclose((found[:, 13] - found[:, 0]).mean(0), [0, 0, 500], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found[:, 5] - found[:, 9], axis=-1), np.linalg.norm(seen[:, 5] - seen[:, 9], axis=-1))


def test_metadata_says_which_subaction(tmp_path):
    """metadata.xml names the files of each sub-action, as it lies in the data set's own code."""
    (tmp_path / "metadata.xml").write_text(
        "<metadata><mapping><tr><td>action</td><td>subaction</td><td>S1</td><td>S5</td></tr>"
        "<tr><td>1</td><td>1</td><td>_ALL 1</td><td>_ALL</td></tr>"
        "<tr><td>14</td><td>1</td><td>Walking 1</td><td>Walking</td></tr></mapping></metadata>")
    assert h36m.takes(tmp_path) == [h36m.Take("S1", 14, 1, "Walking 1"), h36m.Take("S5", 14, 1, "Walking")]


def test_nothing_to_extract(tmp_path, capsys):
    """One line says which archives are expected; unknown subjects are refused."""
    ended = here(capsys, "data", "h36m", "extract", tmp_path)
    assert ended.code == 3 and "Poses_D3_Positions_mono_universal_S1.tgz" in ended.err.splitlines()[-1]
    assert here(capsys, "data", "h36m", "extract", tmp_path, "--subjects", "S2").code == 2


def test_broken_archive_leaves_nothing(tmp_path):
    """An archive cut short is refused, and no half folder stays."""
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / f"{h36m.UNIVERSAL}_S1.tgz").write_bytes(b"\x1f\x8b\x08\x00broken")
    with pytest.raises(InputError, match="can't be read"):
        h36m.extract(tmp_path, ("S1",), lambda line: None)
    assert list((tmp_path / "extracted" / "S1").iterdir()) == []


def test_archive_that_climbs_out(tmp_path):
    """A member above its folder is refused."""
    (tmp_path / "archives").mkdir()
    evil = tmp_path / "evil"
    evil.write_text("x")
    with tarfile.open(tmp_path / "archives" / f"{h36m.UNIVERSAL}_S1.tgz", "w:gz") as tar:
        tar.add(evil, "../../evil.cdf")
        tar.add(evil, "fine.cdf")
    with pytest.raises(InputError, match="below one folder"):
        h36m.extract(tmp_path, ("S1",), lambda line: None)
    assert list((tmp_path / "extracted" / "S1").iterdir()) == []
