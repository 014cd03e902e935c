"""Charts of the surface: the embedded body's own, and those that a user gives."""

import numpy as np
import pytest
from scipy.io import savemat

from mrs.body import atlas, load_body
from mrs.errors import InputError

OWN = atlas.embedded()
POINTS = OWN.surface.on(load_body().template_m)


def test_a_place_in_the_chart_is_a_place_on_the_body():
    """At DensePose's 255 steps of u and v the point found lies within 6 mm of the right one for three in four, 3 cm for nineteen in twenty."""
    rows, known = OWN.find(OWN.part, np.round(OWN.uv * 255) / 255)
    away = np.linalg.norm(POINTS[rows] - POINTS, axis=-1)
    assert known.all() and np.percentile(away, 75) < 0.006 and np.percentile(away, 95) < 0.03


def test_parts_are_where_densepose_has_them():
    """The left hand at +X, the right foot at -X and low, the trunk's front ahead of its back, the head on top."""
    middle = {part: POINTS[OWN.part == part].mean(0) for part in range(1, 25)}
    assert middle[4][0] > 0.7 and middle[3][0] < -0.7
    assert middle[5][0] > 0 > middle[6][0] and max(middle[5][1], middle[6][1]) < -0.8
    assert middle[2][2] > middle[1][2]
    assert min(middle[23][1], middle[24][1]) > 0.55
    for left, right in ((8, 7), (10, 9), (12, 11), (14, 13), (15, 16), (17, 18), (19, 20), (21, 22)):
        assert middle[left][0] > 0 > middle[right][0]


def test_what_is_not_in_the_chart_is_said():
    """A part it lacks, and a place far from all of its places."""
    small = atlas.Atlas(OWN.surface.at([0, 1]), np.array([1, 1]), np.array([[0.1, 0.1], [0.2, 0.1]]))
    rows, known = small.find(np.array([1, 1, 2]), np.array([[0.19, 0.1], [0.9, 0.9], [0.1, 0.1]]))
    assert known.tolist() == [True, False, False] and rows[0] == 1


def write_mat(path):
    """The embedded body as if it were SMPL, charted as UV_Processed.mat is: each face by its own part."""
    body = load_body()
    part = OWN.part.reshape(len(body.faces), -1)[:, 0]
    corners, where = body.faces.ravel(), {}
    uv = np.stack([OWN.uv[np.arange(len(part)) * 6 + k] for k in (0, 2, 5)], 1).reshape(-1, 2)
    where = {"All_FaceIndices": part[:, None], "All_Faces": np.arange(1, len(corners) + 1).reshape(-1, 3), "All_U_norm": uv[:, :1],
             "All_V_norm": uv[:, 1:], "All_vertices": corners[None] + 1}
    savemat(path, where)


@pytest.mark.parametrize("mesh", ["smpl.npz", "smpl.obj"])
def test_a_mat_goes_with_its_mesh(tmp_path, mesh):
    """Half as large and moved, it is carried over to the same places of the embedded body, 2 cm off in the median."""
    body, write_at = load_body(), tmp_path / mesh
    vertices = 0.5 * body.template_m + [1, 2, 3]
    if mesh.endswith("npz"):
        np.savez(write_at, v_template=vertices)
    else:
        write_at.write_text("# SMPL\n" + "".join(f"v {x} {y} {z}\n" for x, y, z in vertices) + "f 1 2 3\n")
    write_mat(tmp_path / "UV_Processed.mat")
    found = atlas.read(tmp_path / "UV_Processed.mat", write_at)
    assert len(found.part) == 15 * len(body.faces)
    shares = np.array([[a, b, 4 - a - b] for a in range(5) for b in range(5 - a)]) / 4
    true = np.einsum("kc,fcx->fkx", shares, body.template_m[body.faces]).reshape(-1, 3)
    away = np.linalg.norm(found.surface.on(body.template_m) - true, axis=-1)
    assert np.median(away) < 0.02 and np.percentile(away, 95) < 0.06


def test_an_npz_is_its_own_mesh(tmp_path):
    """part, uv and rest_m come back, the points where they were."""
    np.savez(tmp_path / "a.npz", part=OWN.part, uv=OWN.uv, rest_m=POINTS)
    found = atlas.read(tmp_path / "a.npz")
    np.testing.assert_allclose(found.surface.on(load_body().template_m), POINTS, atol=1e-6)
    np.testing.assert_array_equal(found.part, OWN.part)


@pytest.mark.parametrize("content, words", [
    (None, "there is none"), (b"no", "can't be read"), ({"part": [1]}, "uv"),
    ({"part": [99], "uv": [[0, 0]], "rest_m": [[0, 0, 0]]}, "1 to 24"), ({"part": [1], "uv": [[0, 0]], "rest_m": [[0, 0]]}, "don't fit"),
])
def test_bad_atlases_are_refused_in_a_line(tmp_path, content, words):
    """By what was expected."""
    path = tmp_path / "a.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    with pytest.raises(InputError, match=words) as refused:
        atlas.read(path)
    assert "\n" not in str(refused.value)


def test_bad_mats_are_refused_in_a_line(tmp_path):
    """Without a mesh, with a mesh too small, and a file that is none."""
    write_mat(tmp_path / "u.mat")
    np.savez(tmp_path / "m.npz", v_template=np.zeros((5, 3)))
    (tmp_path / "v.mat").write_bytes(b"no")
    for name, mesh, words in (("u.mat", None, "atlas_mesh"), ("u.mat", "m.npz", "can't be used"), ("v.mat", "m.npz", "can't be used"),
                              ("w.mat", "m.npz", "there is none"), ("u.mat", "n.npz", "v_template")):
        with pytest.raises(InputError, match=words) as refused:
            atlas.read(tmp_path / name, mesh and tmp_path / mesh)
        assert "\n" not in str(refused.value)
