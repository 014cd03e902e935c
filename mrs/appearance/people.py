"""Synthetic people: the embedded body in procedural clothes, rendered in batches by torch alone, with exact truth.

Any device. A surface is points that are splatted into a z-buffer of twice the side, by one scatter of packed depth and number; no triangle is
walked. Every batch is made anew, so nothing lies on disk and nothing is seen twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from mrs import npz
from mrs.appearance.clothes import Surface, Wardrobe
from mrs.appearance.constants import on
from mrs.body import load_body
from mrs.body.torch_body import TorchBody
from mrs.errors import InputError
from mrs.skeletons import COCO_18, SMPL_PARENTS

POSES = "poses"
BITS = 17
_ARMS = (13, 14, 16, 17, 18, 19, 20, 21, 22, 23)


@dataclass
class Batch:
    """B pictures, whoever made them.

    picture (B, 3, S, S) in -1..1; joints (B, 18, 3) in 0..1 and 1 where known; looks and looks_joints the picture from which
    the appearance is taken; plate (B, 3, S, S) the background alone, mask (B, 1, S, S) the person and mask_known (B,), or None; parts (B, S, S) the body
    part of each pixel, -1 where there is none, or None; looks_parts the same of the looks.
    """

    picture: torch.Tensor
    joints: torch.Tensor
    looks: torch.Tensor
    looks_joints: torch.Tensor
    plate: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    mask_known: torch.Tensor | None = None
    parts: torch.Tensor | None = None
    looks_parts: torch.Tensor | None = None


def pack_poses(corpora, path: Path, step: int = 2) -> int:
    """Write every `step`-th pose of corpora as 16-bit quaternions with who is held out; return their number."""
    quats, held = [], []
    for corpus in corpora:
        for clip in corpus.clips:
            rows = slice(clip.first, clip.first + clip.frames, step)
            quats.append(np.round(np.asarray(corpus.local_quat_wxyz[rows], float) * 32767).astype(np.int16))
            held.append(np.full(len(quats[-1]), clip.split == "test"))
    npz.save(path, POSES, {"local_quat_wxyz": np.concatenate(quats), "test": np.concatenate(held)}, {"step": step})
    return sum(map(len, held))


class People:
    """Pictures of people in pairs of the same clothes; people and poses of `split` only."""

    def __init__(self, poses: Path | str | None, size_px: int = 128, device: str = "cpu", seed: int = 0, split: str = "train",
                 points: int = 1 << 16, pair_share: float = 0.5):
        self.size_px, self.device, self.pair_share = size_px, device, pair_share
        self.quats = torch.as_tensor(_poses(poses, split), device=device)
        self.generator = torch.Generator(device).manual_seed(seed + (1 << 20 if split == "test" else 0))
        body = load_body()
        self.body = TorchBody(body, COCO_18.names, device=device)
        self.faces = torch.as_tensor(body.faces, device=device)
        face, corner = _spread(body, points)
        self.corners = self.faces[torch.as_tensor(face, device=device)]
        self.share = torch.as_tensor(corner, dtype=torch.float32, device=device)
        self.at_points = Surface.of((self.share[..., None] * self.body.template[self.corners]).sum(1),
                                    (self.share[..., None] * self.body.weights[self.corners]).sum(1))
        self.at_vertices = Surface.of(self.body.template, self.body.weights)
        self.part = self.at_points.shares.argmax(1)
        self.rest_normal = self._normals(self.body.template[None])[0]

    def state(self) -> dict:
        """What the next batch depends on."""
        return {"generator": self.generator.get_state()}

    def restore(self, state: dict) -> None:
        """Take up what :meth:`state` said."""
        self.generator.set_state(state["generator"].cpu())

    def batch(self, count: int) -> Batch:
        """Draw `count` pictures (made even): the second half are the people of the first half in other poses."""
        with torch.no_grad():
            half = max(count // 2, 1)
            wardrobe = Wardrobe(half, self.generator, self.device)
            colours = wardrobe.colours(self.at_points).repeat(2, 1, 1)
            vertices, marks = self._posed(wardrobe)
            pixels, joints = self._seen(vertices, marks)
            picture, mask, parts = self._painted(pixels, vertices, colours)
            plate = self._plates(2 * half)
            picture = mask * picture + (1 - mask) * plate
            picture = (picture + 0.015 * self._normal(picture.shape)).clamp(0, 1) * 2 - 1
            other = torch.where(self._rand(2 * half) < self.pair_share, 1, 0) * half
            rows = (torch.arange(2 * half, device=self.device) + other) % (2 * half)
            return Batch(picture, self._unsure(joints), picture[rows], joints[rows], plate * 2 - 1, mask, None, parts, parts[rows])

    def _rand(self, *shape) -> torch.Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.device)

    def _normal(self, shape) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)

    def _posed(self, wardrobe: Wardrobe) -> tuple[torch.Tensor, torch.Tensor]:
        """Vertices (B, V, 3) and landmarks (B, 18, 3) in metres in camera axes, about the body's middle."""
        count = 2 * wardrobe.count
        betas = (0.8 * self._normal((wardrobe.count, 10))).repeat(2, 1)
        rest = self.body.template + self.body.shape.flatten(0, 1).matmul(betas.T).T.unflatten(1, (-1, 3))
        rest = rest + (wardrobe.offsets_m(self.at_vertices)[..., None] * self.rest_normal).repeat(2, 1, 1)
        bones = self.body.rest + (self.body.rest_shape.flatten(0, 1) @ betas.T).T.unflatten(1, (-1, 3))
        turned = self._facing(self.body.chain(self._local(count)))
        joints = _placed(bones, turned)
        shift = joints - (turned @ bones[..., None])[..., 0]
        blended = self.body.weights @ torch.cat([turned.flatten(-2), shift], -1)
        vertices = (blended[..., :9].unflatten(-1, (3, 3)) @ rest[..., None])[..., 0] + blended[..., 9:]
        moments = self.body.moments + (self.body.moments_shape.flatten(0, 2) @ betas.T).T.unflatten(1, self.body.moments.shape)
        marks = self.body.share @ joints + torch.einsum("bjac,bkjc->bka", turned, moments)
        middle = (vertices.amax(1, keepdim=True) + vertices.amin(1, keepdim=True)) / 2
        return vertices - middle, marks - middle

    def _local(self, count: int) -> torch.Tensor:
        """Local rotations (B, 24, 3, 3) of random poses; three in ten have the arms of another."""
        rows = (self._rand(2, count) * len(self.quats)).long()
        quats, others = self.quats[rows[0]].float(), self.quats[rows[1]].float()
        mixed = quats.clone()
        arms = on(_ARMS, self.device)
        mixed[:, arms] = others[:, arms]
        quats = torch.where((self._rand(count, 1, 1) < 0.3), mixed, quats)
        return _matrices(functional.normalize(quats, dim=-1))

    def _facing(self, turned: torch.Tensor) -> torch.Tensor:
        """Turn bodies any way about the vertical, and look at them from -15 to 35 degrees above, a little rolled."""
        count = len(turned)
        yaw = 2 * torch.pi * self._rand(count)
        pitch, roll = -0.26 + 0.87 * self._rand(count) ** 1.5, 0.08 * self._normal((count,))
        view = _about(roll, 2) @ _about(-pitch, 0) @ on(((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0)), self.device) @ _about(yaw, 1)
        return view[:, None] @ turned

    def _seen(self, vertices, marks) -> tuple[torch.Tensor, torch.Tensor]:
        """Project to the crop: x, y in 0..1 and depth (B, V, 3), and joints (B, 18, 3) with all known."""
        count = len(vertices)
        away = (2.3 + 6 * self._rand(count, 1) ** 2)[..., None]
        flat = lambda p: p[..., :2] / (p[..., 2:] + away).clamp_min(0.3)
        pixels, joints = flat(vertices), flat(marks)
        low, high = joints.amin(1, keepdim=True), joints.amax(1, keepdim=True)
        side = (high - low).amax(-1, keepdim=True) * (1.15 + 0.35 * self._rand(count, 1, 1))
        centre = (low + high) / 2 + 0.07 * side * self._normal((count, 1, 2)).clamp(-2, 2)
        place = lambda p: (p - centre) / side + 0.5
        known = torch.ones_like(joints[..., :1])
        return torch.cat([place(pixels), vertices[..., 2:] + away], -1), torch.cat([place(joints), known], -1)

    def _unsure(self, joints: torch.Tensor) -> torch.Tensor:
        """Joints as a detector would say them: half a percent off, and now and then unknown."""
        xy = joints[..., :2] + 0.005 * self._normal(joints[..., :2].shape)
        known = (self._rand(*joints.shape[:2], 1) > 0.01).float()
        return torch.cat([xy, known], -1)

    def _normals(self, vertices: torch.Tensor) -> torch.Tensor:
        """Unit normals (B, V, 3), smoothed over the vertices."""
        a, b, c = (vertices[:, self.faces[:, at]] for at in range(3))
        across = torch.linalg.cross(b - a, c - a)
        total = torch.zeros_like(vertices)
        for at in range(3):
            total.index_add_(1, self.faces[:, at], across)
        return functional.normalize(total, dim=-1)

    def _painted(self, pixels, vertices, colours):
        """Picture and mask (B, 3 and 1, S, S) of the shaded people, and the part of each pixel (B, S, S)."""
        normals = self._normals(vertices)
        attributes = torch.cat([pixels, normals], -1)
        at_points = sum(self.share[:, k, None] * attributes[:, self.corners[:, k]] for k in range(3))
        facing = at_points[..., 5] < 0.35
        side = 2 * self.size_px
        found = _splat(at_points[..., :2] * side, at_points[..., 2], facing, side)
        hit = found >= 0
        number = found.clamp_min(0)
        shade = self._shade(at_points[..., 3:6])
        lit = (colours * shade).gather(1, number[..., None].expand(-1, -1, 3))
        square = lambda v: v.transpose(1, 2).unflatten(2, (side, side))
        mask = functional.avg_pool2d(square(hit[..., None].float()), 2)
        picture = functional.avg_pool2d(square(lit * hit[..., None]), 2) / mask.clamp_min(1e-3)
        parts = torch.where(hit, self.part[number], -1).unflatten(1, (side, side))[:, ::2, ::2]
        return picture.clamp(0, 1), mask, parts

    def _shade(self, normals: torch.Tensor) -> torch.Tensor:
        """Light (B, P, 3): a coloured sun from above or the side, and what comes from everywhere."""
        count = len(normals)
        sun = self._normal((count, 3))
        sun = functional.normalize(torch.stack([sun[:, 0], -sun[:, 1].abs() - 0.2, sun[:, 2] - 0.6], 1), dim=1)
        around = 0.35 + 0.5 * self._rand(count, 1, 1)
        tint = 1 + 0.06 * self._normal((count, 1, 3))
        return (around + (1.15 - around) * (normals @ sun[:, :, None]).clamp_min(0)) * tint

    def _plates(self, count: int) -> torch.Tensor:
        """Backgrounds (B, 3, S, S): soft noise of several scales, a floor, and boxes; a quarter nearly plain."""
        size = self.size_px
        vivid = 0.3 * self._rand(count, 1, 1, 1) ** 2
        plate = 0.1 + 0.8 * self._rand(count, 1, 1, 1) + vivid * self._normal((count, 3, 1, 1))
        plate = plate + torch.zeros(count, 3, size, size, device=self.device)
        rough = torch.where(self._rand(count, 1, 1, 1) < 0.25, 0.02, 0.18)
        for side in (3, 8, 20, 48):
            noise = self._normal((count, 3, side, side)) * 2 * vivid + self._normal((count, 1, side, side))
            plate = plate + rough * (3 / side) ** 0.5 * functional.interpolate(noise, (size, size), mode="bilinear")
        at = torch.linspace(0, 1, size, device=self.device)
        floor = (at[:, None] > 0.5 + 0.4 * self._rand(count, 1, 1, 1)) & (self._rand(count, 1, 1, 1) < 0.6)
        plate = torch.where(floor, plate + 0.25 * self._normal((count, 1, 1, 1)) + vivid * self._normal((count, 3, 1, 1)), plate)
        for _ in range(3):
            x, y, w, h = self._rand(4, count, 1, 1, 1)
            box = ((at - x).abs() < 0.25 * w) & ((at[:, None] - y).abs() < 0.4 * h) & (rough > 0.1)
            plate = torch.where(box, 0.3 * plate + 0.7 * (self._rand(count, 1, 1, 1) + 0.6 * (self._rand(count, 3, 1, 1) - 0.5)), plate)
        return plate.clamp(0, 1)


