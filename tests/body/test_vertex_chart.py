"""Embeddings of vertices: the nearest is found, whatever file they come from, and lies where it should on the embedded body."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from mrs.body import atlas, load_body
from mrs.errors import InputError

RNG = np.random.default_rng(0)
BODY = load_body()
COUNT = len(BODY.template_m)
FEATURES = RNG.normal(size=(COUNT, 12)).astype(np.float32)
DIRECT = RNG.normal(size=(12, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    """The embedded body's own T-pose, a tenth larger and elsewhere, as SMPL's would be given."""
    path = tmp_path_factory.mktemp("mesh") / "smpl.npz"
    np.savez(path, v_template=1.1 * BODY.template_m + [0.1, 0.4, 0])
    return path


def written(folder, kind):
    """A file with the same embeddings."""
    path = folder / f"{kind.split()[0]}.{'npz' if kind.startswith('npz') else kind.split()[-1]}"
    whole = {"features": FEATURES, "embeddings": DIRECT}
    tensors = {name: torch.from_numpy(a) for name, a in whole.items()}
    if kind == "npz":
        np.savez(path, **whole)
    elif kind == "npz direct":
        np.savez(path, embeddings=FEATURES @ DIRECT)
    elif kind == "tensors pt":
        torch.save(tensors, path)
    elif kind == "arrays pkl":
        path.write_bytes(pickle.dumps(whole))
    else:
        stem = "roi_heads.embedder.embedder_"
        other = {f"{stem}sheep_5004.embeddings": torch.zeros(3, 16), "backbone.weight": torch.zeros(2)}
        model = OrderedDict({f"{stem}smpl_27554.{name}": t for name, t in tensors.items()} | other)
        if kind.endswith("pkl"):
            path.write_bytes(pickle.dumps({"model": {k: t.numpy() for k, t in model.items()}, "__author__": "someone"}))
        else:
            torch.save({"model": model, "iteration": 7}, path)
    return path


@pytest.mark.parametrize("kind", ["npz", "npz direct", "tensors pt", "arrays pkl", "checkpoint pth", "checkpoint pkl"])
def test_the_nearest_vertex_is_found_on_the_body(tmp_path, mesh, kind):
    """A pixel that says nearly what a vertex is embedded as gets the surface there: within 2 cm in the median, 600 at a time."""
    chart = atlas.read(written(tmp_path, kind), mesh)
    asked = RNG.integers(0, COUNT, 600)
    unit = FEATURES @ DIRECT / np.linalg.norm(FEATURES @ DIRECT, axis=1, keepdims=True)
    rows, known = chart.find(np.full(600, 25), 3 * unit[asked] + 0.05 * RNG.normal(size=(600, 16)))
    assert known.all() and (rows == asked).mean() > 0.99
    away = np.linalg.norm(chart.surface.at(rows).on(BODY.template_m) - BODY.template_m[asked], axis=1)
    assert np.median(away) < 0.02
    assert (chart.regions(rows) == atlas.vertex_regions(BODY)[asked]).mean() > 0.9


def test_the_mesh_may_be_densepose_own(tmp_path):
    """A pickle with `vertices`, as DensePose publishes its meshes; one that names code is refused."""
    (tmp_path / "mesh.pkl").write_bytes(pickle.dumps({"vertices": BODY.template_m, "faces": BODY.faces}))
    assert len(atlas.read(written(tmp_path, "npz"), tmp_path / "mesh.pkl").region) == COUNT
    (tmp_path / "mesh.pkl").write_bytes(pickle.dumps({"vertices": Evil()}))
    with pytest.raises(InputError, match="print"):
        atlas.read(written(tmp_path, "npz"), tmp_path / "mesh.pkl")


def test_what_says_nothing_is_not_known(tmp_path, mesh):
    """An embedding of zeros has no nearest vertex."""
    chart = atlas.read(written(tmp_path, "npz"), mesh)
    assert chart.find(np.full(2, 25), np.stack([np.zeros(16), np.ones(16)]))[1].tolist() == [False, True]
    assert [len(a) for a in chart.find(np.zeros(0, int), np.zeros((0, 16)))] == [0, 0]


class Evil:
    """Unpickled, it would run code."""

    def __reduce__(self):
        return print, ("run",)


BAD = {
    "no mesh": (lambda p: np.savez(p, embeddings=np.ones((COUNT, 4))), False, "Type: --set smoother.atlas_mesh=FILE"),
    "another mesh": (lambda p: np.savez(p, embeddings=np.ones((5, 4))), True, "a mesh of 5 vertices"),
    "shapes": (lambda p: np.savez(p, embeddings=np.ones(5)), True, "can't be used"),
    "not a number": (lambda p: np.savez(p, embeddings=np.full((COUNT, 4), np.nan)), True, "can't be used"),
    "products": (lambda p: np.savez(p, embeddings=np.ones((5, 4)), features=np.ones((COUNT, 3))), True, "can't be used"),
    "other.pt": (lambda p: torch.save({"a": 1}, p), True, "there are none"),
    "code.pt": (lambda p: torch.save({"embeddings": Evil()}, p), True, "print"),
    "code.pkl": (lambda p: p.write_bytes(pickle.dumps({"embeddings": Evil()})), True, "print"),
    "text.pt": (lambda p: p.write_text("no"), True, "can't be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_a_line(tmp_path, mesh, name, capsys):
    """By what was expected and what came."""
    path = tmp_path / (name if "." in name else "file.npz")
    BAD[name][0](path)
    with pytest.raises(InputError, match=BAD[name][2]) as refused:
        atlas.read(path, mesh if BAD[name][1] else None)
    assert "\n" not in str(refused.value) and "run" not in capsys.readouterr().out


def test_other_evidence_is_refused(tmp_path, mesh):
    """u and v, or embeddings of another model."""
    chart = atlas.read(written(tmp_path, "npz"), mesh)
    for size, words in ((2, "u and v"), (8, "embeddings of 8 numbers")):
        with pytest.raises(InputError, match=words):
            chart.find(np.full(3, 25), np.ones((3, size)))
