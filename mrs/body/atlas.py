"""Charts of the body's surface: (part, u, v), as DensePose says it, to points of the mesh.

Parts have DensePose's numbers. The embedded body has a chart of its own, computed here: parts by what joint moves a
vertex most, v along the limb, u around it. A chart for SMPL is the user's to give: DensePose's UV_Processed.mat with a
mesh, or an npz of part, uv and rest_m; or, for CSE, embeddings of a mesh's vertices (:mod:`mrs.body.vertex_chart`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mrs.body.model import Body, load_body
from mrs.errors import InputError, reason

REGIONS = {"torso": (1, 2), "right_hand": (3,), "left_hand": (4,), "left_foot": (5,), "right_foot": (6,),
           "right_thigh": (7, 9), "left_thigh": (8, 10), "right_shin": (11, 13), "left_shin": (12, 14),
           "left_upper_arm": (15, 17), "right_upper_arm": (16, 18), "left_forearm": (19, 21), "right_forearm": (20, 22),
           "head": (23, 24)}
"""DensePose's parts by limb; two are the halves of one limb."""
_JOINTS = {"torso": (0, 3, 6, 9, 13, 14), "head": (12, 15), "left_hand": (20, 22), "right_hand": (21, 23), "left_foot": (7, 10),
           "right_foot": (8, 11), "left_thigh": (1,), "right_thigh": (2,), "left_shin": (4,), "right_shin": (5,),
           "left_upper_arm": (16,), "right_upper_arm": (17,), "left_forearm": (18,), "right_forearm": (19,)}
_ALONG_X = ("hand", "arm")
REGION_OF_PART = np.zeros(25, int)
for _number, _parts in enumerate(REGIONS.values(), 1):
    REGION_OF_PART[list(_parts)] = _number


@dataclass(frozen=True)
class Surface:
    """Points of the mesh, each on a triangle: vertices (P, 3) numbers, shares (P, 3) that sum to 1."""

    vertices: np.ndarray
    shares: np.ndarray

    def __len__(self) -> int:
        return len(self.vertices)

    def at(self, rows) -> Surface:
        """Return some of the points."""
        return Surface(self.vertices[rows], self.shares[rows])

    def on(self, positions: np.ndarray) -> np.ndarray:
        """Place the points (..., P, 3) on vertices (..., V, 3)."""
        return (positions[..., self.vertices, :] * self.shares[..., None]).sum(-2)


