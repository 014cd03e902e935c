"""What the shape-and-posture network is given: the stick figure of a posture, and the looks as ten upright patches.

Joints are COCO's 18 (nose, neck, right and left arm, right and left leg, eyes, ears) as (B, 18, 3): x and y in 0..1 of the
square picture, and 1 where the joint is known. Everything is batched torch on any device, without a loop over people.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from mrs.appearance.constants import on
from mrs.skeletons import COCO_18

PARTS = ("torso", "head", "right_upper_arm", "right_lower_arm", "left_upper_arm", "left_lower_arm",
         "right_upper_leg", "right_lower_leg", "left_upper_leg", "left_lower_leg")
LIMBS = tuple(tuple(COCO_18.indices(f"{side}_{a}", f"{side}_{b}")) for a, b, side in (
    ("shoulder", "elbow", "right"), ("elbow", "wrist", "right"), ("shoulder", "elbow", "left"), ("elbow", "wrist", "left"),
    ("hip", "knee", "right"), ("knee", "ankle", "right"), ("hip", "knee", "left"), ("knee", "ankle", "left")))
QUAD = tuple(COCO_18.indices("right_shoulder", "left_shoulder", "left_hip", "right_hip"))
NECK, NOSE = COCO_18.indices("neck", "nose")
FACE = tuple(tuple(COCO_18.indices(a, b)) for a, b in (("nose", "right_eye"), ("nose", "left_eye"), ("right_eye", "right_ear"),
                                                ("left_eye", "left_ear")))
_RIGHT, _LEFT = (0, 1, 4, 5), (2, 3, 6, 7)


def stick_figure(joints: torch.Tensor, size_px: int, width_px: float = 1.0) -> torch.Tensor:
    """Draw (B, 3, S, S) in -1..1: the torso filled in channels 1 and 2, right limbs in 1, left limbs in 0, the head in both.

    A line with an end that isn't known is left out, as are lines of the face that are longer than the head's (BDS 3.2).
    """
    pixels, known = joints[..., :2] * size_px, joints[..., 2] > 0.5
    ends, quad = on((*LIMBS, (NECK, NOSE), *FACE), joints.device), on(QUAD, joints.device)
    segments = pixels[:, ends]
    shown = known[:, ends].all(-1)
    length = (segments[:, :, 1] - segments[:, :, 0]).norm(dim=-1)
    shown[:, 9:] &= (length[:, 9:] < length[:, 8:9]) & shown[:, 8:9]
    lines = _coverage(segments, size_px, width_px) * shown[..., None, None]
    torso = _inside(pixels[:, quad], size_px) * known[:, quad].all(1)[:, None, None]
    head = 0.5 * lines[:, 8:].amax(1)
    left = torch.maximum(lines[:, on(_LEFT, lines.device)].amax(1), head)
    right = torch.maximum(torch.maximum(lines[:, on(_RIGHT, lines.device)].amax(1), head), 0.5 * torso)
    return torch.stack([left, right, torso], 1) * 2 - 1


def _centres(size_px: int, device) -> tuple[torch.Tensor, torch.Tensor]:
    at = torch.arange(size_px, device=device) + 0.5
    return at[None, :], at[:, None]


def _coverage(segments: torch.Tensor, size_px: int, width_px: float) -> torch.Tensor:
    """How much of each pixel a line of that width covers: segments (B, N, 2, 2) to (B, N, S, S), with soft edges."""
    x, y = _centres(size_px, segments.device)
    start, along = segments[:, :, 0], segments[:, :, 1] - segments[:, :, 0]
    square = (along**2).sum(-1).clamp_min(1e-6)
    ax, ay, dx, dy = (v[..., None, None] for v in (start[..., 0], start[..., 1], along[..., 0], along[..., 1]))
    share = (((x - ax) * dx + (y - ay) * dy) / square[..., None, None]).clamp(0, 1)
    away = ((x - ax - share * dx) ** 2 + (y - ay - share * dy) ** 2).sqrt()
    return (max(width_px, 1.0) / 2 + 0.5 - away).clamp(0, 1)


def _inside(corners: torch.Tensor, size_px: int) -> torch.Tensor:
    """Which pixels' centres lie in the polygon (B, N, 2), by counting crossings: (B, S, S) of 0 and 1."""
    x, y = _centres(size_px, corners.device)
    ends = corners.roll(-1, 1)
    crossed = torch.zeros(len(corners), size_px, size_px, dtype=torch.bool, device=corners.device)
    for a, b in zip(corners.unbind(1), ends.unbind(1), strict=True):
        ax, ay, bx, by = (v[:, None, None] for v in (a[:, 0], a[:, 1], b[:, 0], b[:, 1]))
        rise = torch.where((by - ay).abs() < 1e-6, torch.full_like(by, 1e-6), by - ay)
        crossed ^= ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / rise + ax)
    return crossed.float()


