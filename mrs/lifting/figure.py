"""The embedded body for many people at once: each window has its own shape."""

from __future__ import annotations

import numpy as np
import torch

from mrs.body.model import Body, load_body
from mrs.body.torch_body import TorchBody
from mrs.lifting.points import POINTS, SOLES

LIMBS = (1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21)


class Figure(TorchBody):
    """Forward kinematics of windows (B) of frames (T), a shape (B, 10) each. Landmarks: the encoder's points, then the soles."""

    def __init__(self, device="cpu", body: Body | None = None):
        super().__init__(body or load_body(), (*POINTS, *SOLES), device=device)
        self.say = torch.as_tensor(np.where(np.isin(np.arange(24), LIMBS), 1.5, 1.0), dtype=torch.float32, device=device)
        self.carrier = torch.nn.functional.one_hot(self.share.argmax(1), 24).to(self.share)

    def bones_of(self, betas: torch.Tensor) -> torch.Tensor:
        """Bones (B, 23, 3) at rest."""
        return self.bones + torch.einsum("jcs,bs->bjc", self.bones_shape, betas)

    def hang(self, turned: torch.Tensor, bones: torch.Tensor) -> torch.Tensor:
        """Joints (B, T, 24, 3) about the pelvis, from global rotations (B, T, 24, 3, 3) and bones (B, 23, 3)."""
        moved = (turned[..., self.parents, :, :] * bones[:, None, :, None, :]).sum(-1)
        return self.ancestors @ moved

    def landmarks(self, joints: torch.Tensor, turned: torch.Tensor, betas: torch.Tensor, shift: torch.Tensor | float = 0.0) -> torch.Tensor:
        """Landmarks (B, T, K, 3); `shift` (B, K, 3) moves each in the axes of the joint that carries it."""
        moments = self.moments + torch.einsum("kjcs,bs->bkjc", self.moments_shape, betas)
        if isinstance(shift, torch.Tensor):
            moments = moments + self.carrier[:, :, None] * shift[:, :, None]
        flat = turned.transpose(-2, -3).flatten(-2)
        return self.share @ joints + (flat @ moments.flatten(2).transpose(1, 2)[:, None]).transpose(-1, -2)


def leg_m(betas: np.ndarray, body: Body | None = None) -> np.ndarray:
    """Length of hip to knee to ankle (C,) of shapes (C, 10), in metres."""
    body = body or load_body()
    rest = body.rest_m + np.einsum("jcs,bs->bjc", body.rest_shape_m, betas)
    return np.linalg.norm(rest[:, 4] - rest[:, 1], axis=-1) + np.linalg.norm(rest[:, 7] - rest[:, 4], axis=-1)
