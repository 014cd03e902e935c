"""Pose augmentation for the prior: limbs mixed between clips, joints mixed, noise. Quaternions w, x, y, z in torch."""

from __future__ import annotations

import numpy as np
import torch

from tools import corpus

LIMBS = {"spine": (3, 6, 9, 12, 15), "left_arm": (13, 16, 18, 20, 22), "right_arm": (14, 17, 19, 21, 23),
         "left_leg": (1, 4, 7, 10), "right_leg": (2, 5, 8, 11)}
MIX = {"spine": 0.25, "left_arm": 0.4, "right_arm": 0.4, "left_leg": 0.12, "right_leg": 0.12}
FREE_LIMB, FREE_BODY = 0.08, 0.10


class Poses:
    """All poses of the training clips, drawn evenly over actions (by the square root of their length)."""

    def __init__(self, split: str = "train", fps: float = 30.0):
        quats, weights, few = [], [], []
        found = [(corpus.group(path), path.suffix == ".txt", motion) for path, motion in corpus.poses(split, fps)]
        total: dict[str, int] = {}
        for name, _, motion in found:
            total[name] = total.get(name, 0) + len(motion)
        for name, is_few, motion in found:
            quats.append(motion.local_quat_wxyz[:, 1:])
            weights.append(np.full(len(motion), total[name] ** -0.5))
            few.append(np.full(len(motion), is_few))
        self.quats = torch.as_tensor(np.concatenate(quats), dtype=torch.float32)
        self.few = torch.as_tensor(np.concatenate(few))
        self.cumulated = torch.as_tensor(np.cumsum(np.concatenate(weights)))
        self.whole = torch.nonzero(~self.few)[:, 0]

    def rows(self, count: int, generator) -> torch.Tensor:
        """Draw rows by weight."""
        at = torch.rand(count, generator=generator, dtype=torch.float64) * self.cumulated[-1]
        return torch.searchsorted(self.cumulated, at).clamp_max(len(self.quats) - 1)

    def draw(self, count: int, generator) -> torch.Tensor:
        """Poses (count, 23, 4) with limbs mixed; without noise."""
        quats = self.complete(self.rows(count, generator), generator)
        for name, joints in LIMBS.items():
            columns = torch.tensor(joints) - 1
            chosen = torch.rand(count, generator=generator) < MIX[name]
            other = self.quats[self.rows(count, generator)]
            quats[:, columns] = torch.where(chosen[:, None, None], other[:, columns], quats[:, columns])
            chosen = torch.rand(count, generator=generator) < FREE_LIMB
            for column in columns.tolist():
                free = self.quats[self.whole[torch.randint(len(self.whole), (count,), generator=generator)], column]
                quats[:, column] = torch.where(chosen[:, None], free, quats[:, column])
        few = torch.nonzero(torch.rand(count, generator=generator) < FREE_BODY)[:, 0]
        for column in range(23):
            quats[few, column] = self.quats[self.rows(len(few), generator), column]
        return mirrored(quats, torch.rand(count, generator=generator) < 0.5)

    def complete(self, rows: torch.Tensor, generator) -> torch.Tensor:
        """Poses at rows; half of those that lack joints get them from a pose that has them all."""
        quats = self.quats[rows].clone()
        lent = self.quats[self.whole[torch.randint(len(self.whole), (len(rows),), generator=generator)]]
        lacking = self.few[rows] & (torch.rand(len(rows), generator=generator) < 0.5)
        columns = torch.tensor(corpus.FEW) - 1
        quats[:, columns] = torch.where(lacking[:, None, None], lent[:, columns], quats[:, columns])
        return quats


def noisy(quats: torch.Tensor, generator) -> torch.Tensor:
    """Turn every joint by a little: 2 to 6 degrees a pose, 12 for one pose in 16."""
    count = len(quats)
    degrees = 2 + 4 * torch.rand(count, 1, 1, generator=generator)
    degrees = torch.where(torch.rand(count, 1, 1, generator=generator) < 1 / 16, 12.0, degrees)
    turn = torch.randn(count, 23, 3, generator=generator) * torch.deg2rad(degrees) / 3**0.5
    return multiply(quats, small_quat(turn))


def small_quat(turn: torch.Tensor) -> torch.Tensor:
    """Rotation vectors (..., 3) to quaternions."""
    half = turn.norm(dim=-1, keepdim=True) / 2
    return torch.cat([half.cos(), 0.5 * torch.sinc(half / torch.pi) * turn], -1)


def multiply(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Hamilton product."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    return torch.cat([aw * bw - (av * bv).sum(-1, keepdim=True), aw * bv + bw * av + torch.linalg.cross(av, bv)], -1)


def mirrored(quats: torch.Tensor, chosen=None) -> torch.Tensor:
    """Exchange left and right of local rotations (..., 23, 4), of all or of the `chosen` rows."""
    from mrs.skeletons import SMPL_24

    other = quats[..., torch.as_tensor(SMPL_24.flip[1:] - 1), :] * torch.tensor([1.0, 1, -1, -1], dtype=quats.dtype)
    return other if chosen is None else torch.where(chosen[:, None, None], other, quats)


def to_matrix(quats: torch.Tensor) -> torch.Tensor:
    """Quaternions (..., 4) to matrices (..., 3, 3)."""
    w, x, y, z = torch.nn.functional.normalize(quats, dim=-1).unbind(-1)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), 2 * (x * y + w * z),
            1 - 2 * (x * x + z * z), 2 * (y * z - w * x), 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))
