"""Time the sfv refinement: 1,000 frames, twice the frames, twice the people, and against plain optimisers.

    python -m benchmarks.refine_speed [--frames N] [--repeat N] [--long] [--gpu] [--no-baseline] [--json] [--check]

A synthetic walker is filmed with the errors of real detectors (benchmarks/synthetic.py), lifted, and refined as
`mrs run` does. The baseline minimises the objective of one window of 300 frames, the same terms from the same start, over
plain variables (6D rotations and the root): Adam at several rates, and L-BFGS, which is also given the basis in time that
other spaces and GPUs use (mrs/refine/variables.py). Counted, for both passes
(before and with contacts), are the evaluations of the objective with its gradient, and the seconds, until they reach the
value that the solver reaches. --gpu compares this machine's GPU with one of its cores, on one long clip and on several people in
one batch.
"""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from benchmarks import _common, clips

SECONDS_A_THOUSAND = 10.0
LONG_FRAMES = 10_000
TWICE = 2.1
RATES = (0.003, 0.006, 0.012)
MOST_STEPS = 600
WINDOW = 300
ALONE = ("one person", "another")
GPU_TIMES = 10.0


def main() -> None:
    """Print the times, the two growth ratios and what the plain optimisers need."""
    parser = _common.parser(__doc__)
    parser.add_argument("--frames", type=int, default=1000, help="frames of the shorter clip (default: 1000)")
    parser.add_argument("--repeat", type=int, default=3, help="measure each this often, take the best (default: 3)")
    parser.add_argument("--long", action="store_true", help=f"also refine {LONG_FRAMES:,} frames, once")
    parser.add_argument("--gpu", action="store_true", help="only compare the GPU with one core")
    parser.add_argument("--no-baseline", action="store_true", help="leave out the plain optimisers")
    args = parser.parse_args()
    report = _common.begin("Refinement speed", args, ("numpy", "torch", "scipy"))
    if args.gpu:
        return _gpu(report, args)
    times = _common.in_fresh_process(growth, args.frames, args.repeat)
    best = {name: spent.min(0) for name, spent in times.items()}
    frames = {name: args.frames * (1 if name in ALONE else 2) for name in times}
    report.table(("refined", "frames", "s (best)", "s (all)", "s on cores (best)", "ms a frame and person"),
                 [(name, frames[name], wall, ", ".join(f"{t:.2f}" for t in times[name][:, 0]), cpu, 1e3 * wall / frames[name])
                  for name, (wall, cpu) in best.items()])
    one = (best["one person"] + best["another"]) / 2
    longer, people = best["twice the frames"] / best["one person"], best["two people"] / one
    report.notes.append(f"In time spent on cores, which other work on the machine changes less: twice the frames {longer[1]:.2f}x, "
                        f"two people {people[1]:.2f}x.")
    report.at_most("1,000 frames of one person", best["one person"][0] * 1000 / args.frames, SECONDS_A_THOUSAND, "s")
    report.at_most("twice the frames", longer[0], TWICE, "x")
    report.at_most("two people against the mean of each alone", people[0], TWICE, "x")
    if args.long:
        wall, cpu = _common.in_fresh_process(long)
        report.notes.append(f"{LONG_FRAMES:,} frames: {wall:.1f} s, {cpu:.1f} s on cores.")
        report.at_most(f"{LONG_FRAMES:,} frames of one person", wall, SECONDS_A_THOUSAND * LONG_FRAMES / 1000, "s")
    if not args.no_baseline:
        _against_baseline(report)
    report.finish(args)


def growth(frames: int, repeat: int) -> dict[str, np.ndarray]:
    """Refine one person, another, twice the frames, and two people, in turn; return (repeat, 2) seconds by clock and on cores."""
    from mrs import world

    smoother = _ready()
    short, long, other = filmed_walk(frames), filmed_walk(2 * frames), filmed_walk(frames, seed=1)
    smoother.smooth(None, short[0].at(slice(0, 100)), _part(short[1], 100))
    jobs = {"one person": [short], "another": [other], "twice the frames": [long], "two people": [short, other]}
    times: dict[str, list] = {name: [] for name in jobs}
    for _ in range(repeat):
        for name, people in jobs.items():
            start = time.perf_counter(), time.process_time()
            world.settle([smoother.smooth(None, track, lifted) for track, lifted in people])
            times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return {name: np.array(spent) for name, spent in times.items()}


