"""The head of HMR: from a code phi to camera, pose and shape, by iterative error feedback.

Kanazawa et al., "End-to-end recovery of human shape and pose" (CVPR 2018): Theta_{k+1} = Theta_k + MLP([phi, Theta_k]) for three
steps from a mean. Layers have the names of SPIN (Kolotouros et al., ICCV 2019), so that its checkpoints fit as they are: fc1, fc2,
decpose, decshape, deccam, and the buffers init_pose, init_shape, init_cam.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from mrs.body.torch_body import axis_angle_to_matrix, sixd_to_matrix

CAMERA, BETAS, JOINTS = 3, 10, 24
CODE_SIZE, AXIS_ANGLE, SIXD = 2048, 72, 144
KEYS = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "decpose.weight", "decpose.bias", "decshape.weight", "decshape.bias",
        "deccam.weight", "deccam.bias", "init_pose", "init_shape", "init_cam")


class IterativeHead(nn.Module):
    """Code (..., code_size) to camera (..., 3), pose (..., pose_size) and betas (..., 10).

    With `pose_size` 72 and the defaults these are HMR's 85 numbers: s, tx, ty of u = s (X + t) in [-1, 1] of the crop; 24 axis-angles
    in radians, the first in the camera's frame (x right, y down, z forward); shape. With 144 the pose is 24 times SPIN's 6D. Any other
    size is the caller's own to read. `mean` (3 + pose_size + 10) is where the steps start, in that order. HMR has a ReLU behind both
    hidden layers (`relu`), SPIN has none.
    """

    def __init__(self, code_size: int = CODE_SIZE, pose_size: int = AXIS_ANGLE, hidden: int = 1024, steps: int = 3,
                 mean: np.ndarray | None = None, *, relu: bool = True, dropout: float = 0.5):
        super().__init__()
        self.code_size, self.pose_size, self.steps = code_size, pose_size, steps
        self.fc1 = nn.Linear(code_size + pose_size + BETAS + CAMERA, hidden)
        self.drop1 = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, hidden)
        self.drop2 = nn.Dropout(dropout)
        self.decpose, self.decshape, self.deccam = (nn.Linear(hidden, n) for n in (pose_size, BETAS, CAMERA))
        self.between = nn.ReLU() if relu else nn.Identity()
        for last in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(last.weight, gain=0.01)
            nn.init.zeros_(last.bias)
        mean = usual_mean(pose_size) if mean is None else np.asarray(mean, float)
        if mean.shape != (CAMERA + pose_size + BETAS,):
            raise ValueError(f"expected a mean of {CAMERA + pose_size + BETAS} numbers, but got {mean.shape}")
        camera, pose, betas = np.split(mean.astype(np.float32), [CAMERA, CAMERA + pose_size])
        for name, value in (("init_pose", pose), ("init_shape", betas), ("init_cam", camera)):
            self.register_buffer(name, torch.from_numpy(value.copy())[None])

    def forward(self, phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return camera, pose and betas after all steps."""
        lead = phi.shape[:-1]
        pose, betas, camera = (start[0].expand(*lead, -1) for start in (self.init_pose, self.init_shape, self.init_cam))
        for _ in range(self.steps):
            x = self.drop1(self.between(self.fc1(torch.cat([phi, pose, betas, camera], -1))))
            x = self.drop2(self.between(self.fc2(x)))
            pose, betas, camera = pose + self.decpose(x), betas + self.decshape(x), camera + self.deccam(x)
        return camera, pose, betas

    def theta(self, phi: torch.Tensor) -> torch.Tensor:
        """Return the numbers (..., 3 + pose_size + 10) in the published order: camera, pose, betas."""
        return torch.cat(self.forward(phi), -1)

    def rotations(self, pose: torch.Tensor) -> torch.Tensor:
        """Return rotations (..., 24, 3, 3) of a pose of 72 or 144 numbers: joint 0 in the camera's frame, the rest in their parent's."""
        if self.pose_size == AXIS_ANGLE:
            return axis_angle_to_matrix(pose.unflatten(-1, (JOINTS, 3)))
        return sixd_to_matrix(from_spin_sixd(pose.unflatten(-1, (JOINTS, 6))))