def _splat(xy: torch.Tensor, depth: torch.Tensor, shown: torch.Tensor, side: int) -> torch.Tensor:
    """Number (B, side * side) of the nearest point at each pixel, -1 where there is none; a point covers 2 x 2 pixels."""
    count, points = depth.shape
    number = torch.arange(points, device=xy.device)
    key = ((depth.clamp(0, 40) * 1e5).long() << BITS) | number
    nearest = torch.full((count, side * side + 1), torch.iinfo(torch.int64).max, dtype=torch.int64, device=xy.device)
    corner = (xy - 0.5).floor().clamp(-2, side + 1).long()
    for dy in (0, 1):
        for dx in (0, 1):
            x, y = corner[..., 0] + dx, corner[..., 1] + dy
            inside = shown & (x >= 0) & (x < side) & (y >= 0) & (y < side)
            nearest.scatter_reduce_(1, torch.where(inside, y * side + x, side * side), key, "amin")
    nearest = nearest[:, :-1]
    return torch.where(nearest == torch.iinfo(torch.int64).max, -1, nearest & ((1 << BITS) - 1))


def _spread(body, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Faces (P,) and barycentric coordinates (P, 3) of about evenly spread points, by a low-discrepancy sequence."""
    corners = body.template_m[body.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    ends = np.round(np.cumsum(area) / area.sum() * points).astype(int)
    face = np.repeat(np.arange(len(area)), np.diff(ends, prepend=0))
    within = np.arange(points) - np.concatenate([[0], ends])[face]
    u, v = (0.5 + within * 0.7548776662466927) % 1, (0.5 + within * 0.5698402909980532) % 1
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    return face, np.stack([1 - u - v, u, v], 1)


def _poses(path: Path | str | None, split: str) -> np.ndarray:
    """Quaternions (M, 24, 4) of a split in the file of poses; without a file a T-pose."""
    if path is None:
        return np.tile(np.array([32767, 0, 0, 0], np.int16), (1, 24, 1))
    arrays, _ = npz.load(path, POSES)
    chosen = arrays["local_quat_wxyz"][arrays["test"] == (split == "test")]
    if not len(chosen):
        raise InputError(f"Expected poses of the split {split} in {path}, but it has none.")
    return chosen


def _placed(bones: torch.Tensor, turned: torch.Tensor) -> torch.Tensor:
    """Joints (B, 24, 3) from rest joints and global rotations; the pelvis stays."""
    found = [bones[:, 0]]
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        step = (turned[:, parent] @ (bones[:, joint] - bones[:, parent])[..., None])[..., 0]
        found.append(found[parent] + step)
    return torch.stack(found, 1)


def _matrices(quat_wxyz: torch.Tensor) -> torch.Tensor:
    """Rotation matrices (..., 3, 3) of unit quaternions."""
    w, x, y, z = quat_wxyz.unbind(-1)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def _about(radians: torch.Tensor, axis: int) -> torch.Tensor:
    """Rotations (B, 3, 3) about one axis."""
    half = radians / 2
    quat = torch.zeros(len(half), 4, device=half.device)
    quat[:, 0], quat[:, 1 + axis] = half.cos(), half.sin()
    return _matrices(quat)
