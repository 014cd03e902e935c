"""A small learned prior of body pose: a normalizing flow over joint rotations, trained on motion capture.

A pose is 69 numbers: per joint the modified Rodrigues parameters 4 tan(angle / 4) axis of its rotation away from the
joint's mean, taken apart into mirror-even ones (left plus mirrored right) and mirror-odd ones, and whitened. Affine
coupling layers (Dinh et al., "Density estimation using Real NVP", 2017) turn them into a code that is standard normal
over plausible poses. Every layer commutes with the mirror, so a mirrored pose has the mirrored code and the same
energy. The map is invertible: `decode(encode(pose))` is the pose itself.

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
HALVES = ((16, 18), (16, 19))
FIRST = sum(HALVES[0])
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


def mirror_signs() -> np.ndarray:
    """Signs (69,) that the mirror gives to a code."""
    return np.concatenate([np.repeat([1.0, -1.0], half) for half in HALVES])


class PosePrior:
    """The flow on one device.

    `arrays` holds mean (23, 3, 3), the joints' mean rotations; whiten and unwhiten (69, 69) and offset (69,), which
    order the numbers as two halves of even and odd ones; settled, spread and usual_log_scale (), which set the zero of
    the energy; and of every layer k the coupling network w_k, v_k, b_k, p_k, q_k, c_k.
    """

    def __init__(self, arrays: dict[str, np.ndarray], dtype=torch.float32, device="cpu"):
        self.p = {name: torch.as_tensor(np.asarray(value), dtype=dtype, device=device) for name, value in arrays.items()}
        self.reader = torch.as_tensor(_reader(np.asarray(arrays["mean"], float)), dtype=dtype, device=device)
        self.prepare()

    @property
    def dim(self) -> int:
        """Numbers in a code."""
        return EVEN + ODD

    def prepare(self) -> None:
        """Build the layers' matrices from the parameters, after a change of these."""
        count = sum(name.startswith("w_") for name in self.p)
        self.layers = [self._matrices(k) for k in range(count)]

    def _matrices(self, k: int):
        """The coupling network k as two dense layers.

        The mirror turns the sign of odd inputs and thereby exchanges the two hidden halves: what takes their sum is
        even, what takes their difference odd.
        """
        w, v, b, p, q, c = (self.p[f"{name}_{k}"] for name in "wvbpqc")
        even = HALVES[1 - k % 2][0]
        into = torch.cat([torch.cat([w, w], 1), torch.cat([v, -v], 1)])
        out = torch.cat([torch.cat([p[:, :even], sign * q, p[:, even:]], 1) for sign in (1, -1)])
        return into, torch.cat([b, b]), out, torch.cat([c[:even], torch.zeros_like(q[0]), c[even:]])

    def numbers(self, local: torch.Tensor) -> torch.Tensor:
        """Local rotations (..., 23, 3, 3) to whitened numbers (..., 69)."""
        read = local.flatten(-3) @ self.reader
        twist, trace = read[..., : 3 * JOINTS].unflatten(-1, (JOINTS, 3)), read[..., 3 * JOINTS :]
        return _mrp(twist, trace).flatten(-2) @ self.p["whiten"] - self.p["offset"]

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
        """Implausibility (...) of local rotations (..., 23, 3, 3) in nats: near 0 for plain poses, never negative.

        softplus of the flow's negative log likelihood over that of common poses, so that plain poses are not drawn to
        the most common one; beyond FAR_NATS it grows like a square root, so that wild poses do not outweigh the rest.
        """
        return self._settled(self.nats(local))

    def nats(self, local: torch.Tensor) -> torch.Tensor:
        """Negative log likelihood (...) of local rotations (..., 23, 3, 3), up to a constant."""
        return _Nats.apply(local.reshape(-1, 9 * JOINTS), self).reshape(local.shape[:-3])

    def felt(self, local: torch.Tensor) -> torch.Tensor:
        """How much (...) the energy of local rotations (..., 23, 3, 3) grows by a nat: 0 where poses are plain, at most 1."""
        with torch.enable_grad():
            nats = self.nats(local.to(self.p["whiten"]).detach()).requires_grad_()
            return torch.autograd.grad(self._settled(nats).sum(), nats)[0].to(local)

    def code_energy(self, code: torch.Tensor) -> torch.Tensor:
        """Implausibility (...) of codes (..., 69) under the standard normal, with the same zero and growth."""
        return self._settled(0.5 * (code**2).sum(-1) - self.p["usual_log_scale"])

    def _settled(self, nats: torch.Tensor) -> torch.Tensor:
        spread = self.p["spread"]
        over = spread * torch.nn.functional.softplus((nats - self.p["settled"]) / spread)
        return FAR_NATS * ((1 + 2 * over / FAR_NATS).sqrt() - 1)

    def flow(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Whitened numbers (..., 69) to the code and the log of the map's change of volume (...)."""
        halves = [numbers[..., :FIRST], numbers[..., FIRST:]]
        total = 0.0
        for k, layer in enumerate(self.layers):
            shift, log_scale = _coupling(layer, halves[k % 2])
            halves[1 - k % 2] = (halves[1 - k % 2] + shift) * log_scale.exp()
            total = total + log_scale.sum(-1)
        return torch.cat(halves, -1), total

    def unflow(self, code: torch.Tensor) -> torch.Tensor:
        """Undo :meth:`flow`: the whitened numbers of a code."""
        halves = [code[..., :FIRST], code[..., FIRST:]]
        for k in reversed(range(len(self.layers))):
            shift, log_scale = _coupling(self.layers[k], halves[k % 2])
            halves[1 - k % 2] = halves[1 - k % 2] * (-log_scale).exp() - shift
        return torch.cat(halves, -1)


class _Nats(torch.autograd.Function):
    """|code|^2 / 2 - log volume of (N, 207) flat local rotations, with its gradient by hand: half of autograd's time."""

    @staticmethod
    def forward(ctx, flat: torch.Tensor, prior: PosePrior) -> torch.Tensor:
        read = flat @ prior.reader
        twist, trace = read[:, : 3 * JOINTS].unflatten(-1, (JOINTS, 3)), read[:, 3 * JOINTS :]
        root, factor = _mrp_factor(trace)
        halves = list((((twist * factor[..., None]).flatten(-2)) @ prior.p["whiten"] - prior.p["offset"])
                      .split([FIRST, EVEN + ODD - FIRST], -1))
        nats, trail = 0.0, []
        for k, (into, bias, out, constant) in enumerate(prior.layers):
            before = torch.addmm(bias, halves[k % 2], into)
            gate = torch.sigmoid(before)
            shift, log_scale = torch.addmm(constant, before * gate, out).chunk(2, -1)
            bent = torch.tanh(log_scale / MOST_LOG_SCALE)
            nats = nats - MOST_LOG_SCALE * bent.sum(-1)
            scale = torch.exp(MOST_LOG_SCALE * bent)
            halves[1 - k % 2] = (halves[1 - k % 2] + shift) * scale
            trail.append((before, gate, bent, scale, halves[1 - k % 2]))
        nats = nats + 0.5 * ((halves[0] ** 2).sum(-1) + (halves[1] ** 2).sum(-1))
        if ctx.needs_input_grad[0]:
            slopes = _back_through(prior, halves, trail)
            slopes = (slopes @ prior.p["whiten"].T).unflatten(-1, (JOINTS, 3))
            bend = -0.5 * (1 + root) * factor**2 * 0.5 / root * (slopes * twist).sum(-1) * (trace > -1)
            ctx.save_for_backward(torch.cat([(slopes * factor[..., None]).flatten(-2), bend], -1) @ prior.reader.T)
        return nats

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        return gradient[:, None] * ctx.saved_tensors[0], None


def _back_through(prior: PosePrior, halves: list[torch.Tensor], trail) -> torch.Tensor:
    """Gradient (N, 69) of the negative log likelihood with respect to the whitened numbers."""
    slopes = list(halves)
    for k in reversed(range(len(trail))):
        into, _, out, _ = prior.layers[k]
        before, gate, bent, scale, moved = trail[k]
        slope = slopes[1 - k % 2]
        passed = slope * scale
        steered = torch.cat([passed, (slope * moved - 1) * (1 - bent**2)], -1) @ out.T
        steered = steered * gate * (1 + before * (1 - gate))
        slopes[k % 2] = torch.addmm(slopes[k % 2], steered, into.T)
        slopes[1 - k % 2] = passed
    return torch.cat(slopes, -1)


def _coupling(layer, steering: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Shift and log scale of the other half."""
    into, bias, out, constant = layer
    shift, log_scale = (torch.nn.functional.silu(steering @ into + bias) @ out + constant).chunk(2, -1)
    return shift, MOST_LOG_SCALE * torch.tanh(log_scale / MOST_LOG_SCALE)


def _reader(mean: np.ndarray) -> np.ndarray:
    """(207, 92): local rotations, flattened, to 69 entries of mean^T R - R^T mean about x, y, z, then 23 traces."""
    out = np.zeros((JOINTS, 3, 3, 4 * JOINTS))
    for joint in range(JOINTS):
        for axis, (a, b) in enumerate(((2, 1), (0, 2), (1, 0))):
            out[joint, :, b, 3 * joint + axis] += mean[joint, :, a]
            out[joint, :, a, 3 * joint + axis] -= mean[joint, :, b]
        out[joint, :, :, 3 * JOINTS + joint] = mean[joint]
    return out.reshape(9 * JOINTS, 4 * JOINTS)


def _mrp(twist: torch.Tensor, trace: torch.Tensor) -> torch.Tensor:
    """4 tan(angle / 4) axis (..., 3), from 2 sin(angle) axis and the trace; smooth, fading to zero at half a turn."""
    return twist * _mrp_factor(trace)[1][..., None]


def _mrp_factor(trace: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """r = 2 cos(angle / 2), and 1 / (w (1 + w)) with w = r / 2."""
    root = ((1 + trace).clamp_min(0) + 1e-3).sqrt()
    return root, 4 / (root * (2 + root))


def mrp(matrix: torch.Tensor) -> torch.Tensor:
    """4 tan(angle / 4) axis (..., 3) of rotations (..., 3, 3)."""
    m = matrix
    twist = torch.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1)
    return _mrp(twist, m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2])


def from_mrp(vectors: torch.Tensor) -> torch.Tensor:
    """Rotations (..., 3, 3) of 4 tan(angle / 4) axis (..., 3)."""
    p = vectors / 4
    square = (p**2).sum(-1)[..., None, None]
    x, y, z = p.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    eye = torch.eye(3, dtype=p.dtype, device=p.device)
    return eye + (4 * (1 - square) * skew + 8 * skew @ skew) / (1 + square) ** 2


@lru_cache(maxsize=4)
def load_prior(dtype=torch.float32, device="cpu") -> PosePrior:
    """Load the embedded prior. Raises MissingError where its file is absent."""
    from mrs.data import asset_path

    with np.load(asset_path(WEIGHTS), allow_pickle=False) as file:
        return PosePrior({name: file[name].astype(np.float32) for name in file.files}, dtype, device)
