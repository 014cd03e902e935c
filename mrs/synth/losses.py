"""The terms of the behaviour model's loss, one function a term."""

from __future__ import annotations

import numpy as np
import torch

from mrs.synth import features
from mrs.synth.features import CONTACT, POSE_SIZE, RATE_HZ, STATE, STATE_SIZE

SPEED_S, YAW_M_S = 0.25, 0.08


def reach_weights() -> torch.Tensor:
    """Weights (STATE_SIZE,) that turn features into about metres: reach of a joint, SPEED_S of a velocity."""
    reach = features.reaches_m()
    weights = np.empty(STATE_SIZE)
    weights[0] = 1
    weights[features.TILT] = reach[0]
    weights[features.JOINTS] = np.repeat(reach[1:], 6)
    weights[features.SPEED] = SPEED_S, SPEED_S, YAW_M_S
    return torch.as_tensor(weights, dtype=torch.float32)


def state_error(x, target, weights, share, energy: float, place: float = 1.0) -> torch.Tensor:
    """How far x (B, T, SIZE) is from the target, in metres squared, `share` (T,) weighing the frames.

    The mean of `place` sum_d (w_d (x_d - t_d))^2, plus 10 times the same of differences of frames, plus 10 times that of
    differences of these (but for velocities, which are differences already and always count fully), plus `energy` times the
    difference of the root mean squares of changes within the window, by feature: motion must not be damped.
    """
    near, strength = _Error.apply(x[..., STATE], target[..., STATE], weights, _quadratic(share, place))
    return near + 36 * energy * strength if energy > 0 else near


def _quadratic(share: torch.Tensor, place: float) -> torch.Tensor:
    """Matrices (2, T, T), of posture and of velocities: the error of differences d (T,) of one feature is d' Q d."""
    count, out = len(share), []
    for weights in ((place, 10, 10), (1, 0, 0)):
        total, moves = torch.zeros(count, count, device=share.device), torch.eye(count, device=share.device)
        for weight in weights:
            total = total + weight / len(moves) * moves.T @ (share[count - len(moves) :, None] * moves)
            moves = moves[1:] - moves[:-1]
        out.append(total)
    return torch.stack(out)


class _Error(torch.autograd.Function):
    """Both parts of :func:`state_error` with their gradient in x, in few passes over the data: (B, T, STATE_SIZE) to numbers."""

    @staticmethod
    def forward(ctx, x, target, weights, quadratic):
        x, target = x * weights, target * weights
        difference = x - target
        pulled = torch.cat([quadratic[0] @ difference[..., :POSE_SIZE], quadratic[1] @ difference[..., POSE_SIZE:]], -1)
        steps, wanted = ((v[:, 1:] - v[:, :-1])[..., :POSE_SIZE] for v in (x, target))
        rms, goal = ((v.square().mean(1) + 1e-6).sqrt() for v in (steps, wanted))
        off = rms - goal
        ctx.save_for_backward(pulled, steps, off / rms, weights)
        return (difference * pulled).sum() / len(x), off.square().sum() / len(x)

    @staticmethod
    def backward(ctx, near, strength):
        pulled, steps, ratio, weights = ctx.saved_tensors
        grad = pulled * (2 * near / len(pulled) * weights)
        moved = steps * (ratio * weights[:POSE_SIZE] * (2 * strength / len(pulled) / steps.shape[1]))[:, None]
        grad[:, 1:, :POSE_SIZE] += moved
        grad[:, :-1, :POSE_SIZE] -= moved
        return grad, None, None, None


def joint_error(joints, target, share=None) -> torch.Tensor:
    """Mean squared distance of joints (B, T, 24, 3) in m^2, summed over joints."""
    error = (joints - target).square().sum((-1, -2))
    return (error if share is None else error * share).mean()


def slide_error(moves_m, touching) -> torch.Tensor:
    """Mean square in (m/s)^2 of soles' speed (B, T - 1, 4, 3 as metres a frame) where they should stand (B, T - 1, 4)."""
    speed = (moves_m * RATE_HZ).square().sum(-1)
    return (speed * touching).sum() / touching.sum().clamp_min(1)


def contact_error(logits, contacts) -> torch.Tensor:
    """Cross entropy of contact logits (B, T, SIZE features) against probabilities."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logits[..., CONTACT], contacts[..., CONTACT].clamp(0, 1))


def kl_nats(mu, logstd) -> torch.Tensor:
    """KL of N(mu, std) from N(0, 1), summed over dimensions, mean over the batch."""
    return (0.5 * (mu.square() + (2 * logstd).exp()) - logstd - 0.5).sum(-1).mean()


def raised(gamma: float, kl: float, cap: float, rate: float) -> float:
    """One step of dual ascent on KL <= cap, multiplicative, so that gamma finds its size from any start."""
    return float(np.clip(gamma * np.exp(rate * np.clip(kl / cap - 1, -1, 1)), 1e-7, 10.0))
