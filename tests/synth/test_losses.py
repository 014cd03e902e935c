"""Terms of the loss are what their descriptions say, and their own gradients are right."""

import torch

from mrs.synth import losses
from mrs.synth.features import POSE_SIZE, STATE, STATE_SIZE


def plainly(x, target, weights, share, energy, place):
    """The sum of `state_error`'s description, term by term."""
    x, target = x[..., STATE] * weights, target[..., STATE] * weights
    d = x - target
    first = (d[:, 1:] - d[:, :-1])[..., :POSE_SIZE]
    second = first[:, 1:] - first[:, :-1]
    terms = [(place, d[..., :POSE_SIZE]), (1, d[..., POSE_SIZE:]), (10, first), (10, second)]
    total = sum(k * (v.square().sum(-1) * share[-v.shape[1] :]).mean() for k, v in terms)
    rms = [((v[:, 1:] - v[:, :-1])[..., :POSE_SIZE].square().mean(1) + 1e-6).sqrt() for v in (x, target)]
    return total + 36 * energy * (rms[0] - rms[1]).square().sum(-1).mean()


def test_state_error_is_its_description():
    """The value and the gradient, computed in few passes, are those of the plain sum."""
    torch.manual_seed(0)
    x, target, share = torch.randn(4, 9, STATE_SIZE + 4), torch.randn(4, 9, STATE_SIZE + 4), torch.rand(9)
    for energy, place in ((0.5, 0.3), (0.0, 1.0)):
        found = []
        for function in (losses.state_error, plainly):
            leaf = x.clone().requires_grad_()
            value = function(leaf, target, losses.reach_weights(), share, energy, place)
            value.backward()
            found.append((value.detach(), leaf.grad))
        torch.testing.assert_close(*(f[0] for f in found))
        torch.testing.assert_close(*(f[1] for f in found))
