"""L-BFGS for both kinds of device."""

from __future__ import annotations

import numpy as np
import torch

STOP = 1e-6
"""Relative decrease of the objective, in one iteration, at which a window has converged."""
HISTORY = 10
AT_ONCE = 10


def minimise(cost, start: torch.Tensor, iterations: int) -> tuple[torch.Tensor, int, bool]:
    """Minimise cost(x) over x (N,) from a start; return x, the iterations it took and whether it converged.

    On a CPU SciPy's L-BFGS-B drives: torch.optim.LBFGS costs seconds of imports before its first step. On another device
    torch's does, so that neither variables nor gradients travel.
    """
    return _by_scipy(cost, start, iterations) if start.device.type == "cpu" else by_torch(cost, start, iterations)


def _by_scipy(cost, start: torch.Tensor, iterations: int) -> tuple[torch.Tensor, int, bool]:
    from scipy.optimize import minimize

    def valued(x: torch.Tensor) -> tuple[float, np.ndarray]:
        x = x.detach().requires_grad_()
        value = cost(x)
        (gradient,) = torch.autograd.grad(value, x)
        return float(value.detach()), gradient.double().numpy()

    # The driver's first step has length 1, and the curvature of variables as ours is about 1: in units of the gradient that is Newton's.
    at_start = valued(start)
    unit = float(np.linalg.norm(at_start[1]))
    if unit == 0 or not np.isfinite(unit):
        return start, 0, unit == 0

    def scaled(flat):
        value, gradient = at_start if not flat.any() else valued(start + torch.as_tensor(unit * flat).to(start))
        return value, unit * gradient

    found = minimize(scaled, np.zeros(start.numel()), jac=True, method="L-BFGS-B",
                     options={"maxiter": iterations, "maxcor": HISTORY, "ftol": STOP, "gtol": 1e-6})
    return start + torch.as_tensor(unit * found.x).to(start), int(found.nit), bool(found.status == 0)


def by_torch(cost, start: torch.Tensor, iterations: int) -> tuple[torch.Tensor, int, bool]:
    """The same with torch's L-BFGS and a strong Wolfe line search, on the device of the start."""
    x = start.clone().requires_grad_()
    driver = torch.optim.LBFGS([x], lr=1.0, history_size=HISTORY, line_search_fn="strong_wolfe", tolerance_grad=1e-6,
                               tolerance_change=1e-12)

    def valued():
        driver.zero_grad()
        value = cost(x)
        value.backward()
        return value

    done, before, converged = 0, None, False
    while done < iterations and not converged:
        driver.param_groups[0]["max_iter"] = min(AT_ONCE, iterations - done)
        driver.param_groups[0]["max_eval"] = 2 * AT_ONCE
        first = float(driver.step(valued).detach())
        done += driver.param_groups[0]["max_iter"]
        converged = before is not None and before - first <= AT_ONCE * STOP * abs(first)
        before = first
    return x.detach(), done, converged
