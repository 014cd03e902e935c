"""Terms that DensePose and masks of people feed: points of the body's surface, limbs, and the outline.

They implement :class:`mrs.refine.terms.Extra`. Each frame counts by its mean over its points, by the time it stands for
(`step` times `share`, since only some frames are looked at) and by a weight in keypoints: how many of them it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch

from mrs.body.torch_body import TorchBody
from mrs.refine.terms import geman_mcclure

SCALE = 0.02
"""Error of a surface point or an outline that is taken for usual, in heights of the person."""
RHO = 3.5
PLACE_SHARE = 1 / 30
"""What a frame's points say together of the person's place in the picture: they are off together, so that many tell it no better than one."""
SPACING = 0.02
"""How far, in heights, an outline may be from the nearest of the points that stand for the body."""


class Skin:
    """Vertices of the moving body without skinning all of them: v = sum_j w_j p_j + G_j w_j (x(betas) - rest_j(betas))."""

    def __init__(self, body: TorchBody):
        self.body, self._betas, self._moments = body, None, None

    def moments(self, betas: torch.Tensor) -> torch.Tensor:
        """Moments (V, 72), kept while the shape stays."""
        if not betas.requires_grad and self._betas is not None and torch.equal(betas, self._betas):
            return self._moments
        b = self.body
        away = (b.template + b.shape @ betas)[:, None] - (b.rest + b.rest_shape @ betas)
        moments = (b.weights[..., None] * away).flatten(1)
        self._betas, self._moments = (None, None) if betas.requires_grad else (betas.clone(), moments)
        return moments

    def vertices(self, rows, joints, turned, betas) -> torch.Tensor:
        """Some vertices (N,) in every frame: (T, N, 3)."""
        flat = turned.transpose(-2, -3).reshape(len(turned), 3, 72)
        return (joints.transpose(-1, -2) @ self.body.weights[rows].T + flat @ self.moments(betas)[rows].T).transpose(-1, -2)

    def points(self, vertices, shares, joints, turned, betas) -> torch.Tensor:
        """Points (T, K, 3) on triangles of their own in each frame: vertices and shares (T, K, 3)."""
        flat = turned.transpose(-2, -3).reshape(len(turned), 3, 72)
        share = (self.body.weights[vertices] * shares[..., None]).sum(-2)
        moments = (self.moments(betas)[vertices] * shares[..., None]).sum(-2)
        return share @ joints + moments @ flat.transpose(-1, -2)


@dataclass(frozen=True)
class _Term:
    """What all have: `share` (T,) how many frames each stands for, 0 where nothing is known."""

    skin: Skin
    share: torch.Tensor
    weight: float

    def at(self, rows):
        """The term for some rows of the clip."""
        whole = ("skin", "weight", "drawn", "region")
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name not in whole})

    def _looked_at(self) -> torch.Tensor:
        return torch.nonzero(self.share).flatten()

    def _counted(self, mean, rows, window) -> torch.Tensor:
        return self.weight * (window.step[rows] * self.share[rows] * mean).sum()


@dataclass(frozen=True)
class Surface(_Term):
    """sum_t step_t [mean_k rho(|e_tk - m_t|) + place rho(|m_t|)], e_tk = (pi(X_tk) - p_tk) / (scale h_t): what a pixel shows lies there.

    Labels of a frame err alike, and so do those of the next frames: by m_t, the robust mean. The term says how the body is held; where it
    is in the picture keypoints tell.

    vertices (T, K, 3) int, shares (T, K, 3), observed (T, K, 2) px, weights (T, K).
    """

    vertices: torch.Tensor
    shares: torch.Tensor
    observed: torch.Tensor
    weights: torch.Tensor
    name = "dense"

    def __call__(self, *, joints, turned, betas, window):
        """Return the cost."""
        rows = self._looked_at()
        if not window.has_camera or not len(rows):
            return joints.new_zeros(())
        points = self.skin.points(self.vertices[rows], self.shares[rows], joints[rows], turned[rows], betas)
        away = (projected(window, rows, points) - self.observed[rows]) / (SCALE * window.height[rows, None, None])
        weights = self.weights[rows]
        shift = _shared(away, weights)
        own, place = (geman_mcclure((error**2).sum(-1), RHO) for error in (away - shift, shift[:, 0]))
        return self._counted(_mean(own, weights) + PLACE_SHARE * place, rows, window)


@dataclass(frozen=True)
class Limbs(_Term):
    """sum_t step_t mean_k rho((|pi(X) - p_tk| - spacing h_t)+ / (scale h_t)), X the nearest drawn vertex of the pixel's limb.

    `drawn` (N,) vertices that stand for the body and `region` (N,) their limbs; observed (T, K, 2) px; labels (T, K), 0 for
    any limb; weights (T, K).
    """

    drawn: torch.Tensor
    region: torch.Tensor
    observed: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    name = "dense"

    def __call__(self, *, joints, turned, betas, window):
        """Return the cost."""
        rows = self._looked_at()
        if not window.has_camera or not len(rows):
            return joints.new_zeros(())
        seen = projected(window, rows, self.skin.vertices(self.drawn, joints[rows], turned[rows], betas))
        return self._counted(self.mean_at(seen, rows, window), rows, window)

    def mean_at(self, seen_px, rows, window) -> torch.Tensor:
        """The mean (R,) of each of some frames whose drawn vertices are seen at (R, N, 2)."""
        observed, labels = self.observed[rows], self.labels[rows]
        with torch.no_grad():
            away = torch.cdist(observed, seen_px)
            away = away.masked_fill((labels[..., None] > 0) & (labels[..., None] != self.region), torch.inf)
            nearest = away.argmin(-1)
        found = seen_px.gather(1, nearest[..., None].expand(-1, -1, 2))
        height = window.height[rows, None]
        far = ((found - observed) ** 2).sum(-1).clamp_min(1e-6).sqrt() - SPACING * height
        loss = geman_mcclure((torch.relu(far) / (SCALE * height)) ** 2, RHO)
        return _mean(loss, self.weights[rows])


@dataclass(frozen=True)
class Silhouette(_Term):
    """The body within the mask, and the mask's outline on the body.

    sum_t step_t [mean_n rho(d_t(pi(X_n))+ / (scale h_t)) + the mean of :class:`Limbs` over the outline], d the signed distance
    from the mask in pixels: field (L, S, S) in half precision, of frame t the `place` (T,)-th, read at to_cell (T, 2, 3) times
    (x, y, 1). Robust, since what stands before the person is missing from the mask.
    """

    field: torch.Tensor
    place: torch.Tensor
    to_cell: torch.Tensor
    outline: Limbs
    name = "silhouette"

    def at(self, rows):
        """The term for some rows of the clip."""
        return replace(self, share=self.share[rows], place=self.place[rows], to_cell=self.to_cell[rows], outline=self.outline.at(rows))

    def __call__(self, *, joints, turned, betas, window):
        """Return the cost."""
        rows = self._looked_at()
        if not window.has_camera or not len(rows):
            return joints.new_zeros(())
        seen = projected(window, rows, self.skin.vertices(self.outline.drawn, joints[rows], turned[rows], betas))
        scale = SCALE * window.height[rows, None]
        outside = geman_mcclure((torch.relu(self._distance(seen, rows)) / scale) ** 2, RHO).mean(-1)
        return self._counted(outside + self.outline.mean_at(seen, rows, window), rows, window)

    def _distance(self, seen_px, rows) -> torch.Tensor:
        """Signed distance (R, N) in pixels from the mask, negative within; beyond the field that of its rim."""
        affine = self.to_cell[rows]
        cell = seen_px @ affine[..., :2].transpose(-1, -2) + affine[:, None, :, 2]
        unit = 2 * cell / (self.field.shape[-1] - 1) - 1
        field = self.field[self.place[rows], None].to(seen_px)
        return torch.nn.functional.grid_sample(field, unit[:, None], padding_mode="border", align_corners=True)[:, 0, 0]


def projected(window, rows, points: torch.Tensor) -> torch.Tensor:
    """Pixels (R, N, 2) of world points (R, N, 3) in some frames of the window."""
    K, R, t = (value if value.ndim == still else value[rows] for value, still in ((window.K, 2), (window.R, 2), (window.t, 1)))
    seen = points @ R.transpose(-1, -2) + (t if t.ndim == 1 else t[:, None])
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], -1)[..., None, :]
    return seen[..., :2] / seen[..., 2:].clamp_min(0.05) * focal + K[..., None, :2, 2]


def _shared(away, weights) -> torch.Tensor:
    """By what all points of a frame are off (R, 1, 2), those far off counting less: away (R, K, 2) in units, weights (R, K)."""
    sure = (weights / (1 + (away**2).sum(-1) / RHO**2) ** 2)[..., None]
    return (sure * away).sum(1, keepdim=True) / sure.sum(1, keepdim=True).clamp_min(1e-6)


def _mean(loss, weights) -> torch.Tensor:
    return (weights * loss).sum(-1) / weights.sum(-1).clamp_min(1e-6)