@dataclass(frozen=True)
class Atlas:
    """Samples of the embedded body's surface with their charts: part (P,), uv (P, 2)."""

    surface: Surface
    part: np.ndarray
    uv: np.ndarray

    def find(self, part: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows (N,) of the samples nearest in the chart, and whether the chart has that part and place (N,)."""
        from scipy.spatial import cKDTree

        rows, known = np.zeros(len(part), int), np.zeros(len(part), bool)
        for number in np.unique(part):
            own, asked = np.flatnonzero(self.part == number), part == number
            if len(own):
                away, nearest = cKDTree(self.uv[own]).query(uv[asked])
                rows[asked], known[asked] = own[nearest], away < 0.1
        return rows, known

    def regions(self, rows: np.ndarray) -> np.ndarray:
        """The limbs (N,) of some samples, numbered from 1 as in REGIONS."""
        return REGION_OF_PART[self.part[rows]]


def vertex_regions(body: Body) -> np.ndarray:
    """Which region (V,) each vertex belongs to, numbered from 1 as in REGIONS."""
    share = np.stack([body.weights[:, list(_JOINTS[name])].sum(1) for name in REGIONS], 1)
    return share.argmax(1) + 1


def samples(body: Body, each: int = 3) -> Surface:
    """Points spread over every triangle: `each` to a side."""
    steps = (np.arange(each) + 1 / 3) / each
    first, second = np.meshgrid(steps, steps)
    inside = first + second < 1
    shares = np.stack([1 - first[inside] - second[inside], first[inside], second[inside]], -1)
    return Surface(np.repeat(body.faces, len(shares), 0), np.tile(shares, (len(body.faces), 1)))


def embedded() -> Atlas:
    """The chart that is computed for the embedded body."""
    return computed()


@lru_cache(maxsize=2)
def computed(name: str | None = None) -> Atlas:
    """The chart that is computed for a body."""
    body = load_body(name)
    surface = samples(body)
    region = vertex_regions(body)[surface.vertices[np.arange(len(surface)), surface.shares.argmax(1)]]
    return Atlas(surface, *_charted(surface.on(body.template_m), region))


def _charted(points: np.ndarray, region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part (P,) and uv (P, 2) of points (P, 3) of the T-pose: v along the limb, u by the angle about it."""
    part, uv = np.zeros(len(points), int), np.zeros((len(points), 2))
    for number, (name, parts) in enumerate(REGIONS.items(), 1):
        own = np.flatnonzero(region == number)
        along, about, front = (0, 1, 2) if name.endswith(_ALONG_X) else (2, 0, 1) if name.endswith("foot") else (1, 0, 2)
        at = points[own] - points[own].mean(0)
        angle = np.arctan2(at[:, about], at[:, front]) / np.pi
        if name == "head":
            angle = np.arctan2(at[:, front], at[:, about]) / np.pi
        halves = np.abs(angle) < 0.5 if len(parts) == 2 else np.ones(len(own), bool)
        part[own] = np.where(halves, parts[-1], parts[0])
        uv[own, 0] = 0.5 + (angle / 2 if len(parts) == 1 else np.where(halves, angle, angle - np.sign(angle)))
        uv[own, 1] = (at[:, along] - at[:, along].min()) / max(np.ptp(at[:, along]), 1e-9)
    return part, np.clip(uv, 0, 1)


def read(path: str | Path, mesh: str | Path | None = None, body: str | None = None) -> Atlas:
    """Read the user's chart and carry it over to a body (None: the embedded one), part by part.

    An npz has part (P,), uv (P, 2) and rest_m (P, 3), points of a T-pose in metres, Y up, facing +Z. UV_Processed.mat needs
    `mesh`, the vertices of SMPL's T-pose: an npz with v_template, or an OBJ. Points go to the nearest of that
    body's in the same part, both stretched to the part's box. What holds embeddings of vertices is read by
    :mod:`mrs.body.vertex_chart`. Raises InputError.
    """
    from mrs.body import vertex_chart

    path = Path(path)
    if vertex_chart.holds_embeddings(path):
        return vertex_chart.read(path, mesh, body)
    part, uv, rest = _from_mat(path, mesh) if path.suffix.lower() == ".mat" else _from_npz(path)
    good = part.ndim == 1 and uv.shape == (len(part), 2) and rest.shape == (len(part), 3)
    if not (good and len(part) and np.isfinite(uv).all() and np.isfinite(rest).all() and part.min() >= 1 and part.max() <= 24):
        raise InputError(f"Expected part (P,) of 1 to 24, uv (P, 2) and rest_m (P, 3) in {path}, but they don't fit: "
                         f"{part.shape}, {uv.shape}, {rest.shape}.")
    return _carried(part.astype(int), uv.astype(float), rest.astype(float), body)


def _carried(part: np.ndarray, uv: np.ndarray, rest: np.ndarray, body: str | None) -> Atlas:
    return Atlas(computed(body).surface.at(nearest_rows(rest, REGION_OF_PART[part], body)), part, uv)


def nearest_rows(rest: np.ndarray, region: np.ndarray | None = None, body: str | None = None) -> np.ndarray:
    """Rows (P,) of a body's samples that are nearest to points (P, 3) of another T-pose, limb by limb, both stretched to the limb's box.

    Without `region` (P,) a point's limb is that of the nearest sample once the whole bodies are stretched to one box.
    """
    from scipy.spatial import cKDTree

    own = computed(body)
    points, regions = own.surface.on(load_body(body).template_m), REGION_OF_PART[own.part]
    if region is None:
        region = regions[cKDTree(points).query(_stretched(rest, points))[1]]
    rows = np.zeros(len(rest), int)
    for number in np.unique(region):
        theirs, ours = region == number, np.flatnonzero(regions == number)
        rows[theirs] = ours[cKDTree(points[ours]).query(_stretched(rest[theirs], points[ours]))[1]]
    return rows


def _stretched(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Points in the box of others."""
    return (points - points.min(0)) / np.maximum(np.ptp(points, axis=0), 1e-9) * np.ptp(others, axis=0) + others.min(0)


def _from_npz(path: Path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return tuple(np.asarray(file[name]) for name in ("part", "uv", "rest_m"))
    except FileNotFoundError:
        raise InputError(f"Expected an atlas at {path}, but there is none. Check --set smoother.atlas=FILE.") from None
    except Exception as error:  # noqa: BLE001 (NumPy and zip raise whatever they meet in broken files)
        raise InputError(f"Expected part, uv and rest_m in {path}, but it can't be read: {reason(error)}.") from None


def _from_mat(path: Path, mesh):
    """The points of UV_Processed.mat: corners of its triangles and points within, as its triangles are a few cm long."""
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"Expected an atlas at {path}, but there is none. Check --set smoother.atlas=FILE.")
    if mesh is None:
        raise InputError(f"Expected the mesh that {path} charts. Type: --set smoother.atlas_mesh=SMPL.npz (with v_template) or .obj")
    vertices = mesh_vertices(Path(mesh))
    try:
        file = loadmat(path)
        number = file["All_FaceIndices"].ravel().astype(int)
        faces = file["All_Faces"].astype(int)
        faces = faces - (1 if faces.min() == 1 else 0)
        charted = np.concatenate([file["All_U_norm"].reshape(-1, 1), file["All_V_norm"].reshape(-1, 1)], 1).astype(float)
        on_mesh = file["All_vertices"].ravel().astype(int) - 1
        if min(faces.min(), on_mesh.min()) < 0:
            raise IndexError("numbers of vertices below zero")
        shares = np.array([[a, b, 4 - a - b] for a in range(5) for b in range(5 - a)]) / 4
        uv = np.einsum("kc,fcx->fkx", shares, charted[faces])
        rest = np.einsum("kc,fcx->fkx", shares, vertices[on_mesh[faces]])
        return np.repeat(number, len(shares)), uv.reshape(-1, 2), rest.reshape(-1, 3)
    except Exception as error:  # noqa: BLE001 (SciPy raises whatever it meets in broken files)
        raise InputError(f"Expected DensePose's UV_Processed.mat in {path}, but it can't be used: {reason(error)}.") from None


def mesh_vertices(path: Path) -> np.ndarray:
    """Read the vertices (V, 3) of an npz or a pickle with v_template or vertices, or of an OBJ. Raises InputError."""
    try:
        if path.suffix.lower() == ".obj":
            lines = path.read_text(encoding="utf-8").splitlines()
            return np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float).reshape(-1, 3)
        if path.suffix.lower() == ".pkl":
            from mrs.formats import restricted

            found = restricted.read(path, "a mesh")
            return np.asarray(found["v_template" if "v_template" in found else "vertices"], float).reshape(-1, 3)
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file["v_template"], float).reshape(-1, 3)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (NumPy and zip raise whatever they meet in broken files)
        raise InputError(f"Expected v_template (V, 3) in the npz, or an OBJ, at {path}, but it can't be read: "
                         f"{reason(error)}.") from None
