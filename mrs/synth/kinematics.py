"""Features to joints and soles in torch: differentiable, in the heading of each frame, on the mean body."""

from __future__ import annotations

import numpy as np
import torch

from mrs.body import load_body
from mrs.skeletons import SMPL_PARENTS
from mrs.synth.features import HEIGHT, JOINTS, RATE_HZ, SPEED, TILT
from mrs.world.ground import SOLES


class Skeleton:
    """The mean body for batches of features (..., T, SIZE)."""

    def __init__(self, device="cpu"):
        body = load_body()
        rest = body.rest_joints(np.zeros(10))
        share, moments = body.landmark_moments(SOLES.names, np.zeros(10))
        self.bones = torch.as_tensor(rest - rest[SMPL_PARENTS], dtype=torch.float32, device=device)[..., None]
        self.share = torch.as_tensor(share, dtype=torch.float32, device=device)
        self.moments = torch.as_tensor(moments, dtype=torch.float32, device=device).reshape(-1, 72)

    def joints(self, x: torch.Tensor, soles: bool = False):
        """Joints (..., 24, 3) in metres about a place below the pelvis, facing +Z; with `soles` also soles (..., 4, 3).

        Joints are numbered so that each level of the tree is a slice, and so are its parents but for the chest.
        """
        local = _matrices(torch.cat([x[..., TILT], x[..., JOINTS]], -1).unflatten(-1, (24, 6)))
        zero = torch.zeros_like(x[..., HEIGHT])
        turned = [local[..., :1, :, :]]
        places = [torch.stack([zero, x[..., HEIGHT], zero], -1)[..., None, :, None]]
        for first, last, parents in _LEVELS:
            above, at = parents(turned[-1]), parents(places[-1])
            places.append(at + above @ self.bones[first:last])
            turned.append(above @ local[..., first:last, :, :])
        joints = torch.cat(places, -3)[..., 0]
        if not soles:
            return joints
        flat = torch.cat(turned, -3).transpose(-2, -3).flatten(-2)
        return joints, (joints.transpose(-1, -2) @ self.share.T + flat @ self.moments.T).transpose(-1, -2)


def _matrices(sixd: torch.Tensor) -> torch.Tensor:
    """As `mrs.body.torch_body.sixd_to_matrix`, whose gradient takes twice as long."""
    x, y = sixd[..., :3], sixd[..., 3:]
    x = x * ((x * x).sum(-1, keepdim=True) + 1e-18).rsqrt()
    y = y - (x * y).sum(-1, keepdim=True) * x
    y = y * ((y * y).sum(-1, keepdim=True) + 1e-18).rsqrt()
    (a, b, c), (d, e, f) = x.unbind(-1), y.unbind(-1)
    return torch.stack([a, d, b * f - c * e, b, e, c * d - a * f, c, f, a * e - b * d], -1).unflatten(-1, (3, 3))


def _chest(values):
    """Parents of feet, neck and collars: the ankles, and the chest three times."""
    return torch.cat([values, values[..., 2:, :, :], values[..., 2:, :, :]], -3)


def _same(values):
    return values


_LEVELS = ((1, 4, lambda v: torch.cat([v, v, v], -3)), (4, 7, _same), (7, 10, _same), (10, 15, _chest),
           (15, 18, lambda v: v[..., 2:, :, :]), (18, 20, lambda v: v[..., 1:, :, :]), (20, 22, _same), (22, 24, _same))


def steps_m(points: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Moves in the world (..., T - 1, P, 3) of points (..., T, P, 3), seen from the heading of the frame before, metres."""
    angle = x[..., 1:, SPEED][..., 2] / RATE_HZ
    cosine, sine = torch.cos(angle)[..., None], torch.sin(angle)[..., None]
    after = points[..., 1:, :, :]
    ahead = x[..., 1:, SPEED] / RATE_HZ
    moved = torch.stack([cosine * after[..., 0] + sine * after[..., 2] + ahead[..., 0, None],
                         after[..., 1], cosine * after[..., 2] - sine * after[..., 0] + ahead[..., 1, None]], -1)
    return moved - points[..., :-1, :, :]


def velocities(skeleton: Skeleton, x: torch.Tensor) -> torch.Tensor:
    """What the classifier of behaviour sees: velocities (..., T - 1, 75) of joints about the root, and of the root.

    Nothing in it tells a posture: differences of root-relative joints in the heading of each frame in m/s, then the
    root's velocity to the left and ahead in m/s and the yaw rate in rad/s.
    """
    joints = skeleton.joints(x)
    joints = torch.cat([joints[..., :1, :], joints[..., 1:, :] - joints[..., :1, :]], -2)
    return torch.cat([(joints[..., 1:, :, :] - joints[..., :-1, :, :]).flatten(-2) * RATE_HZ, x[..., 1:, SPEED]], -1)


def batched(function, values: np.ndarray, size: int = 256) -> np.ndarray:
    """Apply a torch function to (n, ...) in parts without gradients; NumPy in, NumPy out."""
    with torch.no_grad():
        return np.concatenate([function(torch.as_tensor(values[at : at + size])).numpy() for at in range(0, len(values), size)])