def long() -> tuple[float, float]:
    """Refine LONG_FRAMES once; return the seconds by clock and on cores."""
    smoother = _ready()
    track, lifted = filmed_walk(LONG_FRAMES)
    start = time.perf_counter(), time.process_time()
    smoother.smooth(None, track, lifted)
    return time.perf_counter() - start[0], time.process_time() - start[1]


def _gpu(report, args) -> None:
    times = _common.in_fresh_process(on_gpu, args.frames)
    core = times["core"][1] / times["core"][0]
    report.table(("refined", "frames", "s", "ms a frame", "times a core's speed"),
                 [(name, frames, spent, 1e3 * spent / frames, core / (spent / frames)) for name, (frames, spent) in times.items()])
    frames, spent = times[f"GPU, one person, {LONG_FRAMES:,} frames"]
    report.at_least("GPU against one core, a frame", core / (spent / frames), GPU_TIMES, "x")
    report.finish(args)


def on_gpu(frames: int) -> dict[str, tuple[int, float]]:
    """Refine `frames` on one core, LONG_FRAMES and a tenth of them ten times over on the GPU; return frames and seconds of each."""
    slow, quick = _ready(), _ready("cuda")
    track, lifted = filmed_walk(frames)
    for smoother in (slow, quick):
        smoother.smooth(None, track.at(slice(0, 100)), _part(lifted, 100))

    def timed(work) -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    long, crowd = filmed_walk(LONG_FRAMES), [(None, *filmed_walk(LONG_FRAMES // 10, seed=seed)) for seed in range(10)]
    return {"core": (frames, timed(lambda: slow.smooth(None, track, lifted))),
            f"GPU, one person, {frames:,} frames": (frames, timed(lambda: quick.smooth(None, track, lifted))),
            f"GPU, one person, {LONG_FRAMES:,} frames": (LONG_FRAMES, timed(lambda: quick.smooth(None, *long))),
            "GPU, ten people in one batch": (LONG_FRAMES, timed(lambda: quick.smooth_together(crowd, lambda number, motion: None)))}


def _ready(device: str = "cpu"):
    from mrs import plugins

    smoother = plugins.load().make("smoother", "sfv", device=device)
    smoother.progress = lambda done, total: None
    return smoother


def filmed_walk(frames: int, seed: int = 0):
    """Film a walker who goes 7 m forth and back; return the track and the lifted motion in the world."""
    from benchmarks import synthetic
    from mrs import plugins, world
    from mrs.body import load_body
    from tests.walker import walker

    once, _ = walker(np.arange(240) / 30)
    rows = clips.forth_and_back(frames, 240)
    motion = load_body().motion(np.arange(frames) / 30, once.root_pos_m[rows], once.local_quat_wxyz[rows], once.betas)
    track, truth = synthetic.film(motion, seed)
    lifted = plugins.load().make("lifter", "blazepose3d").lift(SimpleNamespace(camera=truth.camera), track)
    return track, world.to_world(lifted)


def _part(motion, count: int):
    names = ("times_s", "root_pos_m", "local_quat_wxyz", "joints_m", "contacts", "confidence")
    return replace(motion, **{name: getattr(motion, name)[:count] for name in names})


def _against_baseline(report: _common.Report) -> None:
    rows = []
    for number, found in enumerate(_common.in_fresh_process(baseline), 1):
        ours = found["solver"]
        rows += [(f"{name}, pass {number}", row["steps"] if row["reached"] else f"> {row['steps']}", row["seconds"],
                  row["steps"] / ours["steps"], row["seconds"] / ours["seconds"], row["value"] / ours["value"])
                 for name, row in found.items()]
        best = min((row for name, row in found.items() if name.startswith("Adam")),
                   key=lambda row: (not row["reached"], row["steps"]))
        more = "" if best["reached"] else "more than "
        report.notes.append(f"Pass {number}: {ours['iterations']} iterations of the solver ({ours['steps']} evaluations) do what "
                            f"the best Adam needs {more}{best['steps']} for.")
    report.table(("to reach the solver's value", "evaluations", "s", "evaluations / solver", "s / solver", "value / solver"),
                 rows)


def baseline() -> list[dict[str, dict]]:
    """Minimise both passes over one window by the solver and by plain optimisers; count evaluations and seconds."""
    from unittest import mock

    from mrs.refine import solver, together

    smoother = _ready()
    track, lifted = filmed_walk(WINDOW)
    passes = []

    def noted(tasks):
        passes.extend(tasks)
        return solve(tasks)

    solve = together.solve_together
    with mock.patch.object(together, "solve_together", noted):
        smoother.smooth(None, track, lifted)
    with solver.one_quick_thread():
        return [_compared(task) for task in passes]


def _compared(task) -> dict[str, dict]:
    from mrs.refine.variables import InTime

    problem = task.problem()
    row = {"solver": _solver(task)}
    wanted = row["solver"]["value"]
    in_time = InTime(problem, problem.space)
    plain = _without_bases(in_time)
    row |= {f"Adam, rate {rate}": _adam(problem, plain, rate, wanted) for rate in RATES}
    return row | {"plain L-BFGS": _lbfgs(problem, plain, wanted), "L-BFGS in time": _lbfgs(problem, in_time, wanted)}


def _solver(task) -> dict:
    """Solve three times, and keep the quickest; count how often the objective is evaluated with its gradient."""
    from unittest import mock

    import torch

    seconds, counted = [], 0
    for _ in range(3):
        problem, counted = task.problem(), 0
        costs = problem.costs

        def counting(*arguments, costs=costs):
            nonlocal counted
            counted += torch.is_grad_enabled()
            return costs(*arguments)

        start = time.perf_counter()
        with mock.patch.object(problem, "costs", counting):
            found = problem.solve(task.iterations)
        seconds.append(time.perf_counter() - start)
    return {"steps": counted, "iterations": found.iterations, "seconds": min(seconds), "value": sum(found.terms.values()), "reached": True}


def _without_bases(in_time):
    """Variables that know nothing of time: each frame's 6D rotations and root on their own."""
    import copy

    import torch

    plain = copy.copy(in_time)
    plain.turn_basis = plain.across_basis = plain.depth_basis = torch.eye(len(in_time.problem.window.times))
    return plain


def _cost(problem, variables, u):
    w = problem.window
    return sum(problem.costs(*variables.state(u), problem.betas0, w.turned, w.root).values())


def _start(variables):
    import torch

    return torch.zeros(len(variables.problem.window.times) * variables.size)


def _adam(problem, variables, rate: float, wanted: float) -> dict:
    """Step until the objective is as low as `wanted`, or MOST_STEPS times."""
    import torch

    u = _start(variables).requires_grad_()
    optimiser = torch.optim.Adam([u], rate)
    start = time.perf_counter()
    for step in range(1, MOST_STEPS + 1):
        optimiser.zero_grad()
        value = _cost(problem, variables, u)
        if float(value.detach()) <= wanted:
            break
        value.backward()
        optimiser.step()
    return {"steps": step, "seconds": time.perf_counter() - start, "value": float(value.detach()),
            "reached": float(value.detach()) <= wanted}


def _lbfgs(problem, variables, wanted: float) -> dict:
    """Run SciPy's L-BFGS, as the solver does, until the objective is as low as `wanted`."""
    import torch
    from scipy.optimize import minimize

    count, lowest = 0, np.inf

    class Done(Exception):
        pass

    def cost(flat):
        nonlocal count, lowest
        count += 1
        u = torch.as_tensor(flat).to(torch.float32).requires_grad_()
        value = _cost(problem, variables, u)
        (gradient,) = torch.autograd.grad(value, u)
        lowest = min(lowest, float(value.detach()))
        if lowest <= wanted or count == MOST_STEPS:
            raise Done
        return float(value.detach()), gradient.double().numpy()

    start = time.perf_counter()
    try:
        minimize(cost, _start(variables).double().numpy(), jac=True, method="L-BFGS-B",
                 options={"maxiter": MOST_STEPS, "maxfun": 2 * MOST_STEPS, "maxcor": 10, "ftol": 0, "gtol": 0})
    except Done:
        pass
    return {"steps": count, "seconds": time.perf_counter() - start, "value": lowest, "reached": lowest <= wanted}


if __name__ == "__main__":
    main()
