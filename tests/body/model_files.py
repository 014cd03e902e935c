"""Files in the published layout of SMPL, SMPL-H and SMPL-X, made of the embedded body's mesh; none of theirs is needed."""

import pickle
import sys
from types import ModuleType

import numpy as np

from mrs.body import load_body

FINGERS = {52: (range(22, 37), range(37, 52)), 55: (range(25, 40), range(40, 55))}
MIDDLE = {52: (25, 40), 55: (28, 43)}


def regressor(mesh, place):
    """Shares (V,) of the 60 nearest vertices, whose mean is the place."""
    nearest = np.argsort(((mesh - place) ** 2).sum(1))[:60]
    design = np.concatenate([mesh[nearest].T, np.ones((1, 60))])
    row = np.zeros(len(mesh))
    row[nearest] = np.linalg.pinv(design) @ np.r_[place, 1]
    return row


def arrays(joints=24, shapes=10, bend=0.0, shift=(0.001, -0.22, 0.03)):
    """What a file of 24, 52 or 55 joints holds; `bend` is the size of its pose blend shapes, `shift` where its pelvis is."""
    body, rng = load_body(), np.random.default_rng(joints)
    mesh = body.template_m - body.rest_m[0] + shift
    rest = body.rest_m - body.rest_m[0] + shift
    weights, parents = body.weights, [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    if joints > 24:
        many, places = np.zeros((len(mesh), joints)), np.zeros((joints, 3))
        many[:, :22], places[:22], parents = weights[:, :22], rest[:22], parents[:22] + [0] * (joints - 22)
        for side, fingers in enumerate(FINGERS[joints]):
            share = rng.dirichlet(np.ones(len(fingers)), len(mesh))
            many[:, list(fingers)] = weights[:, 22 + side, None] * share
            places[list(fingers)] = rest[22 + side] + 0.01 * rng.normal(size=(len(fingers), 3))
            places[MIDDLE[joints][side]] = rest[22 + side]
            for finger in fingers:
                parents[finger] = 20 + side
        if joints == 55:
            many[:, 22:25] = many[:, 15:16] * [0.2, 0.1, 0.1]
            many[:, 15] *= 0.6
            places[22:25] = rest[15] + [[0, 0, 0.05], [0.03, 0.05, 0.06], [-0.03, 0.05, 0.06]]
            parents[22:25] = [15, 15, 15]
        weights, rest = many, places
    shape = np.concatenate([body.shape_m, 0.001 * rng.normal(size=(len(mesh), 3, max(shapes - 10, 0)))], 2)[..., :shapes]
    return {"v_template": mesh, "shapedirs": shape, "posedirs": bend * rng.normal(size=(len(mesh), 3, 9 * (joints - 1))).astype(np.float32),
            "J_regressor": np.stack([regressor(mesh, place) for place in rest]), "weights": weights, "f": body.faces.astype(np.uint32),
            "kintree_table": np.array([[2**32 - 1 if p < 0 else p for p in parents], range(joints)], np.uint32)}


def write(path, **kind):
    """Write an npz, or a pickle of Python 2's protocol with a sparse regressor and chumpy's arrays; return the path."""
    held = arrays(**kind)
    if path.suffix == ".npz":
        np.savez(path, **held, bs_type="lrotmin")
        return path
    from scipy.sparse import csc_matrix

    module = ModuleType("chumpy")
    module.Ch = type("Ch", (), {"__module__": "chumpy"})
    shape = module.Ch()
    shape.x = held["shapedirs"]
    held |= {"J_regressor": csc_matrix(held["J_regressor"]), "shapedirs": shape, "bs_style": "lbs"}
    sys.modules["chumpy"] = module
    try:
        path.write_bytes(pickle.dumps(held, 2))
    finally:
        sys.modules.pop("chumpy")
    return path
