"""Colours where no picture showed the body: from the other side of it, else from what lies beside on the surface."""

from __future__ import annotations

import numpy as np

from mrs.body import Body

MIRROR_M = 0.02
FEW, MANY = 0.34, 10


def filled(body: Body, colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Colours (V, 3) with those that are not `known` (V,) taken from the mirrored vertex, or spread over the mesh."""
    colours, done = colours.copy(), known.copy()
    partner, away = mirrored(body)
    takes = ~known & known[partner] & (away < MIRROR_M)
    colours[takes] = colours[partner[takes]]
    done |= takes
    return colours if done.all() else _spread(body, colours, done)


def mirrored(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """The vertex (V,) nearest to each one's mirror image, and how far from it that is in metres."""
    from scipy.spatial import cKDTree

    away, partner = cKDTree(body.template_m).query(body.template_m * [-1, 1, 1])
    return partner, away


def _spread(body: Body, colours: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Solve for colours that are the mean of their neighbours'; pieces without any known vertex take the nearest one's."""
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import spsolve
    from scipy.spatial import cKDTree

    count = len(colours)
    ends = np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
    ends = np.concatenate([ends, ends[:, ::-1]])
    links = coo_matrix((np.ones(len(ends)), ends.T), (count, count)).tocsr()
    links.data[:] = 1
    _, piece = connected_components(links, directed=False)
    lost = ~np.isin(piece, piece[known])
    colours, known = colours.copy(), known.copy()
    if lost.any():
        _, nearest = cKDTree(body.template_m[known]).query(body.template_m[lost])
        colours[lost] = colours[np.flatnonzero(known)[nearest]]
        known |= lost
    open_ = np.flatnonzero(~known)
    if len(open_):
        laplacian = (diags(np.asarray(links.sum(1)).ravel()) - links).tocsc()
        right = -laplacian[open_][:, np.flatnonzero(known)] @ colours[known]
        colours[open_] = spsolve(laplacian[open_][:, open_], right).reshape(len(open_), -1)
    return colours


def unseen_notes(body: Body, known: np.ndarray) -> list[str]:
    """Name the limbs of which the pictures showed little; nothing where all were seen."""
    from mrs.body.atlas import REGIONS, vertex_regions

    region = vertex_regions(body)
    share = {name.replace("_", " "): known[region == number].mean() for number, name in enumerate(REGIONS, 1)}
    poor = [name for name, value in share.items() if value < FEW]
    named = ", ".join(poor) if len(poor) <= MANY else "most parts of the body"
    told = (f"Little is seen of {named}; {100 * (1 - known.mean()):.0f} % of the body's surface takes the colours of its other side or of "
            "what lies beside.")
    return [told] if poor else []
