"""Pictures of people with their joints as a source of batches: kept in memory, or read when they are drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from mrs.appearance import sheets
from mrs.appearance.people import Batch
from mrs.skeletons import COCO_18


@dataclass(frozen=True)
class Picture:
    """One picture: rgb (P, P, 3) uint8, joints (18, 3) in 0..1 of it, and background and mask (P, P) where they are known."""

    rgb: np.ndarray
    joints: np.ndarray
    plate: np.ndarray | None = None
    mask: np.ndarray | None = None


class Pictures:
    """Batches out of `count` pictures that `read(row)` returns, all with plates or none.

    A picture's looks are its own or, `pair_share` of the time, those of another of the same person (`persons` (N,), -1 for unknown).
    `jitter` is how far a square is moved and scaled, a share of its side; `flip` the share of mirrored pictures; `weights` (N,)
    how often each is drawn; `lenders` (N,) which may lend their looks, all without.
    """

    def __init__(self, count: int, read: Callable[[int], Picture], size_px: int, device: str = "cpu", seed: int = 0, *,
                 persons: np.ndarray | None = None, pair_share: float = 0.0, jitter: float = 0.0, flip: float = 0.0,
                 weights: np.ndarray | None = None, lenders: np.ndarray | None = None):
        self.count, self.read, self.size_px, self.device = count, read, size_px, device
        self.rng = np.random.default_rng(seed)
        self.persons = np.full(count, -1) if persons is None else np.asarray(persons)
        self.pair_share, self.jitter, self.flip = pair_share, jitter, flip
        self.weights = None if weights is None else np.asarray(weights, float) / np.sum(weights)
        lends = np.ones(count, bool) if lenders is None else lenders
        self._same = {p: np.flatnonzero((self.persons == p) & lends) for p in np.unique(self.persons[lends]) if p >= 0}

    def state(self) -> dict:
        """What the next batch depends on."""
        return {"numpy": json.dumps(self.rng.bit_generator.state)}

    def restore(self, state: dict) -> None:
        """Take up what :meth:`state` said."""
        self.rng.bit_generator.state = json.loads(state["numpy"])

    def batch(self, count: int) -> Batch:
        """Draw `count` pictures and the looks for each."""
        rows = self.rng.choice(self.count, count, p=self.weights)
        looks = np.array([self._partner(row) for row in rows])
        mirrored = self.rng.random(count) < self.flip
        return self.of(rows, looks, mirrored, self._boxes(count))

    def of(self, rows: np.ndarray, looks: np.ndarray | None = None, mirrored: np.ndarray | None = None, boxes: np.ndarray | None = None) -> Batch:
        """The batch of chosen pictures and looks (own without); `boxes` (B, 3) are centre and side in 0..1 of each picture."""
        mirrored = np.zeros(len(rows), bool) if mirrored is None else mirrored
        shown = [self.read(int(row)) for row in rows]
        picture, joints, plate, mask, known = self._tensors(shown, mirrored, boxes)
        if looks is None or np.array_equal(looks, rows):
            return Batch(picture, joints, picture, joints, plate, mask, known)
        other = self._tensors([self.read(int(row)) for row in looks], mirrored, None)
        return Batch(picture, joints, other[0], other[1], plate, mask, known)

    def _partner(self, row: int) -> int:
        same = self._same.get(self.persons[row])
        return int(self.rng.choice(same)) if same is not None and self.rng.random() < self.pair_share else int(row)

    def _boxes(self, count: int) -> np.ndarray | None:
        if not self.jitter:
            return None
        side = 1 + self.jitter * self.rng.uniform(-1, 1, count)
        return np.stack([0.5 + self.jitter * self.rng.uniform(-0.5, 0.5, count), 0.5 + self.jitter * self.rng.uniform(-0.5, 0.5, count), side], 1)

    def _tensors(self, shown: list[Picture], mirrored: np.ndarray, boxes: np.ndarray | None):
        joints = np.stack([p.joints for p in shown]).astype(np.float32)
        layers = [np.stack([p.rgb for p in shown])]
        if shown[0].plate is not None:
            layers.append(np.stack([p.plate for p in shown]))
        known = np.array([p.mask is not None for p in shown])
        blank = np.zeros(shown[0].rgb.shape[:2], np.uint8)
        masks = np.stack([blank if p.mask is None else p.mask for p in shown])[..., None]
        stacked = sheets.from_bytes(np.concatenate([*layers, masks], -1), self.device)
        joints = torch.as_tensor(joints, device=self.device)
        if mirrored.any():
            turn = torch.as_tensor(mirrored, device=self.device)
            stacked = torch.where(turn[:, None, None, None], stacked.flip(3), stacked)
            joints = torch.where(turn[:, None, None], _mirrored(joints), joints)
        stacked, joints = _cropped(stacked, joints, boxes, self.size_px)
        plate = stacked[:, 3:6] if len(layers) > 1 else None
        mask = (stacked[:, -1:] + 1) / 2 if known.any() else None
        return stacked[:, :3], joints, plate, mask, torch.as_tensor(known.astype(np.float32), device=self.device)


def _mirrored(joints: torch.Tensor) -> torch.Tensor:
    """Joints of the mirrored picture: left is right."""
    turned = joints[:, torch.as_tensor(COCO_18.flip, device=joints.device)]
    return torch.cat([1 - turned[..., :1], turned[..., 1:]], -1)


def _cropped(stacked: torch.Tensor, joints: torch.Tensor, boxes: np.ndarray | None, size_px: int):
    """Cut squares (B, 3: centre and side in 0..1) out of pictures (B, C, P, P) at `size_px`, and the joints with them."""
    if boxes is None:
        if stacked.shape[-1] != size_px:
            stacked = functional.interpolate(stacked, (size_px, size_px), mode="bilinear", antialias=True, align_corners=False)
        return stacked, joints
    box = torch.as_tensor(boxes, dtype=torch.float32, device=stacked.device)
    scale, centre = box[:, 2], box[:, :2]
    zero = torch.zeros_like(scale)
    theta = torch.stack([torch.stack([scale, zero, 2 * centre[:, 0] - 1], 1), torch.stack([zero, scale, 2 * centre[:, 1] - 1], 1)], 1)
    grid = functional.affine_grid(theta, [len(box), 1, size_px, size_px], align_corners=False)
    xy = (joints[..., :2] - centre[:, None]) / scale[:, None, None] + 0.5
    cropped = functional.grid_sample(stacked, grid, padding_mode="border", align_corners=False)
    return cropped, torch.cat([xy, joints[..., 2:]], -1)
