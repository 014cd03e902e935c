"""Recurrences that are quick to train on a CPU: the gradient of the weights is one product over all steps, not one a step.

Both are torch's own GRU cell to the last digits that float32 holds; tests compare them. Within `torch.autocast` the products,
and nothing else, are done in its type.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class _Products:
    """Products of matrices in a type of fewer bits, or as they are."""

    dtype: torch.dtype | None

    @classmethod
    def now(cls, like: torch.Tensor) -> _Products:
        """The type that autocast asks for on the device of `like`."""
        kind = like.device.type
        return cls(torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None)

    def ready(self, *values: torch.Tensor) -> list[torch.Tensor]:
        """Matrices for many products, converted once."""
        return [v if self.dtype is None else v.to(self.dtype) for v in values]

    def __call__(self, a: torch.Tensor, ready: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
        """Return more + a @ ready."""
        return torch.addmm(more, a, ready) if self.dtype is None else more + (a.to(self.dtype) @ ready)

    def summed(self, grad: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        """The gradient of a matrix, summed over steps and batch: (T, B, n) and (T, B, m) to (n, m)."""
        a, b = self.ready(grad.flatten(0, 1), given.flatten(0, 1))
        return (a.T @ b).float()


def _gates(given, recurrent, state):
    """One GRU cell from its two products (B, 3 H): the new state, and the gates reset, keep and new."""
    size = state.shape[1]
    both = torch.sigmoid(given[:, : 2 * size] + recurrent[:, : 2 * size])
    reset, keep = both[:, :size], both[:, size:]
    new = torch.addcmul(given[:, 2 * size :], reset, recurrent[:, 2 * size :]).tanh_()
    return torch.lerp(new, state, keep), reset, keep, new


def _gates_back(grad, state, reset, keep, new, pulled, out_given, out_recurrent):
    """Gradients of the two products, written to the last arguments; returns what goes straight to the state before."""
    size = state.shape[1]
    direct = grad * keep
    at_new = (grad - direct) * (1 - new * new)
    at_keep = grad * (state - new) * keep * (1 - keep)
    at_reset = at_new * pulled * reset * (1 - reset)
    torch.cat([at_reset, at_keep, at_new], 1, out=out_given)
    out_recurrent[:, : 2 * size] = out_given[:, : 2 * size]
    torch.mul(at_new, reset, out=out_recurrent[:, 2 * size :])
    return direct


class _Gru(torch.autograd.Function):
    """States (T, B, H) of a GRU from what its inputs already make of it (T, B, 3 H)."""

    @staticmethod
    def forward(ctx, given, start, weight, bias):
        products = _Products.now(given)
        (turned,) = products.ready(weight.T)
        state, states, gates, pulled = start, [start], [], []
        with torch.autocast(given.device.type, enabled=False):
            for step in given:
                recurrent = products(state, turned, bias)
                state, *found = _gates(step, recurrent, state)
                states.append(state)
                gates.append(found)
                pulled.append(recurrent[:, 2 * state.shape[1] :])
        ctx.save_for_backward(weight)
        ctx.kept = products, states, gates, pulled
        return torch.stack(states[1:])

    @staticmethod
    def backward(ctx, grad):
        (weight,), (products, states, gates, pulled) = ctx.saved_tensors, ctx.kept
        (ready,) = products.ready(weight)
        at_given, at_recurrent = (grad.new_empty(*grad.shape[:2], weight.shape[0]) for _ in range(2))
        left = torch.zeros_like(grad[0])
        for t in range(len(grad) - 1, -1, -1):
            direct = _gates_back(left + grad[t], states[t], *gates[t], pulled[t], at_given[t], at_recurrent[t])
            left = products(at_recurrent[t], ready, direct)
        return at_given, left, products.summed(at_recurrent, torch.stack(states[:-1])), at_recurrent.sum((0, 1))


class _Driven(torch.autograd.Function):
    """A GRU cell that drives a linear system, which it sees: s' = decay(s) + h' push^T + bias.

    Takes given (T, B, 3 H), state (B, H), system (B, 2 S), the cell's weights on the system (3 H, 2 S) and itself (3 H, H) with
    bias, push (2 S, H) with bias, and how offset and speed, the two halves of the system, go on without it (2 x 2).
    Returns states (T, B, H) after each step and systems (T + 1, B, 2 S) from the first on.
    """

    @staticmethod
    def forward(ctx, given, start, system, seen, weight, bias, push, push_bias, decay):
        products = _Products.now(given)
        seen_ready, turned, push_ready = products.ready(seen.T, weight.T, push.T)
        state, states, systems, gates, pulled = start, [start], [system], [], []
        with torch.autocast(given.device.type, enabled=False):
            for step in given:
                recurrent = products(state, turned, bias)
                state, *found = _gates(products(system, seen_ready, step), recurrent, state)
                system = products(state, push_ready, _decayed(system, decay) + push_bias)
                states.append(state)
                systems.append(system)
                gates.append(found)
                pulled.append(recurrent[:, 2 * state.shape[1] :])
        ctx.save_for_backward(seen, weight, push)
        ctx.kept = products, states, systems, gates, pulled, decay
        return torch.stack(states[1:]), torch.stack(systems)

    @staticmethod
    def backward(ctx, grad, grad_system):
        (seen, weight, push), (products, states, systems, gates, pulled, decay) = ctx.saved_tensors, ctx.kept
        seen_ready, ready, push_ready = products.ready(seen, weight, push)
        at_given, at_recurrent = (grad.new_empty(*grad.shape[:2], weight.shape[0]) for _ in range(2))
        left, at_system, steps = torch.zeros_like(grad[0]), grad_system[-1], []
        back = tuple(zip(*decay, strict=True))
        for t in range(len(grad) - 1, -1, -1):
            steps.append(at_system)
            total = products(at_system, push_ready, left + grad[t])
            direct = _gates_back(total, states[t], *gates[t], pulled[t], at_given[t], at_recurrent[t])
            left = products(at_recurrent[t], ready, direct)
            at_system = products(at_given[t], seen_ready, _decayed(at_system, back) + grad_system[t])
        pushed, before, after = torch.stack(steps[::-1]), torch.stack(states[:-1]), torch.stack(states[1:])
        return (at_given, left, at_system, products.summed(at_given, torch.stack(systems[:-1])),
                products.summed(at_recurrent, before), at_recurrent.sum((0, 1)), products.summed(pushed, after),
                pushed.sum((0, 1)), None)


def _decayed(system, decay):
    """Two halves of a system (B, 2 S) mixed by a 2 x 2 of plain numbers."""
    first, second = system.chunk(2, 1)
    return torch.cat([a * first + b * second for a, b in decay], 1)


def gru(given: torch.Tensor, start: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """States (T, B, H) of a GRU: `given` (T, B, 3 H) is its inputs times their weights, with their bias; gates as torch has them."""
    return _Gru.apply(given, start, weight, bias)


def driven(given, start, system, seen, weight, bias, push, push_bias, decay) -> tuple[torch.Tensor, torch.Tensor]:
    """States (T, B, H) and systems (T + 1, B, 2 S) of a GRU cell and the system that it sees and drives; see `_Driven`."""
    return _Driven.apply(given, start, system, seen, weight, bias, push, push_bias, decay)
