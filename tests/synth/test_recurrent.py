"""The quick recurrences are torch's GRU cell and a spring, step by step, and so are their gradients."""

import pytest
import torch
from torch import nn

from mrs.synth import recurrent

DECAY = ((0.8, 0.3), (-0.2, 0.7))


def same(one, two, values):
    """Both give the same, and the same gradients of `values`."""
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b)
    weights = [torch.randn_like(a) for a in one]
    grads = [torch.autograd.grad(sum((w * o).sum() for w, o in zip(weights, out, strict=True)), values) for out in (one, two)]
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def test_gru_is_torchs():
    """States and gradients of an `nn.GRU` over 7 steps."""
    torch.manual_seed(0)
    net, x, start = nn.GRU(5, 6).double(), drawn(7, 3, 5), drawn(3, 6)
    found = recurrent.gru(nn.functional.linear(x, net.weight_ih_l0, net.bias_ih_l0), start, net.weight_hh_l0, net.bias_hh_l0)
    same([found], [net(x, start[None])[0]], [x, start, *net.parameters()])


def test_driven_is_a_cell_and_a_system():
    """A `GRUCell` that sees a system and pushes it, for 5 steps."""
    torch.manual_seed(0)
    cell, push = nn.GRUCell(4 + 8, 6).double(), nn.Linear(6, 8).double()
    seen, state, system = drawn(5, 3, 4), drawn(3, 6), drawn(3, 8)
    given = nn.functional.linear(seen, cell.weight_ih[:, :4], cell.bias_ih)
    found = recurrent.driven(given, state, system, cell.weight_ih[:, 4:], cell.weight_hh, cell.bias_hh, push.weight, push.bias, DECAY)
    h, s, states, systems = state, system, [], [system]
    for step in seen:
        h = cell(torch.cat([step, s], 1), h)
        first, second = s.chunk(2, 1)
        s = torch.cat([a * first + b * second for a, b in DECAY], 1) + push(h)
        states.append(h)
        systems.append(s)
    same(found, [torch.stack(states), torch.stack(systems)], [seen, state, system, *cell.parameters(), *push.parameters()])


def test_half_precision_is_close_and_kept_to_products():
    """In bfloat16 the states differ by a per cent or so, and come back, like the gradients, in float32."""
    torch.manual_seed(0)
    net, x, start = nn.GRU(5, 16), torch.randn(7, 3, 5), torch.zeros(3, 16)
    given = nn.functional.linear(x, net.weight_ih_l0, net.bias_ih_l0).detach().requires_grad_()
    full = recurrent.gru(given, start, net.weight_hh_l0, net.bias_hh_l0)
    with torch.autocast("cpu", torch.bfloat16):
        half = recurrent.gru(given, start, net.weight_hh_l0, net.bias_hh_l0)
    (grad,) = torch.autograd.grad(half.sum(), given)
    (wanted,) = torch.autograd.grad(full.sum(), given)
    assert half.dtype == grad.dtype == torch.float32
    assert 0 < (half - full).abs().max() < 0.02
    assert grad.numpy() == pytest.approx(wanted.numpy(), abs=0.05)
