"""CSE's chart of the body's surface: an embedding for each vertex of a mesh, and the nearest one for what a pixel says.

The embeddings are the user's to give, as DensePose publishes them for SMPL: a checkpoint of detectron2 with its embedder, or
a file of `embeddings` (and `features`), with the mesh whose vertices they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrs.body import atlas
from mrs.errors import InputError, reason
from mrs.formats import restricted

PICKLED = (".pkl", ".pt", ".pth")
PREFIX = "roi_heads.embedder.embedder_"
NAMES = ("embeddings", "features", "rest_m")
CHUNK = 256
"""Pixels that are compared with all vertices at once: 28 MB for the 27,554 of DensePose's mesh."""


@dataclass(frozen=True)
class VertexChart:
    """Points of the body's surface, with embeddings (V, D) of unit length and their limbs (V,)."""

    surface: atlas.Surface
    embeddings: np.ndarray
    region: np.ndarray

    def find(self, part: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows (N,) of the vertices nearest to embeddings (N, D), and whether they say anything (N,).

        Raises InputError where they are of another size, as u and v are.
        """
        if values.shape[1] != self.embeddings.shape[1]:
            got = "u and v" if values.shape[1] == 2 else f"embeddings of {values.shape[1]} numbers"
            raise InputError(f"Expected CSE's embeddings of {self.embeddings.shape[1]} numbers, as smoother.atlas has them, but "
                             f"got {got}. Give the atlas of the model that made the dump.")
        chunks = [(values[i : i + CHUNK] @ self.embeddings.T).argmax(1) for i in range(0, len(values), CHUNK)]
        return np.concatenate([np.zeros(0, int), *chunks]), np.abs(values).max(1, initial=0) > 0

    def regions(self, rows: np.ndarray) -> np.ndarray:
        """The limbs (N,) of some vertices, numbered from 1 as in REGIONS of :mod:`mrs.body.atlas`."""
        return self.region[rows]


def holds_embeddings(path: Path) -> bool:
    """Say whether a file is one of this module's, by its suffix or by what an npz has."""
    if path.suffix.lower() in PICKLED:
        return True
    try:
        with np.load(path, allow_pickle=False) as file:
            return "embeddings" in getattr(file, "files", ())
    except Exception:  # noqa: BLE001 (what is wrong with it is told where it is read)
        return False


def read(path: Path, mesh: str | Path | None = None, body: str | None = None) -> VertexChart:
    """Read embeddings of vertices and carry them over to a body (None: the embedded one).

    `mesh` has the vertices of a T-pose, Y up, facing +Z, unless the file has them as rest_m (V, 3). Raises InputError.
    """
    found = _arrays(path)
    try:
        embeddings = np.asarray(found["embeddings"], np.float32)
        if found.get("features") is not None:
            embeddings = np.asarray(found["features"], np.float32) @ embeddings
        if embeddings.ndim != 2 or 0 in embeddings.shape or not np.isfinite(embeddings).all():
            raise ValueError(f"they are {embeddings.shape}")
    except Exception as error:  # noqa: BLE001 (a file may hold anything under these names)
        raise InputError(f"Expected embeddings (V, D), or features (V, K) and embeddings (K, D), in {path}, but they can't be "
                         f"used: {reason(error)}.") from None
    rest = _rest(path, found.get("rest_m"), mesh, len(embeddings))
    own, rows = atlas.computed(body), atlas.nearest_rows(rest, None, body)
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-6)
    return VertexChart(own.surface.at(rows), unit, own.regions(rows))


def _rest(path: Path, held: Any, mesh: str | Path | None, count: int) -> np.ndarray:
    """Vertices (V, 3) of the mesh that the embeddings belong to."""
    if held is None and mesh is None:
        raise InputError(f"Expected the mesh that the embeddings of {path} belong to. Type: --set smoother.atlas_mesh=FILE "
                         "(npz with v_template, OBJ, or DensePose's .pkl)")
    rest = np.asarray(held, float) if held is not None else atlas.mesh_vertices(Path(mesh))
    if rest.shape != (count, 3) or not np.isfinite(rest).all():
        raise InputError(f"Expected a mesh of {count} vertices for {path}, but {mesh or 'rest_m'} has {rest.shape}. Give the mesh "
                         "that the embeddings were made for.")
    return rest


def _arrays(path: Path) -> dict[str, Any]:
    """What a file has under NAMES; of a checkpoint of detectron2 the embedder of SMPL."""
    if path.suffix.lower() not in PICKLED:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in NAMES if name in file.files}
    found = restricted.read(path, "embeddings of vertices, or a checkpoint of detectron2")
    model = found.get("model") if isinstance(found, dict) else None
    if isinstance(model, dict):
        keys = sorted(str(key) for key in model if str(key).startswith(PREFIX + "smpl") and str(key).endswith(".embeddings"))
        stem = keys[0].removesuffix("embeddings") if keys else ""
        found = {name: model.get(stem + name) for name in NAMES[:2]} if keys else {}
    if not isinstance(found, dict) or found.get("embeddings") is None:
        raise InputError(f"Expected embeddings, or a checkpoint of detectron2 with {PREFIX}smpl…, in {path}, but there are none.")
    return {name: found.get(name) for name in NAMES}
