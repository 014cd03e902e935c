"""A small learned prior of body pose: a normalizing flow over joint rotations, trained on motion capture.

A pose is 69 numbers: per joint the modified Rodrigues parameters 4 tan(angle / 4) axis of its rotation away from the
joint's mean, split into a mirror-even half (left plus mirrored right) and a mirror-odd one, and whitened. Affine
coupling layers (Dinh et al., "Density estimation using Real NVP", 2017) turn them into a code that is standard normal
over plausible poses. Every layer commutes with the mirror, so a mirrored pose has the mirrored code and exactly the
same energy. The map is invertible: `decode(encode(pose))` is the pose itself.

    prior = load_prior()
    energy = prior.energy(local)           # (...,) from local rotations (..., 23, 3, 3), SMPL's joints 1 to 23
    code = prior.encode(local)             # (..., 69); prior.decode(code) goes back
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from mrs.skeletons import SMPL_24

WEIGHTS = "models/pose_prior.npz"
JOINTS = 23
EVEN, ODD = 32, 37
MOST_LOG_SCALE = 1.5
FAR_NATS = 30.0


def mirror_basis() -> np.ndarray:
    """Orthogonal (69, 69): rotation vectors of joints 1..23, flattened, to 32 mirror-even then 37 mirror-odd numbers.

    The mirror exchanges left and right joints and keeps x of a rotation vector, but turns the signs of y and z.
    """
    even, odd = [], []
    for joint in range(1, JOINTS + 1):
        other = int(SMPL_24.flip[joint])
        for axis, sign in enumerate((1.0, -1.0, -1.0)):
            row = np.zeros((JOINTS, 3))
            if other == joint:
                row[joint - 1, axis] = 1
                (even if sign > 0 else odd).append(row.ravel())
            elif joint < other:
                row[joint - 1, axis], row[other - 1, axis] = np.sqrt(0.5), sign * np.sqrt(0.5)
                even.append(row.ravel().copy())
                row[other - 1, axis] *= -1
                odd.append(row.ravel())
    return np.array(even + odd).T


class PosePrior:
    """The flow on one device.

    `arrays` holds mean (23, 3, 3), the joints' mean rotations; centre (32,) of the even numbers; whiten (69, 69) and
    unwhiten; settled (), the negative log likelihood below which a pose counts as plain; and of every layer k
    even_k (32, 32), odd_k (37, 37), orthogonal mixtures, and w_k, v_k, b_k, p_k, q_k, c_k, the coupling network.
    """

    def __init__(self, arrays: dict[str, np.ndarray], dtype=torch.float32, device="cpu"):
        self.p = {name: torch.as_tensor(np.asarray(value), dtype=dtype, device=device) for name, value in arrays.items()}
        self.layers = sum(name.startswith("w_") for name in arrays)

    @property
    def dim(self) -> int:
        """Numbers in a code."""
        return EVEN + ODD

    def numbers(self, local: torch.Tensor) -> torch.Tensor:
        """Local rotations (..., 23, 3, 3) to whitened numbers (..., 69), even half first."""
        away = self.p["mean"].transpose(-1, -2) @ local
        return self._whitened(mrp(away).flatten(-2))

    def _whitened(self, flat: torch.Tensor) -> torch.Tensor:
        return flat @ self.p["whiten"] - self.p["offset"]

    def rotations(self, numbers: torch.Tensor) -> torch.Tensor:
        """Undo :meth:`numbers`: (..., 69) to local rotations (..., 23, 3, 3)."""
        flat = (numbers + self.p["offset"]) @ self.p["unwhiten"]
        return self.p["mean"] @ from_mrp(flat.unflatten(-1, (JOINTS, 3)))

    def encode(self, local: torch.Tensor) -> torch.Tensor:
        """Code (..., 69) of local rotations (..., 23, 3, 3)."""
        return self.flow(self.numbers(local))[0]

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Local rotations (..., 23, 3, 3) of a code (..., 69); every code is a pose."""
        return self.rotations(self.unflow(code))

    def energy(self, local: torch.Tensor) -> torch.Tensor:
        """Implausibility (...) of local rotations (..., 23, 3, 3) in nats: at or near 0 for plain poses, never negative.

        softplus of the flow's negative log likelihood over that of common poses, so that plain poses are not drawn to
        the most common one; beyond FAR_NATS it grows like a square root, so that wild poses do not outweigh the rest.
        """
        code, log_scale = self.flow(self.numbers(local))
        return self._settled(0.5 * (code**2).sum(-1) - log_scale)

    def code_energy(self, code: torch.Tensor) -> torch.Tensor:
        """Implausibility (...) of a code (..., 69): that of its pose under the standard normal, on the same footing."""
        return self._settled(0.5 * (code**2).sum(-1) - self.p["usual_log_scale"])

    def _settled(self, nats: torch.Tensor) -> torch.Tensor:
        spread = self.p["spread"]
        over = spread * torch.nn.functional.softplus((nats - self.p["settled"]) / spread)
        return FAR_NATS * ((1 + 2 * over / FAR_NATS).sqrt() - 1)

    def flow(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Whitened numbers (..., 69) to the code and the log of the map's volume change (...)."""
        even, odd = numbers[..., :EVEN], numbers[..., EVEN:]
        total = 0.0
        for k in range(self.layers):
            (fixed_e, moved_e), (fixed_o, moved_o) = self._halves(even @ self.p[f"even_{k}"], odd @ self.p[f"odd_{k}"])
            shift_e, shift_o, log_scale = self._coupling(k, fixed_e, fixed_o)
            scale = log_scale.exp()
            split = moved_e.shape[-1]
            even = torch.cat([(moved_e + shift_e) * scale[..., :split], fixed_e], -1)
            odd = torch.cat([(moved_o + shift_o) * scale[..., split:], fixed_o], -1)
            total = total + log_scale.sum(-1)
        return torch.cat([even, odd], -1), total

    def unflow(self, code: torch.Tensor) -> torch.Tensor:
        """Undo :meth:`flow`: the whitened numbers of a code."""
        even, odd = code[..., :EVEN], code[..., EVEN:]
        for k in reversed(range(self.layers)):
            half_e, half_o = EVEN - EVEN // 2, ODD - ODD // 2
            moved_e, fixed_e = even[..., :half_e], even[..., half_e:]
            moved_o, fixed_o = odd[..., :half_o], odd[..., half_o:]
            shift_e, shift_o, log_scale = self._coupling(k, fixed_e, fixed_o)
            scale = (-log_scale).exp()
            even = torch.cat([fixed_e, moved_e * scale[..., :half_e] - shift_e], -1) @ self.p[f"even_{k}"].T
            odd = torch.cat([fixed_o, moved_o * scale[..., half_e:] - shift_o], -1) @ self.p[f"odd_{k}"].T
        return torch.cat([even, odd], -1)

    @staticmethod
    def _halves(even, odd):
        """The half that steers and the half that is moved, of both kinds."""
        return ((even[..., : EVEN // 2], even[..., EVEN // 2 :]), (odd[..., : ODD // 2], odd[..., ODD // 2 :]))

    def _coupling(self, k: int, even, odd):
        """Shifts of the moved even and odd numbers, and the log scales of both.

        The mirror turns the sign of `odd` and thereby exchanges the two hidden halves: their sum is even, their
        difference odd.
        """
        plain, turned = even @ self.p[f"w_{k}"] + self.p[f"b_{k}"], odd @ self.p[f"v_{k}"]
        one, other = torch.nn.functional.silu(plain + turned), torch.nn.functional.silu(plain - turned)
        out = (one + other) @ self.p[f"p_{k}"] + self.p[f"c_{k}"]
        half = EVEN - EVEN // 2
        log_scale = MOST_LOG_SCALE * torch.tanh(out[..., half:] / MOST_LOG_SCALE)
        return out[..., :half], (one - other) @ self.p[f"q_{k}"], log_scale


def mrp(matrix: torch.Tensor) -> torch.Tensor:
    """4 tan(angle / 4) axis (..., 3) of rotations (..., 3, 3); smooth up to half a turn, where it fades to zero."""
    m = matrix
    twist = torch.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    w = 0.5 * ((1 + trace).clamp_min(0) + 1e-4).sqrt()
    return twist / (w * (1 + w))[..., None]


def from_mrp(vectors: torch.Tensor) -> torch.Tensor:
    """Rotations (..., 3, 3) of 4 tan(angle / 4) axis (..., 3)."""
    p = vectors / 4
    square = (p**2).sum(-1, keepdim=True)
    x, y, z = p.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    below = (1 + square[..., None]) ** 2
    eye = torch.eye(3, dtype=p.dtype, device=p.device)
    return eye + (4 * (1 - square[..., None]) * skew + 8 * skew @ skew) / below


@lru_cache(maxsize=4)
def load_prior(dtype=torch.float32, device="cpu") -> PosePrior:
    """Load the embedded prior. Raises MissingError where its file is absent."""
    from mrs.data import asset_path

    with np.load(asset_path(WEIGHTS), allow_pickle=False) as file:
        return PosePrior({name: file[name].astype(np.float32) for name in file.files}, dtype, device)