def part_quads(joints: torch.Tensor, five_points: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Corners (B, 10, 4, 2) of the parts in 0..1, clockwise from the upper left of the upright part, and which exist (B, 10).

    With `five_points` the torso's upper edge is the shoulder line moved through the neck, as BDS does for Human3.6M.
    """
    points, known = joints[..., :2], joints[..., 2] > 0.5
    torso, torso_known = _torso(points, known, five_points)
    head, head_known = _head(points, known)
    limbs = [_limb(points, known, *ends) for ends in LIMBS]
    return (torch.stack([torso, head, *(quad for quad, _ in limbs)], 1),
            torch.stack([torso_known, head_known, *(found for _, found in limbs)], 1))


def _torso(points, known, five_points: bool):
    quad = points[:, on(QUAD, points.device)]
    found = known[:, on(QUAD, points.device)].all(1)
    if not five_points:
        return quad, found
    right, left, left_hip, right_hip = quad.unbind(1)
    along = left - right
    raised = [_cut(points[:, NECK], along, hip, shoulder) for hip, shoulder in ((right_hip, right), (left_hip, left))]
    use = (found & known[:, NECK])[:, None]
    right, left = (torch.where(use, a, b) for a, b in zip(raised, (right, left), strict=True))
    return torch.stack([right, left, left_hip, right_hip], 1), found


def _cut(through, along, start, end):
    """Where the line `through` + t `along` meets the line from `start` to `end`; `end` where they hardly meet."""
    cross = lambda a, b: a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    below = cross(end - start, along)
    share = cross(through - start, along) / torch.where(below.abs() < 1e-6, torch.full_like(below, 1e-6), below)
    good = (below.abs() > 1e-6) & (share > 0.5) & (share < 2)
    return torch.where(good[:, None], start + share[:, None] * (end - start), end)


def _head(points, known):
    """A square about the axis from the middle of the shoulders to twice the nose; above the shoulders without a nose."""
    right, left = points[:, QUAD[0]], points[:, QUAD[1]]
    shoulders = known[:, QUAD[0]] & known[:, QUAD[1]]
    middle, across = (right + left) / 2, left - right
    upward = torch.stack([across[:, 1], -across[:, 0]], -1)
    upward = torch.where(upward[:, 1:] > 0, -upward, upward)
    axis = torch.where(known[:, NOSE, None], 2 * (points[:, NOSE] - middle), upward)
    return _upright(middle + axis, middle, axis, 0.5), shoulders


def _limb(points, known, first: int, second: int):
    """A box around the segment, half as wide as long; from the one end that is known straight down to the picture's edge."""
    start, end = points[:, first], points[:, second]
    only = torch.where(known[:, first, None], start, end)
    bottom = torch.stack([only[:, 0], torch.ones_like(only[:, 0])], -1)
    both = (known[:, first] & known[:, second])[:, None]
    start, end = torch.where(both, start, only), torch.where(both, end, bottom)
    return _upright(start, end, start - end, 0.25), known[:, first] | known[:, second]


def _upright(top, bottom, axis, share: float):
    side = share * torch.stack([-axis[:, 1], axis[:, 0]], -1)
    return torch.stack([top - side, top + side, bottom + side, bottom - side], 1)


def part_patches(picture: torch.Tensor, joints: torch.Tensor, side_px: int, five_points: bool = False) -> torch.Tensor:
    """Warp the parts of a picture (B, 3, S, S) to squares (B, 30, side, side); parts that don't exist are zeros (BDS 1.8)."""
    quads, found = part_quads(joints, five_points)
    batch, parts = quads.shape[:2]
    grid = _warp(quads.flatten(0, 1), side_px).unflatten(0, (batch, parts))
    stacked = functional.grid_sample(picture, grid.flatten(1, 2).to(picture.dtype) * 2 - 1, padding_mode="border",
                                     align_corners=False)
    patches = stacked.unflatten(2, (parts, side_px)).transpose(1, 2) * found[:, :, None, None, None]
    return patches.flatten(1, 2)


def _warp(quad: torch.Tensor, side_px: int) -> torch.Tensor:
    """Where (N, side, side, 2) each patch pixel lies: the perspective map of the unit square to the quad (N, 4, 2).

    Heckbert's closed form (1989); where a quad is folded, and has none, the bilinear map.
    """
    at = (torch.arange(side_px, device=quad.device) + 0.5) / side_px
    v, u = torch.meshgrid(at, at, indexing="ij")
    p0, p1, p2, p3 = quad.unbind(1)
    d1, d2, total = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    cross = lambda a, b: a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    below = cross(d1, d2)
    below = torch.where(below.abs() < 1e-8, torch.full_like(below, 1e-8), below)
    g, h = cross(total, d2) / below, cross(d1, total) / below
    convex = (torch.stack([1 + g, 1 + h, 1 + g + h], 1) > 0.1).all(1) & (g.abs() < 10) & (h.abs() < 10)
    a, b = p1 - p0 + g[:, None] * p1, p3 - p0 + h[:, None] * p3
    uv = torch.stack([u, v], -1)
    flat = lambda value: value[:, None, None]
    weight = 1 + flat(g) * u + flat(h) * v
    weight = torch.where(weight.abs() < 1e-6, torch.full_like(weight, 1e-6), weight)
    perspective = (flat(a) * uv[..., :1] + flat(b) * uv[..., 1:] + flat(p0)) / weight[..., None]
    bilinear = (flat(p0) * (1 - uv[..., :1]) * (1 - uv[..., 1:]) + flat(p1) * uv[..., :1] * (1 - uv[..., 1:])
                + flat(p2) * uv[..., :1] * uv[..., 1:] + flat(p3) * (1 - uv[..., :1]) * uv[..., 1:])
    return torch.where(convex[:, None, None, None], perspective, bilinear).clamp(-4, 5)
