"""The body in torch: batched and differentiable, with a joints-only path that needs no skinning.

With *global* rotations G_j as variables, forward kinematics is linear: p = p_root + A b with b_j = G_parent(j) o_j(betas)
and A the ancestor matrix, so one matrix product replaces the walk down the tree.
"""

from __future__ import annotations

import numpy as np
import torch

from mrs.body.model import Body
from mrs.skeletons import SMPL_PARENTS

_DEPTHS = [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12, 13, 14], [15, 16, 17], [18, 19], [20, 21], [22, 23]]


def sixd_to_matrix(sixd: torch.Tensor) -> torch.Tensor:
    """6D (..., 6) to matrices (..., 3, 3) by Gram-Schmidt (Zhou et al., CVPR 2019)."""
    x = torch.nn.functional.normalize(sixd[..., :3], dim=-1, eps=1e-9)
    y = sixd[..., 3:]
    y = torch.nn.functional.normalize(y - (x * y).sum(-1, keepdim=True) * x, dim=-1, eps=1e-9)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)


def axis_angle_to_matrix(axis_angle: torch.Tensor) -> torch.Tensor:
    """Rotation vectors (..., 3) in radians to matrices; smooth at zero."""
    square = (axis_angle**2).sum(-1, keepdim=True)
    small = square < 1e-8
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    sine = torch.where(small, 1 - square / 6, torch.sin(angle) / angle)[..., None]
    cosine = torch.where(small, 0.5 - square / 24, (1 - torch.cos(angle)) / angle**2)[..., None]
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    return torch.eye(3, dtype=x.dtype, device=x.device) + sine * skew + cosine * (skew @ skew)


class TorchBody:
    """The body on one device. Every method takes leading batch axes (...), one entry a frame.

    `landmarks` names the keypoints that :meth:`keypoints` returns.
    """

    def __init__(self, body: Body, landmarks: tuple[str, ...] = (), *, dtype=torch.float32, device="cpu"):
        def tensor(array):
            return torch.as_tensor(np.asarray(array), dtype=dtype, device=device)

        rest, rest_shape = body.rest_m - body.rest_m[0], body.rest_shape_m - body.rest_shape_m[0]
        parents = SMPL_PARENTS[1:]
        self.parents = torch.as_tensor(parents, device=device)
        self.bones, self.bones_shape = tensor(rest[1:] - rest[parents]), tensor(rest_shape[1:] - rest_shape[parents])
        self.rest, self.rest_shape = tensor(body.rest_m), tensor(body.rest_shape_m)
        self.ancestors = tensor(_ancestors())
        self.marks = tuple(landmarks)
        rows = [body.landmark_names.index(n) for n in landmarks]
        self.share, self.moments = tensor(body.joint_share[rows]), tensor(body.moment_m[rows])
        self.moments_shape = tensor(body.moment_shape_m[rows])
        self.template, self.shape = tensor(body.template_m), tensor(body.shape_m)
        self.weights = tensor(body.weights)

    def chain(self, local: torch.Tensor) -> torch.Tensor:
        """Local rotation matrices (..., 24, 3, 3) to global ones."""
        turned = [local[..., 0, :, :]] + [None] * 23
        for level in _DEPTHS:
            parents = torch.stack([turned[SMPL_PARENTS[j]] for j in level], -3)
            for joint, value in zip(level, (parents @ local[..., level, :, :]).unbind(-3), strict=True):
                turned[joint] = value
        return torch.stack(turned, -3)

    def shaped_bones(self, betas: torch.Tensor) -> torch.Tensor:
        """Offsets (..., 23, 3) of joints 1..23 from their parents in the rest pose, of betas (10,) or (T, 10)."""
        return self.bones + _by_shape(self.bones_shape, betas)

    def shaped_moments(self, betas: torch.Tensor) -> torch.Tensor:
        """What each bone's rotation adds to each landmark beyond its joints' share (..., K, 24, 3), of betas (10,) or (T, 10)."""
        return self.moments + _by_shape(self.moments_shape, betas)

    def taller_m(self) -> torch.Tensor:
        """How much each of the betas (10,) adds to the standing height."""
        heights = self.template[:, 1]
        return self.shape[heights.argmax(), 1] - self.shape[heights.argmin(), 1]

    def joints(self, root: torch.Tensor, turned: torch.Tensor, betas: torch.Tensor, carriers=None) -> torch.Tensor:
        """Joints (..., 24, 3) from the pelvis (..., 3), global rotations (..., 24, 3, 3) and betas (10,), or one a frame (T, 10).

        `carriers` are the parents' rotations (..., 23, 3, 3) where the caller has them already.
        """
        bones = self.shaped_bones(betas)
        carriers = turned.index_select(-3, self.parents) if carriers is None else carriers
        moved = (carriers * bones[..., None, :]).sum(-1)
        return root[..., None, :] + (moved.transpose(-1, -2) @ self.ancestors.T).transpose(-1, -2)

    def keypoints(self, joints: torch.Tensor, turned: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        """Landmarks (..., K, 3) on the moving body, exact under linear blend skinning."""
        moments = self.shaped_moments(betas)
        flat = turned.transpose(-2, -3).reshape(*turned.shape[:-3], 3, 72)
        return (joints.transpose(-1, -2) @ self.share.T + flat @ moments.flatten(-2).transpose(-1, -2)).transpose(-1, -2)

    def vertices(self, joints: torch.Tensor, turned: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
        """Skinned vertices (..., V, 3)."""
        rest = self.rest + self.rest_shape @ betas
        shift = joints - (turned @ rest[..., None])[..., 0]
        blended = self.weights @ torch.cat([turned.flatten(-2), shift], -1)
        shaped = self.template + self.shape @ betas
        return (blended[..., :9].unflatten(-1, (3, 3)) @ shaped[..., None])[..., 0] + blended[..., 9:]


def _by_shape(directions: torch.Tensor, betas: torch.Tensor) -> torch.Tensor:
    """What betas (10,) or (T, 10) add: directions (..., 10) to (...) or (T, ...)."""
    return directions @ betas if betas.ndim == 1 else (directions @ betas.T).movedim(-1, 0)


def _ancestors() -> np.ndarray:
    """(24, 23): which bones lie on the way from the pelvis to each joint."""
    matrix = np.zeros((24, 23))
    for joint in range(1, 24):
        at = joint
        while at > 0:
            matrix[joint, at - 1] = 1
            at = SMPL_PARENTS[at]
    return matrix