def from_spin_sixd(sixd: torch.Tensor) -> torch.Tensor:
    """SPIN's 6D (..., 6), which is the first two columns read row by row, as the first column and then the second."""
    return sixd.unflatten(-1, (3, 2)).transpose(-1, -2).flatten(-2)


def to_spin_sixd(matrix: np.ndarray) -> np.ndarray:
    """SPIN's 6D (..., 6) of rotations (..., 3, 3): the first two columns, read row by row."""
    return matrix[..., :2].reshape(*matrix.shape[:-2], 6)


def usual_mean(pose_size: int) -> np.ndarray:
    """Mean (3 + pose_size + 10) without a mean file: scale 0.9, upright before a camera whose y points down, at rest.

    Zeros where `pose_size` is neither 72 nor 144.
    """
    pose = np.zeros(pose_size)
    if pose_size == AXIS_ANGLE:
        pose[0] = np.pi
    elif pose_size == SIXD:
        upright = np.tile(np.eye(3), (JOINTS, 1, 1))
        upright[0] = np.diag([1.0, -1.0, -1.0])
        pose = to_spin_sixd(upright).ravel()
    return np.concatenate([[0.9, 0, 0], pose, np.zeros(BETAS)])


def state_of_hmr(weights: list[np.ndarray], biases: list[np.ndarray], mean: np.ndarray) -> dict[str, torch.Tensor]:
    """Return the head's state from HMR's own three layers, whose matrices are (in, out) and whose order is camera, pose, betas.

    `weights` are (code + 85, hidden), (hidden, hidden), (hidden, 85); `mean` (85,).
    """
    code = weights[0].shape[0] - weights[2].shape[1]
    camera, pose, betas = _parts(weights[2].shape[1])
    first = np.concatenate([weights[0][:code], *(weights[0][code:][part] for part in (pose, betas, camera))])
    state = {"fc1.weight": first.T, "fc1.bias": biases[0], "fc2.weight": weights[1].T, "fc2.bias": biases[1]}
    mean = np.asarray(mean).reshape(-1)
    for name, start, part in (("decpose", "init_pose", pose), ("decshape", "init_shape", betas), ("deccam", "init_cam", camera)):
        state |= {f"{name}.weight": weights[2][:, part].T, f"{name}.bias": biases[2][part], start: mean[None, part]}
    return {name: torch.from_numpy(np.ascontiguousarray(value, np.float32)) for name, value in state.items()}


def _parts(size: int) -> tuple[slice, slice, slice]:
    """Where camera, pose and betas lie among `size` numbers."""
    return slice(0, CAMERA), slice(CAMERA, size - BETAS), slice(size - BETAS, size)


def sizes_of(state: Mapping[str, torch.Tensor]) -> tuple[int, int, int]:
    """Return code_size, pose_size and hidden of a state with the names in KEYS."""
    hidden, inputs = state["fc1.weight"].shape
    pose = state["decpose.weight"].shape[0]
    return inputs - pose - BETAS - CAMERA, pose, hidden


class HeadDecoder:
    """The head as the refiner's decoder (:class:`mrs.refine.spaces.Decoder`): codes to rotations, everything frozen.

    With `root` the first of the 24 rotations is the head's own orientation in the camera's frame; without, there are 23 and the root is
    the refiner's to turn, as it must be where the crop was turned upright.
    """

    def __init__(self, head: IterativeHead, root: bool = True):
        self.head, self.root = head.eval().requires_grad_(False), root

    def encode(self, local: torch.Tensor) -> torch.Tensor:
        """Refuse: a regressor has no way back from rotations to its codes."""
        raise NotImplementedError("a regressor's codes come from its encoder")

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Rotations (..., 24, 3, 3), or (..., 23, 3, 3) without the root, of codes (..., code_size)."""
        turned = self.head.rotations(self.head(code)[1])
        return turned if self.root else turned[..., 1:, :, :]
