"""Several people in one batch: their windows lie one after another in one problem.

A refiner is a generator: it yields the window that it wants solved and is sent the solution. So one person's refiner and
ten people's are the same code, and whoever waits at the same pass is solved together. Nothing couples two people, but one
solver steps for all: on a GPU ten windows take little longer than one.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from mrs.body.torch_body import TorchBody
from mrs.motion import Motion
from mrs.refine.solver import Problem, Scales, Solved, Window
from mrs.world.level import Level, level


@dataclass(frozen=True)
class Task:
    """One window to solve, and how."""

    window: Window
    body: TorchBody
    soles: TorchBody
    betas: torch.Tensor
    scales: Scales
    iterations: int
    prior: Any = None
    decoder: Any = None
    space: str = "pose"
    extra: tuple = ()
    free_betas: bool = False
    free_focal: bool = False

    def problem(self) -> Problem:
        """The objective of the window."""
        return Problem(self.window, self.body, self.soles, self.betas, self.scales, prior=self.prior, decoder=self.decoder,
                       space=self.space, extra=self.extra)

    def solved(self) -> Solved:
        """Solve it alone."""
        return self.problem().solve(self.iterations, free_betas=self.free_betas, free_focal=self.free_focal)

    def fits(self, other: Task) -> bool:
        """Whether both can be one problem: the same pass over the same kind of evidence, and no dense terms."""
        same = ("scales", "iterations", "prior", "decoder", "space", "free_betas", "free_focal")
        known = [f.name for f in fields(Window) if f.name != "held"]
        return (not self.extra and not other.extra and self.window.has_camera == other.window.has_camera
                and all(getattr(self, name) == getattr(other, name) for name in same)
                and self.body.marks == other.body.marks
                and all((getattr(self.window, n) is None) == (getattr(other.window, n) is None) for n in known))


@dataclass(frozen=True)
class Scene:
    """A motion after the first pass, shown to find out what holds for the whole scene: which way is up."""

    motion: Motion


Solving = Generator[Task | Scene, Any, Any]
"""A refiner under way: it is sent a Solved for a Task and a Level for a Scene."""


def carried_out(refiners: list[Solving], *, stack: bool = True, known_level: Level | None = None,
                finished=lambda number, result: None) -> list:
    """Run all refiners to their ends; return what each returns, and tell `finished` of each at once.

    With `stack` those are solved together that wait at windows that fit, else one after another. Scenes wait until
    everybody shows one; the level is then estimated from all of them, unless it is known.
    """
    results: dict[int, Any] = {}
    waiting: dict[int, Task | Scene] = {}

    def go_on(number: int, sent) -> None:
        try:
            waiting[number] = refiners[number].send(sent)
        except StopIteration as stop:
            results[number] = stop.value
            finished(number, stop.value)

    for number in range(len(refiners)):
        go_on(number, None)
    while waiting:
        first = next((waiting[n] for n in sorted(waiting) if isinstance(waiting[n], Task)), None)
        if first is None:
            found = known_level or level([scene.motion for scene in waiting.values()]).believed()
            for number in sorted(waiting):
                waiting.pop(number)
                go_on(number, found)
            continue
        numbers = [n for n, task in sorted(waiting.items()) if task is first or (stack and isinstance(task, Task) and task.fits(first))]
        tasks = [waiting.pop(n) for n in numbers]
        for number, solved in zip(numbers, solve_together(tasks), strict=True):
            go_on(number, solved)
    return [results[number] for number in range(len(refiners))]


def solve_together(tasks: list[Task]) -> list[Solved]:
    """Solve windows of several people as one problem; the terms of each are its own."""
    if len(tasks) == 1:
        return [tasks[0].solved()]
    whole = replace(tasks[0], window=stacked([task.window for task in tasks]), betas=torch.stack([task.betas for task in tasks]))
    found = whole.solved()
    out, first = [], 0
    for number, task in enumerate(tasks):
        rows = slice(first, first + len(task.window.times))
        first = rows.stop
        codes = None if found.codes is None else found.codes[rows]
        own = replace(found, turned=found.turned[rows], root=found.root[rows], codes=codes, betas=found.betas[number])
        with torch.no_grad():
            costs = task.problem().costs(own.turned, own.root, own.betas, task.window.turned, task.window.root,
                                         own.log_focal if task.free_focal else None)
        out.append(replace(own, terms={name: float(value) for name, value in costs.items()}))
    return out


def stacked(windows: list[Window]) -> Window:
    """Windows of several people, one after another; `person` says whose each frame is."""
    lengths = [len(window.times) for window in windows]
    held, first = [], 0
    for window, length in zip(windows, lengths, strict=True):
        held += [] if window.held is None else [window.held + first]
        first += length
    whose = torch.arange(len(windows), device=windows[0].root.device).repeat_interleave(torch.tensor(lengths, device=windows[0].root.device))
    special = {"has_camera": windows[0].has_camera, "held": torch.cat(held) if held else None, "person": whose, "up": windows[0].up}
    values = {f.name: _joined([getattr(w, f.name) for w in windows], f.name, lengths) for f in fields(Window) if f.name not in special}
    return Window(**values, **special)


def _joined(values: list, name: str, lengths: list[int]):
    """One tensor a frame out of those of several people; what holds for a whole window is repeated for its frames."""
    if values[0] is None:
        return None
    axes = {"K": 2, "R": 2, "t": 1, "local_share": 1, "ground": 0}.get(name)
    if axes is None:
        return torch.cat(values)
    parts = [value.expand(length, *value.shape) if value.ndim == axes else value for value, length in zip(values, lengths, strict=True)]
    return torch.cat(parts)[:, None] if name == "ground" else torch.cat(parts)
